/*
 * store_wal: the write-ahead log, and how what is in it comes into the file.  Layer 2.
 *
 * By itself SQLite moves the log within the commit that has made it 4 MiB long: a thousand pages
 * written all over the file and two syncs, for which everybody waits who wants to write.  So it is
 * for commands that write.  A daemon has it moved apart: by a second connection, on another thread,
 * which commits do not wait for.  The log begins anew with the first commit that finds all of it
 * moved and nobody who reads from it.
 *
 * Before 3.51.3 SQLite has a race there (sqlite.org/wal.html, "The WAL-Reset Bug"): when a move
 * begins while all is moved already, and a commit begins the log anew in the same moment, what is
 * committed next may be taken for moved and be lost.  So no move begins but after store_wal_due has
 * said, between two transactions, that there is something to move.  As long as there is, no commit
 * begins the log anew, and nobody but that move can change it.
 */
#ifndef LEAKWATCH_STORE_WAL_H
#define LEAKWATCH_STORE_WAL_H

#include "err.h"
#include "store.h"

/* Bytes of the log. */
int64_t store_wal_bytes(const struct store *s);
/*
 * Moves the log into the file and cuts it to nothing, as far as readers let it; waits for them a
 * second at most.  Not while store_wal_move is under way.
 */
void store_cut_wal(struct store *s);

/*
 * From now on only store_wal_move moves the log, from that many pages on (0: STORE_WAL_PAGES; when
 * the log has twice as many, any number, so that it can begin anew).  -1 with err when there can be
 * no second connection: all goes on as before.  The file must be in its place.
 */
#define STORE_WAL_PAGES 2048 /* 8 MiB: what is written twice is moved once, and syncs are fewer */
int store_wal_apart(struct store *s, int pages, struct err *err);
/*
 * On the thread that writes, between two transactions and not while store_wal_move is under way:
 * whether it should be called.
 */
bool store_wal_due(struct store *s);
/*
 * After store_wal_due, on any thread: moves what is committed and no reader needs in the log.  It
 * touches nothing that store_apply does, but store_close, store_cut_wal and store_put_back must
 * wait.  A failure loses nothing: -1 with err, and what is left is due again.
 */
int store_wal_move(struct store *s, struct err *err);
/* How often the log has begun anew.  The commit that does it syncs one page, whatever else it is.
 */
int store_wal_logs(const struct store *s);
/* From any other thread meanwhile: it ends after the page it is at, which is no failure. */
void store_wal_interrupt(struct store *s);

#endif
