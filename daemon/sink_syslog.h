/*
 * sink_syslog: hands messages to the system's log.  Level 3.
 *
 * To journald's native socket where there is one, so that each field can be searched for; else one
 * line to /dev/log; never both.  A datagram to a local socket never blocks: one that is not taken
 * (no socket, queue full) is an error, and the outbox tries again.
 *
 * Protocols: systemd's "Native Journal Protocol"; RFC 3164.  Bodies are those of notify_syslog.
 */
#ifndef LEAKWATCH_SINK_SYSLOG_H
#define LEAKWATCH_SINK_SYSLOG_H

#include "err.h"
#include "str.h"

#define SINK_SYSLOG_JOURNAL "/run/systemd/journal/socket"
#define SINK_SYSLOG_DEVLOG  "/dev/log"

struct sink_syslog;

/* Paths of the two sockets; NULL for the system's. */
struct sink_syslog *sink_syslog_new(const char *journal, const char *devlog);
void sink_syslog_free(struct sink_syslog *s);
/* An outbox_receiver's deliver.  0, or -1 with err. */
int sink_syslog_deliver(void *sink, struct str body, struct err *err);

#endif
