/* stuck: who waits for a mutex for ever, and who only waits for a busy one. */
#include "stuck.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define T0     1700000000.0
#define MINUTE 60.0

static struct frame frames[] = {
	{.func = STR_LIT("sync.runtime_SemacquireMutex"), .file = STR_LIT("sema.go"), .line = 77},
	{.func = STR_LIT("main.(*shard).put"), .file = STR_LIT("shop.go"), .line = 7},
};

static struct stack stack_of(uint64_t fingerprint)
{
	return (struct stack){.fingerprint = fingerprint,
		.frames = frames,
		.nframes = ARRAY_LEN(frames),
		.user = frames[1],
		.wait = WAIT_MUTEX};
}

/* One body a minute; in each that many goroutines wait at that place: 0 none, -1 the body was not
 * usable, -2 another process. */
static void test_rows(void **state)
{
	static const struct {
		const char *name;
		int counts[40]; /* ends with -9 */
		double since; /* minutes after the first; NAN: not stuck at the end */
		bool maybe;
	} rows[] = {
		{"three for ever", {3, 3, 3, 3, 3, 3, -9}, 0, true},
		{"not for five minutes yet", {3, 3, 3, 3, 3, -9}, NAN, true},
		{"more and more", {1, 2, 5, 9, 30, 31, -9}, 0, true},
		{"began later", {0, 0, 2, 2, 2, 2, 2, 2, -9}, 2, false},
		{"a busy lock: they come and go", {9, 3, 7, 2, 8, 9, 4, 9, -9}, NAN, false},
		{"gone for one body", {3, 3, 3, 0, 3, 3, 3, -9}, NAN, false},
		{"gave way, and is stuck now: some ten bodies",
			{4, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, -9}, 2, false},
		{"the same, not yet", {4, 0, 3, 3, 3, 3, 3, 3, 3, 3, 3, -9}, NAN, false},
		{"always busy, and never down for long",
			{2, 1, 2, 1, 2, 1, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, -9}, NAN, false},
		{"always busy, then a deadlock",
			{2, 1, 2, 1, 2, 1, 2, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 11, 12, 13, 14,
				15, 16, 17, 18, 19, 20, 21, -9},
			7, false},
		{"a body that is lost is not one without them", {3, 3, -1, 3, 3, -1, 3, 3, -9}, 0,
			true},
		{"too few bodies to say", {3, -1, -1, -1, 3, -1, -1, 3, -9}, NAN, true},
		{"another process waits anew", {3, 3, 3, 3, -2, 3, 3, 3, -9}, NAN, true},
		{"never", {0, 0, 0, 0, 0, 0, 0, -9}, NAN, false},
	};

	(void)state;
	for (size_t r = 0; r < ARRAY_LEN(rows); r++) {
		struct stuck_set *set = stuck_new();
		struct stack s = stack_of(7);
		const struct stuck *got;
		double now = T0;

		for (size_t i = 0; rows[r].counts[i] != -9; i++) {
			int n = rows[r].counts[i];

			now = T0 + (double)i * MINUTE;
			if (n == -2) {
				stuck_forget(set);
				continue;
			}
			stuck_begin(set);
			if (n)
				stuck_note(set, STR("shop"), &s, n > 0 ? (uint64_t)n : 50);
			if (n < 0)
				stuck_abandon(set);
			else
				stuck_end(set, now);
		}
		got = stuck_worst(set, "shop", now, STUCK_AFTER_S);
		if ((got != NULL) != !isnan(rows[r].since))
			fail_msg("%s: stuck is %d", rows[r].name, got != NULL);
		if (got && fabs(got->since - T0 - rows[r].since * MINUTE) > 0.5)
			fail_msg("%s: since %.0f", rows[r].name, (got->since - T0) / MINUTE);
		if (stuck_maybe(set, "shop") != rows[r].maybe)
			fail_msg("%s: maybe is %d", rows[r].name, !rows[r].maybe);
		assert_null(stuck_worst(set, "other", now, STUCK_AFTER_S));
		assert_false(stuck_maybe(set, "other"));
		stuck_free(set);
	}
}

static void body(struct stuck_set *set, double now, uint64_t a, uint64_t b)
{
	struct stack one = stack_of(1), two = stack_of(2);

	stuck_begin(set);
	if (a)
		stuck_note(set, STR("shop"), &one, a);
	if (b) { /* two records of one stack, as labels make them */
		stuck_note(set, STR("shop"), &two, b);
		stuck_note(set, STR("shop"), &two, 1);
	}
	stuck_end(set, now);
}

