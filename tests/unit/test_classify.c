#include "classify.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define P(s)                                                                                       \
	{                                                                                          \
		.text = STR_LIT(s)                                                                 \
	}
#define RE(s)                                                                                      \
	{                                                                                          \
		.regex = true, .text = STR_LIT(s), .line = 12, .column = 7                         \
	}
#define LIST(...)                                                                                  \
	{                                                                                          \
		.v = (struct pattern[]){__VA_ARGS__},                                              \
		.n = sizeof((struct pattern[]){__VA_ARGS__}) / sizeof(struct pattern)              \
	}

/* What all rows below are matched against. */
static struct frame frames[] = {
	{.func = STR_LIT("internal/poll.runtime_pollWait"),
		.file = STR_LIT("/go/src/runtime/netpoll.go"),
		.line = 351},
	{.func = STR_LIT("gopkg.in/redis%2ev3.(*Conn).Read"),
		.file = STR_LIT("/src/vendor/redis/conn.go"),
		.line = 48},
	{.func = STR_LIT("main.work.func1"), .file = STR_LIT("/src/shop/work.go"), .line = 7},
};
static struct label labels[] = {{STR_LIT("handler"), STR_LIT("/api")}};
static const struct group group = {
	.count = 3, .frames = frames, .nframes = 3, .labels = labels, .nlabels = 1, .nhidden = 2};

static bool holds(const struct match *m)
{
	struct rule rule = {.name = STR_LIT("x"), .match = *m};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(&rule, 1, &err);
	struct arena a = ARENA_INIT;
	struct stack s;
	bool result;

	assert_non_null(c);
	stack_from_group(&a, &group, false, &s);
	result = classifier_match(c, &s) == &rule;
	classifier_free(c);
	arena_release(&a);
	return result;
}

