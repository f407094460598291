/* The writer: order, bounds, a disk that stalls or is full, and stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "faultvfs.h"
#include "store_load.h"
#include "writer.h"
#include "xalloc.h"

#include <dirent.h>
#include <event2/event.h>
#include <unistd.h>

#define NOW	 1700000000000ll
#define PATIENCE 10000 /* ms until a test gives up waiting */

struct fixture {
	char dir[64], db[96];
	struct event_base *base;
	struct writer *w;
	int done, failed; /* callbacks so far */
	int64_t last; /* number of the newest one; they come in order */
	int states[8], nstates;
	char why[ERR_MAX], state_why[ERR_MAX]; /* of the newest callback that told one */
	uint64_t longest_lag_ms; /* of the ticker */
	uint64_t ticked_ms;
};

static struct fixture fx;

static void on_state(void *arg, bool ok, const char *why)
{
	(void)arg;
	if (fx.nstates < (int)ARRAY_LEN(fx.states))
		fx.states[fx.nstates++] = ok;
	snprintf(fx.state_why, sizeof(fx.state_why), "%s", why);
}

static void on_done(void *arg, bool ok, const char *why)
{
	int64_t n = (int64_t)(intptr_t)arg;

	assert_int_equal(n, fx.last + 1);
	fx.last = n;
	fx.done++;
	fx.failed += !ok;
	if (why[0])
		snprintf(fx.why, sizeof(fx.why), "%s", why);
}

static int set_up(void **state)
{
	(void)state;
	memset(&fx, 0, sizeof(fx));
	strcpy(fx.dir, "/tmp/leakwatch-writer-XXXXXX");
	if (!mkdtemp(fx.dir))
		return -1;
	snprintf(fx.db, sizeof(fx.db), "%s/test.db", fx.dir);
	fault_install();
	fx.base = event_base_new();
	return fx.base ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d;

	(void)state;
	writer_free(fx.w);
	event_base_free(fx.base);
	d = opendir(fx.dir);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", fx.dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(fx.dir);
}

static void start(struct writer_config config)
{
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;

	if (store_open(fx.db, NOW, &s, &opened, &err) != STORE_OPEN_OK)
		fail_msg("%s", err.msg);
	config.on_state = on_state;
	fx.w = writer_new(fx.base, s, &config, &err);
	if (!fx.w)
		fail_msg("%s", err.msg);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = clock_mono_ms();

	(void)fd, (void)what, (void)arg;
	if (fx.ticked_ms)
		fx.longest_lag_ms = MAX(fx.longest_lag_ms, now - fx.ticked_ms);
	fx.ticked_ms = now;
}

/* Runs the loop, with a tick every 5 ms, until *what reaches n. */
static void run_until(const int *what, int n)
{
	struct event *tick = event_new(fx.base, -1, EV_PERSIST, tick_cb, NULL);
	struct timeval every = {.tv_usec = 5000};
	uint64_t end = clock_mono_ms() + PATIENCE;

	fx.ticked_ms = 0;
	event_add(tick, &every);
	while (*what < n && clock_mono_ms() < end)
		event_base_loop(fx.base, EVLOOP_ONCE);
	event_free(tick);
	assert_true(*what >= n);
}

static void put_target(struct store_batch *b)
{
	struct store_target t = {.id = 1, .job = STR("j"), .instance = STR("i")};

	store_put_target(b, &t);
}

static struct store_batch *samples(int64_t n, int values)
{
	struct store_batch *b = store_batch_new();
	struct store_scrape scrape = {.target_id = 1, .at_ms = NOW + n, .got = 1, .full = true};

	put_target(b);
	store_add_scrape(b, &scrape);
	for (int i = 0; i < values; i++)
		store_add_value(b, i, 1);
	return b;
}

static struct store_batch *alert(int64_t n)
{
	struct store_batch *b = store_batch_new();
	struct store_alert_event e = {.id = n, .alert_id = STR("a1"), .change = n};

	store_add_alert_event(b, &e);
	return b;
}

static bool submit(struct store_batch *b, int64_t n)
{
	return writer_submit(fx.w, b, on_done, (void *)(intptr_t)n);
}

