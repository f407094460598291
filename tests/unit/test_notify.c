/*
 * What is sent: the webhook's body, its signature and id, and the words of an alert.
 */
#include "json.h"
#include "notify.h"
#include "xalloc.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define T0 1795233965123 /* 2026-11-21T04:06:05.123Z */

/* ---- bodies ---------------------------------------------------------------------------------- */

struct table {
	struct alert_table *t;
	struct buf body; /* of the last change */
};

/* As the daemon does: the body is made at the change. */
static void body_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	struct table *table = arg;
	struct notify_group g = {.receiver = STR("oncall"),
		.external_url = STR("http://web-1:9765"),
		.alerts = &a,
		.n = 1};

	(void)old, (void)why;
	buf_reset(&table->body);
	notify_webhook(&g, &table->body);
}

static void table_init(struct table *table)
{
	buf_init(&table->body);
	table->t = alert_table_new(body_cb, table);
}

static void table_release(struct table *table)
{
	alert_table_free(table->t);
	buf_release(&table->body);
}

static const struct alert *raise_one(struct table *table, struct str instance, struct str class)
{
	const struct label labels[] = {
		{STR("job"), STR("shop")}, {STR("instance"), instance}, {STR("class"), class}};
	struct alert_labels annotations = ALERT_LABELS_INIT;
	const struct alert *a;

	alert_labels_put_text(&annotations, STR("summary"), instance);
	alert_labels_put_text(&annotations, STR("hint"), STR("Response body not closed."));
	a = alert_raise(table->t, ALERT_GOROUTINE_LEAK, labels, 3, &annotations, "grows", T0, NULL);
	alert_labels_release(&annotations);
	return a;
}

static json_t *parsed(const struct buf *body)
{
	struct err err = ERR_INIT;
	json_t *doc = json_read(buf_str(body), &err);

	if (!doc)
		fail_msg("%s in %s", err.msg, body->p);
	assert_int_equal(str_chr(buf_str(body), '\n'), -1);
	return doc;
}

static void expect_text(json_t *o, const char *key, const char *want)
{
	const char *got = json_string_value(json_object_get(o, key));

	if (!got || strcmp(got, want) != 0)
		fail_msg("%s is %s, not %s", key, got ? got : "missing", want);
}

static void test_body(void **state)
{
	struct table table;
	const struct alert *a;
	json_t *doc, *alert;
	char command[64];

	(void)state;
	table_init(&table);
	a = raise_one(&table, STR("127.0.0.1:6060"), STR("http-client-conn"));
	snprintf(command, sizeof(command), "leakwatch alerts show %s", a->id);
	doc = parsed(&table.body);
	expect_text(doc, "version", "4");
	expect_text(doc, "status", "firing");
	expect_text(doc, "receiver", "oncall");
	expect_text(doc, "externalURL", "http://web-1:9765");
	expect_text(doc, "groupKey",
		"{}:{alertname=\"GoroutineLeak\",class=\"http-client-conn\","
		"instance=\"127.0.0.1:6060\",job=\"shop\",severity=\"page\"}");
	assert_true(json_is_integer(json_object_get(doc, "truncatedAlerts")));
	assert_int_equal(json_integer_value(json_object_get(doc, "truncatedAlerts")), 0);
	assert_int_equal(json_object_size(doc), 10);
	assert_int_equal(json_object_size(json_object_get(doc, "groupLabels")), 5);
	expect_text(json_object_get(doc, "groupLabels"), "class", "http-client-conn");
	expect_text(json_object_get(doc, "commonLabels"), "job", "shop");
	expect_text(json_object_get(doc, "commonAnnotations"), "summary", "127.0.0.1:6060");
	assert_int_equal(json_array_size(json_object_get(doc, "alerts")), 1);
	alert = json_array_get(json_object_get(doc, "alerts"), 0);
	assert_int_equal(json_object_size(alert), 7);
	expect_text(alert, "status", "firing");
	expect_text(json_object_get(alert, "labels"), "alertname", "GoroutineLeak");
	expect_text(json_object_get(alert, "labels"), "severity", "page");
	expect_text(json_object_get(alert, "labels"), "instance", "127.0.0.1:6060");
	expect_text(json_object_get(alert, "annotations"), "hint", "Response body not closed.");
	expect_text(json_object_get(alert, "annotations"), "look_further", command);
	expect_text(alert, "startsAt", "2026-11-21T04:06:05.123Z");
	expect_text(alert, "endsAt", "0001-01-01T00:00:00Z");
	snprintf(command, sizeof(command), "http://web-1:9765/alerts/%s", a->id);
	expect_text(alert, "generatorURL", command);
	expect_text(json_object_get(alert, "annotations"), "page", command);
	assert_int_equal(strlen(json_string_value(json_object_get(alert, "fingerprint"))), 16);
	json_decref(doc);

	alert_clear(table.t, a->id, ALERT_END_CHANGED, "", T0 + 61004);
	doc = parsed(&table.body);
	alert = json_array_get(json_object_get(doc, "alerts"), 0);
	expect_text(doc, "status", "resolved");
	expect_text(alert, "status", "resolved");
	expect_text(alert, "startsAt", "2026-11-21T04:06:05.123Z");
	expect_text(alert, "endsAt", "2026-11-21T04:07:06.127Z");
	json_decref(doc);
	table_release(&table);
}

