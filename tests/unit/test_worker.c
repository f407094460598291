/* The thread for what may wait: order, the bound, stopping in the middle, a job that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker.h"

#include <event2/event.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_S 10

static struct {
	struct event_base *base;
	atomic_int worked, waiting;
	atomic_bool go_on; /* what a job that hangs waits for */
	int done, skipped, last;
} fx;

static void work_cb(void *arg, struct worker *w)
{
	(void)arg;
	(void)w;
	fx.worked++;
}

static void done_cb(void *arg, bool ran)
{
	int n = (int)(intptr_t)arg;

	assert_true(n > fx.last);
	fx.last = n;
	fx.done++;
	fx.skipped += !ran;
}

/* Ends when it is asked to. */
static void polite_cb(void *arg, struct worker *w)
{
	(void)arg;
	fx.waiting++;
	while (!worker_is_stopping(w))
		usleep(1000);
}

/* Ends when the test lets it. */
static void hanging_cb(void *arg, struct worker *w)
{
	(void)arg;
	(void)w;
	fx.waiting++;
	while (!fx.go_on)
		usleep(1000);
	fx.worked++;
}

static int set_up(void **state)
{
	(void)state;
	memset(&fx, 0, sizeof(fx));
	fx.base = event_base_new();
	return fx.base ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	event_base_free(fx.base);
	return 0;
}

static struct worker *start(size_t max)
{
	struct err err = ERR_INIT;
	struct worker *w = worker_new(fx.base, "test", max, &err);

	if (!w)
		fail_msg("%s", err.msg);
	return w;
}

static bool submit(struct worker *w, void (*work)(void *, struct worker *), int n)
{
	struct worker_job job = {.work = work, .done = done_cb, .arg = (void *)(intptr_t)n};

	return worker_submit(w, &job);
}

static void wait_running(void)
{
	for (int i = 0; i < PATIENCE_S * 1000 && !fx.waiting; i++)
		usleep(1000);
	assert_int_equal(fx.waiting, 1);
}

static void test_order(void **state)
{
	struct worker *w = start(100);

	(void)state;
	for (int i = 1; i <= 50; i++)
		assert_true(submit(w, work_cb, i));
	for (int i = 0; i < PATIENCE_S * 100 && fx.done < 50; i++) {
		event_base_loop(fx.base, EVLOOP_NONBLOCK);
		usleep(10000);
	}
	assert_int_equal(fx.done, 50);
	assert_int_equal(fx.worked, 50);
	assert_int_equal(fx.skipped, 0);
	assert_int_equal(worker_depth(w), 0);
	worker_free(w, 1000);
	assert_int_equal(fx.done, 50);
}

/* What is full refuses, and a stop tells of all that were taken. */
static void test_bound_and_stop(void **state)
{
	struct worker *w = start(3);

	(void)state;
	assert_true(submit(w, polite_cb, 1));
	wait_running();
	assert_true(submit(w, work_cb, 2));
	assert_true(submit(w, work_cb, 3));
	assert_false(submit(w, work_cb, 4));
	assert_int_equal(worker_depth(w), 3);
	worker_free(w, PATIENCE_S * 1000);
	assert_int_equal(fx.done, 3);
	assert_int_equal(fx.skipped, 2);
	assert_int_equal(fx.worked, 0);
}

/* A disk that hangs does not hold the stop. */
static void test_hanging(void **state)
{
	struct worker *w = start(3);

	(void)state;
	assert_true(submit(w, hanging_cb, 1));
	wait_running();
	assert_true(submit(w, work_cb, 2));
	worker_free(w, 50);
	assert_int_equal(fx.done, 1); /* the second; the first keeps what it has */
	assert_int_equal(fx.skipped, 1);
	fx.go_on = true;
	for (int i = 0; i < PATIENCE_S * 1000 && !fx.worked; i++)
		usleep(1000);
	assert_int_equal(fx.worked, 1);
	worker_free(NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bound_and_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_hanging, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
