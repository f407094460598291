#include "notify_bodies.h"
#include "notify.h"
#include "notify_internal.h"
#include "safe.h"

#include <string.h>

#define LINE_COLUMNS 400 /* of one alert in a list */

void notify_alertmanager(
	const struct alert *a, struct str external_url, int64_t lease_end_ms, struct buf *out)
{
	bool over = a->state == ALERT_RESOLVED;
	json_t *o = json_object();
	struct buf page = BUF_INIT;

	json_object_set_new(o, "labels", notify_json_labels(&a->labels));
	json_object_set_new(o, "annotations", notify_json_annotations(a, external_url));
	json_object_set_new(o, "startsAt", notify_json_time(a->fired_ms));
	json_object_set_new(o, "endsAt", notify_json_time(over ? a->resolved_ms : lease_end_ms));
	notify_add_page(&page, a, external_url);
	if (page.len)
		json_object_set_new(o, "generatorURL", json_str(buf_str(&page)));
	json_write(o, out);
	json_decref(o);
	buf_release(&page);
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
static void add_headline(struct buf *out, const struct notify_group *g)
{
	size_t firing = notify_firing(g);
	struct buf common = BUF_INIT;

	if (firing)
		buf_addf(out, "*[FIRING:%zu]*", firing);
	else
		buf_adds(out, "*[RESOLVED]*");
	notify_add_common(&common, g);
	add_mrkdwn(out, buf_str(&common));
	buf_release(&common);
}

static void add_slack_list(struct buf *out, const struct notify_group *g)
{
	size_t i;

	for (i = 0; i < g->n && out->len < NOTIFY_SLACK_TEXT; i++)
		add_slack_line(out, g->alerts[i]);
	if (g->n - i + g->truncated)
		buf_addf(out, "\n…and %zu more", g->n - i + g->truncated);
}

/* The whole text of one alert; its page is a link, the command stands below. */
static json_t *slack_details(const struct alert *a, struct str external_url)
{
	struct str stack = alert_labels_get(&a->annotations, "example_stack");
	struct str runbook = alert_labels_get(&a->annotations, "runbook_url");
	struct buf text = BUF_INIT, page = BUF_INIT;
	json_t *o;

	notify_add_page(&page, a, external_url);
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
	if (page.len) {
		json_object_set_new(o, "title", json_string("Look further"));
		json_object_set_new(o, "title_link", json_str(buf_str(&page)));
	}
	json_object_set_new(o, "footer", json_sprintf("leakwatch alerts show %s", a->id));
	buf_release(&text);
	buf_release(&page);
	return o;
}

void notify_slack(
	const struct notify_group *g, struct str channel, struct str username, struct buf *out)
{
	json_t *doc = json_object();
	struct buf text = BUF_INIT;

	add_headline(&text, g);
	add_slack_list(&text, g);
	if (channel.len)
		json_object_set_new(doc, "channel", json_str(channel));
	if (username.len)
		json_object_set_new(doc, "username", json_str(username));
	json_object_set_new(doc, "text", json_str(buf_str(&text)));
	json_object_set_new(
		doc, "attachments", json_pack("[o]", slack_details(g->alerts[0], g->external_url)));
	json_write(doc, out);
	json_decref(doc);
	buf_release(&text);
}
