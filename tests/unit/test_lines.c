/* lines: newlines in order, at every offset and length around the 64 bytes that are read at once.
 */
#include "lines.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What lines_next finds from p on has to be what a loop finds. */
static void check(const char *p, size_t n)
{
	struct lines l;

	lines_init(&l, p, p + n);
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\n')
			assert_ptr_equal(lines_next(&l), p + i);
	}
	assert_null(lines_next(&l));
	assert_null(lines_next(&l));
}

static void finds_each_newline(void **state)
{
	char text[300];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		memset(text, 'x', sizeof(text));
		check(text, n); /* none */
		for (size_t i = 0; i < n; i++) {
			text[i] = '\n';
			check(text, n);
			text[i] = (char)0x8a; /* differs in one bit */
		}
		memset(text, '\n', sizeof(text));
		check(text, n); /* nothing else */
	}
}

/* Memory of exactly that size: a sanitizer sees a read behind it. */
static void finds_them_in_any_text(void **state)
{
	unsigned seed = 7;

	(void)state;
	for (int round = 0; round < 2000; round++) {
		size_t n = (size_t)(seed >> 8) % 400;
		char *text = malloc(n + 1);

		for (size_t i = 0; i < n; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = (seed >> 16) % 9 ? 'x' : '\n';
		}
		seed = seed * 1103515245 + 12345;
		text = realloc(text, n ? n : 1);
		check(text, n);
		free(text);
	}
}

static void begins_anew(void **state)
{
	static const char text[] = "a\nb\nc\n";
	struct lines l;

	(void)state;
	lines_init(&l, text, text + 6);
	assert_ptr_equal(lines_next(&l), text + 1);
	lines_init(&l, text + 2, text + 6);
	assert_ptr_equal(lines_next(&l), text + 3);
	lines_init(&l, NULL, NULL);
	assert_null(lines_next(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each_newline),
		cmocka_unit_test(finds_them_in_any_text),
		cmocka_unit_test(begins_anew),
	};

	return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
