/* The overview, the page of a problem, and what all pages share. */
#include "page_internal.h"

#include "notify.h"

#include <math.h>
#include <string.h>

#define REFRESH_S    60
#define NAME_COLUMNS 200

const struct page_range page_ranges[] = {{"1h", 3600}, {"6h", 6 * 3600}, {"2d", 2 * 86400},
	{"14d", 14 * 86400}, {"90d", 90 * 86400}, {"all", INFINITY}, {NULL, 0}};

const struct page_range *page_range_of(struct str name)
{
	for (const struct page_range *r = page_ranges; r->name; r++) {
		if (str_is(name, r->name))
			return r;
	}
	return &page_ranges[PAGE_RANGE_DEFAULT];
}

/* ---- words ----------------------------------------------------------------------------------- */

int64_t page_ms(const json_t *row, const char *key)
{
	double v = json_get_num(row, key);

	return isnan(v) ? 0 : (int64_t)llround(v * 1000);
}

void page_ago(const struct page *p, struct buf *out, int64_t at_ms)
{
	notify_add_duration(out, (double)(p->now_ms - at_ms) / 1000);
	buf_adds(out, " ago");
}

static void add_utc(struct buf *out, int64_t at_ms)
{
	char text[NOTIFY_TIME_MAX];

	notify_time(at_ms, text);
	buf_addf(out, "%.10s %.8s UTC", text, text + 11);
}

void page_time(const struct page *p, struct buf *out, const json_t *row, const char *key)
{
	int64_t at_ms = page_ms(row, key);

	if (!at_ms) {
		buf_adds(out, "-");
		return;
	}
	add_utc(out, at_ms);
	buf_adds(out, " (");
	page_ago(p, out, at_ms);
	buf_addc(out, ')');
}

struct str page_name_of(const json_t *series)
{
	struct str class = json_get_str(series, "class");

	return class.len ? class : json_get_str(series, "name");
}

bool page_is_bytes(const json_t *series)
{
	return str_ends(page_name_of(series), STR("_bytes"));
}

static enum notify_unit unit_of(const json_t *series)
{
	return page_is_bytes(series) ? NOTIFY_BYTES : NOTIFY_GOROUTINES;
}

void page_value(struct buf *out, const json_t *series)
{
	double v = json_get_num(series, json_object_get(series, "class") ? "count" : "value");

	if (isnan(v))
		buf_adds(out, "-");
	else
		notify_add_amount(out, v, unit_of(series));
}

void page_rate(struct buf *out, const json_t *series)
{
	double rate = json_get_num(series, "rate_per_hour");

	if (!isnan(rate))
		notify_add_rate(out, rate, unit_of(series));
}

struct str page_state(const json_t *target)
{
	if (json_get_true(target, "up"))
		return STR("up");
	return page_ms(target, "last_scrape") ? STR("down") : STR("new");
}

/* States are ours, but come from a file. */
void page_verdict(struct buf *out, struct str state)
{
	buf_adds(out, "<span class=\"");
	html_text(out, state);
	buf_adds(out, "\">");
	html_text(out, state);
	buf_adds(out, "</span>");
}

void page_fact(struct buf *out, const char *name, struct str text)
{
	if (!text.len)
		return;
	buf_addf(out, "<dt>%s</dt><dd>", name);
	html_text(out, text);
	buf_adds(out, "</dd>");
}

void page_fact_time(
	const struct page *p, struct buf *out, const char *name, const json_t *row, const char *key)
{
	if (!page_ms(row, key))
		return;
	buf_addf(out, "<dt>%s</dt><dd>", name);
	page_time(p, out, row, key);
	buf_adds(out, "</dd>");
}

void page_link(const struct page *p, struct buf *out, const char *what, struct str id)
{
	buf_adds(out, "<a href=\"");
	html_text(out, p->base);
	buf_addf(out, "/%s/", what);
	html_text(out, id);
	buf_adds(out, "\">");
}

void page_head(const struct page *p, struct buf *out, struct str title, unsigned refresh_s)
{
	struct buf whole = BUF_INIT;

	buf_addf(&whole, "%.*s - leakwatch", STR_ARG(title));
	html_begin(out, buf_str(&whole), refresh_s);
	buf_release(&whole);
	buf_adds(out, "<header><a href=\"");
	html_text(out, p->base);
	buf_adds(out, "/\">leakwatch</a> <span>on ");
	html_text_cut(out, p->host, NAME_COLUMNS);
	buf_adds(out, "</span> <span>");
	add_utc(out, p->now_ms);
	buf_adds(out, "</span></header>\n<h1>");
	html_text_cut(out, title, NAME_COLUMNS);
	buf_adds(out, "</h1>\n");
}

