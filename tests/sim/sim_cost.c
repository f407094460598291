/*
 * sim_cost: how often cost_each tells what a leaked goroutine holds, how often its interval has the
 * truth, and how often it blames goroutines for what something else took.
 *
 *	sim_cost [--check | SEEDS]
 *
 * Each row is a service scraped every 30 s.  told: share of the runs in which a number is told;
 * covers: of those, how many intervals have the truth; off: median of estimate over truth, less 1;
 * wide: median of half the interval over the estimate.  Where goroutines hold nothing, told is how
 * often they are blamed; the last of these cannot be told apart by anybody.  --check runs fewer
 *seeds and fails where intervals miss, or goroutines are blamed, more often than promised.  The
 *table in leakwatch-detect(7) is this one.
 */
#include "cost.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EVERY 30.0
#define KIB   1024.0
#define MIB   1048576.0
#define SEEDS 300
#define CHECK 60
#define COVER .866 /* of 95 %, less three standard errors of 60 seeds */
#define BLAME .02

enum leak { KINK, FROM_START, CLOCKWORK, BUSY_HOURS, BURSTS };
enum other { QUIET, WANDER, STEADY, FILLS, SAME_MOMENT, WITH_LOAD };

struct row {
	const char *name;
	enum cost_metric metric;
	double each; /* what a goroutine holds */
	enum leak leak;
	double per_hour;
	enum other other;
	double other_size; /* of the other growth or wander over the run */
	double hours;
	double second_each; /* another leaking class, from the start, at half the rate; < 0: none */
};

static const struct row rows[] = {
	{"descriptors, begins midway", COST_FDS, 1, KINK, 120, QUIET, 0, 8, -1},
	{"descriptors, from the start", COST_FDS, 1, FROM_START, 120, QUIET, 0, 8, -1},
	{"descriptors, by clockwork", COST_FDS, 1, CLOCKWORK, 120, QUIET, 0, 8, -1},
	{"descriptors, bursts", COST_FDS, 1, BURSTS, 120, QUIET, 0, 8, -1},
	{"descriptors, another class too", COST_FDS, 1, FROM_START, 240, QUIET, 0, 8, 0},
	{"descriptors, both classes hold", COST_FDS, 1, FROM_START, 240, QUIET, 0, 8, 2},
	{"stacks, begins midway", COST_STACK, 8 * KIB, KINK, 120, QUIET, 0, 8, -1},
	{"stacks, from the start", COST_STACK, 8 * KIB, FROM_START, 120, QUIET, 0, 8, -1},
	{"heap, begins midway", COST_HEAP, 31 * KIB, KINK, 600, QUIET, 0, 12, -1},
	{"heap, begins midway, slow", COST_HEAP, 31 * KIB, KINK, 60, QUIET, 0, 12, -1},
	{"heap, from the start", COST_HEAP, 31 * KIB, FROM_START, 600, QUIET, 0, 12, -1},
	{"heap, busy hours", COST_HEAP, 31 * KIB, BUSY_HOURS, 600, QUIET, 0, 48, -1},
	{"heap, bursts", COST_HEAP, 31 * KIB, BURSTS, 600, QUIET, 0, 24, -1},
	{"heap, midway, rest wanders", COST_HEAP, 31 * KIB, KINK, 600, WANDER, 40 * MIB, 12, -1},
	{"heap, midway, rest rises", COST_HEAP, 31 * KIB, KINK, 600, STEADY, 200 * MIB, 12, -1},
	{"heap, midway, a cache fills", COST_HEAP, 31 * KIB, KINK, 600, FILLS, 100 * MIB, 12, -1},
	{"heap, midway, with load", COST_HEAP, 31 * KIB, KINK, 600, WITH_LOAD, 100 * MIB, 48, -1},
	{"blame: no growth", COST_HEAP, 0, KINK, 600, QUIET, 0, 12, -1},
	{"blame: heap wanders", COST_HEAP, 0, KINK, 600, WANDER, 200 * MIB, 12, -1},
	{"blame: wanders, busy hours", COST_HEAP, 0, BUSY_HOURS, 600, WANDER, 200 * MIB, 48, -1},
	{"blame: heap rises steadily", COST_HEAP, 0, KINK, 600, STEADY, 200 * MIB, 12, -1},
	{"blame: rises, leak from the start", COST_HEAP, 0, FROM_START, 600, STEADY, 200 * MIB, 12,
		-1},
	{"blame: rises, leak by clockwork", COST_HEAP, 0, CLOCKWORK, 600, STEADY, 200 * MIB, 12,
		-1},
	{"blame: a cache fills", COST_HEAP, 0, KINK, 600, FILLS, 200 * MIB, 12, -1},
	{"blame: a cache fills, from start", COST_HEAP, 0, FROM_START, 600, FILLS, 200 * MIB, 12,
		-1},
	{"blame: follows load", COST_HEAP, 0, BUSY_HOURS, 600, WITH_LOAD, 200 * MIB, 48, -1},
	{"blame: the same moment", COST_HEAP, 0, KINK, 600, SAME_MOMENT, 200 * MIB, 12, -1},
	{"blame: descriptors of others", COST_FDS, 0, KINK, 120, WANDER, 60, 8, -1},
	{"blame: descriptors of others rise", COST_FDS, 0, FROM_START, 120, STEADY, 900, 8, -1},
};

struct service {
	double leaked, second, rest, fds, wander, phase, load, heap;
};

static double day_curve(double t)
{
	return 1 + .8 * sin(6.283185307179586 * (t / 86400 - .25));
}

