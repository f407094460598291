/*
 * sink_heartbeat: asks a server for a page at each interval while all is well.  Level 3.
 *
 * A dead man's switch: the server raises the alarm when it is not asked any more, so that a watcher
 * that died, hangs, cannot store or sees no target is noticed.  A request is GET; one that fails is
 * not made again before the next interval, and is logged.  What "well" means is the caller's.
 */
#ifndef LEAKWATCH_SINK_HEARTBEAT_H
#define LEAKWATCH_SINK_HEARTBEAT_H

#include "base.h"

struct event_base;
struct fetch;
struct sink_heartbeat;

/* well: true, or false with *why in words (valid until the next call). */
struct sink_heartbeat *sink_heartbeat_new(struct event_base *base, struct fetch *fetch,
	bool (*well)(void *arg, const char **why), void *arg);
void sink_heartbeat_free(struct sink_heartbeat *s);
/* Adds a server; name (for the log) and url are copied.  Its first request is after one
 * interval: not before a scrape can have been well. */
void sink_heartbeat_add(struct sink_heartbeat *s, const char *name, const char *url,
	uint64_t interval_ms, uint64_t timeout_ms);

#endif
