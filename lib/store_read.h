/*
 * store_read: what commands read.  Layer 2.
 *
 * Opens the file read-only, while a daemon writes to it or after it stopped, also as a user who may
 * only read it.  Everything is read from one snapshot, taken when it is opened: keep it open for
 * seconds, not for hours, since the write-ahead log cannot be cut back meanwhile.
 *
 * Life cycle: store_open_read, store_read_* and store_load_*, store_close.  Rows and their strings
 * hold during the callback.
 */
#ifndef LEAKWATCH_STORE_READ_H
#define LEAKWATCH_STORE_READ_H

#include "store.h"
#include "store_load.h"

/* STORE_OPEN_FAILED also when there is no file or no daemon has written to it yet. */
enum store_open store_open_read(const char *path, struct store **out, struct err *err);

/*
 * From now on a query ends with an error when give_up returns other than 0; it is asked every few
 * thousand steps of SQLite's machine, which is milliseconds at most.
 */
void store_read_guard(struct store *s, int (*give_up)(void *arg), void *arg);

/*
 * Copies the store at path, whole and as of one moment, to a new file, while a daemon writes to it
 * or after it stopped.  The copy is compact, synced, and has its name only when it is whole.
 * Meanwhile the write-ahead log cannot be cut back.  STORE_OPEN_FAILED also when something stands
 * at the file's path; nothing is ever replaced.
 */
enum store_open store_backup(const char *path, const char *file, struct err *err);

/* A daemon holds the store now; *pid 0 when its number is not known. */
bool store_is_held(const char *path, int64_t *pid);

/* One target with the state of its newest scrape and its worst series. */
struct store_target_view {
	struct store_target target;
	struct store_status status; /* at_ms 0: never scraped */
	int64_t run_start_ms;
	double goroutines; /* NAN when not known */
	int64_t classes; /* live ones */
	struct str worst_state, worst_kind, worst_name; /* "" when no series has a verdict */
	double worst_rate_per_hour;
	int64_t firing; /* alerts */
};
int store_read_targets(struct store *s, void (*cb)(void *, const struct store_target_view *),
	void *arg, struct err *err);

/* One live series of a target: a class, the total or a metric. */
struct store_series_view {
	struct store_series series;
	double value; /* NAN when not known */
	int64_t changed_ms; /* when it got that value; 0 when not known */
	struct store_verdict verdict; /* state "ok" when none was stored */
	/* Of the class, "" and 0 for other kinds: */
	struct str rule, hint, wait, created_by, stack;
	int64_t first_seen_ms, last_seen_ms;
};
int store_read_series(struct store *s, int64_t target_id,
	void (*cb)(void *, const struct store_series_view *), void *arg, struct err *err);

/*
 * The values of one series since from_ms, one for each scrape that got its endpoint, also where it
 * did not change.
 */
int store_read_values(struct store *s, const struct store_series *series, int64_t from_ms,
	void (*cb)(void *, int64_t at_ms, double value), void *arg, struct err *err);

/*
 * The same with what has been folded: buckets of an hour, then of 5 minutes, then the samples that
 * are still there, each where nothing finer is.  A sample has width_ms 0 and the same number in all
 * places.  A store of version 1 has samples only.
 */
struct store_point {
	int64_t at_ms, width_ms; /* begin and width of the bucket */
	double floor, mean, max, last; /* floor: the lowest mean of a minute */
	int64_t n; /* samples in it */
};
int store_read_history(struct store *s, const struct store_series *series, int64_t from_ms,
	void (*cb)(void *, const struct store_point *), void *arg, struct err *err);

/* All changes of an alert, and all its deliveries, oldest first. */
int store_read_events(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_alert_event *), void *arg, struct err *err);
int store_read_deliveries(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_delivery *), void *arg, struct err *err);

#endif
