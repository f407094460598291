/* The public face of detect, and the states of its one alarm. */
#include "detect_internal.h"
#include "xalloc.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define CLOCK_SET      MINUTE /* a sample that much older than the last: no jitter */
#define LINGER	       HOUR /* watching ends this long after the last rise was seen */
#define HELD_SHORTEST  (6 * HOUR) /* without a new top */
#define HELD_LONGEST   (72 * HOUR)
#define HELD_LOOKS     1.5
#define NEW_LEVEL      (14 * DAY)
#define BACK	       .5 /* of the growth */
#define BACK_LONG      (23 * HOUR)
#define NEW_TOP	       .02 /* of the growth: less is not growth for what is held */
#define BACK_WINDOWS   3 /* 10-min floors in a row: half an hour */
#define BACK_LONG_WINS 36

static const struct verdict fine = {.state = VERDICT_OK,
	.at = NAN,
	.rate_per_hour = NAN,
	.low = NAN,
	.high = NAN,
	.since = NAN,
	.base = NAN,
	.top = NAN,
	.lookback_s = NAN};

/* Which state may follow which. */
static const bool follows[VERDICT_STATES][VERDICT_STATES] = {
	[VERDICT_OK] =
		{[VERDICT_WATCHING] = true, [VERDICT_SUSPECT] = true, [VERDICT_LEAKING] = true},
	[VERDICT_WATCHING] =
		{[VERDICT_OK] = true, [VERDICT_SUSPECT] = true, [VERDICT_LEAKING] = true},
	[VERDICT_SUSPECT] = {[VERDICT_OK] = true, [VERDICT_LEAKING] = true, [VERDICT_HELD] = true},
	[VERDICT_LEAKING] = {[VERDICT_OK] = true, [VERDICT_SUSPECT] = true, [VERDICT_HELD] = true},
	[VERDICT_HELD] = {[VERDICT_OK] = true, [VERDICT_SUSPECT] = true, [VERDICT_LEAKING] = true},
};

/* ---- life cycle ------------------------------------------------------------------------------ */

struct detect *detect_new(enum detect_kind kind, const struct detect_params *params,
	detect_change_cb *change, void *arg)
{
	struct detect *d = xcalloc(1, sizeof(*d));

	d->kind = kind;
	d->sensitivity = params->sensitivity;
	d->scale = 120 / params->window_s;
	d->unit = (kind == DETECT_BYTES ? params->ref_bytes : params->ref) / 50;
	d->change = change;
	d->arg = arg;
	d->start = d->limit = NAN;
	return d;
}

void detect_free(struct detect *d)
{
	if (!d)
		return;
	moving_free(d->m);
	free(d->alarm);
	free(d->fast);
	free(d->ledger);
	free(d->verdict);
	free(d);
}

const struct verdict *detect_verdict(const struct detect *d)
{
	return d->verdict ? d->verdict : &fine;
}

/* ---- the verdict that others see ------------------------------------------------------------- */

static double real_time(const struct detect *d, double t)
{
	return (d->base + t) / d->scale;
}

/* Numbers of an alarm as the verdict shows them: real time, real hours. */
static void publish(struct detect *d, const struct alarm *a)
{
	struct verdict *v = d->verdict;

	v->rate_per_hour = a->rate * d->scale;
	v->low = a->low * d->scale;
	v->high = a->high * d->scale;
	v->since = real_time(d, a->since);
	v->since_at_least = a->since_at_least;
	v->was_leaking = a->was_leaking;
	v->base = a->base;
	v->top = a->top;
	v->lookback_s = a->look / d->scale;
}

/* The one place where the state changes.  a: numbers of the new state; ok has none. */
static void set_state(struct detect *d, double t, enum verdict_state state, const struct alarm *a,
	const char *why)
{
	enum verdict_state old = d->state;

	assert(old == state || follows[old][state]);
	if (!d->verdict)
		d->verdict = xmalloc(sizeof(*d->verdict));
	*d->verdict = fine;
	if (a)
		publish(d, a);
	d->state = d->verdict->state = state;
	d->verdict->at = real_time(d, t);
	snprintf(d->verdict->reason, sizeof(d->verdict->reason), "%s", why);
	if (d->change && old != state)
		d->change(d->arg, d->verdict, old);
}

