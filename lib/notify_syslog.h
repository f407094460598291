/*
 * notify_syslog: an alert's change as a log entry.  Layer 1.
 *
 * The body is a list of fields as journald's native protocol has them, one "KEY=value" a line
 * (systemd.journal-fields(7), "Native Journal Protocol"): MESSAGE, PRIORITY, SYSLOG_IDENTIFIER,
 * SYSLOG_FACILITY, and of the alert LEAKWATCH_ALERTNAME, LEAKWATCH_STATE, LEAKWATCH_ID,
 * LEAKWATCH_PAGE (where there is one), LEAKWATCH_EXAMPLE_STACK (its lines parted by "; ") and each
 * of its labels as LEAKWATCH_LABEL_<NAME>.  So it can be given to journald as it is; for the
 * classic socket notify_syslog_line makes one RFC 3164 line of it.
 *
 * Values are single lines: they come from alert_labels, which made them safe.
 */
#ifndef LEAKWATCH_NOTIFY_SYSLOG_H
#define LEAKWATCH_NOTIFY_SYSLOG_H

#include "alert.h"

#define NOTIFY_SYSLOG_LINE_MAX 1024 /* of RFC 3164; a longer line is cut */

/* The number of a facility's name ("daemon", "local0", …), or -1. */
int notify_syslog_facility(struct str name);

/*
 * Appends the fields.  Firing alerts of severity "page" or "critical" have priority 2 (critical),
 * others 4 (warning), resolved ones 5 (notice).  MESSAGE says it all in one line: of a firing alert
 * the command that shows it, then its description; of one that ended its summary, and why it ended.
 */
void notify_syslog(const struct alert *a, struct str external_url, int facility, struct buf *out);

/* Appends "<PRI>leakwatch[PID]: MESSAGE" made of such fields, without a newline. */
void notify_syslog_line(struct str fields, long pid, struct buf *out);

#endif
