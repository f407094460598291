/* backtest: histories as text, judged. */
#include "backtest.h"
#include "buf.h"
#include "cmd.h"
#include "cmd_backtest.h"
#include "store.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#define T0 1700006400

/* What came of a history, one line an event. */
struct result {
	struct buf lines;
	int firing, suspect, resolved, held;
	double at[4]; /* of the first of each: firing, suspect, resolved, held */
	double rate, since;
	struct backtest_stats stats;
};

static void event_cb(void *arg, const struct backtest_event *e)
{
	struct result *r = arg;
	int *count = e->state == VERDICT_LEAKING   ? &r->firing
		     : e->state == VERDICT_SUSPECT ? &r->suspect
		     : e->state == VERDICT_HELD	   ? &r->held
						   : &r->resolved;
	int k = count == &r->firing ? 0 : count == &r->suspect ? 1 : count == &r->resolved ? 2 : 3;

	if ((*count)++ == 0)
		r->at[k] = e->at;
	if (e->state == VERDICT_LEAKING) {
		r->rate = e->rate_per_hour;
		r->since = e->since;
	}
	buf_addf(&r->lines, "%s %s %s\n", e->target, e->name,
		e->state == VERDICT_OK ? "resolved" : verdict_state_name(e->state));
	assert_true(e->state != VERDICT_OK || isnan(e->rate_per_hour));
	assert_false(isnan(e->since));
}

/* Lines in any order; `load` and `rules` may be NULL. */
static void judge(struct result *r, const char *text, const char *load, const struct rule *rules,
	size_t nrules)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct backtest *b = backtest_new(&p);
	struct prom_sink sink = backtest_sink(b);
	struct prom *parser = prom_new(&sink, PROM_TIME_S);
	struct err err = ERR_INIT;

	memset(r, 0, sizeof(*r));
	buf_init(&r->lines);
	if (load)
		assert_int_equal(backtest_want_load(b, STR(""), str_of(load), &err), 0);
	backtest_rules(b, rules, nrules);
	prom_feed(parser, text, strlen(text));
	if (prom_finish(parser, &err))
		fail_msg("%s", err.msg);
	backtest_judge(b, event_cb, r);
	r->stats = *backtest_stats(b);
	prom_free(parser);
	backtest_free(b);
}

/* `hours` of a class from T0 + from: a + rate t. */
static void add_class(
	struct buf *b, const char *labels, double from, double hours, double a, double rate)
{
	for (double t = from; t < from + hours * 3600; t += 60)
		buf_addf(b, "leakwatch_goroutines{%s} %.0f %.3f\n", labels,
			floor(a + rate * (t - from) / 3600), T0 + t);
}

static void a_leak_and_a_healthy_one(void **state)
{
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	add_class(&b, "target=\"t1\",class=\"leaky\"", 0, 36, 20, 20);
	add_class(&b, "target=\"t1\",class=\"flat\"", 0, 36, 500, 0);
	add_class(&b, "target=\"t2\",class=\"leaky\"", 0, 36, 20, 0);
	buf_adds(&b, "# EOF\n");
	judge(&r, b.p, NULL, NULL, 0);
	assert_string_equal(r.lines.p, "t1 leaky suspect\nt1 leaky leaking\n");
	assert_true(fabs(r.rate - 20) < .5);
	assert_true(fabs(r.since - T0) < 3600);
	assert_int_equal(r.stats.series, 3);
	assert_int_equal(r.stats.targets, 2);
	assert_true(r.stats.from == T0);
	buf_release(&r.lines);
	buf_release(&b);
}

/* The start time moves: what leaked is gone; samples of it may come after the series. */
static void restarts(void **state)
{
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	add_class(&b, "target=\"t\",class=\"c\"", 0, 30, 20, 30);
	add_class(&b, "target=\"t\",class=\"c\"", 30 * 3600, 12, 20, 0);
	for (int t = 0; t < 42 * 3600; t += 60)
		buf_addf(&b, "process_start_time_seconds{target=\"t\"} %d %d\n",
			t < 30 * 3600 ? T0 - 60 : T0 + 30 * 3600 - 5, T0 + t);
	judge(&r, b.p, NULL, NULL, 0);
	assert_int_equal(r.stats.restarts, 1);
	assert_int_equal(r.firing, 1);
	assert_int_equal(r.resolved, 1);
	assert_true(r.at[2] > T0 + 30 * 3600 && r.at[2] < T0 + 38 * 3600);
	buf_release(&r.lines);
	buf_release(&b);
}

