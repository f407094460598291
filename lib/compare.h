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

#define COMPARE_STACKS 100000
#define COMPARE_IDS    (4 * 1000 * 1000)

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

/* For a terminal; at most `rows` classes and stacks each. */
void compare_text(
	const struct compare *c, struct str old, struct str new_name, size_t rows, struct buf *out);
/* All of it; the caller releases it. */
json_t *compare_json(const struct compare *c, struct str old, struct str new_name);

#endif
