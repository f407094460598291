/* The pages of one target, one series, one alert. */
#include "page_internal.h"

#include "notify.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

#define NAME_COLUMNS 120
#define HOUR	     3600.0
#define ALERT_BEFORE 0.5 /* of the growth so far is shown before it began */
#define ALERT_LEAST  (2 * HOUR)

/* ---- plots ----------------------------------------------------------------------------------- */

/* Marks of the runs and of the growth's beginning; the caller frees them. */
static struct svg_mark *marks_of(
	const struct page_series *s, const struct page_runs *runs, size_t *n)
{
	double since = json_get_num(s->row, "since");
	struct svg_mark *v = xcalloc((runs ? runs->n : 0) + 1, sizeof(*v));

	*n = 0;
	for (size_t i = 0; runs && i < runs->n; i++)
		v[(*n)++] = (struct svg_mark){
			.kind = SVG_RUN, .x = runs->starts[i], .text = STR("the process started")};
	if (!isnan(since))
		v[(*n)++] = (struct svg_mark){
			.kind = SVG_SINCE, .x = since, .text = STR("the growth began")};
	return v;
}

static void plot(const struct page_series *s, const struct page_runs *runs, double from, double to,
	struct buf *out)
{
	size_t nmarks;
	struct svg_mark *marks = marks_of(s, runs, &nmarks);
	struct svg_plot drawing = {.from = from,
		.to = to,
		.gap_s = s->gap_s,
		.bytes = page_is_bytes(s->row),
		.limit = json_get_num(s->row, "limit"),
		.title = page_name_of(s->row),
		.points = s->points,
		.npoints = s->npoints,
		.marks = marks,
		.nmarks = nmarks};

	svg_plot(&drawing, out);
	free(marks);
}

void page_plot(const struct page *p, const struct page_series *s, const struct page_runs *runs,
	const struct page_range *range, struct buf *out)
{
	double to = (double)p->now_ms / 1000, from = to - range->seconds;

	if (isinf(from))
		from = to - HOUR;
	/* What is longer than the history would squeeze it into a corner. */
	if (s->npoints && (isinf(range->seconds) || s->points[0].x > from))
		from = s->points[0].x;
	plot(s, runs, from, to, out);
}

static void add_ranges(const struct page_range *now, struct buf *out)
{
	buf_adds(out, "<nav aria-label=\"time shown\">");
	for (const struct page_range *r = page_ranges; r->name; r++) {
		if (r == now)
			buf_addf(out, "<b>%s</b>", r->name);
		else
			buf_addf(out, "<a href=\"?range=%s\">%s</a>", r->name, r->name);
	}
	buf_adds(out, "</nav>\n");
}

/* ---- a target -------------------------------------------------------------------------------- */

static void add_labels(const json_t *labels, const char *title, struct buf *out)
{
	const char *key;
	json_t *value;

	if (!json_object_size(labels))
		return;
	buf_addf(out, "<dt>%s</dt><dd>", title);
	json_object_foreach((json_t *)labels, key, value)
	{
		buf_adds(out, "<code>");
		html_text(out, str_of(key));
		buf_adds(out, "=&quot;");
		html_text(out, json_get_str(labels, key));
		buf_adds(out, "&quot;</code> ");
	}
	buf_adds(out, "</dd>");
}

static void add_target_facts(const struct page *p, const json_t *target, struct buf *out)
{
	buf_adds(out, "<dl>");
	page_fact(out, "state", page_state(target));
	page_fact(out, "why", json_get_str(target, "why"));
	page_fact(out, "metrics", json_get_str(target, "metrics_why"));
	page_fact_time(p, out, "down since", target, "down_since");
	page_fact_time(p, out, "last scrape", target, "last_scrape");
	page_fact_time(p, out, "process started", target, "run_start");
	page_fact_time(p, out, "watched since", target, "first_seen");
	add_labels(json_object_get(target, "labels"), "labels", out);
	buf_adds(out, "</dl>\n");
}

static void add_series_link(const struct page *p, const json_t *row, struct buf *out)
{
	struct buf id = BUF_INIT;

	buf_addf(&id, "%.0f", json_get_num(row, "series_id"));
	page_link(p, out, "series", buf_str(&id));
	html_text_cut(out, page_name_of(row), NAME_COLUMNS);
	buf_adds(out, "</a>");
	buf_release(&id);
}

