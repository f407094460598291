/*
 * hostile: an HTTP server that misbehaves in the way the request's path asks for.
 *
 * Raw sockets and one thread a connection, on 127.0.0.1 and a port of its own, so that nothing of
 * what is tested helps it along.  *h is zero, then hostile_start … hostile_stop, which waits for
 * every thread.
 */
#ifndef LEAKWATCH_TESTS_HOSTILE_H
#define LEAKWATCH_TESTS_HOSTILE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

struct hostile;

struct hostile_case {
	const char *path; /* a request whose path begins with it */
	const char *text; /* sent first; "@PORT@" in it becomes the server's; NULL: nothing */
	void (*then)(struct hostile *h, int fd); /* NULL: the connection is kept for the next */
};

struct hostile {
	int fd, port;
	pthread_t thread;
	atomic_int connections, requests, busy;
	atomic_bool stopping;
	const char *greeting; /* set before hostile_start: sent before anything is read */
	const struct hostile_case *cases;
	size_t ncases;
	pthread_mutex_t lock;
	char last[8192]; /* head of the last request */
};

static inline void hostile_nap(int ms)
{
	struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&t, NULL);
}

/* False when the peer is gone, or the server ends. */
static inline bool hostile_send(struct hostile *h, int fd, const char *p, size_t n)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};
	ssize_t sent;

	while (n && !atomic_load(&h->stopping)) {
		sent = send(fd, p, n, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (sent < 0 && errno != EAGAIN)
			return false;
		if (sent < 0) {
			poll(&pfd, 1, 20);
			continue;
		}
		p += sent;
		n -= (size_t)sent;
	}
	return n == 0;
}

/* ---- what comes after the first text --------------------------------------------------------- */

static inline void hostile_close(struct hostile *h, int fd)
{
	(void)h;
	(void)fd;
}

static inline void hostile_reset(struct hostile *h, int fd)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	(void)h;
	hostile_nap(20); /* what was sent arrives before the reset does */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
}

static inline void hostile_silence(struct hostile *h, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	char c;

	while (!atomic_load(&h->stopping))
		if (poll(&pfd, 1, 20) > 0 && recv(fd, &c, 1, MSG_DONTWAIT) <= 0)
			return;
}

static inline void hostile_drip(struct hostile *h, int fd)
{
	while (hostile_send(h, fd, "x", 1))
		hostile_nap(30);
}

static inline void hostile_endless(struct hostile *h, int fd)
{
	char block[16384];

	memset(block, 'x', sizeof(block));
	while (hostile_send(h, fd, block, sizeof(block)))
		;
}

static inline void hostile_repeat(struct hostile *h, int fd, const char *text)
{
	while (hostile_send(h, fd, text, strlen(text)))
		;
}

static inline void hostile_chunks(struct hostile *h, int fd)
{
	hostile_repeat(h, fd, "8\r\ngorouti\n\r\n");
}

static inline void hostile_headers(struct hostile *h, int fd)
{
	hostile_repeat(h, fd, "X-More: and more and more\r\n");
}

static inline void hostile_continue(struct hostile *h, int fd)
{
	hostile_repeat(h, fd, "HTTP/1.1 100 Continue\r\n\r\n");
}

/* gzip that grows a thousandfold and never ends. */
static inline void hostile_bomb(struct hostile *h, int fd)
{
	static unsigned char zeros[1 << 20];
	unsigned char out[65536];
	z_stream z = {0};
	bool going = true;

	deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
	while (going) {
		z.next_in = zeros;
		z.avail_in = sizeof(zeros);
		do {
			z.next_out = out;
			z.avail_out = sizeof(out);
			deflate(&z, Z_NO_FLUSH);
			going = hostile_send(h, fd, (char *)out, sizeof(out) - z.avail_out);
		} while (going && z.avail_out == 0);
	}
	deflateEnd(&z);
}

/* ---- connections ----------------------------------------------------------------------------- */

struct hostile_connection {
	struct hostile *hostile;
	int fd;
};