/* ---- watching -------------------------------------------------------------------------------- */

static void watch(struct detect *d, double end, const struct rise *r)
{
	char why[VERDICT_REASON_MAX];
	struct alarm seen = {.base = r->shape.first,
		.top = r->shape.last,
		.look = r->look,
		.since = r->since,
		.since_at_least = r->since_at_least,
		.how = r->how};

	if (r->look <= 0) {
		if (d->state == VERDICT_WATCHING && end > d->watch_until)
			set_state(d, end, VERDICT_OK, NULL, "no longer rising");
		return;
	}
	d->watch_until = end + LINGER;
	if (d->state == VERDICT_WATCHING)
		return;
	rate_interval(d, &seen, r->rate, r->error, r->shape.growth, r->look);
	words_rise(d, r, why, sizeof(why));
	set_state(d, end, VERDICT_WATCHING, &seen, why);
}

/* ---- the alarm ------------------------------------------------------------------------------- */

/* Rate, interval, state and reason of a rise that opens the alarm or changes it. */
static void raise_alarm(struct detect *d, double end, const struct rise *r)
{
	struct alarm *a = d->alarm;
	char why[VERDICT_REASON_MAX];
	bool leaking = r->level == RISE_LEAKING || a->was_leaking;

	a->how = r->how;
	a->ring = r->ring;
	rate_interval(
		d, a, r->rate, r->error, r->how == RISE_ANCHOR ? 0 : r->shape.growth, r->look);
	a->opened_rate = a->rate;
	a->was_leaking = leaking;
	words_rise(d, r, why, sizeof(why));
	set_state(d, end, leaking ? VERDICT_LEAKING : VERDICT_SUSPECT, a, why);
}

static void open_alarm(struct detect *d, double end, const struct rise *r)
{
	struct alarm *a = d->alarm = xcalloc(1, sizeof(*a));

	a->base = r->shape.last - r->shape.growth;
	a->top = r->shape.last;
	a->top_at = end;
	a->look = r->look;
	a->since = r->since;
	a->since_at_least = r->since_at_least;
	a->b = d->m ? d->m->b : 0;
	a->load = NAN;
	raise_alarm(d, end, r);
}

/* Held, and higher than when it stopped by more than chance. */
static bool above_held(const struct detect *d, double x)
{
	const struct alarm *a = d->alarm;

	return x > a->held_top + fmax(NEW_TOP * (a->held_top - a->base), d->unit);
}

static void note_top(struct detect *d, double end, double x)
{
	struct alarm *a = d->alarm;

	if (isnan(x) || x <= a->top)
		return;
	if (d->state != VERDICT_HELD || above_held(d, x))
		a->top_at = end;
	a->top = x;
}

/* A lookback that still sees the old rise does not end `held`; a new one does. */
static bool grows_anew(const struct detect *d, const struct rise *r)
{
	return d->state == VERDICT_HELD && (r->how == RISE_RUNS || above_held(d, d->alarm->top));
}

static void note_rise(struct detect *d, double end, const struct rise *r)
{
	struct alarm *a = d->alarm;

	if (r->level == RISE_NONE)
		return;
	if (!(r->level == RISE_LEAKING && !a->was_leaking) && !grows_anew(d, r))
		return;
	a->look = r->how == RISE_RUNS ? r->look : fmax(a->look, r->look);
	a->top = fmax(a->top, r->shape.last);
	a->top_at = end;
	a->carrying = false;
	if (!isnan(r->since))
		a->since = fmin(a->since, r->since);
	raise_alarm(d, end, r);
}

static void resolve(struct detect *d, double t, const char *why)
{
	free(d->alarm);
	d->alarm = NULL;
	set_state(d, t, VERDICT_OK, NULL, why);
}

