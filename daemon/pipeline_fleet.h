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

/* Text of the facts, theirs until released. */
struct fleet_facts {
	struct buf words, list, history;
};

#define FLEET_FACTS_INIT                                                                           \
	{                                                                                          \
		.words = BUF_INIT, .list = BUF_INIT, .history = BUF_INIT                           \
	}

/* Fills out, and what of f says in which version it began and what the other instances do. */
void target_fleet_facts(struct target *t, const struct finding *finding, struct notify_facts *f,
	struct fleet_facts *out);
void fleet_facts_release(struct fleet_facts *out);

#endif
