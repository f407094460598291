/* detect, in simulated time: weeks in milliseconds, no clock. */
#include "detect_internal.h"

#include "../sim/sim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define H  3600.0
#define D  86400.0
#define T0 1700006400.0 /* a multiple of 6 h, so that windows begin with the series */

/* What a series said: every change of state but watching. */
struct heard {
	int n, leaking, suspect, held, resolved;
	double leaking_at, suspect_at, resolved_at,
		held_at; /* the last of each; leaking: the first */
	struct verdict first_leaking, last;
};

static void hear(void *arg, const struct verdict *v, enum verdict_state old)
{
	struct heard *h = arg;

	if (v->state == VERDICT_WATCHING || (v->state == VERDICT_OK && old == VERDICT_WATCHING))
		return;
	h->n++;
	h->last = *v;
	switch (v->state) {
	case VERDICT_LEAKING:
		if (h->leaking++ == 0) {
			h->leaking_at = v->at;
			h->first_leaking = *v;
		}
		break;
	case VERDICT_SUSPECT:
		h->suspect++;
		h->suspect_at = v->at;
		break;
	case VERDICT_HELD:
		h->held++;
		h->held_at = v->at;
		break;
	default:
		h->resolved++;
		h->resolved_at = v->at;
	}
}

static struct detect *new_detect(struct heard *h)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;

	memset(h, 0, sizeof(*h));
	return detect_new(DETECT_COUNT, &p, hear, h);
}

/* A minute's samples of a + b t (t in hours from `from`), for `hours`; returns the end. */
static double feed(struct detect *d, double from, double hours, double a, double per_hour)
{
	double t = from;

	for (; t < from + hours * H; t += 60)
		detect_sample(d, t, floor(a + per_hour * (t - from) / H), NAN);
	return t;
}

static enum verdict_state state_of(const struct detect *d)
{
	return detect_verdict(d)->state;
}

/* ---- the scaled clock: what `make run` and the end-to-end test see ----------------------------
 */

enum shape { LEAK, FLAT, WITH_LOAD, TIDE };

struct fast_row {
	const char *name;
	enum shape shape;
	double window, onset, base; /* s; windows after the process began; goroutines */
	double within; /* windows from the onset to leaking */
};

static const struct fast_row fast_rows[] = {
	{"leaks from its start, nothing else in the class", LEAK, .1, 0, 0, 600},
	{"leaks from its start, among 5", LEAK, .1, 0, 5, 600},
	{"leaks from its start, among 100", LEAK, .1, 0, 100, 650},
	{"begins to leak after 10 s, among 5", LEAK, .1, 100, 5, 200},
	{"begins to leak after 10 s, among 200", LEAK, .1, 100, 200, 650},
	{"the same with a window of a second", LEAK, 1, 100, 5, 200},
	{"flat, 50", FLAT, .1, 0, 50, 0},
	{"flat, 2000", FLAT, .1, 0, 2000, 0},
	{"proportional to a load that triples", WITH_LOAD, .1, 0, 20, 0},
	{"comes and goes", TIDE, .1, 0, 50, 0},
};

static double fast_value(
	struct sim *r, const struct fast_row *row, double windows, double leaked, double *load)
{
	switch (row->shape) {
	case LEAK:
		return row->base + sim_poisson(r, row->base / 5 + 1) + leaked;
	case WITH_LOAD:
		*load = 100 + 200 * fmin(1, windows / 600) + 3 * sim_normal(r);
		return row->base + sim_poisson(r, *load / 2);
	case TIDE:
		return row->base + sim_poisson(r, 30 + 25 * sin(windows / 200));
	default:
		return row->base + sim_poisson(r, row->base / 5);
	}
}

