#include "buf.h"
#include "clock.h"
#include "log.h"
#include "map.h"
#include "replay.h"
#include "xalloc.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define HEADERS_MAX	 16384 /* bytes of a request's headers */
#define IDLE_TIMEOUT_S	 120 /* a connection that says nothing that long is closed */
#define REQUEST_BODY_MAX 1024
#define SYMBOL_ASK_MAX	 64 /* program counters answered in one request */
#define SYMBOL_NAME_MAX	 1000 /* bytes of a function's name */

struct body {
	bool there; /* the recording had one by now */
	int status;
	struct buf text;
};

struct replay {
	struct event_base *base;
	struct evhttp *http;
	struct recording *recording;
	char *address, *pprof_path, *metrics_path;
	double speed;
	bool started, ended;
	int64_t first_at_ms; /* of the recording */
	int64_t start_wall_ms;
	uint64_t start_mono_ms;
	struct recording_entry pending; /* read, not yet due; its body is in the recording */
	bool has_pending;
	struct body bodies[RECORDING_KINDS]; /* as of now */
	struct map *symbols; /* "0x43be36" to its name */
};

/* ---- the recording's clock ------------------------------------------------------------------- */

static void remember_symbols(struct replay *r, struct str body)
{
	struct str line;
	ptrdiff_t space;

	while (str_line(&body, &line)) {
		space = str_chr(line, ' ');
		if (!str_starts(line, STR("0x")) || space < 0 ||
			line.len - (size_t)space > SYMBOL_NAME_MAX ||
			map_count(r->symbols) >= REPLAY_SYMBOLS_MAX)
			continue;
		free(map_put(r->symbols, str_sub(line, 0, (size_t)space),
			str_dup(str_from(line, (size_t)space + 1))));
	}
}

static void apply(struct replay *r, const struct recording_entry *e)
{
	struct body *b = &r->bodies[e->kind];

	if (e->kind == RECORDING_SYMBOL) {
		remember_symbols(r, e->body);
		return;
	}
	if (e->kind == RECORDING_GOROUTINE) /* a debug=2 dump is of the moment it was taken */
		r->bodies[RECORDING_DEBUG2].there = false;
	b->there = true;
	b->status = e->status;
	buf_reset(&b->text);
	if (e->kind == RECORDING_METRICS)
		recording_shift_start(e->body, (double)r->first_at_ms / 1000,
			(double)r->start_wall_ms / 1000, r->speed, &b->text);
	else
		buf_addstr(&b->text, e->body);
}

static void read_pending(struct replay *r)
{
	struct err err = ERR_INIT;
	int rc = recording_next(r->recording, &r->pending, &err);

	r->has_pending = rc > 0;
	if (rc > 0)
		return;
	r->ended = true;
	if (rc < 0)
		log_msg(LEVEL_WARNING, "%s: what came before that is served on", err.msg);
	else
		log_msg(LEVEL_NOTICE, "the recording is at its end: its last answers stay");
}

/* Takes over every entry that is due by now. */
static void advance(struct replay *r)
{
	double passed_ms = (double)(clock_mono_ms() - r->start_mono_ms) * r->speed;

	while (r->has_pending && (double)(r->pending.at_ms - r->first_at_ms) <= passed_ms) {
		apply(r, &r->pending);
		read_pending(r);
	}
}

/* ---- requests -------------------------------------------------------------------------------- */

static void answer(
	struct evhttp_request *req, int status, const char *type, const char *text, size_t n)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evbuffer_add(evhttp_request_get_output_buffer(req), text, n);
	evhttp_send_reply(req, status, NULL, NULL);
}

