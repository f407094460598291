/*
 * What looking at goroutines adds to counting them: births and deaths through detect and survival.
 *
 *   sim_evidence            the table, over families of its own
 *   sim_evidence --check    the same held against limits; ends in "N passed, N failed"
 *   sim_evidence --judge    judges series from standard input (tests/sim/survival.py writes them):
 *                           for each a line of first times, s: suspect and leaking by counts alone,
 *                           leaking by evidence alone, leaking by both (counts yield to it), "-"
 *                           for never; then the dumps taken
 *   sim_evidence --judge evenly|still  the same, where waits alone tell as well: spread evenly over
 *                           six hours, or 98 % of them still there in the next dump of more
 *
 * A dump is perfect here: all ids, one class, no budget.  What the budget costs is not simulated.
 */
#include "ages.h"
#include "detect.h"
#include "sim.h"
#include "survival.h"
#include "trend.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0   1700006400.0
#define HOUR 3600.0

struct life {
	double birth, death;
};

/* One class of one service.  Times are seconds from T0. */
struct world {
	double *t, *v, *load; /* samples; load may be NULL */
	size_t n;
	struct life *lives; /* by birth */
	size_t nlives;
	double *restarts;
	size_t nrestarts;
};

struct told {
	double suspect, counts, evidence, both; /* first times; NAN */
	bool quick; /* by the quick rule */
	size_t dumps;
};

/* ---- judging --------------------------------------------------------------------------------- */

/* Which waits make a suspect leaking; the daemon lets none do so. */
static enum { WAITS_SAY_NOTHING, WAITS_EVENLY, WAITS_STILL } by_waits;

struct crowd { /* who lives at the time of a dump */
	struct life *v;
	size_t n, next;
};

static void take_dump(struct survival *s, const struct world *w, struct crowd *c, double t)
{
	size_t kept = 0;

	for (; c->next < w->nlives && w->lives[c->next].birth <= t; c->next++)
		c->v[c->n++] = w->lives[c->next];
	survival_begin(s, T0 + t);
	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].death <= t)
			continue;
		survival_see(s, (uint64_t)((c->v[i].birth + 1e7) * 100), 1);
		c->v[kept++] = c->v[i];
	}
	c->n = kept;
	survival_end(s, (uint64_t)((t + 1e7) * 100));
}

static struct detect *new_detect(const struct world *w)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct detect *d = detect_new(DETECT_COUNT, &p, NULL, NULL);

	detect_started(d, T0 + w->t[0] - .001);
	return d;
}

static void judge_counts(const struct world *w, struct told *out)
{
	struct detect *d = new_detect(w);
	size_t r = 0;

	out->suspect = out->counts = NAN;
	for (size_t i = 0; i < w->n; i++) {
		for (; r < w->nrestarts && w->restarts[r] <= w->t[i]; r++)
			detect_restart(d, T0 + w->restarts[r]);
		detect_sample(d, T0 + w->t[i], w->v[i], w->load ? w->load[i] : NAN);
		if (isnan(out->suspect) && detect_verdict(d)->state >= VERDICT_SUSPECT)
			out->suspect = w->t[i];
		if (isnan(out->counts) && detect_verdict(d)->state == VERDICT_LEAKING)
			out->counts = w->t[i];
	}
	detect_free(d);
}

struct looker {
	const struct world *w;
	struct detect *d;
	struct survival *s;
	struct crowd crowd;
	double run, suspected;
	double at, waited, total; /* of the last dump: how many had waited ten minutes, of all */
};

static void forget(struct looker *k)
{
	survival_free(k->s);
	k->s = NULL;
	detect_set_counts(k->d, DETECT_COUNTS_DECIDE);
}

