/*
 * store_internal: what the files of the store share.  Layer 2; for store*.c only.
 *
 * The batch as a list of operations, the connection with its prepared statements, and a few words
 * over SQLite's interface: bind, step and read without repeating error handling.
 */
#ifndef LEAKWATCH_STORE_INTERNAL_H
#define LEAKWATCH_STORE_INTERNAL_H

#include "arena.h"
#include "buf.h"
#include "store.h"
#include "store_bite.h"
#include "store_load.h"

#include <sqlite3.h>
#include <sys/types.h>

enum store_op_kind {
	OP_TARGET,
	OP_STATUS,
	OP_RUN,
	OP_CLASS,
	OP_STACK,
	OP_CLASS_STACK,
	OP_SERIES,
	OP_VERDICT,
	OP_DETECTOR,
	OP_ALERT,
	OP_ALERT_EVENT,
	OP_DELIVERY,
	OP_META,
	OP_TOLD,
	OP_SILENCE,
	OP_ACK,
	OP_EXHIBIT,
	OP_EVIDENCE,
	OP_COST,
	OP_SEEN_TARGET, /* in the order of enum store_seen */
	OP_SEEN_RUN,
	OP_SEEN_CLASS,
	OP_SCRAPE,
	OP_KINDS
};

/* One row; row points at the struct of its kind, everything in the batch's arena. */
struct store_op {
	struct store_op *next;
	enum store_op_kind kind;
	void *row;
};

struct store_meta_row {
	struct str key, value;
};

struct store_seen_row {
	int64_t id, last_seen_ms;
};

struct store_scrape_row {
	struct store_scrape scrape;
	int64_t base; /* series id that the keys of changes count from: of the first value */
	struct buf changes; /* {"0":12,"2":null without the closing brace */
	size_t values;
};

struct store_batch {
	struct arena arena;
	struct store_op *first, **tail;
	struct store_scrape_row *scrape; /* the newest one; values go there */
	size_t change_bytes;
	bool durable;
};

struct store {
	sqlite3 *db;
	char *path;
	int version; /* of the file, as it was opened or migrated */
	int lock_fd; /* -1 for a reader */
	bool full_sync; /* PRAGMA synchronous as it is set now */
	bool unsynced; /* something was committed since the last sync */
	int64_t synced_mono_ms;
	bool retry, full, damaged; /* of the newest failure */
	dev_t dev; /* the file as it was opened */
	ino_t ino;
	int64_t prune_target[STORE_SORTS]; /* where store_prune goes on */
	size_t prune_turn; /* the stage that it goes on with */
	bool prune_full; /* one had more to delete since the first stage */
	int fold_steps, prune_steps; /* that store_look has read; 0: it has not looked */
	int64_t sweep_key[STORE_SWEEPS]; /* where store_sweep goes on */
	bool (*enough)(void *arg); /* NULL: never; store_set_enough */
	void *enough_arg;
	int64_t fold_target; /* where store_fold goes on */
	sqlite3_stmt *ops[OP_KINDS];
	sqlite3_stmt *delivery_state, *exhibit_limit;
	bool exhibits_fit; /* nothing was added since they were within their limit of bytes */
	sqlite3 *side; /* moves the log (store_wal.h); NULL: db does */
	int wal_pages, wal_frames, wal_moved; /* worth a move; in the log; of those, in the file */
	int wal_log, wal_moved_log, wal_due_log; /* how often it has begun anew, as of each */
};

/*
 * One transaction that brings the file from that version (0: empty) to the next, and, at
 * STORE_VERSION, makes the views.
 */
int store_schema_step(struct store *s, int from, struct err *err);
/* All steps from s->version on; a file that had rows is copied to FILE.version-N before. */
int store_migrate(struct store *s, char *copy, size_t size, struct err *err);
/* A whole and synced copy of what the connection sees; nothing may stand at the path. */
int store_copy_to(struct store *s, const char *path, struct err *err);

/* Opens a connection; *db is to be closed also when that fails. */
int store_connect(const char *path, int flags, int busy_ms, sqlite3 **db, struct err *err);
void store_wal_close(struct store *s); /* what store_wal_apart opened */
/* "text: what SQLite says"; returns -1. */
int store_fail(struct store *s, struct err *err, const char *text);
/*
 * Opens what is at the path in place of the file that is open, and takes the lock file again should
 * it have gone with the other.
 */
int store_reopen(struct store *s, struct err *err);
/* Ends the transaction, if there still is one; what store_should_retry says stays. */
void store_roll_back(struct store *s);
int store_exec(struct store *s, const char *sql, struct err *err);
int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct err *err);
/* 1 a row, 0 done, -1 with err. */
int store_step(struct store *s, sqlite3_stmt *st, struct err *err);
/* The first column of the first row of a query without parameters; fallback when there is none. */
int store_query_int(
	struct store *s, const char *sql, int64_t fallback, int64_t *out, struct err *err);

/* Binding by column number; times of 0 and NAN become NULL. */
void store_bind_str(sqlite3_stmt *st, int i, struct str v);
void store_bind_time(sqlite3_stmt *st, int i, int64_t ms);
void store_bind_double(sqlite3_stmt *st, int i, double v);
/* A row of "SELECT * FROM alert". */
void store_read_alert_row(sqlite3_stmt *st, struct store_alert *r);
/* A row of "SELECT * FROM outbox". */
void store_read_delivery_row(sqlite3_stmt *st, struct store_delivery *r);
struct str store_column_str(sqlite3_stmt *st, int i);
double store_column_double(sqlite3_stmt *st, int i); /* NULL gives NAN */

/* A value as it stands in `changes`: whole numbers without a point, others so that they come back.
 */
void store_add_number(struct buf *out, double v);

#endif
