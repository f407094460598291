/*
 * proto_write: protocol buffers and gzip, written: what tests and fuzzers feed the debug=0 parser.
 */
#ifndef LEAKWATCH_PROTO_WRITE_H
#define LEAKWATCH_PROTO_WRITE_H

#include "buf.h"

#include <stdlib.h>
#include <zlib.h>

static inline void proto_varint(struct buf *b, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_addc(b, (char)(v | 0x80));
	buf_addc(b, (char)v);
}

static inline void proto_number(struct buf *b, unsigned field, uint64_t v)
{
	proto_varint(b, field << 3);
	proto_varint(b, v);
}

static inline void proto_bytes(struct buf *b, unsigned field, struct str s)
{
	proto_varint(b, field << 3 | 2);
	proto_varint(b, s.len);
	buf_addstr(b, s);
}

/* Two numbers as a message: ValueType, Line, a string label. */
static inline void proto_pair(struct buf *b, unsigned field, uint64_t one, uint64_t two)
{
	struct buf m = BUF_INIT;

	proto_number(&m, 1, one);
	proto_number(&m, 2, two);
	proto_bytes(b, field, buf_str(&m));
	buf_release(&m);
}

/* As one gzip member. */
static inline void proto_gzip(struct str text, struct buf *out)
{
	z_stream z = {.next_in = (Bytef *)text.p, .avail_in = (uInt)text.len};

	if (deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	buf_reserve(out, deflateBound(&z, text.len));
	z.next_out = (Bytef *)out->p;
	z.avail_out = (uInt)out->cap;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		abort();
	out->len = z.total_out;
	deflateEnd(&z);
}

#endif
