#include "clock.h"
#include "fetch.h"
#include "hostile.h"
#include "str.h"

#include <event2/event.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define TIMEOUT_MS 400
#define PATIENT_MS 5000 /* for what must end by itself, also on a loaded machine */
#define MAX_BYTES  (1 << 20)
/* The loop may be late by this much: far less than what could be waited for in it, far more than a
 * busy machine makes it. */
#define LAG_MAX_MS 300

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED true
#endif
#endif
#ifndef SANITIZED
#define SANITIZED false
#endif

#define PLAIN	 "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define CHUNKED	 PLAIN "Transfer-Encoding: chunked\r\n\r\n"
#define FOUND(l) "HTTP/1.1 302 Found\r\nLocation: " l "\r\nContent-Length: 0\r\n\r\n"

static const struct hostile_case cases[] = {
	{"/ok", PLAIN "Content-Length: 5\r\n\r\nhello", NULL},
	{"/silence", NULL, hostile_silence},
	{"/no-body", PLAIN "Content-Length: 10\r\n\r\n", hostile_silence},
	{"/drip", PLAIN "Content-Length: 100000\r\n\r\n", hostile_drip},
	{"/endless", PLAIN "\r\n", hostile_endless},
	{"/chunks", CHUNKED, hostile_chunks},
	{"/no-last-chunk", CHUNKED "5\r\nhello\r\n", hostile_close},
	{"/bad-chunk", CHUNKED "zebra\r\nhello\r\n", hostile_close},
	{"/short", PLAIN "Content-Length: 1000\r\n\r\nhello", hostile_close},
	{"/long", PLAIN "Content-Length: 5\r\n\r\nhello and then some", hostile_close},
	{"/negative", PLAIN "Content-Length: -5\r\n\r\nhello", hostile_close},
	{"/reset", PLAIN "Content-Length: 1000\r\n\r\nhello", hostile_reset},
	{"/empty", NULL, hostile_close},
	{"/bomb", PLAIN "Content-Encoding: gzip\r\n\r\n", hostile_bomb},
	{"/bad-gzip", PLAIN "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", NULL},
	{"/loop", FOUND("/loop"), NULL},
	{"/hop", FOUND("/debug/../ok"), NULL},
	{"/host", FOUND("http://localhost:@PORT@/ok"), NULL},
	{"/port", FOUND("http://127.0.0.1:1/ok"), NULL},
	{"/file", FOUND("file:///etc/hostname"), NULL},
	{"/tls", FOUND("https://127.0.0.1:@PORT@/"), NULL},
	{"/nowhere", "HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/not-http", "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", hostile_close},
	{"/alert", "\x15\x03\x01", hostile_close},
	{"/headers", PLAIN, hostile_headers},
	{"/continue", NULL, hostile_continue},
	{"/401", "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno", NULL},
	{"/404-endless", "HTTP/1.1 404 Not Found\r\n\r\n", hostile_endless},
	{"/503", "HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy", NULL},
	{"/type", "HTTP/1.1 200 OK\r\nContent-Type: a/\x1b[31m\r\nContent-Length: 0\r\n\r\n", NULL},
};

