/* Is it a rise that counts?  Every lookback of one ring is measured and held against the tables. */
#include "detect_internal.h"

#include <math.h>
#include <string.h>

/*
 * Lengths in windows; those of RING_DAY are one more (n values span n - 1 steps).  `first` is how
 * many of them the reference knows: it leaves what is longer than 30 h to the daily values.
 */
static const struct {
	int n[11], count, shortest; /* shortest: of "everything since the run began" */
	int first;
} looks[RINGS] = {
	[RING_FAST] = {{15, 20, 25, 30}, 4, 15, 0},
	[RING_TEN] = {{6, 12, 18, 24, 36}, 5, 6, 5},
	[RING_HOUR] = {{9, 12, 18, 24, 30, 42, 54, 72, 96, 120, 144}, 11, 9, 5},
	[RING_DAY] = {{5, 7, 9, 13, 17, 21, 29, 41, 57}, 9, 4, 9},
};

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
		{10, 3, 5.5, .45, ANY, .9, 1}, {10, 3, 5.5, .45, ANY, .9, 1}, NEVER,
		{{3, DAY, 5, 1.5, .3, ANY, 0, ANY}}, 1.05},
	[DETECT_NORMAL] = {{{10, 3, 1.15, 1.15, 1.05}, {1.5, 1.15, 1.15, 1.15, 1.05}},
		{10, 3, 5.5, .45, ANY, .9, 1}, {10, 3, 5.5, .45, ANY, .9, 1}, NEVER,
		{{2, DAY, 5, 1.5, .3, ANY, 0, ANY}}, 1.05},
	[DETECT_HIGH] = {{{10, 1.5, 1.10, 1.10, 1.03}, {1.3, 1.10, 1.10, 1.10, 1.03}},
		{10, 3, 5.5, .45, ANY, .9, 1}, {10, 3, 5.5, .45, ANY, .9, 1}, NEVER,
		{{2, DAY, 5, 1.5, .3, ANY, 0, ANY}}, 1.05},
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
static const struct table reference_page = {{{NEVER, 10, 6, 6, 1.10}, {NEVER, 10, 1.3, 1.3, 1.10}},
	{15, 3, 5.5, .45, ANY, .9, 1}, {15, 3, 5.5, .45, ANY, .9, 1}, NEVER,
	{{4, DAY, 5, 2.5, .3, ANY, 0, ANY}}, 1.10};

#define MIN_GROWTH   10.0 /* units: a smaller rise is not looked at */
#define NOISE	     .3 /* units: drawdown of a series without noise */
#define PRESENT	     .6 /* of a lookback's windows */
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

/* What grew by hundreds within minutes is looked at before the counts can judge it. */
#define QUICK_WINDOWS 9
#define QUICK_GROWTH  200 /* units */
#define QUICK_RATIO   1.5 /* times its peak before, which may be what it took while it warmed up */
#define QUICK_LATE    .4
#define QUICK_CLEAR   3
#define QUICK_EVEN    5.5

static int band_of(double look)
{
	int band = 0;

	while (band < BANDS - 1 && look >= band_edge[band])
		band++;
	return band;
}

static double clearness(const struct detect *d, const struct rise *r)
{
	return r->shape.growth / fmax(r->shape.drawdown, NOISE * d->unit);
}

static double ratio_of(const struct detect *d, const struct rise *r)
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

	return s->growth >= l->ref * d->unit && ratio_of(d, r) >= t->ratio[history][band] &&
	       clearness(d, r) >= l->clear && s->even >= (s->n >= 8 ? l->even : EVEN_SHORT) &&
	       is_within(s->late, l->late, l->late_most) && s->tail >= l->tail &&
	       r->before <= l->before &&
	       (band > 0 || history || s->growth >= FRESH_GROWTH * d->unit);
}

static bool is_line(const struct detect *d, const struct rise *r, const struct table *t)
{
	const struct trend_shape *s = &r->shape;

	return r->look >= LINE_LOOK && s->n >= 8 && s->even >= t->line &&
	       s->growth >= LINE_GROWTH * d->unit && clearness(d, r) >= LINE_CLEAR &&
	       ratio_of(d, r) >= LINE_RATIO && is_within(s->late, LINE_LATE, LINE_LATE_MOST) &&
	       s->tail >= LINE_TAIL && r->before <= 1;
}

static bool has_bouts(const struct detect *d, const struct rise *r, const struct bouts_limits *b)
{
	const struct trend_shape *s = &r->shape;

	return b->bouts && s->bouts >= b->bouts && r->look >= b->look &&
	       clearness(d, r) >= b->clear && s->even >= b->even &&
	       is_within(s->late, b->late, b->late_most) && s->tail >= b->tail &&
	       r->before <= b->before;
}

