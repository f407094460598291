/*
 * vitals: what a target's /metrics says about its process.  Layer 1.
 *
 * The sink of a prom parser that keeps only the families this program knows (descriptors, memory,
 * threads, start time, versions) and those that the configuration names as load or as the number of
 * healthy goroutines.  Matching series are summed; counters become rates per second.
 *
 * A cycle: vitals_begin, feed the parser with vitals_sink, then vitals_end or vitals_abandon.
 */
#ifndef LEAKWATCH_VITALS_H
#define LEAKWATCH_VITALS_H

#include "err.h"
#include "prom.h"

enum vital {
	VITAL_START, /* process_start_time_seconds */
	VITAL_FDS, /* process_open_fds */
	VITAL_MAX_FDS, /* process_max_fds */
	VITAL_THREADS, /* go_threads */
	VITAL_RESIDENT, /* process_resident_memory_bytes */
	VITAL_HEAP_INUSE, /* go_memstats_heap_inuse_bytes */
	VITAL_HEAP_IDLE, /* go_memstats_heap_idle_bytes: free, given back or not */
	VITAL_HEAP_RELEASED, /* go_memstats_heap_released_bytes: of those, given back */
	VITAL_STACK, /* go_memstats_stack_inuse_bytes */
	VITAL_GO_SYS, /* go_memstats_sys_bytes: all that the runtime has from the system */
	VITAL_GOROUTINES, /* go_goroutines */
	/* go_sched_pauses_total_other_seconds: time stopped, but for collections; at most, as its
	 * buckets tell it.  A pause longer than all of them counts as 10^6 s. */
	VITAL_PAUSES,
	VITALS
};

#define VITALS_SELECTORS_MAX 256 /* load and expectation series of one target's configuration */
#define VITALS_VERSION_MAX   128

struct vitals;

struct vitals *vitals_new(void);
void vitals_free(struct vitals *v);
/* Also wants that selector (name or name{label="v"}): its number, the same for the same text; -1
 * with err when it is not one, or there are too many. */
int vitals_want(struct vitals *v, struct str selector, struct err *err);

/* The text of a wanted selector, or NULL when there are not so many. */
const char *vitals_selector(const struct vitals *v, int number);

struct prom_sink vitals_sink(struct vitals *v);
void vitals_begin(struct vitals *v);
/* The body was whole; now (Unix seconds) is the time of its scrape. */
void vitals_end(struct vitals *v, double now);
/* The body was not: all values are unknown until the next one. */
void vitals_abandon(struct vitals *v);
/* A new process: counters begin anew, no rate across. */
void vitals_new_run(struct vitals *v);

/* NAN when the target does not tell it. */
double vitals_get(const struct vitals *v, enum vital which);
/* The value of a wanted selector: a gauge's sum, a counter's rate per second; NAN when not told. */
double vitals_selected(const struct vitals *v, int number);
/* Label `version` of go_info; "" when not told. */
const char *vitals_go_version(const struct vitals *v);
/*
 * The program's version, from families that end in _build_info: the label `version` of the first
 * that has one; where it says nothing ("(devel)", "unknown"), 12 digits of its label `revision`;
 * else the version of go_build_info, which is the Go module's.  "" when not told.
 */
const char *vitals_version(const struct vitals *v);

#endif
