/*
 * app_commit: one unit of work on its way to disk and outbox.  Level 4; for the files of the
 * daemon.
 *
 * Rows and the deliveries that they make owed are one transaction: deliveries go out when it is
 * stored, or at once while the disk takes nothing.
 */
#ifndef LEAKWATCH_APP_COMMIT_H
#define LEAKWATCH_APP_COMMIT_H

#include "outbox.h"
#include "silence.h"
#include "store.h"

struct app;
struct control_request;

/* A delivery that waits for its transaction; owns its strings. */
struct owed {
	struct outbox_delivery d;
	struct owed *next;
};

/* Rows of one transaction and the deliveries that become owed with it. */
struct unit {
	struct app *app;
	struct store_batch *batch;
	struct owed *owed, **owed_end;
	struct control_request *request; /* answered when it is stored; or NULL */
	char done_id[SILENCE_ID_MAX]; /* with this */
	struct unit *next, **link; /* list of those on their way */
};

struct unit *unit_begin(struct app *a);
/* False when samples had to be dropped. */
bool unit_commit(struct app *a);
void unit_owe(struct unit *u, const struct outbox_delivery *d);
/* Deliveries of units that the disk does not take go out all the same. */
void units_release_all(struct app *a);
void units_send_early(struct app *a);
void units_free_early(struct app *a);

#endif
