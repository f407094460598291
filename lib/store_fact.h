/*
 * store_fact: what was found out about goroutines beyond their number.  Layer 2.
 *
 * The rows are plain data; store_rows.h says what holds for all rows, store_batch.h puts them in.
 * A fact is the newest word on one series as a JSON object, in two tables of one shape: `evidence`
 * (what a look at single goroutines told: states, ages, creators, locks, labels, survival) and
 * `cost` (what one goroutine of a class holds).  It goes with its series.  An exhibit is a whole
 * dump that was kept because of an alert; it stays as long as the alert does, within limits.
 *
 * Of all three a queue that is full may lose some (store_batch_drop_samples): nothing depends on
 * them.
 */
#ifndef LEAKWATCH_STORE_FACT_H
#define LEAKWATCH_STORE_FACT_H

#include "err.h"
#include "str.h"

struct store;

struct store_fact {
	int64_t series_id, at_ms;
	struct str body; /* a JSON object; "" counts as {} */
};

#define STORE_EXHIBIT_BYTES	  ((size_t)4 << 20) /* of one body; a larger one is not taken */
#define STORE_EXHIBITS_PER_TARGET 20 /* a new one takes the place of the oldest */
/* Of all bodies; over it the oldest go, those of alerts that ended before others. */
#define STORE_EXHIBITS_BYTES ((int64_t)64 << 20)
#define STORE_KEEP_EXHIBITS_MS                                                                     \
	(30 * 86400000ll) /* those whose alert is not (or no more) stored                          \
			   */

struct store_exhibit {
	int64_t id; /* given by the store; when put it means nothing */
	int64_t target_id;
	struct str alert_id; /* "": taken for no alert */
	int64_t at_ms;
	struct str format; /* of the dump, as report has it: debug1, debug2, … */
	int64_t goroutines; /* that it tells of */
	bool truncated; /* its target or a limit of ours cut it */
	int64_t bytes; /* of the dump, before gzip */
	struct str body; /* the dump, gzip'd */
};

/* Calls cb with each exhibit of the alert ("": those taken for none), newest first. */
int store_read_exhibits(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_exhibit *), void *arg, struct err *err);

enum store_fact_kind { STORE_EVIDENCE, STORE_COST };
/*
 * Calls cb with what is known of the series, or, when series_id is 0, of each series whose class
 * has not ended.  Rows hold during the call; 0, or -1 with err.  A store of a version before 3 has
 * none of these, nor exhibits.
 */
int store_read_facts(struct store *s, enum store_fact_kind kind, int64_t series_id,
	void (*cb)(void *, const struct store_fact *), void *arg, struct err *err);

#endif