static const struct {
	const char *path;
	enum fetch_end end;
	int status;
	const char *why; /* part of the sentence */
	const char *what;
} endings[] = {
	{"/ok", FETCH_OK, 200, "", "an ordinary answer"},
	{"/silence", FETCH_TIMEOUT, 0, "connected, but no answer within 400 ms", "says nothing"},
	{"/no-body", FETCH_TIMEOUT, 200, "no body within 400 ms", "headers, then silence"},
	{"/drip", FETCH_TIMEOUT, 200, "bytes until then", "a byte now and then"},
	{"/endless", FETCH_TOO_LARGE, 200, "larger than 1048576 bytes", "no length, no end"},
	{"/chunks", FETCH_TOO_LARGE, 200, "larger than 1048576 bytes", "chunks without end"},
	{"/no-last-chunk", FETCH_CUT, 200, "ended early, after 5 bytes", "chunked, cut"},
	{"/bad-chunk", FETCH_PROTOCOL, 200, "not proper HTTP", "a chunk size that is no number"},
	{"/short", FETCH_CUT, 200, "ended early, after 5 bytes", "shorter than its length"},
	{"/long", FETCH_OK, 200, "", "longer than its length: the rest is not ours"},
	{"/negative", FETCH_PROTOCOL, 0, "not proper HTTP", "a length below zero"},
	{"/reset", FETCH_CUT, 200, "ended early, after 5 bytes", "reset in mid-body"},
	{"/empty", FETCH_CUT, 0, "closed the connection without an answer",
		"closes without a word"},
	{"/bomb", FETCH_TOO_LARGE, 200, "larger than 1048576 bytes", "decoded bytes count"},
	{"/bad-gzip", FETCH_PROTOCOL, 200, "not proper HTTP", "gzip that is none"},
	{"/loop", FETCH_REDIRECT, 302, "more than 5 times", "redirect to itself"},
	{"/hop", FETCH_OK, 200, "", "redirect to a path of the same server"},
	{"/host", FETCH_REDIRECT, 302, "on to http://localhost:", "another name, same port"},
	{"/port", FETCH_REDIRECT, 302, "on to http://127.0.0.1:1/ok", "another port"},
	{"/file", FETCH_REDIRECT, 302, "sends us on to", "redirect to a file"},
	{"/tls", FETCH_REDIRECT, 302, "on to https://", "another scheme"},
	{"/nowhere", FETCH_OK, 302, "", "302 without Location is just a status"},
	{"/not-http", FETCH_PROTOCOL, 0, "not proper HTTP", "speaks SSH"},
	{"/alert", FETCH_PROTOCOL, 0, "not proper HTTP", "speaks TLS where none is expected"},
	{"/headers", FETCH_PROTOCOL, 0, "headers are larger than 65536", "headers without end"},
	{"/continue", FETCH_PROTOCOL, 0, "headers are larger than 65536", "100 Continue for ever"},
	{"/401", FETCH_OK, 401, "", "a status is the caller's to word"},
	{"/404-endless", FETCH_OK, 404, "", "nobody reads an error page to its end"},
	{"/503", FETCH_OK, 503, "", "busy"},
};

struct world {
	struct hostile server;
	struct hostile blurter; /* speaks first, in plain HTTP */
	struct event_base *base;
	struct fetch *fetch;
	struct event *ticker, *deadline;
	uint64_t last_tick_ms, worst_lag_ms;
};

struct outcome {
	struct world *world;
	bool patient; /* PATIENT_MS */
	struct fetch_result result;
	struct fetch_job *job;
	uint64_t pushed;
	int done;
	char body[64];
	uint64_t stop_after; /* on_body says no from then on; 0: never */
	bool cancel_in_body;
	const char *next; /* asked for from within on_done */
};

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;
	uint64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	if (w->last_tick_ms)
		w->worst_lag_ms = MAX(w->worst_lag_ms, now - w->last_tick_ms);
	w->last_tick_ms = now;
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct world *w = arg;

	(void)fd;
	(void)what;
	event_base_loopbreak(w->base);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct timeval tv = {.tv_usec = 10000};
	struct err err = ERR_INIT;

	hostile_start(&w->server, cases, ARRAY_LEN(cases));
	w->blurter.greeting = "HTTP/1.1 400 Bad Request\r\n\r\n";
	hostile_start(&w->blurter, NULL, 0);
	w->base = event_base_new();
	w->fetch = fetch_new(w->base, &err);
	assert_non_null(w->fetch);
	w->ticker = event_new(w->base, -1, EV_PERSIST, tick_cb, w);
	event_add(w->ticker, &tv);
	w->deadline = evtimer_new(w->base, deadline_cb, w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	fetch_free(w->fetch);
	event_free(w->ticker);
	event_free(w->deadline);
	event_base_free(w->base);
	hostile_stop(&w->server);
	hostile_stop(&w->blurter);
	free(w);
	return 0;
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct outcome *o = arg;

	if (o->pushed < sizeof(o->body) - 1)
		memcpy(o->body + o->pushed, p, MIN(n, sizeof(o->body) - 1 - (size_t)o->pushed));
	o->pushed += n;
	if (o->cancel_in_body) {
		o->cancel_in_body = false;
		fetch_cancel(o->job);
	}
	return !o->stop_after || o->pushed < o->stop_after;
}

