/* Does a lookback's rise count?  Its numbers against the tables of leakwatch-detect(7). */
#include "detect_internal.h"

#include <math.h>

/* Bands of the length of a rise: under 2.5 h, to 5.5 h, to 8 h, to 23 h, longer. */
#define BANDS 5
#define DAYS  (BANDS - 1)
static const double band_edge[BANDS - 1] = {2.5 * HOUR, 5.5 * HOUR, 8 * HOUR, 23 * HOUR};

#define NEVER INFINITY

/* What is asked of the shape of an even rise; of four parts, under 8 windows, `even` is asked half.
 */
struct limits {
	double ref; /* growth in units */
	double clear; /* times the drawdown */
	double even;
	double late, late_most; /* share of the second half: not slowing, not a morning either */
	double tail;
	double before; /* at most: growth of the stretch before */
};

/* What is asked of a rise in bouts. */
struct bouts_limits {
	int bouts;
	double look, clear, even, late, late_most, tail, before;
};

struct table {
	double ratio[2][BANDS]; /* times its earlier peak: short history, 4 days or more */
	struct limits under_day, days;
	double line; /* evenness that is enough for LINE; NEVER */
	struct bouts_limits bouts[3]; /* any of them; bouts 0 ends */
	double bouts_ratio;
};

#define ANY INFINITY

/* Rows of the tables in leakwatch-detect(7), "Operating points". */
static const struct table suspects[] = {
	[DETECT_LOW] = {{{10, 4, 2, 2, 1.05}, {2, 1.5, 1.2, 1.2, 1.05}},
		{10, 3, 5.5, .47, .65, .9, 1}, {10, 3, 5.5, .45, ANY, .9, 1}, NEVER,
		{{3, DAY, 5, 1.5, .3, ANY, .3, ANY}}, 1.05},
	[DETECT_NORMAL] = {{{10, 3, 1.15, 1.15, 1}, {1.5, 1.15, 1.15, 1.15, 1}},
		{10, 3, 5.5, .47, .65, .9, 1}, {10, 3, 4, .45, ANY, .8, 1}, NEVER,
		{{2, DAY, 5, 1.5, .3, ANY, .3, ANY}}, 1},
	[DETECT_HIGH] = {{{10, 1.5, 1.10, 1.10, 1}, {1.3, 1.10, 1.10, 1.10, 1}},
		{10, 3, 5.5, .45, ANY, .9, 1}, {10, 3, 4, .45, ANY, .8, 1}, NEVER,
		{{2, DAY, 5, 1.5, .3, ANY, 0, ANY}}, 1},
};
static const struct table pages[] = {
	[DETECT_LOW] = {{{NEVER, NEVER, 20, 20, 1.03}, {NEVER, NEVER, 3, 3, 1.03}},
		{100, 300, 6, .45, .57, .9, 1}, {15, 3, 5.5, .45, ANY, .9, 1}, NEVER,
		{{5, 30 * HOUR, 8, 2.5, .35, ANY, 0, ANY}}, 1.03},
	[DETECT_NORMAL] = {{{NEVER, 15, 10, 5, 1}, {NEVER, 10, 2, 2, 1}},
		{100, 300, 6, .45, .57, .9, 1}, {10, 3, 5, .45, ANY, .9, 1.3}, 7.4,
		{{4, DAY, 5, 2.5, .35, ANY, 0, ANY}, {3, 30 * HOUR, 5, 2.2, .35, .75, .5, 1.5},
			{2, 42 * HOUR, 10, 2.5, .3, .7, .7, 1.5}},
		1},
	[DETECT_HIGH] = {{{NEVER, 6, 3, 2, 1}, {NEVER, 4, 1.2, 1.2, 1}},
		{15, 30, 5.5, .45, .7, .9, 1}, {10, 3, 5, .4, ANY, .8, 1.3}, 7,
		{{3, DAY, 5, 2.2, .3, ANY, 0, ANY}, {2, 30 * HOUR, 5, 1.8, .3, .75, .5, 1.5}}, 1},
};
/* Where the goroutines themselves are looked at: what tells the rises under a day apart. */
static const struct table strict_page = {{{NEVER, NEVER, 20, 20, 1}, {NEVER, NEVER, 3, 3, 1}},
	{100, 300, 6, .45, .57, .9, 1}, {10, 3, 5, .45, ANY, .9, 1.3}, NEVER,
	{{4, DAY, 5, 2.5, .35, ANY, 0, ANY}, {3, 30 * HOUR, 5, 2.2, .35, .75, .5, 1.5},
		{2, 42 * HOUR, 10, 2.5, .3, .7, .7, 1.5}},
	1};
