/*
 * budget: how often a target may be asked for its goroutines.  Layer 1, pure.
 *
 * A dump costs the target about as much processor time as it takes to answer.  While that is more
 * than `share` of a core over the time between two dumps, the time doubles, up to
 * BUDGET_LONGEST_MS; when half the time would do again, with something to spare, it is halved.
 * What a dump takes is the median of the last three, so that one slow answer changes nothing; the
 * network's part is in it, since nothing tells it apart.
 *
 * Cycles in between ask for less (scrape.h).
 */
#ifndef LEAKWATCH_BUDGET_H
#define LEAKWATCH_BUDGET_H

#include "base.h"

#define BUDGET_LONGEST_MS (5 * 60 * 1000)
#define BUDGET_SPARE	  0.75 /* of what half the time would allow, for it to be halved */

struct budget {
	double share; /* 0.01 = 1 % of a core; 0: as often as every cycle */
	uint64_t interval_ms; /* between two cycles */
	unsigned every; /* every so many cycles there is a dump: 1, 2, 4, … */
	unsigned left; /* cycles without, until the next dump */
	double took_ms[3]; /* of the newest dumps */
	unsigned n;
};

void budget_init(struct budget *b, double share, uint64_t interval_ms);
/* A cycle begins: is it one with a dump? */
bool budget_turn(struct budget *b);
/* What a dump took, whether or not it was one. */
void budget_note(struct budget *b, double took_ms);
/* Milliseconds that a dump takes; NAN while too little is known. */
double budget_cost_ms(const struct budget *b);

#endif