static void add_series_row(const struct page *p, const json_t *row, struct buf *out)
{
	buf_adds(out, "<tr><td>");
	add_series_link(p, row, out);
	buf_adds(out, "</td><td class=\"n\">");
	page_value(out, row);
	buf_adds(out, "</td><td>");
	page_verdict(out, json_get_str(row, "verdict"));
	buf_adds(out, "</td><td class=\"n\">");
	page_rate(out, row);
	buf_adds(out, "</td><td>");
	if (page_ms(row, "since"))
		page_ago(p, out, page_ms(row, "since"));
	buf_adds(out, "</td><td>");
	html_text_cut(out, json_get_str(row, "waits_on"), NAME_COLUMNS);
	buf_adds(out, "</td></tr>\n");
}

static void add_series_table(const struct page *p, const json_t *rows, struct buf *out)
{
	size_t i;
	json_t *row;

	buf_adds(out, "<h2>All series</h2>\n<table><tr><th>Class<th class=\"n\">Now<th>Verdict"
		      "<th class=\"n\">Growth<th>Since<th>Waits on</tr>\n");
	json_array_foreach((json_t *)rows, i, row)
	{
		if (i < PAGE_ROWS_MAX)
			add_series_row(p, row, out);
	}
	buf_adds(out, "</table>\n");
	if (json_array_size(rows) > PAGE_ROWS_MAX)
		buf_addf(out, "<p>%d of %zu series, the worst first</p>\n", PAGE_ROWS_MAX,
			json_array_size(rows));
}

void page_target(const struct page *p, const json_t *target, const json_t *alerts,
	const json_t *rows, const struct page_series *series, size_t nseries,
	const struct page_runs *runs, const struct page_range *range, struct buf *out)
{
	page_head(p, out, json_get_str(target, "target"), 0);
	page_cards(p, alerts, "firing", target, out);
	page_cards(p, alerts, "pending", target, out);
	add_target_facts(p, target, out);
	add_ranges(range, out);
	for (size_t i = 0; i < nseries && i < PAGE_PLOTS_MAX; i++) {
		buf_adds(out, "<h2>");
		add_series_link(p, series[i].row, out);
		buf_adds(out, " ");
		page_value(out, series[i].row);
		buf_adds(out, "</h2>\n");
		page_plot(p, &series[i], runs, range, out);
	}
	add_series_table(p, rows, out);
	html_end(out);
}

/* ---- a series -------------------------------------------------------------------------------- */

static void add_rate_fact(const json_t *row, struct buf *out)
{
	enum notify_unit unit = page_is_bytes(row) ? NOTIFY_BYTES : NOTIFY_GOROUTINES;

	if (isnan(json_get_num(row, "rate_per_hour")))
		return;
	buf_adds(out, "<dt>growth</dt><dd>");
	page_rate(out, row);
	if (!isnan(json_get_num(row, "low")) && !isnan(json_get_num(row, "high"))) {
		buf_adds(out, " (95 %: ");
		notify_add_rate(out, json_get_num(row, "low"), unit);
		buf_adds(out, " to ");
		notify_add_rate(out, json_get_num(row, "high"), unit);
		buf_addc(out, ')');
	}
	buf_adds(out, "</dd>");
}

static void add_stack(struct str stack, const char *title, struct buf *out)
{
	if (!stack.len)
		return;
	buf_addf(out, "<h2>%s</h2>\n<pre>", title);
	html_lines(out, stack);
	buf_adds(out, "</pre>\n");
}

/* "38 select, 2 chan receive" of a list of words with their counts. */
static void add_words(struct buf *out, const char *title, const json_t *list, const char *key)
{
	json_t *row;
	size_t i;

	if (!json_array_size(list))
		return;
	buf_addf(out, "<dt>%s</dt><dd>", title);
	json_array_foreach((json_t *)list, i, row)
	{
		buf_adds(out, i ? ", " : "");
		notify_add_amount(out, json_get_num(row, "count"), NOTIFY_GOROUTINES);
		buf_addc(out, ' ');
		html_text_cut(out, json_get_str(row, key), NAME_COLUMNS);
	}
	buf_adds(out, "</dd>");
}

/* What the newest dump told of the single goroutines. */
static void add_evidence(const struct page *p, const json_t *evidence, struct buf *out)
{
	if (!json_object_size(evidence))
		return;
	buf_adds(out, "<h2>In the last dump</h2>\n<dl>");
	page_fact_time(p, out, "taken", evidence, "at");
	add_words(out, "states", json_object_get(evidence, "states"), "state");
	if (json_get_num(evidence, "oldest_minutes") >= 1) {
		buf_adds(out, "<dt>the oldest waits</dt><dd>");
		notify_add_duration(out, json_get_num(evidence, "oldest_minutes") * 60);
		buf_adds(out, " at least</dd>");
	}
	add_words(out, "created by", json_object_get(evidence, "created_by"), "function");
	add_words(out, "labels", json_object_get(evidence, "labels"), "label");
	buf_adds(out, "</dl>\n");
}

