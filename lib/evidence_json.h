/*
 * evidence_json: what is known of a class's goroutines, for people, and for the store and back.
 * Layer 1.
 */
#ifndef LEAKWATCH_EVIDENCE_JSON_H
#define LEAKWATCH_EVIDENCE_JSON_H

#include "evidence.h"

/*
 * Appends what is known of the class as sentences' parts, separated by "; ": survival, the
 * collector's word; nothing when nothing is.
 */
void evidence_words(const struct evidence_class *c, struct buf *out);
/* Appends it as one JSON object (leakwatch-sql(7), evidence). */
void evidence_json(const struct evidence_class *c, struct buf *out);
/*
 * A class goes on as evidence_json left it, with its cohort and the collector's word; the rest
 * comes with the next dump.  Nothing happens when it kept no cohort; -1 with err when that cannot
 * go on: it is damaged, or of another run of the process.
 */
int evidence_restore(
	struct evidence *e, struct str class, struct str body, double run_start, struct err *err);

#endif
