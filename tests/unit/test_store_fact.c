/* Evidence, cost and exhibits: they come back as they were put, and are kept within limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "buf.h"
#include "store_read.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NOW 1700000000000ll
#define DAY 86400000ll

static char dir[64], db_path[96];
static struct store *store;
static struct buf said;

static int set_up(void **state)
{
	struct store_opened opened;

	(void)state;
	strcpy(dir, "/tmp/leakwatch-fact-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	buf_init(&said);
	return store_open(db_path, NOW, &store, &opened, NULL) == STORE_OPEN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	store_close(store);
	buf_release(&said);
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

static void put_alert(struct store_batch *b, const char *id, const char *state)
{
	store_put_alert(b, &(struct store_alert){.id = str_of(id),
				   .key = str_of(id),
				   .name = STR("GoroutineLeak"),
				   .state = str_of(state),
				   .changed_ms = NOW});
}

static void add_exhibit(struct store_batch *b, int64_t target, const char *alert, struct str body)
{
	assert_true(store_add_exhibit(b, &(struct store_exhibit){.target_id = target,
						 .alert_id = str_of(alert),
						 .at_ms = NOW,
						 .format = STR("debug2"),
						 .goroutines = 7,
						 .truncated = target == 2,
						 .bytes = 1234,
						 .body = body}));
}

static void exhibit_cb(void *arg, const struct store_exhibit *r)
{
	(void)arg;
	buf_addf(&said, "%d %d %.*s %.*s %d %d %d %zu:%d;", (int)r->id, (int)r->target_id,
		STR_ARG(r->alert_id), STR_ARG(r->format), (int)r->goroutines, r->truncated,
		(int)r->bytes, r->body.len, r->body.len ? r->body.p[r->body.len - 1] : -1);
}

static void fact_cb(void *arg, const struct store_fact *r)
{
	(void)arg;
	buf_addf(&said, "%d %d %.*s;", (int)r->series_id, (int)(r->at_ms - NOW), STR_ARG(r->body));
}

static void assert_exhibits(const char *alert, const char *expected)
{
	buf_reset(&said);
	assert_int_equal(store_read_exhibits(store, str_of(alert), exhibit_cb, NULL, NULL), 0);
	buf_addc(&said, '\0');
	assert_string_equal(said.p, expected);
}

static void assert_facts(enum store_fact_kind kind, int64_t series_id, const char *expected)
{
	buf_reset(&said);
	assert_int_equal(store_read_facts(store, kind, series_id, fact_cb, NULL, NULL), 0);
	buf_addc(&said, '\0');
	assert_string_equal(said.p, expected);
}

/* The body is bytes, not text; those of another alert are not shown; the newest comes first. */
static void exhibits_come_back(void **state)
{
	struct store_batch *b = store_batch_new();

	(void)state;
	add_exhibit(b, 1, "a1", str_n("\x1f\x8b\0\x09", 4));
	add_exhibit(b, 2, "a1", str_n("\0\x05", 2));
	add_exhibit(b, 1, "", STR(""));
	apply(b);
	assert_exhibits("a1", "2 2 a1 debug2 7 1 1234 2:5;1 1 a1 debug2 7 0 1234 4:9;");
	assert_exhibits("", "3 1  debug2 7 0 1234 0:-1;");
	assert_exhibits("a2", "");
}

static void put_series(struct store_batch *b, int64_t id, int64_t class_ended_ms)
{
	store_put_class(b, &(struct store_class){.id = id,
				   .target_id = 1,
				   .name = STR("pool"),
				   .first_seen_ms = NOW,
				   .last_seen_ms = NOW,
				   .ended_ms = class_ended_ms});
	store_put_series(b, &(struct store_series){.id = id,
				    .target_id = 1,
				    .kind = STORE_SERIES_CLASS,
				    .name = STR("pool"),
				    .class_id = id});
}

/* The newest word stands; a class that ended is not loaded, but can be asked for until it goes. */
static void facts_come_back(void **state)
{
	struct store_keep keep = {.raw_ms = DAY};
	bool again;
	struct store_batch *b = store_batch_new();

	(void)state;
	store_put_target(b, &(struct store_target){.id = 1, .job = STR("j"), .instance = STR("i")});
	put_series(b, 5, 0);
	put_series(b, 6, NOW);
	for (int i = 0; i < 2; i++) {
		store_put_fact(b, STORE_EVIDENCE,
			&(struct store_fact){5, NOW + i, i ? STR("{\"b\":2}") : STR("{\"a\":1}")});
		store_put_fact(b, STORE_COST, &(struct store_fact){5, NOW + 2 + i, STR("")});
	}
	store_put_fact(b, STORE_EVIDENCE, &(struct store_fact){6, NOW + 9, STR("{}")});
	apply(b);
	assert_facts(STORE_EVIDENCE, 5, "5 1 {\"b\":2};");
	assert_facts(STORE_COST, 5, "5 3 {};");
	assert_facts(STORE_EVIDENCE, 6, "6 9 {};");
	assert_facts(STORE_COST, 6, "");
	assert_facts(STORE_EVIDENCE, 0, "5 1 {\"b\":2};");
	assert_int_equal(store_prune(store, NOW + 2 * DAY, &keep, 100, &again, NULL), 1);
	assert_facts(STORE_EVIDENCE, 6, "");
	assert_facts(STORE_EVIDENCE, 5, "5 1 {\"b\":2};");
}

