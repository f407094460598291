/*
 * backtest: a recorded history, judged as if it were happening.  Layer 1.
 *
 * Takes the series of a history in any order (the samples of one series in order of time), from
 * OpenMetrics text through a prom sink or one by one, and then lets each pass through the same code
 * as the daemon's (series, detect): the verdict of each series by itself, before findings,
 * evidence, silences and `for`.  Everything is kept in memory until it has been judged: 16 bytes a
 * sample.
 *
 * What is read: leakwatch_goroutines{target=,class=}, process_start_time_seconds (restarts), the
 * process metrics of series_kind_metric, and one family as load.  The target of a sample is its
 * label `target`, else "job/instance", else all of its labels.
 *
 * Life cycle: backtest_new, samples, backtest_judge once, backtest_free.
 */
#ifndef LEAKWATCH_BACKTEST_H
#define LEAKWATCH_BACKTEST_H

#include "classify.h"
#include "detect.h"
#include "prom.h"
#include "series.h"

#define BACKTEST_SAMPLES_MAX 100000000 /* 1.6 GB; more are counted and left out */
#define BACKTEST_SERIES_MAX  1000000
#define BACKTEST_LOAD_AGE    300.0 /* s a load's value holds, scaled with window_s */

struct backtest;

struct backtest_stats {
	uint64_t series, targets, samples, restarts;
	uint64_t loads; /* series of the load's family */
	uint64_t untimed; /* samples without a timestamp: left out */
	uint64_t disordered; /* samples older than the one before: left out */
	uint64_t over_limit;
	double from, to; /* NAN without samples */
};

/* One change of a verdict to or from suspect, leaking, held; strings hold during the callback. */
struct backtest_event {
	double at;
	const char *target, *name; /* class, or metric */
	enum verdict_state state; /* VERDICT_OK: resolved */
	double rate_per_hour, low, high; /* NAN when resolved */
	double since;
	const char *reason;
};

/* A series when all of it has been judged. */
struct backtest_judged {
	const char *target, *job; /* job "" when no sample said it */
	enum series_kind kind;
	const char *name; /* class, or metric */
	const double *at, *value; /* its n samples; they hold until backtest_free */
	size_t n;
	const struct series *series; /* with its detector and verdict; during the callback */
	double start; /* of the newest process; NAN */
	double start_seen; /* when that start was told first */
	double first_class; /* the target's first count of a class; NAN */
};

/* params is copied. */
struct backtest *backtest_new(const struct detect_params *params);
void backtest_free(struct backtest *b);
/*
 * The load of the targets of one job ("": of all), as configured: name or name{label="v"}; a
 * family's name stands for its counter NAME_total too.  The first that fits a target is taken.  -1
 * with err when it is not a selector.
 */
int backtest_want_load(struct backtest *b, struct str job, struct str selector, struct err *err);
/* Rules whose `expect` (a plain number) and `limit` hold for classes of their name; must outlive
 * b. */
void backtest_rules(struct backtest *b, const struct rule *rules, size_t n);

struct prom_sink backtest_sink(struct backtest *b);
/* The same by hand; name is the class, "" for other kinds. */
void backtest_value(struct backtest *b, struct str target, enum series_kind kind, struct str name,
	double at, double value);
/* A load that is a gauge, or a rate already; it counts when its selector was wanted. */
void backtest_load(
	struct backtest *b, struct str target, struct str selector, double at, double value);
void backtest_start(struct backtest *b, struct str target, double at, double start);

/* backtest_judge calls it once for each series. */
void backtest_on_judged(
	struct backtest *b, void (*cb)(void *, const struct backtest_judged *), void *arg);
/* Judges all series and hands out the events in order of time. */
void backtest_judge(
	struct backtest *b, void (*cb)(void *, const struct backtest_event *), void *arg);
const struct backtest_stats *backtest_stats(const struct backtest *b);

#endif
