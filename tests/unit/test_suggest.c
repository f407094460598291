/* "Did you mean": the distance of two words, and when none is near. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "suggest.h"

#include <string.h>

static void test_distance(void **state)
{
	static const struct {
		const char *a, *b;
		size_t want;
	} rows[] = {
		{"scrape", "scrape", 0},
		{"scrape", "scrap", 1}, /* one is missing */
		{"scrape", "scrapes", 1}, /* one too many */
		{"scrape", "scrabe", 1}, /* another one */
		{"scrape", "scarpe", 1}, /* neighbours swapped */
		{"", "abc", 3},
		{"abc", "xyz", 3},
	};
	char longer[SUGGEST_MAX + 2] = "";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			suggest_distance(str_of(rows[i].a), str_of(rows[i].b)), rows[i].want);
		assert_int_equal(
			suggest_distance(str_of(rows[i].b), str_of(rows[i].a)), rows[i].want);
	}
	memset(longer, 'a', SUGGEST_MAX + 1);
	assert_int_equal(suggest_distance(str_of(longer), STR("a")), SUGGEST_MAX + 1);
}

static void test_suggest(void **state)
{
	static const char *const names[] = {"scrape_interval", "scrape_timeout", "lineage"};

	(void)state;
	assert_string_equal(suggest(STR("scrape_intervall"), names, 3), "scrape_interval");
	assert_string_equal(suggest(STR("linaege"), names, 3), "lineage");
	assert_null(suggest(STR("zzzzzzzz"), names, 3));
	assert_null(suggest(STR("lineage"), names, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_suggest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
