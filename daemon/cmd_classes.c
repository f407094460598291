/* leakwatch classes: what the goroutines of every target are, and how each class does. */
#include "cmd_fleet.h"
#include "notify.h"
#include "table.h"
#include "xalloc.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLUMNS 9

static const char usage[] =
	"usage: leakwatch classes [--by-class] [--job JOB] [--class CLASS] [--db FILE]\n"
	"                         [--format text|json]\n"
	"Every class of goroutines with its count and verdict, worst first; then the total and\n"
	"the process's metrics.\n"
	"\n"
	"      --by-class       each class over the instances of its job: how many leak, how\n"
	"                       fast, in which versions, and which version brought it\n"
	"      --job JOB        the same, of one job\n"
	"      --class CLASS    the same, of one class (or metric), also where it does not leak\n";

/* Worst verdict first, then the most goroutines. */
static int by_trouble(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int d = cmd_db_rank(cmd_rows_str(x, "verdict")) - cmd_db_rank(cmd_rows_str(y, "verdict"));
	double cx = cmd_rows_num(x, "count"), cy = cmd_rows_num(y, "count");

	if (d)
		return d;
	if (cx != cy && !(isnan(cx) && isnan(cy)))
		return isnan(cx) || cx < cy ? 1 : -1;
	return str_cmp(cmd_rows_str(x, "target"), cmd_rows_str(y, "target"));
}

static json_t *sorted(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **v = xcalloc(n + 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(rows, i);
	qsort(v, n, sizeof(json_t *), by_trouble);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	json_decref(rows);
	return out;
}

static json_t *read_all(struct cmd_db *db, struct err *err)
{
	json_t *targets = cmd_rows_targets(db, err), *target;
	json_t *classes = json_array(), *others = json_array();
	int rc = targets ? 0 : -1;
	size_t i;

	json_array_foreach(targets, i, target)
	{
		if (rc == 0)
			rc = cmd_rows_series(db, target, classes, others, err);
	}
	json_decref(targets);
	if (rc < 0) {
		json_decref(classes);
		json_decref(others);
		return NULL;
	}
	return json_pack("{s:o,s:o}", "classes", sorted(classes), "others", sorted(others));
}

/* How long the oldest waited, at least, when the class was last looked at one by one. */
static void add_oldest(struct buf *out, const json_t *evidence)
{
	if (cmd_rows_num(evidence, "oldest_minutes") >= 1)
		notify_add_duration(out, cmd_rows_num(evidence, "oldest_minutes") * 60);
}

static void add_rows(const struct cmd_db *db, const json_t *rows, const char *name_key,
	const char *value_key, const struct table_column *columns, struct buf *out)
{
	struct buf cell = BUF_INIT;
	struct table t;
	struct str name;
	json_t *row;
	size_t i;

	table_init(&t, columns, COLUMNS);
	json_array_foreach((json_t *)rows, i, row)
	{
		name = cmd_rows_str(row, name_key);
		table_add(&t, cmd_rows_str(row, "verdict"));
		buf_reset(&cell);
		cmd_db_add_value(&cell, cmd_rows_num(row, value_key), name);
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		cmd_db_add_rate(&cell, cmd_rows_num(row, "rate_per_hour"), name);
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		if (cmd_rows_ms(row, "since"))
			cmd_db_add_time(&cell, cmd_rows_ms(row, "since"));
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		cmd_db_add_each(&cell, json_object_get(row, "each"));
		table_add(&t, buf_str(&cell));
		buf_reset(&cell);
		add_oldest(&cell, json_object_get(row, "evidence"));
		table_add(&t, buf_str(&cell));
		table_add(&t, cmd_rows_str(row, "target"));
		table_add(&t, name);
		table_add(&t, cmd_rows_str(row, "waits_on"));
	}
	if (table_rows(&t))
		table_write(&t, db->columns, out);
	table_release(&t);
	buf_release(&cell);
}

static void add_text(const struct cmd_db *db, const json_t *doc, struct buf *out)
{
	static const struct table_column of_classes[] = {{.title = "VERDICT"},
		{.title = "COUNT", .right = true}, {.title = "RATE", .right = true},
		{.title = "SINCE (UTC)"}, {.title = "EACH HOLDS"},
		{.title = "OLDEST", .right = true}, {.title = "TARGET"},
		{.title = "CLASS", .shrink = true}, {.title = "WAITS ON"}};
	static const struct table_column of_others[] = {{.title = "VERDICT"},
		{.title = "VALUE", .right = true}, {.title = "RATE", .right = true},
		{.title = "SINCE (UTC)"}, {.title = ""}, {.title = ""}, {.title = "TARGET"},
		{.title = "NAME", .shrink = true}, {.title = ""}};

	if (json_array_size(json_object_get(doc, "classes")) == 0)
		buf_adds(out, "no classes yet\n");
	add_rows(db, json_object_get(doc, "classes"), "class", "count", of_classes, out);
	if (json_array_size(json_object_get(doc, "others")))
		buf_addc(out, '\n');
	add_rows(db, json_object_get(doc, "others"), "name", "value", of_others, out);
}

/* Takes its own options out of the words; cmd_db_options reads the others.  False: one has no
 * value. */
static bool take_options(int *argc, char **argv, bool *by_class, struct cmd_fleet_query *q)
{
	int n = 1;

	*by_class = false;
	for (int i = 1; i < *argc; i++) {
		bool job = strcmp(argv[i], "--job") == 0;

		if (strcmp(argv[i], "--by-class") == 0) {
			*by_class = true;
			continue;
		}
		if (!job && strcmp(argv[i], "--class") != 0) {
			argv[n++] = argv[i];
			continue;
		}
		if (i + 1 == *argc || argv[i + 1][0] == '\0')
			return false;
		*(job ? &q->job : &q->class) = str_of(argv[++i]);
		*by_class = true;
	}
	argv[n] = NULL;
	*argc = n;
	return true;
}

static json_t *read_by_class(struct cmd_db *db, const struct cmd_fleet_query *q, struct err *err)
{
	json_t *groups = cmd_fleet(db, q, err);

	return groups ? json_pack("{s:o}", "by_class", groups) : NULL;
}

int cmd_classes(int argc, char **argv)
{
	struct cmd_fleet_query query = {.leaking = false};
	struct err err = ERR_INIT;
	struct buf out = BUF_INIT;
	struct cmd_db db;
	bool by_class;
	json_t *doc;
	int code;

	if (!take_options(&argc, argv, &by_class, &query))
		return cmd_usage(argv, "--job and --class take a name");
	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind < argc)
		return cmd_usage(argv, "takes no argument, was given '%s'", argv[optind]);
	code = cmd_db_open(&db);
	if (code)
		return code;
	doc = by_class ? read_by_class(&db, &query, &err) : read_all(&db, &err);
	if (!doc) {
		code = cmd_db_failed(&db, &err);
	} else if (db.json) {
		cmd_db_print_json(doc);
	} else {
		if (by_class)
			cmd_fleet_text(
				&db, json_object_get(doc, "by_class"), query.class.len > 0, &out);
		else
			add_text(&db, doc, &out);
		fputs(out.p, stdout);
		json_decref(doc);
	}
	buf_release(&out);
	cmd_db_close(&db);
	return code;
}
