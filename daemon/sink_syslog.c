#include "sink_syslog.h"
#include "buf.h"
#include "notify_syslog.h"
#include "xalloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct sink_syslog {
	char *journal, *devlog;
	int fd; /* unconnected: a log daemon that restarts makes a new socket at the same path */
};

struct sink_syslog *sink_syslog_new(const char *journal, const char *devlog)
{
	struct sink_syslog *s = xcalloc(1, sizeof(*s));

	s->journal = xstrdup(journal ? journal : SINK_SYSLOG_JOURNAL);
	s->devlog = xstrdup(devlog ? devlog : SINK_SYSLOG_DEVLOG);
	s->fd = -1;
	return s;
}

void sink_syslog_free(struct sink_syslog *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	free(s->journal);
	free(s->devlog);
	free(s);
}

static int send_to(struct sink_syslog *s, const char *path, struct str bytes)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t len = strlen(path);
	ssize_t n;

	if (len >= sizeof(to.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(to.sun_path, path, len + 1);
	if (s->fd < 0)
		s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->fd < 0)
		return -1;
	n = sendto(s->fd, bytes.p, bytes.len, MSG_NOSIGNAL, (struct sockaddr *)&to, sizeof(to));
	return n < 0 ? -1 : 0;
}

/* No log daemon of that kind here: try the other. */
static bool absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ECONNREFUSED;
}

int sink_syslog_deliver(void *sink, struct str body, struct err *err)
{
	struct sink_syslog *s = sink;
	struct buf line = BUF_INIT;
	const char *path = s->journal;
	int rc = send_to(s, path, body), error = errno;

	if (rc && absent(error)) {
		path = s->devlog;
		notify_syslog_line(body, (long)getpid(), &line);
		rc = send_to(s, path, buf_str(&line));
		error = errno;
		buf_release(&line);
	}
	if (rc == 0)
		return 0;
	if (absent(error))
		return err_set(
			err, "no log daemon: neither %s nor %s answers", s->journal, s->devlog);
	return err_set(err, "%s: %s", path, strerror(error));
}
