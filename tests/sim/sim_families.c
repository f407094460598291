/*
 * The verdict on families of labelled series (leaks.c, healthy.c), beside the rules that people
 * write for Prometheus today.
 *
 *   sim_families [--seeds A B]   the tables; 500 to 540 when not said
 *   sim_families --check         a few seeds of each, held against limits: "N passed, N failed"
 *   sim_families --history FAMILY SEED   one series as `leakwatch backtest` reads it
 *
 * Recall is the share of leaking series that were told at or after the onset of their leak; alarmed
 * is the share of healthy ones that ever were.  An alarm counts once until it is resolved.
 */
#include "detect.h"
#include "prometheus.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0	1700006400.0
#define MINUTE	60.0
#define MAX_ROW 4096 /* series in one row of a table */

struct row {
	int n, suspect, leaking, alarms, rated, covered, early;
	double weeks;
	double suspect_delay[MAX_ROW], delay[MAX_ROW], error[MAX_ROW]; /* h; of the rate */
	int prometheus[PROMETHEUS_RULES];
	double prometheus_delay[PROMETHEUS_RULES][MAX_ROW];
};

/* What one series heard. */
struct heard {
	double onset; /* Unix; before it an alarm of a leak is a false one */
	double suspect_at, leaking_at; /* the first at or after the onset; NAN */
	double rate, low, high; /* when it was leaking first */
	int alarms;
	bool open, early;
};

static void change_cb(void *arg, const struct verdict *v, enum verdict_state old)
{
	struct heard *h = arg;
	bool counts = v->at >= h->onset;

	(void)old;
	if (v->state == VERDICT_OK)
		h->open = false;
	if (v->state != VERDICT_SUSPECT && v->state != VERDICT_LEAKING)
		return;
	if (counts && isnan(h->suspect_at))
		h->suspect_at = v->at;
	if (v->state != VERDICT_LEAKING)
		return;
	h->alarms += !h->open;
	h->open = true;
	h->early |= !counts;
	if (!counts || !isnan(h->leaking_at))
		return;
	h->leaking_at = v->at;
	h->rate = v->rate_per_hour;
	h->low = v->low;
	h->high = v->high;
}

static void judge(const struct world *w, struct heard *h)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct detect *d;
	int next = 0;

	*h = (struct heard){.onset = T0 + w->onset * MINUTE, .suspect_at = NAN, .leaking_at = NAN};
	if (w->onset < 0)
		h->onset = 0;
	d = detect_new(w->bytes ? DETECT_BYTES : DETECT_COUNT, &p, change_cb, h);
	for (int i = 0; i < w->n; i++) {
		double t = T0 + i * MINUTE;

		for (; next < w->restarts && w->restart[next] <= i; next++)
			detect_restart(d, T0 + w->restart[next] * MINUTE);
		if (!isnan(w->value[i]))
			detect_sample(d, t + MINUTE / 2, w->value[i], w->load ? w->load[i] : NAN);
	}
	detect_free(d);
}

/* Units an hour from the onset to the end, on average. */
static double true_rate(const struct world *w)
{
	double sum = 0;

	for (int i = 0; i < w->n; i++)
		sum += w->leaked[i];
	return sum / (w->n - w->onset) * 60;
}

static void score(const struct world *w, const struct heard *h, struct row *r)
{
	double rate = w->family->leaks ? true_rate(w) : NAN;

	if (r->n == MAX_ROW)
		return;
	r->n++;
	r->weeks += w->n / (7.0 * WORLD_DAY);
	r->alarms += h->alarms;
	r->early += h->early;
	if (!isnan(h->suspect_at))
		r->suspect_delay[r->suspect++] = (h->suspect_at - h->onset) / 3600;
	if (!isnan(h->leaking_at)) {
		r->delay[r->leaking++] = (h->leaking_at - h->onset) / 3600;
		if (w->family->leaks) {
			r->error[r->rated++] = fabs(h->rate / rate - 1);
			r->covered += h->low <= rate && rate <= h->high;
		}
	}
	for (int k = 0; k < PROMETHEUS_RULES; k++) {
		int at = prometheus_first((enum prometheus_rule)k, w->value, w->n, MAX(0, w->onset),
			w->bytes ? 32.0 * 1048576 / 50 : 1);

		if (at >= 0)
			r->prometheus_delay[k][r->prometheus[k]++] = (at - w->onset) / 60.0;
	}
}

