/*
 * cmd_db: what the commands share that read the store.  Level 4.
 *
 * Life cycle: cmd_db_options, cmd_db_open, then the command's own work and cmd_db_print;
 * cmd_db_close at the end, whatever came before.
 */
#ifndef LEAKWATCH_CMD_DB_H
#define LEAKWATCH_CMD_DB_H

#include "buf.h"
#include "cmd.h"
#include "json.h"
#include "store_read.h"

#define CMD_DB_PATH "/var/lib/leakwatch/leakwatch.db"

struct cmd_db {
	char **argv;
	const char *path;
	bool json;
	struct store *store;
	int64_t now_ms;
	size_t columns; /* of the terminal; 0 when standard output is none */
	bool braille; /* the terminal shows UTF-8 */
};

/*
 * Reads --db, --format and --help and fills *db; the words that are left begin at argv[optind].
 * usage is the text of --help; what all of them share is added.  True: go on; false: return
 * *code.
 */
bool cmd_db_options(struct cmd_db *db, int argc, char **argv, const char *usage, int *code);
/* CMD_OK, or the exit code after telling why. */
int cmd_db_open(struct cmd_db *db);
/* Says it better than SQLite, where the file is missing, another user's, or in a folder that may
 * not be written and so cannot be read: err stays as it is else. */
void cmd_db_explain(const char *path, struct err *err);
void cmd_db_close(struct cmd_db *db);
/* CMD_IO after telling that the store could not be read. */
int cmd_db_failed(struct cmd_db *db, const struct err *err);

/*
 * What the store holds as JSON, in the shape that leakwatch(1) documents; text is made of the same
 * values.  NULL with err when it cannot be read; the caller owns the result.
 */
json_t *cmd_rows_targets(struct cmd_db *db, struct err *err);
/* All live series of a target (an object of cmd_rows_targets): goroutine classes into classes, the
 * total and metrics into others. */
int cmd_rows_series(
	struct cmd_db *db, const json_t *target, json_t *classes, json_t *others, struct err *err);
/* What memory does, of each target where it grows: text, target and the parts.  Targets get the
 * member each: what one goroutine of their worst class holds, or null. */
json_t *cmd_rows_memory(struct cmd_db *db, json_t *targets, struct err *err);
/* Pending and firing, and those resolved since; newest first. */
json_t *cmd_rows_alerts(struct cmd_db *db, int64_t resolved_since_ms, struct err *err);

/* Adds "events" and "deliveries" to a row of those, oldest first.  0, or -1 with err. */
int cmd_rows_alert_past(struct cmd_db *db, json_t *alert, struct err *err);

/* Members of an object: "" and NAN for what is not there, or null. */
struct str cmd_rows_str(const json_t *row, const char *key);
double cmd_rows_num(const json_t *row, const char *key);
bool cmd_rows_true(const json_t *row, const char *key);
/* "up", "down", or "new": watched or imported, and not scraped yet. */
struct str cmd_rows_state(const json_t *target);
/* The time in a member that holds Unix seconds, as milliseconds; 0 for null. */
int64_t cmd_rows_ms(const json_t *row, const char *key);

/* Prints the document, and frees it. */
void cmd_db_print_json(json_t *doc);
/* A stored JSON object, as it is; {} when it is not one. */
json_t *cmd_db_object(struct str text);
/* Unix seconds, null for none. */
json_t *cmd_db_seconds(int64_t at_ms);

/* The name of a user, else "uid 1000". */
void cmd_db_add_user(struct buf *out, int64_t uid);
/* "2 h 5 min ago", "-" for none. */
void cmd_db_add_ago(const struct cmd_db *db, struct buf *out, int64_t at_ms);
/* "2026-11-21 04:05:06", UTC; "-" for none. */
void cmd_db_add_time(struct buf *out, int64_t at_ms);
/* "1,204", "12.5 MiB" (a metric whose name ends in _bytes), "-" for NAN. */
void cmd_db_add_value(struct buf *out, double value, struct str name);
/* "30/h", nothing when there is none. */
void cmd_db_add_rate(struct buf *out, double per_hour, struct str name);
/* "0.97 fds, 31 KiB" of a class's member `each`; nothing when it is null. */
void cmd_db_add_each(struct buf *out, const json_t *each);
/* How bad a verdict is: 0 leaking, 1 suspect, 2 held, 3 watching, 4 ok. */
int cmd_db_rank(struct str state);

/* The width of standard output where it is a terminal that can show plots; else 0. */
size_t cmd_plot_columns(void);

#endif
