/* leakwatch import and backup: a history in, a copy out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cmd.h"
#include "cmd_backtest.h"
#include "config.h"
#include "series.h"
#include "store_read.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BEGIN 1700000000
#define HOURS 12

static char dir[64], db_path[96], text_path[96], copy_path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/leakwatch-import-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	snprintf(text_path, sizeof(text_path), "%s/history.txt", dir);
	snprintf(copy_path, sizeof(copy_path), "%s/copy.db", dir);
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

/* A service of which one class leaks 60 an hour; restarted after an hour. */
static void write_history(void)
{
	FILE *f = fopen(text_path, "w");

	assert_non_null(f);
	for (int m = 0; m < HOURS * 60; m++) {
		fprintf(f, "process_start_time_seconds{job=\"shop\",instance=\"a:1\"} %d %d\n",
			m < 60 ? BEGIN - 100 : BEGIN + 3590, BEGIN + m * 60);
	}
	for (int m = 0; m < HOURS * 60; m++)
		fprintf(f, "go_goroutines{job=\"shop\",instance=\"a:1\"} %d %d\n",
			30 + (m < 60 ? m : m - 60), BEGIN + m * 60);
	for (int m = 0; m < HOURS * 60; m++)
		fprintf(f, "leakwatch_goroutines{target=\"shop/a:1\",class=\"main.work\"} %d %d\n",
			20 + (m < 60 ? m : m - 60), BEGIN + m * 60);
	for (int m = 0; m < HOURS * 60; m++)
		fprintf(f, "process_open_fds{job=\"shop\",instance=\"a:1\"} 9 %d\n",
			BEGIN + m * 60);
	fprintf(f, "go_goroutines{job=\"lonely\"} 5 %d\n", BEGIN);
	fclose(f);
}

static int run(int (*command)(int, char **), const char *a, const char *b, const char *c)
{
	char *argv[] = {(char[]){"leakwatch x"}, (char *)a, (char *)b, (char *)c, NULL};
	int out = dup(STDOUT_FILENO), err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);
	int argc = 1, code;

	while (argv[argc])
		argc++;
	fflush(stdout);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	optind = 0;
	code = command(argc, argv);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	close(out);
	close(err);
	close(null);
	return code;
}

static int64_t query(const char *path, const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void record_cb(void *arg, const struct store_detector *r)
{
	struct config *config = config_default();
	struct series *series = series_new(SERIES_CLASS, STR("main.work"), &config->detect);
	struct err err = ERR_INIT;

	if (r->series_id == *(int64_t *)arg) {
		if (detect_load(series->detect, r->record, &err))
			fail_msg("%s", err.msg);
		series_refresh(series);
		assert_int_equal(series->verdict.state, VERDICT_LEAKING);
		*(int64_t *)arg = -r->at_ms;
	}
	series_free(series);
	config_free(config);
}

static void history_becomes_a_store(void **state)
{
	static const struct {
		const char *sql;
		int64_t expected;
	} rows[] = {
		{"SELECT count(*) FROM target WHERE job = 'shop' AND instance = 'a:1'", 1},
		{"SELECT count(*) FROM target", 1},
		{"SELECT count(*) FROM scrape", HOURS * 60},
		{"SELECT value FROM v_latest WHERE kind = 'total'", 30 + HOURS * 60 - 61},
		{"SELECT value FROM v_latest WHERE name = 'process_open_fds'", 9},
		{"SELECT count(*) FROM v_growth WHERE state = 'leaking' AND name = 'main.work'", 1},
		/* It began with the process that leaks, not with the one before. */
		{"SELECT since_ms / 1000 BETWEEN 1700003500 AND 1700004500 FROM verdict v JOIN "
		 "series e ON e.id = v.series_id WHERE e.name = 'main.work'",
			1},
		{"SELECT start_ms / 1000 FROM run", BEGIN + 3590},
		{"SELECT first_seen_ms / 1000 FROM target", BEGIN},
	};
	struct store *s;
	int64_t id;

	(void)state;
	write_history();
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_OK);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (query(db_path, rows[i].sql) != rows[i].expected)
			fail_msg("%s: %lld", rows[i].sql, (long long)query(db_path, rows[i].sql));
	}
	/* The daemon's detector takes the record as its own. */
	id = query(db_path, "SELECT id FROM series WHERE name = 'main.work'");
	assert_int_equal(store_open_read(db_path, &s, NULL), STORE_OPEN_OK);
	assert_int_equal(store_load_detectors(s, record_cb, &id, NULL), 0);
	assert_int_equal(-id / 1000, BEGIN + HOURS * 3600 - 60);
	store_close(s);
	/* Once is enough. */
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_FAILED);
	assert_int_equal(query(db_path, "SELECT count(*) FROM scrape"), HOURS * 60);
}

