/*
 * pause: how long a dump with debug=2 will stop a target, before it is asked for.  Layer 1.
 *
 * Go stops the world while it prints all goroutines, and does so again with a buffer of twice the
 * size each time they did not fit: 1, 2, 4 … 64 MiB (net/http/pprof and runtime/pprof,
 * writeGoroutineStacks).  Each try walks every frame.  So, with 0.4 us a frame (measured on Go 1.19
 * to 1.27, leakwatch-detect(7)) unless this target was found to be faster or slower:
 *
 *	tries = 1 + ceil(log2(bytes / 1 MiB))      pause = tries * frames * us per frame
 *
 * What the dump really cost is at most the time until its first byte came, less that of a page that
 * stops nothing; where the target exports its pauses (go_sched_pauses_total_other_seconds) it is at
 * most their growth, each taken for its bucket's longest.  The smaller of the two is learnt from.
 */
#ifndef LEAKWATCH_PAUSE_H
#define LEAKWATCH_PAUSE_H

#include "base.h"

#define PAUSE_US_PER_FRAME 0.4
#define PAUSE_FRAMES_EACH  10.0 /* frames of a goroutine, until a dump has told */
#define PAUSE_BYTES_EACH   700.0
#define PAUSE_TRIES_MAX	   7 /* at 64 MiB Go gives up, and the dump is cut */

struct pause {
	double us_per_frame, frames_each, bytes_each;
	uint64_t dumps; /* learnt from */
};

void pause_init(struct pause *p);
/* A restart of the process: its stacks may be others; its speed is the machine's. */
void pause_new_run(struct pause *p);
/* The sum of all pauses for a dump of so many goroutines, ms. */
double pause_predict(const struct pause *p, uint64_t goroutines);
/*
 * A dump of so many goroutines, frames and bytes stopped it for cost_ms at the most (NAN: not
 * known).  Returns what it counts for: cost_ms, or for a small dump, whose time is mostly the
 * network's, what is predicted when that is less.
 */
double pause_learn(
	struct pause *p, uint64_t goroutines, uint64_t frames, uint64_t bytes, double cost_ms);

#endif
