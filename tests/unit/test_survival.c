/* Cohorts of goroutines that leave, or do not. */
#include "base.h"
#include "survival.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define T0    1700006400.0
#define MIN_S 60.0
#define H     3600.0

/* Goroutines whose lives are known: one a second is born from T0 - before on. */
struct world {
	double birth[20000], death[20000];
	size_t n;
};

static uint32_t random_state;

static double uniform(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) / 16777216.0;
}

static void born(struct world *w, double birth, double life)
{
	w->birth[w->n] = birth;
	w->death[w->n++] = birth + life;
}

/* The dump of time t; ids are seconds since the start, a thousandth apart. */
static void dump(struct survival *s, const struct world *w, double t)
{
	survival_begin(s, t);
	for (size_t i = 0; i < w->n; i++) {
		if (w->birth[i] <= t && w->death[i] > t)
			survival_see(s, (uint64_t)((w->birth[i] - T0 + 10 * H) * 1000) + 1, 7);
	}
	survival_end(s, (uint64_t)((t - T0 + 10 * H) * 1000) + 1);
}

/* Dumps when they are wanted, until it stays, or for so many hours. */
static double run(struct survival *s, const struct world *w, bool quick, double hours,
	struct survival_result *r)
{
	double t = T0;

	while (t <= T0 + hours * H) {
		dump(s, w, t);
		survival_judge(s, quick, r);
		if (r->answer == SURVIVAL_STAYS)
			return t;
		t = survival_next(s, quick);
	}
	return NAN;
}

enum life { FOR_EVER, EXPONENTIAL, FIXED };

struct row {
	const char *what;
	double per_hour; /* births, from 10 h before T0 on */
	enum life life;
	double hours; /* of a life */
	double share; /* of those born, that never leave */
	bool quick;
	double stays_after; /* minutes; 0: never within 26 h */
};

static double life_of(const struct row *r)
{
	if (r->life == FOR_EVER || uniform() < r->share)
		return INFINITY;
	return r->life == FIXED ? r->hours * H : -r->hours * H * log(1 - uniform());
}

static const struct row rows[] = {
	{"all leak", 30, FOR_EVER, 0, 1, false, 120},
	{"half leaks, the rest lives for ten minutes", 60, EXPONENTIAL, .16, .5, false, 120},
	/* The short ones are gone in the first span; those of an hour take some more. */
	{"one in six leaks, the rest lives for an hour", 60, EXPONENTIAL, 1, .16, false, 480},
	{"sessions of two hours", 200, EXPONENTIAL, 2, 0, false, 0},
	{"sessions of twenty hours", 40, EXPONENTIAL, 20, 0, false, 0},
	{"timers of 90 minutes", 60, FIXED, 1.5, 0, false, 0},
	{"a fast leak", 1800, FOR_EVER, 0, 1, true, 12},
	/* Two in a hundred an hour: too many for ten minutes of 10,000 to miss. */
	{"fast sessions of ten hours", 1800, EXPONENTIAL, 10, 0, true, 0},
	/* Quick is for hundreds; this one waits its two hours. */
	{"a slow leak, asked quickly", 7, FOR_EVER, 0, 1, true, 120},
};

static void rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct row *row = &rows[i];
		struct world *w = calloc(1, sizeof(*w));
		struct survival *s = survival_new(120, T0 - 10 * H);
		struct survival_result r;
		double from = row->quick && row->per_hour > 100 ? T0 - .5 * H : T0 - 10 * H, at;
		char words[SURVIVAL_WORDS_MAX];

		random_state = 42 + (uint32_t)i;
		for (double t = from; w->n < ARRAY_LEN(w->birth) && t < T0 + 26 * H;
			t += H / row->per_hour)
			born(w, t, life_of(row));
		at = run(s, w, row->quick, row->quick && row->per_hour > 100 ? 1.8 : 26, &r);
		survival_words(&r, words);
		print_message("%s: %s after %.0f min: %s; usual life %.2f h\n", row->what,
			isnan(at) ? "never" : "stays", (at - T0) / 60, words, r.usual_life_s / H);
		if (row->stays_after > 0)
			assert_true(fabs((at - T0) / 60 - row->stays_after) <= 1);
		else
			assert_true(isnan(at));
		assert_int_equal(isnan(at) ? 0 : r.quick,
			row->quick && row->per_hour > 100 && row->stays_after > 0);
		survival_free(s);
		free(w);
	}
}

/* Ten thousand are sampled, and the numbers are those of all. */
static void sampled(void **state)
{
	struct survival *s = survival_new(120, NAN);
	struct survival_result r;
	static const double at[] = {0, 600, 3600, 7200};

	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(at); d++) {
		survival_begin(s, T0 + at[d]);
		for (uint64_t id = 1; id <= 10000; id++) {
			if (d < 2 || id % 4)
				survival_see(s, id, 1);
		}
		survival_end(s, 10000);
	}
	survival_judge(s, false, &r);
	assert_true(r.sampled);
	assert_int_equal(r.answer, SURVIVAL_STAYS);
	assert_true(llabs((long long)r.cohort - 10000) < 600);
	assert_true(fabs((double)r.outlived / (double)r.cohort - .75) < .03);
	assert_int_equal(r.outlived, r.stayed);
	assert_true(survival_memory(s) < 200000);
	survival_free(s);
}

