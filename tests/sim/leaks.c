/* Families of series that leak, each a mechanism of a Go service. */
#include "world.h"

#define ARRAY_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A context that is never cancelled, one request in a thousand. */
static void context_per_request(struct world *w)
{
	world_open(w, 8, 336);
	world_deploys(w, .2, .15);
	world_leak_steadily(w, 0, world_rate(w, 1, 8, 60), true);
	world_background(w);
	world_load(w, sim_scale(&w->r, 1, 100), 2);
}

/* A batch at night starts a worker a shard and forgets them. */
static void night_batch(struct world *w)
{
	double at, long_, each;

	world_open(w, 72, 504);
	at = sim_uniform(&w->r, 0, 5) * 60;
	long_ = sim_scale(&w->r, 10, 240);
	each = world_rate(w, 4, 20, 120);
	for (int i = 0; i < w->n; i++) {
		double in = fmod(w->phase + i - at + 7 * WORLD_DAY, WORLD_DAY);

		if (in < long_)
			world_leak(w, i, sim_poisson(&w->r, each / long_));
	}
	world_background(w);
}

/* Each reload of the configuration starts a watch and stops none. */
static void watch_per_reload(struct world *w)
{
	double every, each;

	world_open(w, 24, 504);
	world_deploys(w, .2, .1);
	every = PICK(w, 5, 15, 60, 60, 240, 720);
	each = fmax(1, floor(world_rate(w, 1, 2, 6)));
	for (double at = sim_uniform(&w->r, 0, every); at < w->n;
		at += every * sim_uniform(&w->r, .9, 1.1))
		world_leak(w, at, each);
	world_background(w);
}

/* A consumer a partition is started at each rebalance, the old ones wait for ever. */
static void consumer_per_rebalance(struct world *w)
{
	double a_day, partitions;

	world_open(w, 48, 504);
	a_day = sim_scale(&w->r, 1, 20);
	partitions = floor(world_rate(w, 2, 6, 30)) + 1;
	for (double at = 0; (at += sim_exp(&w->r, WORLD_DAY / a_day)) < w->n;) {
		int rolling = world_chance(w, .25) ? 4 : 1; /* a deploy of the group */

		for (int k = 0; k < rolling; k++)
			world_leak(w, at + 2 * k, partitions);
	}
	world_live(w, 0, INFINITY, partitions * 2);
	world_background(w);
}