static double leak_step(const struct row *r, struct sim *s, double t, double begins)
{
	double mean = r->per_hour * EVERY / 3600;

	switch (r->leak) {
	case KINK:
		return t >= begins ? sim_poisson(s, mean) : 0;
	case CLOCKWORK:
		return mean;
	case BUSY_HOURS:
		return sim_poisson(s, mean * day_curve(t));
	case BURSTS:
		return sim_uniform(s, 0, 1) < 1 / 120. ? sim_poisson(s, mean * 120) : 0;
	default:
		return sim_poisson(s, mean);
	}
}

/* What the process has beside what goroutines hold. */
static double other_now(
	const struct row *r, struct service *v, struct sim *s, double t, double begins)
{
	double steps = r->hours * 3600 / EVERY, end = r->hours * 3600;

	switch (r->other) {
	case WANDER:
		return v->wander += r->other_size / sqrt(steps) * sim_normal(s);
	case STEADY:
		return r->other_size * t / end;
	case FILLS:
		return r->other_size * (1 - exp(-4 * t / end));
	case SAME_MOMENT:
		return t >= begins ? r->other_size * (t - begins) / end : 0;
	case WITH_LOAD:
		return r->other_size * v->load / 2;
	default:
		return 0;
	}
}

/* The collector's saw-tooth: from what lives to twice as much, at its own pace; pages beside. */
static double heap_now(struct service *v, struct sim *s, double lives)
{
	v->phase += sim_uniform(s, .1, .6);
	v->phase -= floor(v->phase);
	return lives * (1 + v->phase) + 64 * KIB * sim_normal(s);
}

static double value_now(const struct row *r, struct service *v, struct sim *s, double other)
{
	double held = r->each * v->leaked + fmax(0, r->second_each) * v->second;

	if (r->metric == COST_FDS)
		return floor(20 + v->fds + held + other);
	if (r->metric == COST_STACK)
		return 32 * KIB * ceil((2 * MIB + held + 4 * KIB * v->rest + other) / (32 * KIB));
	return heap_now(v, s, 40 * MIB + held + fmax(0, other));
}

/* Goroutines and descriptors of requests come and go: births, and a share that ends. */
static double churn(struct sim *s, double now, double mean)
{
	return fmax(0, now + sim_poisson(s, mean / 4) - sim_poisson(s, now / 4));
}

static bool play(const struct row *r, uint64_t seed, struct cost_range *out)
{
	struct sim s = {seed * 7919 + (uint64_t)(r - rows)};
	struct cost *c = cost_new(120);
	struct service v = {.rest = 40, .fds = 10, .phase = sim_uniform(&s, 0, 1)};
	double end = r->hours * 3600, begins = sim_uniform(&s, .25, .5) * end;
	double from = r->leak == KINK ? begins : 0;
	bool told;

	for (double t = 0; t < end; t += EVERY) {
		double values[COST_METRICS], other;

		v.leaked += leak_step(r, &s, t, begins);
		if (r->second_each >= 0)
			v.second += sim_poisson(&s, r->per_hour / 2 * EVERY / 3600);
		v.rest = churn(&s, v.rest, 40);
		v.fds = churn(&s, v.fds, 10);
		v.load = day_curve(t + 20000) * (1 + .05 * sim_normal(&s));
		other = other_now(r, &v, &s, t, begins);
		for (int i = 0; i < COST_METRICS; i++)
			values[i] = NAN;
		values[r->metric] = value_now(r, &v, &s, other);
		cost_sample(c, t, values, r->other == WITH_LOAD ? v.load : NAN,
			v.leaked + v.second + v.rest);
		if (v.leaked >= 10)
			cost_count(c, 1, v.leaked, from, 0);
		if (v.second >= 10)
			cost_count(c, 2, v.second, 0, 0);
	}
	told = cost_each(c, 1, NULL, 0, r->metric, out);
	cost_free(c);
	return told;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), by_value);
	return n ? v[n / 2] : NAN;
}

static int passed, failed;

/* Does a row keep its promise? */
static void check(const struct row *r, size_t seeds, size_t told, size_t covers)
{
	bool good = true;

	if (r->each > 0)
		good = (double)covers >= COVER * (double)told;
	else if (r->other != SAME_MOMENT)
		good = (double)told <= BLAME * (double)seeds;
	if (!good)
		printf("FAILED: %s: %zu of %zu told, %zu intervals have the truth\n", r->name, told,
			seeds, covers);
	passed += good;
	failed += !good;
}

static void print_row(const struct row *r, size_t seeds)
{
	double *off = calloc(seeds, sizeof(*off)), *wide = calloc(seeds, sizeof(*wide));
	size_t told = 0, covers = 0;

	for (size_t i = 0; i < seeds; i++) {
		struct cost_range got;

		if (!play(r, i + 1, &got))
			continue;
		covers += got.low <= r->each && r->each <= got.high;
		off[told] = r->each > 0 ? got.estimate / r->each - 1 : NAN;
		wide[told++] = (got.high - got.low) / 2 / got.estimate;
	}
	printf("%-36s %6.1f %%", r->name, 100.0 * (double)told / (double)seeds);
	if (r->each > 0 && told > 0)
		printf(" %6.1f %% %+6.1f %% %6.1f %%", 100.0 * (double)covers / (double)told,
			100 * median(off, told), 100 * median(wide, told));
	putchar('\n');
	check(r, seeds, told, covers);
	free(off);
	free(wide);
}

int main(int argc, char **argv)
{
	bool checks = argc > 1 && strcmp(argv[1], "--check") == 0;
	size_t seeds = checks ? CHECK : argc > 1 ? strtoul(argv[1], NULL, 10) : SEEDS;

	printf("%-36s %8s %8s %8s %8s\n", "", "told", "covers", "off", "wide");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		print_row(&rows[i], seeds);
	if (checks)
		printf("%d passed, %d failed\n", passed, failed);
	return failed ? 1 : 0;
}
