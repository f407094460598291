/* forever: who waits for what can never happen, from dump to dump. */
#include "forever.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0   1700006400.0 /* 00:00 UTC */
#define HOUR 3600.0

static void dump(struct forever_set *set, double at, const char *class, int n, bool whole)
{
	struct group g = {.count = 1, .state = STR("chan send (nil chan)")};

	forever_begin(set, at);
	for (int i = 0; i < n; i++)
		forever_note(set, class, &g);
	forever_end(set, whole);
}

/* Rows: how many each dump has, half an hour apart (-1: it was cut), and whether that is growth. */
static void test_growth(void **state)
{
	static const struct {
		const char *what;
		int counts[8]; /* ends with -9 */
		bool grows;
		double rate;
	} rows[] = {
		{"one, main's", {1, 1, 1, 1, -9}, false, NAN},
		{"three that were parked at the start", {3, 3, 3, 3, -9}, false, NAN},
		{"parked later, once", {3, 8, 8, 8, -9}, false, 10 / 3.},
		{"one more each half hour", {3, 4, 5, 6, -9}, true, 2},
		{"two more only", {3, 4, 5, 5, -9}, false, 4 / 3.},
		{"ten more at once", {3, 13, -9}, true, 20},
		{"a dump that was cut says nothing", {3, -1, 13, -9}, true, 10},
		{"gone, and others came", {3, 0, 4, 5, -9}, false, 2},
		{"one look", {50, -9}, false, NAN},
	};

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct forever_set *set = forever_new();
		const struct forever *f;

		for (size_t i = 0; rows[r].counts[i] != -9; i++) {
			int n = rows[r].counts[i];

			dump(set, T0 + (double)i * HOUR / 2, "main.f", n < 0 ? 99 : n, n >= 0);
		}
		f = forever_find(set, STR("main.f"));
		assert_non_null(f);
		if (forever_grows(f) != rows[r].grows)
			fail_msg("%s: grows is %d", rows[r].what, !rows[r].grows);
		if (isnan(forever_rate(f)) != isnan(rows[r].rate) ||
			fabs(forever_rate(f) - rows[r].rate) > 1e-6)
			fail_msg("%s: rate %g", rows[r].what, forever_rate(f));
		forever_free(set);
	}
}

static void test_words(void **state)
{
	struct forever_set *set = forever_new();
	struct buf words = BUF_INIT;

	(void)state;
	assert_true(isnan(forever_looked(set)));
	dump(set, T0 - HOUR, "main.f", 2, false);
	assert_true(isnan(forever_looked(set)));
	dump(set, T0, "main.f", 2, true);
	assert_true(fabs(forever_looked(set) - T0) < 1);
	forever_words(forever_find(set, STR("main.f")), &words);
	assert_string_equal(words.p, "2 wait for what can never happen [chan send (nil chan)]");
	dump(set, T0 + HOUR, "main.f", 5, true);
	buf_reset(&words);
	forever_words(forever_find(set, STR("main.f")), &words);
	assert_string_equal(words.p,
		"5 wait for what can never happen [chan send (nil chan)]; 2 did at 00:00 (UTC)");
	assert_null(forever_find(set, STR("main.g")));
	assert_int_equal(forever_count(set), 1);
	assert_string_equal(forever_at(set, 0)->class, "main.f");
	assert_null(forever_at(set, 1));
	dump(set, T0 + 2 * HOUR, "main.f", 0, true);
	assert_int_equal(forever_count(set), 0);
	buf_release(&words);
	forever_free(set);
	forever_free(NULL);
}

/* More classes than are kept: the first ones are. */
static void test_bound(void **state)
{
	struct forever_set *set = forever_new();
	struct group g = {.count = 2, .state = STR("select (no cases)")};
	char name[40];

	(void)state;
	for (int k = 0; k < 2; k++) {
		forever_begin(set, T0 + k);
		for (int i = 0; i < FOREVER_MAX + 10; i++) {
			snprintf(name, sizeof(name), "main.f%d", i);
			forever_note(set, name, &g);
		}
		forever_end(set, true);
		assert_int_equal(forever_count(set), FOREVER_MAX);
	}
	assert_int_equal(forever_find(set, STR("main.f7"))->before, 2);
	/* Outside of a dump nothing is noted. */
	forever_note(set, "main.late", &g);
	assert_null(forever_find(set, STR("main.late")));
	forever_forget(set);
	assert_int_equal(forever_count(set), 0);
	assert_true(isnan(forever_looked(set)));
	forever_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
