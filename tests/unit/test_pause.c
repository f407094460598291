/* How long a dump will stop a target, and what is learnt from one. */
#include "base.h"
#include "pause.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* Measured on Go 1.27 with stacks of 11 frames and 700 bytes (design of the guard): 10,000
 * goroutines stop it four times for 42 to 84 ms, 100,000 seven times for 400 to 670 ms. */
static void predicted(void **state)
{
	static const struct {
		uint64_t n;
		double low, high; /* ms */
	} rows[] = {
		{1, 0, .01},
		{1000, 3, 5},
		{2000, 14, 18},
		{10000, 150, 340},
		{100000, 2500, 4700},
		{UINT64_MAX, 1e12, INFINITY},
	};
	struct pause p;

	(void)state;
	pause_init(&p);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double ms = pause_predict(&p, rows[i].n);

		if (!(ms >= rows[i].low && ms <= rows[i].high))
			fail_msg("%llu goroutines: %g ms", (unsigned long long)rows[i].n, ms);
	}
}

static void learnt(void **state)
{
	struct pause p;

	(void)state;
	pause_init(&p);
	/* Deep stacks: 40 frames each, twice as slow a frame. */
	for (int i = 0; i < 8; i++)
		assert_true(fabs(pause_learn(&p, 1000, 40000, 2500000, 96) - 96) < 1e-9);
	assert_true(fabs(pause_predict(&p, 1000) - 96) < 2);
	/* Another process: its stacks may be as usual, and are not taken to be less. */
	pause_new_run(&p);
	assert_true(pause_predict(&p, 1000) > 90);
	/* A small dump's time is the network's. */
	pause_init(&p);
	assert_true(pause_learn(&p, 50, 200, 10000, 300) < 1);
	assert_true(fabs(p.us_per_frame - PAUSE_US_PER_FRAME) < 1e-9);
	/* Nonsense does not unlearn everything. */
	pause_learn(&p, 1000, 40000, 2500000, 1e9);
	assert_true(p.us_per_frame <= 10);
	pause_learn(&p, 1000, 40000, 2500000, NAN);
	pause_learn(&p, 0, 0, 0, 5);
	assert_true(isfinite(pause_predict(&p, 1000)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(predicted), cmocka_unit_test(learnt)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
