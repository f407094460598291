/*
 * A watcher that starts beside a process which already leaks, and beside its healthy twin: one of
 * the same size and age.
 *
 *   sim_beside           the table: how many were told, and when
 *   sim_beside --check   the same held against limits; ends in "N passed, N failed"
 *
 * The process's start is known, one sample a minute, a working day is watched.  Healthy sessions
 * are born and end one by one.
 */
#include "detect.h"
#include "sim.h"

#include <stdio.h>
#include <string.h>

#define T0	1700006400.0
#define EACH	40
#define WATCHED 480 /* minutes */

enum twin { LEAK, FLAT, SESSIONS, CYCLE };

static const struct beside {
	const char *name;
	enum twin twin;
	double level, per_minute; /* goroutines at the first sample; leaked a minute */
	double up_h; /* of the process then */
	double life_h; /* of a session, or hours of a cycle */
	double within_min; /* leaks: told after that at the latest */
	double most; /* healthy: share that may be told */
} rows[] = {
	{"leak 50,000 at 30 a minute", LEAK, 50000, 30, 50000 / 30.0 / 60, 0, 60, 0},
	{"leak 100,000 at 2 a minute", LEAK, 100000, 2, 100000 / 2.0 / 60, 0, 60, 0},
	{"leak 4,729 at 32 a minute", LEAK, 4729, 32, 4729 / 32.0 / 60, 0, 180, 0},
	{"leak 600 at 1 a minute", LEAK, 600, 1, 10, 0, 180, 0},
	{"flat 50,000", FLAT, 50000, 0, 28, 0, 0, 0},
	{"flat 100,000", FLAT, 100000, 0, 833, 0, 0, 0},
	{"flat 4,729", FLAT, 4729, 0, 2.5, 0, 0, 0},
	{"sessions 50,000 of 1 h", SESSIONS, 50000, 0, 28, 1, 0, .05},
	{"sessions 100,000 of 6 h", SESSIONS, 100000, 0, 833, 6, 0, .05},
	{"sessions 4,729 of half an hour", SESSIONS, 4729, 0, 2.5, .5, 0, .05},
	{"sessions 5,000 of 6 h, up 12 h", SESSIONS, 5000, 0, 12, 6, 0, .05},
	{"daily cycle of 5,000, up 10 days", CYCLE, 5000, 0, 240, 24, 0, .05},
};

struct told {
	double suspect, leaking; /* minutes after the first sample; NAN */
};

static void change_cb(void *arg, const struct verdict *v, enum verdict_state old)
{
	struct told *t = arg;

	(void)old;
	if (v->state == VERDICT_LEAKING && isnan(t->leaking))
		t->leaking = (v->at - T0) / 60;
	if ((v->state == VERDICT_LEAKING || v->state == VERDICT_SUSPECT) && isnan(t->suspect))
		t->suspect = (v->at - T0) / 60;
}

/* The level a minute later. */
static double step(struct sim *r, const struct beside *b, double level, double phase, int minute)
{
	switch (b->twin) {
	case LEAK:
		return level + sim_poisson(r, b->per_minute);
	case SESSIONS:
		return level + sim_poisson(r, b->level / b->life_h / 60) -
		       sim_poisson(r, level / b->life_h / 60);
	case CYCLE:
		return b->level *
		       (1 + .3 * sin((phase + minute / 60.0) / b->life_h * 6.283185307179586));
	default:
		return level;
	}
}

static struct told watch(const struct beside *b, int seed)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct sim r = {0xbe51deu + (uint64_t)seed * 7919u};
	struct told t = {NAN, NAN};
	struct detect *d = detect_new(DETECT_COUNT, &p, change_cb, &t);
	double level = b->level, phase = sim_uniform(&r, 0, 24);

	detect_started(d, T0 - b->up_h * 3600);
	for (int i = 0; i < WATCHED; i++) {
		level = step(&r, b, level, phase, i);
		detect_sample(d, T0 + 60 * i, floor(level) + sim_poisson(&r, 8), NAN);
	}
	detect_free(d);
	return t;
}

int main(int argc, char **argv)
{
	bool checking = argc == 2 && strcmp(argv[1], "--check") == 0;
	int failed = 0;

	for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
		const struct beside *b = &rows[k];
		int suspect = 0, leaking = 0, in_time = 0;
		double last = 0;
		bool ok;

		for (int seed = 0; seed < EACH; seed++) {
			struct told t = watch(b, seed);

			suspect += !isnan(t.suspect);
			leaking += !isnan(t.leaking);
			in_time += t.leaking <= b->within_min;
			last = isnan(t.leaking) ? last : fmax(last, t.leaking);
		}
		ok = b->twin == LEAK ? in_time == EACH : leaking <= b->most * EACH;
		failed += !ok;
		printf("%s%-34s suspect %3.0f %%  leaking %3.0f %%", ok ? "" : "failed: ", b->name,
			100.0 * suspect / EACH, 100.0 * leaking / EACH);
		printf(leaking ? "  the last after %.0f min\n" : "\n", last);
	}
	if (checking)
		printf("%zu passed, %d failed\n", ARRAY_LEN(rows) - (size_t)failed, failed);
	return failed ? 1 : 0;
}
