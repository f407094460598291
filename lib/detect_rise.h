/*
 * detect_rise: one lookback of a series, and what the tables say of it.  Layer 1; only detect*.c
 * include it.
 *
 * detect_tests fills in what was measured, detect_judge decides, detect_rate and detect_words add
 * how fast and in words.  Plain data: nothing in it is owned.
 */
#ifndef LEAKWATCH_DETECT_RISE_H
#define LEAKWATCH_DETECT_RISE_H

#include "detect.h"
#include "detect_windows.h"
#include "trend.h"

enum rise_how { RISE_STEADY, RISE_BOUTS, RISE_URGENT, RISE_ANCHOR, RISE_RUNS, RISE_CARRY };
enum rise_level { RISE_NONE, RISE_SUSPECT, RISE_LEAKING };

/* One lookback and what the tests say of it. */
struct rise {
	enum rise_level level;
	enum rise_how how;
	enum ring_id ring;
	struct trend_shape shape;
	double look; /* its length, s */
	double history; /* from the first sample to its start, s */
	double peak; /* highest hourly floor of the 7 days before, or its first value */
	double now; /* its end on the level the reader sees */
	double before; /* growth of the stretch before it over its own growth */
	double share; /* of the growth that the load does not explain */
	double age; /* of the run when it began */
	double earlier; /* growth of an earlier run from and to this age over its own; NAN */
	int earlier_runs; /* that lived long enough to tell */
	double rate, error; /* per hour */
	double since;
	bool since_at_least;
	bool load_taken_out;
	bool yields; /* suspect, and nothing more by its counts */
	double needs_peak; /* suspect: ratio that would make it leaking at this length; INFINITY */
	double anchor_level, anchor_up; /* ANCHOR: first level, and the uptime then, s */
	int runs; /* RUNS */
};

/* Takes r for *best when its level is higher, or as high and the rise longer. */
bool rise_better(const struct rise *r, const struct rise *best);
/* Sets level, how and needs_peak of a rise that has been measured. */
void judge_rise(const struct detect *d, struct rise *r);
/* Rises, for now, without passing a test: what `watching` means. */
bool judge_is_rising(const struct detect *d, const struct rise *r);
double judge_clearness(const struct detect *d, const struct rise *r); /* growth over drawdown */
double judge_ratio(const struct detect *d, const struct rise *r); /* its end over its peak */

#endif
