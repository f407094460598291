/*
 * store_space: the room that the store takes and has, and whether its file is still in its place.
 * Layer 2.
 */
#ifndef LEAKWATCH_STORE_SPACE_H
#define LEAKWATCH_STORE_SPACE_H

#include "err.h"
#include "store.h"

struct store_space {
	int64_t file_bytes; /* pages of the file; without the write-ahead log */
	int64_t used_bytes; /* of those, the ones that hold something */
	int64_t free_bytes; /* on the disk, for us */
};
int store_space(struct store *s, struct store_space *out, struct err *err);

/* Gives up to that many empty pages back to the disk, in one transaction. */
int store_shrink(struct store *s, int pages, struct err *err);

/*
 * The ballast: FILE.ballast, space that is held for the time when there is none, so that alerts can
 * still be stored and old rows deleted, which takes space too.
 */
#define STORE_BALLAST_BYTES (8 * 1024 * 1024)
/* Makes it when there is none; false when the disk has no room for it. */
bool store_ballast_make(struct store *s);
/* Gives its space back to the disk; false when there was none. */
bool store_ballast_drop(struct store *s);

/* Where the open file is. */
enum store_place {
	STORE_IN_PLACE,
	STORE_REMOVED, /* nothing is at its path: what is written goes with the daemon */
	STORE_REPLACED /* something else is there */
};
enum store_place store_place(struct store *s);
/*
 * After STORE_REMOVED: writes everything to the path again and goes on there.  0, or -1 with err
 * and the store as it was; when the new file cannot be opened the store fails until the daemon is
 * started anew, which finds that file.
 */
int store_put_back(struct store *s, struct err *err);

/* The newest failure was a full disk. */
bool store_was_full(const struct store *s);
/* The newest failure was one of the file itself: it is damaged, and the next start sets it aside.
 */
bool store_was_damaged(const struct store *s);

#endif
