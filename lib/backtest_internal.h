/*
 * backtest_internal: what backtest.c collects and backtest_judge.c judges.  Layer 1; nobody else
 * includes it.
 */
#ifndef LEAKWATCH_BACKTEST_INTERNAL_H
#define LEAKWATCH_BACKTEST_INTERNAL_H

#include "backtest.h"
#include "map.h"

struct points {
	double *at, *value;
	size_t n, cap;
};

struct bt_target {
	char *name, *job; /* job "" when no sample said it */
	struct points starts; /* value: start time of the process */
	double first; /* its goroutines were first sorted into classes; NAN */
};

struct bt_series {
	struct bt_target *target;
	enum series_kind kind;
	char *name;
	struct points points;
};

/* One series of a load's family. */
struct bt_load {
	struct bt_target *target; /* NULL: everybody's */
	size_t wanted; /* index of backtest.wanted */
	bool counter;
	struct points points;
};

struct bt_wanted {
	char *job, *text;
	struct prom_selector selector; /* slices of text */
};

struct backtest {
	struct detect_params params;
	const struct rule *rules;
	size_t nrules;
	struct map *targets, *series, *loads;
	struct bt_wanted *wanted;
	size_t nwanted;
	struct backtest_stats stats;
	void (*judged)(void *, const struct backtest_judged *);
	void *judged_arg;
};

#endif
