/*
 * What the store costs: 20 targets of 200 classes, scraped once a minute for 48 hours, 30 % of the
 * counts change at each scrape.  Prints time and bytes; the file is made in a temporary directory.
 *
 *   bench_store --openmetrics N   the same numbers of the first N targets as OpenMetrics text, for
 *                                 promtool tsdb create-blocks-from openmetrics
 */
#include "store_read.h"
#include "writer_move.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TARGETS 20
#define CLASSES 200
#define SCRAPES (48 * 60)
#define START	1700000000000ll
#define DAY_MS	86400000ll

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void must(int rc, const struct err *err)
{
	if (rc >= 0)
		return;
	fprintf(stderr, "%s\n", err->msg);
	exit(1);
}

static void put_names(struct store_batch *b)
{
	for (int64_t t = 1; t <= TARGETS; t++) {
		struct store_target target = {
			.id = t, .job = STR("bench"), .instance = STR("10.0.0.1:6060")};

		store_put_target(b, &target);
		for (int64_t c = 0; c < CLASSES; c++) {
			struct store_class class = {.id = t * 1000 + c,
				.target_id = t,
				.name = STR("a.class/of.goroutines")};
			struct store_series series = {.id = t * 1000 + c,
				.target_id = t,
				.class_id = class.id,
				.name = class.name};

			store_put_class(b, &class);
			store_put_series(b, &series);
		}
	}
}

/* Of one target at one scrape. */
static void print_values(int64_t target, int64_t n, const double *values)
{
	for (int c = 0; c < CLASSES; c++)
		printf("leakwatch_goroutines{target=\"%d\",class=\"class-%d\"} %.0f %lld\n",
			(int)target, c, values[target * CLASSES + c],
			(long long)(START / 1000 + n * 60));
}

static struct store_batch *make_scrape(int64_t target, int64_t n, double *values, unsigned *seed)
{
	struct store_scrape scrape = {.target_id = target,
		.at_ms = START + n * 60000,
		.got = STORE_GOT_GOROUTINES,
		.full = n % 32 == target % 32 || n == 0};
	struct store_status status = {.target_id = target, .at_ms = scrape.at_ms, .up = true};
	struct store_batch *b = store_batch_new();

	store_put_status(b, &status);
	store_add_scrape(b, &scrape);
	for (int64_t c = 0; c < CLASSES; c++) {
		double *v = &values[target * CLASSES + c];
		bool changed = rand_r(seed) % 10 < 3;

		if (changed)
			*v += (double)(rand_r(seed) % 11) - 5 + (*v < 5 ? 5 : 0);
		if (changed || scrape.full)
			store_add_value(b, target * 1000 + c, *v);
	}
	return b;
}

/* Without a store the numbers are printed, of that many targets. */
static void write_all(struct store *s, int64_t printed)
{
	double *values = xcalloc((TARGETS + 1) * CLASSES, sizeof(*values));
	double start, took, worst = 0, all = 0;
	unsigned seed = 1;
	struct err err;

	for (int64_t i = 0; i < (TARGETS + 1) * CLASSES; i++)
		values[i] = rand_r(&seed) % 300;
	for (int64_t i = 0; i < SCRAPES; i++) {
		for (int64_t t = 1; t <= TARGETS; t++) {
			struct store_batch *b = make_scrape(t, i, values, &seed);

			if (t <= printed)
				print_values(t, i, values);
			start = seconds();
			if (s)
				must(store_apply(s, &b, 1, i * 60000, &err), &err);
			took = seconds() - start;
			all += took;
			worst = took > worst ? took : worst;
			store_batch_free(b);
		}
	}
	free(values);
	if (!s) {
		printf("# EOF\n");
		return;
	}
	printf("store_apply: %.0f us a scrape, longest transaction %.1f ms\n",
		all / (TARGETS * SCRAPES) * 1e6, worst * 1e3);
}

static void count_cb(void *arg, const struct store_scrape *s, const struct store_value *v, size_t n)
{
	(void)s, (void)v;
	*(size_t *)arg += n;
}

static void view_cb(void *arg, const struct store_target_view *v)
{
	(void)v;
	++*(size_t *)arg;
}

