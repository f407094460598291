/*
 * forever: goroutines that wait for what can never happen, class by class.  Layer 1, pure.
 *
 * Who receives from a nil channel or sends to one, or selects among no cases, blocks for ever (the
 * Go specification, "Receive operator", "Send statements", "Select statements").  debug=2 says so
 * of each goroutine ("chan receive (nil chan)", "select (no cases)"); no routine profile does.  Of
 * one process they can only become more, so a constant number is of no interest: main's select{},
 * some that were parked at the start.  From dump to dump it is kept how many there are, and whether
 * they became more.
 *
 * Memory is bounded: FOREVER_MAX classes; of what comes over that nothing is told.
 *
 * For each dump: forever_begin, forever_note for each such goroutine, forever_end.
 */
#ifndef LEAKWATCH_FOREVER_H
#define LEAKWATCH_FOREVER_H

#include "buf.h"
#include "stack.h"

#define FOREVER_MAX   64
#define FOREVER_STATE 40 /* bytes kept of a state */
#define FOREVER_LEAST 10 /* fewer are not told at once */

struct forever {
	char *class;
	char state[FOREVER_STATE]; /* "chan receive (nil chan)": of the first in the newest dump */
	double at, first_at; /* Unix time of the newest dump, and of the first that had any */
	uint64_t count, first; /* in those */
	uint64_t before; /* in the dump before the newest; 0: none */
	double before_at;
	unsigned rises; /* dumps that had more than the one before */
};

struct forever_set;

struct forever_set *forever_new(void);
void forever_free(struct forever_set *set);

void forever_begin(struct forever_set *set, double at);
/* g, of that class, waits for what can never happen (GROUP_NIL_CHAN). */
void forever_note(struct forever_set *set, const char *class, const struct group *g);
/* A dump that was not whole tells nothing. */
void forever_end(struct forever_set *set, bool whole);
/* Another process. */
void forever_forget(struct forever_set *set);

/* They become more: FOREVER_LEAST more than in the first dump, or by three in two steps or more. */
bool forever_grows(const struct forever *f);
/* How many an hour, from the first dump to the newest; NAN when they do not become more. */
double forever_rate(const struct forever *f);
/* Appends "12 wait for what can never happen [chan receive (nil chan)]; 9 did at 03:10 (UTC)". */
void forever_words(const struct forever *f, struct buf *out);

/* Of the newest whole dump; NULL when none of that class wait so. */
const struct forever *forever_find(const struct forever_set *set, struct str class);
/* Unix time of the newest whole dump; NAN before the first of the process. */
double forever_looked(const struct forever_set *set);
size_t forever_count(const struct forever_set *set);
const struct forever *forever_at(const struct forever_set *set, size_t i);

#endif
