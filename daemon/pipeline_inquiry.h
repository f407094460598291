/*
 * pipeline_inquiry: the looks at one target, and what came of them.  Level 4; what the files of
 * pipeline_evidence share, not for others.
 */
#ifndef LEAKWATCH_PIPELINE_INQUIRY_H
#define LEAKWATCH_PIPELINE_INQUIRY_H

#include "evidence.h"
#include "exhibit.h"
#include "pause.h"
#include "pipeline_internal.h"

struct inquiry {
	struct evidence *evidence;
	struct pause pause;
	double again_at; /* no look before; Unix time */
	char why[ERR_MAX]; /* why the last dump could not be had; "" when it was */
	unsigned odd; /* dumps of other processes, in a row */

	/* the look under way */
	struct buf page;
	struct gdump *parser; /* of the dump, then of the collector's profile */
	struct exhibit *exhibit;
	double index_ms, predicted_ms;
	bool proof_wanted, proof_absent; /* absent: this run of the target does not have it */
	int64_t dump_at_ms;

	/* What the dump cost: known when the metrics after it are there. */
	bool owes_cost;
	double cost_ms, pauses_before;
	uint64_t goroutines, frames, bytes;

	/* The newest dump, while an alert may want it. */
	struct buf kept;
	uint64_t kept_bytes, kept_goroutines;
	bool kept_whole;
	int kept_cycles; /* left */
	int64_t kept_at_ms;
	struct map *shown; /* ids of alerts that have an exhibit */

	struct buf words; /* of target_add_facts */
};

/* Makes it when there is none. */
struct inquiry *target_need_inquiry(struct target *t);
/* pipeline_conclude.c: verdicts and rows from what a look told of each class that is followed. */
void target_conclude(struct target *t, int64_t at_ms);
/* pipeline_evidence_say.c: the dump that was read is the one that alerts show. */
void inquiry_keep_exhibit(struct inquiry *q);

#endif
