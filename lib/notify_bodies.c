#include "notify_bodies.h"
#include "notify.h"
#include "notify_internal.h"
#include "safe.h"

#include <string.h>

#define LINE_COLUMNS 400 /* of one alert in a list */

void notify_alertmanager(const struct alert *a, int64_t lease_end_ms, struct buf *out)
{
	bool over = a->state == ALERT_RESOLVED;
	json_t *o = json_object();

	json_object_set_new(o, "labels", notify_json_labels(&a->labels));
	json_object_set_new(o, "annotations", notify_json_annotations(a));
	json_object_set_new(o, "startsAt", notify_json_time(a->fired_ms));
	json_object_set_new(o, "endsAt", notify_json_time(over ? a->resolved_ms : lease_end_ms));
	json_write(o, out);
	json_decref(o);
}

/* ---- Slack ----------------------------------------------------------------------------------- */

/* A backtick would end a code block. */
static void add_mrkdwn(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '&')
			buf_adds(out, "&amp;");
		else if (c == '<')
			buf_adds(out, "&lt;");
		else if (c == '>')
			buf_adds(out, "&gt;");
		else
			buf_addc(out, c == '`' ? '\'' : c);
	}
}

static void add_slack_line(struct buf *out, const struct alert *a)
{
	struct str summary = alert_labels_get(&a->annotations, "summary");
	struct buf line = BUF_INIT;

	if (summary.len == 0)
		summary = alert_labels_get(&a->labels, "instance");
	safe_add_cut(&line, summary, LINE_COLUMNS);
	buf_addf(out, "\n%s ", a->state == ALERT_RESOLVED ? "• resolved:" : "•");
	add_mrkdwn(out, buf_str(&line));
	buf_release(&line);
}

/* "[FIRING:2] GoroutineLeak shop http-client-conn" */
static void add_headline(struct buf *out, const struct notify_group *g, size_t firing)
{
	static const char *const keys[] = {"alertname", "job", "class"};

	if (firing)
		buf_addf(out, "*[FIRING:%zu]*", firing);
	else
		buf_adds(out, "*[RESOLVED]*");
	for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
		struct str first = alert_labels_get(&g->alerts[0]->labels, keys[k]);
		bool common = first.len > 0;

		for (size_t i = 1; i < g->n; i++)
			common = common &&
				 str_eq(first, alert_labels_get(&g->alerts[i]->labels, keys[k]));
		if (common) {
			buf_addc(out, ' ');
			add_mrkdwn(out, first);
		}
	}
}

static void add_slack_list(struct buf *out, const struct notify_group *g)
{
	size_t i;

	for (i = 0; i < g->n && out->len < NOTIFY_SLACK_TEXT; i++)
		add_slack_line(out, g->alerts[i]);
	if (g->n - i + g->truncated)
		buf_addf(out, "\n…and %zu more", g->n - i + g->truncated);
}

static json_t *slack_details(const struct alert *a)
{
	struct str stack = alert_labels_get(&a->annotations, "example_stack");
	struct str runbook = alert_labels_get(&a->annotations, "runbook_url");
	struct buf text = BUF_INIT;
	json_t *o;

	add_mrkdwn(&text, alert_labels_get(&a->annotations, "description"));
	if (stack.len) {
		buf_adds(&text, "\n```");
		add_mrkdwn(&text, stack);
		buf_adds(&text, "```");
	}
	if (runbook.len) {
		buf_addc(&text, '\n');
		add_mrkdwn(&text, runbook);
	}
	o = json_pack("{s:s, s:o, s:[s]}", "color", a->state == ALERT_RESOLVED ? "good" : "danger",
		"text", json_str(buf_str(&text)), "mrkdwn_in", "text");
	json_object_set_new(o, "footer", json_sprintf("leakwatch alerts show %s", a->id));
	buf_release(&text);
	return o;
}

void notify_slack(
	const struct notify_group *g, struct str channel, struct str username, struct buf *out)
{
	json_t *doc = json_object();
	struct buf text = BUF_INIT;
	size_t firing = 0;

	for (size_t i = 0; i < g->n; i++)
		firing += g->alerts[i]->state != ALERT_RESOLVED;
	add_headline(&text, g, firing);
	add_slack_list(&text, g);
	if (channel.len)
		json_object_set_new(doc, "channel", json_str(channel));
	if (username.len)
		json_object_set_new(doc, "username", json_str(username));
	json_object_set_new(doc, "text", json_str(buf_str(&text)));
	json_object_set_new(doc, "attachments", json_pack("[o]", slack_details(g->alerts[0])));
	json_write(doc, out);
	json_decref(doc);
	buf_release(&text);
}

/* ---- PagerDuty ------------------------------------------------------------------------------- */

static const char *pagerduty_severity(struct str severity)
{
	if (str_is(severity, "page") || str_is(severity, "critical"))
		return "critical";
	if (str_is(severity, "error"))
		return "error";
	return str_is(severity, "info") ? "info" : "warning";
}

static void set_label(json_t *to, const char *key, const struct alert *a, const char *label)
{
	struct str value = alert_labels_get(&a->labels, label);

	if (value.len)
		json_object_set_new(to, key, json_str(value));
}

static json_t *pagerduty_payload(const struct alert *a)
{
	json_t *o = json_object(), *details = notify_json_annotations(a);
	struct str summary = alert_labels_get(&a->annotations, "summary");
	struct str source = alert_labels_get(&a->labels, "instance");
	struct buf cut = BUF_INIT;

	if (source.len == 0)
		source = alert_labels_get(&a->labels, "host");
	safe_add_cut(&cut, summary.len ? summary : str_of(alert_kind_name(a->kind)),
		NOTIFY_PAGERDUTY_SUMMARY);
	json_object_set_new(o, "summary", json_str(buf_str(&cut)));
	json_object_set_new(o, "source", json_str(source.len ? source : STR("leakwatch")));
	json_object_set_new(o, "severity",
		json_string(pagerduty_severity(alert_labels_get(&a->labels, "severity"))));
	json_object_set_new(o, "timestamp", notify_json_time(a->fired_ms));
	set_label(o, "component", a, "job");
	set_label(o, "group", a, "class");
	set_label(o, "class", a, "alertname");
	json_object_set_new(details, "labels", notify_json_labels(&a->labels));
	json_object_set_new(o, "custom_details", details);
	buf_release(&cut);
	return o;
}

void notify_pagerduty(const struct alert *a, struct buf *out)
{
	bool over = a->state == ALERT_RESOLVED;
	struct str runbook = alert_labels_get(&a->annotations, "runbook_url");
	json_t *doc = json_object();

	json_object_set_new(doc, "event_action", json_string(over ? "resolve" : "trigger"));
	json_object_set_new(doc, "dedup_key", notify_json_fingerprint(&a->labels));
	if (!over) {
		json_object_set_new(doc, "client", json_string("leakwatch"));
		json_object_set_new(doc, "payload", pagerduty_payload(a));
		if (runbook.len)
			json_object_set_new(doc, "links",
				json_pack("[{s:o, s:s}]", "href", json_str(runbook), "text",
					"runbook"));
	}
	json_write(doc, out);
	json_decref(doc);
}
