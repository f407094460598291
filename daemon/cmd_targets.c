/* leakwatch targets: every target with its last scrape. */
#include "cmd_db.h"
#include "table.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] = "usage: leakwatch targets [--db FILE] [--format text|json]\n"
			    "Every target: its last scrape, what it cost and brought, and since "
			    "when the process runs.\n";

static void add_value(struct table *t, const json_t *row, const char *key, struct str unit)
{
	struct buf cell = BUF_INIT;

	cmd_db_add_value(&cell, cmd_rows_num(row, key), unit);
	table_add(t, buf_str(&cell));
	buf_release(&cell);
}

static void add_ago(const struct cmd_db *db, struct table *t, const json_t *row, const char *key)
{
	struct buf cell = BUF_INIT;

	cmd_db_add_ago(db, &cell, cmd_rows_ms(row, key));
	table_add(t, buf_str(&cell));
	buf_release(&cell);
}

/* Why an endpoint does not answer, or how many goroutines could not be read. */
static void add_remark(struct table *t, const json_t *row)
{
	struct str why = cmd_rows_str(row, "why"), metrics = cmd_rows_str(row, "metrics_why");
	struct buf cell = BUF_INIT;

	buf_addstr(&cell, why);
	if (metrics.len && !str_eq(metrics, why))
		buf_addf(&cell, "%smetrics: %.*s", why.len ? "; " : "", STR_ARG(metrics));
	if (cmd_rows_num(row, "lost") > 0)
		buf_addf(&cell, "%s%.0f goroutines could not be read", cell.len ? "; " : "",
			cmd_rows_num(row, "lost"));
	table_add(t, buf_str(&cell));
	buf_release(&cell);
}

static void add_text(const struct cmd_db *db, const json_t *targets, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "TARGET"}, {.title = "STATE"},
		{.title = "SCRAPED", .right = true}, {.title = "TOOK", .right = true},
		{.title = "BODY", .right = true}, {.title = "GOROUTINES", .right = true},
		{.title = "CLASSES", .right = true}, {.title = "STARTED", .right = true},
		{.title = "REMARK", .shrink = true}};
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach((json_t *)targets, i, row)
	{
		table_add(&t, cmd_rows_str(row, "target"));
		table_add(&t, cmd_rows_state(row));
		add_ago(db, &t, row, "last_scrape");
		if (cmd_rows_ms(row, "last_scrape"))
			table_addf(&t, "%.1f ms", cmd_rows_num(row, "scrape_ms"));
		else
			table_add(&t, STR("-"));
		add_value(&t, row, "bytes", STR("_bytes"));
		add_value(&t, row, "goroutines", STR(""));
		add_value(&t, row, "classes", STR(""));
		add_ago(db, &t, row, "run_start");
		add_remark(&t, row);
	}
	if (table_rows(&t))
		table_write(&t, db->columns, out);
	else
		buf_adds(out, "no targets\n");
	table_release(&t);
}

int cmd_targets(int argc, char **argv)
{
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	json_t *targets;
	struct cmd_db db;
	int code;

	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind < argc)
		return cmd_usage(argv, "takes no argument, was given '%s'", argv[optind]);
	code = cmd_db_open(&db);
	if (code)
		return code;
	targets = cmd_rows_targets(&db, &err);
	if (!targets)
		code = cmd_db_failed(&db, &err);
	else if (db.json)
		cmd_db_print_json(json_pack("{s:O}", "targets", targets));
	else
		add_text(&db, targets, &out);
	fputs(out.p, stdout);
	json_decref(targets);
	buf_release(&out);
	cmd_db_close(&db);
	return code;
}
