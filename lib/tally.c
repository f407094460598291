#include "tally.h"
#include "buf.h"
#include "map.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

#define PENDING_MAX 1024 /* new records of one body that wait for symbols; more do not wait */
#define PCS_MAX	    4096 /* program counters whose meaning is remembered */
#define HIDDEN_MAX  8 /* hidden frames looked at, leaf first: two to four are usual */
#define KEEP_BODIES 32 /* not seen in that many, a record makes room in a full table */

/* A record's key and the class it belongs to.  key 0 is a free place. */
struct known {
	uint64_t key;
	uint32_t class;
	uint32_t body; /* number of the last body that had it */
};

/* A program counter and what its function tells. */
struct symbol {
	uint64_t pc;
	enum wait_kind wait; /* WAIT_UNKNOWN: tells nothing */
};

/* A new record whose wait is still to be found out. */
struct pending {
	uint64_t key, count;
	struct stack stack; /* in the pending arena */
	uint64_t hidden[HIDDEN_MAX];
	size_t nhidden;
};

struct tally {
	const struct classifier *classifier;
	struct tally_limits limits;
	struct tally_class **classes;
	size_t nclasses;
	struct map *by_name;
	struct known *known; /* open addressing, a power of two of places */
	size_t nknown, known_size;
	struct symbol *symbols;
	size_t nsymbols;
	struct pending *pending;
	size_t npending;
	uint64_t asked[TALLY_ASK_MAX];
	size_t nasked;
	bool no_symbols;
	struct arena work; /* one record */
	struct arena later; /* the pending ones, until the body ends */
	uint32_t body;
	double now;
	uint64_t overflow, last_overflow;
	tally_watch_cb *watch;
	void *watch_arg;
};

struct tally *tally_new(const struct classifier *c, const struct tally_limits *limits)
{
	struct tally *t = xcalloc(1, sizeof(*t));

	t->classifier = c;
	t->limits = *limits;
	t->by_name = map_new();
	t->known_size = 64;
	t->known = xcalloc(t->known_size, sizeof(*t->known));
	return t;
}

void tally_watch(struct tally *t, tally_watch_cb *watch, void *arg)
{
	t->watch = watch;
	t->watch_arg = arg;
}

static void release_example(struct tally_example *e)
{
	free(e->text);
	free(e->entry);
	free(e->created_by);
	free(e->user_func);
	free(e->user_file);
	memset(e, 0, sizeof(*e));
}

void tally_free(struct tally *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->nclasses; i++) {
		release_example(&t->classes[i]->example);
		free(t->classes[i]->name);
		free(t->classes[i]);
	}
	free(t->classes);
	map_free(t->by_name, NULL);
	free(t->known);
	free(t->symbols);
	free(t->pending);
	arena_release(&t->work);
	arena_release(&t->later);
	free(t);
}

/* ---- classes ---- */

static void name_class(
	struct tally *t, struct tally_class *c, struct str name, const struct rule *rule)
{
	c->name = str_dup(name);
	c->rule = rule;
	c->ignored = rule && rule->ignore;
	c->last_seen = t->now;
	map_put(t->by_name, name, c);
}

/* The place of a class that has been at 0 long enough, or NULL. */
static struct tally_class *forget_one(struct tally *t)
{
	struct tally_class *oldest = NULL;

	for (size_t i = 0; i < t->nclasses; i++) {
		struct tally_class *c = t->classes[i];

		if (c->count || c->next || t->now - c->last_seen < TALLY_FORGET_S)
			continue;
		if (!oldest || c->last_seen < oldest->last_seen)
			oldest = c;
	}
	if (!oldest)
		return NULL;
	map_take(t->by_name, str_of(oldest->name));
	free(oldest->name);
	release_example(&oldest->example);
	oldest->generation++;
	for (size_t i = 0; i < t->known_size; i++) {
		if (t->known[i].class == oldest->index)
			t->known[i].body = 0; /* swept with the next growth */
	}
	return oldest;
}

static struct tally_class *add_class(struct tally *t, struct str name, const struct rule *rule)
{
	struct tally_class *c;

	/* "other" always has a place beyond the limit. */
	if (t->nclasses >= t->limits.classes && !str_is(name, TALLY_OTHER)) {
		c = forget_one(t);
		if (c)
			name_class(t, c, name, rule);
		return c;
	}
	c = xcalloc(1, sizeof(*c));
	c->index = (uint32_t)t->nclasses;
	t->classes = xrealloc(t->classes, t->nclasses + 1, sizeof(*t->classes));
	t->classes[t->nclasses++] = c;
	name_class(t, c, name, rule);
	return c;
}

