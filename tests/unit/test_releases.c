/* releases: which version brought a leak, and what is not claimed. */
#include "releases.h"
#include "xalloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define T0  1700006400000ll /* 2023-11-15 00:00 UTC */
#define H   3600000ll
#define GAP 600000

/* One process of the version, watched each 5 min from one hour to another, both counted from T0. */
static void watch(struct releases *r, const char *version, double from_h, double to_h)
{
	int64_t from = T0 + (int64_t)(from_h * H), to = T0 + (int64_t)(to_h * H);

	for (int64_t at = from; at <= to; at += GAP / 2) {
		struct release_look look = {.version = str_of(version),
			.at_ms = at,
			.run_ms = from,
			.run_seen_s = (double)(at - from) / 1000,
			.gap_ms = GAP};

		releases_see(r, &look);
	}
}

static void leak(struct releases *r, const char *version, double at_h, bool proven)
{
	releases_leak(r, str_of(version), STR("worker"), T0 + (int64_t)(at_h * H), proven);
}

static void expect(const struct releases *r, const char *version, double needs_h, const char *words)
{
	struct release_claim claim;
	struct buf out = BUF_INIT;

	releases_judge(r, STR("worker"), str_of(version), needs_h * 3600, &claim);
	releases_words(&claim, &out);
	assert_string_equal(out.p, words);
	buf_release(&out);
}

static void the_deploy_that_brought_it(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	expect(&r, "v1.5.0", 3, "");
	watch(&r, "v1.4.0", 0, 144);
	expect(&r, "v1.4.0", 3, ""); /* nothing ran before */
	watch(&r, "v1.5.0", 144, 150);
	leak(&r, "v1.5.0", 147, true);
	expect(&r, "v1.5.0", 3, "first seen in v1.5.0 (v1.4.0 ran 6 d without it)");
	expect(&r, "v1.5.0", 145, ""); /* a slower leak would not have shown */
	expect(&r, "v1.5.0", 0, ""); /* how long it takes is not known */
	expect(&r, "v1.5.0", NAN, "");
	expect(&r, "v1.6.0", 3, ""); /* a version that was never seen */
	/* One that leaks as well, later: it is still the first that is named. */
	watch(&r, "v1.5.1", 150, 160);
	leak(&r, "v1.5.1", 153, true);
	expect(&r, "v1.5.1", 3, "first seen in v1.5.0 (v1.4.0 ran 6 d without it)");
	/* An instance of now that runs v1.4.0 is suspected. */
	releases_of(&r, STR("v1.4.0"))->spoiled = true;
	expect(&r, "v1.5.1", 3, "v1.5.0 leaked as well");
	releases_release(&r);
}

static void what_leaked_before_is_not_new(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "v1.4.0", 0, 144);
	leak(&r, "v1.4.0", 20, true);
	watch(&r, "v1.5.0", 144, 150);
	expect(&r, "v1.5.0", 3, "v1.4.0 leaked as well");
	/* Mended, and broken again. */
	watch(&r, "v1.6.0", 150, 170);
	watch(&r, "v1.7.0", 170, 180);
	expect(&r, "v1.7.0", 3,
		"back in v1.7.0 (v1.6.0 ran 20 h without it; v1.4.0 leaked as well)");
	releases_release(&r);
}

/* Its growth began before the deploy of the next one, or it was suspected when it ended. */
static void a_doubt_is_no_proof(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "v1.4.0", 0, 144);
	leak(&r, "v1.4.0", 144, false);
	watch(&r, "v1.5.0", 144, 150);
	leak(&r, "v1.5.0", 147, true);
	expect(&r, "v1.5.0", 3, "");
	/* Rolled back: a longer run clears it; a shorter one does not. */
	watch(&r, "v1.4.0", 150, 200);
	expect(&r, "v1.5.0", 3, "");
	watch(&r, "v1.4.0", 200, 350);
	expect(&r, "v1.5.0", 3,
		"first seen in v1.5.0 (v1.4.0 ran 14 d 8 h without it, and again since 2023-11-21 "
		"06:00 UTC)");
	leak(&r, "v1.4.0", 351, true); /* a doubt that is proven */
	expect(&r, "v1.5.0", 3, "v1.4.0 leaked as well");
	releases_release(&r);
}

