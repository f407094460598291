#include "../prom_render.h"
#include "err.h"
#include "json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* One line (or a few) and what the sink sees; "!" before it: counted as bad, with that reason. */
static const struct {
	const char *text, *seen;
} lines[] = {
	/* the plain case */
	{"go_goroutines 57\n", "go_goroutines 57 untyped\n"},
	/* a type belongs to its family and to the family's suffixes only */
	{"# TYPE a gauge\na 1\nb 2\n", "a 1 gauge\nb 2 untyped\n"},
	{"# TYPE h histogram\nh_bucket{le=\"+Inf\"} 3\nh_sum 1.5\nh_count 3\nh_other 1\n",
		"h_bucket {le=+Inf} 3 histogram\nh_sum 1.5 histogram\nh_count 3 histogram\n"
		"h_other 1 untyped\n"},
	/* OpenMetrics: the TYPE line has no _total, values are floats */
	{"# TYPE c counter\nc_total 57.0\nc_created 1.5e9\n# EOF\n",
		"c_total 57 counter\nc_created 1500000000 counter\n"},
	{"# TYPE i info\ni_info{v=\"1\"} 1\n", "i_info {v=1} 1 other\n"},
	/* numbers as Go prints them */
	{"a 1.234567e+06\na -1\na +2.5\na .5\na 5.\na 1E3\n",
		"a 1234567 untyped\na -1 untyped\na 2.5 untyped\na 0.5 untyped\na 5 untyped\n"
		"a 1000 untyped\n"},
	{"a +Inf\na -Inf\n", "a inf untyped\na -inf untyped\n"},
	{"a 18446744073709551615\n", "a 1.8446744073709552e+19 untyped\n"},
	/* a timestamp: milliseconds here */
	{"a{x=\"y\"} 1 1700000000500\n", "a {x=y} 1 @1700000000.5 untyped\n"},
	{"a 1 -500\n", "a 1 @-0.5 untyped\n"},
	/* escapes of label values; any other backslash stays */
	{"a{p=\"C:\\\\x\",n=\"l1\\nl2\",q=\"\\\"\",o=\"\\d\"} 1\n",
		"a {p=C:\\x} {n=l1\nl2} {q=\"} {o=\\d} 1 untyped\n"},
	/* what ends a label set may stand inside of quotes */
	{"a{x=\"} 5 # {,=\"} 1\n", "a {x=} 5 # {,=} 1 untyped\n"},
	/* blanks wherever they are allowed, a comma before the end, CRLF */
	{"  a { x = \"1\" , y=\"2\", }\t7 \r\n", "a {x=1} {y=2} 7 untyped\n"},
	{"a{} 1\n", "a 1 untyped\n"},
	/* UTF-8 names in quotes, values and keys too */
	{"{\"my.metric\",\"a.b\"=\"\xe4\xb8\x96\"} 1\n",
		"my.metric {a.b=\xe4\xb8\x96} 1 untyped\n"},
	{"# TYPE \"my.metric\" gauge\n{\"my.metric\"} 1\n", "my.metric 1 gauge\n"},
	/* promtool tsdb dump: the name is a label, wherever it stands */
	{"{__name__=\"go_goroutines\", instance=\"127.0.0.1:9\", job=\"self\"} 31 1700000000500\n",
		"go_goroutines {instance=127.0.0.1:9} {job=self} 31 @1700000000.5 untyped\n"},
	{"{a=\"b\", __name__=\"n\"} 4.5121536e+07 1500\n", "n {a=b} 45121536 @1.5 untyped\n"},
	{"{__name__=\"n\"} NaN 1500\n", "n nan @1.5 untyped\n"},
	/* with a name of its own it is a label as any other */
	{"n{__name__=\"m\"} 1\n", "n {__name__=m} 1 untyped\n"},
	/* exemplars are skipped */
	{"b_bucket{le=\"1\"} 2 # {trace_id=\"x}y\\\"\"} 0.5 1.6e9\n",
		"b_bucket {le=1} 2 untyped\n"},
	{"c_total 5 1.5 # {} 0.5\n", "c_total 5 @0.0015 untyped\n"},
	/* comments, blank lines and a last line without its newline */
	{"#\n# a comment\n#HELP a b\n\n\t\na 1", "a 1 untyped\n"},
	/* a byte order mark */
	{"\xef\xbb\xbf"
	 "a 1\n",
		"a 1 untyped\n"},

	{"a\na 1\n", "!1 a value that is no number: \"a\""},
	{"a 1\nb one\n", "!2 a value that is no number: \"b one\""},
	{"a 0x10\na 1\n", "!1 a value that is no number: \"a 0x10\""},
	{"a nan(7)\na 1\n", "!1 a value that is no number: \"a nan(7)\""},
	{"a 1e\na 1\n", "!1 a value that is no number: \"a 1e\""},
	{"a -\na 1\n", "!1 a value that is no number: \"a -\""},
	{"a 1 x\na 1\n", "!1 a timestamp that is no number: \"a 1 x\""},
	{"a 1 2 3\na 1\n", "!1 something after the timestamp: \"a 1 2 3\""},
	{"1a 1\na 1\n", "!1 not a metric name: \"1a 1\""},
	{"{__name__=\"\"} 1 1\na 1\n", "!1 not a metric name: \"{__name__=\"\"} 1 1\""},
	{"{x=\"y\"} 1\na 1\n", "!1 not a metric name: \"{x=\"y\"} 1\""},
	{"a{x=y} 1\na 1\n", "!1 a label value that is not quoted: \"a{x=y} 1\""},
	{"a{x} 1\na 1\n", "!1 a label without a value: \"a{x} 1\""},
	{"a{\"x\"} 1\na 1\n", "!1 a label without a value: \"a{\"x\"} 1\""},
	{"a{x=\"y} 1\na 1\n", "!1 a string without its closing quote: \"a{x=\"y} 1\""},
	{"a{x=\"y\\\"} 1\na 1\n", "!1 a string without its closing quote: \"a{x=\"y\\\"} 1\""},
	{"a{x=\"y\"z=\"w\"} 1\na 1\n",
		"!1 neither ',' nor '}' after a label: \"a{x=\"y\"z=\"w\"} 1\""},
	{"a{=\"y\"} 1\na 1\n", "!1 not a label name: \"a{=\"y\"} 1\""},
	{"a{x=\"1\" 5\na 1\n", "!1 neither ',' nor '}' after a label: \"a{x=\"1\" 5\""},
	{"a 1 # x\na 1\n", "!1 an exemplar without labels: \"a 1 # x\""},
	{"a 1 # {x=\"y\"}\na 1\n", "!1 an exemplar whose value is no number: \"a 1 # {x=\"y\"}\""},
	{"a 1 # {x=\"y\na 1\n", "!1 an exemplar without its closing '}': \"a 1 # {x=\"y\""},
	/* control characters of a hostile body never reach the message */
	{"\x1b[2J\x01\na 1\n", "!1 not a metric name: \"?[2J?\""},
};

