/* memstat: the kernel's words about memory. */
#include "memstat.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool same(double a, double b)
{
	return a == b || (isnan(a) && isnan(b));
}

static void test_cgroup(void **state)
{
	static const struct {
		const char *stands_for;
		enum memstat_version version;
		const char *text;
		double anon, cache, shmem, kernel;
	} rows[] = {
		{"v2 of Linux 6", MEMSTAT_V2,
			"anon 100\nfile 60\nkernel 7\nkernel_stack 1\nsock 3\nshmem 20\nslab 5\n",
			100, 40, 20, 10},
		{"v2 before 5.18: parts of the kernel's", MEMSTAT_V2,
			"anon 100\nfile 60\nkernel_stack 1\npagetables 2\nsock 3\nshmem 20\nslab "
			"5\n",
			100, 40, 20, 11},
		{"v1: the hierarchy counts", MEMSTAT_V1,
			"cache 9\nrss 8\nshmem 1\ntotal_cache 90\ntotal_rss 80\ntotal_shmem 10\n",
			80, 80, 10, NAN},
		{"v1 without a hierarchy", MEMSTAT_V1, "cache 9\nrss 8\n", 8, 9, NAN, NAN},
		{"lines that are none, numbers that are none, no end", MEMSTAT_V2,
			"anon\n anon 5\nanon 12x\nfile -3\nshmem 99999999999999999999999\nfile 6",
			NAN, 6, NAN, NAN},
		{"nothing", MEMSTAT_V2, "", NAN, NAN, NAN, NAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct memstat_cgroup m;

		memstat_cgroup_init(&m);
		memstat_cgroup_read(&m, str_of(rows[i].text), rows[i].version);
		assert_true(same(m.anon, rows[i].anon));
		assert_true(same(m.cache, rows[i].cache));
		assert_true(same(m.shmem, rows[i].shmem));
		assert_true(same(m.kernel, rows[i].kernel));
		assert_true(isnan(m.current) && isnan(m.max));
	}
}

static void test_number(void **state)
{
	(void)state;
	assert_true(memstat_number(STR("4096\n")) == 4096);
	assert_true(isinf(memstat_number(STR("max\n"))));
	assert_true(isinf(memstat_number(STR("9223372036854771712\n")))); /* v1: no limit */
	assert_true(isnan(memstat_number(STR("")))); /* no file */
	assert_true(isnan(memstat_number(STR("12 kB"))));
}

static void test_status(void **state)
{
	struct memstat_process p;

	(void)state;
	memstat_status_read(
		&p, STR("Name:\ta:b VmRSS:\t1 kB\nUid:\t998\t0\t0\t0\nFDSize:\t256\nVmRSS:\t    "
			"100 kB\n"
			"RssAnon:\t 60 kB\nRssFile:\t 30 kB\nRssShmem:\t 10 kB\nThreads:\t7\n"));
	assert_true(p.rss == 102400 && p.anon == 61440 && p.file == 30720 && p.shmem == 10240);
	assert_true(p.threads == 7 && p.fd_size == 256);
	assert_int_equal(p.uid, 998);
	memstat_status_read(&p, STR("Name:\tkthread\nThreads:\t1\nVmRSS:\t12 MB\nUid:\tx\n"));
	assert_true(isnan(p.rss) && isnan(p.anon) && p.uid == -1);
}

static void test_path(void **state)
{
	static const struct {
		const char *text, *path;
		enum memstat_version which;
	} rows[] = {
		{"0::/system.slice/x.service\n", "/system.slice/x.service", MEMSTAT_V2},
		{"4:memory:/docker/abc\n0::/\n", "/docker/abc", MEMSTAT_V1}, /* hybrid */
		{"0::/user\n4:memory:/docker/abc\n", "/docker/abc", MEMSTAT_V1},
		{"5:cpu,memory:/a\n", "/a", MEMSTAT_V1},
		{"5:memory,cpu:/a:b\n", "/a:b", MEMSTAT_V1}, /* a path may hold a colon */
		{"3:cpu:/a\n", "", MEMSTAT_NONE},
		{"4:memory:relative\nnonsense\n\n", "", MEMSTAT_NONE},
	};
	enum memstat_version which;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(
			str_is(memstat_cgroup_path(str_of(rows[i].text), &which), rows[i].path));
		assert_int_equal(which, rows[i].which);
	}
}

static void test_start(void **state)
{
	(void)state;
	/* The name in brackets holds brackets and spaces. */
	assert_true(memstat_started(STR("7 (a) b (c)) S 1 7 7 0 -1 4 5 0 3 0 10 3 0 0 20 0 12 0 "
					"12345 18 9"),
			    100) == 123.45);
	assert_true(isnan(memstat_started(STR("7 (a) S 1 2"), 100)));
	assert_true(isnan(memstat_started(STR(""), 100)));
	assert_true(memstat_boot(STR("cpu 1\nbtime 1700000000\n")) == 1700000000);
	assert_true(isnan(memstat_boot(STR("cpu 1\n"))));
}

static void test_names(void **state)
{
	static const struct {
		const char *name, *wanted;
		bool fits;
	} rows[] = {
		{"checkout.service", "checkout.service", true},
		{"checkout.service", "checkout", true},
		{"checkout.slice", "checkout", false},
		{"my-checkout.service", "checkout", false},
		{"docker-3f4e8d1c9b7a6051.scope", "3f4e8d1c9b7a", true},
		{"cri-containerd-3f4e8d1c9b7a6051.scope", "3f4e8d1c9b7a6051", true},
		{"3f4e8d1c9b7a6051", "3f4e8d1c9b7a", true}, /* docker's cgroupfs driver */
		{"docker-3f4e8d1c9b7a6051.scope", "3f4e8d1c", false}, /* too short to be sure */
		{"docker-3f4e8d1c9b7a6051.scope", "8d1c9b7a6051", false}, /* not its beginning */
		{"abcdefabcdef.service", "abcdefabcdef", true},
		{"x", "", false},
		{"docker-.scope", "3f4e8d1c9b7a", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(
			memstat_names(str_of(rows[i].name), str_of(rows[i].wanted)), rows[i].fits);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cgroup),
		cmocka_unit_test(test_number),
		cmocka_unit_test(test_status),
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
