/* cost: what one leaked goroutine holds.  How often it is right is measured by tests/sim/sim_cost.
 */
#include "cost.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N 16

static bool near(double a, double b, double within)
{
	return fabs(a - b) <= within * fmax(1, fabs(b));
}

/* From tables of the distribution. */
static void test_student(void **state)
{
	(void)state;
	assert_true(near(cost_student(0, 7), .5, 1e-12));
	assert_true(near(cost_student(2, 5), .9490302605850709, 1e-9));
	assert_true(near(cost_student(2.2281388519649385, 10), .975, 1e-9));
	assert_true(near(cost_student(-2.0422724563012373, 30), .025, 1e-9));
	assert_true(near(cost_student(12.706204736432095, 1), .975, 1e-9));
	assert_true(near(cost_student(1e6, 20), 1, 1e-12));
}

/*
 * Answers computed apart from this program, with dense matrices (numpy: V[i][j] = rho^|i-j| / (1 -
 * rho^2), generalised least squares, restricted likelihood) over the same grid of rho.
 */
static void test_fit_against_reference(void **state)
{
	static const struct {
		const char *stands_for;
		bool wander; /* the errors add up */
		size_t k;
		double grain, estimate, low, high;
	} rows[] = {
		{"white errors, a time column", false, 2, 0, 1.4507659114, 1.1138880379,
			1.9137173408},
		{"errors that wander", true, 2, 0, 3.7291913449, 3.3480616974, 4.1078503852},
		{"the same without time, with grain", true, 1, 2.5, 3.8520788297, 3.5156349835,
			4.1637802555},
	};

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct cost_fit f = {.n = N, .k = rows[r].k, .grain = rows[r].grain};
		struct cost_range got;
		double sum = 0;

		for (int i = 0; i < N; i++) {
			sum += (i * 53) % 17 - 8;
			f.x[i][0] = (i * i * 7) % 23 + 3 * i;
			f.x[i][1] = i;
			f.y[i] = rows[r].wander ? 4 * f.x[i][0] + sum
						: 2 * f.x[i][0] + 5 * i + (i * 37) % 11 - 5;
		}
		assert_true(cost_fit(&f, &got));
		assert_true(near(got.estimate, rows[r].estimate, 1e-6));
		assert_true(near(got.low, rows[r].low, 1e-6));
		assert_true(near(got.high, rows[r].high, 1e-6));
	}
}

static void test_fit_refuses(void **state)
{
	struct cost_fit f = {.n = N, .k = 2};
	struct cost_range got;

	(void)state;
	for (int i = 0; i < N; i++) {
		f.x[i][0] = 3 * i + 1;
		f.x[i][1] = i; /* the first follows from it */
		f.y[i] = 6 * i + i % 3;
	}
	assert_false(cost_fit(&f, &got));
	f.k = 1;
	assert_true(cost_fit(&f, &got));
	f.n = 6; /* too few */
	assert_false(cost_fit(&f, &got));
	f.n = N;
	for (int i = 0; i < N; i++)
		f.x[i][0] = 4; /* does not move */
	assert_false(cost_fit(&f, &got));
	f.k = 0;
	assert_false(cost_fit(&f, &got));
}

/* ---- a run ---- */

struct play {
	struct cost *c;
	double t, leaked, friend;
};

static void scrape(struct play *p, double fds, double heap, double load)
{
	double values[COST_METRICS] = {fds, heap, NAN, NAN, NAN};

	cost_sample(p->c, p->t, values, load, 50 + p->leaked + p->friend);
	if (p->leaked > 0)
		cost_count(p->c, 7, p->leaked, p->t, 0);
	if (p->friend > 0)
		cost_count(p->c, 9, p->friend, p->t, 0);
	p->t += 30;
}

/* A leak that begins in the middle and takes 2 descriptors each; some noise that repeats. */
static void leak(struct play *p, int scrapes, int begins, double fds_each, double heap_each)
{
	for (int i = 0; i < scrapes; i++) {
		if (i >= begins)
			p->leaked += i % 3;
		scrape(p, 20 + fds_each * p->leaked + (i * 7) % 5,
			1e8 + heap_each * p->leaked + (i * 13) % 9 * 1e5, NAN);
	}
}

static void test_told(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;
	uint64_t version = cost_version(p.c);

	(void)state;
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r)); /* nothing is known yet */
	leak(&p, 1000, 400, 2, 50000);
	assert_true(cost_version(p.c) > version);
	assert_true(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	assert_true(r.low <= 2 && 2 <= r.high && near(r.estimate, 2, .03));
	assert_true(cost_each(p.c, 7, NULL, 0, COST_HEAP, &r));
	assert_true(near(r.estimate, 50000, .1));
	assert_false(cost_each(p.c, 7, NULL, 0, COST_STACK, &r)); /* never told */
	assert_false(cost_each(p.c, 8, NULL, 0, COST_FDS, &r)); /* no such class */
	assert_false(cost_each(p.c, 0, NULL, 0, COST_FDS, &r)); /* not a free column either */
	cost_forget(p.c, 7);
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	cost_reset(p.c);
	leak(&p, 12, 4, 2, 0);
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r)); /* too few points */
	cost_free(p.c);
	cost_free(NULL);
}