/* By the waits of the dump that was just taken, and of the one before. */
static bool waits_tell(struct looker *k, double t)
{
	struct ages a = AGES_INIT;
	struct ages_estimate e;
	double gap_min = (t - k->at) / 60, stay;
	bool tell;

	for (size_t i = 0; i < k->crowd.n; i++)
		ages_add(&a, (uint32_t)((t - k->crowd.v[i].birth) / 60), 1);
	ages_judge(&a, (t - k->run) / 60, &e);
	stay = ages_still((uint64_t)k->waited, &a, gap_min);
	tell = (by_waits == WAITS_EVENLY && e.verdict == AGES_LEAKING) ||
	       (by_waits == WAITS_STILL && gap_min > 25 && stay >= AGES_STAY_LEAKS &&
		       (double)a.total > k->total + 5);
	k->at = t;
	k->waited = (double)ages_at_least(&a, AGES_YOUNG_MIN);
	k->total = (double)a.total;
	ages_release(&a);
	return tell && detect_verdict(k->d)->state == VERDICT_SUSPECT;
}

/* A dump where one is wanted; true when it says that they stay. */
static bool look(struct looker *k, double t, struct told *out)
{
	bool fast = detect_rises_fast(k->d);
	struct survival_result r;
	bool told_by_waits;
	char why[SURVIVAL_WORDS_MAX];

	if (fast || detect_verdict(k->d)->state == VERDICT_SUSPECT ||
		(isnan(out->evidence) && detect_verdict(k->d)->state == VERDICT_LEAKING))
		k->suspected = t;
	else if (t - k->suspected > SURVIVAL_LINGER_S)
		forget(k);
	if (k->suspected < t)
		return false;
	if (!k->s)
		k->s = survival_new(120, T0 + k->run);
	if (survival_next(k->s, fast) > T0 + t)
		return false;
	take_dump(k->s, k->w, &k->crowd, t);
	out->dumps++;
	survival_judge(k->s, fast, &r);
	told_by_waits = by_waits && waits_tell(k, t);
	if (r.answer != SURVIVAL_STAYS && !told_by_waits) {
		detect_set_counts(k->d, DETECT_COUNTS_YIELD);
		return false;
	}
	survival_words(&r, why);
	detect_confirm(k->d, T0 + t, why);
	out->quick |= r.quick && isnan(out->evidence);
	return true;
}

static void judge_both(const struct world *w, struct told *out)
{
	struct looker k = {.w = w, .d = new_detect(w), .run = w->t[0], .suspected = -INFINITY};
	size_t r = 0;

	k.crowd.v = malloc((w->nlives + 1) * sizeof(*k.crowd.v));
	out->evidence = out->both = NAN;
	for (size_t i = 0; i < w->n; i++) {
		for (; r < w->nrestarts && w->restarts[r] <= w->t[i]; r++) {
			detect_restart(k.d, T0 + w->restarts[r]);
			k.run = w->restarts[r];
			forget(&k);
		}
		detect_sample(k.d, T0 + w->t[i], w->v[i], w->load ? w->load[i] : NAN);
		if (look(&k, w->t[i], out) && isnan(out->evidence))
			out->evidence = w->t[i];
		if (isnan(out->both) && detect_verdict(k.d)->state == VERDICT_LEAKING)
			out->both = w->t[i];
	}
	forget(&k);
	free(k.crowd.v);
	detect_free(k.d);
}

static void judge(const struct world *w, struct told *out)
{
	*out = (struct told){0};
	judge_counts(w, out);
	judge_both(w, out);
}

static int by_birth(const void *a, const void *b)
{
	double x = ((const struct life *)a)->birth, y = ((const struct life *)b)->birth;

	return x < y ? -1 : x > y;
}

static void free_world(struct world *w)
{
	free(w->t);
	free(w->v);
	free(w->load);
	free(w->lives);
	free(w->restarts);
}

/* ---- series from outside --------------------------------------------------------------------- */

static bool read_doubles(double **out, size_t n)
{
	*out = malloc((n + 1) * sizeof(**out));
	return fread(*out, sizeof(**out), n, stdin) == n;
}

/* Numbers as doubles: how many samples, lives, restarts, loads (0 or samples); t, v, load, births,
 * deaths, restarts. */
