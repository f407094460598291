/*
 * pipeline_fleet: how a target's leak is with the other instances of its job.  Level 4; part of the
 * pipeline, not for others.
 *
 * The instances of now that are scraped are gone through for each finding (fleet.h).  An instance
 * leaks when it has a finding of the same kind (or another of goroutines that grow) under that
 * class, or with that class among its members: which of two classes that rise together names a
 * finding is chance.
 */
#ifndef LEAKWATCH_PIPELINE_FLEET_H
#define LEAKWATCH_PIPELINE_FLEET_H

#include "pipeline_internal.h"
#include "notify.h"

/* Fills what of f says in which version it began and what the other instances do; the text is good
 * until the next call. */
void target_fleet_facts(struct target *t, const struct finding *finding, struct notify_facts *f);
void pipeline_free_fleets(struct pipeline *p);

#endif
