/*
 * detect_windows: a series as floors of 2 and 10 minutes, hours and days.  Layer 1; only detect*.c
 * include it.
 *
 * A sample goes into the open minute; the lowest 1-min mean of a window is its floor.  Rings keep
 * the newest 30 floors of 2 minutes, 36 of 10, 168 of an hour, and every 6 h the third lowest and
 * the median of the last 24 hourly ones.  Time is the detector's own (detect_internal.h); windows
 * are aligned to it.
 *
 * Life cycle: moving_new at the first sample, windows_add with each, windows_close_minute for each
 * minute that is over, windows_push_ten for each 10 minutes that this ends; moving_free.
 */
#ifndef LEAKWATCH_DETECT_WINDOWS_H
#define LEAKWATCH_DETECT_WINDOWS_H

#include "base.h"

#define MINUTE	  60.0
#define TEN	  600.0
#define HOUR	  3600.0
#define SIX_HOURS 21600.0
#define DAY	  86400.0

#define WARM_UP	    TEN /* of a run, that no lookback may contain */
#define FAST_WINDOW 120.0
#define TRACE_MAX   64

enum ring_id { RING_FAST, RING_TEN, RING_HOUR, RING_DAY, RINGS };

/* One value per window; number i is at i % cap.  Missing windows are NAN. */
struct ring {
	int64_t closed; /* number of the window that is open, so of the next to be pushed */
	int cap;
	float *floor;
	float *median; /* RING_DAY only */
	float *load; /* NULL while the series has no load */
};

/* How many windows the rings keep. */
enum { FAST_CAP = 30, TEN_CAP = 36, HOUR_CAP = 168, DAY_CAP = 60 };

/* The present run, for RUNS: at most 64 floors, spacing doubled when they are full. */
struct trace {
	float v[TRACE_MAX];
	int n;
	int64_t step; /* 10-min windows an entry */
	int64_t in_step; /* windows in the open entry */
};

/* What a series needs once it has moved. */
struct moving {
	struct ring ring[RINGS];
	float fast[FAST_CAP], ten[TEN_CAP], hour[HOUR_CAP];
	float *day; /* floors and medians, after the first whole day of a run */
	float *loads; /* of ten, hour, day, when there is load */
	struct trace *trace;

	int64_t minute; /* number of the open one */
	double sum, load_sum; /* of the open minute */
	uint32_t n, load_n;
	double fast_low; /* lowest minute of the open 2 minutes */
	double ten_low, ten_load; /* lowest minute, sum of loads of the open 10 */
	uint32_t ten_load_n;
	double hour_low, hour_load;
	uint32_t hour_load_n;

	double run_first; /* first floor of this run; NAN before it */
	double b, b_error; /* series units per load unit; 0 = not identified */
};

extern const double ring_width[RINGS];

struct moving *moving_new(double first);
void moving_free(struct moving *m);
/* Room for daily values, for loads; nothing where there is room. */
void moving_want_day(struct moving *m);
void moving_want_loads(struct moving *m);
/* The value of window i, NAN when it is missing or no longer kept; v is floor, median or load. */
double ring_at(const struct ring *r, const float *v, int64_t i);
/* Number of the first window of width w that begins at or after t. */
int64_t window_from(double t, double w);
/* Adds to the open minute. */
void windows_add(struct moving *m, double value, double load);
/* Closes the open minute; true when this also ends 10 minutes: their floor and load are in *x, *l.
 */
bool windows_close_minute(struct moving *m, double *x, double *l);
/* Skips the minutes of 10 minutes that were `value` throughout. */
void windows_fill_ten(struct moving *m, double value);
/* Pushes a 10-min floor; hour and day rings follow when theirs end.  run: start of this run. */
void windows_push_ten(struct moving *m, double x, double l, double run);
/* Highest hourly floor of the 7 days before t; -INFINITY when there is none. */
double windows_peak(const struct moving *m, double t);
/* The same of what the load does not explain. */
double windows_peak_less_load(const struct moving *m, double t);
/* Mean load of windows from..from+n-1; NAN when none is known. */
double windows_mean_load(const struct ring *r, int64_t from, int64_t n);
/* Mean load of the hour before t; 0 when unknown. */
double windows_load_before(const struct moving *m, double t);
/* A floor with what the load explains taken out (not for RING_DAY: it holds such values). */
double windows_less_load(const struct moving *m, const struct ring *r, int64_t i);

#endif
