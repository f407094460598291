/* Pages: outsiders' names stay text, links lead somewhere, what matters comes first, drawings fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "html.h"
#include "page.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NOW	1700003600000ll
#define HOSTILE "<script>alert(1)</script>\"'&\x1b[2J\xe2\x80\xae"

static const struct page view = {.now_ms = NOW, .host = STR_LIT("web-1")};

static bool has(const struct buf *b, const char *text)
{
	return str_find(buf_str(b), str_of(text)) >= 0;
}

static json_t *parse(const char *text)
{
	struct err err = ERR_INIT;
	json_t *j = json_read(str_of(text), &err);

	if (!j)
		fail_msg("%s", err.msg);
	return j;
}

/* ---- html ---- */

static void test_text(void **state)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{"main.(*srv).handle", "main.(*srv).handle"},
		{"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
		{"\x1b[31mred", "\\x1b[31mred"}, /* shown, not done */
		{"line\nbreak", "line\\nbreak"},
		{"\xe2\x80\xae", "\\u202e"}, /* turns the direction of writing */
		{"\xff", "\\xff"},
		{"\xe4\xb8\x96", "\xe4\xb8\x96"}, /* printable, so it stays */
		{"", ""},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&out);
		html_text(&out, str_of(rows[i].text));
		assert_string_equal(out.p, rows[i].want);
	}
	buf_reset(&out);
	html_lines(&out, STR("a <b>\nc"));
	assert_string_equal(out.p, "a &lt;b&gt;\nc\n");
	buf_reset(&out);
	html_text_cut(&out, STR("abcdefgh"), 4);
	assert_string_equal(out.p, "abc\xe2\x80\xa6");
	buf_release(&out);
}

/* ---- svg ---- */

static void test_steps(void **state)
{
	static const struct {
		double span;
		int most;
		bool bytes;
		double want;
	} values[] = {
		{10, 5, false, 2},
		{101, 5, false, 50},
		{100000, 5, false, 20000},
		{0, 5, false, 1}, /* nothing to divide */
		{5 * 1048576, 5, true, 1048576},
		{300.0 * 1048576, 5, true, 100.0 * 1048576},
	};
	static const struct {
		double span, want;
	} times[] = {{60, 10}, {3600, 600}, {6 * 3600, 3600}, {86400, 10800},
		{14 * 86400, 2 * 86400}, {400 * 86400.0, 90 * 86400.0},
		{10 * 365 * 86400.0, 540 * 86400.0}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		double got = svg_step(values[i].span, values[i].most, values[i].bytes);

		if (fabs(got / values[i].want - 1) > 1e-9)
			fail_msg("row %zu: %g, not %g", i, got, values[i].want);
	}
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		double got = svg_time_step(times[i].span, 8);

		if (got != times[i].want)
			fail_msg("time %zu: %g, not %g", i, got, times[i].want);
	}
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

/* 100,000 samples with a gap: no more points than columns, nothing outside of the frame, two
 * stretches, and the one high value among them not lost. */
static void test_plot(void **state)
{
	size_t n = 100000, at = 0;
	struct svg_point *v = calloc(n, sizeof(*v));
	struct svg_plot p = {.from = 1000,
		.to = 1000 + (double)n,
		.gap_s = 5000,
		.limit = NAN,
		.title = STR(HOSTILE),
		.points = v};
	struct buf out = BUF_INIT;
	const char *path;
	double highest = INFINITY;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		double y = i == 70000 ? 5000 : 100 + (double)(i % 50);

		if (i > 40000 && i < 60000)
			continue;
		v[at++] = (struct svg_point){.x = 1000 + (double)i, .low = y, .y = y, .high = y};
	}
	p.npoints = at;
	svg_plot(&p, &out);
	assert_false(has(&out, "<script"));
	path = strstr(out.p, "class=\"value\"");
	assert_non_null(path);
	path = strstr(path, "d=\"") + 3;
	for (const char *c = path; *c && *c != '"';) {
		char *end;
		double x = strtod(c + 1, &end), y = strtod(end, &end);

		assert_true(*c == 'M' || *c == 'L');
		assert_true(x >= 0 && x <= 880 && y >= 0 && y <= 250);
		c = end;
	}
	assert_int_equal(count(strstr(out.p, "class=\"value\""), "M"), 2);
	assert_true(count(out.p, "L") < 4 * SVG_COLUMNS);
	/* The band reaches up to what the line of last values passes over. */
	path = strstr(strstr(out.p, "class=\"band\""), "d=\"") + 3;
	for (const char *c = path; *c && *c != '"'; c++) {
		if (*c == 'M' || *c == 'L')
			highest = fmin(highest, strtod(strchr(c, ' '), NULL));
	}
	assert_true(highest < 30);
	buf_reset(&out);
	p.npoints = 0;
	svg_plot(&p, &out);
	assert_true(has(&out, "no samples"));
	free(v);
	buf_release(&out);
}

