#include "locks.h"
#include "gdump.h"
#include "map.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOWEST	  0x1000 /* no address is lower */
#define VALUE_MAX 1024 /* bytes of a value whose lock is taken to be the one at an address */

/* A method of a value in the stack of somebody who does not wait for a lock. */
struct seen {
	uint64_t value, type; /* value 0: not to be seen; type: hash of "main.(*shard)." */
	struct lock_holder who;
};

/* Who waits for a lock. */
struct waiters {
	uint64_t address, count;
	uint64_t ids[LOCKS_IDS];
	size_t n;
};

struct locks {
	struct lock v[LOCKS_MAX];
	struct waiters now[LOCKS_MAX]; /* of v */
	size_t n;
	struct waiters before[LOCKS_MAX]; /* of the last whole dump */
	size_t nbefore;
	double at, before_at;
	uint32_t marked;
	struct seen *seen;
	size_t nseen, cap;
};

struct locks *locks_new(void)
{
	return xcalloc(1, sizeof(struct locks));
}

static void clear(struct locks *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].class);
	l->n = l->nseen = 0;
	l->marked = 0;
}

void locks_begin(struct locks *l, double at)
{
	clear(l);
	l->at = at;
}

void locks_forget(struct locks *l)
{
	clear(l);
	l->nbefore = 0;
}

void locks_free(struct locks *l)
{
	if (!l)
		return;
	clear(l);
	free(l->seen);
	free(l);
}

/* The first argument word of a frame, 0 when it is no address; sure: and not one that may be stale.
 */
static uint64_t first_word(const struct group *g, const struct frame *f, bool sure)
{
	struct str args = gdump_frame_args(g, f);
	uint64_t v = 0;
	size_t i = 2;

	if (!str_starts(args, STR("0x")))
		return 0;
	for (; i < args.len && i < 18; i++) {
		char c = args.p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (uint64_t)(c - 'a' + 10);
		else
			break;
	}
	if (sure && i < args.len && args.p[i] == '?')
		return 0;
	return v >= LOWEST ? v : 0;
}

/* "main.(*shard)." of "main.(*shard).put.func1"; "" for what is no method of a pointer. */
static struct str type_of(struct str func)
{
	ptrdiff_t open = str_find(func, STR("(*")), shut;

	if (open < 0)
		return (struct str){0};
	shut = str_find(str_from(func, (size_t)open), STR(")."));
	return shut < 0 ? (struct str){0} : str_sub(func, 0, (size_t)(open + shut) + 2);
}

static bool is_lock(struct str func)
{
	struct str type = type_of(func);

	return str_is(type, "sync.(*Mutex).") || str_is(type, "internal/sync.(*Mutex).") ||
	       str_is(type, "sync.(*RWMutex).");
}

static const struct waiters *before(const struct locks *l, uint64_t address)
{
	for (size_t i = 0; i < l->nbefore; i++) {
		if (l->before[i].address == address)
			return &l->before[i];
	}
	return NULL;
}

static struct lock *find_lock(struct locks *l, uint64_t address)
{
	const struct waiters *was;
	struct lock *lock;

	for (size_t i = 0; i < l->n; i++) {
		if (l->v[i].address == address)
			return &l->v[i];
	}
	if (l->n == LOCKS_MAX)
		return NULL;
	was = before(l, address);
	l->now[l->n] = (struct waiters){.address = address};
	lock = &l->v[l->n++];
	*lock = (struct lock){.address = address, .before_at = NAN};
	if (was) {
		lock->before_at = l->before_at;
		lock->before = was->count;
		lock->known = was->n;
	}
	return lock;
}

static void know_waiter(struct locks *l, struct lock *lock, uint64_t id)
{
	struct waiters *now = &l->now[lock - l->v];
	const struct waiters *was = before(l, lock->address);

	now->count++;
	if (now->n < LOCKS_IDS)
		now->ids[now->n++] = id;
	for (size_t i = 0; was && i < was->n; i++)
		lock->stayed += was->ids[i] == id;
}

/* Who locks is in the frame after those of the lock's methods. */
static void note_waiter(struct locks *l, const struct group *g, const char *class)
{
	struct lock *lock;
	size_t by = 0;

	for (size_t i = 0; i < g->nframes; i++) {
		if (is_lock(g->frames[i].func))
			by = i + 1;
	}
	lock = g->lock ? find_lock(l, g->lock) : NULL;
	if (!lock)
		return;
	know_waiter(l, lock, g->id);
	lock->minutes = MAX(lock->minutes, g->minutes);
	if (lock->waiters++ == 0 && by < g->nframes) {
		lock->class = xstrdup(class ? class : "");
		snprintf(lock->by, sizeof(lock->by), "%.*s", STR_ARG(g->frames[by].func));
		if (type_of(g->frames[by].func).len)
			lock->value = first_word(g, &g->frames[by], true);
	} else if (!lock->class) {
		lock->class = xstrdup(class ? class : "");
	}
}

