#include "ages.h"
#include "config.h"
#include "report.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static const char dump[] =
	"goroutine 1 [select (no cases), 70 minutes]:\n"
	"main.main()\n\t/src/shop/main.go:10 +0x1\n\n"
	"goroutine 7 [sync.Mutex.Lock, 2 minutes]:\n"
	"sync.runtime_SemacquireMutex(0x0)\n\t/go/src/runtime/sema.go:95 +0x25\n"
	"sync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:46\n"
	"main.(*shop).buy(0x1)\n\t/src/shop/shop.go:31 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/shop/main.go:8 +0x1\n\n"
	"goroutine 8 [sync.Mutex.Lock, 1500 minutes]:\n"
	"sync.runtime_SemacquireMutex(0x0)\n\t/go/src/runtime/sema.go:95 +0x25\n"
	"sync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:46\n"
	"main.(*shop).buy(0x2)\n\t/src/shop/shop.go:31 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/shop/main.go:8 +0x1\n\n"
	"goroutine 9 [sync.Mutex.Lock]:\n"
	"sync.runtime_SemacquireMutex(0x0)\n\t/go/src/runtime/sema.go:95 +0x25\n"
	"sync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:46\n"
	"main.(*shop).sell(0x2)\n\t/src/shop/shop.go:47 +0x1\n"
	"main.(*shop).buy(0x2)\n\t/src/shop/shop.go:33 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/shop/main.go:8 +0x1\n\n"
	"goroutine 10 [chan receive (leaked)]:\n"
	"main.worker.func1()\n\t/src/shop/worker.go:3 +0x1\n"
	"created by main.startWorkers.gowrap1 in goroutine 1\n\t/src/shop/worker.go:2 +0x1\n\n"
	"goroutine 11 [IO wait]:\n"
	"internal/poll.runtime_pollWait(0x0)\n\t/go/src/runtime/netpoll.go:351 +0x85\n"
	"net/http.(*persistConn).readLoop(0x1)\n\t/go/src/net/http/transport.go:1 +0x1\n"
	"created by net/http.(*Transport).dialConn in goroutine "
	"1\n\t/go/src/net/http/transport.go:2 +0x1\n";

static const struct rule rules[] = {
	{.name = STR_LIT("http-client-conn"),
		.match = {.mentions = {(struct pattern[]){
					       {.text = STR_LIT("net/http.(*persistConn)")}},
				  1}},
		.expect_max = NAN,
		.hint = STR_LIT("close the body")},
};

static struct report *report_of(const struct classifier *c, const char *text, bool stacks)
{
	struct report *r = report_new(c, stacks);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;

	gdump_feed(g, text, strlen(text));
	if (gdump_finish(g, &err) != 0)
		fail_msg("%s", err.msg);
	report_end(r, gdump_stats(g));
	gdump_free(g);
	return r;
}