/* A constant, and whole numbers at the axis. */
static void test_flat(void **state)
{
	struct svg_point v[] = {{0, 2, 2, 2}, {60, 2, 2, 2}};
	struct svg_mark mark = {.kind = SVG_RUN, .x = 30, .text = STR("<b>")};
	struct svg_plot p = {.from = 0,
		.to = 60,
		.limit = 3,
		.title = STR("x"),
		.points = v,
		.npoints = 2,
		.marks = &mark,
		.nmarks = 1};
	struct buf out = BUF_INIT;

	(void)state;
	svg_plot(&p, &out);
	assert_true(has(&out, ">0</text>") && has(&out, ">1</text>") && has(&out, ">2</text>"));
	assert_int_equal(count(out.p, ">2</text>"), 1);
	assert_true(has(&out, "class=\"limit\"") && has(&out, "<title>&lt;b&gt;</title>"));
	buf_release(&out);
}

/* ---- pages ---- */

static json_t *targets_of(const char *extra)
{
	struct buf text = BUF_INIT;
	json_t *j;

	buf_addf(&text,
		"[{\"target\":\"shop/a:1\",\"job\":\"shop\",\"instance\":\"a:1\",\"id\":1,"
		"\"up\":true,\"why\":\"\",\"goroutines\":1204,\"classes\":7,\"verdict\":\"ok\","
		"\"verdict_of\":\"\",\"rate_per_hour\":null,\"alerts_firing\":0,\"labels\":{}},"
		"{\"target\":\"shop/b:1\",\"job\":\"shop\",\"instance\":\"b:1\",\"id\":2,"
		"\"up\":true,\"why\":\"\",\"goroutines\":9,\"classes\":2,\"verdict\":\"leaking\","
		"\"verdict_of\":\"main.leak\",\"rate_per_hour\":120,\"alerts_firing\":1,"
		"\"labels\":{\"zone\":\"x\"}}%s]",
		extra);
	j = parse(text.p);
	buf_release(&text);
	return j;
}

static const char alerts_text[] =
	"[{\"id\":\"00ff\",\"name\":\"GoroutineLeak\",\"state\":\"firing\",\"holds\":true,"
	"\"fired\":1700000000,\"raised\":1700000000,\"resolved\":null,\"reason\":\"grew\","
	"\"labels\":{\"job\":\"shop\",\"instance\":\"b:1\",\"class\":\"main.leak\"},"
	"\"annotations\":{\"summary\":\"shop leaks\",\"description\":\"A whole sentence.\\nAnd "
	"one.\","
	"\"created_by\":\"main.start\",\"example_stack\":\"main.leak x.go:1\\nmain.a y.go:2\"},"
	"\"silence\":null,\"acknowledged\":null,\"events\":[],\"deliveries\":[]}]";

static void test_overview(void **state)
{
	json_t *targets = targets_of(""), *alerts = parse(alerts_text);
	struct buf out = BUF_INIT;
	const char *leaking, *well;

	(void)state;
	page_overview(&view, targets, alerts, STR(""), &out);
	assert_true(has(&out, "<title>1 alert firing, 2 of 2 targets up - leakwatch</title>"));
	assert_true(has(&out, "href=\"/alerts/00ff\">shop leaks</a>"));
	assert_true(has(&out, "1,204") && has(&out, "120/h"));
	leaking = strstr(out.p, "href=\"/targets/2\"");
	well = strstr(out.p, "href=\"/targets/1\"");
	assert_true(leaking && well && leaking < well); /* the worst first */
	buf_reset(&out);
	page_overview(&view, targets, alerts, STR("a:1"), &out);
	assert_true(has(&out, "/targets/1") && !has(&out, "/targets/2"));
	json_decref(targets);
	json_decref(alerts);
	buf_release(&out);
}

