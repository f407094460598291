/*
 * pipeline_forever: who waits for what can never happen (forever.h).  Level 4; for the files of the
 * pipeline.
 *
 * Routine profiles do not show it, so each look at single goroutines is asked.  It is found
 * (series.forever_since, alert BlockedForever) where most of a class that is suspect, or rises
 * fast, wait so; or where they became more from look to look, whatever is thought of their class.
 * A constant number is never told.
 *
 * What rises slowly is suspect late, or never: a class that is watched, and whose goroutines may be
 * such by the way they wait, is a reason for a glance at the target, every six hours at most; where
 * they are such, for a second ten minutes later, and others each half hour, until it is known
 * whether they become more.
 *
 * It is over when the class is down to half of them, when a look finds none, or with the process.
 */
#ifndef LEAKWATCH_PIPELINE_FOREVER_H
#define LEAKWATCH_PIPELINE_FOREVER_H

#include "notify.h"
#include "pipeline_internal.h"

/* A look has ended, and was whole. */
void target_forever_seen(struct target *t);
/* The body of a whole dump was judged. */
void target_judge_forever(struct target *t);
/* A look is wanted because the class may be one of those. */
bool target_forever_glance(const struct target *t, const struct slot *s, double now);
/* Another process. */
void target_forever_reset(struct target *t);
/* A finding of it was restored: it stands until a look says otherwise. */
void target_forever_restore(struct target *t, struct str class, double since);
/* The facts of its alert that are not those of its class. */
void target_forever_facts(const struct target *t, const struct series *s, struct notify_facts *f);
/* Appends what the newest look told of the class, behind "; " when there is something before. */
void target_forever_words(const struct target *t, const struct series *s, struct buf *out);

#endif
