/*
 * arena: memory that is freed all at once.  Layer 0.
 *
 * Life cycle: `struct arena a = ARENA_INIT;` … arena_release(&a).  arena_reset empties it and keeps
 * its first block, for work that repeats (one body after the other).  Blocks grow from 4 KiB to
 * 256 KiB; a larger piece gets a block of its own.  Results are aligned for any type.
 */
#ifndef LEAKWATCH_ARENA_H
#define LEAKWATCH_ARENA_H

#include "base.h"
#include "str.h"

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t bytes; /* handed out since the last reset */
};

#define ARENA_INIT                                                                                 \
	{                                                                                          \
		.head = NULL                                                                       \
	}

void arena_release(struct arena *a);
void arena_reset(struct arena *a);
/* Not zeroed. */
void *arena_alloc(struct arena *a, size_t size);
/* Zeroed; n * size is checked for overflow. */
void *arena_calloc(struct arena *a, size_t n, size_t size);
/* Copies of the bytes, with a NUL after them that is not counted. */
struct str arena_str(struct arena *a, struct str s);
char *arena_strdup(struct arena *a, const char *s);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