static int64_t query(const char *sql)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;
	int64_t v = -1;

	assert_int_equal(sqlite3_open_v2(fx.db, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(db));
	if (sqlite3_step(st) == SQLITE_ROW)
		v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	sqlite3_close(db);
	return v;
}

static void applies_in_order(void **state)
{
	struct writer_stats stats;

	(void)state;
	start((struct writer_config){0});
	for (int i = 1; i <= 300; i++)
		assert_true(submit(i % 2 ? samples(i, 3) : alert(i), i));
	assert_int_equal(fx.done, 0); /* never from within */
	run_until(&fx.done, 300);
	assert_int_equal(fx.failed, 0);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 150);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 150);
	writer_stats(fx.w, &stats);
	assert_int_equal(stats.depth, 0);
	assert_int_equal(stats.bytes, 0);
	assert_int_equal(stats.applied, 300);
	assert_true(stats.transactions >= 300 / 64 && stats.transactions <= 300);
	assert_true(stats.wal_bytes > 0);
	assert_true(stats.ok);
	assert_int_equal(fx.nstates, 0);
}

/* A disk that takes 300 ms for a sync: the loop ticks on. */
static void loop_never_waits_for_a_slow_disk(void **state)
{
	(void)state;
	start((struct writer_config){0});
	fault.stall_ms = 300;
	for (int i = 1; i <= 20; i++) {
		submit(alert(i), i);
		event_base_loop(fx.base, EVLOOP_NONBLOCK);
	}
	run_until(&fx.done, 20);
	print_message("longest time between two ticks of 5 ms: %llu ms\n",
		(unsigned long long)fx.longest_lag_ms);
	assert_true(fx.longest_lag_ms < 150); /* of the 300 of one sync */
}

/* Over the bound samples go, and are told and counted; alerts stay. */
static void overflow_drops_samples_never_alerts(void **state)
{
	struct writer_stats stats;
	int refused = 0;

	(void)state;
	start((struct writer_config){.max_batches = 10});
	fault.stall_ms = 600; /* holds the thread in its first transaction */
	submit(alert(1), 1);
	for (int i = 2; i <= 101; i++) {
		if (i % 4 == 0)
			assert_true(submit(alert(i), i));
		else
			refused += !submit(samples(i, 7), i);
	}
	assert_true(refused >= 60);
	writer_stats(fx.w, &stats);
	assert_int_equal(stats.dropped_values, 7 * refused);
	fault.stall_ms = 0;
	run_until(&fx.done, 101);
	assert_int_equal(fx.failed, 0);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 26);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 75 - refused);
	assert_int_equal(query("SELECT count(*) FROM target"), 1); /* kept when samples went */
	assert_true(submit(samples(102, 7), 102)); /* and there is room again */
	run_until(&fx.done, 102);
}

