#include "exhibit.h"
#include "recording.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define PIECE 65536
/* The text that may still come through once it is full, with gzip's tail. */
#define TAIL (2 * PIECE + 4096)

struct exhibit {
	z_stream z;
	struct buf line; /* one that has not ended yet */
	struct buf text; /* whole lines, stripped */
	struct buf out;
	uint64_t bytes;
	bool full;
};

struct exhibit *exhibit_new(void)
{
	struct exhibit *x = xcalloc(1, sizeof(*x));

	buf_init(&x->line);
	buf_init(&x->text);
	buf_init(&x->out);
	/* Only for want of memory: a format that zlib knows, and sizes it takes. */
	if (deflateInit2(&x->z, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	return x;
}

void exhibit_free(struct exhibit *x)
{
	if (!x)
		return;
	deflateEnd(&x->z);
	buf_release(&x->line);
	buf_release(&x->text);
	buf_release(&x->out);
	free(x);
}

static void deflate_text(struct exhibit *x, int flush)
{
	unsigned char piece[PIECE];

	x->z.next_in = (unsigned char *)x->text.p;
	x->z.avail_in = (unsigned)x->text.len;
	do {
		x->z.next_out = piece;
		x->z.avail_out = sizeof(piece);
		deflate(&x->z, flush);
		buf_add(&x->out, piece, sizeof(piece) - x->z.avail_out);
	} while (x->z.avail_out == 0);
	x->bytes += x->text.len;
	buf_reset(&x->text);
}

static void add_line(struct exhibit *x, struct str line)
{
	if (x->full)
		return;
	recording_strip_arguments(line, &x->text);
	if (x->text.len < PIECE)
		return;
	deflate_text(x, Z_NO_FLUSH);
	x->full = x->out.len + TAIL > EXHIBIT_MAX;
}

void exhibit_feed(struct exhibit *x, const char *p, size_t n)
{
	while (n && !x->full) {
		const char *end = memchr(p, '\n', n);
		size_t k = end ? (size_t)(end - p) : n, room = EXHIBIT_LINE_MAX - x->line.len;

		buf_add(&x->line, p, MIN(k, room));
		if (end) {
			buf_addc(&x->line, '\n');
			add_line(x, buf_str(&x->line));
			buf_reset(&x->line);
			k++;
		}
		p += k;
		n -= k;
	}
}

bool exhibit_take(struct exhibit *x, struct buf *out, uint64_t *bytes)
{
	if (x->line.len) {
		buf_addc(&x->line, '\n');
		add_line(x, buf_str(&x->line));
	}
	deflate_text(x, Z_FINISH);
	buf_addstr(out, buf_str(&x->out));
	*bytes = x->bytes;
	return !x->full;
}