/* One that waits somewhere else is not where it was: it did not stay. */
static void another_stack(void **state)
{
	static const double at[] = {0, 600, 3600, 7200};

	(void)state;
	for (int moves = 0; moves < 2; moves++) {
		struct survival *s = survival_new(120, NAN);
		struct survival_result r;

		for (size_t d = 0; d < ARRAY_LEN(at); d++) {
			survival_begin(s, T0 + at[d]);
			for (uint64_t id = 1; id <= 50; id++)
				survival_see(s, id, moves && d == 3 && id % 2 ? 2 : 1);
			survival_end(s, 50);
		}
		survival_judge(s, false, &r);
		assert_int_equal(r.answer, moves ? SURVIVAL_WAIT : SURVIVAL_STAYS);
		assert_int_equal(r.stayed, moves ? 25 : 50);
		survival_free(s);
	}
}

/* A dump that was cut says nothing: not that all have gone. */
static void abandoned(void **state)
{
	struct survival *s = survival_new(120, NAN);
	struct survival_result r;
	static const struct {
		double at;
		bool whole;
	} dumps[] = {{0, false}, {30, true}, {630, true}, {1200, false}, {3630, true},
		{5400, false}, {7230, true}};

	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dumps); d++) {
		survival_begin(s, T0 + dumps[d].at);
		for (uint64_t id = 1; id <= (dumps[d].whole ? 40u : 20u); id++)
			survival_see(s, dumps[d].whole ? id : id + 500, 1);
		if (dumps[d].whole)
			survival_end(s, 40);
		else
			survival_abandon(s);
	}
	survival_judge(s, false, &r);
	assert_int_equal(r.answer, SURVIVAL_STAYS);
	assert_int_equal(r.cohort, 40);
	assert_int_equal(r.stayed, 40);
	assert_true(fabs(r.began - T0 - 30) < .1);
	survival_free(s);
}

/* When dumps are wanted; on a clock 1,200 times as fast, 1,200 times as often. */
static void schedule(void **state)
{
	static const double normal[] = {0, 10, 30, 60, 90, 120, 150},
			    quick[] = {0, 3, 6, 12, 30, 60};

	(void)state;
	for (int i = 0; i < 4; i++) {
		double scale = i % 2 ? 1.0 / 1200 : 1;
		struct survival *s = survival_new(120 * scale, NAN);
		size_t n = i < 2 ? ARRAY_LEN(normal) : ARRAY_LEN(quick);

		assert_true(survival_next(s, i > 1) < T0);
		for (size_t k = 0; k < n; k++) {
			double want = (i < 2 ? normal[k] : quick[k]) * MIN_S * scale;

			if (k)
				assert_true(fabs(survival_next(s, i > 1) - T0 - want) <
					    .01 * scale + 1e-6);
			/* Each comes a little late, and that does not add up. */
			survival_begin(s, T0 + want + (k ? 5 * scale : 0));
			for (uint64_t id = 1; id <= 20; id++)
				survival_see(s, id, 1);
			survival_end(s, 20);
		}
		survival_free(s);
	}
}

/* A class that was small when it was first looked at: another cohort, when it has grown. */
static void too_small(void **state)
{
	struct survival *s = survival_new(120, NAN);
	struct survival_result r = {.answer = SURVIVAL_WAIT};
	double t = T0;
	uint64_t n = 5;

	(void)state;
	for (; t < T0 + 4 * H && r.answer != SURVIVAL_STAYS; t = survival_next(s, false)) {
		survival_begin(s, t);
		for (uint64_t id = 1; id <= n; id++)
			survival_see(s, id, 1);
		survival_end(s, n);
		survival_judge(s, false, &r);
		n += 10;
	}
	assert_int_equal(r.answer, SURVIVAL_STAYS);
	assert_true(fabs(r.began - T0 - 1200) < 1);
	assert_true(r.cohort >= 25);
	survival_free(s);
}

/* After 24 hours of one cohort another begins, with those that are there then. */
static void begins_anew(void **state)
{
	struct survival *s = survival_new(120, NAN);
	struct survival_result r;
	double t = T0;

	(void)state;
	while (t < T0 + 26 * H) {
		survival_begin(s, t);
		for (uint64_t id = 1; id <= 20; id++)
			survival_see(s, id, 1);
		survival_end(s, 20);
		t = survival_next(s, false);
	}
	survival_judge(s, false, &r);
	assert_true(r.began > T0 + 24 * H);
	assert_true(survival_dumps(s) < 5);
	survival_free(s);
}

