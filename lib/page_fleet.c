/* The instances of a job beside an alert of one of them. */
#include "page_internal.h"

#include "notify.h"

#include <math.h>

#define NAME_COLUMNS 120

static void add_instance(const struct page *p, const json_t *row, struct buf *out)
{
	double series = json_get_num(row, "series_id"), id = json_get_num(row, "target_id");
	struct str state = json_get_str(row, "state"), why = json_get_str(row, "why");
	struct buf text = BUF_INIT;

	buf_addf(&text, "%.0f", isnan(series) ? id : series);
	buf_adds(out, "<tr><td>");
	page_link(p, out, isnan(series) ? "targets" : "series", buf_str(&text));
	html_text_cut(out, json_get_str(row, "instance"), NAME_COLUMNS);
	buf_adds(out, "</a></td><td>");
	html_text_cut(out, json_get_str(row, "version"), NAME_COLUMNS);
	buf_adds(out, "</td><td>");
	buf_adds(out, str_is(state, "leaks") ? "<span class=\"leaking\">" : "<span>");
	html_text(out, state);
	buf_adds(out, "</span>");
	if (why.len) {
		buf_adds(out, " <span class=\"dim\">");
		html_text_cut(out, why, NAME_COLUMNS);
		buf_adds(out, "</span>");
	}
	buf_release(&text);
}

static void add_growth(
	const struct page *p, const json_t *row, enum notify_unit unit, struct buf *out)
{
	buf_adds(out, "</td><td class=\"n\">");
	if (!isnan(json_get_num(row, "rate_per_hour")))
		notify_add_rate(out, json_get_num(row, "rate_per_hour"), unit);
	buf_adds(out, "</td><td>");
	if (page_ms(row, "since"))
		page_ago(p, out, page_ms(row, "since"));
	buf_adds(out, "</td></tr>\n");
}

static void add_more(const json_t *fleet, const char *key, const char *words, struct buf *out)
{
	if (json_get_num(fleet, key) > 0)
		buf_addf(out, "<p>and %.0f more that %s</p>\n", json_get_num(fleet, key), words);
}

void page_fleet(const struct page *p, const json_t *fleet, struct buf *out)
{
	enum notify_unit unit = str_ends(json_get_str(fleet, "class"), STR("_bytes"))
					? NOTIFY_BYTES
					: NOTIFY_GOROUTINES;
	struct str text = json_get_str(fleet, "text");
	json_t *row;
	size_t i;

	if (!text.len)
		text = json_get_str(fleet, "first_seen");
	if (!text.len)
		return;
	buf_adds(out, "<h2>Instances and versions</h2>\n<p>");
	html_text(out, text);
	buf_adds(out, "</p>\n<table><tr><th>Instance<th>Version<th>Now<th class=\"n\">Growth<th>"
		      "Since</tr>\n");
	json_array_foreach(json_object_get(fleet, "rows"), i, row)
	{
		add_instance(p, row, out);
		add_growth(p, row, unit, out);
	}
	buf_adds(out, "</table>\n");
	add_more(fleet, "more_leak", "leak, none faster", out);
	add_more(fleet, "more_others", "do not, or of which it is not known", out);
}