static void run_fast(const struct fast_row *row, uint64_t seed)
{
	struct sim r = {seed};
	struct heard h = {0};
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct detect *d;
	double w = row->window, began = T0 + sim_uniform(&r, 0, 20 * w), first = began + 10 * w;
	double onset = began + row->onset * w, leaked = 0, before = began, rate = 2 / w * H;

	p.window_s = w;
	d = detect_new(DETECT_COUNT, &p, hear, &h);
	detect_started(d, began);
	for (double t = first; t < first + 900 * w; t += w * sim_uniform(&r, 1, 2)) {
		double load = NAN, v;

		if (row->shape == LEAK && t > onset)
			leaked += sim_poisson(&r, (t - fmax(before, onset)) / w * 2);
		before = t;
		v = fast_value(&r, row, (t - first) / w, leaked, &load);
		detect_sample(d, t, v, load);
	}
	if (row->shape != LEAK) {
		if (h.n)
			fail_msg("%s, seed %d: %s", row->name, (int)seed, h.last.reason);
		detect_free(d);
		return;
	}
	print_message(
		"%s, seed %d: leaking after %.1f windows, rate %.3f of the true one, since %+.1f "
		"windows, interval %.3f to %.3f\n",
		row->name, (int)seed, (h.leaking_at - onset) / w,
		detect_verdict(d)->rate_per_hour / rate, (detect_verdict(d)->since - onset) / w,
		detect_verdict(d)->low / rate, detect_verdict(d)->high / rate);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_int_equal(h.leaking, 1);
	assert_true(h.leaking_at - onset < row->within * w);
	assert_true(fabs(detect_verdict(d)->rate_per_hour - rate) < .1 * rate);
	assert_true(detect_verdict(d)->low < rate && rate < detect_verdict(d)->high);
	/* what is told late was seen from afar: hourly floors */
	assert_true(
		fabs(detect_verdict(d)->since - onset) < fmax(30 * w, .1 * (h.leaking_at - onset)));
	detect_free(d);
}

static void scaled_clock(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fast_rows); i++)
		for (uint64_t seed = 1; seed <= 6; seed++)
			run_fast(&fast_rows[i], seed);
}

/* The same minutes at another speed give the same verdict, in real time and real rates. */
static void scaled_clock_is_the_same_clock(void **state)
{
	struct heard slow, fast;
	struct detect *a = new_detect(&slow), *b;
	struct detect_params p = DETECT_PARAMS_DEFAULT;

	(void)state;
	p.window_s = .12; /* a thousand times as fast */
	memset(&fast, 0, sizeof(fast));
	b = detect_new(DETECT_COUNT, &p, hear, &fast);
	for (int i = 0; i < 3000; i++) {
		double v = 20 + i / 10;

		detect_sample(a, T0 + 30 + i * 60, v, NAN);
		detect_sample(b, (T0 + 30 + i * 60) / 1000, v, NAN);
	}
	assert_true(slow.leaking == 1 && fast.leaking == 1);
	assert_true(fabs(slow.leaking_at / 1000 - fast.leaking_at) < .01);
	assert_true(
		fabs(slow.first_leaking.rate_per_hour * 1000 - fast.first_leaking.rate_per_hour) <
		1e-3 * fast.first_leaking.rate_per_hour);
	assert_non_null(strstr(slow.first_leaking.reason, " h and gave back"));
	assert_non_null(strstr(fast.first_leaking.reason, " s and gave back"));
	detect_free(a);
	detect_free(b);
}

/* The clock is set back in the midst of a rise: told as soon, with the same rate, and since when by
 * the new clock. */
static void clock_set_back(void **state)
{
	struct heard plain, set;
	struct detect *a = new_detect(&plain), *b = new_detect(&set);
	double back = 3600 + 7;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		double t = T0 + 30 + i * 60, v = 20 + i / 10;

		detect_sample(a, t, v, NAN);
		detect_sample(b, i < 400 ? t : t - back, v, NAN);
	}
	if (plain.leaking != 1 || set.leaking != 1)
		fail_msg("leaking %d times, and %d with the clock set back", plain.leaking,
			set.leaking);
	assert_true(fabs(set.leaking_at + back - plain.leaking_at) <= 600);
	assert_true(fabs(set.first_leaking.rate_per_hour - 6) < .3);
	assert_true(fabs(detect_verdict(b)->since + back - detect_verdict(a)->since) <= 120);
	detect_free(a);
	detect_free(b);
}

/* ---- states ---------------------------------------------------------------------------------- */

/* Rises, stops, is held, comes back. */
static void held_then_back(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 12, 20, 0);
	t = feed(d, t, 24, 20, 20);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_true(fabs(detect_verdict(d)->rate_per_hour - 20) < 1);
	assert_true(fabs(detect_verdict(d)->since - (T0 + 12 * H)) <= H);
	assert_false(detect_verdict(d)->since_at_least);
	t = feed(d, t, 60, 500, 0);
	assert_int_equal(state_of(d), VERDICT_HELD);
	assert_int_equal(h.held, 1);
	assert_non_null(strstr(h.last.reason, "stopped growing, 4"));
	t = feed(d, t, 12, 20, 0);
	assert_int_equal(state_of(d), VERDICT_OK);
	assert_int_equal(h.resolved, 1);
	assert_string_equal(detect_verdict(d)->reason, "came back: 20, half of the growth is gone");
	assert_true(isnan(detect_verdict(d)->rate_per_hour));
	detect_free(d);
}

