/* Two dumps compared: by class, by stack, by goroutine, and when they are of two processes. */
#include "compare.h"
#include "err.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define G(id, func, by)                                                                            \
	"goroutine " id " [chan receive]:\n" func "()\n\t/f.go:1 +0x1\ncreated by " by             \
	" in goroutine 1\n\t/m.go:2 +0x1\n\n"
#define COUNT(n, pc, func) n " @ 0x1 " pc "2\n#\t" pc "1\t" func "+0x1\t/f.go:1\n\n"
#define PROFILE(n)	   "goroutine profile: total " n "\n"

static void read_side(
	struct compare *c, enum compare_side side, const char *text, struct gdump_stats *stats)
{
	const struct gdump_sink sink = compare_sink(c, side, NULL);
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text, strlen(text));
	assert_int_equal(gdump_finish(g, NULL), 0);
	*stats = *gdump_stats(g);
	gdump_free(g);
}

static const struct {
	const char *name, *old, *new_text;
	const char *classes; /* "what class old>new stayed " for each */
	int one_process, stayed, same_stack, stacks;
} rows[] = {
	{"new, gone, more, fewer and the same",
		PROFILE("11") COUNT("5", "0xa", "main.fewer") COUNT("3", "0xb", "main.same")
			COUNT("2", "0xc", "main.more") COUNT("1", "0xd", "main.gone"),
		PROFILE("17") COUNT("9", "0xc", "main.more") COUNT("3", "0xb", "main.same")
			COUNT("3", "0xe", "main.new") COUNT("2", "0xa", "main.fewer"),
		"more main.more 2>9 - new main.new 0>3 - fewer main.fewer 5>2 - "
		"gone main.gone 1>0 - same main.same 3>3 - ",
		false, 0, 0, 5},
	{"one process: who stayed",
		G("7", "main.a", "main.m") G("8", "main.a", "main.m") G("9", "main.b", "main.m"),
		G("7", "main.a", "main.m") G("9", "main.b", "main.m") G("20", "main.b", "main.m"),
		"more main.b 1>2 1 fewer main.a 2>1 1 ", true, 2, 2, 2},
	{"the same ids, but started elsewhere: two processes",
		G("7", "main.a", "main.m") G("8", "main.b", "main.m"),
		G("7", "main.a", "main.m") G("8", "main.c", "main.m"),
		"new main.c 0>1 - gone main.b 1>0 - same main.a 1>1 - ", false, 0, 0, 3},
	{"no id in both: nothing is concluded", G("7", "main.a", "main.m"),
		G("8", "main.a", "main.m"), "same main.a 1>1 - ", false, 0, 0, 1},
	{"debug=1 and debug=2 are the same classes", PROFILE("1") COUNT("1", "0xa", "main.a"),
		G("8", "main.a", "main.m"), "same main.a 1>1 - ", false, 0, 0, 1},
};

static void add_class(struct buf *b, const json_t *o)
{
	const json_t *stayed = json_object_get(o, "stayed");

	buf_addf(b, "%s %s %d>%d ", json_string_value(json_object_get(o, "what")),
		json_string_value(json_object_get(o, "class")),
		(int)json_integer_value(json_object_get(o, "old")),
		(int)json_integer_value(json_object_get(o, "new")));
	if (json_is_null(stayed))
		buf_adds(b, "- ");
	else
		buf_addf(b, "%d ", (int)json_integer_value(stayed));
}

static void dumps_are_compared(void **state)
{
	struct classifier *rules = classifier_new(NULL, 0, NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct compare *c = compare_new(rules);
		struct gdump_stats old, new_stats;
		struct buf got = BUF_INIT;
		json_t *doc, *o;
		size_t k;

		read_side(c, COMPARE_OLD, rows[i].old, &old);
		read_side(c, COMPARE_NEW, rows[i].new_text, &new_stats);
		compare_end(c, &old, &new_stats);
		doc = compare_json(c, STR("a"), STR("b"));
		json_array_foreach(json_object_get(doc, "classes"), k, o) add_class(&got, o);
		if (strcmp(got.p, rows[i].classes) != 0)
			fail_msg("%s: %s", rows[i].name, got.p);
		assert_int_equal(
			json_is_true(json_object_get(doc, "one_process")), rows[i].one_process);
		assert_int_equal(
			json_integer_value(json_object_get(doc, "stayed")), rows[i].stayed);
		assert_int_equal(
			json_integer_value(json_object_get(doc, "same_stack")), rows[i].same_stack);
		assert_int_equal(json_array_size(json_object_get(doc, "stacks")), rows[i].stacks);
		json_decref(doc);
		buf_release(&got);
		compare_free(c);
	}
	classifier_free(rules);
}

