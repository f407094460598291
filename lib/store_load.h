/*
 * store_load: what a daemon reads when it starts, to go on as if it had not stopped.  Layer 2.
 *
 * Each function calls cb once a row; the row and its strings hold during the call.  0, or -1 with
 * err.  From the thread that uses the store, before a writer has it.  A file of an earlier version
 * has none of the rows that came with a later one.
 */
#ifndef LEAKWATCH_STORE_LOAD_H
#define LEAKWATCH_STORE_LOAD_H

#include "buf.h"
#include "err.h"
#include "store_rows.h"
#include "store_told.h"

struct store;

/* A scrape that got one of these (enum store_got) tells series of that kind. */
unsigned store_series_kind_needs(enum store_series_kind k);

struct store_maxima {
	int64_t target_id, run_id, class_id, series_id, event_id, delivery_id;
};
int store_load_maxima(struct store *s, struct store_maxima *out, struct err *err);
int store_load_targets(struct store *s, void (*cb)(void *, const struct store_target *), void *arg,
	struct err *err);
/* The newest run of each target. */
int store_load_runs(
	struct store *s, void (*cb)(void *, const struct store_run *), void *arg, struct err *err);
/* All runs of one target, oldest first. */
int store_load_all_runs(struct store *s, int64_t target_id,
	void (*cb)(void *, const struct store_run *), void *arg, struct err *err);
/* Not those that ended. */
int store_load_classes(struct store *s, void (*cb)(void *, const struct store_class *), void *arg,
	struct err *err);
/* Not those of classes that ended. */
int store_load_series(struct store *s, void (*cb)(void *, const struct store_series *), void *arg,
	struct err *err);
int store_load_verdicts(struct store *s, void (*cb)(void *, const struct store_verdict *),
	void *arg, struct err *err);
int store_load_detectors(struct store *s, void (*cb)(void *, const struct store_detector *),
	void *arg, struct err *err);
/*
 * The scrapes of a target as they came, from the newest full one at or before from_ms (or the first
 * there is) on: carry each series' value forward, and what happened is there again sample by
 * sample.  Times go back where the clock was set back.
 */
int store_load_scrapes(struct store *s, int64_t target_id, int64_t from_ms,
	void (*cb)(void *, const struct store_scrape *, const struct store_value *, size_t n),
	void *arg, struct err *err);
/* Not resolved, and those resolved at or after resolved_since_ms. */
int store_load_alerts(struct store *s, int64_t resolved_since_ms,
	void (*cb)(void *, const struct store_alert *), void *arg, struct err *err);
/* State owed, oldest first. */
int store_load_owed(struct store *s, void (*cb)(void *, const struct store_delivery *), void *arg,
	struct err *err);
/* Of alerts that are pending or firing, and of those resolved since: the newest that each receiver
 * was told of each. */
int store_load_told(struct store *s, int64_t resolved_since_ms,
	void (*cb)(void *, const struct store_told *), void *arg, struct err *err);
/* All that end at or after ends_since_ms, oldest first. */
int store_load_silences(struct store *s, int64_t ends_since_ms,
	void (*cb)(void *, const struct store_silence *), void *arg, struct err *err);
/* Of alerts that are pending or firing. */
int store_load_acks(
	struct store *s, void (*cb)(void *, const struct store_ack *), void *arg, struct err *err);
/* Of each key that begins so, a thousand at most. */
int store_load_metas(struct store *s, const char *prefix,
	void (*cb)(void *, struct str key, struct str value), void *arg, struct err *err);
/* Appends the value to out, nothing when there is none. */
int store_load_meta(struct store *s, const char *key, struct buf *out, struct err *err);

#endif