struct tally_class *tally_restore(struct tally *t, struct str name, const struct rule *rule)
{
	struct tally_class *c = map_get(t->by_name, name);

	return c ? c : add_class(t, name, rule);
}

/* Classes that a label's values have split off the rule's. */
static size_t count_split(const struct tally *t, const struct rule *rule)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nclasses; i++)
		n += t->classes[i]->rule == rule &&
		     !str_eq(str_of(t->classes[i]->name), rule->name);
	return n;
}

/* The class's name: the rule's, one that a label splits off it, or the automatic one. */
static struct str name_of(struct tally *t, const struct stack *s, const struct rule **rule)
{
	struct str name = classifier_name(t->classifier, s, &t->work, rule), own, other;

	own = classifier_split(*rule, s, &t->work, false);
	if (own.len == 0 || map_get(t->by_name, own))
		return own.len ? own : name;
	other = classifier_split(*rule, s, &t->work, true);
	if (map_get(t->by_name, other) || count_split(t, *rule) >= CLASSIFY_SPLIT_MAX)
		return other;
	return own;
}

static struct tally_class *class_of(struct tally *t, const struct stack *s)
{
	const struct rule *rule = NULL;
	struct str name = name_of(t, s, &rule);
	struct tally_class *c = map_get(t->by_name, name);

	if (!c)
		c = add_class(t, name, rule);
	return c ? c : tally_restore(t, STR(TALLY_OTHER), NULL);
}

/* ---- the table of known records ---- */

static struct known *find_known(const struct tally *t, uint64_t key)
{
	size_t mask = t->known_size - 1;

	for (size_t i = key & mask;; i = (i + 1) & mask) {
		if (t->known[i].key == key || t->known[i].key == 0)
			return &t->known[i];
	}
}

/* Makes a table of that size with those records that bodies of late had. */
static void rebuild_known(struct tally *t, size_t size, bool sweep)
{
	struct known *old = t->known;
	size_t old_size = t->known_size;

	t->known = xcalloc(size, sizeof(*t->known));
	t->known_size = size;
	t->nknown = 0;
	for (size_t i = 0; i < old_size; i++) {
		if (old[i].key == 0 || (sweep && t->body - old[i].body > KEEP_BODIES))
			continue;
		*find_known(t, old[i].key) = old[i];
		t->nknown++;
	}
	free(old);
}

static void remember(struct tally *t, uint64_t key, uint32_t class)
{
	struct known *k;

	if (key == 0)
		return;
	if (t->nknown >= t->limits.records) {
		if (t->body % KEEP_BODIES == 0)
			rebuild_known(t, t->known_size, true);
		if (t->nknown >= t->limits.records) {
			t->overflow++;
			return;
		}
	}
	if (t->nknown * 2 >= t->known_size)
		rebuild_known(t, t->known_size * 2, false);
	k = find_known(t, key);
	if (k->key == 0)
		t->nknown++;
	*k = (struct known){.key = key, .class = class, .body = t->body};
}

/* ---- what hidden program counters tell ---- */

static const struct symbol *find_symbol(const struct tally *t, uint64_t pc)
{
	for (size_t i = 0; i < t->nsymbols; i++) {
		if (t->symbols[i].pc == pc)
			return &t->symbols[i];
	}
	return NULL;
}

/* True when all are known; *wait is what they tell, WAIT_NONE when they tell nothing. */
static bool wait_of_hidden(
	const struct tally *t, const uint64_t *pcs, size_t n, enum wait_kind *wait)
{
	*wait = WAIT_NONE;
	for (size_t i = 0; i < n; i++) {
		const struct symbol *s = find_symbol(t, pcs[i]);

		if (!s)
			return false;
		if (s->wait != WAIT_UNKNOWN) {
			*wait = s->wait;
			return true;
		}
	}
	return true;
}

static void learn_symbol(struct tally *t, uint64_t pc, enum wait_kind wait)
{
	if (t->nsymbols >= PCS_MAX || find_symbol(t, pc))
		return;
	t->symbols = xrealloc(t->symbols, t->nsymbols + 1, sizeof(*t->symbols));
	t->symbols[t->nsymbols++] = (struct symbol){.pc = pc, .wait = wait};
}

