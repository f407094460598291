/*
 * Weeks of services in seconds: seeded leaks and their healthy twins through detect.
 *
 *   sim_detect            the table: what was found, when, and at which rate
 *   sim_detect --check    the same held against limits, and against the reference's answers
 *                         (tests/sim/parity.txt); ends in "N passed, N failed"
 *   sim_detect --dump N   series N as the reference reads it: "T VALUE [LOAD]", "T restart"
 *   sim_detect --say N    what detect says of series N, judging as the reference does: "T STATE"
 *
 * parity.txt is written by parity.py from the reference; a line is a series' number and the minute
 * of its first alarm (suspect or leaking) and of its first leaking, "-" for never.
 */
#include "detect_internal.h"
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0     1700006400.0
#define PARITY "tests/sim/parity.txt"

enum shape {
	S_FLAT, /* Poisson about a level */
	S_LINE, /* a leak at a steady rate */
	S_BURSTS, /* a leak that comes in bouts */
	S_DAY, /* a leak under a daily cycle larger than it */
	S_FILL, /* sessions: rises until births equal deaths */
	S_BACKLOG, /* piles up for hours, drains */
	S_LOAD, /* follows a load that is known */
	S_LOAD_LEAK, /* the same with a leak on top */
	S_RESTARTS, /* a leak that restarts take back */
	S_SPIKES, /* level with spikes */
	SHAPES
};

static const char *const shape_names[SHAPES] = {"flat", "line", "bursts", "under a day", "fill",
	"backlog", "with load", "leak over load", "restarts", "spikes"};
static const bool leaks[SHAPES] = {[S_LINE] = true,
	[S_BURSTS] = true,
	[S_DAY] = true,
	[S_LOAD_LEAK] = true,
	[S_RESTARTS] = true};

/* One service, drawn from its number. */
struct service {
	struct sim r;
	enum shape shape;
	double hours, step, onset, base, rate, noise, size, life, restart_every;
	double leaked, burst_until, level, load, next_restart;
};

static void draw(struct service *s, int number)
{
	*s = (struct service){.r = {0x5eed0000u + (uint64_t)number}};
	s->shape = (enum shape)(number % SHAPES);
	s->hours = sim_scale(&s->r, 5, 240);
	s->step = sim_uniform(&s->r, 0, 1) < .5 ? 30 : 60;
	s->onset = s->hours * sim_uniform(&s->r, 0, .4);
	s->base = floor(sim_scale(&s->r, 1, 2000));
	s->rate = sim_scale(&s->r, .5, 200) * (1 + s->base / 300);
	s->noise = sim_uniform(&s->r, 0, .3) * s->base;
	s->size = s->base * sim_uniform(&s->r, .3, 2);
	s->life = sim_scale(&s->r, .5, 12);
	s->restart_every = sim_uniform(&s->r, 3, 30);
	s->next_restart = s->restart_every;
	s->level = s->shape == S_FILL ? 0 : s->base;
}

static double day_of(double hour)
{
	return 1 + sin(hour / 24 * 6.283185307179586);
}

static double leak_in(struct service *s, double hour, double dt)
{
	double mean = s->rate * dt;

	if (hour < s->onset)
		return 0;
	if (s->shape == S_BURSTS) {
		if (hour > s->burst_until + 4)
			s->burst_until = hour + sim_uniform(&s->r, .2, 2);
		mean = hour < s->burst_until ? 4 * mean : 0;
	}
	return sim_poisson(&s->r, mean);
}

