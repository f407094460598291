/* leakwatch history: the numbers of one series over time. */
#include "cmd_db.h"
#include "notify.h"
#include "safe.h"
#include "table.h"
#include "xalloc.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_ROWS   40 /* at most; more samples share a row */
#define PLOT_ROWS    8
#define PLOT_COLUMNS 100

static const char usage[] =
	"usage: leakwatch history [--db FILE] [--format text|json] TARGET CLASS\n"
	"The counts of a class over time: samples, and before them what they were folded into,\n"
	"buckets of 5 minutes and of 1 hour.  TARGET is job/instance or any unambiguous part of "
	"it;\n"
	"CLASS is a class, 'total' or a metric, or any unambiguous part of its name.\n";

struct samples {
	struct store_point *v;
	size_t n, cap;
};

static void point_cb(void *arg, const struct store_point *point)
{
	struct samples *s = arg;

	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 4096;
		s->v = xrealloc(s->v, s->cap, sizeof(*s->v));
	}
	s->v[s->n++] = *point;
}

static struct str name_of(const json_t *row)
{
	struct str class = cmd_rows_str(row, "class");

	return class.len ? class : cmd_rows_str(row, "name");
}

static struct str target_of(const json_t *row)
{
	return cmd_rows_str(row, "target");
}

static void tell_candidates(struct cmd_db *db, const char *what, const char *given, size_t n,
	const json_t *rows, struct str (*name)(const json_t *))
{
	struct err err = ERR_INIT;
	struct buf list = BUF_INIT;
	size_t i, shown = 0;
	json_t *row;

	json_array_foreach((json_t *)rows, i, row)
	{
		if ((n == 0 || str_find(name(row), str_of(given)) >= 0) && shown++ < 5)
			buf_addf(&list, "%s%.*s", list.len ? ", " : "", STR_ARG(name(row)));
	}
	if (shown > 5)
		buf_addf(&list, " and %zu more", shown - 5);
	if (n)
		err_set(&err, "%zu %s match '%s': %s", n, what, given, list.p);
	else
		err_set(&err, "no %s match '%s'; there are %s", what, given,
			list.len ? list.p : "none");
	cmd_error(CMD_FAILED, db->argv, &err);
	buf_release(&list);
}

/* The one row whose name is, or holds, what was given; NULL after telling. */
static const json_t *find(struct cmd_db *db, const char *what, const json_t *rows,
	const char *given, struct str (*name)(const json_t *))
{
	const json_t *found = NULL;
	json_t *row;
	size_t i, n = 0;

	json_array_foreach((json_t *)rows, i, row)
	{
		if (str_is(name(row), given))
			return row;
		if (str_find(name(row), str_of(given)) >= 0) {
			found = row;
			n++;
		}
	}
	if (n == 1)
		return found;
	tell_candidates(db, what, given, n, rows, name);
	return NULL;
}

/* ---- text -------------------------------------------------------------------- */

static void add_head(const json_t *row, struct buf *out)
{
	struct str verdict = cmd_rows_str(row, "verdict");

	safe_add(out, target_of(row));
	buf_adds(out, "  ");
	safe_add(out, name_of(row));
	buf_adds(out, ": ");
	cmd_db_add_value(out,
		json_object_get(row, "class") ? cmd_rows_num(row, "count")
					      : cmd_rows_num(row, "value"),
		name_of(row));
	buf_adds(out, ", ");
	safe_add(out, verdict);
	if (!isnan(cmd_rows_num(row, "rate_per_hour"))) {
		buf_adds(out, ", ");
		cmd_db_add_rate(out, cmd_rows_num(row, "rate_per_hour"), name_of(row));
	}
	if (cmd_rows_ms(row, "since")) {
		buf_adds(
			out, cmd_rows_true(row, "since_at_least") ? " at least since " : " since ");
		cmd_db_add_time(out, cmd_rows_ms(row, "since"));
	}
	buf_addc(out, '\n');
	if (cmd_rows_str(row, "reason").len) {
		buf_adds(out, "  ");
		safe_add(out, cmd_rows_str(row, "reason"));
		buf_addc(out, '\n');
	}
}

/* The samples on an even grid of time, so that gaps show as gaps. */
static void add_plot(const struct cmd_db *db, const struct samples *s, struct buf *out)
{
	size_t columns = MIN(db->columns > 20 ? db->columns - 10 : 10, (size_t)PLOT_COLUMNS), at;
	size_t n = columns * 2;
	int64_t from = s->v[0].at_ms, span = MAX(s->v[s->n - 1].at_ms - from, 1);
	double *grid = xcalloc(n, sizeof(*grid));

	for (size_t i = 0; i < n; i++)
		grid[i] = NAN;
	for (size_t i = 0; i < s->n; i++) {
		at = (size_t)((double)(s->v[i].at_ms - from) / (double)span * (double)(n - 1));
		at = MIN(at, n - 1); /* a clock set back gives a time before the first */
		if (!(grid[at] >= s->v[i].max))
			grid[at] = s->v[i].max;
	}
	table_plot(grid, n, columns, PLOT_ROWS, out);
	buf_adds(out, "         ");
	cmd_db_add_time(out, from);
	buf_addf(out, "%*s", columns > 40 ? (int)columns - 38 : 1, "");
	cmd_db_add_time(out, s->v[s->n - 1].at_ms);
	buf_adds(out, "\n");
	free(grid);
}

