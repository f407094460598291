/*
 * pipeline_evidence: a closer look at what is suspected.  Level 4; for the files of the pipeline.
 *
 * After each cycle it is asked whether a target should be looked at (target_inquire); scrape_look
 * then asks the target, and what comes goes to evidence, exhibit and pause.  What they tell turns
 * suspect into leaking (detect_confirm), is stored for each class, and is said in reasons and
 * alerts.
 */
#ifndef LEAKWATCH_PIPELINE_EVIDENCE_H
#define LEAKWATCH_PIPELINE_EVIDENCE_H

#include "evidence.h"
#include "notify.h"
#include "pipeline_internal.h"

/* After the judging of a whole dump: follows what rises, and wants a look where one is due. */
void target_inquire(struct target *t, struct scrape_target *st);
/* The process was restarted, or its classes are other ones: what was seen says nothing now. */
void target_inquiry_reset(struct target *t);
void target_inquiry_free(struct target *t);
/* What looks told of the target; NULL while nothing was of interest. */
struct evidence *target_evidence(const struct target *t);
/* Why the last look could not be had; "" when it was. */
const char *target_unseen_why(const struct target *t);
/* Adds what is known, or why nothing is, to the reasons of suspects; after each judging. */
void target_say_evidence(struct target *t);
/*
 * What the store knows of the target's suspects (their cohorts) goes on, where the process is still
 * the one whose start is known; before samples are replayed.  0, or -1 with err.
 */
int target_restore_evidence(struct target *t, struct store *store, struct err *err);
/* What is known of a class beside its count, for its alert; slices hold until the next call. */
void target_add_facts(struct target *t, const struct slot *s, struct notify_facts *f);
/* An exhibit that was kept goes to the alerts of the target that have none; within a cycle. */
void target_put_exhibit(struct target *t);

#endif