/* Two of a group: what they share is common, and one that still fires makes the message fire. */
static void test_group(void **state)
{
	static const char *const by[] = {"job", "class", "no_such_label"};
	struct table table;
	struct buf body = BUF_INIT;
	const struct alert *two[2];
	struct alert over;
	struct notify_group g = {.receiver = STR("oncall"),
		.group_by = by,
		.ngroup_by = 3,
		.alerts = two,
		.n = 2,
		.truncated = 38};
	json_t *doc, *alerts;

	(void)state;
	table_init(&table);
	two[0] = raise_one(&table, STR("a:6060"), STR("worker"));
	two[1] = raise_one(&table, STR("b:6060"), STR("worker"));
	over = *two[1];
	over.state = ALERT_RESOLVED;
	over.resolved_ms = T0 + 2000;
	two[1] = &over;
	notify_webhook(&g, &body);
	doc = parsed(&body);
	alerts = json_object_get(doc, "alerts");
	expect_text(doc, "status", "firing");
	expect_text(doc, "groupKey", "{}:{class=\"worker\",job=\"shop\"}");
	assert_int_equal(json_integer_value(json_object_get(doc, "truncatedAlerts")), 38);
	assert_int_equal(json_object_size(json_object_get(doc, "groupLabels")), 2);
	assert_int_equal(json_object_size(json_object_get(doc, "commonLabels")), 4);
	assert_null(json_object_get(json_object_get(doc, "commonLabels"), "instance"));
	assert_int_equal(json_object_size(json_object_get(doc, "commonAnnotations")), 1);
	expect_text(json_array_get(alerts, 0), "status", "firing");
	expect_text(json_array_get(alerts, 1), "status", "resolved");
	expect_text(json_array_get(alerts, 1), "endsAt", "2026-11-21T04:06:07.123Z");
	assert_string_not_equal(
		json_string_value(json_object_get(json_array_get(alerts, 0), "fingerprint")),
		json_string_value(json_object_get(json_array_get(alerts, 1), "fingerprint")));
	json_decref(doc);
	buf_release(&body);
	table_release(&table);
}

