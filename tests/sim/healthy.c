/* Families of series that do not leak, and are hard to tell from leaks. */
#include "world.h"

#define ARRAY_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A goroutine (or buffer) per key until the cache is full; keys come again. */
static void cache_fills(struct world *w)
{
	double keys, full, seen = 0, per_minute;

	world_open(w, 24, 504);
	world_deploys(w, .2, .1);
	w->bytes = world_chance(w, .4);
	keys = sim_scale(&w->r, 50, 20000);
	full = keys * sim_uniform(&w->r, .6, 1.2);
	per_minute = keys / (w->n * sim_uniform(&w->r, .03, .2));
	for (int i = 0, next = 0; i < w->n; i++) {
		double fresh;

		if (next < w->restarts && i >= w->restart[next]) {
			next++;
			seen = 0;
		}
		fresh = sim_poisson(&w->r, per_minute * w->traffic[i] * fmax(0, 1 - seen / keys));
		fresh = fmin(fresh, fmax(0, full - seen));
		seen += fresh;
		world_live(w, i, INFINITY, fresh * (w->bytes ? 65536 : 1));
	}
	if (!w->bytes)
		world_background(w);
}

/* A pool that grows to whatever was ever needed at once, and keeps it. */
static void pool_keeps_maximum(struct world *w)
{
	double mean, have = 0, slow_until = 0, slow = 1;

	world_open(w, 12, 336);
	mean = sim_scale(&w->r, 2, 200);
	for (int i = 0; i < w->n; i++) {
		double need;

		if (i > slow_until && world_chance(w, 1.0 / WORLD_DAY)) {
			slow_until = i + sim_scale(&w->r, 2, 60);
			slow = sim_uniform(&w->r, 1.1, 3);
		}
		need = sim_poisson(&w->r, mean * w->traffic[i] * (i < slow_until ? slow : 1));
		if (need > have) {
			world_live(w, i, INFINITY, need - have);
			have = need;
		}
	}
}

/* A batch that takes longer from night to night towards the end of the month. */
static void batch_gets_longer(struct world *w)
{
	double at, long_, size;

	world_open(w, 72, 504);
	at = sim_uniform(&w->r, 0, 24) * 60;
	long_ = sim_scale(&w->r, 30, 240);
	size = sim_scale(&w->r, 20, 1000);
	for (double a = at - fmod(w->phase, WORLD_DAY); a < w->n; a += WORLD_DAY) {
		double takes = fmin(1200, long_ * (1 + fmax(0, a) / w->n * 3));

		for (int k = 0; k < size; k++)
			world_live(w, a + k / size * 10, a + takes * sim_uniform(&w->r, .7, 1), 1);
	}
	world_background(w);
}

static void grow_traffic(struct world *w, double times)
{
	for (int i = 0; i < w->n; i++)
		w->traffic[i] *= 1 + (times - 1) * i / w->n;
}