/* Rises threefold with its load (gauge, counter, sum of two): healthy; without knowing it: told. */
static void loads(void **state)
{
	static const char *const names[] = {"sessions", "requests_total", "requests", NULL};

	(void)state;
	for (int k = 0; k < 4; k++) {
		struct buf b = BUF_INIT;
		struct result r;
		double served = 0;

		buf_adds(&b, "# TYPE requests counter\n# TYPE sessions gauge\n");
		for (int t = 0; t < 40 * 3600; t += 60) {
			double load = 100 + t / 300.0 + 20 * sin(t / 9000.0);

			served += load * 60;
			buf_addf(&b, "leakwatch_goroutines{target=\"t\",class=\"c\"} %.0f %d\n",
				2 * load, T0 + t);
			buf_addf(&b, "sessions{target=\"t\",zone=\"a\"} %.3f %d\n", load / 3,
				T0 + t);
			buf_addf(&b, "sessions{target=\"t\",zone=\"b\"} %.3f %d\n", load * 2 / 3,
				T0 + t);
			buf_addf(&b, "requests_total{target=\"t\"} %.0f %d\n", served, T0 + t);
		}
		judge(&r, b.p, names[k], NULL, 0);
		if ((r.firing > 0) != (names[k] == NULL))
			fail_msg("load %s: %s", names[k] ? names[k] : "none", r.lines.p);
		assert_int_equal(r.stats.loads, names[k] ? k == 0 ? 2 : 1 : 0);
		buf_release(&r.lines);
		buf_release(&b);
	}
}

/* Names of targets: label target, else job/instance, else all labels; process metrics. */
static void names(void **state)
{
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	for (int t = 0; t < 36 * 3600; t += 60) {
		double v = floor(20 + t / 180.0);

		buf_addf(&b, "go_goroutines{job=\"shop\",instance=\"a:1\"} %.0f %d\n", v, T0 + t);
		buf_addf(&b, "process_open_fds{pod=\"p\",zone=\"z\"} %.0f %d\n", v, T0 + t);
		buf_addf(&b, "go_memstats_heap_inuse_bytes{target=\"m\"} %.0f %d\n", v * 1048576,
			T0 + t);
		buf_addf(&b, "process_max_fds{target=\"m\"} %.0f %d\n", v, T0 + t); /* not judged */
	}
	judge(&r, b.p, NULL, NULL, 0);
	assert_int_equal(r.firing, 3);
	assert_non_null(strstr(r.lines.p, "shop/a:1 go_goroutines leaking\n"));
	assert_non_null(strstr(r.lines.p, "pod=p,zone=z process_open_fds leaking\n"));
	assert_non_null(strstr(r.lines.p, "m go_memstats_heap_inuse_bytes leaking\n"));
	buf_release(&r.lines);
	buf_release(&b);
}

/* At or under `expect` a class is at most watched. */
static void expectation(void **state)
{
	struct rule rules[2] = {{.name = STR_LIT("other"), .expect_max = 1},
		{.name = STR_LIT("c"), .expect_max = 2000, .limit = NAN}};
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	add_class(&b, "target=\"t\",class=\"c\"", 0, 36, 20, 20);
	judge(&r, b.p, NULL, rules, 2);
	assert_int_equal(r.firing + r.suspect, 0);
	buf_release(&r.lines);
	rules[1].expect_max = 300; /* passed after 14 h */
	judge(&r, b.p, NULL, rules, 2);
	assert_int_equal(r.firing, 1);
	assert_true(r.at[0] > 0);
	buf_release(&r.lines);
	buf_release(&b);
}

/* A class that appears late was 0 before; one that is there from the start was not. */
static void born_late(void **state)
{
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	add_class(&b, "target=\"t\",class=\"old\"", 0, 5 * 24 + 8, 5, 0);
	add_class(&b, "target=\"t\",class=\"new\"", 5 * 86400, 8, 1, 40);
	judge(&r, b.p, NULL, NULL, 0);
	assert_int_equal(r.firing, 1);
	assert_true(r.at[0] < T0 + 5 * 86400 + 4 * 3600);
	assert_true(fabs(r.since - (T0 + 5 * 86400)) < 1800);
	buf_release(&r.lines);
	buf_release(&b);
}

/* Samples without a timestamp, out of order, not finite: left out and counted. */
static void left_out(void **state)
{
	struct buf b = BUF_INIT;
	struct result r;

	(void)state;
	add_class(&b, "target=\"t\",class=\"c\"", 600, 36, 20, 20);
	buf_addf(&b, "leakwatch_goroutines{target=\"t\",class=\"c\"} 9 %d\n", T0);
	buf_adds(&b, "leakwatch_goroutines{target=\"t\",class=\"c\"} 9\n");
	buf_addf(&b, "leakwatch_goroutines{target=\"t\",class=\"c\"} NaN %d\n", T0 + 999999);
	judge(&r, b.p, NULL, NULL, 0);
	assert_int_equal(r.firing, 1);
	assert_int_equal(r.stats.disordered, 1);
	assert_int_equal(r.stats.untimed, 1);
	buf_release(&r.lines);
	buf_release(&b);
}

