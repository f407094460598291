/* leakwatch silence: keeps alerts quiet for a while. */
#include "clock.h"
#include "cmd_ask.h"
#include "cmd_db.h"
#include "config_internal.h"
#include "safe.h"
#include "silence.h"
#include "table.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ENDED_MS (7 * 86400000ll) /* those that ended are listed that long */

static const char usage[] =
	"usage: leakwatch silence add --for DURATION --comment TEXT [--db FILE] MATCHER...\n"
	"       leakwatch silence list [--db FILE] [--format text|json]\n"
	"       leakwatch silence expire [--db FILE] ID\n"
	"Alerts whose labels fit all matchers of a silence are not told to anybody until it ends;\n"
	"what is still so then is told then.  A matcher is NAME=VALUE, NAME!=VALUE, NAME=~REGEX "
	"or\n"
	"NAME!~REGEX, as in Alertmanager: regular expressions match the whole value.\n"
	"\n"
	"      --for DURATION   how long: 2h, 1d12h\n"
	"      --comment TEXT   why\n"
	"\n"
	"add and expire ask the running daemon, through the socket FILE.sock, which its user and\n"
	"group may use; who asked is stored.\n";

/* ---- add, expire ---- */

struct wish {
	const char *span, *comment;
};

static int add(struct cmd_db *db, const struct wish *w, int n, char **matchers)
{
	json_t *request, *list;
	struct err err = ERR_INIT;
	uint64_t ms;

	if (n == 0)
		return cmd_usage(db->argv, "which alerts?  Give matchers, like job=shop");
	if (!w->span)
		return cmd_usage(db->argv, "how long?  Give --for, like --for 2h");
	if (!w->comment)
		return cmd_usage(db->argv, "why?  Give --comment");
	if (config_duration(str_of(w->span), &ms, &err) || ms == 0 || ms > 366 * 86400000ull)
		return cmd_usage(
			db->argv, "--for takes a duration from 1s to 366d, not '%s'", w->span);
	list = json_array();
	for (int i = 0; i < n; i++)
		json_array_append_new(list, json_str(str_of(matchers[i])));
	request = json_pack("{s:s}", "do", "silence");
	json_object_set_new(request, "matchers", list);
	json_object_set_new(request, "ends_ms", json_integer(clock_wall_ms() + (int64_t)ms));
	json_object_set_new(request, "comment", json_str(str_of(w->comment)));
	return cmd_ask(db->argv, db->path, request, "silence", db->json);
}

static int expire(struct cmd_db *db, int n, char **ids)
{
	json_t *request;

	if (n != 1)
		return cmd_usage(db->argv, "expire takes the id of one silence");
	request = json_pack("{s:s}", "do", "expire");
	json_object_set_new(request, "id", json_str(str_of(ids[0])));
	return cmd_ask(db->argv, db->path, request, "ended", db->json);
}

/* ---- list ---- */

static void silence_cb(void *arg, const struct store_silence *s)
{
	struct err err;
	json_t *row = json_object(), *matchers = json_read(s->matchers, &err);

	json_object_set_new(row, "id", json_str(s->id));
	json_object_set_new(row, "matchers", matchers ? matchers : json_array());
	json_object_set_new(row, "starts", cmd_db_seconds(s->starts_ms));
	json_object_set_new(row, "ends", cmd_db_seconds(s->ends_ms));
	json_object_set_new(row, "uid", json_integer(s->uid));
	json_object_set_new(row, "comment", json_str(s->comment));
	json_array_append_new(arg, row);
}

static void add_row(const struct cmd_db *db, struct table *t, const json_t *row)
{
	bool over = cmd_rows_ms(row, "ends") <= db->now_ms;
	struct buf cell = BUF_INIT;
	json_t *m;
	size_t i;

	table_add(t, cmd_rows_str(row, "id"));
	table_add(t, over ? STR("ended") : STR("holds"));
	cmd_db_add_time(&cell, cmd_rows_ms(row, "ends"));
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	cmd_db_add_user(&cell, (int64_t)cmd_rows_num(row, "uid"));
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	json_array_foreach(json_object_get(row, "matchers"), i, m)
		buf_addf(&cell, "%s%s", i ? " " : "", json_string_value(m));
	table_add(t, buf_str(&cell));
	table_add(t, cmd_rows_str(row, "comment"));
	buf_release(&cell);
}

static void print_table(const struct cmd_db *db, const json_t *rows)
{
	static const struct table_column columns[] = {{.title = "ID"}, {.title = "STATE"},
		{.title = "UNTIL (UTC)"}, {.title = "BY"}, {.title = "MATCHERS"},
		{.title = "COMMENT", .shrink = true}};
	struct buf out = BUF_INIT;
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach((json_t *)rows, i, row) add_row(db, &t, row);
	if (table_rows(&t))
		table_write(&t, db->columns, &out);
	else
		buf_adds(&out, "no silences\n");
	fputs(out.p, stdout);
	table_release(&t);
	buf_release(&out);
}

static int list(struct cmd_db *db)
{
	struct err err = ERR_INIT;
	json_t *rows = json_array();
	int code = cmd_db_open(db);

	if (code == CMD_OK &&
		store_load_silences(db->store, db->now_ms - ENDED_MS, silence_cb, rows, &err))
		code = cmd_db_failed(db, &err);
	else if (code == CMD_OK && db->json)
		cmd_db_print_json(json_pack("{s:O}", "silences", rows));
	else if (code == CMD_OK)
		print_table(db, rows);
	json_decref(rows);
	cmd_db_close(db);
	return code;
}

/* ---- options ---- */

/* Takes --for and --comment out of the words; cmd_db_options reads the others. */
static bool take_own(int *argc, char **argv, struct wish *w)
{
	int n = 1;

	for (int i = 1; i < *argc; i++) {
		const char **to = strcmp(argv[i], "--for") == 0	      ? &w->span
				  : strcmp(argv[i], "--comment") == 0 ? &w->comment
								      : NULL;

		if (!to) {
			argv[n++] = argv[i];
			continue;
		}
		if (i + 1 == *argc)
			return false;
		*to = argv[++i];
	}
	argv[n] = NULL;
	*argc = n;
	return true;
}

int cmd_silence(int argc, char **argv)
{
	static const char *const words[] = {"add", "list", "expire", NULL};
	struct wish w = {0};
	struct cmd_db db;
	int code, word;

	if (!take_own(&argc, argv, &w))
		return cmd_usage(argv, "%s takes a value", argv[argc - 1]);
	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind == argc)
		return cmd_usage(argv, "the first word is add, list or expire");
	word = cmd_word(argv, "the first word", argv[optind], words);
	if (word < 0)
		return CMD_USAGE;
	if (word == 0)
		return add(&db, &w, argc - optind - 1, argv + optind + 1);
	if (word == 2)
		return expire(&db, argc - optind - 1, argv + optind + 1);
	return list(&db);
}