/* Traffic grows, and with it what is in flight; the load is known. */
static void adoption_with_load(struct world *w)
{
	double life, size;

	world_open(w, 72, 504);
	grow_traffic(w, sim_uniform(&w->r, 1.2, 2.5));
	life = sim_scale(&w->r, 1, 120);
	size = sim_scale(&w->r, 30, 2000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	world_load(w, size / life, 1);
}

/* The same by a few per cent a week, and nobody tells the load. */
static void slow_adoption(struct world *w)
{
	double life, size;

	world_open(w, 96, 504);
	grow_traffic(w, 1 + sim_uniform(&w->r, .01, .08) * w->n / (7.0 * WORLD_DAY));
	life = sim_scale(&w->r, 1, 60);
	size = sim_scale(&w->r, 30, 2000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
}

/* Days and weeks, sessions of minutes to hours, nothing else. */
static void days_and_weeks(struct world *w)
{
	double life, size;

	world_open(w, 36, 504);
	world_deploys(w, .2, .1);
	life = sim_scale(&w->r, 1, 360);
	size = sim_scale(&w->r, 30, 5000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	world_load(w, size / life, 3);
}

/* Blue and green: the old one drains for hours, its clients come here one by one. */
static void blue_green(struct world *w)
{
	double at, takes, size, life;

	world_open(w, 36, 240);
	at = sim_uniform(&w->r, .05, .4) * w->n;
	takes = sim_scale(&w->r, 20, 720);
	size = sim_scale(&w->r, 50, 5000);
	life = sim_scale(&w->r, 300, 3000);
	world_restart(w, at);
	world_sessions(w, -4 * life, size / life * 60, life, false, false);
	for (int k = 0; k < size; k++) {
		double a = at + 1 + takes * sim_uniform(&w->r, 0, 1);

		world_live(w, a, a + sim_exp(&w->r, life), 1);
	}
}

/* Clients move to long polling, faster and then slower, until all have. */
static void long_poll_adoption(struct world *w)
{
	double size, mid, wide;

	world_open(w, 96, 504);
	size = sim_scale(&w->r, 50, 5000);
	mid = sim_uniform(&w->r, .2, .5) * w->n;
	wide = w->n * sim_uniform(&w->r, .02, .06);
	for (int k = 0; k < size; k++) {
		double u = sim_uniform(&w->r, 0, 1), a = mid + wide * log(u / (1 - u));

		world_live(w, a, INFINITY, 1);
	}
	world_background(w);
}

/* Workers follow the load in steps: up at once, down after a time of rest. */
static void autoscaled_workers(struct world *w)
{
	double each, have = 1, rest, quiet = 0, step;

	world_open(w, 24, 504);
	each = sim_scale(&w->r, 2, 40);
	rest = sim_scale(&w->r, 10, 360);
	step = PICK(w, 1, 2, 5, 10);
	for (int i = 0; i < w->n; i++) {
		double want = step * ceil(w->traffic[i] * each / step);

		if (want >= have) {
			have = want;
			quiet = 0;
		} else if (++quiet >= rest) {
			have = fmax(want, have - step);
			quiet = rest / 2;
		}
		world_live(w, i, i + 1, have * PICK(w, 1));
	}
	world_load(w, each, 3);
}

/* What finalizers close waits for collections that come every some hours. */
static void collections_rare(struct world *w)
{
	double every, next, n = 0, rate;

	world_open(w, 12, 336);
	every = sim_scale(&w->r, 30, fmin(720, w->n / 5.0));
	next = every;
	rate = sim_scale(&w->r, 20, 2000) / every;
	for (int i = 0; i < w->n; i++) {
		if (i >= next) {
			next = i + every / w->traffic[i] * sim_uniform(&w->r, .8, 1.2);
			n = 0;
		}
		n += sim_poisson(&w->r, rate * w->traffic[i]);
		world_live(w, i, i + 1, n);
	}
	world_background(w);
}

/* Entries live a fixed time of hours: level after that and never before. */
static void entries_with_ttl(struct world *w)
{
	double life;

	life = PICK(w, 1, 2, 4, 6, 12, 24, 48) * 60;
	world_open(w, life / 60 * 3, fmin(504, life / 60 * 12));
	world_sessions(w, 0, sim_scale(&w->r, 50, 5000) / life * 60, life, true, true);
	world_background(w);
}

/* Another instance restarts and its clients come here; they go as their sessions end. */
static void clients_move_here(struct world *w)
{
	double life, size;

	world_open(w, 48, 504);
	life = sim_scale(&w->r, 30, 1440);
	size = sim_scale(&w->r, 50, 3000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	for (double at = 0; (at += sim_exp(&w->r, 1.5 * WORLD_DAY)) < w->n;)
		for (int k = 0; k < size / 3; k++) {
			double a = at + sim_exp(&w->r, 5);

			world_live(w, a, a + sim_exp(&w->r, life), 1);
		}
}

/* Files per tenant, opened as they are needed, closed at each rotation. */
static void files_until_rotation(struct world *w)
{
	double every, files, open = 0, per_minute;

	world_open(w, 48, 336);
	every = PICK(w, 60, 360, 720, 1440, 1440);
	files = sim_scale(&w->r, 20, 2000);
	per_minute = files / every * sim_scale(&w->r, .5, 8);
	for (int i = 0; i < w->n; i++) {
		if (fmod(w->phase + i, every) < 1)
			open = 0;
		open += sim_poisson(&w->r, per_minute * w->traffic[i] * fmax(0, 1 - open / files));
		world_live(w, i, i + 1, open + 10);
	}
}

/* Office users keep a session from morning till they leave, some overnight. */
static void office_sessions(struct world *w)
{
	double users;

	world_open(w, 48, 504);
	users = sim_scale(&w->r, 20, 3000);
	for (int day = -1; day * WORLD_DAY < w->n + WORLD_DAY; day++) {
		double midnight = day * WORLD_DAY - fmod(w->phase, WORLD_DAY);
		int minute = (int)(midnight + 720 + 7 * WORLD_DAY);

		if (world_weekday(w, minute) >= 5)
			continue;
		for (int k = 0; k < users; k++) {
			double a = midnight + 60 * (9 + 1.2 * sim_normal(&w->r));
			double stays = world_chance(w, .1) ? 1200 : 60 * (8 + sim_normal(&w->r));

			world_live(w, a, a + fmax(30, stays), 1);
		}
	}
	world_background(w);
}

/* Wanders about its mean with a memory of hours to days. */
static void wanders(struct world *w)
{
	double keep, x, size, sd;

	world_open(w, 24, 504);
	keep = exp(-1 / sim_scale(&w->r, 60, 2880));
	size = sim_scale(&w->r, 20, 3000);
	sd = sim_uniform(&w->r, .05, .35);
	x = sd * sim_normal(&w->r);
	for (int i = 0; i < w->n; i++) {
		x = keep * x + sqrt(1 - keep * keep) * sd * sim_normal(&w->r);
		world_live(w, i, i + 1, sim_poisson(&w->r, size * exp(x)));
	}
}

/* An incident piles up work for an hour or two, and a day works it off. */
static void backlog_of_a_day(struct world *w)
{
	double from, to, rate, spare, n = 0;

	world_open(w, 48, 240);
	from = sim_uniform(&w->r, .05, .4) * w->n;
	to = from + sim_scale(&w->r, 20, 240);
	rate = sim_scale(&w->r, 1, 60);
	spare = sim_uniform(&w->r, 1.1, 2);
	for (int i = 0; i < w->n; i++) {
		n += sim_poisson(&w->r, rate * w->traffic[i]);
		n -= i >= from && i < to ? 0 : sim_poisson(&w->r, rate * spare);
		n = fmax(0, n);
		world_live(w, i, i + 1, n);
	}
	world_background(w);
}

/* A campaign: traffic is up for one to three days and comes back. */
static void campaign(struct world *w)
{
	double from, to, up, life, size;

	world_open(w, 96, 504);
	from = sim_uniform(&w->r, .1, .6) * w->n;
	to = from + sim_uniform(&w->r, 1, 3) * WORLD_DAY;
	up = sim_uniform(&w->r, 1.3, 4);
	for (int i = 0; i < w->n; i++)
		w->traffic[i] *= i < from || i > to ? 1 : 1 + (up - 1) * fmin(1, (i - from) / 300);
	life = sim_scale(&w->r, 1, 600);
	size = sim_scale(&w->r, 30, 3000);
	world_sessions(w, -4 * life, size / life * 60, life, true, false);
	world_load(w, size / life, 3);
}

/* Restarted every night; sessions of hours fill each day's process. */
static void restarted_nightly(struct world *w)
{
	double hour, life, size;

	world_open(w, 72, 336);
	hour = sim_uniform(&w->r, 0, 6) * 60;
	for (double at = fmod(hour - fmod(w->phase, WORLD_DAY) + WORLD_DAY, WORLD_DAY); at < w->n;
		at += WORLD_DAY)
		world_restart(w, at);
	life = sim_scale(&w->r, 60, 1440);
	size = sim_scale(&w->r, 50, 3000);
	world_sessions(w, 0, size / life * 60, life, true, false);
	world_load(w, size / life, 3);
}

/* A fresh process opens connections as they are needed, up to its limit. */
static void fresh_pool(struct world *w)
{
	double limit, takes, n = 0;

	world_open(w, 12, 336);
	world_deploys(w, .3, .2);
	limit = sim_scale(&w->r, 10, 1000);
	takes = sim_scale(&w->r, 5, fmin(600, w->n / 4.0));
	for (int i = 0, next = 0; i < w->n; i++) {
		double fresh;

		if (next < w->restarts && i >= w->restart[next]) {
			next++;
			n = 0;
		}
		fresh = fmin(limit - n, sim_poisson(&w->r, limit / takes * w->traffic[i]));
		n += fresh;
		world_live(w, i, INFINITY, fresh);
	}
	world_background(w);
}

const struct family healthy_families[] = {
	{"cache_fills", false, cache_fills},
	{"pool_keeps_maximum", false, pool_keeps_maximum},
	{"batch_gets_longer", false, batch_gets_longer},
	{"adoption_with_load", false, adoption_with_load},
	{"slow_adoption", false, slow_adoption},
	{"days_and_weeks", false, days_and_weeks},
	{"blue_green", false, blue_green},
	{"long_poll_adoption", false, long_poll_adoption},
	{"autoscaled_workers", false, autoscaled_workers},
	{"collections_rare", false, collections_rare},
	{"entries_with_ttl", false, entries_with_ttl},
	{"clients_move_here", false, clients_move_here},
	{"files_until_rotation", false, files_until_rotation},
	{"office_sessions", false, office_sessions},
	{"wanders", false, wanders},
	{"backlog_of_a_day", false, backlog_of_a_day},
	{"campaign", false, campaign},
	{"restarted_nightly", false, restarted_nightly},
	{"fresh_pool", false, fresh_pool},
};
const size_t healthy_family_count = ARRAY_OF(healthy_families);
