/*
 * Silences: matchers as Alertmanager has them, ends, and what is refused.
 */
#include "silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct silence_set *set;

static const struct silence *add(
	const char *const *matchers, size_t n, int64_t starts, int64_t ends, struct err *err)
{
	struct str v[SILENCE_MATCHERS_MAX + 5];
	struct silence spec = {.matchers = v,
		.nmatchers = n,
		.starts_ms = starts,
		.ends_ms = ends,
		.uid = 1000,
		.comment = STR("why")};

	for (size_t i = 0; i < n; i++)
		v[i] = str_of(matchers[i]);
	return silence_add(set, &spec, starts, err);
}

/* Labels of the alert that all rows are asked about. */
static bool holds(int64_t now)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	bool found;

	alert_labels_put(&l, STR("job"), STR("shop"));
	alert_labels_put(&l, STR("class"), STR("say \"hi\""));
	alert_labels_put(&l, STR("instance"), STR("10.0.0.1:6060"));
	found = silence_match(set, &l, now) != NULL;
	alert_labels_release(&l);
	return found;
}

static int set_up(void **state)
{
	(void)state;
	set = silence_set_new();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	silence_set_free(set);
	return 0;
}

static void test_matchers(void **state)
{
	static const struct {
		const char *matchers[3];
		bool fits;
		const char *normal; /* of the first */
	} rows[] = {
		{{"job=shop"}, true, "job=\"shop\""},
		{{"job=\"shop\""}, true, "job=\"shop\""},
		{{" job = shop "}, true, "job=\"shop\""},
		{{"job=sho"}, false, "job=\"sho\""},
		{{"job=shop", "instance!=10.0.0.2:6060"}, true, "job=\"shop\""},
		{{"job=shop", "instance!=10.0.0.1:6060"}, false, "job=\"shop\""},
		/* a regular expression fits the whole value or not at all */
		{{"instance=~10[.]0[.]0[.].*"}, true, "instance=~\"10[.]0[.]0[.].*\""},
		{{"instance=~10"}, false, "instance=~\"10\""},
		{{"job=~till|shop"}, true, "job=~\"till|shop\""},
		{{"job=~shop", "instance!~.*:6060"}, false, "job=~\"shop\""},
		/* a quoted value has escapes, a regular expression keeps its own */
		{{"class=\"say \\\"hi\\\"\""}, true, "class=\"say \\\"hi\\\"\""},
		{{"instance=~\"10\\.0\\.0\\.1:\\d+\""}, true,
			"instance=~\"10\\\\.0\\\\.0\\\\.1:\\\\d+\""},
		/* a label that is not there is empty */
		{{"job=shop", "team="}, true, "job=\"shop\""},
		{{"job=shop", "team!="}, false, "job=\"shop\""},
		/* the = of a value is no operator */
		{{"class=a=b"}, false, "class=\"a=b\""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct silence *s;
		struct err err = ERR_INIT;
		size_t n = 0;

		while (n < 3 && rows[i].matchers[n])
			n++;
		s = add(rows[i].matchers, n, 1000, 2000, &err);
		if (!s)
			print_error("%s: %s\n", rows[i].matchers[0], err.msg);
		assert_non_null(s);
		assert_string_equal(s->matchers[0].p, rows[i].normal);
		assert_int_equal(holds(1500), rows[i].fits);
		assert_non_null(silence_expire(set, str_of(s->id), 1500, &err));
		assert_false(holds(1500));
		/* What is stored is read back as the same. */
		s = add((const char *const[]){rows[i].normal}, 1, 1501, 2000, &err);
		assert_non_null(s);
		assert_string_equal(s->matchers[0].p, rows[i].normal);
		silence_expire(set, str_of(s->id), 1501, &err);
	}
}

static void test_time(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(add((const char *const[]){"job=shop"}, 1, 1000, 2000, &err));
	assert_false(holds(999));
	assert_true(holds(1000));
	assert_true(holds(1999));
	assert_false(holds(2000));
}

static void test_refused(void **state)
{
	static const struct {
		const char *matcher, *why;
	} rows[] = {
		{"job", "none of = != =~ !~"},
		{"=shop", "no label name"},
		{"9job=shop", "no label name"},
		{"job=~(", "not accepted"},
		{"job=\"shop", "not closed"},
		{"job=\"sh\"op", "not closed"},
		{"job=~.*", "silence every alert"},
		{"job=", "silence every alert"},
		{"job!=shop", "silence every alert"},
	};
	char longer[SILENCE_MATCHER_MAX + 10] = "job=";
	struct err err = ERR_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(add(&rows[i].matcher, 1, 1000, 2000, &err));
		if (!strstr(err.msg, rows[i].why))
			print_error("%s: %s\n", rows[i].matcher, err.msg);
		assert_non_null(strstr(err.msg, rows[i].why));
	}
	memset(longer + 4, 'x', sizeof(longer) - 5);
	assert_null(add((const char *const[]){longer}, 1, 1000, 2000, &err));
	assert_null(add((const char *const[]){"job=shop"}, 1, 1000, 1000, &err));
	assert_null(add(NULL, 0, 1000, 2000, &err));
	assert_null(silence_expire(set, STR(""), 1500, &err));
	assert_null(silence_expire(set, STR("feed"), 1500, &err));
}

/* A regular expression that would run for ages does not match, and comes back soon. */
static void test_catastrophic(void **state)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct err err = ERR_INIT;

	(void)state;
	assert_non_null(add((const char *const[]){"job=~(a+)+b"}, 1, 1000, 2000, &err));
	alert_labels_put(
		&l, STR("job"), STR("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac"));
	assert_null(silence_match(set, &l, 1500));
	alert_labels_release(&l);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_matchers),
		ROW(test_time),
		ROW(test_refused),
		ROW(test_catastrophic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
