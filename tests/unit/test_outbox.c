/*
 * The outbox against receivers that fail in every way: a scripted HTTP server on the same loop.
 */
#include "buf.h"
#include "clock.h"
#include "fetch.h"
#include "notify.h"
#include "outbox.h"
#include "xalloc.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include <cmocka.h>

#define OK	  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define BUSY	  "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
#define ERROR_500 "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
#define HANG	  "hang" /* the request is read and never answered */
#define RESET	  "reset" /* the answer begins with 200 and is reset in its body */
#define LIMIT_MS  10000 /* no test waits longer */

/* ---- the receiver ---------------------------------------------------------------------------- */

struct request {
	char *head, *body;
	uint64_t at_ms;
};

struct server {
	struct evconnlistener *listener;
	struct bufferevent *connections[64];
	size_t nconnections;
	unsigned port;
	const char *const *script; /* answers in turn; the last one stays */
	const char *(*choose)(const struct request *r); /* or this chooses the answer */
	size_t nanswered;
	struct request *requests;
	size_t nrequests;
};

/* The whole first request of the buffer, or false. */
static bool take_request(struct evbuffer *in, struct request *r)
{
	struct evbuffer_ptr end = evbuffer_search(in, "\r\n\r\n", 4, NULL);
	size_t head_len = (size_t)end.pos + 4, body_len;
	const char *length;

	if (end.pos < 0)
		return false;
	r->head = xcalloc(1, head_len + 1);
	evbuffer_copyout(in, r->head, head_len);
	length = strcasestr(r->head, "\r\ncontent-length:");
	assert_non_null(length);
	body_len = strtoul(length + strlen("\r\ncontent-length:"), NULL, 10);
	if (evbuffer_get_length(in) < head_len + body_len) {
		free(r->head);
		return false;
	}
	evbuffer_drain(in, head_len);
	r->body = xcalloc(1, body_len + 1);
	evbuffer_remove(in, r->body, body_len);
	r->at_ms = clock_mono_ms();
	return true;
}

static void reset_connection(struct bufferevent *bev)
{
	static const char half[] = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of";
	struct linger hard = {.l_onoff = 1};
	int fd = bufferevent_getfd(bev);

	assert_int_equal(send(fd, half, strlen(half), 0), strlen(half));
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	shutdown(fd, SHUT_RDWR);
	bufferevent_disable(bev, EV_READ | EV_WRITE);
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	struct server *s = arg;
	struct request r;

	while (take_request(bufferevent_get_input(bev), &r)) {
		const char *answer;

		s->requests = xrealloc(s->requests, s->nrequests + 1, sizeof(r));
		s->requests[s->nrequests++] = r;
		answer = s->choose ? s->choose(&r) : s->script[s->nanswered];
		if (!s->choose && s->script[s->nanswered + 1])
			s->nanswered++;
		if (strcmp(answer, RESET) == 0)
			reset_connection(bev);
		else if (strcmp(answer, HANG) != 0)
			bufferevent_write(bev, answer, strlen(answer));
	}
}

static void accept_cb(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	struct server *s = arg;
	struct bufferevent *bev =
		bufferevent_socket_new(evconnlistener_get_base(l), fd, BEV_OPT_CLOSE_ON_FREE);

	(void)sa, (void)len;
	assert_true(s->nconnections < 64);
	s->connections[s->nconnections++] = bev;
	bufferevent_setcb(bev, read_cb, NULL, NULL, s);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

static void server_start(struct server *s, struct event_base *base, const char *const *script)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	s->script = script;
	s->listener = evconnlistener_new_bind(base, accept_cb, s,
		LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16, (struct sockaddr *)&sin,
		sizeof(sin));
	assert_non_null(s->listener);
	getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&sin, &len);
	s->port = ntohs(sin.sin_port);
}

/* From now on nobody listens at its port. */
static void server_refuse(struct server *s)
{
	evconnlistener_free(s->listener);
	s->listener = NULL;
}

static void server_stop(struct server *s)
{
	for (size_t i = 0; i < s->nconnections; i++)
		bufferevent_free(s->connections[i]);
	for (size_t i = 0; i < s->nrequests; i++) {
		free(s->requests[i].head);
		free(s->requests[i].body);
	}
	free(s->requests);
	if (s->listener)
		evconnlistener_free(s->listener);
}

