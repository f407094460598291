/* map: keys of any bytes, also none; taking while iterating. */
#include "map.h"
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_keys(void **state)
{
	static const struct {
		const char *what;
		struct str key;
	} rows[] = {
		{"a word", {"word", 4}},
		{"a word that begins like it", {"wordy", 5}},
		{"a NUL inside", {"a\0b", 3}},
		{"the same up to the NUL", {"a\0c", 3}},
		{"empty, with an address", {"", 0}},
	};
	struct map *m = map_new();
	int values[ARRAY_LEN(rows)], other;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_null(map_get(m, rows[i].key));
		assert_null(map_put(m, rows[i].key, &values[i]));
	}
	assert_int_equal(map_count(m), ARRAY_LEN(rows));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_ptr_equal(map_get(m, rows[i].key), &values[i]);
	/* Empty is one key, whether it has an address or not. */
	assert_ptr_equal(map_get(m, (struct str){0}), &values[4]);
	assert_ptr_equal(map_put(m, (struct str){0}, &other), &values[4]);
	assert_ptr_equal(map_take(m, (struct str){"", 0}), &other);
	assert_null(map_take(m, (struct str){0}));
	assert_int_equal(map_count(m), ARRAY_LEN(rows) - 1);
	map_free(m, NULL);
}

static void test_take_while_iterating(void **state)
{
	struct map *m = map_new();
	struct map_item item;
	size_t seen = 0, taken = 0;
	void *at = NULL;
	char key[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		int n = snprintf(key, sizeof(key), "key %d", i);

		map_put(m, (struct str){key, (size_t)n}, m);
	}
	while (map_next(m, &at, &item)) {
		seen++;
		if (seen % 3 == 0) {
			assert_ptr_equal(map_take(m, item.key), m);
			taken++;
		}
	}
	assert_int_equal(seen, 100);
	assert_int_equal(map_count(m), 100 - taken);
	map_free(m, NULL);
}

/* Every byte counts, at every length around the 64 that are read at once. */
static void test_hash_of_text(void **state)
{
	char text[200];

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		uint64_t whole;

		memset(text, 'x', sizeof(text));
		whole = hash64_text(text, n);
		assert_int_equal(hash64_text(text, n), whole);
		assert_int_not_equal(hash64_text(text, n + 1), whole);
		for (size_t i = 0; i < n; i++) {
			text[i] = 'y';
			assert_int_not_equal(hash64_text(text, n), whole);
			text[i] = 'x';
		}
	}
	/* The lanes are not interchangeable. */
	for (size_t lane = 1; lane < 4; lane++) {
		uint64_t before;

		for (size_t i = 0; i < 64; i++)
			text[i] = (char)i;
		before = hash64_text(text, 64);
		memmove(text, text + 16 * lane, 16);
		for (size_t i = 0; i < 16; i++)
			text[16 * lane + i] = (char)i;
		assert_int_not_equal(hash64_text(text, 64), before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_take_while_iterating),
		cmocka_unit_test(test_hash_of_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
