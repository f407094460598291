#include "world.h"

#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

#define DRAWS	 40
#define LEAST	 10.0 /* leaked units alive at once */
#define MAX_LIFE 150000.0 /* sessions a world: more would only cost time */

bool world_chance(struct world *w, double p)
{
	return sim_uniform(&w->r, 0, 1) < p;
}

double world_pick(struct world *w, const double *of, size_t n)
{
	return of[(size_t)sim_uniform(&w->r, 0, (double)n)];
}

double world_rate(struct world *w, double low, double mid, double high)
{
	double at = w->severity == LOW ? low : w->severity == MID ? mid : high;

	return at * sim_scale(&w->r, .4, 2.5);
}

double world_hour(const struct world *w, int minute)
{
	return fmod(w->phase + minute, WORLD_DAY) / 60;
}

int world_weekday(const struct world *w, int minute)
{
	return (int)fmod((w->phase + minute) / WORLD_DAY, 7);
}

static double bump(double hour, double centre, double width)
{
	double d = fmod(hour - centre + 36, 24) - 12;

	return exp(-d * d / (2 * width * width));
}

static void draw_traffic(struct world *w)
{
	double kind = sim_uniform(&w->r, 0, 1), wander = 0, sum = 0;
	double sd = sim_uniform(&w->r, .02, .12), keep = exp(-1 / sim_uniform(&w->r, 30, 240));
	double base = sim_uniform(&w->r, .05, .3), peak = sim_uniform(&w->r, 10, 20);
	double wide = sim_uniform(&w->r, 2, 4), weekend = kind < .35 ? .25 : 1.1;

	for (int i = 0; i < w->n; i++) {
		double hour = world_hour(w, i), f = 1;

		if (kind < .35)
			f = base + bump(hour, 10.5, 2) + .8 * bump(hour, 15, 2);
		else if (kind < .65)
			f = base + bump(hour, peak, wide) + .4 * bump(hour, 12.5, 3);
		else if (kind < .9)
			f = 1 + .25 * cos((hour - peak) / 12 * 3.141592653589793);
		wander = keep * wander + sqrt(1 - keep * keep) * sd * sim_normal(&w->r);
		if (kind < .65 && world_weekday(w, i) >= 5)
			f *= weekend;
		w->traffic[i] = f * exp(wander);
		sum += w->traffic[i];
	}
	for (int i = 0; i < w->n; i++)
		w->traffic[i] *= w->n / sum;
}

void world_open(struct world *w, double hours_lo, double hours_hi)
{
	double kind = sim_uniform(&w->r, 0, 1);

	w->severity = kind < .4 ? LOW : kind < .75 ? MID : HIGH;
	w->n = (int)(60 * sim_scale(&w->r, hours_lo, hours_hi));
	w->phase = sim_uniform(&w->r, 0, 7 * WORLD_DAY);
	w->traffic = xcalloc((size_t)w->n, sizeof(double));
	w->value = xcalloc((size_t)w->n + 1, sizeof(double));
	w->leaked = xcalloc((size_t)w->n, sizeof(double));
	draw_traffic(w);
}

