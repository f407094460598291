/*
 * cmd_fleet: each class over the instances of its job, as the store has it.  Level 4; for the
 * commands and the pages.
 *
 * It tells of the newest verdicts what an alert tells of its findings (fleet.h, releases.h), in the
 * same words.  An instance that has no such class is clean, when it was seen for long enough.
 */
#ifndef LEAKWATCH_CMD_FLEET_H
#define LEAKWATCH_CMD_FLEET_H

#include "cmd_db.h"

struct cmd_fleet_query {
	struct str job, class; /* ""; all.  A metric's name is a class here, too. */
	bool leaking; /* only what leaks somewhere */
};

/*
 * One object for each job and class, what leaks first, the fastest before the slower; NULL with
 * err.  Members: job, class, kind, instances, have (instances with that class), leak, clean,
 * unknown, slowest, fastest (rates an hour, or null), text (the sentence, "" where there is none to
 * say), first_seen (releases_words), rows (instance, target, version, state, why, rate_per_hour,
 * since, target_id, series_id), more_leak and more_others (that have no row).
 */
json_t *cmd_fleet(struct cmd_db *db, const struct cmd_fleet_query *q, struct err *err);

/* Appends such an array as tables: all groups, then the instances of the first that leak; all: also
 * of those that do not. */
void cmd_fleet_text(const struct cmd_db *db, const json_t *groups, bool all, struct buf *out);
/* "shop, http-client-conn: 5 of 6 instances leak, …" and a newline. */
void cmd_fleet_add_line(const json_t *group, struct buf *out);

#endif