/* ---- tables ---------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, int n)
{
	if (n == 0)
		return NAN;
	qsort(v, (size_t)n, sizeof(*v), by_value);
	return v[n / 2];
}

static double percent(int of, const struct row *r)
{
	return r->n ? 100.0 * of / r->n : 0;
}

static void print_row(const char *name, struct row *r, bool leaks)
{
	printf("%-26s %4d  %5.1f %%  %5.1f %%", name, r->n, percent(r->leaking, r),
		percent(r->suspect, r));
	if (leaks)
		printf("  %7.1f  %7.1f\n", median(r->delay, r->leaking),
			median(r->suspect_delay, r->suspect));
	else
		printf("  %7.2f\n", r->weeks > 0 ? r->alarms / r->weeks : 0);
}

static void run_family(const struct family *f, int from, int to, struct row *mine, struct row *all,
	struct row *by_severity)
{
	memset(mine, 0, sizeof(*mine));
	for (int seed = from; seed < to; seed++) {
		struct world w;
		struct heard h;

		world_make(&w, f, seed);
		judge(&w, &h);
		score(&w, &h, mine);
		score(&w, &h, all);
		if (by_severity)
			score(&w, &h, &by_severity[w.severity]);
		world_release(&w);
	}
}

static void run_all(int from, int to, bool print, struct row *leaks, struct row *healthy)
{
	static struct row mine, severities[3];
	static const char *const names[] = {"low", "mid", "high"};

	if (print)
		printf("%-26s %4s  %7s  %7s  %7s  %7s\n", "leaking", "n", "leaking", "suspect",
			"delay h", "suspect");
	for (size_t i = 0; i < leak_family_count; i++) {
		run_family(&leak_families[i], from, to, &mine, leaks, severities);
		if (print)
			print_row(leak_families[i].name, &mine, true);
	}
	for (int i = 0; print && i < 3; i++)
		print_row(names[i], &severities[i], true);
	if (print) {
		print_row("all that leak", leaks, true);
		printf("\n%-26s %4s  %7s  %7s  %s\n", "healthy", "n", "leaking", "suspect",
			"alarms a series-week");
	}
	for (size_t i = 0; i < healthy_family_count; i++) {
		run_family(&healthy_families[i], from, to, &mine, healthy, NULL);
		if (print)
			print_row(healthy_families[i].name, &mine, false);
	}
	if (print)
		print_row("all that are healthy", healthy, false);
}

static void print_rest(struct row *leaks, const struct row *healthy)
{
	printf("\nrate when it is told: off by %.0f %% in the median, interval covers it in %.0f "
	       "%%; "
	       "told before the onset: %d of %d\n\n",
		100 * median(leaks->error, leaks->rated),
		leaks->rated ? 100.0 * leaks->covered / leaks->rated : 0, leaks->early, leaks->n);
	printf("%-40s %7s %9s %8s\n", "on the same series", "recall", "healthy", "delay h");
	printf("%-40s %5.1f %% %7.1f %% %8.1f\n", "leakwatch, leaking",
		percent(leaks->leaking, leaks), percent(healthy->leaking, healthy),
		median(leaks->delay, leaks->leaking));
	printf("%-40s %5.1f %% %7.1f %% %8.1f\n", "leakwatch, suspect",
		percent(leaks->suspect, leaks), percent(healthy->suspect, healthy),
		median(leaks->suspect_delay, leaks->suspect));
	for (int k = 0; k < PROMETHEUS_RULES; k++)
		printf("%-40s %5.1f %% %7.1f %% %8.1f\n", prometheus_rule_text[k],
			percent(leaks->prometheus[k], leaks),
			percent(healthy->prometheus[k], healthy),
			median(leaks->prometheus_delay[k], leaks->prometheus[k]));
}

/* Limits that leave room for chance: a change that breaks the detector passes none of them. */
static int check(const struct row *leaks, const struct row *healthy)
{
	const struct {
		bool ok;
		const char *what;
	} rows[] = {
		{percent(leaks->leaking, leaks) >= 55, "leaks found"},
		{percent(leaks->suspect, leaks) >= 75, "leaks suspected"},
		{percent(healthy->leaking, healthy) <= 28, "healthy ones left alone"},
		{leaks->covered * 10 >= leaks->rated * 6, "intervals that hold the rate"},
		{percent(leaks->leaking, leaks) - percent(healthy->leaking, healthy) >
				percent(leaks->prometheus[RULE_DERIV_HOUR], leaks) -
					percent(healthy->prometheus[RULE_DERIV_HOUR], healthy),
			"better than deriv([1h])"},
	};
	int failed = 0;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (!rows[i].ok) {
			failed++;
			printf("failed: %s\n", rows[i].what);
		}
	printf("%zu passed, %d failed\n", ARRAY_LEN(rows) - (size_t)failed, failed);
	return failed ? 1 : 0;
}

