/*
 * The file's keeper: what it does when the file is too large, the disk full, the file gone,
 * exchanged or damaged under the daemon.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "faultvfs.h"
#include "store_space.h"
#include "store_wal.h"
#include "writer.h"
#include "writer_house.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define HOUR 3600000ll

static char dir[64], db_path[96];
static struct store *store;
static struct house house;

static int set_up(void **state)
{
	struct store_opened opened;

	(void)state;
	strcpy(dir, "/tmp/leakwatch-house-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	fault_install();
	if (store_open(db_path, clock_wall_ms(), &store, &opened, NULL) != STORE_OPEN_OK)
		return -1;
	house_init(&house, store);
	return 0;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	store_close(store);
	store = NULL;
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

static struct store_batch *alert_batch(int64_t n)
{
	struct store_batch *b = store_batch_new();
	struct store_alert_event e = {.id = n, .alert_id = STR("a1"), .change = n};

	store_add_alert_event(b, &e);
	return b;
}

static void apply(struct store_batch *b)
{
	struct err err = ERR_INIT;

	if (store_apply(store, &b, 1, 0, &err) < 0)
		fail_msg("%s", err.msg);
	store_batch_free(b);
}

/* Scrapes of the last hours, a minute apart, each with 200 values that all change. */
static void fill(int hours)
{
	int64_t now = clock_wall_ms();
	struct store_target t = {.id = 1, .job = STR("j"), .instance = STR("i")};
	struct store_batch *b = store_batch_new();
	int scrapes = hours * 60;

	store_put_target(b, &t);
	for (int i = 0; i < 200; i++) {
		struct store_series s = {
			.id = 1000 + i, .target_id = 1, .kind = STORE_SERIES_METRIC};

		store_put_series(b, &s);
	}
	for (int n = 0; n < scrapes; n++) {
		struct store_scrape scrape = {.target_id = 1,
			.at_ms = now - (scrapes - n) * 60000ll,
			.got = 3,
			.full = n % 32 == 0};

		store_add_scrape(b, &scrape);
		for (int i = 0; i < 200; i++)
			store_add_value(b, 1000 + i, 10000 + n * 7 % 1000 + i);
	}
	apply(b);
}

static void too_large_a_file_keeps_less(void **state)
{
	struct store_space before, after;
	int64_t oldest;
	int rounds = 0;

	(void)state;
	fill(48);
	assert_int_equal(store_space(store, &before, NULL), 0);
	house.keep = (struct store_keep){
		.raw_ms = 48 * HOUR, .m5_ms = 100 * HOUR, .h1_ms = 200 * HOUR, .fold = true};
	house.max_size = before.used_bytes / 2;
	while ((house_keep(&house, clock_wall_ms()) || house.used_bytes > house.max_size) &&
		rounds < 20000)
		rounds++;
	assert_true(rounds < 20000);
	assert_true(house.room); /* an eighth over is borne */
	assert_string_equal(house.why, "");
	store_cut_wal(store);
	assert_int_equal(store_space(store, &after, NULL), 0);
	assert_true(after.used_bytes <= house.max_size);
	assert_true(after.file_bytes <= house.max_size); /* the disk has it back */
	assert_true(house.squeeze < 1);
	/* The newest is still there, the oldest not. */
	assert_true(query("SELECT max(at_ms) FROM scrape") > clock_wall_ms() - 2 * 60000);
	oldest = query("SELECT min(at_ms) FROM scrape");
	assert_true(oldest > clock_wall_ms() - 40 * HOUR);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
	/* With room again it keeps more again. */
	house.max_size *= 10;
	for (int i = 0; i < 100; i++)
		house_keep(&house, clock_wall_ms());
	assert_true(house.squeeze == 1);
}

static bool always(void *arg)
{
	(void)arg;
	return true;
}

static void note_cb(void *arg, enum house_bite what, double ms)
{
	char *seen = arg;

	(void)ms;
	seen[strlen(seen)] = "fpsg"[what];
}