/* Every name that comes from outside, at once. */
static void test_hostile(void **state)
{
	json_t *bad = json_str(STR(HOSTILE)), *row, *alert, *targets, *alerts, *labels;
	struct page_series series;
	struct buf out = BUF_INIT;

	(void)state;
	row = json_pack("{s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:O,s:f,s:f}", "target", bad,
		"job", bad, "instance", bad, "verdict", bad, "verdict_of", bad, "why", bad, "class",
		bad, "reason", bad, "hint", bad, "waits_on", bad, "created_by", bad, "stack", bad,
		"id", 1.0, "series_id", 2.0);
	labels = json_pack(
		"{s:O,s:O,s:O,s:O}", "job", bad, "instance", bad, "class", bad, HOSTILE, bad);
	json_object_set(row, "labels", labels);
	alert = json_pack("{s:O,s:O,s:s,s:O,s:O,s:{s:O,s:O,s:O,s:O},s:[{s:O,s:O,s:O}],s:[{s:O,s:O,"
			  "s:O}]}",
		"id", bad, "name", bad, "state", "firing", "reason", bad, "labels", labels,
		"annotations", "summary", bad, "description", bad, "example_stack", bad, HOSTILE,
		bad, "events", "from", bad, "to", bad, "why", bad, "deliveries", "receiver", bad,
		"state", bad, "why", bad);
	json_object_set_new(alert, "fleet",
		json_pack("{s:O,s:O,s:[{s:O,s:O,s:O,s:O,s:O}]}", "class", bad, "text", bad, "rows",
			"instance", bad, "version", bad, "state", bad, "why", bad, "series_id",
			bad));
	targets = json_pack("[O]", row);
	alerts = json_pack("[O]", alert);
	series = (struct page_series){.row = row};
	page_overview(&view, targets, alerts, STR(HOSTILE), &out);
	page_target(&view, row, alerts, targets, &series, 1, NULL, page_range_of(STR("x")), &out);
	page_series(&view, row, &series, NULL, page_range_of(STR("all")), &out);
	page_alert(&view, alert, row, &series, NULL, &out);
	page_problem(&view, "title", STR(HOSTILE), &out);
	assert_false(has(&out, "<script"));
	assert_false(has(&out, "\x1b"));
	assert_false(has(&out, "\xe2\x80\xae"));
	assert_false(has(&out, "'&") || has(&out, "\"'"));
	json_decref(bad);
	json_decref(row);
	json_decref(labels);
	json_decref(alert);
	json_decref(targets);
	json_decref(alerts);
	buf_release(&out);
}

