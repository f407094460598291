#include "evidence.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROVEN_LEAST 10 /* fewer are no proof of anything */

struct evidence {
	double window_s, run_start;
	struct evidence_class *v[EVIDENCE_CLASSES];
	size_t n;
	bool open_proof;
	/* the dump */
	bool open;
	double at;
	evidence_class_cb *class_of;
	void *arg;
	uint64_t goroutines, frames, newest;
	uint32_t oldest_minutes;
	struct locks *locks;
	struct forever_set *forever;
	struct origin *origin;
	struct arena work;
};

/* ---- words that are counted ------------------------------------------------------------------ */

static void release_words(struct evidence_words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->v[i].text);
	memset(w, 0, sizeof(*w));
}

static void count_word(struct evidence_words *w, struct str text)
{
	size_t i = 0;

	text = str_sub(text, 0, EVIDENCE_TEXT);
	while (i < w->n && !str_is(text, w->v[i].text))
		i++;
	if (i == EVIDENCE_TOP) {
		w->others++;
		return;
	}
	if (i == w->n)
		w->v[w->n++] = (struct evidence_word){.text = str_dup(text)};
	w->v[i].count++;
	for (; i > 0 && w->v[i].count > w->v[i - 1].count; i--) {
		struct evidence_word word = w->v[i];

		w->v[i] = w->v[i - 1];
		w->v[i - 1] = word;
	}
}

/* ---- classes --------------------------------------------------------------------------------- */

struct evidence *evidence_new(double window_s)
{
	struct evidence *e = xcalloc(1, sizeof(*e));

	e->window_s = window_s;
	e->run_start = NAN;
	e->locks = locks_new();
	e->forever = forever_new();
	e->origin = origin_new();
	return e;
}

static void release_numbers(struct evidence_class *c)
{
	release_words(&c->states);
	release_words(&c->creators);
	release_words(&c->labels);
}

static void free_class(struct evidence_class *c)
{
	if (!c)
		return;
	free_class(c->next);
	release_numbers(c);
	ages_release(&c->waits);
	survival_free(c->survival);
	free(c->name);
	free(c);
}

void evidence_free(struct evidence *e)
{
	if (!e)
		return;
	for (size_t i = 0; i < e->n; i++)
		free_class(e->v[i]);
	arena_release(&e->work);
	locks_free(e->locks);
	forever_free(e->forever);
	origin_free(e->origin);
	free(e);
}

size_t evidence_count(const struct evidence *e)
{
	return e->n;
}

struct evidence_class *evidence_at(struct evidence *e, size_t i)
{
	return i < e->n ? e->v[i] : NULL;
}

struct evidence_class *evidence_find(struct evidence *e, struct str class)
{
	for (size_t i = 0; i < e->n; i++) {
		if (str_is(class, e->v[i]->name))
			return e->v[i];
	}
	return NULL;
}

/* The place of the class that is of least interest, when that is less than this. */
static struct evidence_class **least(
	struct evidence *e, enum evidence_interest interest, double growth)
{
	struct evidence_class **found = NULL;

	for (size_t i = 0; i < e->n; i++) {
		struct evidence_class *c = e->v[i];

		if (c->interest > interest ||
			(c->interest == interest && c->growth_per_hour >= growth))
			continue;
		if (!found || c->interest < (*found)->interest ||
			(c->interest == (*found)->interest &&
				c->growth_per_hour < (*found)->growth_per_hour))
			found = &e->v[i];
	}
	return found;
}

static struct evidence_class *add_class(
	struct evidence *e, struct str class, enum evidence_interest interest, double growth)
{
	struct evidence_class **place, *c;

	if (e->n < EVIDENCE_CLASSES)
		place = &e->v[e->n++];
	else
		place = least(e, interest, growth);
	if (!place)
		return NULL;
	free_class(*place);
	c = *place = xcalloc(1, sizeof(*c));
	c->name = str_dup(class);
	c->at = c->stay = c->result.began = c->result.usual_life_s = NAN;
	c->look_at = INFINITY;
	return c;
}

void evidence_follow(struct evidence *e, struct str class, enum evidence_interest interest,
	double growth_per_hour, double now, double run_start)
{
	struct evidence_class *c = evidence_find(e, class);
	double linger = SURVIVAL_LINGER_S * e->window_s / 120;

	e->run_start = run_start;
	if (!c && interest != EVIDENCE_NONE)
		c = add_class(e, class, interest, growth_per_hour);
	if (!c)
		return;
	/* What was asked for what is told already says nothing of a suspicion that is new. */
	if (interest >= EVIDENCE_SUSPECT && c->interest < EVIDENCE_SUSPECT && !c->open_suspicion)
		c->proof.asked = false;
	c->open_suspicion |= interest >= EVIDENCE_SUSPECT;
	c->interest = interest;
	c->growth_per_hour = isnan(growth_per_hour) ? 0 : growth_per_hour;
	if (interest != EVIDENCE_NONE) {
		c->wanted_at = now;
		if (!c->survival)
			c->survival = survival_new(e->window_s, run_start);
	} else if (now - c->wanted_at > linger && !e->open) {
		survival_free(c->survival);
		c->survival = NULL;
		c->open_suspicion = false;
	}
}

