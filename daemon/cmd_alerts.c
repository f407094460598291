/* leakwatch alerts: what has been told to people, and what became of it. */
#include "cmd_alerts.h"
#include "cmd_db.h"
#include "config.h"
#include "safe.h"
#include "table.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define RESOLVED_MS (7 * 86400000ll) /* resolved ones are listed that long */

static const char usage[] =
	"usage: leakwatch alerts [list] [--db FILE] [--format text|json]\n"
	"       leakwatch alerts show ID [--dump] [--db FILE] [--format text|json]\n"
	"       leakwatch alerts test [-c FILE] RECEIVER\n"
	"Alerts that are pending or firing, and those resolved in the last 7 days; or everything\n"
	"about one: ID is its id or the beginning of it.  --dump prints the whole dump of "
	"goroutines\n"
	"that was kept when it fired, nothing else.\n"
	"test sends a marked alert, and its end, to every sink of a receiver of the configuration\n"
	"FILE (default " CONFIG_PATH "), and prints what each answered.\n";

/* ---- list -------------------------------------------------------------------- */

static int by_state(const json_t *row)
{
	struct str state = cmd_rows_str(row, "state");

	return str_is(state, "firing") ? 0 : str_is(state, "pending") ? 1 : 2;
}

static void add_target(struct buf *out, const json_t *labels)
{
	struct str job = cmd_rows_str(labels, "job");

	if (job.len)
		buf_addf(out, "%.*s/%.*s", STR_ARG(job), STR_ARG(cmd_rows_str(labels, "instance")));
}

/* A summary without "JOB at INSTANCE: CLASS ", which other columns say. */
static struct str short_summary(const json_t *labels, struct str summary)
{
	struct str class = cmd_rows_str(labels, "class");
	struct buf where = BUF_INIT;

	safe_add(&where, cmd_rows_str(labels, "job"));
	buf_adds(&where, " at ");
	safe_add(&where, cmd_rows_str(labels, "instance"));
	buf_adds(&where, ": ");
	if (str_starts(summary, buf_str(&where))) {
		summary = str_from(summary, where.len);
		if (class.len && str_starts(summary, class))
			summary = str_trim(str_from(summary, class.len));
	}
	buf_release(&where);
	return summary;
}

static void add_alert_row(const struct cmd_db *db, struct table *t, const json_t *row)
{
	const json_t *labels = json_object_get(row, "labels");
	const json_t *annotations = json_object_get(row, "annotations");
	struct buf cell = BUF_INIT;

	buf_addstr(&cell, cmd_rows_str(row, "state"));
	if (cmd_rows_str(row, "silence").len)
		buf_adds(&cell, ", silenced");
	if (json_is_object(json_object_get(row, "acknowledged")))
		buf_adds(&cell, ", taken");
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	cmd_db_add_ago(db, &cell,
		by_state(row) == 2	    ? cmd_rows_ms(row, "resolved")
		: cmd_rows_ms(row, "fired") ? cmd_rows_ms(row, "fired")
					    : cmd_rows_ms(row, "raised"));
	table_add(t, buf_str(&cell));
	table_add(t, cmd_rows_str(row, "id"));
	table_add(t, cmd_rows_str(row, "name"));
	buf_reset(&cell);
	add_target(&cell, labels);
	table_add(t, buf_str(&cell));
	table_add(t, cmd_rows_str(labels, "class"));
	table_add(t, short_summary(labels, cmd_rows_str(annotations, "summary")));
	buf_release(&cell);
}

static void add_list(const struct cmd_db *db, const json_t *alerts, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "STATE"},
		{.title = "WHEN", .right = true}, {.title = "ID"}, {.title = "ALERT"},
		{.title = "TARGET"}, {.title = "CLASS"}, {.title = "SUMMARY", .shrink = true}};
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	for (int state = 0; state < 3; state++) {
		json_array_foreach((json_t *)alerts, i, row)
		{
			if (by_state(row) == state)
				add_alert_row(db, &t, row);
		}
	}
	if (table_rows(&t))
		table_write(&t, db->columns, out);
	else
		buf_adds(out, "no alerts\n");
	table_release(&t);
}

static int list(struct cmd_db *db)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	json_t *alerts = cmd_rows_alerts(db, db->now_ms - RESOLVED_MS, &err);

	if (!alerts)
		return cmd_db_failed(db, &err);
	if (db->json)
		cmd_db_print_json(json_pack("{s:O}", "alerts", alerts));
	else
		add_list(db, alerts, &out);
	fputs(out.p, stdout);
	buf_release(&out);
	json_decref(alerts);
	return CMD_OK;
}

/* ---- show -------------------------------------------------------------------- */

