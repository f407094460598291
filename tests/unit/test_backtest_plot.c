/* What backtest draws: the series that leak, and marks where their verdicts changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd_backtest_plot.h"

#include <stdio.h>
#include <string.h>

#define T0 1700000000.0
#define N  41

static double at[N], value[N];

static void fill(struct plots *p, const char *name, const enum verdict_state *states, size_t n)
{
	static const double places[] = {.25, .5, .75};
	struct backtest_judged j = {
		.target = "shop/a:1", .name = name, .at = at, .value = value, .n = N};

	for (int i = 0; i < N; i++) {
		at[i] = T0 + i * 60;
		value[i] = i;
	}
	plots_series(p, &j);
	for (size_t i = 0; i < n; i++) {
		struct backtest_event e = {.target = "shop/a:1",
			.name = name,
			.at = T0 + places[i] * (N - 1) * 60,
			.state = states[i]};

		plots_event(p, &e);
	}
}

static void draws_what_leaks(void **state)
{
	static const enum verdict_state leaks[] = {VERDICT_SUSPECT, VERDICT_LEAKING, VERDICT_OK};
	static const enum verdict_state other[] = {VERDICT_SUSPECT, VERDICT_OK};
	struct buf out = BUF_INIT;
	struct plots p;
	const char *marks;

	(void)state;
	plots_init(&p);
	fill(&p, "quiet", other, 0);
	fill(&p, "suspected", other, 2);
	fill(&p, "leaky\x1b[2J", leaks, 3);
	plots_write(&p, 9 + 41, &out);
	buf_addc(&out, '\0');
	assert_null(strstr(out.p, "quiet"));
	assert_null(strstr(out.p, "suspected"));
	assert_non_null(strstr(out.p, "shop/a:1  leaky"));
	assert_null(strchr(out.p, '\x1b')); /* a name from outside moves nothing */
	/* 41 places: a quarter, half and three quarters of the way; not those of the other series
	 */
	marks = strstr(out.p, "\n                   s");
	assert_non_null(marks);
	assert_memory_equal(marks, "\n                   s         !         .", 41);
	assert_non_null(strstr(out.p, "2023-11-14 22:13"));
	buf_release(&out);
	plots_release(&p);
}

static void many_are_counted(void **state)
{
	static const enum verdict_state leaks[] = {VERDICT_LEAKING};
	struct buf out = BUF_INIT;
	char names[PLOTS_MAX + 3][8];
	struct plots p;

	(void)state;
	plots_init(&p);
	plots_write(&p, 80, &out);
	assert_int_equal(out.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(names[i], sizeof(names[i]), "c%zu", i);
		fill(&p, names[i], leaks, 1);
	}
	plots_write(&p, 80, &out);
	buf_addc(&out, '\0');
	assert_non_null(strstr(out.p, "shop/a:1  c7\n"));
	assert_null(strstr(out.p, "shop/a:1  c8\n"));
	assert_non_null(strstr(out.p, "3 more series that leak are not drawn\n"));
	buf_release(&out);
	plots_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(draws_what_leaks),
		cmocka_unit_test(many_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
