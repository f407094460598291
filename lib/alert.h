/*
 * alert: what people hear of a finding, and the state machine of it.  Layer 1, pure.
 *
 *            raise, for > 0             for is over
 *   inactive ───────────────▶ pending ───────────────▶ firing ──────▶ resolved (and forgotten)
 *      │  ▲                      │                      ▲   clear, then keep_firing_for is over
 *      │  └──────────────────────┘ clear                │
 *      └────────────────────────────────────────────────┘ raise, for = 0
 *
 * A condition holds from alert_raise until alert_clear, and not one scrape longer or shorter: a
 * target that is down or restarts says nothing about its leak, so nobody calls alert_clear for it,
 * and the alert stays (alert_annotate marks it).  A condition that comes back while keep_firing_for
 * runs is the same alert, without a word to anybody: that is what damps flapping.
 *
 * Nothing here reads a clock, stores or sends: every function that decides takes now_ms (wall
 * clock, Unix milliseconds), and each change of state is handed to one callback.  The waits are
 * counted on the monotonic clock that alert_tick is given (steady.h), from wall times over a
 * restart.
 *
 * Life cycle: alert_table_new, alert_load for each stored one, raise, clear and tick;
 * alert_table_free, which tells nobody.
 */
#ifndef LEAKWATCH_ALERT_H
#define LEAKWATCH_ALERT_H

#include "alert_kind.h"
#include "alert_labels.h"
#include "steady.h"

#define ALERT_TABLE_MAX	 50000 /* alerts at once; alert_raise refuses more */
#define ALERT_ID_MAX	 17 /* 16 hex digits and a NUL */
#define ALERT_REASON_MAX 400
#define ALERT_REMOVED_MS (15 * 60 * 1000) /* ALERT_END_REMOVED, whatever keep_firing_for is */

enum alert_state { ALERT_INACTIVE, ALERT_PENDING, ALERT_FIRING, ALERT_RESOLVED, ALERT_STATES };
const char *alert_state_name(enum alert_state s); /* "inactive", "pending", "firing", "resolved" */
enum alert_state alert_state_of_name(struct str name); /* or ALERT_STATES */

/* Why a condition ended.  It decides how long the alert still stands. */
enum alert_end {
	ALERT_END_CLEARED, /* it no longer holds: after keep_firing_for */
	ALERT_END_REMOVED, /* the target left discovery: after ALERT_REMOVED_MS */
	ALERT_END_CHANGED, /* class, rule or configuration is gone: at once */
	ALERT_ENDS
};
const char *alert_end_name(enum alert_end e); /* "cleared", "removed", "changed", as stored */
enum alert_end alert_end_of_name(struct str name); /* or ALERT_ENDS */

/* Plain data; alert_release frees what it owns.  Times are Unix milliseconds, 0 for "not yet". */
struct alert {
	char id[ALERT_ID_MAX]; /* hash of key and raised_ms: one per life of an alert */
	char *key; /* identity: alertname and what the caller gave (alert_labels_text) */
	enum alert_kind kind;
	enum alert_state state;
	bool holds; /* the condition holds now; false while keep_firing_for runs */
	enum alert_end end; /* why it ended, when !holds */
	unsigned change; /* changes of state so far, from 1 */
	int64_t raised_ms; /* the condition began to hold */
	int64_t fired_ms; /* startsAt */
	int64_t cleared_ms; /* the condition ended, when !holds */
	int64_t resolved_ms; /* endsAt */
	int64_t changed_ms; /* last change of state */
	struct since waits; /* since when `for` or keep_firing_for runs: the table's own */
	char reason[ALERT_REASON_MAX]; /* of the last change or end, in words; printable */
	struct alert_labels labels; /* key's labels, severity and the rule's: fixed for its life */
	struct alert_labels annotations; /* as of the last alert_raise */
};
void alert_release(struct alert *a);

struct alert_table;

/*
 * One change of state, a->state being the new one.  The store takes a copy of *a; a resolved or
 * inactive alert is gone after the call.  The table may not be changed from within.
 */
typedef void alert_change_cb(
	void *arg, const struct alert *a, enum alert_state old, const char *why);

struct alert_table *alert_table_new(alert_change_cb *change, void *arg);
void alert_table_free(struct alert_table *t);
/* Sets how alerts of this name behave from now on; copied.  A standing alert keeps its labels. */
void alert_table_rule(struct alert_table *t, enum alert_kind kind, const struct alert_rule *rule);
const struct alert_rule *alert_table_rule_of(const struct alert_table *t, enum alert_kind kind);

/*
 * The condition holds, since now or still.  labels are its identity in order of importance: job,
 * instance, class, host, the target's, external_labels; the first of two with one key wins,
 * alertname and severity among them are dropped.  A standing alert gets the new annotations, and no
 * change is told.  why is the reason in words ("" keeps the last).  The alert, valid until the next
 * call that changes the table, or NULL with err when the table is full.
 */
const struct alert *alert_raise(struct alert_table *t, enum alert_kind kind,
	const struct label *labels, size_t nlabels, const struct alert_labels *annotations,
	const char *why, int64_t now_ms, struct err *err);

/* As alert_raise, of an alert that stands: whatever its labels are.  NULL when there is none. */
const struct alert *alert_renew(struct alert_table *t, const char *id,
	const struct alert_labels *annotations, const char *why);

/* The condition ended.  false when there is no such alert, or it had ended before. */
bool alert_clear(
	struct alert_table *t, const char *id, enum alert_end end, const char *why, int64_t now_ms);

/* Sets one annotation of a standing alert ("target" = "down since …"), value "" removes it. */
bool alert_annotate(struct alert_table *t, const char *id, const char *key, struct str value);
/* Whatever time has brought: pending to firing, firing to resolved.  Each second or so. */
void alert_tick(struct alert_table *t, int64_t now_ms, uint64_t mono_ms);
/* When alert_tick has something to do next, or INT64_MAX. */
int64_t alert_next_ms(const struct alert_table *t);

const struct alert *alert_get(const struct alert_table *t, const char *id);
/* By identity: the labels as alert_raise takes them. */
const struct alert *alert_find(const struct alert_table *t, enum alert_kind kind,
	const struct label *labels, size_t nlabels);
size_t alert_count(const struct alert_table *t, enum alert_state s);
/* Iterates in order of raising: *at starts as NULL.  The table may not be changed meanwhile. */
const struct alert *alert_next(const struct alert_table *t, void **at);

/* Takes a copy of a stored alert that was pending or firing; no change is told.  -1 with err. */
int alert_load(struct alert_table *t, const struct alert *row, struct err *err);

#endif
