/* What a report finds of waits that can never end and of convoys, with and without a baseline. */
#include "compare.h"
#include "report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* n goroutines from that id on, that have waited so many minutes. */
static void add_pollers(struct buf *b, int id, int n, int minutes)
{
	for (int i = 0; i < n; i++)
		buf_addf(b,
			"goroutine %d [chan receive (nil chan), %d minutes]:\n"
			"main.(*source).poll(0xc000100000)\n\t/src/shop/poll.go:31 +0x1\n"
			"created by main.watch in goroutine 1\n\t/src/shop/poll.go:8 +0x1\n\n",
			id + i, minutes);
}

static void add_writers(struct buf *b, int id, int n, int minutes)
{
	for (int i = 0; i < n; i++)
		buf_addf(b,
			"goroutine %d [sync.Mutex.Lock, %d minutes]:\n"
			"sync.runtime_SemacquireMutex(0x0?)\n\t/go/src/runtime/sema.go:95 +0x25\n"
			"sync.(*Mutex).lockSlow(0xc000016018)\n\t/go/src/sync/mutex.go:149 +0x15a\n"
			"sync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:46\n"
			"main.(*journal).add(0xc000016000)\n\t/src/shop/journal.go:31 +0x1\n"
			"created by main.serve in goroutine 1\n\t/src/shop/main.go:8 +0x1\n\n",
			id + i, minutes);
}

static void add_others(struct buf *b)
{
	buf_adds(b,
		"goroutine 1 [select (no cases), 70 minutes]:\nmain.main()\n\t/src/shop/main.go:10 "
		"+0x1\n\n"
		"goroutine 2 [chan receive, 70 minutes]:\nmain.(*journal).flush(0xc000016000)\n"
		"\t/src/shop/journal.go:44 +0x1\ncreated by main.main in goroutine 1\n"
		"\t/src/shop/main.go:5 +0x1\n\n");
}

static void read_into(struct gdump_sink sink, const struct buf *text, struct gdump_stats *stats)
{
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, text->p, text->len);
	assert_int_equal(gdump_finish(g, NULL), 0);
	*stats = *gdump_stats(g);
	gdump_free(g);
}

struct side {
	int pollers, writers, minutes;
};

#define NONE                                                                                       \
	{                                                                                          \
		-1, 0, 0                                                                           \
	}
#define CONVOY_WORDS                                                                               \
	" wait for one lock in main.(*journal).add, which may be held by goroutine 2 [chan "       \
	"receive] in main.(*journal).flush; the oldest for 12 min"
#define UNKNOWN "; whether they become more, a second dump tells (--baseline)"

/* Rows: an older dump (or none), the newer one, and what is found. */
static void finds(void **state)
{
	static const struct {
		const char *what;
		struct side old, now;
		const char *found; /* "NAME words", a line each */
	} rows[] = {
		{"few", NONE, {9, 9, 12}, ""},
		{"ten of each", NONE, {10, 10, 12},
			"BlockedForever 10 wait for what can never happen [chan receive (nil "
			"chan)], created by main.watch; the oldest for 12 min" UNKNOWN "\n"
			"LockConvoy 10" CONVOY_WORDS UNKNOWN "\n"},
		{"a moment's queue", NONE, {0, 50, 0}, ""},
		{"as many as before: parked, and a queue that stands", {20, 20, 8}, {20, 20, 12},
			""},
		{"more than before", {4, 20, 8}, {7, 30, 12},
			"BlockedForever 7 wait for what can never happen [chan receive (nil "
			"chan)], created by main.watch; the oldest for 12 min; 3 more than in the "
			"baseline, and 0 left: 45.0 an hour (-5.9 to 95.9)\n"
			"LockConvoy 30" CONVOY_WORDS
			"; 10 more than in the baseline, and 0 left: 150 an hour (57.0 to 243)\n"},
	};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report *r = report_new(c, false);
		struct compare *cmp = compare_new(c);
		struct buf now = BUF_INIT, old = BUF_INIT, found = BUF_INIT;
		struct gdump_stats stats, before;
		json_t *doc, *f;
		size_t k;

		add_others(&now);
		add_pollers(&now, 100, rows[i].now.pollers, rows[i].now.minutes);
		add_writers(&now, 1000, rows[i].now.writers, rows[i].now.minutes);
		read_into(report_sink(r), &now, &stats);
		report_end(r, &stats);
		if (rows[i].old.pollers >= 0) {
			add_others(&old);
			add_pollers(&old, 100, rows[i].old.pollers, rows[i].old.minutes);
			add_writers(&old, 1000, rows[i].old.writers, rows[i].old.minutes);
			read_into(compare_sink(cmp, COMPARE_OLD, NULL), &old, &before);
			read_into(compare_sink(cmp, COMPARE_NEW, NULL), &now, &stats);
			compare_end(cmp, &before, &stats);
			report_baseline(r, cmp, STR("old.txt"), 4);
		}
		doc = report_json(r);
		json_array_foreach(json_object_get(doc, "findings"), k, f)
		{
			buf_addf(&found, "%s %s\n",
				json_string_value(json_object_get(f, "alertname")),
				json_string_value(json_object_get(f, "words")));
		}
		if (strcmp(found.len ? found.p : "", rows[i].found) != 0)
			fail_msg("%s:\n%s\nnot\n%s", rows[i].what, found.p, rows[i].found);
		json_decref(doc);
		report_free(r);
		compare_free(cmp);
		buf_release(&now);
		buf_release(&old);
		buf_release(&found);
	}
	classifier_free(c);
}

