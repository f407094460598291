#include "trend.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define BOUT_STRETCHES 16
#define BOUT_SHARE     .03 /* of the growth: less is not a bout */
#define RHO_MAX	       .9

void trend_envelope(const double *x, size_t n, double *e)
{
	double low = INFINITY;

	for (size_t i = n; i-- > 0;) {
		low = fmin(low, x[i]);
		e[i] = low;
	}
}

double trend_drawdown(const double *x, size_t n)
{
	double peak = -INFINITY, fall = 0;

	for (size_t i = 0; i < n; i++) {
		peak = fmax(peak, x[i]);
		fall = fmax(fall, peak - x[i]);
	}
	return fall;
}

/* Where the end is read: the newest values of an envelope are only "not given back yet". */
static size_t end_of(size_t n)
{
	return n - MAX((size_t)2, n / 12);
}

/* Growth of envelope e from window a to b, as far as it counts towards last. */
static double part(const double *e, size_t a, size_t b, double last)
{
	return fmin(e[b], last) - fmin(e[a], last);
}

static void measure_parts(const double *e, struct trend_shape *s)
{
	size_t m = s->n >= 8 ? 8 : 4;
	double squares = 0, late = 0, tail = 0;

	for (size_t j = 0; j < m; j++) {
		double p =
			part(e, j * (s->n - 1) / m, (j + 1) * (s->n - 1) / m, s->last) / s->growth;

		squares += p * p;
		if (j >= m / 2)
			late += p;
		if (j >= m - m / 4)
			tail += p;
	}
	s->even = 1 / squares;
	s->late = late;
	s->tail = tail * 4;
}

static int count_bouts(const double *e, const struct trend_shape *s)
{
	size_t k = MIN((size_t)BOUT_STRETCHES, s->n - 1);
	bool before = false;
	int bouts = 0;

	for (size_t j = 0; j < k; j++) {
		double p = part(e, j * (s->n - 1) / k, (j + 1) * (s->n - 1) / k, s->last);
		bool grew = p >= BOUT_SHARE * s->growth;

		bouts += grew && !before;
		before = grew;
	}
	return bouts;
}

bool trend_shape(
	const double *x, const double *y, size_t n, double min_growth, struct trend_shape *out)
{
	double e[TREND_MAX];
	struct trend_shape s = {.n = n};

	assert(n >= 4 && n <= TREND_MAX);
	trend_envelope(x, n, e);
	s.first = e[0];
	s.last = e[end_of(n)];
	s.growth = s.last - s.first;
	if (s.growth < min_growth || s.growth <= 0)
		return false;
	s.drawdown = trend_drawdown(x, n);
	if (s.growth < s.drawdown)
		return false;
	measure_parts(e, &s);
	s.bouts = count_bouts(e, &s);
	s.growth2 = s.growth;
	if (y) {
		trend_envelope(y, n, e);
		s.growth2 = e[end_of(n)] - e[0];
	}
	*out = s;
	return true;
}

void trend_slope(const double *x, size_t n, double *slope, double *error)
{
	double tm = (double)(n - 1) / 2, xm = 0, tt = 0, tx = 0;
	double squares = 0, lagged = 0, before = 0, rho = 0;

	assert(n >= 3);
	for (size_t i = 0; i < n; i++)
		xm += x[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		tt += ((double)i - tm) * ((double)i - tm);
		tx += ((double)i - tm) * (x[i] - xm);
	}
	*slope = tx / tt;
	for (size_t i = 0; i < n; i++) {
		double r = x[i] - xm - *slope * ((double)i - tm);

		squares += r * r;
		if (i > 0)
			lagged += r * before;
		before = r;
	}
	if (squares > 0)
		rho = fmax(0, fmin(RHO_MAX, lagged / squares + 1.0 / (double)n));
	*error = sqrt((squares / (double)(n - 2) + 1.0 / 12) / tt * (1 + rho) / (1 - rho));
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

size_t trend_sort(double *v, size_t n)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		if (!isnan(v[i]))
			v[k++] = v[i];
	qsort(v, k, sizeof(*v), by_value);
	return k;
}

double trend_median(double *v, size_t n)
{
	n = trend_sort(v, n);
	return n ? (v[(n - 1) / 2] + v[n / 2]) / 2 : NAN;
}
