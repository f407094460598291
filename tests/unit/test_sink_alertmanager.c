/*
 * The Alertmanager sink against servers that answer as told, with a resend of a tenth of a second.
 */
#include "alert.h"
#include "clock.h"
#include "fetch.h"
#include "json.h"
#include "log.h"
#include "sink_alertmanager.h"
#include "xalloc.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>

#include <cmocka.h>

#define LIMIT_MS 10000

/* An Alertmanager: counts and keeps the last request, and answers what it is told to. */
struct am {
	struct evhttp *http;
	unsigned port;
	int status;
	bool silent; /* never answers */
	size_t requests, alerts; /* so far */
	json_t *last;
	char *path;
};

static struct event_base *base;
static struct fetch *fetch;
static struct alert_table *table;
static struct sink_alertmanager *sink;
static const char *withheld; /* the job of an alert that goes to nobody */
static int receiver; /* its address stands for the receiver */

static void request_cb(struct evhttp_request *r, void *arg)
{
	struct am *am = arg;
	struct evbuffer *in = evhttp_request_get_input_buffer(r);
	size_t n = evbuffer_get_length(in);
	struct err err;

	am->requests++;
	json_decref(am->last);
	am->last = json_read(str_n((char *)evbuffer_pullup(in, -1), n), &err);
	assert_non_null(am->last);
	am->alerts += json_array_size(am->last);
	free(am->path);
	am->path = xstrdup(evhttp_request_get_uri(r));
	if (!am->silent)
		evhttp_send_reply(r, am->status, NULL, NULL);
}

static void am_start(struct am *am)
{
	struct evhttp_bound_socket *s;
	struct address {
		unsigned short family;
		unsigned char port[2];
		char rest[60];
	} sa;
	socklen_t len = sizeof(sa);

	am->status = 200;
	am->http = evhttp_new(base);
	evhttp_set_max_body_size(am->http, 64 * 1024 * 1024);
	s = evhttp_bind_socket_with_handle(am->http, "127.0.0.1", 0);
	assert_non_null(s);
	assert_int_equal(getsockname(evhttp_bound_socket_get_fd(s), (void *)&sa, &len), 0);
	am->port = sa.port[0] * 256u + sa.port[1];
	evhttp_set_gencb(am->http, request_cb, am);
}

static void am_stop(struct am *am)
{
	evhttp_free(am->http);
	json_decref(am->last);
	free(am->path);
}

static void ignore_change(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	(void)arg, (void)old, (void)why;
	if (a->state == ALERT_FIRING || a->state == ALERT_RESOLVED)
		sink_alertmanager_changed(sink, a);
}

static const void *receiver_cb(void *arg, const struct alert *a)
{
	(void)arg;
	return withheld && str_is(alert_labels_get(&a->labels, "job"), withheld) ? NULL : &receiver;
}

static void add_peer(const struct am *am, bool send_resolved)
{
	char url[64];
	struct sink_alertmanager_peer peer = {.name = "test/alertmanager/0",
		.url = url,
		.receiver = &receiver,
		.send_resolved = send_resolved,
		.timeout_ms = 500};

	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", am->port);
	sink_alertmanager_add(sink, &peer);
}

static const struct alert *raise(const char *job, const char *text)
{
	struct label labels[] = {{STR("job"), str_of(job)}, {STR("instance"), STR("i")}};
	struct alert_labels notes = ALERT_LABELS_INIT;
	const struct alert *a;

	alert_labels_put_text(&notes, STR("summary"), str_of(text));
	a = alert_raise(
		table, ALERT_GOROUTINE_LEAK, labels, 2, &notes, "why", clock_wall_ms(), NULL);
	alert_labels_release(&notes);
	return a;
}

