/*
 * writer_house: what the writer's thread does for the file when there is nothing to write: folding,
 * deleting, giving space back, looking whether the file is still there.  For writer.c only;
 * level 3.
 *
 * Plain data of the thread: the writer copies what others may see.  A full disk and a file over
 * max_size stop samples, never alerts: room is false then, and why says it.
 */
#ifndef LEAKWATCH_WRITER_HOUSE_H
#define LEAKWATCH_WRITER_HOUSE_H

#include "err.h"
#include "store.h"

struct mover;

/* What a round does, each a stretch in which nothing else is written. */
enum house_bite {
	HOUSE_FOLD,
	HOUSE_PRUNE,
	HOUSE_SPACE, /* looking at the file and its disk */
	HOUSE_SHRINK,
	HOUSE_BITES
};

struct house {
	struct store *store;
	struct mover *mover; /* NULL: the store moves its log by itself */
	struct store_keep keep;
	int64_t max_size, min_free; /* 0: no limit */
	double work_ms; /* of one transaction, before it is committed */
	uint64_t begun_us, enough_us; /* of the one under way; monotonic */
	double squeeze; /* part of keep that is kept, less than 1 while the file is too large */
	enum house_bite next; /* where the round goes on, HOUSE_FOLD or HOUSE_PRUNE */
	bool folds; /* there is more to fold */
	bool looked; /* what the next transactions read is in memory */
	bool room; /* for samples */
	bool ballast; /* is there */
	bool placed; /* the file is where it was opened */
	char why[ERR_MAX]; /* why not room, not placed or damaged; "" */
	char damage[ERR_MAX]; /* of the newest round */
	uint64_t folded, pruned; /* buckets made, rows deleted */
	double longest_bite_ms;
	bool (*wanted)(void *arg); /* NULL, or whether somebody waits: the round ends early */
	void *wanted_arg;
	/* NULL, or told how long each stretch took (for benchmarks). */
	void (*on_bite)(void *arg, enum house_bite what, double ms);
	void *arg;
	int64_t used_bytes, free_bytes;
};

/* The house stays where it is: the store asks it when a transaction has done enough. */
void house_init(struct house *h, struct store *store);
/*
 * One round; true when there is more to do at once.  Between two transactions it ends, to go on at
 * the next call, when somebody wants to write.  wall_ms: now, for what is old.
 */
bool house_keep(struct house *h, int64_t wall_ms);
/* A batch found the disk full: the ballast goes, and true when that may have helped. */
bool house_disk_is_full(struct house *h);

#endif
