/* fleet: which instances leak, in which versions, and what is not claimed. */
#include "fleet.h"
#include "xalloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *what;
	/* "L v1.5.0 12" leaks 12 an hour, "C v1.4.0" is clean, "? v1" is not known; "H …" is what
	 * history says. */
	const char *members[8];
	const char *words;
} rows[] = {
	{"one instance is no fleet", {"L v1.5.0 12"}, ""},
	{"none leaks", {"C v1.5.0", "C v1.5.0"}, ""},
	{"of b nothing is known", {"L v1.5.0 12", "? v1.4.0"}, ""},
	{"the mission's sentence",
		{"L v1.5.0 11.8", "L v1.5.0 12.4", "L v1.5.0 12", "L v1.5.0 12", "L v1.5.0 12",
			"C v1.4.0"},
		"5 of 6 instances leak, 11.8 to 12.4 an hour each; x runs an older "
		"version "
		"(v1.4.0): first seen in v1.5.0"},
	{"two versions leak, two older ones do not",
		{"L v1.10.0 30", "L v1.9.2 30", "C v1.9.1", "C v1.8.0"},
		"2 of 4 instances leak, 30 an hour each; the other 2 run older versions (v1.9.1 "
		"and "
		"before): first seen in v1.9.2"},
	{"mended in a newer version", {"L v1.5.0 12", "C v1.6.0"},
		"only this one of 2 instances leaks, 12 an hour; x runs a newer version, v1.6.0"},
	{"the same version: it is something else", {"L v1.5.0 12", "C v1.5.0", "C v1.5.0"},
		"only this one of 3 instances leaks, 12 an hour; the other 2 run the same version "
		"(v1.5.0): it "
		"is "
		"not the version alone"},
	{"hashes have no order", {"L 9f8e7d6 12", "C 1a2b3c4"},
		"only this one of 2 instances leaks, 12 an hour; x runs 1a2b3c4"},
	{"versions are mixed", {"L v1.5.0 12", "L v1.3.0 12", "C v1.4.0", "C v1.2.0"},
		"2 of 4 instances leak, 12 an hour each; the other 2 run several versions"},
	{"no version told", {"L - 12", "C -"},
		"only this one of 2 instances leaks, 12 an hour; x does not"},
	{"all leak", {"L v1.5.0 12", "L v1.5.0 14", "? v1.5.0"},
		"all 2 instances leak, 12 to 14 an hour each; all run v1.5.0; of 1 more it is not "
		"known yet"},
	{"all leak, in several versions", {"L v1.5.0 -", "L v1.4.0 -"}, "all 2 instances leak"},
	{"all leak, and what ran before is known",
		{"L v1.5.0 12", "L v1.5.0 14",
			"H first seen in v1.5.0 (v1.4.0 ran 6 d without it)"},
		"all 2 instances leak, 12 to 14 an hour each; all run v1.5.0: first seen in v1.5.0 "
		"(v1.4.0 ran 6 d without it)"},
	{"the one of now is older, and more is known of it",
		{"L v1.5.0 12", "C v1.4.0", "H v1.3.0 leaked as well"},
		"only this one of 2 instances leaks, 12 an hour; x runs an older version (v1.4.0): "
		"v1.3.0 leaked as well"},
	{"a version is data", {"L v1.5.0 12", "C 1.4\x1b[31m"},
		"only this one of 2 instances leaks, 12 an hour; x runs an older version "
		"(1.4\\x1b[31m): first seen in v1.5.0"},
};

/* The instance that does not leak is x. */
static void add(struct fleet *f, const char *text)
{
	struct str s = str_of(text), version = str_from(s, 2), rate = STR("");
	ptrdiff_t space = str_rchr(version, ' ');
	struct fleet_row row = {.rate_per_hour = NAN};

	row.state = text[0] == 'L' ? FLEET_LEAKS : text[0] == 'C' ? FLEET_CLEAN : FLEET_UNKNOWN;
	row.instance = row.state == FLEET_CLEAN ? STR("x") : STR("l");
	if (space >= 0) {
		rate = str_from(version, (size_t)space + 1);
		version = str_sub(version, 0, (size_t)space);
	}
	row.version = str_is(version, "-") ? STR("") : version;
	str_double(rate, &row.rate_per_hour);
	fleet_add(f, &row);
}