/* Whatever a scraped process calls its functions, the body is one JSON document of one line. */
static void test_hostile(void **state)
{
	static const struct {
		const char *name;
		struct str class;
		const char *want;
	} rows[] = {
		{"ends the string", STR_LIT("x\",\"status\":\"resolved\",\"y\":\""),
			"x\",\"status\":\"resolved\",\"y\":\""},
		{"a new line", STR_LIT("a\r\nb"), "a\\r\\nb"},
		{"an escape sequence and a NUL", STR_LIT("\x1b]0;x\a\0y"), "\\x1b]0;x\\x07\\x00y"},
		{"not UTF-8", STR_LIT("\xc0\xaf\xed\xa0\x80"), "\\xc0\\xaf\\xed\\xa0\\x80"},
		{"a format string", STR_LIT("%s%n%999999d"), "%s%n%999999d"},
		{"backslashes", STR_LIT("\\u0000\\"), "\\u0000\\"},
		{"markup", STR_LIT("</script><!--"), "</script><!--"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct table table;
		json_t *doc, *labels;

		table_init(&table);
		assert_non_null(raise_one(&table, STR("a:1"), rows[i].class));
		doc = parsed(&table.body);
		expect_text(doc, "status", "firing");
		labels = json_object_get(
			json_array_get(json_object_get(doc, "alerts"), 0), "labels");
		expect_text(labels, "class", rows[i].want);
		json_decref(doc);
		table_release(&table);
	}
}

/* 64 KiB everywhere an outsider can put it: the standard advises bodies of some 20 kB, which all
 * that names can hold at once may pass, but not by much. */
static void test_body_bound(void **state)
{
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels annotations = ALERT_LABELS_INIT;
	struct table table;
	char *big = xmalloc(65536);
	struct str s = str_n(big, 65536);
	struct label labels[] = {{STR("job"), s}, {STR("instance"), s}, {STR("class"), s}, {s, s}};
	json_t *doc;

	(void)state;
	memset(big, 'x', 65536);
	f.job = f.instance = f.class = f.wait = f.created_by = f.hint = f.reason = s;
	f.user.func = f.user.file = f.example_stack = s;
	f.culprit = f.evidence = f.fleet = f.instances = f.first_seen = f.version = s;
	notify_text(&f, &annotations);
	table_init(&table);
	assert_non_null(
		alert_raise(table.t, ALERT_GOROUTINE_LEAK, labels, 4, &annotations, "", T0, NULL));
	assert_in_range(table.body.len, 8000, 36000);
	doc = parsed(&table.body);
	json_decref(doc);
	alert_labels_release(&annotations);
	table_release(&table);
	free(big);
}

static void test_time(void **state)
{
	static const struct {
		int64_t ms;
		const char *want;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{T0, "2026-11-21T04:06:05.123Z"},
		{1709210096007, "2024-02-29T12:34:56.007Z"}, /* a leap day */
		{-5, "1970-01-01T00:00:00.000Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z"},
	};
	char out[NOTIFY_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		notify_time(rows[i].ms, out);
		assert_string_equal(out, rows[i].want);
	}
}

/* ---- id and signature ------------------------------------------------------------------------ */

static void test_webhook_id(void **state)
{
	char a[NOTIFY_ID_MAX], b[NOTIFY_ID_MAX];

	(void)state;
	notify_webhook_id("0123456789abcdef", 1, STR("oncall"), a);
	assert_int_equal(strspn(a, "lw_0123456789abcdef"), strlen(a));
	assert_int_equal(strlen(a), 35);
	/* stored in databases and in receivers' memory: it may never change */
	assert_string_equal(a, "lw_32264021893ebd2a4c4fe8e372c56119");
	notify_webhook_id("0123456789abcdef", 1, STR("oncall"), b);
	assert_string_equal(a, b);
	notify_webhook_id("0123456789abcdef", 2, STR("oncall"), b);
	assert_string_not_equal(a, b);
	notify_webhook_id("0123456789abcdef", 1, STR("team"), b);
	assert_string_not_equal(a, b);
	notify_webhook_id("0123456789abcdee", 1, STR("oncall"), b);
	assert_string_not_equal(a, b);
}

static void test_sign(void **state)
{
	static const struct {
		const char *name, *secret, *want; /* NULL: refused */
	} rows[] = {
		/* the vector that the Standard Webhooks libraries are tested with */
		{"published vector", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"a newline after it, as a file has", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
			"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
		{"another key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx",
			"v1,tplIkDCH3rarRrDmBTSF8KvwVwOa1V0K1EGlYMcOdlM="},
		{"padded by one",
			"whsec_c2VjcmV0IQ8=", "v1,+eLk5DW5bAqZDyt5iHERJv8aX6k19bBynRB5NTtCrBA="},
		{"padded by two",
			"whsec_c2VjcmV0IQ==", "v1,Gq5XdHE2IPJAlrMM3WNrNuCIJLFadUOJLHJ55KUjl0A="},
		/* HMAC fills keys of up to 64 bytes with zeros, so only longer ones show that
		 * padding is not part of the key */
		{"67 bytes",
			"whsec_"
			"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2"
			"tra2tra2tra2traw==",
			"v1,dzDqWfeRXu40xdqXytLOI4N1SxOXzUJgoPxXYKvldWM="},
		{"68 bytes",
			"whsec_"
			"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2"
			"tra2tra2tra2tra2s=",
			"v1,J2/9F5OjpFU17JW+bJm1AJC/00yNwsfDqQJGo1BD6LI="},
		{"without the prefix the bytes are the key", "secret!",
			"v1,Gq5XdHE2IPJAlrMM3WNrNuCIJLFadUOJLHJ55KUjl0A="},
		{"empty", "", NULL},
		{"nothing but the prefix", "whsec_", NULL},
		{"not base64", "whsec_abc$", NULL},
		{"base64 of another alphabet", "whsec_ab-_", NULL},
		{"its last character is none", "whsec_abc-", NULL},
		{"padding in the middle", "whsec_ab==abcd", NULL},
		{"cut short", "whsec_abcde", NULL},
	};
	struct str body = STR("{\"test\": 2432232314}");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[NOTIFY_SIGNATURE_MAX] = "";
		struct err err = ERR_INIT;
		int rc = notify_sign(str_of(rows[i].secret), "msg_p5jXN8AQM9LWM0D4loKWxJek",
			1614265330, body, out, &err);

		if (rc != (rows[i].want ? 0 : -1))
			fail_msg("%s: returned %d: %s", rows[i].name, rc, err.msg);
		if (rows[i].want && strcmp(out, rows[i].want) != 0)
			fail_msg("%s: %s", rows[i].name, out);
		if (!rows[i].want && rows[i].secret[0])
			assert_null(strstr(err.msg, "abc"));
	}
}

static void test_long_secret(void **state)
{
	char *secret = xmalloc(8192), out[NOTIFY_SIGNATURE_MAX];
	struct err err = ERR_INIT;

	(void)state;
	memset(secret, 'A', 8192);
	memcpy(secret, "whsec_", 6);
	assert_int_equal(notify_sign(str_n(secret, 4086), "id", 1, STR(""), out, &err), 0);
	assert_int_equal(notify_sign(str_n(secret, 4098), "id", 1, STR(""), out, &err), -1);
	assert_non_null(strstr(err.msg, "longer than"));
	free(secret);
}

/* ---- words ----------------------------------------------------------------------------------- */

static void test_rates(void **state)
{
	static const struct {
		double per_hour;
		enum notify_unit unit;
		const char *want;
	} rows[] = {
		{30, NOTIFY_GOROUTINES, "30/h"},
		{30.04, NOTIFY_GOROUTINES, "30/h"},
		{8.55, NOTIFY_GOROUTINES, "8.6/h"},
		{1, NOTIFY_GOROUTINES, "1/h"},
		{0.5, NOTIFY_GOROUTINES, "12/d"}, /* slower than one an hour: by the day */
		{0, NOTIFY_GOROUTINES, "0/d"},
		{1800, NOTIFY_GOROUTINES, "1,800/h"},
		{36000, NOTIFY_GOROUTINES, "10/s"},
		{3600000, NOTIFY_DESCRIPTORS, "1,000/s"},
		{12.0 * 1048576, NOTIFY_BYTES, "12 MiB/h"},
		{1.5 * 1073741824, NOTIFY_BYTES, "1.5 GiB/h"},
		{100 * 1024, NOTIFY_BYTES, "2.3 MiB/d"},
		{-30, NOTIFY_GOROUTINES, "-30/h"},
		{NAN, NOTIFY_GOROUTINES, "unknown"},
		{INFINITY, NOTIFY_GOROUTINES, "unknown"},
	};
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&b);
		notify_add_rate(&b, rows[i].per_hour, rows[i].unit);
		assert_string_equal(b.p, rows[i].want);
	}
	buf_release(&b);
}