/* Between two transactions a round ends for who waits, and then goes on where it was. */
static void who_waits_goes_first(void **state)
{
	char seen[64] = "";
	bool again = true;
	int rounds;

	(void)state;
	fill(10);
	house.keep = (struct store_keep){
		.raw_ms = HOUR, .m5_ms = 100 * HOUR, .h1_ms = 200 * HOUR, .fold = true};
	house.on_bite = note_cb;
	house.arg = seen;
	assert_true(house_keep(&house, clock_wall_ms()));
	assert_string_equal(seen, "fps"); /* nobody waits */
	house.wanted = always;
	memset(seen, 0, sizeof(seen));
	for (int i = 0; i < 4; i++)
		assert_true(house_keep(&house, clock_wall_ms()));
	assert_string_equal(seen, "fpsfps");
	house.on_bite = NULL;
	for (rounds = 0; again && rounds < 20000; rounds++)
		again = house_keep(&house, clock_wall_ms());
	assert_true(rounds < 20000);
	assert_true(query("SELECT min(at_ms) FROM scrape") > clock_wall_ms() - 2 * HOUR);
}

static void far_too_large_a_file_takes_no_samples(void **state)
{
	(void)state;
	fill(10);
	house.max_size = 100000;
	house_keep(&house, clock_wall_ms());
	assert_false(house.room);
	assert_non_null(strstr(house.why, "storage.max_size"));
}

static void little_free_space_is_told(void **state)
{
	(void)state;
	house.min_free = INT64_MAX / 4; /* more than any disk has */
	house_keep(&house, clock_wall_ms());
	assert_false(house.room);
	assert_false(house.ballast);
	assert_non_null(strstr(house.why, "storage.min_free"));
	house.min_free = 1;
	house_keep(&house, clock_wall_ms());
	assert_true(house.room);
	assert_string_equal(house.why, "");
}

static void removed_file_is_put_back(void **state)
{
	static const struct {
		const char *what;
		const char *gone[5];
	} rows[] = {
		{"the file", {""}},
		{"the file and its log", {"", "-wal", "-shm"}},
		{"all of it", {"", "-wal", "-shm", ".lock", ".ballast"}},
	};
	struct store_opened opened;
	struct store *second;

	(void)state;
	for (int64_t r = 0; r < (int64_t)ARRAY_LEN(rows); r++) {
		char path[128];

		apply(alert_batch(r * 10 + 1));
		for (size_t i = 0; i < 5 && rows[r].gone[i]; i++) {
			snprintf(path, sizeof(path), "%s%s", db_path, rows[r].gone[i]);
			unlink(path);
		}
		assert_int_equal(store_place(store), STORE_REMOVED);
		apply(alert_batch(r * 10 + 2)); /* before anybody looked */
		house_keep(&house, clock_wall_ms());
		if (!house.placed)
			fail_msg("%s: %s", rows[r].what, house.why);
		assert_int_equal(store_place(store), STORE_IN_PLACE);
		apply(alert_batch(r * 10 + 3));
		if (query("SELECT count(*) FROM alert_event") != (r + 1) * 3)
			fail_msg("%s: rows are missing", rows[r].what);
		assert_int_equal(query("PRAGMA integrity_check"), 1);
		/* It is held as before. */
		assert_int_equal(store_open(db_path, 0, &second, &opened, NULL), STORE_OPEN_HELD);
	}
}

static void exchanged_file_is_told(void **state)
{
	char other[128];
	FILE *f;

	(void)state;
	apply(alert_batch(1));
	snprintf(other, sizeof(other), "%s/other", dir);
	f = fopen(other, "w");
	fputs("somebody else's", f);
	fclose(f);
	assert_int_equal(rename(other, db_path), 0);
	house_keep(&house, clock_wall_ms());
	assert_false(house.placed);
	assert_non_null(strstr(house.why, "another file"));
	f = fopen(db_path, "r"); /* which is left alone */
	assert_non_null(fgets(other, sizeof(other), f));
	fclose(f);
	assert_string_equal(other, "somebody else's");
}