/* ---- one record ---- */

static void take_example(struct tally_class *c, const struct stack *s, uint64_t count)
{
	struct tally_example *e = &c->example;
	struct buf text = BUF_INIT;

	if (e->text && e->fingerprint == s->fingerprint && e->wait == s->wait) {
		e->count = count;
		return;
	}
	release_example(e);
	stack_print(s, TALLY_EXAMPLE, &text);
	e->fingerprint = s->fingerprint;
	e->count = count;
	e->wait = s->wait;
	e->text = buf_take(&text);
	e->entry = str_dup(s->entry);
	e->created_by = str_dup(s->created_by);
	e->user_func = str_dup(s->user.func);
	e->user_file = str_dup(s->user.file);
	e->user_line = s->user.line;
}

static void count_stack(struct tally *t, const struct stack *s, uint64_t key, uint64_t count)
{
	struct tally_class *c = class_of(t, s);

	c->next += count;
	if (count > c->best) {
		c->best = count;
		take_example(c, s, count);
	}
	/* One that waits for a mutex is parsed in each body, for who watches those. */
	if (s->wait == WAIT_MUTEX && t->watch)
		t->watch(t->watch_arg, c, s, count);
	else
		remember(t, key, c->index);
}

/* Puts a new record aside until its hidden program counters are named; false when it cannot wait.
 */
static bool put_aside(struct tally *t, const struct group *g)
{
	struct pending *p;

	if (g->nhidden == 0 || t->no_symbols || t->npending >= PENDING_MAX ||
		t->nsymbols >= PCS_MAX)
		return false;
	t->pending = xrealloc(t->pending, t->npending + 1, sizeof(*t->pending));
	p = &t->pending[t->npending++];
	p->key = g->key;
	p->count = g->count;
	p->nhidden = MIN(g->nhidden, (size_t)HIDDEN_MAX);
	memcpy(p->hidden, g->hidden, p->nhidden * sizeof(*p->hidden));
	stack_from_group(&t->later, g, true, &p->stack);
	return true;
}

static void group_cb(void *arg, const struct group *g)
{
	struct tally *t = arg;
	struct stack s;

	arena_reset(&t->work);
	stack_from_group(&t->work, g, false, &s);
	if (s.wait == WAIT_UNKNOWN && g->key) {
		size_t n = MIN(g->nhidden, (size_t)HIDDEN_MAX);

		if (!wait_of_hidden(t, g->hidden, n, &s.wait)) {
			if (put_aside(t, g))
				return;
			s.wait = WAIT_UNKNOWN;
		}
	}
	count_stack(t, &s, g->key, g->count);
}

static bool known_cb(void *arg, uint64_t key, uint64_t count)
{
	struct tally *t = arg;
	struct known *k = find_known(t, key);
	struct tally_class *c;

	if (k->key == 0 || k->body == 0)
		return false;
	c = t->classes[k->class];
	/* Twice as many as the example had: let it be parsed once, it may be another stack. */
	if (count > c->best && count > 2 * c->example.count)
		return false;
	c->next += count;
	c->best = MAX(c->best, count);
	k->body = t->body;
	return true;
}

struct gdump_sink tally_sink(struct tally *t)
{
	return (struct gdump_sink){.known = known_cb, .group = group_cb, .arg = t};
}

/* ---- a body ---- */

static void forget_body(struct tally *t)
{
	for (size_t i = 0; i < t->nclasses; i++) {
		t->classes[i]->next = 0;
		t->classes[i]->best = 0;
	}
	t->npending = 0;
	arena_reset(&t->later);
	t->overflow = 0;
}

void tally_begin(struct tally *t)
{
	forget_body(t);
	t->body++;
}

void tally_abandon(struct tally *t)
{
	forget_body(t);
}

size_t tally_unresolved(struct tally *t, uint64_t *pcs, size_t max)
{
	size_t n = 0;

	max = MIN(max, (size_t)TALLY_ASK_MAX);
	for (size_t i = 0; i < t->npending; i++) {
		for (size_t j = 0; j < t->pending[i].nhidden && n < max; j++) {
			uint64_t pc = t->pending[i].hidden[j];
			size_t k = 0;

			while (k < n && pcs[k] != pc)
				k++;
			if (k == n && !find_symbol(t, pc))
				pcs[n++] = pc;
		}
	}
	if (n)
		memcpy(t->asked, pcs, n * sizeof(*pcs));
	t->nasked = n;
	return n;
}

