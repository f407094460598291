/*
 * pipeline_cost: what one goroutine of a target's classes holds, as it was last told.  Level 4;
 * part of the pipeline, not for others.  How it is found out: cost.h.
 */
#ifndef LEAKWATCH_PIPELINE_COST_H
#define LEAKWATCH_PIPELINE_COST_H

#include "cost.h"
#include "notify.h"
#include "store_batch.h"

struct slot;
struct target;

struct slot_cost {
	struct cost_range each[COST_METRICS]; /* estimate NAN: not told */
	double at; /* NAN: never told, and each is nothing */
	uint32_t id; /* of the class in the history; 0: none yet */
	bool stored;
};

/* In each cycle: before findings are made, and after, when their members are known. */
void target_cost_sample(struct target *t, double now);
void target_cost_ask(struct target *t, double now);
/* The slot gets another class; the target is another process. */
void target_cost_forget(struct target *t, struct slot *s);
void target_cost_reset(struct target *t);
/* Into an alert's text; into the store, when it is news; and back, after the daemon's restart. */
void target_cost_facts(const struct slot *s, struct notify_facts *f);
void target_cost_write(struct target *t, struct slot *s, struct store_batch *b);
bool target_cost_each(const struct slot *s, enum cost_metric m, struct cost_range *out);
bool target_cost_holds_fds(const struct slot *s);
double target_cost_go(const struct slot *s); /* bytes of heap and stacks each; NAN: not told */
int target_cost_load(struct target *t, struct store *store, struct err *err);

#endif
