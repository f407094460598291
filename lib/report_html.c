/*
 * The report as one page that stands alone: no script, nothing loaded, so that it can be attached
 * to a ticket, and opened from there.  It says what report_markdown says, with bars.
 */
#include "report_story.h"

#include "html.h"

#include <inttypes.h>
#include <math.h>

#define PLACES	  8
#define ROWS	  20 /* of a table that has no other limit */
#define BAR_WIDTH 120 /* of the largest class, in pixels */

/* ---- pieces -----------------------------------------------------------------------------------
 */
static void add_code(struct buf *out, struct str name)
{
	buf_adds(out, "<code>");
	html_text(out, name);
	buf_adds(out, "</code>");
}

static void add_title(struct buf *out, const char *title)
{
	buf_addf(out, "<h2>%s</h2>\n", title);
}

static void add_place(struct buf *out, const struct counted *row)
{
	add_code(out, row->name);
	if (row->file.len > 0) {
		buf_addc(out, ' ');
		html_text(out, row->file);
		buf_addf(out, ":%" PRIu32, row->line);
	}
}

static void add_count(struct buf *out, uint64_t n)
{
	buf_addf(out, "<td style=\"text-align:right\">%" PRIu64 "</td>", n);
}

static void add_age(struct buf *out, uint32_t minutes)
{
	buf_adds(out, "<td style=\"text-align:right\">");
	if (minutes > 0)
		report_add_age(out, minutes);
	buf_adds(out, "</td>");
}

/* A share of all, as a bar of our own two numbers. */
static void add_bar(struct buf *out, uint64_t part, uint64_t whole)
{
	double width = whole ? BAR_WIDTH * (double)part / (double)whole : 0;

	buf_addf(out,
		"<td><svg style=\"width:%dpx;height:10px\"><rect width=\"%.1f\" "
		"height=\"10\" fill=\"#4477aa\"/></svg></td>",
		BAR_WIDTH, width);
}

/* What report_*_words and their like write holds names as they are: escaped as a whole. */
static void add_words(struct buf *out, const struct buf *words)
{
	html_text(out, buf_str(words));
}

/* ---- what it comes to -------------------------------------------------------------------------
 */
static void add_finding(const struct report *r, const struct report_story *s, struct buf *out)
{
	const struct report_class *c = s->class;
	struct buf words = BUF_INIT;

	buf_adds(out, "<p>");
	add_code(out, c->name);
	buf_addf(out, ": <strong>%" PRIu64 " of %" PRIu64 " goroutines</strong>", c->count,
		r->stats.parsed);
	if (c->waiting[OVER_1M] > 0) {
		buf_addf(out, ", %" PRIu64 " of them waiting for a minute or more, the oldest for ",
			c->waiting[OVER_1M]);
		report_add_age(out, c->oldest_minutes);
	}
	buf_adds(out, ". ");
	report_story_words(r, s, &words);
	add_words(out, &words);
	buf_adds(out, "</p>\n");
	buf_release(&words);
}

static void add_note(const struct report *r, const struct report_view *view, struct buf *out)
{
	struct buf words = BUF_INIT;
	struct str rest, line;

	report_add_count(r, &words);
	buf_addc(&words, '\n');
	if (r->baseline) {
		buf_addf(&words, "against %.*s: ", STR_ARG(r->baseline_name));
		report_add_baseline(r, &words);
		buf_addc(&words, '\n');
	}
	buf_addstr(&words, view->note);
	for (size_t i = 0; i < r->nfindings; i++) {
		const struct report_finding *f = &r->findings[i];

		buf_addf(&words, "%s: %.*s: ", report_finding_name(f), STR_ARG(f->class->name));
		report_finding_words(r, f, &words);
		buf_addc(&words, '\n');
	}
	report_add_losses(r, "", &words);
	rest = buf_str(&words);
	buf_adds(out, "<ul>\n");
	while (str_line(&rest, &line)) {
		buf_adds(out, "<li>");
		html_text(out, line);
		buf_adds(out, "</li>\n");
	}
	buf_adds(out, "</ul>\n");
	buf_release(&words);
}

static void add_cause(const struct report *r, const struct report_story *s, struct buf *out)
{
	const struct str parts[] = {
		report_what(s->class), report_cause(s->class), report_look_for(s->class)};
	struct report_place places[PLACES];
	size_t n = report_where(r, s->class, places, PLACES);

	add_title(out, s->why >= STORY_STUCK ? "Likely cause" : "Likely cause, if it grows");
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].len == 0)
			continue;
		buf_adds(out, "<p>");
		html_text(out, parts[i]);
		buf_adds(out, "</p>\n");
	}
	if (n == 0)
		return;
	add_title(out, "Where to look");
	buf_adds(out, "<ul>\n");
	for (size_t i = 0; i < n; i++) {
		buf_adds(out, "<li>");
		add_place(out, places[i].row);
		buf_addf(out, " (%s, %" PRIu64 ")</li>\n", places[i].doing, places[i].row->count);
	}
	buf_adds(out, "</ul>\n");
}

/* ---- tables -----------------------------------------------------------------------------------
 */
