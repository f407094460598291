/* Retention in small bites: what goes, what stays, how much of the file a call reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faultvfs.h"
#include "store.h"

#include <dirent.h>
#include <unistd.h>

#define NOW  1700000000000ll
#define DAY  86400000ll
#define HOUR 3600000ll

static char dir[64], db_path[96];
static struct store *store;

static void open_store(void)
{
	struct err err = ERR_INIT;
	struct store_opened opened;

	if (store_open(db_path, NOW, &store, &opened, &err) != STORE_OPEN_OK)
		fail_msg("%s", err.msg);
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/leakwatch-sweep-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	fault_install();
	open_store();
	return 0;
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

static void apply(struct store_batch *b)
{
	struct err err = ERR_INIT;

	if (store_apply(store, &b, 1, 0, &err) < 0)
		fail_msg("%s", err.msg);
	store_batch_free(b);
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

static int64_t prune(int64_t now_ms, bool *again)
{
	const struct store_keep keep = {
		.raw_ms = DAY, .m5_ms = 30 * DAY, .h1_ms = 400 * DAY, .fold = true};
	struct err err = ERR_INIT;
	int64_t n = store_prune(store, now_ms, &keep, 400, again, &err);

	if (n < 0)
		fail_msg("%s", err.msg);
	return n;
}

static void put_target(struct store_batch *b, int64_t id, int classes, int64_t gone_ms)
{
	store_put_target(b, &(struct store_target){.id = id,
				    .job = STR("j"),
				    .instance = STR("i"),
				    .first_seen_ms = NOW,
				    .last_seen_ms = NOW,
				    .gone_ms = gone_ms});
	store_put_run(b, &(struct store_run){.id = id, .target_id = id, .last_seen_ms = NOW});
	for (int i = 0; i < classes; i++) {
		int64_t n = id * 1000 + i;

		store_put_class(b, &(struct store_class){.id = n, .target_id = id});
		store_put_series(
			b, &(struct store_series){.id = n, .target_id = id, .class_id = n});
		store_put_verdict(b, &(struct store_verdict){.series_id = n});
		store_put_detector(b, &(struct store_detector){.series_id = n});
	}
}

static bool always(void *arg)
{
	(void)arg;
	return true; /* one step each */
}

/* With a few rows a transaction, and all that was its own; another target keeps everything. */
static void gone_target_goes_in_bites(void **state)
{
	static const char *const tables[] = {"target WHERE id", "class WHERE target_id",
		"series WHERE target_id", "scrape WHERE target_id", "run WHERE target_id"};
	struct store_batch *b = store_batch_new();
	int64_t n, longest = 0;
	int calls = 0;
	char sql[128];
	bool again;

	(void)state;
	put_target(b, 1, 100, 0);
	put_target(b, 2, 100, NOW);
	for (int t = 1; t <= 2; t++) {
		for (int i = 0; i < 50; i++) {
			store_add_scrape(b, &(struct store_scrape){t, NOW + i * 60000, 1, i == 0});
			store_add_value(b, t * 1000, i);
		}
	}
	apply(b);
	prune(NOW + 399 * DAY, &again);
	assert_int_equal(query("SELECT count(*) FROM target"), 2);
	store_set_enough(store, always, NULL);
	for (; calls < 1000 && query("SELECT count(*) FROM target") == 2; calls++) {
		n = prune(NOW + 401 * DAY, &again);
		longest = MAX(longest, n);
	}
	print_message("%d calls\n", calls);
	assert_in_range(calls, 10, 999);
	assert_in_range(longest, 1, 4);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s = 2", tables[i]);
		assert_int_equal(query(sql), 0);
		snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s = 1", tables[i]);
		assert_true(query(sql) > 0);
	}
	assert_int_equal(query("SELECT count(*) FROM verdict"), 100);
	assert_int_equal(query("SELECT count(*) FROM detector"), 100);
	assert_int_equal(query("SELECT count(*) FROM pragma_foreign_key_check"), 0);
	store_set_enough(store, NULL, NULL);
}

/* More than a window of a table; of each target the newest stays. */
static void old_runs_go(void **state)
{
	struct store_batch *b = store_batch_new();
	int64_t n, most = 0;
	bool again;

	(void)state;
	for (int t = 1; t <= 3; t++)
		put_target(b, t, 0, 0);
	for (int i = 0; i < 1000; i++)
		store_put_run(b, &(struct store_run){.id = 10 + i,
					 .target_id = 1 + i % 3,
					 .last_seen_ms = i < 950 ? NOW : NOW + 100 * DAY});
	apply(b);
	for (int i = 0; i < 10; i++) {
		n = prune(NOW + 401 * DAY, &again);
		most = MAX(most, n);
	}
	assert_in_range(most, 100, 200);
	assert_int_equal(query("SELECT count(*) FROM run"), 50);
	for (int i = 0; i < 10; i++)
		prune(NOW + 600 * DAY, &again);
	assert_int_equal(query("SELECT count(*) FROM run"), 3);
}

static void put_alert(struct store_batch *b, const char *id, const char *state)
{
	store_put_alert(b, &(struct store_alert){.id = str_of(id),
				   .key = str_of(id),
				   .state = str_of(state),
				   .changed_ms = NOW});
}

