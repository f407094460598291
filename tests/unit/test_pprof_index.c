/* What the page /debug/pprof/ says, as different Gos print it. */
#include "base.h"
#include "pprof_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void pages(void **state)
{
	static const struct {
		const char *what, *page;
		bool goroutine, leak;
		uint64_t n;
	} rows[] = {
		{"Go 1.10",
			"<table>\n<tr><td align=right>58<td><a href=\"goroutine?debug=1\">goroutine"
			"</a>\n<tr><td align=right>9<td><a href=\"heap?debug=1\">heap</a>",
			true, false, 58},
		{"Go 1.11 to 1.15",
			"<tr>\n\t<td>  7\n</td><td>\n<a "
			"href=goroutine?debug&#61;1>goroutine</a></td>",
			true, false, 7},
		{"Go 1.16 and later",
			"<thead><td>Count</td><td>Profile</td></thead>\n<tr><td>0</td><td><a "
			"href='cmdline?debug=1'>cmdline</a></td></tr>\n<tr><td>100231</td><td><a "
			"href='goroutine?debug=1'>goroutine</a></td></tr>",
			true, false, 100231},
		{"with the collector's profile",
			"<tr><td>12</td><td><a href='goroutine?debug=1'>goroutine</a></td></tr>\n"
			"<tr><td>0</td><td><a "
			"href='goroutineleak?debug=1'>goroutineleak</a></td></tr>",
			true, true, 12},
		{"a login page", "<html><td>5</td><td><a href='/login'>login</a></td>", false,
			false, 0},
		{"another list", "<td>5</td><td><a href='goroutines?debug=1'>x</a>", false, false,
			0},
		{"no number", "<td>many</td><td><a href='goroutine?debug=1'>x</a>", false, false,
			0},
		{"a number too large",
			"<td>99999999999999999999</td><td><a href='goroutine?debug=1'>x</a>", false,
			false, 0},
		{"cut in the middle", "<tr><td>58</td><td><a href='gorou", false, false, 0},
		{"cut in a tag", "<tr><td", false, false, 0},
		{"nothing", "", false, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pprof_index x;

		if (pprof_index_parse(str_of(rows[i].page), &x) != rows[i].goroutine ||
			x.goroutineleak != rows[i].leak || x.goroutines != rows[i].n)
			fail_msg("%s: %llu", rows[i].what, (unsigned long long)x.goroutines);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pages)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