/* What is held for two weeks is a new level. */
static void new_level(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 24, 20, 20);
	feed(d, t, 16 * 24, 500, 0);
	assert_int_equal(state_of(d), VERDICT_OK);
	assert_string_equal(
		detect_verdict(d)->reason, "no growth for 14 days: taken as its new level");
	detect_free(d);
}

/* Held, grows again: the same alarm, since the same time. */
static void held_then_grows(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t, since;

	(void)state;
	t = feed(d, T0, 24, 20, 20);
	since = detect_verdict(d)->since;
	t = feed(d, t, 60, 500, 0);
	assert_int_equal(state_of(d), VERDICT_HELD);
	feed(d, t, 48, 500, 20);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_true(detect_verdict(d)->since == since);
	assert_int_equal(h.resolved, 0);
	detect_free(d);
}

/* Rises by too little to be suspect, and no more after: watching, then ok; nobody hears of it. */
static void watching(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 24, 400, 0);
	t = feed(d, t, 3, 400, 10);
	assert_int_equal(state_of(d), VERDICT_WATCHING);
	assert_true(detect_verdict(d)->rate_per_hour > 5);
	feed(d, t, 40, 430, 0);
	assert_int_equal(state_of(d), VERDICT_OK);
	assert_int_equal(h.n, 0);
	detect_free(d);
}

/* It rose from the very first sample and nobody knows since when. */
static void since_at_least(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);

	(void)state;
	feed(d, T0, 30, 50, 20);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_true(detect_verdict(d)->since_at_least);
	assert_true(fabs(detect_verdict(d)->since - T0) < H);
	detect_free(d);
}

/* Of a rise that is told late, `since` is when it began and not when the lookback did. */
static void since_before_the_lookback(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 5 * 24, 1000, 0);
	feed(d, t, 60, 1000, 6);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_true(fabs(detect_verdict(d)->since - t) <= 3 * H);
	assert_false(detect_verdict(d)->since_at_least);
	detect_free(d);
}

/* A lookback that holds only the end of a rise: since is where the rise began, not the lookback. */
static void since_is_walked_back(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t = feed(d, T0, 48, 100, 0), x[12];
	struct rise r = {.ring = RING_TEN, .look = 2 * H};
	int64_t i0;

	(void)state;
	feed(d, t, 9, 100, 30);
	i0 = d->m->ring[RING_TEN].closed - 12;
	assert_true(tests_gather(d->m, RING_TEN, i0, 12, x));
	assert_true(trend_shape(x, NULL, 12, 10, &r.shape));
	rate_of_rise(d, &r, x, i0);
	assert_true(fabs(r.rate - 30) < 2);
	assert_true(fabs(r.since - 48 * H) <= H);
	assert_false(r.since_at_least);
	detect_free(d);
}

/* What the counts can't tell, evidence may: only a suspect is confirmed. */
static void confirmed(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 4, 100, 0);
	detect_confirm(d, t, "not even suspect");
	assert_int_equal(h.n, 0);
	for (double from = t; state_of(d) != VERDICT_SUSPECT && t < from + D; t += 60)
		detect_sample(d, t, floor(100 + 60 * (t - from) / H), NAN);
	assert_int_equal(h.leaking, 0);
	detect_confirm(d, t, "of 60 counted, all outlived an hour");
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_string_equal(detect_verdict(d)->reason, "of 60 counted, all outlived an hour");
	assert_true(detect_verdict(d)->rate_per_hour > 30);
	detect_free(d);
}

/* Hundreds within a quarter of an hour of a fresh start: looked at, and confirmed, long before the
 * counts would be suspect.  A tenth of that is not, and neither is what stood still. */
