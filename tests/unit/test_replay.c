#include "buf.h"
#include "clock.h"
#include "fetch.h"
#include "replay.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct world {
	struct event_base *base;
	struct event *deadline;
	struct fetch *fetch;
	struct replay *replay;
	char dir[64];
	struct buf body;
	struct fetch_result result;
};

static void save(struct recording_writer *w, enum recording_kind kind, int64_t at_ms, int status,
	const char *body)
{
	struct recording_entry e = {
		.kind = kind, .at_ms = at_ms, .status = status, .body = str_of(body)};
	struct err err = ERR_INIT;

	assert_int_equal(recording_add(w, &e, &err), 0);
}

/* Three scrapes, ten seconds apart; the second one failed. */
static void record(const char *dir)
{
	static const struct recording_about about = {.target = "t",
		.pprof_path = "/admin/pprof/",
		.metrics_path = "/m?x=1",
		.interval_ms = 10000,
		.started_ms = 1000000};
	struct err err = ERR_INIT;
	struct recording_writer *w = recording_create(dir, &about, &err);
	uint64_t bytes;

	assert_non_null(w);
	save(w, RECORDING_GOROUTINE, 1000000, 200, "goroutine profile: total 1\n");
	save(w, RECORDING_SYMBOL, 1000000, 200,
		"num_symbols: 1\n0x401 runtime.gopark\nnonsense\n0x402 runtime.chanrecv1\n");
	save(w, RECORDING_METRICS, 1000000, 200, "process_start_time_seconds 900\n");
	save(w, RECORDING_INDEX, 1000000, 200, "<html>index\n");
	save(w, RECORDING_DEBUG2, 1000000, 200, "goroutine 1 [running]:\n");
	save(w, RECORDING_GOROUTINE, 1010000, 0, "");
	save(w, RECORDING_METRICS, 1010000, 500, "broken\n");
	save(w, RECORDING_GOROUTINE, 1020000, 200, "goroutine profile: total 3\n");
	save(w, RECORDING_METRICS, 1020000, 200, "process_start_time_seconds 900\n");
	assert_int_equal(recording_close(w, &bytes, &err), 0);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	snprintf(w->dir, sizeof(w->dir), "/tmp/leakwatch-test-replay-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	record(w->dir);
	buf_init(&w->body);
	w->base = event_base_new();
	w->deadline = evtimer_new(w->base, deadline_cb, w->base);
	w->fetch = fetch_new(w->base, &err);
	/* 25 times as fast: a scrape is 400 ms. */
	w->replay = replay_new(w->base, recording_open(w->dir, &err), "127.0.0.1:0", 25, &err);
	*state = w;
	return w->replay ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char path[96];

	replay_free(w->replay);
	fetch_free(w->fetch);
	event_free(w->deadline);
	event_base_free(w->base);
	snprintf(path, sizeof(path), "%s/recording.json", w->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/bodies.gz", w->dir);
	unlink(path);
	rmdir(w->dir);
	buf_release(&w->body);
	free(w);
	return 0;
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct world *w = arg;

	buf_add(&w->body, p, n);
	return true;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct world *w = arg;

	w->result = *r;
	event_base_loopbreak(w->base);
}

/* The body of the answer; its status is in w->result. */
static const char *ask(struct world *w, const char *method, const char *path)
{
	struct err err = ERR_INIT;
	char url[200];
	struct fetch_request req = {.url = url,
		.method = method,
		.timeout_ms = 1000,
		.max_bytes = 100000,
		.any_status = true,
		.on_body = body_cb,
		.on_done = done_cb,
		.arg = w};

	snprintf(url, sizeof(url), "http://%s%s", replay_address(w->replay), path);
	buf_reset(&w->body);
	memset(&w->result, 0, sizeof(w->result));
	assert_non_null(fetch_start(w->fetch, &req, &err));
	event_base_dispatch(w->base);
	assert_int_equal(w->result.end, FETCH_OK);
	return w->body.p;
}

static const char *get(struct world *w, const char *path)
{
	return ask(w, "GET", path);
}

static void wait_until(struct world *w, uint64_t mono_ms)
{
	uint64_t now = clock_mono_ms();
	struct timeval tv = {0};

	if (now >= mono_ms)
		return;
	tv.tv_sec = (time_t)((mono_ms - now) / 1000);
	tv.tv_usec = (suseconds_t)((mono_ms - now) % 1000 * 1000);
	evtimer_add(w->deadline, &tv);
	event_base_dispatch(w->base);
}

static void test_goes_through_the_recording(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;
	double start, again;
	uint64_t began;
	int64_t wall_ms;

	get(w, "/m");
	assert_int_equal(w->result.status, 503); /* not begun */
	began = clock_mono_ms();
	wall_ms = clock_wall_ms();
	assert_int_equal(replay_start(w->replay, &err), 0);
	assert_string_equal(
		get(w, "/admin/pprof/goroutine?debug=1"), "goroutine profile: total 1\n");
	assert_int_equal(w->result.status, 200);
	assert_int_equal(strncmp(w->result.content_type, "text/plain", 10), 0);
	/* 100 s of uptime at 25 times the speed: 4 s. */
	assert_int_equal(sscanf(get(w, "/m"), "process_start_time_seconds %lf", &start), 1);
	assert_true(start > (double)wall_ms / 1000 - 4.1 && start < (double)wall_ms / 1000 - 3.5);
	assert_string_equal(get(w, "/admin/pprof/"), "<html>index\n");
	assert_string_equal(get(w, "/admin/pprof/goroutine?debug=2"), "goroutine 1 [running]:\n");

	wait_until(w, began + 500);
	get(w, "/admin/pprof/goroutine?debug=2");
	assert_int_equal(w->result.status, 404); /* that dump was of another moment */
	get(w, "/admin/pprof/goroutine?debug=1");
	assert_int_equal(w->result.status, 503); /* the service gave no answer then */
	assert_string_equal(get(w, "/m"), "broken\n");
	assert_int_equal(w->result.status, 500);
	assert_false(replay_ended(w->replay));

	wait_until(w, began + 900);
	for (int i = 0; i < 2; i++) { /* and stays there */
		assert_string_equal(
			get(w, "/admin/pprof/goroutine?debug=1"), "goroutine profile: total 3\n");
		assert_int_equal(sscanf(get(w, "/m"), "process_start_time_seconds %lf", &again), 1);
		assert_true(again == start); /* no restart */
		assert_true(replay_ended(w->replay));
	}
}

static void test_symbols(void **state)
{
	struct world *w = *state;
	struct err err = ERR_INIT;

	assert_int_equal(replay_start(w->replay, &err), 0);
	assert_string_equal(get(w, "/admin/pprof/symbol?0x402+0x999+0x401"),
		"num_symbols: 1\n0x402 runtime.chanrecv1\n0x401 runtime.gopark\n");
	assert_string_equal(get(w, "/admin/pprof/symbol?0x999"), "num_symbols: 1\n");
	assert_string_equal(get(w, "/admin/pprof/symbol?+++"), "num_symbols: 1\n");
	assert_string_equal(get(w, "/admin/pprof/symbol"), "num_symbols: 1\n");
}

static void test_what_is_not_there(void **state)
{
	static const char *const paths[] = {"/", "/metrics", "/mm", "/admin/pprof",
		"/admin/pprof/heap", "/admin/pprof/goroutine", "/admin/pprof/goroutine?debug=0",
		"/admin/pprof/../../etc/passwd", "/admin/pprofgoroutine?debug=1"};
	struct world *w = *state;
	struct err err = ERR_INIT;

	assert_int_equal(replay_start(w->replay, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		get(w, paths[i]);
		if (w->result.status != 404)
			fail_msg("%s: %d", paths[i], w->result.status);
	}
	ask(w, "POST", "/m");
	assert_true(w->result.status >= 400);
	ask(w, "DELETE", "/m");
	assert_true(w->result.status >= 400);
	ask(w, "HEAD", "/m");
	assert_int_equal(w->result.status, 200);
	assert_int_equal(w->body.len, 0);
}

static void test_wrong_addresses(void **state)
{
	static const char *const rows[] = {"", "nowhere", ":80", "127.0.0.1", "127.0.0.1:x",
		"example.org:80", "127.0.0.1:99999", "256.1.1.1:1", "[::1:80"};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (replay_new(w->base, recording_open(w->dir, &err), rows[i], 1, &err) ||
			!err.msg[0])
			fail_msg("\"%s\" is taken", rows[i]);
	}
}

int main(void)
{
#define SERVED(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		SERVED(test_goes_through_the_recording),
		SERVED(test_symbols),
		SERVED(test_what_is_not_there),
		SERVED(test_wrong_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
