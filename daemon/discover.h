/*
 * discover: targets that stand in files or that a server lists.  Level 3.
 *
 * A source is one item of a job's file_sd_configs or http_sd_configs.  Its lists are read at once
 * and then again every refresh_interval; files besides whenever something changes in their
 * directory (inotify), which also sees a list that is put in place by rename(2) and the "..data"
 * link of a Kubernetes volume.  Each file, and each server, keeps its last good list: one that is
 * half written, wrong or not to be had is told once and changes nothing.  A file that is gone takes
 * its targets with it.
 *
 * Files are small and local: they are read on the loop.  Servers are asked through fetch.
 *
 * Life cycle: discover_new, discover_set (again after a reload: sources that are as before keep
 * what they have), discover_free.  Changes are told by one callback, at most every 100 ms and never
 * from within another call; discover_each then says what there is.
 */
#ifndef LEAKWATCH_DISCOVER_H
#define LEAKWATCH_DISCOVER_H

#include "config_sd.h"
#include "fetch.h"

#define DISCOVER_FILES_MAX  1000 /* of one source */
#define DISCOVER_CHANGED_MS 100
#define DISCOVER_TIMEOUT_MS 10000 /* of a server's answer */

struct event_base;
struct discover;

struct discover *discover_new(
	struct event_base *base, struct fetch *fetch, void (*changed)(void *arg), void *arg);
void discover_free(struct discover *d);
/*
 * Takes the sources of a configuration, which may go after the call, and reads their files.  -1
 * with err, and everything as it was, when a secret of a server cannot be read.
 */
int discover_set(struct discover *d, const struct config *config, struct err *err);

/* The groups of a job's sources.  origin: the file or URL that a group comes from. */
typedef void discover_group_cb(void *arg, const struct config_static *group, const char *origin);
void discover_each(const struct discover *d, struct str job, discover_group_cb *cb, void *arg);

struct discover_stats {
	size_t sources, lists; /* lists: files and servers with a good list */
	size_t failing; /* sources whose last reading failed */
	uint64_t failures;
};
void discover_stats(const struct discover *d, struct discover_stats *out);

#endif
