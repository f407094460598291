/*
 * pipeline_looks: what the pipeline has to do with looks at single goroutines, for who runs it.
 * Level 4, plain data.
 */
#ifndef LEAKWATCH_PIPELINE_LOOKS_H
#define LEAKWATCH_PIPELINE_LOOKS_H

#include "scrape_look.h"

/* The callbacks for scrape_on_look; a scrape target's user is its struct target. */
extern const struct scrape_look_events pipeline_look_events;

/* How looks at single goroutines ended. */
enum pipeline_look_end {
	PIPELINE_LOOK_DUMP, /* a whole dump was had */
	PIPELINE_LOOK_BUDGET, /* it would have stopped the target for too long */
	PIPELINE_LOOK_ABSENT, /* 4xx */
	PIPELINE_LOOK_FAILED, /* no answer, another body, or a cut one */
	PIPELINE_LOOK_OTHER, /* the dump was another process's */
	PIPELINE_LOOK_ENDS
};
struct pipeline_looks {
	uint64_t ended[PIPELINE_LOOK_ENDS], proofs; /* proofs: profiles of the collector */
	double predicted_s, paused_s; /* of dumps that were had: as predicted, and at most really */
};

#endif
