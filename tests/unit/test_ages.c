/* ages: what is made of the waits in one dump.  The method against its reference: tests/sim. */
#include "ages.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

/* `per_min` waits of each number of minutes from..to. */
static void add_even(struct ages *a, uint32_t from, uint32_t to, uint64_t per_min)
{
	for (uint32_t m = from; m <= to; m++)
		ages_add(a, m, per_min);
}

static const struct {
	const char *what;
	struct {
		uint32_t from, to;
		uint64_t per_min;
	} parts[4];
	double uptime_min; /* 0: not known */
	enum ages_verdict verdict;
	enum ages_why why;
	double rate_per_hour; /* 0: none */
	const char *words; /* a part of them */
} rows[] = {
	{"nothing that waits", {{0, 0, 231}}, 600, AGES_UNTOLD, AGES_FEW, 0,
		"0 have waited 10 min or more, 40 are needed"},
	{"young, as in the first minutes of an incident", {{0, 3, 58}}, 0, AGES_UNTOLD, AGES_FEW, 0,
		"no rate from one dump"},
	{"many, but none for long", {{0, 30, 10}}, 600, AGES_UNTOLD, AGES_SHORT, 0,
		"the longest waits are 30 min, 34 are needed"},
	{"a leak of 2 a minute for 40 minutes", {{0, 40, 2}}, 600, AGES_WATCHING, AGES_TOLD, 122,
		"waited 10 min to 40 min, evenly"},
	{"for three hours", {{0, 180, 2}}, 600, AGES_SUSPECT, AGES_TOLD, 120,
		"waited 10 min to 3.0 h, evenly"},
	{"for nine hours", {{0, 540, 2}}, 600, AGES_LEAKING, AGES_TOLD, 120, "8.8 h, evenly"},
	{"since the process began", {{0, 600, 2}}, 600, AGES_LEAKING, AGES_TOLD, 120, "evenly"},
	{"since an unknown time", {{0, 540, 2}}, 0, AGES_LEAKING, AGES_TOLD, 120, "evenly"},
	{"workers that began with the process", {{598, 600, 100}}, 600, AGES_OK, AGES_POOL, 0,
		"a pool: 300 of 300"},
	{"the same and some turnover", {{598, 600, 100}, {0, 12, 50}}, 600, AGES_OK, AGES_POOL, 0,
		"as old as the process"},
	{"a leak beside old workers", {{0, 540, 2}, {598, 600, 20}}, 600, AGES_LEAKING, AGES_TOLD,
		120, "; 60 as old as the process left out"},
	{"turnover", {{0, 20, 100}, {21, 60, 10}, {61, 400, 1}}, 600, AGES_OK, AGES_TURNOVER, 0,
		"they come and go"},
	{"one batch", {{10, 400, 1}, {200, 200, 4000}}, 600, AGES_OK, AGES_BATCHES, 0, "batches"},
	{"a leak that stopped three hours ago", {{180, 400, 4}}, 600, AGES_OK, AGES_STOPPED, 0,
		"few since"},
	{"not one more than the limit needs", {{10, 34, 1}, {10, 24, 1}}, 600, AGES_WATCHING,
		AGES_TOLD, 97.5, "40 have waited"},
	{"one too few", {{10, 34, 1}, {10, 23, 1}}, 600, AGES_UNTOLD, AGES_FEW, 0, "39 have"},
};

static void the_shape_of_the_waits_tells(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		double uptime = rows[i].uptime_min > 0 ? rows[i].uptime_min : NAN;
		struct ages a = AGES_INIT;
		struct ages_estimate e;
		struct buf words = BUF_INIT, basis = BUF_INIT;

		for (size_t k = 0; k < ARRAY_LEN(rows[i].parts) && rows[i].parts[k].per_min; k++)
			add_even(&a, rows[i].parts[k].from, rows[i].parts[k].to,
				rows[i].parts[k].per_min);
		ages_judge(&a, uptime, &e);
		ages_words(&e, &words);
		ages_basis(&e, &basis);
		if (e.verdict != rows[i].verdict || e.why != rows[i].why ||
			!strstr(words.p, rows[i].words))
			fail_msg("%s: %s, %d: %s", rows[i].what, ages_verdict_name(e.verdict),
				(int)e.why, words.p);
		if (rows[i].rate_per_hour > 0) {
			if (fabs(e.rate_per_hour / rows[i].rate_per_hour - 1) > .04)
				fail_msg("%s: %f", rows[i].what, e.rate_per_hour);
			assert_true(e.low < e.rate_per_hour && e.rate_per_hour < e.high);
			assert_non_null(strstr(basis.p, "garbage collection"));
		} else {
			assert_true(isnan(e.rate_per_hour) && isnan(e.low) && isnan(e.high));
			assert_string_equal(basis.p, "");
		}
		ages_release(&a);
		buf_release(&words);
		buf_release(&basis);
	}
}

/* In any order, one at a time: the same as counted at once, and no more rows than minutes. */
static void equal_waits_are_one_row(void **state)
{
	struct ages a = AGES_INIT, b = AGES_INIT;
	struct ages_estimate x, y;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++)
		ages_add(&a, i * 7919u % 500, 1);
	add_even(&b, 0, 499, 200);
	ages_judge(&a, 700, &x);
	ages_judge(&b, 700, &y);
	assert_memory_equal(x.bins, y.bins, sizeof(x.bins));
	assert_int_equal(a.total, 100000);
	assert_int_equal(a.n, 499); /* those without a printed age have none */
	assert_true(a.cap <= 2048);
	assert_true(x.rate_per_hour == y.rate_per_hour);
	ages_release(&a);
	ages_release(&b);
}

/* What a hostile dump may say: any number of minutes up to 2^32, each of another length. */
static void memory_is_bounded(void **state)
{
	struct ages a = AGES_INIT;
	struct ages_estimate e;

	(void)state;
	for (uint32_t i = 0; i < 3000000; i++)
		ages_add(&a, i * 2654435761u, 1);
	ages_judge(&a, NAN, &e);
	assert_true(a.cap * sizeof(*a.rows) <= 2 * 1024 * 1024);
	assert_int_equal(a.total, 3000000);
	assert_int_equal(ages_oldest(&a), AGES_MAX_MIN);
	ages_release(&a);
}

static void who_stays_from_one_dump_to_the_next(void **state)
{
	static const struct {
		uint32_t first_from, second_from; /* of 200 minutes at 3 each */
		uint64_t first, second;
		double stay;
	} cases[] = {
		{0, 30, 3, 3, 1}, /* all grew 30 minutes older */
		{0, 0, 3, 3, 163.0 / 191}, /* the same shape again: some left */
		{10, 38, 3, 3, 1}, /* the collector saw them two minutes late */
		{10, 40, 4, 1, .25}, {0, 30, 1, 9, 1}, /* never more than all */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ages a = AGES_INIT, b = AGES_INIT;

		add_even(&a, cases[i].first_from, 200, cases[i].first);
		add_even(&b, cases[i].second_from, cases[i].second_from ? 230 : 200,
			cases[i].second);
		assert_true(fabs(ages_stay(&a, &b, 30) - cases[i].stay) < 1e-9);
		assert_true(isnan(ages_stay(&a, &b, NAN)));
		ages_release(&a);
		assert_true(isnan(ages_stay(&a, &b, 30)));
		ages_release(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shape_of_the_waits_tells),
		cmocka_unit_test(equal_waits_are_one_row),
		cmocka_unit_test(memory_is_bounded),
		cmocka_unit_test(who_stays_from_one_dump_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
