/*
 * pipeline_series: a target's series, and what one cycle says of each.  Level 4; for the files of
 * the pipeline.
 */
#ifndef LEAKWATCH_PIPELINE_SERIES_H
#define LEAKWATCH_PIPELINE_SERIES_H

#include "pipeline_internal.h"

void target_judge(struct target *t, double now, bool goroutines, bool metrics);
/* The total alone, in a cycle without a dump: all goroutines, the ignored ones among them. */
void target_judge_count(struct target *t, double now, uint64_t count);
void target_sync_classes(struct target *t, double now);
bool target_restarted(struct target *t, double *at);
void target_begin_run(struct target *t, double at);
void target_note_counts(struct target *t);
void target_note_connection(struct target *t, const struct fetch_result *r);
struct slot *target_slot(struct target *t, enum series_kind kind, struct str name);
struct slot *target_add_slot(struct target *t, enum series_kind kind, struct str name);
void target_set_rule(struct target *t, struct slot *s, const struct rule *rule);
struct series_context target_context(
	const struct target *t, const struct slot *s, const double *values, const double *selected);
void target_free_slots(struct target *t);

#endif