static void test_durations(void **state)
{
	static const struct {
		double s;
		const char *want;
	} rows[] = {{0, "0 s"}, {-4, "0 s"}, {59.9, "59 s"}, {60, "1 min"}, {3599, "59 min"},
		{3600, "1 h"}, {7500, "2 h 5 min"}, {86399, "23 h 59 min"}, {86400, "1 d"},
		{273600, "3 d 4 h"}, {1e300, "11574074074 d 1 h"}};
	struct buf b = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&b);
		notify_add_duration(&b, rows[i].s);
		assert_string_equal(b.p, rows[i].want);
	}
	buf_release(&b);
}

static void expect_annotation(const struct alert_labels *l, const char *key, const char *want)
{
	struct str got = alert_labels_get(l, key);

	if (!str_is(got, want))
		fail_msg("%s is\n%.*s\nnot\n%s", key, STR_ARG(got), want);
}

/* All that can be known of a leak. */
static void test_words_of_a_leak(void **state)
{
	const struct notify_member also[] = {
		{STR("open file descriptors"), NOTIFY_DESCRIPTORS, 812, 30, 0.97},
		{STR("heap"), NOTIFY_BYTES, NAN, 2.0 * 1048576, NAN},
	};
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	f.kind = ALERT_GOROUTINE_LEAK;
	f.job = STR("shop");
	f.instance = STR("127.0.0.1:6060");
	f.class = STR("http-client-conn");
	f.now_ms = T0;
	f.count = 1410;
	f.rate_per_hour = 30.1;
	f.low = 28;
	f.high = 32.2;
	f.since_ms = T0 - 7500 * 1000;
	f.wait = STR("IO wait");
	f.created_by = STR("net/http.(*Transport).dialConn");
	f.user = (struct frame){.func = STR("main.(*registry).check"),
		.file = STR("/src/registry/main.go"),
		.line = 42};
	f.example_stack =
		STR("net/http.(*persistConn).readLoop transport.go:2205\nmain.x y.go:1\n");
	f.hint = STR("Response body not closed, or a client without Timeout.");
	f.limit = 10000;
	f.reason = STR("took 141 in 6 h and gave back at most 2");
	f.members = also;
	f.nmembers = 2;
	f.runbook_url = STR("https://wiki/leaks");
	notify_text(&f, &l);
	expect_annotation(&l, "summary",
		"shop at 127.0.0.1:6060: http-client-conn leaks: grows by 30/h, 1,410 goroutines "
		"now");
	expect_annotation(&l, "rate", "30/h (95 %: 28/h to 32/h)");
	expect_annotation(&l, "since", "2026-11-21 02:01 UTC, 2 h 5 min ago");
	expect_annotation(
		&l, "also", "open file descriptors +30/h, 812 now, 0.97 for each; heap +2 MiB/h");
	expect_annotation(&l, "first_user_line", "main.(*registry).check /src/registry/main.go:42");
	expect_annotation(&l, "forecast",
		"the limit of 10,000 is reached in 11 d 21 h (95 %: 11 d 2 h to 12 d 18 h) at this "
		"rate, on 2026-12-03 01:29 UTC");
	expect_annotation(&l, "example_stack",
		"net/http.(*persistConn).readLoop transport.go:2205\nmain.x y.go:1\n");
	expect_annotation(&l, "runbook_url", "https://wiki/leaks");
	expect_annotation(&l, "description",
		"shop at 127.0.0.1:6060: http-client-conn leaks: grows by 30/h, 1,410 goroutines "
		"now.\n"
		"Growth: 30/h (95 %: 28/h to 32/h), since 2026-11-21 02:01 UTC, 2 h 5 min ago.\n"
		"They wait on: IO wait.\nCreated by net/http.(*Transport).dialConn.\n"
		"First line outside the standard library: main.(*registry).check "
		"/src/registry/main.go:42.\n"
		"Forecast: the limit of 10,000 is reached in 11 d 21 h (95 %: 11 d 2 h to 12 d 18 "
		"h) at this rate, on 2026-12-03 01:29 UTC.\n"
		"With it: open file descriptors +30/h, 812 now, 0.97 for each; heap +2 MiB/h.\n"
		"Likely cause: Response body not closed, or a client without Timeout.\n"
		"Judged so because: took 141 in 6 h and gave back at most 2.");
	alert_labels_release(&l);
}

