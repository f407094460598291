/* Relabelling, against what Prometheus documents and its own test cases say. */
#include "relabel.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct str a_only[] = {STR_LIT("a")};
static const struct str a_and_b[] = {STR_LIT("a"), STR_LIT("b")};

#define STEP(...)                                                                                  \
	{                                                                                          \
		.separator = STR_LIT(";"), .regex = STR_LIT("(.*)"), .replacement = STR_LIT("$1"), \
		__VA_ARGS__                                                                        \
	}
#define A    .source = a_only, .nsource = 1
#define AB   .source = a_and_b, .nsource = 2
#define S(x) STR_LIT(x)

static const struct {
	const char *what;
	struct relabel_step step;
	bool keep;
	const char *key, *want; /* of the labels after; a = "foo", b = "bar", c = "baz" */
} rows[] = {
	{"replace", {A, S(";"), S("f(.*)"), S("d"), S("ch${1}-ch${1}"), 0, RELABEL_REPLACE}, true,
		"d", "choo-choo"},
	{"sources are joined", {AB, S(";"), S("foo;(.*)"), S("d"), S("$1"), 0, RELABEL_REPLACE},
		true, "d", "bar"},
	{"a match is of the whole value", {A, S(";"), S("fo"), S("d"), S("x"), 0, RELABEL_REPLACE},
		true, "d", ""},
	{"an alternative does not undo that",
		{A, S(";"), S("x|fo"), S("d"), S("x"), 0, RELABEL_REPLACE}, true, "d", ""},
	{"the empty value deletes", {A, S(";"), S(".*"), S("b"), S(""), 0, RELABEL_REPLACE}, true,
		"b", ""},
	{"no match changes nothing", {A, S(";"), S("z"), S("b"), S("q"), 0, RELABEL_REPLACE}, true,
		"b", "bar"},
	{"target from a group", {A, S(";"), S("f(.).*"), S("${1}_x"), S("v"), 0, RELABEL_REPLACE},
		true, "o_x", "v"},
	{"the name is as long as can be: $1_x is the group 1_x, and nothing",
		{A, S(";"), S("(.*)"), S("d"), S("<$1_x>"), 0, RELABEL_REPLACE}, true, "d", "<>"},
	{"two dollars are one", {A, S(";"), S("(.*)"), S("d"), S("$$1"), 0, RELABEL_REPLACE}, true,
		"d", "$1"},
	{"a named group", {A, S(";"), S("(?P<n>f).*"), S("d"), S("$n"), 0, RELABEL_REPLACE}, true,
		"d", "f"},
	{"no label name, no label", {A, S(";"), S("(.*)"), S("0$1"), S("x"), 0, RELABEL_REPLACE},
		true, "0foo", ""},
	{"keep what matches", {A, S(";"), S("f.*"), S(""), S(""), 0, RELABEL_KEEP}, true, "a",
		"foo"},
	{"keep drops the rest", {A, S(";"), S("no-match"), S(""), S(""), 0, RELABEL_KEEP}, false,
		NULL, NULL},
	{"drop what matches", {A, S(";"), S("f|foo"), S(""), S(""), 0, RELABEL_DROP}, false, NULL,
		NULL},
	{"drop keeps the rest", {A, S(";"), S("f"), S(""), S(""), 0, RELABEL_DROP}, true, "a",
		"foo"},
	{"labelmap", {NULL, 0, S(";"), S("(b.*)"), S(""), S("bar_${1}"), 0, RELABEL_LABELMAP}, true,
		"bar_b", "bar"},
	/* The last eight bytes of md5("baz"); as Prometheus has it in its own tests. */
	{"hashmod as Prometheus",
		{.source = (const struct str[]){STR_LIT("c")},
			.nsource = 1,
			.separator = S(";"),
			.regex = S("(.*)"),
			.target = S("d"),
			.modulus = 1000,
			.action = RELABEL_HASHMOD},
		true, "d", "976"},
};

static void set_up(struct relabel_set *set)
{
	set->n = 0;
	relabel_put(set, STR("a"), STR("foo"));
	relabel_put(set, STR("b"), STR("bar"));
	relabel_put(set, STR("c"), STR("baz"));
}

static void test_actions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct arena a = ARENA_INIT;
		struct relabel_set set;
		struct err err;
		struct relabel *r = relabel_new(&rows[i].step, 1, &err);
		bool keep;

		assert_non_null(r);
		set_up(&set);
		keep = relabel_apply(r, &a, &set);
		if (keep != rows[i].keep)
			fail_msg("%s: keep is %d", rows[i].what, keep);
		if (keep && !str_is(relabel_get(&set, rows[i].key), rows[i].want))
			fail_msg("%s: got \"%.*s\"", rows[i].what,
				STR_ARG(relabel_get(&set, rows[i].key)));
		relabel_free(r);
		arena_release(&a);
	}
}

static void test_wrong_regex(void **state)
{
	struct relabel_step v[] = {STEP(A, .target = S("d")), STEP(A, .target = S("d"))};
	struct err err;

	(void)state;
	v[1].regex = STR("a(b");
	assert_null(relabel_new(v, 2, &err));
	assert_non_null(strstr(err.msg, "step 2"));
}

/* A hostile value and an expression that backtracks: it ends, and does not match. */
static void test_backtracking(void **state)
{
	struct relabel_step step = STEP(A, .target = S("d"), .action = RELABEL_KEEP);
	static char value[3000];
	struct arena a = ARENA_INIT;
	struct relabel_set set = {.n = 0};
	struct relabel *r;
	struct err err;

	(void)state;
	step.regex = STR("(a+)+b");
	memset(value, 'a', sizeof(value));
	r = relabel_new(&step, 1, &err);
	relabel_put(&set, STR("a"), str_n(value, sizeof(value)));
	assert_false(relabel_apply(r, &a, &set));
	relabel_free(r);
	arena_release(&a);
}

/* More labels than there is room for, and values that grow: bounded. */
static void test_bounds(void **state)
{
	struct relabel_step step = STEP(A, .target = S("a"));
	struct arena a = ARENA_INIT;
	struct relabel_set set = {.n = 0};
	struct relabel *r;
	struct err err;

	(void)state;
	for (int i = 0; i < RELABEL_LABELS_MAX + 10; i++) {
		char *key = arena_printf(&a, "l%d", i);

		relabel_put(&set, str_of(key), STR("v"));
	}
	assert_int_equal(set.n, RELABEL_LABELS_MAX);
	set_up(&set);
	step.replacement = STR("$1$1$1$1$1$1$1$1");
	r = relabel_new(&step, 1, &err);
	for (int i = 0; i < 10; i++)
		assert_true(relabel_apply(r, &a, &set));
	assert_int_equal(relabel_get(&set, "a").len, RELABEL_VALUE_MAX);
	relabel_free(r);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_wrong_regex),
		cmocka_unit_test(test_backtracking),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