static void back_and_forth(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "v1.5.0", 0, 10); /* it ran when the watch began */
	leak(&r, "v1.5.0", 3, true);
	watch(&r, "v1.4.0", 10, 58);
	expect(&r, "v1.5.0", 3,
		"first seen in v1.5.0 (v1.4.0, deployed after it, ran 2 d without it)");
	for (int i = 0; i < 50; i++) { /* a fight between two deployers fills nothing up */
		watch(&r, "v1.5.0", 58 + i, 58.4 + i);
		watch(&r, "v1.4.0", 58.5 + i, 58.9 + i);
	}
	assert_int_equal(r.n, 2);
	/* Half an hour of it proves nothing anew; what was seen before stays. */
	expect(&r, "v1.5.0", 3,
		"first seen in v1.5.0 (v1.4.0, deployed after it, ran 2 d 16 h without it)");
	releases_release(&r);
}

/* Whatever the order in which instances are gone through. */
static void what_runs_now_is_heard(void **state)
{
	static const struct fleet_row clean = {.version = STR_LIT("v1.4.0"), .state = FLEET_CLEAN},
				      suspected = {.version = STR_LIT("v1.4.0"),
					      .why = FLEET_SUSPECTED},
				      young = {.version = STR_LIT("v1.4.0"), .why = FLEET_YOUNG},
				      unknown = {.version = STR_LIT("v9"), .state = FLEET_LEAKS};
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "v1.4.0", 0, 24);
	watch(&r, "v1.5.0", 24, 30);
	releases_mark(&r, &clean);
	releases_mark(&r, &young);
	releases_mark(&r, &unknown);
	assert_false(releases_doubt(&r, STR("worker")));
	expect(&r, "v1.5.0", 3, "first seen in v1.5.0 (v1.4.0 ran 1 d without it)");
	releases_mark(&r, &suspected);
	assert_true(releases_doubt(&r, STR("worker")));
	expect(&r, "v1.5.0", 3, "");
	releases_unmark(&r);
	releases_mark(&r, &clean);
	leak(&r, "v1.4.0", 1, true); /* it leaked once, and is clean now */
	assert_true(releases_doubt(&r, STR("worker")));
	assert_false(releases_doubt(&r, STR("other")));
	releases_release(&r);
}

static void hashes_have_a_time_only(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "aaaa", 0, 24);
	watch(&r, "bbbb", 24, 30);
	leak(&r, "bbbb", 27, true);
	expect(&r, "bbbb", 3,
		"first seen in bbbb (deployed 2023-11-16 00:00 UTC; aaaa ran 1 d without it)");
	/* Of two that ran when the watch began nobody knows which came first. */
	releases_release(&r);
	watch(&r, "aaaa", 0, 24);
	watch(&r, "bbbb", 0.05, 24);
	leak(&r, "bbbb", 20, true);
	expect(&r, "bbbb", 3, "");
	releases_release(&r);
}

/* What was not watched counts for nothing, and a deploy is as late as it can be. */
static void gaps(void **state)
{
	struct releases r = RELEASES_INIT;

	(void)state;
	watch(&r, "v1.4.0", 0, 2);
	watch(&r, "v1.4.0", 100, 102);
	assert_true(r.v[0].seen_s == 4 * 3600);
	assert_true(r.v[0].longest_s == 2 * 3600);
	assert_int_equal(r.v[0].again_ms, 0); /* it may have run meanwhile */
	watch(&r, "v1.5.0", 110, 120);
	assert_int_equal(r.v[1].first_ms, T0 + 110 * H);
	expect(&r, "v1.5.0", 3, "");
	expect(&r, "v1.5.0", 2, "first seen in v1.5.0 (v1.4.0 ran 4 h without it)");
	/* A clock that was set back breaks nothing. */
	watch(&r, "v1.5.0", 10, 12);
	watch(&r, "v1.4.0", 12, 13);
	releases_release(&r);
}

