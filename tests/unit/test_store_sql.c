/* leakwatch-sql(7) tells the truth: its tables and columns are those of the file, its queries run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "buf.h"
#include "store.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PAGE "man/leakwatch-sql.7"

static char dir[64], db_path[96];
static struct buf page;
static sqlite3 *db;

static void fill(struct store *s)
{
	int64_t now = (int64_t)time(NULL) * 1000;
	struct store_batch *b = store_batch_new();
	struct store_target t = {.id = 1,
		.job = STR("checkout"),
		.instance = STR("10.0.0.1:6060"),
		.first_seen_ms = now,
		.last_seen_ms = now};
	struct store_class c = {.id = 1,
		.target_id = 1,
		.name = STR("pool"),
		.first_seen_ms = now,
		.last_seen_ms = now};
	struct store_series class = {.id = 7,
		.target_id = 1,
		.kind = STORE_SERIES_CLASS,
		.name = STR("pool"),
		.class_id = 1};
	struct store_series total = {
		.id = 8, .target_id = 1, .kind = STORE_SERIES_TOTAL, .name = STR("total")};
	struct store_stack stack = {.fingerprint = 9, .text = STR("main.work w.go:1\n")};
	struct store_class_stack example = {.class_id = 1,
		.fingerprint = 9,
		.wait = STR("select"),
		.created_by = STR("main.start")};
	struct store_verdict v = {.series_id = 7,
		.state = STR("leaking"),
		.at_ms = now,
		.since_ms = now - 3600000,
		.rate_per_hour = 12.345,
		.low = 11,
		.high = 13};
	struct store_alert a = {.id = STR("a1"),
		.name = STR("GoroutineLeak"),
		.state = STR("firing"),
		.fired_ms = now,
		.changed_ms = now,
		.labels = STR("{\"job\":\"checkout\",\"instance\":\"i\",\"class\":\"pool\"}")};
	struct store_delivery d = {.id = 1,
		.alert_id = STR("a1"),
		.receiver = STR("oncall"),
		.state = STR("delivered"),
		.created_ms = now - 2500,
		.done_ms = now};

	store_put_target(b, &t);
	store_put_class(b, &c);
	store_put_series(b, &class);
	store_put_series(b, &total);
	store_put_stack(b, &stack);
	store_put_class_stack(b, &example);
	store_put_verdict(b, &v);
	store_put_alert(b, &a);
	store_put_delivery(b, &d);
	store_put_meta(b, "releases shop",
		STR("{\"versions\":[{\"version\":\"v1\",\"seen_s\":7200,\"leaks\":[]}]}"));
	store_add_told(b, &(struct store_told){.outbox_id = d.id,
				  .alert_id = d.alert_id,
				  .receiver = STR("oncall"),
				  .state = STR("firing"),
				  .at_ms = now});
	for (int i = 0; i < 3; i++) {
		struct store_scrape scrape = {
			.target_id = 1, .at_ms = now - (3 - i) * 60000, .got = 1, .full = i != 1};

		store_add_scrape(b, &scrape);
		store_add_value(b, 7, 10 + i);
		if (scrape.full)
			store_add_value(b, 8, 20 + i);
	}
	assert_int_equal(store_apply(s, &b, 1, 0, NULL), 0);
	store_batch_free(b);
}

static int set_up(void **state)
{
	struct store_opened opened;
	struct store *s;
	char line[4096];
	FILE *f = fopen(PAGE, "r");

	(void)state;
	buf_init(&page);
	while (f && fgets(line, sizeof(line), f))
		buf_adds(&page, line);
	if (f)
		fclose(f);
	strcpy(dir, "/tmp/leakwatch-sql-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	if (store_open(db_path, 0, &s, &opened, NULL) != STORE_OPEN_OK)
		return -1;
	fill(s);
	store_close(s);
	return sqlite3_open_v2(db_path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	sqlite3_close(db);
	buf_release(&page);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(dir);
}

/* The part of the page between ".Ss name" and the next section. */
static struct str section(struct str name)
{
	struct str rest = buf_str(&page), line, body = STR("");
	struct buf head = BUF_INIT;
	bool inside = false;

	buf_addf(&head, ".Ss %.*s", STR_ARG(name));
	while (str_line(&rest, &line)) {
		if (str_starts(line, STR(".S"))) {
			if (inside)
				break;
			inside = str_eq(line, buf_str(&head));
			body = str_n(rest.p, 0);
		} else if (inside) {
			body.len = (size_t)(line.p + line.len - body.p);
		}
	}
	buf_release(&head);
	return inside ? body : STR("");
}

/* Whether a line ".It Va a , b" of the section names the column. */
static bool tells_column(struct str body, struct str column)
{
	struct str line, word;

	while (str_line(&body, &line)) {
		if (!str_starts(line, STR(".It Va ")))
			continue;
		line = str_from(line, 7);
		while (line.len) {
			ptrdiff_t end = str_chr(line, ' ');

			word = end < 0 ? line : str_sub(line, 0, (size_t)end);
			if (str_eq(word, column))
				return true;
			line = end < 0 ? STR("") : str_from(line, (size_t)end + 1);
		}
	}
	return false;
}

