/* versions: what ran when. */
#include "versions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct versions *v, int64_t at_ms, const char *want)
{
	struct str got = versions_at(v, at_ms);

	if (!str_is(got, want))
		fail_msg("at %lld: \"%.*s\", not \"%s\"", (long long)at_ms, STR_ARG(got), want);
}

static void test_runs(void **state)
{
	struct versions v = VERSIONS_INIT;

	(void)state;
	expect(&v, 100, "");
	versions_note(&v, 100, STR("v1"));
	versions_note(&v, 100, STR("v1")); /* each scrape says so */
	versions_note(&v, 200, STR("v1")); /* a restart */
	versions_note(&v, 300, STR("v2"));
	versions_note(&v, 300, STR("v3")); /* a process has one version */
	versions_note(&v, 400, STR("")); /* one that does not tell */
	versions_note(&v, 500, STR("")); /* nor does its successor, at first */
	versions_note(&v, 400, STR("v4"));
	assert_int_equal(v.n, 3);
	expect(&v, 99, "");
	expect(&v, 100, "v1");
	expect(&v, 299, "v1");
	expect(&v, 300, "v2");
	expect(&v, 400, "v4");
	expect(&v, 1000, "v4");
	versions_release(&v);
	expect(&v, 1000, "");
}

static void test_bound(void **state)
{
	struct versions v = VERSIONS_INIT;
	char text[16];

	(void)state;
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "v%d", i);
		versions_note(&v, i, str_of(text));
	}
	assert_int_equal(v.n, VERSIONS_MAX);
	expect(&v, 99, "v99");
	expect(&v, 100 - VERSIONS_MAX, "v68");
	expect(&v, 99 - VERSIONS_MAX, ""); /* too long ago */
	versions_release(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
