/* The store: opening, what goes in and comes out, retention, readers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store_read.h"
#include "xalloc.h"

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW 1700000000000ll

struct place {
	char dir[64], db[96];
};

static int set_up(void **state)
{
	struct place *p = xcalloc(1, sizeof(*p));

	strcpy(p->dir, "/tmp/leakwatch-store-XXXXXX");
	if (!mkdtemp(p->dir))
		return -1;
	snprintf(p->db, sizeof(p->db), "%s/test.db", p->dir);
	*state = p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;
	char path[512];
	struct dirent *e;
	DIR *d = opendir(p->dir);

	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", p->dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	rmdir(p->dir);
	free(p);
	return 0;
}

static struct store *must_open(const char *path)
{
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;

	if (store_open(path, NOW, &s, &opened, &err) != STORE_OPEN_OK)
		fail_msg("%s", err.msg);
	return s;
}

static struct store *must_read(const char *path)
{
	struct err err = ERR_INIT;
	struct store *s;

	if (store_open_read(path, &s, &err) != STORE_OPEN_OK)
		fail_msg("%s", err.msg);
	return s;
}

static void must_apply(struct store *s, struct store_batch *b)
{
	struct err err = ERR_INIT;

	if (store_apply(s, &b, 1, 0, &err) < 0)
		fail_msg("%s", err.msg);
	store_batch_free(b);
}

static void put_target(struct store_batch *b, int64_t id, const char *instance)
{
	struct store_target t = {.id = id,
		.job = STR("shop"),
		.instance = str_of(instance),
		.first_seen_ms = NOW,
		.last_seen_ms = NOW};

	store_put_target(b, &t);
}

static void put_series(struct store_batch *b, int64_t id, int64_t target, int64_t class_id,
	enum store_series_kind kind, const char *name)
{
	struct store_class c = {.id = class_id,
		.target_id = target,
		.name = str_of(name),
		.rule = STR("http-client-conn"),
		.definition = -5,
		.first_seen_ms = NOW,
		.last_seen_ms = NOW,
		.hint = STR("close the body")};
	struct store_series s = {.id = id,
		.target_id = target,
		.kind = kind,
		.name = str_of(name),
		.class_id = class_id};

	if (class_id)
		store_put_class(b, &c);
	store_put_series(b, &s);
}

static void add_scrape(
	struct store_batch *b, int64_t target, int64_t at_ms, unsigned got, bool full)
{
	store_add_scrape(b, &(struct store_scrape){
				    .target_id = target, .at_ms = at_ms, .got = got, .full = full});
}

/* One target with a class, a total and a metric, and three scrapes. */
static void fill(struct store *s)
{
	struct store_batch *b = store_batch_new();

	/* The series come before their target: the order in a batch does not matter. */
	put_series(b, 11, 1, 21, STORE_SERIES_CLASS, "http-client-conn");
	put_series(b, 12, 1, 0, STORE_SERIES_TOTAL, "total");
	put_series(b, 13, 1, 0, STORE_SERIES_METRIC, "process_open_fds");
	put_target(b, 1, "10.0.0.1:6060");
	add_scrape(b, 1, NOW, STORE_GOT_GOROUTINES | STORE_GOT_METRICS, true);
	assert_true(store_add_value(b, 11, 5));
	assert_true(store_add_value(b, 12, 20));
	assert_true(store_add_value(b, 13, 7.25));
	add_scrape(b, 1, NOW + 1000, STORE_GOT_GOROUTINES, false); /* /metrics failed */
	assert_true(store_add_value(b, 11, 6));
	add_scrape(b, 1, NOW + 2000, STORE_GOT_GOROUTINES | STORE_GOT_METRICS, false);
	assert_true(store_add_value(b, 13, NAN)); /* the metric is gone */
	must_apply(s, b);
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

/* ---- opening --------------------------------------------------------------- */

static void opens_new_and_again(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;

	assert_int_equal(store_open(p->db, NOW, &s, &opened, &err), STORE_OPEN_OK);
	assert_true(opened.created);
	assert_string_equal(opened.set_aside, "");
	fill(s);
	store_close(s);
	assert_int_equal(store_open(p->db, NOW, &s, &opened, &err), STORE_OPEN_OK);
	assert_false(opened.created);
	store_close(s);
	assert_int_equal(query(p->db, "PRAGMA user_version"), STORE_VERSION);
	assert_int_equal(query(p->db, "PRAGMA application_id"), STORE_APPLICATION_ID);
	assert_int_equal(query(p->db, "SELECT count(*) FROM scrape"), 3);
	/* STRICT everywhere: a number cannot be stored as text. */
	assert_int_equal(
		query(p->db, "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' "
			     "AND type = 'table' AND NOT strict AND name NOT LIKE 'sqlite%'"),
		0);
	assert_int_equal(query(p->db, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

static void second_daemon_is_refused(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db), *other;
	struct err err = ERR_INIT;
	struct store_opened opened;
	char want[64];
	int64_t pid;

	assert_int_equal(store_open(p->db, NOW, &other, &opened, &err), STORE_OPEN_HELD);
	assert_null(other);
	snprintf(want, sizeof(want), "held by another daemon (pid %ld)", (long)getpid());
	assert_non_null(strstr(err.msg, want));
	assert_true(store_is_held(p->db, &pid));
	assert_int_equal(pid, getpid());
	store_close(s);
	assert_false(store_is_held(p->db, &pid));
	store_close(must_open(p->db));
}

static void newer_version_is_refused(void **state)
{
	struct place *p = *state;
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s = must_open(p->db);
	sqlite3 *db;

	fill(s);
	store_close(s);
	assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(store_open(p->db, NOW, &s, &opened, &err), STORE_OPEN_NEWER);
	assert_non_null(strstr(err.msg, "newer leakwatch (store version 99"));
	assert_int_equal(store_open_read(p->db, &s, &err), STORE_OPEN_NEWER);
	assert_int_equal(query(p->db, "SELECT count(*) FROM scrape"), 3); /* untouched */
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fwrite(text, 1, n, f);
	fclose(f);
}

/* A mistyped path: somebody else's file is neither moved nor changed, nor gets a lock beside it. */
static void foreign_files_are_left_alone(void **state)
{
	struct place *p = *state;
	char text[4096] = "global:\n  scrape_interval: 1m\n", lock[128];
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;
	struct stat sb;
	sqlite3 *db;

	snprintf(lock, sizeof(lock), "%s.lock", p->db);
	for (int i = 0; i < 2; i++) { /* twice: the first try must not make the second one bolder */
		write_file(p->db, text, sizeof(text));
		assert_int_equal(store_open(p->db, NOW, &s, &opened, &err), STORE_OPEN_NEWER);
		assert_non_null(strstr(err.msg, "is not a leakwatch store"));
		assert_int_equal(stat(p->db, &sb), 0);
		assert_int_equal(sb.st_size, sizeof(text));
		assert_int_not_equal(access(lock, F_OK), 0);
	}
	unlink(p->db);
	assert_int_equal(sqlite3_open(p->db, &db), SQLITE_OK);
	sqlite3_exec(db, "CREATE TABLE notes(a)", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(store_open(p->db, NOW, &s, &opened, &err), STORE_OPEN_NEWER);
	assert_non_null(strstr(err.msg, "another program"));
	assert_int_equal(query(p->db, "SELECT count(*) FROM notes"), 0);
}

static void corrupt_file_is_set_aside(void **state)
{
	struct place *p = *state;
	static const struct {
		const char *what;
		off_t at;
		size_t n;
	} damages[] = {
		{"first page zeroed", 0, 4096},
		{"a table's root page overwritten", 4096 * 3, 4096},
	};
	char junk[4096], wal[128];
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;
	struct stat sb;

	for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
		int fd;

		s = must_open(p->db);
		fill(s);
		store_close(s);
		memset(junk, i ? 0xa5 : 0, sizeof(junk));
		fd = open(p->db, O_RDWR);
		assert_int_equal(pwrite(fd, junk, damages[i].n, damages[i].at), damages[i].n);
		close(fd);
		snprintf(wal, sizeof(wal), "%s-wal", p->db);
		truncate(wal, 0); /* else its pages hide the damage */
		print_message("%s\n", damages[i].what);
		assert_int_equal(store_open(p->db, NOW + (int64_t)i * 1000, &s, &opened, &err),
			STORE_OPEN_OK);
		assert_true(opened.created);
		assert_string_not_equal(opened.corrupt_why, "");
		assert_non_null(strstr(opened.set_aside, ".corrupt-20231114T22132"));
		assert_int_equal(stat(opened.set_aside, &sb), 0);
		assert_true(sb.st_size > 4096);
		fill(s);
		store_close(s);
		assert_int_equal(query(p->db, "SELECT count(*) FROM scrape"), 3);
	}
}

static void says_why_it_cannot_open(void **state)
{
	struct place *p = *state;
	char path[128];
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;

	snprintf(path, sizeof(path), "%s/none/test.db", p->dir);
	assert_int_equal(store_open(path, NOW, &s, &opened, &err), STORE_OPEN_FAILED);
	assert_non_null(strstr(err.msg, "No such file or directory"));
	assert_int_equal(store_open_read(path, &s, &err), STORE_OPEN_FAILED);
	assert_non_null(strstr(err.msg, "No such file or directory"));
	assert_null(s);
}

/* ---- in and out ------------------------------------------------------------ */

struct seen {
	char text[4096];
};

static void say(struct seen *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void say(struct seen *s, const char *fmt, ...)
{
	size_t n = strlen(s->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text + n, sizeof(s->text) - n, fmt, ap);
	va_end(ap);
}

static void scrape_cb(
	void *arg, const struct store_scrape *s, const struct store_value *v, size_t n)
{
	say(arg, "[%lld %u %d", (long long)(s->at_ms - NOW), s->got, s->full);
	for (size_t i = 0; i < n; i++)
		say(arg, " %lld=%g", (long long)v[i].series_id, v[i].value);
	say(arg, "]");
}

static void value_cb(void *arg, int64_t at_ms, double value)
{
	say(arg, "%lld:%g ", (long long)(at_ms - NOW), value);
}

static void scrapes_carry_values_forward(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_series class = {.id = 11, .target_id = 1, .kind = STORE_SERIES_CLASS};
	struct store_series fds = {.id = 13, .target_id = 1, .kind = STORE_SERIES_METRIC};
	struct seen seen = {""};

	fill(s);
	assert_int_equal(store_load_scrapes(s, 1, NOW + 1500, scrape_cb, &seen, NULL), 0);
	assert_string_equal(
		seen.text, "[0 3 1 11=5 12=20 13=7.25][1000 1 0 11=6][2000 3 0 13=nan]");
	seen.text[0] = '\0';
	assert_int_equal(store_read_values(s, &class, NOW, value_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "0:5 1000:6 2000:6 "); /* unchanged at 2000 */
	seen.text[0] = '\0';
	assert_int_equal(store_read_values(s, &class, NOW + 2000, value_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "2000:6 "); /* carried from before from_ms */
	seen.text[0] = '\0';
	assert_int_equal(store_read_values(s, &fds, NOW, value_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "0:7.25 "); /* missing at 1000, gone at 2000 */
	store_close(s);
}

/* Numbers come back as they went in, to the last bit. */
static void values_round_trip(void **state)
{
	static const double values[] = {0, 1, -1, 0.1, 1e300, 5e-324, 9007199254740991.0, 1e22,
		123456789.123456789, -0.3333333333333333, 4294967296.0, INFINITY};
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_batch *b = store_batch_new();
	struct store_series series = {.target_id = 1, .kind = STORE_SERIES_METRIC};
	double got;

	put_target(b, 1, "a");
	add_scrape(b, 1, NOW, STORE_GOT_METRICS, true);
	for (size_t i = 0; i < ARRAY_LEN(values); i++)
		store_add_value(b, (int64_t)i + 1, values[i]);
	must_apply(s, b);
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		struct seen seen = {""};

		series.id = (int64_t)i + 1;
		assert_int_equal(store_read_values(s, &series, 0, value_cb, &seen, NULL), 0);
		if (!isfinite(values[i])) {
			assert_string_equal(seen.text, "");
			continue;
		}
		assert_true(sscanf(seen.text, "0:%lf", &got) == 1);
	}
	store_close(s);
	for (size_t i = 0; i + 1 < ARRAY_LEN(values); i++) {
		char sql[128];
		sqlite3_stmt *st;
		sqlite3 *db;

		snprintf(sql, sizeof(sql),
			"SELECT value FROM scrape, json_each(changes) WHERE key = '%zu'", i);
		sqlite3_open(p->db, &db);
		sqlite3_prepare_v2(db, sql, -1, &st, NULL);
		assert_int_equal(sqlite3_step(st), SQLITE_ROW);
		assert_true(sqlite3_column_double(st, 0) == values[i]);
		sqlite3_finalize(st);
		sqlite3_close(db);
	}
}

/* The clock is set back by an hour: what came last is the newest, whatever its time says. */
static void clock_set_back_changes_no_order(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_batch *b = store_batch_new();
	struct store_series class = {.id = 11, .target_id = 1, .kind = STORE_SERIES_CLASS};
	struct seen seen = {""};
	bool again;

	put_target(b, 1, "a");
	put_series(b, 11, 1, 21, STORE_SERIES_CLASS, "c");
	add_scrape(b, 1, NOW, STORE_GOT_GOROUTINES, true);
	store_add_value(b, 11, 5);
	add_scrape(b, 1, NOW + 60000, STORE_GOT_GOROUTINES, false);
	store_add_value(b, 11, 6);
	add_scrape(b, 1, NOW - 3500000, STORE_GOT_GOROUTINES, false);
	store_add_value(b, 11, 7);
	add_scrape(b, 1, NOW - 3440000, STORE_GOT_GOROUTINES, true);
	store_add_value(b, 11, 8);
	must_apply(s, b);
	assert_int_equal(store_read_values(s, &class, NOW - 4000000, value_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "0:5 60000:6 -3500000:7 -3440000:8 ");
	assert_int_equal(query(p->db, "SELECT value FROM v_latest"), 8);
	/* Retention that reaches between the two times deletes only what is old by its time too. */
	assert_int_equal(store_prune(s, NOW + 100000, &(struct store_keep){.raw_ms = 3500000}, 100,
				 &again, NULL),
		1);
	seen.text[0] = '\0';
	assert_int_equal(store_read_values(s, &class, NOW - 4000000, value_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "0:5 60000:6 -3440000:8 ");
	store_close(s);
}

static void value_limit_is_told(void **state)
{
	struct store_batch *b = store_batch_new();
	int64_t i;

	(void)state;
	assert_false(store_add_value(b, 1, 1)); /* belongs to no scrape */
	add_scrape(b, 1, NOW, STORE_GOT_METRICS, true);
	for (i = 0; i < STORE_VALUES_MAX; i++)
		assert_true(store_add_value(b, i, 1));
	assert_false(store_add_value(b, i, 1));
	assert_int_equal(store_batch_drop_samples(b), STORE_VALUES_MAX);
	assert_true(store_batch_empty(b));
	store_batch_free(b);
}

static void put_all_kinds(struct store_batch *b)
{
	struct store_status status = {.target_id = 1,
		.at_ms = NOW,
		.up = true,
		.metrics_why = STR("404"),
		.duration_ms = 1.5,
		.bytes = 1000,
		.parsed = 20,
		.lost = 2,
		.down_since_ms = NOW - 5};
	struct store_run run = {.id = 3,
		.target_id = 1,
		.start_ms = NOW - 9,
		.first_seen_ms = NOW,
		.last_seen_ms = NOW,
		.info = STR("go1.26")};
	struct store_stack stack = {.fingerprint = UINT64_MAX - 6, .text = STR("main.f f.go:1\n")};
	struct store_class_stack example = {.class_id = 21,
		.fingerprint = UINT64_MAX - 6,
		.wait = STR("select"),
		.created_by = STR("main.g"),
		.count = 5,
		.last_seen_ms = NOW};
	struct store_verdict verdict = {.series_id = 11,
		.state = STR("leaking"),
		.at_ms = NOW,
		.since_ms = NOW - 60000,
		.since_at_least = true,
		.rate_per_hour = 30.5,
		.low = 29,
		.high = NAN,
		.base = 1,
		.top = 50,
		.lookback_s = 3600,
		.reason = STR("floor rose")};
	struct store_detector detector = {
		.series_id = 11, .at_ms = NOW, .record = STR("\0\1binary\xff\0x")};

	store_put_status(b, &status);
	store_put_run(b, &run);
	store_put_stack(b, &stack);
	store_put_class_stack(b, &example);
	example.created_by = STR(""); /* the next dump does not tell it: what was known stays */
	store_put_class_stack(b, &example);
	store_put_verdict(b, &verdict);
	store_put_detector(b, &detector);
	store_put_meta(b, "colour", STR("blue"));
}

static void put_alert(
	struct store_batch *b, const char *id, const char *alert_state, int64_t change)
{
	struct store_alert a = {.id = str_of(id),
		.key = STR("GoroutineLeak{}"),
		.target_id = 1,
		.name = STR("GoroutineLeak"),
		.state = str_of(alert_state),
		.holds = change == 1,
		.end = STR(""),
		.change = change,
		.raised_ms = NOW - 1000,
		.fired_ms = NOW,
		.resolved_ms = change > 1 ? NOW + change : 0,
		.changed_ms = NOW + change,
		.reason = STR("grows"),
		.labels =
			STR("{\"alertname\":\"GoroutineLeak\",\"job\":\"shop\",\"instance\":\"i\","
			    "\"class\":\"http-client-conn\",\"severity\":\"page\"}"),
		.annotations = STR("{\"summary\":\"leaks\"}")};
	struct store_alert_event e = {.id = change,
		.alert_id = str_of(id),
		.at_ms = NOW + change,
		.change = change,
		.from_state = STR("inactive"),
		.to_state = str_of(alert_state),
		.why = STR("floor rose")};

	store_put_alert(b, &a);
	store_add_alert_event(b, &e);
}

static void put_delivery(struct store_batch *b, int64_t id, const char *outcome)
{
	struct store_delivery d = {.id = id,
		.alert_id = STR("a1"),
		.change = 1,
		.receiver = STR("oncall"),
		.webhook_id = STR("msg_1"),
		.state = str_of(outcome),
		.body = STR("{\"x\":1}"),
		.created_ms = NOW,
		.next_ms = NOW,
		.attempts = id,
		.why = STR("503")};

	store_put_delivery(b, &d);
}

static void target_cb(void *arg, const struct store_target *t)
{
	say(arg, "%lld %.*s/%.*s %.*s;", (long long)t->id, STR_ARG(t->job), STR_ARG(t->instance),
		STR_ARG(t->labels));
}

static void run_cb(void *arg, const struct store_run *r)
{
	say(arg, "run %lld %lld %.*s;", (long long)r->id, (long long)(r->start_ms - NOW),
		STR_ARG(r->info));
}

static void class_cb(void *arg, const struct store_class *c)
{
	say(arg, "class %lld %.*s %.*s %lld %.*s;", (long long)c->id, STR_ARG(c->name),
		STR_ARG(c->rule), (long long)c->definition, STR_ARG(c->hint));
}

static void series_cb(void *arg, const struct store_series *e)
{
	say(arg, "series %lld %s %.*s %lld;", (long long)e->id, store_series_kind_name(e->kind),
		STR_ARG(e->name), (long long)e->class_id);
}

static void verdict_cb(void *arg, const struct store_verdict *v)
{
	say(arg, "verdict %lld %.*s %lld %d %g %g %g %.*s;", (long long)v->series_id,
		STR_ARG(v->state), (long long)(v->since_ms - NOW), v->since_at_least,
		v->rate_per_hour, v->low, v->high, STR_ARG(v->reason));
}

static void detector_cb(void *arg, const struct store_detector *d)
{
	struct str want = STR("\0\1binary\xff\0x");

	say(arg, "detector %lld %d;", (long long)d->series_id, str_eq(d->record, want));
}

static void meta_cb(void *arg, struct str key, struct str value)
{
	say(arg, "%.*s %.*s;", STR_ARG(key), STR_ARG(value));
}

static void alert_cb(void *arg, const struct store_alert *a)
{
	say(arg, "alert %.*s %.*s %d %lld %lld;", STR_ARG(a->id), STR_ARG(a->state), a->holds,
		(long long)a->change, a->resolved_ms ? (long long)(a->resolved_ms - NOW) : -1);
}

static void delivery_cb(void *arg, const struct store_delivery *d)
{
	say(arg, "delivery %lld %.*s %.*s %lld;", (long long)d->id, STR_ARG(d->state),
		STR_ARG(d->body), (long long)d->attempts);
}

static void event_cb(void *arg, const struct store_alert_event *e)
{
	say(arg, "event %lld %.*s;", (long long)e->id, STR_ARG(e->to_state));
}

static void everything_comes_back(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_batch *b = store_batch_new();
	struct store_maxima max;
	struct seen seen = {""};
	struct buf value = BUF_INIT;

	fill(s);
	assert_true(store_batch_empty(b));
	put_all_kinds(b);
	assert_false(store_batch_durable(b));
	put_alert(b, "a1", "firing", 1);
	put_alert(b, "a0", "resolved", 2);
	put_delivery(b, 7, "owed");
	put_delivery(b, 8, "owed");
	put_delivery(b, 8, "delivered");
	assert_true(store_batch_durable(b));
	must_apply(s, b);
	store_close(s);

	s = must_open(p->db);
	assert_int_equal(store_load_maxima(s, &max, NULL), 0);
	assert_int_equal(max.target_id, 1);
	assert_int_equal(max.run_id, 3);
	assert_int_equal(max.class_id, 21);
	assert_int_equal(max.series_id, 13);
	assert_int_equal(max.event_id, 2);
	assert_int_equal(max.delivery_id, 8);
	store_load_targets(s, target_cb, &seen, NULL);
	store_load_runs(s, run_cb, &seen, NULL);
	store_load_classes(s, class_cb, &seen, NULL);
	store_load_series(s, series_cb, &seen, NULL);
	store_load_verdicts(s, verdict_cb, &seen, NULL);
	store_load_detectors(s, detector_cb, &seen, NULL);
	store_load_alerts(s, NOW + 3, alert_cb, &seen, NULL); /* a0 was resolved before */
	store_load_owed(s, delivery_cb, &seen, NULL);
	store_read_events(s, STR("a1"), event_cb, &seen, NULL);
	store_read_deliveries(s, STR("a1"), delivery_cb, &seen, NULL);
	assert_string_equal(seen.text,
		"1 shop/10.0.0.1:6060 {};run 3 -9 go1.26;"
		"class 21 http-client-conn http-client-conn -5 close the body;"
		"series 11 class http-client-conn 21;series 12 total total 0;"
		"series 13 metric process_open_fds 0;"
		"verdict 11 leaking -60000 1 30.5 29 nan floor rose;detector 11 1;"
		"alert a1 firing 1 1 -1;delivery 7 owed {\"x\":1} 7;event 1 firing;"
		"delivery 7 owed {\"x\":1} 7;delivery 8 delivered  8;");
	seen.text[0] = '\0';
	store_load_alerts(s, 0, alert_cb, &seen, NULL);
	assert_non_null(strstr(seen.text, "alert a0 resolved 0 2 2;"));
	assert_int_equal(store_load_meta(s, "colour", &value, NULL), 0);
	assert_string_equal(value.p, "blue");
	assert_int_equal(store_load_meta(s, "shape", &value, NULL), 0);
	assert_string_equal(value.p, "blue");
	seen.text[0] = '\0';
	assert_int_equal(store_load_metas(s, "col", meta_cb, &seen, NULL), 0);
	assert_int_equal(store_load_metas(s, "colourful", meta_cb, &seen, NULL), 0);
	assert_int_equal(store_load_metas(s, "%", meta_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "colour blue;");
	buf_release(&value);
	store_close(s);
}

static void target_view_cb(void *arg, const struct store_target_view *v)
{
	say(arg,
		"%.*s up=%d %g goroutines %lld classes, worst %.*s %.*s %g, %lld firing, run %lld;",
		STR_ARG(v->target.instance), v->status.up, v->goroutines, (long long)v->classes,
		STR_ARG(v->worst_state), STR_ARG(v->worst_name), v->worst_rate_per_hour,
		(long long)v->firing, (long long)(v->run_start_ms - NOW));
}

static void series_view_cb(void *arg, const struct store_series_view *v)
{
	say(arg, "%.*s=%g %.*s [%.*s|%.*s|%.*s];", STR_ARG(v->series.name), v->value,
		STR_ARG(v->verdict.state), STR_ARG(v->wait), STR_ARG(v->created_by),
		STR_ARG(v->stack));
}

static void commands_read_while_it_is_written(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db), *r;
	struct store_batch *b = store_batch_new();
	struct seen seen = {""};

	fill(s);
	put_all_kinds(b);
	put_alert(b, "a1", "firing", 1);
	must_apply(s, b);
	r = must_read(p->db);
	b = store_batch_new(); /* after the reader's snapshot: it does not see this */
	add_scrape(b, 1, NOW + 3000, STORE_GOT_GOROUTINES, false);
	store_add_value(b, 12, 99);
	must_apply(s, b);
	assert_int_equal(store_read_targets(r, target_view_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "10.0.0.1:6060 up=1 20 goroutines 1 classes, worst leaking "
				       "http-client-conn 30.5, 1 firing, run -9;");
	seen.text[0] = '\0';
	assert_int_equal(store_read_series(r, 1, series_view_cb, &seen, NULL), 0);
	assert_string_equal(seen.text, "http-client-conn=6 leaking [select|main.g|main.f f.go:1\n];"
				       "total=20 ok [||];process_open_fds=nan ok [||];");
	store_close(r);
	store_close(s);
	r = must_read(p->db); /* and after the daemon has stopped */
	seen.text[0] = '\0';
	assert_int_equal(store_read_targets(r, target_view_cb, &seen, NULL), 0);
	assert_non_null(strstr(seen.text, " 99 goroutines"));
	store_close(r);
}

/* A user who may read the files and nothing else: after a clean stop, and while it is written. */
static void another_user_reads(void **state)
{
	struct place *p = *state;
	struct store *s;

	if (geteuid() != 0)
		skip(); /* only root can become somebody else */
	for (int running = 0; running < 2; running++) {
		int status;
		pid_t pid;

		s = must_open(p->db);
		if (!running) {
			fill(s);
			store_close(s);
		}
		chmod(p->dir, 0755);
		pid = fork();
		if (pid == 0) {
			struct seen seen = {""};
			struct store *r;

			if (setgid(65534) != 0 || setuid(65534) != 0)
				_exit(2);
			if (store_open_read(p->db, &r, NULL) != STORE_OPEN_OK)
				_exit(3);
			if (store_read_targets(r, target_view_cb, &seen, NULL) != 0)
				_exit(4);
			_exit(strstr(seen.text, " 20 goroutines") ? 0 : 5);
		}
		waitpid(pid, &status, 0);
		assert_int_equal(status, 0);
		if (running)
			store_close(s);
	}
}

/* A batch with an error in it changes nothing; what refers to nothing can be saved from it. */
static void refused_batch_changes_nothing(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_batch *b = store_batch_new();
	struct err err = ERR_INIT;

	put_alert(b, "a1", "firing", 1);
	add_scrape(b, 77, NOW, STORE_GOT_GOROUTINES, true); /* no such target */
	assert_int_equal(store_apply(s, &b, 1, 0, &err), -1);
	assert_non_null(strstr(err.msg, "FOREIGN KEY"));
	assert_false(store_should_retry(s));
	assert_int_equal(query(p->db, "SELECT count(*) FROM alert"), 0);
	assert_int_equal(store_batch_keep_durable(b), 1);
	assert_int_equal(store_apply(s, &b, 1, 0, &err), 0);
	assert_int_equal(query(p->db, "SELECT count(*) FROM alert"), 1);
	store_batch_free(b);
	store_close(s);
}

/* ---- retention ------------------------------------------------------------- */

static void old_samples_go(void **state)
{
	struct place *p = *state;
	struct store *s = must_open(p->db);
	struct store_batch *b = store_batch_new();
	struct store_series series = {.id = 11, .target_id = 1, .kind = STORE_SERIES_CLASS};
	struct store_class ended = {.id = 30,
		.target_id = 1,
		.name = STR("old"),
		.first_seen_ms = 1,
		.last_seen_ms = 1,
		.ended_ms = NOW};
	struct store_target gone = {
		.id = 3, .job = STR("j"), .instance = STR("gone"), .gone_ms = NOW};
	struct seen seen = {""};
	int64_t n, total = 0;
	bool again;
	int calls = 0;

	put_series(b, 11, 1, 21, STORE_SERIES_CLASS, "c");
	put_target(b, 1, "a");
	put_target(b, 2, "b");
	store_put_target(b, &gone);
	put_series(b, 14, 3, 23, STORE_SERIES_CLASS, "of a target that is gone");
	store_put_class(b, &ended);
	for (int i = 0; i < 100; i++) {
		add_scrape(b, 1, NOW + i * 1000, STORE_GOT_GOROUTINES, i % 10 == 0);
		if (i % 10 == 0)
			store_add_value(b, 11, i);
		/* The other target's clock once stood a year ahead: its old rows go all the same.
		 */
		add_scrape(b, 2, i == 0 ? NOW + 31536000000 : NOW + i * 1000, STORE_GOT_GOROUTINES,
			i % 10 == 1);
	}
	must_apply(s, b);
	do {
		n = store_prune(s, NOW + 155000, &(struct store_keep){.raw_ms = 100000}, 16, &again,
			NULL); /* before 55 s */
		assert_true(n >= 0);
		total += n;
		calls++;
	} while (again);
	/* Of the first those before the full one at 50 s, of the second before that at 51 s; two
	 * classes, a target. */
	assert_int_equal(total, 50 + 51 + 3);
	assert_true(calls >= 7);
	assert_int_equal(
		query(p->db, "SELECT min(at_ms) FROM scrape WHERE target_id = 1"), NOW + 50000);
	assert_int_equal(query(p->db, "SELECT count(*) FROM class WHERE name = 'old'"), 0);
	assert_int_equal(query(p->db, "SELECT count(*) FROM series WHERE id = 14"), 0);
	store_read_values(s, &series, NOW + 98000, value_cb, &seen, NULL);
	assert_string_equal(seen.text, "98000:90 99000:90 ");
	store_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_new_and_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(second_daemon_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(newer_version_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(foreign_files_are_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(corrupt_file_is_set_aside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(says_why_it_cannot_open, set_up, tear_down),
		cmocka_unit_test_setup_teardown(scrapes_carry_values_forward, set_up, tear_down),
		cmocka_unit_test_setup_teardown(values_round_trip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(clock_set_back_changes_no_order, set_up, tear_down),
		cmocka_unit_test(value_limit_is_told),
		cmocka_unit_test_setup_teardown(everything_comes_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			commands_read_while_it_is_written, set_up, tear_down),
		cmocka_unit_test_setup_teardown(another_user_reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_batch_changes_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_samples_go, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