void evidence_want(struct evidence *e, struct str class, double at)
{
	struct evidence_class *c = evidence_find(e, class);

	if (c)
		c->look_at = at;
}

double evidence_window(const struct evidence *e)
{
	return e->window_s;
}

void evidence_take(struct evidence *e, struct str class, struct survival *s,
	const struct evidence_proof *proof)
{
	struct evidence_class *c = evidence_find(e, class);

	if (!c)
		c = add_class(e, class, EVIDENCE_SUSPECT, 0);
	if (!c) {
		survival_free(s);
		return;
	}
	survival_free(c->survival);
	c->survival = s;
	c->proof = *proof;
	c->open_suspicion = true;
	survival_judge(s, false, &c->result);
	c->wanted_at = c->result.began; /* until it is followed */
}

void evidence_new_run(struct evidence *e)
{
	for (size_t i = 0; i < e->n; i++)
		free_class(e->v[i]);
	memset(e->v, 0, sizeof(e->v)); /* a new class's place is free, or another's */
	e->n = 0;
	e->open = e->open_proof = false;
	locks_forget(e->locks);
	forever_forget(e->forever);
	origin_forget(e->origin);
}

static double usual_due(const struct evidence_class *c)
{
	if (c->interest == EVIDENCE_NONE || !c->survival)
		return INFINITY;
	/* Once a rule was applied, or there are too few for one, an alert shows what it said. */
	if (c->interest == EVIDENCE_LEAKING &&
		(c->result.span_s > 0 ||
			(survival_dumps(c->survival) > 1 && c->result.cohort < PROVEN_LEAST)))
		return INFINITY;
	return survival_next(c->survival, c->interest == EVIDENCE_FAST);
}

static double class_due(const struct evidence_class *c)
{
	return c->interest == EVIDENCE_NONE ? INFINITY : fmin(usual_due(c), c->look_at);
}

double evidence_due(const struct evidence *e)
{
	double due = INFINITY;

	for (size_t i = 0; i < e->n; i++)
		due = fmin(due, class_due(e->v[i]));
	return due;
}

double evidence_urgency(const struct evidence *e)
{
	double most = 0;

	for (size_t i = 0; i < e->n; i++) {
		if (e->v[i]->interest != EVIDENCE_NONE)
			most = fmax(most, e->v[i]->growth_per_hour);
	}
	return most;
}

/* ---- a dump ---------------------------------------------------------------------------------- */

void evidence_begin(struct evidence *e, double t, evidence_class_cb *class_of, void *arg)
{
	e->open = true;
	e->at = t;
	e->class_of = class_of;
	e->arg = arg;
	locks_begin(e->locks, t);
	forever_begin(e->forever, t);
	e->goroutines = e->frames = e->newest = 0;
	e->oldest_minutes = 0;
	origin_begin(e->origin);
	for (size_t i = 0; i < e->n; i++) {
		struct evidence_class *c = e->v[i];

		free_class(c->next);
		c->next = xcalloc(1, sizeof(*c->next));
		if (c->survival)
			survival_begin(c->survival, t);
	}
}

static void count_age(struct evidence_class *c, uint32_t minutes)
{
	static const uint32_t bounds[EVIDENCE_AGES] = {1, 10, 60, 1440};

	c->oldest_minutes = MAX(c->oldest_minutes, minutes);
	ages_add(&c->waits, minutes, 1);
	for (int i = 0; i < EVIDENCE_AGES; i++)
		c->waited[i] += minutes >= bounds[i];
}

static void count_labels(struct evidence_class *c, const struct group *g)
{
	char text[EVIDENCE_TEXT];

	for (size_t i = 0; i < g->nlabels; i++) {
		snprintf(text, sizeof(text), "%.*s=%.*s", STR_ARG(g->labels[i].key),
			STR_ARG(g->labels[i].value));
		count_word(&c->labels, str_of(text));
	}
}

static void group_cb(void *arg, const struct group *g)
{
	struct evidence *e = arg;
	struct evidence_class *c;
	const char *class;
	struct stack s;

	if (!e->open)
		return; /* a restart meanwhile */
	e->goroutines += g->count;
	e->frames += g->nframes * g->count;
	e->newest = MAX(e->newest, g->id);
	e->oldest_minutes = MAX(e->oldest_minutes, g->minutes);
	origin_see(e->origin, g);
	arena_reset(&e->work);
	stack_from_group(&e->work, g, false, &s);
	class = e->class_of(e->arg, g, &s);
	locks_note(e->locks, g, &s, class);
	if (class && (g->flags & GROUP_NIL_CHAN))
		forever_note(e->forever, class, g);
	c = class ? evidence_find(e, str_of(class)) : NULL;
	if (!c || !c->next)
		return;
	if (c->survival)
		survival_see(c->survival, g->id, s.fingerprint);
	c = c->next;
	c->count += g->count;
	if (g->flags & GROUP_NIL_CHAN)
		c->never += g->count;
	count_age(c, g->minutes);
	count_word(&c->states, g->state);
	if (s.created_by.len)
		count_word(&c->creators, s.created_by);
	count_labels(c, g);
}

