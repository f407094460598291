/* memory: which part of a process's memory grows, and what it is called. */
#include "memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB 1048576.0
#define ALL 12

struct row {
	const char *stands_for;
	/* MiB at the beginning, and how many come an hour; NAN: not told.  anon, cache, shmem,
	 * kernel, charged, rss, rss anon, rss file, heap, stack, idle, all of Go. */
	double first[ALL], per_hour[ALL];
	double goroutines_mib; /* held by leaked ones after ten hours */
	const char *words;
};

#define NO_CGROUP NAN, NAN, NAN, NAN, NAN

static const struct row rows[] = {
	{"nothing grows", {100, 500, 0, 10, 610, 90, 80, 10, 40, 4, 10, 60}, {0}, NAN, ""},
	{"page cache", {100, 500, 0, 10, 610, 90, 80, 10, 40, 4, 10, 60}, {0, 200, 0, 0, 200}, NAN,
		"Page cache grew by 1.8 GiB in 9 h 20 min: no leak, the kernel takes it back when "
		"memory "
		"is wanted."},
	{"the Go heap", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{20, 0, 0, 0, 20, 20, 20, 0, 20, 0, 0, 20}, NAN,
		"Anonymous memory grew by 187 MiB in 9 h 20 min: 187 MiB Go heap and stacks in "
		"use."},
	{"goroutines, and a heap beside them", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{20, 0, 0, 0, 20, 20, 20, 0, 12, 8, 0, 20}, 150,
		"Anonymous memory grew by 187 MiB in 9 h 20 min: 150 MiB leaked goroutines, 37 MiB "
		"other "
		"Go heap and stacks in use."},
	{"free, and not returned", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{20, 0, 0, 0, 20, 20, 20, 0, 0, 0, 20, 20}, NAN,
		"Anonymous memory grew by 187 MiB in 9 h 20 min: 187 MiB free in Go's heap, not "
		"returned "
		"to the system yet."},
	{"outside of Go", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{20, 0, 0, 0, 20, 20, 20, 0, 2, 0, 0, 2}, NAN,
		"Anonymous memory grew by 187 MiB in 9 h 20 min: 168 MiB "
		"outside of Go (cgo, C libraries, mmap)."},
	{"another process", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{20, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0}, NAN,
		"Anonymous memory grew by 187 MiB in 9 h 20 min: 187 MiB other processes of the "
		"cgroup."},
	{"without metrics", {100, 50, 0, 10, 160, 90, 80, 10, NAN, NAN, NAN, NAN},
		{20, 0, 0, 0, 20, 20, 20}, NAN, "Anonymous memory grew by 187 MiB in 9 h 20 min."},
	{"a process without a cgroup; mapped files", {NO_CGROUP, 90, 80, 10, 40, 4, 10, 60},
		{0, 0, 0, 0, 0, 30, 0, 30}, NAN,
		"Mapped files grew by 280 MiB in 9 h 20 min: no leak, the kernel takes them back "
		"when "
		"memory is wanted."},
	{"shared memory and the kernel", {100, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60},
		{0, 0, 10, 10, 20}, NAN,
		"Shared memory (tmpfs, /dev/shm) grew by 93 MiB in 9 h 20 min: it counts against "
		"the "
		"limit, and goes when its files are deleted. Kernel memory grew by 93 MiB in 9 h "
		"20 min: "
		"sockets, open files, page tables."},
	{"a growth that is small beside what there is",
		{100000, 50, 0, 10, 160, 90, 80, 10, 40, 4, 10, 60}, {100}, NAN, ""},
};

/* Ten hours, a sample each 30 s; the collector's saw-tooth on top of heap and idle. */
static struct memory *played(const struct row *r, double hours)
{
	struct memory *m = memory_new(120);

	for (double t = 0; t <= hours * 3600; t += 30) {
		double v[MEMORY_PARTS];

		for (int i = 0; i < MEMORY_PARTS; i++)
			v[i] = (r->first[i] + r->per_hour[i] * t / 3600) * MIB;
		memory_sample(m, 1e9 + t, v);
	}
	return m;
}

static void test_words(void **state)
{
	(void)state;
	assert_int_equal(MEMORY_PARTS, ALL);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct memory *m = played(&rows[i], 10);
		struct memory_growth g;
		struct buf out = BUF_INIT;

		assert_true(memory_growth(m, NAN, &g));
		memory_words(&g, rows[i].goroutines_mib * MIB, &out);
		if (!str_is(buf_str(&out), rows[i].words))
			fail_msg("%s: %s", rows[i].stands_for, out.len ? out.p : "nothing");
		buf_release(&out);
		memory_free(m);
	}
}

static void test_since(void **state)
{
	struct memory *m = played(&rows[2], 40);
	struct memory_growth g;

	(void)state;
	assert_true(memory_growth(m, 1e9 + 30 * 3600, &g));
	assert_true(g.over_s > 6 * 3600 && g.over_s < 12 * 3600);
	assert_true(fabs(g.grown[MEMORY_ANON] / MIB - g.over_s / 180) < 1);
	memory_reset(m);
	assert_false(memory_growth(m, NAN, &g)); /* another process: nothing is known */
	memory_free(m);
	memory_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_since),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
