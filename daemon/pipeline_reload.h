/*
 * pipeline_reload: targets that come, go and change, and rules that change.  Level 4; for the files
 * of the pipeline.
 *
 * Rules belong to a configuration, and goroutines are sorted by them in the middle of a body: so a
 * target keeps its rules until its next scrape begins, and the configuration lives as long as one
 * target does.
 */
#ifndef LEAKWATCH_PIPELINE_RELOAD_H
#define LEAKWATCH_PIPELINE_RELOAD_H

#include "pipeline_series.h"

/* Sorts goroutines; kept as long as a target is sorted by it. */
struct ruleset {
	const struct config *config;
	struct classifier *classifier;
	size_t users;
};

/* A target that left is kept for so long after its alerts may have ended. */
#define PIPELINE_PARKED_MORE_MS 60000

/* pipeline.c */
int target_want_metrics(struct target *t, struct err *err);
void target_make_tally(struct target *t);
void target_set_labels(struct target *t, const struct config_labels *labels);
void target_free(struct target *t);
void pipeline_set_host(struct pipeline *p);

/* pipeline_reload.c */
struct ruleset *ruleset_new(const struct config *config, struct err *err);
void ruleset_drop(struct pipeline *p, struct ruleset *r);
/* Takes over the pipeline's rules; not within a scrape. */
void target_reconfigure(struct target *t);
/* Asks for the metrics that its job and rules name now. */
void target_rewant(struct target *t);
/* After the first body sorted by new rules: classes that lost their goroutines to others. */
void target_resorted(struct target *t);
struct target *pipeline_take_parked(struct pipeline *p, const char *job, const char *instance);

/* pipeline_rows.c */
void target_write(struct target *t, const struct scrape_cycle *c);
void target_save(struct target *t, int64_t now_ms);
int64_t rule_definition(const struct rule *r);
/* It left: its row says when. */
void target_put_gone(struct target *t, int64_t now_ms);

/* pipeline_load.c, pipeline_restore.c */
void loaded_free(struct loaded *l);
int target_take_loaded(struct target *t, int64_t now_ms, struct err *err);
/* A cycle comes at that time: the clock may have been set back since the one before. */
void pipeline_mind_clock(struct pipeline *p, int64_t at_ms);
void target_restore_findings(struct target *t);

/* pipeline_view.c */
void target_note_view(struct target *t, const struct scrape_cycle *c);
/* Of a whole dump: too many classes, or one that costs too much, is said in the status. */
void target_note_limits(struct target *t, const struct scrape_cycle *c);

#endif