struct gdump_sink evidence_sink(struct evidence *e)
{
	return (struct gdump_sink){.group = group_cb, .arg = e};
}

/* What the waits say; where the process's start is not known, its longest wait stands for it. */
static void judge_waits(const struct evidence *e, struct evidence_class *c)
{
	double uptime_min = isnan(e->run_start) ? e->oldest_minutes : (e->at - e->run_start) / 60;

	c->stay = isnan(c->at) ? NAN
			       : ages_still(c->waited[EVIDENCE_10M], &c->next->waits,
					 (e->at - c->at) / 60);
	ages_judge(&c->next->waits, uptime_min, &c->ages);
	ages_release(&c->next->waits);
}

/* The numbers of the dump become those of the class. */
static void take_numbers(struct evidence_class *c, const struct locks *locks, double at)
{
	struct evidence_class *next = c->next;
	const struct lock *lock;

	c->next = NULL;
	if (!next)
		return; /* followed since the dump began */
	release_numbers(c);
	c->at = at;
	c->count = next->count;
	c->never = next->never;
	c->oldest_minutes = next->oldest_minutes;
	memcpy(c->waited, next->waited, sizeof(c->waited));
	c->states = next->states;
	c->creators = next->creators;
	c->labels = next->labels;
	lock = locks_worst(locks, c->name);
	c->lock = lock ? *lock : (struct lock){0};
	c->lock.class = NULL; /* it is c's */
	free(next);
}

uint64_t evidence_counted(const struct evidence_class *c)
{
	return c->next ? c->next->count : 0;
}

void evidence_origin(const struct evidence *e, struct origin_result *out)
{
	origin_judge(e->origin, out);
}

void evidence_end(struct evidence *e, bool counts)
{
	if (!e->open)
		return;
	e->open = false;
	if (counts) {
		locks_end(e->locks);
		origin_take(e->origin);
	}
	forever_end(e->forever, counts);
	for (size_t i = 0; i < e->n; i++) {
		struct evidence_class *c = e->v[i];

		if (!counts) {
			free_class(c->next);
			c->next = NULL;
			if (c->survival)
				survival_abandon(c->survival);
			continue;
		}
		if (c->next)
			judge_waits(e, c);
		take_numbers(c, e->locks, e->at);
		if (!c->survival)
			continue;
		survival_end(c->survival, e->newest);
		survival_judge(c->survival, c->interest == EVIDENCE_FAST, &c->result);
	}
}

uint64_t evidence_goroutines(const struct evidence *e)
{
	return e->goroutines;
}

uint64_t evidence_frames(const struct evidence *e)
{
	return e->frames;
}

const struct forever_set *evidence_forever(const struct evidence *e)
{
	return e->forever;
}

/* ---- the collector's word -------------------------------------------------------------------- */

bool evidence_wants_proof(const struct evidence *e)
{
	for (size_t i = 0; i < e->n; i++) {
		if (e->v[i]->interest != EVIDENCE_NONE && !e->v[i]->proof.asked)
			return true;
	}
	return false;
}

void evidence_proof_begin(struct evidence *e, evidence_class_cb *class_of, void *arg)
{
	e->open_proof = true;
	e->class_of = class_of;
	e->arg = arg;
	for (size_t i = 0; i < e->n; i++)
		e->v[i]->proven_next = 0;
}

static void proven_cb(void *arg, const struct group *g)
{
	struct evidence *e = arg;
	struct evidence_class *c;
	const char *class;
	struct stack s;

	/* Go 1.27 has an empty record for main's select{}, which is not lost. */
	if (!e->open_proof || g->nframes == 0)
		return;
	arena_reset(&e->work);
	stack_from_group(&e->work, g, false, &s);
	class = e->class_of(e->arg, g, &s);
	c = class ? evidence_find(e, str_of(class)) : NULL;
	if (c)
		c->proven_next += g->count;
}

struct gdump_sink evidence_proof_sink(struct evidence *e)
{
	return (struct gdump_sink){.group = proven_cb, .arg = e};
}

void evidence_proof_end(struct evidence *e, bool whole,
	uint64_t (*count_of)(void *arg, struct str class), void *arg)
{
	if (!e->open_proof)
		return;
	e->open_proof = false;
	for (size_t i = 0; whole && i < e->n; i++) {
		struct evidence_class *c = e->v[i];

		c->proof = (struct evidence_proof){.asked = true,
			.proven = c->proven_next,
			.of = MAX(count_of(arg, str_of(c->name)), c->proven_next)};
	}
}

bool evidence_never_ends(const struct evidence_class *c)
{
	return c->never >= PROVEN_LEAST && c->never * 2 > c->count;
}

bool evidence_is_proven(const struct evidence_class *c)
{
	return c->proof.asked && c->proof.proven >= PROVEN_LEAST &&
	       c->proof.proven * 2 > c->proof.of;
}
