/*
 * locks: who waits for which lock, and who may hold it.  Layer 1, pure.
 *
 * Of a dump with debug=2, goroutine by goroutine: the parser finds the address of the lock that one
 * waits for (group.lock); when a method locks a lock of its own value, that value's address is the
 * first argument word of the frame after the lock's own (or 0, where the compiler needs it no more:
 * then a value of the same type within 1 KiB before the lock is taken to be it).  A goroutine that
 * does not wait for a lock and has a method of the same value in its stack is a candidate for the
 * holder; where there is none, nor one whose value cannot be seen, whoever took the lock may have
 * returned without giving it back.  Go says no more: a mutex does not know its owner.
 *
 * From dump to dump it keeps who waits: of a lock with the same address, how many did in the dump
 * before, and whether those still do.  Nobody who got the lock would.
 *
 * A word with "?" may be stale (Go 1.18 and later): as a waiter's value it is taken to be gone; of
 * the others it is taken, so a candidate is only that.
 * Memory is bounded: LOCKS_MAX locks, LOCKS_IDS waiters of each, LOCKS_SEEN frames of others; what
 * comes over that is left out.
 */
#ifndef LEAKWATCH_LOCKS_H
#define LEAKWATCH_LOCKS_H

#include "buf.h"
#include "stack.h"

#define LOCKS_MAX     64
#define LOCKS_SEEN    4096
#define LOCKS_HOLDERS 4 /* candidates told of a lock */
#define LOCKS_TEXT    160 /* bytes of a function's name */
#define LOCKS_IDS     32 /* waiters of a lock that are known again in the next dump */
#define LOCKS_CONVOY  10 /* so many that wait for one lock are many */

struct lock_holder {
	uint64_t id; /* of the goroutine */
	char state[40], func[LOCKS_TEXT];
};

struct lock {
	uint64_t address;
	uint64_t waiters;
	double before_at; /* Unix time of the dump before, if somebody waited for it then; or NAN */
	uint64_t before; /* so many did */
	size_t known, stayed; /* of so many of them that are known again so many still wait */
	uint32_t minutes; /* that one has waited at least, as printed */
	uint32_t marked; /* the shortest wait printed in the dump; 0: none is */
	char *class; /* of the first that waits */
	char by[LOCKS_TEXT]; /* the function that locks: main.(*shard).put */
	uint64_t value; /* address of its receiver; 0 when it is no method, or not known */
	struct lock_holder holders[LOCKS_HOLDERS];
	size_t nholders, more; /* more: candidates not told */
	bool nobody; /* there is none, and none that could not be seen */
};

struct locks;

struct locks *locks_new(void);
void locks_free(struct locks *l);
/* A dump of that Unix time. */
void locks_begin(struct locks *l, double at);
/* s is of g; class may be NULL. */
void locks_note(struct locks *l, const struct group *g, const struct stack *s, const char *class);
/* The dump was whole: finds the candidates.  Without it, it was as if there had been no dump. */
void locks_end(struct locks *l);
/* Another process: its addresses and goroutines are other ones. */
void locks_forget(struct locks *l);
/* More wait than in the dump before, and nearly all of those still do. */
bool lock_grows(const struct lock *l);
/* Some of those of the dump before got it, and it is no queue that only becomes longer. */
bool lock_moves(const struct lock *l);
/*
 * Nobody of those who wait has waited for age_s, though the same goroutines may: workers that take
 * a lock by turns.  The runtime begins to count a wait with the first garbage collection that sees
 * it; so one printed of anybody says that there was one so long ago, which would have seen these.
 */
bool lock_is_young(const struct lock *l, double age_s);
/* Of the locks that goroutines of the class wait for the one with most, or NULL.  Until the next
 * locks_begin. */
const struct lock *locks_worst(const struct locks *l, const char *class);
/* All of them, in the order in which they were met. */
size_t locks_count(const struct locks *l);
const struct lock *locks_at(const struct locks *l, size_t i);
/* Appends "12 wait for one lock in main.(*shard).put; may be held by goroutine 33 [IO wait] in
 * main.(*shard).flush; 5 did at 03:10 (UTC), and all of those still do". */
void lock_words(const struct lock *l, struct buf *out);

#endif