/* The contract of leakwatch(1), whole and in order. */
static void json_has_the_keys_of_the_contract(void **state)
{
	static const char want[] =
		"{\"format\":\"debug2\",\"total\":6,\"parsed\":6,\"duplicates\":0,\"lost\":0,"
		"\"truncated\":false,"
		"\"states\":["
		"{\"state\":\"IO wait\",\"minutes\":0,\"count\":1},"
		"{\"state\":\"chan receive\",\"minutes\":0,\"count\":1},"
		"{\"state\":\"select (no cases)\",\"minutes\":70,\"count\":1},"
		"{\"state\":\"sync.Mutex.Lock\",\"minutes\":1500,\"count\":1},"
		"{\"state\":\"sync.Mutex.Lock\",\"minutes\":2,\"count\":1},"
		"{\"state\":\"sync.Mutex.Lock\",\"minutes\":0,\"count\":1}],"
		"\"waiting\":{\"over_1m\":3,\"over_10m\":2,\"over_1h\":2,\"over_1d\":1},"
		"\"classes\":["
		"{\"class\":\"main.(*shop).buy\",\"count\":2,\"share\":0.3333,"
		"\"oldest_minutes\":1500,"
		"\"states\":[{\"state\":\"sync.Mutex.Lock\",\"count\":2}],"
		"\"entries\":[{\"function\":\"main.(*shop).buy\",\"count\":2}],"
		"\"created_by\":[{\"function\":\"main.serve\",\"count\":2}],"
		"\"locations\":[{\"function\":\"main.(*shop).buy\",\"file\":\"/src/shop/"
		"shop.go\",\"line\":31,\"count\":2}],"
		"\"stack\":[\"sync.runtime_SemacquireMutex /go/src/runtime/sema.go:95\","
		"\"sync.(*Mutex).Lock /go/src/sync/mutex.go:46\","
		"\"main.(*shop).buy /src/shop/shop.go:31\"],"
		"\"rate_per_hour\":null,\"ages\":{\"verdict\":\"untold\",\"reason\":"
		"\"no rate from one dump: 1 have waited 10 min or more, 40 are needed\","
		"\"over_10m\":1,\"start_up\":0,\"bins\":[]},\"expect\":null,\"hint\":\"\"},"
		"{\"class\":\"http-client-conn\",\"count\":1,\"share\":0.1667,"
		"\"oldest_minutes\":0,"
		"\"states\":[{\"state\":\"IO wait\",\"count\":1}],"
		"\"entries\":[{\"function\":\"net/http.(*persistConn).readLoop\",\"count\":1}],"
		"\"created_by\":[{\"function\":\"net/http.(*Transport).dialConn\",\"count\":1}],"
		"\"locations\":[],"
		"\"stack\":[\"internal/poll.runtime_pollWait /go/src/runtime/netpoll.go:351\","
		"\"net/http.(*persistConn).readLoop /go/src/net/http/transport.go:1\"],"
		"\"rate_per_hour\":null,\"ages\":null,\"expect\":null,"
		"\"hint\":\"close the body\"},";
	static const char end[] =
		"\"entries\":[{\"function\":\"main.(*shop).buy\",\"count\":3},"
		"{\"function\":\"main.main\",\"count\":1},"
		"{\"function\":\"main.worker.func1\",\"count\":1},"
		"{\"function\":\"net/http.(*persistConn).readLoop\",\"count\":1}],"
		"\"created_by\":[{\"function\":\"main.serve\",\"count\":3},"
		"{\"function\":\"main.startWorkers\",\"count\":1},"
		"{\"function\":\"net/http.(*Transport).dialConn\",\"count\":1}],"
		"\"stuck\":[{\"state\":\"sync.Mutex.Lock\",\"count\":2,\"oldest_minutes\":1500},"
		"{\"state\":\"select (no cases)\",\"count\":1,\"oldest_minutes\":70}],"
		"\"findings\":[],\"callers\":[],\"locks\":[]}";
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(rules, ARRAY_LEN(rules), &err);
	struct report *r = report_of(c, dump, false);
	json_t *doc = report_json(r);
	struct buf out = BUF_INIT;

	(void)state;
	json_write(doc, &out);
	assert_true(out.len > sizeof(want) + sizeof(end));
	assert_int_equal(strlen(want), sizeof(want) - 1);
	assert_string_equal(out.p + out.len - strlen(end), end);
	out.p[strlen(want)] = '\0';
	assert_string_equal(out.p, want);
	buf_release(&out);
	json_decref(doc);
	report_free(r);
	classifier_free(c);
}

/* The example stack is that of the majority, not of the largest record. */
static void the_example_is_the_usual_stack(void **state)
{
	static const char text[] = "goroutine profile: total 70\n"
				   "30 @ 0x1 0x2\n#\t0x1\tlib.org/a.Wait+0x1\t/a.go:1\n"
				   "#\t0x2\tmain.work+0x1\t/w.go:1\n\n"
				   "20 @ 0x3 0x2\n#\t0x3\tlib.org/b.Wait+0x1\t/b.go:1\n"
				   "#\t0x2\tmain.work+0x1\t/w.go:2\n\n"
				   "20 @ 0x4 0x2\n#\t0x4\tlib.org/b.Wait+0x1\t/b.go:1\n"
				   "#\t0x2\tmain.work+0x1\t/w.go:2\n\n";
	const struct rule all[] = {{.name = STR_LIT("all")}};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(all, 1, &err);
	struct report *r = report_of(c, text, false);
	json_t *doc = report_json(r), *class = json_array_get(json_object_get(doc, "classes"), 0);

	(void)state;
	assert_string_equal(json_string_value(json_array_get(json_object_get(class, "stack"), 0)),
		"lib.org/b.Wait /b.go:1");
	assert_int_equal(json_integer_value(json_object_get(class, "count")), 70);
	json_decref(doc);
	report_free(r);
	classifier_free(c);
}