static void run_ms(int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

/* Runs the loop until so many requests have come to it. */
static void wait_requests(const struct am *am, size_t n)
{
	uint64_t end = clock_mono_ms() + LIMIT_MS;

	while (am->requests < n && clock_mono_ms() < end)
		run_ms(5);
	assert_true(am->requests >= n);
}

static const char *text_of(const json_t *alert, const char *key)
{
	return json_string_value(json_object_get(alert, key));
}

static const char *job_of(const json_t *alert)
{
	return text_of(json_object_get(alert, "labels"), "job");
}

static int set_up(void **state)
{
	struct sink_alertmanager_options o = {.resend_ms = 100, .lease_ms = 240000};
	struct err err;

	(void)state;
	withheld = NULL;
	base = event_base_new();
	fetch = fetch_new(base, &err);
	table = alert_table_new(ignore_change, NULL);
	o.alerts = table;
	o.receiver_of = receiver_cb;
	sink = sink_alertmanager_new(base, fetch, &o);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sink_alertmanager_free(sink);
	alert_table_free(table);
	fetch_free(fetch);
	event_base_free(base);
	return 0;
}

/* Told at once, to the API's path, with a lease; told again while it stands. */
static void test_lease_is_renewed(void **state)
{
	struct am am = {0};
	json_t *a;

	(void)state;
	am_start(&am);
	add_peer(&am, true);
	run_ms(50);
	assert_int_equal(am.requests, 0); /* nothing stands: nothing to say */
	raise("shop", "it leaks");
	wait_requests(&am, 3);
	assert_string_equal(am.path, "/api/v2/alerts");
	assert_int_equal(json_array_size(am.last), 1);
	a = json_array_get(am.last, 0);
	assert_string_equal(job_of(a), "shop");
	assert_null(json_object_get(a, "generatorURL"));
	assert_true(strcmp(text_of(a, "endsAt"), text_of(a, "startsAt")) > 0);
	am_stop(&am);
}

/* Two listed, one never answers: the other is told as fast as ever; both get the same. */
static void test_silent_peer_delays_nobody(void **state)
{
	struct am dead = {0}, well = {0};
	uint64_t began;

	(void)state;
	am_start(&dead);
	am_start(&well);
	dead.silent = true;
	add_peer(&dead, true);
	add_peer(&well, true);
	began = clock_mono_ms();
	raise("shop", "it leaks");
	wait_requests(&well, 4);
	assert_in_range(clock_mono_ms() - began, 300, 2000);
	assert_true(dead.requests <= 2);
	am_stop(&dead);
	am_stop(&well);
}

/* 500 until it is well again: told in the end, and what changed meanwhile with it. */
static void test_failure_is_made_good(void **state)
{
	struct am am = {0};
	size_t before;

	(void)state;
	am_start(&am);
	am.status = 500;
	add_peer(&am, true);
	raise("shop", "it leaks");
	wait_requests(&am, 2);
	assert_false(sink_alertmanager_idle(sink));
	raise("till", "it leaks too");
	am.status = 200;
	before = am.requests;
	wait_requests(&am, before + 1);
	run_ms(50);
	assert_int_equal(json_array_size(am.last), 2);
	assert_true(sink_alertmanager_idle(sink));
	am_stop(&am);
}

/* A resolved alert is told with its end, again and again; a new life of it takes its place. */
static void test_resolved_is_told_until_it_fires_again(void **state)
{
	struct am am = {0};
	size_t before;
	char *ends;

	(void)state;
	am_start(&am);
	add_peer(&am, true);
	alert_clear(
		table, raise("shop", "it leaks")->id, ALERT_END_CHANGED, "gone", clock_wall_ms());
	wait_requests(&am, 1);
	before = am.requests;
	wait_requests(&am, before + 2);
	assert_int_equal(json_array_size(am.last), 1);
	ends = xstrdup(text_of(json_array_get(am.last, 0), "endsAt"));
	before = am.requests;
	wait_requests(&am, before + 1);
	assert_string_equal(text_of(json_array_get(am.last, 0), "endsAt"), ends);
	raise("shop", "it leaks again");
	before = am.requests;
	wait_requests(&am, before + 2);
	assert_int_equal(json_array_size(am.last), 1);
	assert_true(strcmp(text_of(json_array_get(am.last, 0), "endsAt"), ends) > 0);
	free(ends);
	am_stop(&am);
}

/* send_resolved off: the end is not told. */
static void test_send_resolved_off(void **state)
{
	struct am am = {0};

	(void)state;
	am_start(&am);
	add_peer(&am, false);
	alert_clear(
		table, raise("shop", "it leaks")->id, ALERT_END_CHANGED, "gone", clock_wall_ms());
	run_ms(150);
	assert_int_equal(am.requests, 0);
	am_stop(&am);
}

/* What is withheld is not told, until it is not withheld any more. */
static void test_withheld(void **state)
{
	struct am am = {0};

	(void)state;
	am_start(&am);
	add_peer(&am, true);
	withheld = "shop";
	raise("shop", "it leaks");
	raise("till", "it leaks");
	wait_requests(&am, 1);
	assert_int_equal(json_array_size(am.last), 1);
	assert_string_equal(job_of(json_array_get(am.last, 0)), "till");
	withheld = NULL;
	sink_alertmanager_wake(sink);
	wait_requests(&am, am.requests + 1);
	assert_int_equal(json_array_size(am.last), 2);
	am_stop(&am);
}

/* More than fits in a request of a mebibyte: several requests, and each alert once a round. */
static void test_long_rounds_are_split(void **state)
{
	struct am am = {0};
	char text[4000], job[16];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (int i = 0; i < 1000; i++) {
		snprintf(job, sizeof(job), "job%d", i);
		raise(job, text);
	}
	am_start(&am);
	add_peer(&am, true);
	wait_requests(&am, 5);
	assert_int_equal(am.requests, 5);
	assert_int_equal(am.alerts, 1000);
	am_stop(&am);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		ROW(test_lease_is_renewed),
		ROW(test_silent_peer_delays_nobody),
		ROW(test_failure_is_made_good),
		ROW(test_resolved_is_told_until_it_fires_again),
		ROW(test_send_resolved_off),
		ROW(test_withheld),
		ROW(test_long_rounds_are_split),
	};

	log_open(open("/dev/null", O_WRONLY), LEVEL_ERROR, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
