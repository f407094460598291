/*
 * buf: a byte buffer that grows.  Layer 0.
 *
 * Life cycle: `struct buf b = BUF_INIT;` … buf_release(&b).  b.p always has a NUL after b.len bytes
 * (which do not count), so it can be handed to C functions; it may move with every append.
 */
#ifndef LEAKWATCH_BUF_H
#define LEAKWATCH_BUF_H

#include "base.h"
#include "str.h"

struct buf {
	char *p;
	size_t len, cap;
};

extern char buf_empty[1]; /* what p points at before the first byte; never written */
#define BUF_INIT                                                                                   \
	{                                                                                          \
		.p = buf_empty                                                                     \
	}

void buf_init(struct buf *b);
void buf_release(struct buf *b);
/* Empties it and keeps the memory. */
void buf_reset(struct buf *b);
/* Room for n more bytes. */
void buf_reserve(struct buf *b, size_t n);
void buf_add(struct buf *b, const void *p, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addstr(struct buf *b, struct str s);
void buf_addc(struct buf *b, char c);
void buf_addf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Cuts n bytes off the front. */
void buf_consume(struct buf *b, size_t n);
struct str buf_str(const struct buf *b);
/* Hands the NUL-terminated bytes out; the caller frees them, the buffer is empty after. */
char *buf_take(struct buf *b);

#endif
