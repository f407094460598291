/*
 * store_bite: the transactions of house-keeping, and what a bucket's row says.  Layer 2; for
 * store*.c only, as part of store_internal.h.
 */
#ifndef LEAKWATCH_STORE_BITE_H
#define LEAKWATCH_STORE_BITE_H

#include "buf.h"
#include "err.h"

struct store;
struct store_keep;

/* What store_sweep deletes; those before STORE_SWEEP_TARGET all in one way. */
enum store_sweep {
	STORE_SWEEP_RUN,
	STORE_SWEEP_OUTBOX,
	STORE_SWEEP_TOLD,
	STORE_SWEEP_SILENCE,
	STORE_SWEEP_ACK,
	STORE_SWEEP_EXHIBIT,
	STORE_SWEEP_STACK,
	STORE_SWEEP_TARGET,
	STORE_SWEEP_CLASS,
	STORE_SWEEP_ALERT,
	STORE_SWEEP_EXHIBITS, /* the limit of all their bytes */
	STORE_SWEEPS
};
#define STORE_SORTS   3 /* scrapes, buckets of either width */
#define STORE_KEY_MIN INT64_MIN /* before all keys: fingerprints may be negative */

/* A transaction of house-keeping: what it does can be done again, so it waits for no sync. */
int store_begin_bite(struct store *s, struct err *err);

/* What one such transaction may delete, and has. */
struct store_bite {
	struct store *s;
	int64_t left, n; /* rows */
	int steps, done; /* that it may do, and has: of one target, or of one table */
	bool look; /* only reads what it would delete; s is not the store but what looks
		      (store_look) */
	bool begun; /* there is always time for one step */
	bool more; /* it ended before all was looked at */
};
/* It is enough: then more is set. */
bool store_bite_over(struct store_bite *b);
void store_bite_count(struct store_bite *b, int64_t rows);
/* Both for store_look: the same as in the transaction that follows, without changing anything. */
int store_look_fold(struct store *s, int64_t now_ms, int max_rows, int *steps);
int store_look_prune(
	struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows, int *steps);
/* Classes, targets and runs are kept keep_ms, other rows by limits of their own. */
int store_sweep(struct store_bite *b, enum store_sweep what, int64_t now_ms, int64_t keep_ms,
	struct err *err);
/* Runs a statement with parameters ?1, ?2, …: in *changed the rows that it deleted. */
int store_run_with(
	struct store *s, const char *sql, const int64_t *params, int64_t *changed, struct err *err);
/* The first column of the first row of such a query; 0 when there is none. */
int store_query_with(
	struct store *s, const char *sql, const int64_t *params, int64_t *out, struct err *err);

/* What `changes` of a bucket says of one series. */
struct store_entry {
	int64_t series_id;
	bool moved; /* it did not stand still: all numbers are given */
	double floor, mean, max, last; /* all the same when not moved; NAN: no value */
	int64_t n; /* of moved; -1: as many as the bucket has */
};
/* Takes the next entry; *p begins at the opening brace.  False at the end, or where the text is
 * none of ours any more. */
bool store_entry_next(const char **p, int64_t base, struct store_entry *e);
/* Adds one, with the comma or brace before it; the caller adds the closing brace. */
void store_entry_add(struct buf *out, int64_t base, const struct store_entry *e);

#endif