/* More classes than are kept: the rest is "other", and nothing is lost. */
static void classes_are_limited(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct buf text = BUF_INIT;
	uint64_t sum = 0, other = 0;
	struct report *r;
	json_t *doc, *classes;

	(void)state;
	buf_addf(&text, "goroutine profile: total %d\n", REPORT_CLASSES_MAX + 500);
	for (int i = 0; i < REPORT_CLASSES_MAX + 500; i++)
		buf_addf(&text, "1 @ 0x%x\n#\t0x%x\tmain.f%d+0x1\t/f.go:1\n\n", i + 1, i, i);
	r = report_of(c, text.p, false);
	doc = report_json(r);
	classes = json_object_get(doc, "classes");
	assert_int_equal(json_array_size(classes), REPORT_CLASSES_MAX + 1);
	for (size_t i = 0; i < json_array_size(classes); i++) {
		json_t *class = json_array_get(classes, i);
		uint64_t n = (uint64_t)json_integer_value(json_object_get(class, "count"));

		sum += n;
		if (strcmp(json_string_value(json_object_get(class, "class")), "other") == 0)
			other = n;
	}
	assert_int_equal(sum, REPORT_CLASSES_MAX + 500);
	assert_int_equal(other, 500);
	json_decref(doc);
	report_free(r);
	classifier_free(c);
	buf_release(&text);
}

static void text_is_readable_and_safe(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(rules, ARRAY_LEN(rules), &err);
	struct report *r = report_of(c, dump, false), *evil;
	struct report_view view = {.name = STR_LIT("a\x1b[31m"), .classes = 2, .columns = 100};
	struct buf out = BUF_INIT;

	(void)state;
	report_text(r, &view, &out);
	assert_non_null(strstr(out.p, "a\\x1b[31m: 6 goroutines in 5 classes (debug2)\n"));
	assert_non_null(strstr(out.p, "waiting for a minute or more: 3, 10 minutes: 2, an hour: 2, "
				      "a day: 1\n"));
	assert_non_null(strstr(out.p, "stuck: 2 in sync.Mutex.Lock, the oldest for 1 d\n"));
	assert_non_null(strstr(out.p, "at main.(*shop).buy /src/shop/shop.go:31\n"));
	assert_non_null(strstr(out.p, "created by main.serve\n"));
	assert_non_null(strstr(out.p, "in 3 more classes"));
	buf_reset(&out);
	evil = report_of(c,
		"goroutine 1 [chan \x1b[2Jreceive]:\nmain.\x1b]0;x\x07(0x1)\n\t/src/%n.go:1 +0x1\n",
		false);
	report_text(evil, &view, &out);
	assert_null(strchr(out.p, '\x1b'));
	assert_null(strchr(out.p, '\x07'));
	assert_non_null(strstr(out.p, "%n.go:1"));
	buf_release(&out);
	report_free(evil);
	report_free(r);
	classifier_free(c);
}

static void collect_cb(void *arg, size_t index, struct str name, struct str text)
{
	buf_addf(arg, "<%zu %.*s>\n%.*s", index, STR_ARG(name), STR_ARG(text));
}

static void stacks_are_kept_by_class(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(rules, ARRAY_LEN(rules), &err);
	struct report *r = report_of(c, dump, true);
	struct buf out = BUF_INIT;

	(void)state;
	report_stacks(r, collect_cb, &out);
	assert_memory_equal(out.p,
		"<0 main.(*shop).buy>\n2 goroutines\n[sync.Mutex.Lock]\n"
		"sync.runtime_SemacquireMutex /go/src/runtime/sema.go:95\n"
		"sync.(*Mutex).Lock /go/src/sync/mutex.go:46\n"
		"main.(*shop).buy /src/shop/shop.go:31\ncreated by main.serve\n<1 http",
		194);
	buf_release(&out);
	report_free(r);
	classifier_free(c);
}

#define LOCK_CAUSE "They wait for a lock that its holder does not give back."
#define LOCK_LOOK                                                                                  \
	"Look for the goroutine that holds it: a Lock without Unlock on one way out (use defer), " \
	"a lock held over a network call or a channel operation, or two locks that are taken in "  \
	"both orders."

