#include "forever.h"
#include "xalloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define STEPS 2 /* once they may have been parked; twice is growth */
#define GREW  3

/* A class of the dump that is being read. */
struct seen {
	char *class;
	char state[FOREVER_STATE];
	uint64_t count;
};

struct forever_set {
	struct forever v[FOREVER_MAX];
	size_t n;
	struct seen seen[FOREVER_MAX];
	size_t nseen;
	bool open;
	double at, looked;
};

struct forever_set *forever_new(void)
{
	struct forever_set *set = xcalloc(1, sizeof(*set));

	set->looked = NAN;
	return set;
}

static void drop_seen(struct forever_set *set)
{
	for (size_t i = 0; i < set->nseen; i++)
		free(set->seen[i].class);
	set->nseen = 0;
	set->open = false;
}

static void drop_all(struct forever_set *set)
{
	drop_seen(set);
	for (size_t i = 0; i < set->n; i++)
		free(set->v[i].class);
	set->n = 0;
}

void forever_forget(struct forever_set *set)
{
	drop_all(set);
	set->looked = NAN;
}

void forever_free(struct forever_set *set)
{
	if (!set)
		return;
	drop_all(set);
	free(set);
}

void forever_begin(struct forever_set *set, double at)
{
	drop_seen(set);
	set->open = true;
	set->at = at;
}

void forever_note(struct forever_set *set, const char *class, const struct group *g)
{
	size_t i = 0;

	if (!set->open)
		return;
	while (i < set->nseen && strcmp(set->seen[i].class, class) != 0)
		i++;
	if (i == FOREVER_MAX)
		return;
	if (i == set->nseen) {
		struct seen *s = &set->seen[set->nseen++];

		*s = (struct seen){.class = xstrdup(class)};
		snprintf(s->state, sizeof(s->state), "%.*s", STR_ARG(g->state));
	}
	set->seen[i].count += g->count;
}

static struct forever *look_up(struct forever_set *set, const char *class)
{
	for (size_t i = 0; i < set->n; i++) {
		if (strcmp(set->v[i].class, class) == 0)
			return &set->v[i];
	}
	return NULL;
}

/* What the dump before had of the class goes on; the name is handed over. */
static struct forever next_of(struct forever_set *set, struct seen *s)
{
	struct forever *was = look_up(set, s->class), f = {.first_at = set->at, .first = s->count};

	if (was) {
		f = *was;
		f.before = was->count;
		f.before_at = was->at;
		f.rises += s->count > was->count;
	}
	f.class = s->class;
	s->class = NULL;
	memcpy(f.state, s->state, sizeof(f.state));
	f.at = set->at;
	f.count = s->count;
	return f;
}

void forever_end(struct forever_set *set, bool whole)
{
	struct forever next[FOREVER_MAX];
	size_t n = set->nseen;

	if (!set->open || !whole) {
		drop_seen(set);
		return;
	}
	for (size_t i = 0; i < n; i++)
		next[i] = next_of(set, &set->seen[i]);
	drop_all(set);
	set->looked = set->at;
	memcpy(set->v, next, n * sizeof(*next));
	set->n = n;
}

bool forever_grows(const struct forever *f)
{
	return f->count >= f->first + FOREVER_LEAST ||
	       (f->rises >= STEPS && f->count >= f->first + GREW);
}

double forever_rate(const struct forever *f)
{
	if (f->count <= f->first || !(f->at > f->first_at))
		return NAN;
	return (double)(f->count - f->first) / (f->at - f->first_at) * 3600;
}

void forever_words(const struct forever *f, struct buf *out)
{
	time_t t = (time_t)f->before_at;
	char at[16] = "";
	struct tm tm;

	buf_addf(out, "%" PRIu64 " wait for what can never happen [%s]", f->count, f->state);
	if (!f->before)
		return;
	if (gmtime_r(&t, &tm))
		strftime(at, sizeof(at), "%H:%M", &tm);
	buf_addf(out, "; %" PRIu64 " did at %s (UTC)", f->before, at);
}

const struct forever *forever_find(const struct forever_set *set, struct str class)
{
	for (size_t i = 0; i < set->n; i++) {
		if (str_is(class, set->v[i].class))
			return &set->v[i];
	}
	return NULL;
}

double forever_looked(const struct forever_set *set)
{
	return set->looked;
}

size_t forever_count(const struct forever_set *set)
{
	return set->n;
}

const struct forever *forever_at(const struct forever_set *set, size_t i)
{
	return i < set->n ? &set->v[i] : NULL;
}