/* One body too large is refused; of one target the oldest goes, of another nothing. */
static void exhibits_of_a_target_are_limited(void **state)
{
	struct store_exhibit large = {.target_id = 1,
		.alert_id = STR("a1"),
		.format = STR("debug2"),
		.body = str_n("", STORE_EXHIBIT_BYTES + 1)};
	struct store_batch *b = store_batch_new();

	(void)state;
	assert_false(store_add_exhibit(b, &large));
	assert_true(store_batch_empty(b));
	add_exhibit(b, 2, "other", STR("x"));
	for (int i = 0; i < STORE_EXHIBITS_PER_TARGET + 2; i++)
		add_exhibit(b, 1, i < 3 ? "old" : "new", STR("x"));
	apply(b);
	assert_exhibits("other", "1 2 other debug2 7 1 1234 1:120;");
	assert_exhibits("old", "4 1 old debug2 7 0 1234 1:120;");
}

static int count(const char *alert)
{
	int n = 0;

	buf_reset(&said);
	assert_int_equal(store_read_exhibits(store, str_of(alert), exhibit_cb, NULL, NULL), 0);
	for (size_t i = 0; i < said.len; i++)
		n += said.p[i] == ';';
	return n;
}

/* Over the limit of bytes those of the alert that ended go first, though they are newer. */
static void bytes_of_all_are_limited(void **state)
{
	struct str body = {.p = calloc(1, STORE_EXHIBIT_BYTES), .len = STORE_EXHIBIT_BYTES};
	int fit = (int)(STORE_EXHIBITS_BYTES / (int64_t)STORE_EXHIBIT_BYTES), n = 0;
	struct store_keep keep = {.raw_ms = DAY};
	bool again;

	(void)state;
	for (int i = 0; i < fit + 3; i++) {
		struct store_batch *b = store_batch_new();

		put_alert(b, "stands", "firing");
		put_alert(b, "ended", "resolved");
		add_exhibit(b, i, i < fit + 1 ? "stands" : "ended", body);
		apply(b);
	}
	free((char *)body.p);
	while (store_prune(store, NOW, &keep, 100, &again, NULL) == 1)
		n++;
	assert_int_equal(n, 3);
	assert_int_equal(count("ended"), 0);
	assert_int_equal(count("stands"), fit);
	assert_exhibits("nothing", "");
}

/* Each table is gone through in turns. */
static void prune_often(int64_t now_ms)
{
	struct store_keep keep = {.raw_ms = DAY};
	bool again;

	for (int i = 0; i < 6; i++)
		assert_true(store_prune(store, now_ms, &keep, 100, &again, NULL) >= 0);
}

/* An alert keeps its own however long it stands; those of none go after a month. */
static void exhibits_go_with_their_alert(void **state)
{
	struct store_batch *b = store_batch_new();

	(void)state;
	put_alert(b, "stands", "firing");
	put_alert(b, "ended", "resolved");
	add_exhibit(b, 1, "stands", STR("x"));
	add_exhibit(b, 1, "ended", STR("x"));
	add_exhibit(b, 1, "", STR("x"));
	apply(b);
	prune_often(NOW + 29 * DAY);
	assert_int_equal(count(""), 1);
	prune_often(NOW + 31 * DAY);
	assert_int_equal(count(""), 0);
	assert_int_equal(count("ended"), 1);
	prune_often(NOW + 401 * DAY);
	assert_int_equal(count("ended"), 0);
	assert_int_equal(count("stands"), 1);
}

/* A queue that is full may lose them, and the alert beside them never. */
static void facts_may_be_dropped(void **state)
{
	struct store_batch *b = store_batch_new();

	(void)state;
	add_exhibit(b, 1, "a1", STR("x"));
	store_put_fact(b, STORE_EVIDENCE, &(struct store_fact){5, NOW, STR("{}")});
	store_put_fact(b, STORE_COST, &(struct store_fact){5, NOW, STR("{}")});
	assert_int_equal(store_batch_drop_samples(b), 0);
	assert_true(store_batch_empty(b));
	put_alert(b, "a1", "firing");
	add_exhibit(b, 1, "a1", STR("x"));
	store_batch_drop_samples(b);
	assert_false(store_batch_empty(b));
	apply(b);
	assert_exhibits("a1", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(exhibits_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(facts_come_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			exhibits_of_a_target_are_limited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bytes_of_all_are_limited, set_up, tear_down),
		cmocka_unit_test_setup_teardown(exhibits_go_with_their_alert, set_up, tear_down),
		cmocka_unit_test_setup_teardown(facts_may_be_dropped, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
