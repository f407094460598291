#include "notify_bodies.h"
#include "notify_internal.h"
#include "map.h"
#include "safe.h"

#include <inttypes.h>

#define ROW_COLUMNS 400 /* of one alert in the list */

/* The first alert of the group in that state, or NULL. */
static const struct alert *first_of(const struct notify_group *g, bool firing)
{
	for (size_t i = 0; i < g->n; i++) {
		if ((g->alerts[i]->state != ALERT_RESOLVED) == firing)
			return g->alerts[i];
	}
	return NULL;
}

/* "critical" before "error" before "warning" before "info", as PagerDuty has them. */
static int severity_rank(struct str severity)
{
	if (str_is(severity, "page") || str_is(severity, "critical"))
		return 3;
	if (str_is(severity, "error"))
		return 2;
	return str_is(severity, "info") ? 0 : 1;
}

/* The worst of what fires. */
static const char *severity_of(const struct notify_group *g)
{
	static const char *const names[] = {"info", "warning", "error", "critical"};
	int worst = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (g->alerts[i]->state != ALERT_RESOLVED)
			worst = MAX(worst,
				severity_rank(alert_labels_get(&g->alerts[i]->labels, "severity")));
	}
	return names[worst];
}

static json_t *dedup_key(const struct notify_group *g)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct buf text = BUF_INIT;
	json_t *j;

	notify_group_labels(g, &l);
	buf_addstr(&text, g->receiver);
	buf_addc(&text, '\n');
	buf_addstr(&text, alert_labels_get(&g->alerts[0]->labels, "host"));
	buf_addc(&text, '\n');
	alert_labels_text(&l, &text);
	j = json_sprintf("leakwatch-%016" PRIx64 "%016" PRIx64, hash64(text.p, text.len, 1),
		hash64(text.p, text.len, 2));
	buf_release(&text);
	alert_labels_release(&l);
	return j;
}

/* " a:1, b:1 and 38 more", of what fires. */
static void add_instances(struct buf *out, const struct notify_group *g)
{
	size_t left = g->truncated_firing, named = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct str name = alert_labels_get(&g->alerts[i]->labels, "instance");

		if (g->alerts[i]->state == ALERT_RESOLVED)
			continue;
		if (out->len + name.len > NOTIFY_PAGERDUTY_SUMMARY - 24) {
			left++;
			continue;
		}
		buf_adds(out, named++ ? ", " : " ");
		safe_add(out, name.len ? name : STR("(no instance)"));
	}
	if (left)
		buf_addf(out, "%s%zu more", named ? " and " : " ", left);
}

/* Of one alert its own; of many what they share, and which they are. */
static json_t *summary_of(const struct notify_group *g, const struct alert *first)
{
	struct str own = alert_labels_get(&first->annotations, "summary");
	size_t firing = notify_firing(g);
	struct buf text = BUF_INIT;
	json_t *j;

	if (firing == 1) {
		safe_add_cut(&text, own.len ? own : str_of(alert_kind_name(first->kind)),
			NOTIFY_PAGERDUTY_SUMMARY);
	} else {
		buf_addf(&text, "%zu firing:", firing);
		notify_add_common(&text, g);
		buf_addc(&text, ':');
		add_instances(&text, g);
	}
	j = json_str(buf_str(&text));
	buf_release(&text);
	return j;
}

/* What all of the group have alike. */
static void set_common(json_t *to, const char *key, const struct notify_group *g, const char *label)
{
	struct str value = notify_common(g, label);

	if (value.len)
		json_object_set_new(to, key, json_str(value));
}

static json_t *list_of(const struct notify_group *g)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < g->n; i++) {
		const struct alert *a = g->alerts[i];
		struct buf row = BUF_INIT;

		buf_addf(&row, "%s: ", a->state == ALERT_RESOLVED ? "resolved" : "firing");
		safe_add_cut(&row, alert_labels_get(&a->annotations, "summary"), ROW_COLUMNS);
		buf_addf(&row, " (leakwatch alerts show %s)", a->id);
		json_array_append_new(rows, json_str(buf_str(&row)));
		buf_release(&row);
	}
	if (g->truncated)
		json_array_append_new(rows, json_sprintf("and %zu more", g->truncated));
	return rows;
}

static json_t *payload_of(const struct notify_group *g, const struct alert *first)
{
	json_t *o = json_object(), *details = notify_json_annotations(first, g->external_url);
	struct str source = notify_common(g, "instance");

	if (source.len == 0)
		source = alert_labels_get(&first->labels, "host");
	json_object_set_new(o, "summary", summary_of(g, first));
	json_object_set_new(o, "source", json_str(source.len ? source : STR("leakwatch")));
	json_object_set_new(o, "severity", json_string(severity_of(g)));
	json_object_set_new(o, "timestamp", notify_json_time(first->fired_ms));
	set_common(o, "component", g, "job");
	set_common(o, "group", g, "class");
	set_common(o, "class", g, "alertname");
	json_object_set_new(details, "labels", notify_json_labels(&first->labels));
	if (g->n + g->truncated > 1)
		json_object_set_new(details, "alerts", list_of(g));
	json_object_set_new(o, "custom_details", details);
	return o;
}

static void add_link(json_t *links, struct str href, const char *text)
{
	if (href.len)
		json_array_append_new(
			links, json_pack("{s:o, s:s}", "href", json_str(href), "text", text));
}

static json_t *links_of(const struct notify_group *g, const struct alert *first)
{
	json_t *links = json_array();
	struct buf page = BUF_INIT;

	notify_add_page(&page, first, g->external_url);
	add_link(links, buf_str(&page), "this alert in leakwatch");
	add_link(links, alert_labels_get(&first->annotations, "runbook_url"), "runbook");
	buf_release(&page);
	return links;
}

void notify_pagerduty(const struct notify_group *g, struct buf *out)
{
	bool firing = notify_firing(g) > 0;
	const struct alert *first = first_of(g, firing);
	json_t *doc = json_object();

	if (!first) /* what fires was left out of the message */
		first = g->alerts[0];
	json_object_set_new(doc, "event_action", json_string(firing ? "trigger" : "resolve"));
	json_object_set_new(doc, "dedup_key", dedup_key(g));
	if (firing) {
		json_object_set_new(doc, "client", json_string("leakwatch"));
		if (g->external_url.len)
			json_object_set_new(doc, "client_url", json_str(g->external_url));
		json_object_set_new(doc, "payload", payload_of(g, first));
		json_object_set_new(doc, "links", links_of(g, first));
	}
	json_write(doc, out);
	json_decref(doc);
}