static void the_words_claim_what_was_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet f = FLEET_INIT;
		struct buf out = BUF_INIT;
		struct str history = STR("");

		for (size_t n = 0; n < ARRAY_LEN(rows[i].members) && rows[i].members[n]; n++) {
			if (rows[i].members[n][0] == 'H')
				history = str_of(rows[i].members[n] + 2);
			else
				add(&f, rows[i].members[n]);
		}
		fleet_words(&f, NOTIFY_GOROUTINES, history, &out);
		if (strcmp(out.p, rows[i].words) != 0)
			fail_msg("%s:\n%s\nshould be\n%s", rows[i].what, out.p, rows[i].words);
		buf_release(&out);
	}
}

static void expect_list(const struct fleet *f, enum notify_unit unit, const char *lines)
{
	struct buf out = BUF_INIT;

	fleet_list(f, unit, &out);
	assert_string_equal(out.p, lines);
	buf_release(&out);
}

static void a_line_for_each(void **state)
{
	struct fleet f = FLEET_INIT;
	struct fleet_row leaks = {.instance = STR("a:1"),
		.version = STR("v1.5.0"),
		.state = FLEET_LEAKS,
		.rate_per_hour = 30,
		.since_ms = 1700000000000};

	(void)state;
	fleet_add(&f, &leaks);
	expect_list(&f, NOTIFY_GOROUTINES, ""); /* one instance is no fleet */
	fleet_add(&f, &(struct fleet_row){.instance = STR("b:1"),
			      .why = FLEET_YOUNG,
			      .seen_s = 300,
			      .rate_per_hour = NAN});
	fleet_add(&f, &(struct fleet_row){
			      .instance = STR("c:1"), .why = FLEET_DOWN, .rate_per_hour = NAN});
	fleet_add(
		&f, &(struct fleet_row){
			    .instance = STR("d:1"), .why = FLEET_SUSPECTED, .rate_per_hour = NAN});
	fleet_add(&f, &(struct fleet_row){.instance = STR("e:1"),
			      .version = STR("v1.4.0"),
			      .state = FLEET_CLEAN,
			      .rate_per_hour = NAN});
	leaks.instance = STR("f:1");
	leaks.version = STR("");
	leaks.since_ms = 0;
	leaks.rate_per_hour = 45;
	fleet_add(&f, &leaks);
	leaks.instance = STR("g:1");
	leaks.rate_per_hour = NAN;
	fleet_add(&f, &leaks);
	expect_list(&f, NOTIFY_GOROUTINES,
		"f:1 leaks 45/h\n"
		"a:1 v1.5.0 leaks 30/h since 2023-11-14 22:13 UTC\n"
		"g:1 leaks\n"
		"e:1 v1.4.0 clean\n"
		"d:1 unknown: suspected\n"
		"c:1 unknown: not scraped now\n"
		"b:1 unknown: seen for 5 min only");
	expect_list(&f, NOTIFY_BYTES,
		"f:1 leaks 1.1 KiB/d\n"
		"a:1 v1.5.0 leaks 720 B/d since 2023-11-14 22:13 UTC\n"
		"g:1 leaks\n"
		"e:1 v1.4.0 clean\n"
		"d:1 unknown: suspected\n"
		"c:1 unknown: not scraped now\n"
		"b:1 unknown: seen for 5 min only");
}

