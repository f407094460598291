/* hostfds: the census of this test's own process. */
#include "hostfds.h"
#include "xalloc.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define CLIENTS 20

static int unix_socket(const char *path, bool listens)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	if (listens) {
		assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
		assert_int_equal(listen(fd, CLIENTS), 0);
	} else {
		assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	}
	return fd;
}

/* Another process accepts, and says so. */
static pid_t serve(int server, int say)
{
	pid_t child = fork();

	if (child)
		return child;
	while (accept(server, NULL, NULL) >= 0) {
		if (write(say, "", 1) != 1)
			break;
	}
	_exit(0);
}

/* The client's ends alone: their names are in no table of /proc, only sock_diag tells the peer. */
static void test_clients_of_a_unix_socket(void **state)
{
	char folder[] = "/tmp/hostfds.XXXXXX", path[64], name[80];
	int server, fds[CLIENTS], pair[2], more[2];
	struct census *before, *after;
	struct buf out = BUF_INIT;
	struct err err;
	pid_t child;
	char byte;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/s.sock", folder);
	snprintf(name, sizeof(name), "unix %s", path);
	server = unix_socket(path, true);
	assert_int_equal(pipe(pair), 0);
	child = serve(server, pair[1]);
	close(server);
	before = hostfds_census("", getpid(), &err);
	assert_non_null(before);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = unix_socket(path, false);
		/* Until it is accepted, the other end has no name. */
		assert_int_equal(read(pair[0], &byte, 1), 1);
	}
	assert_int_equal(pipe(more), 0);
	after = hostfds_census("", getpid(), &err);
	assert_non_null(after);
	assert_int_equal(census_total(after), census_total(before) + CLIENTS + 2);
	assert_int_equal(census_count(after, STR("pipes")), census_count(before, STR("pipes")) + 2);
	census_words(before, after, &out);
	snprintf(path, sizeof(path), "%d of %d new descriptors: ", CLIENTS, CLIENTS + 2);
	assert_true(str_starts(buf_str(&out), str_of(path)));
	assert_true(str_ends(buf_str(&out), str_of(name)));
	for (int i = 0; i < CLIENTS; i++)
		close(fds[i]);
	close(more[0]);
	close(more[1]);
	close(pair[0]);
	close(pair[1]);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	snprintf(path, sizeof(path), "%s/s.sock", folder);
	unlink(path);
	rmdir(folder);
	buf_release(&out);
	census_free(before);
	census_free(after);
}

static void test_tcp(void **state)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
	int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), client, accepted;
	socklen_t len = sizeof(a);
	char name[64];
	struct census *c;
	struct err err;

	(void)state;
	assert_int_equal(bind(server, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(server, 4), 0);
	assert_int_equal(getsockname(server, (struct sockaddr *)&a, &len), 0);
	client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(client, (struct sockaddr *)&a, sizeof(a)), 0);
	accepted = accept(server, NULL, NULL);
	c = hostfds_census("", getpid(), &err);
	assert_non_null(c);
	snprintf(name, sizeof(name), "tcp listening on :%u", ntohs(a.sin_port));
	assert_int_equal(census_count(c, str_of(name)), 1);
	snprintf(name, sizeof(name), "tcp clients of :%u", ntohs(a.sin_port));
	assert_int_equal(census_count(c, str_of(name)), 1);
	snprintf(name, sizeof(name), "tcp 127.0.0.1:%u", ntohs(a.sin_port));
	assert_int_equal(census_count(c, str_of(name)), 1);
	close(client);
	close(accepted);
	close(server);
	census_free(c);
}

static void test_nobody(void **state)
{
	struct err err = ERR_INIT;

	(void)state;
	assert_null(hostfds_census("", 4194304, &err));
	assert_non_null(strstr(err.msg, "/proc/4194304/fd"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clients_of_a_unix_socket),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