/* Of two places the one with most goroutines speaks; what it says is all of that place. */
static void test_worst(void **state)
{
	struct stuck_set *set = stuck_new();
	const struct stuck *s;
	double now = T0;

	(void)state;
	for (int i = 0; i < 6; i++, now += MINUTE)
		body(set, now, 2, 4);
	now -= MINUTE;
	s = stuck_worst(set, "shop", now, STUCK_AFTER_S);
	assert_int_equal(s->fingerprint, 2);
	assert_int_equal(s->count, 5);
	assert_int_equal(s->bodies, 6);
	assert_string_equal(
		s->text, "sync.runtime_SemacquireMutex sema.go:77\nmain.(*shard).put shop.go:7\n");
	assert_true(str_is(s->user.func, "main.(*shard).put"));
	assert_int_equal(s->user.line, 7);
	assert_int_equal(stuck_count(set), 2);
	/* Somebody saw that those of one place come and go: the other speaks. */
	stuck_moves(set, 2, now);
	stuck_moves(set, 99, now);
	s = stuck_worst(set, "shop", now, STUCK_AFTER_S);
	assert_int_equal(s->fingerprint, 1);
	/* One place is free again; the other has begun anew. */
	body(set, now, 0, 4);
	assert_int_equal(stuck_at(set, 0)->count, 0);
	assert_null(stuck_at(set, 0)->text);
	assert_int_equal(stuck_at(set, 1)->count, 5);
	assert_null(stuck_at(set, 2));
	assert_null(stuck_worst(set, "shop", now, STUCK_AFTER_S));
	stuck_free(set);
	stuck_free(NULL);
}

/* When it is time to look at them one by one, and what a look can say.  A body a minute. */
static void test_looks(void **state)
{
	struct stuck_set *set = stuck_new();
	double now = T0;
	const struct stuck *s;

	(void)state;
	for (int i = 0; i < 3; i++, now += MINUTE)
		body(set, now, 4, 0);
	assert_null(stuck_soon(set, "shop", now - MINUTE, STUCK_AFTER_S)); /* two minutes */
	body(set, now, 6, 0);
	s = stuck_soon(set, "shop", now, STUCK_AFTER_S);
	assert_int_equal(s->count, 6);
	assert_int_equal(s->first, 4);
	assert_int_equal(stuck_waiters(set, "shop"), 6);
	assert_int_equal(stuck_waiters(set, "other"), 0);
	assert_null(stuck_worst(set, "shop", now, STUCK_AFTER_S));
	/* A look says that they come and go: it takes long to believe the opposite. */
	stuck_moves(set, 1, now);
	assert_null(stuck_soon(set, "shop", now, STUCK_AFTER_S));
	assert_int_equal(stuck_at(set, 0)->first, 6);
	for (int i = 0; i < 10; i++)
		body(set, now += MINUTE, 6, 0);
	assert_null(stuck_soon(set, "shop", now, STUCK_AFTER_S));
	/* But ten more is worth a look, and that may say that they are the same ones. */
	body(set, now += MINUTE, 16, 0);
	assert_non_null(stuck_soon(set, "shop", now, STUCK_AFTER_S));
	assert_null(stuck_worst(set, "shop", now, STUCK_AFTER_S));
	stuck_stays(set, 1);
	stuck_stays(set, 99);
	assert_non_null(stuck_worst(set, "shop", now, STUCK_AFTER_S));
	stuck_free(set);
}

/* More places than are followed: the first ones are, and the others are again when there is room.
 */
static void test_bound(void **state)
{
	struct stuck_set *set = stuck_new();

	(void)state;
	stuck_begin(set);
	for (uint64_t i = 1; i <= STUCK_STACKS_MAX + 10; i++) {
		struct stack s = stack_of(i);

		stuck_note(set, STR("shop"), &s, 1);
	}
	stuck_end(set, T0);
	assert_int_equal(stuck_count(set), STUCK_STACKS_MAX);
	body(set, T0 + MINUTE, 0, 0);
	stuck_begin(set);
	{
		struct stack s = stack_of(1000);

		stuck_note(set, STR("late"), &s, 1);
	}
	stuck_end(set, T0 + 2 * MINUTE);
	assert_int_equal(stuck_count(set), STUCK_STACKS_MAX);
	assert_string_equal(stuck_at(set, 0)->class, "late");
	stuck_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_worst),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
