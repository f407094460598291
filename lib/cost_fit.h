/*
 * cost_fit: how much y rises with one column of numbers, when the others and time are allowed for.
 * Layer 1, pure arithmetic; cost.h says what it is for.
 *
 * Two rising lines always resemble one another, so neither the level nor the errors may be trusted
 * to be independent.  The model is
 *
 *	y = a + sum b[j] x[j] + e,	e[i] = rho e[i-1] + u[i],	0 <= rho <= 1
 *
 * from white noise (rho 0) to a wander that never comes back (rho 1, where this is a regression of
 * differences).  Nobody knows rho, and intervals for a guessed one are too narrow; so it is
 * averaged over: each rho of a grid is weighted by its restricted likelihood (Harville, JASA 72,
 * 1977, with a flat prior), and the answer is the mixture of their Student distributions, its
 * median and the 2.5 % on either side.
 */
#ifndef LEAKWATCH_COST_FIT_H
#define LEAKWATCH_COST_FIT_H

#include "base.h"

#define COST_FIT_ROWS	 64
#define COST_FIT_COLUMNS 9 /* without the constant */

struct cost_fit {
	size_t n, k; /* rows in order of time, columns */
	double y[COST_FIT_ROWS], x[COST_FIT_ROWS][COST_FIT_COLUMNS];
	/* Variance that y has by its very unit (rounding, pages): the residuals are not believed to
	 * have less. */
	double grain;
};

struct cost_range {
	double estimate, low, high; /* 95 % */
};

/*
 * The coefficient of column 0.  False when it cannot be told at all: fewer than k + 6 rows, a
 * column that does not move, or columns that follow from one another.
 */
bool cost_fit(const struct cost_fit *f, struct cost_range *out);

/* P(T <= t) of Student's distribution with df degrees of freedom. */
double cost_student(double t, double df);

#endif
