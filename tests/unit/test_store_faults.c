/* The store's promises: kill -9, a disk that fails at every write, syncs where they are due. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "faultvfs.h"
#include "store_load.h"
#include "store.h"
#include "store_wal.h"
#include "writer_move.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOW	    1700000000000ll
#define KILLS	    200 /* LEAKWATCH_KILLS in the environment: another number */
#define MAX_STEP    400 /* batches of a child, should nobody kill it */
#define FILE_ROUNDS 500 /* then a new file is begun, or checking it takes ever longer */
#define MINUTE_MS   60000

static char dir[64], db_path[96];

static int set_up(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/leakwatch-fault-XXXXXX");
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

static void remove_store(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm"};
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(path, sizeof(path), "%s%s", db_path, suffixes[i]);
		unlink(path);
	}
}

static struct store *must_open(void)
{
	struct err err = ERR_INIT;
	struct store_opened opened;
	struct store *s;

	if (store_open(db_path, NOW, &s, &opened, &err) != STORE_OPEN_OK)
		fail_msg("%s", err.msg);
	assert_string_equal(opened.set_aside, "");
	return s;
}

/* A change of an alert with its delivery, among samples. */
static struct store_batch *make_batch(int64_t n, bool alert)
{
	struct store_batch *b = store_batch_new();
	struct store_target t = {.id = 1, .job = STR("j"), .instance = STR("i")};
	struct store_scrape scrape = {
		.target_id = 1, .at_ms = NOW + n * MINUTE_MS, .got = 1, .full = true};
	struct store_alert a = {.id = STR("a1"), .state = STR("firing"), .change = n};
	struct store_alert_event e = {.id = n, .alert_id = STR("a1"), .change = n};
	struct store_delivery d = {.id = n,
		.alert_id = STR("a1"),
		.change = n,
		.state = STR("owed"),
		.body = STR("{}")};

