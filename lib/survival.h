/*
 * survival: do the goroutines of a growing class ever leave?  Layer 1.
 *
 * Counts cannot tell a leak from everything that rises for a while; goroutines can: each has an id
 * that Go never gives out twice in a process, and is either still there or not.  The ids of one
 * class that two dumps in a row have, waiting in the same stack, are the cohort (work in flight
 * drops out).  S(T) is how many of it are still there, in the same stack, T after the first dump.
 *
 * The core rule, for T = 1 h, and again for 2, 4, 8, 12 h:
 *
 *	S(2T) >= .98 S(T),  S(T) >= max(10, .3 cohort),  2T >= the usual life
 *
 * It asks for a core that does not decay, not for the whole cohort: a class mixes what leaks with
 * what lives for a while.  The usual life is the 90th percentile of the lives that were seen to
 * end, once there are 10; what lives longer than two T has not had its chance to leave.  A birth is
 * read off the id: ids are given out in order, so the ids of dumps (and the start of the process)
 * say when about one was given.
 *
 * The quick rule is for what grew by hundreds within minutes (detect_rises_fast): a cohort of 100
 * or more, T = 6 min, and the upper 95 % limit of the rate at which its members leave between T and
 * 2T is under one a day each.  The more there are, the more the same minutes say.
 *
 * A cohort of fewer than 10 says nothing: another begins with the next dump, 10 minutes later.
 *
 * Pure; times are Unix seconds.  Lengths are of the detector's clock: all are scaled by
 * window_s / 120.  A restart of the process ends a cohort: free it and begin anew; one of the
 *daemon does not (survival_save).  The rule is from leakwatch-detect(7), SURVIVAL, where its costs
 *are measured.
 *
 * Life cycle: survival_new; for each dump survival_begin, survival_see for each goroutine of the
 * class, survival_end (or survival_abandon when the dump was not whole); survival_judge after each;
 * survival_free.
 */
#ifndef LEAKWATCH_SURVIVAL_H
#define LEAKWATCH_SURVIVAL_H

#include "buf.h"
#include "err.h"

/* A larger cohort is sampled by a hash of the id; survival is a ratio. */
#define SURVIVAL_COHORT_MAX 4096
#define SURVIVAL_LIVES_MAX  1024 /* ids watched for when they end, besides the cohort */
#define SURVIVAL_DUMPS_MAX  64 /* of one cohort; after them, or 24 h, a new one begins */
#define SURVIVAL_WORDS_MAX  320
/* A cohort is kept that long (of the detector's clock) when its class is no longer suspected. */
#define SURVIVAL_LINGER_S 1800.0

struct survival;

/* run_start: of the process, or NAN. */
struct survival *survival_new(double window_s, double run_start);
void survival_free(struct survival *s);

/* A dump taken at t begins; later than the one before. */
void survival_begin(struct survival *s, double t);
/* A goroutine of the class.  stack: its fingerprint. */
void survival_see(struct survival *s, uint64_t id, uint64_t stack);
/* The dump was whole.  newest_id: the highest id of any goroutine in it. */
void survival_end(struct survival *s, uint64_t newest_id);
void survival_abandon(struct survival *s);

enum survival_answer {
	SURVIVAL_WAIT, /* too early, or too few, to say */
	SURVIVAL_STAYS, /* a core that nobody leaves */
	SURVIVAL_LEAVES /* they come and go */
};

struct survival_result {
	enum survival_answer answer;
	bool quick; /* by the quick rule */
	double began; /* the first dump of the cohort; NAN before it */
	uint64_t cohort; /* counted in the first two dumps; scaled up when sampled */
	uint64_t outlived; /* of those, still there after the first span */
	uint64_t stayed; /* and after the second */
	uint64_t now; /* there in the newest dump */
	double span_s; /* T, real seconds; 0 while no rule was applied */
	double usual_life_s; /* NAN while fewer than 10 were seen to end */
	bool sampled;
};

/* What the newest dump says; quick: the quick rule may speak, too. */
void survival_judge(const struct survival *s, bool quick, struct survival_result *out);
/* When the next dump is wanted: at once (t <= now), or later. */
double survival_next(const struct survival *s, bool quick);
/*
 * Appends the cohort between two dumps as text, of letters, digits, "-" and "_", for survival_load
 * to go on from; at most SURVIVAL_SAVED_MAX bytes, nothing when it would be more or has no dump.
 * A sequence of numbers of 5-bit digits, the lowest first, 32 added to all but the last: version 1;
 * window and start of the run, ms (the start + 1; 0: not known); dumps, each with its time (ms) and
 * newest id less those of the one before; the stacks; the cohort, each with its id less the one
 * before, its stack's place and its last dump; the others likewise, with their first one.
 */
#define SURVIVAL_SAVED_MAX 65536
void survival_save(const struct survival *s, struct buf *out);
/* NULL with err when it is not such a text, or of another window or run. */
struct survival *survival_load(double window_s, double run_start, struct str text, struct err *err);

/* Dumps of the cohort so far. */
size_t survival_dumps(const struct survival *s);
size_t survival_memory(const struct survival *s);

/* The result as a sentence, for verdicts: "of the 120 counted at 03:10 (UTC), 118 outlived the
 * first hour; of those nobody left in the second". */
void survival_words(const struct survival_result *r, char out[SURVIVAL_WORDS_MAX]);

#endif
