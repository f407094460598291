/*
 * world: services in simulated time, minute by minute, out of which families of series are made.
 * For tests only.
 *
 * A world is one process (or, with restarts, one after the other) seen for hours to weeks: traffic
 * with its days and weeks, goroutines that are born and end, and some that never end.  A family
 * (leaks.c, healthy.c) draws its parameters, opens a world and tells who lives how long; the value
 * of a minute is what lives then.  Everything follows from the family's number and the seed.
 *
 * Life cycle: world_make, then read; world_release.
 */
#ifndef LEAKWATCH_WORLD_H
#define LEAKWATCH_WORLD_H

#include "sim.h"

enum { WORLD_RESTARTS = 64, WORLD_DAY = 1440 };
enum severity { LOW, MID, HIGH };

struct family;

struct world {
	const struct family *family;
	struct sim r;
	enum severity severity;
	int n; /* minutes */
	double phase; /* minutes from Monday 00:00 to the first minute */
	double *traffic; /* of each minute, mean about 1 */
	double *value; /* what a scrape sees; NAN where one failed */
	double *load; /* NULL: none is given */
	double *leaked; /* units that leaked in each minute */
	int restart[WORLD_RESTARTS], restarts; /* minutes in which a new process began */
	bool bytes;
	int onset; /* minute of the first leaked unit; -1 in the healthy */
	double alive; /* most leaked units alive at once */
};

struct family {
	const char *name;
	bool leaks;
	void (*build)(struct world *w);
};

extern const struct family leak_families[], healthy_families[];
extern const size_t leak_family_count, healthy_family_count;

/* Draws again (up to 40 times) what nobody could decide: a leak with under 10 units alive at once
 * or that begins in the last tenth. */
void world_make(struct world *w, const struct family *f, int seed);
void world_release(struct world *w);

/* ---- for the families ---- */

/* The length, log-uniform, and the traffic.  First of all. */
void world_open(struct world *w, double hours_lo, double hours_hi);
/* With probability p restarts at random, per_day of them. */
void world_deploys(struct world *w, double p, double per_day);
void world_restart(struct world *w, double minute);
/* units live from minute a until b (INFINITY: never end); a restart ends them. */
void world_live(struct world *w, double a, double b, double units);
/* units leak in a minute. */
void world_leak(struct world *w, double minute, double units);
/* Sessions: per_hour of them begin (times traffic where by_traffic) from minute `from` on; each
 * lives `life` minutes: exponential, or just that long when fixed. */
void world_sessions(
	struct world *w, double from, double per_hour, double life, bool by_traffic, bool fixed);
/* Leak per_hour on average from minute `from` on, in proportion to traffic or evenly. */
void world_leak_steadily(struct world *w, double from, double per_hour, bool by_traffic);
/* What else is in the series: nothing much, or a whole service with its own noise. */
void world_background(struct world *w);
/* The load of a minute is traffic times that; one draw in `one_in` has it. */
void world_load(struct world *w, double per_second, int one_in);
/* A rate by severity, log-uniform within lo..hi of it. */
double world_rate(struct world *w, double low, double mid, double high);
double world_hour(const struct world *w, int minute); /* of the day */
int world_weekday(const struct world *w, int minute); /* 0 Monday */
bool world_chance(struct world *w, double p);
double world_pick(struct world *w, const double *of, size_t n);
#define PICK(w, ...)                                                                               \
	world_pick(w, (const double[]){__VA_ARGS__},                                               \
		sizeof((const double[]){__VA_ARGS__}) / sizeof(double))

#endif
