/*
 * report_waits: what a report finds of waits that can never end, and of convoys behind one lock.
 * Layer 1, private to report*.c.
 */
#ifndef LEAKWATCH_REPORT_WAITS_H
#define LEAKWATCH_REPORT_WAITS_H

#include "alert.h"
#include "json.h"
#include "locks.h"

struct report;
struct report_class;

#define REPORT_FINDINGS 16 /* that are told */

/* Under the name of the daemon's alert. */
struct report_finding {
	enum alert_kind kind;
	const struct report_class *class;
	const struct lock *lock; /* ALERT_LOCK_CONVOY */
	uint64_t count;
	uint32_t minutes; /* the oldest */
};

/* Finds them, anew with a baseline. */
void report_find(struct report *r);
/* The one of a class, or NULL. */
const struct report_finding *report_finding_of(
	const struct report *r, const struct report_class *c);
const char *report_finding_name(const struct report_finding *f);
/* What it rests on, names as they are; the class is not named. */
void report_finding_words(const struct report *r, const struct report_finding *f, struct buf *out);
json_t *report_findings_json(const struct report *r);

#endif