void page_series(const struct page *p, const json_t *target, const struct page_series *series,
	const struct page_runs *runs, const struct page_range *range, struct buf *out)
{
	const json_t *row = series->row;
	struct buf id = BUF_INIT;

	page_head(p, out, page_name_of(row), 0);
	buf_addf(&id, "%.0f", json_get_num(target, "id"));
	buf_adds(out, "<p>of ");
	page_link(p, out, "targets", buf_str(&id));
	html_text_cut(out, json_get_str(target, "target"), NAME_COLUMNS);
	buf_adds(out, "</a></p>\n");
	add_ranges(range, out);
	page_plot(p, series, runs, range, out);
	buf_adds(out, "<dl><dt>now</dt><dd>");
	page_value(out, row);
	buf_adds(out, "</dd><dt>verdict</dt><dd>");
	page_verdict(out, json_get_str(row, "verdict"));
	buf_adds(out, "</dd>");
	page_fact(out, "reason", json_get_str(row, "reason"));
	add_rate_fact(row, out);
	page_fact_time(p, out,
		json_get_true(row, "since_at_least") ? "growing at least since" : "growing since",
		row, "since");
	page_fact(out, "waits on", json_get_str(row, "waits_on"));
	page_fact(out, "created by", json_get_str(row, "created_by"));
	page_fact(out, "usual cause", json_get_str(row, "hint"));
	page_fact_time(p, out, "first seen", row, "first_seen");
	buf_adds(out, "</dl>\n");
	add_evidence(p, json_object_get(row, "evidence"), out);
	add_stack(json_get_str(row, "stack"), "Its most frequent stack", out);
	html_end(out);
	buf_release(&id);
}

/* ---- an alert -------------------------------------------------------------------------------- */

/* Annotations that have a place of their own on the page. */
static bool is_placed(const json_t *alert, const char *key)
{
	static const char *const placed[] = {"summary", "description", "example_stack"};

	/* As it is now, in a table. */
	if (json_get_str(json_object_get(alert, "fleet"), "text").len &&
		(str_is(str_of(key), "instances") || str_is(str_of(key), "fleet") ||
			str_is(str_of(key), "first_seen")))
		return true;

	for (size_t i = 0; i < ARRAY_LEN(placed); i++) {
		if (str_is(str_of(key), placed[i]))
			return true;
	}
	return false;
}

/* "created_by" as "created by". */
static void add_annotation(struct buf *out, const char *key, struct str text)
{
	buf_adds(out, "<dt>");
	for (const char *c = key; *c; c++)
		html_text(out, *c == '_' ? STR(" ") : str_n(c, 1));
	buf_adds(out, "</dt><dd>");
	html_text(out, text);
	buf_adds(out, "</dd>");
}

static void add_alert_facts(const struct page *p, const json_t *alert, struct buf *out)
{
	const json_t *annotations = json_object_get(alert, "annotations");
	const json_t *ack = json_object_get(alert, "acknowledged");
	const char *key;
	json_t *value;

	buf_adds(out, "<dl>");
	page_fact(out, "state", json_get_str(alert, "state"));
	page_fact_time(p, out, "raised", alert, "raised");
	page_fact_time(p, out, "fired", alert, "fired");
	page_fact_time(p, out, "resolved", alert, "resolved");
	page_fact(out, "silence", json_get_str(alert, "silence"));
	page_fact_time(p, out, "acknowledged", ack, "at");
	page_fact(out, "saying", json_get_str(ack, "comment"));
	page_fact(out, "reason", json_get_str(alert, "reason"));
	json_object_foreach((json_t *)annotations, key, value)
	{
		if (!is_placed(alert, key))
			add_annotation(out, key, json_get_str(annotations, key));
	}
	add_labels(json_object_get(alert, "labels"), "labels", out);
	buf_adds(out, "</dl>\n");
}

