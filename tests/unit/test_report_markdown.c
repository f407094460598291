/* The report as an engineer would write it up: what it says first, and on which evidence. */
#include "report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static struct pattern conn = {.text = STR_LIT("net/http.(*persistConn)")};
static struct pattern pool = {.text = STR_LIT("main.worker")};

static struct report *report_of(const struct classifier *c, const char *text, struct compare *also,
	struct gdump_stats *stats)
{
	struct report *r = report_new(c, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text, strlen(text));
	assert_int_equal(gdump_finish(g, NULL), 0);
	report_end(r, gdump_stats(g));
	*stats = *gdump_stats(g);
	gdump_free(g);
	if (also) {
		struct gdump_sink second = compare_sink(also, COMPARE_NEW, NULL);

		g = gdump_new(&second);
		gdump_feed(g, text, strlen(text));
		assert_int_equal(gdump_finish(g, NULL), 0);
		gdump_free(g);
	}
	return r;
}

static void read_old(struct compare *c, const char *text, struct gdump_stats *stats)
{
	const struct gdump_sink sink = compare_sink(c, COMPARE_OLD, NULL);
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text, strlen(text));
	assert_int_equal(gdump_finish(g, NULL), 0);
	*stats = *gdump_stats(g);
	gdump_free(g);
}

/* n goroutines in a state, with waits of min, min + step, …, in func at /src/x.go:line. */
static void add(struct buf *b, int first_id, int n, const char *state, int min, int step,
	const char *func, int line)
{
	for (int i = 0; i < n; i++) {
		buf_addf(b, "goroutine %d [%s", first_id + i, state);
		if (min + i * step > 0)
			buf_addf(b, ", %d minutes", min + i * step);
		buf_addf(b,
			"]:\n%s\n\t/src/x.go:%d +0x1\ncreated by main.start in goroutine 1\n"
			"\t/src/main.go:8 +0x1\n\n",
			func, line);
	}
}

struct parts {
	int first_id, n;
	const char *state;
	int min, step;
	const char *func;
	int line;
};

#define CONN	"net/http.(*persistConn).readLoop(0x1)"
#define REQUEST "net/http.(*Client).Do(0x1)\n\t/go/src/net/http/client.go:1 +0x1\nmain.probe(0x1)"
#define LOCKED	"sync.(*Mutex).lockSlow(0xc000010)\n\t/go/src/sync/mutex.go:1 +0x1\nmain.buy(0x1)"

