/*
 * cost: what one leaked goroutine of a class holds: descriptors, heap, stack, memory.  Layer 1.
 *
 * Keeps, for one run of one target, a short history (at most COST_POINTS points) of the process's
 * numbers beside the counts of its moving classes, and answers by regression (cost_fit.h):
 * "0.97 descriptors (0.95 to 0.99) each", or nothing when that cannot be told.  It cannot be told
 * as long as the class rose along a straight line only, or in step with load or with another
 * class: then whatever else rose meanwhile would be blamed on it.  A time column and its square
 * take every steady and every bent rise out before the class is asked; what is left to learn from
 * is where the class left that line: a beginning in the middle of the run, busy hours, bursts.
 *
 * Bytes are compared by the floors of short windows, as the detector does, so that a heap's
 * saw-tooth counts as its bottom: what a goroutine holds is what the collector cannot take.
 * Descriptors are compared by means.  Points are means of windows; when the history is full,
 * neighbours are joined, and points are twice as long from then on.
 *
 * Pure and bounded: 5 KiB a target.  Time comes in with each sample.  The detector's clock
 * (window_s) scales the windows.
 *
 * Each scrape that has both endpoints: cost_sample, then cost_count for each class that moves.
 */
#ifndef LEAKWATCH_COST_H
#define LEAKWATCH_COST_H

#include "cost_fit.h"

#define COST_POINTS  64
#define COST_CLASSES 8 /* followed at once; the one that moved least makes room */

enum cost_metric {
	COST_FDS, /* open descriptors */
	COST_HEAP, /* Go heap in use */
	COST_STACK, /* stacks in use */
	COST_GO, /* heap and stacks in use, as one number */
	COST_MEMORY, /* anonymous memory where it is known, else resident */
	COST_METRICS
};

const char *cost_metric_name(enum cost_metric m); /* "fds", "heap", "stack", "go", "memory" */

struct cost;

/* A window is twice window_s long: 4 min by default. */
struct cost *cost_new(double window_s);
void cost_free(struct cost *c);
/* Another run begins: nothing of the one before counts. */
void cost_reset(struct cost *c);

/* One scrape at time t (seconds): values[COST_METRICS], NAN where not told; load NAN where there is
 * none; total: all goroutines. */
void cost_sample(struct cost *c, double t, const double *values, double load, double total);
/*
 * A class's count in that scrape; id is the caller's, any number but 0.  One not followed so far is
 * taken to have been at base until since and to have risen evenly from there (the detector's
 * verdict knows both).
 */
void cost_count(struct cost *c, uint32_t id, double count, double since, double base);
bool cost_follows(const struct cost *c, uint32_t id);
/* The class is gone (one that is not told for a window is forgotten by itself), or its id is given
 * to another one. */
void cost_forget(struct cost *c, uint32_t id);

/*
 * What one goroutine of class id holds; with: other classes that rise in step with it (members of
 * its finding), whose share is then in the answer.  Told only when the interval excludes 0 and is
 * within half of the estimate to either side, and when the class's growth at that price is no
 * more than the process's own.
 */
bool cost_each(const struct cost *c, uint32_t id, const uint32_t *with, size_t nwith,
	enum cost_metric metric, struct cost_range *out);
/* Rises by one with each closed window: ask cost_each again. */
uint64_t cost_version(const struct cost *c);

#endif
