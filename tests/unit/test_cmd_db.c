/* The commands that read the store: exit codes, JSON, and what outsiders' names may do to a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "clock.h"
#include "cmd.h"
#include "json.h"
#include "store.h"

#include <dirent.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a hostile process may call its function. */
#define HOSTILE "main.\033[2J%s%n\n\xff\xe2\x80\xae"

static char dir[64], db_path[96], out_path[96];
static struct buf out; /* what the newest command printed */

static void put_series(struct store_batch *b, int64_t id, const char *name, bool class)
{
	struct store_class c = {.id = id,
		.target_id = 1,
		.name = str_of(name),
		.first_seen_ms = 1,
		.last_seen_ms = 1};
	struct store_series s = {.id = id,
		.target_id = 1,
		.kind = class ? STORE_SERIES_CLASS : STORE_SERIES_TOTAL,
		.name = str_of(name),
		.class_id = class ? id : 0};

	if (class)
		store_put_class(b, &c);
	store_put_series(b, &s);
}

static void fill(struct store *s)
{
	int64_t now = clock_wall_ms();
	struct store_batch *b = store_batch_new();
	struct store_target up = {.id = 1, .job = STR("shop"), .instance = STR("10.0.0.1:6060")};
	struct store_target down = {.id = 2, .job = STR("shop"), .instance = STR("10.0.0.2:6060")};
	struct store_status good = {.target_id = 1, .at_ms = now - 5000, .up = true, .parsed = 49};
	struct store_status bad = {.target_id = 2,
		.at_ms = now - 5000,
		.why = STR("HTML\033[31m came"),
		.down_since_ms = 1};
	struct store_verdict v = {.series_id = 11,
		.state = STR("leaking"),
		.since_ms = now - 7200000,
		.rate_per_hour = 30.1,
		.low = 28,
		.high = 32.2,
		.reason = STR("floor rose")};
	struct store_alert a = {.id = STR("feed0001"),
		.name = STR("GoroutineLeak"),
		.state = STR("firing"),
		.holds = true,
		.raised_ms = now - 7000,
		.fired_ms = now - 7000,
		.changed_ms = now - 7000,
		.target_id = 1,
		.labels = STR("{\"job\":\"shop\",\"class\":\"\\u001b[2J\"}"),
		.annotations = STR("{\"summary\":\"leaks\\u001b[2J\",\"hint\":\"one\\ntwo\"}")};
	struct store_alert_event e = {.id = 1,
		.alert_id = STR("feed0001"),
		.at_ms = now - 7000,
		.from_state = STR("inactive"),
		.to_state = STR("firing"),
		.why = STR("floor rose\033[2J")};
	struct store_delivery d = {.id = 1,
		.alert_id = STR("feed0001"),
		.receiver = STR("oncall\033[2J"),
		.state = STR("owed"),
		.created_ms = now,
		.attempts = 2,
		.why = STR("503\033[2J")};

	store_put_target(b, &up);
	store_put_target(b, &down);
	store_put_status(b, &good);
	store_put_status(b, &bad);
	put_series(b, 11, "http-client-conn", true);
	put_series(b, 12, HOSTILE, true);
	put_series(b, 13, "http-server-conn", true);
	put_series(b, 14, "total", false);
	store_put_verdict(b, &v);
	for (int i = 0; i < 200; i++) {
		struct store_scrape scrape = {.target_id = 1,
			.at_ms = now - (200 - i) * 60000,
			.got = STORE_GOT_GOROUTINES,
			.full = i == 0};

		store_add_scrape(b, &scrape);
		store_add_value(b, 11, 10 + i);
		if (i == 0) {
			store_add_value(b, 12, 3);
			store_add_value(b, 13, 4);
		}
		store_add_value(b, 14, 17 + i);
	}
	store_put_alert(b, &a);
	store_add_alert_event(b, &e);
	a.id = STR("feed0002");
	a.state = STR("resolved");
	a.resolved_ms = now;
	store_put_alert(b, &a);
	a.id = STR("0ld00000");
	a.resolved_ms = a.changed_ms = now - 30 * 86400000ll;
	store_put_alert(b, &a);
	store_put_delivery(b, &d);
	assert_int_equal(store_apply(s, &b, 1, 0, NULL), 0);
	store_batch_free(b);
}

