#include "cost_fit.h"

#include <math.h>

#define SPARE	   6 /* rows more than columns, at least */
#define COLINEAR   1e-9 /* of a column's squares left over by those before it */
#define HALVINGS   40
#define TAIL	   .025
#define P_MAX	   (COST_FIT_COLUMNS + 1)
#define BETA_STEPS 200

/* Denser towards 1, where the answers differ most.  At .999 the constant is all but lost. */
static const double rhos[] = {0, .15, .3, .45, .6, .7, .8, .875, .925, .95, .975, .99, .999};

/* ---- Student's distribution ------------------------------------------------------------------ */

/* Continued fraction of the incomplete beta function (Abramowitz and Stegun 26.5.8), by Lentz's
 * method. */
static double beta_fraction(double a, double b, double x)
{
	double c = 1, d = 1 / (1 - (a + b) * x / (a + 1)), h = d;

	for (int m = 1; m <= BETA_STEPS; m++) {
		double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
		double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), step;

		d = 1 / (1 + even * d);
		c = 1 + even / c;
		h *= d * c;
		d = 1 / (1 + odd * d);
		c = 1 + odd / c;
		step = d * c;
		h *= step;
		if (fabs(step - 1) < 1e-12)
			break;
	}
	return h;
}

static double incomplete_beta(double a, double b, double x)
{
	double front;

	if (x <= 0 || x >= 1)
		return x <= 0 ? 0 : 1;
	front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
	if (x < (a + 1) / (a + b + 2))
		return front * beta_fraction(a, b, x) / a;
	return 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double cost_student(double t, double df)
{
	double tail = incomplete_beta(df / 2, .5, df / (df + t * t)) / 2;

	return t > 0 ? 1 - tail : tail;
}

/* ---- one rho --------------------------------------------------------------------------------- */

struct answer {
	double estimate, error, weight; /* weight: logarithm until they are compared */
};

/* Centred, and in units of their own spread, so that one measure of colinearity fits all. */
struct scaled {
	size_t n, p; /* p: with the constant, the last column */
	double y[COST_FIT_ROWS], x[COST_FIT_ROWS][P_MAX];
	double spread0;
};

static bool scale_column(const struct cost_fit *f, size_t j, struct scaled *s, double *spread)
{
	double mean = 0, squares = 0;

	for (size_t i = 0; i < f->n; i++)
		mean += f->x[i][j] / (double)f->n;
	for (size_t i = 0; i < f->n; i++)
		squares += (f->x[i][j] - mean) * (f->x[i][j] - mean);
	*spread = sqrt(squares / (double)f->n);
	if (!(*spread > 0) || !isfinite(*spread))
		return false;
	for (size_t i = 0; i < f->n; i++)
		s->x[i][j] = (f->x[i][j] - mean) / *spread;
	return true;
}

/* Column 0 goes last but one: its own part is then what all others leave of it. */
static bool scale(const struct cost_fit *f, struct scaled *s)
{
	double mean = 0, spread;

	s->n = f->n;
	s->p = f->k + 1;
	for (size_t j = 0; j < f->k; j++) {
		if (!scale_column(f, j, s, &spread))
			return false;
		if (j == 0)
			s->spread0 = spread;
	}
	for (size_t i = 0; i < f->n; i++)
		mean += f->y[i] / (double)f->n;
	for (size_t i = 0; i < f->n; i++) {
		s->x[i][f->k] = 1;
		s->y[i] = f->y[i] - mean;
	}
	return true;
}

/* e[i] - rho e[i-1] is white; the first row stands for all that was before (Prais and Winsten). */
static void whiten(const struct scaled *s, double rho, struct scaled *w)
{
	double first = sqrt(1 - rho * rho);

	w->n = s->n;
	w->p = s->p;
	for (size_t i = 0; i < s->n; i++) {
		w->y[i] = i ? s->y[i] - rho * s->y[i - 1] : first * s->y[0];
		for (size_t j = 0; j < s->p; j++)
			w->x[i][j] = i ? s->x[i][j] - rho * s->x[i - 1][j] : first * s->x[0][j];
	}
}

/* Takes from column j (or y, j == p) what column `by` explains; its share of the squares left. */
static void sweep(struct scaled *w, size_t by, double by_squares)
{
	for (size_t j = 0; j <= w->p; j++) {
		double dot = 0;

		if (j < w->p && j <= by && j != 0)
			continue; /* done before: 1, 2, … p - 1, and 0 at the end */
		for (size_t i = 0; i < w->n; i++)
			dot += w->x[i][by] * (j == w->p ? w->y[i] : w->x[i][j]);
		dot /= by_squares;
		for (size_t i = 0; i < w->n; i++) {
			if (j == w->p)
				w->y[i] -= dot * w->x[i][by];
			else
				w->x[i][j] -= dot * w->x[i][by];
		}
	}
}

static double squares_of(const struct scaled *w, size_t j)
{
	double sum = 0;

	for (size_t i = 0; i < w->n; i++)
		sum += w->x[i][j] * w->x[i][j];
	return sum;
}

/* Gram and Schmidt, column 0 last; the constant may all but vanish (rho near 1), others may not. */
static bool solve(const struct scaled *s, double rho, double grain, struct answer *out)
{
	double before[P_MAX], log_det = 0, rss = 0, df = (double)(s->n - s->p), dot = 0, own;
	struct scaled w;

	whiten(s, rho, &w);
	for (size_t j = 0; j < w.p; j++)
		before[j] = squares_of(&w, j);
	for (size_t j = 1; j < w.p; j++) {
		double left = squares_of(&w, j);

		if (left <= COLINEAR * before[j])
			return false;
		log_det += log(left);
		sweep(&w, j, left);
	}
	own = squares_of(&w, 0);
	if (own <= COLINEAR * before[0])
		return false;
	log_det += log(own);
	for (size_t i = 0; i < w.n; i++)
		dot += w.x[i][0] * w.y[i];
	dot /= own;
	for (size_t i = 0; i < w.n; i++)
		rss += (w.y[i] - dot * w.x[i][0]) * (w.y[i] - dot * w.x[i][0]);
	rss += df * grain;
	if (!(rss > 0))
		return false;
	out->estimate = dot / s->spread0;
	out->error = sqrt(rss / df / own) / s->spread0;
	out->weight = log1p(-rho * rho) / 2 - log_det / 2 - df / 2 * log(rss);
	return true;
}

/* ---- all of them ----------------------------------------------------------------------------- */

static double below(const struct answer *a, size_t n, double df, double value)
{
	double p = 0;

	for (size_t i = 0; i < n; i++)
		p += a[i].weight * cost_student((value - a[i].estimate) / a[i].error, df);
	return p;
}

static double quantile(const struct answer *a, size_t n, double df, double p)
{
	double low = a[0].estimate, high = a[0].estimate;

	for (size_t i = 0; i < n; i++) {
		low = fmin(low, a[i].estimate - 100 * a[i].error);
		high = fmax(high, a[i].estimate + 100 * a[i].error);
	}
	for (int i = 0; i < HALVINGS; i++) {
		double middle = (low + high) / 2;

		if (below(a, n, df, middle) < p)
			low = middle;
		else
			high = middle;
	}
	return (low + high) / 2;
}

static void weigh(struct answer *a, size_t n)
{
	double most = a[0].weight, sum = 0;

	for (size_t i = 1; i < n; i++)
		most = fmax(most, a[i].weight);
	for (size_t i = 0; i < n; i++)
		sum += a[i].weight = exp(a[i].weight - most);
	for (size_t i = 0; i < n; i++)
		a[i].weight /= sum;
}

bool cost_fit(const struct cost_fit *f, struct cost_range *out)
{
	struct answer a[ARRAY_LEN(rhos)];
	double df = (double)f->n - (double)f->k - 1;
	struct scaled s = {0};

	if (f->k == 0 || f->k > COST_FIT_COLUMNS || f->n > COST_FIT_ROWS || f->n < f->k + SPARE ||
		!scale(f, &s))
		return false;
	for (size_t i = 0; i < ARRAY_LEN(rhos); i++) {
		if (!solve(&s, rhos[i], f->grain, &a[i]))
			return false;
	}
	weigh(a, ARRAY_LEN(a));
	out->estimate = quantile(a, ARRAY_LEN(a), df, .5);
	out->low = quantile(a, ARRAY_LEN(a), df, TAIL);
	out->high = quantile(a, ARRAY_LEN(a), df, 1 - TAIL);
	return isfinite(out->low) && isfinite(out->high);
}
