/*
 * store_look: what house-keeping will read, read beforehand.  Layer 2.
 *
 * Old rows lie where nobody has been for weeks: each is some pages, and each page may take a disk
 * that is busy longer than all the rest of the transaction.  The second connection (store_wal.h),
 * on its own thread, walks through the same steps as the next store_fold and store_prune and
 * changes nothing, so that those find the pages in memory.
 */
#ifndef LEAKWATCH_STORE_LOOK_H
#define LEAKWATCH_STORE_LOOK_H

#include "store.h"

/*
 * After store_wal_apart, on any thread, but not while the store folds, prunes, moves its log or is
 * closed; store_apply may go on beside it.  It ends when enough says so, but reads a little always.
 * The next store_fold and the next store_prune go no further than it has read, once.  What fails
 * here fails there again, and is told there.
 */
void store_look(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	bool (*enough)(void *arg), void *arg);

#endif