static void each_key_holds_or_not(void **state)
{
	struct match not_read = {.mentions = LIST(P("gopkg.in/redis.v3.(*Conn).Read"))};
	struct match not_two = {.mentions = LIST(P("main.other")), .waits = 1u << WAIT_IO};
	struct match not_other = {.mentions = LIST(P("main.other")), .top = LIST(P("os."))};
	struct label_match handler = {.key = STR_LIT("handler"), .values = LIST(P("/api"))};
	struct label_match part = {.key = STR_LIT("handler"), .values = LIST(P("/ap"))};
	struct label_match re = {.key = STR_LIT("handler"), .values = LIST(RE("^/a"))};
	struct label_match no_key = {.key = STR_LIT("Handler"), .values = LIST(P("/api"))};
	const struct {
		const char *what;
		struct match match;
		bool want;
	} rows[] = {
		{"nothing asked: every stack", {.waits = 0}, true},
		{"a prefix of any frame", {.mentions = LIST(P("gopkg.in/redis.v3."))}, true},
		{"as the dump prints it", {.mentions = LIST(P("gopkg.in/redis%2ev3."))}, true},
		{"a part that is no prefix", {.mentions = LIST(P("redis.v3."))}, false},
		{"any of a list", {.mentions = LIST(P("no."), P("main.work"))}, true},
		{"the entry", {.entry = LIST(P("main.work"))}, true},
		{"a frame that is not the entry", {.entry = LIST(P("gopkg.in/"))}, false},
		{"the top", {.top = LIST(P("internal/poll."))}, true},
		{"a frame that is not the top", {.top = LIST(P("main."))}, false},
		{"a regular expression is not anchored", {.mentions = LIST(RE("redis.*Read$"))},
			true},
		{"a regular expression that finds nothing", {.entry = LIST(RE("^work"))}, false},
		{"a file's end", {.file = LIST(P("shop/work.go"))}, true},
		{"a file's end with its line", {.file = LIST(P("work.go:7"))}, true},
		{"with another line", {.file = LIST(P("work.go:8"))}, false},
		{"with the end of a line number", {.file = LIST(P("conn.go:8"))}, false},
		{"a regular expression sees path:line", {.file = LIST(RE("/conn\\.go:4[0-9]$"))},
			true},
		{"the wait", {.waits = 1u << WAIT_IO | 1u << WAIT_SELECT}, true},
		{"another wait", {.waits = 1u << WAIT_SELECT}, false},
		{"a label", {.labels = &handler, .nlabels = 1}, true},
		{"a label's value as a whole", {.labels = &part, .nlabels = 1}, false},
		{"a label by regular expression", {.labels = &re, .nlabels = 1}, true},
		{"a label's key as a whole", {.labels = &no_key, .nlabels = 1}, false},
		{"all keys must hold", {.entry = LIST(P("main.")), .top = LIST(P("os."))}, false},
		{"not: its only key holds", {.not_match = &not_read}, false},
		{"not: one of its keys holds", {.not_match = &not_two}, false},
		{"not: none of its keys holds", {.not_match = &not_other}, true},
		{"not beside another key", {.entry = LIST(P("main.")), .not_match = &not_other},
			true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (holds(&rows[i].match) != rows[i].want)
			fail_msg("%s: not %s", rows[i].what, rows[i].want ? "true" : "false");
	}
}

static void the_first_rule_takes_it(void **state)
{
	const struct rule rules[] = {
		{.name = STR_LIT("other"), .match = {.entry = LIST(P("os/signal."))}},
		{.name = STR_LIT("work"), .match = {.entry = LIST(P("main."))}},
		{.name = STR_LIT("all")},
	};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(rules, 3, &err);
	struct classifier *none = classifier_new(NULL, 0, &err);
	struct arena a = ARENA_INIT;
	const struct rule *rule = NULL;
	struct stack s;

	(void)state;
	stack_from_group(&a, &group, false, &s);
	assert_true(str_is(classifier_name(c, &s, &a, &rule), "work"));
	assert_ptr_equal(rule, &rules[1]);
	assert_true(str_is(classifier_name(none, &s, &a, &rule),
		"gopkg.in/redis.v3.(*Conn).Read < main.work"));
	assert_null(rule);
	classifier_free(c);
	classifier_free(none);
	classifier_free(NULL);
	arena_release(&a);
}

/* In debug=1 nothing is shown of it, so that no rule may take it in debug=2 either. */
static void no_rule_takes_what_has_not_started(void **state)
{
	struct rule rule = {.name = STR_LIT("x"), .match = {.mentions = LIST(P("main.start"))}};
	struct frame wrapper = {.func = STR_LIT("main.start.gowrap1")};
	struct group g = {.count = 1, .frames = &wrapper, .nframes = 1};
	struct classifier *c = classifier_new(&rule, 1, NULL);
	struct arena a = ARENA_INIT;

	(void)state;
	for (int started = 0; started < 2; started++) {
		struct stack s;

		g.state = started ? STR("select") : STR("runnable");
		stack_from_group(&a, &g, false, &s);
		assert_ptr_equal(classifier_match(c, &s), started ? &rule : NULL);
	}
	arena_release(&a);
	classifier_free(c);
}

static void bad_expressions_are_refused(void **state)
{
	static char long_text[CLASSIFY_REGEX_MAX + 2];
	struct pattern rows[] = {
		RE("foo("),
		RE("["),
		RE("(?P<1>x)"),
		RE("\\C"), /* bytes, in UTF-8 */
		{.regex = true,
			.line = 12,
			.column = 7,
			.text = {long_text, sizeof(long_text) - 1}},
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct match inner = {.file = {&rows[i], 1}};
		struct rule rule = {.match = {.not_match = &inner}};
		struct err err = ERR_INIT;

		assert_null(classifier_new(&rule, 1, &err));
		assert_memory_equal(err.msg, "12:7: ", 6);
		assert_null(classifier_new(&rule, 1, NULL));
	}
}

/* A name that makes an expression backtrack long costs a limited time and does not match: these 18
 * letters take a quarter of a million steps, which PCRE2's own limit would allow. */
static void greedy_expressions_are_stopped(void **state)
{
	struct rule rule = {.match = {.mentions = LIST(RE("^(a+)+$"))}};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(&rule, 1, &err);
	struct frame f = {.func = STR_LIT("aaaaaaaaaaaaaaaaaa.b")};
	struct frame invalid = {.func = STR_LIT("main.\xff\xfe.func1")};
	struct group g = {.count = 1, .frames = &f, .nframes = 1};
	struct arena a = ARENA_INIT;
	struct stack s;

	(void)state;
	stack_from_group(&a, &g, false, &s);
	assert_null(classifier_match(c, &s));
	assert_int_equal(classifier_gave_up(c), 1);
	g.frames = &invalid; /* not UTF-8: no error, no match */
	stack_from_group(&a, &g, false, &s);
	assert_null(classifier_match(c, &s));
	assert_int_equal(classifier_gave_up(c), 1);
	classifier_free(c);
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_holds_or_not),
		cmocka_unit_test(the_first_rule_takes_it),
		cmocka_unit_test(no_rule_takes_what_has_not_started),
		cmocka_unit_test(bad_expressions_are_refused),
		cmocka_unit_test(greedy_expressions_are_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