static void assert_same(const struct survival_result *a, const struct survival_result *b)
{
	assert_int_equal(a->answer, b->answer);
	assert_true(a->began == b->began);
	assert_int_equal(a->cohort, b->cohort);
	assert_int_equal(a->outlived, b->outlived);
	assert_int_equal(a->stayed, b->stayed);
	assert_int_equal(a->now, b->now);
	assert_true(a->span_s == b->span_s);
	assert_true(a->usual_life_s == b->usual_life_s ||
		    (isnan(a->usual_life_s) && isnan(b->usual_life_s)));
	assert_int_equal(a->sampled, b->sampled);
}

/* Saved and loaded between each two dumps, a cohort says what it would have said anyway. */
static void goes_on_from_text(void **state)
{
	static const struct row kinds[] = {
		{"few, half of them leak", 60, EXPONENTIAL, .5, .5, false, 0},
		{"more than the sample holds", 1800, EXPONENTIAL, 6, .3, false, 0},
		{"nobody stays", 300, EXPONENTIAL, .1, 0, false, 0},
	};

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		struct world *w = calloc(1, sizeof(*w));
		struct survival *s = survival_new(120, T0 - 10 * H), *other = NULL;
		struct survival_result one, two;
		struct err err = ERR_INIT;
		double step = H / kinds[k].per_hour, t = T0;

		random_state = 7 + (uint32_t)k;
		for (double b = T0 - 8 * H; b < T0 + 2 * H && w->n < 20000; b += step)
			born(w, b, life_of(&kinds[k]));
		for (int i = 0; i < 12; i++) {
			struct buf text = BUF_INIT;

			dump(s, w, t);
			if (other)
				dump(other, w, t);
			survival_judge(s, false, &one);
			if (other) {
				survival_judge(other, false, &two);
				assert_same(&one, &two);
				assert_true(survival_next(s, false) == survival_next(other, false));
			}
			survival_save(other ? other : s, &text);
			assert_in_range(text.len, 10, SURVIVAL_SAVED_MAX);
			survival_free(other);
			other = survival_load(120, T0 - 10 * H, buf_str(&text), &err);
			assert_non_null(other);
			t = survival_next(s, false);
			buf_release(&text);
		}
		survival_free(s);
		survival_free(other);
		free(w);
	}
}

/* Only for the same run and window; and whatever else stands there is refused. */
static void other_texts(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct survival *s = survival_new(120, T0 - H), *other;
	struct buf text = BUF_INIT, bad = BUF_INIT;
	struct err err = ERR_INIT;
	unsigned accepted = 0;

	(void)state;
	survival_save(s, &text);
	assert_int_equal(text.len, 0); /* no dump yet */
	for (int i = 0; i < 60; i++)
		born(w, T0 - 60 * i, i % 3 ? INFINITY : 900);
	for (int i = 0; i < 4; i++)
		dump(s, w, T0 + 600 * i);
	survival_save(s, &text);
	assert_null(survival_load(120, T0 - H + 3, buf_str(&text), &err));
	assert_string_equal(err.msg, "it is of another run of the process");
	assert_null(survival_load(120, NAN, buf_str(&text), &err));
	assert_null(survival_load(60, T0 - H, buf_str(&text), &err));
	assert_string_equal(err.msg, "it was made with another detect.window");
	assert_null(survival_load(120, T0 - H, STR(""), &err));
	for (size_t n = 0; n < text.len; n++) {
		assert_null(survival_load(120, T0 - H, str_sub(buf_str(&text), 0, n), &err));
		assert_true(err.msg[0]);
	}
	buf_addstr(&bad, buf_str(&text));
	buf_addc(&bad, 'A');
	assert_null(survival_load(120, T0 - H, buf_str(&bad), &err));
	random_state = 3;
	for (int i = 0; i < 20000; i++) {
		buf_reset(&bad);
		buf_addstr(&bad, buf_str(&text));
		for (int k = 0; k < 3; k++) {
			double at = uniform(), c = uniform();

			bad.p[(size_t)(at * (double)bad.len)] = (char)(c * 256);
		}
		other = survival_load(120, T0 - H, buf_str(&bad), &err);
		if (!other)
			continue;
		accepted++; /* other numbers, and whole: it must be able to go on */
		dump(other, w, T0 + 1e8 + i);
		survival_free(other);
	}
	assert_true(accepted < 20000);
	survival_free(s);
	buf_release(&text);
	buf_release(&bad);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rules),
		cmocka_unit_test(sampled),
		cmocka_unit_test(another_stack),
		cmocka_unit_test(abandoned),
		cmocka_unit_test(schedule),
		cmocka_unit_test(too_small),
		cmocka_unit_test(begins_anew),
		cmocka_unit_test(goes_on_from_text),
		cmocka_unit_test(other_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
