/*
 * pipeline_lineage: a new instance continues an old one's history.  Level 4; for the files of the
 * pipeline.
 *
 * Where a job names labels in `lineage`, targets of the job whose labels have the same values are
 * of one line, whatever their instance is: pods of one deployment.  When one of them leaves and
 * another comes, the struct target of the first goes on under the second's instance and labels,
 * with its series, detectors, findings and row in the store, and the process counts as restarted.
 * Each has one heir at most, and each heir one to continue; the others begin anew.
 *
 * It may come first: one that is not older than LINEAGE_YOUNG_MS when the other leaves, and has
 * found nothing by itself, is the heir (pipeline_heir); what was seen of it until then stays in the
 * store as a target that is gone.  Or it comes later: then it takes the one that left last, from
 * those that are parked (lineage_take_parked) or from the store (pipeline_load.c), when that was
 * not longer than LINEAGE_GONE_MS ago.  An instance that has a history under its own name takes no
 * other.
 *
 * An alert that stands keeps the labels that it was raised with, so that a leak that goes on after
 * a deploy is not told twice; the annotation LINEAGE_ANNOTATION names the instance it is about now.
 */
#ifndef LEAKWATCH_PIPELINE_LINEAGE_H
#define LEAKWATCH_PIPELINE_LINEAGE_H

#include "pipeline_internal.h"

#define LINEAGE_YOUNG_MS   (15 * 60 * 1000)
#define LINEAGE_GONE_MS	   (7 * 24 * 3600 * (int64_t)1000)
#define LINEAGE_ANNOTATION "continued_in"

/* Appends the line of such a target ("job", NUL, value, NUL, value, …); false, and nothing, when
 * the job has no lineage or the target none of its labels. */
bool lineage_text(const struct config_job *job, struct str instance,
	const struct config_labels *labels, struct buf *out);
/* Sets t's line anew, by its job, instance and labels. */
void target_set_line(struct target *t);
bool lineage_same(const struct target *a, const struct target *b);

/* The one of t's line that left last, taken out of the parked ones, or NULL. */
struct target *lineage_take_parked(struct pipeline *p, const struct target *t);
/* t, until now of another instance, is the one of that instance and labels from now on. */
void target_become(struct target *t, const struct config_job *job, struct str instance,
	const struct config_labels *labels, int64_t now_ms);
/* The same for a t that has its own names already and took the other's history from the store. */
void target_succeed(struct target *t, const char *old_instance, int64_t now_ms);

/* How many targets of the store could be continued, by line. */
void lineage_count(struct pipeline *p, struct str line, int by);

#endif