static void rules_are_suggested_for_what_has_none(void **state)
{
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(rules, ARRAY_LEN(rules), &err);
	struct report *r = report_of(c, dump, false);
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(report_suggest(r, 2, &out), 2);
	assert_string_equal(out.p, /* the narrower rule first: the other would take its stacks */
		"classes:\n"
		"  - name: shop-sell   # 1 goroutine\n"
		"    match:\n"
		"      entry: \"main.(*shop).buy\"\n"
		"      mentions: \"main.(*shop).sell\"\n"
		"    hint: \"Mostly in sync.Mutex.Lock at main.(*shop).sell, created by "
		"main.serve. "
		"Normal: as many as one? Growth: " LOCK_CAUSE " " LOCK_LOOK "\"\n"
		"  - name: shop-buy   # 2 goroutines\n"
		"    match:\n"
		"      entry: \"main.(*shop).buy\"\n"
		"    hint: \"Mostly in sync.Mutex.Lock at main.(*shop).buy, created by main.serve. "
		"Normal: as many as N? Growth: " LOCK_CAUSE " " LOCK_LOOK "\"\n"
		"# 2 smaller classes, 2 goroutines in all, have no rule\n");
	buf_reset(&out);
	assert_int_equal(report_suggest(r, 100, &out), 4);
	assert_non_null(strstr(out.p, "  - name: main   # 1 goroutine\n    match:\n      entry: "
				      "\"main.main.func\"\n"));
	assert_null(strstr(out.p, "persistConn"));
	buf_release(&out);
	report_free(r);
	classifier_free(c);
}

/* Fed back, each rule takes its class and no other, also where one name begins another. */
static void suggested_rules_take_their_classes(void **state)
{
	static const char text[] = "goroutine profile: total 20\n"
				   "9 @ 0x1 0x2\n#\t0x2\tmain.park+0x1\t/p.go:1\n\n"
				   "6 @ 0x1 0x3\n#\t0x3\tmain.parkNone+0x1\t/p.go:2\n\n"
				   "3 @ 0x1 0x4\n#\t0x4\tmain.parkNoneEver.func1+0x1\t/p.go:3\n\n"
				   "2 @ 0x1 0x5\n#\t0x5\tmain.main.func2+0x1\t/p.go:4\n\n";
	static const char *const order[] = {"park-none-ever ", "park-none ", "park ", "main "};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct report *r = report_of(c, text, false), *again;
	struct buf out = BUF_INIT;
	struct config_errors errs;
	struct arena a = ARENA_INIT;
	struct classifier *suggested;
	const char *at, *before;
	struct rule *made;
	struct str name;
	size_t n;

	(void)state;
	assert_int_equal(report_suggest(r, 30, &out), 4);
	before = out.p;
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		char line[64];

		snprintf(line, sizeof(line), "- name: %s", order[i]);
		at = strstr(out.p, line);
		assert_non_null(at);
		assert_true(at > before);
		before = at;
	}
	config_errors_init(&errs);
	assert_int_equal(config_parse_rules(buf_str(&out), false, &a, &made, &n, &errs), 0);
	suggested = classifier_new(made, n, &err);
	again = report_of(suggested, text, false);
	assert_int_equal(report_class_count(again), 4);
	for (size_t i = 0; i < 4; i++) {
		static const uint64_t counts[] = {9, 6, 3, 2};

		assert_int_equal(report_class_at(again, i, &name), counts[i]);
		assert_true(str_chr(name, '.') < 0); /* a rule's, no automatic one */
	}
	report_free(again);
	classifier_free(suggested);
	config_errors_release(&errs);
	arena_release(&a);
	buf_release(&out);
	report_free(r);
	classifier_free(c);
}

/* debug=1: no state but what the frames tell, no age, no creator; the announced total. */
static void debug1_tells_less(void **state)
{
	static const char text[] =
		"goroutine profile: total 7\n"
		"4 @ 0x10 0x20 0x30\n#\t0x2f\tmain.worker+0x1\t/w.go:1\n\n"
		"2 @ 0x10 0x21 0x31 0x41\n#\t0x30\tinternal/poll.runtime_pollWait+0x1\t/n.go:1\n"
		"#\t0x40\tmain.read+0x1\t/r.go:1\n\n";
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct report *r = report_of(c, text, false);
	json_t *doc = report_json(r);
	struct buf out = BUF_INIT;

	(void)state;
	json_write(doc, &out);
	assert_memory_equal(out.p,
		"{\"format\":\"debug1\",\"total\":7,\"parsed\":6,\"duplicates\":0,\"lost\":1,"
		"\"truncated\":",
		76);
	assert_non_null(
		strstr(out.p, "\"states\":[{\"state\":\"IO wait\",\"minutes\":0,\"count\":2}],"));
	assert_non_null(strstr(out.p,
		"\"created_by\":[],\"stuck\":[],\"findings\":[],\"callers\":[],\"locks\":[]}"));
	buf_release(&out);
	json_decref(doc);
	report_free(r);
	classifier_free(c);
}