static void done_cb(void *arg, const struct fetch_result *r);

static struct fetch_job *get(struct outcome *o, const char *path, bool any_status)
{
	struct err err = ERR_INIT;
	struct fetch_request req = {.timeout_ms = o->patient ? PATIENT_MS : TIMEOUT_MS,
		.max_bytes = MAX_BYTES,
		.on_body = body_cb,
		.on_done = done_cb,
		.any_status = any_status,
		.arg = o};
	char url[300];

	if (strstr(path, "://"))
		snprintf(url, sizeof(url), "%s", path);
	else
		snprintf(url, sizeof(url), "http://127.0.0.1:%d%s", o->world->server.port, path);
	req.url = url;
	o->job = fetch_start(o->world->fetch, &req, &err);
	if (!o->job)
		fail_msg("%s: %s", path, err.msg);
	return o->job;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct outcome *o = arg;
	const char *next = o->next;

	o->result = *r;
	o->done++;
	o->next = NULL;
	if (next)
		get(o, next, false);
	else
		event_base_loopbreak(o->world->base);
}

/* Until a request is done, or for ms. */
static void run(struct world *w, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	w->last_tick_ms = w->worst_lag_ms = 0;
	evtimer_add(w->deadline, &tv);
	event_base_dispatch(w->base);
	evtimer_del(w->deadline);
	tick_cb(-1, 0, w); /* a stop since the last tick counts too */
}

static long rss_kib(void)
{
	FILE *f = fopen("/proc/self/statm", "r");
	long pages = 0, all = 0;

	if (!f || fscanf(f, "%ld %ld", &all, &pages) != 2)
		pages = 0;
	if (f)
		fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static void test_endings(void **state)
{
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
		struct outcome o = {.world = w, .patient = endings[i].end != FETCH_TIMEOUT};
		const char *path = endings[i].path;
		long before = rss_kib();

		get(&o, path, false);
		assert_int_equal(o.done, 0);
		run(w, PATIENT_MS + 600);
		if (o.done != 1 || o.result.end != endings[i].end ||
			!strstr(o.result.why, endings[i].why) ||
			(endings[i].end == FETCH_OK && o.result.why[0]) ||
			(endings[i].status && o.result.status != endings[i].status))
			fail_msg("%s (%s): done %d, %s, status %d, \"%s\"", path, endings[i].what,
				o.done, fetch_end_name(o.result.end), o.result.status,
				o.result.why);
		if (endings[i].end != FETCH_TIMEOUT && o.result.took_ms >= PATIENT_MS)
			fail_msg("%s: only after %.0f ms", path, o.result.took_ms);
		assert_true(o.pushed <= MAX_BYTES);
		assert_true(o.pushed == o.result.bytes);
		if (w->worst_lag_ms > LAG_MAX_MS)
			fail_msg("%s: the loop stood still for %u ms", path,
				(unsigned)w->worst_lag_ms);
		if (!SANITIZED && rss_kib() - before > 8 * 1024)
			fail_msg("%s: took %ld KiB of memory", path, rss_kib() - before);
	}
	assert_int_equal(fetch_active(w->fetch), 0);
}

static void test_bodies_of_errors_only_on_demand(void **state)
{
	struct outcome o = {.world = *state};

	get(&o, "/401", false);
	run(o.world, 1000);
	assert_int_equal(o.pushed, 0);
	get(&o, "/401", true);
	run(o.world, 1000);
	assert_string_equal(o.body, "no");
}

