#include "log.h"
#include "status.h"
#include "xalloc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LINGER_MS 1000 /* after the answer: what the client still sends is read and dropped */
#define BACKLOG	  64

enum phase { PHASE_HEAD, PHASE_ANSWER, PHASE_LINGER };

struct connection {
	struct status *status;
	struct connection *next, *prev; /* by age, the oldest first */
	struct bufferevent *bev;
	struct event *deadline;
	enum phase phase;
	bool head; /* the request was HEAD */
	uint64_t token; /* of the answer that is to come later; else 0 */
	size_t owed; /* bytes of the answer */
};

struct status {
	struct event_base *base;
	struct evconnlistener *listener;
	struct event *resume; /* listening again */
	struct connection *first, *last;
	char *address, *socket_path; /* the latter NULL but for a unix socket */
	bool loopback; /* so Host is checked */
	char *allowed; /* as Host, beside the loopback; or NULL */
	status_answer_cb *answer;
	void *arg;
	size_t owed;
	uint64_t tokens; /* given out */
	struct status_stats stats;
};

/* ---- connections ----------------------------------------------------------------------------- */

static void drop(struct connection *c)
{
	struct status *s = c->status;

	if (c->next)
		c->next->prev = c->prev;
	else
		s->last = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		s->first = c->next;
	s->owed -= c->owed;
	s->stats.connections--;
	event_free(c->deadline);
	bufferevent_free(c->bev);
	free(c);
}

static void arm(struct connection *c, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_add(c->deadline, &tv);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct connection *c = arg;

	(void)fd;
	(void)what;
	if (c->phase != PHASE_LINGER)
		c->status->stats.refused++;
	drop(c);
}

/* ---- answering ------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 421:
		return "Misdirected Request";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return status / 100 == 4 ? "Bad Request" : "Internal Server Error";
	}
}

static void free_body_cb(const void *p, size_t n, void *arg)
{
	(void)p;
	(void)n;
	free(arg);
}

/* Takes the body over. */
static void send_answer(struct connection *c, struct status_answer *a, bool head)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t n = a->body.len;
	char *body;

	c->phase = PHASE_ANSWER;
	arm(c, STATUS_WHOLE_MS);
	evbuffer_add_printf(out,
		"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Connection: close\r\nCache-Control: no-store\r\n"
		"X-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
		"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; "
		"form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n%s\r\n",
		a->status, reason_of(a->status), a->type, n,
		a->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	body = buf_take(&a->body);
	if (head || n == 0) {
		free(body);
	} else {
		c->owed = n;
		c->status->owed += n;
		if (evbuffer_add_reference(out, body, n, free_body_cb, body))
			abort(); /* only for want of memory */
	}
	bufferevent_enable(c->bev, EV_WRITE);
}

/* Not written to until status_finish; the deadline of an answer runs. */
static void wait_for_answer(struct connection *c, struct status_answer *a)
{
	c->phase = PHASE_ANSWER;
	c->token = a->token;
	buf_release(&a->body);
	arm(c, STATUS_WHOLE_MS);
}

static void refuse(struct connection *c, int status, bool head)
{
	struct status_answer a = {
		.status = status, .type = "text/plain; charset=utf-8", .body = BUF_INIT};

	c->status->stats.refused++;
	buf_addf(&a.body, "%s\n", reason_of(status));
	send_answer(c, &a, head);
}

static void take_request(struct connection *c, struct str text)
{
	struct status *s = c->status;
	struct status_answer a = {
		.status = 200, .type = "text/plain; charset=utf-8", .body = BUF_INIT};
	struct status_request req;
	struct str host;
	int refused = status_parse(text, &req, &host, &c->head);

	if (refused == 0 && s->loopback && host.len && !status_host_is_loopback(host) &&
		!(s->allowed && str_is(host, s->allowed)))
		refused = 421;
	if (refused == 0 && s->owed > STATUS_OWED_MAX)
		refused = 503;
	if (refused) {
		refuse(c, refused, c->head);
		return;
	}
	s->stats.requests++;
	a.token = ++s->tokens;
	s->answer(s->arg, &req, &a);
	if (a.later)
		wait_for_answer(c, &a);
	else
		send_answer(c, &a, c->head);
}

