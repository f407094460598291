/*
 * worker: a thread for work that may wait, so that the loop need not.  Level 3.
 *
 * Reading the disk for a page, or /proc of another process, can take as long as it likes: the job
 * runs on the thread, one after the other, and its end is told on the loop.  The queue is bounded.
 * A job shares nothing with the loop but its argument, and looks at worker_is_stopping now and
 * then.
 *
 * Life cycle: worker_new, worker_submit …, worker_free.
 */
#ifndef LEAKWATCH_WORKER_H
#define LEAKWATCH_WORKER_H

#include "base.h"
#include "err.h"

struct event_base;
struct worker;

struct worker_job {
	/* On the thread.  Not called when the worker is stopped before its turn comes. */
	void (*work)(void *arg, struct worker *w);
	/* On the loop, exactly once; ran: work was called, and has returned.  Frees arg. */
	void (*done)(void *arg, bool ran);
	void *arg;
};

/* max: jobs that wait or run.  name is what the thread is called (15 bytes at most). */
struct worker *worker_new(struct event_base *base, const char *name, size_t max, struct err *err);
/* False when the queue is full: nothing is called, arg is still the caller's. */
bool worker_submit(struct worker *w, const struct worker_job *job);
/*
 * Asks the job under way to end, waits for it wait_ms at most, and calls all done that are owed.
 * A job that has not ended by then (its disk hangs) keeps its argument and the thread, and is told
 * to nobody any more.  NULL is a no-op.
 */
void worker_free(struct worker *w, int wait_ms);
/* For jobs: worker_free waits. */
bool worker_is_stopping(struct worker *w);
/* Jobs that wait or run. */
size_t worker_depth(struct worker *w);

#endif
