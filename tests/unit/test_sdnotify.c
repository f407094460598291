#include "sdnotify.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

struct systemd {
	int fd;
	char path[80], got[600];
};

/* A datagram socket as systemd's; name begins with '@' for an abstract one. */
static void listen_at(struct systemd *s, const char *name)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	size_t n = strlen(name);

	snprintf(s->path, sizeof(s->path), "%s", name);
	memcpy(at.sun_path, name, n);
	if (name[0] == '@')
		at.sun_path[0] = '\0';
	else
		unlink(name);
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(s->fd, (struct sockaddr *)&at,
				 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)),
		0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void stop(struct systemd *s)
{
	close(s->fd);
	if (s->path[0] != '@')
		unlink(s->path);
	unsetenv("NOTIFY_SOCKET");
}

static const char *heard(struct systemd *s)
{
	ssize_t n = recv(s->fd, s->got, sizeof(s->got) - 1, 0);

	s->got[n > 0 ? n : 0] = '\0';
	return s->got;
}

static void say_everything(struct systemd *s)
{
	struct err err = ERR_INIT;

	assert_int_equal(sdnotify_ready(&err), 0);
	assert_string_equal(heard(s), "READY=1");
	assert_int_equal(sdnotify_status(&err, "%d targets,\n%s", 3, "2 up"), 0);
	assert_string_equal(heard(s), "STATUS=3 targets, 2 up");
	assert_int_equal(sdnotify_watchdog(&err), 0);
	assert_string_equal(heard(s), "WATCHDOG=1");
	assert_int_equal(sdnotify_reloading(&err), 0);
	assert_int_equal(strncmp(heard(s), "RELOADING=1\nMONOTONIC_USEC=", 27), 0);
	assert_int_equal(sdnotify_stopping(&err), 0);
	assert_string_equal(heard(s), "STOPPING=1");
	assert_string_equal(heard(s), "");
}

static void test_socket_with_a_path(void **state)
{
	struct systemd s;
	char name[60];

	(void)state;
	snprintf(name, sizeof(name), "/tmp/leakwatch-test-notify-%d", (int)getpid());
	listen_at(&s, name);
	say_everything(&s);
	stop(&s);
}

static void test_abstract_socket(void **state)
{
	struct systemd s;
	char name[60];

	(void)state;
	snprintf(name, sizeof(name), "@leakwatch-test-notify-%d", (int)getpid());
	listen_at(&s, name);
	say_everything(&s);
	stop(&s);
}

static void test_without_systemd(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(sdnotify_ready(&err), 0);
	assert_int_equal(sdnotify_status(&err, "x"), 0);
	setenv("NOTIFY_SOCKET", "", 1);
	assert_int_equal(sdnotify_ready(&err), 0);
	unsetenv("NOTIFY_SOCKET");
}

static void test_wrong_sockets(void **state)
{
	char too_long[120] = "/";
	const char *const rows[] = {
		"relative/path",
		"/tmp/leakwatch-test-nobody-listens",
		too_long,
	};

	(void)state;
	memset(too_long + 1, 'a', sizeof(too_long) - 2);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		setenv("NOTIFY_SOCKET", rows[i], 1);
		assert_int_equal(sdnotify_ready(&err), -1);
		assert_true(err.msg[0] != '\0');
	}
	unsetenv("NOTIFY_SOCKET");
}

static void test_watchdog(void **state)
{
	char pid[20];

	(void)state;
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	assert_int_equal(sdnotify_watchdog_ms(), 0);
	setenv("WATCHDOG_USEC", "30000000", 1);
	assert_int_equal(sdnotify_watchdog_ms(), 30000);
	setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
	assert_int_equal(sdnotify_watchdog_ms(), 0);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	assert_int_equal(sdnotify_watchdog_ms(), 30000);
	setenv("WATCHDOG_USEC", "often", 1);
	assert_int_equal(sdnotify_watchdog_ms(), 0);
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_socket_with_a_path),
		cmocka_unit_test(test_abstract_socket),
		cmocka_unit_test(test_without_systemd),
		cmocka_unit_test(test_wrong_sockets),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
