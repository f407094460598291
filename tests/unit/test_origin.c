/* Dumps of the same process and of others, as ids are given out in them. */
#include "origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* A process: its goroutines by id, in the order in which they began. */
#define LIVE_MAX 60000
struct process {
	uint64_t random;
	uint64_t next;
	bool parents; /* its Go tells in which goroutine one was created */
	size_t n;
	struct {
		uint64_t id, parent;
		uint32_t line;
	} v[LIVE_MAX];
};

static struct process a, b;

static uint64_t draw(struct process *p, uint64_t below)
{
	p->random = p->random * 6364136223846793005u + 1442695040888963407u;
	return (p->random >> 33) % below;
}

static void begin(struct process *p, uint64_t id, uint32_t line, uint64_t parent)
{
	assert_true(p->n < LIVE_MAX);
	p->v[p->n].id = id;
	p->v[p->n].line = line;
	p->v[p->n++].parent = parent;
}

static void start(struct process *p, uint64_t seed, bool parents)
{
	memset(p, 0, sizeof(*p));
	p->random = seed;
	p->parents = parents;
	p->next = 100;
	begin(p, 1, 0, 0);
	/* What main and inits begin is the same in all. */
	for (uint64_t id = 18; id < 30; id++)
		begin(p, id, (uint32_t)id, 1);
}

/* n goroutines begin; of them every so many stays, the others are gone at once. */
static void run(struct process *p, size_t n, uint64_t every)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t id = p->next++;

		if (draw(p, every) == 0)
			begin(p, id, 300 + (uint32_t)draw(p, 3), id - 1 - draw(p, 50));
	}
}

/* All that main did not begin end. */
static void turn_over(struct process *p)
{
	p->n = 13;
}

static void dump(struct origin *o, const struct process *p, struct origin_result *r)
{
	origin_begin(o);
	for (size_t i = 0; i < p->n; i++) {
		struct group g = {.count = 1, .id = p->v[i].id};

		if (p->v[i].line) {
			g.created_by = STR("main.serve");
			g.creator.line = p->v[i].line;
			g.creator_id = p->parents ? p->v[i].parent : 0;
		}
		origin_see(o, &g);
	}
	origin_judge(o, r);
}

/* The same process, however it goes on: never another one. */
static void the_same(void **state)
{
	struct origin *o = origin_new();
	struct origin_result r;

	(void)state;
	for (int parents = 0; parents < 2; parents++) {
		start(&a, 7, parents);
		origin_forget(o);
		dump(o, &a, &r); /* the first of all: nothing to hold it against */
		assert_false(r.other);
		assert_int_equal(r.before, 0);
		origin_take(o);
		for (int k = 0; k < 12; k++) { /* a leak, among many that come and go */
			run(&a, 2000, 7);
			dump(o, &a, &r);
			assert_false(r.other);
			assert_true(k == 0 || r.same > 0);
			assert_int_equal(r.differ, 0);
			origin_take(o);
		}
		for (int k = 0; k < 5; k++) { /* nobody stays */
			turn_over(&a);
			run(&a, 500, 2);
			dump(o, &a, &r);
			assert_false(r.other);
			origin_take(o);
		}
		/* Ids that idle processors had put by: old ones, given out late. */
		for (uint64_t id = 31; id < 46; id++)
			begin(&a, id, 300, 90);
		dump(o, &a, &r);
		assert_false(r.other);
	}
	origin_free(o);
}

/* Two of one program that began at about the same time and leak alike. */
static void another(void **state)
{
	static const struct {
		const char *what;
		bool parents;
		size_t began_a, began_b;
		uint64_t stays; /* one in so many */
		bool other;
	} rows[] = {
		{"Go 1.21 and later: the same ids, from elsewhere", true, 5000, 5200, 3, true},
		{"nearly all of them stay", true, 3000, 3000, 1, true},
		{"few stay", true, 20000, 21000, 100, true},
		{"the other one is far younger", true, 20000, 1500, 10, true},
		{"and far older", true, 1500, 20000, 10, true},
		{"more than the sample holds", true, 300000, 290000, 6, true},
		{"before Go 1.21: ids that the one before would have had", false, 20000, 19000, 300,
			true},
		{"before Go 1.21, other lines under the same ids", false, 5000, 5200, 3, true},
	};
	struct origin *o = origin_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct origin_result r;
		struct buf words = BUF_INIT;

		origin_forget(o);
		start(&a, 1 + i, rows[i].parents);
		start(&b, 1000 + i, rows[i].parents);
		run(&a, rows[i].began_a, rows[i].stays);
		run(&b, rows[i].began_b, rows[i].stays);
		dump(o, &a, &r);
		origin_take(o);
		dump(o, &b, &r);
		if (r.other != rows[i].other)
			fail_msg("%s: same %llu differ %llu late %llu", rows[i].what,
				(unsigned long long)r.same, (unsigned long long)r.differ,
				(unsigned long long)r.late);
		origin_words(&r, &words);
		assert_non_null(words.p);
		/* It was not taken: the first one goes on. */
		run(&a, 1000, rows[i].stays);
		dump(o, &a, &r);
		assert_false(r.other);
		buf_release(&words);
	}
	origin_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same),
		cmocka_unit_test(another),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