static bool read_world(struct world *w)
{
	double n[4], *births = NULL, *deaths = NULL;
	bool ok;

	memset(w, 0, sizeof(*w));
	if (fread(n, sizeof(*n), 4, stdin) != 4)
		return false;
	w->n = (size_t)n[0];
	w->nlives = (size_t)n[1];
	w->nrestarts = (size_t)n[2];
	ok = read_doubles(&w->t, w->n) && read_doubles(&w->v, w->n) &&
	     (n[3] <= 0 || read_doubles(&w->load, w->n)) && read_doubles(&births, w->nlives) &&
	     read_doubles(&deaths, w->nlives) && read_doubles(&w->restarts, w->nrestarts);
	w->lives = malloc((w->nlives + 1) * sizeof(*w->lives));
	for (size_t i = 0; ok && i < w->nlives; i++)
		w->lives[i] = (struct life){births[i], deaths[i]};
	free(births);
	free(deaths);
	if (ok)
		qsort(w->lives, w->nlives, sizeof(*w->lives), by_birth);
	return ok;
}

static void print_time(double t)
{
	if (isnan(t))
		printf("- ");
	else
		printf("%.0f ", t);
}

static int judge_input(void)
{
	struct world w;

	while (read_world(&w)) {
		struct told told;

		judge(&w, &told);
		print_time(told.suspect);
		print_time(told.counts);
		print_time(told.evidence);
		print_time(told.both);
		printf("%zu %d\n", told.dumps, told.quick);
		fflush(stdout);
		free_world(&w);
	}
	return 0;
}

/* ---- families of our own --------------------------------------------------------------------- */

enum family {
	F_FAST, /* 30 a minute from a fresh start */
	F_SLOW, /* some an hour, from the middle on */
	F_AMONG, /* the same among sessions that come and go */
	F_BOUTS, /* stuck calls of outages */
	F_SESSIONS, /* a fresh process fills with sessions of hours */
	F_DAY, /* sessions under a daily cycle */
	F_BACKLOG, /* a queue that grows for hours and drains */
	F_BURSTS, /* hundreds within minutes that live for a quarter of an hour */
	F_POOL, /* workers that are started and kept */
	F_TIMERS, /* each lives for exactly so long */
	F_MIGRATION, /* all stay until it is over */
	FAMILIES
};

static const struct {
	const char *name;
	bool leak, same; /* same: no evidence short of their end tells them from a leak */
} families[FAMILIES] = {
	[F_FAST] = {"30 a minute, fresh", true, false},
	[F_SLOW] = {"slow leak", true, false},
	[F_AMONG] = {"leak among sessions", true, false},
	[F_BOUTS] = {"leak in bouts", true, false},
	[F_SESSIONS] = {"sessions fill", false, false},
	[F_DAY] = {"day and night", false, false},
	[F_BACKLOG] = {"backlog drains", false, true},
	[F_BURSTS] = {"bursts of minutes", false, false},
	[F_POOL] = {"pool fills and stays", false, true},
	[F_TIMERS] = {"timers of fixed life", false, true},
	[F_MIGRATION] = {"migration", false, true},
};

#define LIVES_MAX 60000

static void born(struct world *w, double birth, double life)
{
	if (w->nlives < LIVES_MAX)
		w->lives[w->nlives++] = (struct life){birth, birth + life};
}

/* Poisson births at a rate that may move; life < 0: exponential of that mean. */
static void stream(struct sim *r, struct world *w, double from, double to, double per_hour,
	double life, double swing)
{
	double peak = per_hour * (1 + swing) / HOUR;

	for (double t = from; t < to;) {
		t += -log(1 - sim_uniform(r, 0, 1)) / peak;
		if (t < to && sim_uniform(r, 0, 1) * (1 + swing) <
				      1 + swing * sin(t / 86400 * 6.283185307179586))
			born(w, t, life < 0 ? life * log(1 - sim_uniform(r, 0, 1)) : life);
	}
}