/* The alert whose id is, or begins with, id: a new reference, or NULL after telling. */
static json_t *find(struct cmd_db *db, const json_t *alerts, const char *id)
{
	struct err err = ERR_INIT;
	json_t *row, *found = NULL;
	size_t i, n = 0;

	json_array_foreach((json_t *)alerts, i, row)
	{
		if (str_is(cmd_rows_str(row, "id"), id)) {
			found = row;
			n = 1;
			break;
		}
		if (str_starts(cmd_rows_str(row, "id"), str_of(id))) {
			found = row;
			n++;
		}
	}
	if (n == 1)
		return json_incref(found);
	if (n)
		err_set(&err, "%zu alerts begin with '%s': give more of the id", n, id);
	else
		err_set(&err, "there is no alert '%s'; 'leakwatch alerts' lists them", id);
	cmd_error(CMD_FAILED, db->argv, &err);
	return NULL;
}

static void add_line(struct buf *out, const char *name, struct str value)
{
	struct str line;

	if (value.len == 0)
		return;
	if (name[0])
		buf_addf(out, "%-12s", name);
	for (bool first = true; str_line(&value, &line); first = false) {
		if (!first)
			buf_adds(out, "            ");
		safe_add(out, line);
		buf_addc(out, '\n');
	}
}

static void add_time_line(const struct cmd_db *db, struct buf *out, const char *name,
	const json_t *row, const char *key)
{
	if (!cmd_rows_ms(row, key))
		return;
	buf_addf(out, "%-12s", name);
	cmd_db_add_time(out, cmd_rows_ms(row, key));
	buf_adds(out, " UTC (");
	cmd_db_add_ago(db, out, cmd_rows_ms(row, key));
	buf_adds(out, ")\n");
}

/* The annotation since, without how long ago that was when it was written. */
static void add_began(struct buf *out, struct str since)
{
	ptrdiff_t comma = str_find(since, STR(" UTC, "));

	add_line(out, "began", comma < 0 ? since : str_sub(since, 0, (size_t)comma + 4));
}

static void add_events(const json_t *events, struct buf *out)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)events, i, row)
	{
		buf_adds(out, "  ");
		cmd_db_add_time(out, cmd_rows_ms(row, "at"));
		buf_adds(out, "  ");
		safe_add(out, cmd_rows_str(row, "from"));
		buf_adds(out, " -> ");
		safe_add(out, cmd_rows_str(row, "to"));
		if (cmd_rows_str(row, "why").len)
			buf_adds(out, ": ");
		safe_add(out, cmd_rows_str(row, "why"));
		buf_addc(out, '\n');
	}
}

static void add_deliveries(const json_t *deliveries, struct buf *out)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)deliveries, i, row)
	{
		buf_adds(out, "  ");
		cmd_db_add_time(out, cmd_rows_ms(row, "created"));
		buf_adds(out, "  to ");
		safe_add(out, cmd_rows_str(row, "receiver"));
		buf_adds(out, ": ");
		safe_add(out, cmd_rows_str(row, "state"));
		buf_addf(out, ", %.0f attempt%s", cmd_rows_num(row, "attempts"),
			cmd_rows_num(row, "attempts") == 1 ? "" : "s");
		if (cmd_rows_str(row, "why").len)
			buf_adds(out, ": ");
		safe_add(out, cmd_rows_str(row, "why"));
		buf_addc(out, '\n');
	}
}