static void test_header_fields(void **state)
{
	struct outcome o = {.world = *state};

	get(&o, "/503", false);
	run(o.world, 1000);
	assert_true(o.result.retry_after_s == 7);
	get(&o, "/ok", false);
	run(o.world, 1000);
	assert_true(isnan(o.result.retry_after_s));
	assert_string_equal(o.result.content_type, "text/plain");
	assert_true(o.result.took_ms > 0 && o.result.first_byte_ms <= o.result.took_ms);
	get(&o, "/type", false);
	run(o.world, 1000);
	assert_string_equal(o.result.content_type, "a/?[31m");
}

/* The connection is kept: five requests, one accept. */
static void test_keep_alive(void **state)
{
	struct outcome o = {.world = *state};
	struct err err = ERR_INIT;
	int before = atomic_load(&o.world->server.connections);

	fetch_free(o.world->fetch);
	o.world->fetch = fetch_new(o.world->base, &err);
	for (int i = 0; i < 5; i++) {
		get(&o, "/ok", false);
		run(o.world, 1000);
		assert_int_equal(o.result.end, FETCH_OK);
		assert_int_equal(o.result.kept, i > 0);
	}
	assert_int_equal(atomic_load(&o.world->server.connections) - before, 1);
}

/* A name without an address, asked of name servers that may be silent: the loop goes on. */
static void test_resolving_never_blocks(void **state)
{
	struct outcome o = {.world = *state};

	get(&o, "http://leakwatch-test.invalid/", false);
	run(o.world, 2000);
	assert_int_equal(o.done, 1);
	assert_true(o.result.end == FETCH_RESOLVE || o.result.end == FETCH_TIMEOUT);
	assert_true(o.world->worst_lag_ms <= LAG_MAX_MS);
}

static void test_refused(void **state)
{
	struct outcome o = {.world = *state};

	get(&o, "http://127.0.0.1:1/", false);
	run(o.world, 1000);
	assert_int_equal(o.result.end, FETCH_REFUSED);
	assert_non_null(strstr(o.result.why, "nobody listens there"));
}

/* The server answers in plain HTTP without reading the client's hello. */
static void test_tls_where_there_is_none(void **state)
{
	struct outcome o = {.world = *state, .patient = true};
	char url[64];

	snprintf(url, sizeof(url), "https://127.0.0.1:%d/ok", o.world->blurter.port);
	get(&o, url, false);
	run(o.world, PATIENT_MS);
	assert_int_equal(o.result.end, FETCH_TLS);
	assert_non_null(strstr(o.result.why, "speaks plain HTTP: set scheme: http"));
}

static void test_environment_is_ignored(void **state)
{
	struct outcome o = {.world = *state, .patient = true};

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
	get(&o, "/ok", false);
	run(o.world, PATIENT_MS);
	unsetenv("http_proxy");
	unsetenv("ALL_PROXY");
	assert_int_equal(o.result.end, FETCH_OK);
}

static void test_stop_and_cancel(void **state)
{
	struct outcome stop = {.world = *state, .stop_after = 1};
	struct outcome cancel = {.world = *state, .cancel_in_body = true};
	struct outcome idle = {.world = *state};

	get(&stop, "/endless", false);
	run(stop.world, 1000);
	assert_int_equal(stop.result.end, FETCH_STOPPED);

	get(&cancel, "/endless", false);
	fetch_cancel(get(&idle, "/silence", false));
	run(cancel.world, 100);
	assert_true(cancel.pushed > 0);
	assert_int_equal(cancel.done + idle.done, 0);
	assert_int_equal(fetch_active(cancel.world->fetch), 0);
}

static void test_start_from_within_done(void **state)
{
	struct outcome o = {.world = *state, .next = "/ok"};

	get(&o, "/short", false);
	run(o.world, 1000);
	assert_int_equal(o.done, 2);
	assert_int_equal(o.result.end, FETCH_OK);
}

