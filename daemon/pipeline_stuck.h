/*
 * pipeline_stuck: who waits for a mutex and never gets it.  Level 4; for the files of the pipeline.
 *
 * The set is fed by the tally as a body is read, and asked when the body has ended.  Before it is
 * told that some are stuck, two looks at single goroutines are waited for, as long as they can be
 * had and for no longer than the row took (STUCK_AFTER_S): they tell whether those are the same
 * ones, or whether the lock is only busy; and whether more and more wait for one lock, which has a
 * name of its own (LockConvoy).
 */
#ifndef LEAKWATCH_PIPELINE_STUCK_H
#define LEAKWATCH_PIPELINE_STUCK_H

#include "evidence.h"
#include "pipeline_internal.h"
#include "notify.h"
#include "stuck.h"

void target_watch_waits(struct target *t); /* of its tally, which may be a new one */
/* The body of now is whole, or none was: which series have goroutines that are stuck. */
void target_judge_stuck(struct target *t, double now, bool complete);
/* What is stuck in the class of that series, or will soon be; or NULL. */
const struct stuck *target_stuck(const struct target *t, const struct series *s);
const struct stuck *target_stuck_soon(const struct target *t, const struct series *s);
/* When the class should be looked at for that; INFINITY: never. */
double target_stuck_look(
	const struct target *t, const struct series *s, const struct evidence_class *c);
/* A look at the class has ended. */
void target_stuck_seen(struct target *t, const struct series *s, const struct evidence_class *c);
/* The facts of an alert about those that are stuck, or of a convoy of them; not of their class. */
void target_stuck_facts(const struct target *t, const struct series *s, struct notify_facts *f);

#endif
