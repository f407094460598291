#include "stuck.h"
#include "buf.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHANCE	   1e-6 /* that a busy lock looks stuck */
#define STEPS_KEPT 64.0

struct stuck_set {
	struct stuck *v;
	size_t n;
	double first; /* the first whole body; NAN before */
};

struct stuck_set *stuck_new(void)
{
	struct stuck_set *set = xcalloc(1, sizeof(*set));

	set->first = NAN;
	return set;
}

/* It does not wait any more. */
static void clear(struct stuck *s)
{
	free(s->class);
	free(s->text);
	free((char *)s->user.func.p);
	free((char *)s->user.file.p);
	*s = (struct stuck){
		.fingerprint = s->fingerprint, .since = NAN, .steps = s->steps, .falls = s->falls};
}

void stuck_forget(struct stuck_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		clear(&set->v[i]);
	set->first = NAN;
}

void stuck_free(struct stuck_set *set)
{
	if (!set)
		return;
	stuck_forget(set);
	free(set->v);
	free(set);
}

/* ---- a body ---- */

void stuck_begin(struct stuck_set *set)
{
	for (size_t i = 0; i < set->n; i++)
		set->v[i].next = 0;
}

static struct stuck *look_up(struct stuck_set *set, uint64_t fingerprint)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].fingerprint == fingerprint)
			return &set->v[i];
	}
	return NULL;
}

/* A place in the table: a new one, or that of a stack that is not waiting; NULL when there is none.
 */
static struct stuck *take_place(struct stuck_set *set)
{
	if (set->n < STUCK_STACKS_MAX) {
		set->v = xrealloc(set->v, set->n + 1, sizeof(*set->v));
		return &set->v[set->n++];
	}
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].count == 0 && set->v[i].next == 0)
			return &set->v[i];
	}
	return NULL;
}

static struct str keep(struct str s)
{
	return str_n(str_dup(s), s.len);
}

void stuck_note(struct stuck_set *set, struct str class, const struct stack *s, uint64_t count)
{
	struct stuck *e = look_up(set, s->fingerprint);
	struct buf text = BUF_INIT;

	if (!e) {
		e = take_place(set);
		if (!e)
			return;
		*e = (struct stuck){.fingerprint = s->fingerprint, .since = NAN};
	}
	e->next += count;
	if (e->text)
		return;
	stack_print(s, STUCK_TEXT, &text);
	e->class = str_dup(class);
	e->text = buf_take(&text);
	e->user = (struct frame){
		.func = keep(s->user.func), .file = keep(s->user.file), .line = s->user.line};
}

/* So many bodies in a row must not be fewer before it is believed. */
static unsigned bodies_needed(const struct stuck *s)
{
	double chance = (s->steps - s->falls + 0.5) / (s->steps + 1), n;

	if (s->falls <= 0)
		return STUCK_BODIES;
	n = ceil(log(CHANCE) / log(chance));
	return (unsigned)MIN(MAX(n, (double)STUCK_BODIES), (double)STUCK_BODIES_MAX);
}

/* The row ended: it was a busy lock. */
static void note_fall(struct stuck *s)
{
	s->steps += s->bodies;
	s->falls++;
	if (s->steps > STEPS_KEPT) {
		s->falls *= STEPS_KEPT / s->steps;
		s->steps = STEPS_KEPT;
	}
}

static void begin_row(struct stuck *s, double now, uint64_t count)
{
	s->since = now;
	s->first = count;
	s->bodies = 0;
	s->need = bodies_needed(s);
}

void stuck_end(struct stuck_set *set, double now)
{
	if (isnan(set->first))
		set->first = now;
	for (size_t i = 0; i < set->n; i++) {
		struct stuck *s = &set->v[i];

		if (s->next < s->count)
			note_fall(s);
		if (s->next == 0) {
			clear(s);
			continue;
		}
		if (isnan(s->since) || s->next < s->count || now < s->since)
			begin_row(s, now, s->next);
		s->bodies++;
		s->count = s->next;
	}
}

/* What only this body had has no beginning, and is no more. */
void stuck_abandon(struct stuck_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].count == 0)
			clear(&set->v[i]);
	}
}

void stuck_moves(struct stuck_set *set, uint64_t fingerprint, double now)
{
	struct stuck *s = look_up(set, fingerprint);

	if (!s || s->count == 0)
		return;
	note_fall(s);
	begin_row(s, now, s->count);
}

void stuck_stays(struct stuck_set *set, uint64_t fingerprint)
{
	struct stuck *s = look_up(set, fingerprint);

	if (s)
		s->need = MIN(s->need, (unsigned)STUCK_BODIES);
}

/* ---- questions ---- */

static bool is_stuck(const struct stuck *s, double now, double after_s)
{
	return s->bodies >= s->need && now - s->since >= after_s;
}

static bool is_soon(const struct stuck *s, double now, double after_s)
{
	if (!(now - s->since >= after_s / 2))
		return false;
	return s->bodies + STUCK_BODIES / 2 >= s->need ||
	       (s->bodies >= STUCK_BODIES && s->count >= s->first + STUCK_MANY);
}

static const struct stuck *worst_that(const struct stuck_set *set, const char *class, double now,
	double after_s, bool (*is)(const struct stuck *s, double now, double after_s))
{
	const struct stuck *worst = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct stuck *s = &set->v[i];

		if (s->count == 0 || strcmp(s->class, class) != 0 || !is(s, now, after_s))
			continue;
		if (!worst || s->count > worst->count)
			worst = s;
	}
	return worst;
}

const struct stuck *stuck_worst(
	const struct stuck_set *set, const char *class, double now, double after_s)
{
	return worst_that(set, class, now, after_s, is_stuck);
}

const struct stuck *stuck_soon(
	const struct stuck_set *set, const char *class, double now, double after_s)
{
	return worst_that(set, class, now, after_s, is_soon);
}

bool stuck_maybe(const struct stuck_set *set, const char *class)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].since <= set->first && strcmp(set->v[i].class, class) == 0)
			return true;
	}
	return false;
}

uint64_t stuck_waiters(const struct stuck_set *set, const char *class)
{
	uint64_t n = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].count && strcmp(set->v[i].class, class) == 0)
			n += set->v[i].count;
	}
	return n;
}

size_t stuck_count(const struct stuck_set *set)
{
	return set->n;
}

const struct stuck *stuck_at(const struct stuck_set *set, size_t i)
{
	return i < set->n ? &set->v[i] : NULL;
}