static void draw(int family, struct sim *r, struct world *w, double *hours, double *onset)
{
	double T, size = sim_scale(r, 30, 1000), life = sim_scale(r, 1, 20) * HOUR;

	*hours = family == F_FAST ? 6 : sim_scale(r, 24, 120);
	T = *hours * HOUR;
	*onset = family == F_FAST ? 0 : T * sim_uniform(r, .1, .4);
	switch (family) {
	case F_FAST:
		stream(r, w, 0, T, 1800, INFINITY, 0);
		break;
	case F_SLOW:
		stream(r, w, *onset, T, sim_scale(r, 2, 60), INFINITY, 0);
		break;
	case F_AMONG:
		stream(r, w, -10 * HOUR, T, size / 1.5, -HOUR, .5);
		stream(r, w, *onset, T, sim_scale(r, 5, 100), INFINITY, 0);
		break;
	case F_BOUTS:
		for (double t = *onset; t < T; t += sim_scale(r, 3, 20) * HOUR)
			stream(r, w, t, t + sim_scale(r, .2, 2) * HOUR, sim_scale(r, 20, 200),
				INFINITY, 0);
		break;
	case F_SESSIONS:
		stream(r, w, 0, T, 4 * size / (life / HOUR), -life, 0);
		break;
	case F_DAY:
		stream(r, w, -40 * HOUR, T, size / (life / HOUR), -life, .8);
		break;
	case F_BACKLOG: {
		double fill = sim_scale(r, 2, 8) * HOUR, n = size, drain = fill * 2;

		for (int i = 0; i < (int)n; i++)
			born(w, *onset + fill * i / n, fill + drain * i / n - fill * i / n + 600);
		break;
	}
	case F_BURSTS:
		for (double t = *onset; t < T; t += sim_scale(r, 2, 12) * HOUR)
			stream(r, w, t, t + 1800, sim_scale(r, 600, 3000), -900, 0);
		break;
	case F_POOL:
		stream(r, w, *onset, *onset + sim_scale(r, .5, 8) * HOUR, size / 2, INFINITY, 0);
		break;
	case F_TIMERS:
		stream(r, w, *onset, T, size / (life / HOUR), life, 0);
		break;
	default:
		stream(r, w, *onset, *onset + sim_scale(r, 3, 12) * HOUR, size / 4,
			T * sim_uniform(r, .7, 1.5), 0);
	}
}

