/*
 * alert_kind: which alerts there are, and how those of one name behave.  Layer 1, plain data; the
 * names and defaults are in alert.c, what is done with them is told in alert.h.
 */
#ifndef LEAKWATCH_ALERT_KIND_H
#define LEAKWATCH_ALERT_KIND_H

#include "alert_labels.h"

enum alert_kind {
	ALERT_GOROUTINE_LEAK,
	ALERT_MEMORY_LEAK,
	ALERT_FD_LEAK,
	ALERT_BLOCKED_FOREVER,
	ALERT_LOCK_CONVOY, /* so far they grow */
	ALERT_GOROUTINE_LIMIT,
	ALERT_STUCK_GOROUTINES,
	ALERT_TARGET_DOWN,
	ALERT_DUMP_UNREADABLE,
	ALERT_STORAGE_FULL,
	ALERT_STORAGE_DAMAGED, /* the history; not a full disk */
	ALERT_KINDS
};
const char *alert_kind_name(enum alert_kind k); /* "GoroutineLeak", …: the label alertname */
enum alert_kind alert_kind_of_name(struct str name); /* or ALERT_KINDS */

/* How alerts of one name behave. */
struct alert_rule {
	uint64_t for_ms; /* the condition must hold that long before it fires */
	uint64_t keep_firing_ms; /* and be gone that long before it resolves */
	const char *severity;
	const struct label *labels; /* added to each alert; none by default */
	size_t nlabels;
	/* Added where the alert has no such annotation; {{name}} is its label or annotation. */
	const struct label *annotations;
	size_t nannotations;
};
extern const struct alert_rule alert_rule_defaults[ALERT_KINDS];

#endif
