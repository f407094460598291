/* Lets every series of a history pass through series and detect, and sorts what they say. */
#include "backtest_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define START_MOVED 1.0 /* s: process_start_time_seconds of one process may differ by less */
#define BORN_LATE   1.0 /* windows after the target's first count: the class was 0 before */

struct event {
	struct backtest_event e;
	size_t order; /* of two at one time: as they were judged */
};

struct events {
	struct event *v;
	size_t n, cap;
};

/* Reads points one after the other. */
struct cursor {
	const struct points *p;
	size_t next;
};

/* ---- load ------------------------------------------------------------------------------------ */

struct loads {
	struct load_cursor {
		struct cursor at;
		bool counter;
	} * v;
	size_t n;
};

/* The number of the selector whose load this target has, or -1. */
static ptrdiff_t wanted_for(const struct backtest *b, const struct bt_target *t)
{
	for (size_t i = 0; i < b->nwanted; i++)
		if (!b->wanted[i].job[0] || strcmp(b->wanted[i].job, t->job) == 0)
			return (ptrdiff_t)i;
	return -1;
}

static void find_loads(const struct backtest *b, const struct bt_target *t, struct loads *out)
{
	ptrdiff_t wanted = wanted_for(b, t);
	struct map_item item;
	void *at = NULL;

	*out = (struct loads){NULL, 0};
	while (wanted >= 0 && map_next(b->loads, &at, &item)) {
		const struct bt_load *l = item.value;

		if (l->wanted != (size_t)wanted || (l->target && l->target != t))
			continue;
		out->v = xrealloc(out->v, out->n + 1, sizeof(*out->v));
		out->v[out->n++] =
			(struct load_cursor){.at = {&l->points, 0}, .counter = l->counter};
	}
}

/* The value that holds at t: a gauge's newest, a counter's rate between its two newest. */
static double load_value(struct load_cursor *l, double t, double age)
{
	const struct points *p = l->at.p;
	size_t i;

	while (l->at.next < p->n && p->at[l->at.next] <= t)
		l->at.next++;
	if (l->at.next == 0)
		return NAN;
	i = l->at.next - 1;
	if (t - p->at[i] > age)
		return NAN;
	if (!l->counter)
		return p->value[i];
	if (i == 0 || p->value[i] < p->value[i - 1] || p->at[i] <= p->at[i - 1])
		return NAN;
	return (p->value[i] - p->value[i - 1]) / (p->at[i] - p->at[i - 1]);
}

