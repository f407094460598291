/* trend: every answer here was computed with the Python reference of the method (see
 * leakwatch-detect(7)), not with this program. */
#include "trend.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

struct shape_row {
	const char *name; /* what the row stands for */
	size_t n;
	double x[24];
	double min_growth;
	bool rises;
	struct trend_shape want;
};

static const struct shape_row shapes[] = {
	{"even rise: eight equal parts", 12, {0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110}, 10,
		true,
		{.growth = 100.0,
			.first = 0.0,
			.last = 100.0,
			.drawdown = 0.0,
			.even = 7.14285714285714,
			.late = 0.5,
			.tail = 0.8,
			.bouts = 1}},
	{"one step", 16, {5, 5, 5, 5, 5, 5, 5, 5, 105, 105, 105, 105, 105, 105, 105, 105}, 10, true,
		{.growth = 100.0,
			.first = 5.0,
			.last = 105.0,
			.drawdown = 0.0,
			.even = 1,
			.late = 1,
			.tail = 0,
			.bouts = 1}},
	{"saturating fill", 18,
		{0.0, 22.12, 39.347, 52.763, 63.212, 71.35, 77.687, 82.623, 86.466, 89.46, 91.792,
			93.607, 95.021, 96.123, 96.98, 97.648, 98.168, 98.574},
		10, true,
		{.growth = 98.168,
			.first = 0.0,
			.last = 98.168,
			.drawdown = 0.0,
			.even = 3.93608171905102,
			.late = 0.1192038138701,
			.tail = 0.128229158177818,
			.bouts = 1}},
	{"accelerating", 12, {0, 1, 4, 9, 16, 25, 36, 49, 64, 81, 100, 121}, 10, true,
		{.growth = 100.0,
			.first = 0.0,
			.last = 100.0,
			.drawdown = 0.0,
			.even = 5.58659217877095,
			.late = 0.75,
			.tail = 1.44,
			.bouts = 1}},
	{"three bouts", 18, {0, 0, 0, 20, 20, 20, 20, 20, 45, 45, 45, 45, 45, 45, 70, 70, 70, 70},
		10, true,
		{.growth = 70.0,
			.first = 0.0,
			.last = 70.0,
			.drawdown = 0.0,
			.even = 2.96969696969697,
			.late = 0.357142857142857,
			.tail = 1.42857142857143,
			.bouts = 3}},
	{"under seven windows: four parts", 6, {0, 7, 13, 22, 30, 41}, 10, true,
		{.growth = 30.0,
			.first = 0.0,
			.last = 30.0,
			.drawdown = 0.0,
			.even = 3.91304347826087,
			.late = 0.566666666666667,
			.tail = 1.06666666666667,
			.bouts = 1}},
	{"rise with spikes that come back", 12, {0, 30, 8, 12, 60, 20, 24, 29, 90, 37, 40, 44}, 10,
		false, {0}},
	{"flat with noise", 12, {50, 53, 49, 55, 51, 50, 54, 52, 49, 53, 50, 51}, 10, false, {0}},
	{"fell below what it grew", 12, {0, 40, 0, 12, 13, 14, 15, 16, 17, 18, 19, 20}, 10, false,
		{0}},
	{"too small", 10, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10, false, {0}},
	{"falling", 8, {90, 80, 70, 60, 50, 40, 30, 20}, 10, false, {0}},
	{"leading flat", 12, {3, 3, 3, 3, 3, 3, 9, 15, 21, 27, 33, 39}, 10, true,
		{.growth = 30.0,
			.first = 3.0,
			.last = 33.0,
			.drawdown = 0.0,
			.even = 3.57142857142857,
			.late = 1,
			.tail = 1.6,
			.bouts = 1}},
	{"twenty-four windows: the end is two before", 24,
		{0.0, 2.5, 5.0, 7.5, 10.0, 12.5, 15.0, 17.5, 20.0, 22.5, 25.0, 27.5, 30.0, 32.5,
			35.0, 37.5, 40.0, 42.5, 45.0, 47.5, 50.0, 52.5, 55.0, 57.5},
		10, true,
		{.growth = 55.0,
			.first = 0.0,
			.last = 55.0,
			.drawdown = 0.0,
			.even = 7.80645161290323,
			.late = 0.5,
			.tail = 0.909090909090909,
			.bouts = 1}},
};

