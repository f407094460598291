/*
 * pipeline_slot: one series of a target, with what the daemon keeps beside it.  Level 4; part of
 * the pipeline, not for others.
 */
#ifndef LEAKWATCH_PIPELINE_SLOT_H
#define LEAKWATCH_PIPELINE_SLOT_H

#include "pipeline_cost.h"
#include "series.h"
#include "tally.h"
#include "vitals.h"

/* A series, and where it comes from and goes to. */
struct slot {
	struct series *series;
	struct tally_class *class; /* kind class; else NULL */
	uint32_t generation; /* of the class when the series began */
	enum vital vital; /* other kinds but the total */
	int load, expect; /* numbers of vitals selectors, or -1 */
	int64_t class_id, first_seen_ms;
	bool stored; /* its rows are in the store, or on their way */
	uint64_t example; /* fingerprint of the example stack that is stored */
	enum verdict_state verdict_stored;
	double verdict_at; /* when it was stored */
	double leaking_at; /* the verdict that its job's releases know of */
	struct slot_cost cost;
};

#endif