/* Names are data: no control character reaches the terminal; what did not change is not shown. */
static void text_is_safe_and_short(void **state)
{
	struct classifier *rules = classifier_new(NULL, 0, NULL);
	struct compare *c = compare_new(rules);
	struct gdump_stats old, new_stats;
	struct buf out = BUF_INIT;

	(void)state;
	read_side(c, COMPARE_OLD, PROFILE("1") COUNT("1", "0xb", "main.same"), &old);
	read_side(c, COMPARE_NEW,
		PROFILE("3") COUNT("2", "0xa", "main.e\x1b[31m") COUNT("1", "0xb", "main.same"),
		&new_stats);
	compare_end(c, &old, &new_stats);
	compare_text(c, STR("a\x1b"), STR("b"), 10, &out);
	assert_null(strchr(out.p, 0x1b));
	assert_non_null(strstr(out.p, "a\\x1b: 1 goroutines (debug1)\n"
				      "b: 3 goroutines (debug1), +2\n"));
	assert_null(strstr(out.p, "main.same"));
	assert_non_null(strstr(out.p, "+2         0         2  new    main.e"));
	buf_release(&out);
	compare_free(c);
	classifier_free(rules);
}

/* Only the last dump of a file counts. */
static void a_side_can_begin_anew(void **state)
{
	struct classifier *rules = classifier_new(NULL, 0, NULL);
	struct compare *c = compare_new(rules);
	struct gdump_stats old, new_stats;
	json_t *doc;

	(void)state;
	read_side(c, COMPARE_OLD, G("7", "main.x", "main.m") G("8", "main.y", "main.m"), &old);
	compare_restart(c, COMPARE_OLD);
	read_side(c, COMPARE_OLD, G("7", "main.a", "main.m"), &old);
	read_side(c, COMPARE_NEW, G("7", "main.a", "main.m"), &new_stats);
	compare_end(c, &old, &new_stats);
	doc = compare_json(c, STR("a"), STR("b"));
	assert_int_equal(json_array_size(json_object_get(doc, "classes")), 1);
	assert_int_equal(json_integer_value(json_object_get(doc, "stayed")), 1);
	json_decref(doc);
	compare_free(c);
	classifier_free(rules);
}

/* ---- how far apart, and how fast --------------------------------------------------------------
 */
/* Ten goroutines that sleep through, waits of `from` minutes on, `gap` minutes apart. */
static void add_sleepers(struct buf *b, int first_id, int n, int minutes, const char *func)
{
	for (int i = 0; i < n; i++) {
		buf_addf(b, "goroutine %d [select", first_id + i);
		if (minutes + i > 0)
			buf_addf(b, ", %d minutes", minutes + i);
		buf_addf(b,
			"]:\n%s()\n\t/f.go:1 +0x1\ncreated by main.m in goroutine 1\n"
			"\t/m.go:2 +0x1\n\n",
			func);
	}
}

static void compare_texts(struct compare *c, const char *old, const char *new_text)
{
	struct gdump_stats a, b;

	read_side(c, COMPARE_OLD, old, &a);
	read_side(c, COMPARE_NEW, new_text, &b);
	compare_end(c, &a, &b);
}

