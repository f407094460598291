/*
 * writer_move: the thread that moves the write-ahead log into the file, so that no commit waits for
 * it (store_wal.h), and reads what house-keeping will want next (store_look.h).  For writer.c and
 * writer_house.c only; level 3.
 *
 * All is called on the writer's thread but where it is said.  A move that fails loses nothing: it
 * is counted, its reason stands until one succeeds, and it is tried again when it is offered.
 *
 * Life cycle: mover_new, mover_offer …, mover_stop, mover_free.  NULL is a mover that is never busy
 * and has nothing to do: the store moves its log by itself.
 */
#ifndef LEAKWATCH_WRITER_MOVE_H
#define LEAKWATCH_WRITER_MOVE_H

#include "err.h"
#include "store.h"

struct mover;

struct mover_stats {
	uint64_t moves, errors;
	double longest_ms; /* of a move; nobody waits for it */
};

/* On any thread; the store must outlive it.  pages: as in store_wal_apart. */
struct mover *mover_new(struct store *store, int pages, struct err *err);
/* Between two transactions: begins a move when there is enough to be moved. */
void mover_offer(struct mover *m);
/* Looks at what the next round of house-keeping reads, for some 100 ms; unless it is busy. */
void mover_look(struct mover *m, int64_t wall_ms, const struct store_keep *keep, int max_rows);
/* Either is about to begin or under way. */
bool mover_is_busy(struct mover *m);
/* Waits for it, wait_ms at most; false: it goes on. */
bool mover_wait(struct mover *m, int wait_ms);
/* The same, and then moves what was committed meanwhile, so that the log can begin anew. */
void mover_catch_up(struct mover *m, int wait_ms);
/* Why the newest move failed; "" when it did not. */
void mover_why(struct mover *m, char *out, size_t size);
void mover_stats(struct mover *m, struct mover_stats *out); /* on any thread */
/*
 * On the thread that stops the writer, when the writer's own has ended: interrupts what it does and
 * waits for it, wait_ms at most.  False: its disk hangs, and the store is still in use. Idempotent.
 */
bool mover_stop(struct mover *m, int wait_ms);
/* After mover_stop: false, and nothing is freed, when the thread is still at it. */
bool mover_free(struct mover *m);

#endif
