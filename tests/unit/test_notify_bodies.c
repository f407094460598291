/*
 * Messages in the words of Slack, PagerDuty and Alertmanager: what they hold, and that names from
 * scraped processes stay data in them.
 */
#include "json.h"
#include "notify_bodies.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct alert make(const char *instance, const char *summary)
{
	struct alert a = {.id = "00000000000000aa",
		.kind = ALERT_GOROUTINE_LEAK,
		.state = ALERT_FIRING,
		.fired_ms = 1700000000000};

	alert_labels_put(&a.labels, STR("alertname"), STR("GoroutineLeak"));
	alert_labels_put(&a.labels, STR("severity"), STR("page"));
	alert_labels_put(&a.labels, STR("job"), STR("shop"));
	alert_labels_put(&a.labels, STR("instance"), str_of(instance));
	alert_labels_put_text(&a.annotations, STR("summary"), str_of(summary));
	alert_labels_put_text(&a.annotations, STR("example_stack"), STR("main.f```<!here> a.go:1"));
	return a;
}

static const char *text(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Nothing in a name mentions a channel, makes a link or ends the code block. */
static void test_slack(void **state)
{
	struct alert a = make("<!channel> & \"x\"\n*bold*", "<@U1> %s%n leaks"),
		     b = make("b", "b leaks");
	const struct alert *v[] = {&a, &b};
	struct notify_group g = {.receiver = STR("r"), .alerts = v, .n = 2, .truncated = 3};
	struct buf out = BUF_INIT;
	struct err err;
	json_t *doc;

	(void)state;
	b.state = ALERT_RESOLVED;
	notify_slack(&g, STR("#oncall"), STR(""), &out);
	doc = json_read(buf_str(&out), &err);
	assert_non_null(doc);
	assert_string_equal(text(doc, "text"), "*[FIRING:1]* GoroutineLeak shop\n• &lt;@U1&gt; "
					       "%s%n leaks\n• resolved: b leaks\n…and 3 more");
	assert_string_equal(text(doc, "channel"), "#oncall");
	assert_null(json_object_get(doc, "username"));
	assert_null(strstr(out.p, "<!"));
	assert_null(strstr(out.p, "main.f```"));
	json_decref(doc);
	buf_release(&out);
	alert_release(&a);
	alert_release(&b);
}

static json_t *pagerduty(const struct notify_group *g)
{
	struct buf out = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *doc;

	notify_pagerduty(g, &out);
	doc = json_read(buf_str(&out), &err);
	if (!doc)
		fail_msg("%s in %s", err.msg, out.p);
	assert_true(out.len < 512000);
	buf_release(&out);
	return doc;
}

/* trigger and resolve have one key; a resolve needs no more. */
static void test_pagerduty(void **state)
{
	struct alert a = make("127.0.0.1:6060", "");
	const struct alert *v[] = {&a};
	struct notify_group g = {.receiver = STR("oncall"), .alerts = v, .n = 1};
	json_t *doc = pagerduty(&g), *end, *payload = json_object_get(doc, "payload");

	(void)state;
	assert_string_equal(text(doc, "event_action"), "trigger");
	assert_string_equal(text(payload, "summary"), "GoroutineLeak"); /* never empty */
	assert_string_equal(text(payload, "severity"), "critical");
	assert_string_equal(text(payload, "source"), "127.0.0.1:6060");
	assert_null(json_object_get(doc, "routing_key"));
	assert_null(json_object_get(doc, "client_url"));
	assert_int_equal(json_array_size(json_object_get(doc, "links")), 0);
	a.state = ALERT_RESOLVED;
	end = pagerduty(&g);
	assert_string_equal(text(end, "event_action"), "resolve");
	assert_string_equal(text(end, "dedup_key"), text(doc, "dedup_key"));
	assert_null(json_object_get(end, "payload"));
	json_decref(doc);
	json_decref(end);
	alert_release(&a);
}

#define MANY 40

/* Forty instances are one event, which names them; it ends when the last of them does. */
static void test_pagerduty_group(void **state)
{
	static const char *const by[] = {"job"};
	struct alert a[MANY];
	const struct alert *v[MANY];
	struct notify_group g = {.receiver = STR("oncall"),
		.external_url = STR("https://lw.example/x/"),
		.group_by = by,
		.ngroup_by = 1,
		.alerts = v,
		.n = MANY};
	char key[64], one[64];
	json_t *doc, *details;

	(void)state;
	for (int i = 0; i < MANY; i++) {
		snprintf(one, sizeof(one), "10.0.0.%d:6060", i);
		a[i] = make(one, "leaks");
		alert_labels_put(
			&a[i].labels, STR("severity"), i == 3 ? STR("page") : STR("warning"));
		v[i] = &a[i];
	}
	a[0].state = ALERT_RESOLVED;
	doc = pagerduty(&g);
	snprintf(key, sizeof(key), "%s", text(doc, "dedup_key"));
	assert_string_equal(text(doc, "event_action"), "trigger");
	details = json_object_get(doc, "payload");
	assert_int_equal(strncmp(text(details, "summary"),
				 "39 firing: GoroutineLeak shop: 10.0.0.1:6060, 10.0.0.2:", 55),
		0);
	assert_non_null(strstr(text(details, "summary"), ", 10.0.0.39:6060"));
	assert_string_equal(text(details, "severity"), "critical"); /* the worst of them */
	details = json_object_get(details, "custom_details");
	assert_int_equal(json_array_size(json_object_get(details, "alerts")), MANY);
	assert_string_equal(text(json_array_get(json_object_get(doc, "links"), 0), "href"),
		"https://lw.example/x/alerts/00000000000000aa");
	json_decref(doc);

	/* Names that are too long for the summary are counted. */
	for (int i = 0; i < MANY; i++) {
		memset(one, 'x', sizeof(one) - 1);
		one[63] = '\0';
		alert_labels_put(&a[i].labels, STR("instance"), str_of(one));
	}
	g.truncated = 7;
	g.truncated_firing = 5;
	doc = pagerduty(&g);
	assert_non_null(strstr(text(json_object_get(doc, "payload"), "summary"), "44 firing:"));
	assert_non_null(strstr(text(json_object_get(doc, "payload"), "summary"), " and 30 more"));
	assert_true(strlen(text(json_object_get(doc, "payload"), "summary")) <=
		    NOTIFY_PAGERDUTY_SUMMARY);
	json_decref(doc);

	/* All that are named ended, but one that is not fires. */
	for (int i = 0; i < MANY; i++)
		a[i].state = ALERT_RESOLVED;
	doc = pagerduty(&g);
	assert_string_equal(text(doc, "event_action"), "trigger");
	json_decref(doc);
	g.truncated_firing = 0;
	doc = pagerduty(&g);
	assert_string_equal(text(doc, "event_action"), "resolve");
	assert_string_equal(text(doc, "dedup_key"), key);
	json_decref(doc);

	/* Another receiver's, another host's, another group's incident is another one. */
	g.receiver = STR("team");
	doc = pagerduty(&g);
	assert_string_not_equal(text(doc, "dedup_key"), key);
	json_decref(doc);
	g.receiver = STR("oncall");
	alert_labels_put(&a[0].labels, STR("host"), STR("web-2"));
	doc = pagerduty(&g);
	assert_string_not_equal(text(doc, "dedup_key"), key);
	json_decref(doc);
	alert_labels_remove(&a[0].labels, STR("host"));
	alert_labels_put(&a[0].labels, STR("job"), STR("other"));
	doc = pagerduty(&g);
	assert_string_not_equal(text(doc, "dedup_key"), key);
	json_decref(doc);
	for (int i = 0; i < MANY; i++)
		alert_release(&a[i]);
}

/* With an address for people each message links to the alert's page. */
static void test_page(void **state)
{
	struct alert a = make("i", "s");
	const struct alert *v[] = {&a};
	struct notify_group g = {.receiver = STR("r"),
		.external_url = STR("http://web-1:9765"),
		.alerts = v,
		.n = 1};
	const char *const page = "http://web-1:9765/alerts/00000000000000aa";
	struct buf out = BUF_INIT;
	struct err err;
	json_t *doc;

	(void)state;
	notify_slack(&g, STR(""), STR(""), &out);
	doc = json_read(buf_str(&out), &err);
	assert_string_equal(
		text(json_array_get(json_object_get(doc, "attachments"), 0), "title_link"), page);
	json_decref(doc);
	buf_reset(&out);
	notify_alertmanager(&a, g.external_url, 1, &out);
	doc = json_read(buf_str(&out), &err);
	assert_string_equal(text(doc, "generatorURL"), page);
	assert_string_equal(text(json_object_get(doc, "annotations"), "page"), page);
	json_decref(doc);
	buf_reset(&out);
	notify_webhook(&g, &out);
	doc = json_read(buf_str(&out), &err);
	assert_string_equal(
		text(json_array_get(json_object_get(doc, "alerts"), 0), "generatorURL"), page);
	json_decref(doc);
	buf_reset(&out);
	notify_alertmanager(&a, STR(""), 1, &out);
	assert_null(strstr(out.p, "generatorURL")); /* Alertmanager refuses an empty one */
	buf_release(&out);
	alert_release(&a);
}

/* Whatever a scraped process calls its things, each body is one JSON document of bounded size in
 * which the name is text. */
static void test_hostile(void **state)
{
	static const struct str rows[] = {STR_LIT("x\",\"status\":\"resolved\",\"y\":\""),
		STR_LIT("a\r\nb\tc"), STR_LIT("\x1b]0;x\a\0y\x7f"), STR_LIT("\xc0\xaf\xed\xa0\x80"),
		STR_LIT("%s%n%999999d"), STR_LIT("\\u0000\\"),
		STR_LIT("</script><!--<!channel>```"), STR_LIT("{{class}} ${IFS}")};
	char big[65536];

	(void)state;
	memset(big, '<', sizeof(big)); /* grows fivefold as &lt; */
	for (size_t i = 0; i <= ARRAY_LEN(rows); i++) {
		struct str name = i < ARRAY_LEN(rows) ? rows[i] : str_n(big, sizeof(big));
		struct alert a = make("i", "");
		const struct alert *v[] = {&a, &a};
		struct notify_group g = {.receiver = name, .alerts = v, .n = 2};
		struct buf out[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};

		alert_labels_put(&a.labels, name, name);
		alert_labels_put(&a.labels, STR("instance"), name);
		alert_labels_put(&a.labels, STR("class"), name);
		alert_labels_put_text(&a.annotations, STR("summary"), name);
		alert_labels_put_text(&a.annotations, STR("description"), name);
		alert_labels_put_text(&a.annotations, STR("example_stack"), name);
		g.receiver = STR("r");
		notify_webhook(&g, &out[0]);
		notify_slack(&g, STR(""), STR(""), &out[1]);
		notify_pagerduty(&g, &out[2]);
		notify_alertmanager(&a, STR(""), 1, &out[3]);
		for (size_t k = 0; k < ARRAY_LEN(out); k++) {
			struct err err = ERR_INIT;
			json_t *doc = json_read(buf_str(&out[k]), &err);

			if (!doc)
				fail_msg("name %zu, sink %zu: %s", i, k, err.msg);
			assert_true(out[k].len < 100000);
			assert_null(memchr(out[k].p, '\n', out[k].len));
			assert_null(memchr(out[k].p, '\x1b', out[k].len));
			assert_null(memchr(out[k].p, '\0', out[k].len));
			if (k == 1)
				assert_null(strstr(out[k].p, "<!"));
			json_decref(doc);
			buf_release(&out[k]);
		}
		alert_release(&a);
	}
}

/* A lease while it fires, the end when it ended. */
static void test_alertmanager(void **state)
{
	struct alert a = make("i", "s");
	struct buf out = BUF_INIT;

	(void)state;
	notify_alertmanager(&a, STR(""), 1700000240000, &out);
	assert_non_null(strstr(out.p, "\"endsAt\":\"2023-11-14T22:17:20.000Z\""));
	assert_non_null(strstr(out.p, "\"startsAt\":\"2023-11-14T22:13:20.000Z\""));
	buf_reset(&out);
	a.state = ALERT_RESOLVED;
	a.resolved_ms = 1700000001000;
	notify_alertmanager(&a, STR(""), 1700000240000, &out);
	assert_non_null(strstr(out.p, "\"endsAt\":\"2023-11-14T22:13:21.000Z\""));
	buf_release(&out);
	alert_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_pagerduty),
		cmocka_unit_test(test_pagerduty_group),
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_alertmanager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
