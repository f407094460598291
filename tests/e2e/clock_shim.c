/*
 * For test_clock.py: the wall clock of one process, set by as many seconds as the file says that
 * CLOCK_SHIM names.  The monotonic clock is left alone.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	int rc = (int)syscall(SYS_clock_gettime, id, t), fd;
	const char *path = getenv("CLOCK_SHIM");
	char text[32] = "";

	if (rc || id != CLOCK_REALTIME || !path)
		return rc;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		if (read(fd, text, sizeof(text) - 1) > 0)
			t->tv_sec += atol(text);
		close(fd);
	}
	return rc;
}