static void test_alert(void **state)
{
	json_t *alerts = parse(alerts_text), *targets = targets_of("");
	json_t *row = parse("{\"class\":\"main.leak\",\"kind\":\"class\",\"count\":9,"
			    "\"verdict\":\"leaking\",\"since\":1699999000,\"series_id\":5,"
			    "\"rate_per_hour\":120}");
	struct svg_point v[] = {{1699990000, 1, 1, 1}, {1700003000, 9, 9, 9}};
	struct page_series series = {.row = row, .points = v, .npoints = 2};
	double start = 1699995000;
	struct page_runs runs = {.starts = &start, .n = 1};
	struct buf out = BUF_INIT;

	(void)state;
	page_alert(
		&view, json_array_get(alerts, 0), json_array_get(targets, 1), &series, &runs, &out);
	assert_true(has(&out, "<p>A whole sentence.<br>\nAnd one.</p>"));
	assert_true(has(&out, "<dt>created by</dt><dd>main.start</dd>"));
	assert_true(has(&out, "main.leak x.go:1\nmain.a y.go:2"));
	assert_true(has(&out, "leakwatch ack 00ff"));
	assert_true(has(&out, "href=\"/series/5\"") && has(&out, "href=\"/targets/2\""));
	assert_true(has(&out, "class=\"run\"") && has(&out, "class=\"since\""));
	/* Dumps that are kept, and an instance that another continued. */
	json_object_set_new(json_array_get(alerts, 0), "exhibits",
		parse("[{\"at\":1700001000,\"goroutines\":1231,\"truncated\":true}]"));
	json_object_set_new(json_object_get(json_array_get(alerts, 0), "annotations"),
		"continued_in", json_string("a:1"));
	buf_reset(&out);
	page_alert(&view, json_array_get(alerts, 0), NULL, NULL, NULL, &out);
	assert_true(has(&out, "alerts show 00ff --dump") && has(&out, "1,231 goroutines, cut"));
	assert_true(page_is_about(json_array_get(alerts, 0), json_array_get(targets, 0)));
	assert_false(page_is_about(json_array_get(alerts, 0), json_array_get(targets, 1)));
	/* The other instances; then their list is not told a second time. */
	json_object_set_new(json_object_get(json_array_get(alerts, 0), "annotations"), "instances",
		json_string("a:1 v1.5.0 leaks"));
	buf_reset(&out);
	page_alert(&view, json_array_get(alerts, 0), NULL, NULL, NULL, &out);
	assert_true(has(&out, "<dt>instances</dt><dd>a:1 v1.5.0 leaks</dd>"));
	json_object_set_new(json_array_get(alerts, 0), "fleet",
		parse("{\"class\":\"main.leak\",\"text\":\"1 of 2 <leaks>\",\"more_leak\":4988,"
		      "\"more_others\":0,\"rows\":[{\"instance\":\"a:1\",\"version\":\"v1.5.0\","
		      "\"state\":\"leaks\",\"why\":\"\",\"rate_per_hour\":120,\"since\":1699999400,"
		      "\"series_id\":5,\"target_id\":1},{\"instance\":\"b<:1\",\"version\":"
		      "\"\",\"state\":\"unknown\",\"why\":\"suspected\",\"rate_per_hour\":null,"
		      "\"since\":null,\"series_id\":null,\"target_id\":2}]}"));
	buf_reset(&out);
	page_alert(&view, json_array_get(alerts, 0), NULL, NULL, NULL, &out);
	assert_false(has(&out, "<dt>instances</dt>"));
	assert_true(has(&out, "<p>1 of 2 &lt;leaks&gt;</p>"));
	assert_true(has(&out, "<td><a href=\"/series/5\">a:1</a></td><td>v1.5.0</td><td><span "
			      "class=\"leaking\">leaks</span></td><td class=\"n\">120/h</td><td>"));
	assert_true(has(&out, "<td><a href=\"/targets/2\">b&lt;:1</a></td><td></td><td><span>"
			      "unknown</span> <span class=\"dim\">suspected</span></td><td "
			      "class=\"n\"></td><td></td>"));
	assert_true(has(&out, "<p>and 4988 more that leak, none faster</p>"));
	/* What single goroutines told. */
	json_object_set_new(row, "evidence",
		parse("{\"at\":1700001000,\"oldest_minutes\":90,\"states\":[{\"state\":\"select\","
		      "\"count\":38}],\"created_by\":[{\"function\":\"main.start\",\"count\":38}],"
		      "\"labels\":[]}"));
	buf_reset(&out);
	page_series(
		&view, json_array_get(targets, 1), &series, &runs, page_range_of(STR("6h")), &out);
	assert_true(has(&out, "38 select") && has(&out, "1 h 30 min at least"));
	assert_true(has(&out, "<dt>created by</dt><dd>38 main.start</dd>"));
	/* Nothing is known of what it was about any more. */
	buf_reset(&out);
	page_alert(&view, json_array_get(alerts, 0), NULL, NULL, NULL, &out);
	assert_true(has(&out, "shop leaks") && !has(&out, "<svg"));
	json_decref(alerts);
	json_decref(targets);
	json_decref(row);
	buf_release(&out);
}

static void test_many(void **state)
{
	json_t *targets = json_array(), *alerts = json_array();
	struct buf out = BUF_INIT;

	(void)state;
	for (int i = 0; i < PAGE_ROWS_MAX + 500; i++)
		json_array_append_new(targets, json_pack("{s:s,s:b,s:i,s:s}", "target", "a/b", "up",
						       1, "id", i, "verdict", "ok"));
	page_overview(&view, targets, alerts, STR(""), &out);
	assert_int_equal(count(out.p, "href=\"/targets/"), PAGE_ROWS_MAX);
	assert_true(has(&out, "1000 of 1500 targets"));
	json_decref(targets);
	json_decref(alerts);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_plot),
		cmocka_unit_test(test_flat),
		cmocka_unit_test(test_overview),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
