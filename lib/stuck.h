/*
 * stuck: stacks whose goroutines wait for a mutex and never get it.  Layer 1, pure.
 *
 * A deadlock need not grow: three requests that wait for a lock nobody will give back are as much
 * of an outage as a leak.  So each stack that waits for a sync.Mutex or sync.RWMutex is followed by
 * its fingerprint: stuck is one that was in every whole body for STUCK_AFTER_S, each time with as
 * many goroutines as before or more.  Those who wait for a lock that is merely busy come and go:
 * one body with fewer of them begins it anew.
 *
 * How many bodies it takes depends on what the place did before.  STUCK_BODIES for one that was not
 * seen to give way; where of n steps f went down, so many that a run of them has a chance of one in
 * a million, ((n - f + 1/2) / (n + 1))^bodies, STUCK_BODIES_MAX at most: some ten for a lock that
 * is seen busy now and then, twenty for one that always is.
 *
 * What counts cannot tell: a lock that is busy for ever with the same number of waiters looks
 * stuck.  Who can see single goroutines (debug=2 has their ids and how long they wait) says so with
 * stuck_moves; who knows that it is healthy gives the class an `expect`.
 *
 * A cycle, as that of tally, which calls stuck_note (tally_watch): stuck_begin, stuck_note for each
 * record, stuck_end; or stuck_abandon when the body was not usable, which neither adds nor ends.
 * Memory is bounded: STUCK_STACKS_MAX stacks are followed, what comes over that is not.
 */
#ifndef LEAKWATCH_STUCK_H
#define LEAKWATCH_STUCK_H

#include "stack.h"

#define STUCK_STACKS_MAX 256
#define STUCK_TEXT	 4096 /* longest example stack, bytes */
#define STUCK_AFTER_S	 300.0 /* scaled with detect.window, as all of the detector's times */
#define STUCK_BODIES	 6 /* one rarely scraped needs longer */
#define STUCK_BODIES_MAX 60
#define STUCK_MANY	 10 /* who are more by so many, without one that went, are looked at */

/* A stack that is followed; owned by the set, and valid until the next stuck_begin.  One that was
 * there and is not now has count 0, and only its fingerprint and steps. */
struct stuck {
	uint64_t fingerprint;
	char *class; /* the name of its class */
	char *text; /* the stack, "func file:line\n" for each frame, leaf first */
	struct frame user; /* first line outside the standard library; func "" when there is none */
	uint64_t count; /* goroutines in the last whole body */
	uint64_t first; /* and in the first body of the row */
	double since; /* Unix time of the first body in a row that had them */
	unsigned bodies; /* in a row */
	unsigned need; /* so many of them at least */
	double steps, falls; /* of all rows before, from body to body; old ones fade */
	uint64_t next; /* of the body being read */
};

struct stuck_set;

struct stuck_set *stuck_new(void);
void stuck_free(struct stuck_set *set);

void stuck_begin(struct stuck_set *set);
/* A record that waits for a mutex; those of one fingerprint are added up.  All is copied. */
void stuck_note(struct stuck_set *set, struct str class, const struct stack *s, uint64_t count);
/* The body was whole; now is the Unix time of its scrape. */
void stuck_end(struct stuck_set *set, double now);
void stuck_abandon(struct stuck_set *set);
/* Another process: nothing of it waited before.  What its locks are like is kept. */
void stuck_forget(struct stuck_set *set);

/* Somebody saw that they come and go: what was counted so far does not count. */
void stuck_moves(struct stuck_set *set, uint64_t fingerprint, double now);
/* Somebody saw that they are the same ones: STUCK_BODIES are enough, whatever it did before. */
void stuck_stays(struct stuck_set *set, uint64_t fingerprint);

/* Of the stacks of that class that are stuck the one with most goroutines, or NULL.  after_s is
 * STUCK_AFTER_S in the detector's clock. */
const struct stuck *stuck_worst(
	const struct stuck_set *set, const char *class, double now, double after_s);

/*
 * The same of those who are stuck or will soon be, if their row goes on: half of the time is over
 * and all but the last bodies are there, or, of a place that was seen busy, they became STUCK_MANY
 * more in STUCK_BODIES.  Time to have a look at them.
 */
const struct stuck *stuck_soon(
	const struct stuck_set *set, const char *class, double now, double after_s);

/* A stack of that class was there in all bodies since the first: too early to say that it is not.
 * So what was told before a restart, of the watcher or of the process, stands until that is known.
 */
bool stuck_maybe(const struct stuck_set *set, const char *class);

/* All of that class that waited for a mutex in the last whole body. */
uint64_t stuck_waiters(const struct stuck_set *set, const char *class);

/* All that are followed, in no order. */
size_t stuck_count(const struct stuck_set *set);
const struct stuck *stuck_at(const struct stuck_set *set, size_t i);

#endif