/* What is found out beside the count: ages, costs, what else is known of the cause. */
static void test_words_of_evidence(void **state)
{
	static const struct {
		struct notify_range bytes, fds;
		const char *want;
	} costs[] = {
		{{NAN, NAN, NAN}, {NAN, NAN, NAN}, ""},
		{{12288, 10240, 14336}, {NAN, NAN, NAN},
			"12 KiB of memory (95 %: 10 KiB to 14 KiB)"},
		{{NAN, NAN, NAN}, {1, 1, 1.1}, "1.00 descriptor (95 %: 1.00 to 1.10)"},
		{{12288, NAN, NAN}, {2, NAN, NAN}, "12 KiB of memory and 2.00 descriptors"},
		{{12288, NAN, 14336}, {0.5, NAN, NAN}, "12 KiB of memory and 0.50 descriptors"},
	};
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	f.class = STR("worker");
	f.oldest_s = 7500;
	f.each_bytes = costs[1].bytes;
	f.each_fds = costs[2].fds;
	f.culprit = STR("69 of 71 new descriptors: unix /run/docker\n.sock");
	f.evidence = STR("141 of 141 survived 6 h");
	f.fleet = STR("5 of 6 instances leak, the sixth runs version v1.4.0");
	f.instances = STR("a:1 v1.5.0 leaks 30/h\nb:1 v1.4.0 clean");
	notify_text(&f, &l);
	expect_annotation(&l, "instances", f.instances.p); /* and not in the description */
	expect_annotation(&l, "oldest", "at least 2 h 5 min");
	expect_annotation(&l, "what_grows", "69 of 71 new descriptors: unix /run/docker\\n.sock");
	expect_annotation(&l, "evidence", f.evidence.p);
	expect_annotation(&l, "fleet", f.fleet.p);
	expect_annotation(&l, "description",
		"worker leaks: grows.\n"
		"Fleet: 5 of 6 instances leak, the sixth runs version v1.4.0.\n"
		"Evidence: 141 of 141 survived 6 h.\nThe oldest is at least 2 h 5 min old.\n"
		"Each holds 12 KiB of memory (95 %: 10 KiB to 14 KiB) and 1.00 descriptor (95 %: "
		"1.00 to 1.10).\nWhat grows: 69 of 71 new descriptors: unix /run/docker\\n.sock.");
	for (size_t i = 0; i < ARRAY_LEN(costs); i++) {
		f.each_bytes = costs[i].bytes;
		f.each_fds = costs[i].fds;
		notify_text(&f, &l);
		expect_annotation(&l, "each_holds", costs[i].want);
	}
	/* Of one instance alone the versions are told by themselves. */
	f.first_seen = STR("first seen in v2 (v1 ran 6 d without it)");
	notify_text(&f, &l);
	expect_annotation(&l, "first_seen", f.first_seen.p);
	assert_null(strstr(alert_labels_get(&l, "description").p, "first seen"));
	f.fleet = STR("");
	notify_text(&f, &l);
	assert_non_null(strstr(alert_labels_get(&l, "description").p,
		"\nVersions: first seen in v2 (v1 ran 6 d without it).\n"));
	f.oldest_s = NAN;
	f.reason = f.evidence; /* not twice */
	notify_text(&f, &l);
	assert_false(alert_labels_has(&l, STR("oldest")));
	assert_true(str_find(alert_labels_get(&l, "description"), STR("Evidence: 141")) >= 0);
	assert_true(str_find(alert_labels_get(&l, "description"), STR("Judged so")) < 0);
	alert_labels_release(&l);
}