/* The value of a header of the request, "" when it has none. */
static const char *header(const struct request *r, const char *name, char *out, size_t size)
{
	char key[64];
	const char *at;

	snprintf(key, sizeof(key), "\r\n%s: ", name);
	at = strcasestr(r->head, key);
	snprintf(out, size, "%.*s", at ? (int)strcspn(at + strlen(key), "\r") : 0,
		at ? at + strlen(key) : "");
	return out;
}

/* ---- the daemon's side ----------------------------------------------------------------------- */

struct world {
	struct event_base *base;
	struct fetch *fetch;
	struct outbox *outbox;
	struct event *ticker;
	struct server servers[2]; /* of receivers "a" and "b" */
	struct buf told; /* "ID:outcome:status " in the order of the callbacks */
	char why[400]; /* of the last callback */
	unsigned attempts; /* as the last callback had them */
	int64_t next_at_ms;
	size_t ended; /* deliveries that came to their end */
	long stopped; /* still owed, when outbox_stop was over; else -1 */
};

static void result_cb(void *arg, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why)
{
	struct world *w = arg;

	buf_addf(&w->told, "%" PRId64 ":%s:%d ", d->id, outbox_outcome_name(outcome), status);
	snprintf(w->why, sizeof(w->why), "%s", why);
	w->attempts = d->attempts;
	w->next_at_ms = d->next_at_ms;
	w->ended += outcome != OUTBOX_RETRY;
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
}

static void set_receivers(struct world *w, const struct outbox_receiver *like, size_t n)
{
	char urls[2][64];
	struct outbox_receiver v[2];

	for (size_t i = 0; i < 2; i++) {
		snprintf(urls[i], sizeof(urls[i]), "http://127.0.0.1:%u/hook?team=%zu",
			w->servers[i].port, i);
		v[i] = *like;
		v[i].name = i ? "b" : "a";
		v[i].url = urls[i];
	}
	outbox_receivers(w->outbox, v, n);
}

static const struct outbox_receiver usual = {.send_resolved = true, .timeout_ms = 300};

static void world_init(
	struct world *w, const char *const *script_a, const char *const *script_b, uint64_t give_up)
{
	struct outbox_options options = {.retry_base_ms = 10,
		.seed = 1,
		.give_up_ms = give_up,
		.result = result_cb,
		.arg = w};
	struct err err = ERR_INIT;

	memset(w, 0, sizeof(*w));
	buf_init(&w->told);
	w->stopped = -1;
	w->base = event_base_new();
	w->fetch = fetch_new(w->base, &err);
	assert_non_null(w->fetch);
	w->outbox = outbox_new(w->base, w->fetch, &options);
	w->ticker = event_new(w->base, -1, EV_PERSIST, tick_cb, NULL);
	event_add(w->ticker, &(struct timeval){.tv_usec = 2000});
	server_start(&w->servers[0], w->base, script_a);
	server_start(&w->servers[1], w->base, script_b);
	set_receivers(w, &usual, 2);
}

static void world_release(struct world *w)
{
	outbox_free(w->outbox);
	fetch_free(w->fetch);
	server_stop(&w->servers[0]);
	server_stop(&w->servers[1]);
	event_free(w->ticker);
	event_base_free(w->base);
	buf_release(&w->told);
}

/* Runs the loop until that many deliveries have ended. */
static void run_until_ended(struct world *w, size_t n)
{
	uint64_t limit = clock_mono_ms() + LIMIT_MS;

	while (w->ended < n && clock_mono_ms() < limit)
		event_base_loop(w->base, EVLOOP_ONCE);
	if (w->ended < n)
		fail_msg("%zu of %zu ended: %s", w->ended, n, w->told.p);
}

static void run_for(struct world *w, uint64_t ms)
{
	uint64_t limit = clock_mono_ms() + ms;

	while (clock_mono_ms() < limit)
		event_base_loop(w->base, EVLOOP_ONCE);
}

/* Delivery `id` about alert `alert`: id is the change too, and makes the webhook-id and the body.
 */
