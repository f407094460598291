/* buf, arena, err, xalloc: memory that grows, goes at once, or says why. */
#include "arena.h"
#include "buf.h"
#include "err.h"
#include "xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_buf(void **state)
{
	struct buf b = BUF_INIT;
	char *taken;

	(void)state;
	assert_string_equal(b.p, ""); /* usable before the first byte */
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%d,", i);
	assert_int_equal(b.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(b.p[b.len], '\0');
	buf_consume(&b, 4);
	assert_int_equal(strncmp(b.p, "2,3,", 4), 0);
	buf_consume(&b, b.len + 1); /* more than there is: empty */
	assert_int_equal(b.len, 0);
	assert_string_equal(b.p, "");
	buf_add(&b, "a\0b", 3);
	buf_addc(&b, 'c');
	assert_memory_equal(b.p, "a\0bc", 5);
	taken = buf_take(&b);
	assert_int_equal(b.len, 0);
	assert_memory_equal(taken, "a\0bc", 5);
	free(taken);
	buf_release(&b);
	buf_release(&b); /* nothing left: harmless */
}

static void test_arena(void **state)
{
	struct arena a = ARENA_INIT;
	char *first;

	(void)state;
	first = arena_strdup(&a, "kept");
	for (size_t n = 1; n < 300000; n *= 3) { /* beyond the largest block too */
		char *p = arena_calloc(&a, n, 1);

		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_true(p[0] == 0 && p[n - 1] == 0);
		memset(p, 0xff, n);
	}
	assert_string_equal(first, "kept");
	assert_string_equal(arena_printf(&a, "%s/%d", first, 7), "kept/7");
	arena_reset(&a);
	assert_int_equal(a.bytes, 0);
	assert_string_equal(arena_str(&a, STR("again")).p, "again");
	arena_release(&a);
}

static void test_err(void **state)
{
	struct err err = ERR_INIT;
	char longer[2 * ERR_MAX];

	(void)state;
	assert_int_equal(err_set(&err, "cannot open %s", "x"), -1);
	assert_int_equal(err_wrap(&err, "job %d", 3), -1);
	assert_string_equal(err.msg, "job 3: cannot open x");
	memset(longer, 'y', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	err_set(&err, "%s", longer);
	assert_int_equal(strlen(err.msg), ERR_MAX - 1);
	assert_string_equal(err.msg + ERR_MAX - 4, "..."); /* a cut one says so */
	err_wrap(&err, "in front");
	assert_int_equal(strncmp(err.msg, "in front: yyy", 13), 0);
	assert_string_equal(err.msg + ERR_MAX - 4, "...");
	assert_int_equal(err_set(NULL, "dropped"), -1);
	assert_int_equal(err_wrap(NULL, "dropped"), -1);
}

static void test_xalloc(void **state)
{
	char *p = xcalloc(0, 8), *s = xasprintf("%d-%s", 5, "z");

	(void)state;
	assert_non_null(p); /* never NULL, also for nothing */
	p = xrealloc(p, 3, 2);
	memcpy(p, "hello", 6);
	assert_string_equal(p, "hello");
	assert_string_equal(s, "5-z");
	free(p);
	free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buf),
		cmocka_unit_test(test_arena),
		cmocka_unit_test(test_err),
		cmocka_unit_test(test_xalloc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