/* Somebody's shell sits in a transaction: the log grows to its bound and no further. */
static void reader_left_open_does_not_fill_the_disk(void **state)
{
	const int64_t bound = 32 << 20;
	uint64_t end = clock_mono_ms() + PATIENCE;
	struct writer_stats stats = {0};
	sqlite3 *reader;
	int n = 0, i;

	(void)state;
	start((struct writer_config){.max_wal_bytes = bound});
	submit(samples(1, 10), ++n);
	run_until(&fx.done, n);
	assert_int_equal(sqlite3_open_v2(fx.db, &reader, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_exec(reader, "BEGIN; SELECT * FROM scrape", NULL, NULL, NULL);
	for (i = 0; i < 400; i++) {
		n++;
		if (!submit(samples(n, STORE_VALUES_MAX), n))
			break;
		run_until(&fx.done, n);
	}
	assert_in_range(i, 10, 399); /* it was told to stop */
	run_until(&fx.done, n);
	submit(alert(1), ++n); /* alerts are taken all the same */
	run_until(&fx.done, n);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 1);
	writer_stats(fx.w, &stats);
	print_message("bound %lld bytes, log %lld\n", (long long)bound, (long long)stats.wal_bytes);
	assert_in_range(stats.wal_bytes, bound, bound + (4 << 20));
	sqlite3_close(reader); /* ends its transaction */
	/* Nothing else is written meanwhile: the thread finds out by itself. */
	while (stats.wal_bytes > bound && clock_mono_ms() < end)
		writer_stats(fx.w, &stats);
	assert_true(stats.wal_bytes < bound);
	n++;
	assert_true(submit(samples(n, 10), n));
	run_until(&fx.done, n);
}

/* A disk that moves the log slower than it is written: it is waited for, so that the log can begin
 * anew. */
static void log_does_not_outgrow_its_moves(void **state)
{
	struct writer_stats stats = {0};
	int64_t longest = 0;
	int n = 0;

	(void)state;
	start((struct writer_config){0});
	fault.stall_ms = 100;
	while (stats.wal_bytes >= longest && stats.wal_bytes < 128 << 20) {
		longest = stats.wal_bytes;
		n++;
		submit(samples(n, STORE_VALUES_MAX), n);
		run_until(&fx.done, n);
		writer_stats(fx.w, &stats);
	}
	print_message("longest log %lld bytes\n", (long long)longest);
	assert_in_range(longest, 32 << 20, 80 << 20);
	assert_true(stats.moves > 0);
	assert_int_equal(stats.move_errors, 0);
	assert_int_equal(stats.dropped_values, 0);
	fault.stall_ms = 0;
}

static void bytes_are_bounded_too(void **state)
{
	struct writer_stats stats;

	(void)state;
	start((struct writer_config){.max_bytes = 100000});
	fault.stall_ms = 100;
	submit(alert(1), 1);
	for (int i = 2; i <= 50; i++)
		submit(samples(i, 1000), i);
	writer_stats(fx.w, &stats);
	assert_true(stats.bytes < 130000);
	assert_true(stats.dropped_values > 0);
	fault.stall_ms = 0;
	run_until(&fx.done, 50);
}

/* A full disk: alerts wait in order, the state is told once, and all is there when space is back.
 */
static void full_disk_is_waited_out(void **state)
{
	struct writer_stats stats;

	(void)state;
	start((struct writer_config){.max_batches = 10});
	fault.write_error = SQLITE_FULL;
	for (int i = 1; i <= 30; i++)
		submit(i % 2 ? alert(i) : samples(i, 5), i);
	run_until(&fx.nstates, 1);
	assert_int_equal(fx.states[0], false);
	assert_non_null(strstr(fx.state_why, "full"));
	assert_int_equal(fx.done, 0);
	writer_stats(fx.w, &stats);
	assert_false(stats.ok);
	assert_true(stats.errors >= 1);
	fault.write_error = 0;
	run_until(&fx.done, 30);
	assert_int_equal(fx.failed, 0);
	run_until(&fx.nstates, 2); /* once there is seen to be room for samples too */
	assert_int_equal(fx.states[1], true);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 15);
}

static void count_done(void *arg, bool ok, const char *why)
{
	(void)why;
	assert_true(ok);
	++*(int *)arg;
}

/* The disk is dead for days: what every scrape writes is dropped and answered, and piles up
 * nowhere. */
static void dead_disk_does_not_fill_the_memory(void **state)
{
	struct writer_stats stats;
	int answered = 0;

	(void)state;
	start((struct writer_config){.max_batches = 10});
	fault.write_error = SQLITE_IOERR_WRITE;
	for (int i = 1; i <= 10; i++)
		submit(alert(i), i);
	for (int i = 0; i < 1000; i++) {
		struct store_batch *b = store_batch_new();
		struct store_status status = {.target_id = 1, .at_ms = NOW + i};
		struct store_scrape scrape = {.target_id = 1, .at_ms = NOW + i, .got = 1};

		store_put_status(b, &status);
		store_put_seen(b, STORE_SEEN_CLASS, 1, NOW);
		store_add_scrape(b, &scrape);
		assert_true(writer_submit(fx.w, b, count_done, &answered)); /* it had no values */
	}
	run_until(&answered, 1000);
	writer_stats(fx.w, &stats);
	assert_int_equal(stats.depth, 10);
	fault.write_error = 0;
	run_until(&fx.done, 10);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 10);
}

