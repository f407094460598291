/* Classes over the instances of their job, as text. */
#include "cmd_fleet.h"
#include "safe.h"
#include "table.h"

#include <math.h>

#define BLOCKS_MAX 8 /* groups whose instances are listed, unless all are asked for */

static void add_range(struct buf *out, const json_t *group)
{
	struct str class = cmd_rows_str(group, "class");
	double slowest = cmd_rows_num(group, "slowest"), fastest = cmd_rows_num(group, "fastest");

	cmd_db_add_rate(out, slowest, class);
	if (!(fastest > slowest * 1.005))
		return;
	buf_adds(out, " to ");
	cmd_db_add_rate(out, fastest, class);
}

static void add_groups(const struct cmd_db *db, const json_t *groups, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "LEAK", .right = true},
		{.title = "UNKNOWN", .right = true}, {.title = "INSTANCES", .right = true},
		{.title = "HAVE IT", .right = true}, {.title = "RATE", .right = true},
		{.title = "JOB"}, {.title = "CLASS", .shrink = true}};
	struct buf cell = BUF_INIT;
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach((json_t *)groups, i, row)
	{
		table_addf(&t, "%.0f", cmd_rows_num(row, "leak"));
		table_addf(&t, "%.0f", cmd_rows_num(row, "unknown"));
		table_addf(&t, "%.0f", cmd_rows_num(row, "instances"));
		table_addf(&t, "%.0f", cmd_rows_num(row, "have"));
		buf_reset(&cell);
		add_range(&cell, row);
		table_add(&t, buf_str(&cell));
		table_add(&t, cmd_rows_str(row, "job"));
		table_add(&t, cmd_rows_str(row, "class"));
	}
	table_write(&t, db->columns, out);
	table_release(&t);
	buf_release(&cell);
}

static void add_state(struct buf *out, const json_t *row)
{
	buf_addstr(out, cmd_rows_str(row, "state"));
	if (cmd_rows_str(row, "why").len)
		buf_addf(out, ": %.*s", STR_ARG(cmd_rows_str(row, "why")));
}

static void add_instances(const struct cmd_db *db, const json_t *group, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "STATE"},
		{.title = "RATE", .right = true}, {.title = "SINCE (UTC)"}, {.title = "VERSION"},
		{.title = "INSTANCE", .shrink = true}};
	struct buf cell = BUF_INIT;
	struct table t;
	json_t *row;
	size_t i;

	table_init(&t, columns, ARRAY_LEN(columns));
	json_array_foreach(json_object_get(group, "rows"), i, row)
	{
		buf_reset(&cell);
		add_state(&cell, row);
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		cmd_db_add_rate(
			&cell, cmd_rows_num(row, "rate_per_hour"), cmd_rows_str(group, "class"));
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		if (cmd_rows_ms(row, "since"))
			cmd_db_add_time(&cell, cmd_rows_ms(row, "since"));
		table_add(&t, buf_str(&cell));
		table_add(&t, cmd_rows_str(row, "version"));
		table_add(&t, cmd_rows_str(row, "instance"));
	}
	table_write(&t, db->columns, out);
	table_release(&t);
	buf_release(&cell);
	if (cmd_rows_num(group, "more_leak") > 0)
		buf_addf(out, "and %.0f more that leak, none faster\n",
			cmd_rows_num(group, "more_leak"));
	if (cmd_rows_num(group, "more_others") > 0)
		buf_addf(out, "and %.0f more that do not, or of which it is not known\n",
			cmd_rows_num(group, "more_others"));
}

/* "shop, http-client-conn: 5 of 6 instances leak, …" */
void cmd_fleet_add_line(const json_t *group, struct buf *out)
{
	struct str text = cmd_rows_str(group, "text");

	safe_add(out, cmd_rows_str(group, "job"));
	buf_adds(out, ", ");
	safe_add(out, cmd_rows_str(group, "class"));
	if (!text.len)
		text = cmd_rows_str(group, "first_seen");
	buf_adds(out, text.len ? ": " : "");
	safe_add(out, text);
	buf_addc(out, '\n');
}

void cmd_fleet_text(const struct cmd_db *db, const json_t *groups, bool all, struct buf *out)
{
	size_t shown = 0, i;
	json_t *row;

	if (json_array_size(groups) == 0) {
		buf_adds(out, "no classes yet, or none of that name\n");
		return;
	}
	add_groups(db, groups, out);
	json_array_foreach((json_t *)groups, i, row)
	{
		if (shown == BLOCKS_MAX || (!all && cmd_rows_num(row, "leak") == 0))
			break;
		shown++;
		buf_addc(out, '\n');
		cmd_fleet_add_line(row, out);
		add_instances(db, row, out);
	}
}