static void rises_fast(void **state)
{
	static const struct {
		double rate, fast_at; /* minutes; 0: never */
	} rows[] = {{1800, 28}, {600, 0}, {0, 0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct heard h;
		struct detect *d = new_detect(&h);
		double t, at = 0;

		detect_started(d, T0);
		for (t = T0; t < T0 + 2700 && at == 0; t += 30) {
			detect_sample(d, t, floor(40 + rows[i].rate * (t - T0) / H), NAN);
			if (detect_rises_fast(d))
				at = t - T0;
		}
		print_message("%.0f an hour: %.1f min\n", rows[i].rate, at / 60);
		assert_true(fabs(at / 60 - rows[i].fast_at) <= 2);
		assert_true(state_of(d) <= VERDICT_WATCHING);
		detect_confirm(d, t, "of 480 nobody left");
		assert_int_equal(state_of(d), rows[i].fast_at > 0 ? VERDICT_LEAKING : state_of(d));
		if (rows[i].fast_at > 0) {
			assert_string_equal(detect_verdict(d)->reason, "of 480 nobody left");
			assert_true(fabs(detect_verdict(d)->rate_per_hour - 1800) < 90);
			assert_false(detect_rises_fast(d));
			/* It goes on as any alarm does. */
			for (double to = t + D; t < to; t += 60)
				detect_sample(d, t, 40 + 1800 * 45 / 60, NAN);
			assert_int_equal(state_of(d), VERDICT_HELD);
		}
		detect_free(d);
	}
}

/* Where goroutines are looked at, size alone does not make a rise of hours leaking; where that look
 * found no leak, neither does a day of it.  What is urgent is told all the same. */
static void counts_where_goroutines_are_seen(void **state)
{
	static const struct {
		double hours, per_hour;
		enum verdict_state states[2]; /* decide, yield */
	} rows[] = {
		{4.8, 25, {VERDICT_LEAKING, VERDICT_SUSPECT}},
		{30, 25, {VERDICT_LEAKING, VERDICT_SUSPECT}},
		{2, 3000, {VERDICT_LEAKING, VERDICT_LEAKING}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (int c = 0; c < 2; c++) {
			struct heard h;
			struct detect *d = new_detect(&h);
			double t;

			detect_set_counts(d, (enum detect_counts)c);
			t = feed(d, T0, .5, 2, 0);
			feed(d, t, rows[i].hours, 2, rows[i].per_hour);
			assert_int_equal(state_of(d), rows[i].states[c]);
			detect_free(d);
		}
	}
}

/* ---- restarts -------------------------------------------------------------------------------- */

/* The new run leaks as the one before did: one alarm, told once more that it goes on. */
static void carried_over(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 30, 20, 60);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	detect_restart(d, t);
	t = feed(d, t + 30, .3, 20, 60);
	assert_int_equal(state_of(d), VERDICT_SUSPECT);
	assert_true(detect_verdict(d)->was_leaking);
	assert_non_null(strstr(h.last.reason, "was leaking at 60/h before the restart"));
	t = feed(d, t, 2, 40, 60);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_non_null(strstr(h.last.reason, "same leak"));
	assert_int_equal(h.resolved, 0);
	detect_free(d);
}

/* The new run is healthy. */
static void gone_with_the_restart(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 30, 20, 60);
	detect_restart(d, t);
	t = feed(d, t + 30, 1, 20, 0);
	detect_restart(d, t); /* a second restart does not end the watch */
	assert_int_equal(state_of(d), VERDICT_SUSPECT);
	feed(d, t + 30, 4, 20, 0);
	assert_int_equal(state_of(d), VERDICT_OK);
	assert_string_equal(detect_verdict(d)->reason, "gone since the restart");
	detect_free(d);
}

/* No run is long enough to be judged, but every one grows alike. */
static void every_run_grows(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t = T0;

	(void)state;
	for (int run = 0; run < 14; run++) {
		t = feed(d, t, 2, 40, 20);
		detect_restart(d, t);
	}
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_int_equal(h.n, 1); /* the restarts after it neither end nor repeat it */
	assert_non_null(strstr(h.last.reason, "runs in a row grew"));
	assert_true(fabs(detect_verdict(d)->rate_per_hour - 20) < 3);
	detect_free(d);
}

/* ---- what is known besides the counts ---------------------------------------------------------
 */

/* First seen when it had leaked for two days: level over uptime is the rate. */
static void already_leaking(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);

	(void)state;
	detect_started(d, T0 - 12 * H);
	feed(d, T0, 4, 12 * 1800, 1800);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	assert_true(h.leaking_at - T0 <= 3.5 * H);
	assert_non_null(strstr(h.first_leaking.reason, "since the process began"));
	assert_true(fabs(detect_verdict(d)->since - (T0 - 12 * H)) < 1);
	detect_free(d);
}

static double load_at(struct sim *r, double t)
{
	return 200 + 150 * sin(t / D * 6.283185307179586) + 4 * sim_normal(r);
}