static bool parse_hex(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (!str_starts(s, STR("0x")) || s.len < 3 || s.len > 18)
		return false;
	for (size_t i = 2; i < s.len; i++) {
		char c = s.p[i];
		unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10)
						    : 16;

		if (d > 15)
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

void tally_symbols(struct tally *t, struct str body)
{
	struct str line;

	while (str_line(&body, &line)) {
		ptrdiff_t space = str_chr(line, ' ');
		uint64_t pc;

		if (space > 0 && parse_hex(str_sub(line, 0, (size_t)space), &pc))
			learn_symbol(t, pc,
				stack_wait_of_symbol(str_trim(str_from(line, (size_t)space))));
	}
	for (size_t i = 0; i < t->nasked; i++)
		learn_symbol(t, t->asked[i], WAIT_UNKNOWN);
	t->nasked = 0;
}

void tally_no_symbols(struct tally *t)
{
	t->no_symbols = true;
	t->nasked = 0;
}

static void settle_pending(struct tally *t)
{
	for (size_t i = 0; i < t->npending; i++) {
		struct pending *p = &t->pending[i];
		bool told;

		arena_reset(&t->work);
		told = wait_of_hidden(t, p->hidden, p->nhidden, &p->stack.wait);
		if (!told)
			p->stack.wait = WAIT_UNKNOWN;
		/* Not remembered while its wait may still be told: the next body asks again. */
		count_stack(t, &p->stack, told || t->no_symbols ? p->key : 0, p->count);
	}
	t->npending = 0;
}

void tally_end(struct tally *t, double now)
{
	t->now = now;
	settle_pending(t);
	for (size_t i = 0; i < t->nclasses; i++) {
		struct tally_class *c = t->classes[i];

		c->count = c->next;
		if (c->count)
			c->last_seen = now;
	}
	t->last_overflow = t->overflow;
}

void tally_new_run(struct tally *t)
{
	memset(t->known, 0, t->known_size * sizeof(*t->known));
	t->nknown = 0;
	t->nsymbols = 0;
	t->no_symbols = false;
}

struct tally_class *tally_find(
	struct tally *t, const struct stack *s, const uint64_t *hidden, size_t nhidden)
{
	const struct rule *rule = NULL;
	struct stack known = *s;
	struct tally_class *c;

	if (s->wait == WAIT_UNKNOWN && nhidden &&
		!wait_of_hidden(t, hidden, MIN(nhidden, (size_t)HIDDEN_MAX), &known.wait))
		known.wait = WAIT_UNKNOWN;
	arena_reset(&t->work);
	c = map_get(t->by_name, name_of(t, &known, &rule));
	return c ? c : map_get(t->by_name, STR(TALLY_OTHER));
}

size_t tally_count(const struct tally *t)
{
	return t->nclasses;
}

struct tally_class *tally_at(const struct tally *t, size_t index)
{
	return index < t->nclasses ? t->classes[index] : NULL;
}

static uint64_t sum(const struct tally *t, bool ignored_too)
{
	uint64_t n = 0;

	for (size_t i = 0; i < t->nclasses; i++) {
		if (ignored_too || !t->classes[i]->ignored)
			n += t->classes[i]->count;
	}
	return n;
}

uint64_t tally_judged_total(const struct tally *t)
{
	return sum(t, false);
}

uint64_t tally_total(const struct tally *t)
{
	return sum(t, true);
}

uint64_t tally_overflow(const struct tally *t)
{
	return t->last_overflow;
}

static bool is_overflow(const struct tally_class *c)
{
	return !c->rule && str_is(str_of(c->name), TALLY_OTHER);
}

uint64_t tally_in_other(const struct tally *t)
{
	const struct tally_class *c = map_get(t->by_name, STR(TALLY_OTHER));

	return c && is_overflow(c) ? c->count : 0;
}

struct str tally_hint(const struct tally_class *c)
{
	if (c->rule)
		return c->rule->hint;
	if (is_overflow(c))
		return STR("All goroutines that came when there were as many classes as "
			   "limits.classes_per_target allows. Raise the limit, or put together "
			   "with a rule what has many names and is one thing.");
	return STR("");
}
