/*
 * Folding: buckets say what the samples said, whatever the bites and whatever the clock did, and
 * deleting takes nothing that is not folded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "buf.h"
#include "store_read.h"
#include "xalloc.h"

#include <dirent.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOUR  3600000ll
#define BEGIN (1700002800000ll) /* a full hour */

static char dir[64], db_path[96];
static struct store *store;

static int set_up(void **state)
{
	struct store_opened opened;

	(void)state;
	strcpy(dir, "/tmp/leakwatch-fold-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	return store_open(db_path, BEGIN, &store, &opened, NULL) == STORE_OPEN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	store_close(store);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(dir);
}

static int64_t query(const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void apply(struct store_batch *b)
{
	struct err err = ERR_INIT;

	if (store_apply(store, &b, 1, 0, &err) < 0)
		fail_msg("%s", err.msg);
	store_batch_free(b);
}

/* Targets 1 to n, each with the series 10 (total), 11 (a class) and 12 (a metric), times 100. */
static void prune_all(int64_t now_ms, const struct store_keep *keep)
{
	bool again;

	do
		assert_true(store_prune(store, now_ms, keep, 50, &again, NULL) >= 0);
	while (again);
}

static void put_targets(int n)
{
	struct store_batch *b = store_batch_new();

	for (int64_t t = 1; t <= n; t++) {
		struct store_target target = {.id = t, .job = STR("j"), .instance = STR("i")};
		struct store_class class = {.id = t, .target_id = t, .name = STR("c")};
		struct store_series s = {.id = t * 100 + 10, .target_id = t};

		store_put_target(b, &target);
		store_put_class(b, &class);
		s.kind = STORE_SERIES_TOTAL;
		s.name = STR("total");
		store_put_series(b, &s);
		s.id++;
		s.kind = STORE_SERIES_CLASS;
		s.name = STR("c");
		s.class_id = t;
		store_put_series(b, &s);
		s.id++;
		s.kind = STORE_SERIES_METRIC;
		s.name = STR("process_open_fds");
		s.class_id = 0;
		store_put_series(b, &s);
	}
	apply(b);
}

/* A scrape as the pipeline would write it: what changed, everything when full. */
struct teller {
	double told[3];
	int n;
};

static void scrape(struct store_batch *b, struct teller *t, int64_t target, int64_t at_ms,
	unsigned got, const double v[3])
{
	struct store_scrape row = {
		.target_id = target, .at_ms = at_ms, .got = got, .full = t->n++ % 32 == 0};

	store_add_scrape(b, &row);
	for (int i = 0; i < 3; i++) {
		bool same = v[i] == t->told[i] || (isnan(v[i]) && isnan(t->told[i]));

		if (!(got & (i == 2 ? STORE_GOT_METRICS : STORE_GOT_GOROUTINES))) {
			if (row.full && !isnan(t->told[i]))
				store_add_value(b, target * 100 + 10 + i, t->told[i]);
			continue;
		}
		if (same && (!row.full || isnan(v[i])))
			continue;
		store_add_value(b, target * 100 + 10 + i, v[i]);
		t->told[i] = v[i];
	}
}

static int64_t fold_all(int64_t now_ms, int max_rows)
{
	struct err err = ERR_INIT;
	int64_t n, all = 0;
	bool again;
	int calls = 0;

	do {
		n = store_fold(store, now_ms, max_rows, &again, &err);
		if (n < 0)
			fail_msg("%s", err.msg);
		all += n;
		if (++calls > 100000)
			fail_msg("folding does not come to an end");
	} while (again);
	return all;
}

/* ---- the same numbers by another way ------------------------------------------- */

#define MINUTES (26 * 60)

static double values[3][MINUTES * 2]; /* every 30 s */
static unsigned gots[MINUTES * 2];

struct check {
	int series, points, hours, fives, raws;
	int64_t width_ms, last_at;
};

static void check_point(void *arg, const struct store_point *p)
{
	struct check *c = arg;
	int from = (int)((p->at_ms - BEGIN) / 30000), to = from + (int)(p->width_ms / 30000), n = 0;
	double sum = 0, max = -INFINITY, floor_ = INFINITY, last = NAN, carried = NAN;
	unsigned need = c->series == 2 ? STORE_GOT_METRICS : STORE_GOT_GOROUTINES;

	c->points++;
	c->raws += p->width_ms == 0;
	c->fives += p->width_ms == STORE_5M_MS;
	c->hours += p->width_ms == STORE_HOUR_MS;
	assert_true(p->at_ms > c->last_at);
	c->last_at = p->at_ms;
	if (p->width_ms == 0)
		to = from + 1;
	for (int i = from; i < to; i += 2) {
		double minute = 0;
		int in_minute = 0;

		for (int k = i; k < MIN(i + 2, to); k++) {
			double v = values[c->series][k];

			carried = gots[k] & need ? v : carried;
			if (!(gots[k] & need) || isnan(v))
				continue;
			minute += v;
			in_minute++;
			n++;
			sum += v;
			max = fmax(max, v);
			last = v;
		}
		if (in_minute)
			floor_ = fmin(floor_, minute / in_minute);
	}
	assert_int_equal(p->n, n);
	assert_true(p->floor == floor_);
	assert_true(p->max == max);
	assert_true(p->last == last || isnan(carried));
	if (fabs(p->mean - sum / n) > (max - floor_) / 50 + 1e-9)
		fail_msg("series %d at %lld: mean %g, not %g", c->series, (long long)p->at_ms,
			p->mean, sum / n);
}

/* A quiet series, a noisy one that comes and goes, a metric whose endpoint fails at times. */
static void make_values(unsigned *seed)
{
	double quiet = 5, noisy = 100;

	for (int i = 0; i < MINUTES * 2; i++) {
		if (rand_r(seed) % 200 == 0)
			quiet++;
		noisy += rand_r(seed) % 21 - 10;
		values[0][i] = quiet;
		values[1][i] = i / 300 % 3 == 1 ? NAN : noisy;
		values[2][i] = 40 + (i % 50 == 0) * 0.25;
		gots[i] = rand_r(seed) % 40 == 0   ? STORE_GOT_GOROUTINES
			  : rand_r(seed) % 40 == 0 ? STORE_GOT_METRICS
						   : 3;
	}
}

static void buckets_say_what_samples_said(void **state)
{
	unsigned seed = (unsigned)getpid();
	struct teller t = {{NAN, NAN, NAN}, 0};
	struct store_keep keep = {
		.raw_ms = 2 * HOUR, .m5_ms = 8 * HOUR, .h1_ms = 400 * HOUR, .fold = true};
	int64_t end = BEGIN + MINUTES * 60000, made = 0;

	(void)state;
	print_message("seed %u\n", seed);
	make_values(&seed);
	put_targets(1);
	for (int i = 0; i < MINUTES * 2; i++) {
		struct store_batch *b = store_batch_new();
		double v[3] = {values[0][i], values[1][i], values[2][i]};

		scrape(b, &t, 1, BEGIN + i * 30000, gots[i], v);
		apply(b);
		/* Bites of any size, at any time, with deletions in between. */
		if (rand_r(&seed) % 30 == 0) {
			made += fold_all(BEGIN + i * 30000, 1 + (int)(rand_r(&seed) % 200));
			prune_all(BEGIN + i * 30000, &keep);
		}
	}
	made += fold_all(end + HOUR, 200);
	prune_all(end, &keep);
	assert_int_equal(made, MINUTES / 5 + MINUTES / 60);
	assert_int_equal(query("SELECT count(*) FROM bucket WHERE width_ms = 3600000"), 26);
	/* Little more than was asked for is left of the rest. */
	assert_in_range(query("SELECT count(*) FROM scrape"), 2 * 120, 2 * 120 + 64);
	assert_in_range(
		query("SELECT count(*) FROM bucket WHERE width_ms = 300000"), 8 * 12, 8 * 12 + 24);
	for (int i = 0; i < 3; i++) {
		struct check c = {.series = i};
		struct store_series s = {.id = 110 + i,
			.target_id = 1,
			.kind = i == 0	 ? STORE_SERIES_TOTAL
				: i == 1 ? STORE_SERIES_CLASS
					 : STORE_SERIES_METRIC};

		assert_int_equal(store_read_history(store, &s, 0, check_point, &c, NULL), 0);
		assert_true(c.hours > 8);
		assert_true(c.fives > 30);
		assert_true(c.raws > 100);
	}
}

struct span {
	int64_t from, to;
	int points;
};

static void span_cb(void *arg, const struct store_point *p)
{
	struct span *s = arg;

	if (!s->points++)
		s->from = p->at_ms;
	s->to = p->at_ms + p->width_ms;
}

/* What stood still costs next to nothing. */
static void still_series_are_not_repeated(void **state)
{
	struct teller t = {{NAN, NAN, NAN}, 0};
	double v[3] = {5, 6, 7};

	(void)state;
	put_targets(1);
	for (int i = 0; i < 600; i++) {
		struct store_batch *b = store_batch_new();

		scrape(b, &t, 1, BEGIN + i * 60000, 3, v);
		apply(b);
	}
	fold_all(BEGIN + 600 * 60000 + HOUR, 100);
	assert_int_equal(query("SELECT count(*) FROM bucket WHERE width_ms = 300000"), 120);
	assert_int_equal(query("SELECT count(*) FROM bucket WHERE changes <> '{}'"), 10 + 1);
	assert_int_equal(query("SELECT sum(samples) FROM v_history WHERE seconds = 3600"), 180);
}

/* The clock goes back an hour, or forward: every sample is in some bucket, and folding goes on. */
static void clock_is_set(void **state)
{
	static const struct {
		const char *what;
		int64_t by_ms;
	} rows[] = {{"back an hour", -HOUR}, {"forward an hour", HOUR}, {"back 3 min", -180000},
		{"back 400 days", -400 * 24 * HOUR}};

	(void)state;
	put_targets(ARRAY_LEN(rows));
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct teller t = {{NAN, NAN, NAN}, 0};
		int64_t now = BEGIN, target = (int64_t)r + 1;
		char sql[128];

		for (int i = 0; i < 240; i++) {
			struct store_batch *b = store_batch_new();

			now += 60000;
			if (i == 120)
				now += rows[r].by_ms;
			scrape(b, &t, target, now, 3, (double[]){i, i % 7, 3});
			apply(b);
			fold_all(now, 100);
		}
		fold_all(now + 2 * HOUR, 100);
		for (int width = 300000; width <= 3600000; width *= 12) {
			snprintf(sql, sizeof(sql),
				"SELECT sum(samples) FROM bucket WHERE target_id = %d AND width_ms "
				"= %d",
				(int)target, width);
			if (query(sql) != 240)
				fail_msg("%s: %d of 240 samples in buckets of %d ms", rows[r].what,
					(int)query(sql), width);
		}
	}
}

/* A target that was down for hours has no buckets of that time; its last one is made all the same.
 */
static void gaps_stay_gaps(void **state)
{
	struct teller t = {{NAN, NAN, NAN}, 0};
	struct store_series s = {.id = 110, .target_id = 1, .kind = STORE_SERIES_TOTAL};
	struct span span = {0};

	(void)state;
	put_targets(1);
	for (int i = 0; i < 20; i++) {
		struct store_batch *b = store_batch_new();

		scrape(b, &t, 1, BEGIN + (i < 10 ? i : 300 + i) * 60000, 3, (double[]){i, 1, 1});
		apply(b);
	}
	assert_int_equal(fold_all(BEGIN + 315 * 60000, 100), 3 + 1); /* the newest is not over */
	assert_int_equal(fold_all(BEGIN + 320 * 60000, 100), 0); /* nor past being late */
	assert_int_equal(fold_all(BEGIN + 320 * 60000 + STORE_FOLD_LATE_MS, 100), 1);
	assert_int_equal(store_read_history(store, &s, 0, span_cb, &span, NULL), 0);
	assert_int_equal(span.points, 20); /* samples are finer, and all there */
	assert_int_equal(query("SELECT count(*) FROM v_history WHERE seconds = 300 AND "
			       "name = 'total'"),
		4);
}

/* Nothing is deleted that is not folded, however old: folding may have been held up. */
static void what_is_not_folded_stays(void **state)
{
	struct store_keep keep = {.raw_ms = 60000, .m5_ms = HOUR, .h1_ms = HOUR, .fold = true};
	struct teller t = {{NAN, NAN, NAN}, 0};

	(void)state;
	put_targets(1);
	for (int i = 0; i < 200; i++) {
		struct store_batch *b = store_batch_new();

		scrape(b, &t, 1, BEGIN + i * 60000, 3, (double[]){i, 1, 1});
		apply(b);
	}
	prune_all(BEGIN + 1000 * HOUR, &keep);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 200);
	fold_all(BEGIN + 100 * HOUR, 50);
	prune_all(BEGIN + 100 * HOUR, &keep);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 200 - 192);
}

