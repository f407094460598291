/* hostmem: processes and cgroups found and read, on trees laid out as hosts have them
 * (fixtures/cgroup), and on this host itself. */
#include "hostmem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB 1048576.0

struct row {
	const char *stands_for, *tree, *cgroup;
	int pid;
	double started; /* NAN: not known */
	/* right */
	enum memstat_version version;
	const char *found;
	int found_pid;
	double anon_mib, cache_mib, max_mib, rss_anon_mib; /* NAN: not there */
	bool hybrid;
	const char *why; /* part of it */
};

#define DOCKER "3f4e8d1c9b7a6051e2d3c4b5a69788796a5b4c3d2e1f00112233445566778899"
#define POD                                                                                        \
	"/kubepods.slice/kubepods-burstable.slice/"                                                \
	"kubepods-burstable-pod1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901.slice/"                        \
	"cri-containerd-b7c1d2e3f40516273849a5b6c7d8e9f00f1e2d3c4b5a69788796a5b4c3d2e1f0.scope"
#define V1_ID "c0ffee1234567890aabbccddeeff00112233445566778899a0b1c2d3e4f50617"

static const struct row rows[] = {
	{"a unit", "v2", "checkout.service", 0, NAN, MEMSTAT_V2, "/system.slice/checkout.service",
		4711, 120, 2044, 4096, 110, false, ""},
	{"a unit, short, in a slice of its own; no limit", "v2", "shop-api", 0, NAN, MEMSTAT_V2,
		"/system.slice/shop.slice/shop-api.service", 4801, 60, 16, INFINITY, 60, false, ""},
	{"a path", "v2", "/system.slice/checkout.service", 0, NAN, MEMSTAT_V2,
		"/system.slice/checkout.service", 4711, 120, 2044, 4096, 110, false, ""},
	{"a path with its mount", "v2", "/sys/fs/cgroup/system.slice/checkout.service", 0, NAN,
		MEMSTAT_V2, "/system.slice/checkout.service", 4711, 120, 2044, 4096, 110, false,
		""},
	{"of its processes, the one that started when the metrics say", "v2", "checkout", 0,
		1700000000 + 1239.99, MEMSTAT_V2, "/system.slice/checkout.service", 4712, 120, 2044,
		4096, 8, false, ""},
	{"a process; its cgroup comes with it", "v2", "", 4711, 1700001235, MEMSTAT_V2,
		"/system.slice/checkout.service", 4711, 120, 2044, 4096, 110, false, ""},
	{"a process number that another process has now", "v2", "", 4711, 1700099999, MEMSTAT_V2,
		"", 0, NAN, NAN, NAN, NAN, false,
		"no process 4711 to be seen, or it is not the one"},
	{"a process that is not there", "v2", "", 99, NAN, MEMSTAT_V2, "", 0, NAN, NAN, NAN, NAN,
		false, "no process 99"},
	{"a unit that is not there", "v2", "nothing.service", 0, NAN, MEMSTAT_V2, "", 0, NAN, NAN,
		NAN, NAN, false, "no cgroup \"nothing.service\" below /sys/fs/cgroup: a unit's"},
	{"a path that leads out", "v2", "/../../proc", 0, NAN, MEMSTAT_V2, "", 0, NAN, NAN, NAN,
		NAN, false, "no cgroup"},
	{"Docker, systemd's driver, the id as docker ps shows it", "docker", "3f4e8d1c9b7a", 0, NAN,
		MEMSTAT_V2, "/system.slice/docker-" DOCKER ".scope", 901, 100, 384, 1024, 100,
		false, ""},
	{"Docker, the whole id", "docker", DOCKER, 0, NAN, MEMSTAT_V2,
		"/system.slice/docker-" DOCKER ".scope", 901, 100, 384, 1024, 100, false, ""},
	{"Kubernetes, containerd", "kubernetes", "b7c1d2e3f4051627", 0, NAN, MEMSTAT_V2, POD, 3001,
		192, 39, 512, 192, false, ""},
	{"v1, Docker's own driver", "v1", V1_ID, 0, NAN, MEMSTAT_V1, "/docker/" V1_ID, 77, 52, 302,
		INFINITY, 50, false, ""},
	{"v1, by process", "v1", "", 77, NAN, MEMSTAT_V1, "/docker/" V1_ID, 77, 52, 302, INFINITY,
		50, false, ""},
	{"hybrid: v2 is there, memory is in v1", "hybrid", "", 77, NAN, MEMSTAT_V1,
		"/docker/" V1_ID, 77, 52, 302, INFINITY, 50, true, ""},
	{"no cgroup file system at all", "none", "checkout", 0, NAN, MEMSTAT_NONE, "", 0, NAN, NAN,
		NAN, NAN, false, "no cgroup file system"},
};