static bool is_bouts(const struct detect *d, const struct rise *r, const struct table *t)
{
	if (r->shape.growth < t->days.ref * d->unit || ratio_of(d, r) < t->bouts_ratio)
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
	       ratio_of(d, r) >= URGENT_RATIO && clearness(d, r) >= URGENT_CLEAR &&
	       r->shape.even >= URGENT_EVEN && is_within(r->shape.late, URGENT_LATE, late_most) &&
	       r->shape.tail >= URGENT_TAIL && r->before <= 1;
}

static bool passes(const struct detect *d, struct rise *r, const struct table *t)
{
	if (r->share < LOAD_SHARE)
		return false;
	if (r->ring == RING_DAY && r->shape.growth2 < MEDIANS * r->shape.growth)
		return false;
	if (is_steady(d, r, t) || is_line(d, r, t))
		r->how = RISE_STEADY;
	else if (is_bouts(d, r, t))
		r->how = RISE_BOUTS;
	else
		return false;
	return true;
}

static void judge(const struct detect *d, struct rise *r)
{
	const struct table *leaking = d->as_reference ? &reference_page
				      : d->strict     ? &strict_page
						      : &pages[d->sensitivity];

	r->level = RISE_NONE;
	r->needs_peak = leaking->ratio[r->history >= HISTORY][band_of(r->look)];
	if (r->share >= LOAD_SHARE && is_urgent(d, r)) {
		r->how = RISE_URGENT;
		r->level = RISE_LEAKING;
	} else if (r->ring == RING_FAST) {
		return; /* this ring is for the urgent only */
	} else if (passes(d, r, leaking)) {
		r->level = RISE_LEAKING;
	} else if (passes(d, r, &suspects[d->sensitivity])) {
		r->level = RISE_SUSPECT;
	}
}

/* Rises, for now, without passing a test: what `watching` means. */
static bool is_rising(const struct detect *d, const struct rise *r)
{
	return (r->ring == RING_TEN || r->ring == RING_HOUR) && r->share >= LOAD_SHARE &&
	       clearness(d, r) >= WATCH_CLEAR && r->shape.even >= EVEN_SHORT;
}

bool rise_better(const struct rise *r, const struct rise *best)
{
	return r->level > best->level || (r->level == best->level && r->look > best->look);
}

int64_t tests_first_window(const struct detect *d, enum ring_id id)
{
	const struct ring *r = &d->m->ring[id];
	double w = ring_width[id];
	int64_t i = r->closed;

	if (id != RING_DAY)
		return window_from(d->run + WARM_UP, w);
	/* A day's value needs 24 h of this run; a hole ends what can be looked back on. */
	while (!isnan(ring_at(r, r->floor, i - 1)) && (double)i * w >= d->run + WARM_UP + DAY - 1)
		i--;
	return i;
}

bool tests_gather(const struct moving *m, enum ring_id id, int64_t i0, size_t n, double *x)
{
	const struct ring *r = &m->ring[id];
	size_t present = 0;
	double before = NAN;

	for (size_t k = 0; k < n; k++) {
		int64_t i = i0 + (int64_t)k;

		x[k] = id == RING_DAY || id == RING_FAST ? ring_at(r, r->floor, i)
							 : windows_less_load(m, r, i);
		if (isnan(x[k]))
			continue;
		if (present++ == 0)
			for (size_t j = 0; j < k; j++)
				x[j] = x[k];
	}
	if ((double)present < PRESENT * (double)n)
		return false;
	for (size_t k = 0; k < n; k++) {
		if (isnan(x[k]))
			x[k] = before;
		before = x[k];
	}
	return true;
}

/* Growth of the equally long stretch before i0, scaled up when a quarter of it is known. */
static double growth_before(
	const struct moving *m, const struct rise *r, int64_t i0, int64_t from, double x0)
{
	const struct ring *ring = &m->ring[r->ring];
	bool raw = r->ring == RING_DAY || r->ring == RING_FAST;
	int64_t n = (int64_t)r->shape.n, j = i0 - n + (r->ring == RING_DAY);
	double z, known = 1, level = r->shape.first;

	if (j < from) {
		if (i0 - from < MAX((int64_t)2, n / 4))
			return 0;
		known = (double)n / (double)(i0 - from);
		level = x0;
		j = from;
	}
	z = raw ? ring_at(ring, ring->floor, j) : windows_less_load(m, ring, j);
	return isnan(z) ? 0 : (level - z) * known;
}

/*
 * Share of the growth that the load cannot explain.  Where its coefficient is known, by three
 * standard errors of it; else what plain proportion would give.
 */
