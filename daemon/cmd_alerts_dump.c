/* The dumps that an alert keeps as its exhibits: named by alerts show, printed by --dump. */
#include "cmd_alerts.h"
#include "gunzip.h"
#include "store_fact.h"

#include <stdio.h>

#define DUMP_BYTES_MAX ((uint64_t)256 << 20) /* out of gzip: four times what Go can print */

static void note_cb(void *arg, const struct store_exhibit *x)
{
	json_t *row = json_object();

	json_object_set_new(row, "at", cmd_db_seconds(x->at_ms));
	json_object_set_new(row, "format", json_str(x->format));
	json_object_set_new(row, "goroutines", json_integer(x->goroutines));
	json_object_set_new(row, "bytes", json_integer(x->bytes));
	json_object_set_new(row, "truncated", json_boolean(x->truncated));
	json_array_append_new(arg, row);
}

json_t *cmd_alerts_exhibits(struct cmd_db *db, struct str id, struct err *err)
{
	json_t *rows = json_array();

	if (store_read_exhibits(db->store, id, note_cb, rows, err) == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

void cmd_alerts_add_exhibits(const struct cmd_db *db, const json_t *exhibits, struct buf *out)
{
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)exhibits, i, row)
	{
		buf_addf(out, "%-12s%.0f goroutines, ", "dump", cmd_rows_num(row, "goroutines"));
		cmd_db_add_time(out, cmd_rows_ms(row, "at"));
		buf_adds(out, " UTC (");
		cmd_db_add_ago(db, out, cmd_rows_ms(row, "at"));
		buf_adds(out, cmd_rows_true(row, "truncated") ? "), cut" : ")");
		buf_adds(out, i == 0 ? ": --dump prints it\n" : "\n");
	}
}

struct printing {
	bool begun, failed;
	struct err err;
};

static void print_cb(void *arg, const char *p, size_t n)
{
	(void)arg;
	fwrite(p, 1, n, stdout);
}

/* The newest comes first; the others are passed over. */
static void dump_cb(void *arg, const struct store_exhibit *x)
{
	struct printing *p = arg;
	struct gunzip *z;

	if (p->begun)
		return;
	p->begun = true;
	z = gunzip_new(DUMP_BYTES_MAX, print_cb, NULL);
	p->failed = gunzip_feed(z, x->body.p, x->body.len, &p->err) || gunzip_finish(z, &p->err);
	gunzip_free(z);
	if (x->truncated)
		fputs("leakwatch alerts: the dump was too large to keep and is cut\n", stderr);
}

int cmd_alerts_dump(struct cmd_db *db, struct str id)
{
	struct printing p = {.err = ERR_INIT};
	struct err err = ERR_INIT;

	if (store_read_exhibits(db->store, id, dump_cb, &p, &err))
		return cmd_db_failed(db, &err);
	if (!p.begun) {
		err_set(&err,
			"no dump was kept for the alert %.*s: none was taken while it rose (see "
			"evidence in its text, and evidence.max_pause)",
			STR_ARG(id));
		return cmd_error(CMD_FAILED, db->argv, &err);
	}
	if (p.failed) {
		err_wrap(&p.err, "the dump kept for the alert %.*s", STR_ARG(id));
		return cmd_error(CMD_DATA, db->argv, &p.err);
	}
	return CMD_OK;
}