/* The value at an hour; its load into s->load (NAN: none). */
static double value_at(struct service *s, double hour)
{
	double dt = s->step / 3600, v = s->base + sim_poisson(&s->r, s->noise);

	s->load = NAN;
	if (leaks[s->shape])
		s->leaked += leak_in(s, hour, dt);
	v += s->leaked;
	switch (s->shape) {
	case S_DAY:
		return v + sim_poisson(&s->r, s->size * day_of(hour));
	case S_FILL:
		s->level += sim_poisson(&s->r, s->size * dt / s->life) -
			    sim_poisson(&s->r, s->level * dt / s->life);
		s->level = fmax(0, s->level);
		return v + s->level;
	case S_BACKLOG:
		s->level += hour > s->onset && hour < s->onset + 3 ? s->rate * dt : 0;
		s->level = hour > s->onset + 3 ? fmax(0, s->level - .5 * s->rate * dt) : s->level;
		return v + floor(s->level);
	case S_LOAD:
	case S_LOAD_LEAK:
		s->load = s->size * day_of(hour) * (1 + hour / s->hours) + 10;
		v += sim_poisson(&s->r, s->load);
		s->load *= 1 + .01 * sim_normal(&s->r);
		return v;
	case S_SPIKES:
		return v + (sim_uniform(&s->r, 0, 1) < .02 ? s->size : 0);
	default:
		return v;
	}
}

/* Feeds a service to `sample` and `restart`. */
static void play(int number, void *arg, void (*sample)(void *, double, double, double),
	void (*restart)(void *, double))
{
	struct service s;

	draw(&s, number);
	for (double t = 7; t < s.hours * 3600; t += s.step) {
		double hour = t / 3600, v;

		if (s.shape == S_RESTARTS && hour > s.next_restart) {
			s.next_restart += s.restart_every;
			s.leaked = 0;
			restart(arg, T0 + t - 3);
		}
		if (sim_uniform(&s.r, 0, 1) < .01)
			continue; /* a scrape that failed */
		v = value_at(&s, hour);
		sample(arg, T0 + t, v, s.load);
	}
}

/* ---- detect ---------------------------------------------------------------------------------- */

struct heard {
	struct detect *d;
	bool say;
	double alarm, leaking; /* first suspect or leaking, first leaking; NAN */
	double rate, low, high; /* of the first leaking */
};

static void change_cb(void *arg, const struct verdict *v, enum verdict_state old)
{
	struct heard *h = arg;

	if (v->state == VERDICT_WATCHING || (v->state == VERDICT_OK && old == VERDICT_WATCHING))
		return;
	if (h->say)
		printf("%.0f %s %s\n", v->at, verdict_state_name(v->state), v->reason);
	if (isnan(h->alarm))
		h->alarm = v->at;
	if (v->state == VERDICT_LEAKING && isnan(h->leaking)) {
		h->leaking = v->at;
		h->rate = v->rate_per_hour;
		h->low = v->low;
		h->high = v->high;
	}
}

static void sample_cb(void *arg, double t, double v, double load)
{
	struct heard *h = arg;

	detect_sample(h->d, t, v, load);
}

static void restart_cb(void *arg, double t)
{
	struct heard *h = arg;

	detect_restart(h->d, t);
}

static void hear(int number, bool as_reference, struct heard *h)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;

	h->alarm = h->leaking = NAN;
	h->d = detect_new(DETECT_COUNT, &p, change_cb, h);
	h->d->as_reference = as_reference;
	play(number, h, sample_cb, restart_cb);
	detect_free(h->d);
}

/* ---- the table ------------------------------------------------------------------------------- */

struct row {
	int n, suspect, leaking, covered;
	double delay, error; /* sums */
};

#define EACH 30 /* services of a shape */

static void simulate(struct row rows[SHAPES])
{
	memset(rows, 0, SHAPES * sizeof(*rows));
	for (int i = 0; i < EACH * SHAPES; i++) {
		struct heard h = {0};
		struct service s;
		struct row *row = &rows[i % SHAPES];

		draw(&s, i);
		hear(i, false, &h);
		row->n++;
		row->suspect += !isnan(h.alarm);
		if (isnan(h.leaking))
			continue;
		row->leaking++;
		row->delay += (h.leaking - T0) / 3600 - s.onset;
		row->error += fabs(h.rate / s.rate - 1);
		row->covered += h.low <= s.rate && s.rate <= h.high;
	}
}