static double share_left(const struct moving *m, const struct rise *r, int64_t i0)
{
	const struct ring *ring = &m->ring[r->ring];
	int64_t n = (int64_t)r->shape.n, k = MAX((int64_t)2, n / 8);
	double a, c, more;

	if (!m->loads)
		return 1;
	if (r->ring == RING_FAST) { /* the load has no 2-min windows: the 10-min ones instead */
		ring = &m->ring[RING_TEN];
		n = MAX((int64_t)2, n / 5);
		i0 = ring->closed - n;
		k = 1;
	}
	a = windows_mean_load(ring, i0, k);
	c = windows_mean_load(ring, i0 + n - k, k);
	if (isnan(a) || isnan(c))
		return 1;
	more = fmax(0, c - a) * (double)n / (double)(n - k);
	if (m->b != 0)
		return 1 - INTERVAL / 2 * m->b_error * more / r->shape.growth;
	return a > 0 ? 1 - r->shape.first * more / a / r->shape.growth : 1;
}

/* The peak before it and its end, on the level the reader sees. */
static void measure_levels(const struct moving *m, struct rise *r, double start, int64_t newest)
{
	const struct ring *ring = &m->ring[r->ring];
	double l;

	r->peak = fmax(windows_peak(m, start), r->shape.first);
	r->now = r->shape.last;
	r->load_taken_out = m->b != 0 && r->ring != RING_FAST;
	if (!r->load_taken_out)
		return;
	l = ring_at(ring, ring->load, newest);
	r->peak = fmax(r->peak - m->b * windows_load_before(m, start), r->shape.first);
	r->now += m->b * (isnan(l) ? 0 : l);
	r->peak += r->now - r->shape.last;
}

static void test_lookback(const struct detect *d, enum ring_id id, int64_t i0, int64_t from,
	struct rise *best, struct rise *watch)
{
	const struct moving *m = d->m;
	const struct ring *ring = &m->ring[id];
	size_t n = (size_t)(ring->closed - i0);
	double x[TREND_MAX], medians[TREND_MAX], w = ring_width[id];
	double oldest = ring_at(ring, ring->floor, i0);
	double newest = ring_at(ring, ring->floor, ring->closed - 1);
	double start = id == RING_DAY ? (double)(i0 + 1) * w - DAY : (double)i0 * w;
	struct rise r = {.ring = id, .look = (double)(id == RING_DAY ? n - 1 : n) * w};

	if (m->b == 0 && newest - oldest < MIN_GROWTH * d->unit)
		return;
	if (!tests_gather(m, id, i0, n, x))
		return;
	for (size_t k = 0; id == RING_DAY && k < n; k++)
		medians[k] = ring_at(ring, ring->median, i0 + (int64_t)k);
	if (!trend_shape(x, id == RING_DAY ? medians : NULL, n, MIN_GROWTH * d->unit, &r.shape))
		return;
	r.history = start - d->first;
	measure_levels(m, &r, start, ring->closed - 1);
	r.before = growth_before(m, &r, i0, from, x[0]) / r.shape.growth;
	r.share = share_left(m, &r, i0);
	judge(d, &r);
	if (r.level != RISE_NONE && rise_better(&r, best)) {
		rate_of_rise(d, &r, x, i0);
		*best = r;
	} else if (is_rising(d, &r) && r.look > watch->look) {
		rate_of_rise(d, &r, x, i0);
		*watch = r;
	}
}

/* Without its load the newest window says nothing of what the load does not explain. */
static bool newest_is_known(const struct detect *d, enum ring_id id)
{
	const struct ring *r = &d->m->ring[id];

	if (id == RING_TEN || id == RING_HOUR)
		return !isnan(d->as_reference ? ring_at(r, r->floor, r->closed - 1)
					      : windows_less_load(d->m, r, r->closed - 1));
	return !isnan(ring_at(r, r->floor, r->closed - 1));
}

void tests_ring(const struct detect *d, enum ring_id id, struct rise *best, struct rise *watch)
{
	const struct ring *r = &d->m->ring[id];
	int count = d->as_reference ? looks[id].first : looks[id].count;
	int64_t from, have;
	bool whole;

	if (count == 0 || !newest_is_known(d, id))
		return;
	from = tests_first_window(d, id);
	have = r->closed - from;
	whole = have >= looks[id].shortest && have < looks[id].n[count - 1];
	for (int k = 0; k < count && looks[id].n[k] <= have; k++) {
		test_lookback(d, id, r->closed - looks[id].n[k], from, best, watch);
		if (looks[id].n[k] == have)
			whole = false;
	}
	if (whole)
		test_lookback(d, id, from, from, best, watch);
}