static void carry_on(struct detect *d, double end)
{
	struct alarm *a = d->alarm;
	double before = a->carry_rate;
	char why[VERDICT_REASON_MAX], now[48], then[48];

	switch (runs_carry(d, end)) {
	case CARRY_WAIT:
		break;
	case CARRY_AGAIN:
		snprintf(why, sizeof(why),
			"grows again after the restart at %s/h (before: %s/h): same leak",
			words_value(d, a->rate * d->scale, now, sizeof(now)),
			words_value(d, before * d->scale, then, sizeof(then)));
		a->opened_rate = a->rate;
		set_state(d, end, VERDICT_LEAKING, a, why);
		break;
	case CARRY_GONE:
		resolve(d, end, "gone since the restart");
		break;
	}
}

/* Has it come back?  True when that resolved the alarm, or may be about to. */
static bool came_back(struct detect *d, double end, double x, double shown)
{
	struct alarm *a = d->alarm;
	char why[VERDICT_REASON_MAX], level[48];

	if (a->how == RISE_RUNS || x > a->base + BACK * (a->top - a->base)) {
		a->low_windows = 0;
		return false;
	}
	if (++a->low_windows >= (a->look < BACK_LONG ? BACK_WINDOWS : BACK_LONG_WINS)) {
		snprintf(why, sizeof(why), "came back: %s, half of the growth is gone",
			words_value(d, shown, level, sizeof(level)));
		resolve(d, end, why);
	}
	return true;
}

static void stopped(struct detect *d, double end)
{
	struct alarm *a = d->alarm;
	double quiet = end - a->top_at;
	char why[VERDICT_REASON_MAX], held[48];

	if (d->state == VERDICT_HELD) {
		if (quiet > NEW_LEVEL)
			resolve(d, end, "no growth for 14 days: taken as its new level");
		return;
	}
	if (quiet <= fmax(HELD_SHORTEST, fmin(HELD_LOOKS * a->look, HELD_LONGEST)))
		return;
	snprintf(why, sizeof(why), "stopped growing, %s still held",
		words_value(d, a->top - a->base, held, sizeof(held)));
	a->held_top = a->top;
	set_state(d, end, VERDICT_HELD, a, why);
}

/* The alarm lives on values less load.  When the load is no longer told, its last value holds: an
 * alarm must be able to end. */
static double less_load(struct detect *d, double x)
{
	const struct ring *r = &d->m->ring[RING_TEN];
	double load;

	if (d->alarm->b == 0)
		return x;
	load = ring_at(r, r->load, r->closed - 1);
	if (!isnan(load))
		d->alarm->load = load;
	return x - d->alarm->b * d->alarm->load;
}

/* One 10-min floor (or NAN) and the best rise seen with it. */
static void decide(struct detect *d, double end, double x, const struct rise *best)
{
	double less;

	if (!d->alarm) {
		if (best->level != RISE_NONE)
			open_alarm(d, end, best);
		return;
	}
	less = less_load(d, x);
	note_top(d, end, less);
	note_rise(d, end, best);
	if (isnan(less))
		return;
	if (d->alarm->carrying)
		carry_on(d, end);
	else if (!came_back(d, end, less, x))
		stopped(d, end);
	if (d->state == VERDICT_SUSPECT || d->state == VERDICT_LEAKING) {
		rate_refresh(d, end);
		publish(d, d->alarm);
	}
}

/* ---- windows --------------------------------------------------------------------------------- */

