/*
 * store_fleet: the instances of a job side by side.  Layer 2.
 *
 * What store_read.h tells target by target, in the order in which instances are compared: all that
 * are watched, then the series that they have in common.  Rows and their strings hold during the
 * callback; 0, or -1 with err.
 */
#ifndef LEAKWATCH_STORE_FLEET_H
#define LEAKWATCH_STORE_FLEET_H

#include "err.h"
#include "store_rows.h"

struct store;

struct store_instance {
	int64_t target_id;
	struct str job, instance;
	int64_t scraped_ms; /* last; 0: never */
	bool up;
	int64_t first_seen_ms; /* the target */
	int64_t run_start_ms; /* its newest process; 0: none is known */
	struct str run_info;
};
/* Those of the job, or of all ("" ), by job and target. */
int store_read_instances(struct store *s, struct str job,
	void (*cb)(void *, const struct store_instance *), void *arg, struct err *err);

struct store_member {
	struct str job;
	enum store_series_kind kind;
	struct str name;
	int64_t target_id, series_id;
	struct str state; /* verdict_state_name; "ok" when no verdict was stored */
	int64_t at_ms, since_ms;
	double rate_per_hour;
};
/* Live series but loads, by job, kind, name and target; job and name "" are all.  leaking: only
 * names of which one at least is leaking or held. */
int store_read_members(struct store *s, struct str job, struct str name, bool leaking,
	void (*cb)(void *, const struct store_member *), void *arg, struct err *err);

#endif