static void answer_text(struct evhttp_request *req, int status, const char *text)
{
	answer(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void answer_recorded(
	struct replay *r, struct evhttp_request *req, enum recording_kind kind, const char *type)
{
	const struct body *b = &r->bodies[kind];

	if (!b->there)
		answer_text(req, HTTP_NOTFOUND, "the recording does not have this\n");
	else if (b->status == 0)
		answer_text(
			req, HTTP_SERVUNAVAIL, "the service did not answer when it was recorded\n");
	else
		answer(req, b->status, type, b->text.p, b->text.len);
}

/* As Go's net/http/pprof does: "num_symbols: 1", then a line for each that is known. */
static void answer_symbols(struct replay *r, struct evhttp_request *req, const char *query)
{
	struct str rest = str_of(query), pc;
	struct buf out = BUF_INIT;
	ptrdiff_t plus;

	buf_adds(&out, "num_symbols: 1\n");
	for (int i = 0; rest.len && i < SYMBOL_ASK_MAX; i++) {
		const char *name;

		plus = str_chr(rest, '+');
		pc = plus < 0 ? rest : str_sub(rest, 0, (size_t)plus);
		rest = plus < 0 ? str_n("", 0) : str_from(rest, (size_t)plus + 1);
		name = map_get(r->symbols, pc);
		if (name)
			buf_addf(&out, "%.*s %s\n", STR_ARG(pc), name);
	}
	answer(req, HTTP_OK, "text/plain; charset=utf-8", out.p, out.len);
	buf_release(&out);
}

static void answer_goroutine(struct replay *r, struct evhttp_request *req, const char *query)
{
	if (strcmp(query, "debug=1") == 0)
		answer_recorded(r, req, RECORDING_GOROUTINE, "text/plain; charset=utf-8");
	else if (strcmp(query, "debug=2") == 0)
		answer_recorded(r, req, RECORDING_DEBUG2, "text/plain; charset=utf-8");
	else
		answer_text(req, HTTP_NOTFOUND, "a recording has only debug=1 and debug=2\n");
}

static void answer_pprof(
	struct replay *r, struct evhttp_request *req, const char *name, const char *query)
{
	if (*name == '\0')
		answer_recorded(r, req, RECORDING_INDEX, "text/html; charset=utf-8");
	else if (strcmp(name, "goroutine") == 0)
		answer_goroutine(r, req, query);
	else if (strcmp(name, "symbol") == 0)
		answer_symbols(r, req, query);
	else
		answer_text(req, HTTP_NOTFOUND, "Unknown profile\n");
}

static void request_cb(struct evhttp_request *req, void *arg)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *query = uri ? evhttp_uri_get_query(uri) : NULL;
	struct replay *r = arg;
	size_t n = strlen(r->pprof_path);

	if (!r->started) {
		answer_text(req, HTTP_SERVUNAVAIL, "the recording has not begun\n");
		return;
	}
	advance(r);
	path = path ? path : "";
	query = query ? query : "";
	if (r->metrics_path[0] && strcmp(path, r->metrics_path) == 0)
		answer_recorded(r, req, RECORDING_METRICS, "text/plain; version=0.0.4");
	else if (strncmp(path, r->pprof_path, n) == 0 && path[n] == '/')
		answer_pprof(r, req, path + n + 1, query);
	else
		answer_text(req, HTTP_NOTFOUND, "404 page not found\n");
}

/* ---- life cycle ------------------------------------------------------------------------------ */

/*
 * "host:port" or "[host]:port" taken apart.  Only addresses and localhost: a name would be looked
 * up while the loop waits.
 */
static int split_address(const char *listen, char *host, size_t size, uint16_t *port)
{
	const char *colon = strrchr(listen, ':');
	unsigned char address[sizeof(struct in6_addr)];
	uint64_t number;
	size_t n;

	if (!colon || !str_u64(str_of(colon + 1), &number) || number > UINT16_MAX)
		return -1;
	n = (size_t)(colon - listen);
	if (n >= 2 && listen[0] == '[' && colon[-1] == ']') {
		listen++;
		n -= 2;
	}
	if (n == 0 || n >= size)
		return -1;
	memcpy(host, listen, n);
	host[n] = '\0';
	*port = (uint16_t)number;
	return strcmp(host, "localhost") == 0 || evutil_inet_pton(AF_INET, host, address) == 1 ||
			       evutil_inet_pton(AF_INET6, host, address) == 1
		       ? 0
		       : -1;
}

static int bind_to(struct replay *r, const char *listen, struct err *err)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	struct evhttp_bound_socket *bound;
	char host[256];
	uint16_t port;

	if (split_address(listen, host, sizeof(host), &port) < 0)
		return err_set(err,
			"\"%.100s\" is not host:port with an IP address (or localhost) as host",
			listen);
	bound = evhttp_bind_socket_with_handle(r->http, host, port);
	if (!bound)
		return err_set(err, "cannot listen on %s: %s", listen,
			evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&at, &len) == 0)
		port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
						      : ((struct sockaddr_in *)&at)->sin_port);
	r->address = strchr(host, ':') ? xasprintf("[%s]:%u", host, port)
				       : xasprintf("%s:%u", host, port);
	return 0;
}

static char *without_last_slash(const char *path)
{
	size_t n = strlen(path);

	while (n && path[n - 1] == '/')
		n--;
	return xmemdup0(path, n);
}

struct replay *replay_new(struct event_base *base, struct recording *recording, const char *listen,
	double speed, struct err *err)
{
	const struct recording_about *about = recording_about(recording);
	struct replay *r = xcalloc(1, sizeof(*r));

	r->base = base;
	r->recording = recording;
	r->speed = speed;
	r->pprof_path = without_last_slash(about->pprof_path);
	r->metrics_path = xmemdup0(about->metrics_path, strcspn(about->metrics_path, "?"));
	r->symbols = map_new();
	for (int i = 0; i < RECORDING_KINDS; i++)
		buf_init(&r->bodies[i].text);
	r->http = evhttp_new(base);
	if (!r->http) {
		err_set(err, "cannot start the HTTP server");
	} else {
		evhttp_set_allowed_methods(r->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
		evhttp_set_max_headers_size(r->http, HEADERS_MAX);
		evhttp_set_max_body_size(r->http, REQUEST_BODY_MAX);
		evhttp_set_timeout(r->http, IDLE_TIMEOUT_S);
		evhttp_set_gencb(r->http, request_cb, r);
		if (bind_to(r, listen, err) == 0)
			return r;
	}
	replay_free(r);
	return NULL;
}

void replay_free(struct replay *r)
{
	if (!r)
		return;
	if (r->http)
		evhttp_free(r->http);
	recording_free(r->recording);
	map_free(r->symbols, free);
	for (int i = 0; i < RECORDING_KINDS; i++)
		buf_release(&r->bodies[i].text);
	free(r->address);
	free(r->pprof_path);
	free(r->metrics_path);
	free(r);
}

const char *replay_address(const struct replay *r)
{
	return r->address;
}

bool replay_ended(const struct replay *r)
{
	return r->ended;
}

int replay_start(struct replay *r, struct err *err)
{
	int rc = recording_next(r->recording, &r->pending, err);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return err_set(err, "the recording is empty");
	r->has_pending = true;
	r->first_at_ms = r->pending.at_ms;
	r->start_wall_ms = clock_wall_ms();
	r->start_mono_ms = clock_mono_ms();
	r->started = true;
	advance(r);
	return 0;
}
