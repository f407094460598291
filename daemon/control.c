#include "control.h"
#include "log.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

/* A connection, from its accept to its end; it outlives the connection while an answer is due. */
struct control_request {
	TAILQ_ENTRY(control_request) link;
	struct control *c; /* NULL: the connection is gone */
	struct bufferevent *bev;
	bool asked; /* the callback has it: control_answer will come */
	bool answered;
};

struct control {
	struct event_base *base;
	struct evconnlistener *listener;
	char *path;
	control_cb *cb;
	void *arg;
	TAILQ_HEAD(, control_request) open;
	size_t nopen;
};

/*
 * A path of any length as an address: sun_path has 108 bytes, so the folder is named by a
 * descriptor. The descriptor, to be closed after use, or -1 with err.
 */
static int make_address(const char *path, struct sockaddr_un *sa, struct err *err)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? xasprintf("%.*s/", (int)(slash - path), path) : xstrdup(".");
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC), n;

	*sa = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (fd < 0)
		err_set(err, "cannot open the folder of %s: %s", path, strerror(errno));
	free(folder);
	if (fd < 0)
		return -1;
	n = snprintf(sa->sun_path, sizeof(sa->sun_path), "/proc/self/fd/%d/%s", fd,
		slash ? slash + 1 : path);
	if ((size_t)n < sizeof(sa->sun_path))
		return fd;
	close(fd);
	return err_set(err, "the name of %s is too long for a socket", path);
}

/* ---- connections ----------------------------------------------------------------------------- */

static void close_connection(struct control_request *r)
{
	TAILQ_REMOVE(&r->c->open, r, link);
	r->c->nopen--;
	r->c = NULL;
	bufferevent_free(r->bev);
	r->bev = NULL;
	if (!r->asked || r->answered)
		free(r);
}

static void event_cb(struct bufferevent *bev, short what, void *arg)
{
	(void)bev;
	(void)what; /* closed, failed, or too slow */
	close_connection(arg);
}

static void written_cb(struct bufferevent *bev, void *arg)
{
	struct control_request *r = arg;

	(void)bev;
	if (r->answered)
		close_connection(r);
}

static int64_t peer_uid(struct bufferevent *bev)
{
	struct ucred who;
	socklen_t len = sizeof(who);

	if (getsockopt(bufferevent_getfd(bev), SOL_SOCKET, SO_PEERCRED, &who, &len) < 0)
		return -1;
	return who.uid;
}

static void read_cb(struct bufferevent *bev, void *arg)
{
	struct control_request *r = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len;
	char *line;

	if (r->asked)
		return;
	line = evbuffer_readln(in, &len, EVBUFFER_EOL_LF);
	if (!line) {
		if (evbuffer_get_length(in) >= CONTROL_LINE)
			close_connection(r);
		return;
	}
	r->asked = true;
	bufferevent_disable(bev, EV_READ);
	r->c->cb(r->c->arg, r, peer_uid(bev), str_n(line, len));
	free(line);
}

void control_answer(struct control_request *r, struct str line)
{
	if (!r->c) {
		free(r);
		return;
	}
	r->answered = true;
	bufferevent_write(r->bev, line.p, line.len);
	bufferevent_write(r->bev, "\n", 1);
}

static void accept_cb(
	struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *sa, int len, void *arg)
{
	static const struct timeval limit = {.tv_sec = CONTROL_MS / 1000};
	struct control *c = arg;
	struct control_request *r;

	(void)l, (void)sa, (void)len;
	if (c->nopen >= CONTROL_CONNECTIONS) {
		log_limited(LEVEL_WARNING, "control", "control socket: %zu connections already",
			c->nopen);
		close(fd);
		return;
	}
	r = xcalloc(1, sizeof(*r));
	r->c = c;
	r->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (!r->bev)
		abort(); /* only for want of memory */
	TAILQ_INSERT_TAIL(&c->open, r, link);
	c->nopen++;
	bufferevent_setcb(r->bev, read_cb, written_cb, event_cb, r);
	bufferevent_setwatermark(r->bev, EV_READ, 0, CONTROL_LINE);
	bufferevent_set_timeouts(r->bev, &limit, &limit);
	bufferevent_enable(r->bev, EV_READ | EV_WRITE);
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* The mode is set before anybody can connect: that takes a listen. */
static int listen_at(const char *path, struct err *err)
{
	struct sockaddr_un sa;
	int folder = make_address(path, &sa, err), fd;

	if (folder < 0)
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	unlink(sa.sun_path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		chmod(sa.sun_path, 0660) < 0 || listen(fd, CONTROL_CONNECTIONS) < 0) {
		err_set(err, "cannot make the control socket %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	close(folder);
	return fd;
}

struct control *control_new(
	struct event_base *base, const char *path, control_cb *cb, void *arg, struct err *err)
{
	int fd = listen_at(path, err);
	struct control *c;

	if (fd < 0)
		return NULL;
	c = xcalloc(1, sizeof(*c));
	c->base = base;
	c->path = xstrdup(path);
	c->cb = cb;
	c->arg = arg;
	TAILQ_INIT(&c->open);
	c->listener = evconnlistener_new(base, accept_cb, c, LEV_OPT_CLOSE_ON_FREE, 0, fd);
	if (!c->listener)
		abort(); /* only for want of memory */
	return c;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	while (!TAILQ_EMPTY(&c->open))
		close_connection(TAILQ_FIRST(&c->open));
	evconnlistener_free(c->listener);
	unlink(c->path);
	free(c->path);
	free(c);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static int talk(int fd, struct str line, struct buf *answer, struct err *err)
{
	char piece[4096];
	ssize_t n;

	if (send(fd, line.p, line.len, MSG_NOSIGNAL) != (ssize_t)line.len ||
		send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return err_set(err, "cannot ask the daemon: %s", strerror(errno));
	while ((n = recv(fd, piece, sizeof(piece), 0)) > 0 && answer->len < 1024 * 1024)
		buf_add(answer, piece, (size_t)n);
	if (n < 0)
		return err_set(err, "the daemon does not answer: %s",
			errno == EAGAIN ? "nothing within 10 s" : strerror(errno));
	if (answer->len == 0 || answer->p[answer->len - 1] != '\n')
		return err_set(err, "the daemon gave no whole answer");
	return 0;
}

int control_ask(const char *path, struct str line, struct buf *answer, struct err *err)
{
	struct timeval limit = {.tv_sec = CONTROL_MS / 1000};
	struct sockaddr_un sa;
	int folder = make_address(path, &sa, err), fd, rc;

	if (folder < 0)
		return -1;
	if (line.len >= CONTROL_LINE) {
		close(folder);
		return err_set(err, "the request is too long");
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0)
		rc = err_set(err, "cannot reach the daemon at %s: %s%s", path, strerror(errno),
			errno == ENOENT || errno == ECONNREFUSED ? " (is it running on this store?)"
								 : "");
	else
		rc = talk(fd, line, answer, err);
	if (fd >= 0)
		close(fd);
	close(folder);
	return rc;
}