static void near(double got, double want, const char *name, const char *what)
{
	if (fabs(got - want) > 1e-9 * fmax(1, fabs(want)))
		fail_msg("%s: %s is %.12g, should be %.12g", name, what, got, want);
}

static void shape_of_rises(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		const struct shape_row *r = &shapes[i];
		struct trend_shape s = {0};

		if (trend_shape(r->x, NULL, r->n, r->min_growth, &s) != r->rises)
			fail_msg("%s: should %srise", r->name, r->rises ? "" : "not ");
		if (!r->rises)
			continue;
		near(s.growth, r->want.growth, r->name, "growth");
		near(s.first, r->want.first, r->name, "first");
		near(s.last, r->want.last, r->name, "last");
		near(s.drawdown, r->want.drawdown, r->name, "drawdown");
		near(s.even, r->want.even, r->name, "even");
		near(s.late, r->want.late, r->name, "late");
		near(s.tail, r->want.tail, r->name, "tail");
		assert_int_equal(s.bouts, r->want.bouts);
		near(s.growth2, s.growth, r->name, "growth2");
	}
}

/* The medians' growth comes from the second row, by the same envelope. */
static void second_row(void **state)
{
	double x[8] = {0, 10, 20, 30, 40, 50, 60, 70}, y[8] = {5, 5, 6, 9, 7, 8, 9, 9};
	struct trend_shape s;

	(void)state;
	assert_true(trend_shape(x, y, 8, 10, &s));
	near(s.growth2, 4, "second row", "growth2");
}

static void envelope_is_what_stays(void **state)
{
	double x[6] = {3, 9, 4, 8, 7, 12}, want[6] = {3, 4, 4, 7, 7, 12};

	(void)state;
	near(trend_drawdown(x, 6), 5, "envelope", "drawdown");
	trend_envelope(x, 6, x);
	for (int i = 0; i < 6; i++)
		near(x[i], want[i], "envelope", "value");
}

struct slope_row {
	const char *name;
	size_t n;
	double x[12], slope, error;
};

static const struct slope_row slopes[] = {
	{"a straight line", 10, {5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0, 21.0, 23.0}, 2,
		0.0317820863081864},
	{"no slope", 8, {4, 6, 5, 5, 4, 6, 5, 5}, 0.0476190476190476, 0.132208978166331},
	{"noise that resembles its neighbour", 12, {0, 1, 2, 4, 7, 8, 8, 7, 6, 8, 11, 14},
		1.03496503496504, 0.302480758983299},
	{"noise that alternates", 10, {0, 5, 2, 7, 4, 9, 6, 11, 8, 13}, 1.12121212121212,
		0.24449870004781},
	{"three values", 3, {1, 2, 4}, 1.5, 0.353553390593274},
};

static void slopes_and_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(slopes); i++) {
		double slope, error;

		trend_slope(slopes[i].x, slopes[i].n, &slope, &error);
		near(slope, slopes[i].slope, slopes[i].name, "slope");
		near(error, slopes[i].error, slopes[i].name, "error");
	}
}

static void medians(void **state)
{
	double odd[3] = {9, 1, 5}, even[4] = {4, 1, 3, 2}, holes[4] = {NAN, 7, NAN, 9},
	       none[1] = {NAN};

	(void)state;
	near(trend_median(odd, 3), 5, "odd", "median");
	near(trend_median(even, 4), 2.5, "even", "median");
	near(trend_median(holes, 4), 8, "holes", "median");
	assert_true(isnan(trend_median(none, 1)));
	assert_int_equal(trend_sort(holes, 2), 2); /* the holes are gone */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shape_of_rises),
		cmocka_unit_test(second_row),
		cmocka_unit_test(envelope_is_what_stays),
		cmocka_unit_test(slopes_and_errors),
		cmocka_unit_test(medians),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