static const struct {
	const char *what;
	struct parts old[4], now[4];
	double gap_minutes; /* 0: not given */
	const char *says[6], *says_not[3];
} rows[] = {
	{"young connections: one dump cannot tell, but whose requests they are", {{0}},
		{{100, 141, "IO wait", 3, 0, CONN, 9}, {300, 16, "select", 2, 0, REQUEST, 806}}, 0,
		{"`http-client-conn`: **141 of 157 goroutines (90 %)**, 141 of them waiting for a "
		 "minute or more, the oldest for 3 min. Whether it grows, this dump cannot tell",
			"### Likely cause, if it grows\n\nConnections.\n\nBodies that are not "
			"closed.\n",
			"- `main.probe` in `/src/x.go:806` (waits for a response, 16)\n",
			"1. Look for Close.\n", "`leakwatch report --baseline d NEW`",
			"`expect: {max: N}`"},
		{"### Growth", "### Since the baseline", "### Waiting for locks"}},
	{"waits of many lengths: a rate from one dump", {{0}},
		{{100, 400, "chan receive", 1, 1, "main.leak(0x1)", 7}}, 0,
		{"Its waits look like a leak, as if 60.",
			"### Likely cause\n\nThey wait for a value "
			"on a channel",
			"- `main.leak` in `/src/x.go:7` (waits at, 400)\n",
			"- `main.start` in `/src/main.go:8` (started at, 400)\n", "### Growth\n",
			"garbage collection that saw it |"},
		{"if it grows"}},
	{"two dumps of one process: who stayed and how fast",
		{{100, 60, "chan receive", 1, 1, "main.leak(0x1)", 7}},
		{{100, 60, "chan receive", 31, 1, "main.leak(0x1)", 7},
			{200, 40, "chan receive", 0, 0, "main.leak(0x1)", 7}},
		0,
		{"It grows by 80.0 an hour (53.4 to 108): two dumps of one process: 40 came and 0 "
		 "left "
		 "in 30 min (as the waits of 60 goroutines in both say); nobody leaves: of 51 that "
		 "had "
		 "waited 10 minutes, 51 are still there.",
			"60 then, 100 now (+40), about 30 min apart",
			"| +40 | 60 | 100 | 60 | 0 | 40 | `main.leak` |", "After the fix"},
		{"Take a second dump"}},
	{"two dumps and nothing that tells the time between them",
		{{100, 10, "chan receive", 0, 0, "main.leak(0x1)", 7}},
		{{200, 90, "chan receive", 0, 0, "main.leak(0x1)", 7}}, 0,
		{"It has grown: +80 since the baseline (10 then); how fast is not known",
			"how long apart is not known (--gap tells it)",
			"goroutines cannot be told apart"},
		{"### Growth"}},
	{"the same with --gap", {{100, 10, "chan receive", 0, 0, "main.leak(0x1)", 7}},
		{{200, 90, "chan receive", 0, 0, "main.leak(0x1)", 7}}, 20,
		{"It grows by 240 an hour (181 to 299): two dumps: 10 then, 90 now in 20 min "
		 "(--gap).",
			"20 min apart (--gap)"},
		{"is not known"}},
	{"locks: which one, and whom to look for", {{0}},
		{{100, 8, "sync.Mutex.Lock", 4, 1, LOCKED, 31},
			{200, 30, "select", 0, 0, "main.w()", 3}},
		0,
		{"`main.buy`: **8 of 38",
			"They are stuck: they have waited a minute or more for a lock",
			"- stuck: 8 in `sync.Mutex.Lock`, the oldest for 11 min\n",
			"| 8 | 11 min | `0xc000010` | `main.buy` in `/src/x.go:31` |",
			"Find who holds the lock `0xc000010`: it is not among the 8",
			"### Likely cause\n\nThey wait for a lock that its holder does not give "
			"back."},
		{NULL}},
	{"more than the rule expects", {{0}}, {{100, 30, "select", 0, 0, "main.worker()", 3}}, 0,
		{"More than its rule says are healthy, expected: at most 20, found: 30, 10 too "
		 "many.",
			"created by `main.start`; expected: at most 20"},
		{"if it grows", "`expect: {max: N}`"}},
};

static void add_parts(struct buf *b, const struct parts *p)
{
	for (int i = 0; i < 4 && p[i].n; i++)
		add(b, p[i].first_id, p[i].n, p[i].state, p[i].min, p[i].step, p[i].func,
			p[i].line);
}

static void check(size_t i, const char *text)
{
	for (size_t k = 0; k < ARRAY_LEN(rows[i].says) && rows[i].says[k]; k++) {
		if (!strstr(text, rows[i].says[k]))
			fail_msg("%s: does not say \"%s\":\n%s", rows[i].what, rows[i].says[k],
				text);
	}
	for (size_t k = 0; k < ARRAY_LEN(rows[i].says_not) && rows[i].says_not[k]; k++) {
		if (strstr(text, rows[i].says_not[k]))
			fail_msg("%s: says \"%s\":\n%s", rows[i].what, rows[i].says_not[k], text);
	}
}

static void the_strongest_evidence_is_told_first(void **state)
{
	const struct rule rules[] = {
		{.name = STR_LIT("http-client-conn"),
			.match = {.mentions = {&conn, 1}},
			.expect_max = NAN,
			.hint = STR_LIT("Connections. Growth: bodies that are not closed. Look for "
					"Close.")},
		{.name = STR_LIT("pool"), .match = {.entry = {&pool, 1}}, .expect_max = 20},
	};
	struct classifier *c = classifier_new(rules, ARRAY_LEN(rules), NULL);
	struct report_view view = {.name = STR_LIT("d"), .classes = 10};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf old = BUF_INIT, now = BUF_INIT, out = BUF_INIT;
		struct compare *x = rows[i].old[0].n ? compare_new(c) : NULL;
		struct gdump_stats before, stats;
		struct report *r;

		add_parts(&old, rows[i].old);
		add_parts(&now, rows[i].now);
		if (x)
			read_old(x, old.p, &before);
		r = report_of(c, now.p, x, &stats);
		if (x) {
			compare_end(x, &before, &stats);
			report_baseline(r, x, STR("before"),
				rows[i].gap_minutes > 0 ? rows[i].gap_minutes : NAN);
		}
		report_markdown(r, &view, &out);
		check(i, out.p);
		report_free(r);
		compare_free(x);
		buf_release(&old);
		buf_release(&now);
		buf_release(&out);
	}
	classifier_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_strongest_evidence_is_told_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
