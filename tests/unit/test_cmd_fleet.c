/* Classes over the instances of their job: what the commands and the pages read of the store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "cmd_fleet.h"
#include "store.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOSTILE "main.\033[2J<b>%s%n\n\xff\xe2\x80\xae"
#define NOW	1700006400000ll
#define H	3600000ll
#define MANY	3000

static char path[96];
static struct store *store;
static struct store_batch *batch;
static struct cmd_db db;

/* An instance whose process has run since then. */
static void put_instance(int64_t id, const char *job, const char *name, const char *version,
	int64_t start_ms, bool up)
{
	char info[256];
	struct store_target t = {.id = id,
		.job = str_of(job),
		.instance = str_of(name),
		.first_seen_ms = NOW - 100 * H};
	struct store_status s = {.target_id = id, .at_ms = NOW, .up = up};
	struct store_run r = {.id = id, .target_id = id, .start_ms = start_ms};

	snprintf(info, sizeof(info), "version %s, go1.26.0", version);
	r.info = str_of(info);
	store_put_target(batch, &t);
	store_put_status(batch, &s);
	store_put_run(batch, &r);
}

/* A class of that instance, with its verdict; it took two hours to show where it leaks. */
static void put_class(
	int64_t id, int64_t target_id, const char *name, const char *state, double rate_per_hour)
{
	struct store_class c = {.id = id, .target_id = target_id, .name = str_of(name)};
	struct store_series e = {.id = id,
		.target_id = target_id,
		.kind = STORE_SERIES_CLASS,
		.name = str_of(name),
		.class_id = id};
	struct store_verdict v = {.series_id = id,
		.state = str_of(state),
		.at_ms = NOW - H,
		.since_ms = NOW - 3 * H,
		.rate_per_hour = rate_per_hour,
		.low = NAN,
		.high = NAN,
		.base = NAN,
		.top = NAN,
		.lookback_s = NAN};

	store_put_class(batch, &c);
	store_put_series(batch, &e);
	if (state[0])
		store_put_verdict(batch, &v);
}

static void fill_shop(void)
{
	put_instance(1, "shop", "a:1", "v1.5.0", NOW - 50 * H, true);
	put_instance(2, "shop", "b:1", "v1.5.0", NOW - 50 * H, true);
	put_instance(3, "shop", "c:1", "v1.4.0", NOW - 50 * H, true); /* has no such class */
	put_instance(4, "shop", "d:1", "v1.5.0", NOW - H, true); /* too young */
	put_instance(5, "shop", "e:1", "v1.5.0", NOW - 50 * H, true);
	put_instance(6, "shop", "f:1", "v1.5.0", NOW - 50 * H, false);
	put_class(101, 1, "worker", "leaking", 12);
	put_class(102, 2, "worker", "held", 15);
	put_class(104, 4, "worker", "", NAN);
	put_class(105, 5, "worker", "suspect", 11);
	put_class(106, 6, "worker", "leaking", 99); /* and is down */
	put_class(111, 1, "well", "ok", NAN);
	/* The same name in another job, whose instance is alone and called what it likes. */
	put_instance(7, "till", HOSTILE, HOSTILE, NOW - 50 * H, true);
	put_class(107, 7, HOSTILE, "leaking", 5);
	put_class(108, 7, "worker", "ok", NAN);
	store_put_meta(batch, "releases shop",
		STR("{\"begun\":1699000000,\"versions\":["
		    "{\"version\":\"v1.3.0\",\"first\":1699000000,\"last\":1699500000,\"seen_s\":"
		    "518400,"
		    "\"longest_s\":518400},"
		    "{\"version\":\"v1.5.0\",\"first\":1699800000,\"last\":1700006400,\"seen_s\":"
		    "9000,"
		    "\"longest_s\":9000,\"leaks\":[{\"name\":\"worker\",\"at\":1,\"proven\":true}]}"
		    "]}"));
	store_put_meta(batch, "releases till", STR("no JSON"));
}

static void fill_many(void)
{
	char name[32];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "h%d:1", i);
		put_instance(1000 + i, "many", name, i == 7 ? "v1" : "v2", NOW - 50 * H, true);
		put_class(10000 + i, 1000 + i, "worker", i == 7 ? "ok" : "leaking", 1 + i % 1000);
	}
}

static int set_up(void **state)
{
	struct store_opened opened;
	struct err err;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/leakwatch-cmd-fleet-%ld.db", (long)getpid());
	if (store_open(path, 0, &store, &opened, &err) != STORE_OPEN_OK)
		return -1;
	batch = store_batch_new();
	fill_shop();
	fill_many();
	if (store_apply(store, &batch, 1, 0, &err) < 0)
		return -1;
	store_batch_free(batch);
	store_close(store);
	db = (struct cmd_db){.now_ms = NOW};
	return store_open_read(path, &db.store, &err) == STORE_OPEN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[128];

	(void)state;
	store_close(db.store);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
	return 0;
}