struct sent {
	const char *receiver;
	int64_t id;
	const char *alert;
	bool resolved, owed;
	int64_t age_ms, wait_ms;
};

static int add(struct world *w, struct sent s)
{
	char webhook_id[32], body[64];
	struct outbox_delivery d = {.id = s.id,
		.receiver = s.receiver,
		.webhook_id = webhook_id,
		.alert_id = s.alert,
		.change = (unsigned)s.id,
		.opening = !s.resolved,
		.resolved = s.resolved,
		.created_ms = clock_wall_ms() - s.age_ms,
		.next_at_ms = s.wait_ms ? clock_wall_ms() + s.wait_ms : 0,
		.body = str_n(
			body, (size_t)snprintf(body, sizeof(body), "{\"n\":%" PRId64 "}", s.id))};
	struct err err = ERR_INIT;
	int rc;

	snprintf(webhook_id, sizeof(webhook_id), "lw_%s_%" PRId64, s.receiver, s.id);
	rc = outbox_add(w->outbox, &d, s.owed, &err);
	if (rc)
		snprintf(w->why, sizeof(w->why), "%s", err.msg);
	return rc;
}

static int add_firing(struct world *w, const char *receiver, int64_t id, const char *alert)
{
	return add(w, (struct sent){.receiver = receiver, .id = id, .alert = alert});
}

static void expect_told(const struct world *w, const char *want)
{
	if (strcmp(w->told.p, want) != 0)
		fail_msg("told %s\nnot  %s", w->told.p, want);
}

static const char *const always_ok[] = {OK, NULL};

/* ---- one delivery ---------------------------------------------------------------------------- */

static void test_request(void **state)
{
	struct outbox_receiver signed_one = usual;
	struct world w;
	const struct request *r;
	char text[128], want[NOTIFY_SIGNATURE_MAX];
	struct err err = ERR_INIT;
	int64_t stamp;

	(void)state;
	world_init(&w, always_ok, always_ok, 0);
	signed_one.secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
	signed_one.authorization = "Bearer abc";
	set_receivers(&w, &signed_one, 2);
	assert_int_equal(add(&w, (struct sent){"a", 1, "x", .age_ms = 5}), 0);
	run_until_ended(&w, 1);
	expect_told(&w, "1:delivered:200 ");
	assert_string_equal(w.why, "");
	assert_int_equal(w.attempts, 1);
	assert_int_equal(w.servers[0].nrequests, 1);
	assert_int_equal(w.servers[1].nrequests, 0);
	r = &w.servers[0].requests[0];
	assert_memory_equal(r->head, "POST /hook?team=0 HTTP/1.1\r\n", 28);
	assert_string_equal(r->body, "{\"n\":1}");
	assert_string_equal(header(r, "content-type", text, sizeof(text)), "application/json");
	assert_string_equal(
		header(r, "user-agent", text, sizeof(text)), "leakwatch/" LEAKWATCH_VERSION);
	assert_string_equal(header(r, "authorization", text, sizeof(text)), "Bearer abc");
	assert_string_equal(header(r, "webhook-id", text, sizeof(text)), "lw_a_1");
	stamp = strtoll(header(r, "webhook-timestamp", text, sizeof(text)), NULL, 10);
	assert_in_range(stamp, clock_wall_ms() / 1000 - 5, clock_wall_ms() / 1000);
	assert_int_equal(notify_sign(str_of(signed_one.secret), "lw_a_1", stamp, str_of(r->body),
				 want, &err),
		0);
	assert_string_equal(header(r, "webhook-signature", text, sizeof(text)), want);
	world_release(&w);
}

