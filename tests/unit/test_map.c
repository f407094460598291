/* map: keys of any bytes, also none; taking while iterating. */
#include "map.h"
#include "base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_take_while_iterating),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