static void make_world(int family, int seed, struct world *w, double *onset)
{
	struct sim r = {0xe71de9ceu + (uint64_t)(seed * 64 + family)};
	double hours, base = floor(sim_scale(&r, 1, 200)), *ends;
	size_t b = 0, e = 0;

	memset(w, 0, sizeof(*w));
	w->lives = malloc(LIVES_MAX * sizeof(*w->lives));
	draw(family, &r, w, &hours, onset);
	for (int i = 0; i < (int)base; i++)
		born(w, -20 * HOUR, INFINITY); /* workers that were there before us */
	qsort(w->lives, w->nlives, sizeof(*w->lives), by_birth);
	ends = malloc(w->nlives * sizeof(*ends));
	for (size_t i = 0; i < w->nlives; i++)
		ends[i] = w->lives[i].death;
	trend_sort(ends, w->nlives);
	w->n = (size_t)(hours * 60);
	w->t = malloc(w->n * sizeof(*w->t));
	w->v = malloc(w->n * sizeof(*w->v));
	for (size_t i = 0; i < w->n; i++) {
		w->t[i] = 7 + 60.0 * (double)i;
		while (b < w->nlives && w->lives[b].birth <= w->t[i])
			b++;
		while (e < w->nlives && ends[e] <= w->t[i])
			e++;
		w->v[i] = (double)(b - e);
	}
	free(ends);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define EACH 40

struct row {
	int n, suspect, counts, evidence, both, quick;
	double counts_h[EACH], evidence_h[EACH], both_h[EACH];
	double dumps;
};

static void simulate(struct row rows[FAMILIES])
{
	memset(rows, 0, FAMILIES * sizeof(*rows));
	for (int f = 0; f < FAMILIES; f++) {
		for (int i = 0; i < EACH; i++) {
			struct row *r = &rows[f];
			struct world w;
			struct told told;
			double onset;

			make_world(f, i, &w, &onset);
			judge(&w, &told);
			r->n++;
			r->suspect += !isnan(told.suspect);
			if (!isnan(told.counts))
				r->counts_h[r->counts++] = (told.counts - onset) / HOUR;
			if (!isnan(told.evidence))
				r->evidence_h[r->evidence++] = (told.evidence - onset) / HOUR;
			if (!isnan(told.both))
				r->both_h[r->both++] = (told.both - onset) / HOUR;
			r->quick += told.quick;
			r->dumps += (double)told.dumps;
			free_world(&w);
		}
	}
}

static void print_share(int k, int n, double *hours, bool leak)
{
	printf(" %5.0f%%", 100.0 * k / n);
	if (!leak || k == 0)
		printf("       ");
	else
		printf(" %5.1fh", trend_median(hours, (size_t)k));
}

static void print_table(struct row rows[FAMILIES])
{
	printf("%-22s %3s %8s %13s %13s %13s %6s %6s\n", "family", "n", "suspect", "counts",
		"evidence", "both", "quick", "dumps");
	for (int part = 0; part < 3; part++) {
		printf(part == 0    ? "leaks\n"
			: part == 1 ? "healthy\n"
				    : "healthy, and no evidence short of their end can tell\n");
		for (int f = 0; f < FAMILIES; f++) {
			struct row *r = &rows[f];
			bool leak = families[f].leak;

			if ((leak ? 0 : families[f].same ? 2 : 1) != part)
				continue;
			printf("  %-20s %3d %7.0f%%", families[f].name, r->n,
				100.0 * r->suspect / r->n);
			print_share(r->counts, r->n, r->counts_h, leak);
			print_share(r->evidence, r->n, r->evidence_h, leak);
			print_share(r->both, r->n, r->both_h, leak);
			printf(" %5.0f%% %6.1f\n", 100.0 * r->quick / r->n, r->dumps / r->n);
		}
	}
}

/* ---- checks ---------------------------------------------------------------------------------- */

static int passed, failed;

static void check(bool ok, const char *what)
{
	if (ok) {
		passed++;
		return;
	}
	failed++;
	printf("failed: %s\n", what);
}

static void sums(const struct row rows[FAMILIES], bool leak, int *counts, int *both)
{
	*counts = *both = 0;
	for (int f = 0; f < FAMILIES; f++) {
		if (families[f].leak != leak || families[f].same)
			continue;
		*counts += rows[f].counts;
		*both += rows[f].both;
	}
}

static void check_table(struct row rows[FAMILIES])
{
	const struct row *fast = &rows[F_FAST];
	int counts, both;

	check(fast->both == fast->n, "a fast leak is always told");
	check(trend_median((double *)fast->both_h, (size_t)fast->both) < .75,
		"a fast leak is told within 45 minutes");
	sums(rows, true, &counts, &both);
	check(both >= counts, "evidence loses no leak");
	sums(rows, false, &counts, &both);
	check(both <= counts, "evidence adds no false alarm where it can tell");
}

int main(int argc, char **argv)
{
	static struct row rows[FAMILIES];

	if (argc > 1 && strcmp(argv[1], "--judge") == 0) {
		if (argc > 2)
			by_waits = strcmp(argv[2], "still") ? WAITS_EVENLY : WAITS_STILL;
		return judge_input();
	}
	simulate(rows);
	if (argc > 1 && strcmp(argv[1], "--check") == 0) {
		check_table(rows);
		if (failed)
			print_table(rows);
		printf("%d passed, %d failed\n", passed, failed);
		return failed > 0;
	}
	print_table(rows);
	return 0;
}