/* What Prometheus has of a service, as promtool and its API give it; recorded from 2.42. */
#define DUMPED                                                                                     \
	"{__name__=\"go_goroutines\", instance=\"127.0.0.1:19191\", job=\"self\"} 30 "             \
	"1795917514971\n"                                                                          \
	"{__name__=\"go_goroutines\", instance=\"127.0.0.1:19191\", job=\"self\"} 31 "             \
	"1795917522971\n"                                                                          \
	"{__name__=\"process_resident_memory_bytes\", instance=\"127.0.0.1:19191\", "              \
	"job=\"self\"} "                                                                           \
	"4.5121536e+07 1795917514971\n"                                                            \
	"{__name__=\"process_start_time_seconds\", instance=\"127.0.0.1:19191\", job=\"self\"} "   \
	"1.79591750579e+09 1795917514971\n"

static void put_text(const char *text)
{
	FILE *f = fopen(text_path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void a_dump_of_prometheus_is_a_history(void **state)
{
	(void)state;
	put_text(DUMPED);
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_OK);
	assert_int_equal(query(db_path, "SELECT count(*) FROM target WHERE job = 'self' AND "
					"instance = '127.0.0.1:19191'"),
		1);
	assert_int_equal(
		query(db_path, "SELECT max(at_ms) FROM scrape WHERE got & 1"), 1795917522971);
	assert_int_equal(query(db_path, "SELECT value FROM v_latest WHERE kind = 'total'"), 31);
	assert_int_equal(query(db_path, "SELECT start_ms FROM run"), 1795917505790);
}

/* What is no history is refused with what was received and what would be right; no store is made.
 */
static void what_is_no_history_is_named(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		/* /federate: milliseconds, and one moment */
		{"# TYPE go_goroutines untyped\ngo_goroutines{instance=\"a:1\",job=\"self\"} 30 "
		 "1795917519971\n",
			"/federate"},
		/* /metrics: no times */
		{"go_goroutines 30\n", "no timestamps, as /metrics serves them"},
		/* /api/v1/query_range */
		{"{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\",\"result\":[{"
		 "\"metric\":"
		 "{\"__name__\":\"go_goroutines\",\"job\":\"self\"},\"values\":[[1795917512,\"30\"]"
		 "]}]}}",
			"Prometheus's HTTP API (JSON)"},
		/* of another program */
		{"up{job=\"a\"} 1 1700000000\n", "none of go_goroutines"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct detect_params params = DETECT_PARAMS_DEFAULT;
		struct backtest *b = backtest_new(&params);
		struct err err = ERR_INIT;

		put_text(rows[i].text);
		assert_int_equal(backtest_read_history(text_path, b, &err), CMD_DATA);
		if (!strstr(err.msg, rows[i].says) ||
			(i < 3 && !strstr(err.msg, "promtool tsdb dump")))
			fail_msg("row %zu: %s", i, err.msg);
		backtest_free(b);
		assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_DATA);
		assert_int_equal(access(db_path, F_OK), -1);
	}
}

static void import_says_why_not(void **state)
{
	struct store_opened opened;
	struct store *s;
	FILE *f;

	(void)state;
	write_history();
	assert_int_equal(store_open(db_path, 0, &s, &opened, NULL), STORE_OPEN_OK);
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_HELD);
	store_close(s);
	assert_int_equal(run(cmd_import, "--db", db_path, "/nonexistent"), CMD_IO);
	f = fopen(text_path, "w");
	fputs("go_info 1\n", f);
	fclose(f);
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_DATA);
	assert_int_equal(run(cmd_import, NULL, NULL, NULL), CMD_USAGE);
}

static void backup_is_a_store(void **state)
{
	struct store_opened opened;
	struct store *s;

	(void)state;
	write_history();
	assert_int_equal(run(cmd_import, "--db", db_path, text_path), CMD_OK);
	assert_int_equal(store_open(db_path, 0, &s, &opened, NULL), STORE_OPEN_OK); /* a daemon */
	assert_int_equal(run(cmd_backup, "--db", db_path, copy_path), CMD_OK);
	assert_int_equal(run(cmd_backup, "--db", db_path, copy_path), CMD_IO); /* is there */
	assert_int_equal(run(cmd_backup, "--db", "/nonexistent", "/tmp/never"), CMD_IO);
	assert_int_equal(run(cmd_backup, NULL, NULL, NULL), CMD_USAGE);
	store_close(s);
	assert_int_equal(query(copy_path, "SELECT count(*) FROM scrape"), HOURS * 60);
	assert_int_equal(query(copy_path, "SELECT count(*) FROM pragma_integrity_check WHERE "
					  "integrity_check = 'ok'"),
		1);
	assert_int_equal(store_open(copy_path, 0, &s, &opened, NULL), STORE_OPEN_OK);
	assert_false(opened.created);
	assert_string_equal(opened.set_aside, "");
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(history_becomes_a_store, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_dump_of_prometheus_is_a_history, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_no_history_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(import_says_why_not, set_up, tear_down),
		cmocka_unit_test_setup_teardown(backup_is_a_store, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
