/* fleet: who of a job leaks, in words. */
#include "fleet.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_words(void **state)
{
	/* "+VERSION" leaks, "-VERSION" does not; instances are a, b, c … */
	static const struct {
		const char *members[8], *want;
	} rows[] = {
		{{"+v1"}, ""}, /* alone */
		{{"-v1", "-v1"}, ""}, /* nobody leaks: not asked */
		{{"+v1", "+v1"}, "all 2 instances leak, all run v1"},
		{{"+v1", "+v2"}, "all 2 instances leak"},
		{{"+", "+", "+"}, "all 3 instances leak"},
		{{"+v2", "+v2", "-v1"}, "2 of 3 instances leak, they run v2; c runs v1"},
		{{"+v2", "-v1", "-v1"},
			"only this one of 3 instances leaks, it runs v2; the others run v1"},
		{{"+v1", "-v1", "-v1"}, "only this one of 3 instances leaks, all run v1"},
		{{"+v2", "+v3", "-v1"}, "2 of 3 instances leak; c runs v1"},
		{{"+v2", "+v2", "-v1", "-v0"}, "2 of 4 instances leak, they run v2"},
		{{"+v2", "+v2", "-"}, "2 of 3 instances leak, they run v2; c does not"},
		{{"+", "+", "-", "-"}, "2 of 4 instances leak"},
		{{"+v\n2", "+v\n2", "-"}, "2 of 3 instances leak, they run v\\n2; c does not"},
	};
	static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet f = FLEET_INIT;
		struct buf out = BUF_INIT;

		for (size_t k = 0; k < ARRAY_LEN(names) && rows[i].members[k]; k++)
			fleet_add(&f, str_of(names[k]), str_of(rows[i].members[k] + 1),
				rows[i].members[k][0] == '+');
		fleet_words(&f, &out);
		if (strcmp(out.p, rows[i].want) != 0)
			fail_msg("row %zu: \"%s\", not \"%s\"", i, out.p, rows[i].want);
		buf_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_words)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