static json_t *ask(const char *job, const char *class, bool leaking)
{
	struct cmd_fleet_query q = {.job = str_of(job), .class = str_of(class), .leaking = leaking};
	struct err err = ERR_INIT;
	json_t *groups = cmd_fleet(&db, &q, &err);

	if (!groups)
		fail_msg("%s", err.msg);
	return groups;
}

static void expect_row(const json_t *group, size_t i, const char *instance, const char *state,
	const char *why, double rate)
{
	const json_t *row = json_array_get(json_object_get(group, "rows"), i);

	assert_true(str_is(json_get_str(row, "instance"), instance));
	assert_true(str_is(json_get_str(row, "state"), state));
	assert_true(str_is(json_get_str(row, "why"), why));
	assert_true(isnan(rate) ? json_is_null(json_object_get(row, "rate_per_hour"))
				: json_get_num(row, "rate_per_hour") == rate);
}

static void each_instance_has_its_state(void **state)
{
	json_t *groups = ask("shop", "worker", false), *group = json_array_get(groups, 0);

	(void)state;
	assert_int_equal(json_array_size(groups), 1);
	assert_true(json_get_num(group, "instances") == 6 && json_get_num(group, "have") == 5);
	assert_true(json_get_num(group, "leak") == 2 && json_get_num(group, "clean") == 1);
	assert_true(json_get_num(group, "unknown") == 3);
	expect_row(group, 0, "b:1", "leaks", "", 15);
	expect_row(group, 1, "a:1", "leaks", "", 12);
	expect_row(group, 2, "c:1", "clean", "", NAN);
	expect_row(group, 3, "e:1", "unknown", "suspected", NAN);
	expect_row(group, 4, "f:1", "unknown", "not scraped now", NAN);
	expect_row(group, 5, "d:1", "unknown", "seen for 1 h only", NAN);
	assert_true(str_is(json_get_str(group, "text"),
		"2 of 3 instances leak, 12 to 15 an hour each; c:1 runs an older version (v1.4.0): "
		"first seen in v1.5.0 (v1.3.0 ran 6 d without it); of 3 more it is not known yet"));
	assert_true(json_is_null(
		json_object_get(json_array_get(json_object_get(group, "rows"), 2), "series_id")));
	json_decref(groups);
}

static void what_leaks_comes_first(void **state)
{
	json_t *all = ask("", "", false), *leaking = ask("", "", true);
	struct buf out = BUF_INIT;

	(void)state;
	assert_int_equal(json_array_size(all), 5);
	assert_int_equal(json_array_size(leaking), 3);
	assert_true(str_is(json_get_str(json_array_get(all, 0), "job"), "many"));
	assert_true(str_is(json_get_str(json_array_get(all, 1), "job"), "shop"));
	assert_true(str_is(json_get_str(json_array_get(all, 2), "job"), "till"));
	cmd_fleet_text(&db, all, false, &out);
	assert_null(strchr(out.p, '\033'));
	assert_null(strstr(out.p, "\xe2\x80\xae"));
	assert_non_null(strstr(out.p, "\nshop, worker: 2 of 3 instances leak, 12 to 15 an hour"));
	assert_null(strstr(out.p, "shop, well"));
	buf_reset(&out);
	cmd_fleet_text(&db, all, true, &out);
	assert_non_null(strstr(out.p, "\nshop, well\nSTATE "));
	json_decref(all);
	all = ask("", "nothing of that name", false);
	buf_reset(&out);
	cmd_fleet_text(&db, all, false, &out);
	assert_string_equal(out.p, "no classes yet, or none of that name\n");
	json_decref(all);
	json_decref(leaking);
	buf_release(&out);
}

static void thousands_are_a_few_rows(void **state)
{
	json_t *groups = ask("many", "", false), *group = json_array_get(groups, 0);
	struct buf out = BUF_INIT;
	struct str text, line;
	size_t lines = 0;

	(void)state;
	assert_int_equal(json_array_size(groups), 1);
	assert_true(json_get_num(group, "leak") == MANY - 1);
	assert_true(json_get_num(group, "more_leak") == MANY - 1 - 12);
	assert_true(json_get_num(group, "fastest") == 1000 && json_get_num(group, "slowest") == 1);
	assert_int_equal(json_array_size(json_object_get(group, "rows")), 13);
	expect_row(group, 12, "h7:1", "clean", "", NAN);
	cmd_fleet_text(&db, groups, false, &out);
	text = buf_str(&out);
	while (str_line(&text, &line))
		lines++;
	assert_in_range(lines, 17, 20);
	assert_non_null(strstr(out.p, "\nand 2987 more that leak, none faster\n"));
	json_decref(groups);
	buf_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_instance_has_its_state),
		cmocka_unit_test(what_leaks_comes_first),
		cmocka_unit_test(thousands_are_a_few_rows),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
