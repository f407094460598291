/*
 * pipeline_stuck: who waits for a mutex and never gets it.  Level 4; for the files of the pipeline.
 *
 * The set is fed by the tally as a body is read, and asked when the body has ended.
 */
#ifndef LEAKWATCH_PIPELINE_STUCK_H
#define LEAKWATCH_PIPELINE_STUCK_H

#include "pipeline_internal.h"
#include "stuck.h"

void target_watch_waits(struct target *t); /* of its tally, which may be a new one */
/* The body of now is whole, or none was: which series have goroutines that are stuck. */
void target_judge_stuck(struct target *t, double now, bool complete);
/* What is stuck in the class of that series, or NULL. */
const struct stuck *target_stuck(const struct target *t, const struct series *s);

#endif
