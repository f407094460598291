/* series: expectations and limits around a detector. */
#include "series.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct detect_params params = DETECT_PARAMS_DEFAULT;

#define T0 1700006400.0 /* a multiple of 6 h, so that windows begin with the test */

static struct series_context plain(void)
{
	return (struct series_context){.load = NAN, .expected = NAN};
}

/* Samples every minute for that many hours, value = base + rate * hours. */
static double run(struct series *s, double from, double hours, double base, double rate,
	const struct series_context *ctx)
{
	double t = from;

	for (; t < from + hours * 3600; t += 60)
		series_sample(s, &params, t, base + rate * (t - from) / 3600, ctx);
	return t;
}

/* A rise that would be told is at most `watching` while it is at or under what is expected. */
static void test_expected_maximum(void **state)
{
	struct series *a = series_new(SERIES_CLASS, STR("pool"), &params);
	struct series *b = series_new(SERIES_CLASS, STR("pool"), &params);
	struct series_context none = plain(), some = plain();
	double t;

	(void)state;
	some.expected = 5000;
	run(a, T0, 30, 10, 120, &none);
	t = run(b, T0, 30, 10, 120, &some);
	assert_int_equal(a->verdict.state, VERDICT_LEAKING);
	assert_int_equal(b->verdict.state, VERDICT_WATCHING);
	assert_false(b->over);
	/* Past what is expected it is what the detector says, and after ten minutes over the limit.
	 */
	run(b, t, 15, 3610, 120, &some);
	assert_int_equal(b->verdict.state, VERDICT_LEAKING);
	assert_true(b->over);
	assert_true(b->over_limit == 5000);
	series_free(a);
	series_free(b);
}

/* With a metric of healthy ones the detector judges what is left. */
static void test_subtracted(void **state)
{
	struct series *s = series_new(SERIES_CLASS, STR("agents"), &params);
	struct series_context ctx = plain();

	(void)state;
	for (double t = T0; t < T0 + 30 * 3600; t += 60) {
		ctx.subtract = 50 + (t - T0) / 30; /* agents grow: 120 an hour */
		ctx.expected = ctx.subtract + 50;
		series_sample(s, &params, t, ctx.subtract + 3, &ctx);
	}
	assert_true(s->verdict.state <= VERDICT_WATCHING);
	assert_true(s->value > 3000);
	series_free(s);
}

/* 10,000 blocked goroutines in one class are too many whatever the trend, after ten minutes. */
static void test_blocked(void **state)
{
	struct series *s = series_new(SERIES_CLASS, STR("c"), &params);
	struct series_context ctx = plain();

	(void)state;
	ctx.blocked = true;
	assert_false(series_sample(s, &params, T0, 10001, &ctx));
	assert_false(series_sample(s, &params, T0 + 300, 10002, &ctx));
	assert_true(series_sample(s, &params, T0 + 600, 10001, &ctx));
	assert_true(s->over);
	assert_true(series_sample(s, &params, T0 + 660, 10000, &ctx));
	assert_false(s->over);
	/* Running ones are work, not a pile. */
	ctx.blocked = false;
	series_sample(s, &params, T0 + 720, 20000, &ctx);
	assert_false(series_sample(s, &params, T0 + 1500, 20000, &ctx));
	series_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_expected_maximum),
		cmocka_unit_test(test_subtracted),
		cmocka_unit_test(test_blocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