/* Follows the load: quiet.  The same with a leak on top: told, without the load's part. */
static void with_load(void **state)
{
	(void)state;
	for (int leak = 0; leak < 2; leak++) {
		struct heard h;
		struct detect *d = new_detect(&h);
		struct sim r = {17};

		for (double t = 0; t < 8 * D; t += 60) {
			double load = load_at(&r, t), v = 10 + 2 * load + leak * 5 * t / H;

			detect_sample(d, T0 + t, floor(v + 3 * sim_normal(&r)), load);
		}
		assert_int_equal(h.leaking, leak);
		if (leak)
			assert_true(fabs(detect_verdict(d)->rate_per_hour - 5) < .5);
		else
			assert_int_equal(h.suspect, 0);
		assert_true(detect_memory(d) < 5000);
		detect_free(d);
	}
}

/* A version that leaks, after runs that did not: told long before a fresh process would be. */
static void new_in_this_run(void **state)
{
	double told[2];

	(void)state;
	for (int clean = 0; clean < 2; clean++) {
		struct heard h;
		struct detect *d = new_detect(&h);
		double t = T0;

		if (clean) {
			t = feed(d, t, 9, 60, 0);
			detect_restart(d, t);
		}
		h.n = 0;
		told[clean] = t;
		feed(d, t, 30, 60, 15);
		assert_int_equal(state_of(d), VERDICT_LEAKING);
		told[clean] = h.leaking_at - told[clean];
		if (clean)
			assert_non_null(strstr(h.first_leaking.reason, "none of the 1 runs"));
		else
			assert_non_null(strstr(h.first_leaking.reason, "may only be filling"));
		detect_free(d);
	}
	assert_true(told[1] < 4 * H && told[0] > 7 * H);
}

/* Runs that fill for half a day and level, each a little higher: only the first is told. */
static void usual_in_every_run(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double from = T0, size = 400;

	(void)state;
	for (int run = 0; run < 6; run++) {
		double hours = run == 1 ? 96 : 30; /* the second fills with nothing: resolved */

		for (double t = from; t < from + hours * H; t += 60)
			detect_sample(d, t,
				run == 1 ? 5 : floor(5 + size * fmin(1, (t - from) / (12 * H))),
				NAN);
		assert_true(run > 0 || h.leaking == 1);
		if (run == 1) {
			assert_int_equal(state_of(d), VERDICT_OK);
			h.suspect = h.leaking = 0;
		}
		from += hours * H;
		size *= run == 0 ? 1 : 1.2;
		detect_restart(d, from);
	}
	assert_int_equal(h.leaking, 0);
	assert_int_equal(h.suspect, 0);
	detect_free(d);
}

/* The load's metric goes away: what it explained stays explained, and the alarm can end. */
static void load_goes_away(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	struct sim r = {17};
	double t;

	(void)state;
	for (t = 0; t < 5 * D; t += 60) {
		double load = load_at(&r, t);

		detect_sample(d, T0 + t, floor(10 + 2 * load + 5 * t / H), load);
	}
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	for (; t < 7 * D; t += 60)
		detect_sample(d, T0 + t, floor(10 + 2 * load_at(&r, t)), NAN);
	assert_int_equal(state_of(d), VERDICT_OK);
	detect_free(d);
}

/* A class seen for the first time: its history is its target's. */
static void born_late(void **state)
{
	struct heard known, unknown;
	struct detect *a = new_detect(&known), *b = new_detect(&unknown);

	(void)state;
	detect_zero_since(a, T0 - 400 * D, T0); /* 28 days of it are filled in */
	for (double t = 0; t < 7 * H; t += 60) {
		detect_sample(a, T0 + t, floor(1 + 40 * t / H), NAN);
		detect_sample(b, T0 + t, floor(1 + 40 * t / H), NAN);
	}
	assert_int_equal(known.leaking, 1);
	assert_true(known.leaking_at < T0 + 4 * H);
	assert_true(fabs(detect_verdict(a)->since - T0) < .5 * H);
	assert_true(unknown.leaking == 0 || unknown.leaking_at > known.leaking_at);
	detect_free(a);
	detect_free(b);
}

/* Thirty goroutines a minute into a process that had 40: told within the hour, on counts. */
static void urgent(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	struct sim r = {3};
	double t, v = 40;

	(void)state;
	t = feed(d, T0, 3, 40, 0);
	for (double from = t; t < from + 2 * H; t += 15) {
		v += sim_poisson(&r, 7.5);
		detect_sample(d, t, v + sim_poisson(&r, 4), NAN);
	}
	assert_int_equal(h.leaking, 1);
	print_message("urgent: leaking after %.0f min\n", (h.leaking_at - T0 - 3 * H) / 60);
	assert_true(h.leaking_at <= T0 + 4 * H);
	assert_non_null(strstr(h.first_leaking.reason, "urgent"));
	detect_free(d);
}