static void stacks_go_with_their_classes(void **state)
{
	struct store_keep keep = {.raw_ms = HOUR};
	struct store_batch *b = store_batch_new();
	struct store_class ended = {.id = 5, .target_id = 1, .name = STR("old"), .ended_ms = BEGIN};
	struct store_stack one = {.fingerprint = 1, .text = STR("shown by an ended class")};
	struct store_stack two = {.fingerprint = UINT64_MAX - 5, .text = STR("shown by both")};
	struct store_class_stack links[] = {{.class_id = 5, .fingerprint = 1},
		{.class_id = 5, .fingerprint = UINT64_MAX - 5},
		{.class_id = 1, .fingerprint = UINT64_MAX - 5}};

	(void)state;
	put_targets(1);
	store_put_class(b, &ended);
	store_put_stack(b, &one);
	store_put_stack(b, &two);
	for (size_t i = 0; i < ARRAY_LEN(links); i++)
		store_put_class_stack(b, &links[i]);
	apply(b);
	for (int i = 0; i < 4; i++)
		prune_all(BEGIN + 2 * HOUR, &keep);
	assert_int_equal(query("SELECT count(*) FROM stack"), 1);
	assert_int_equal(query("SELECT count(*) FROM stack WHERE text = 'shown by both'"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(buckets_say_what_samples_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(still_series_are_not_repeated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clock_is_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gaps_stay_gaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_folded_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stacks_go_with_their_classes, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
