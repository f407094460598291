/* leakwatch status: is all well, and if not, where? */
#include "cmd_fleet.h"
#include "safe.h"
#include "table.h"
#include "xalloc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FLEETS_MAX 8

static const char usage[] =
	"usage: leakwatch status [--db FILE] [--format text|json]\n"
	"Is the daemon running, which targets answer, and what is the worst of each?\n";

static void owed_cb(void *arg, const struct store_delivery *d)
{
	(void)d;
	++*(int64_t *)arg;
}

static size_t count_if(const json_t *rows, const char *key, const char *value)
{
	size_t i, n = 0;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row) n += str_is(cmd_rows_str(row, key), value);
	return n;
}

/* Newest sign of life in the store. */
static double last_scrape(const json_t *targets)
{
	double newest = 0, at;
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)targets, i, row)
	{
		at = cmd_rows_num(row, "last_scrape");
		if (at > newest)
			newest = at;
	}
	return newest;
}

/* 0 down, then the worst verdict, then the rest. */
static int trouble(const json_t *row)
{
	return cmd_rows_true(row, "up") ? 1 + cmd_db_rank(cmd_rows_str(row, "verdict")) : 0;
}

static int by_trouble(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int d = trouble(x) - trouble(y);

	return d ? d : str_cmp(cmd_rows_str(x, "target"), cmd_rows_str(y, "target"));
}

static json_t *sorted(const json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **v = xcalloc(n + 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(rows, i);
	qsort(v, n, sizeof(json_t *), by_trouble);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	return out;
}

static size_t count_state(const json_t *targets, const char *state)
{
	size_t n = 0, i;
	json_t *row;

	json_array_foreach((json_t *)targets, i, row) n += str_is(cmd_rows_state(row), state);
	return n;
}

static json_t *read_all(struct cmd_db *db, struct err *err)
{
	static const struct cmd_fleet_query what_leaks = {.leaking = true};
	json_t *doc, *targets = cmd_rows_targets(db, err), *alerts, *memory, *fleets;
	int64_t pid = 0, owed = 0;
	double newest;
	struct stat sb;
	bool running;

	if (!targets)
		return NULL;
	alerts = cmd_rows_alerts(db, INT64_MAX, err);
	memory = alerts ? cmd_rows_memory(db, targets, err) : NULL;
	fleets = memory ? cmd_fleet(db, &what_leaks, err) : NULL;
	if (!fleets || store_load_owed(db->store, owed_cb, &owed, err) < 0) {
		json_decref(fleets);
		json_decref(targets);
		json_decref(alerts);
		json_decref(memory);
		return NULL;
	}
	running = store_is_held(db->path, &pid);
	newest = last_scrape(targets);
	doc = json_object();
	json_object_set_new(doc, "running", json_boolean(running));
	json_object_set_new(doc, "pid", pid ? json_integer(pid) : json_null());
	json_object_set_new(doc, "store", json_str(str_of(db->path)));
	json_object_set_new(doc, "store_bytes",
		stat(db->path, &sb) == 0 ? json_integer(sb.st_size) : json_null());
	json_object_set_new(doc, "last_scrape", newest > 0 ? json_num(newest) : json_null());
	json_object_set_new(doc, "up", json_integer((json_int_t)count_state(targets, "up")));
	json_object_set_new(doc, "down", json_integer((json_int_t)count_state(targets, "down")));
	json_object_set_new(doc, "new", json_integer((json_int_t)count_state(targets, "new")));
	json_object_set_new(
		doc, "firing", json_integer((json_int_t)count_if(alerts, "state", "firing")));
	json_object_set_new(
		doc, "pending", json_integer((json_int_t)count_if(alerts, "state", "pending")));
	json_object_set_new(doc, "owed", json_integer(owed));
	json_object_set_new(doc, "targets", sorted(targets));
	json_object_set_new(doc, "memory", memory);
	json_object_set_new(doc, "fleets", fleets);
	json_decref(targets);
	json_decref(alerts);
	return doc;
}

static void add_head(const struct cmd_db *db, const json_t *doc, struct buf *out)
{
	double up = cmd_rows_num(doc, "up"), down = cmd_rows_num(doc, "down");
	double fresh = cmd_rows_num(doc, "new"), n = up + down + fresh;

	if (!cmd_rows_true(doc, "running")) {
		buf_adds(out, "leakwatch is NOT RUNNING; last scrape ");
		cmd_db_add_ago(db, out, cmd_rows_ms(doc, "last_scrape"));
	} else if (json_is_integer(json_object_get(doc, "pid"))) {
		buf_addf(out, "leakwatch is running (pid %.0f)", cmd_rows_num(doc, "pid"));
	} else {
		buf_adds(out, "leakwatch is running");
	}
	buf_adds(out, "; store ");
	safe_add(out, str_of(db->path));
	buf_adds(out, ", ");
	cmd_db_add_value(out, cmd_rows_num(doc, "store_bytes"), STR("_bytes"));
	buf_addf(out, "\n%.0f target%s: %.0f up, %.0f down", n, n == 1 ? "" : "s", up, down);
	if (fresh > 0)
		buf_addf(out, ", %.0f not scraped yet", fresh);
	buf_addf(out, "; %.0f alert%s firing, %.0f pending", cmd_rows_num(doc, "firing"),
		cmd_rows_num(doc, "firing") == 1 ? "" : "s", cmd_rows_num(doc, "pending"));
	if (cmd_rows_num(doc, "owed") > 0)
		buf_addf(out, "; %.0f notification%s not delivered yet", cmd_rows_num(doc, "owed"),
			cmd_rows_num(doc, "owed") == 1 ? "" : "s");
	buf_adds(out, "\n");
}

/* "leaking: http-client-conn, 30/h", or why it is down. */
static void add_worst(struct buf *out, const json_t *row)
{
	struct str verdict = cmd_rows_str(row, "verdict"), of = cmd_rows_str(row, "verdict_of");

	if (!cmd_rows_true(row, "up")) {
		buf_addstr(out, cmd_rows_str(row, "why"));
		return;
	}
	buf_addstr(out, verdict);
	if (cmd_db_rank(verdict) < 4) {
		buf_addf(out, ": %.*s", STR_ARG(of));
		if (cmd_rows_num(row, "rate_per_hour") > 0)
			buf_adds(out, ", ");
		cmd_db_add_rate(out, cmd_rows_num(row, "rate_per_hour"), of);
		if (json_is_object(json_object_get(row, "each"))) {
			buf_adds(out, "; each holds ");
			cmd_db_add_each(out, json_object_get(row, "each"));
		}
	}
	if (cmd_rows_str(row, "why").len)
		buf_addf(out, "; %.*s", STR_ARG(cmd_rows_str(row, "why")));
	if (cmd_rows_str(row, "metrics_why").len)
		buf_addf(out, "; metrics: %.*s", STR_ARG(cmd_rows_str(row, "metrics_why")));
}

static void add_targets(const struct cmd_db *db, const json_t *targets, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "TARGET"}, {.title = "STATE"},
		{.title = "SCRAPED", .right = true}, {.title = "GOROUTINES", .right = true},
		{.title = "WORST", .shrink = true}};
	struct buf cell = BUF_INIT;
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach((json_t *)targets, i, row)
	{
		table_add(&t, cmd_rows_str(row, "target"));
		table_add(&t, cmd_rows_state(row));
		buf_reset(&cell);
		cmd_db_add_ago(db, &cell, cmd_rows_ms(row, "last_scrape"));
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		cmd_db_add_value(&cell, cmd_rows_num(row, "goroutines"), STR(""));
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		add_worst(&cell, row);
		table_add(&t, buf_str(&cell));
	}
	if (table_rows(&t)) {
		buf_addc(out, '\n');
		table_write(&t, db->columns, out);
	}
	table_release(&t);
	buf_release(&cell);
}