static void equal_goroutines_tell_the_gap_and_the_rate(void **state)
{
	struct classifier *rules = classifier_new(NULL, 0, NULL);
	struct compare *c = compare_new(rules);
	struct buf old = BUF_INIT, now = BUF_INIT, words = BUF_INIT;
	struct compare_change x;
	struct compare_gap gap;
	struct compare_rate rate;

	(void)state;
	add_sleepers(&old, 100, 20, 5, "main.leak"); /* 5…24 min */
	add_sleepers(&old, 200, 4, 30, "main.ticker"); /* these wake up */
	add_sleepers(&old, 300, 3, 12, "main.session"); /* of these one leaves */
	add_sleepers(&now, 100, 20, 35, "main.leak");
	add_sleepers(&now, 400, 30, 0, "main.leak"); /* new */
	add_sleepers(&now, 200, 4, 1, "main.ticker");
	add_sleepers(&now, 300, 2, 42, "main.session");
	compare_texts(c, old.p, now.p);
	assert_true(compare_one_process(c));
	gap = compare_gap(c);
	assert_true(gap.minutes == 30 && gap.minutes_low == 29 && gap.minutes_high == 31);
	assert_int_equal(gap.agree, 22);
	x = compare_change_of(c, STR("main.leak"));
	assert_true(x.by_id && x.old == 20 && x.now == 50 && x.stayed == 20);
	assert_true(x.waited == 15 && x.waited_stayed == 15);
	rate = compare_rate(&x, &gap);
	assert_true(rate.rate_per_hour == 60);
	assert_true(rate.low > 35 && rate.low < 40 && rate.high > 80 && rate.high < 90);
	compare_rate_basis(&x, &gap, &words);
	assert_string_equal(words.p, "two dumps of one process: 30 came and 0 left in 30 min (as "
				     "the waits of 22 goroutines in both say)");
	x = compare_change_of(c, STR("main.session"));
	assert_true(x.waited == 3 && x.waited_stayed == 2);
	rate = compare_rate(&x, &gap);
	assert_true(rate.low < 0 && rate.high > -2 && rate.rate_per_hour == -2);
	compare_free(c);

	/* Told from outside: what happened within is not known, so all may have changed. */
	c = compare_new(rules);
	compare_texts(c, PROFILE("20") COUNT("20", "0xa", "main.a"),
		PROFILE("50") COUNT("50", "0xa", "main.a"));
	assert_true(isnan(compare_gap(c).minutes));
	x = compare_change_of(c, STR("main.a"));
	assert_false(x.by_id);
	gap = compare_gap(c);
	assert_true(isnan(compare_rate(&x, &gap).rate_per_hour));
	gap = compare_gap_given(30);
	rate = compare_rate(&x, &gap);
	assert_true(rate.rate_per_hour == 60 && rate.low > 25 && rate.low < 30);
	buf_reset(&words);
	compare_rate_basis(&x, &gap, &words);
	assert_string_equal(words.p, "two dumps: 20 then, 50 now in 30 min (--gap)");
	x = compare_change_of(c, STR("main.none"));
	assert_true(x.old == 0 && x.now == 0);
	compare_free(c);
	classifier_free(rules);
	buf_release(&old);
	buf_release(&now);
	buf_release(&words);
}

/* A goroutine that goes on to another class has left the one and come to the other. */
static void a_goroutine_can_change_its_class(void **state)
{
	struct classifier *rules = classifier_new(NULL, 0, NULL);
	struct compare *c = compare_new(rules);
	struct compare_change x;

	(void)state;
	compare_texts(c,
		"goroutine 7 [select]:\nlib.org/a.One()\n\t/f.go:1 +0x1\nmain.run()\n\t/f.go:1 "
		"+0x1\n\n",
		"goroutine 7 [select]:\nlib.org/a.Two()\n\t/f.go:1 +0x1\nmain.run()\n\t/f.go:1 "
		"+0x1\n\n");
	x = compare_change_of(c, STR("lib.org/a.Two < main.run"));
	assert_true(x.by_id && x.old == 0 && x.now == 1 && x.stayed == 0);
	compare_free(c);
	classifier_free(rules);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dumps_are_compared),
		cmocka_unit_test(text_is_safe_and_short),
		cmocka_unit_test(a_side_can_begin_anew),
		cmocka_unit_test(equal_goroutines_tell_the_gap_and_the_rate),
		cmocka_unit_test(a_goroutine_can_change_its_class),
	};

	return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