/* The history is joined, never grows, and answers the same after a month. */
static void test_long_run(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;

	(void)state;
	leak(&p, 30 * 2880, 20 * 2880, 1, 31000);
	assert_true(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	assert_true(near(r.estimate, 1, .02));
	assert_true(cost_each(p.c, 7, NULL, 0, COST_HEAP, &r));
	assert_true(near(r.estimate, 31000, .02));
	cost_free(p.c);
}

/* Straight up beside a process that goes straight up: nobody can tell whose growth it is. */
static void test_line_beside_line(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		p.leaked = i;
		scrape(&p, 20 + i + (i * 7) % 5, 1e8 + 31000.0 * i, NAN);
	}
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	assert_false(cost_each(p.c, 7, NULL, 0, COST_HEAP, &r));
	cost_free(p.c);
}

/* Two classes in step: together they can be priced, apart they cannot. */
static void test_in_step(void **state)
{
	const uint32_t with[] = {9};
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		if (i >= 400)
			p.leaked += i % 3;
		p.friend = p.leaked;
		scrape(&p, 20 + 3 * p.leaked + (i * 7) % 5, NAN, NAN);
	}
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	assert_true(cost_each(p.c, 7, with, 1, COST_FDS, &r));
	assert_true(near(r.estimate, 3, .03));
	cost_free(p.c);
}

/* Both follow the load, and load is known: it is not the goroutines. */
static void test_with_load(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double load = 50 + 40 * sin(i / 60.0);

		p.leaked = floor(load) + (i * 11) % 3;
		scrape(&p, 20 + 3 * load + (i * 7) % 5, NAN, load);
	}
	assert_false(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	cost_free(p.c);
}

/* More classes than columns: those that moved least make room, the leak stays. */
static void test_room(void **state)
{
	struct cost *c = cost_new(120);
	struct cost_range r;
	double leaked = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		double values[COST_METRICS] = {0, NAN, NAN, NAN, NAN};

		leaked += i >= 400 ? i % 3 : 0;
		values[COST_FDS] = 20 + leaked + (i * 7) % 5;
		cost_sample(c, 1e9 + 30 * i, values, NAN, 200 + leaked);
		for (uint32_t id = 100; id < 120; id++)
			cost_count(c, id, 5 + (i + (int)id) % 4, 1e9, 5);
		if (i >= 400)
			cost_count(c, 7, leaked, 1e9 + 400 * 30, 0);
	}
	assert_true(cost_each(c, 7, NULL, 0, COST_FDS, &r));
	assert_true(near(r.estimate, 1, .05));
	cost_free(c);
}

/* One that is not told any more is forgotten, and does not count as having gone to 0. */
static void test_untold(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	struct cost_range r;

	(void)state;
	p.friend = 500;
	leak(&p, 700, 400, 2, 0);
	p.friend = 0;
	assert_true(cost_follows(p.c, 9));
	leak(&p, 300, 0, 2, 0);
	assert_false(cost_follows(p.c, 9));
	assert_true(cost_each(p.c, 7, NULL, 0, COST_FDS, &r));
	assert_true(near(r.estimate, 2, .05));
	cost_free(p.c);
}

/* Times and numbers that are none, a clock that is set back: ignored, and no harm done. */
static void test_odd_samples(void **state)
{
	struct play p = {.c = cost_new(120), .t = 1e9};
	double none[COST_METRICS] = {NAN, NAN, NAN, NAN, NAN};
	struct cost_range r;

	(void)state;
	cost_count(p.c, 7, 5, 0, 0); /* before any sample */
	cost_sample(p.c, NAN, none, NAN, 5);
	cost_sample(p.c, 1e9, none, NAN, NAN);
	leak(&p, 500, 200, 1, 0);
	p.t -= 3600;
	leak(&p, 500, 0, 1, 0);
	for (int i = 0; i < 200; i++)
		cost_sample(p.c, p.t += 30, none, NAN, 5);
	cost_count(p.c, 7, NAN, 0, 0);
	cost_each(p.c, 7, NULL, 0, COST_FDS, &r);
	cost_free(p.c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_student),
		cmocka_unit_test(test_fit_against_reference),
		cmocka_unit_test(test_fit_refuses),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_long_run),
		cmocka_unit_test(test_line_beside_line),
		cmocka_unit_test(test_in_step),
		cmocka_unit_test(test_with_load),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_odd_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
