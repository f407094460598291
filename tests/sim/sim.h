/*
 * sim: a seeded source of chance, and the services made of it.  For tests only.
 *
 * The same seed gives the same numbers on every machine (no libc random, no floating-point
 * functions but exp, log, sqrt and cos).
 */
#ifndef LEAKWATCH_SIM_H
#define LEAKWATCH_SIM_H

#include "base.h"

#include <math.h>

struct sim {
	uint64_t s;
};

/* splitmix64 (Steele, Lea, Flood 2014) */
static inline uint64_t sim_u64(struct sim *r)
{
	uint64_t z = r->s += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline double sim_uniform(struct sim *r, double lo, double hi)
{
	return lo + (hi - lo) * (double)(sim_u64(r) >> 11) * 0x1p-53;
}

static inline double sim_normal(struct sim *r)
{
	double u = sim_uniform(r, 0, 1), v = sim_uniform(r, 0, 1);

	return sqrt(-2 * log(1 - u)) * cos(6.283185307179586 * v);
}

static inline double sim_exp(struct sim *r, double mean)
{
	return -mean * log(1 - sim_uniform(r, 0, 1));
}

/* Log-uniform. */
static inline double sim_scale(struct sim *r, double lo, double hi)
{
	return exp(sim_uniform(r, log(lo), log(hi)));
}

static inline double sim_poisson(struct sim *r, double mean)
{
	double p = 1, limit;
	double k = -1;

	if (mean > 200)
		return fmax(0, floor(mean + sqrt(mean) * sim_normal(r) + .5));
	limit = exp(-mean);
	do {
		p *= sim_uniform(r, 0, 1);
		k++;
	} while (p > limit);
	return k;
}

#endif
