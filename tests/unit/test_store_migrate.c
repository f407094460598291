/*
 * Files of earlier versions: each is brought to this one with all of its rows, is copied before,
 * and survives a disk that fails meanwhile.  fixtures/store/vN.sql is such a file as text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "buf.h"
#include "faultvfs.h"
#include "store_read.h"

#include <dirent.h>
#include <stdlib.h>
#include <unistd.h>

#define NOW 1700003700000ll

static char dir[64], db_path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/leakwatch-migrate-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	fault_install();
	return 0;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(dir);
}

/* What a query says of a file, rows by ";"; the caller frees it. */
static char *ask(const char *path, const char *sql)
{
	struct buf out = BUF_INIT;
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	while (sqlite3_step(st) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(st); i++) {
			const char *v = (const char *)sqlite3_column_text(st, i);

			buf_addf(&out, "%s|", v ? v : "NULL");
		}
		buf_addc(&out, ';');
	}
	sqlite3_finalize(st);
	sqlite3_close(db);
	buf_addc(&out, '\0');
	return out.p;
}

static void assert_asked(const char *path, const char *sql, const char *expected)
{
	char *got = ask(path, sql);

	if (strcmp(got, expected) != 0)
		fail_msg("%s: %s: '%s', not '%s'", path, sql, got, expected);
	free(got);
}