static void restart_alarm(struct detect *d, double t, const struct rise *runs)
{
	struct alarm *a = d->alarm;
	char why[VERDICT_REASON_MAX], rate[48];

	if (a->carrying) { /* another restart before the new run could tell */
		a->carry_from = t;
	} else if (a->how == RISE_RUNS && runs->level == RISE_LEAKING && a->was_leaking) {
		a->top_at = t; /* it grew in this run as in those before */
		rate_interval(d, a, runs->rate, runs->error, 0, runs->look);
		publish(d, a);
	} else if (a->was_leaking) {
		a->carrying = true;
		a->carry_from = a->carry_first = t;
		a->carry_rate = a->opened_rate;
		snprintf(why, sizeof(why),
			"was leaking at %s/h before the restart; watching whether the new run "
			"does it again",
			words_value(d, a->carry_rate * d->scale, rate, sizeof(rate)));
		set_state(d, t, VERDICT_SUSPECT, a, why);
	} else if (a->how != RISE_RUNS) {
		resolve(d, t, "the process was restarted");
	}
}

static void restart_now(struct detect *d, double t)
{
	struct rise runs = {.level = RISE_NONE};

	runs_close(d, t);
	runs_test(d, &runs);
	if (d->alarm)
		restart_alarm(d, t, &runs);
	else if (d->state == VERDICT_WATCHING)
		set_state(d, t, VERDICT_OK, NULL, "the process was restarted");
	decide(d, t, NAN, &runs);
}

static void take_restarts(struct detect *d, double end)
{
	while (d->npending && d->pending[0] < end) {
		double t = d->pending[0];

		d->pending[0] = d->pending[1];
		d->npending--;
		restart_now(d, t);
	}
}

/* It is told, and grows on: no rise can say more. */
static bool is_settled(const struct detect *d)
{
	return d->alarm && d->alarm->was_leaking && d->state != VERDICT_HELD;
}

static void test_rings(
	struct detect *d, bool hour, bool day, struct rise *best, struct rise *rising)
{
	struct rise *watch = d->alarm ? NULL : rising;

	if (is_settled(d))
		return;
	if (hour)
		tests_ring(d, RING_HOUR, best, watch);
	if (day)
		tests_ring(d, RING_DAY, best, watch);
	tests_ring(d, RING_TEN, best, watch);
}

/* 10 minutes are over: x and l are their floor and load.  quiet: a past that is filled in. */
static void close_ten(struct detect *d, double x, double l, bool quiet)
{
	struct moving *m = d->m;
	double end = (double)(m->ring[RING_TEN].closed + 1) * TEN;
	struct rise best = {.level = RISE_NONE}, rising = {.look = 0};
	int64_t hours = m->ring[RING_HOUR].closed, days = m->ring[RING_DAY].closed;

	if (!quiet)
		take_restarts(d, end);
	if (end - TEN < d->run && d->run < end)
		x = NAN; /* a window that holds a restart is neither run's floor */
	windows_push_ten(m, x, l, d->run);
	trace_add(d, x, end);
	if (quiet)
		return;
	test_rings(d, m->ring[RING_HOUR].closed != hours, m->ring[RING_DAY].closed != days, &best,
		&rising);
	tests_anchor(d, end, &best);
	decide(d, end, x, &best);
	if (!d->alarm)
		watch(d, end, &rising);
}

/* Every two minutes: is it worth a look before the counts can tell? */
static void note_fast(struct detect *d)
{
	struct rise r;

	if (d->kind == DETECT_COUNT && d->state <= VERDICT_WATCHING && !d->npending &&
		!d->as_reference && tests_quick(d, &r)) {
		if (!d->fast)
			d->fast = xmalloc(sizeof(*d->fast));
		*d->fast = r;
	} else {
		free(d->fast);
		d->fast = NULL;
	}
}

static void close_minute(struct detect *d)
{
	struct rise best = {.level = RISE_NONE};
	double x, l;

	if (windows_close_minute(d->m, &x, &l))
		close_ten(d, x, l, false);
	else if (d->m->minute % 2 == 0 && !is_settled(d) && d->state != VERDICT_LEAKING &&
		 !d->npending && !d->as_reference) {
		tests_ring(d, RING_FAST, &best, NULL);
		if (best.level == RISE_LEAKING)
			decide(d, (double)d->m->minute * MINUTE, NAN, &best);
	}
	if (d->m->minute % 2 == 0)
		note_fast(d);
}

