/* Many dumps as a table: the classes that changed most, 0 where a dump has none, Markdown. */
#include "err.h"
#include "overtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define COUNT(n, pc, func) n " @ 0x1 " pc "2\n#\t" pc "1\t" func "+0x1\t/f.go:1\n\n"
#define PROFILE(n)	   "goroutine profile: total " n "\n"

static void add(struct overtime *o, const struct classifier *c, const char *name, const char *text)
{
	struct report *r = report_new(c, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text, strlen(text));
	assert_int_equal(gdump_finish(g, NULL), 0);
	report_end(r, gdump_stats(g));
	overtime_add(o, name, r);
	gdump_free(g);
	report_free(r);
}

static void what_changed_most_comes_first(void **state)
{
	struct classifier *c = classifier_new(NULL, 0, NULL);
	struct overtime *o = overtime_new();
	struct buf out = BUF_INIT;

	(void)state;
	overtime_write(o, false, 0, &out);
	assert_string_equal(out.p, ""); /* no dump could be read */
	add(o, c, "1.txt",
		PROFILE("103") COUNT("100", "0xa", "main.same") COUNT("3", "0xb", "main.leak"));
	add(o, c, "2|.txt",
		PROFILE("112") COUNT("100", "0xa", "main.same") COUNT("8", "0xb", "main.leak")
			COUNT("4", "0xc", "main.born"));
	overtime_write(o, false, 0, &out);
	assert_string_equal(out.p, "SOURCE  TOTAL  A  B    C\n"
				   "1.txt     103  3  0  100\n"
				   "2|.txt    112  8  4  100\n"
				   "\nA main.leak\nB main.born\nC main.same\n");
	buf_reset(&out);
	overtime_write(o, true, 0, &out);
	assert_string_equal(out.p, "| source | total | `main.leak` | `main.born` | `main.same` |\n"
				   "|---|---:|---:|---:|---:|\n"
				   "| `1.txt` | 103 | 3 | 0 | 100 |\n"
				   "| `2\\|.txt` | 112 | 8 | 4 | 100 |\n");
	buf_release(&out);
	overtime_free(o);
	classifier_free(c);
}

/* Names come from outside: nothing in them ends a cell, a quote or a block of Markdown. */
static void markdown_holds_names_in(void **state)
{
	struct classifier *c = classifier_new(NULL, 0, NULL);
	struct report *r = report_new(c, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);
	struct report_view view = {.name = STR_LIT("a`|b"), .classes = 10, .note = STR_LIT("x\n")};
	struct buf out = BUF_INIT;
	const char *text = PROFILE("9") COUNT("5", "0xa", "main.a|b`c\x1b");

	(void)state;
	gdump_feed(g, text, strlen(text));
	assert_int_equal(gdump_finish(g, NULL), 0);
	report_end(r, gdump_stats(g));
	report_markdown(r, &view, &out);
	assert_non_null(strstr(out.p, "## Goroutines of `a'\\|b`\n"));
	assert_non_null(strstr(out.p, "- x\n- 4 of them (44.4 %) could not be read\n"));
	assert_non_null(strstr(out.p, "| 5 | 100.0 % | `main.a\\|b'c\\x1b` |"));
	assert_null(strchr(out.p, 0x1b));
	buf_release(&out);
	gdump_free(g);
	report_free(r);
	classifier_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changed_most_comes_first),
		cmocka_unit_test(markdown_holds_names_in),
	};

	return cmocka_run_group_tests_name("overtime", tests, NULL, NULL);
}
