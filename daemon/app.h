/*
 * app: the daemon, put together.  Level 4.
 *
 * One event loop: scrapes feed the pipeline, each cycle's rows and alert changes go to the writer
 * thread as one transaction, and when that is durable the deliveries it owes go to the outbox. When
 * the disk does not take them they are sent all the same.
 *
 * SIGTERM and SIGINT stop it: no more scrapes, what is owed is sent for at most 5 s, everything is
 * committed.
 */
#ifndef LEAKWATCH_APP_H
#define LEAKWATCH_APP_H

#include "config.h"
#include "err.h"

/*
 * Runs until a signal ends it.  Returns the exit code of `leakwatch run` (cmd.h); what went wrong
 * is logged.  Takes config, which was read from path; SIGHUP reads that file again.
 */
int app_run(struct config *config, const char *path);

#endif