/* The first value that differs: what was constant until `last` is filled in. */
static void start_moving(struct detect *d, double last)
{
	int64_t to = (int64_t)floor(last / TEN);

	d->m = moving_new(fmax(d->first, last - FORGET));
	while (d->m->ring[RING_TEN].closed < to) {
		windows_fill_ten(d->m, d->value);
		close_ten(d, d->value, NAN, true);
	}
	for (; (double)(d->m->minute + 1) * MINUTE <= last; close_minute(d))
		windows_add(d->m, d->value, NAN);
	windows_add(d->m, d->value, NAN);
}

/* ---- input ----------------------------------------------------------------------------------- */

static void begin(struct detect *d, double t)
{
	d->base = floor(t / SIX_HOURS) * SIX_HOURS;
	d->begun = true;
	d->first = d->run = d->last = t - d->base;
	d->start -= d->base; /* stays NAN when it is not known */
}

void detect_started(struct detect *d, double t)
{
	if (!d->begun && isfinite(t))
		d->start = t * d->scale;
}

void detect_set_limit(struct detect *d, double limit)
{
	d->limit = limit;
}

void detect_set_counts(struct detect *d, enum detect_counts counts)
{
	d->counts = counts;
}

bool detect_rises_fast(const struct detect *d)
{
	return d->fast != NULL;
}

void detect_zero_since(struct detect *d, double from, double now)
{
	if (d->begun || !isfinite(from) || !isfinite(now) || from >= now)
		return;
	begin(d, from * d->scale);
	d->zero_known = true;
	d->value = 0;
	d->last = now * d->scale - d->base;
}

/* Nothing was heard for so long that what is known says nothing any more. */
static void begin_anew(struct detect *d, double t)
{
	if (d->state != VERDICT_OK)
		resolve(d, t, "not measured for 28 days");
	moving_free(d->m);
	free(d->ledger);
	free(d->fast);
	d->m = NULL;
	d->ledger = NULL;
	d->fast = NULL;
	d->npending = 0;
	d->anchor_done = d->zero_known = false;
	d->watch_until = 0;
	d->start = NAN;
	begin(d, t + d->base);
}

void detect_sample(struct detect *d, double t, double value, double load)
{
	double last;

	if (!isfinite(t) || !isfinite(value))
		return;
	t *= d->scale;
	if (!d->begun) {
		begin(d, t);
		d->value = value;
	}
	t -= d->base;
	if (d->last - t > CLOCK_SET) {
		/* The clock was set back.  All is told from base on, so base moves: this sample
		 * comes right after the last one. */
		d->base += t - d->last;
		t = d->last;
	}
	if (t - d->last > FORGET) {
		begin_anew(d, t);
		d->value = value;
		t = d->first;
	}
	last = d->last;
	d->last = fmax(d->last, t);
	if (!d->m) {
		if (value == d->value && !isfinite(load))
			return;
		start_moving(d, last);
	}
	while ((double)(d->m->minute + 1) * MINUTE <= t)
		close_minute(d);
	windows_add(d->m, value, load);
}

void detect_restart(struct detect *d, double t)
{
	if (!isfinite(t))
		return;
	if (!d->begun) {
		detect_started(d, t);
		return;
	}
	t = t * d->scale - d->base;
	if (t <= d->run)
		return;
	if (!d->m) { /* nothing to judge */
		runs_close(d, t);
		return;
	}
	if (d->npending < 2)
		d->npending++;
	d->pending[d->npending - 1] = t;
}

void detect_confirm(struct detect *d, double t, const char *why)
{
	double now = t * d->scale - d->base;

	if (d->fast && !d->alarm && d->npending == 0) {
		open_alarm(d, now, d->fast);
		free(d->fast);
		d->fast = NULL;
	}
	if (d->state != VERDICT_SUSPECT || !d->alarm || d->alarm->carrying)
		return;
	d->alarm->was_leaking = true;
	set_state(d, now, VERDICT_LEAKING, d->alarm, why);
}