/* A goroutine a minute since nine hours ago, in a class of which 100 are expected. */
static void waits_give_a_rate_and_rules_an_excess(void **state)
{
	static const struct pattern worker = {.text = STR_LIT("main.worker")};
	const struct rule pool[] = {{.name = STR_LIT("pool"),
		.match = {.entry = {(struct pattern *)&worker, 1}},
		.expect_max = 100,
		.expect_slack = 5}};
	static const struct rule by_metric[] = {{.name = STR_LIT("pool"),
		.expect_max = NAN,
		.expect_metric = STR_LIT("app_agents{zone=\"a\"}"),
		.expect_factor = 2,
		.expect_slack = 5}};
	struct report_view view = {.name = STR_LIT("x"), .classes = 9, .columns = 0};
	struct buf text = BUF_INIT, out = BUF_INIT;
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(pool, 1, &err);
	struct report *r;
	json_t *doc, *class, *rate;

	(void)state;
	for (int i = 0; i < 540; i++)
		buf_addf(&text,
			"goroutine %d [select, %d minutes]:\nmain.worker()\n\t/w.go:1 +0x1\n\n",
			i + 1, i + 1);
	r = report_of(c, text.p, false);
	doc = report_json(r);
	class = json_array_get(json_object_get(doc, "classes"), 0);
	rate = json_object_get(class, "rate_per_hour");
	assert_true(fabs(json_number_value(json_object_get(rate, "estimate")) - 60) < 1);
	assert_true(json_number_value(json_object_get(rate, "low")) < 60);
	assert_true(json_number_value(json_object_get(rate, "high")) > 60);
	assert_non_null(strstr(json_string_value(json_object_get(rate, "basis")),
		"waits in one dump, spread evenly over 10 min to 8.8 h"));
	rate = json_object_get(class, "ages");
	assert_string_equal(json_string_value(json_object_get(rate, "verdict")), "leaking");
	assert_int_equal(json_array_size(json_object_get(rate, "bins")), AGES_BINS);
	rate = json_object_get(class, "expect");
	assert_true(json_number_value(json_object_get(rate, "max")) == 105);
	assert_true(json_number_value(json_object_get(rate, "excess")) == 435);
	report_text(r, &view, &out);
	assert_non_null(strstr(out.p, "expected: at most 105, found: 540, 435 too many\n"));
	assert_non_null(strstr(out.p, "waits: as if 60"));
	json_decref(doc);
	report_free(r);
	classifier_free(c);

	c = classifier_new(by_metric, 1, &err);
	r = report_of(c, dump, false);
	doc = report_json(r);
	class = json_array_get(json_object_get(doc, "classes"), 0);
	rate = json_object_get(class, "expect");
	assert_string_equal(
		json_string_value(json_object_get(rate, "max_metric")), "app_agents{zone=\"a\"}");
	assert_null(json_object_get(rate, "excess"));
	buf_reset(&out);
	report_text(r, &view, &out);
	assert_non_null(strstr(out.p, "expected: 2 * app_agents{zone=\"a\"} + 5, which no dump "
				      "tells"));
	json_decref(doc);
	report_free(r);
	classifier_free(c);
	buf_release(&text);
	buf_release(&out);
}

