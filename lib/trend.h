/*
 * trend: the numbers of one rise.  Layer 1.
 *
 * Pure arithmetic on a short row of window floors without holes, oldest first.  It knows neither
 * time nor thresholds: detect asks, detect judges.  No function keeps anything.
 *
 * Formulas: leakwatch-detect(7), "The numbers of one lookback".
 */
#ifndef LEAKWATCH_TREND_H
#define LEAKWATCH_TREND_H

#include "base.h"

#define TREND_MAX 168 /* longest row, in windows: a week of hours */

struct trend_shape {
	size_t n; /* windows */
	double growth; /* last - first; at least min_growth and the drawdown */
	double first, last; /* of the envelope; last is a twelfth before the end, 2 at least */
	double drawdown; /* largest fall below an earlier value */
	double even; /* 1: one step, 8: eight equal parts (4 when n < 8) */
	double late; /* share of the growth in the second half */
	double tail; /* growth of the last quarter over a quarter of the growth */
	int bouts; /* separate stretches that grew */
	double growth2; /* growth of the second row; growth when there is none */
};

/* e[i] = lowest of x[i..n-1]: what was there at i and was never given back since.  e may be x. */
void trend_envelope(const double *x, size_t n, double *e);
/* Largest fall of x below an earlier value; 0 when it never falls. */
double trend_drawdown(const double *x, size_t n);
/*
 * The shape of x[0..n-1], 4 <= n <= TREND_MAX; y, another row of the same windows, or NULL.
 * False when it grew by less than min_growth or by less than its drawdown: then there is no rise to
 * describe and *out is untouched.
 */
bool trend_shape(
	const double *x, const double *y, size_t n, double min_growth, struct trend_shape *out);
/*
 * Least-squares slope per window and its standard error, n >= 3.  The error counts neighbours that
 * resemble one another (lag-1 correlation of the residuals, 0 to .9) and the rounding of counts
 * (variance 1/12).
 */
void trend_slope(const double *x, size_t n, double *slope, double *error);
/* Sorts v and drops what is NAN from it; returns how many are left. */
size_t trend_sort(double *v, size_t n);
/* The median of the numbers in v, NAN ones left out; NAN when there is none.  Sorts v. */
double trend_median(double *v, size_t n);

#endif
