/* Samples become 1-min means, the lowest of these the floors of 2 and 10 minutes, those of hours,
 * and these the third lowest and the median of each day's 24. */
#include "detect_windows.h"
#include "trend.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

#define DAY_HOURS      24
#define DAY_HOURS_MIN  12 /* present, for a value */
#define LOAD_MIN_PAIRS 5
#define LOAD_R2	       .3

const double ring_width[RINGS] = {FAST_WINDOW, TEN, HOUR, SIX_HOURS};

static const int ring_cap[RINGS] = {FAST_CAP, TEN_CAP, HOUR_CAP, DAY_CAP};

static void fill_nan(float *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		v[i] = NAN;
}

static void open_minute(struct moving *m)
{
	m->sum = m->load_sum = 0;
	m->n = m->load_n = 0;
}

static void open_ten(struct moving *m)
{
	m->ten_low = INFINITY;
	m->ten_load = 0;
	m->ten_load_n = 0;
}

static void open_hour(struct moving *m)
{
	m->hour_low = INFINITY;
	m->hour_load = 0;
	m->hour_load_n = 0;
}

struct moving *moving_new(double first)
{
	struct moving *m = xcalloc(1, sizeof(*m));

	for (int i = 0; i < RINGS; i++) {
		m->ring[i].cap = ring_cap[i];
		m->ring[i].closed = (int64_t)floor(first / ring_width[i]);
	}
	m->ring[RING_FAST].floor = m->fast;
	m->ring[RING_TEN].floor = m->ten;
	m->ring[RING_HOUR].floor = m->hour;
	fill_nan(m->fast, FAST_CAP);
	fill_nan(m->ten, TEN_CAP);
	fill_nan(m->hour, HOUR_CAP);
	m->minute = (int64_t)floor(first / MINUTE);
	m->run_first = NAN;
	m->fast_low = INFINITY;
	open_minute(m);
	open_ten(m);
	open_hour(m);
	return m;
}

void moving_free(struct moving *m)
{
	if (!m)
		return;
	free(m->day);
	free(m->loads);
	free(m->trace);
	free(m);
}

double ring_at(const struct ring *r, const float *v, int64_t i)
{
	if (!v || i < 0 || i >= r->closed || i < r->closed - r->cap)
		return NAN;
	return v[i % r->cap];
}

int64_t window_from(double t, double w)
{
	return MAX((int64_t)0, (int64_t)ceil(t / w - 1e-9));
}

void moving_want_loads(struct moving *m)
{
	if (m->loads)
		return;
	m->loads = xmalloc((TEN_CAP + HOUR_CAP + DAY_CAP) * sizeof(float));
	fill_nan(m->loads, TEN_CAP + HOUR_CAP + DAY_CAP);
	m->ring[RING_TEN].load = m->loads;
	m->ring[RING_HOUR].load = m->loads + TEN_CAP;
	m->ring[RING_DAY].load = m->loads + TEN_CAP + HOUR_CAP;
}

void moving_want_day(struct moving *m)
{
	if (m->day)
		return;
	m->day = xmalloc(2 * DAY_CAP * sizeof(float));
	fill_nan(m->day, 2 * DAY_CAP);
	m->ring[RING_DAY].floor = m->day;
	m->ring[RING_DAY].median = m->day + DAY_CAP;
}

static void push(struct ring *r, double x, double median, double load)
{
	int64_t k = r->closed % r->cap;

	if (r->floor)
		r->floor[k] = (float)x;
	if (r->median)
		r->median[k] = (float)median;
	if (r->load)
		r->load[k] = (float)load;
	r->closed++;
}

void windows_add(struct moving *m, double value, double load)
{
	m->sum += value;
	m->n++;
	if (isfinite(load)) {
		moving_want_loads(m);
		m->load_sum += load;
		m->load_n++;
	}
}

static void end_of_minute(struct moving *m)
{
	if (m->n) {
		double mean = m->sum / m->n;

		m->ten_low = fmin(m->ten_low, mean);
		m->fast_low = fmin(m->fast_low, mean);
	}
	if (m->load_n) {
		m->ten_load += m->load_sum / m->load_n;
		m->ten_load_n++;
	}
	m->minute++;
	open_minute(m);
}

bool windows_close_minute(struct moving *m, double *x, double *l)
{
	end_of_minute(m);
	if (m->minute % 2 == 0) {
		push(&m->ring[RING_FAST], isinf(m->fast_low) ? NAN : m->fast_low, NAN, NAN);
		m->fast_low = INFINITY;
	}
	if (m->minute % 10)
		return false;
	*x = isinf(m->ten_low) ? NAN : m->ten_low;
	*l = m->ten_load_n ? m->ten_load / m->ten_load_n : NAN;
	open_ten(m);
	return true;
}

void windows_fill_ten(struct moving *m, double value)
{
	struct ring *r = &m->ring[RING_FAST];

	m->minute = (m->ring[RING_TEN].closed + 1) * 10;
	while (r->closed < m->minute / 2)
		push(r, value, NAN, NAN);
}

double windows_less_load(const struct moving *m, const struct ring *r, int64_t i)
{
	double x = ring_at(r, r->floor, i);

	return m->b != 0 ? x - m->b * ring_at(r, r->load, i) : x;
}

