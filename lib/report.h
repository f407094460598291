/*
 * report: what is in one goroutine dump, summed up for people and for programs.  Layer 1.
 *
 * Fed by gdump, it counts classes, states with their waiting times, entry functions, creators and
 * places in the service's code; it keeps no goroutine.  What the waits tell of growth (ages), what
 * rules expect, whose code uses HTTP clients (callers), and what changed since an older dump
 * (compare) is said with them.  The JSON keys are a contract, described in leakwatch(1).
 *
 * Life cycle: report_new, report_sink handed to gdump_new, the parser fed and finished, report_end,
 * then any of the printing functions; report_free.
 *
 * Memory is bounded: past REPORT_CLASSES_MAX classes, and past REPORT_BYTES_MAX bytes of names in
 * all, what is new is counted under "other".
 */
#ifndef LEAKWATCH_REPORT_H
#define LEAKWATCH_REPORT_H

#include "buf.h"
#include "classify.h"
#include "compare.h"
#include "gdump.h"
#include "json.h"
#include "symbols.h"

#define REPORT_CLASSES_MAX 10000
#define REPORT_BYTES_MAX   ((size_t)256 * 1024 * 1024)
#define REPORT_STACK_LINES 40 /* of a class's example stack */

struct report;

/* The classifier must outlive it.  stacks: keep every distinct stack, for report_stacks. */
struct report *report_new(const struct classifier *c, bool stacks);
void report_free(struct report *r);
/* Before the parser is fed: what tells the waits that the frames do not; it must outlive r. */
void report_symbols(struct report *r, const struct symbols *symbols);
struct gdump_sink report_sink(struct report *r);
/* Takes over what the parser says of the whole body, and puts the lists in order. */
void report_end(struct report *r, const struct gdump_stats *stats);

/*
 * After report_end: the difference to an older dump.  c has been ended, with this dump as its new
 * side; c and name must outlive r.  gap_minutes is the time between the two, NAN when only the
 * waits in both can tell it.
 */
void report_baseline(
	struct report *r, const struct compare *c, struct str name, double gap_minutes);

/* The whole report as a JSON object; the caller releases it. */
json_t *report_json(const struct report *r);
/* The same by class only: what is counted for the whole, and per class also waiting and stuck. */
json_t *report_classes_json(const struct report *r);

struct report_view {
	struct str name; /* of the source, for the first line */
	size_t classes; /* at most so many are shown; the rest is summed up */
	size_t columns; /* long hints are broken there; 0 = not at all */
	bool brief; /* a line a class: no states, places, creators and hints */
	struct str note; /* lines for below the first one; may be empty */
};

/* For a terminal or a ticket: plain text, control characters escaped. */
void report_text(const struct report *r, const struct report_view *view, struct buf *out);

/* The same as a Markdown table, for a ticket or a wiki; names are escaped. */
void report_markdown(const struct report *r, const struct report_view *view, struct buf *out);

/* The same as one HTML page that stands alone: no script, nothing that is loaded. */
void report_html(const struct report *r, const struct report_view *view, struct buf *out);

/* After report_end: goroutines in all, classes, and one of them, largest first. */
uint64_t report_total(const struct report *r);
size_t report_class_count(const struct report *r);
uint64_t report_class_at(const struct report *r, size_t index, struct str *name);

/*
 * For each class, largest first: its name and the text of its stacks, the most frequent first (made
 * with stacks = true).
 */
void report_stacks(const struct report *r,
	void (*each)(void *arg, size_t index, struct str class_name, struct str text), void *arg);

/*
 * The rules that would give the classes without one a name, as the YAML of `classes:`; the names
 * are to be edited.  At most n, largest first; returns how many there are.
 */
size_t report_suggest(const struct report *r, size_t n, struct buf *out);

#endif
