#include "gunzip.h"

#include "xalloc.h"

#include <stdlib.h>
#include <zlib.h>

#define PIECE	  65536
#define GZIP_ONLY (16 + MAX_WBITS) /* of inflateInit2: a gzip header, nothing else */

struct gunzip {
	z_stream z;
	uint64_t left; /* bytes that may still come out */
	void (*out)(void *arg, const char *p, size_t n);
	void *arg;
	bool begun, between; /* between two members */
	bool failed;
	struct err err;
};

struct gunzip *gunzip_new(
	uint64_t max_bytes, void (*out)(void *arg, const char *p, size_t n), void *arg)
{
	struct gunzip *z = xcalloc(1, sizeof(*z));

	z->left = max_bytes;
	z->out = out;
	z->arg = arg;
	if (inflateInit2(&z->z, GZIP_ONLY) != Z_OK) {
		z->failed = true;
		err_set(&z->err, "cannot inflate: out of memory");
	}
	return z;
}

void gunzip_free(struct gunzip *z)
{
	if (!z)
		return;
	inflateEnd(&z->z);
	free(z);
}

static int fail(struct gunzip *z, struct err *err)
{
	z->failed = true;
	return err_set(err, "%s", z->err.msg);
}

/* One call of inflate: false when it needs more input, or failed. */
static bool inflate_some(struct gunzip *z)
{
	char piece[PIECE];
	size_t n;
	int code;

	if (z->between) {
		inflateReset(&z->z);
		z->between = false;
	}
	z->z.next_out = (Bytef *)piece;
	z->z.avail_out = sizeof(piece);
	code = inflate(&z->z, Z_NO_FLUSH);
	n = sizeof(piece) - z->z.avail_out;
	if (n > z->left) {
		z->failed = true;
		err_set(&z->err, "gzip: more comes out of it than is read");
		return false;
	}
	z->left -= n;
	if (n)
		z->out(z->arg, piece, n);
	if (code == Z_STREAM_END) {
		z->between = true;
		return z->z.avail_in > 0;
	}
	if (code != Z_OK && code != Z_BUF_ERROR) {
		z->failed = true;
		err_set(&z->err, "gzip: %s", z->z.msg ? z->z.msg : "damaged");
		return false;
	}
	return z->z.avail_in > 0 || z->z.avail_out == 0;
}

int gunzip_feed(struct gunzip *z, const char *p, size_t n, struct err *err)
{
	if (z->failed)
		return fail(z, err);
	if (n == 0)
		return 0;
	z->begun = true;
	z->z.next_in = (Bytef *)p;
	z->z.avail_in = (uInt)n;
	while (inflate_some(z))
		;
	return z->failed ? fail(z, err) : 0;
}

int gunzip_finish(struct gunzip *z, struct err *err)
{
	if (!z->failed && !z->between) {
		z->failed = true;
		err_set(&z->err, z->begun ? "gzip: the data ends early" : "gzip: no data");
	}
	return z->failed ? fail(z, err) : 0;
}