static double load_at(struct loads *l, double t, double age)
{
	double sum = NAN;

	for (size_t i = 0; i < l->n; i++) {
		double v = load_value(&l->v[i], t, age);

		if (!isnan(v))
			sum = isnan(sum) ? v : sum + v;
	}
	return sum;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool counts(enum verdict_state s)
{
	return s != VERDICT_OK && s != VERDICT_WATCHING;
}

static void take_event(struct events *ev, const struct bt_series *s, const struct verdict *v,
	enum verdict_state state, double since)
{
	struct event *e;

	if (ev->n == ev->cap) {
		ev->cap = ev->cap ? 2 * ev->cap : 64;
		ev->v = xrealloc(ev->v, ev->cap, sizeof(*ev->v));
	}
	e = &ev->v[ev->n];
	e->order = ev->n++;
	e->e = (struct backtest_event){.at = v->at,
		.target = s->target->name,
		.name = s->name,
		.state = state,
		.rate_per_hour = state == VERDICT_OK ? NAN : v->rate_per_hour,
		.low = state == VERDICT_OK ? NAN : v->low,
		.high = state == VERDICT_OK ? NAN : v->high,
		.since = since,
		.reason = xstrdup(v->reason)};
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int c;

	if (x->e.at != y->e.at)
		return x->e.at < y->e.at ? -1 : 1;
	c = strcmp(x->e.target, y->e.target);
	if (!c)
		c = strcmp(x->e.name, y->e.name);
	return c ? c : (x->order > y->order) - (x->order < y->order);
}

/* ---- one series ------------------------------------------------------------------------------ */

struct judge {
	const struct backtest *b;
	const struct bt_series *s;
	struct series *series;
	struct cursor starts;
	double start, start_seen; /* of the present process, and when it was last seen; NAN */
	struct loads loads;
	struct events *events;
	enum verdict_state told;
	double since; /* of the alarm that is told */
	uint64_t restarts;
};

/* The rule that names the series' class, or NULL. */
static const struct rule *rule_of(const struct backtest *b, const struct bt_series *s)
{
	for (size_t i = 0; s->kind == SERIES_CLASS && i < b->nrules; i++)
		if (classifier_is_of(&b->rules[i], str_of(s->name)))
			return &b->rules[i];
	return NULL;
}

static void tell_change(struct judge *j)
{
	const struct verdict *v = &j->series->verdict;
	enum verdict_state state = counts(v->state) ? v->state : VERDICT_OK;

	if (state == j->told)
		return;
	if (state != VERDICT_OK)
		j->since = v->since;
	j->told = state;
	take_event(j->events, j->s, v, state, j->since);
}

/* Start times up to t: the first is told before the first sample, another one is a restart. */
static void follow_starts(struct judge *j, double t, bool first)
{
	const struct points *p = j->starts.p;

	for (; j->starts.next < p->n && p->at[j->starts.next] <= t; j->starts.next++) {
		double seen = p->at[j->starts.next], start = p->value[j->starts.next];

		if (!first && !isnan(j->start) && fabs(start - j->start) > START_MOVED) {
			/* After the last sight of the old process, before the first of the new. */
			series_restart(j->series, fmin(seen, fmax(start, j->start_seen)));
			j->restarts++;
			tell_change(j);
		}
		j->start = start;
		j->start_seen = seen;
	}
}

static void begin(struct judge *j)
{
	const struct bt_target *t = j->s->target;
	double first = j->s->points.at[0], from = t->first;
	double late = BORN_LATE * j->b->params.window_s;

	/* The sample of the start time may be a moment younger than the first value. */
	follow_starts(j, first + late / 2, true);
	if (!isnan(j->start) && j->start <= first) {
		detect_started(j->series->detect, j->start);
		from = fmax(from, j->start);
	}
	if (j->s->kind == SERIES_CLASS && first - from > late)
		detect_zero_since(j->series->detect, from, first);
}

static void tell_judged(const struct judge *j)
{
	const struct points *starts = &j->s->target->starts;
	struct backtest_judged out = {.target = j->s->target->name,
		.job = j->s->target->job,
		.kind = j->s->kind,
		.name = j->s->name,
		.at = j->s->points.at,
		.value = j->s->points.value,
		.n = j->s->points.n,
		.series = j->series,
		.start = j->start,
		.start_seen = j->start_seen,
		.first_class = j->s->target->first};

	for (size_t i = starts->n; i-- > 0 && fabs(starts->value[i] - j->start) <= START_MOVED;)
		out.start_seen = starts->at[i];
	if (j->b->judged)
		j->b->judged(j->b->judged_arg, &out);
}

void backtest_on_judged(
	struct backtest *b, void (*cb)(void *, const struct backtest_judged *), void *arg)
{
	b->judged = cb;
	b->judged_arg = arg;
}

static void judge_series(struct backtest *b, const struct bt_series *s, struct events *ev)
{
	struct judge j = {.b = b,
		.s = s,
		.starts = {&s->target->starts, 0},
		.start = NAN,
		.start_seen = NAN,
		.events = ev,
		.since = NAN};
	const struct rule *rule = rule_of(b, s);
	double age = BACKTEST_LOAD_AGE * b->params.window_s / 120;

	j.series = series_new(s->kind, str_of(s->name), &b->params);
	if (rule)
		detect_set_limit(j.series->detect, rule->limit);
	find_loads(b, s->target, &j.loads);
	begin(&j);
	for (size_t i = 0; i < s->points.n; i++) {
		double t = s->points.at[i];
		struct series_context ctx = {.load = load_at(&j.loads, t, age),
			.expected = rule ? rule->expect_max : NAN};

		follow_starts(&j, t, false);
		series_sample(j.series, &b->params, t, s->points.value[i], &ctx);
		tell_change(&j);
	}
	b->stats.restarts += j.restarts;
	tell_judged(&j);
	series_free(j.series);
	free(j.loads.v);
}

void backtest_judge(
	struct backtest *b, void (*cb)(void *, const struct backtest_event *), void *arg)
{
	struct events ev = {NULL, 0, 0};
	struct map_item item;
	void *at = NULL;

	while (map_next(b->series, &at, &item)) {
		const struct bt_series *s = item.value;

		if (s->points.n)
			judge_series(b, s, &ev);
	}
	if (ev.n)
		qsort(ev.v, ev.n, sizeof(*ev.v), by_time);
	for (size_t i = 0; i < ev.n; i++) {
		cb(arg, &ev.v[i].e);
		free((char *)ev.v[i].e.reason);
	}
	free(ev.v);
}