void page_problem(const struct page *p, const char *title, struct str text, struct buf *out)
{
	page_head(p, out, str_of(title), 0);
	buf_adds(out, "<p>");
	html_text(out, text);
	buf_adds(out, "</p>\n");
	html_end(out);
}

/* ---- alerts as cards ------------------------------------------------------------------------- */

static void add_card(const struct page *p, const json_t *row, struct buf *out)
{
	const json_t *labels = json_object_get(row, "labels");
	struct str state = json_get_str(row, "state"), job = json_get_str(labels, "job");
	bool over = str_is(state, "resolved");

	buf_adds(out, "<div class=\"card ");
	html_text(out, state);
	buf_adds(out, "\"><b>");
	html_text(out, json_get_str(row, "name"));
	buf_adds(out, "</b> ");
	html_text_cut(out, job, NAME_COLUMNS);
	if (job.len)
		buf_addc(out, '/');
	html_text_cut(out, json_get_str(labels, "instance"), NAME_COLUMNS);
	buf_adds(out, " <span class=\"dim\">");
	html_text(out, state);
	buf_addc(out, ' ');
	page_ago(p, out,
		page_ms(row, over		     ? "resolved"
			     : page_ms(row, "fired") ? "fired"
						     : "raised"));
	if (json_get_str(row, "silence").len)
		buf_adds(out, ", silenced");
	if (json_is_object(json_object_get(row, "acknowledged")))
		buf_adds(out, ", acknowledged");
	buf_adds(out, "</span><br>");
	page_link(p, out, "alerts", json_get_str(row, "id"));
	html_text(out, json_get_str(json_object_get(row, "annotations"), "summary"));
	buf_adds(out, "</a></div>\n");
}

bool page_is_about(const json_t *alert, const json_t *target)
{
	const json_t *labels = json_object_get(alert, "labels");
	struct str instance = json_get_str(json_object_get(alert, "annotations"), "continued_in");

	if (!instance.len)
		instance = json_get_str(labels, "instance");
	return str_eq(json_get_str(labels, "job"), json_get_str(target, "job")) &&
	       str_eq(instance, json_get_str(target, "instance"));
}

size_t page_cards(const struct page *p, const json_t *alerts, const char *state,
	const json_t *target, struct buf *out)
{
	size_t n = 0, i;
	json_t *row;

	json_array_foreach((json_t *)alerts, i, row)
	{
		if (!str_is(json_get_str(row, "state"), state) ||
			(target && !page_is_about(row, target)))
			continue;
		if (n++ < PAGE_ROWS_MAX)
			add_card(p, row, out);
	}
	if (n > PAGE_ROWS_MAX)
		buf_addf(out, "<p>and %zu more: leakwatch alerts</p>\n", n - PAGE_ROWS_MAX);
	return n;
}

/* ---- the overview ---------------------------------------------------------------------------- */

static void add_target(const struct page *p, const json_t *row, struct buf *out)
{
	struct buf id = BUF_INIT;
	double firing = json_get_num(row, "alerts_firing");

	buf_addf(&id, "%.0f", json_get_num(row, "id"));
	buf_adds(out, "<tr><td>");
	page_link(p, out, "targets", buf_str(&id));
	html_text_cut(out, json_get_str(row, "target"), NAME_COLUMNS);
	buf_adds(out, "</a></td><td>");
	buf_adds(out, str_is(page_state(row), "down") ? "<span class=\"leaking\">" : "<span>");
	buf_addstr(out, page_state(row));
	buf_adds(out, "</span>");
	if (json_get_str(row, "why").len) {
		buf_adds(out, " <span class=\"dim\">");
		html_text_cut(out, json_get_str(row, "why"), NAME_COLUMNS);
		buf_adds(out, "</span>");
	}
	buf_adds(out, "</td><td class=\"n\">");
	if (isnan(json_get_num(row, "goroutines")))
		buf_addc(out, '-');
	else
		notify_add_amount(out, json_get_num(row, "goroutines"), NOTIFY_GOROUTINES);
	buf_addf(out, "</td><td class=\"n\">%.0f</td><td>", json_get_num(row, "classes"));
	page_verdict(out, json_get_str(row, "verdict"));
	buf_adds(out, "</td><td>");
	if (!str_is(json_get_str(row, "verdict"), "ok"))
		html_text_cut(out, json_get_str(row, "verdict_of"), NAME_COLUMNS);
	buf_adds(out, "</td><td class=\"n\">");
	if (!isnan(json_get_num(row, "rate_per_hour")))
		notify_add_rate(out, json_get_num(row, "rate_per_hour"),
			str_ends(json_get_str(row, "verdict_of"), STR("_bytes"))
				? NOTIFY_BYTES
				: NOTIFY_GOROUTINES);
	buf_adds(out, "</td><td class=\"n\">");
	if (firing > 0)
		buf_addf(out, "<span class=\"leaking\">%.0f</span>", firing);
	buf_adds(out, "</td></tr>\n");
	buf_release(&id);
}