/* A batch with a bug in it: its alert is stored, the rest told; the neighbours are whole. */
static void refused_batch_harms_no_other(void **state)
{
	struct store_batch *bad = alert(2);
	struct store_scrape scrape = {.target_id = 99, .at_ms = NOW, .got = 1, .full = true};
	struct writer_stats stats;

	(void)state;
	start((struct writer_config){0});
	store_add_scrape(bad, &scrape); /* no such target */
	fault.stall_ms = 50; /* so that the three come in one group */
	submit(alert(1), 1);
	submit(bad, 2);
	submit(samples(3, 1), 3);
	run_until(&fx.done, 3);
	assert_int_equal(fx.failed, 0);
	assert_non_null(strstr(fx.why, "FOREIGN KEY"));
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 2);
	assert_int_equal(query("SELECT count(*) FROM scrape"), 1);
	writer_stats(fx.w, &stats);
	assert_int_equal(stats.refused, 1);
	assert_true(stats.ok);
}

static void old_samples_are_pruned_in_idle_time(void **state)
{
	uint64_t end = clock_mono_ms() + PATIENCE;
	struct writer_stats stats = {0};

	(void)state;
	start((struct writer_config){0});
	for (int i = 1; i <= 5; i++) /* of the year 2023 */
		submit(samples(i, 1), i);
	run_until(&fx.done, 5);
	writer_free(fx.w);
	start((struct writer_config){.keep.raw_ms = 3600000});
	while (stats.pruned < 4 && clock_mono_ms() < end)
		writer_stats(fx.w, &stats);
	assert_int_equal(stats.pruned, 4);
	/* The newest full one stays: what came after would build on it. */
	assert_int_equal(query("SELECT min(at_ms) FROM scrape"), NOW + 5);
}

static void stop_writes_what_is_queued(void **state)
{
	(void)state;
	start((struct writer_config){0});
	for (int i = 1; i <= 100; i++)
		submit(alert(i), i);
	assert_true(writer_stop(fx.w, 5000));
	assert_int_equal(fx.done, 100);
	assert_int_equal(fx.failed, 0);
	assert_true(writer_stop(fx.w, 5000)); /* idempotent */
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 100);
}

static void stop_keeps_its_deadline(void **state)
{
	uint64_t start_ms;

	(void)state;
	start((struct writer_config){0});
	fault.write_error = SQLITE_FULL;
	for (int i = 1; i <= 10; i++)
		submit(alert(i), i);
	start_ms = clock_mono_ms();
	assert_false(writer_stop(fx.w, 300));
	assert_true(clock_mono_ms() - start_ms < 1500);
	assert_int_equal(fx.done, 10); /* everybody got an answer */
	assert_int_equal(fx.failed, 10);
	assert_non_null(strstr(fx.why, "not written before the stop"));
	fault.write_error = 0;
}

/* The disk hangs in one sync: the stop comes back all the same, with an answer for every batch. */
static void stop_does_not_wait_for_a_disk_that_hangs(void **state)
{
	uint64_t start_ms;
	struct timespec pause = {.tv_sec = 1, .tv_nsec = 500000000};

	(void)state;
	start((struct writer_config){0});
	fault.stall_ms = 1200;
	for (int i = 1; i <= 200; i++)
		submit(alert(i), i);
	start_ms = clock_mono_ms();
	assert_false(writer_stop(fx.w, 100));
	assert_true(clock_mono_ms() - start_ms < 900);
	assert_int_equal(fx.done, 200);
	assert_true(fx.failed > 0);
	fault.stall_ms = 0;
	nanosleep(&pause, NULL); /* let the thread come out of it before the files go */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(applies_in_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			loop_never_waits_for_a_slow_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			overflow_drops_samples_never_alerts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			reader_left_open_does_not_fill_the_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(log_does_not_outgrow_its_moves, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_are_bounded_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_disk_is_waited_out, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			dead_disk_does_not_fill_the_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused_batch_harms_no_other, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			old_samples_are_pruned_in_idle_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stop_writes_what_is_queued, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stop_keeps_its_deadline, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			stop_does_not_wait_for_a_disk_that_hangs, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
