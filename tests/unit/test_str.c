/* str: slices, and what outsiders' numbers may look like. */
#include "str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} rows[] = {
		{"0", true, 0},
		{"18446744073709551615", true, UINT64_MAX},
		{"18446744073709551616", false, 0}, /* one more than fits */
		{"", false, 0},
		{"-1", false, 0},
		{"12a", false, 0},
		{" 1", false, 0},
	};
	double d = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t v = 77;

		assert_int_equal(str_u64(str_of(rows[i].text), &v), rows[i].ok);
		assert_true(v == (rows[i].ok ? rows[i].value : 77)); /* untouched on failure */
	}
	assert_true(str_double(STR("1.5e+06"), &d) && d == 1.5e6);
	assert_true(str_double(STR("NaN"), &d) && d != d);
	assert_false(str_double(STR("1.5x"), &d));
	assert_false(str_double(STR(" 1"), &d));
	assert_false(str_double(STR(""), &d));
}

static void test_slices(void **state)
{
	struct str s = STR("a.b.c"), rest = STR("one\n\ntwo"), line;
	char *copy;

	(void)state;
	assert_int_equal(str_chr(s, '.'), 1);
	assert_int_equal(str_rchr(s, '.'), 3);
	assert_int_equal(str_chr(s, 'x'), -1);
	assert_int_equal(str_find(s, STR("b.c")), 2);
	assert_int_equal(str_find(s, STR("b.d")), -1);
	assert_true(str_starts(s, STR("a.")) && str_ends(s, STR(".c")));
	assert_false(str_starts(STR("a"), STR("ab")));
	assert_true(str_is(str_sub(s, 2, 3), "b"));
	assert_true(str_is(str_sub(s, 4, 99), "c")); /* cut to the slice */
	assert_int_equal(str_sub(s, 9, 12).len, 0);
	assert_true(str_is(str_trim(STR(" \ta b\r\n")), "a b"));
	assert_true(str_cmp(STR("a"), STR("ab")) < 0 && str_cmp(STR("b"), STR("ab")) > 0);
	assert_true(str_line(&rest, &line) && str_is(line, "one"));
	assert_true(str_line(&rest, &line) && line.len == 0);
	assert_true(str_line(&rest, &line) && str_is(line, "two")); /* without its newline */
	assert_false(str_line(&rest, &line));
	copy = str_dup(str_n("x\0y", 3));
	assert_memory_equal(copy, "x\0y", 4);
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_slices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