/* "shop/10.0.0.7:6060: Page cache grew by …", where memory does anything. */
static void add_memory(const json_t *memory, struct buf *out)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)memory, i, row)
	{
		buf_adds(out, i ? "" : "\nMEMORY\n");
		safe_add(out, cmd_rows_str(row, "target"));
		buf_adds(out, ": ");
		safe_add(out, cmd_rows_str(row, "text"));
		buf_addc(out, '\n');
	}
}

/* Then the total and the metrics grow with it, and need no line. */
static bool a_class_leaks(const json_t *fleets, struct str job)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)fleets, i, row)
	{
		if (str_is(cmd_rows_str(row, "kind"), "class") &&
			str_eq(cmd_rows_str(row, "job"), job))
			return true;
	}
	return false;
}

/* What leaks on several instances, or which version brought it is known of. */
static void add_fleets(const json_t *fleets, struct buf *out)
{
	json_t *row;
	size_t i, n = 0;

	json_array_foreach((json_t *)fleets, i, row)
	{
		if (n == FLEETS_MAX ||
			(!cmd_rows_str(row, "text").len && !cmd_rows_str(row, "first_seen").len) ||
			(!str_is(cmd_rows_str(row, "kind"), "class") &&
				a_class_leaks(fleets, cmd_rows_str(row, "job"))))
			continue;
		buf_adds(out, n++ ? "" : "\nINSTANCES AND VERSIONS\n");
		cmd_fleet_add_line(row, out);
	}
}

int cmd_status(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct cmd_db db;
	json_t *doc;
	int code;

	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind < argc)
		return cmd_usage(argv, "takes no argument, was given '%s'", argv[optind]);
	code = cmd_db_open(&db);
	if (code)
		return code;
	doc = read_all(&db, &err);
	if (!doc) {
		code = cmd_db_failed(&db, &err);
	} else if (db.json) {
		cmd_db_print_json(doc);
	} else {
		add_head(&db, doc, &out);
		add_targets(&db, json_object_get(doc, "targets"), &out);
		add_fleets(json_object_get(doc, "fleets"), &out);
		add_memory(json_object_get(doc, "memory"), &out);
		fputs(out.p, stdout);
		json_decref(doc);
	}
	buf_release(&out);
	cmd_db_close(&db);
	return code;
}