static void test_what_is_sent(void **state)
{
	static const char *const headers[] = {"X-Test: 1", NULL};
	static const char *const wanted[] = {"POST /ok HTTP/1.1\r\n", "\r\nX-Test: 1\r\n",
		"\r\nAuthorization: Basic dTpw\r\n", "\r\nAccept-Encoding: gzip\r\n",
		"\r\nUser-Agent: leakwatch/"};
	struct world *w = *state;
	struct outcome o = {.world = w};
	struct fetch_request req = {.headers = headers,
		.body = STR_LIT("{}"),
		.timeout_ms = TIMEOUT_MS,
		.max_bytes = 100,
		.username = "u",
		.password = "p",
		.on_done = done_cb,
		.arg = &o};
	struct err err = ERR_INIT;
	char url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/ok", w->server.port);
	req.url = url;
	assert_non_null(fetch_start(w->fetch, &req, &err));
	run(w, 1000);
	assert_int_equal(o.result.end, FETCH_OK);
	pthread_mutex_lock(&w->server.lock);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		assert_non_null(strstr(w->server.last, wanted[i]));
	assert_null(strstr(w->server.last, "Expect:"));
	pthread_mutex_unlock(&w->server.lock);
	/* A POST is never sent on as a GET. */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/hop", w->server.port);
	assert_non_null(fetch_start(w->fetch, &req, &err));
	run(w, 1000);
	assert_int_equal(o.result.end, FETCH_REDIRECT);
}

static void test_refused_requests(void **state)
{
	static const char *const split[] = {"X-Test: 1\r\nEvil: 2", NULL};
	char long_path[109] = {0};
	const struct {
		struct fetch_request req;
		const char *why, *what;
	} rows[] = {
		{{.url = "http://"}, "is not an address", "no host"},
		{{.url = "http://h:99999/"}, "is not an address", "no such port"},
		{{.url = "file:///etc/passwd"}, "neither http", "a file"},
		{{.url = "ftp://h/"}, "neither http", "another protocol"},
		{{.url = "h:80"}, "", "host:port is no URL"},
		{{.url = "http://h/", .headers = split}, "line break", "header injection"},
		{{.url = "http://h/", .unix_socket = long_path}, "at most 107", "no socket's path"},
	};
	struct world *w = *state;

	memset(long_path, 'a', sizeof(long_path) - 1);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (fetch_start(w->fetch, &rows[i].req, &err) || !err.msg[0] ||
			!strstr(err.msg, rows[i].why))
			fail_msg("%s: \"%s\"", rows[i].what, err.msg);
	}
	assert_int_equal(fetch_active(w->fetch), 0);
}

/* What is under way at the end is dropped without a callback; the sanitizer looks for the rest. */
static void test_free_with_requests_under_way(void **state)
{
	struct world *w = *state;
	struct outcome a = {.world = w}, b = {.world = w}, c = {.world = w}, d = {.world = w};
	struct err err = ERR_INIT;

	get(&a, "/silence", false);
	get(&b, "/drip", false);
	run(w, 100);
	get(&c, "http://leakwatch-test.invalid/", false);
	get(&d, "/ok", false);
	fetch_free(w->fetch);
	w->fetch = fetch_new(w->base, &err);
	run(w, 50);
	assert_int_equal(a.done + b.done + c.done + d.done, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_endings),
		cmocka_unit_test(test_bodies_of_errors_only_on_demand),
		cmocka_unit_test(test_header_fields),
		cmocka_unit_test(test_keep_alive),
		cmocka_unit_test(test_resolving_never_blocks),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_tls_where_there_is_none),
		cmocka_unit_test(test_environment_is_ignored),
		cmocka_unit_test(test_stop_and_cancel),
		cmocka_unit_test(test_start_from_within_done),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_refused_requests),
		cmocka_unit_test(test_free_with_requests_under_way),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