/* A slow leak beneath sessions that swing by more than it in a day. */
static void slow_beneath_days(struct world *w)
{
	double life, size;

	world_open(w, 96, 504);
	world_deploys(w, .15, .1);
	life = sim_scale(&w->r, 5, 180);
	size = sim_scale(&w->r, 100, 3000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	world_leak_steadily(w, sim_uniform(&w->r, 0, .4) * w->n,
		size / 100 * world_rate(w, .05, .3, 1.5), world_chance(w, .5));
	world_load(w, size / life / 60, 2);
}

/* A version with a leak, and a restart each day or each working day. */
static void leak_between_deploys(struct world *w)
{
	double from, rate, hour;

	world_open(w, 96, 504);
	hour = sim_uniform(&w->r, 0, 24) * 60;
	for (double at = fmod(hour - fmod(w->phase, WORLD_DAY) + WORLD_DAY, WORLD_DAY); at < w->n;
		at += WORLD_DAY)
		if (world_chance(w, .85))
			world_restart(w, at + sim_uniform(&w->r, -60, 60));
	from = sim_uniform(&w->r, 0, .4) * w->n;
	rate = world_rate(w, 2, 12, 80);
	world_leak_steadily(w, from, rate, world_chance(w, .5));
	world_background(w);
}

/* The link to a broker flaps; each reconnect re-arms a timer that nobody stops. */
static void timer_per_reconnect(struct world *w)
{
	double an_hour, storm_until = 0, each = PICK(w, 1, 1, 2, 4);

	world_open(w, 12, 336);
	an_hour = world_rate(w, .5, 4, 30) / each;
	for (int i = 0; i < w->n; i++) {
		if (i > storm_until && world_chance(w, 1.5 / WORLD_DAY))
			storm_until = i + sim_scale(&w->r, 5, 120);
		world_leak(w, i,
			each * sim_poisson(&w->r, an_hour / 60 * (i < storm_until ? 20 : .7)));
	}
	world_background(w);
}

/* A share of the clients of a hub is never unregistered. */
static void hub_unregister(struct world *w)
{
	double life, size;

	world_open(w, 12, 336);
	life = sim_scale(&w->r, 10, 600);
	size = sim_scale(&w->r, 50, 2000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	world_leak_steadily(w, 0, size / 100 * world_rate(w, .2, 1, 6), true);
	world_load(w, size / life, 3);
}

/* A ticker per login in office hours; nothing at night, nothing at the weekend. */
static void ticker_per_login(struct world *w)
{
	double rate;

	world_open(w, 72, 504);
	rate = world_rate(w, 1, 8, 60);
	for (int i = 0; i < w->n; i++)
		if (world_weekday(w, i) < 5 && world_hour(w, i) > 8 && world_hour(w, i) < 18)
			world_leak(w, i, sim_poisson(&w->r, rate / 60));
	world_background(w);
}

/* A map that is never pruned, in the heap of a service with its collections. */
static void map_never_pruned(struct world *w)
{
	double live = sim_scale(&w->r, 30e6, 2e9), rate, until = 0, top = 0;

	world_open(w, 12, 336);
	w->bytes = true;
	rate = live * world_rate(w, .002, .01, .05);
	for (int i = 0; i < w->n; i++) { /* in use: between live and twice that */
		if (i >= until) {
			top = live * sim_uniform(&w->r, .2, .9);
			until = i + sim_exp(&w->r, 3);
		}
		world_live(w, i, i + 1, top);
	}
	world_live(w, 0, INFINITY, live);
	world_leak_steadily(w, sim_uniform(&w->r, 0, .3) * w->n, rate, world_chance(w, .5));
	world_load(w, sim_scale(&w->r, 1, 50), 3);
}

/* Each leaked one makes more work, and that leaks more. */
static void feeds_itself(struct world *w)
{
	double rate, doubles;

	world_open(w, 12, 240);
	rate = world_rate(w, .3, 1.5, 6);
	doubles = w->n * sim_uniform(&w->r, .25, .8);
	for (int i = 0; i < w->n; i++)
		world_leak(
			w, i, sim_poisson(&w->r, rate / 60 * fmin(64, exp(i / doubles * .6931))));
	world_background(w);
}

/* A fresh process that leaks from its first request, fast, seen for some hours. */
static void fast_from_start(struct world *w)
{
	world_open(w, 2, 12);
	world_leak_steadily(
		w, sim_uniform(&w->r, 0, 20), 60 * world_rate(w, 1, 6, 40), world_chance(w, .5));
	world_background(w);
}

/* Sessions fill the process for hours, and then the leak goes on. */
static void beyond_the_fill(struct world *w)
{
	double life = sim_scale(&w->r, 60, 600), size = sim_scale(&w->r, 50, 3000);

	world_open(w, life / 60 * 8, life / 60 * 30);
	world_sessions(w, 0, size / life * 60, life, true, false);
	world_leak_steadily(w, 0, size / life * world_rate(w, 1, 4, 15), true);
	world_load(w, size / life, 3);
}

/* A lock is not given back on one path: requests of one tenant pile up behind it. */
static void lock_not_given_back(struct world *w)
{
	double from;

	world_open(w, 3, 72);
	from = sim_uniform(&w->r, .1, .7) * w->n;
	world_leak_steadily(w, from, world_rate(w, 20, 200, 2000), true);
	world_background(w);
}

/* Canaries and load tests: for some hours of some days only, and what it leaks then stays. */
static void leak_under_test(struct world *w)
{
	double rate;

	world_open(w, 96, 504);
	rate = world_rate(w, 3, 20, 150);
	for (int day = 0; day * WORLD_DAY < w->n; day++) {
		int from = day * WORLD_DAY + (int)sim_uniform(&w->r, 0, 1200);
		int to = from + (int)sim_uniform(&w->r, 60, 360);

		for (int i = from; world_chance(w, .7) && i < to; i++)
			world_leak(w, i, sim_poisson(&w->r, rate / 60));
	}
	world_background(w);
}

const struct family leak_families[] = {
	{"context_per_request", true, context_per_request},
	{"night_batch", true, night_batch},
	{"watch_per_reload", true, watch_per_reload},
	{"consumer_per_rebalance", true, consumer_per_rebalance},
	{"slow_beneath_days", true, slow_beneath_days},
	{"leak_between_deploys", true, leak_between_deploys},
	{"timer_per_reconnect", true, timer_per_reconnect},
	{"hub_unregister", true, hub_unregister},
	{"ticker_per_login", true, ticker_per_login},
	{"map_never_pruned", true, map_never_pruned},
	{"feeds_itself", true, feeds_itself},
	{"fast_from_start", true, fast_from_start},
	{"beyond_the_fill", true, beyond_the_fill},
	{"lock_not_given_back", true, lock_not_given_back},
	{"leak_under_test", true, leak_under_test},
};
const size_t leak_family_count = ARRAY_OF(leak_families);