static const struct table reference_suspect = {
	{{10, 3, 1.15, 1.15, 1.05}, {1.5, 1.15, 1.15, 1.15, 1.05}}, {10, 3, 5.5, .45, ANY, .9, 1},
	{10, 3, 5.5, .45, ANY, .9, 1}, NEVER, {{2, DAY, 5, 1.5, .3, ANY, 0, ANY}}, 1.05};
static const struct table reference_page = {{{NEVER, 10, 6, 6, 1.10}, {NEVER, 10, 1.3, 1.3, 1.10}},
	{15, 3, 5.5, .45, ANY, .9, 1}, {15, 3, 5.5, .45, ANY, .9, 1}, NEVER,
	{{4, DAY, 5, 2.5, .3, ANY, 0, ANY}}, 1.10};

#define NOISE	     .3 /* units: drawdown of a series without noise */
#define BYTES_CLEAR  3 /* times the drawdown: memory swings with the collector */
#define LOAD_SHARE   .5
#define EVEN_SHORT   2.5 /* of four parts, under 8 windows */
#define FRESH_GROWTH 200 /* units, under 2.5 h and without a history */
#define WATCH_CLEAR  3 /* times the drawdown */
#define MEDIANS	     .3 /* of the growth, that the day's medians share */

/* LINE: so straight for a third of a day that no fill and no morning looks like it. */
#define LINE_LOOK      (8 * HOUR)
#define LINE_GROWTH    30
#define LINE_CLEAR     100
#define LINE_RATIO     1.15
#define LINE_LATE      .46
#define LINE_LATE_MOST .57
#define LINE_TAIL      .9

/* NEW: rises from its beginning, and no run of this process before it did. */
#define NEW_LOOK      (2.5 * HOUR)
#define NEW_BEGINS    (2 * HOUR) /* age of the run, at most */
#define NEW_GROWTH    25
#define NEW_CLEAR     10
#define NEW_RATIO     1.15
#define NEW_EVEN      5.5
#define NEW_LATE      .45
#define NEW_LATE_MOST .6
#define NEW_EARLIER   .1 /* of the growth, that a run before may have had by that age */
#define SAME_EARLIER  .6 /* of the growth: the runs before did the same */

/* A page in under 2.5 h: only what is large, steep and straight. */
#define URGENT_GROWTH	 1000
#define URGENT_FAST	 1500 /* on floors of 2 minutes, in which half an hour can be a rise */
#define URGENT_RATIO	 5
#define URGENT_CLEAR	 10
#define URGENT_EVEN	 6.0
#define URGENT_LATE	 .45
#define URGENT_LATE_MOST .57
#define URGENT_TAIL	 .9
#define URGENT_SOON	 200 /* units that are enough when the limit would be reached within */
#define URGENT_WITHIN	 (6 * HOUR)

static int band_of(double look)
{
	int band = 0;

	while (band < BANDS - 1 && look >= band_edge[band])
		band++;
	return band;
}

double judge_clearness(const struct detect *d, const struct rise *r)
{
	return r->shape.growth / fmax(r->shape.drawdown, NOISE * d->unit);
}

double judge_ratio(const struct detect *d, const struct rise *r)
{
	return r->now / fmax(r->peak, d->unit);
}

static bool is_within(double x, double least, double most)
{
	return x >= least && x <= most;
}

static bool is_steady(const struct detect *d, const struct rise *r, const struct table *t)
{
	int band = band_of(r->look);
	bool history = r->history >= HISTORY;
	const struct limits *l = band == DAYS ? &t->days : &t->under_day;
	const struct trend_shape *s = &r->shape;
	double clear = d->kind == DETECT_BYTES ? fmin(l->clear, BYTES_CLEAR) : l->clear;

	return s->growth >= l->ref * d->unit && judge_ratio(d, r) >= t->ratio[history][band] &&
	       judge_clearness(d, r) >= clear && s->even >= (s->n >= 8 ? l->even : EVEN_SHORT) &&
	       is_within(s->late, l->late, l->late_most) && s->tail >= l->tail &&
	       r->before <= l->before &&
	       (band > 0 || history || s->growth >= FRESH_GROWTH * d->unit);
}

static bool is_line(const struct detect *d, const struct rise *r, const struct table *t)
{
	const struct trend_shape *s = &r->shape;

	return r->look >= LINE_LOOK && s->n >= 8 && s->even >= t->line &&
	       s->growth >= LINE_GROWTH * d->unit && judge_clearness(d, r) >= LINE_CLEAR &&
	       judge_ratio(d, r) >= LINE_RATIO && is_within(s->late, LINE_LATE, LINE_LATE_MOST) &&
	       s->tail >= LINE_TAIL && r->before <= 1;
}

