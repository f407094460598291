/* page_internal: words and pieces that all pages share.  Layer 1; for page*.c only. */
#ifndef LEAKWATCH_PAGE_INTERNAL_H
#define LEAKWATCH_PAGE_INTERNAL_H

#include "html.h"
#include "page.h"

/* Milliseconds of a member that holds Unix seconds; 0 for null. */
int64_t page_ms(const json_t *row, const char *key);
/* "2026-11-28 22:31:09 UTC (5 min ago)", "-" for null. */
void page_time(const struct page *p, struct buf *out, const json_t *row, const char *key);
/* "5 min ago" */
void page_ago(const struct page *p, struct buf *out, int64_t at_ms);
/* The number a series row has now, in its unit, and what it is called. */
void page_value(struct buf *out, const json_t *series);
void page_rate(struct buf *out, const json_t *series);
struct str page_name_of(const json_t *series);
bool page_is_bytes(const json_t *series);
/* "up", "down", or "new": not scraped yet. */
struct str page_state(const json_t *target);
/* <span class="leaking">leaking</span> */
void page_verdict(struct buf *out, struct str state);
/* <dt>name<dd>text; nothing for an empty text. */
void page_fact(struct buf *out, const char *name, struct str text);
void page_fact_time(const struct page *p, struct buf *out, const char *name, const json_t *row,
	const char *key);
/* <a href="BASE/what/id"> … the caller adds text and </a>. */
void page_link(const struct page *p, struct buf *out, const char *what, struct str id);
/* begin with the daemon's name and a way back; ends with html_end. */
void page_head(const struct page *p, struct buf *out, struct str title, unsigned refresh_s);
/* A row of alerts of the state, as cards; with a target, only its own.  How many. */
size_t page_cards(const struct page *p, const json_t *alerts, const char *state,
	const json_t *target, struct buf *out);
/* The drawing of a series over the range. */
void page_plot(const struct page *p, const struct page_series *s, const struct page_runs *runs,
	const struct page_range *range, struct buf *out);
/* A heading and a table: a row of cmd_fleet's (daemon/cmd_fleet.h), nothing where it says nothing.
 */
void page_fleet(const struct page *p, const json_t *fleet, struct buf *out);

#endif
