/*
 * Groups of alerts in made-up time: what is sent, when, and with whom.
 */
#include "group.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define S     1000
#define M     (60 * S)
#define H     (60 * M)
#define START 1700000000000

static struct alert_table *table;
static struct group_set *set;
static int64_t now;
static int64_t set_by; /* the wall clock, so far */
static const char *silenced; /* instance */
static const char *acked;

/* One line for each message: seconds since the start, receiver, alerts as +instance or -instance, a
 * bar after those that are news. */
static struct buf sent;
static size_t truncated, truncated_firing, messages, largest;

static void send_cb(void *arg, const struct group_message *m)
{
	(void)arg;
	messages++;
	truncated = m->truncated;
	truncated_firing = m->truncated_firing;
	largest = MAX(largest, m->n);
	buf_addf(&sent, "%s%lld%s %s", sent.len ? "; " : "", (long long)(m->now_ms - START) / S,
		m->opening ? "!" : "", m->receiver);
	for (size_t i = 0; i < m->n; i++) {
		if (i == m->nchanged)
			buf_adds(&sent, " |");
		buf_addf(&sent, " %c%s", m->alerts[i]->state == ALERT_FIRING ? '+' : '-',
			alert_labels_get(&m->alerts[i]->labels, "instance").p);
	}
}

static bool is_instance(const struct alert *a, const char *instance)
{
	return instance && str_is(alert_labels_get(&a->labels, "instance"), instance);
}

static bool silenced_cb(void *arg, const struct alert *a)
{
	(void)arg;
	return is_instance(a, silenced);
}

static bool acked_cb(void *arg, const struct alert *a)
{
	(void)arg;
	return is_instance(a, acked);
}

static void change_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	(void)arg, (void)old, (void)why;
	if (set)
		group_change(set, "r", a);
}

static struct group_set *new_set(void)
{
	static const char *const by[] = {"job", "class"};
	struct group_options o = {.group_by = by,
		.ngroup_by = 2,
		.wait_ms = 30 * S,
		.interval_ms = 5 * M,
		.repeat_ms = 4 * H,
		.alerts = table,
		.send = send_cb,
		.silenced = silenced_cb,
		.acked = acked_cb};

	return group_set_new(&o);
}

static int set_up(void **state)
{
	(void)state;
	silenced = acked = NULL;
	now = START;
	set_by = 0;
	messages = truncated = largest = 0;
	buf_init(&sent);
	table = alert_table_new(change_cb, NULL);
	set = new_set();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	group_set_free(set);
	set = NULL;
	alert_table_free(table);
	buf_release(&sent);
	return 0;
}

static const struct alert *fire(const char *job, const char *instance)
{
	struct label labels[] = {{STR("job"), str_of(job)}, {STR("instance"), str_of(instance)},
		{STR("class"), STR("c")}};
	struct alert_labels none = ALERT_LABELS_INIT;

	return alert_raise(table, ALERT_GOROUTINE_LEAK, labels, 3, &none, "", now, NULL);
}

static void end(const char *job, const char *instance)
{
	alert_clear(table, fire(job, instance)->id, ALERT_END_CHANGED, "", now);
}

static void tick(struct group_set *s, int64_t wall)
{
	group_tick(s, wall, (uint64_t)(wall - set_by));
}

/* As the daemon does: a tick whenever something is due. */
static void pass(int64_t ms)
{
	int64_t until = now + ms, next;

	while ((next = group_next_ms(set)) <= until) {
		now = MAX(next, now + 1);
		tick(set, now);
	}
	now = until;
}

static void expect(const char *want)
{
	assert_string_equal(sent.p, want);
	buf_reset(&sent);
}

/* Forty instances of one job within half a minute: one message that names all forty. */
static void test_forty_make_one(void **state)
{
	char instance[16];

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(instance, sizeof(instance), "i%d", i);
		fire("shop", instance);
		pass(700);
	}
	pass(3 * H);
	assert_int_equal(messages, 1);
	assert_int_equal(largest, 40);
	assert_int_equal(truncated, 0);
}

/* group_wait, group_interval, and the end of some and of all. */
static void test_waits(void **state)
{
	(void)state;
	fire("shop", "a");
	pass(29 * S);
	expect("");
	pass(2 * S);
	expect("30! r +a");
	fire("shop", "b"); /* 31 s: not before 330 s */
	pass(5 * M);
	expect("330 r +b | +a");
	pass(10 * M);
	fire("shop", "c"); /* the group was quiet for long: after group_wait */
	pass(1 * M);
	expect("961 r +c | +a +b");
	end("shop", "a");
	end("shop", "b");
	pass(5 * M);
	expect("1261 r -a -b | +c");
	pass(1 * M);
	end("shop", "c");
	pass(10 * M);
	expect("1561 r -c");
	assert_int_equal(group_count(set), 0);
}

/* Other jobs are other groups. */
static void test_groups_are_apart(void **state)
{
	(void)state;
	fire("shop", "a");
	fire("till", "a");
	pass(1 * M);
	assert_int_equal(messages, 2);
	assert_int_equal(largest, 1);
}

