/*
 * store: the history in one SQLite file, opened for writing.  Layer 2;
 * with store_*.c the one home of sqlite3.h.  The rows are in store_rows.h, what is written is
 * collected with store_batch.h, what a daemon loads when it starts is in store_load.h, what
 * commands read in store_read.h.
 *
 * Synchronous and without a thread of its own; it does not read the clock and does not log.  One
 * daemon a file: FILE.lock is held (an open-file-description lock) and tells its pid.  One
 * connection that writes, used by one thread at a time: several can corrupt a write-ahead log
 * before SQLite 3.51.3 (store_wal.h says how a second one moves the log all the same).
 *
 * Life cycle: store_open, store_load_*, then store_apply with one batch after the other;
 * store_close.
 *
 * Durability: a batch is one transaction.  One that changes an alert or the outbox is synced to the
 * disk before store_apply returns (synchronous=FULL); others are synced when 5 s have passed since
 * the last sync, by the next batch.  So a power cut takes at most the last seconds of samples and
 * no alert change, and a killed process loses nothing that store_apply acknowledged.
 *
 * A file of an older version is brought to this one when it is opened for writing, step by step,
 * one transaction each, and copied to FILE.version-N before; readers read it as it is.
 *
 * The WAL is checkpointed from 4 MiB on by the commit that made it so long, or from 8 MiB on apart
 * (store_wal.h), and cut back to 16 MiB when it was larger; it stays on disk after a clean stop
 * (SQLITE_FCNTL_PERSIST_WAL), so that a user without write access can read.
 */
#ifndef LEAKWATCH_STORE_H
#define LEAKWATCH_STORE_H

#include "err.h"
#include "store_batch.h"

#define STORE_APPLICATION_ID 0x6c6b7763 /* "lkwc", PRAGMA application_id */
#define STORE_VERSION	     3 /* PRAGMA user_version of files that this program writes */

struct store;

enum store_open {
	STORE_OPEN_OK,
	STORE_OPEN_HELD, /* by another daemon; exit 75 */
	STORE_OPEN_NEWER, /* written by a newer version, or not a store at all; exit 65 */
	STORE_OPEN_FAILED /* I/O, permissions; exit 74 */
};

struct store_opened {
	bool created; /* there was no file */
	/* A corrupt file was set aside (with its -wal and -shm) and a new one begun: why, and where
	 * it is now; "" otherwise. */
	char corrupt_why[256];
	char set_aside[512];
	/* The file was of an older version and has been brought to this one: where its copy is, ""
	 * otherwise. */
	char copied[512];
};

/*
 * Opens for writing and makes the file when there is none.  now_ms names what is set aside.  A file
 * up to 256 MiB is checked whole (quick_check), a larger one only where it is touched.  *out is set
 * when the result is STORE_OPEN_OK; else err says why.
 */
enum store_open store_open(const char *path, int64_t now_ms, struct store **out,
	struct store_opened *opened, struct err *err);
void store_close(struct store *s);

/*
 * Applies n batches as one transaction: all of it or, with -1 and err, nothing.  mono_ms is any
 * clock that does not go back; it paces the syncs.
 */
int store_apply(
	struct store *s, struct store_batch *const *v, size_t n, int64_t mono_ms, struct err *err);
/* The newest failure was the disk's (full, I/O, read-only, busy): the same again may succeed. */
bool store_should_retry(const struct store *s);

#define STORE_5M_MS   300000
#define STORE_HOUR_MS 3600000

/* How long each is kept; 0: for good. */
struct store_keep {
	int64_t raw_ms, m5_ms, h1_ms;
	bool fold; /* make buckets; else the other two mean nothing */
};

/*
 * store_fold and store_prune ask between their steps, which are of a few rows each, whether the
 * transaction has done enough, so that none takes long on a disk or in a file that is slow.  NULL:
 * never.
 */
void store_set_enough(struct store *s, bool (*enough)(void *arg), void *arg);

/*
 * Folding, in one transaction that reads about max_rows rows of at most STORE_FOLD_TARGETS targets;
 * the next call goes on with the next ones.  The scrapes of 5 minutes become one bucket when a
 * later scrape has come or those 5 minutes are past (and STORE_FOLD_LATE_MS), and twelve of those
 * the bucket of an hour.  They are made as early as they can be, so that retention has only to
 * delete. A clock that is set back gives a second bucket for the same time: order is that of the
 * rows.  How many buckets were made, or -1 with err; *again: there is more to do at once.
 */
#define STORE_FOLD_TARGETS 50
#define STORE_FOLD_LATE_MS 10000
int64_t store_fold(struct store *s, int64_t now_ms, int max_rows, bool *again, struct err *err);

/*
 * Retention, in one transaction of about max_rows rows and STORE_PRUNE_TARGETS targets; the next
 * call goes on with the next ones, at once when *again is set, else some seconds later: all has
 * been looked at then.  Of each target a few rows go at a time, in turn, since the rows of one time
 * lie beside each other.
 * Deletes scrapes and buckets older than keep says (but of each target the newest full one before
 * that, since later ones build on it, and nothing that is not folded yet), classes and targets that
 * ended or left longer ago than anything is kept with all that belongs to them (their ids must not
 * be used again), stacks that no class shows any more, what is older than the two limits
 * below, and exhibits (store_fact.h), one a call.
 * How many rows, or -1 with err.
 */
#define STORE_PRUNE_TARGETS	 200
#define STORE_KEEP_ALERTS_MS	 (400 * 86400000ll) /* resolved alerts */
#define STORE_KEEP_DELIVERIES_MS (30 * 86400000ll) /* outbox rows that nobody is owed */
int64_t store_prune(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	bool *again, struct err *err);

#endif