static void reads_lines(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		const char *seen = lines[i].seen;
		char want[400];

		buf_reset(&b);
		render_metrics(&b, str_of(lines[i].text), 0, NULL, PROM_TIME_MS);
		if (seen[0] == '!') {
			char *end;
			unsigned long line = strtoul(seen + 1, &end, 10);

			snprintf(want, sizeof(want), "first=%lu%s\n", line, end);
			if (!strstr(b.p, want) || !strstr(b.p, " bad=1 "))
				fail_msg("%s gives %s", lines[i].text, b.p);
			continue;
		}
		if (strncmp(b.p, seen, strlen(seen)) != 0 ||
			strncmp(b.p + strlen(seen), "samples=", 8) != 0 || !strstr(b.p, " bad=0 "))
			fail_msg("%s gives %s", lines[i].text, b.p);
	}
	buf_release(&b);
}

static void gives_the_same_for_any_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct str text = str_of(lines[i].text);
		struct buf whole = BUF_INIT, cut = BUF_INIT;

		render_metrics(&whole, text, 0, NULL, PROM_TIME_S);
		for (size_t piece = 1; piece < text.len; piece++) {
			buf_reset(&cut);
			render_metrics(&cut, text, piece, NULL, PROM_TIME_S);
			assert_string_equal(whole.p, cut.p);
		}
		buf_release(&whole);
		buf_release(&cut);
	}
}

static bool want_a(void *arg, struct str name)
{
	buf_addf(arg, "?%.*s\n", STR_ARG(name));
	return str_is(name, "a");
}

/* A name is asked for once for all its series, and what is not wanted is not taken apart. */
static void asks_once_a_family(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	render_metrics(&b,
		STR("a{x=\"1\"} 1\na{x=\"2\"} 2\nab 3\nb{broken 4\nb 5\na 6\ngoroutine profile: "
		    "x\n"),
		0, want_a, PROM_TIME_MS);
	assert_string_equal(b.p,
		"?a\na {x=1} 1 untyped\na {x=2} 2 untyped\n?ab\n?b\n?a\na 6 untyped\n"
		"?goroutine\nsamples=6 wanted=3 bad=1 lines=7 first=7 "
		"neither labels nor a value after the name: "
		"\"goroutine profile: x\"\n0 \n");
	buf_release(&b);
}

