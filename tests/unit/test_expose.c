/* The text exposition format, written, and read back by our own parser. */
#include "expose.h"
#include "prom.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_values(void **state)
{
	static const struct {
		const char *value, *want; /* of the label's value */
	} rows[] = {
		{"plain", "plain"}, {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"}, /* what the format escapes */
		{"caf\xc3\xa9", "caf\xc3\xa9"}, /* UTF-8 stays */
		{"\xff", "\xef\xbf\xbd"}, /* a byte that is none */
		{"a\xe2\x82", "a\xef\xbf\xbd\xef\xbf\xbd"}, /* cut inside of a character */
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"}, /* overlong */
		{"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"}, /* a surrogate */
		{"\x1b[2J", "\x1b[2J"}, /* control characters are allowed in it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct label l = {STR("k"), str_of(rows[i].value)};
		struct buf out = BUF_INIT, want = BUF_INIT;

		expose_sample(&out, "m", &l, 1, 1);
		buf_addf(&want, "m{k=\"%s\"} 1\n", rows[i].want);
		assert_string_equal(out.p, want.p);
		buf_release(&out);
		buf_release(&want);
	}
}

static void test_numbers(void **state)
{
	static const struct {
		double v;
		const char *want;
	} rows[] = {
		{0, "m 0\n"},
		{1e14, "m 100000000000000\n"}, /* a size in full, not 1e+14 */
		{0.125, "m 0.125\n"},
		{-2, "m -2\n"},
		{NAN, "m NaN\n"},
		{INFINITY, "m +Inf\n"},
		{-INFINITY, "m -Inf\n"},
	};
	struct label none = {STR("k"), STR("")};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = BUF_INIT;

		expose_sample(&out, "m", &none, 1, rows[i].v); /* an empty label is none */
		assert_string_equal(out.p, rows[i].want);
		buf_release(&out);
	}
}

static void sample_cb(void *arg, const struct prom_sample *s)
{
	int *n = arg;

	*n += 1;
	assert_true(str_is(s->name, "leakwatch_x_total"));
	assert_int_equal(s->type, PROM_COUNTER);
	assert_true(str_is(s->labels[0].value, "a\"b\\c\nd"));
}

/* What is written is what was meant. */
static void test_read_back(void **state)
{
	int n = 0;
	struct prom_sink sink = {.sample = sample_cb, .arg = &n};
	struct prom *p = prom_new(&sink, PROM_TIME_MS);
	struct label l = {STR("k"), STR("a\"b\\c\nd")};
	struct buf out = BUF_INIT;
	struct err err;

	(void)state;
	expose_family(&out, "leakwatch_x_total", EXPOSE_COUNTER, "Help.");
	expose_sample(&out, "leakwatch_x_total", &l, 1, 3);
	prom_feed(p, out.p, out.len);
	assert_int_equal(prom_finish(p, &err), 0);
	assert_int_equal(n, 1);
	assert_int_equal(prom_stats(p)->bad_lines, 0);
	prom_free(p);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