/* Three hundred an hour is not urgent; with a limit of 1,000 it is. */
static void limit_makes_urgent(void **state)
{
	(void)state;
	for (int limited = 0; limited < 2; limited++) {
		struct heard h;
		struct detect *d = new_detect(&h);
		double t = feed(d, T0, 3, 40, 0);

		detect_set_limit(d, limited ? 1000 : NAN);
		feed(d, t, 1.2, 40, 300);
		assert_int_equal(h.leaking, limited);
		if (limited)
			assert_non_null(strstr(h.first_leaking.reason, "it reaches 1000 in 2"));
		detect_free(d);
	}
}

/* ---- parameters ------------------------------------------------------------------------------ */

/* Growth in 30 h over 60 at which a series is leaking, by bisection. */
static double least_growth(enum detect_kind kind, struct detect_params p, double unit)
{
	double lo = 0, hi = 400;

	while (hi - lo > .5) {
		double mid = (lo + hi) / 2;
		struct heard h = {0};
		struct detect *d = detect_new(kind, &p, hear, &h);

		for (double t = 0; t < 30 * H; t += 300)
			detect_sample(d, T0 + t, (60 + mid * t / (30 * H)) * unit, NAN);
		if (h.leaking)
			hi = mid;
		else
			lo = mid;
		detect_free(d);
	}
	return hi;
}

static void ref_scales_the_limits(void **state)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	double at50, at100, bytes;

	(void)state;
	at50 = least_growth(DETECT_COUNT, p, 1);
	bytes = least_growth(DETECT_BYTES, p, 32.0 * 1048576 / 50);
	p.ref = 100;
	at100 = least_growth(DETECT_COUNT, p, 1);
	assert_true(at50 >= 10 && at50 < 15); /* 10 less what the end of the envelope cuts */
	assert_true(fabs(at100 - 2 * at50) < 2);
	assert_true(fabs(bytes - at50) < 1);
}

static void sensitivity_orders(void **state)
{
	enum detect_sensitivity s[3] = {DETECT_LOW, DETECT_NORMAL, DETECT_HIGH};
	double at[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct detect_params p = DETECT_PARAMS_DEFAULT;
		struct heard h = {0};
		struct detect *d;

		p.sensitivity = s[i];
		d = detect_new(DETECT_COUNT, &p, hear, &h);
		feed(d, T0, 30, 20, 25);
		assert_int_equal(h.leaking, 1);
		at[i] = h.leaking_at;
		detect_free(d);
	}
	assert_true(at[0] > at[1] && at[1] > at[2]);
}

/* ---- input that is not as it should be --------------------------------------------------------
 */

static void strange_input(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	detect_sample(d, NAN, 1, NAN);
	detect_sample(d, T0, INFINITY, NAN);
	detect_restart(d, NAN);
	t = feed(d, T0, 2, 30, 3);
	detect_sample(d, T0 - 5 * D, 1000, NAN); /* the clock stepped back: counts for now */
	detect_sample(d, t, 36, INFINITY); /* a load that is none */
	detect_restart(d, T0 - D);
	t = feed(d, t, 30, 36, 20);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	/* Half of a day is missing: the alarm stays, and goes on. */
	t = feed(d, t + 12 * H, 2, 900, 20);
	assert_int_equal(state_of(d), VERDICT_LEAKING);
	/* A month is missing: nothing is known any more. */
	feed(d, t + 30 * D, 1, 5000, 0);
	assert_int_equal(state_of(d), VERDICT_OK);
	assert_string_equal(detect_verdict(d)->reason, "not measured for 28 days");
	detect_free(d);
}

/* A constant series costs little however long; any other stays within 4 KiB. */
static void memory(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	struct sim r = {5};
	double t;
	size_t still;

	(void)state;
	t = feed(d, T0, 30 * 24, 7, 0);
	still = detect_memory(d);
	assert_true(still < 300);
	for (int i = 0; i < 30 * 1440; i++, t += 60) {
		if (i % 4000 == 0)
			detect_restart(d, t);
		detect_sample(d, t, sim_poisson(&r, 20), NAN);
	}
	print_message("bytes: %zu while constant, %zu after a month of noise and restarts\n", still,
		detect_memory(d));
	assert_true(detect_memory(d) < 3500);
	detect_free(d);
}