static void add_class(const struct report *r, const struct report_class *c, struct buf *out)
{
	buf_adds(out, "<tr>");
	add_count(out, c->count);
	add_bar(out, c->count, r->sorted[0]->count);
	if (report_has_ages(r)) {
		add_count(out, c->waiting[OVER_1M]);
		add_age(out, c->oldest_minutes);
	}
	if (r->baseline)
		buf_addf(out, "<td style=\"text-align:right\">%+" PRId64 "</td>",
			(int64_t)(c->change.now - c->change.old));
	buf_adds(out, "<td>");
	if (c->rate.from != RATE_UNTOLD)
		report_add_rate(&c->rate, out);
	buf_adds(out, "</td><td><details><summary>");
	add_code(out, c->name);
	buf_adds(out, "</summary><pre>");
	html_lines(out, c->example);
	buf_adds(out, "</pre>");
	if (c->rule) {
		buf_adds(out, "<p>");
		html_text(out, c->rule->hint);
		buf_adds(out, "</p>");
	}
	buf_adds(out, "</details></td></tr>\n");
}

static void add_classes(const struct report *r, const struct report_view *view, struct buf *out)
{
	size_t shown = MIN(r->nclasses, view->classes);

	add_title(out, "By class");
	buf_addf(out,
		"<table><tr><th>count</th><th></th>%s%s<th>growth</th><th>class, with its usual "
		"stack</th></tr>\n",
		report_has_ages(r) ? "<th>&ge; 1 min</th><th>oldest</th>" : "",
		r->baseline ? "<th>change</th>" : "");
	for (size_t i = 0; i < shown; i++)
		add_class(r, r->sorted[i], out);
	buf_adds(out, "</table>\n");
	if (shown < r->nclasses)
		buf_addf(out, "<p>%zu smaller classes are left out.</p>\n", r->nclasses - shown);
}

static void add_waits(const struct report *r, struct buf *out)
{
	static const char *const names[] = {
		"under 1 min", "1 to 10 min", "10 to 60 min", "1 h to 1 d", "over 1 d"};
	const uint64_t *w = r->waiting;
	const uint64_t counts[] = {r->stats.parsed - w[OVER_1M], w[OVER_1M] - w[OVER_10M],
		w[OVER_10M] - w[OVER_1H], w[OVER_1H] - w[OVER_1D], w[OVER_1D]};

	if (w[OVER_1M] == 0)
		return;
	add_title(out, "How long they have waited");
	buf_adds(out, "<table>\n");
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		buf_addf(out, "<tr><td>%s</td>", names[i]);
		add_count(out, counts[i]);
		add_bar(out, counts[i], r->stats.parsed);
		buf_adds(out, "</tr>\n");
	}
	buf_adds(out, "</table>\n");
}

/* count, oldest, and a place each; what: a column of our own words, or NULL. */
static void add_rows(const struct table *t, const char *what, bool lock, struct buf *out)
{
	for (size_t i = 0; i < MIN(t->n, (size_t)ROWS); i++) {
		const struct counted *row = t->sorted[i];
		struct counted at = {.name = row->place, .file = row->file, .line = row->line};

		buf_adds(out, "<tr>");
		add_count(out, row->count);
		add_age(out, row->minutes);
		buf_adds(out, "<td>");
		if (lock)
			add_code(out, row->name);
		else
			buf_adds(out, what);
		buf_adds(out, "</td><td>");
		if (!lock || at.name.len)
			add_place(out, lock ? &at : row);
		buf_adds(out, "</td></tr>\n");
	}
}

static void add_locks_and_callers(const struct report *r, struct buf *out)
{
	if (r->locks.n) {
		add_title(out, "Waiting for locks");
		buf_adds(out, "<table>\n");
		add_rows(&r->locks, NULL, true, out);
		buf_adds(out, "</table>\n");
	}
	if (r->callers[CALLER_WAITS].n + r->callers[CALLER_READS].n == 0)
		return;
	add_title(out, "HTTP requests under way, by the code that made them");
	buf_adds(out, "<table>\n");
	for (int d = 0; d < CALLER_DOINGS; d++)
		add_rows(&r->callers[d], caller_doing_name((enum caller_doing)d), false, out);
	buf_adds(out, "</table>\n");
}

static void add_creators(const struct report *r, struct buf *out)
{
	if (r->created_by.n == 0)
		return;
	add_title(out, "Created by");
	buf_adds(out, "<table>\n");
	for (size_t i = 0; i < MIN(r->created_by.n, (size_t)ROWS); i++) {
		buf_adds(out, "<tr>");
		add_count(out, r->created_by.sorted[i]->count);
		buf_adds(out, "<td>");
		add_code(out, r->created_by.sorted[i]->name);
		buf_adds(out, "</td></tr>\n");
	}
	buf_adds(out, "</table>\n");
}

void report_html(const struct report *r, const struct report_view *view, struct buf *out)
{
	struct report_story s = report_story(r);
	struct buf title = BUF_INIT;

	buf_addf(&title, "%s of %.*s", r->stats.format == GDUMP_COUNT ? "Profile" : "Goroutines",
		STR_ARG(view->name));
	html_begin(out, buf_str(&title), 0);
	buf_adds(out, "<h1>");
	html_text(out, buf_str(&title));
	buf_adds(out, "</h1>\n");
	buf_release(&title);
	if (s.class)
		add_finding(r, &s, out);
	add_note(r, view, out);
	if (s.class)
		add_cause(r, &s, out);
	if (r->nclasses > 0)
		add_classes(r, view, out);
	add_waits(r, out);
	add_locks_and_callers(r, out);
	add_creators(r, out);
	html_end(out);
}
