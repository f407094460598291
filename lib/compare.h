/*
 * compare: two goroutine dumps, what is gone, new, more and fewer.  Layer 1.
 *
 * By class and by stack; and, where both dumps come from one process and print ids (debug=2), by
 * goroutine: which are in both.  That they come from one process is concluded: ids are in both, and
 * every goroutine that is in both was started by the same function and created by the same one
 * (Go never uses an id twice in a process).
 *
 * Life cycle: compare_new; compare_sink for the old dump's parser, then for the new one's;
 * compare_end; then the printers; compare_free.  The last dump of a body counts: compare_restart
 * forgets what was read of a side so far.
 *
 * Memory: class names and one example for each distinct stack, ids of debug=2 (16 bytes each), at
 * most COMPARE_STACKS stacks and COMPARE_IDS ids a side; what is over counts by class only.
 */
#ifndef LEAKWATCH_COMPARE_H
#define LEAKWATCH_COMPARE_H

#include "buf.h"
#include "classify.h"
#include "gdump.h"
#include "json.h"
#include "symbols.h"

#define COMPARE_WAITED_MIN 10 /* minutes: shorter waits are ordinary turnover */
#define COMPARE_STACKS	   100000
#define COMPARE_IDS	   (4 * 1000 * 1000)

enum compare_side { COMPARE_OLD, COMPARE_NEW, COMPARE_SIDES };

struct compare;

/* The classifier must outlive it. */
struct compare *compare_new(const struct classifier *c);
void compare_free(struct compare *c);
/* What a side's parser hands its groups to; symbols (may be NULL) name hidden frames. */
struct gdump_sink compare_sink(
	struct compare *c, enum compare_side side, const struct symbols *symbols);
void compare_restart(struct compare *c, enum compare_side side);
/* Both have been read; the statistics are copied. */
void compare_end(
	struct compare *c, const struct gdump_stats *old, const struct gdump_stats *new_stats);

/* ---- what changed, for other reports ----
 * After compare_end. */

/* By class, the largest change first; also classes that are gone. */
struct compare_change {
	struct str class_name;
	uint64_t old, now;
	bool by_id; /* one process: the following are known */
	uint64_t stayed; /* in this class in both; old - stayed are gone, now - stayed new */
	uint64_t waited; /* of the old ones: had waited COMPARE_WAITED_MIN */
	uint64_t waited_stayed; /* and are still there */
};

size_t compare_changes(const struct compare *c);
struct compare_change compare_change_at(const struct compare *c, size_t index);
/* The change of that class; old and now are 0 when it is in neither. */
struct compare_change compare_change_of(const struct compare *c, struct str class_name);
bool compare_one_process(const struct compare *c);
enum gdump_format compare_format(const struct compare *c, enum compare_side side);
uint64_t compare_total(const struct compare *c, enum compare_side side);

/*
 * The time between the dumps, from the goroutines that are in both with a printed wait in the same
 * stack: one that slept through has waited longer by just that time, in whole minutes at either
 * end; one that woke up meanwhile by less.  So the largest growth of a wait that several agree on
 * is the gap, to a minute.  Not known where they are fewer than COMPARE_GAP_AGREE.
 */
#define COMPARE_GAP_AGREE 3
struct compare_gap {
	double minutes; /* NAN when not known */
	double minutes_low, minutes_high;
	uint64_t agree; /* goroutines that say so; 0: it was given */
};

struct compare_gap compare_gap(const struct compare *c);
/* The caller knows it. */
struct compare_gap compare_gap_given(double minutes);

/*
 * Goroutines an hour by which the class grew, with its 95 % interval: came less left, of a Poisson
 * process each.  Where goroutines cannot be told apart, all of both dumps may have come and left.
 * NAN without a gap.
 */
struct compare_rate {
	double rate_per_hour, low, high;
};

struct compare_rate compare_rate(
	const struct compare_change *change, const struct compare_gap *gap);
/* "12 came, 2 left in 30 min, by goroutine id; the time from --gap". */
void compare_rate_basis(
	const struct compare_change *change, const struct compare_gap *gap, struct buf *out);

/* ---- printing ---- */

/* For a terminal; at most `rows` classes and stacks each. */
void compare_text(
	const struct compare *c, struct str old, struct str new_name, size_t rows, struct buf *out);
/* All of it; the caller releases it. */
json_t *compare_json(const struct compare *c, struct str old, struct str new_name);

#endif
