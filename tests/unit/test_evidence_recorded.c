/*
 * What Go's collector said of goroutines that it proves lost: bodies recorded from Go 1.26 (each
 * with the routine profile of the same moment; fixtures/lost), and, where they are at hand, those
 * of ../shared/samples from Go 1.26 and 1.27 (LEAKWATCH_SAMPLES).
 */
#include "evidence_json.h"
#include "pprof_index.h"
#include "xalloc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define T0 1700006400.0

static bool read_file(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "rb");
	char piece[4096];
	size_t n;

	buf_reset(out);
	if (!f)
		return false;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	fclose(f);
	return true;
}

static void feed(const struct gdump_sink *sink, struct str text, struct gdump_stats *stats)
{
	struct gdump *g = gdump_new(sink);

	for (size_t i = 0; i < text.len; i += 97) /* in pieces, as they come */
		gdump_feed(g, text.p + i, MIN((size_t)97, text.len - i));
	assert_int_equal(gdump_finish(g, NULL), 0);
	*stats = *gdump_stats(g);
	gdump_free(g);
}

/* The class is the function they were started in. */
static const char *class_cb(void *arg, const struct group *g, const struct stack *s)
{
	static char name[200];

	(void)arg;
	(void)g;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(s->entry));
	return name;
}

/* How many of a class the routine profile counts. */
struct counts {
	const char *class;
	uint64_t n;
	struct arena work;
};

static void count_group_cb(void *arg, const struct group *g)
{
	struct counts *c = arg;
	struct stack s;

	arena_reset(&c->work);
	stack_from_group(&c->work, g, false, &s);
	if (str_is(s.entry, c->class))
		c->n += g->count;
}

static uint64_t count_cb(void *arg, struct str class)
{
	struct counts c = {.class = class.p, .work = ARENA_INIT};
	struct gdump_sink sink = {.group = count_group_cb, .arg = &c};
	struct gdump_stats stats;

	feed(&sink, buf_str(arg), &stats);
	assert_int_equal(stats.format, GDUMP_DEBUG1);
	arena_release(&c.work);
	return c.n;
}

static void prove(const char *way, struct evidence *e)
{
	char *profile = xasprintf("fixtures/lost/%s-goroutineleak.txt", way);
	char *routine = xasprintf("fixtures/lost/%s-debug1.txt", way);
	struct buf told = BUF_INIT, counted = BUF_INIT;
	struct gdump_sink sink = evidence_proof_sink(e);
	struct gdump_stats stats;

	assert_true(read_file(profile, &told));
	assert_true(read_file(routine, &counted));
	evidence_proof_begin(e, class_cb, NULL);
	feed(&sink, buf_str(&told), &stats);
	assert_int_equal(stats.format, GDUMP_LEAK);
	assert_int_equal(stats.lost, 0);
	evidence_proof_end(e, true, count_cb, &counted);
	buf_release(&told);
	buf_release(&counted);
	free(profile);
	free(routine);
}

static void recorded(void **state)
{
	static const struct {
		const char *way, *class;
		uint64_t proven, of;
		bool is_proven;
		const char *words;
	} rows[] = {
		{"channel", "main.answer", 120, 120, true,
			"proven by the garbage collector: 120 of 120 can never go on"},
		{"select", "main.follow", 120, 120, true,
			"proven by the garbage collector: 120 of 120 can never go on"},
		/* Two of the twelve locks were still on main's stack. */
		{"mutex", "main.(*account).add", 100, 120, true,
			"proven by the garbage collector: 100 of 120 can never go on"},
		/* What waits beside them can be woken, or is no wait that the collector judges. */
		{"channel", "main.waitForGlobal", 0, 15, false, "still reachable"},
		{"mutex", "main.waitForLock", 0, 15, false, "still reachable"},
		{"select", "main.waitForInput", 0, 15, false, "still reachable"},
		/* Nobody is lost: an answer all the same. */
		{"none", "main.waitForGlobal", 0, 15, false, "still reachable"},
		{"none", "main.waitForTime", 0, 15, false, "still reachable"},
		/* Thousands, of three classes in one profile. */
		{"many", "main.answer", 4000, 4000, true, "4000 of 4000 can never go on"},
		{"many", "main.follow", 2000, 2000, true, "2000 of 2000 can never go on"},
		{"many", "main.(*account).add", 1000, 1000, true, "1000 of 1000 can never go on"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct evidence *e = evidence_new(120);
		struct buf words = BUF_INIT;
		struct evidence_class *c;

		evidence_follow(e, str_of(rows[i].class), EVIDENCE_SUSPECT, 30, T0, NAN);
		assert_true(evidence_wants_proof(e));
		prove(rows[i].way, e);
		assert_false(evidence_wants_proof(e));
		c = evidence_find(e, str_of(rows[i].class));
		assert_true(c->proof.asked);
		if (c->proof.proven != rows[i].proven || c->proof.of != rows[i].of)
			fail_msg("%s %s: %llu of %llu", rows[i].way, rows[i].class,
				(unsigned long long)c->proof.proven,
				(unsigned long long)c->proof.of);
		assert_int_equal(evidence_is_proven(c), rows[i].is_proven);
		evidence_words(c, &words);
		if (!strstr(words.p, rows[i].words))
			fail_msg("%s %s: %s", rows[i].way, rows[i].class, words.p);
		buf_release(&words);
		evidence_free(e);
	}
}

/* The index page of such a process says that it can be asked. */
static void listed(void **state)
{
	struct buf page = BUF_INIT;
	struct pprof_index index;

	(void)state;
	assert_true(read_file("fixtures/lost/index.html", &page));
	assert_true(pprof_index_parse(buf_str(&page), &index));
	assert_true(index.goroutineleak);
	assert_int_equal(index.goroutines, 181);
	buf_release(&page);
}

/* Go 1.26 counts main's select{} among the lost; Go 1.27 has a record without frames for it. */
static void samples(void **state)
{
	static const struct {
		const char *path;
		uint64_t announced, main;
	} rows[] = {
		{"go1.26/mainselect-goroutineleak-debug1.txt", 49, 1},
		{"go1.27/mainselect-goroutineleak-debug1.txt", 48, 0},
	};
	const char *folder = getenv("LEAKWATCH_SAMPLES");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char *path =
			xasprintf("%s/%s", folder ? folder : "../shared/samples", rows[i].path);
		struct evidence *e = evidence_new(120);
		struct gdump_sink sink = evidence_proof_sink(e);
		struct buf told = BUF_INIT, nothing = BUF_INIT;
		struct gdump_stats stats;

		buf_adds(&nothing, "goroutine profile: total 0\n");
		if (read_file(path, &told)) {
			evidence_follow(e, STR("main.main"), EVIDENCE_SUSPECT, 30, T0, NAN);
			evidence_proof_begin(e, class_cb, NULL);
			feed(&sink, buf_str(&told), &stats);
			evidence_proof_end(e, true, count_cb, &nothing);
			assert_int_equal(stats.announced, rows[i].announced);
			assert_int_equal(stats.parsed, rows[i].announced);
			assert_int_equal(
				evidence_find(e, STR("main.main"))->proof.proven, rows[i].main);
		} else {
			print_message("%s is not at hand\n", path);
		}
		buf_release(&told);
		buf_release(&nothing);
		evidence_free(e);
		free(path);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(recorded),
		cmocka_unit_test(listed),
		cmocka_unit_test(samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
