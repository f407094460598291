/*
 * detect_internal: what the parts of detect share.  Layer 1; only detect*.c include it.
 *
 * detect.c          the public face, and the states of the one alarm
 * detect_windows.c  samples become floors of 10 minutes, an hour, a day; the load's coefficient
 * detect_tests.c    steady, bouts, urgent, anchor: is it a rise that counts?
 * detect_rate.c     since when, and the rate while it goes on
 * detect_runs.c     what repeats from restart to restart, and what goes on after one
 * detect_words.c    reasons for people
 * detect_record.c   save and load
 *
 * Time in here is the detector's own: Unix seconds times 120 / window_s, less `base`, a multiple of
 * 6 h; so window numbers are small and aligned to the clock.  Rates are per hour of that time.
 * They become real in detect.c (publish) and in detect_words.c, nowhere else.
 */
#ifndef LEAKWATCH_DETECT_INTERNAL_H
#define LEAKWATCH_DETECT_INTERNAL_H

#include "detect.h"
#include "trend.h"

#define MINUTE	  60.0
#define TEN	  600.0
#define HOUR	  3600.0
#define SIX_HOURS 21600.0
#define DAY	  86400.0

#define WARM_UP	    TEN /* of a run, that no lookback may contain */
#define HISTORY	    (96 * HOUR) /* "has a history" */
#define FORGET	    (28 * DAY) /* a longer gap ends the series; a constant past is filled this far */
#define INTERVAL    3.0 /* standard errors each side */
#define RUNS_MAX    12
#define TRACE_MAX   64
#define FAST_WINDOW 120.0

enum ring_id { RING_FAST, RING_TEN, RING_HOUR, RING_DAY, RINGS };

/* One value per window; number i is at i % cap.  Missing windows are NAN. */
struct ring {
	int64_t closed; /* number of the window that is open, so of the next to be pushed */
	int cap;
	float *floor;
	float *median; /* RING_DAY only */
	float *load; /* NULL while the series has no load */
};

/* The present run, for RUNS: at most 64 floors, spacing doubled when they are full. */
struct trace {
	float v[TRACE_MAX];
	int n;
	int64_t step; /* 10-min windows an entry */
	int64_t in_step; /* windows in the open entry */
};

/* A run that ended. */
struct past_run {
	float length, first, mid, end; /* s; levels */
	float to_mid, to_end; /* s between those levels */
};

struct ledger {
	int n;
	struct past_run run[RUNS_MAX]; /* oldest first */
};

/* What a series needs once it has moved. */
struct moving {
	struct ring ring[RINGS];
	float fast[30], ten[36], hour[168];
	float *day; /* 2 * 60, after the first whole day of a run */
	float *loads; /* 36 + 168 + 60, when there is load */
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
	double rate, error; /* per hour */
	double since;
	bool since_at_least;
	bool load_taken_out;
	double needs_peak; /* suspect: ratio that would make it leaking at this length; INFINITY */
	double anchor_level, anchor_up; /* ANCHOR: first level, and the uptime then, s */
	int runs; /* RUNS */
};

/* The one alarm; lives from suspect to resolved. */
struct alarm {
	double base, top, top_at;
	double look, since;
	double b; /* the load's coefficient when it began */
	double rate, low, high;
	enum rise_how how;
	enum ring_id ring;
	bool was_leaking, since_at_least;
	int low_windows; /* 10-min floors in a row at or under half of the growth */
	bool carrying; /* leaking before the restart; watching the new run */
	double carry_from, carry_first, carry_rate;
};

struct detect {
	double scale; /* 120 / window_s */
	double unit; /* what weighs as much as one goroutine at ref 50 */
	enum detect_kind kind;
	enum detect_sensitivity sensitivity;
	enum verdict_state state;
	bool begun, zero_known, anchor_done;
	bool fast_off; /* for comparison with the reference, which has no 2-min windows */
	uint8_t npending;
	double base; /* Unix, detector's clock; everything below is relative to it */
	double first; /* first sample, or where its zeros begin */
	double last; /* newest sample */
	double start; /* process start before the first sample; NAN */
	double run; /* start of the present run, or the first sample */
	double value; /* while it never moved */
	double pending[2]; /* restarts of the open window: the first and the last */
	double watch_until;
	struct moving *m; /* NULL while it never moved */
	struct alarm *alarm;
	struct ledger *ledger;
	struct verdict *verdict; /* NULL while it was never anything but ok */
	detect_change_cb *change;
	void *arg;
};

extern const double ring_width[RINGS];

/* ---- detect_windows.c ---- */
struct moving *moving_new(double first);
void moving_free(struct moving *m);
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
/* Mean load of the hour before t; 0 when unknown. */
double windows_load_before(const struct moving *m, double t);
/* A floor with what the load explains taken out (not for RING_DAY: it holds such values). */
double windows_less_load(const struct moving *m, const struct ring *r, int64_t i);

/* ---- detect_tests.c ---- */
/* Tests ring id, whose newest window has just closed; *best becomes the better one of it and what
 * is found, *watch the longest rise that passes nothing but is one. */
void tests_ring(const struct detect *d, enum ring_id id, struct rise *best, struct rise *watch);
void tests_anchor(const struct detect *d, double end, struct rise *best);
/* Takes r for *best when its level is higher, or as high and the rise longer. */
bool rise_better(const struct rise *r, const struct rise *best);
/* Floors of windows i0..i0+n-1 of ring id less load, holes filled; false under 60 % present. */
bool tests_gather(const struct moving *m, enum ring_id id, int64_t i0, size_t n, double *x);
/* First window a lookback of ring id may begin with. */
int64_t tests_first_window(const struct detect *d, enum ring_id id);

/* ---- detect_rate.c ---- */
/* Fills rate, error, since of r, whose floors are x from window i0 on. */
void rate_of_rise(const struct detect *d, struct rise *r, const double *x, int64_t i0);
/* Brings rate and interval of the alarm up to date at `end`. */
void rate_refresh(struct detect *d, double end);
/* Interval about rate for a growth in look seconds. */
void rate_interval(const struct detect *d, struct alarm *a, double rate, double error,
	double growth, double look);

/* ---- detect_runs.c ---- */
void trace_add(struct detect *d, double x, double end);
/* Closes the run at t into the ledger. */
void runs_close(struct detect *d, double t);
/* Does growth repeat from run to run?  Fills *best. */
void runs_test(const struct detect *d, struct rise *best);
enum carry_end { CARRY_WAIT, CARRY_AGAIN, CARRY_GONE };
/* Does the new run do it again?  Updates the alarm when it does. */
enum carry_end runs_carry(struct detect *d, double end);

/* ---- detect_words.c ---- */
void words_rise(const struct detect *d, const struct rise *r, char *out, size_t size);
/* A number of the series as people read it ("23", "1.5", "12 MiB"). */
const char *words_value(const struct detect *d, double v, char *out, size_t size);
/* A length of the detector's clock in real time ("90 s", "3.5 h", "6.0 d"). */
const char *words_span(const struct detect *d, double seconds, char *out, size_t size);

#endif
