/*
 * detect_internal: what the parts of detect share.  Layer 1; only detect*.c and tests include it.
 *
 * detect.c          the public face, and the states of the one alarm
 * detect_windows.c  samples become floors of 10 minutes, an hour, a day; the load's coefficient
 * detect_tests.c    every lookback's numbers; already leaking at the first sample
 * detect_judge.c    the tables: is it a rise that counts?
 * detect_rate.c     since when, and the rate while it goes on
 * detect_runs.c     what repeats from restart to restart, and what goes on after one
 * detect_words.c    reasons for people
 * detect_record.c   save and load; what a series weighs
 *
 * Time in here is the detector's own: Unix seconds times 120 / window_s, less `base`, a multiple of
 * 6 h; so window numbers are small and aligned to the clock.  Rates are per hour of that time.
 * They become real in detect.c (publish) and in detect_words.c, nowhere else.
 */
#ifndef LEAKWATCH_DETECT_INTERNAL_H
#define LEAKWATCH_DETECT_INTERNAL_H

#include "detect.h"
#include "detect_rise.h"
#include "detect_windows.h"
#include "trend.h"

#define HISTORY	 (96 * HOUR) /* "has a history" */
#define FORGET	 (28 * DAY) /* a longer gap ends the series; a constant past is filled this far */
#define INTERVAL 3.0 /* standard errors each side */
#define RUNS_MAX 12

/* A run that ended. */
struct past_run {
	float length, first, mid, end; /* s; levels */
	float to_mid, to_end; /* s between those levels */
};

struct ledger {
	int n;
	struct past_run run[RUNS_MAX]; /* oldest first */
};

/* The one alarm; lives from suspect to resolved. */
struct alarm {
	double base, top, top_at;
	double look, since;
	double b; /* the load's coefficient when it began */
	double load; /* the newest that was told; NAN */
	double rate, low, high;
	double opened_rate; /* when it last became leaking; what a new run is held against */
	enum rise_how how;
	enum ring_id ring;
	bool was_leaking, since_at_least;
	double held_top; /* top when it stopped growing */
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
	enum detect_counts counts;
	bool as_reference; /* for tests: without what this adds to the reference's verdicts */
	uint8_t npending;
	double base; /* Unix, detector's clock; everything below is relative to it */
	double first; /* first sample, or where its zeros begin */
	double last; /* newest sample */
	double limit; /* NAN: none */
	double start; /* process start before the first sample; NAN */
	double run; /* start of the present run, or the first sample */
	double value; /* while it never moved */
	double pending[2]; /* restarts of the open window: the first and the last */
	double watch_until;
	struct moving *m; /* NULL while it never moved */
	struct alarm *alarm;
	struct rise *fast; /* while it rises fast and is neither suspect nor more; else NULL */
	struct ledger *ledger;
	struct verdict *verdict; /* NULL while it was never anything but ok */
	detect_change_cb *change;
	void *arg;
};

/* ---- detect_tests.c ---- */
/* Tests ring id, whose newest window has just closed; *best becomes the better one of it and what
 * is found, *watch the longest rise that passes nothing but is one (NULL: not
 * asked). */
void tests_ring(const struct detect *d, enum ring_id id, struct rise *best, struct rise *watch);
void tests_anchor(const struct detect *d, double end, struct rise *best);
/* Does it rise fast (detect_rises_fast), by floors of 2 minutes? */
bool tests_quick(const struct detect *d, struct rise *out);
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
/* What the run that grew most from age `from` to age `to` grew by (NAN without runs), and how many
 * runs came near that age. */
double runs_grew(const struct detect *d, double from, double to, int *runs);
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