static void read_some(struct store *s)
{
	struct err err;
	double start = seconds();
	size_t n = 0;

	must(store_load_scrapes(s, 1, 0, count_cb, &n, &err), &err);
	printf("48 h of one target: %zu values in %.1f ms\n", n, (seconds() - start) * 1e3);
	start = seconds();
	n = 0;
	must(store_read_targets(s, view_cb, &n, &err), &err);
	printf("status of %zu targets: %.1f ms\n", n, (seconds() - start) * 1e3);
}

#define WORK_S 0.008 /* of a transaction, before it is committed */

static bool enough(void *arg)
{
	return seconds() >= *(const double *)arg + WORK_S;
}

/* All that 48 hours are worth at once, as after an update; in life it is 21 buckets a minute.  The
 * log is moved beside it, as a daemon does. */
static void fold_all(struct store *s, struct mover *m)
{
	double start, took, worst = 0, all = 0;
	int64_t n, buckets = 0;
	int bites = 0, slow = 0;
	struct err err;
	bool again;

	store_set_enough(s, enough, &start);
	do {
		start = seconds();
		n = store_fold(s, START + 3 * DAY_MS, 100, &again, &err);
		must((int)n, &err);
		took = seconds() - start;
		mover_offer(m);
		mover_wait(m, 10000);
		worst = took > worst ? took : worst;
		all += took;
		buckets += n;
		bites++;
		slow += took > .05;
	} while (again);
	printf("folding: %lld buckets in %.0f ms, %d transactions, longest %.1f ms, %d "
	       "over 50 ms\n",
		(long long)buckets, all * 1e3, bites, worst * 1e3, slow);
}

static void prune_all(struct store *s, struct mover *m)
{
	const struct store_keep keep = {
		.raw_ms = DAY_MS, .m5_ms = 30 * DAY_MS, .h1_ms = 400 * DAY_MS, .fold = true};
	double start, took, worst = 0, all = 0;
	struct err err;
	int64_t n, rows = 0;
	bool again;
	int bites = 0, slow = 0;

	store_set_enough(s, enough, &start);
	do {
		start = seconds();
		n = store_prune(s, START + 30 * DAY_MS, &keep, 100, &again, &err);
		must((int)n, &err);
		took = seconds() - start;
		mover_offer(m);
		mover_wait(m, 10000);
		worst = took > worst ? took : worst;
		all += took;
		rows += n;
		bites++;
		slow += took > .05;
	} while (again);
	printf("retention: %lld rows in %.0f ms, %d transactions, longest %.1f ms, %d "
	       "over 50 ms\n",
		(long long)rows, all * 1e3, bites, worst * 1e3, slow);
}

int main(int argc, char **argv)
{
	char dir[] = "/tmp/leakwatch-bench-XXXXXX", path[64], side[80];
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
	struct store_opened opened;
	struct store_batch *b;
	struct mover *mover;
	struct store *s;
	struct stat sb;
	struct err err;

	if (argc == 3 && strcmp(argv[1], "--openmetrics") == 0) {
		printf("# TYPE leakwatch_goroutines gauge\n");
		write_all(NULL, atoi(argv[2]));
		return 0;
	}
	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/bench.db", dir);
	if (store_open(path, START, &s, &opened, &err) != STORE_OPEN_OK) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	b = store_batch_new();
	put_names(b);
	must(store_apply(s, &b, 1, 0, &err), &err);
	store_batch_free(b);
	write_all(s, 0);
	if (stat(path, &sb) == 0)
		printf("file: %.1f MiB, %.2f bytes for each of %d scraped samples\n",
			(double)sb.st_size / 1048576,
			(double)sb.st_size / (TARGETS * CLASSES * SCRAPES),
			TARGETS * CLASSES * SCRAPES);
	read_some(s);
	mover = mover_new(s, 0, &err);
	must(mover ? 0 : -1, &err);
	fold_all(s, mover);
	prune_all(s, mover);
	if (!mover_stop(mover, 10000) || !mover_free(mover))
		return 1;
	store_close(s);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(side, sizeof(side), "%s%s", path, suffixes[i]);
		unlink(side);
	}
	return rmdir(dir);
}
