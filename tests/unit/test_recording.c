#include "buf.h"
#include "recording.h"

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

static char dir[64], about_path[96], bodies_path[96];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/leakwatch-test-recording-XXXXXX");
	if (!mkdtemp(dir) || rmdir(dir) < 0)
		return -1;
	snprintf(about_path, sizeof(about_path), "%s/recording.json", dir);
	snprintf(bodies_path, sizeof(bodies_path), "%s/bodies.gz", dir);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(about_path);
	unlink(bodies_path);
	rmdir(dir);
	return 0;
}

static const struct recording_about about = {.target = "127.0.0.1:6060",
	.pprof_path = "/debug/pprof",
	.metrics_path = "/metrics",
	.interval_ms = 10000,
	.started_ms = 1700000000000};

static void add(struct recording_writer *w, enum recording_kind kind, int64_t at_ms, int status,
	struct str body)
{
	struct recording_entry e = {.kind = kind, .at_ms = at_ms, .status = status, .body = body};
	struct err err = ERR_INIT;

	assert_int_equal(recording_add(w, &e, &err), 0);
}

static void expect(
	struct recording *r, enum recording_kind kind, int64_t at_ms, int status, struct str body)
{
	struct recording_entry e;
	struct err err = ERR_INIT;

	assert_int_equal(recording_next(r, &e, &err), 1);
	assert_int_equal(e.kind, kind);
	assert_true(e.at_ms == at_ms);
	assert_int_equal(e.status, status);
	assert_true(str_eq(e.body, body));
}

static void record_three(void)
{
	struct err err = ERR_INIT;
	struct recording_writer *w = recording_create(dir, &about, &err);
	uint64_t bytes;

	assert_non_null(w);
	add(w, RECORDING_GOROUTINE, 1000, 200, STR("goroutine profile: total 0\n"));
	add(w, RECORDING_METRICS, 1000, 404, STR("with a NUL \0 and\nno end"));
	assert_int_equal(recording_flush(w, &err), 0);
	add(w, RECORDING_GOROUTINE, 900, 0, STR("")); /* a clock that was set back */
	assert_int_equal(recording_close(w, &bytes, &err), 0);
	assert_true(bytes > 20 && bytes < 400);
}

