/* vitals: what is kept of /metrics. */
#include "vitals.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void read_body(struct vitals *v, const char *text, double now)
{
	struct prom_sink sink = vitals_sink(v);
	struct prom *p = prom_new(&sink, PROM_TIME_MS);
	struct err err;

	vitals_begin(v);
	prom_feed(p, text, strlen(text));
	assert_int_equal(prom_finish(p, &err), 0);
	vitals_end(v, now);
	prom_free(p);
}

static void test_process(void **state)
{
	struct vitals *v = vitals_new();

	(void)state;
	assert_true(isnan(vitals_get(v, VITAL_FDS)));
	read_body(v,
		"# TYPE process_open_fds gauge\nprocess_open_fds 12\n"
		"process_start_time_seconds 1.7e+09\n"
		"go_info{version=\"go1.26.0\"} 1\n"
		"shop_build_info{revision=\"abc\",version=\"v1.2.3\"} 1\n"
		"unwanted{a=\"b\"} 5\n",
		100);
	assert_true(vitals_get(v, VITAL_FDS) == 12);
	assert_true(vitals_get(v, VITAL_START) == 1.7e9);
	assert_true(isnan(vitals_get(v, VITAL_RESIDENT)));
	assert_string_equal(vitals_go_version(v), "go1.26.0");
	assert_string_equal(vitals_version(v), "v1.2.3");
	/* A scrape that failed: nothing is known, not the old values. */
	vitals_abandon(v);
	assert_true(isnan(vitals_get(v, VITAL_FDS)));
	vitals_free(v);
}

/* The program's own version, whatever else tells one. */
static void test_version(void **state)
{
	static const struct {
		const char *body, *version;
	} rows[] = {
		/* The Go collector's comes first in the body, the program's own counts. */
		{"go_build_info{path=\"shop\",version=\"v0.0.1\"} 1\n"
		 "shop_build_info{version=\"v1.2.3\"} 1\n",
			"v1.2.3"},
		/* The first of two: a library may have one, too. */
		{"shop_build_info{version=\"v1.2.3\"} 1\nzeta_build_info{version=\"9\"} 1\n",
			"v1.2.3"},
		/* Built from a tree: the module's version is none. */
		{"go_build_info{path=\"shop\",version=\"(devel)\"} 1\n", ""},
		{"go_build_info{path=\"shop\",version=\"v2.0.0\"} 1\n", "v2.0.0"},
		/* No version, but a commit. */
		{"shop_build_info{revision=\"0123456789abcdef0123456789abcdef01234567\",version="
		 "\"unknown\"} 1\n",
			"0123456789ab"},
		{"go_build_info{version=\"v0.0.1\"} "
		 "1\nshop_build_info{revision=\"0123456789abcd\"} "
		 "1\n",
			"0123456789ab"},
		{"shop_build_info{revision=\"abc\"} 1\nother_build_info{version=\"v3\"} 1\n", "v3"},
		{"shop_build_info 1\n", ""},
		{"shop_build_infos{version=\"v1\"} 1\n", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct vitals *v = vitals_new();

		read_body(v, "shop_build_info{version=\"v0\"} 1\n", 100);
		read_body(v, rows[i].body, 160); /* the body before is forgotten */
		assert_string_equal(vitals_version(v), rows[i].version);
		vitals_free(v);
	}
}

/* How long the process stood still: at most, as a histogram's buckets tell it. */
static void test_pauses(void **state)
{
	struct vitals *v = vitals_new();
	double before;

	(void)state;
	/* As client_golang has it: the sum takes all of a bucket for its shortest. */
	read_body(v,
		"# TYPE go_sched_pauses_total_other_seconds histogram\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"6.399999999999999e-05\"} 3\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"0.0071\"} 5\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"0.08\"} 5\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"+Inf\"} 5\n"
		"go_sched_pauses_total_other_seconds_sum 0.000128\n"
		"go_sched_pauses_total_other_seconds_count 5\n",
		100);
	before = vitals_get(v, VITAL_PAUSES);
	assert_true(fabs(before - 3 * 6.4e-5 - 2 * .0071) < 1e-9);
	/* Two more of up to 80 ms. */
	read_body(v,
		"go_sched_pauses_total_other_seconds_bucket{le=\"6.399999999999999e-05\"} 3\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"0.0071\"} 5\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"0.08\"} 7\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"+Inf\"} 7\n",
		105);
	assert_true(fabs(vitals_get(v, VITAL_PAUSES) - before - .16) < 1e-9);
	/* And one of nobody knows how long. */
	read_body(v,
		"go_sched_pauses_total_other_seconds_bucket{le=\"0.08\"} 7\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"what\"} 9\n"
		"go_sched_pauses_total_other_seconds_bucket{le=\"+Inf\"} 8\n",
		107);
	assert_true(vitals_get(v, VITAL_PAUSES) > 1e5);
	read_body(v, "go_sched_pauses_total_other_seconds_sum 0.5\n", 108);
	assert_true(isnan(vitals_get(v, VITAL_PAUSES)));
	read_body(v, "go_goroutines 5\n", 110);
	assert_true(isnan(vitals_get(v, VITAL_PAUSES)));
	vitals_free(v);
}

static void test_selected(void **state)
{
	struct vitals *v = vitals_new();
	struct err err;
	int users = vitals_want(v, STR("app_users{zone=\"a\"}"), &err);
	int all = vitals_want(v, STR("app_users"), &err);
	int requests = vitals_want(v, STR("http_requests_total"), &err);

	(void)state;
	assert_int_equal(vitals_want(v, STR("app_users"), &err), all);
	assert_int_equal(vitals_want(v, STR("app_users{"), &err), -1);
	assert_string_equal(vitals_selector(v, users), "app_users{zone=\"a\"}");
	assert_null(vitals_selector(v, 3));
	read_body(v,
		"app_users{zone=\"a\"} 3\napp_users{zone=\"b\"} 4\n"
		"# TYPE http_requests_total counter\n"
		"http_requests_total{code=\"200\"} 90\nhttp_requests_total{code=\"500\"} 10\n",
		100);
	assert_true(vitals_selected(v, users) == 3);
	assert_true(vitals_selected(v, all) == 7); /* matching series are summed */
	assert_true(isnan(vitals_selected(v, requests))); /* a counter needs two */
	read_body(v,
		"app_users{zone=\"b\"} 4\n# TYPE http_requests_total counter\n"
		"http_requests_total 160\n",
		110);
	assert_true(isnan(vitals_selected(v, users)));
	assert_true(vitals_selected(v, requests) == 6); /* per second */
	/* It fell: the process began anew, no rate across that. */
	read_body(v, "# TYPE http_requests_total counter\nhttp_requests_total 5\n", 120);
	assert_true(isnan(vitals_selected(v, requests)));
	vitals_free(v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_pauses),
		cmocka_unit_test(test_selected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