/* What ends before anybody heard of it is not told; nor is the end of it. */
static void test_short_ones_are_not_told(void **state)
{
	(void)state;
	fire("shop", "a");
	pass(10 * S);
	end("shop", "a");
	assert_int_equal(group_count(set), 0);
	pass(1 * H);
	expect("");
}

/* repeat_interval, and what stops it. */
static void test_repeats(void **state)
{
	(void)state;
	fire("shop", "a");
	pass(9 * H);
	expect("30! r +a; 14430 r | +a; 28830 r | +a");
	acked = "a";
	pass(9 * H);
	expect("");
	fire("shop", "b"); /* nobody took this one: told, with the other, and repeated */
	pass(5 * H);
	expect("64830 r +b | +a; 79230 r | +a +b");
	end("shop", "a");
	pass(1 * H);
	expect("82830 r -a | +b");
}

/* A silence: nothing is sent; when it ends, what changed meanwhile is. */
static void test_silence(void **state)
{
	(void)state;
	silenced = "a";
	fire("shop", "a");
	fire("shop", "b");
	pass(10 * M);
	expect("30! r +b");
	silenced = NULL;
	group_wake(set);
	pass(1 * S);
	expect("600 r +a | +b");
	silenced = "a";
	end("shop", "a");
	pass(10 * M);
	expect("");
	silenced = NULL;
	pass(10 * S); /* without a word: looked at again every few seconds */
	assert_non_null(strstr(sent.p, "r -a | +b"));
}

/* A hundred fit; the hundred and fifty others are told after the interval. */
static void test_too_many(void **state)
{
	char instance[16];

	(void)state;
	for (int i = 0; i < 250; i++) {
		snprintf(instance, sizeof(instance), "i%d", i);
		fire("shop", instance);
	}
	pass(1 * M);
	assert_int_equal(messages, 1);
	assert_int_equal(largest, GROUP_ALERTS_MAX);
	assert_int_equal(truncated, 150);
	pass(15 * M);
	assert_int_equal(messages, 3);
	assert_non_null(strstr(sent.p, " +i249"));
	assert_int_equal(truncated_firing, 150);
	/* A hundred ends fill a message; that others fire yet is known all the same. */
	for (int i = 0; i < 150; i++) {
		snprintf(instance, sizeof(instance), "i%d", i);
		end("shop", instance);
	}
	pass(1 * M);
	assert_int_equal(messages, 4);
	assert_int_equal(truncated_firing, 100);
	assert_int_equal(truncated, 150);
}

/* kill -9 at every point: the state comes back from alerts and what was told. */
static void test_restored(void **state)
{
	const struct alert *a, *b;
	struct alert ended;

	(void)state;
	a = fire("shop", "a");
	b = fire("shop", "b");
	group_set_free(set); /* before anything was sent */
	set = new_set();
	group_restore(set, "r", a, 0);
	group_restore(set, "r", b, 0);
	now += 2 * M; /* it was away for long: told at once */
	pass(1);
	expect("120! r +a +b");

	group_set_free(set); /* told: not told again before it is time to repeat */
	set = new_set();
	group_restore(set, "r", a, now);
	ended = *b;
	ended.state = ALERT_RESOLVED;
	ended.changed_ms = ended.resolved_ms = now + 10;
	group_restore(set, "r", &ended, now); /* ended, which was not told */
	group_restore(set, "r", &ended, now);
	pass(10 * M);
	expect("420 r -b | +a");
	pass(4 * H);
	expect("14820 r | +a");

	group_set_free(set); /* ended and never told: nobody needs to hear */
	set = new_set();
	group_restore(set, "r", &ended, 0);
	assert_int_equal(group_count(set), 0);
}

static void set_clock(int64_t by)
{
	now += by;
	set_by += by;
	tick(set, now);
}

/* A clock set an hour back makes nothing wait for that hour, */
static void test_clock_set_back(void **state)
{
	(void)state;
	fire("shop", "a");
	pass(1 * M);
	fire("shop", "b");
	tick(set, now);
	set_clock(-H);
	pass(6 * M);
	expect("30! r +a; -3270 r +b | +a");
}

/* and one set forward brings nothing early: neither the news nor the repetition. */
static void test_clock_set_forward(void **state)
{
	(void)state;
	fire("shop", "a");
	tick(set, now);
	set_clock(H);
	expect("");
	pass(1 * M);
	expect("3630! r +a");
	set_clock(3 * H);
	pass(2 * H);
	expect("");
	set_clock(-3 * H);
	pass(2 * H);
	expect("18030 r | +a");
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_forty_make_one),
		ROW(test_waits),
		ROW(test_groups_are_apart),
		ROW(test_short_ones_are_not_told),
		ROW(test_repeats),
		ROW(test_silence),
		ROW(test_too_many),
		ROW(test_restored),
		ROW(test_clock_set_back),
		ROW(test_clock_set_forward),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