static void put_delivery(struct store_batch *b, int64_t id, const char *alert, const char *state)
{
	store_put_delivery(b, &(struct store_delivery){.id = id,
				      .alert_id = str_of(alert),
				      .receiver = STR("r"),
				      .state = str_of(state),
				      .created_ms = NOW});
	store_add_told(b, &(struct store_told){.outbox_id = id,
				  .alert_id = str_of(alert),
				  .receiver = STR("r"),
				  .at_ms = NOW});
}

/* What people were told, and said, goes when nothing stands that it belongs to. */
static void what_was_told_goes(void **state)
{
	static const struct {
		const char *sql;
		int64_t fresh, month, years; /* rows after a day, a month, 401 days */
	} rows[] = {
		{"alert", 2, 2, 1}, {"alert_event", 2, 2, 1},
		{"outbox", 3, 1, 1}, /* one is still owed */
		{"told", 3, 1, 1}, /* of the alert that stands */
		{"silence", 1, 1, 0}, {"ack", 3, 2, 1}, /* one of an alert that nobody knows */
	};
	struct store_batch *b = store_batch_new();
	char sql[64];
	bool again;

	(void)state;
	put_alert(b, "stands", "firing");
	put_alert(b, "ended", "resolved");
	for (int i = 0; i < 2; i++)
		store_add_alert_event(b, &(struct store_alert_event){.id = i + 1,
						 .alert_id = i ? STR("stands") : STR("ended")});
	put_delivery(b, 1, "ended", "delivered");
	put_delivery(b, 2, "stands", "delivered");
	put_delivery(b, 3, "ended", "owed");
	store_put_silence(b, &(struct store_silence){.id = STR("s"), .ends_ms = NOW});
	store_put_ack(b, &(struct store_ack){.alert_id = STR("stands"), .at_ms = NOW});
	store_put_ack(b, &(struct store_ack){.alert_id = STR("ended"), .at_ms = NOW});
	store_put_ack(b, &(struct store_ack){.alert_id = STR("never was"), .at_ms = NOW});
	apply(b);
	for (int age = 0; age < 3; age++) {
		for (int i = 0; i < 6; i++)
			prune(NOW + (age == 0 ? 1 : age == 1 ? 31 : 401) * DAY, &again);
		for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
			snprintf(sql, sizeof(sql), "SELECT count(*) FROM %s", rows[i].sql);
			if (query(sql) != (age == 0	     ? rows[i].fresh
						  : age == 1 ? rows[i].month
							     : rows[i].years))
				fail_msg(
					"%s at age %d: %d rows", rows[i].sql, age, (int)query(sql));
		}
	}
}

/*
 * When nothing is old, the search for it does not go through all that is kept: with days of history
 * that was many seconds of reading in a large file.
 */
static void nothing_to_delete_costs_little(void **state)
{
	int reads, scrapes = 3 * 24 * 60;
	bool again = true;

	(void)state;
	for (int i = 0; i < scrapes; i++) {
		struct store_batch *b = store_batch_new();

		if (i == 0)
			put_target(b, 1, 100, 0);
		store_add_scrape(b, &(struct store_scrape){1, NOW + i * 60000, 1, i % 32 == 0});
		for (int c = 0; c < 100; c++)
			store_add_value(b, 1000 + c, i % 7 * 1000 + c);
		apply(b);
	}
	while (again)
		assert_true(store_fold(store, NOW + 4 * DAY, 400, &again, NULL) >= 0);
	do
		prune(NOW + 3 * DAY, &again);
	while (again);
	assert_in_range(query("SELECT count(*) FROM scrape"), 1440, 1480);
	store_close(store); /* with what it has cached */
	open_store();
	reads = fault.reads;
	assert_int_equal(prune(NOW + 3 * DAY, &again), 0);
	reads = fault.reads - reads;
	print_message("%d pages read of %d\n", reads, (int)query("PRAGMA page_count"));
	assert_true(reads < 100);
}

/* It is enough after each step: little is done in a call, and all of it in the end. */
static void bites_end_when_it_is_enough(void **state)
{
	int calls = 0;
	int64_t n, most = 0;
	bool again = true;

	(void)state;
	for (int i = 0; i < 400; i++) {
		struct store_batch *b = store_batch_new();

		if (i == 0)
			put_target(b, 1, 1, 0);
		store_add_scrape(b, &(struct store_scrape){1, NOW + i * 60000, 1, i % 8 == 0});
		store_add_value(b, 1000, i);
		apply(b);
	}
	store_set_enough(store, always, NULL);
	for (; again; calls++) {
		n = store_fold(store, NOW + DAY, 400, &again, NULL);
		assert_true(n >= 0);
		most = MAX(most, n);
	}
	assert_in_range(most, 1, 4);
	assert_int_equal(query("SELECT sum(samples) FROM bucket WHERE width_ms = 300000"), 400);
	assert_true(calls > 20);
	most = calls = 0;
	for (again = true; again && calls < 1000; calls++) {
		n = prune(NOW + 2 * DAY, &again);
		most = MAX(most, n);
	}
	assert_int_equal(most, 8);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 8);
	store_set_enough(store, NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(gone_target_goes_in_bites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_runs_go, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_told_goes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_to_delete_costs_little, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bites_end_when_it_is_enough, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
