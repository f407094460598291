/* What repeats from restart to restart (RUNS), and what goes on after one (CARRY). */
#include "detect_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RUN_SHORTEST 2700.0
#define RUNS_LENGTH  DAY /* together, unless there are RUNS_MAX */
#define RUNS_GROWING .8
#define RUNS_LATE    .6 /* late rate over early rate */
#define RUNS_RESET   .5 /* of the growth: how far the first floors may differ */
#define RUNS_GROWTH  12.0
#define RUNS_FIRST   .15 /* of the first floor */

#define RUNS_PAGE_GROWTH 25.0
#define RUNS_PAGE_FIRST	 .3
#define RUNS_PAGE_LATE	 .75
#define RUNS_PAGE_SD	 .3 /* of the mean rate: a leak is as fast in every run */

#define CARRY_WINDOWS 18
#define CARRY_LEAST   5
#define CARRY_GROWTH  25.0
#define CARRY_CLEAR   4
#define CARRY_ERRORS  6
#define CARRY_WAITS   (2 * HOUR)
#define CARRY_LONGEST (3 * DAY)
#define CARRY_SHOWS   60.0 /* units: a growth that would have been seen by then */

static void halve(struct trace *t)
{
	for (int i = 0; i < TRACE_MAX / 2; i++) /* fminf takes the number where the other is NAN */
		t->v[i] = fminf(t->v[2 * i], t->v[2 * i + 1]);
	t->n = TRACE_MAX / 2;
	t->step *= 2;
}

void trace_add(struct detect *d, double x, double end)
{
	struct moving *m = d->m;
	struct trace *t = m->trace;

	if (end - TEN < d->run + WARM_UP)
		return;
	if (isnan(m->run_first)) {
		m->run_first = x;
		return;
	}
	if (!t) {
		t = m->trace = xcalloc(1, sizeof(*t));
		t->step = 1;
	}
	if (t->in_step == 0 || t->n == 0)
		t->v[t->n++] = (float)x;
	else
		t->v[t->n - 1] = fminf(t->v[t->n - 1], (float)x);
	t->in_step = (t->in_step + 1) % t->step;
	if (t->n == TRACE_MAX && t->in_step == 0)
		halve(t);
}

static float median_of(const float *v, int n)
{
	double w[TRACE_MAX];

	for (int i = 0; i < n; i++)
		w[i] = v[i];
	return (float)trend_median(w, (size_t)n);
}

static void keep_run(struct detect *d, const struct past_run *r)
{
	struct ledger *l = d->ledger;

	if (!l)
		l = d->ledger = xcalloc(1, sizeof(*l));
	if (l->n == RUNS_MAX)
		memmove(l->run, l->run + 1, (size_t)--l->n * sizeof(*r));
	l->run[l->n++] = *r;
}

static void keep_moving_run(struct detect *d, double length)
{
	const struct trace *t = d->m->trace;
	struct past_run r = {.length = (float)length, .first = (float)d->m->run_first};
	int k, mid;
	double dt;

	if (!t || t->n < 2 || isnan(r.first))
		return;
	k = MAX(1, t->n / 8);
	mid = (t->n - k) / 2;
	dt = (double)t->step * TEN;
	r.mid = median_of(t->v + mid, k);
	r.end = median_of(t->v + t->n - k, k);
	r.to_mid = (float)((mid + k / 2.0) * dt);
	r.to_end = (float)((t->n - mid - k) * dt);
	if (!isnan(r.mid) && !isnan(r.end))
		keep_run(d, &r);
}

void runs_close(struct detect *d, double t)
{
	double length = t - d->run;

	if (length >= RUN_SHORTEST && d->m)
		keep_moving_run(d, length);
	else if (length >= RUN_SHORTEST) /* it never moved */
		keep_run(d, &(struct past_run){(float)length, (float)d->value, (float)d->value,
				    (float)d->value, (float)length / 2, (float)length / 2});
	d->run = t;
	d->anchor_done = true;
	if (!d->m)
		return;
	free(d->m->trace);
	d->m->trace = NULL;
	d->m->run_first = NAN;
	d->m->hour_low = INFINITY; /* the hour's floor must not mix two runs */
}

/* ---- RUNS ------------------------------------------------------------------------------------ */

/* The newest runs, three at least, that together last a day; NULL when they don't. */
static const struct past_run *newest_runs(const struct ledger *l, int *n)
{
	double sum = 0;

	for (int k = 1; l && k <= l->n; k++) {
		sum += l->run[l->n - k].length;
		if (k >= 3 && (sum >= RUNS_LENGTH || k == RUNS_MAX)) {
			*n = k;
			return l->run + l->n - k;
		}
	}
	return NULL;
}

struct runs_sums {
	double growth, first, reset; /* medians */
	double late; /* late rate over early rate */
	double rate, sd, length; /* mean rate per hour and its spread; all lengths */
	double total_rate;
	int growing;
};

static struct runs_sums sum_runs(const struct past_run *r, int n)
{
	double g[RUNS_MAX], f[RUNS_MAX], back[RUNS_MAX], rates[RUNS_MAX];
	double early = 0, early_t = 0, late = 0, late_t = 0, sum = 0;
	struct runs_sums s = {0};

