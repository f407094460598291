/* Every lookback of one ring is measured, and judged; so is what was there at the first sample. */
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

#define MIN_GROWTH  10.0 /* units: a smaller rise is not looked at */
#define PRESENT	    .6 /* of a lookback's windows */
#define LEAST_CLEAR 3 /* times its drawdown: what no table takes for a rise with less */
#define FAST_GROWTH 180 /* units in an hour at most: what is urgent has 200 and hardly falls */

/* What grew by hundreds within minutes is looked at before the counts can judge it. */
#define QUICK_WINDOWS 9
#define QUICK_GROWTH  200 /* units */
#define QUICK_RATIO   1.5 /* times its peak before, which may be what it took while it warmed up */
#define QUICK_LATE    .4
#define QUICK_CLEAR   3
#define QUICK_EVEN    5.5
#define QUICK_SHARE   .5

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

/*
 * The peak before it and its end, on the level the reader sees.  The reference takes the load of
 * the hour before it off the peak, whatever the load was at the peak.
 */
static void measure_levels(const struct detect *d, struct rise *r, double start, int64_t newest)
{
	const struct moving *m = d->m;
	const struct ring *ring = &m->ring[r->ring];
	double l, peak = windows_peak(m, start);

	r->now = r->shape.last;
	r->load_taken_out = m->b != 0 && r->ring != RING_FAST;
	if (r->load_taken_out) {
		peak = d->as_reference ? peak - m->b * windows_load_before(m, start)
				       : windows_peak_less_load(m, start);
		l = ring_at(ring, ring->load, newest);
		r->now += m->b * (isnan(l) ? 0 : l);
	}
	r->peak = fmax(peak, r->shape.first) + (r->now - r->shape.last);
}

static void measure_earlier(const struct detect *d, struct rise *r, double start)
{
	double from = fmax(0, start - d->run - 2 * WARM_UP), to = from + r->look;

	r->age = start - d->run;
	r->earlier = NAN;
	if (!d->as_reference)
		r->earlier = runs_grew(d, from, to, &r->earlier_runs) / r->shape.growth;
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
	if (id == RING_FAST && newest - oldest < FAST_GROWTH * d->unit)
		return;
	if (!tests_gather(m, id, i0, n, x))
		return;
	for (size_t k = 0; id == RING_DAY && k < n; k++)
		medians[k] = ring_at(ring, ring->median, i0 + (int64_t)k);
	if (!trend_shape(x, id == RING_DAY ? medians : NULL, n, MIN_GROWTH * d->unit, &r.shape))
		return;
	if (judge_clearness(d, &r) < LEAST_CLEAR)
		return;
	r.history = start - d->first;
	measure_levels(d, &r, start, ring->closed - 1);
	r.before = growth_before(m, &r, i0, from, x[0]) / r.shape.growth;
	r.share = share_left(m, &r, i0);
	measure_earlier(d, &r, start);
	judge_rise(d, &r);
	if (r.level != RISE_NONE && rise_better(&r, best)) {
		rate_of_rise(d, &r, x, i0);
		*best = r;
	} else if (watch && judge_is_rising(d, &r) && r.look > watch->look) {
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

	if (ring_at(ring, ring->floor, ring->closed - 1) - ring_at(ring, ring->floor, i0) <
			QUICK_GROWTH / 2 * d->unit ||
		i0 < tests_first_window(d, RING_FAST) ||
		!tests_gather(d->m, RING_FAST, i0, QUICK_WINDOWS, x) ||
		!quick_shape(x, QUICK_GROWTH * d->unit, &r.shape))
		return false;
	measure_levels(d, &r, start, ring->closed - 1);
	r.share = share_left(d->m, &r, i0);
	if (r.share < QUICK_SHARE || judge_ratio(d, &r) < QUICK_RATIO ||
		judge_clearness(d, &r) < QUICK_CLEAR || r.shape.even < QUICK_EVEN ||
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
#define ANCHOR_LOOK    (5.25 * HOUR) /* of uptime, to be leaking; the reference waits for 5.5 */
#define ANCHOR_FLOORS  15 /* of 2 minutes, in which the slope must stand out from chance */
#define ANCHOR_ERRORS  4

/*
 * Sessions that come and go wander, by hundreds where there are a hundred thousand: three floors
 * in a row may rise by chance.  Those of 2 minutes tell, their errors know how long it remembers.
 */
static bool stands_out(const struct detect *d)
{
	const struct ring *r = &d->m->ring[RING_FAST];
	int64_t from = MAX(window_from(d->first, FAST_WINDOW), r->closed - FAST_CAP);
	size_t n = (size_t)(r->closed - from);
	double x[FAST_CAP], slope, error;

	if (d->as_reference)
		return true;
	if (r->closed - from < ANCHOR_FLOORS || !tests_gather(d->m, RING_FAST, from, n, x))
		return false;
	trend_slope(x, n, &slope, &error);
	return slope >= ANCHOR_ERRORS * error;
}

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
	if (!stands_out(d))
		return;
	r.level = RISE_SUSPECT;
	if (x[k - 1] >= ANCHOR_LEVEL * d->unit &&
		look >= (d->as_reference ? 5.5 * HOUR : ANCHOR_LOOK))
		r.level = RISE_LEAKING;
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