static int by_minute(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

void world_restart(struct world *w, double minute)
{
	if (w->restarts == WORLD_RESTARTS || minute < 1 || minute >= w->n - 5)
		return;
	w->restart[w->restarts++] = (int)minute;
	qsort(w->restart, (size_t)w->restarts, sizeof(int), by_minute);
}

void world_deploys(struct world *w, double p, double per_day)
{
	int n = 1 + (int)sim_poisson(&w->r, per_day * w->n / WORLD_DAY);

	if (!world_chance(w, p))
		return;
	for (int i = 0; i < MIN(n, 12); i++)
		world_restart(w, sim_uniform(&w->r, .02, .98) * w->n);
}

void world_live(struct world *w, double a, double b, double units)
{
	for (int i = 0; i < w->restarts; i++)
		if (w->restart[i] > a) {
			b = fmin(b, w->restart[i]);
			break;
		}
	if (b <= 0 || a >= w->n)
		return;
	w->value[(int)fmax(0, a)] += units; /* differences until world_make sums them */
	w->value[(int)fmin(w->n, ceil(b))] -= units;
}

void world_leak(struct world *w, double minute, double units)
{
	if (minute < 0 || minute >= w->n || units <= 0)
		return;
	w->leaked[(int)minute] += units;
	world_live(w, floor(minute), INFINITY, units);
}

void world_sessions(
	struct world *w, double from, double per_hour, double life, bool by_traffic, bool fixed)
{
	double most = MAX_LIFE / (w->n - fmin(from, 0)) * 60;

	per_hour = fmin(per_hour, most);
	for (int i = (int)from; i < w->n; i++) {
		double f = by_traffic ? w->traffic[MAX(0, i)] : 1;
		int born = (int)sim_poisson(&w->r, per_hour / 60 * f);

		for (int k = 0; k < born; k++) {
			double a = i + sim_uniform(&w->r, 0, 1);

			world_live(w, a, a + (fixed ? life : sim_exp(&w->r, life)), 1);
		}
	}
}

void world_leak_steadily(struct world *w, double from, double per_hour, bool by_traffic)
{
	for (int i = MAX(0, (int)from); i < w->n; i++)
		world_leak(
			w, i, sim_poisson(&w->r, per_hour / 60 * (by_traffic ? w->traffic[i] : 1)));
}

void world_background(struct world *w)
{
	double kind = sim_uniform(&w->r, 0, 1), base = floor(sim_uniform(&w->r, 0, 60));
	double busy = kind < .35 ? sim_uniform(&w->r, 0, 1.5) : sim_scale(&w->r, .5, 40);
	double slow_until = 0, slow = 1;

	for (int i = 0; i < w->n; i++) {
		if (i > slow_until && kind >= .35 && world_chance(w, .5 / WORLD_DAY)) {
			slow_until = i + sim_scale(&w->r, 2, 40); /* a dependency is slow */
			slow = sim_uniform(&w->r, 2, 10);
		}
		world_live(w, i, i + 1,
			base + sim_poisson(
				       &w->r, busy * w->traffic[i] * (i < slow_until ? slow : 1)));
	}
	if (kind > .7) {
		double life = sim_scale(&w->r, 1, 120), size = sim_scale(&w->r, 20, 500);

		world_sessions(w, -3 * life, size / life * 60, life, true, false);
	}
}

void world_load(struct world *w, double per_second, int one_in)
{
	if (!world_chance(w, 1.0 / one_in))
		return;
	w->load = xcalloc((size_t)w->n, sizeof(double));
	for (int i = 0; i < w->n; i++)
		w->load[i] = sim_poisson(&w->r, per_second * 60 * w->traffic[i]) / 60;
}

/* Differences become values; scrapes fail now and then, and once in a while for long. */
static void scrape(struct world *w)
{
	double sum = 0, fails = world_chance(w, .5) ? 0 : .003, gap = -1, gap_end = -1, alive = 0;
	int next = 0;

	if (world_chance(w, .25)) {
		gap = sim_uniform(&w->r, 0, w->n);
		gap_end = gap + sim_scale(&w->r, 5, fmin(60, 6 + .05 * w->n));
	}
	w->onset = -1;
	w->alive = 0;
	for (int i = 0; i < w->n; i++) {
		sum += w->value[i];
		w->value[i] = fmax(0, w->bytes ? floor(sum / 8192) * 8192 : floor(sum + .5));
		if (world_chance(w, fails) || (i >= gap && i < gap_end))
			w->value[i] = NAN;
		if (w->onset < 0 && w->leaked[i] > 0)
			w->onset = i;
		while (next < w->restarts && w->restart[next] <= i) {
			next++;
			alive = 0;
		}
		alive += w->leaked[i];
		w->alive = fmax(w->alive, alive);
	}
}

static bool is_decidable(const struct world *w)
{
	double unit = w->bytes ? 8 * 1048576.0 / LEAST : 1;

	return !w->family->leaks ||
	       (w->alive >= LEAST * unit && w->onset >= 0 && w->onset < .9 * w->n);
}

void world_make(struct world *w, const struct family *f, int seed)
{
	uint64_t name = 5381;

	for (const char *p = f->name; *p; p++)
		name = name * 33 + (unsigned char)*p;
	for (int i = 0; i < DRAWS; i++) {
		*w = (struct world){
			.family = f, .r = {name * 1000003u + (uint64_t)seed * 977u + (uint64_t)i}};
		sim_u64(&w->r);
		f->build(w);
		scrape(w);
		if (is_decidable(w))
			return;
		world_release(w);
	}
	abort();
}

void world_release(struct world *w)
{
	free(w->traffic);
	free(w->value);
	free(w->load);
	free(w->leaked);
}
