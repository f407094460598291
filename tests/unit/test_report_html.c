/* The report as a page: what it says, that names stay text, and that what is opened is closed. */
#include "report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char dump[] =
	"goroutine 1 [select (no cases), 70 minutes]:\nmain.main()\n\t/src/m.go:10 +0x1\n\n"
	"goroutine 7 [sync.Mutex.Lock, 2 minutes]:\n"
	"sync.(*Mutex).lockSlow(0xc000010)\n\t/go/src/sync/mutex.go:46 +0x1\n"
	"main.(*shop).buy(0x1)\n\t/src/shop.go:31 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/m.go:8 +0x1\n\n"
	"goroutine 8 [select]:\nnet/http.(*Client).Do(0x1)\n\t/go/src/net/http/client.go:1 +0x1\n"
	"main.<script>alert(\"x\")(0x1)\n\t/src/\"><img src=x>.go:1 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/m.go:8 +0x1\n";

static struct report *report_of(const struct classifier *c, const char *text)
{
	struct report *r = report_new(c, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text, strlen(text));
	gdump_finish(g, NULL);
	report_end(r, gdump_stats(g));
	gdump_free(g);
	return r;
}

static size_t count(const char *text, const char *what)
{
	size_t n = 0;

	for (const char *p = text; (p = strstr(p, what)) != NULL; p += strlen(what))
		n++;
	return n;
}

static void the_page_stands_alone(void **state)
{
	static const char *const tags[] = {"table", "tr", "td", "th", "ul", "li", "p", "h2", "code",
		"details", "summary", "pre", "svg", "strong", "body", "html"};
	struct classifier *c = classifier_new(NULL, 0, NULL);
	struct report *r = report_of(c, dump);
	struct report_view view = {
		.name = STR_LIT("a<b>&\x1b"), .classes = 10, .note = STR_LIT("n<i>\n")};
	struct buf out = BUF_INIT;

	(void)state;
	report_html(r, &view, &out);
	assert_non_null(strstr(out.p, "a&lt;b&gt;&amp;\\x1b"));
	assert_non_null(strstr(out.p, "<li>n&lt;i&gt;</li>"));
	assert_non_null(strstr(out.p, "<h2>By class</h2>"));
	assert_non_null(strstr(out.p, "<code>0xc000010</code>"));
	assert_non_null(strstr(out.p, "waits for a response"));
	assert_non_null(strstr(out.p, "<h2>Where to look</h2>"));
	assert_null(strstr(out.p, "<script"));
	assert_null(strstr(out.p, "<img"));
	assert_null(strstr(out.p, "http://"));
	assert_null(strchr(out.p, '\x1b'));
	for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
		char open[32], bare[32], close[32];

		snprintf(open, sizeof(open), "<%s ", tags[i]);
		snprintf(bare, sizeof(bare), "<%s>", tags[i]);
		snprintf(close, sizeof(close), "</%s>", tags[i]);
		if (count(out.p, open) + count(out.p, bare) != count(out.p, close))
			fail_msg("<%s>: %zu opened, %zu closed", tags[i],
				count(out.p, open) + count(out.p, bare), count(out.p, close));
	}
	report_free(r);
	buf_reset(&out);
	r = report_of(c, "");
	report_html(r, &view, &out); /* nothing in it: no tables, and a whole page */
	assert_null(strstr(out.p, "<table"));
	assert_non_null(strstr(out.p, "</html>"));
	report_free(r);
	buf_release(&out);
	classifier_free(c);
}

/* A profile of threads is not taken for goroutines in any form of the report. */
static void another_profile_is_named(void **state)
{
	static const char threads[] = "threadcreate profile: total 8\n7 @ 0x1\n#\t0x1\tmain.f+0x1\t"
				      "/m.go:3\n\n1 @\n#\t0x0\n\n";
	struct classifier *c = classifier_new(NULL, 0, NULL);
	struct report *r = report_of(c, threads);
	struct report_view view = {.name = STR_LIT("t"), .classes = 10};
	struct buf text = BUF_INIT, markdown = BUF_INIT, html = BUF_INIT;
	json_t *json = report_json(r);

	(void)state;
	report_text(r, &view, &text);
	report_markdown(r, &view, &markdown);
	report_html(r, &view, &html);
	assert_non_null(strstr(text.p, "8 of the profile threadcreate in 2 classes"));
	assert_non_null(
		strstr(markdown.p, "## Profile of `t`\n\n\n- 8 of the profile threadcreate"));
	assert_null(strstr(markdown.p, "debug=2"));
	assert_non_null(strstr(html.p, "<li>8 of the profile threadcreate"));
	assert_null(strstr(html.p, "Likely cause"));
	assert_string_equal(json_string_value(json_object_get(json, "profile")), "threadcreate");
	json_decref(json);
	buf_release(&text);
	buf_release(&markdown);
	buf_release(&html);
	report_free(r);
	classifier_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_page_stands_alone),
		cmocka_unit_test(another_profile_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