static int set_up(void **state)
{
	struct store_opened opened;
	struct store *s;

	(void)state;
	buf_init(&out);
	strcpy(dir, "/tmp/leakwatch-cmd-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(db_path, sizeof(db_path), "%s/test.db", dir);
	snprintf(out_path, sizeof(out_path), "%s/out", dir);
	if (store_open(db_path, 0, &s, &opened, NULL) != STORE_OPEN_OK)
		return -1;
	fill(s);
	store_close(s);
	return 0;
}

static int tear_down(void **state)
{
	char path[512];
	struct dirent *e;
	DIR *d = opendir(dir);

	(void)state;
	buf_release(&out);
	while (d && (e = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		unlink(path);
	}
	if (d)
		closedir(d);
	return rmdir(dir);
}

/* Runs the command with the words given, standard output and error in out. */
static int run(int (*command)(int, char **), const char *db, const char *format, const char *a,
	const char *b)
{
	const char *argv[8] = {"leakwatch test", "--db", db, "--format", format};
	int argc = 5, code, keep[2], fd;
	char text[4096];
	ssize_t n;

	if (a)
		argv[argc++] = a;
	if (b)
		argv[argc++] = b;
	fflush(NULL);
	keep[0] = dup(STDOUT_FILENO);
	keep[1] = dup(STDERR_FILENO);
	fd = open(out_path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	optind = 0; /* getopt begins anew */
	code = command(argc, (char **)argv);
	fflush(NULL);
	dup2(keep[0], STDOUT_FILENO);
	dup2(keep[1], STDERR_FILENO);
	close(keep[0]);
	close(keep[1]);
	buf_reset(&out);
	lseek(fd, 0, SEEK_SET);
	while ((n = read(fd, text, sizeof(text))) > 0)
		buf_add(&out, text, (size_t)n);
	close(fd);
	return code;
}

static json_t *run_json(int (*command)(int, char **), const char *a, const char *b)
{
	struct err err = ERR_INIT;
	json_t *doc;

	assert_int_equal(run(command, db_path, "json", a, b), CMD_OK);
	doc = json_read(buf_str(&out), &err);
	if (!doc)
		fail_msg("%s: %s", err.msg, out.p);
	return doc;
}

static void json_is_as_documented(void **state)
{
	json_t *doc, *row;
	const char *s;
	double v, w;
	int n, m, yes;

	(void)state;
	doc = run_json(cmd_status, NULL, NULL);
	assert_int_equal(json_unpack(doc, "{s:b,s:i,s:i,s:i,s:o}", "running", &yes, "up", &n,
				 "down", &m, "owed", &(int){0}, "targets", &row),
		0);
	assert_false(yes);
	assert_int_equal(n, 1);
	assert_int_equal(m, 1);
	/* In trouble first. */
	assert_int_equal(json_unpack(json_array_get(row, 0), "{s:s}", "target", &s), 0);
	assert_string_equal(s, "shop/10.0.0.2:6060");
	json_decref(doc);

	doc = run_json(cmd_targets, NULL, NULL);
	assert_int_equal(json_unpack(doc, "{s:[{s:s,s:b,s:F,s:s,s:s,s:i}]}", "targets", "instance",
				 &s, "up", &yes, "goroutines", &v, "verdict", &s, "verdict_of", &s,
				 "alerts_firing", &n),
		0);
	assert_true(v == 216 && n == 1);
	assert_string_equal(s, "http-client-conn");
	json_decref(doc);

	doc = run_json(cmd_classes, NULL, NULL);
	assert_int_equal(json_unpack(doc, "{s:[{s:s,s:F,s:F,s:F}]}", "classes", "class", &s,
				 "count", &v, "rate_per_hour", &w, "since", &(double){0}),
		0);
	assert_string_equal(s, "http-client-conn"); /* the worst first */
	assert_true(v == 209 && w == 30.1);
	assert_int_equal(json_array_size(json_object_get(doc, "classes")), 3);
	assert_int_equal(json_array_size(json_object_get(doc, "others")), 1);
	json_decref(doc);

	doc = run_json(cmd_alerts, NULL, NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "alerts")), 2); /* not the old one */
	json_decref(doc);
	doc = run_json(cmd_alerts, "show", "feed0001");
	assert_int_equal(json_unpack(doc, "{s:s,s:[{s:s}],s:[{s:s,s:i}]}", "id", &s, "events", "to",
				 &s, "deliveries", "state", &s, "attempts", &n),
		0);
	json_decref(doc);

	doc = run_json(cmd_history, "0.1:6060", "client"); /* parts are enough */
	row = json_object_get(doc, "samples");
	assert_int_equal(json_array_size(row), 200);
	assert_int_equal(
		json_unpack(json_array_get(row, 199), "{s:F,s:F}", "at", &w, "value", &v), 0);
	assert_true(v == 209);
	assert_true(fabs(w * 1000 - (double)clock_wall_ms()) < 120000);
	json_decref(doc);
}

static void exit_codes(void **state)
{
	static const struct {
		const char *what;
		int (*command)(int, char **);
		const char *db, *format, *a, *b;
		int code;
	} rows[] = {
		{"no store", cmd_status, "/nonexistent/x.db", "text", NULL, NULL, CMD_IO},
		{"not a store", cmd_status, "Makefile", "text", NULL, NULL, CMD_DATA},
		{"odd format", cmd_status, NULL, "yaml", NULL, NULL, CMD_USAGE},
		{"a word too many", cmd_targets, NULL, "text", "x", NULL, CMD_USAGE},
		{"odd first word", cmd_alerts, NULL, "text", "sow", NULL, CMD_USAGE},
		{"show without an id", cmd_alerts, NULL, "text", "show", NULL, CMD_USAGE},
		{"no such alert", cmd_alerts, NULL, "text", "show", "abc", CMD_FAILED},
		{"two alerts begin so", cmd_alerts, NULL, "text", "show", "feed", CMD_FAILED},
		{"an old one can be shown", cmd_alerts, NULL, "text", "show", "0ld", CMD_OK},
		{"target and no class", cmd_history, NULL, "text", "shop", NULL, CMD_USAGE},
		{"two targets fit", cmd_history, NULL, "text", "shop", "total", CMD_FAILED},
		{"no target fits", cmd_history, NULL, "text", "cart", "total", CMD_FAILED},
		{"two classes fit", cmd_history, NULL, "text", "0.1:", "http", CMD_FAILED},
		{"one fits", cmd_history, NULL, "text", "0.1:", "server", CMD_OK},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int code = run(rows[i].command, rows[i].db ? rows[i].db : db_path, rows[i].format,
			rows[i].a, rows[i].b);

		if (code != rows[i].code)
			fail_msg("%s: %d, not %d: %s", rows[i].what, code, rows[i].code, out.p);
		assert_true(out.len > 0);
	}
}

/* Names, reasons, labels: nothing of them reaches a terminal as it was. */
static void texts_are_safe(void **state)
{
	static const struct {
		int (*command)(int, char **);
		const char *a, *b, *shows;
	} rows[] = {
		{cmd_status, NULL, NULL, "shop/10.0.0.2:6060  down"},
		{cmd_targets, NULL, NULL, "HTML\\x1b[31m came"},
		{cmd_classes, NULL, NULL, "main.\\x1b[2J%s%n\\n"},
		{cmd_alerts, NULL, NULL, "leaks\\x1b[2J"},
		{cmd_alerts, "show", "feed0001", "hint        one\n            two\n"},
		{cmd_history, "0.1:", "main", "main.\\x1b[2J%s%n\\n"},
		{cmd_history, "0.1:", "http-c\033[2J", "http-c\\x1b[2J"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		run(rows[i].command, db_path, "text", rows[i].a, rows[i].b);
		if (!strstr(out.p, rows[i].shows))
			fail_msg("%s is not in: %s", rows[i].shows, out.p);
		for (size_t c = 0; c < out.len; c++) {
			if ((out.p[c] >= 0 && out.p[c] < 0x20 && out.p[c] != '\n') ||
				out.p[c] == 0x7f)
				fail_msg("byte 0x%02x in: %s", out.p[c], out.p);
		}
		assert_null(strstr(out.p, "\xe2\x80\xae"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_is_as_documented),
		cmocka_unit_test(exit_codes),
		cmocka_unit_test(texts_are_safe),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
