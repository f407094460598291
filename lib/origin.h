/*
 * origin: did two dumps of single goroutines come from the same process?  Layer 1.
 *
 * Behind a load balancer each dump may be another process's, and ids mean nothing across processes:
 * whatever survival would say is wrong.  A goroutine's id, and by whom it was created, in which
 * line and (since Go 1.21) in which goroutine, never change; and ids are given out in order.  So
 * against the dump before
 *
 *	another creator under the same id		is proof of another process,
 *	an id older than that dump that it did not have	is one as well, but for the few that the
 *							scheduler hands out late (16 a processor)
 *
 * Goroutine 1 and those that it or nobody created are alike in all processes of one program: that
 * they are found again says nothing.
 *
 * Memory is bounded: ORIGIN_SAMPLE goroutines of a dump, by a hash of their id, so that two dumps
 * have the same ones.
 *
 * Life cycle: origin_new; for each dump origin_begin, origin_see of every goroutine, origin_judge,
 * origin_take (it is what the next one is held against) or nothing; origin_forget with a restart;
 * origin_free.
 */
#ifndef LEAKWATCH_ORIGIN_H
#define LEAKWATCH_ORIGIN_H

#include "buf.h"
#include "model.h"

#define ORIGIN_SAMPLE 1024

struct origin;

struct origin *origin_new(void);
void origin_free(struct origin *o);
void origin_forget(struct origin *o);

void origin_begin(struct origin *o);
void origin_see(struct origin *o, const struct group *g);

struct origin_result {
	bool other; /* the dump came from another process than the one before */
	uint64_t same; /* goroutines of both, not alike in all processes of the program */
	uint64_t differ; /* ids of both under which they are different goroutines */
	uint64_t late; /* of the dump, with ids older than the one before, which lacked them */
	uint64_t before; /* goroutines that were held against it */
};
/* Of the dump that was read; all 0 where there is none before. */
void origin_judge(const struct origin *o, struct origin_result *out);
/* "58 of the 60 goroutines that it has in common with the dump before by number are others"; only
 * of another process. */
void origin_words(const struct origin_result *r, struct buf *out);
void origin_take(struct origin *o);

#endif