static bool about(double a, double mib)
{
	return (isnan(a) && isnan(mib)) || a == mib || fabs(a / MIB - mib) < .5;
}

static struct hostmem_place place_of(const struct row *r, char *root, size_t size)
{
	struct hostmem_place p = {.root = root, .pid = r->pid, .started = r->started};

	snprintf(root, size, "fixtures/cgroup/%s", r->tree);
	snprintf(p.cgroup, sizeof(p.cgroup), "%s", r->cgroup);
	return p;
}

static void check(const struct row *r, const struct hostmem_found *f, const struct hostmem *m)
{
	if (f->version != r->version || strcmp(f->cgroup, r->found) != 0 ||
		f->pid != r->found_pid || !strstr(m->why, r->why) || (!r->why[0] && m->why[0]))
		fail_msg("%s: found \"%s\" version %d pid %d: %s", r->stands_for, f->cgroup,
			f->version, f->pid, m->why);
	assert_int_equal(m->has_cgroup, r->found[0] != 0);
	assert_int_equal(m->has_process, r->found_pid != 0);
	assert_int_equal(m->hybrid, r->hybrid);
	if (m->has_cgroup &&
		(!about(m->cgroup.anon, r->anon_mib) || !about(m->cgroup.cache, r->cache_mib) ||
			!about(m->cgroup.max, r->max_mib)))
		fail_msg("%s: %.0f %.0f %.0f", r->stands_for, m->cgroup.anon / MIB,
			m->cgroup.cache / MIB, m->cgroup.max / MIB);
	if (m->has_process)
		assert_true(about(m->process.anon, r->rss_anon_mib));
}

static void test_trees(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char root[64];
		struct hostmem_place p = place_of(&rows[i], root, sizeof(root));
		struct hostmem_found f = {0};
		struct hostmem m;

		hostmem_read(&p, &f, &m);
		check(&rows[i], &f, &m);
		hostmem_read(&p, &f, &m); /* with what was found: the same */
		check(&rows[i], &f, &m);
	}
}

/* What was found and is gone is looked for again. */
static void test_found_again(void **state)
{
	struct hostmem_place p = {
		.root = "fixtures/cgroup/v2", .cgroup = "checkout", .started = NAN};
	struct hostmem_found f = {
		.version = MEMSTAT_V2, .cgroup = "/system.slice/gone.service", .pid = 1};
	struct hostmem m;

	(void)state;
	hostmem_read(&p, &f, &m);
	assert_true(m.has_cgroup && m.has_process);
	assert_string_equal(f.cgroup, "/system.slice/checkout.service");
	assert_int_equal(f.pid, 4711);
}

/* This test's own process, on whatever kernel this is. */
static void test_this_host(void **state)
{
	struct hostmem_place p = {.root = "", .pid = getpid(), .started = NAN};
	struct hostmem_found f = {0};
	struct hostmem m;

	(void)state;
	hostmem_read(&p, &f, &m);
	assert_true(m.has_process);
	assert_true(m.process.rss > 100e3 && m.process.anon > 0);
	assert_int_equal(m.process.uid, getuid());
	if (m.has_cgroup)
		assert_true(m.cgroup.anon > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_found_again),
		cmocka_unit_test(test_this_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
