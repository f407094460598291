/* Reading ahead of house-keeping: the right pages, no more steps than were read, nothing changed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faultvfs.h"
#include "store_look.h"
#include "store_wal.h"

#include <dirent.h>
#include <unistd.h>

#define BEGIN	1700000000000ll
#define TARGETS 10
#define SCRAPES 480 /* a minute apart: 8 hours */
#define VALUES	200
#define HOUR	3600000ll
#define END	(BEGIN + SCRAPES * 60000ll)
#define PAGES	(1 << 16)
#define LOOKED	1
#define NEEDED	2

static char dir[64], db_path[96];
static struct store *store;
static const struct store_keep keep = {.raw_ms = HOUR, .m5_ms = 2 * HOUR, .h1_ms = 0, .fold = true};

static void open_store(void)
{
	struct store_opened opened;
	struct err err = ERR_INIT;

	if (store_open(db_path, BEGIN, &store, &opened, &err) != STORE_OPEN_OK ||
		store_wal_apart(store, 0, &err) < 0)
		fail_msg("%s", err.msg);
}

static void fill(void)
{
	for (int n = 0; n < SCRAPES; n++) {
		struct store_batch *b = store_batch_new();
		struct err err = ERR_INIT;

		for (int64_t t = 1; t <= TARGETS; t++) {
			if (n == 0)
				store_put_target(
					b, &(struct store_target){
						   .id = t, .job = STR("j"), .instance = STR("i")});
			for (int i = 0; n == 0 && i < VALUES; i++)
				store_put_series(b, &(struct store_series){.id = t * 1000 + i,
							    .target_id = t,
							    .kind = STORE_SERIES_METRIC});
			store_add_scrape(b, &(struct store_scrape){.target_id = t,
						    .at_ms = BEGIN + n * 60000ll,
						    .got = 3,
						    .full = (n + t) % 32 == 0 || n == 0});
			for (int i = 0; i < VALUES; i++)
				store_add_value(b, t * 1000 + i, n * 31 % 997 + i);
		}
		if (store_apply(store, &b, 1, 0, &err) < 0)
			fail_msg("%s", err.msg);
		store_batch_free(b);
	}
}

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/leakwatch-look-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	fault_install();
	open_store();
	fill();
	store_cut_wal(store);
	return 0;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	(void)state;
	store_close(store);
	free(fault.seen);
	fault.seen = NULL;
	d = opendir(dir);
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

static bool always(void *arg)
{
	(void)arg;
	return true;
}

/* Without what either connection has cached. */
static void open_cold(void)
{
	store_close(store);
	open_store();
	free(fault.seen);
	fault.seen = calloc(PAGES, sizeof(*fault.seen));
	fault.nseen = PAGES;
}

static void assert_was_looked_at(const char *what)
{
	int needed = 0, missed = 0;

	fault.mark = 0;
	for (int i = 0; i < PAGES; i++) {
		needed += (fault.seen[i] & NEEDED) != 0;
		missed += fault.seen[i] == NEEDED;
	}
	print_message("%s: %d pages, of which %d were not looked at\n", what, needed, missed);
	assert_true(needed > 50);
	assert_true(missed * 10 < needed); /* of the free list, and of where rows are added */
}

/* The transaction finds in memory what it reads. */
static void reads_what_will_be_read(void **state)
{
	int64_t n, rows = query("SELECT count(*) FROM scrape");
	bool again;

	(void)state;
	open_cold();
	fault.mark = LOOKED;
	store_look(store, END, &keep, 200, NULL, NULL);
	fault.mark = NEEDED;
	n = store_fold(store, END, 200, &again, NULL);
	assert_in_range(n, 1, 1000);
	assert_was_looked_at("folding");
	do
		assert_true(store_fold(store, END, 1000, &again, NULL) >= 0);
	while (again);
	assert_int_equal(query("SELECT count(*) FROM scrape"), rows);
	store_cut_wal(store);
	open_cold();
	fault.mark = LOOKED;
	store_look(store, END, &keep, 400, NULL, NULL);
	assert_int_equal(query("SELECT count(*) FROM scrape"), rows);
	fault.mark = NEEDED;
	n = store_prune(store, END, &keep, 400, &again, NULL);
	assert_in_range(n, TARGETS * 8, 400);
	assert_was_looked_at("deleting");
}

/* A look that has time for little makes a short transaction, and all of them do everything. */
static void goes_no_further_than_the_look(void **state)
{
	int64_t n, most = 0, all = 0;
	bool again = true;
	int calls = 0;

	(void)state;
	while (again)
		assert_true(store_fold(store, END, 1000, &again, NULL) >= 0);
	for (again = true; again && calls < 2000; calls++) {
		store_look(store, END, &keep, 400, always, NULL);
		n = store_prune(store, END, &keep, 400, &again, NULL);
		assert_true(n >= 0);
		most = n > most ? n : most;
		all += n;
	}
	print_message("%lld rows in %d calls\n", (long long)all, calls);
	assert_false(again);
	assert_int_equal(most, 8);
	n = store_prune(store, END, &keep, 100000, &again, NULL);
	assert_int_equal(n, 0);
	assert_false(again);
	assert_in_range(
		query("SELECT min(at_ms) FROM scrape"), END - HOUR - 33 * 60000, END - HOUR);
	/* Once only: the next call is free again. */
	store_look(store, END + 4 * HOUR, &keep, 400, always, NULL);
	assert_in_range(store_prune(store, END + 4 * HOUR, &keep, 400, &again, NULL), 0, 8);
	assert_in_range(store_prune(store, END + 4 * HOUR, &keep, 400, &again, NULL), 9, 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_what_will_be_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(goes_no_further_than_the_look, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