/* The same words in each form; and the convoy is what the analysis comes to. */
static void forms(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct report *r = report_new(c, false);
	struct report_view view = {.name = STR("now.txt"), .classes = 10};
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct gdump_stats stats;
	json_t *doc, *f;

	(void)state;
	add_others(&text);
	add_writers(&text, 1000, 30, 12);
	read_into(report_sink(r), &text, &stats);
	report_end(r, &stats);

	report_text(r, &view, &out);
	assert_non_null(
		strstr(out.p, "\n  LockConvoy: main.(*journal).add: 30" CONVOY_WORDS UNKNOWN "\n"));
	buf_reset(&out);
	report_markdown(r, &view, &out);
	assert_non_null(strstr(out.p, "`main.(*journal).add`: **30 of 32 goroutines (94 %)**"));
	assert_non_null(strstr(out.p, "LockConvoy: 30 wait for one lock in"));
	assert_non_null(strstr(out.p, "\n- **LockConvoy**: `main.(*journal).add`: 30 wait for"));
	buf_reset(&out);
	report_html(r, &view, &out);
	assert_non_null(strstr(out.p, "<li>LockConvoy: main.(*journal).add: 30 wait for one lock"));

	/* What causes it, where no rule says so. */
	assert_non_null(strstr(out.p, "its holder does not give back"));

	doc = report_json(r);
	f = json_array_get(json_object_get(doc, "findings"), 0);
	assert_string_equal(json_string_value(json_object_get(f, "lock")), "0xc000016018");
	assert_string_equal(json_string_value(json_object_get(f, "class")), "main.(*journal).add");
	assert_string_equal(
		json_string_value(json_object_get(f, "function")), "main.(*journal).add");
	assert_int_equal(json_integer_value(json_object_get(f, "count")), 30);
	assert_int_equal(json_integer_value(json_object_get(f, "oldest_minutes")), 12);
	assert_true(json_is_null(json_object_get(f, "more")));
	assert_int_equal(json_integer_value(json_object_get(
				 json_array_get(json_object_get(f, "holders"), 0), "goroutine")),
		2);
	json_decref(doc);
	buf_release(&text);
	buf_release(&out);
	report_free(r);
	classifier_free(c);
}

/* Of channels that are nil the usual words about channels would be wrong. */
static void cause(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct report *r = report_new(c, false);
	struct report_view view = {.name = STR("now.txt"), .classes = 10};
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct gdump_stats stats;

	(void)state;
	add_pollers(&text, 100, 12, 5);
	read_into(report_sink(r), &text, &stats);
	report_end(r, &stats);
	report_markdown(r, &view, &out);
	assert_non_null(strstr(out.p, "### Likely cause\n\nThe channel that they wait for is nil"));
	assert_non_null(strstr(out.p, "1. Look for where it should be made"));
	buf_release(&text);
	buf_release(&out);
	report_free(r);
	classifier_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds),
		cmocka_unit_test(forms),
		cmocka_unit_test(cause),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