/* A constant past is remembered: 100 for a week, then a rise of 30 % of it in a day. */
static void constant_past(void **state)
{
	struct heard h;
	struct detect *d = new_detect(&h);
	double t;

	(void)state;
	t = feed(d, T0, 7 * 24, 100, 0);
	feed(d, t, 20, 100, 3);
	assert_int_equal(h.leaking, 1);
	assert_non_null(strstr(h.first_leaking.reason, "floor rose from 100"));
	detect_free(d);
}

/* A constant past that was filled in is the past that would have been streamed. */
static void filled_in_is_streamed(void **state)
{
	(void)state;
	for (double rate = 2; rate < 300; rate *= 3) {
		struct heard still, moved;
		struct detect *a = new_detect(&still), *b = new_detect(&moved);
		double t;

		detect_sample(a, T0, 1000, NAN);
		detect_sample(
			b, T0, 1001, NAN); /* from here on every sample goes into its windows */
		t = feed(a, T0 + 60, 6 * 24 - .5, 1000, 0);
		feed(b, T0 + 60, 6 * 24 - .5, 1000, 0);
		feed(a, t, 70, 1000, rate);
		feed(b, t, 70, 1000, rate);
		assert_int_equal(still.leaking, 1);
		assert_int_equal(still.n, moved.n);
		assert_true(still.leaking_at == moved.leaking_at);
		assert_true(still.suspect_at == moved.suspect_at);
		assert_true(detect_verdict(a)->since == detect_verdict(b)->since);
		detect_free(a);
		detect_free(b);
	}
}

/* ---- save and load --------------------------------------------------------------------------- */

static double story(struct sim *r, double t)
{
	double leak = t > 20 * H ? (t - 20 * H) / H * 12 : 0;

	return floor(30 + sim_poisson(r, 10 + 8 * sin(t / D * 6.28)) + (t > 70 * H ? 600 : leak));
}

/* Stopped and loaded at any point, it says what it would have said. */
static void goes_on_after_load(void **state)
{
	static const double stop_at[] = {0, 1, 3600, 86400, 90000, 100000, 250000, 400000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(stop_at); i++) {
		struct heard whole, two;
		struct detect *a = new_detect(&whole), *b = new_detect(&two), *c;
		struct detect_params p = DETECT_PARAMS_DEFAULT;
		struct sim r = {9}, q = {9};
		struct buf rec = BUF_INIT;
		struct err err = ERR_INIT;
		bool stopped = false;

		for (double t = 0; t < 5 * D; t += 60) {
			if (fmod(t, 1.5 * D) == 0 && t > 0) {
				detect_restart(a, T0 + t);
				detect_restart(b, T0 + t);
			}
			if (!stopped && t >= stop_at[i]) {
				detect_save(b, &rec);
				assert_true(rec.len <= DETECT_RECORD_MAX);
				c = detect_new(DETECT_COUNT, &p, hear, &two);
				if (detect_load(c, buf_str(&rec), &err))
					fail_msg("%s", err.msg);
				assert_int_equal(state_of(c), state_of(b));
				assert_string_equal(
					detect_verdict(c)->reason, detect_verdict(b)->reason);
				detect_free(b);
				b = c;
				stopped = true;
			}
			detect_sample(a, T0 + t, story(&r, t), NAN);
			detect_sample(b, T0 + t, story(&q, t), NAN);
		}
		assert_true(whole.leaking >= 1 && whole.n >= 3);
		assert_int_equal(whole.n, two.n);
		assert_true(whole.leaking_at == two.leaking_at);
		assert_true(whole.resolved_at == two.resolved_at);
		assert_string_equal(whole.last.reason, two.last.reason);
		assert_true(detect_verdict(a)->since == detect_verdict(b)->since ||
			    isnan(detect_verdict(a)->since));
		buf_release(&rec);
		detect_free(a);
		detect_free(b);
	}
}

static struct detect *in_full(struct heard *h, struct buf *rec)
{
	struct detect *d = new_detect(h);
	struct sim r = {4};

	for (double t = 0; t < 3 * D; t += 60) {
		if (t == D)
			detect_restart(d, T0 + t);
		detect_sample(d, T0 + t, floor(20 + t / H * 9 + sim_poisson(&r, 5)), 100 + t / H);
	}
	detect_save(d, rec);
	return d;
}