	store_put_target(b, &t);
	store_add_scrape(b, &scrape);
	for (int i = 0; i < 50; i++)
		store_add_value(b, i, (double)(n * 100 + i));
	if (alert) {
		store_put_alert(b, &a);
		store_add_alert_event(b, &e);
		store_put_delivery(b, &d);
	}
	return b;
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

/* All that a daemon does with its file, over and over, each batch acknowledged on fd, until it is
 * killed. */
static void write_until_killed(int fd, int64_t from)
{
	const struct store_keep keep = {.raw_ms = 3600000, .m5_ms = 0, .h1_ms = 0, .fold = true};
	struct store_opened opened;
	struct mover *m = NULL;
	struct store *s;
	bool again;

	if (store_open(db_path, NOW, &s, &opened, NULL) != STORE_OPEN_OK)
		_exit(1);
	/* Every other child has its log moved beside it, a few pages at a time. */
	if (from % 2 && !(m = mover_new(s, 4, NULL)))
		_exit(1);
	for (int64_t n = from; n < from + MAX_STEP; n++) {
		struct store_batch *b = make_batch(n, true);

		if (store_apply(s, &b, 1, n, NULL) < 0 || write(fd, &n, sizeof(n)) != sizeof(n))
			_exit(1);
		store_batch_free(b);
		if (n % 3 == 0 &&
			(store_fold(s, NOW + n * MINUTE_MS, 20, &again, NULL) < 0 ||
				store_prune(s, NOW + n * MINUTE_MS, &keep, 20, &again, NULL) < 0))
			_exit(1);
		mover_offer(m);
		if (n % 7 == 0 && mover_wait(m, 10000))
			store_cut_wal(s);
	}
	_exit(0);
}

/*
 * When the child is killed: a round in four soon after its start, while it opens and recovers, else
 * after some acknowledged batches and a moment.  The newest that it acknowledged.
 */
static int64_t run_and_kill(int64_t last, unsigned *seed)
{
	int fds[2], status, wait_for = rand_r(seed) % 4 ? 1 + rand_r(seed) % 12 : 0;
	struct timespec pause = {.tv_nsec = (rand_r(seed) % (wait_for ? 4000 : 12000)) * 1000L};
	int64_t acked = last, n;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		write_until_killed(fds[1], last + 1);
	}
	close(fds[1]);
	while (wait_for-- > 0 && read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
		acked = n;
	nanosleep(&pause, NULL);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_true(WIFSIGNALED(status)); /* nothing of its work failed */
	while (read(fds[0], &n, sizeof(n)) == (ssize_t)sizeof(n))
		acked = n;
	close(fds[0]);
	return acked;
}

/* What has been folded is in exactly one bucket of each width, whatever was deleted since. */
static void assert_folded_once(void)
{
	assert_int_equal(
		query("SELECT count(*) FROM bucket b WHERE width_ms = 300000 AND samples "
		      "<> upto - coalesce((SELECT max(upto) FROM bucket p WHERE p.width_ms "
		      "= 300000 AND p.id < b.id), 0)"),
		0);
	assert_int_equal(
		query("SELECT coalesce((SELECT sum(samples) FROM bucket WHERE width_ms = 3600000), "
		      "0) - coalesce((SELECT sum(samples) FROM bucket WHERE width_ms = 300000 AND "
		      "id <= (SELECT max(upto) FROM bucket WHERE width_ms = 3600000)), 0)"),
		0);
}

static void killed_daemon_loses_nothing_acknowledged(void **state)
{
	unsigned seed = (unsigned)getpid();
	int64_t last = 0, acked, all = 0, buckets = 0;
	const char *rounds = getenv("LEAKWATCH_KILLS");
	int kills = rounds ? atoi(rounds) : KILLS;

	(void)state;
	print_message("seed %u, %d rounds\n", seed, kills);
	for (int round = 1; round <= kills; round++) {
		acked = run_and_kill(last, &seed);
		store_close(must_open()); /* recovers and, as it is small, checks the whole file */
		assert_int_equal(query("PRAGMA integrity_check"), 1);
		last = query("SELECT coalesce(max(id), 0) FROM alert_event");
		/* What was acknowledged is there; one more may be: committed, not yet told. */
		assert_in_range(last, acked, acked + 1);
		assert_int_equal(query("SELECT count(*) FROM alert_event"), last);
		assert_int_equal(query("SELECT count(*) FROM outbox WHERE state = 'owed'"), last);
		assert_int_equal(query("SELECT coalesce(max(change), 0) FROM alert"), last);
		assert_int_equal(query("SELECT coalesce(max(id), 0) FROM scrape"), last);
		assert_folded_once();
		if (round % FILE_ROUNDS && round < kills)
			continue;
		all += last;
		buckets += query("SELECT count(*) FROM bucket");
		last = 0;
		remove_store();
	}
	print_message("%lld alert changes acknowledged, %lld buckets\n", (long long)all,
		(long long)buckets);
	assert_true(all > kills);
	assert_true(buckets > kills / 4);
}

/* The disk is full (or broken) from the k-th write on, for every k that a batch has. */
static void fails_at_every_write(void **state)
{
	static const struct {
		const char *what;
		int code;
	} faults[] = {{"disk full", SQLITE_FULL}, {"I/O error", SQLITE_IOERR_WRITE},
		{"made read-only", SQLITE_READONLY}};
	struct store *s = must_open();
	int64_t n = 0;

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(faults); f++) {
		int failed = 0;

		for (int k = 0; k < 100; k++) {
			struct store_batch *b = make_batch(++n, true);
			struct err err = ERR_INIT;
			int rc;

			fault.fail_after = k;
			fault.write_error = faults[f].code;
			rc = store_apply(s, &b, 1, n, &err);
			fault.write_error = 0;
			if (rc < 0) {
				failed++;
				assert_true(store_should_retry(s));
				assert_string_not_equal(err.msg, "");
				assert_int_equal(query("SELECT count(*) FROM alert_event"), n - 1);
				/* Space comes back: the same batch is taken. */
				assert_int_equal(store_apply(s, &b, 1, n, &err), 0);
			}
			store_batch_free(b);
			assert_int_equal(query("SELECT count(*) FROM alert_event"), n);
			if (rc == 0)
				break;
		}
		print_message(
			"%s: failed at each of the first %d writes\n", faults[f].what, failed);
		assert_true(failed >= 3);
		assert_true(failed < 100);
	}
	store_close(s);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
}