/* What comes back, and what becomes of it. */
static void test_answers(void **state)
{
	static const struct {
		const char *name;
		const char *script[6];
		const char *told, *why; /* why: a part of what the first callback says */
		size_t requests;
	} rows[] = {
		{"202 without a body", {"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"},
			"1:delivered:202 ", "", 1},
		{"503 twice, then 200", {BUSY, BUSY, OK},
			"1:retry:503 1:retry:503 1:delivered:200 ", "", 3},
		{"500 is tried again too", {ERROR_500, OK}, "1:retry:500 1:delivered:200 ", "", 2},
		{"silence until the timeout", {HANG, OK}, "1:retry:0 1:delivered:200 ", "", 2},
		{"reset in the middle of a 200", {RESET, OK}, "1:retry:200 1:delivered:200 ", "",
			2},
		{"408: the server saw no request in time",
			{"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", OK},
			"1:retry:408 1:delivered:200 ", "", 2},
		{"an answer that is not HTTP", {"hello\r\n\r\n", OK}, "1:retry:0 1:delivered:200 ",
			"", 2},
		{"304 is no answer to a POST", {"HTTP/1.1 304 Not Modified\r\n\r\n", OK},
			"1:retry:304 1:delivered:200 ", "", 2},
		{"a redirect to another host is not followed",
			{"HTTP/1.1 302 Found\r\nLocation: http://192.0.2.1/\r\nContent-Length: "
			 "0\r\n\r\n",
				OK},
			"1:retry:302 1:delivered:200 ", "", 2},
		{"400 is parked, and told with what the receiver said",
			{"HTTP/1.1 400 Bad Request\r\nContent-Length: 13\r\n\r\nno \x1b[2J "
			 "%s\nx\n"},
			"1:parked:400 ", "HTTP 400: no \\x1b[2J %s\\nx", 1},
		{"404 is parked", {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"},
			"1:parked:404 ", "HTTP 404", 1},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char id[2][64];
		struct world w;

		world_init(&w, rows[i].script, always_ok, 0);
		add_firing(&w, "a", 1, "x");
		run_until_ended(&w, 1);
		if (strcmp(w.told.p, rows[i].told) != 0 || !strstr(w.why, rows[i].why))
			fail_msg("%s: told %s(%s), not %s(%s)", rows[i].name, w.told.p, w.why,
				rows[i].told, rows[i].why);
		if (w.servers[0].nrequests != rows[i].requests)
			fail_msg("%s: %zu requests", rows[i].name, w.servers[0].nrequests);
		assert_int_equal(w.attempts, rows[i].requests);
		header(&w.servers[0].requests[0], "webhook-id", id[0], sizeof(id[0]));
		header(&w.servers[0].requests[w.servers[0].nrequests - 1], "webhook-id", id[1],
			sizeof(id[1]));
		assert_string_equal(id[0], id[1]);
		world_release(&w);
	}
}

/* A receiver whose 2xx answer is larger than anybody reads has taken the message. */
static void test_large_answer(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n";
	char *answer = xcalloc(1, sizeof(head) + 1000000);
	const char *script[] = {answer, NULL};
	struct world w;

	(void)state;
	memset(answer, 'x', sizeof(head) - 1 + 1000000);
	memcpy(answer, head, sizeof(head) - 1);
	world_init(&w, script, always_ok, 0);
	add_firing(&w, "a", 1, "x");
	run_until_ended(&w, 1);
	expect_told(&w, "1:delivered:200 ");
	assert_int_equal(w.servers[0].nrequests, 1);
	world_release(&w);
	free(answer);
}

static void test_retry_after(void **state)
{
	static const char *const script[] = {
		"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", OK,
		NULL};
	struct world w;
	const struct request *r;

	(void)state;
	world_init(&w, script, always_ok, 0);
	add_firing(&w, "a", 1, "x");
	add_firing(&w, "a", 2, "y"); /* asked to wait: this one waits too */
	run_until_ended(&w, 2);
	expect_told(&w, "1:retry:429 1:delivered:200 2:delivered:200 ");
	r = w.servers[0].requests;
	assert_in_range(r[1].at_ms - r[0].at_ms, 990, 3000);
	world_release(&w);
}

/* Nobody listens there; and a secret that is none: nothing goes out unsigned. */
static void test_no_request(void **state)
{
	struct outbox_receiver bad = usual;
	struct world w;

	(void)state;
	world_init(&w, always_ok, always_ok, 0);
	server_refuse(&w.servers[0]);
	add_firing(&w, "a", 1, "x");
	run_for(&w, 100);
	assert_memory_equal(w.told.p, "1:retry:0 1:retry:0 ", 20);
	assert_non_null(strstr(w.why, "listens"));
	assert_true(w.next_at_ms <= clock_wall_ms() + 5000);
	bad.secret = "whsec_not base64";
	set_receivers(&w, &bad, 2);
	add_firing(&w, "b", 2, "y");
	run_for(&w, 50);
	assert_non_null(strstr(w.told.p, "2:retry:0 "));
	assert_int_equal(w.servers[1].nrequests, 0);
	/* a reload mends it */
	set_receivers(&w, &usual, 2);
	run_until_ended(&w, 1);
	assert_non_null(strstr(w.told.p, "2:delivered:200 "));
	world_release(&w);
}

/* ---- queues ---------------------------------------------------------------------------------- */

static void test_order(void **state)
{
	static const char *const script[] = {OK, BUSY, RESET, OK, BUSY, OK, ERROR_500, OK, NULL};
	static const char *const alerts[] = {"p", "q", "r", "s", "t", "u"};
	struct world w;
	size_t last = 0;

	(void)state;
	world_init(&w, script, always_ok, 0);
	for (int i = 0; i < 6; i++)
		add_firing(&w, "a", i + 1, alerts[i]);
	run_until_ended(&w, 6);
	for (size_t i = 0; i < w.servers[0].nrequests; i++) {
		size_t n = strtoul(w.servers[0].requests[i].body + strlen("{\"n\":"), NULL, 10);

		assert_true(n == last || n == last + 1);
		last = n;
	}
	assert_int_equal(last, 6);
	assert_int_equal(w.servers[0].nrequests, 10);
	world_release(&w);
}

static void test_independent(void **state)
{
	static const char *const silent[] = {HANG, NULL};
	struct outbox_receiver slow = usual;
	struct world w;
	uint64_t start;

	(void)state;
	world_init(&w, silent, always_ok, 0);
	slow.timeout_ms = 5000;
	set_receivers(&w, &slow, 2);
	start = clock_mono_ms();
	add_firing(&w, "a", 1, "x");
	add_firing(&w, "a", 2, "y");
	for (int i = 3; i < 8; i++)
		add_firing(&w, "b", i, "z");
	run_until_ended(&w, 5);
	assert_in_range(clock_mono_ms() - start, 0, 2500);
	/* one request at a time: the second waits behind the silent first */
	assert_int_equal(w.servers[0].nrequests, 1);
	world_release(&w);
}

static const char *refuse_n1(const struct request *r)
{
	return strcmp(r->body, "{\"n\":1}") == 0 ? ERROR_500 : OK;
}

/* A message that the receiver chokes on lets the others pass after five tries, and stays owed. */
static void test_step_aside(void **state)
{
	struct world w;

	(void)state;
	world_init(&w, always_ok, always_ok, 0);
	w.servers[0].choose = refuse_n1;
	add_firing(&w, "a", 1, "x");
	add_firing(&w, "a", 2, "y");
	add_firing(&w, "a", 3, "z");
	run_until_ended(&w, 2);
	expect_told(&w, "1:retry:500 1:retry:500 1:retry:500 1:retry:500 1:retry:500 "
			"2:delivered:200 3:delivered:200 ");
	w.servers[0].choose = NULL;
	run_until_ended(&w, 3);
	assert_non_null(strstr(w.told.p, "1:delivered:200 "));
	world_release(&w);
}

/* What is stale is not sent; and who may have heard of an alert hears its end. */
static void test_stale(void **state)
{
	static const struct {
		const char *name, *script[4];
		bool listens; /* from the beginning */
		struct sent sent[3];
		const char *told; /* at the end of all */
		const char *bodies;
	} rows[] = {
		{"never heard of: neither", {OK}, false,
			{{"a", 1, "x", .resolved = false}, {"a", 2, "x", .resolved = true}},
			"1:retry:0 2:stale:0 1:stale:0 ", ""},
		{"another alert's end is not its own", {OK}, true,
			{{"a", 1, "x", .resolved = false}, {"a", 2, "y", .resolved = true}},
			"1:delivered:200 2:delivered:200 ", "{\"n\":1}{\"n\":2}"},
		{"refused with 503: it may have been taken, so its end is told", {BUSY, OK}, true,
			{{"a", 1, "x", .resolved = false}, {"a", 2, "x", .resolved = true}},
			"1:retry:503 1:stale:0 2:delivered:200 ", "{\"n\":1}{\"n\":2}"},
		{"the answer was cut: likewise", {RESET, OK}, true,
			{{"a", 1, "x", .resolved = false}, {"a", 2, "x", .resolved = true}},
			"1:retry:200 1:stale:0 2:delivered:200 ", "{\"n\":1}{\"n\":2}"},
		{"owed by an earlier process, which may have sent it", {OK}, true,
			{{"a", 1, "x", .owed = true},
				{"a", 2, "x", .owed = true, .resolved = true}},
			"1:stale:0 2:delivered:200 ", "{\"n\":2}"},
		{"an end whose beginning was delivered long ago", {OK}, true,
			{{"a", 2, "x", .resolved = true}}, "2:delivered:200 ", "{\"n\":2}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct world w;
		struct buf bodies = BUF_INIT;
		size_t n = 0;

		world_init(&w, rows[i].script, always_ok, 0);
		if (!rows[i].listens)
			server_refuse(&w.servers[0]);
		for (; rows[i].sent[n].id; n++) {
			add(&w, rows[i].sent[n]);
			/* the first is tried before the second is there */
			if (n == 0 && !rows[i].sent[0].owed)
				while (!w.told.len)
					event_base_loop(w.base, EVLOOP_ONCE);
		}
		run_until_ended(&w, n);
		if (strcmp(w.told.p, rows[i].told) != 0)
			fail_msg("%s: told %s, not %s", rows[i].name, w.told.p, rows[i].told);
		for (size_t k = 0; k < w.servers[0].nrequests; k++)
			buf_adds(&bodies, w.servers[0].requests[k].body);
		if (strcmp(bodies.p, rows[i].bodies) != 0)
			fail_msg("%s: sent %s", rows[i].name, bodies.p);
		buf_release(&bodies);
		world_release(&w);
	}
}

static void test_give_up(void **state)
{
	static const char *const busy[] = {BUSY, NULL};
	struct world w;

	(void)state;
	world_init(&w, busy, always_ok, 400);
	add(&w, (struct sent){"a", 1, "x", .age_ms = 500}); /* too old already */
	add(&w, (struct sent){"a", 2, "y", .age_ms = 0}); /* grows too old while it is tried */
	run_until_ended(&w, 2);
	assert_memory_equal(w.told.p, "1:given up:0 2:retry:503 ", 25);
	assert_non_null(strstr(w.told.p, "2:given up:0 "));
	assert_string_equal(w.why, "it was not delivered in time");
	world_release(&w);
}

static void test_add(void **state)
{
	struct outbox_receiver no_resolved = usual;
	struct outbox_stats stats;
	struct world w;

	(void)state;
	no_resolved.send_resolved = false;
	world_init(&w, always_ok, always_ok, 0);
	set_receivers(&w, &no_resolved, 1);
	assert_int_equal(add_firing(&w, "c", 1, "x"), -1);
	assert_string_equal(w.why, "there is no receiver c");
	assert_int_equal(add(&w, (struct sent){"a", 1, "x", .resolved = true}), 0);
	expect_told(&w, "1:stale:0 ");
	assert_int_equal(add(&w, (struct sent){"a", 2, "x", .age_ms = 7000}), 0);
	assert_int_equal(add_firing(&w, "a", 2, "x"), 0); /* the same again: left out */
	outbox_stats(w.outbox, &stats);
	assert_int_equal(stats.owed, 1);
	assert_in_range(clock_wall_ms() - stats.oldest_ms, 7000, 9000);
	run_until_ended(&w, 2);
	outbox_stats(w.outbox, &stats);
	assert_int_equal(stats.owed, 0);
	assert_int_equal(stats.oldest_ms, 0);
	assert_int_equal(stats.attempts, 1);
	assert_int_equal(stats.outcomes[OUTBOX_DELIVERED], 1);
	assert_int_equal(w.servers[0].nrequests, 1);
	world_release(&w);
}

static void test_queue_limit(void **state)
{
	static const char *const silent[] = {HANG, NULL};
	struct world w;

	(void)state;
	world_init(&w, silent, always_ok, 0);
	for (int i = 1; i <= 3; i++)
		assert_int_equal(add(&w, (struct sent){"a", i, "x", .wait_ms = 5000}), 0);
	for (int i = 4; i <= OUTBOX_QUEUE_MAX; i++)
		assert_int_equal(add_firing(&w, "a", i, "x"), 0);
	assert_int_equal(add_firing(&w, "a", OUTBOX_QUEUE_MAX + 1, "x"), -1);
	assert_non_null(strstr(w.why, "the queue of receiver a is full (10000 messages"));
	assert_int_equal(add_firing(&w, "b", 1, "x"), 0);
	world_release(&w);
}

/* What the store owes keeps its appointment, but not one years ahead. */
static void test_owed(void **state)
{
	struct world w;
	uint64_t start;

	(void)state;
	world_init(&w, always_ok, always_ok, 0);
	start = clock_mono_ms();
	add(&w, (struct sent){"a", 1, "x", .owed = true, .wait_ms = 200});
	add(&w, (struct sent){"b", 2, "x", .owed = true, .wait_ms = -5000});
	run_until_ended(&w, 2);
	expect_told(&w, "2:delivered:200 1:delivered:200 ");
	assert_in_range(clock_mono_ms() - start, 190, 3000);
	world_release(&w);
}

static void test_receiver_removed(void **state)
{
	static const char *const silent[] = {HANG, NULL};
	struct world w;

	(void)state;
	world_init(&w, always_ok, silent, 0);
	add_firing(&w, "b", 1, "x");
	add_firing(&w, "b", 2, "y");
	run_for(&w, 50);
	assert_int_equal(w.servers[1].nrequests, 1); /* under way */
	set_receivers(&w, &usual, 1);
	assert_int_equal(add_firing(&w, "b", 3, "z"), -1);
	run_until_ended(&w, 2);
	expect_told(&w, "1:parked:0 2:parked:0 ");
	assert_string_equal(w.why, "the receiver is no longer configured");
	/* configured again, it is served again */
	w.servers[1].script = always_ok;
	set_receivers(&w, &usual, 2);
	assert_int_equal(add_firing(&w, "b", 4, "z"), 0);
	run_until_ended(&w, 3);
	assert_non_null(strstr(w.told.p, "4:delivered:200 "));
	world_release(&w);
}

/* ---- stopping -------------------------------------------------------------------------------- */

static void stopped_cb(void *arg, size_t owed)
{
	struct world *w = arg;

	assert_int_equal(w->stopped, -1); /* once */
	w->stopped = (long)owed;
}

static uint64_t stop(struct world *w, uint64_t within_ms)
{
	uint64_t start = clock_mono_ms();

	outbox_stop(w->outbox, within_ms, stopped_cb, w);
	outbox_stop(w->outbox, within_ms, stopped_cb, w); /* idempotent */
	assert_int_equal(w->stopped, -1); /* never from within */
	while (w->stopped < 0 && clock_mono_ms() < start + LIMIT_MS)
		event_base_loop(w->base, EVLOOP_ONCE);
	assert_true(w->stopped >= 0);
	return clock_mono_ms() - start;
}

static void test_stop(void **state)
{
	static const char *const busy[] = {BUSY, NULL}, *const silent[] = {HANG, NULL},
				 *const wait[] = {"HTTP/1.1 503 x\r\nRetry-After: 600\r\n"
						  "Content-Length: 0\r\n\r\n",
					 NULL};
	struct outbox_receiver slow = usual;
	struct world w;
	size_t requests;

	(void)state;
	/* nothing owed */
	world_init(&w, always_ok, always_ok, 0);
	assert_in_range(stop(&w, 5000), 0, 1000);
	assert_int_equal(w.stopped, 0);
	world_release(&w);

	/* all that can be sent is, also what waits for its next try; the failing queue once */
	world_init(&w, always_ok, busy, 0);
	add(&w, (struct sent){"a", 1, "x", .owed = true, .wait_ms = 100000});
	add_firing(&w, "a", 2, "y");
	add(&w, (struct sent){"b", 3, "x", .owed = true, .wait_ms = 100000});
	add_firing(&w, "b", 4, "y");
	assert_in_range(stop(&w, 5000), 0, 2000);
	assert_int_equal(w.stopped, 2);
	assert_int_equal(w.servers[0].nrequests, 2);
	assert_int_equal(w.servers[1].nrequests, 1);
	run_for(&w, 100);
	assert_int_equal(w.servers[1].nrequests, 1); /* and nothing after */
	world_release(&w);

	/* silence: given up at the deadline; and who asked for a pause has it */
	world_init(&w, silent, wait, 0);
	slow.timeout_ms = 60000;
	set_receivers(&w, &slow, 2);
	add_firing(&w, "a", 1, "x");
	add_firing(&w, "b", 2, "x");
	run_for(&w, 100);
	requests = w.servers[1].nrequests;
	assert_int_equal(requests, 1);
	assert_in_range(stop(&w, 300), 290, 2000);
	assert_int_equal(w.stopped, 2);
	assert_int_equal(w.servers[1].nrequests, 1);
	world_release(&w);
}

/* ---- delays ---------------------------------------------------------------------------------- */

static void test_delay(void **state)
{
	static const struct {
		unsigned failures;
		double r;
		uint64_t want;
	} rows[] = {
		{1, 0.999, 999},
		{1, 0, 0},
		{2, 0.5, 1000},
		{3, 0.5, 2000},
		{9, 0.5, 128000},
		{10, 0.5, 150000}, /* at the cap of five minutes */
		{4000000000, 0.5, 150000},
		{64, 0.5, 150000},
		{65, 0.5, 150000},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(outbox_delay_ms(rows[i].failures, 1000, rows[i].r), rows[i].want);
}

/* ---- chance ---------------------------------------------------------------------------------- */

static const char *moods(const struct request *r)
{
	static const char *const all[] = {OK, OK, OK, BUSY, ERROR_500, RESET, HANG,
		"HTTP/1.1 429 x\r\nContent-Length: 0\r\n\r\n"};

	(void)r;
	return all[(size_t)random() % ARRAY_LEN(all)];
}

/*
 * Two receivers in a bad mood and forty alerts that come and go: every delivery ends once, an
 * alert's messages never arrive out of order, and no receiver that heard of an alert misses its
 * end.
 */
static void test_chance(void **state)
{
	enum { ALERTS = 40 };
	unsigned seed = (unsigned)clock_wall_ms();
	struct outbox_receiver hasty = usual;
	struct world w;
	size_t added = 0;

	(void)state;
	printf("seed %u\n", seed);
	srandom(seed);
	world_init(&w, always_ok, always_ok, 0);
	hasty.timeout_ms = 60;
	set_receivers(&w, &hasty, 2);
	w.servers[0].choose = w.servers[1].choose = moods;
	for (int n = 0; n < 2 * ALERTS; n++) {
		char alert[16];

		snprintf(alert, sizeof(alert), "alert%d", n % ALERTS);
		for (int b = 0; b < 2; b++, added++)
			add(&w, (struct sent){
					b ? "b" : "a", n + 1, alert, .resolved = n >= ALERTS});
		run_for(&w, (uint64_t)(random() % 5));
	}
	w.servers[0].choose = w.servers[1].choose = NULL;
	run_until_ended(&w, added);
	assert_int_equal(w.ended, added);
	for (int b = 0; b < 2; b++) {
		int last[ALERTS] = {0};

		for (size_t i = 0; i < w.servers[b].nrequests; i++) {
			int n = atoi(w.servers[b].requests[i].body + strlen("{\"n\":")) - 1;

			assert_true(n >= last[n % ALERTS]);
			last[n % ALERTS] = n;
		}
		for (int a = 0; a < ALERTS; a++)
			assert_true(last[a] == 0 || last[a] == a + ALERTS);
	}
	world_release(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_large_answer),
		cmocka_unit_test(test_retry_after),
		cmocka_unit_test(test_no_request),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_independent),
		cmocka_unit_test(test_step_aside),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_give_up),
		cmocka_unit_test(test_add),
		cmocka_unit_test(test_queue_limit),
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_receiver_removed),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_delay),
		cmocka_unit_test(test_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