static void print_table(const struct row rows[SHAPES])
{
	printf("%-16s %4s %8s %8s %10s %10s %8s\n", "shape", "n", "suspect", "leaking", "delay h",
		"rate off", "covered");
	for (int i = 0; i < SHAPES; i++) {
		const struct row *r = &rows[i];

		printf("%-16s %4d %7.0f%% %7.0f%%", shape_names[i], r->n, 100.0 * r->suspect / r->n,
			100.0 * r->leaking / r->n);
		if (leaks[i] && i != S_BURSTS && r->leaking)
			printf(" %10.1f %9.0f%% %7.0f%%", r->delay / r->leaking,
				100 * r->error / r->leaking, 100.0 * r->covered / r->leaking);
		putchar('\n');
	}
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int passed, failed;

static void check(bool ok, const char *what, int number)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("failed: %s (series or shape %d)\n", what, number);
}

/* Limits that leave room for chance: a change that breaks the detector passes none of them. */
static void check_table(const struct row rows[SHAPES])
{
	static const struct {
		enum shape shape;
		int at_least, at_most; /* leaking, of EACH */
	} limits[] = {
		{S_FLAT, 0, 0},
		{S_SPIKES, 0, 0},
		{S_LOAD, 0, 0},
		{S_LINE, 16, EACH},
		{S_BURSTS, 14, EACH},
		{S_DAY, 6, EACH},
		{S_LOAD_LEAK, 5, EACH},
		{S_RESTARTS, 8, EACH},
		{S_FILL, 0, 20},
		{S_BACKLOG, 0, 12},
	};

	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		const struct row *r = &rows[limits[i].shape];

		check(r->leaking >= limits[i].at_least, "leaks found", limits[i].shape);
		check(r->leaking <= limits[i].at_most, "healthy services left alone",
			limits[i].shape);
	}
	check(rows[S_LINE].error / MAX(1, rows[S_LINE].leaking) < .2, "rate of a line", S_LINE);
	check(rows[S_LINE].covered * 10 >= rows[S_LINE].leaking * 9, "interval of a line", S_LINE);
}

static bool same_minute(const char *want, double at)
{
	if (strcmp(want, "-") == 0)
		return isnan(at);
	return !isnan(at) && fabs(atof(want) - (at - T0) / 60) < 1.5;
}

static void check_parity(void)
{
	FILE *f = fopen(PARITY, "r");
	char line[128], alarm[32], leaking[32];
	int number;

	if (!f) {
		check(false, "open " PARITY " (run from the top of the tree)", 0);
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		struct heard h = {0};

		if (line[0] == '#')
			continue;
		if (sscanf(line, "%d %31s %31s", &number, alarm, leaking) != 3) {
			check(false, "read a line of " PARITY, 0);
			continue;
		}
		hear(number, true, &h);
		check(same_minute(alarm, h.alarm) && same_minute(leaking, h.leaking),
			"as the reference says", number);
	}
	fclose(f);
}

static void dump_sample(void *arg, double t, double v, double load)
{
	(void)arg;
	if (isnan(load))
		printf("%.0f %.0f\n", t, v);
	else
		printf("%.0f %.0f %.17g\n", t, v, load);
}

static void dump_restart(void *arg, double t)
{
	(void)arg;
	printf("%.0f restart\n", t);
}

int main(int argc, char **argv)
{
	struct row rows[SHAPES];

	if (argc == 3 && strcmp(argv[1], "--dump") == 0) {
		play(atoi(argv[2]), NULL, dump_sample, dump_restart);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "--say") == 0) {
		hear(atoi(argv[2]), true, &(struct heard){.say = true});
		return 0;
	}
	simulate(rows);
	print_table(rows);
	if (argc == 2 && strcmp(argv[1], "--check") == 0) {
		check_table(rows);
		check_parity();
		printf("%d passed, %d failed\n", passed, failed);
	}
	return failed ? 1 : 0;
}