static void test_round_trip(void **state)
{
	struct err err = ERR_INIT;
	struct recording_entry e;
	struct recording *r;
	struct stat st;

	(void)state;
	record_three();
	r = recording_open(dir, &err);
	assert_non_null(r);
	assert_string_equal(recording_about(r)->target, "127.0.0.1:6060");
	assert_string_equal(recording_about(r)->pprof_path, "/debug/pprof");
	assert_string_equal(recording_about(r)->metrics_path, "/metrics");
	assert_int_equal(recording_about(r)->interval_ms, 10000);
	assert_true(recording_about(r)->started_ms == 1700000000000);
	assert_int_equal(recording_about(r)->scrapes, 2);
	expect(r, RECORDING_GOROUTINE, 1000, 200, STR("goroutine profile: total 0\n"));
	expect(r, RECORDING_METRICS, 1000, 404, STR("with a NUL \0 and\nno end"));
	expect(r, RECORDING_GOROUTINE, 1000, 0, STR(""));
	assert_int_equal(recording_next(r, &e, &err), 0);
	assert_int_equal(recording_next(r, &e, &err), 0);
	recording_free(r);
	/* Only its owner may read it. */
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(stat(bodies_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(stat(about_path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	/* It is not written over. */
	assert_null(recording_create(dir, &about, &err));
	assert_non_null(strstr(err.msg, "holds a recording already"));
}

/* Cut at every length, as a crash or a full disk leaves it: whole entries are read, then the cut is
 * told or the end comes; nothing else. */
static void test_cut_anywhere(void **state)
{
	struct err err = ERR_INIT;
	struct recording_entry e;
	struct recording *r;
	struct stat st;
	bool told = false;

	(void)state;
	record_three();
	assert_int_equal(stat(bodies_path, &st), 0);
	for (off_t size = st.st_size - 1; size >= 0; size--) {
		int n = 0, rc;

		assert_int_equal(truncate(bodies_path, size), 0);
		r = recording_open(dir, &err);
		assert_non_null(r);
		while ((rc = recording_next(r, &e, &err)) > 0)
			n++;
		assert_true(n <= 3);
		told |= rc < 0 && strstr(err.msg, "was cut short");
		recording_free(r);
	}
	assert_true(told);
}

static void put(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_not_a_recording(void **state)
{
	static const struct {
		const char *json, *bodies, *why;
	} rows[] = {
		{NULL, NULL, "holds no recording"},
		{"{\"version\":1", "", "is not readable"},
		{"[]", "", "has version 0; this program reads version 1"},
		{"{\"version\":2}", "", "has version 2; this program reads version 1"},
		{"{\"version\":1}", NULL, "cannot open"},
	};
	static const char *const bodies[] = {
		"something else\n",
		"goroutine x 200 5\nhello\n",
		"goroutine 1 200 999999999999\nhello\n", /* over RECORDING_BODY_MAX */
		"goroutine 1 200 100000000\nhello\n", /* a length that is a lie */
		"goroutine 1 200 5\nhello, there\n",
		"heap 1 200 5\nhello\n",
		"goroutine 1 200 -1\nhello\n",
	};

	(void)state;
	mkdir(dir, 0700);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		unlink(about_path);
		unlink(bodies_path);
		if (rows[i].json)
			put(about_path, rows[i].json);
		if (rows[i].bodies)
			put(bodies_path, rows[i].bodies);
		if (recording_open(dir, &err) || !strstr(err.msg, rows[i].why))
			fail_msg("row %zu: \"%s\"", i, err.msg);
	}
	put(about_path, "{\"version\":1}");
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct err err = ERR_INIT;
		struct recording_entry e;
		struct recording *r;

		put(bodies_path, bodies[i]); /* zlib reads plain text too */
		r = recording_open(dir, &err);
		assert_non_null(r);
		if (recording_next(r, &e, &err) != -1 || !err.msg[0])
			fail_msg("bodies %zu are taken", i);
		recording_free(r);
	}
}

static void test_strip_arguments(void **state)
{
	static const struct {
		const char *in, *out, *what;
	} rows[] = {
		{"main.f(0xc000012340, {0x1, 0x2}, 0x3?)\n", "main.f(...)\n", "words, a struct"},
		{"main.(*T).f(0x1)\n", "main.(*T).f(...)\n", "a method"},
		{"main.f[...](0x1)\n", "main.f[...](...)\n", "a generic function"},
		{"main.f()\n", "main.f()\n", "no arguments"},
		{"main.f(...)\n", "main.f(...)\n", "inlined"},
		{"goroutine 7 [select, 2 minutes, locked to thread]:\n",
			"goroutine 7 [select, 2 minutes, locked to thread]:\n", "a header"},
		{"goroutine 7 [chan receive (leaked)]:\n", "goroutine 7 [chan receive (leaked)]:\n",
			"a header with parentheses"},
		{"\t/src/a(1).go:12 +0x1c\n", "\t/src/a(1).go:12 +0x1c\n", "a file"},
		{"created by main.(*T).f in goroutine 1\n",
			"created by main.(*T).f in goroutine 1\n", "a creator"},
		{"created by main.(*T)\n", "created by main.(*T)\n", "looks like arguments"},
		{"", "", "nothing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;

		recording_strip_arguments(str_of(rows[i].in), &out);
		if (strcmp(out.p, rows[i].out) != 0)
			fail_msg("%s: \"%s\"", rows[i].what, out.p);
		buf_release(&out);
	}
}

/* Recorded at 1000, served from 5000 on, ten times as fast. */
static void test_shift_start(void **state)
{
	static const struct {
		const char *in, *out, *what;
	} rows[] = {
		{"process_start_time_seconds 900\n", "process_start_time_seconds 4990.000\n",
			"100 s of uptime become 10"},
		{"process_start_time_seconds{a=\"b } c\"} 9.5e+02\n",
			"process_start_time_seconds{a=\"b } c\"} 4995.000\n", "with labels"},
		{"process_start_time_seconds 1100 1700000000000\n",
			"process_start_time_seconds 5010.000\n", "started later; a time stamp"},
		{"process_start_time_seconds NaN-ish\n", "process_start_time_seconds NaN-ish\n",
			"no number"},
		{"process_start_time_seconds{ 900\n", "process_start_time_seconds{ 900\n",
			"labels without an end"},
		{"# TYPE process_start_time_seconds gauge\n",
			"# TYPE process_start_time_seconds gauge\n", "a comment"},
		{"process_start_time_seconds_x 900\n", "process_start_time_seconds_x 900\n",
			"another name"},
		{"go_goroutines 7\n", "go_goroutines 7\n", "another metric"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = BUF_INIT;

		recording_shift_start(str_of(rows[i].in), 1000, 5000, 10, &out);
		if (strcmp(out.p, rows[i].out) != 0)
			fail_msg("%s: \"%s\"", rows[i].what, out.p);
		buf_release(&out);
	}
}

int main(void)
{
#define IN_DIR(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_DIR(test_round_trip),
		IN_DIR(test_cut_anywhere),
		IN_DIR(test_not_a_recording),
		cmocka_unit_test(test_strip_arguments),
		cmocka_unit_test(test_shift_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