static bool is_new(const struct detect *d, const struct rise *r, const struct table *t)
{
	const struct trend_shape *s = &r->shape;

	return t->line < NEVER && r->look >= NEW_LOOK && band_of(r->look) < DAYS && s->n >= 8 &&
	       r->age <= NEW_BEGINS && r->earlier_runs > 0 && r->earlier <= NEW_EARLIER &&
	       s->growth >= NEW_GROWTH * d->unit && judge_clearness(d, r) >= NEW_CLEAR &&
	       judge_ratio(d, r) >= NEW_RATIO && s->even >= NEW_EVEN &&
	       is_within(s->late, NEW_LATE, NEW_LATE_MOST) && s->tail >= LINE_TAIL &&
	       r->before <= 1;
}

/* Fills of every morning, warm-ups after every deploy: RUNS judges those. */
static bool is_usual(const struct rise *r)
{
	return band_of(r->look) < DAYS && r->earlier_runs > 0 && r->earlier >= SAME_EARLIER;
}

static bool has_bouts(const struct detect *d, const struct rise *r, const struct bouts_limits *b)
{
	const struct trend_shape *s = &r->shape;

	return b->bouts && s->bouts >= b->bouts && r->look >= b->look &&
	       judge_clearness(d, r) >= b->clear && s->even >= b->even &&
	       is_within(s->late, b->late, b->late_most) && s->tail >= b->tail &&
	       r->before <= b->before;
}

static bool is_bouts(const struct detect *d, const struct rise *r, const struct table *t)
{
	if (r->shape.growth < t->days.ref * d->unit || judge_ratio(d, r) < t->bouts_ratio)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(t->bouts); i++)
		if (has_bouts(d, r, &t->bouts[i]))
			return true;
	return false;
}

/* Time in which the rise would reach the limit; INFINITY without one. */
static double until_limit(const struct detect *d, const struct rise *r)
{
	if (isnan(d->limit) || r->now >= d->limit)
		return INFINITY;
	return (d->limit - r->now) * r->look / r->shape.growth;
}

static bool is_urgent(const struct detect *d, const struct rise *r)
{
	double enough = r->ring == RING_FAST ? URGENT_FAST : URGENT_GROWTH;
	double late_most = d->as_reference ? ANY : URGENT_LATE_MOST;

	if (until_limit(d, r) <= URGENT_WITHIN)
		enough = URGENT_SOON;
	return band_of(r->look) == 0 && r->shape.growth >= enough * d->unit &&
	       judge_ratio(d, r) >= URGENT_RATIO && judge_clearness(d, r) >= URGENT_CLEAR &&
	       r->shape.even >= URGENT_EVEN && is_within(r->shape.late, URGENT_LATE, late_most) &&
	       r->shape.tail >= URGENT_TAIL && r->before <= 1;
}

static bool passes(const struct detect *d, struct rise *r, const struct table *t)
{
	if (r->share < LOAD_SHARE)
		return false;
	if (r->ring == RING_DAY && r->shape.growth2 < MEDIANS * r->shape.growth)
		return false;
	if (is_usual(r))
		return false;
	if (is_steady(d, r, t) || is_line(d, r, t) || is_new(d, r, t))
		r->how = RISE_STEADY;
	else if (is_bouts(d, r, t))
		r->how = RISE_BOUTS;
	else
		return false;
	return true;
}

void judge_rise(const struct detect *d, struct rise *r)
{
	const struct table *leaking = d->as_reference			  ? &reference_page
				      : d->counts != DETECT_COUNTS_DECIDE ? &strict_page
									  : &pages[d->sensitivity];

	const struct table *suspect =
		d->as_reference ? &reference_suspect : &suspects[d->sensitivity];

	r->level = RISE_NONE;
	r->yields = d->counts == DETECT_COUNTS_YIELD;
	r->needs_peak = leaking->ratio[r->history >= HISTORY][band_of(r->look)];
	if (r->share >= LOAD_SHARE && is_urgent(d, r)) {
		r->how = RISE_URGENT;
		r->level = RISE_LEAKING;
	} else if (r->ring == RING_FAST) {
		return; /* this ring is for the urgent only */
	} else if (!r->yields && passes(d, r, leaking)) {
		r->level = RISE_LEAKING;
	} else if (passes(d, r, suspect)) {
		r->level = RISE_SUSPECT;
	}
}

/* Rises, for now, without passing a test: what `watching` means. */
bool judge_is_rising(const struct detect *d, const struct rise *r)
{
	return (r->ring == RING_TEN || r->ring == RING_HOUR) && r->share >= LOAD_SHARE &&
	       judge_clearness(d, r) >= WATCH_CLEAR && r->shape.even >= EVEN_SHORT;
}