static void bad_load(void **state)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct backtest *b = backtest_new(&p);
	struct err err = ERR_INIT;

	(void)state;
	assert_int_equal(backtest_want_load(b, STR(""), STR("a{b=~\"c\"}"), &err), -1);
	assert_true(err.msg[0] != '\0');
	backtest_free(b);
}

/* ---- a daemon's store -------------------------------------------------------------------------
 */

#define MINUTES (40 * 60)

/* A class that leaks until the process restarts after 30 hours, the total, descriptors. */
static void fill_store(const char *path)
{
	struct store_batch *b = store_batch_new();
	struct store_target t = {.id = 1, .job = STR("shop"), .instance = STR("a:1")};
	struct store_class c = {.id = 5, .target_id = 1, .name = STR("leaky")};
	struct store_series class = {.id = 11, .target_id = 1, .name = STR("leaky"), .class_id = 5};
	struct store_series total = {
		.id = 12, .target_id = 1, .kind = STORE_SERIES_TOTAL, .name = STR("total")};
	struct store_series fds = {.id = 13,
		.target_id = 1,
		.kind = STORE_SERIES_METRIC,
		.name = STR("process_open_fds")};
	struct store_run run = {.id = 1, .target_id = 1};
	struct store_opened opened;
	struct store *s;

	assert_int_equal(store_open(path, T0 * 1000ll, &s, &opened, NULL), STORE_OPEN_OK);
	store_put_target(b, &t);
	store_put_class(b, &c);
	store_put_series(b, &class);
	store_put_series(b, &total);
	store_put_series(b, &fds);
	for (int i = 0; i < 2; i++) {
		run.id = i + 1;
		run.first_seen_ms = run.last_seen_ms = (T0 + i * 30 * 3600) * 1000ll;
		run.start_ms = run.first_seen_ms - 5000;
		store_put_run(b, &run);
	}
	for (int i = 0; i < MINUTES; i++) {
		struct store_scrape scrape = {.target_id = 1,
			.at_ms = (T0 + i * 60) * 1000ll,
			.got = STORE_GOT_GOROUTINES | STORE_GOT_METRICS,
			.full = i % 32 == 0};
		double v = i < 30 * 60 ? floor(20 + i / 3.0) : 20;

		store_add_scrape(b, &scrape);
		store_add_value(b, 11, v);
		store_add_value(b, 12, v + 100);
		store_add_value(b, 13, 9);
	}
	assert_int_equal(store_apply(s, &b, 1, 0, NULL), 0);
	store_batch_free(b);
	store_close(s);
}

static void a_store(void **state)
{
	char dir[] = "/tmp/leakwatch-backtest-XXXXXX", path[64], extra[80];
	static const char *const ends[] = {"", "-wal", "-shm", ".lock", "-journal", ".ballast"};
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct backtest *b = backtest_new(&p);
	struct err err = ERR_INIT;
	struct result r = {0};

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/x.db", dir);
	buf_init(&r.lines);
	assert_int_equal(backtest_read_store(path, b, &err), CMD_IO);
	fill_store(path);
	if (backtest_read_store(path, b, &err))
		fail_msg("%s", err.msg);
	backtest_judge(b, event_cb, &r);
	assert_int_equal(backtest_stats(b)->series, 3);
	assert_int_equal(backtest_stats(b)->samples, 3 * MINUTES + 2);
	assert_non_null(strstr(r.lines.p, "shop/a:1 leaky leaking\n"));
	assert_non_null(strstr(r.lines.p, "shop/a:1 leaky resolved\n"));
	assert_non_null(strstr(r.lines.p, "shop/a:1 go_goroutines leaking\n"));
	assert_null(strstr(r.lines.p, "process_open_fds"));
	assert_true(fabs(r.rate - 20) < .5);
	backtest_free(b);
	buf_release(&r.lines);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(extra, sizeof(extra), "%s%s", path, ends[i]);
		unlink(extra);
	}
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_leak_and_a_healthy_one),
		cmocka_unit_test(restarts),
		cmocka_unit_test(loads),
		cmocka_unit_test(names),
		cmocka_unit_test(expectation),
		cmocka_unit_test(born_late),
		cmocka_unit_test(left_out),
		cmocka_unit_test(bad_load),
		cmocka_unit_test(a_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