/* Each connection was created by dialConn; who uses them is told by the code that called. */
static void http_requests_are_told_by_their_caller(void **state)
{
	static const char text[] =
		"goroutine 5 [select, 3 minutes]:\n"
		"net/http.(*persistConn).roundTrip(0x1)\n\t/go/src/net/http/transport.go:9 +0x1\n"
		"net/http.(*Transport).RoundTrip(0x1)\n\t/go/src/net/http/roundtrip.go:9 +0x1\n"
		"net/http.(*Client).Do(0x1)\n\t/go/src/net/http/client.go:9 +0x1\n"
		"main.(*monitor).probe(0x1)\n\t/src/container_monitor.go:806 +0x1\n"
		"created by main.run\n\t/src/main.go:1 +0x1\n\n";
	struct report_view view = {.name = STR_LIT("x"), .classes = 9, .columns = 0};
	struct err err = ERR_INIT;
	struct classifier *c = classifier_new(NULL, 0, &err);
	struct report *r = report_of(c, text, false);
	json_t *doc = report_json(r), *row = json_array_get(json_object_get(doc, "callers"), 0);
	struct buf out = BUF_INIT;

	(void)state;
	assert_string_equal(
		json_string_value(json_object_get(row, "function")), "main.(*monitor).probe");
	assert_string_equal(
		json_string_value(json_object_get(row, "doing")), "waits for a response");
	assert_int_equal(json_integer_value(json_object_get(row, "line")), 806);
	assert_int_equal(json_integer_value(json_object_get(row, "oldest_minutes")), 3);
	report_text(r, &view, &out);
	assert_non_null(strstr(out.p,
		"waits for a response: main.(*monitor).probe /src/container_monitor.go:806\n"));
	json_decref(doc);
	report_free(r);
	classifier_free(c);
	buf_release(&out);
}

/*
 * The class of a stack that was seen before is remembered: all that rules look at has to tell two
 * apart, what they do not look at may not.
 */
static void remembers_a_class_by_all_that_rules_see(void **state)
{
	struct label_match tenant = {.key = STR_LIT("tenant"),
		.values = {(struct pattern[]){{.text = STR_LIT("acme")}}, 1}};
	const struct rule by_all[] = {
		{.name = STR_LIT("of-acme"), .match = {.labels = &tenant, .nlabels = 1}},
		{.name = STR_LIT("sleeps"), .match = {.waits = 1u << WAIT_SLEEP}},
		{.name = STR_LIT("line-8"),
			.match = {.file = {(struct pattern[]){{.text = STR_LIT("a.go:8")}}, 1}}},
		{.name = STR_LIT("split"),
			.match = {.entry = {(struct pattern[]){{.text = STR_LIT("main.s")}}, 1}},
			.split_by = STR_LIT("tenant")},
	};
	static const char text[] =
		"goroutine 1 [select]:\nmain.f(0x1)\n\t/src/a.go:7 +0x1\n\n"
		"goroutine 2 [select, 3 minutes]:\nmain.f(0x2)\n\t/src/a.go:7 +0x2\n\n"
		"goroutine 3 [sleep]:\nmain.f(0x1)\n\t/src/a.go:7 +0x1\n\n"
		"goroutine 4 [select]:\nmain.f(0x1)\n\t/src/a.go:8 +0x1\n\n"
		"goroutine 5 [select] {tenant: acme}:\nmain.f(0x1)\n\t/src/a.go:7 +0x1\n\n"
		"goroutine 6 [select] {tenant: b}:\nmain.s(0x1)\n\t/src/a.go:7 +0x1\n\n"
		"goroutine 7 [select] {tenant: c}:\nmain.s(0x1)\n\t/src/a.go:7 +0x1\n\n"
		"goroutine 8 [select] {tenant: b}:\nmain.s(0x1)\n\t/src/a.go:7 +0x1\n\n";
	static const struct {
		const char *name;
		uint64_t count;
	} want[] = {{"main.f", 2}, {"split{tenant=b}", 2}, {"line-8", 1}, {"of-acme", 1},
		{"sleeps", 1}, {"split{tenant=c}", 1}};
	struct classifier *c = classifier_new(by_all, ARRAY_LEN(by_all), NULL);
	struct report *r = report_of(c, text, false);

	(void)state;
	assert_int_equal(report_class_count(r), ARRAY_LEN(want));
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		struct str name;

		assert_int_equal(report_class_at(r, i, &name), want[i].count);
		assert_true(str_is(name, want[i].name));
	}
	report_free(r);
	classifier_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(remembers_a_class_by_all_that_rules_see),
		cmocka_unit_test(json_has_the_keys_of_the_contract),
		cmocka_unit_test(the_example_is_the_usual_stack),
		cmocka_unit_test(classes_are_limited),
		cmocka_unit_test(text_is_readable_and_safe),
		cmocka_unit_test(stacks_are_kept_by_class),
		cmocka_unit_test(rules_are_suggested_for_what_has_none),
		cmocka_unit_test(suggested_rules_take_their_classes),
		cmocka_unit_test(debug1_tells_less),
		cmocka_unit_test(waits_give_a_rate_and_rules_an_excess),
		cmocka_unit_test(http_requests_are_told_by_their_caller),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
