/*
 * clock: the only reader of time.  Level 3; any module of the daemon may ask it.
 *
 * Decisions take `now` as an argument, so that weeks can be simulated in a second; whoever calls
 * them on the loop asks here, once per event.
 */
#ifndef LEAKWATCH_CLOCK_H
#define LEAKWATCH_CLOCK_H

#include "base.h"

/* Milliseconds since 1970, UTC: for samples, rows and people.  May jump when the host's clock is
 * set. */
int64_t clock_wall_ms(void);
/* Milliseconds on CLOCK_MONOTONIC: for intervals and deadlines.  Counts from boot, never jumps, and
 * stands still while the host sleeps. */
uint64_t clock_mono_ms(void);
uint64_t clock_mono_us(void); /* the same clock, for what takes less */

#endif