/* When a limit is hit: with an interval, and also for what is counted otherwise. */
static void test_words_of_forecasts(void **state)
{
	static const struct {
		double count, limit, rate, low, high, low_s, high_s;
		const char *want; /* begins so */
	} rows[] = {
		{100, 400, 30, NAN, NAN, NAN, NAN,
			"the limit of 400 is reached in 10 h at this rate, on 2026-11-21 14:06 "
			"UTC"},
		{100, 400, 30, 20, 60, NAN, NAN,
			"the limit of 400 is reached in 10 h (95 %: 5 h to 15 h) at"},
		{100, 400, 30, -1, 60, NAN, NAN, /* it may not grow at all */
			"the limit of 400 is reached in 10 h (95 %: 5 h or later) at"},
		{100, 400, 30, 20, 60, 3600, INFINITY, /* the caller knows better */
			"the limit of 400 is reached in 10 h (95 %: 1 h or later) at"},
		{400, 400, 30, 20, 60, NAN, NAN, "over the limit of 400; the descriptor"},
		{NAN, 400, 30, 20, 60, NAN, NAN, "the descriptor limit of 1,024 is reached"},
	};
	const struct notify_ceiling ceilings[] = {
		{STR("the descriptor limit"), NOTIFY_DESCRIPTORS, 1024, 7200, 3600, 10800},
		{STR("unknown"), NOTIFY_BYTES, 1024, NAN, NAN, NAN}, /* not told */
		{STR("memory.max"), NOTIFY_BYTES, 2147483648, -1, NAN, NAN},
	};
	const char *const others =
		"the descriptor limit of 1,024 is reached in 2 h (95 %: 1 h to 3 h) at this rate, "
		"on 2026-11-21 06:06 UTC; over memory.max of 2 GiB";
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	f.now_ms = T0;
	f.ceilings = ceilings;
	f.nceilings = ARRAY_LEN(ceilings);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str got;

		f.count = rows[i].count;
		f.limit = rows[i].limit;
		f.rate_per_hour = rows[i].rate;
		f.low = rows[i].low;
		f.high = rows[i].high;
		f.limit_low_s = rows[i].low_s;
		f.limit_high_s = rows[i].high_s;
		notify_text(&f, &l);
		got = alert_labels_get(&l, "forecast");
		if (!str_starts(got, str_of(rows[i].want)) || str_find(got, str_of(others)) < 0)
			fail_msg("%s: %.*s", rows[i].want, STR_ARG(got));
	}
	f.lookback_s = 9 * 3600;
	f.nceilings = 1;
	notify_text(&f, &l);
	expect_annotation(&l, "forecast",
		"the descriptor limit of 1,024 is reached in 2 h (95 %: 1 h to 3 h) if it goes on "
		"like the last 9 h, on 2026-11-21 06:06 UTC");
	alert_labels_release(&l);
}

