/*
 * writer: the thread that owns the store's read-write connection.  Level 3.
 *
 * The loop hands it batches and never waits for it: writer_submit takes a lock that the thread
 * holds for a few instructions only.  Batches are applied in order, several at a time when they
 * pile up; each done callback comes on the loop thread, in order, exactly once (a batch of which
 * nothing was left, as below, has nothing to wait for and is answered at once).
 *
 * The queue is bounded by count and bytes.  Over the bound, what later batches make good is taken
 * out of a new batch (store_batch_drop_samples) and the samples are counted as dropped; the rest of
 * it (targets, classes, verdicts, alerts, outbox) is kept: those rows are few and none may be
 * missed.  The same holds while the write-ahead log is over its bound, because somebody reads for
 * hours; it is cut as soon as they let it.  Moving it into the file is the work of a second thread
 * (writer_move.h); only a log of 64 MiB, which grows faster than it is moved, is waited for.
 *
 * When the disk fails the writer keeps all it has, in order, tries again after 100 ms, doubling to
 * 10 s, and tells on_state; alerts go on being decided and sent meanwhile, only their rows come
 * later.
 *
 * In idle time it folds samples into buckets and deletes what is past retention, a few rows at a
 * time: as many as take about 15 ms on this disk with all of a transaction, so that a batch never
 * waits long for it.  What they read is in memory by then: the second thread has read it ahead.
 *
 * A file over max_size keeps less, all retention cut in the same proportion, until it fits; while
 * it is an eighth over, or less than min_free is left on the disk, samples are dropped and on_state
 * told.  A disk that is full all the same gets the ballast (store_space.h) first of all, so that
 * alerts are stored.  A file that was removed under the daemon is written anew from what is open.
 *
 * Life cycle: writer_new (takes the store), writer_submit …, writer_stop, writer_free.
 */
#ifndef LEAKWATCH_WRITER_H
#define LEAKWATCH_WRITER_H

#include "err.h"
#include "store.h"

struct event_base;
struct writer;

struct writer_config {
	size_t max_batches; /* 0: 4096 */
	size_t max_bytes; /* 0: 32 MiB */
	int64_t max_wal_bytes; /* 0: 256 MiB; at least 32 MiB */
	struct store_keep keep;
	int64_t max_size, min_free; /* bytes of the file, and on its disk; 0: no limit */
	/* On the loop thread, at each change: ok, or why not. */
	void (*on_state)(void *arg, bool ok, const char *why);
	void *arg;
};

struct writer_stats {
	size_t depth, bytes; /* queued and in the transaction under way */
	uint64_t applied; /* batches */
	uint64_t transactions;
	uint64_t dropped_values; /* samples not stored because the queue was full */
	uint64_t refused; /* batches that the store would not take (a bug; on_done tells) */
	uint64_t errors; /* transactions that failed on the disk */
	uint64_t folded; /* buckets made */
	uint64_t pruned; /* rows deleted by age */
	double longest_ms, last_ms; /* of a transaction with batches */
	double longest_bite_ms; /* of one that folds or deletes: what a batch may have to wait */
	uint64_t moves, move_errors; /* of the write-ahead log into the file */
	double longest_move_ms; /* nothing waits for it */
	int64_t wal_bytes;
	int64_t used_bytes, free_bytes; /* of the file, and on its disk; 0 before the first look */
	bool room; /* samples are stored: neither is the disk full nor the file too large */
	bool ok;
	bool damaged; /* why it is not: pages of the file are not what they should be */
};

/*
 * ok is false when the batch is not stored and never will be: refused, or given up by a stop.  When
 * ok is true and why is not "", the alerts, outbox and meta rows of it are stored and the rest was
 * refused, which is a bug to be logged.
 */
typedef void writer_done_cb(void *arg, bool ok, const char *why);

/* Takes the store, also when it fails. */
struct writer *writer_new(struct event_base *base, struct store *store,
	const struct writer_config *config, struct err *err);
/*
 * Takes the batch.  done may be NULL; it is never called from within.  False when the queue is over
 * its bound and the batch's samples were dropped: the next scrape of their targets must be full.
 */
bool writer_submit(struct writer *w, struct store_batch *b, writer_done_cb *done, void *arg);
/*
 * Writes what is queued and ends the thread, waiting at most deadline_ms (the one place where the
 * loop thread waits: it has nothing else to do by then).  Delivers all callbacks, on the calling
 * thread; what could not be written gets ok = false.  True when everything was.  Idempotent.
 */
bool writer_stop(struct writer *w, int deadline_ms);
/* Stops with no deadline left when it was not stopped; closes the store. */
void writer_free(struct writer *w);
void writer_stats(const struct writer *w, struct writer_stats *out);

#endif
