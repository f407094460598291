/* The server of our own metrics: what it takes for a request, and what it lets nobody do. */
#include "clock.h"
#include "status.h"
#include "xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- the request's head ---- */

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		int want;
		const char *path, *query, *host;
	} rows[] = {
		{"GET /metrics HTTP/1.1\r\nHost: localhost:9765\r\n\r\n", 0, "/metrics", "",
			"localhost"},
		{"HEAD /a?b=c&d HTTP/1.0\r\n\r\n", 0, "/a", "b=c&d", ""}, /* no Host before 1.1 */
		{"GET / HTTP/1.1\nhost:[::1]:80\n\n", 0, "/", "", "::1"}, /* lines end in LF only */
		{"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 0, "/", "", "x"},
		{"GET / HTTP/1.1\r\n\r\n", 400, NULL, NULL, NULL}, /* no Host */
		{"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, NULL, NULL, NULL}, /* two */
		{"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400, NULL, NULL,
			NULL}, /* a body */
		{"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 400, NULL, NULL,
			NULL},
		{"GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400, NULL, NULL, NULL}, /* space there */
		{"GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400, NULL, NULL, NULL},
		{"GET / HTTP/1.1\r\nHost: a\r\nnonsense\r\n\r\n", 400, NULL, NULL, NULL},
		{"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 405, NULL, NULL, NULL},
		{"get / HTTP/1.1\r\nHost: a\r\n\r\n", 405, NULL, NULL, NULL}, /* case counts */
		{"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, NULL,
			NULL}, /* we are no proxy */
		{"GET /\x1b[2J HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, NULL, NULL},
		{"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, NULL, NULL, NULL},
		{"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505, NULL, NULL, NULL},
		{"GET /\r\n\r\n", 400, NULL, NULL, NULL}, /* HTTP/0.9 */
		{"\x16\x03\x01\x02", 400, NULL, NULL, NULL}, /* TLS */
		{"\r\n\r\n", 400, NULL, NULL, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct status_request req;
		struct str host;
		bool head;
		int got = status_parse(str_of(rows[i].text), &req, &host, &head);

		if (got != rows[i].want)
			fail_msg("row %zu: %d", i, got);
		if (got)
			continue;
		assert_true(str_is(req.path, rows[i].path));
		assert_true(str_is(req.query, rows[i].query));
		assert_true(str_is(host, rows[i].host));
		assert_int_equal(head, rows[i].text[0] == 'H');
	}
}

static void test_loopback(void **state)
{
	static const struct {
		const char *host;
		bool want;
	} rows[] = {
		{"localhost", true},
		{"LocalHost", true},
		{"127.0.0.1", true},
		{"127.1.2.3", true},
		{"::1", true},
		{"127.0.0.1.evil.example", false}, /* a name that only begins like it */
		{"localhost.evil.example", false},
		{"evil.example", false},
		{"10.0.0.1", false},
		{"", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(status_host_is_loopback(str_of(rows[i].host)), rows[i].want);
}

static void test_url_host(void **state)
{
	static const char *const rows[][2] = {
		{"http://web-1", "web-1"},
		{"https://web-1.internal:8443/leakwatch/?x=http://evil", "web-1.internal"},
		{"http://[fd00::1]:9765/", "fd00::1"},
		{"http://web-1?x", "web-1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_true(str_is(status_url_host(str_of(rows[i][0])), rows[i][1]));
}

/* ---- the server ---- */

struct world {
	struct event_base *base;
	struct status *status;
	char dir[64];
};

#define BIG (8 * 1024 * 1024)

static uint64_t later_token; /* of the last request for /later */

static void answer_cb(void *arg, const struct status_request *req, struct status_answer *out)
{
	(void)arg;
	if (str_is(req->path, "/later")) {
		later_token = out->token;
		out->later = true;
		return;
	}
	if (str_is(req->path, "/big")) {
		char *much = xmalloc(BIG);

		memset(much, 'x', BIG);
		buf_add(&out->body, much, BIG);
		free(much);
		return;
	}
	if (!str_is(req->path, "/"))
		out->status = 404;
	buf_addf(&out->body, "path %.*s\n", STR_ARG(req->path));
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err;

	snprintf(w->dir, sizeof(w->dir), "/tmp/leakwatch-test-status-XXXXXX");
	if (!mkdtemp(w->dir))
		return -1;
	w->base = event_base_new();
	w->status = status_new(w->base, "127.0.0.1:0", answer_cb, NULL, &err);
	*state = w;
	return w->status ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *w = *state;

	status_free(w->status);
	event_base_free(w->base);
	rmdir(w->dir);
	free(w);
	return 0;
}

static int dial(const struct status *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	at.sin_port = htons((uint16_t)atoi(strrchr(status_address(s), ':') + 1));
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void spin(struct world *w, int ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)ms;

	while (clock_mono_ms() < end) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

/* What comes until the end of the connection; fails when that does not come. */
static void collect(struct world *w, int fd, struct buf *out, int within_ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)within_ms;
	char piece[65536];
	ssize_t n;

	buf_reset(out);
	for (;;) {
		event_base_loop(w->base, EVLOOP_NONBLOCK);
		n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
		if (n > 0)
			buf_add(out, piece, (size_t)n);
		else if (n == 0 || errno == ECONNRESET)
			return;
		else
			usleep(1000);
		if (clock_mono_ms() > end)
			fail_msg("the connection did not end in %d ms", within_ms);
	}
}

static void ask(struct world *w, const char *text, struct buf *out)
{
	int fd = dial(w->status);

	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
	collect(w, fd, out, 3000);
	close(fd);
}

static void test_answers(void **state)
{
	static const struct {
		const char *text, *begin, *end;
	} rows[] = {
		{"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
			"\r\n\r\npath /\n"},
		{"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 404 ", "path /x\n"},
		{"HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK\r\n",
			"frame-ancestors 'none'\r\n\r\n"}, /* the length of it, not the body */
		{"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc",
			"HTTP/1.1 405 ", "Not Allowed\n"},
		{"GET / HTTP/1.1\r\nHost: rebound.example\r\n\r\n", "HTTP/1.1 421 ",
			"Request\n"}, /* a page's own name for 127.0.0.1 */
		{"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: "
		 "localhost\r\n\r\n",
			"HTTP/1.1 200 OK\r\n", "path /\n"}, /* one request a connection */
	};
	struct world *w = *state;
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ask(w, rows[i].text, &got);
		if (!str_starts(buf_str(&got), str_of(rows[i].begin)) ||
			!str_ends(buf_str(&got), str_of(rows[i].end)))
			fail_msg("row %zu: %s", i, got.p);
	}
	ask(w, rows[5].text, &got);
	assert_true(str_find(str_from(buf_str(&got), 5), STR("HTTP/1.1")) < 0);
	buf_release(&got);
}

/* The answer comes when the caller has it; meanwhile others are answered. */
static void test_later(void **state)
{
	static const char text[] = "GET /later HTTP/1.1\r\nHost: localhost\r\n\r\n";
	struct world *w = *state;
	struct status_answer answer = {.status = 200, .type = "text/html", .body = BUF_INIT};
	struct buf got = BUF_INIT;
	int fd = dial(w->status);
	char c;

	assert_int_equal(send(fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	spin(w, 50);
	assert_int_equal(recv(fd, &c, 1, MSG_DONTWAIT), -1);
	ask(w, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &got);
	assert_true(str_ends(buf_str(&got), STR("path /\n")));
	buf_adds(&answer.body, "here it is");
	assert_true(status_finish(w->status, later_token, &answer));
	collect(w, fd, &got, 3000);
	assert_true(str_starts(buf_str(&got), STR("HTTP/1.1 200 OK\r\nContent-Type: text/html")));
	assert_true(str_ends(buf_str(&got), STR("\r\n\r\nhere it is")));
	close(fd);
	/* Twice is once too often. */
	answer.body = (struct buf)BUF_INIT;
	assert_false(status_finish(w->status, later_token, &answer));
	/* The client has gone. */
	fd = dial(w->status);
	assert_int_equal(send(fd, text, sizeof(text) - 1, 0), sizeof(text) - 1);
	spin(w, 50);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){1, 0}, sizeof(struct linger));
	close(fd);
	spin(w, 50);
	buf_adds(&answer.body, "nobody is there");
	assert_false(status_finish(w->status, later_token, &answer));
	buf_release(&got);
}

static void test_query(void **state)
{
	static const struct {
		const char *query, *key, *want;
	} rows[] = {
		{"range=6h&q=a", "range", "6h"},
		{"range=6h&q=a", "q", "a"},
		{"q=a%2Fb+c%3Cd", "q", "a/b c<d"},
		{"q=a", "range", ""},
		{"", "q", ""},
		{"&&", "q", ""}, /* not one */
		{"=x", "q", ""},
	};
	struct buf out = BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		status_query(str_of(rows[i].query), rows[i].key, &out);
		assert_string_equal(out.p, rows[i].want);
	}
	buf_release(&out);
}

/* A head longer than the limit, in one piece and without an end. */
static void test_long_head(void **state)
{
	struct world *w = *state;
	char much[STATUS_HEAD_MAX + 100];
	struct buf got = BUF_INIT;
	int fd = dial(w->status);

	memset(much, 'a', sizeof(much));
	memcpy(much, "GET /", 5);
	assert_true(send(fd, much, sizeof(much), 0) > 0);
	collect(w, fd, &got, 3000);
	assert_true(str_starts(buf_str(&got), STR("HTTP/1.1 431 ")));
	close(fd);
	buf_release(&got);
}

/* Clients that say nothing take no place from one that asks; the slowest goes first. */
static void test_idle_clients(void **state)
{
	struct world *w = *state;
	int idle[STATUS_CONNECTIONS_MAX + 20];
	struct status_stats stats;
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(idle); i++) {
		idle[i] = dial(w->status);
		spin(w, 1);
	}
	spin(w, 20);
	status_stats(w->status, &stats);
	assert_int_equal(stats.connections, STATUS_CONNECTIONS_MAX);
	ask(w, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", &got);
	assert_true(str_starts(buf_str(&got), STR("HTTP/1.1 200 ")));
	collect(w, idle[0], &got, 1000); /* the oldest was closed */
	assert_int_equal(got.len, 0);
	for (size_t i = 0; i < ARRAY_LEN(idle); i++)
		close(idle[i]);
	spin(w, 30);
	status_stats(w->status, &stats);
	assert_true(stats.connections <= 1);
	buf_release(&got);
}

/* A byte now and then does not lengthen the time that a request has. */
static void test_slow_client(void **state)
{
	struct world *w = *state;
	uint64_t begin = clock_mono_ms();
	struct buf got = BUF_INIT;
	int fd = dial(w->status);

	for (int i = 0; i < 4; i++) {
		assert_int_equal(send(fd, "G", 1, MSG_NOSIGNAL), 1);
		spin(w, 1000);
	}
	collect(w, fd, &got, STATUS_HEAD_MS);
	assert_in_range(clock_mono_ms() - begin, STATUS_HEAD_MS - 200, STATUS_HEAD_MS + 1500);
	assert_int_equal(got.len, 0);
	close(fd);
	buf_release(&got);
}

/* Readers that do not read: what is owed them is bounded, and others are told so. */
static void test_readers_that_do_not_read(void **state)
{
	struct world *w = *state;
	static const char text[] = "GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n";
	int fds[12];
	struct buf got = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(w->status);
		assert_true(send(fds[i], text, sizeof(text) - 1, 0) > 0);
		spin(w, 5);
	}
	collect(w, fds[ARRAY_LEN(fds) - 1], &got, 3000);
	assert_true(str_starts(buf_str(&got), STR("HTTP/1.1 503 ")));
	collect(w, fds[0], &got, 5000); /* one that reads after all gets it whole */
	assert_true(got.len > BIG);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	buf_release(&got);
}

static void test_unix(void **state)
{
	struct world *w = *state;
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct buf got = BUF_INIT;
	struct status *s;
	struct stat st;
	char listen[128];
	struct err err;
	int fd;

	snprintf(listen, sizeof(listen), "unix:%s/s", w->dir);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/s", w->dir);
	/* One that nobody listens on any more, left by a kill -9. */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	close(fd);
	s = status_new(w->base, listen, answer_cb, NULL, &err);
	assert_non_null(s);
	assert_int_equal(stat(at.sun_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0660);
	/* A second one does not take it away. */
	assert_null(status_new(w->base, listen, answer_cb, NULL, &err));
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	/* Host is not checked: no browser gets here. */
	assert_true(send(fd, "GET / HTTP/1.1\r\nHost: leakwatch\r\n\r\n", 35, 0) > 0);
	collect(w, fd, &got, 3000);
	assert_true(str_starts(buf_str(&got), STR("HTTP/1.1 200 ")));
	close(fd);
	status_free(s);
	assert_int_equal(access(at.sun_path, F_OK), -1);
	buf_release(&got);
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = {"example.org:80", "127.0.0.1", "unix:relative", "", ":",
		"127.0.0.1:99999", "/run/x"};
	struct world *w = *state;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		err.msg[0] = '\0';
		assert_null(status_new(w->base, wrong[i], answer_cb, NULL, &err));
		assert_true(err.msg[0] != '\0');
	}
	assert_null(status_new(w->base, status_address(w->status), answer_cb, NULL, &err));
	assert_non_null(strstr(err.msg, "Address already in use"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_url_host),
		cmocka_unit_test_setup_teardown(test_answers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_later, setup, teardown),
		cmocka_unit_test(test_query),
		cmocka_unit_test_setup_teardown(test_long_head, setup, teardown),
		cmocka_unit_test_setup_teardown(test_idle_clients, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_client, setup, teardown),
		cmocka_unit_test_setup_teardown(test_readers_that_do_not_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unix, setup, teardown),
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
