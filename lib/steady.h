/*
 * steady: since when something waits, on a wall clock that may be set meanwhile.  Layer 1, pure.
 *
 * A wait begins at a wall time, since that is what is stored and outlives a restart; but within a
 * run the monotonic clock counts.  So at each turn the beginnings move along with a wall clock that
 * was set, and "began + duration <= now" holds when the duration has passed, and not before, though
 * somebody set the clock an hour forward or back.
 *
 *   at the first turn of a run      what the wall clock says: it began then, or now when that is
 *                                   still to come, so that a restart never makes a wait longer
 *   at the first turn of a wait     it began after the turn before, however its wall time was read
 *   at every other                  it moves by as much as the clock was set
 *
 * Turns should come each second or so: by that much a wait may be wrong whose beginning was read
 * just before the clock was set.  While the host sleeps, the monotonic clock stands still, and so
 * does what waits.
 */
#ifndef LEAKWATCH_STEADY_H
#define LEAKWATCH_STEADY_H

#include "base.h"

struct since {
	int64_t at_ms; /* wall, on the clock as it is set now */
	bool met; /* by a turn */
};

struct steady {
	int64_t wall_ms;
	uint64_t mono_ms;
	bool turned; /* at least once */
	int64_t passed_ms; /* since the turn before, on the monotonic clock; huge at the first */
	int64_t set_ms; /* by how much the wall clock was set since then */
};

#define STEADY_INIT                                                                                \
	{                                                                                          \
		.passed_ms = INT64_MAX                                                             \
	}

void steady_turn(struct steady *s, int64_t wall_ms, uint64_t mono_ms);
/* To be called for every wait at every turn. */
void steady_mend(const struct steady *s, struct since *w);

#endif