static struct str text(sqlite3_stmt *st, int i)
{
	return str_of((const char *)sqlite3_column_text(st, i));
}

static void page_has_every_column(void **state)
{
	sqlite3_stmt *st;
	int n = 0;

	(void)state;
	assert_true(page.len > 0);
	assert_int_equal(sqlite3_prepare_v2(db,
				 "SELECT m.name, c.name FROM sqlite_schema m, "
				 "pragma_table_info(m.name) c WHERE m.type IN ('table', 'view')",
				 -1, &st, NULL),
		SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW) {
		n++;
		if (!tells_column(section(text(st, 0)), text(st, 1)))
			fail_msg("%s does not tell of %s.%s", PAGE, text(st, 0).p, text(st, 1).p);
	}
	sqlite3_finalize(st);
	assert_true(n > 100);
}

static bool has_column(struct str table, struct str column)
{
	sqlite3_stmt *st;
	bool found;

	sqlite3_prepare_v2(
		db, "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2", -1, &st, NULL);
	sqlite3_bind_text(st, 1, table.p, (int)table.len, SQLITE_STATIC);
	sqlite3_bind_text(st, 2, column.p, (int)column.len, SQLITE_STATIC);
	found = sqlite3_step(st) == SQLITE_ROW;
	sqlite3_finalize(st);
	return found;
}

static void page_has_no_other_column(void **state)
{
	struct str rest = buf_str(&page), line, table = STR(""), word;

	(void)state;
	while (str_line(&rest, &line)) {
		if (str_starts(line, STR(".Ss ")))
			table = str_from(line, 4);
		if (!str_starts(line, STR(".It Va ")))
			continue;
		line = str_from(line, 7);
		while (line.len) {
			ptrdiff_t end = str_chr(line, ' ');

			word = end < 0 ? line : str_sub(line, 0, (size_t)end);
			line = end < 0 ? STR("") : str_from(line, (size_t)end + 1);
			if (!str_is(word, ",") && !has_column(table, word))
				fail_msg("there is no column %.*s.%.*s", STR_ARG(table),
					STR_ARG(word));
		}
	}
}

/* Each of them runs as it stands in the page and finds something. */
static void queries_of_the_page_run(void **state)
{
	struct str rest = buf_str(&page), line;
	struct buf sql = BUF_INIT;
	bool inside = false;
	sqlite3_stmt *st;
	int n = 0;

	(void)state;
	while (str_line(&rest, &line)) {
		if (str_starts(line, STR(".Bd"))) {
			inside = true;
			buf_reset(&sql);
		} else if (inside && str_starts(line, STR(".Ed"))) {
			inside = false;
			if (!str_starts(buf_str(&sql), STR("SELECT")) &&
				!str_starts(buf_str(&sql), STR("WITH")))
				continue;
			if (sqlite3_prepare_v2(db, sql.p, -1, &st, NULL) != SQLITE_OK)
				fail_msg("%s\n%s", sqlite3_errmsg(db), sql.p);
			if (sqlite3_step(st) != SQLITE_ROW)
				fail_msg("finds nothing: %s", sql.p);
			sqlite3_finalize(st);
			n++;
		} else if (inside) {
			buf_addf(&sql, "%.*s\n", STR_ARG(line));
		}
	}
	assert_int_equal(n, 6);
	buf_release(&sql);
}

static void views_say_what_is_there(void **state)
{
	static const struct {
		const char *sql, *expected;
	} rows[] = {
		{"SELECT group_concat(name || '=' || value, ' ') FROM v_latest",
			"pool=12 total=22"},
		{"SELECT group_concat(value, ' ') FROM v_sample WHERE name = 'pool'", "10 11 12"},
		{"SELECT state || ' ' || name || ' ' || rate_per_hour FROM v_growth",
			"leaking pool 12.35"},
		{"SELECT state || ' ' || target || ' ' || class FROM v_alerts",
			"firing checkout/i pool"},
	};
	sqlite3_stmt *st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(sqlite3_prepare_v2(db, rows[i].sql, -1, &st, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		assert_string_equal((const char *)sqlite3_column_text(st, 0), rows[i].expected);
		sqlite3_finalize(st);
	}
}

/* None of them reads all scrapes to find the newest, or all of other targets. */
static void views_use_the_indexes(void **state)
{
	static const char *const queries[] = {"EXPLAIN QUERY PLAN SELECT * FROM v_latest",
		"EXPLAIN QUERY PLAN SELECT * FROM v_sample WHERE target = 'x' AND name = 'y'"};
	sqlite3_stmt *st;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		assert_int_equal(sqlite3_prepare_v2(db, queries[i], -1, &st, NULL), SQLITE_OK);
		while (sqlite3_step(st) == SQLITE_ROW) {
			if (str_starts(text(st, 3), STR("SCAN s")) ||
				str_find(text(st, 3), STR("AUTOMATIC")) >= 0)
				fail_msg("%s: %s", queries[i], text(st, 3).p);
		}
		sqlite3_finalize(st);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_has_every_column),
		cmocka_unit_test(page_has_no_other_column),
		cmocka_unit_test(queries_of_the_page_run),
		cmocka_unit_test(views_say_what_is_there),
		cmocka_unit_test(views_use_the_indexes),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