static void add_events(const struct page *p, const json_t *alert, struct buf *out)
{
	json_t *row;
	size_t i;

	buf_adds(out, "<h2>What became of it</h2>\n<table><tr><th>When<th>What<th>Why</tr>\n");
	json_array_foreach(json_object_get(alert, "events"), i, row)
	{
		buf_adds(out, "<tr><td>");
		page_time(p, out, row, "at");
		buf_adds(out, "</td><td>");
		html_text(out, json_get_str(row, "from"));
		buf_adds(out, " to ");
		html_text(out, json_get_str(row, "to"));
		buf_adds(out, "</td><td>");
		html_text(out, json_get_str(row, "why"));
		buf_adds(out, "</td></tr>\n");
	}
	json_array_foreach(json_object_get(alert, "exhibits"), i, row)
	{
		buf_adds(out, "<tr><td>");
		page_time(p, out, row, "at");
		buf_adds(out, "</td><td>dump kept</td><td>");
		notify_add_amount(out, json_get_num(row, "goroutines"), NOTIFY_GOROUTINES);
		buf_adds(out, " goroutines");
		buf_adds(out,
			json_get_true(row, "truncated") ? ", cut</td></tr>\n" : "</td></tr>\n");
	}
	json_array_foreach(json_object_get(alert, "deliveries"), i, row)
	{
		buf_adds(out, "<tr><td>");
		page_time(p, out, row, "created");
		buf_adds(out, "</td><td>message to ");
		html_text(out, json_get_str(row, "receiver"));
		buf_adds(out, ": ");
		html_text(out, json_get_str(row, "state"));
		buf_addf(out, ", %.0f attempts</td><td>", json_get_num(row, "attempts"));
		html_text(out, json_get_str(row, "why"));
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</table>\n");
}

static void add_commands(const json_t *alert, struct buf *out)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "leakwatch alerts show %.*s\n", STR_ARG(json_get_str(alert, "id")));
	if (json_array_size(json_object_get(alert, "exhibits")))
		buf_addf(&text, "leakwatch alerts show %.*s --dump\n",
			STR_ARG(json_get_str(alert, "id")));
	if (!str_is(json_get_str(alert, "state"), "resolved"))
		buf_addf(&text, "leakwatch ack %.*s\n", STR_ARG(json_get_str(alert, "id")));
	add_stack(buf_str(&text), "In a terminal", out);
	buf_release(&text);
}

/* From some time before the growth began to the end of the alert, or now. */
static void add_alert_plot(const struct page *p, const json_t *alert,
	const struct page_series *series, const struct page_runs *runs, struct buf *out)
{
	double to = (double)p->now_ms / 1000, since = json_get_num(series->row, "since"), from;

	if (isnan(since))
		since = (double)page_ms(alert, "raised") / 1000;
	from = since - fmax((to - since) * ALERT_BEFORE, ALERT_LEAST);
	if (series->npoints)
		from = fmax(from, series->points[0].x);
	buf_adds(out, "<h2>");
	add_series_link(p, series->row, out);
	buf_adds(out, " ");
	page_value(out, series->row);
	buf_adds(out, "</h2>\n");
	plot(series, runs, from, to, out);
}

/* A line each. */
static void add_sentences(struct str text, struct buf *out)
{
	const char *before = "<p>";
	struct str line;

	while (str_line(&text, &line)) {
		buf_adds(out, before);
		html_text(out, line);
		before = "<br>\n";
	}
	if (before[1] == 'b')
		buf_adds(out, "</p>\n");
}

void page_alert(const struct page *p, const json_t *alert, const json_t *target,
	const struct page_series *series, const struct page_runs *runs, struct buf *out)
{
	const json_t *annotations = json_object_get(alert, "annotations");
	struct buf id = BUF_INIT;

	page_head(p, out, json_get_str(alert, "name"), 0);
	buf_adds(out, "<div class=\"card ");
	html_text(out, json_get_str(alert, "state"));
	buf_adds(out, "\">");
	html_text(out, json_get_str(annotations, "summary"));
	buf_adds(out, "</div>\n");
	add_sentences(json_get_str(annotations, "description"), out);
	if (target) {
		buf_addf(&id, "%.0f", json_get_num(target, "id"));
		buf_adds(out, "<p>Target ");
		page_link(p, out, "targets", buf_str(&id));
		html_text_cut(out, json_get_str(target, "target"), NAME_COLUMNS);
		buf_adds(out, "</a></p>\n");
	}
	if (series)
		add_alert_plot(p, alert, series, runs, out);
	page_fleet(p, json_object_get(alert, "fleet"), out);
	add_alert_facts(p, alert, out);
	add_stack(json_get_str(annotations, "example_stack"), "An example stack", out);
	add_commands(alert, out);
	add_events(p, alert, out);
	html_end(out);
	buf_release(&id);
}