static void add_alert(const struct cmd_db *db, const json_t *row, struct buf *out)
{
	static const struct {
		const char *key, *name;
	} notes[] = {{"target", "target"}, {"rate", "rate"}, {"version", "version"},
		{"fleet", "fleet"}, {"first_seen", "first seen"}, {"instances", "instances"},
		{"evidence", "evidence"}, {"oldest", "oldest"}, {"waits_on", "waits on"},
		{"created_by", "created by"}, {"first_user_line", "first line"},
		{"each_holds", "each holds"}, {"what_grows", "what grows"},
		{"forecast", "forecast"}, {"also", "also"}, {"hint", "hint"},
		{"runbook_url", "runbook"}, {"example_stack", "stack"}};
	const json_t *annotations = json_object_get(row, "annotations"), *value;
	const json_t *ack = json_object_get(row, "acknowledged");
	struct buf who = BUF_INIT;
	const char *key;

	buf_addf(out, "%.*s %.*s, %.*s", STR_ARG(cmd_rows_str(row, "name")),
		STR_ARG(cmd_rows_str(row, "id")), STR_ARG(cmd_rows_str(row, "state")));
	buf_adds(out, cmd_rows_true(row, "holds") || by_state(row) == 2
			      ? "\n"
			      : " (its condition is over)\n");
	add_line(out, "", cmd_rows_str(annotations, "summary"));
	add_began(out, cmd_rows_str(annotations, "since"));
	add_time_line(db, out, "raised", row, "raised");
	add_time_line(db, out, "fired", row, "fired");
	add_time_line(db, out, "resolved", row, "resolved");
	add_line(out, "reason", cmd_rows_str(row, "reason"));
	add_line(out, "silence", cmd_rows_str(row, "silence"));
	if (json_is_object(ack)) {
		add_time_line(db, out, "taken", ack, "at");
		cmd_db_add_user(&who, (int64_t)cmd_rows_num(ack, "uid"));
		add_line(out, "by", buf_str(&who));
		add_line(out, "saying", cmd_rows_str(ack, "comment"));
	}
	buf_release(&who);
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		add_line(out, notes[i].name, cmd_rows_str(annotations, notes[i].key));
	cmd_alerts_add_exhibits(db, json_object_get(row, "exhibits"), out);
	buf_adds(out, "labels\n");
	json_object_foreach(json_object_get(row, "labels"), key, value)
	{
		buf_adds(out, "  ");
		safe_add(out, str_of(key));
		buf_addc(out, '=');
		safe_add(out, str_n(json_string_value(value), json_string_length(value)));
		buf_addc(out, '\n');
	}
	buf_adds(out, "changes (UTC)\n");
	add_events(json_object_get(row, "events"), out);
	if (json_array_size(json_object_get(row, "deliveries")))
		buf_adds(out, "notifications (UTC)\n");
	add_deliveries(json_object_get(row, "deliveries"), out);
}

static int show(struct cmd_db *db, const char *id, bool dump)
{
	json_t *alerts, *row, *exhibits = NULL;
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	int code = CMD_OK;

	alerts = cmd_rows_alerts(db, 0, &err);
	row = alerts ? find(db, alerts, id) : NULL;
	if (!alerts) {
		code = cmd_db_failed(db, &err);
	} else if (!row) {
		code = CMD_FAILED;
	} else if (dump) {
		code = cmd_alerts_dump(db, cmd_rows_str(row, "id"));
	} else if (!(exhibits = cmd_alerts_exhibits(db, cmd_rows_str(row, "id"), &err)) ||
		   cmd_rows_alert_past(db, row, &err) < 0) {
		code = cmd_db_failed(db, &err);
	} else {
		json_object_set(row, "exhibits", exhibits);
		if (db->json)
			cmd_db_print_json(json_incref(row));
		else
			add_alert(db, row, &out);
		fputs(out.p, stdout);
	}
	json_decref(row);
	json_decref(alerts);
	json_decref(exhibits);
	buf_release(&out);
	return code;
}

/* Takes -c FILE and --dump out of the words; cmd_db_options reads the others. */
static bool take_config(int *argc, char **argv, const char **config, bool *dump)
{
	int n = 1;

	*config = NULL;
	*dump = false;
	for (int i = 1; i < *argc; i++) {
		if (strcmp(argv[i], "--dump") == 0) {
			*dump = true;
			continue;
		}
		if (strcmp(argv[i], "-c") != 0 && strcmp(argv[i], "--config") != 0) {
			argv[n++] = argv[i];
			continue;
		}
		if (i + 1 == *argc)
			return false;
		*config = argv[++i];
	}
	argv[n] = NULL;
	*argc = n;
	return true;
}

int cmd_alerts(int argc, char **argv)
{
	static const char *const words[] = {"list", "show", "test", NULL};
	struct cmd_db db;
	int code, word = 0;

	const char *config;
	bool dump;

	if (!take_config(&argc, argv, &config, &dump))
		return cmd_usage(argv, "-c takes a file");
	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind < argc)
		word = cmd_word(argv, "the first word", argv[optind], words);
	if (word < 0)
		return CMD_USAGE;
	if (config && word != 2)
		return cmd_usage(argv, "only test takes -c");
	if (dump && word != 1)
		return cmd_usage(argv, "only show takes --dump");
	if (word == 2 && optind + 2 != argc)
		return cmd_usage(argv, "test takes the name of one receiver");
	if (word == 2)
		return cmd_alerts_test(argv, config, argv[optind + 1]);
	if (word == 1 && optind + 2 != argc)
		return cmd_usage(argv, "show takes the id of one alert");
	if (word == 0 && optind + 1 < argc)
		return cmd_usage(argv, "list takes no argument, was given '%s'", argv[optind + 1]);
	code = cmd_db_open(&db);
	if (code)
		return code;
	code = word == 0 ? list(&db) : show(&db, argv[optind + 1], dump);
	cmd_db_close(&db);
	return code;
}