bool status_finish(struct status *s, uint64_t token, struct status_answer *a)
{
	struct connection *c = s->first;

	while (c && c->token != token)
		c = c->next;
	if (!c) {
		buf_release(&a->body);
		return false;
	}
	c->token = 0;
	send_answer(c, a, c->head);
	return true;
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	struct connection *c = arg;
	size_t n = MIN(evbuffer_get_length(in), (size_t)STATUS_HEAD_MAX);
	struct str text;
	bool whole;

	if (c->phase != PHASE_HEAD) {
		evbuffer_drain(in, evbuffer_get_length(in));
		return;
	}
	text = str_n((const char *)evbuffer_pullup(in, (ev_ssize_t)n), n);
	whole = str_find(text, STR("\r\n\r\n")) >= 0 || str_find(text, STR("\n\n")) >= 0;
	if (whole)
		take_request(c, text);
	else if (n == STATUS_HEAD_MAX)
		refuse(c, 431, false);
	if (c->phase != PHASE_HEAD)
		evbuffer_drain(in, evbuffer_get_length(in));
}

/* The answer is out: half closed, so that a client that still sends is not reset before it read. */
static void written_cb(struct bufferevent *bev, void *arg)
{
	struct connection *c = arg;

	if (c->phase != PHASE_ANSWER)
		return;
	c->phase = PHASE_LINGER;
	c->status->owed -= c->owed;
	c->owed = 0;
	shutdown(bufferevent_getfd(bev), SHUT_WR);
	arm(c, LINGER_MS);
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct connection *c = arg;

	/* A client may end its side after the request; the answer still goes out. */
	if (what & BEV_EVENT_EOF && !(what & BEV_EVENT_WRITING) && c->phase == PHASE_ANSWER) {
		bufferevent_disable(bev, EV_READ);
		return;
	}
	drop(c);
}

/* ---- listening ------------------------------------------------------------------------------- */

/* Room for one more; false when all are being answered. */
static bool make_room(struct status *s)
{
	struct connection *c = s->first;

	if (s->stats.connections < STATUS_CONNECTIONS_MAX)
		return true;
	while (c && c->phase == PHASE_ANSWER)
		c = c->next;
	s->stats.refused++;
	if (c)
		drop(c);
	return c != NULL;
}

static void accept_cb(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from, int len, void *arg)
{
	struct status *s = arg;
	struct connection *c;

	(void)l;
	(void)from;
	(void)len;
	if (!make_room(s)) {
		close(fd);
		return;
	}
	c = xcalloc(1, sizeof(*c));
	c->status = s;
	c->bev = bufferevent_socket_new(s->base, fd, BEV_OPT_CLOSE_ON_FREE);
	c->deadline = evtimer_new(s->base, deadline_cb, c);
	if (!c->bev || !c->deadline)
		abort(); /* only for want of memory */
	c->prev = s->last;
	*(s->last ? &s->last->next : &s->first) = c;
	s->last = c;
	s->stats.connections++;
	bufferevent_setcb(c->bev, read_cb, written_cb, event_cb, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, STATUS_HEAD_MAX);
	bufferevent_disable(c->bev, EV_WRITE);
	bufferevent_enable(c->bev, EV_READ);
	arm(c, STATUS_HEAD_MS);
}

static void resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct status *s = arg;

	(void)fd;
	(void)what;
	evconnlistener_enable(s->listener);
}

/* Out of descriptors, mostly: those who wait stay in the kernel's queue for a second; else the loop
 * would try again at once, and for ever. */
static void accept_error_cb(struct evconnlistener *l, void *arg)
{
	static const struct timeval second = {.tv_sec = 1};
	struct status *s = arg;

	log_limited(LEVEL_WARNING, "status", "web: cannot accept a connection: %s",
		evutil_socket_error_to_string(EVUTIL_SOCKET_ERROR()));
	evconnlistener_disable(l);
	event_add(s->resume, &second);
}

static int listen_on(struct status *s, const struct sockaddr *at, socklen_t len, struct err *err)
{
	int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
	int saved;

	if (fd < 0)
		return err_set(err, "cannot make a socket: %s", strerror(errno));
	if (at->sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, at, len) || (s->socket_path && chmod(s->socket_path, 0660)) ||
		listen(fd, BACKLOG)) {
		saved = errno;
		close(fd);
		return err_set(err, "cannot listen on %s: %s", s->address, strerror(saved));
	}
	s->listener = evconnlistener_new(
		s->base, accept_cb, s, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!s->listener)
		abort(); /* only for want of memory */
	evconnlistener_set_error_cb(s->listener, accept_error_cb);
	return 0;
}

/* A socket that an earlier process left behind is taken away; one with a listener stays. */
static void remove_stale(const struct sockaddr_un *at)
{
	struct stat st;
	int fd;

	if (lstat(at->sun_path, &st) || !S_ISSOCK(st.st_mode))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	if (connect(fd, (const struct sockaddr *)at, sizeof(*at)) && errno == ECONNREFUSED)
		unlink(at->sun_path);
	close(fd);
}

