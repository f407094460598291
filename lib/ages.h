/*
 * ages: how long the goroutines of one class have waited, and what that says.  Layer 1.
 *
 * One dump has no rate, but the waits in it have a shape.  Goroutines that come at an even pace and
 * never leave have waited for all lengths of time alike: a flat histogram, whose height is their
 * rate.  Goroutines that come and go are young; a pool is as old as the process; a batch is one
 * peak.
 *
 * The age that Go prints is a lower bound: it counts from the first garbage collection that saw the
 * goroutine blocked (runtime/mgcmark.go, markroot: gp.waitsince), so it lacks up to one
 * collection's period (2 min in an idle process), and begins anew at each wake-up.  A goroutine
 * that a ticker wakes looks young however old it is.  So bins are minutes wide, the first
 * AGES_YOUNG_MIN minutes count for nothing, and the words say what they rest on.
 *
 * The method is that of detector.md's one-dump test (leakwatch-detect(7)) with three changes, each
 * measured on its scenarios: goroutines as old as the process are set aside not only when they are
 * more than 30 % but also when they are more than an even pace explains; with up to 100 waits the
 * oldest one is the end of the interval, not a member of it (the rate was 2 % too high); and the
 * interval knows that minutes are rounded.  tests/sim/sim_ages prints what it finds,
 * tests/sim/ages.txt holds the reference's answers.
 *
 * Life cycle: AGES_INIT, ages_add, ages_judge, ages_release.  Memory: 16 bytes for each distinct
 * wait, at most 2 MiB: past AGES_EXACT_MIN waits are kept in whole hours, and AGES_MAX_MIN stands
 * for all longer ones.
 */
#ifndef LEAKWATCH_AGES_H
#define LEAKWATCH_AGES_H

#include "buf.h"

#define AGES_YOUNG_MIN	10 /* shorter waits are ordinary turnover */
#define AGES_OLD_LEAST	40 /* waits of AGES_YOUNG_MIN and more, for a rate */
#define AGES_SPAN_LEAST 24 /* minutes that they must spread over */
#define AGES_SPAN_HOUR	60 /* … for AGES_SUSPECT */
#define AGES_SPAN_LONG	360 /* … for AGES_LEAKING */
#define AGES_START_UP	15 /* minutes: started with the process */
#define AGES_BINS	6
#define AGES_EXACT_MIN	20160 /* 14 days */
#define AGES_MAX_MIN	2628000 /* 5 years */
#define AGES_STAY_LEAKS 0.98 /* of two dumps: nobody leaves */

struct age_row {
	uint64_t count;
	uint32_t minutes;
};

struct ages {
	struct age_row *rows; /* waits of a minute and more */
	size_t n, cap;
	bool sorted; /* rows are in order and distinct */
	uint64_t total; /* goroutines, also those without a printed age */
};

#define AGES_INIT                                                                                  \
	{                                                                                          \
		.rows = NULL                                                                       \
	}

void ages_release(struct ages *a);
/* minutes as printed, 0 where none is. */
void ages_add(struct ages *a, uint32_t minutes, uint64_t count);
/* Goroutines that have waited that long or longer. */
uint64_t ages_at_least(const struct ages *a, uint32_t minutes);
uint32_t ages_oldest(const struct ages *a);

/* What one dump says of a class. */
enum ages_verdict {
	AGES_UNTOLD, /* nothing: `why` says what is missing */
	AGES_OK, /* the shape is not that of a leak: `why` says which it is */
	AGES_WATCHING, /* even, over less than an hour */
	AGES_SUSPECT, /* even, over an hour or more */
	AGES_LEAKING /* even, over six hours or more */
};

enum ages_why {
	AGES_TOLD, /* even: a rate is given */
	AGES_FEW, /* too few have waited AGES_YOUNG_MIN minutes */
	AGES_SHORT, /* the oldest have not waited for long enough */
	AGES_POOL, /* as old as the process: workers started with it */
	AGES_TURNOVER, /* most are young: they come and go */
	AGES_STOPPED, /* few are young: they came once, and few have come since */
	AGES_BATCHES /* they came in batches */
};

const char *ages_verdict_name(enum ages_verdict v);

struct ages_estimate {
	enum ages_verdict verdict;
	enum ages_why why;
	/* Goroutines an hour that never leave, and its 95 % interval (Poisson); NAN untold. */
	double rate_per_hour, low, high;
	uint64_t total, old; /* old: waited AGES_YOUNG_MIN minutes or more */
	uint64_t start_up; /* of those, set aside: as old as the process */
	uint32_t oldest; /* minutes; of more than 100, what 2 % exceed */
	bool bins_told; /* there were enough for the histogram */
	uint64_t bins[AGES_BINS]; /* equal parts of AGES_YOUNG_MIN…oldest, the youngest first */
};

/*
 * uptime_min: of the process, in minutes; NAN when not known.  Then the caller may give the longest
 * wait in the whole dump, a lower bound that is exact where something waits since the start.
 */
void ages_judge(struct ages *a, double uptime_min, struct ages_estimate *e);

/* "90 min", "6.5 h", "3.2 d". */
void ages_add_span(struct buf *out, uint32_t minutes);
/* Minutes at which bin i begins, 0…AGES_BINS. */
double ages_bin_edge(const struct ages_estimate *e, int i);

/* One sentence without a full stop: "as if 12.0 an hour came and none left: …", or why not. */
void ages_words(const struct ages_estimate *e, struct buf *out);
/* What the rate rests on, for a field beside it; "" when there is none. */
void ages_basis(const struct ages_estimate *e, struct buf *out);

/*
 * Two dumps, gap_min minutes apart, where goroutines cannot be told apart by number: the share of
 * those that had waited AGES_YOUNG_MIN minutes in the first one and still wait in the second, at
 * most 1; NAN when there were none.  2 minutes are allowed for the collector's lag.
 */
double ages_stay(const struct ages *first, const struct ages *second, double gap_min);
/* The same where of the first dump only their number is known. */
double ages_still(uint64_t then, const struct ages *second, double gap_min);

#endif