static void few_versions_are_kept(void **state)
{
	struct releases r = RELEASES_INIT;
	char text[32];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "v1.%d.0", i);
		watch(&r, text, i * 5, i * 5 + 4);
	}
	assert_int_equal(r.n, RELEASES_MAX);
	assert_false(r.crowded);
	leak(&r, "v1.99.0", 499, true);
	expect(&r, "v1.99.0", 3, "first seen in v1.99.0 (v1.98.0 ran 4 h without it)");
	releases_release(&r);
	/* Thousands at one time, each with its own: nothing is claimed, and nothing grows. */
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "v1.%d.0", i);
		watch(&r, text, 0, 0.1);
	}
	assert_int_equal(r.n, RELEASES_MAX);
	assert_true(r.crowded);
	leak(&r, "v1.1.0", 0.1, true);
	expect(&r, "v1.1.0", 0.01, "");
	releases_release(&r);
}

static void names_are_data(void **state)
{
	struct releases r = RELEASES_INIT;
	char *huge = xcalloc(10001, 1), name[32];
	struct release_claim claim;
	struct buf out = BUF_INIT;

	(void)state;
	memset(huge, 'x', 10000);
	watch(&r, huge, 0, 10); /* too long to be one */
	assert_int_equal(r.n, 0);
	watch(&r, "1.4\x1b[31m<b>\n%s", 0, 10);
	watch(&r, "1.5", 10, 20);
	expect(&r, "1.5", 3, "first seen in 1.5 (1.4\\x1b[31m<b>\\n%s ran 10 h without it)");
	/* A name that is not kept, and too many of them: of that version nothing is known then. */
	assert_true(releases_leak(&r, str_of(r.v[0].version), str_of(huge), T0, true));
	assert_false(releases_leak(&r, str_of(r.v[0].version), str_of(huge), T0, true));
	expect(&r, "1.5", 3, "");
	r.v[0].leaks_lost = false;
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "class %d", i);
		releases_leak(&r, str_of(r.v[0].version), str_of(name), T0, true);
	}
	assert_int_equal(r.v[0].nleaks, RELEASE_LEAKS_MAX);
	expect(&r, "1.5", 3, "");
	assert_false(releases_leak(&r, STR("unknown"), STR("worker"), T0, true));
	releases_judge(&r, STR(""), STR(""), 1, &claim);
	releases_words(&claim, &out);
	assert_int_equal(out.len, 0);
	buf_release(&out);
	releases_release(&r);
	free(huge);
}

static void the_store_gives_it_back(void **state)
{
	static const char *const broken[] = {"[]", "{}", "{\"versions\":7}",
		"{\"versions\":[7,{},{\"version\":\"\"},{\"version\":\"a\",\"first\":\"x\","
		"\"last\":-1,"
		"\"seen_s\":1e300,\"leaks\":[3,{\"name\":4}]},{\"version\":\"a\"}]}"};
	struct releases r = RELEASES_INIT, back;
	json_t *doc, *again;
	struct buf a = BUF_INIT, b = BUF_INIT;

	(void)state;
	watch(&r, "v1.4.0", 0, 144);
	watch(&r, "v1.5.0", 144, 150);
	leak(&r, "v1.5.0", 147, true);
	leak(&r, "v1.4.0", 12, false);
	watch(&r, "v1.4.0", 150, 350);
	doc = releases_json(&r);
	releases_read(&back, doc);
	again = releases_json(&back);
	json_write(doc, &a);
	json_write(again, &b);
	assert_string_equal(a.p, b.p);
	expect(&back, "v1.5.0", 3,
		"first seen in v1.5.0 (v1.4.0 ran 14 d 8 h without it, and again since 2023-11-21 "
		"06:00 UTC)");
	json_decref(doc);
	json_decref(again);
	releases_release(&back);
	releases_release(&r);
	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		doc = json_read(str_of(broken[i]), NULL);
		assert_non_null(doc);
		releases_read(&back, doc);
		assert_in_range(back.n, 0, 1);
		releases_release(&back);
		json_decref(doc);
	}
	buf_release(&a);
	buf_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_deploy_that_brought_it),
		cmocka_unit_test(what_leaked_before_is_not_new),
		cmocka_unit_test(a_doubt_is_no_proof),
		cmocka_unit_test(back_and_forth),
		cmocka_unit_test(what_runs_now_is_heard),
		cmocka_unit_test(hashes_have_a_time_only),
		cmocka_unit_test(gaps),
		cmocka_unit_test(few_versions_are_kept),
		cmocka_unit_test(names_are_data),
		cmocka_unit_test(the_store_gives_it_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
