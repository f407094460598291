/*
 * memory: what a process's memory is made of, over time, and which part of it grows.  Layer 1.
 *
 * Page cache is not a leak, and anonymous memory is not always the program's fault: the Go runtime
 * keeps what it has not returned yet, C code allocates where Go does not see it, another process of
 * the same container grows.  The rules by which a growth is named are the table of
 * leakwatch-memory(7), "What memory is"; memory_words is that table.
 *
 * Pure and bounded (6 KiB a target): at most MEMORY_POINTS points, each the mean of the floors of
 * windows; when they are full, neighbours are joined.
 */
#ifndef LEAKWATCH_MEMORY_H
#define LEAKWATCH_MEMORY_H

#include "base.h"
#include "buf.h"

#define MEMORY_POINTS 64

enum memory_part {
	MEMORY_ANON, /* of the cgroup */
	MEMORY_CACHE, /* page cache of the cgroup, without shared memory */
	MEMORY_SHMEM,
	MEMORY_KERNEL,
	MEMORY_CHARGED, /* all that counts against the cgroup's limit */
	MEMORY_RSS, /* of the process */
	MEMORY_RSS_ANON,
	MEMORY_RSS_FILE,
	MEMORY_GO_HEAP, /* in use */
	MEMORY_GO_STACK, /* in use */
	MEMORY_GO_IDLE, /* free in Go's heap and not returned to the system */
	MEMORY_GO_ALL, /* all that Go has from the system, less what it returned */
	MEMORY_PARTS
};

struct memory;

struct memory *memory_new(double window_s);
void memory_free(struct memory *m);
void memory_reset(struct memory *m); /* another process */
/* NAN for what is not known. */
void memory_sample(struct memory *m, double t, const double *parts);

struct memory_growth {
	double over_s; /* from when until now */
	double now[MEMORY_PARTS], grown[MEMORY_PARTS]; /* NAN: not known at both ends */
};

/* From `since` (Unix seconds; the oldest point when it is before that, or NAN) until now.  False
 * while there are fewer than 4 points. */
bool memory_growth(const struct memory *m, double since, struct memory_growth *out);

/*
 * Appends what grew, in sentences, by the rules; nothing when nothing grew by more than 16 MiB and
 * a twentieth.  goroutines: bytes of the growth that leaked goroutines hold, NAN when not known.
 */
void memory_words(const struct memory_growth *g, double goroutines, struct buf *out);

#endif
