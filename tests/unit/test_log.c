#include "log.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static int pipe_fds[2];

static int open_pipe(void **state)
{
	(void)state;
	return pipe2(pipe_fds, O_NONBLOCK | O_CLOEXEC);
}

static int close_pipe(void **state)
{
	(void)state;
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was logged since the last call. */
static const char *logged(void)
{
	static char text[65536];
	ssize_t n = read(pipe_fds[0], text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void test_lines(void **state)
{
	const char *line;
	char *big = malloc(LOG_LINE_MAX + 100);

	(void)state;
	log_open(pipe_fds[1], LEVEL_INFO, true);
	log_msg(LEVEL_WARNING, "target %s", "a\nb");
	assert_string_equal(logged(), "<4>target a\\nb\n");
	log_msg(LEVEL_WARNING, "%s", "<3>\x1b[31m \xff \u202e %s");
	assert_string_equal(logged(), "<4><3>\\x1b[31m \\xff \\u202e %s\n");
	log_msg(LEVEL_DEBUG, "too quiet");
	assert_string_equal(logged(), "");
	log_set_level(LEVEL_DEBUG);
	log_msg(LEVEL_DEBUG, "loud enough");
	assert_string_equal(logged(), "<7>loud enough\n");

	memset(big, 'x', LOG_LINE_MAX + 99);
	big[LOG_LINE_MAX + 99] = '\0';
	log_msg(LEVEL_ERROR, "%s", big);
	free(big);
	line = logged();
	assert_int_equal(strlen(line), 3 + LOG_LINE_MAX - 1 + 1);
	assert_string_equal(line + strlen(line) - 5, "x...\n");

	log_open(pipe_fds[1], LEVEL_INFO, false);
	log_msg(LEVEL_NOTICE, "hello");
	line = logged();
	assert_int_equal(strlen(line), strlen("2026-01-02T03:04:05.678Z notice: hello\n"));
	assert_string_equal(line + 23, "Z notice: hello\n");
	assert_true(line[4] == '-' && line[10] == 'T' && line[19] == '.');
}

/* A broken target can say the same thing LOG_LIMIT_BURST times, then it is counted. */
static void test_limit(void **state)
{
	struct log_limit *limit = calloc(1, sizeof(*limit));
	uint32_t left_out;
	int passed = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		passed += log_limit_pass(limit, 7, 1000 + (uint64_t)i, &left_out);
	assert_int_equal(passed, LOG_LIMIT_BURST);
	assert_true(log_limit_pass(limit, 8, 1100, &left_out)); /* another key */
	assert_int_equal(left_out, 0);
	assert_false(log_limit_pass(limit, 7, 999 + LOG_LIMIT_MS, &left_out));
	assert_true(log_limit_pass(limit, 7, 1000 + LOG_LIMIT_MS, &left_out));
	assert_int_equal(left_out, 100 - LOG_LIMIT_BURST + 1);
	assert_true(log_limit_pass(limit, 7, 1001 + LOG_LIMIT_MS, &left_out));
	assert_int_equal(left_out, 0);
	free(limit);
}

static void test_limited_lines(void **state)
{
	const char *p;
	int lines = 0;

	(void)state;
	log_open(pipe_fds[1], LEVEL_INFO, true);
	for (int i = 0; i < 50; i++)
		log_limited(LEVEL_WARNING, "scrape shop/a", "no answer, try %d", i);
	log_limited(LEVEL_WARNING, "scrape shop/b", "no answer");
	for (p = logged(); *p; p++)
		lines += *p == '\n';
	assert_int_equal(lines, LOG_LIMIT_BURST + 1);
}

static void test_journald_stream(void **state)
{
	struct stat st;
	char env[64];

	(void)state;
	assert_int_equal(fstat(pipe_fds[1], &st), 0);
	snprintf(env, sizeof(env), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_true(log_is_journald(pipe_fds[1], env));
	assert_false(log_is_journald(STDIN_FILENO, env)); /* redirected since */
	assert_false(log_is_journald(pipe_fds[1], "1:2"));
	assert_false(log_is_journald(pipe_fds[1], "nonsense"));
	assert_false(log_is_journald(pipe_fds[1], NULL));
}

static void test_level_names(void **state)
{
	enum log_level l;

	(void)state;
	for (enum log_level i = LEVEL_ERROR; i <= LEVEL_DEBUG; i++) {
		assert_true(log_level_of_name(str_of(log_level_name(i)), &l));
		assert_int_equal(l, i);
	}
	assert_false(log_level_of_name(STR("loud"), &l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_limited_lines),
		cmocka_unit_test(test_journald_stream),
		cmocka_unit_test(test_level_names),
	};

	return cmocka_run_group_tests(tests, open_pipe, close_pipe);
}
