/* Several dumps in one body: where they are told apart, and where not. */
#include "../gdump_render.h"
#include "err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define RUN(id)	   "goroutine " id " [running]:\nmain.dump()\n\t/d.go:1 +0x1\n\n"
#define WAIT(id)   "goroutine " id " [select]:\nmain.f()\n\t/f.go:1 +0x1\n\n"
#define COUNT(n)   n " @ 0x1 0x2\n#\t0x1\tmain.f+0x1\t/f.go:1\n\n"
#define PROFILE(n) "goroutine profile: total " n "\n"

static const struct {
	const char *name, *text, *dumps; /* "parsed+duplicates-lost format", one after the other */
} rows[] = {
	{"one debug=1", PROFILE("3") COUNT("2") COUNT("1"), "3+0-0 debug1 "},
	{"debug=1 twice", PROFILE("3") COUNT("3") PROFILE("5") COUNT("4") COUNT("1"),
		"3+0-0 debug1 5+0-0 debug1 "},
	{"the first one lost something", PROFILE("9") COUNT("3") PROFILE("4") COUNT("4"),
		"3+0-6 debug1 4+0-0 debug1 "},
	{"debug=1, then debug=2", PROFILE("3") COUNT("3") RUN("7") WAIT("1"),
		"3+0-0 debug1 2+0-0 debug2 "},
	{"debug=2, then debug=1", RUN("7") WAIT("1") PROFILE("3") COUNT("3"),
		"2+0-0 debug2 3+0-0 debug1 "},
	{"debug=2 twice, the same goroutine prints", RUN("7") WAIT("1") RUN("7") WAIT("1"),
		"2+0-0 debug2 2+0-0 debug2 "},
	{"debug=2 twice, another one prints", RUN("7") WAIT("1") RUN("8") WAIT("1") WAIT("9"),
		"2+0-0 debug2 3+0-0 debug2 "},
	{"words between two dumps are of neither",
		RUN("7") WAIT("1") "=== 01:05\n" RUN("8") WAIT("1"), "2+0-0 debug2 2+0-0 debug2 "},
	{"one stack behind a dump is of the dump", RUN("7") WAIT("1") RUN("7"), "2+1-0 debug2 "},
	{"stacks of recovered panics", RUN("7") RUN("8") RUN("7") RUN("9"), "3+1-0 debug2 "},
	{"SIGQUIT twice, after a restart",
		"SIGQUIT: quit\n\n" WAIT("1") WAIT("2") "rax 0x0\nexit status 2\n"
							"SIGQUIT: quit\n\n" WAIT("1") WAIT("2"),
		"2+0-0 crash 2+0-0 crash "},
	{"SIGQUIT once, a part for each thread",
		"SIGQUIT: quit\n\n" WAIT("1") WAIT("2") "\n-----\n\nSIGQUIT: quit\n\n" WAIT("2"),
		"2+1-0 crash "},
	{"two panics", "panic: a\n\n" RUN("1") WAIT("2") "panic: b\n\n" RUN("1"),
		"2+0-0 crash 1+0-0 crash "},
	{"a panic whose end has no empty line",
		"panic: a\n\ngoroutine 1 [running]:\nmain.f()\n\t/f.go:1\nexit status 2\n"
		"panic: b\n\ngoroutine 1 [running]:\nmain.f()\n\t/f.go:1\n",
		"1+0-0 crash 1+0-0 crash "},
	{"a fatal error, the same",
		"panic: a\n\ngoroutine 1 [running]:\nmain.f()\n\t/f.go:1\nfatal error: b\n\n"
		"goroutine 1 [running]:\nmain.f()\n\t/f.go:1\n",
		"1+0-0 crash 1+0-0 crash "},
	{"SIGQUIT, the same",
		"panic: a\n\ngoroutine 1 [running]:\nmain.f()\n\t/f.go:1\nSIGQUIT: quit\n\n" WAIT(
			"1"),
		"1+0-0 crash 1+0-0 crash "},
	{"functions that begin like such lines",
		RUN("7") "goroutine 1 [select]:\npath.F()\n\t/f.go:1\nfake.F()\n\t/f.go:1\n"
			 "SI.F()\n\t/f.go:1\ngorilla.F()\n\t/f.go:1\n\n",
		"2+0-0 debug2 "},
	{"a panic printed twice", "panic: a\n\n" RUN("1") WAIT("2") "panic: a\n\n" RUN("1"),
		"2+1-0 crash "},
	{"a panic and what it became",
		"panic: a\n\tpanic: b\nfatal error: c\n\n" RUN("1") WAIT("2"), "2+0-0 crash "},
};

static void add_dump(void *arg, const struct gdump_stats *s)
{
	buf_addf(arg, "%" PRIu64 "+%" PRIu64 "-%" PRIu64 " %s ", s->parsed, s->duplicates, s->lost,
		gdump_format_name(s->format));
	if (s->bad_lines)
		buf_addf(arg, "(%s) ", s->first_bad);
}

static void dumps_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece < 4096; piece += piece < 40 ? 3 : 3000) {
			struct buf out = BUF_INIT;
			const struct gdump_sink sink = {.end = add_dump, .arg = &out};
			struct gdump *g = gdump_new(&sink);
			struct str text = str_of(rows[i].text);

			for (int round = 0; round < 2; round++) {
				buf_reset(&out);
				for (size_t at = 0; at < text.len; at += piece)
					gdump_feed(g, text.p + at, MIN(piece, text.len - at));
				assert_int_equal(gdump_finish(g, NULL), 0);
				add_dump(&out, gdump_stats(g));
				if (strcmp(out.p, rows[i].dumps) != 0)
					fail_msg("%s, in pieces of %zu: %s", rows[i].name, piece,
						out.p);
				gdump_reset(g);
			}
			gdump_free(g);
			buf_release(&out);
		}
	}
}

/* Without the callback nothing is told apart, and nothing is counted otherwise. */
static void one_without_the_callback(void **state)
{
	struct buf out = BUF_INIT;

	(void)state;
	render_dump(&out, str_of(PROFILE("3") COUNT("3") PROFILE("5") COUNT("5")), 0);
	assert_non_null(strstr(out.p, "debug1 announced=8 parsed=8"));
	buf_reset(&out);
	render_dump(&out, str_of(RUN("7") WAIT("1") RUN("7") WAIT("1")), 0);
	assert_non_null(strstr(out.p, "parsed=2 records=2 duplicates=2"));
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dumps_are_told_apart),
		cmocka_unit_test(one_without_the_callback),
	};

	return cmocka_run_group_tests_name("gdump_split", tests, NULL, NULL);
}