/* What is not known leaves no hole in a sentence. */
static void test_words_summary(void **state)
{
	static const struct {
		enum alert_kind kind;
		struct str class, reason;
		double count, limit, rate;
		enum notify_unit unit;
		const char *want;
	} rows[] = {
		{ALERT_GOROUTINE_LEAK, STR_LIT(""), STR_LIT(""), NAN, NAN, NAN, NOTIFY_GOROUTINES,
			"shop at a:1: goroutines leak: they grow"},
		{ALERT_GOROUTINE_LEAK, STR_LIT("x\ny"), STR_LIT(""), 1, NAN, 2, NOTIFY_GOROUTINES,
			"shop at a:1: x\\ny leaks: grows by 2/h, 1 goroutine now"},
		{ALERT_MEMORY_LEAK, STR_LIT(""), STR_LIT(""), 1.2e9, NAN, 12582912, NOTIFY_BYTES,
			"shop at a:1: memory leaks: grows by 12 MiB/h, 1.1 GiB now"},
		{ALERT_FD_LEAK, STR_LIT(""), STR_LIT(""), 812, 1024, 30, NOTIFY_DESCRIPTORS,
			"shop at a:1: open file descriptors leak: they grow by 30/h, 812 "
			"descriptors now"},
		{ALERT_BLOCKED_FOREVER, STR_LIT("poll"), STR_LIT(""), 25, NAN, 60,
			NOTIFY_GOROUTINES,
			"shop at a:1: poll blocks for ever: grows by 60/h, 25 goroutines now"},
		{ALERT_BLOCKED_FOREVER, STR_LIT(""), STR_LIT(""), NAN, NAN, NAN, NOTIFY_GOROUTINES,
			"shop at a:1: goroutines block for ever: they grow"},
		{ALERT_LOCK_CONVOY, STR_LIT("put"), STR_LIT(""), 75, NAN, 1800, NOTIFY_GOROUTINES,
			"shop at a:1: 75 goroutines of put wait for one lock, and become more by "
			"1,800/h"},
		{ALERT_LOCK_CONVOY, STR_LIT("put"), STR_LIT(""), NAN, NAN, NAN, NOTIFY_GOROUTINES,
			"shop at a:1: many goroutines of put wait for one lock, and become more"},
		{ALERT_GOROUTINE_LIMIT, STR_LIT("agent"), STR_LIT(""), 4812, 4500, NAN,
			NOTIFY_GOROUTINES,
			"shop at a:1: agent has 4,812 goroutines, over its ceiling of 4,500"},
		{ALERT_STUCK_GOROUTINES, STR_LIT("agent"), STR_LIT(""), 3, NAN, NAN,
			NOTIFY_GOROUTINES,
			"shop at a:1: 3 goroutines of agent are stuck: waiting for a mutex at one "
			"place"},
		{ALERT_TARGET_DOWN, STR_LIT(""), STR_LIT("connection refused"), NAN, NAN, NAN,
			NOTIFY_GOROUTINES, "shop at a:1: cannot be scraped: connection refused"},
		{ALERT_DUMP_UNREADABLE, STR_LIT(""), STR_LIT("it is HTML"), NAN, NAN, NAN,
			NOTIFY_GOROUTINES,
			"shop at a:1: its goroutine profile cannot be read: it is HTML"},
		{ALERT_STORAGE_FULL, STR_LIT(""), STR_LIT("disk full"), NAN, NAN, NAN,
			NOTIFY_GOROUTINES,
			"shop at a:1: leakwatch cannot write its database: disk full"},
		{ALERT_STORAGE_DAMAGED, STR_LIT(""), STR_LIT("kept as x"), NAN, NAN, NAN,
			NOTIFY_GOROUTINES,
			"shop at a:1: leakwatch's history is damaged: kept as x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct notify_facts f = NOTIFY_FACTS_INIT;
		struct alert_labels l = ALERT_LABELS_INIT;

		f.kind = rows[i].kind;
		f.job = STR("shop");
		f.instance = STR("a:1");
		f.class = rows[i].class;
		f.reason = rows[i].reason;
		f.count = rows[i].count;
		f.limit = rows[i].limit;
		f.rate_per_hour = rows[i].rate;
		f.unit = rows[i].unit;
		notify_text(&f, &l);
		expect_annotation(&l, "summary", rows[i].want);
		assert_false(alert_labels_has(&l, STR("since")));
		assert_false(alert_labels_has(&l, STR("also")));
		assert_int_equal(
			alert_labels_has(&l, STR("forecast")), rows[i].kind == ALERT_FD_LEAK);
		assert_int_equal(alert_labels_has(&l, STR("rate")), !isnan(rows[i].rate));
		alert_labels_release(&l);
	}
}

static void test_words_limits(void **state)
{
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	f.kind = ALERT_FD_LEAK;
	f.unit = NOTIFY_DESCRIPTORS;
	f.now_ms = T0;
	f.count = 1030;
	f.limit = 1024;
	f.rate_per_hour = 30;
	f.since_ms = T0 - 3600 * 1000;
	f.since_at_least = true;
	notify_text(&f, &l);
	expect_annotation(&l, "forecast", "over the limit of 1,024");
	expect_annotation(&l, "since", "before 2026-11-21 03:06 UTC, at least 1 h ago");
	expect_annotation(&l, "rate", "30/h");
	/* falling, or in more than a year: nothing is foretold */
	f.count = 10;
	f.rate_per_hour = -1;
	notify_text(&f, &l);
	assert_false(alert_labels_has(&l, STR("forecast")));
	f.rate_per_hour = 0.1;
	notify_text(&f, &l);
	assert_false(alert_labels_has(&l, STR("forecast")));
	alert_labels_release(&l);
}

/* A target that is down does not grow, whatever is left in the numbers. */
static void test_words_of_a_watch_alert(void **state)
{
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct alert_labels l = ALERT_LABELS_INIT;

	(void)state;
	f.kind = ALERT_TARGET_DOWN;
	f.job = STR("shop");
	f.instance = STR("a:1");
	f.now_ms = T0;
	f.since_ms = T0 - 240000;
	f.reason = STR("nobody listens there");
	f.rate_per_hour = 30;
	f.count = 1;
	f.limit = 100;
	notify_text(&f, &l);
	expect_annotation(&l, "description",
		"shop at a:1: cannot be scraped: nobody listens there.\n"
		"Since 2026-11-21 04:02 UTC, 4 min ago.");
	assert_false(alert_labels_has(&l, STR("rate")));
	assert_false(alert_labels_has(&l, STR("forecast")));
	alert_labels_release(&l);
}

/* The version in which it began, where it is known. */
static void test_version(void **state)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct notify_facts f = NOTIFY_FACTS_INIT;

	(void)state;
	f.job = STR("shop");
	notify_text(&f, &l);
	assert_false(alert_labels_has(&l, STR("version")));
	f.version = STR("v1.2.3");
	notify_text(&f, &l);
	assert_true(str_is(alert_labels_get(&l, "version"), "v1.2.3"));
	assert_true(str_find(alert_labels_get(&l, "description"),
			    STR("It began in version v1.2.3.")) >= 0);
	f.version_now = f.version;
	notify_text(&f, &l);
	assert_true(str_find(alert_labels_get(&l, "description"), STR(" runs now")) < 0);
	f.version_now = STR("v1.3.0");
	notify_text(&f, &l);
	assert_true(str_is(alert_labels_get(&l, "version"), "v1.2.3"));
	assert_true(str_find(alert_labels_get(&l, "description"),
			    STR("It began in version v1.2.3; v1.3.0 runs now.")) >= 0);
	alert_labels_release(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_body),
		cmocka_unit_test(test_group),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_body_bound),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_webhook_id),
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_long_secret),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_words_of_a_leak),
		cmocka_unit_test(test_words_of_evidence),
		cmocka_unit_test(test_words_of_forecasts),
		cmocka_unit_test(test_words_summary),
		cmocka_unit_test(test_words_limits),
		cmocka_unit_test(test_words_of_a_watch_alert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