/* Of thousands the fastest are kept, and the one that is another version is not lost. */
static void thousands_are_a_few_lines(void **state)
{
	struct fleet f = FLEET_INIT;
	struct buf out = BUF_INIT;
	char names[5000][16];
	struct str text, line;
	size_t lines = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		/* All rates from 1 to 4,990 once, in no order. */
		struct fleet_row row = {.version = STR("v1.5.0"),
			.state = i < 4990 ? FLEET_LEAKS : FLEET_UNKNOWN,
			.why = i < 4990 ? FLEET_WHY_NONE : FLEET_YOUNG,
			.rate_per_hour = i < 4990 ? (double)(i * 1777 % 4990 + 1) : NAN};

		snprintf(names[i], sizeof(names[i]), "h%zu", i);
		row.instance = str_of(names[i]);
		if (i == 4997) {
			row.state = FLEET_CLEAN;
			row.version = STR("v1.4.0");
		}
		fleet_add(&f, &row);
	}
	assert_int_equal(f.leaks.n, 4990);
	assert_int_equal(f.nfastest, FLEET_FASTEST);
	for (size_t i = 0; i < FLEET_FASTEST; i++)
		assert_true(f.fastest[i].rate_per_hour == (double)(4990 - i));
	assert_true(f.left_out == 4990 - FLEET_FASTEST);
	assert_int_equal(fleet_more_leak(&f), 4990 - FLEET_FASTEST);
	assert_int_equal(fleet_more_others(&f), 10 - FLEET_OTHERS);
	assert_string_equal(f.others[0].instance.p, "h4997");
	fleet_list(&f, NOTIFY_GOROUTINES, &out);
	text = buf_str(&out);
	while (str_line(&text, &line))
		lines++;
	assert_int_equal(lines, FLEET_FASTEST + FLEET_OTHERS + 2);
	assert_non_null(strstr(out.p, "\n4978 more leak, 1/h to 4,978/h\nh4997 v1.4.0 clean\n"));
	assert_non_null(strstr(out.p, "\n6 more do not leak, or it is not known of them"));
	buf_release(&out);
}

/* Names of any length and kind are bounded, on one line, and nobody's markup. */
static void names_are_data(void **state)
{
	char *name = xmalloc(10001);
	struct fleet f = FLEET_INIT;
	struct buf out = BUF_INIT;
	struct str text, line;
	size_t lines = 0;

	(void)state;
	memset(name, 'x', 10000);
	memcpy(name, "<b>%s%n\n\x1b[31m{{x}}", 19);
	name[10000] = '\0';
	for (int i = 0; i < 50; i++) {
		struct fleet_row row = {.instance = str_of(name),
			.version = str_of(name),
			.state = i % 3 ? FLEET_LEAKS : FLEET_CLEAN,
			.rate_per_hour = i};

		fleet_add(&f, &row);
	}
	fleet_list(&f, NOTIFY_GOROUTINES, &out);
	assert_in_range(out.len, 1, 4096);
	text = buf_str(&out);
	while (str_line(&text, &line)) {
		lines++;
		assert_true(str_chr(line, '\x1b') < 0);
	}
	assert_int_equal(lines, FLEET_FASTEST + FLEET_OTHERS + 2);
	buf_reset(&out);
	fleet_words(&f, NOTIFY_GOROUTINES, STR(""), &out);
	assert_in_range(out.len, 1, 600);
	assert_null(strchr(out.p, '\n'));
	assert_null(strchr(out.p, '\x1b'));
	buf_release(&out);
	free(name);
}

static void versions_have_an_order(void **state)
{
	static const char *const order[] = {"v0.9.0", "1.2", "1.2.3-rc1", "1.2.3-rc2", "1.2.3-rc10",
		"v1.2.3", "1.2.4", "1.10.0", "2024.1.0"};
	static const char *const unordered[] = {"", "devel", "(devel)", "1a2b3c", "7", "v"};
	bool known;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		for (size_t k = 0; k < ARRAY_LEN(order); k++) {
			int got =
				fleet_compare_versions(str_of(order[i]), str_of(order[k]), &known);

			assert_true(known);
			if ((got > 0) - (got < 0) != (i > k) - (i < k))
				fail_msg("%s, %s: %d", order[i], order[k], got);
		}
	}
	assert_int_equal(
		fleet_compare_versions(STR("v1.2.3+build7"), STR("1.2.3+build9"), &known), 0);
	for (size_t i = 0; i < ARRAY_LEN(unordered); i++) {
		assert_int_equal(
			fleet_compare_versions(str_of(unordered[i]), STR("1.2.3"), &known), 0);
		assert_false(known);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_words_claim_what_was_seen),
		cmocka_unit_test(a_line_for_each),
		cmocka_unit_test(thousands_are_a_few_lines),
		cmocka_unit_test(names_are_data),
		cmocka_unit_test(versions_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
