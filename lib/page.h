/*
 * page: what the daemon knows, as pages for a browser.  Layer 1.
 *
 * Overview, one target, one series, one alert: HTML made of the same JSON rows that the commands
 * print (leakwatch(1): targets, classes, alerts), so that page and command cannot disagree, and of
 * points for the plots.  Pure: where rows come from, and who may see them, is daemon/app_page.  All
 * names in rows are outsiders' (html.h).
 *
 * Links are to "/", "/targets/ID", "/series/ID?range=…", "/alerts/ID"; they are relative to the
 * server's root, or to `base`.
 */
#ifndef LEAKWATCH_PAGE_H
#define LEAKWATCH_PAGE_H

#include "json.h"
#include "svg.h"

#define PAGE_ROWS_MAX  1000 /* targets or series in a table; the rest is only counted */
#define PAGE_PLOTS_MAX 4 /* series drawn on a target's page */

struct page {
	int64_t now_ms;
	struct str host; /* the daemon's */
	struct str base; /* path before each link, "" or "/leakwatch" */
};

/* What time a plot shows. */
struct page_range {
	const char *name; /* "6h", as in ?range= */
	double seconds; /* INFINITY: all there is */
};
/* NULL at the end of the names; the default is [PAGE_RANGE_DEFAULT]. */
extern const struct page_range page_ranges[];
#define PAGE_RANGE_DEFAULT 1
/* The one of that name, else the default. */
const struct page_range *page_range_of(struct str name);

/* One series with its numbers. */
struct page_series {
	const json_t *row; /* of a class or another series */
	const struct svg_point *points;
	size_t npoints;
	double gap_s; /* longer without a sample is a gap in the line */
};

/* Of one target: starts of its process, for the marks. */
struct page_runs {
	const double *starts; /* Unix seconds */
	size_t n;
};

/* match: only targets whose name holds it are listed; may be "". */
void page_overview(const struct page *p, const json_t *targets, const json_t *alerts,
	struct str match, struct buf *out);
/* alerts: all; those of the target are shown.  series: what is drawn; rows: all of them. */
void page_target(const struct page *p, const json_t *target, const json_t *alerts,
	const json_t *rows, const struct page_series *series, size_t nseries,
	const struct page_runs *runs, const struct page_range *range, struct buf *out);
/* The series' row may have "evidence", as the store keeps it (leakwatch-sql(7)). */
void page_series(const struct page *p, const json_t *target, const struct page_series *series,
	const struct page_runs *runs, const struct page_range *range, struct buf *out);
/* alert: with "events", "deliveries" and "exhibits", as `alerts show` prints them, and with
 * "fleet", one of what `classes --by-class` prints, or without.  target and series may be NULL: it
 * is about none, or it is forgotten. */
void page_alert(const struct page *p, const json_t *alert, const json_t *target,
	const struct page_series *series, const struct page_runs *runs, struct buf *out);
/* Is the alert about that target?  One that stood when its instance was continued by another
 * (lineage, annotation continued_in) is about that one. */
bool page_is_about(const json_t *alert, const json_t *target);
/* A short page that says what could not be done. */
void page_problem(const struct page *p, const char *title, struct str text, struct buf *out);

#endif
