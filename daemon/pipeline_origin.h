/*
 * pipeline_origin: is it one process that answers under a target's address?  Level 4; for the files
 * of the pipeline.
 *
 * Behind a load balancer every connection, or every request, may end at another replica.  A dump of
 * single goroutines that is not from the process that is scraped says nothing of it: it is held
 * against the counts of the routine scrape and the goroutines of the dump before.  And a start time
 * that comes back after another one is no restart: no process begins twice.
 */
#ifndef LEAKWATCH_PIPELINE_ORIGIN_H
#define LEAKWATCH_PIPELINE_ORIGIN_H

#include "base.h"

#define REPLICA_STARTS 8

struct target;

/* Start times that the target told, the newest last; part of struct target. */
struct replicas {
	double starts[REPLICA_STARTS];
	size_t n;
	double seen_at; /* when one came back; 0: never */
};

/* The start time that the metrics tell now; a warning when it takes turns with others. */
void target_note_start(struct target *t, double start);
/* Its start times took turns in the last scrapes: several processes answer. */
bool target_takes_turns(const struct target *t);
/* Says so in the status, as long as it is so. */
void target_note_replicas(struct target *t);

/* The dump that was read, whole, is another process's: false; why says what speaks for it. */
bool target_dump_is_own(struct target *t, char *why, size_t size);
/* So many in a row were not: the one that they are held against may be the odd one. */
bool target_dumps_are_odd(struct target *t);

#endif
