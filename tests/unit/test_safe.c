#include "safe.h"
#include "suggest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void harmful_bytes_are_shown_not_sent(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{"main.(*T).Run", "main.(*T).Run"},
		{"caf\xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x90\xb9",
			"caf\xc3\xa9 \xe4\xb8\x96 \xf0\x9f\x90\xb9"},
		{"\x1b[2J\x1b]0;owned\a", "\\x1b[2J\\x1b]0;owned\\x07"}, /* repaints, renames */
		{"a\nERROR fake\r\tb", "a\\nERROR fake\\r\\tb"}, /* another log line */
		{"\x7f", "\\x7f"},
		{"\xc2\x9b"
		 "31m",
			"\\x9b31m"}, /* C1: CSI in one character */
		{"ab\xe2\x80\xaegnp", "ab\\u202egnp"}, /* right-to-left override */
		{"a\xe2\x80\x8b"
		 "b",
			"a\\u200bb"}, /* zero width space */
		{"\xef\xbb\xbf", "\\ufeff"},
		{"\xff\xc3", "\\xff\\xc3"}, /* not UTF-8, and cut off */
		{"\xc0\xaf", "\\xc0\\xaf"}, /* overlong slash */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"}, /* overlong in three */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* half a surrogate pair */
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, /* above U+10FFFF */
		{"%s%n \\x1b", "%s%n \\x1b"}, /* data, whatever it looks like */
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT;

		safe_add(&b, str_of(rows[i].in));
		assert_string_equal(b.p, rows[i].out);
		buf_release(&b);
	}
}

static void long_text_is_cut_between_characters(void **state)
{
	static const struct {
		const char *in;
		size_t columns;
		const char *out;
		size_t used;
	} rows[] = {
		{"abcdef", 6, "abcdef", 6},
		{"abcdef", 5, "abcd\xe2\x80\xa6", 5},
		{"\xc3\xa9\xc3\xa9\xc3\xa9", 2, "\xc3\xa9\xe2\x80\xa6", 2},
		{"ab\x1b", 4, "ab\xe2\x80\xa6", 3}, /* an escape is not cut in two */
		{"abc", 1, "\xe2\x80\xa6", 1},
		{"abc", 0, "", 0},
		{"", 0, "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(
			safe_add_cut(&b, str_of(rows[i].in), rows[i].columns), rows[i].used);
		assert_string_equal(b.p, rows[i].out);
		buf_release(&b);
	}
}

static void near_words_are_suggested(void **state)
{
	static const char *const words[] = {"report", "run", "replay", "check-config"};
	static const struct {
		const char *given, *want;
	} rows[] = {
		{"reprot", "report"}, /* two letters swapped */
		{"repoort", "report"},
		{"rn", "run"},
		{"check_config", "check-config"},
		{"replya", "replay"},
		{"history", NULL}, /* nothing like it */
		{"", NULL},
		{"r", NULL},
	};
	char word[SUGGEST_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *got = suggest(str_of(rows[i].given), words, ARRAY_LEN(words));

		if (rows[i].want)
			assert_string_equal(got, rows[i].want);
		else
			assert_null(got);
	}
	for (size_t i = 0; i <= SUGGEST_MAX; i++)
		word[i] = 'x';
	word[SUGGEST_MAX + 1] = '\0';
	assert_int_equal(suggest_distance(str_of(word), STR("x")), SUGGEST_MAX + 1);
	assert_int_equal(suggest_distance(STR("kitten"), STR("sitting")), 3);
	assert_int_equal(suggest_distance(STR("ab"), STR("ba")), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmful_bytes_are_shown_not_sent),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(near_words_are_suggested),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