static void failed_sync_is_a_failure(void **state)
{
	struct store *s = must_open();
	struct store_batch *b = make_batch(1, true);
	struct err err = ERR_INIT;

	(void)state;
	fault.sync_error = SQLITE_IOERR_FSYNC;
	assert_int_equal(store_apply(s, &b, 1, 0, &err), -1);
	assert_true(store_should_retry(s));
	fault.sync_error = 0;
	assert_int_equal(store_apply(s, &b, 1, 0, &err), 0);
	store_batch_free(b);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 1);
	store_close(s);
}

/* The log cannot be cut: it stays longer, and nothing else happens. */
static void failed_truncate_is_survived(void **state)
{
	struct store *s = must_open();
	struct err err = ERR_INIT;

	(void)state;
	for (int64_t n = 1; n <= 20; n++) {
		struct store_batch *b = make_batch(n, true);

		fault.truncate_error = n < 15 ? SQLITE_IOERR_TRUNCATE : 0;
		store_cut_wal(s);
		if (n == 14)
			assert_true(store_wal_bytes(s) > 0);
		if (store_apply(s, &b, 1, n, &err) < 0)
			fail_msg("%s", err.msg);
		store_batch_free(b);
	}
	store_cut_wal(s);
	assert_int_equal(store_wal_bytes(s), 0);
	assert_int_equal(query("SELECT count(*) FROM alert_event"), 20);
	store_close(s);
	assert_int_equal(query("PRAGMA integrity_check"), 1);
}

/* Alert changes are synced before they are acknowledged; samples at most 5 s later. */
static void syncs_when_due(void **state)
{
	static const struct {
		const char *what;
		int64_t mono_ms;
		bool alert, synced;
	} steps[] = {
		{"the first alert", 10000, true, true},
		{"samples do not wait for the disk", 10100, false, false},
		{"nor those soon after", 14000, false, false},
		{"but 5 s after the last sync", 15100, false, true},
		{"and then no more for a while", 15200, false, false},
		{"an alert change at once", 15300, true, true},
		{"samples again not", 15400, false, false},
	};
	struct store *s = must_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct store_batch *b = make_batch((int64_t)i + 1, steps[i].alert);
		int before = fault.syncs;

		assert_int_equal(store_batch_durable(b), steps[i].alert);
		assert_int_equal(store_apply(s, &b, 1, steps[i].mono_ms, NULL), 0);
		store_batch_free(b);
		if ((fault.syncs > before) != steps[i].synced)
			fail_msg("%s: %d syncs", steps[i].what, fault.syncs - before);
	}
	store_close(s);
}

/* Samples are cheap to keep: what a scrape of 200 classes costs on disk, of which 30 % change. */
static void samples_are_small(void **state)
{
	struct store *s = must_open();
	unsigned seed = 7;
	double values[200], per_sample;
	int scrapes = 960;

	(void)state;
	for (int i = 0; i < 200; i++)
		values[i] = rand_r(&seed) % 300;
	for (int n = 0; n < scrapes; n++) {
		struct store_batch *b = make_batch(1, false);
		struct store_scrape scrape = {
			.target_id = 1, .at_ms = NOW + n * 60000, .got = 1, .full = n % 32 == 0};

		store_batch_drop_samples(b);
		store_add_scrape(b, &scrape);
		for (int i = 0; i < 200; i++) {
			bool changed = rand_r(&seed) % 10 < 3;

			if (changed)
				values[i] += rand_r(&seed) % 11 - 5;
			if (changed || scrape.full)
				store_add_value(b, 1000 + i, values[i]);
		}
		assert_int_equal(store_apply(s, &b, 1, n, NULL), 0);
		store_batch_free(b);
	}
	store_close(s);
	per_sample = (double)query("SELECT sum(pgsize) FROM dbstat WHERE name LIKE 'scrape%'") /
		     (200.0 * scrapes);
	print_message("%.2f bytes per scraped sample\n", per_sample);
	assert_true(per_sample < 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			killed_daemon_loses_nothing_acknowledged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(fails_at_every_write, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_sync_is_a_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failed_truncate_is_survived, set_up, tear_down),
		cmocka_unit_test_setup_teardown(syncs_when_due, set_up, tear_down),
		cmocka_unit_test_setup_teardown(samples_are_small, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