static inline bool hostile_read_head(struct hostile *h, int fd, char *head, size_t size)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	size_t n = 0;
	ssize_t got;

	for (head[0] = '\0'; !strstr(head, "\r\n\r\n") && n + 1 < size;) {
		if (atomic_load(&h->stopping))
			return false;
		if (poll(&pfd, 1, 20) <= 0)
			continue;
		got = recv(fd, head + n, size - n - 1, MSG_DONTWAIT);
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return false;
		n += got > 0 ? (size_t)got : 0;
		head[n] = '\0';
	}
	return true;
}

static inline const struct hostile_case *hostile_find(struct hostile *h, const char *head)
{
	const char *path = strchr(head, ' ');

	for (size_t i = 0; path && i < h->ncases; i++)
		if (strncmp(path + 1, h->cases[i].path, strlen(h->cases[i].path)) == 0)
			return &h->cases[i];
	return NULL;
}

static inline bool hostile_send_text(struct hostile *h, int fd, const char *text)
{
	const char *at = strstr(text, "@PORT@");
	char port[16];

	if (!at)
		return hostile_send(h, fd, text, strlen(text));
	snprintf(port, sizeof(port), "%d", h->port);
	return hostile_send(h, fd, text, (size_t)(at - text)) &&
	       hostile_send(h, fd, port, strlen(port)) &&
	       hostile_send(h, fd, at + 6, strlen(at + 6));
}

static inline void *hostile_serve(void *arg)
{
	struct hostile_connection *c = arg;
	struct hostile *h = c->hostile;
	const struct hostile_case *k;
	char head[8192];

	if (h->greeting)
		hostile_send_text(h, c->fd, h->greeting);
	while (hostile_read_head(h, c->fd, head, sizeof(head))) {
		atomic_fetch_add(&h->requests, 1);
		pthread_mutex_lock(&h->lock);
		memcpy(h->last, head, sizeof(head));
		pthread_mutex_unlock(&h->lock);
		k = hostile_find(h, head);
		if (!k || (k->text && !hostile_send_text(h, c->fd, k->text)))
			break;
		if (k->then) {
			k->then(h, c->fd);
			break;
		}
	}
	close(c->fd);
	free(c);
	atomic_fetch_sub(&h->busy, 1);
	return NULL;
}

static inline void *hostile_accept(void *arg)
{
	struct hostile *h = arg;
	struct pollfd pfd = {.fd = h->fd, .events = POLLIN};
	struct hostile_connection *c;
	pthread_t thread;
	int fd;

	while (!atomic_load(&h->stopping)) {
		if (poll(&pfd, 1, 20) <= 0)
			continue;
		fd = accept(h->fd, NULL, NULL);
		if (fd < 0)
			continue;
		atomic_fetch_add(&h->connections, 1);
		atomic_fetch_add(&h->busy, 1);
		c = malloc(sizeof(*c));
		*c = (struct hostile_connection){.hostile = h, .fd = fd};
		if (pthread_create(&thread, NULL, hostile_serve, c) != 0)
			abort();
		pthread_detach(thread);
	}
	return NULL;
}

static inline void hostile_start(struct hostile *h, const struct hostile_case *cases, size_t n)
{
	struct sockaddr_in sin = {.sin_family = AF_INET};
	socklen_t len = sizeof(sin);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	pthread_mutex_init(&h->lock, NULL);
	h->cases = cases;
	h->ncases = n;
	h->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (h->fd < 0 || bind(h->fd, (struct sockaddr *)&sin, sizeof(sin)) < 0 ||
		listen(h->fd, 64) < 0 || getsockname(h->fd, (struct sockaddr *)&sin, &len) < 0 ||
		pthread_create(&h->thread, NULL, hostile_accept, h) != 0) {
		perror("hostile");
		abort();
	}
	h->port = ntohs(sin.sin_port);
}

static inline void hostile_stop(struct hostile *h)
{
	atomic_store(&h->stopping, true);
	pthread_join(h->thread, NULL);
	while (atomic_load(&h->busy))
		hostile_nap(5);
	close(h->fd);
	pthread_mutex_destroy(&h->lock);
}

#endif