static uint64_t fnv1a(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
	return h;
}

/* A record is outsiders' bytes: any cut is refused; any change is refused or harmless. */
static void bad_records(void **state)
{
	struct heard h, other;
	struct buf rec = BUF_INIT, odd = BUF_INIT;
	struct detect *d = in_full(&h, &rec), *c = new_detect(&other);
	struct sim r = {21};
	struct err err = ERR_INIT;

	(void)state;
	for (size_t n = 0; n < rec.len; n++)
		assert_int_equal(detect_load(c, str_n(rec.p, n), &err), -1);
	for (int i = 0; i < 3000; i++) {
		buf_reset(&odd);
		buf_add(&odd, rec.p, rec.len);
		odd.p[sim_u64(&r) % rec.len] ^= (char)(1 << sim_u64(&r) % 8);
		if (i % 2) { /* with a hash that fits, only the fields themselves can refuse */
			uint64_t hash = fnv1a(odd.p, odd.len - 8);

			for (int k = 0; k < 8; k++)
				odd.p[odd.len - 8 + (size_t)k] = (char)(hash >> (8 * k));
		}
		if (detect_load(c, buf_str(&odd), &err)) {
			assert_int_equal(state_of(c), VERDICT_OK);
			assert_true(err.msg[0] != '\0');
			continue;
		}
		assert_true(i % 2);
		for (double t = 0; t < 3 * H; t += 60)
			detect_sample(c, T0 + 3 * D + t, 700, 50);
	}
	buf_release(&rec);
	buf_release(&odd);
	detect_free(d);
	detect_free(c);
}

static void records_of_others(void **state)
{
	struct heard h;
	struct buf rec = BUF_INIT;
	struct detect *d = in_full(&h, &rec), *c;
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct err err = ERR_INIT;

	(void)state;
	c = detect_new(DETECT_BYTES, &p, NULL, NULL);
	assert_int_equal(detect_load(c, buf_str(&rec), &err), -1);
	assert_non_null(strstr(err.msg, "another kind"));
	detect_free(c);
	p.window_s = 1;
	c = detect_new(DETECT_COUNT, &p, NULL, NULL);
	assert_int_equal(detect_load(c, buf_str(&rec), &err), -1);
	assert_non_null(strstr(err.msg, "detect.window 120s, not 1s"));
	detect_free(c);
	p = (struct detect_params)DETECT_PARAMS_DEFAULT;
	p.sensitivity = DETECT_LOW;
	c = detect_new(DETECT_COUNT, &p, NULL, NULL);
	assert_int_equal(detect_load(c, buf_str(&rec), &err), 0);
	detect_free(c);
	rec.p[3] = '9';
	c = detect_new(DETECT_COUNT, &p, NULL, NULL);
	assert_int_equal(detect_load(c, buf_str(&rec), &err), -1);
	assert_non_null(strstr(err.msg, "version"));
	detect_free(c);
	buf_release(&rec);
	detect_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scaled_clock),
		cmocka_unit_test(scaled_clock_is_the_same_clock),
		cmocka_unit_test(clock_set_back),
		cmocka_unit_test(held_then_back),
		cmocka_unit_test(new_level),
		cmocka_unit_test(held_then_grows),
		cmocka_unit_test(watching),
		cmocka_unit_test(since_at_least),
		cmocka_unit_test(since_before_the_lookback),
		cmocka_unit_test(since_is_walked_back),
		cmocka_unit_test(confirmed),
		cmocka_unit_test(rises_fast),
		cmocka_unit_test(counts_where_goroutines_are_seen),
		cmocka_unit_test(carried_over),
		cmocka_unit_test(gone_with_the_restart),
		cmocka_unit_test(every_run_grows),
		cmocka_unit_test(already_leaking),
		cmocka_unit_test(with_load),
		cmocka_unit_test(load_goes_away),
		cmocka_unit_test(new_in_this_run),
		cmocka_unit_test(usual_in_every_run),
		cmocka_unit_test(born_late),
		cmocka_unit_test(urgent),
		cmocka_unit_test(limit_makes_urgent),
		cmocka_unit_test(ref_scales_the_limits),
		cmocka_unit_test(sensitivity_orders),
		cmocka_unit_test(strange_input),
		cmocka_unit_test(memory),
		cmocka_unit_test(constant_past),
		cmocka_unit_test(filled_in_is_streamed),
		cmocka_unit_test(goes_on_after_load),
		cmocka_unit_test(bad_records),
		cmocka_unit_test(records_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