	for (int i = 0; i < n; i++) {
		g[i] = (double)r[i].end - (double)r[i].first;
		f[i] = r[i].first;
		if (i > 0)
			back[i - 1] = fabs((double)r[i].first - (double)r[i - 1].first);
		rates[i] = g[i] / ((double)r[i].to_mid + (double)r[i].to_end) * HOUR;
		s.rate += rates[i] / n;
		s.length += r[i].length;
		s.growing += g[i] > 0;
		sum += g[i];
		early += (double)r[i].mid - (double)r[i].first;
		early_t += r[i].to_mid;
		late += (double)r[i].end - (double)r[i].mid;
		late_t += r[i].to_end;
	}
	for (int i = 0; i < n; i++)
		s.sd += (rates[i] - s.rate) * (rates[i] - s.rate) / (n - 1);
	s.sd = sqrt(s.sd);
	s.late = early > 0 ? (late / fmax(1, late_t)) / (early / early_t) : 0;
	s.total_rate = sum / (early_t + late_t) * HOUR;
	s.growth = trend_median(g, (size_t)n);
	s.first = trend_median(f, (size_t)n);
	s.reset = trend_median(back, (size_t)(n - 1));
	return s;
}

void runs_test(const struct detect *d, struct rise *best)
{
	int n = 0;
	const struct past_run *r = newest_runs(d->ledger, &n);
	struct runs_sums s;
	struct rise rise = {.how = RISE_RUNS, .level = RISE_SUSPECT, .share = 1, .runs = n};

	if (!r || r[n - 1].end <= r[n - 1].first)
		return;
	s = sum_runs(r, n);
	if (s.growing < fmax(3, RUNS_GROWING * n) || s.late < RUNS_LATE ||
		s.reset > RUNS_RESET * s.growth ||
		s.growth < fmax(RUNS_GROWTH * d->unit, RUNS_FIRST * s.first))
		return;
	if (s.growth >= fmax(RUNS_PAGE_GROWTH * d->unit, RUNS_PAGE_FIRST * s.first) &&
		s.late >= RUNS_PAGE_LATE && s.sd <= RUNS_PAGE_SD * s.rate)
		rise.level = RISE_LEAKING;
	rise.ring = RING_TEN;
	rise.look = s.length;
	rise.shape.growth = s.growth;
	rise.shape.first = s.first;
	rise.shape.last = rise.now = (double)r[n - 1].end;
	rise.rate = s.total_rate;
	rise.error = s.sd / sqrt(n);
	rise.since = d->run - s.length;
	rise.needs_peak = INFINITY;
	rise.runs = n;
	if (rise_better(&rise, best))
		*best = rise;
}

#define NEAR_AGE     .6 /* of the age: a run that ended there has shown what it does */
#define HOUR_LONG    HOUR /* shorter runs say nothing */
#define TIMES_LONGER 2 /* how far the rate of a shorter run is carried */

static double level_at(const struct past_run *r, double age)
{
	double mid = r->to_mid, end = mid + (double)r->to_end;

	age = fmin(age, end);
	if (age <= mid)
		return (double)r->first + ((double)r->mid - (double)r->first) * age / mid;
	return (double)r->mid +
	       ((double)r->end - (double)r->mid) * (age - mid) / fmax(1, r->to_end);
}

double runs_grew(const struct detect *d, double from, double to, int *runs)
{
	double most = NAN;

	*runs = 0;
	for (int i = 0; d->ledger && i < d->ledger->n; i++) {
		const struct past_run *r = &d->ledger->run[i];
		double length = (double)r->to_mid + (double)r->to_end, grew;

		if (length < HOUR_LONG)
			continue;
		if (length >= NEAR_AGE * to) {
			(*runs)++;
			grew = level_at(r, to) - level_at(r, from);
		} else {
			grew = ((double)r->end - (double)r->first) / length *
			       fmin(to - from, TIMES_LONGER * length);
		}
		most = fmax(grew, isnan(most) ? grew : most);
	}
	return most;
}

/* ---- CARRY ----------------------------------------------------------------------------------- */

static bool grows_again(struct detect *d, double end)
{
	struct alarm *a = d->alarm;
	const struct ring *ring = &d->m->ring[RING_TEN];
	int64_t from = window_from(a->carry_from + WARM_UP, TEN);
	double x[CARRY_WINDOWS], rate, error;
	size_t n = 0;

	from = MAX(from, ring->closed - CARRY_WINDOWS);
	for (int64_t i = from; i < ring->closed; i++)
		if (!isnan(ring_at(ring, ring->floor, i)))
			x[n++] = ring_at(ring, ring->floor, i);
	if (n < CARRY_LEAST)
		return false;
	trend_slope(x, n, &rate, &error);
	rate *= HOUR / TEN;
	error *= HOUR / TEN;
	if (rate < a->carry_rate / 2 || rate > a->carry_rate * 2 || rate < CARRY_ERRORS * error ||
		x[n - 1] - x[0] < fmax(CARRY_GROWTH * d->unit, CARRY_CLEAR * trend_drawdown(x, n)))
		return false;
	a->base = x[0];
	a->top = x[n - 1];
	a->top_at = end;
	a->look = fmin(a->look, DAY);
	a->how = RISE_CARRY;
	a->ring = RING_TEN;
	a->carrying = false;
	rate_interval(d, a, rate, error, x[n - 1] - x[0], (double)n * TEN);
	return true;
}

enum carry_end runs_carry(struct detect *d, double end)
{
	struct alarm *a = d->alarm;
	double waits = CARRY_SHOWS * d->unit / fmax(a->carry_rate, 1e-9) * HOUR;

	waits = fmax(CARRY_WAITS, fmin(CARRY_LONGEST, waits));
	if (grows_again(d, end))
		return CARRY_AGAIN;
	if (end - a->carry_from > waits || end - a->carry_first > waits + CARRY_LONGEST)
		return CARRY_GONE;
	return CARRY_WAIT;
}
