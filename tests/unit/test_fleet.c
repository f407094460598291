/* fleet: which instances leak, in which versions, and what is not claimed. */
#include "fleet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *what;
	/* "L v1.5.0 12" leaks 12 an hour, "C v1.4.0" is clean, "? v1" is not known. */
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
	{"a version is data", {"L v1.5.0 12", "C 1.4\x1b[31m"},
		"only this one of 2 instances leaks, 12 an hour; x runs an older version "
		"(1.4\\x1b[31m): first seen in v1.5.0"},
};

/* The instance that does not leak is x. */
static void add(struct fleet *f, const char *text)
{
	struct str s = str_of(text), version = str_from(s, 2), rate = STR("");
	ptrdiff_t space = str_rchr(version, ' ');
	enum fleet_state state = text[0] == 'L'	  ? FLEET_LEAKS
				 : text[0] == 'C' ? FLEET_CLEAN
						  : FLEET_UNKNOWN;
	double per_hour = NAN;

	if (space >= 0) {
		rate = str_from(version, (size_t)space + 1);
		version = str_sub(version, 0, (size_t)space);
	}
	str_double(rate, &per_hour);
	fleet_add(f, state == FLEET_CLEAN ? STR("x") : STR("l"),
		str_is(version, "-") ? STR("") : version, state, per_hour);
}

static void the_words_claim_what_was_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet f = FLEET_INIT;
		struct buf out = BUF_INIT;

		for (size_t n = 0; n < ARRAY_LEN(rows[i].members) && rows[i].members[n]; n++)
			add(&f, rows[i].members[n]);
		fleet_words(&f, &out);
		if (strcmp(out.p, rows[i].words) != 0)
			fail_msg("%s:\n%s\nshould be\n%s", rows[i].what, out.p, rows[i].words);
		buf_release(&out);
	}
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
		cmocka_unit_test(versions_have_an_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
