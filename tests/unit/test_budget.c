/* How often a target is asked for its goroutines, by what that costs it. */
#include "budget.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Cycles of interval_ms in which every dump takes took_ms; how many dumps there were. */
static unsigned cycles(struct budget *b, unsigned n, double took_ms)
{
	unsigned dumps = 0;

	for (unsigned i = 0; i < n; i++) {
		if (!budget_turn(b))
			continue;
		dumps++;
		budget_note(b, took_ms);
	}
	return dumps;
}

static const struct {
	const char *what;
	double share;
	uint64_t interval_ms;
	double took_ms;
	unsigned every; /* in the end */
} rows[] = {
	{"1,000 goroutines at 1 m: nothing to save", 0.01, 60000, 3, 1},
	{"just within it", 0.01, 60000, 600, 1},
	{"just over it", 0.01, 60000, 601, 2},
	{"100 ms at an interval of 1 s: ten times the budget", 0.01, 1000, 100, 16},
	{"as long as it may be: 5 minutes", 0.01, 10000, 9000, 16},
	{"never more than 5 minutes", 0.01, 60000, 9000, 4},
	{"an interval that is longer by itself stays", 0.01, 600000, 10000, 1},
	{"no budget", 0, 1000, 900, 1},
	{"a whole core", 1, 1000, 900, 1},
};

static void test_settles(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct budget b;

		budget_init(&b, rows[i].share, rows[i].interval_ms);
		cycles(&b, 500, rows[i].took_ms);
		if (b.every != rows[i].every)
			fail_msg("%s: every %u, not %u", rows[i].what, b.every, rows[i].every);
		/* And it stays there: it does not swing. */
		for (int k = 0; k < 200; k++) {
			cycles(&b, 1, rows[i].took_ms);
			assert_int_equal(b.every, rows[i].every);
		}
	}
}

static void test_one_slow_answer(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 0.01, 60000);
	cycles(&b, 1, 9000); /* the very first */
	assert_int_equal(b.every, 1);
	cycles(&b, 5, 3);
	cycles(&b, 1, 9000);
	cycles(&b, 1, 3);
	assert_int_equal(b.every, 1);
	assert_true(fabs(budget_cost_ms(&b) - 3) < 1e-9);
}

static void test_comes_back(void **state)
{
	struct budget b;

	(void)state;
	budget_init(&b, 0.01, 10000);
	cycles(&b, 200, 800);
	assert_int_equal(b.every, 8);
	/* A dump in eight cycles, the rest without. */
	assert_int_equal(cycles(&b, 80, 800), 10);
	/* What half the time would only just allow is left alone. */
	cycles(&b, 80, 399);
	assert_int_equal(b.every, 8);
	cycles(&b, 80, 290);
	assert_int_equal(b.every, 4);
	cycles(&b, 100, 5);
	assert_int_equal(b.every, 1);
	assert_int_equal(cycles(&b, 10, 5), 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_settles),
		cmocka_unit_test(test_one_slow_answer),
		cmocka_unit_test(test_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