static const struct family *find_family(const char *name)
{
	for (size_t i = 0; i < leak_family_count; i++)
		if (strcmp(leak_families[i].name, name) == 0)
			return &leak_families[i];
	for (size_t i = 0; i < healthy_family_count; i++)
		if (strcmp(healthy_families[i].name, name) == 0)
			return &healthy_families[i];
	return NULL;
}

static int print_history(const char *name, int seed)
{
	const struct family *f = find_family(name);
	const char *metric, *labels;
	struct world w;
	int next = 0;

	if (!f) {
		fprintf(stderr, "sim_families: no family %s\n", name);
		return 2;
	}
	world_make(&w, f, seed);
	metric = w.bytes ? "go_memstats_heap_inuse_bytes" : "leakwatch_goroutines";
	labels = w.bytes ? "target=\"t\"" : "target=\"t\",class=\"c\"";
	printf("# TYPE %s gauge\n", metric);
	for (int i = 0; i < w.n; i++)
		if (!isnan(w.value[i]))
			printf("%s{%s} %.17g %.0f\n", metric, labels, w.value[i],
				T0 + i * MINUTE + MINUTE / 2);
	printf("# TYPE process_start_time_seconds gauge\n");
	for (int i = 0; i < w.n; i++) {
		while (next < w.restarts && w.restart[next] <= i)
			next++;
		printf("process_start_time_seconds{target=\"t\"} %.0f %.0f\n",
			T0 + (next ? w.restart[next - 1] : 0) * MINUTE,
			T0 + i * MINUTE + MINUTE / 2);
	}
	if (w.load)
		printf("# TYPE load gauge\n");
	for (int i = 0; w.load && i < w.n; i++)
		printf("load{target=\"t\"} %.17g %.0f\n", w.load[i], T0 + i * MINUTE + MINUTE / 2);
	printf("# EOF\n");
	world_release(&w);
	return 0;
}

int main(int argc, char **argv)
{
	static struct row leaks, healthy;
	bool checking = argc == 2 && strcmp(argv[1], "--check") == 0;
	int from = 500, to = 540;

	if (argc == 4 && strcmp(argv[1], "--history") == 0)
		return print_history(argv[2], atoi(argv[3]));
	if (argc == 4 && strcmp(argv[1], "--seeds") == 0) {
		from = atoi(argv[2]);
		to = atoi(argv[3]);
	} else if (checking) {
		to = from + 6;
	}
	run_all(from, to, !checking, &leaks, &healthy);
	if (checking)
		return check(&leaks, &healthy);
	print_rest(&leaks, &healthy);
	return 0;
}
