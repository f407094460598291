/* The log moved apart: by whom and when, a disk that fails or hangs meanwhile, nothing lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "faultvfs.h"
#include "store_space.h"
#include "store_wal.h"
#include "writer_house.h"
#include "writer_move.h"

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOW	 1700000000000ll
#define PAGES	 8 /* moved at a time, in most of these tests */
#define PATIENCE 10000
#define BOUND	 (20 << 20) /* of the log, which is 16 MiB when it begins anew */

static char dir[64], db_path[96];
static struct store *store;
static int64_t batches; /* applied */

static int set_up(void **state)
{
	struct store_opened opened;

	(void)state;
	strcpy(dir, "/tmp/leakwatch-wal-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	fault_install();
	batches = 0;
	return store_open(db_path, NOW, &store, &opened, NULL) == STORE_OPEN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	(void)state;
	store_close(store);
	store = NULL;
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
	if (sqlite3_step(st) == SQLITE_ROW) {
		v = sqlite3_column_int64(st, 0);
		if (strcmp(sql, "PRAGMA integrity_check") == 0)
			v = strcmp((const char *)sqlite3_column_text(st, 0), "ok") == 0;
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void must(int rc, const struct err *err)
{
	if (rc < 0)
		fail_msg("%s", err->msg);
}

/* A scrape of some pages; with an alert change it is synced. */
static void apply(bool alert)
{
	struct store_target t = {.id = 1, .job = STR("j"), .instance = STR("i")};
	struct store_scrape scrape = {.target_id = 1, .got = 1, .full = true};
	struct store_alert_event e = {.alert_id = STR("a1")};
	struct store_batch *b = store_batch_new();
	struct err err = ERR_INIT;

	e.id = e.change = ++batches;
	scrape.at_ms = NOW + batches * 60000;
	store_put_target(b, &t);
	store_add_scrape(b, &scrape);
	for (int i = 0; i < 500; i++)
		store_add_value(b, i, (double)(batches * 1000 + i));
	if (alert)
		store_add_alert_event(b, &e);
	must(store_apply(store, &b, 1, 0, &err), &err);
	store_batch_free(b);
}

static void apart(int pages)
{
	struct err err = ERR_INIT;

	must(store_wal_apart(store, pages, &err), &err);
}

static void move(void)
{
	struct err err = ERR_INIT;

	assert_true(store_wal_due(store));
	must(store_wal_move(store, &err), &err);
}

static off_t file_size(void)
{
	struct stat sb;

	assert_int_equal(stat(db_path, &sb), 0);
	return sb.st_size;
}

/* Never when all is moved, since SQLite before 3.51.3 can lose what is committed just then. */
static void due_while_something_is_left(void **state)
{
	(void)state;
	apply(false);
	assert_false(store_wal_due(store)); /* not apart */
	apart(PAGES);
	assert_false(store_wal_due(store)); /* nothing is known yet */
	for (int round = 0; round < 20; round++) {
		for (int i = 0; !store_wal_due(store); i++) {
			assert_true(i < PAGES);
			apply(round % 2);
		}
		move();
		assert_false(store_wal_due(store));
		assert_int_equal(store_wal_move(store, NULL), 0); /* it finds nothing */
		assert_false(store_wal_due(store));
	}
	store_cut_wal(store);
	assert_false(store_wal_due(store));
	assert_int_equal(query("SELECT count(*) FROM scrape"), batches);
}

/* A reader holds on to what it sees: what comes after that is left, and due as long as it is. */
static void readers_leave_something(void **state)
{
	sqlite3 *reader;

	(void)state;
	apart(PAGES);
	while (!store_wal_due(store))
		apply(false);
	assert_int_equal(sqlite3_open_v2(db_path, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM scrape", NULL, NULL, NULL);
	for (int i = 0; i < 20; i++)
		apply(false);
	for (int i = 0; i < 3; i++)
		move();
	assert_true(store_wal_due(store));
	sqlite3_close(reader);
	move();
	assert_false(store_wal_due(store));
}

/* However much is written, the log is moved and begins anew, and no commit moves it. */
static void commits_do_not_move(void **state)
{
	int64_t longest = 0, pages;
	off_t before;
	int syncs, most = 0;

	(void)state;
	apart(0);
	apply(true);
	before = file_size();
	while (!store_wal_due(store)) {
		syncs = fault.syncs;
		apply(batches % 32 == 0);
		most = fault.syncs - syncs > most ? fault.syncs - syncs : most;
	}
	assert_true(store_wal_bytes(store) > STORE_WAL_PAGES * 4096ll);
	assert_int_equal(most, 1); /* of the log, for the alert */
	assert_int_equal(file_size(), before);
	for (int i = 0; i < 2000; i++) {
		apply(false);
		if (store_wal_due(store))
			move();
		longest = MAX(longest, store_wal_bytes(store));
	}
	assert_true(file_size() > before);
	pages = longest / 4096;
	print_message("longest log %lld pages\n", (long long)pages);
	assert_in_range(pages, STORE_WAL_PAGES, STORE_WAL_PAGES * 3 / 2);
}

/* The disk fails at the k-th write of a move, for every k, or at a sync: told, and nothing else. */
static void failed_move_loses_nothing(void **state)
{
	struct err err;
	int failed = 0, rc = -1;

	(void)state;
	apart(PAGES);
	for (int k = 0; rc < 0; k++) {
		assert_true(k < 500);
		while (!store_wal_due(store) || k % 8 == 7) {
			apply(true);
			if (k % 8 == 7)
				break;
		}
		fault.fail_after = k;
		fault.write_error = k % 2 ? SQLITE_IOERR_WRITE : SQLITE_FULL;
		rc = store_wal_move(store, &err);
		fault.write_error = 0;
		failed += rc < 0;
		if (rc < 0) {
			assert_non_null(strstr(err.msg, "cannot move"));
			assert_true(store_wal_due(store));
		}
		assert_int_equal(query("SELECT count(*) FROM alert_event"), batches);
	}
	print_message("failed at each of the first %d writes\n", failed);
	assert_true(failed >= PAGES);
	while (!store_wal_due(store))
		apply(true);
	fault.sync_error = SQLITE_IOERR_FSYNC;
	assert_int_equal(store_wal_move(store, &err), -1);
	fault.sync_error = 0;
	move();
	assert_int_equal(query("SELECT count(*) FROM alert_event"), batches);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
}

/* The file is removed and put back: the log of the new one is moved too. */
static void put_back_is_moved_too(void **state)
{
	struct err err = ERR_INIT;
	int64_t before;

	(void)state;
	apart(PAGES);
	for (int i = 0; i < 10; i++)
		apply(true);
	unlink(db_path);
	must(store_put_back(store, &err), &err);
	before = file_size();
	while (!store_wal_due(store))
		apply(true);
	assert_int_equal(file_size(), before);
	move();
	assert_true(file_size() > before);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), batches);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
}

/* Where another file stands by now there is no second connection, and the log is moved as before.
 */
static void replaced_file_is_left_alone(void **state)
{
	struct err err = ERR_INIT;
	char other[128];
	sqlite3 *db;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", dir);
	assert_int_equal(sqlite3_open(other, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE t(x)", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(rename(other, db_path), 0);
	assert_int_equal(store_wal_apart(store, PAGES, &err), -1);
	assert_non_null(strstr(err.msg, "not the file that was opened"));
	apply(true);
	assert_false(store_wal_due(store));
}

/* ---- on a thread --------------------------------------------------------------- */

static struct mover *must_start(int pages)
{
	struct err err = ERR_INIT;
	struct mover *m = mover_new(store, pages, &err);

	if (!m)
		fail_msg("%s", err.msg);
	return m;
}

static void must_end(struct mover *m)
{
	assert_true(mover_stop(m, PATIENCE));
	assert_true(mover_stop(m, PATIENCE)); /* idempotent */
	assert_true(mover_free(m));
}

/* Commits and moves side by side, as fast as both can: all is there, in a whole file. */
static void moves_beside_commits(void **state)
{
	uint64_t end = clock_mono_ms() + 2000;
	struct mover *m = must_start(PAGES);
	struct mover_stats stats;
	int64_t longest = 0;

	(void)state;
	while (clock_mono_ms() < end) {
		if (store_wal_bytes(store) > BOUND)
			mover_catch_up(m, PATIENCE);
		longest = MAX(longest, store_wal_bytes(store));
		apply(batches % 50 == 0);
		mover_offer(m);
	}
	assert_true(longest < 2 * BOUND);
	mover_stats(m, &stats);
	print_message("%lld commits, %llu moves, longest log %lld KiB\n", (long long)batches,
		(unsigned long long)stats.moves, (long long)longest / 1024);
	assert_true(stats.moves > 10);
	assert_int_equal(stats.errors, 0);
	must_end(m);
	assert_int_equal(query("SELECT count(*) FROM scrape"), batches);
	assert_int_equal(query("SELECT max(id) FROM scrape"), batches);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
}

/* One round, after whatever it waits for. */
static void keep_house(struct house *h)
{
	do {
		assert_true(mover_wait(h->mover, PATIENCE));
		house_keep(h, NOW);
	} while (h->looked || mover_is_busy(h->mover));
}

/* Told by the house as long as it fails, and not after. */
static void failed_moves_are_told(void **state)
{
	struct mover *m = must_start(PAGES);
	struct mover_stats stats;
	struct house house;

	(void)state;
	house_init(&house, store);
	house.mover = m;
	apply(false);
	fault.sync_error = SQLITE_IOERR_FSYNC;
	for (int i = 0; i < PAGES; i++)
		apply(false);
	mover_offer(m);
	keep_house(&house);
	assert_non_null(strstr(house.why, "cannot move the write-ahead log"));
	assert_true(house.room); /* samples are stored all the same */
	fault.sync_error = 0;
	keep_house(&house);
	keep_house(&house);
	assert_string_equal(house.why, "");
	mover_stats(m, &stats);
	assert_true(stats.errors > 0 && stats.moves > 0);
	must_end(m);
}

/* A sync that hangs holds up neither commits nor the stop; house-keeping waits for it. */
static void hanging_move_holds_up_nobody(void **state)
{
	struct mover *m = must_start(PAGES);
	uint64_t start, took;
	struct house house;

	(void)state;
	house_init(&house, store);
	house.mover = m;
	house.keep = (struct store_keep){.raw_ms = 1, .fold = true};
	for (int i = 0; i < PAGES; i++)
		apply(false);
	fault.stall_ms = 700;
	mover_offer(m);
	assert_true(mover_is_busy(m));
	start = clock_mono_ms();
	apply(false);
	took = clock_mono_ms() - start;
	assert_true(took < 300);
	for (int i = 0; i < 3; i++)
		assert_true(house_keep(&house, NOW + 86400000));
	assert_int_equal(house.folded, 0);
	assert_true(house.longest_bite_ms == 0);
	assert_false(mover_wait(m, 20));
	assert_false(mover_stop(m, 20));
	assert_true(clock_mono_ms() - start < 600);
	fault.stall_ms = 0;
	must_end(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(due_while_something_is_left, set_up, tear_down),
		cmocka_unit_test_setup_teardown(readers_leave_something, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commits_do_not_move, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_move_loses_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(put_back_is_moved_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replaced_file_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(moves_beside_commits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_moves_are_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(hanging_move_holds_up_nobody, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