/* Pages far from where rows are added are damaged: found when they are folded, told, survived. */
static void damage_is_found_and_told(void **state)
{
	unsigned char garbage[4096];
	struct stat sb;
	int fd;

	(void)state;
	fill(48);
	store_cut_wal(store);
	memset(garbage, 0xa5, sizeof(garbage));
	fd = open(db_path, O_WRONLY);
	assert_int_equal(fstat(fd, &sb), 0);
	for (off_t at = 100 * 4096; at < sb.st_size - 600 * 4096; at += 4096)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), 4096);
	close(fd);
	house.keep =
		(struct store_keep){.raw_ms = HOUR, .m5_ms = HOUR, .h1_ms = HOUR, .fold = true};
	for (int i = 0; i < 50 && !house.why[0]; i++)
		house_keep(&house, clock_wall_ms());
	if (!strstr(house.why, "malformed"))
		fail_msg("told '%s'", house.why);
	apply(alert_batch(1)); /* alerts are stored where they still can be */
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 1);
}

/* ---- through the writer -------------------------------------------------------- */

struct heard {
	bool ok;
	int times;
	char why[ERR_MAX];
};

static void state_cb(void *arg, bool ok, const char *why)
{
	struct heard *h = arg;

	h->ok = ok;
	h->times++;
	snprintf(h->why, sizeof(h->why), "%s", why);
}

static void done_cb(void *arg, bool ok, const char *why)
{
	(void)why;
	*(int *)arg += ok;
}

static bool ballast_there(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s.ballast", db_path);
	return access(path, F_OK) == 0;
}

/* Runs the loop until *what is there. */
#define RUN_UNTIL(base, what)                                                                      \
	do {                                                                                       \
		uint64_t end_ = clock_mono_ms() + 10000;                                           \
                                                                                                   \
		while (!(what)) {                                                                  \
			if (clock_mono_ms() > end_)                                                \
				fail_msg("waited in vain for %s", #what);                          \
			event_base_loop(base, EVLOOP_NONBLOCK);                                    \
			usleep(2000);                                                              \
		}                                                                                  \
	} while (0)

static void full_disk_gets_the_ballast(void **state)
{
	struct heard heard = {.ok = true};
	struct writer_config c = {.on_state = state_cb, .arg = &heard};
	struct store_scrape scrape = {.target_id = 1, .at_ms = 1, .got = 1, .full = true};
	struct event_base *base = event_base_new();
	struct store_batch *samples;
	struct writer *w;
	int done = 0;

	(void)state;
	w = writer_new(base, store, &c, NULL);
	store = NULL;
	RUN_UNTIL(base, ballast_there());
	fault.write_error = SQLITE_FULL;
	assert_true(writer_submit(w, alert_batch(1), done_cb, &done));
	RUN_UNTIL(base, !heard.ok);
	RUN_UNTIL(base, !ballast_there());
	fault.write_error = 0; /* the ballast's space is what there is now */
	RUN_UNTIL(base, done == 1);
	assert_false(heard.ok && heard.times < 3); /* it is not over for samples */
	samples = store_batch_new();
	store_add_scrape(samples, &scrape);
	store_add_value(samples, 1, 1);
	if (!heard.ok)
		assert_false(writer_submit(w, samples, done_cb, &done));
	else
		store_batch_free(samples);
	RUN_UNTIL(base, heard.ok); /* the disk has room: ballast and samples come back */
	assert_true(ballast_there());
	assert_true(writer_stop(w, 5000));
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 1);
	writer_free(w);
	event_base_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(too_large_a_file_keeps_less, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_waits_goes_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			far_too_large_a_file_takes_no_samples, set_up, tear_down),
		cmocka_unit_test_setup_teardown(little_free_space_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_file_is_put_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exchanged_file_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damage_is_found_and_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_disk_gets_the_ballast, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
