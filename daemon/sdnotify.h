/*
 * sdnotify: tells systemd how the service is.  Level 3.
 *
 * The protocol of sd_notify(3): one datagram of "KEY=value" lines to the unix socket that
 * $NOTIFY_SOCKET names, "@…" meaning an abstract one.  Without that variable every call does
 * nothing and succeeds.  It never blocks: a datagram that does not fit into the socket is an error.
 */
#ifndef LEAKWATCH_SDNOTIFY_H
#define LEAKWATCH_SDNOTIFY_H

#include "base.h"
#include "err.h"

int sdnotify_ready(struct err *err);
int sdnotify_stopping(struct err *err);
/* RELOADING=1 with the monotonic time that systemd asks for; sdnotify_ready ends it. */
int sdnotify_reloading(struct err *err);
/* I am alive: to be sent at least every sdnotify_watchdog_ms() / 2. */
int sdnotify_watchdog(struct err *err);
/* One line for `systemctl status`; line feeds in it become spaces. */
int sdnotify_status(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* $WATCHDOG_USEC when it is meant for this process ($WATCHDOG_PID), in milliseconds; else 0. */
uint64_t sdnotify_watchdog_ms(void);

#endif