static void add_table_row(
	struct table *t, const struct samples *s, size_t from, size_t to, struct str name)
{
	double low = s->v[from].floor, high = s->v[from].max;
	struct buf cell = BUF_INIT;

	for (size_t i = from; i < to; i++) {
		low = MIN(low, s->v[i].floor);
		high = MAX(high, s->v[i].max);
	}
	cmd_db_add_time(&cell, s->v[to - 1].at_ms);
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	cmd_db_add_value(&cell, s->v[to - 1].last, name);
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	cmd_db_add_value(&cell, low, name);
	table_add(t, buf_str(&cell));
	buf_reset(&cell);
	cmd_db_add_value(&cell, high, name);
	table_add(t, buf_str(&cell));
	buf_release(&cell);
}

/* As many samples a row as it takes to stay within TABLE_ROWS; the last row ends with the newest.
 */
static void add_table(const struct samples *s, struct str name, struct buf *out)
{
	static const struct table_column columns[] = {{.title = "TIME (UTC)"},
		{.title = "COUNT", .right = true}, {.title = "LOWEST", .right = true},
		{.title = "HIGHEST", .right = true}};
	size_t each = (s->n + TABLE_ROWS - 1) / TABLE_ROWS, first = s->n % each;
	struct table t;

	table_init(&t, columns, ARRAY_LEN(columns));
	if (first)
		add_table_row(&t, s, 0, first, name);
	for (size_t i = first; i < s->n; i += each)
		add_table_row(&t, s, i, i + each, name);
	table_write(&t, 0, out);
	if (each > 1)
		buf_addf(out, "%zu samples%s, %zu a line; --format json has them all\n", s->n,
			s->v[0].width_ms ? " and buckets" : "", each);
	table_release(&t);
}

static void print_text(struct cmd_db *db, const json_t *row, const struct samples *s)
{
	struct buf out = BUF_INIT;

	add_head(row, &out);
	if (s->n == 0) {
		buf_adds(&out, "no samples yet\n");
	} else {
		buf_addc(&out, '\n');
		if (db->braille && s->n > 1) {
			add_plot(db, s, &out);
			buf_addc(&out, '\n');
		}
		add_table(s, name_of(row), &out);
	}
	fputs(out.p, stdout);
	buf_release(&out);
}

static json_t *point_json(const struct store_point *p)
{
	json_t *j =
		json_pack("{s:o,s:o}", "at", cmd_db_seconds(p->at_ms), "value", json_num(p->last));

	if (!p->width_ms)
		return j;
	json_object_set_new(j, "seconds", json_num((double)p->width_ms / 1000));
	json_object_set_new(j, "floor", json_num(p->floor));
	json_object_set_new(j, "mean", json_num(p->mean));
	json_object_set_new(j, "max", json_num(p->max));
	json_object_set_new(j, "samples", json_num((double)p->n));
	return j;
}

static void print_json(json_t *row, const struct samples *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(list, point_json(&s->v[i]));
	json_object_set_new(row, "samples", list);
	cmd_db_print_json(json_incref(row));
}

/* ---- the command ------------------------------------------------------------- */

static int show(struct cmd_db *db, json_t *row)
{
	struct store_series series = {.id = (int64_t)cmd_rows_num(row, "series_id"),
		.target_id = (int64_t)cmd_rows_num(row, "target_id"),
		.kind = store_series_kind_of_name(cmd_rows_str(row, "kind"))};
	struct samples s = {0};
	struct err err = ERR_INIT;
	int code = CMD_OK;

	if (store_read_history(db->store, &series, 0, point_cb, &s, &err) < 0)
		code = cmd_db_failed(db, &err);
	else if (db->json)
		print_json(row, &s);
	else
		print_text(db, row, &s);
	free(s.v);
	return code;
}

static int history(struct cmd_db *db, const char *target_name, const char *class_name)
{
	struct err err = ERR_INIT;
	json_t *targets = cmd_rows_targets(db, &err), *rows = json_array(), *copy = NULL;
	const json_t *target, *row;
	int code = CMD_FAILED;

	if (!targets) {
		code = cmd_db_failed(db, &err);
		goto out;
	}
	target = find(db, "targets", targets, target_name, target_of);
	if (!target)
		goto out;
	if (cmd_rows_series(db, target, rows, rows, &err) < 0) {
		code = cmd_db_failed(db, &err);
		goto out;
	}
	row = find(db, "classes", rows, class_name, name_of);
	if (!row)
		goto out;
	copy = json_copy((json_t *)row);
	json_object_set(copy, "target_id", json_object_get(target, "id"));
	code = show(db, copy);
out:
	json_decref(targets);
	json_decref(rows);
	json_decref(copy);
	return code;
}

int cmd_history(int argc, char **argv)
{
	struct cmd_db db;
	int code;

	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind + 2 != argc)
		return cmd_usage(argv, "takes a target and a class");
	code = cmd_db_open(&db);
	if (code)
		return code;
	code = history(&db, argv[optind], argv[optind + 1]);
	cmd_db_close(&db);
	return code;
}
