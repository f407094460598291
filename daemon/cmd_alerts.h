/*
 * cmd_alerts: the files of `leakwatch alerts`.  Level 4.
 */
#ifndef LEAKWATCH_CMD_ALERTS_H
#define LEAKWATCH_CMD_ALERTS_H

#include "cmd_db.h"

/*
 * alerts test RECEIVER: sends a marked alert, and its end, to every sink of the receiver as the
 * configuration at path has it (NULL: the usual place), and prints what each answered.  CMD_OK when
 * all took both.
 */
int cmd_alerts_test(char **argv, const char *path, const char *receiver);

/* The dumps kept for an alert, newest first, without their text; NULL with err. */
json_t *cmd_alerts_exhibits(struct cmd_db *db, struct str id, struct err *err);
/* A line for each. */
void cmd_alerts_add_exhibits(const struct cmd_db *db, const json_t *exhibits, struct buf *out);
/* Prints the newest of them; the exit code. */
int cmd_alerts_dump(struct cmd_db *db, struct str id);

#endif
