/* JSON of outsiders' bytes: what is not UTF-8, not a number, not there, or said twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "json.h"

#include <math.h>

static void test_strings(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *want;
	} rows[] = {
		{"plain", 5, "\"plain\""},
		{"\xe4\xb8\x96", 3, "\"\xe4\xb8\x96\""}, /* UTF-8 stays */
		{"a\xff"
		 "b",
			3,
			"\"a\xef\xbf\xbd"
			"b\""}, /* U+FFFD for what is none */
		{"\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""}, /* a surrogate */
		{"\xc0\xaf", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* longer than needed */
		{"\xe4\xb8", 2, "\"\xef\xbf\xbd\xef\xbf\xbd\""}, /* cut */
		{"a\0b", 3, "\"a\\u0000b\""},
		{"\"\\\n", 3, "\"\\\"\\\\\\n\""},
		{"", 0, "\"\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;
		json_t *j = json_str(str_n(rows[i].bytes, rows[i].n));

		json_write(j, &out);
		if (!str_is(buf_str(&out), rows[i].want))
			fail_msg("row %zu: %s, not %s", i, out.p, rows[i].want);
		json_decref(j);
		buf_release(&out);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		double value;
		const char *want;
	} rows[] = {{12, "12"}, {-3, "-3"}, {0.5, "0.5"}, {NAN, "null"}, {INFINITY, "null"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;
		json_t *j = json_num(rows[i].value);

		json_write(j, &out);
		assert_string_equal(out.p, rows[i].want);
		json_decref(j);
		buf_release(&out);
	}
}

static void test_members(void **state)
{
	struct err err = ERR_INIT;
	json_t *j = json_read(
		STR("{\"s\":\"text\",\"n\":1.5,\"t\":true,\"f\":false,\"z\":null}"), &err);

	(void)state;
	assert_non_null(j);
	assert_true(str_is(json_get_str(j, "s"), "text"));
	assert_int_equal(json_get_str(j, "n").len, 0); /* of another type */
	assert_int_equal(json_get_str(j, "none").len, 0);
	assert_true(json_get_num(j, "n") == 1.5);
	assert_true(isnan(json_get_num(j, "s")) && isnan(json_get_num(j, "z")));
	assert_true(json_get_true(j, "t"));
	assert_false(json_get_true(j, "f") || json_get_true(j, "s") || json_get_true(j, "none"));
	assert_int_equal(json_get_str(NULL, "s").len, 0); /* no object at all */
	json_decref(j);
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"", "{", "{} {}", "{\"a\":1,\"a\":2}", "{'a':1}", "nul"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err err = ERR_INIT;

		assert_null(json_read(str_of(texts[i]), &err));
		assert_true(err.msg[0]); /* and it says where */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