static void note_other(struct locks *l, const struct group *g)
{
	for (size_t i = 0; i < g->nframes && l->nseen < LOCKS_SEEN; i++) {
		struct str type = type_of(g->frames[i].func);
		struct seen *s;

		if (type.len == 0 || stack_is_std(g->frames[i].func))
			continue;
		if (l->nseen == l->cap) {
			l->cap = MAX((size_t)64, l->cap * 2);
			l->seen = xrealloc(l->seen, l->cap, sizeof(*l->seen));
		}
		s = &l->seen[l->nseen++];
		s->value = first_word(g, &g->frames[i], false);
		s->type = hash64(type.p, type.len, 0);
		s->who.id = g->id;
		snprintf(s->who.state, sizeof(s->who.state), "%.*s", STR_ARG(g->state));
		snprintf(s->who.func, sizeof(s->who.func), "%.*s", STR_ARG(g->frames[i].func));
	}
}

void locks_note(struct locks *l, const struct group *g, const struct stack *s, const char *class)
{
	if (g->id == 0)
		return;
	if (g->minutes && (l->marked == 0 || g->minutes < l->marked))
		l->marked = g->minutes;
	if (s->wait == WAIT_MUTEX)
		note_waiter(l, g, class);
	else
		note_other(l, g);
}

/* In a method of the value that has the lock: its own address, or, where the waiter's word for it
 * was gone, that of a value of the same type that the lock can lie in. */
static bool is_candidate(const struct lock *k, uint64_t type, const struct seen *s)
{
	if (s->type != type)
		return false;
	if (k->value)
		return s->value == k->value;
	return s->value && s->value <= k->address && k->address - s->value < VALUE_MAX;
}

static bool is_told(const struct lock *l, uint64_t id)
{
	for (size_t i = 0; i < l->nholders; i++) {
		if (l->holders[i].id == id)
			return true;
	}
	return false;
}

static void find_holders(struct locks *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct lock *k = &l->v[i];
		struct str type = type_of(str_of(k->by));
		uint64_t hash = hash64(type.p, type.len, 0);

		k->marked = l->marked;
		k->nobody = type.len && l->nseen < LOCKS_SEEN;
		for (size_t j = 0; type.len && j < l->nseen; j++) {
			const struct seen *s = &l->seen[j];

			if (s->type == hash && s->value == 0)
				k->nobody = false;
			if (!is_candidate(k, hash, s) || is_told(k, s->who.id))
				continue;
			if (k->nholders == LOCKS_HOLDERS)
				k->more++;
			else
				k->holders[k->nholders++] = s->who;
			k->nobody = false;
		}
	}
}

void locks_end(struct locks *l)
{
	find_holders(l);
	memcpy(l->before, l->now, l->n * sizeof(*l->now));
	l->nbefore = l->n;
	l->before_at = l->at;
}

bool lock_grows(const struct lock *l)
{
	return l->known && l->waiters > l->before && l->stayed * 10 >= l->known * 9;
}

bool lock_moves(const struct lock *l)
{
	return l->stayed < l->known && !lock_grows(l);
}

bool lock_is_young(const struct lock *l, double age_s)
{
	return l->waiters && l->minutes == 0 && l->marked && (l->marked + 1) * 60.0 <= age_s;
}

const struct lock *locks_worst(const struct locks *l, const char *class)
{
	const struct lock *worst = NULL;

	for (size_t i = 0; i < l->n; i++) {
		const struct lock *k = &l->v[i];

		if (k->class && strcmp(k->class, class) == 0 &&
			(!worst || k->waiters > worst->waiters))
			worst = k;
	}
	return worst;
}

size_t locks_count(const struct locks *l)
{
	return l->n;
}

const struct lock *locks_at(const struct locks *l, size_t i)
{
	return i < l->n ? &l->v[i] : NULL;
}

/* "; 5 did at 03:10 (UTC), and all of those still do" */
static void add_before(const struct lock *l, struct buf *out)
{
	time_t t = (time_t)(l->known ? l->before_at : 0);
	char at[16] = "";
	struct tm tm;

	if (!l->known)
		return;
	if (gmtime_r(&t, &tm))
		strftime(at, sizeof(at), "%H:%M", &tm);
	buf_addf(out, "; %" PRIu64 " did at %s (UTC), and ", l->before, at);
	if (l->stayed == l->known)
		buf_adds(out, "all of those still do");
	else
		buf_addf(out, "%zu of %zu of those still do", l->stayed, l->known);
}

void lock_words(const struct lock *l, struct buf *out)
{
	buf_addf(out, "%" PRIu64 " wait for one lock", l->waiters);
	if (l->by[0])
		buf_addf(out, " in %s", l->by);
	if (l->nholders) {
		for (size_t i = 0; i < l->nholders; i++)
			buf_addf(out, "%s goroutine %" PRIu64 " [%s] in %s",
				i ? "," : ", which may be held by", l->holders[i].id,
				l->holders[i].state, l->holders[i].func);
		if (l->more)
			buf_addf(out, " and %zu more", l->more);
	} else if (l->nobody) {
		buf_adds(out, ", and no goroutine that runs or waits elsewhere is in a method of "
			      "that value: whoever took it may have returned without unlocking it");
	}
	add_before(l, out);
}
