/*
 * series: one number of one target over time, and what is thought of it.  Layer 1.
 *
 * A class's count, the total, open descriptors, threads, memory: after classification all are
 * alike. A series owns its detector and adds what the configuration says of it: how many are
 * healthy (expect), which metric drives it (load), at which size it speaks whatever the trend
 * (limits). It decides nothing about people; finding does.
 */
#ifndef LEAKWATCH_SERIES_H
#define LEAKWATCH_SERIES_H

#include "detect.h"

enum series_kind {
	SERIES_CLASS, /* goroutines of one class */
	SERIES_TOTAL, /* all judged goroutines of the dump */
	SERIES_FDS, /* open descriptors */
	SERIES_THREADS, /* threads of the operating system */
	SERIES_MEMORY, /* resident memory */
	SERIES_HEAP, /* Go heap in use: the explanation of resident memory */
	SERIES_ANON, /* anonymous memory, as the kernel tells it: what a memory leak is judged by */
	SERIES_KINDS
};

const char *series_kind_name(enum series_kind k); /* "class", "total", "fds", … */
/* The metric a kind is read from, which is also its class label ("go_goroutines"); "" for classes.
 */
const char *series_kind_metric(enum series_kind k);
enum detect_kind series_kind_unit(enum series_kind k);

/* Blocked goroutines in one class that are too many whatever the trend (as Uber's LeakProf has it).
 */
#define SERIES_BLOCKED_LIMIT 10000
/* Over a limit for that long before it counts; scaled with detect.window. */
#define SERIES_OVER_S 600.0

/* What the configuration and the metrics say of one sample. */
struct series_context {
	double load; /* NAN: none */
	double expected; /* healthy ones, slack included; NAN: not known */
	double subtract; /* factor * metric, taken off before judging; 0 with a plain maximum */
	bool blocked; /* these goroutines wait */
};

struct series {
	uint32_t id; /* the store's */
	enum series_kind kind;
	char *name; /* the class's name, or the metric's */
	bool builtin; /* the caller's: the class is one of the rules that ship with the program */
	struct detect *detect;
	struct verdict verdict; /* the detector's, at most watching while at or under expect */
	double at, value; /* the last sample; NAN before the first */
	double expected; /* of the last sample */
	double over_since; /* when it passed its limit; NAN while under */
	double over_limit; /* which limit it is over */
	bool over; /* for SERIES_OVER_S: GoroutineLimit */
	bool maybe_stuck; /* the caller's: they may be, for all that is known so far */
	double stuck_since; /* the caller's: some wait for a mutex since then; 0: none does */
	double stuck_count; /* the caller's: so many of the class wait for one */
	bool convoy; /* the caller's: and they become more, behind one lock */
	double forever_since; /* the caller's: some wait for what can never happen; 0: none does */
	double forever_count; /* the caller's: so many did */
	double changed_at; /* when verdict.state last changed */
	double saved, saved_at; /* the caller's: last value written to the store */
	double recorded_at; /* the caller's: last detector record written */
};

struct series *series_new(
	enum series_kind kind, struct str name, const struct detect_params *params);
void series_free(struct series *s);
/* True when the verdict's state or `over` changed. */
bool series_sample(struct series *s, const struct detect_params *params, double now, double value,
	const struct series_context *ctx);
/* The process restarted.  True as above. */
bool series_restart(struct series *s, double now);
/* Another sensitivity or size that matters, with all that was seen so far; window_s must be the
 * same.
 */
void series_retune(struct series *s, const struct detect_params *params);
/* Its past means nothing any more: the detector begins anew. */
void series_forget(struct series *s, const struct detect_params *params);
/* Takes the detector's verdict again, after detect_load. */
void series_refresh(struct series *s);

#endif