/* Makes the file of an earlier version at db_path. */
static void make_old(int version)
{
	char path[64], line[4096], *why = NULL;
	struct buf sql = BUF_INIT;
	sqlite3 *db;
	FILE *f;

	snprintf(path, sizeof(path), "fixtures/store/v%d.sql", version);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s: every earlier version has such a file", path);
	while (fgets(line, sizeof(line), f))
		buf_adds(&sql, line);
	fclose(f);
	assert_int_equal(sqlite3_open(db_path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL", NULL, NULL,
		NULL);
	if (sqlite3_exec(db, sql.p, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", path, why);
	sqlite3_close(db);
	buf_release(&sql);
}

/* Rows that are kept, and how many of these queries a version knows. */
static const char *const kept[] = {
	"SELECT * FROM meta",
	"SELECT * FROM target",
	"SELECT * FROM target_status",
	"SELECT * FROM run",
	"SELECT * FROM class",
	"SELECT * FROM stack",
	"SELECT * FROM class_stack",
	"SELECT * FROM series ORDER BY id",
	"SELECT * FROM scrape ORDER BY id",
	"SELECT * FROM verdict",
	"SELECT series_id, at_ms, hex(record) FROM detector",
	"SELECT * FROM alert",
	"SELECT * FROM alert_event",
	"SELECT * FROM outbox",
	"SELECT * FROM bucket ORDER BY id",
	"SELECT * FROM told",
	"SELECT * FROM silence",
	"SELECT * FROM ack",
};
static const size_t kept_of[STORE_VERSION] = {[1] = ARRAY_LEN(kept) - 4, [2] = ARRAY_LEN(kept)};

static const char schema_sql[] = "SELECT type, name, replace(sql, 'IF NOT EXISTS ', '') FROM "
				 "sqlite_schema WHERE sql IS NOT NULL ORDER BY 1, 2";

static void every_version_is_migrated(void **state)
{
	char *fresh, new_path[96], copy[128], version[16];

	(void)state;
	snprintf(new_path, sizeof(new_path), "%s/new.db", dir);
	for (int v = 1; v < STORE_VERSION; v++) {
		struct store_opened opened;
		char *before[ARRAY_LEN(kept)];
		size_t n = kept_of[v];
		struct store *s;
		struct err err = ERR_INIT;

		make_old(v);
		assert_true(n > 0);
		for (size_t i = 0; i < n; i++) {
			before[i] = ask(db_path, kept[i]);
			assert_string_not_equal(before[i], "");
		}
		if (store_open(db_path, NOW, &s, &opened, &err) != STORE_OPEN_OK)
			fail_msg("version %d: %s", v, err.msg);
		assert_false(opened.created);
		assert_string_equal(opened.set_aside, "");
		snprintf(copy, sizeof(copy), "%s.version-%d", db_path, v);
		assert_string_equal(opened.copied, copy);
		store_close(s);
		snprintf(version, sizeof(version), "%d|;", STORE_VERSION);
		assert_asked(db_path, "PRAGMA user_version", version);
		snprintf(version, sizeof(version), "%d|;", v);
		assert_asked(copy, "PRAGMA user_version", version);
		assert_asked(copy, "PRAGMA integrity_check", "ok|;");
		for (size_t i = 0; i < n; i++) {
			assert_asked(db_path, kept[i], before[i]);
			assert_asked(copy, kept[i], before[i]);
			free(before[i]);
		}
		/* It is the file that a daemon of today makes. */
		if (store_open(new_path, NOW, &s, &opened, NULL) != STORE_OPEN_OK)
			fail_msg("cannot make a new one");
		assert_string_equal(opened.copied, "");
		store_close(s);
		fresh = ask(new_path, schema_sql);
		assert_asked(db_path, schema_sql, fresh);
		free(fresh);
		/* Once is enough. */
		assert_int_equal(store_open(db_path, NOW, &s, &opened, NULL), STORE_OPEN_OK);
		assert_string_equal(opened.copied, "");
		store_close(s);
		unlink(db_path);
	}
}

#define COUNT(name, row)                                                                           \
	static void count_##name(void *arg, const struct row *r)                                   \
	{                                                                                          \
		(void)r;                                                                           \
		++*(int *)arg;                                                                     \
	}
COUNT(target, store_target_view)
COUNT(delivery, store_delivery)
COUNT(told, store_told)
COUNT(silence, store_silence)
COUNT(ack, store_ack)
COUNT(exhibit, store_exhibit)
COUNT(fact, store_fact)

/* A command of today, before the daemon was started anew: what the file cannot have is not there.
 */
static void commands_read_an_older_file(void **state)
{
	struct store *s;
	int n, later;

	(void)state;
	for (int v = 1; v < STORE_VERSION; v++) {
		make_old(v);
		n = later = 0;
		assert_int_equal(store_open_read(db_path, &s, NULL), STORE_OPEN_OK);
		assert_int_equal(store_read_targets(s, count_target, &n, NULL), 0);
		assert_int_equal(store_read_deliveries(s, STR("a1"), count_delivery, &n, NULL), 0);
		assert_int_equal(n, 2);
		assert_int_equal(store_load_told(s, 0, count_told, &later, NULL), 0);
		assert_int_equal(store_load_silences(s, 0, count_silence, &later, NULL), 0);
		assert_int_equal(store_load_acks(s, count_ack, &later, NULL), 0);
		assert_int_equal(later, v < 2 ? 0 : 3);
		later = 0;
		assert_int_equal(store_read_exhibits(s, STR(""), count_exhibit, &later, NULL), 0);
		assert_int_equal(store_read_facts(s, STORE_COST, 0, count_fact, &later, NULL), 0);
		assert_int_equal(later, 0);
		store_close(s);
		unlink(db_path);
	}
}

/* The disk fails at the k-th write, for every k: nothing is lost, and the next start goes on. */
static void disk_full_while_migrating(void **state)
{
	int failed = 0;
	char *before;

	(void)state;
	make_old(1);
	before = ask(db_path, "SELECT * FROM scrape ORDER BY id");
	unlink(db_path);
	for (int k = 0; k < 1000; k++) {
		struct err err = ERR_INIT;
		struct store_opened opened;
		struct store *s = NULL;
		enum store_open r;

		make_old(1);
		fault.fail_after = k;
		fault.write_error = SQLITE_FULL;
		r = store_open(db_path, NOW, &s, &opened, &err);
		fault.write_error = 0;
		if (r != STORE_OPEN_OK) {
			failed++;
			assert_int_equal(r, STORE_OPEN_FAILED);
			assert_string_not_equal(err.msg, "");
			r = store_open(db_path, NOW, &s, &opened, &err);
			if (r != STORE_OPEN_OK)
				fail_msg("after write %d: %s", k, err.msg);
			assert_string_equal(opened.set_aside, "");
		} else {
			k = 1000;
		}
		store_close(s);
		assert_asked(db_path, "PRAGMA integrity_check", "ok|;");
		assert_asked(db_path, "SELECT * FROM scrape ORDER BY id", before);
		unlink(db_path);
	}
	print_message("failed at each of the first %d writes\n", failed);
	assert_true(failed > 10);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_version_is_migrated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(commands_read_an_older_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(disk_full_while_migrating, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
