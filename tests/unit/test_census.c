/* census: descriptors by kind and peer, and what grew between two. */
#include "census.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* As Linux prints it: words of 32 bits in the machine's order (little endian here). */
static const char tcp[] =
	"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  "
	"timeout inode\n"
	"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   998        "
	"0 "
	"100 1 0000 100 0 0 10 0\n"
	"   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000   998        "
	"0 "
	"101 1 0000 20 4 30 10 -1\n"
	"   2: 0500000A:C351 0700000A:01BB 08 00000000:00000000 00:00000000 00000000   998        "
	"0 "
	"102 1 0000 20 4 30 10 -1\n"
	"   3: nonsense\n"
	"   4: 0500000A:C352 0700000A:01BB 01 00000000:00000000 00:00000000 00000000   998        "
	"0 "
	"x 1\n";
static const char tcp6[] =
	"  sl  local remote\n"
	"   0: 0000000000000000FFFF00000500000A:C353 0000000000000000FFFF00000700000A:01BB 01 "
	"00000000:00000000 00:00000000 00000000 998 0 103 1\n"
	"   1: B80D0120000000000000000001000000:C354 B80D0120000000000000000002000000:0050 01 "
	"00000000:00000000 00:00000000 00000000 998 0 104 1\n";
static const char unix_table[] =
	"Num       RefCount Protocol Flags    Type St Inode Path\n"
	"0000000000000000: 00000002 00000000 00010000 0001 01 200 /run/docker.sock\n"
	"0000000000000000: 00000003 00000000 00000000 0001 03 201 /run/docker.sock\n"
	"0000000000000000: 00000003 00000000 00000000 0001 03 202\n"
	"0000000000000000: 00000002 00000000 00000000 0002 01 203 @abstract name\n";

static struct census *taken(const char *const *links, size_t n)
{
	struct census *c = census_new();

	census_read_inet(c, "tcp", str_of(tcp));
	census_read_inet(c, "tcp", str_of(tcp6));
	census_read_unix(c, str_of(unix_table));
	census_put_unix(c, 202, STR(""), 201); /* sock_diag: its peer has the name */
	census_put_unix(c, 204, STR(""), 999); /* the peer is gone */
	for (size_t i = 0; i < n; i++)
		census_add(c, str_of(links[i]));
	census_close(c);
	return c;
}

static void test_names(void **state)
{
	static const struct {
		const char *stands_for, *link, *name;
	} rows[] = {
		{"listens", "socket:[100]", "tcp listening on :8080"},
		{"came to us", "socket:[101]", "tcp clients of :8080"},
		{"we went there", "socket:[102]", "tcp 10.0.0.7:443"},
		{"the same server, mapped into IPv6", "socket:[103]", "tcp 10.0.0.7:443"},
		{"IPv6", "socket:[104]", "tcp [2001:db8:0:0:0:0:0:2]:80"},
		{"a server's end", "socket:[201]", "unix /run/docker.sock"},
		{"a client's end: the name is its peer's", "socket:[202]", "unix /run/docker.sock"},
		{"abstract", "socket:[203]", "unix @abstract name"},
		{"peer gone", "socket:[204]", "unix without a name"},
		{"netlink and the like", "socket:[999]", "sockets of another kind"},
		{"a number that is none", "socket:[12x]", "files in /"},
		{"pipe", "pipe:[7]", "pipes"},
		{"epoll", "anon_inode:[eventpoll]", "[eventpoll]"},
		{"eventfd", "anon_inode:[eventfd]", "[eventfd]"},
		{"a file: by its folder", "/var/log/shop/a.log", "files in /var/log/shop"},
		{"a deleted one", "/tmp/x/y (deleted)", "deleted files in /tmp/x"},
		{"in the root", "/x", "files in /"},
		{"a device", "/dev/null", "/dev/null"},
		{"nothing", "", "files in /"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct census *c = taken(&rows[i].link, 1);

		if (census_count(c, str_of(rows[i].name)) != 1 || census_total(c) != 1)
			fail_msg("%s: %s is not \"%s\"", rows[i].stands_for, rows[i].link,
				rows[i].name);
		census_free(c);
	}
}

static struct census *of(unsigned docker, unsigned clients, unsigned files)
{
	struct census *c = census_new();

	census_read_inet(c, "tcp", str_of(tcp));
	census_read_unix(c, str_of(unix_table));
	for (unsigned i = 0; i < docker; i++)
		census_add(c, STR("socket:[201]"));
	for (unsigned i = 0; i < clients; i++)
		census_add(c, STR("socket:[101]"));
	for (unsigned i = 0; i < files; i++)
		census_add(c, STR("/var/log/a"));
	census_close(c);
	return c;
}

static void test_growth(void **state)
{
	static const struct {
		const char *stands_for;
		unsigned docker, clients, files; /* after; before it was 10 of each */
		const char *words;
	} rows[] = {
		{"one peer", 79, 12, 10, "69 of 71 new descriptors: unix /run/docker.sock"},
		{"two", 60, 40, 12,
			"50 of 82 new descriptors: unix /run/docker.sock; 30: tcp clients of "
			":8080"},
		{"others went away", 80, 5, 5, "60 of 60 new descriptors: unix /run/docker.sock"},
		{"nothing new", 10, 10, 10, ""},
		{"too few", 13, 11, 10, ""},
		{"fewer than before", 2, 12, 2, ""},
	};
	struct census *before = of(10, 10, 10);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct census *after = of(rows[i].docker, rows[i].clients, rows[i].files);
		struct buf out = BUF_INIT;

		census_words(before, after, &out);
		if (!str_is(buf_str(&out), rows[i].words))
			fail_msg("%s: %s", rows[i].stands_for, out.len ? out.p : "nothing");
		buf_release(&out);
		census_free(after);
	}
	census_free(before);
	census_free(NULL);
}

/* Names are data: made printable, and there are only so many. */
static void test_hostile(void **state)
{
	struct census *a = census_new(), *b = census_new();
	struct buf out = BUF_INIT;

	(void)state;
	census_put_unix(b, 5, STR("/tmp/\x1b[31m\nx%s"), 0);
	for (int i = 0; i < 50; i++)
		census_add(b, STR("socket:[5]"));
	census_words(a, b, &out);
	assert_true(str_starts(buf_str(&out), STR("50 of 50 new descriptors: unix /tmp/")));
	assert_true(str_chr(buf_str(&out), '\n') < 0 && str_chr(buf_str(&out), 0x1b) < 0);
	for (int i = 0; i < 2 * CENSUS_KEYS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/d%d/f", i);
		census_add(a, str_of(path));
	}
	assert_int_equal(census_total(a), 2 * CENSUS_KEYS);
	assert_int_equal(census_count(a, STR("other")), CENSUS_KEYS);
	census_skip(a, 7);
	assert_int_equal(census_total(a), 2 * CENSUS_KEYS + 7);
	buf_release(&out);
	census_free(a);
	census_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
