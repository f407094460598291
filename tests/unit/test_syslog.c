/* notify_syslog, sink_syslog: fields and lines, and real sockets that take them. */
#include "notify_syslog.h"
#include "sink_syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

static struct alert make_alert(enum alert_state state)
{
	struct alert a = {.id = "0123456789abcdef", .kind = ALERT_GOROUTINE_LEAK, .state = state};

	snprintf(a.reason, sizeof(a.reason), "gone since the restart");
	alert_labels_put(&a.labels, STR("job"), STR("shop"));
	alert_labels_put(&a.labels, STR("class"), STR("main.f\nPRIORITY=0"));
	alert_labels_put(&a.labels, STR("severity"), STR("page"));
	alert_labels_put_text(
		&a.annotations, STR("summary"), STR("grows by 30/h\nMESSAGE=forged %s%n"));
	alert_labels_put_text(
		&a.annotations, STR("example_stack"), STR("main.f a.go:1\nmain.g b.go:2\n"));
	return a;
}

static size_t count_lines(const char *text, const char *start)
{
	size_t n = 0, len = strlen(start);

	for (const char *p = text; p; p = strchr(p, '\n'), p = p ? p + 1 : NULL)
		n += strncmp(p, start, len) == 0;
	return n;
}

/* Names from a scraped process make no field of their own. */
static void test_fields(void **state)
{
	struct alert a = make_alert(ALERT_FIRING);
	struct buf b = BUF_INIT, line = BUF_INIT;

	(void)state;
	notify_syslog(&a, STR("http://w:1/"), notify_syslog_facility(STR("daemon")), &b);
	assert_int_equal(count_lines(b.p, "MESSAGE=FIRING GoroutineLeak [leakwatch alerts show "
					  "0123456789abcdef]: grows by 30/h MESSAGE=forged"),
		1);
	assert_int_equal(
		count_lines(b.p, "LEAKWATCH_PAGE=http://w:1/alerts/0123456789abcdef\n"), 1);
	assert_int_equal(
		count_lines(b.p, "LEAKWATCH_EXAMPLE_STACK=main.f a.go:1; main.g b.go:2\n"), 1);
	assert_int_equal(count_lines(b.p, "MESSAGE="), 1);
	assert_int_equal(count_lines(b.p, "PRIORITY="), 1);
	assert_int_equal(count_lines(b.p, "PRIORITY=2\n"), 1);
	assert_int_equal(count_lines(b.p, "SYSLOG_FACILITY=3\n"), 1);
	assert_int_equal(count_lines(b.p, "LEAKWATCH_LABEL_JOB=shop\n"), 1);
	assert_int_equal(count_lines(b.p, "LEAKWATCH_ID=0123456789abcdef\n"), 1);
	notify_syslog_line(buf_str(&b), 42, &line);
	assert_int_equal(
		strncmp(line.p, "<26>leakwatch[42]: FIRING GoroutineLeak [leakwatch", 50), 0);
	assert_null(strchr(line.p, '\n'));
	buf_release(&b);
	buf_release(&line);
	alert_release(&a);
}

static void test_resolved(void **state)
{
	struct alert a = make_alert(ALERT_RESOLVED);
	struct buf b = BUF_INIT;

	(void)state;
	notify_syslog(&a, STR(""), 16, &b);
	assert_int_equal(count_lines(b.p, "PRIORITY=5\n"), 1);
	assert_int_equal(count_lines(b.p, "LEAKWATCH_STATE=resolved\n"), 1);
	assert_non_null(strstr(b.p, "gone since the restart"));
	buf_release(&b);
	alert_release(&a);
}

/* 64 KiB wherever an outsider can put it, of bytes that would end a field or a line. */
static void test_hostile(void **state)
{
	static const char bytes[] = {'\n', '\r', '\0', '\x1b', '=', '%', '"', 'x', '\xff'};
	static char big[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		struct alert a = make_alert(ALERT_FIRING);
		struct buf b = BUF_INIT, line = BUF_INIT;
		size_t lines = 0;

		memset(big, bytes[i], sizeof(big));
		alert_labels_put(&a.labels, str_n(big, sizeof(big)), str_n(big, sizeof(big)));
		alert_labels_put(&a.labels, STR("class"), str_n(big, sizeof(big)));
		alert_labels_put_text(&a.annotations, STR("description"), str_n(big, sizeof(big)));
		alert_labels_put_text(
			&a.annotations, STR("example_stack"), str_n(big, sizeof(big)));
		notify_syslog(&a, STR(""), 3, &b);
		for (size_t k = 0; k < b.len; k++)
			lines += b.p[k] == '\n';
		/* MESSAGE to LEAKWATCH_ID, the stack, the labels: a line each */
		assert_int_equal(lines, 8 + a.labels.n);
		assert_int_equal(count_lines(b.p, "MESSAGE="), 1);
		assert_true(b.len < 40000);
		notify_syslog_line(buf_str(&b), 42, &line);
		assert_true(line.len <= NOTIFY_SYSLOG_LINE_MAX);
		for (size_t k = 0; k < line.len; k++)
			assert_true((unsigned char)line.p[k] >= ' ' && line.p[k] != 127);
		buf_release(&b);
		buf_release(&line);
		alert_release(&a);
	}
}

static int listen_at(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	return fd;
}

static void receive(int fd, char *out, size_t size)
{
	ssize_t n = recv(fd, out, size - 1, MSG_DONTWAIT);

	out[n < 0 ? 0 : n] = '\0';
}

/* journald where it is, /dev/log where it is not, never both; neither is an error that says so. */
static void test_sockets(void **state)
{
	char dir[] = "/tmp/test_syslog.XXXXXX", journal[64], devlog[64], got[4096];
	struct str body = STR("MESSAGE=hello\nPRIORITY=4\nSYSLOG_FACILITY=3\n");
	struct sink_syslog *s;
	struct err err = ERR_INIT;
	int j, d;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(journal, sizeof(journal), "%s/journal", dir);
	snprintf(devlog, sizeof(devlog), "%s/log", dir);
	s = sink_syslog_new(journal, devlog);
	assert_int_equal(sink_syslog_deliver(s, body, &err), -1);
	assert_non_null(strstr(err.msg, "no log daemon"));

	d = listen_at(devlog);
	assert_int_equal(sink_syslog_deliver(s, body, &err), 0);
	receive(d, got, sizeof(got));
	assert_int_equal(strncmp(got, "<28>leakwatch[", 14), 0);
	assert_non_null(strstr(got, "]: hello"));

	j = listen_at(journal);
	assert_int_equal(sink_syslog_deliver(s, body, &err), 0);
	receive(j, got, sizeof(got));
	assert_string_equal(got, body.p);
	receive(d, got, sizeof(got));
	assert_string_equal(got, "");

	/* Nobody reads: it neither blocks nor pretends. */
	for (int i = 0; i < 100000 && sink_syslog_deliver(s, body, &err) == 0; i++)
		err.msg[0] = '\0';
	assert_int_not_equal(err.msg[0], '\0');

	/* The log daemon restarts: a new socket at the same path. */
	close(j);
	unlink(journal);
	j = listen_at(journal);
	assert_int_equal(sink_syslog_deliver(s, body, &err), 0);
	close(j);
	close(d);
	unlink(journal);
	unlink(devlog);
	rmdir(dir);
	sink_syslog_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_resolved),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_sockets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
