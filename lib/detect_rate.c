/* Since when, and the rate while it goes on. */
#include "detect_internal.h"

#include <math.h>

#define FLAT	    .04 /* of the growth: a leading part that rose less has not begun */
#define GOES_ON	    .4 /* of the rate: a stretch before that rose faster belongs to the rise */
#define RATE_HOURS  72 /* newest hours that make the present rate */
#define RUNS_ERRORS 4.3 /* standard errors: Student's t for three runs */

/* Windows at the front that are flat: up to the last that is hardly higher than the first. */
/* keep: windows that remain at least. */
static size_t flat_front(const double *x, const struct trend_shape *s, size_t keep)
{
	size_t k = s->n - 1;

	while (k > 0 && x[k] > s->first + FLAT * s->growth)
		k--;
	return MIN(k, s->n > keep ? s->n - keep : 0);
}

/* The same in hourly floors, for the rises of the day ring, each of whose values is a day's. */
static double flat_hours_end(const struct moving *m, const struct rise *r, double begin, double end)
{
	const struct ring *h = &m->ring[RING_HOUR];
	int64_t from = MAX(window_from(begin, HOUR), h->closed - HOUR_CAP), i;

	for (i = MIN(h->closed, (int64_t)(end / HOUR)) - 1; i > from; i--) {
		double x = windows_less_load(m, h, i);

		if (!isnan(x) && x <= r->shape.first + FLAT * r->shape.growth)
			break;
	}
	return (double)i * HOUR;
}

/* Steps back from window i while the series rose there at a fair part of `per_window`. */
static int64_t walk_back(const struct moving *m, enum ring_id id, int64_t i, int64_t from,
	int64_t step, double level, double per_window)
{
	const struct ring *r = &m->ring[id];

	while (i - step >= from) {
		double x = id == RING_DAY ? ring_at(r, r->floor, i - step)
					  : windows_less_load(m, r, i - step);

		if (isnan(x) || level - x < GOES_ON * per_window * (double)step)
			break;
		level = x;
		i -= step;
	}
	return i;
}

/*
 * When the rise began.  Inside the lookback: after its flat front.  Without one it may be older:
 * walk back over hourly floors as long as they rose too.
 */
static void find_since(const struct detect *d, struct rise *r, const double *x, int64_t i0)
{
	const struct moving *m = d->m;
	double w = ring_width[r->ring], begin = (double)i0 * w;
	size_t n = r->shape.n, flat = flat_front(x, &r->shape, 2);
	enum ring_id id = r->ring == RING_FAST || r->ring == RING_TEN ? RING_HOUR : r->ring;
	double wide = ring_width[id], per_window = r->shape.growth / r->look * wide;
	int64_t from = tests_first_window(d, id), i = (int64_t)ceil(begin / wide);

	if (r->ring == RING_DAY)
		begin = (double)(i0 + 1) * w - DAY; /* the first value covers the day before it */
	/* A straight line is under FLAT of its growth for FLAT of its length, too. */
	if ((double)flat > FLAT * (double)n + 1) {
		r->since = (double)(i0 + (int64_t)flat) * w;
		if (r->ring == RING_DAY)
			r->since = flat_hours_end(m, r, begin, r->since);
		return;
	}
	i = walk_back(m, id, i, from, MAX((int64_t)1, (int64_t)(r->look / wide / 6)),
		r->shape.first, per_window);
	r->since = fmin(begin, id == RING_DAY ? (double)(i + 1) * wide - DAY : (double)i * wide);
	/* It rose from the first moment that can be looked at: then from the run's, if it is known.
	 */
	if (r->since > d->run + 2 * WARM_UP + wide)
		return;
	r->since = d->run;
	if (d->run > d->first || d->zero_known)
		return;
	if (d->start > d->first - HOUR / 2)
		r->since = d->start;
	else
		r->since_at_least = true;
}

/* Slope of windows i0..i0+n-1 per hour and its error, in which the load's coefficient counts too.
 */
static void slope_per_hour(const struct moving *m, enum ring_id id, const double *x, int64_t i0,
	size_t n, double *rate, double *error)
{
	const struct ring *r = &m->ring[id];
	double hours = ring_width[id] / HOUR, first, last;
	int64_t k = MAX((int64_t)1, (int64_t)n / 8);

	trend_slope(x, n, rate, error);
	*rate /= hours;
	*error /= hours;
	if (m->b == 0 || !r->load)
		return;
	first = windows_mean_load(r, i0, k);
	last = windows_mean_load(r, i0 + (int64_t)n - k, k);
	if (!isnan(first) && !isnan(last))
		*error = hypot(
			*error, m->b_error * (last - first) / ((double)n - (double)k) / hours);
}

void rate_of_rise(const struct detect *d, struct rise *r, const double *x, int64_t i0)
{
	size_t n = r->shape.n, cut = 0;

	if (r->how != RISE_BOUTS)
		cut = flat_front(x, &r->shape, MAX((size_t)6, n / 3));
	slope_per_hour(d->m, r->ring, x + cut, i0 + (int64_t)cut, n - cut, &r->rate, &r->error);
	find_since(d, r, x, i0);
}

void rate_interval(const struct detect *d, struct alarm *a, double rate, double error,
	double growth, double look)
{
	double k = a->how == RISE_RUNS ? RUNS_ERRORS : INTERVAL, hours = look / HOUR;

	/* Counts come one by one: a growth of G has the variance of G arrivals. */
	if (d->kind == DETECT_COUNT && a->how != RISE_RUNS)
		error = sqrt(error * error + fmax(0, growth) / (hours * hours));
	a->rate = rate;
	a->low = rate - k * error;
	a->high = rate + k * error;
}

/* The ring that holds a rise which began at `since` with enough values, and not too many. */
static enum ring_id ring_for(const struct alarm *a, double age)
{
	if (a->ring == RING_DAY)
		return RING_DAY;
	if (age <= HOUR && a->ring == RING_FAST)
		return RING_FAST;
	return age <= 6 * HOUR ? RING_TEN : RING_HOUR;
}

void rate_refresh(struct detect *d, double end)
{
	struct alarm *a = d->alarm;
	enum ring_id id = ring_for(a, end - a->since);
	const struct ring *r = &d->m->ring[id];
	double w = ring_width[id], x[TREND_MAX], rate, error;
	int64_t from, n, most = id == RING_HOUR ? RATE_HOURS : r->cap;

	/* RUNS has the mean of its runs; CARRY no rate of this run yet. */
	if (a->how == RISE_RUNS || a->carrying || (double)r->closed * w < end - 1)
		return;
	from = MAX(tests_first_window(d, id), window_from(a->since, w));
	n = MIN(r->closed - from, most);
	if (n < 6 || !tests_gather(d->m, id, r->closed - n, (size_t)n, x))
		return;
	slope_per_hour(d->m, id, x, r->closed - n, (size_t)n, &rate, &error);
	rate_interval(d, a, rate, error, x[n - 1] - x[0], (double)n * w);
}
