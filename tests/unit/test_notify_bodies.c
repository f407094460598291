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

/* trigger and resolve have one key; a resolve needs no more. */
static void test_pagerduty(void **state)
{
	struct alert a = make("127.0.0.1:6060", "");
	struct buf out = BUF_INIT;
	struct err err;
	json_t *doc, *end, *payload;

	(void)state;
	notify_pagerduty(&a, &out);
	doc = json_read(buf_str(&out), &err);
	payload = json_object_get(doc, "payload");
	assert_string_equal(text(doc, "event_action"), "trigger");
	assert_string_equal(text(payload, "summary"), "GoroutineLeak"); /* never empty */
	assert_string_equal(text(payload, "severity"), "critical");
	assert_string_equal(text(payload, "source"), "127.0.0.1:6060");
	assert_null(json_object_get(doc, "routing_key"));
	buf_reset(&out);
	a.state = ALERT_RESOLVED;
	notify_pagerduty(&a, &out);
	end = json_read(buf_str(&out), &err);
	assert_string_equal(text(end, "event_action"), "resolve");
	assert_string_equal(text(end, "dedup_key"), text(doc, "dedup_key"));
	assert_null(json_object_get(end, "payload"));
	json_decref(doc);
	json_decref(end);
	buf_release(&out);
	alert_release(&a);
}

/* A lease while it fires, the end when it ended. */
static void test_alertmanager(void **state)
{
	struct alert a = make("i", "s");
	struct buf out = BUF_INIT;

	(void)state;
	notify_alertmanager(&a, 1700000240000, &out);
	assert_non_null(strstr(out.p, "\"endsAt\":\"2023-11-14T22:17:20.000Z\""));
	assert_non_null(strstr(out.p, "\"startsAt\":\"2023-11-14T22:13:20.000Z\""));
	buf_reset(&out);
	a.state = ALERT_RESOLVED;
	a.resolved_ms = 1700000001000;
	notify_alertmanager(&a, 1700000240000, &out);
	assert_non_null(strstr(out.p, "\"endsAt\":\"2023-11-14T22:13:21.000Z\""));
	buf_release(&out);
	alert_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slack),
		cmocka_unit_test(test_pagerduty),
		cmocka_unit_test(test_alertmanager),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
