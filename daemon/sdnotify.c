#include "str.h"
#include "clock.h"
#include "sdnotify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int tell(const char *state, struct err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	size_t n = path ? strlen(path) : 0;
	ssize_t sent;
	int fd;

	if (n == 0)
		return 0;
	if ((path[0] != '/' && path[0] != '@') || n >= sizeof(to.sun_path))
		return err_set(err, "NOTIFY_SOCKET is neither a path nor an abstract name");
	memcpy(to.sun_path, path, n);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, "cannot make a socket for systemd: %s", strerror(errno));
	/* An abstract name has no NUL at its end, and every byte of the length counts. */
	sent = sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + n));
	if (sent < 0)
		err_set(err, "cannot tell systemd: %s", strerror(errno));
	close(fd);
	return sent < 0 ? -1 : 0;
}

int sdnotify_ready(struct err *err)
{
	return tell("READY=1", err);
}

int sdnotify_stopping(struct err *err)
{
	return tell("STOPPING=1", err);
}

int sdnotify_reloading(struct err *err)
{
	char text[80];

	snprintf(
		text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_mono_ms() * 1000);
	return tell(text, err);
}

int sdnotify_watchdog(struct err *err)
{
	return tell("WATCHDOG=1", err);
}

int sdnotify_status(struct err *err, const char *fmt, ...)
{
	char text[512] = "STATUS=";
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + 7, sizeof(text) - 7, fmt, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = ' ';
	return tell(text, err);
}

uint64_t sdnotify_watchdog_ms(void)
{
	uint64_t usec, pid;

	if (!str_u64(str_of(getenv("WATCHDOG_USEC")), &usec))
		return 0;
	if (getenv("WATCHDOG_PID") &&
		(!str_u64(str_of(getenv("WATCHDOG_PID")), &pid) || pid != (uint64_t)getpid()))
		return 0;
	return usec / 1000;
}