/* The shape of so few windows: trend_shape leaves out the newest two, which would be a quarter. */
static bool quick_shape(const double *x, double least, struct trend_shape *out)
{
	struct trend_shape s = {.n = QUICK_WINDOWS, .drawdown = trend_drawdown(x, QUICK_WINDOWS)};
	double e[QUICK_WINDOWS], squares = 0;
	const size_t steps = QUICK_WINDOWS - 1;

	trend_envelope(x, QUICK_WINDOWS, e);
	s.first = e[0];
	s.last = e[steps];
	s.growth = s.growth2 = s.last - s.first;
	if (s.growth < least)
		return false;
	for (size_t i = 0; i < steps; i++)
		squares += (e[i + 1] - e[i]) * (e[i + 1] - e[i]);
	s.even = s.growth * s.growth / squares;
	s.late = (s.last - e[steps / 2]) / s.growth;
	s.tail = 4 * (s.last - e[steps - steps / 4]) / s.growth;
	*out = s;
	return true;
}

bool tests_quick(const struct detect *d, struct rise *out)
{
	const struct ring *ring = &d->m->ring[RING_FAST];
	int64_t i0 = ring->closed - QUICK_WINDOWS;
	double x[QUICK_WINDOWS], start = (double)i0 * FAST_WINDOW;
	struct rise r = {.ring = RING_FAST,
		.how = RISE_URGENT,
		.level = RISE_SUSPECT,
		.look = (QUICK_WINDOWS - 1) * FAST_WINDOW,
		.history = start - d->first};

	if (i0 < tests_first_window(d, RING_FAST) ||
		!tests_gather(d->m, RING_FAST, i0, QUICK_WINDOWS, x) ||
		!quick_shape(x, QUICK_GROWTH * d->unit, &r.shape))
		return false;
	measure_levels(d->m, &r, start, ring->closed - 1);
	r.share = share_left(d->m, &r, i0);
	if (r.share < LOAD_SHARE || ratio_of(d, &r) < QUICK_RATIO ||
		clearness(d, &r) < QUICK_CLEAR || r.shape.even < QUICK_EVEN ||
		r.shape.late < QUICK_LATE)
		return false;
	rate_of_rise(d, &r, x, i0);
	*out = r;
	return true;
}

/* ---- already leaking at the first sample ------------------------------------------------------
 */

#define ANCHOR_FROM    1800.0 /* s after the first sample, and uptime then */
#define ANCHOR_TO      (12 * HOUR)
#define ANCHOR_CLEAR   4
#define ANCHOR_LEVEL   200 /* units, to be leaking */
#define ANCHOR_WATCHED .25 /* of the uptime: a morning's rise looks like this for a while */
#define ANCHOR_TOL     .15

/* Level over uptime equal to the present slope: the line goes through zero where the process began,
 * so nobody ever left. */
void tests_anchor(const struct detect *d, double end, struct rise *best)
{
	const struct ring *ring = &d->m->ring[RING_TEN];
	int64_t from = (int64_t)ceil(d->first / TEN), n = ring->closed - from;
	double x[36], watched = end - d->first, look = end - d->start, up, b, se, a, tol;
	struct rise r = {.how = RISE_ANCHOR, .ring = RING_TEN, .look = look, .since = d->start};
	size_t k = 0;

	if (d->anchor_done || isnan(d->start) || watched < ANCHOR_FROM || watched > ANCHOR_TO)
		return;
	if (n < 3 || n > 36)
		return;
	for (int64_t i = from; i < ring->closed; i++)
		if (!isnan(ring_at(ring, ring->floor, i)))
			x[k++] = ring_at(ring, ring->floor, i);
	if (k < 3)
		return;
	up = (double)from * TEN + TEN / 2 - d->start;
	r.shape.growth = x[k - 1] - x[0];
	if (r.shape.growth < MIN_GROWTH * d->unit || up < ANCHOR_FROM ||
		r.shape.growth < ANCHOR_CLEAR * trend_drawdown(x, k))
		return;
	trend_slope(x, k, &b, &se);
	b *= HOUR / TEN;
	se *= HOUR / TEN;
	if (d->kind == DETECT_COUNT)
		se = sqrt(se * se + fmax(r.shape.growth, 1) / pow(watched / HOUR, 2));
	if (b <= 0)
		return;
	a = x[0] / (b * up / HOUR);
	tol = ANCHOR_TOL + 2 * se / b;
	if (tol > .5 || fabs(a - 1) > tol || (look < 23 * HOUR && watched < ANCHOR_WATCHED * up))
		return;
	r.level = x[k - 1] >= ANCHOR_LEVEL * d->unit && look >= 5.5 * HOUR ? RISE_LEAKING
									   : RISE_SUSPECT;
	r.needs_peak = INFINITY;
	r.shape.n = k;
	r.shape.growth = r.shape.last = r.now = x[k - 1];
	r.rate = b;
	r.error = se;
	r.share = 1;
	r.anchor_level = x[0];
	r.anchor_up = up;
	if (rise_better(&r, best))
		*best = r;
}
