/*
 * The same goroutines printed in debug=0, in debug=1 and in debug=2 get the same fingerprints and
 * class names, and no wait that debug=0 or debug=1 tells differs from the state of debug=2.  Over
 * fixtures/dumps and, where it is at hand, the folder of samples (../shared/samples;
 * LEAKWATCH_SAMPLES names another).
 */
#include "buf.h"
#include "gdump.h"
#include "map.h"
#include "stack.h"
#include "xalloc.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct tally {
	uint64_t count[2]; /* goroutines in debug=0 or 1, in debug=2 */
	enum wait_kind wait; /* told by debug=0 or 1 and no state of debug=2 contradicts */
	unsigned waits; /* told by debug=2 */
};

struct side {
	struct map *all; /* class name, newline, fingerprint -> struct tally */
	int which;
};

static bool mentions(const struct stack *s, const char *prefix)
{
	for (size_t i = 0; i < s->nframes; i++) {
		if (str_starts(s->frames[i].func, str_of(prefix)))
			return true;
	}
	return false;
}

/* The request for the dump itself, its connections, the listener that is just taking one, and what
 * had not run yet: each body has its own. */
static bool differs_by_nature(const struct stack *s)
{
	return s->nframes == 0 || mentions(s, "runtime/pprof.") ||
	       mentions(s, "net/http.(*connReader).") || mentions(s, "net/http.(*Server).Serve") ||
	       mentions(s, "net/http.(*conn).serve");
}

static void count_cb(void *arg, const struct group *g)
{
	struct side *side = arg;
	struct arena a = ARENA_INIT;
	struct buf key = BUF_INIT;
	struct tally *t;
	struct stack s;

	stack_from_group(&a, g, false, &s);
	if (!differs_by_nature(&s)) {
		buf_addstr(&key, stack_class_name(&a, &s));
		buf_addf(&key, "\n%016llx", (unsigned long long)s.fingerprint);
		t = map_get(side->all, buf_str(&key));
		if (!t) {
			t = xcalloc(1, sizeof(*t));
			map_put(side->all, buf_str(&key), t);
		}
		t->count[side->which] += g->count;
		if (side->which == 1)
			t->waits |= 1u << s.wait;
		else if (s.wait != WAIT_UNKNOWN)
			t->wait = s.wait;
	}
	buf_release(&key);
	arena_release(&a);
}

static bool read_dump(const char *path, struct side *side)
{
	const struct gdump_sink sink = {.group = count_cb, .arg = side};
	struct gdump *g;
	FILE *f = fopen(path, "rb");
	char piece[65536];
	struct err err = ERR_INIT;

	if (!f)
		return false;
	g = gdump_new(&sink);
	for (size_t n; (n = fread(piece, 1, sizeof(piece), f)) > 0;)
		gdump_feed(g, piece, n);
	fclose(f);
	if (gdump_finish(g, &err) != 0)
		fail_msg("%s: %s", path, err.msg);
	assert_true(gdump_stats(g)->parsed > 0);
	gdump_free(g);
	return true;
}

/* False when one of the two is not there. */
static bool compare(const char *debug1, const char *debug2)
{
	struct side side = {.all = map_new()};
	struct map_item item;
	bool ok = true, both;
	void *at = NULL;

	both = read_dump(debug1, &side);
	side.which = 1;
	both = both && read_dump(debug2, &side);
	while (both && map_next(side.all, &at, &item)) {
		const struct tally *t = item.value;

		if (t->count[0] != t->count[1]) {
			print_message("%s: %llu, debug=2: %llu: %.*s\n", debug1,
				(unsigned long long)t->count[0], (unsigned long long)t->count[1],
				STR_ARG(item.key));
			ok = false;
		}
		if (t->wait != WAIT_UNKNOWN && !(t->waits & 1u << t->wait)) {
			print_message("%s: %s, not so in debug=2: %.*s\n", debug1,
				wait_kind_name(t->wait), STR_ARG(item.key));
			ok = false;
		}
	}
	map_free(side.all, free);
	assert_true(ok);
	return both;
}

/* Every X-debug1.txt (or debug1.txt) of a folder with its debug2 beside it. */
static size_t compare_folder(const char *folder, size_t *zeros)
{
	DIR *d = opendir(folder);
	size_t pairs = 0;

	for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
		struct str name = str_of(e->d_name), tail = STR("debug1.txt");
		char *zero, *one, *two;

		if (!str_ends(name, tail))
			continue;
		one = xasprintf("%s/%s", folder, e->d_name);
		zero = xasprintf("%s/%.*sdebug0.pb.gz", folder, (int)(name.len - tail.len), name.p);
		two = xasprintf("%s/%.*sdebug2.txt", folder, (int)(name.len - tail.len), name.p);
		pairs += compare(one, two);
		*zeros += compare(zero, two);
		free(zero);
		free(one);
		free(two);
	}
	if (d)
		closedir(d);
	return pairs;
}

static void fixtures_agree(void **state)
{
	size_t zeros = 0;

	(void)state;
	assert_true(compare_folder("fixtures/dumps", &zeros) >= 2);
	assert_true(zeros >= 1);
}

static void samples_agree(void **state)
{
	const char *folder = getenv("LEAKWATCH_SAMPLES");
	size_t pairs = 0, zeros = 0;
	DIR *d;

	(void)state;
	folder = folder ? folder : "../shared/samples";
	d = opendir(folder);
	if (!d) {
		print_message("no %s: skipped\n", folder);
		skip();
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;) {
		char *below = xasprintf("%s/%s", folder, e->d_name);

		if (e->d_name[0] != '.')
			pairs += compare_folder(below, &zeros);
		free(below);
	}
	closedir(d);
	print_message("%zu pairs, %zu with debug=0\n", pairs, zeros);
	assert_true(pairs > 0);
	assert_true(zeros > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fixtures_agree),
		cmocka_unit_test(samples_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