/* The order of the table: what is down or leaks before what is well. */
static int rank_of(const json_t *row)
{
	static const char *const order[] = {"leaking", "suspect", "held", "watching"};
	struct str verdict = json_get_str(row, "verdict");

	if (str_is(page_state(row), "down"))
		return 0;
	for (int i = 0; i < (int)ARRAY_LEN(order); i++) {
		if (str_is(verdict, order[i]))
			return i;
	}
	return (int)ARRAY_LEN(order);
}

static bool matches(const json_t *row, struct str match)
{
	return !match.len || str_find(json_get_str(row, "target"), match) >= 0;
}

static void add_targets(
	const struct page *p, const json_t *targets, struct str match, struct buf *out)
{
	size_t n = 0, shown = 0, i;
	json_t *row;

	buf_adds(out, "<h2>Targets</h2>\n<form><input name=\"q\" placeholder=\"part of a name\" "
		      "aria-label=\"part of a name\" value=\"");
	html_text(out, match);
	buf_adds(out, "\"> <button>Show</button></form>\n<table><tr><th>Target<th>State<th "
		      "class=\"n\">Goroutines<th class=\"n\">Classes<th>Verdict<th>Class<th "
		      "class=\"n\">Growth<th class=\"n\">Alerts</tr>\n");
	json_array_foreach((json_t *)targets, i, row) n += matches(row, match);
	for (int rank = 0; rank <= 4; rank++) {
		json_array_foreach((json_t *)targets, i, row)
		{
			if (rank_of(row) == rank && matches(row, match) && shown < PAGE_ROWS_MAX) {
				add_target(p, row, out);
				shown++;
			}
		}
	}
	buf_adds(out, "</table>\n");
	if (n > shown)
		buf_addf(out, "<p>%zu of %zu targets, the worst first</p>\n", shown, n);
	else if (n == 0)
		buf_adds(out, match.len ? "<p>no target has that in its name</p>\n"
					: "<p>no targets yet</p>\n");
}

static void add_title(struct buf *title, size_t firing, size_t up, size_t n)
{
	if (firing)
		buf_addf(title, "%zu alert%s firing", firing, firing == 1 ? "" : "s");
	else
		buf_adds(title, "No alert is firing");
	buf_addf(title, ", %zu of %zu target%s up", up, n, n == 1 ? "" : "s");
}

void page_overview(const struct page *p, const json_t *targets, const json_t *alerts,
	struct str match, struct buf *out)
{
	struct buf title = BUF_INIT, over = BUF_INIT, pending = BUF_INIT, firing = BUF_INIT;
	size_t nfiring = page_cards(p, alerts, "firing", NULL, &firing), up = 0, nover, i;
	json_t *row;

	json_array_foreach((json_t *)targets, i, row) up += json_get_true(row, "up");
	page_cards(p, alerts, "pending", NULL, &pending);
	nover = page_cards(p, alerts, "resolved", NULL, &over);
	add_title(&title, nfiring, up, json_array_size(targets));
	page_head(p, out, buf_str(&title), REFRESH_S);
	buf_addstr(out, buf_str(&firing));
	buf_addstr(out, buf_str(&pending));
	add_targets(p, targets, match, out);
	if (nover) {
		buf_addf(out, "<h2>Resolved in the last 7 days</h2><details><summary>%zu</summary>",
			nover);
		buf_addstr(out, buf_str(&over));
		buf_adds(out, "</details>\n");
	}
	html_end(out);
	buf_release(&title);
	buf_release(&over);
	buf_release(&pending);
	buf_release(&firing);
}
