/* A dump, kept small: whole, or cut at a line and said to be. */
#include "exhibit.h"
#include "gunzip.h"
#include "xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void out_cb(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
}

static void inflate_all(const struct buf *z, struct buf *out)
{
	struct gunzip *g = gunzip_new(1 << 30, out_cb, out);
	struct err err = ERR_INIT;

	if (gunzip_feed(g, z->p, z->len, &err) || gunzip_finish(g, &err))
		fail_msg("%s", err.msg);
	gunzip_free(g);
}

static const char dump[] = "goroutine 7 [chan receive, 3 minutes]:\n"
			   "main.(*srv).handle(0xc000012340, {0x1, 0x2})\n"
			   "\t/src/main.go:38 +0x1d\n"
			   "main.none()\n"
			   "\t/src/main.go:39 +0x1\n"
			   "created by main.main in goroutine 1\n"
			   "\t/src/main.go:12 +0x20";
static const char kept[] = "goroutine 7 [chan receive, 3 minutes]:\n"
			   "main.(*srv).handle(...)\n"
			   "\t/src/main.go:38 +0x1d\n"
			   "main.none()\n"
			   "\t/src/main.go:39 +0x1\n"
			   "created by main.main in goroutine 1\n"
			   "\t/src/main.go:12 +0x20\n";

static void pieces(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < sizeof(dump); piece += 7) {
		struct exhibit *x = exhibit_new();
		struct buf z = BUF_INIT, text = BUF_INIT;
		uint64_t bytes;

		for (size_t at = 0; at < strlen(dump); at += piece)
			exhibit_feed(x, dump + at, MIN(piece, strlen(dump) - at));
		assert_true(exhibit_take(x, &z, &bytes));
		inflate_all(&z, &text);
		assert_string_equal(text.p, kept);
		assert_int_equal(bytes, strlen(kept));
		exhibit_free(x);
		buf_release(&z);
		buf_release(&text);
	}
}

/* Text that gzip cannot make smaller, and a line without an end. */
static void bounded(void **state)
{
	(void)state;
	for (int lines = 0; lines < 2; lines++) {
		struct exhibit *x = exhibit_new();
		struct buf z = BUF_INIT, text = BUF_INIT;
		uint64_t bytes, r = 88172645463325252u;
		char piece[4096];

		for (int i = 0; i < 2000; i++) {
			for (size_t k = 0; k < sizeof(piece); k++) {
				r ^= r << 13;
				r ^= r >> 7;
				r ^= r << 17;
				piece[k] = (char)(32 + r % 90);
			}
			if (lines)
				piece[sizeof(piece) - 1] = '\n';
			exhibit_feed(x, piece, sizeof(piece));
		}
		assert_int_equal(exhibit_take(x, &z, &bytes), !lines);
		assert_true(z.len <= EXHIBIT_MAX);
		inflate_all(&z, &text);
		assert_int_equal(text.len, bytes);
		assert_int_equal(text.p[text.len - 1], '\n');
		if (lines)
			assert_true(z.len > EXHIBIT_MAX / 2);
		else
			assert_int_equal(text.len, EXHIBIT_LINE_MAX + 1);
		exhibit_free(x);
		buf_release(&z);
		buf_release(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pieces), cmocka_unit_test(bounded)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