static int listen_unix(struct status *s, const char *path, struct err *err)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (path[0] != '/' || strlen(path) >= sizeof(at.sun_path))
		return err_set(err, "\"%.200s\" is no absolute path of at most %zu bytes", path,
			sizeof(at.sun_path) - 1);
	memcpy(at.sun_path, path, strlen(path) + 1);
	remove_stale(&at);
	s->socket_path = xstrdup(path);
	if (listen_on(s, (struct sockaddr *)&at, sizeof(at), err)) {
		free(s->socket_path);
		s->socket_path = NULL; /* it is somebody else's */
		return -1;
	}
	return 0;
}

static bool is_loopback(const struct sockaddr_storage *at)
{
	const struct sockaddr_in *v4 = (const void *)at;
	const struct sockaddr_in6 *v6 = (const void *)at;

	if (at->ss_family == AF_INET)
		return ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	return IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
}

/* With port 0 the kernel chose one: address says which. */
static void learn_port(struct status *s)
{
	struct sockaddr_storage at;
	socklen_t len = sizeof(at);
	const char *colon = strrchr(s->address, ':');
	char *address;
	unsigned port;

	if (getsockname(evconnlistener_get_fd(s->listener), (struct sockaddr *)&at, &len))
		return;
	port = ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
					      : ((struct sockaddr_in *)&at)->sin_port);
	address = xasprintf("%.*s:%u", (int)(colon - s->address), s->address, port);
	free(s->address);
	s->address = address;
}

/* "ADDRESS:PORT", "[V6]:PORT" or "localhost:PORT" as a socket address; 0 when it is none. */
static socklen_t parse_inet(struct str text, struct sockaddr_storage *out)
{
	struct sockaddr_in *v4 = (void *)out;
	struct sockaddr_in6 *v6 = (void *)out;
	ptrdiff_t colon = str_rchr(text, ':');
	char host[64];
	uint64_t port;

	memset(out, 0, sizeof(*out));
	if (colon < 0 || (size_t)colon >= sizeof(host) ||
		!str_u64(str_from(text, (size_t)colon + 1), &port) || port > UINT16_MAX)
		return 0;
	if (text.p[0] == '[' && text.p[colon - 1] == ']') {
		snprintf(host, sizeof(host), "%.*s", (int)colon - 2, text.p + 1);
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)port);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? sizeof(*v6) : 0;
	}
	snprintf(host, sizeof(host), "%.*s", (int)colon, text.p);
	v4->sin_family = AF_INET;
	v4->sin_port = htons((uint16_t)port);
	return inet_pton(AF_INET, strcmp(host, "localhost") ? host : "127.0.0.1", &v4->sin_addr) ==
			       1
		       ? sizeof(*v4)
		       : 0;
}

static int listen_inet(struct status *s, const char *listen, struct err *err)
{
	struct sockaddr_storage at;
	socklen_t len = parse_inet(str_of(listen), &at);

	if (len == 0)
		return err_set(err,
			"\"%.200s\" is not an IP address (or localhost) with a port, nor "
			"unix:/path",
			listen);
	s->loopback = is_loopback(&at);
	if (listen_on(s, (struct sockaddr *)&at, len, err))
		return -1;
	learn_port(s);
	return 0;
}

struct status *status_new(struct event_base *base, const char *listen, status_answer_cb *answer,
	void *arg, struct err *err)
{
	struct status *s = xcalloc(1, sizeof(*s));
	int rc;

	s->base = base;
	s->answer = answer;
	s->arg = arg;
	s->address = xstrdup(listen);
	s->resume = evtimer_new(base, resume_cb, s);
	if (!s->resume)
		abort(); /* only for want of memory */
	rc = strncmp(listen, "unix:", 5) == 0 ? listen_unix(s, listen + 5, err)
					      : listen_inet(s, listen, err);
	if (rc == 0)
		return s;
	status_free(s);
	return NULL;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	while (s->first)
		drop(s->first);
	if (s->listener)
		evconnlistener_free(s->listener);
	if (s->socket_path)
		unlink(s->socket_path);
	event_free(s->resume);
	free(s->socket_path);
	free(s->allowed);
	free(s->address);
	free(s);
}

void status_allow(struct status *s, struct str url)
{
	free(s->allowed);
	s->allowed = url.len ? str_dup(status_url_host(url)) : NULL;
}

const char *status_address(const struct status *s)
{
	return s->address;
}

void status_stats(const struct status *s, struct status_stats *out)
{
	*out = s->stats;
}
