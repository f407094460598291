/*
 * pipeline_releases: which versions of each job's program were seen, and what leaked under them, as
 * scrapes tell it (releases.h).  Level 4; part of the pipeline, not for others.
 *
 * The store keeps it as one row of meta a job, "releases JOB" (leakwatch-sql(7)), written with what
 * is news at once and else every ten minutes.  It outlives targets: pods come and go with each
 * version, and what the last version did is told by those that are gone.
 *
 * A leak is of the version that ran while the rise was judged.  Where a deploy lies within that, it
 * is not proven for either: a process that takes another's place takes its suspicion, too.
 */
#ifndef LEAKWATCH_PIPELINE_RELEASES_H
#define LEAKWATCH_PIPELINE_RELEASES_H

#include "pipeline_internal.h"
#include "releases.h"

/* Of the target's job; never NULL, valid until pipeline_free. */
struct releases *target_releases(const struct target *t);
/* The version in which a growth that began at since, and was judged at, began: since is an
 * estimate, so a fifth of the time until then may lie before the deploy. */
struct str target_version_in(const struct target *t, double since, double at);
/* After each cycle's verdicts of a whole dump; when its process has ended, before its series hear
 * of that; and when its history comes from the store, which knows its run. */
void target_note_release(struct target *t);
void target_end_release(struct target *t);
void target_restore_release(struct target *t, const struct store_run *run);
/* Into the cycle's batch, when it is due; last: at a clean stop. */
void target_write_releases(struct target *t, struct store_batch *b, int64_t now_ms, bool last);

int pipeline_load_releases(struct pipeline *p, struct store *store, struct err *err);

#endif