static void reads_seconds_of_openmetrics(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	render_metrics(&b, STR("a 1 1700000000.25\n# EOF\n"), 0, NULL, PROM_TIME_S);
	assert_string_equal(b.p, "a 1 @1700000000.25 untyped\nsamples=1 wanted=1 bad=0 lines=2 eof "
				 "first=0 \n0 \n");
	/* promtool tsdb dump has milliseconds also where other lines have seconds */
	buf_reset(&b);
	render_metrics(
		&b, STR("{__name__=\"a\", b=\"c\"} 1 1700000000250\n"), 0, NULL, PROM_TIME_S);
	assert_string_equal(b.p, "a {b=c} 1 @1700000000.25 untyped\nsamples=1 wanted=1 bad=0 "
				 "lines=1 first=0 \n0 \n");
	buf_release(&b);
}

/* Bodies that are no exposition, and a word that the message has to hold. */
static void refuses_what_is_no_exposition(void **state)
{
	static const struct {
		const char *body, *says;
	} rows[] = {
		{"", "an empty body"},
		{"<!DOCTYPE html>\n<html><body>Sign in</body></html>\n", "HTML"},
		{"{\"cmdline\": [\"x\"]}\n", "JSON"},
		{"404 page not found\n", "nothing is served at this path"},
		{"goroutine profile: total 1\n1 @ 0x1\n", "a goroutine profile"},
		{"# HELP a b\n# TYPE a gauge\n", "no sample in it"},
		{"\x1f\x8b\x08\x01\x02", "gzip"},
		{"\x0a\x05\x01\x02\x03", "binary"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf b = BUF_INIT;

		assert_int_equal(
			render_metrics(&b, str_of(rows[i].body), 0, NULL, PROM_TIME_MS), -1);
		if (!strstr(b.p, rows[i].says))
			fail_msg("%s gives %s", rows[i].body, b.p);
		buf_release(&b);
	}
}

/* What an outsider may make long: a line, a name, the number of labels. */
static void holds_its_limits(void **state)
{
	struct buf text = BUF_INIT, whole = BUF_INIT, cut = BUF_INIT;

	(void)state;
	buf_adds(&text, "# TYPE ");
	for (int i = 0; i < 3000; i++)
		buf_addc(&text, 'n');
	buf_adds(&text, " gauge\na{x=\"");
	while (text.len < PROM_LINE_MAX + 8192)
		buf_addc(&text, 'v');
	buf_adds(&text, "\"} 1\nb{");
	for (int i = 0; i <= PROM_LABELS_MAX; i++)
		buf_addf(&text, "l%d=\"\",", i);
	buf_adds(&text, "} 2\nc 3\n");
	render_metrics(&whole, buf_str(&text), 0, NULL, PROM_TIME_MS);
	assert_string_equal(whole.p,
		"c 3 untyped\nsamples=1 wanted=1 bad=2 lines=4 first=2 a line "
		"longer than 256 KiB: \"a{x=\"vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv"
		"vvvvvvvvvvvvvvvvvvvvvvvvvvvvvv...\"\n0 \n");
	render_metrics(&cut, buf_str(&text), 977, NULL, PROM_TIME_MS);
	assert_string_equal(whole.p, cut.p);
	buf_release(&text);
	buf_release(&whole);
	buf_release(&cut);
}

static void starts_anew_after_reset(void **state)
{
	struct buf b = BUF_INIT;
	struct prom_sink sink = {.sample = render_sample, .arg = &b};
	struct prom *p = prom_new(&sink, PROM_TIME_MS);
	struct err err = ERR_INIT;

	(void)state;
	prom_feed(p, "# TYPE a gauge\na 1\nrest", 23);
	prom_reset(p);
	prom_feed(p, "a 2\n", 4);
	assert_int_equal(prom_finish(p, &err), 0);
	assert_string_equal(b.p, "a 1 gauge\na 2 untyped\n");
	assert_int_equal(prom_stats(p)->lines, 1);
	prom_free(p);
	prom_free(NULL);
	buf_release(&b);
}

static void reads_selectors(void **state)
{
	static const struct {
		const char *text, *says; /* says: NULL when it is accepted */
		bool matches; /* a{x="1",y=""} */
	} rows[] = {
		{"a", NULL, true},
		{" a ", NULL, true},
		{"a{}", NULL, true},
		{"a{x=\"1\"}", NULL, true},
		{"a{ x = \"1\" , y = \"\", }", NULL, true},
		{"a{z=\"\"}", NULL, true}, /* no such label is an empty one */
		{"a{x=\"2\"}", NULL, false},
		{"a{z=\"1\"}", NULL, false},
		{"b", NULL, false},
		{"", "a series is written", false},
		{"{x=\"1\"}", "a series is written", false},
		{"a{x=~\"1\"}", "no other comparison", false},
		{"a{x!=\"1\"}", "no other comparison", false},
		{"a{x=1}", "double quotes", false},
		{"a{x=\"1}", "closing quote", false},
		{"a{x=\"\\n\"}", "backslashes", false},
		{"a{x=\"1\"", "neither ',' nor '}'", false},
		{"a{1=\"1\"}", "a label name is", false},
		{"a{x=\"1\"} + b", "after the series", false},
		{"rate(a[5m])", "after the series", false},
		{"a{a=\"\",b=\"\",c=\"\",d=\"\",e=\"\",f=\"\",g=\"\",h=\"\",i=\"\"}", "more than 8",
			false},
	};
	const struct label labels[] = {{STR("x"), STR("1")}, {STR("y"), STR("")}};
	struct prom_sample s = {.name = STR("a"), .labels = labels, .nlabels = 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct prom_selector sel;
		struct err err = ERR_INIT;
		int rc = prom_selector_parse(str_of(rows[i].text), &sel, &err);

		if (rows[i].says ? rc == 0 || !strstr(err.msg, rows[i].says)
				 : rc != 0 || prom_selector_matches(&sel, &s) != rows[i].matches)
			fail_msg("%s gives %d %s", rows[i].text, rc, err.msg);
	}
}

/* ---- real expositions, counted by somebody else ------------------------------------------------
 */

struct known {
	const json_t *well_known;
	uint64_t samples, with_time;
	unsigned seen, wrong;
};

static void check_known(void *arg, const struct prom_sample *s)
{
	struct known *k = arg;
	const json_t *v;
	char *name;

	k->samples++;
	k->with_time += !isnan(s->time);
	if (s->nlabels)
		return;
	name = str_dup(s->name);
	v = json_object_get(k->well_known, name);
	free(name);
	if (v) {
		k->seen++;
		k->wrong += json_number_value(v) != s->value;
	}
}

static void check_exposition(const char *path, const json_t *want, struct str body)
{
	struct known k = {.well_known = json_object_get(want, "well_known")};
	struct prom_sink sink = {.sample = check_known, .arg = &k};
	struct prom *p = prom_new(&sink, PROM_TIME_MS);
	const struct prom_stats *s = prom_stats(p);
	uint64_t samples = (uint64_t)json_integer_value(json_object_get(want, "samples"));
	unsigned version = json_object_get(k.well_known, "go_info") != NULL;

	for (size_t at = 0; at < body.len; at += 1000) /* as a network would cut it */
		prom_feed(p, body.p + at, MIN((size_t)1000, body.len - at));
	if (prom_finish(p, NULL) < 0 && samples)
		fail_msg("%s is taken for no exposition", path);
	if (s->samples != samples || k.samples != samples ||
		s->bad_lines != (uint64_t)json_integer_value(json_object_get(want, "bad_count")) ||
		k.with_time !=
			(uint64_t)json_integer_value(json_object_get(want, "with_timestamp")) ||
		k.wrong || k.seen < json_object_size(k.well_known) - version)
		fail_msg("%s: %" PRIu64 " samples, %" PRIu64 " bad lines (%s), %u well-known ones "
			 "of which %u are wrong",
			path, s->samples, s->bad_lines, s->first_bad, k.seen, k.wrong);
	prom_free(p);
}

static bool read_file(const char *path, struct buf *b)
{
	FILE *f = fopen(path, "rb");
	char piece[65536];
	size_t n;

	buf_reset(b);
	while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(b, piece, n);
	if (f)
		fclose(f);
	return f != NULL;
}

/* LEAKWATCH_CORPUS names another folder; without one the test is skipped. */
static void agrees_with_the_oracle(void **state)
{
	const char *dir = getenv("LEAKWATCH_CORPUS"), *file;
	struct buf body = BUF_INIT;
	json_t *truth, *want;
	unsigned files = 0;
	char path[4400];

	(void)state;
	dir = dir ? dir : "../shared/corpus";
	snprintf(path, sizeof(path), "%s/truth-metrics.json", dir);
	if (!read_file(path, &body)) {
		print_message("no %s: skipped\n", path);
		skip();
	}
	truth = json_read(buf_str(&body), NULL);
	assert_non_null(truth);
	json_object_foreach(truth, file, want)
	{
		snprintf(path, sizeof(path), "%s/%s", dir, file);
		if (!json_object_get(want, "samples") || !read_file(path, &body))
			continue;
		check_exposition(path, want, buf_str(&body));
		files++;
	}
	json_decref(truth);
	buf_release(&body);
	assert_true(files > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_lines),
		cmocka_unit_test(gives_the_same_for_any_cut),
		cmocka_unit_test(asks_once_a_family),
		cmocka_unit_test(reads_seconds_of_openmetrics),
		cmocka_unit_test(refuses_what_is_no_exposition),
		cmocka_unit_test(holds_its_limits),
		cmocka_unit_test(starts_anew_after_reset),
		cmocka_unit_test(reads_selectors),
		cmocka_unit_test(agrees_with_the_oracle),
	};

	return cmocka_run_group_tests_name("prom", tests, NULL, NULL);
}