/* Every 6 h: third lowest and median of the last 24 hourly floors of this run. */
static void push_day(struct moving *m, double run)
{
	const struct ring *h = &m->ring[RING_HOUR];
	int64_t from = MAX(h->closed - DAY_HOURS, window_from(run + WARM_UP, HOUR));
	double v[DAY_HOURS], sum = 0;
	size_t n = 0, loads = 0;

	for (int64_t i = from; i < h->closed; i++) {
		double x = windows_less_load(m, h, i), l = ring_at(h, h->load, i);

		if (!isnan(x))
			v[n++] = x;
		if (!isnan(l)) {
			sum += l;
			loads++;
		}
	}
	if (h->closed - from < DAY_HOURS || n < DAY_HOURS_MIN) {
		push(&m->ring[RING_DAY], NAN, NAN, NAN);
		return;
	}
	moving_want_day(m);
	trend_sort(v, n);
	push(&m->ring[RING_DAY], v[2], v[n / 2], loads ? sum / (double)loads : NAN);
}

/* Means over `step` hours of floor and load before window `to`; false when one is missing. */
static bool mean_pair(const struct ring *h, int64_t from, int step, double *x, double *l)
{
	double xs = 0, ls = 0;

	for (int64_t i = from; i < from + step; i++) {
		xs += ring_at(h, h->floor, i);
		ls += ring_at(h, h->load, i);
	}
	*x = xs / step;
	*l = ls / step;
	return !isnan(xs) && !isnan(ls);
}

/* Regression of n differences of floor on those of load. */
static void fit_differences(struct moving *m, const double *dx, const double *dl, int n)
{
	double mx = 0, ml = 0, xx = 0, ll = 0, xl = 0;

	for (int i = 0; i < n; i++) {
		mx += dx[i] / n;
		ml += dl[i] / n;
	}
	for (int i = 0; i < n; i++) {
		xx += (dx[i] - mx) * (dx[i] - mx);
		ll += (dl[i] - ml) * (dl[i] - ml);
		xl += (dx[i] - mx) * (dl[i] - ml);
	}
	if (xl <= 0 || xl * xl < LOAD_R2 * xx * ll)
		return;
	m->b = xl / ll;
	m->b_error = sqrt(fmax(0, xx - m->b * xl) / MAX(1, n - 2) / ll);
}

/*
 * How much of the series one unit of load carries, from first differences: there a leak is only a
 * constant, and two lines that both rise do not correlate just because they rise.
 */
static void fit_load(struct moving *m, double run)
{
	const struct ring *h = &m->ring[RING_HOUR];
	int step = (double)h->closed * HOUR - run >= 48 * HOUR ? 6 : 1;
	int64_t from = MAX(h->closed - HOUR_CAP, window_from(run + WARM_UP, HOUR));
	double dx[HOUR_CAP], dl[HOUR_CAP], x, l, x_after = NAN, l_after = NAN;
	int pairs = 0;

	m->b = 0;
	for (int64_t i = h->closed - step; i >= from; i -= step) {
		if (!mean_pair(h, i, step, &x, &l))
			continue;
		if (pairs > 0) {
			dx[pairs - 1] = x_after - x;
			dl[pairs - 1] = l_after - l;
		}
		x_after = x;
		l_after = l;
		pairs++;
	}
	if (pairs - 1 >= LOAD_MIN_PAIRS)
		fit_differences(m, dx, dl, pairs - 1);
}

void windows_push_ten(struct moving *m, double x, double l, double run)
{
	push(&m->ring[RING_TEN], x, NAN, l);
	if (!isnan(x))
		m->hour_low = fmin(m->hour_low, x);
	if (!isnan(l)) {
		m->hour_load += l;
		m->hour_load_n++;
	}
	if (m->ring[RING_TEN].closed % 6)
		return;
	push(&m->ring[RING_HOUR], isinf(m->hour_low) ? NAN : m->hour_low, NAN,
		m->hour_load_n ? m->hour_load / m->hour_load_n : NAN);
	open_hour(m);
	if (m->loads)
		fit_load(m, run);
	if (m->ring[RING_TEN].closed % 36 == 0)
		push_day(m, run);
}

double windows_peak(const struct moving *m, double t)
{
	const struct ring *h = &m->ring[RING_HOUR];
	int64_t to = (int64_t)floor(t / HOUR);
	double peak = -INFINITY;

	for (int64_t i = MAX(to - HOUR_CAP, h->closed - HOUR_CAP); i < to; i++) {
		double x = ring_at(h, h->floor, i);

		if (!isnan(x))
			peak = fmax(peak, x);
	}
	return peak;
}

double windows_peak_less_load(const struct moving *m, double t)
{
	const struct ring *h = &m->ring[RING_HOUR];
	int64_t to = (int64_t)floor(t / HOUR);
	double peak = -INFINITY;

	for (int64_t i = MAX(to - HOUR_CAP, h->closed - HOUR_CAP); i < to; i++) {
		double x = windows_less_load(m, h, i);

		if (!isnan(x))
			peak = fmax(peak, x);
	}
	return peak;
}

double windows_load_before(const struct moving *m, double t)
{
	const struct ring *h = &m->ring[RING_HOUR];
	double l = ring_at(h, h->load, (int64_t)floor(t / HOUR) - 1);

	return isnan(l) ? 0 : l;
}

double windows_mean_load(const struct ring *r, int64_t from, int64_t n)
{
	double sum = 0;
	int64_t k = 0;

	for (int64_t i = from; i < from + n; i++) {
		double l = ring_at(r, r->load, i);

		if (!isnan(l)) {
			sum += l;
			k++;
		}
	}
	return k ? sum / (double)k : NAN;
}
