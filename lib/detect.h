/*
 * detect: the growth verdict of one series.  Layer 1.
 *
 * What a series has taken and never given back since (its future-minimum envelope) grows evenly or
 * bout by bout, does not slow, and has outgrown everything the series did before.  Method, formulas
 * and measured tables: leakwatch-detect(7).  It does not know classes, findings or alerts, and it
 * does not know `expect`: who has a ceiling for a class calls `watching` what this calls leaking.
 *
 * Pure: time comes in with each sample, nothing is read from a clock.  Times are Unix seconds;
 * rates are per hour of real time also when the detector's clock is scaled (params.window_s).
 *
 * Where the goroutines themselves can be looked at (their ids, in dumps), the counts yield to that
 * (detect_set_counts), and what is seen of them makes a suspect leaking
 * (detect_confirm).
 *
 * Life cycle: detect_new, detect_started and detect_zero_since before the first sample where they
 * apply, then detect_sample and detect_restart in time order; detect_free.  A scrape that failed is
 * not told at all (missing); a class absent from a whole body is a sample of 0.  A series that has
 * not moved yet costs some 200 bytes, a moving one about 2 KiB, with load about 3.
 */
#ifndef LEAKWATCH_DETECT_H
#define LEAKWATCH_DETECT_H

#include "buf.h"
#include "err.h"

enum detect_kind {
	DETECT_COUNT, /* goroutines, descriptors, threads */
	DETECT_BYTES
};

enum detect_sensitivity { DETECT_LOW, DETECT_NORMAL, DETECT_HIGH };

enum verdict_state {
	VERDICT_OK,
	VERDICT_WATCHING, /* rises, but passes no test; comes and goes, tells nobody */
	VERDICT_SUSPECT,
	VERDICT_LEAKING,
	VERDICT_HELD, /* stopped growing, nothing was given back */
	VERDICT_STATES
};

const char *verdict_state_name(enum verdict_state s); /* "ok", "watching", … */

/*
 * ref is the growth that matters; every size in the tests is a multiple of ref / 50 (ref_bytes / 50
 * for bytes).  With 50, suspect needs a growth of 10 goroutines, leaking 10, leaking in under 2.5
 * hours 1,000; with 500 ten times as many.
 */
struct detect_params {
	double window_s; /* detect.window: 120 is real time; 0.1 runs the clock 1,200 times as fast
			  */
	enum detect_sensitivity sensitivity;
	double ref; /* detect.ref, in goroutines; default 50 */
	double ref_bytes; /* detect.ref_bytes, default 32 MiB */
};

#define DETECT_PARAMS_DEFAULT                                                                      \
	{                                                                                          \
		.window_s = 120, .sensitivity = DETECT_NORMAL, .ref = 50,                          \
		.ref_bytes = 32.0 * 1048576                                                        \
	}

#define VERDICT_REASON_MAX 400

struct verdict {
	enum verdict_state state;
	double at; /* when it got this state; NAN while it never had another than ok */
	double rate_per_hour, low, high; /* 95 % interval; NAN when there is no rate */
	double since; /* when the growth began; NAN in state ok */
	bool since_at_least; /* it began before the first sample: "at least since" */
	bool was_leaking; /* this alarm was leaking before; a suspect with it is a leak whose
			   * process restarted: not over, not proven again */
	double base, top; /* level where it began, highest floor since; NAN in state ok */
	double lookback_s; /* length of the rise that was judged, real seconds; NAN in state ok */
	char reason[VERDICT_REASON_MAX]; /* in words; for ok after an alarm: why it resolved */
};

struct detect;

/* change is called from within detect_sample, detect_restart and detect_confirm at every change of
 * state, also to and from watching; it may not call back into d. */
typedef void detect_change_cb(void *arg, const struct verdict *v, enum verdict_state old);

/* params is copied; change may be NULL. */
struct detect *detect_new(enum detect_kind kind, const struct detect_params *params,
	detect_change_cb *change, void *arg);
void detect_free(struct detect *d);
/* The process started at t, before the first sample. */
void detect_started(struct detect *d, double t);
/* A series seen for the first time at now was 0 since from (the later of the target's first sample
 * and the process start).  Before the first sample. */
void detect_zero_since(struct detect *d, double from, double now);
/*
 * The level that would hurt (a class's `limit`, the descriptors a process may open); NAN: none.  A
 * rise that would reach it within hours is told sooner.  Not part of the record.
 */
void detect_set_limit(struct detect *d, double limit);
/*
 * load is NAN where there is none.  A time or value that is not finite is ignored.  A sample more
 * than a minute older than the last one says that the clock was set back: it counts as the next
 * one, and what was before it lies as long before it by the new clock.
 */
void detect_sample(struct detect *d, double t, double value, double load);
/* The process was found to have restarted at t. */
void detect_restart(struct detect *d, double t);
/*
 * What the counts alone may decide.  Where the goroutines behind the series are looked at, counts
 * yield to what is seen of them (detect_confirm): only what is urgent, was there since the process
 * began, or repeats in every run still becomes leaking by counts.  Not part of the record.
 */
enum detect_counts { DETECT_COUNTS_DECIDE, DETECT_COUNTS_YIELD };
void detect_set_counts(struct detect *d, enum detect_counts counts);
/*
 * It grew by hundreds, evenly, in the last 16 minutes: too young a rise for any table, and worth a
 * look at the goroutines.  False once it is suspect or more.  Not part of the record: a restored
 * one tells after its next two minutes.
 */
bool detect_rises_fast(const struct detect *d);
/*
 * What is not in the counts says that the growth is a leak (survival of goroutine ids, ages, the
 * collector's proof): suspect, or what rises fast, becomes leaking, with why as its reason.  In
 * another state nothing happens.
 */
void detect_confirm(struct detect *d, double t, const char *why);
/* The verdict now; rate and interval are kept current while it is suspect or leaking.  Valid until
 * the next call that is given samples. */
const struct verdict *detect_verdict(const struct detect *d);
/* Bytes of memory it holds. */
size_t detect_memory(const struct detect *d);

/*
 * The state as a versioned record (at most DETECT_RECORD_MAX bytes, the same on every machine), and
 * back: 0, or -1 with err and d as new.  Kind and window_s must be those it was saved with; the
 * other parameters may differ.  The record is checked like any outsider's bytes.  detect_load calls
 * no callback.
 */
#define DETECT_RECORD_MAX 8192
void detect_save(const struct detect *d, struct buf *out);
int detect_load(struct detect *d, struct str record, struct err *err);

#endif
