/* tally: records into classes, across bodies, runs and limits. */
#include "tally.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct frame frames_read[] = {
	{.func = STR_LIT("internal/poll.runtime_pollWait"),
		.file = STR_LIT("netpoll.go"),
		.line = 1},
	{.func = STR_LIT("net/http.(*persistConn).readLoop"), .file = STR_LIT("t.go"), .line = 2},
};
static struct frame frames_send[] = {
	{.func = STR_LIT("main.work"), .file = STR_LIT("main.go"), .line = 7},
	{.func = STR_LIT("main.run.func1"), .file = STR_LIT("main.go"), .line = 9},
};

static struct pattern read_loop[] = {{.text = STR_LIT("net/http.(*persistConn).readLoop")}};
static const struct rule rules[] = {
	{.name = STR_LIT("http-client-conn"),
		.match = {.mentions = {.v = read_loop, .n = 1}},
		.expect_max = NAN,
		.limit = NAN},
};

struct fixture {
	struct classifier *classifier;
	struct tally *tally;
	struct gdump_sink sink;
};

static struct fixture make(uint32_t classes)
{
	struct tally_limits limits = {.classes = classes, .records = 64};
	struct fixture f;
	struct err err;

	f.classifier = classifier_new(rules, ARRAY_LEN(rules), &err);
	assert_non_null(f.classifier);
	f.tally = tally_new(f.classifier, &limits);
	f.sink = tally_sink(f.tally);
	return f;
}

static void release(struct fixture *f)
{
	tally_free(f->tally);
	classifier_free(f->classifier);
}

/* As the parser does it: known first, the group only when it is not. */
static bool feed(struct fixture *f, uint64_t key, uint64_t count, struct frame *frames, size_t n,
	const uint64_t *hidden, size_t nhidden)
{
	struct group g = {.key = key,
		.count = count,
		.frames = frames,
		.nframes = n,
		.hidden = hidden,
		.nhidden = nhidden};

	if (f->sink.known(f->sink.arg, key, count))
		return true;
	f->sink.group(f->sink.arg, &g);
	return false;
}

static uint64_t count_of(const struct fixture *f, const char *name)
{
	for (size_t i = 0; i < tally_count(f->tally); i++) {
		if (strcmp(tally_at(f->tally, i)->name, name) == 0)
			return tally_at(f->tally, i)->count;
	}
	return UINT64_MAX;
}

static void test_counts(void **state)
{
	struct fixture f = make(10);

	(void)state;
	tally_begin(f.tally);
	assert_false(feed(&f, 11, 5, frames_read, 2, NULL, 0));
	assert_false(feed(&f, 12, 3, frames_send, 2, NULL, 0));
	/* Nothing counts before the body is whole. */
	assert_int_equal(count_of(&f, "http-client-conn"), 0);
	tally_end(f.tally, 100);
	assert_int_equal(count_of(&f, "http-client-conn"), 5);
	assert_int_equal(tally_total(f.tally), 8);

	/* The next body: known records are not parsed again, an absent class is 0. */
	tally_begin(f.tally);
	assert_true(feed(&f, 11, 6, frames_read, 2, NULL, 0));
	tally_end(f.tally, 160);
	assert_int_equal(count_of(&f, "http-client-conn"), 6);
	assert_int_equal(tally_total(f.tally), 6);

	/* A body that is given up changes nothing. */
	tally_begin(f.tally);
	feed(&f, 11, 900, frames_read, 2, NULL, 0);
	tally_abandon(f.tally);
	assert_int_equal(tally_total(f.tally), 6);
	release(&f);
}

static void test_symbols(void **state)
{
	static const uint64_t hidden[] = {0x43be36, 0x408a3b};
	struct fixture f = make(10);
	uint64_t pcs[8];

	(void)state;
	tally_begin(f.tally);
	feed(&f, 21, 4, frames_send, 2, hidden, 2);
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 2);
	assert_int_equal(pcs[1], 0x408a3b);
	tally_symbols(f.tally, STR("num_symbols: 1\n0x43be36 runtime.gopark\nrubbish\n"
				   "0x408a3b runtime.chansend\n"));
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 0);
	tally_end(f.tally, 1);
	assert_int_equal(tally_total(f.tally), 4);
	assert_int_equal(tally_at(f.tally, 0)->example.wait, WAIT_CHAN_SEND);

	/* Known now, and known without asking for another record with the same PCs. */
	tally_begin(f.tally);
	assert_true(feed(&f, 21, 4, frames_send, 2, hidden, 2));
	assert_false(feed(&f, 22, 1, frames_send, 2, hidden, 2));
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 0);
	tally_end(f.tally, 2);

	/* A new process: its program counters mean something else. */
	tally_new_run(f.tally);
	tally_begin(f.tally);
	assert_false(feed(&f, 21, 4, frames_send, 2, hidden, 2));
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 2);
	/* The target has no /symbol: counted all the same, and not asked again in this run. */
	tally_no_symbols(f.tally);
	tally_end(f.tally, 3);
	assert_int_equal(tally_total(f.tally), 4);
	tally_begin(f.tally);
	assert_true(feed(&f, 21, 4, frames_send, 2, hidden, 2));
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 0);
	tally_end(f.tally, 4);
	release(&f);
}

/* What /symbol did not answer for is taken to tell nothing, or each scrape would ask again. */
static void test_unanswered(void **state)
{
	static const uint64_t hidden[] = {0x1000};
	struct fixture f = make(10);
	uint64_t pcs[8];

	(void)state;
	tally_begin(f.tally);
	feed(&f, 31, 1, frames_send, 2, hidden, 1);
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 1);
	tally_symbols(f.tally, STR("num_symbols: 1\n"));
	assert_int_equal(tally_unresolved(f.tally, pcs, 8), 0);
	tally_end(f.tally, 1);
	assert_int_equal(tally_total(f.tally), 1);
	release(&f);
}

static void make_stack(struct frame *frame, char *name, size_t size, int i)
{
	/* No digits at the end: closure numbers are taken out of automatic names. */
	snprintf(name, size, "main.f%dx", i);
	*frame = (struct frame){.func = str_of(name), .file = STR("m.go"), .line = 1};
}

static void test_limits(void **state)
{
	struct fixture f = make(3);
	struct frame frame;
	char name[32];

	(void)state;
	tally_begin(f.tally);
	for (int i = 0; i < 100; i++) {
		make_stack(&frame, name, sizeof(name), i);
		feed(&f, 1000 + (uint64_t)i, 2, &frame, 1, NULL, 0);
	}
	tally_end(f.tally, 10);
	/* Three classes and "other", which has the rest; no goroutine is lost. */
	assert_int_equal(tally_count(f.tally), 4);
	assert_int_equal(count_of(&f, TALLY_OTHER), 97 * 2);
	assert_int_equal(tally_in_other(f.tally), 97 * 2);
	assert_int_equal(tally_hint(tally_at(f.tally, 0)).len, 0);
	assert_non_null(strstr(tally_hint(tally_at(f.tally, 3)).p, "classes_per_target"));
	assert_int_equal(tally_total(f.tally), 200);
	/* 64 records are remembered, the others counted as overflow. */
	assert_int_equal(tally_overflow(f.tally), 36);

	/* After a week at 0 a class makes room. */
	tally_begin(f.tally);
	tally_end(f.tally, 10 + TALLY_FORGET_S);
	tally_begin(f.tally);
	make_stack(&frame, name, sizeof(name), 777);
	feed(&f, 5000, 1, &frame, 1, NULL, 0);
	tally_end(f.tally, 11 + TALLY_FORGET_S);
	assert_int_equal(tally_count(f.tally), 4);
	assert_int_equal(count_of(&f, "main.f777x"), 1);
	release(&f);
}

/* The example is the largest stack, also when a small one was seen first. */
static void test_example(void **state)
{
	struct frame other[2];
	struct fixture f = make(10);

	(void)state;
	memcpy(other, frames_read, sizeof(other));
	other[0].func = STR("sync.runtime_notifyListWait");
	tally_begin(f.tally);
	feed(&f, 41, 2, frames_read, 2, NULL, 0);
	tally_end(f.tally, 1);
	tally_begin(f.tally);
	feed(&f, 42, 50, other, 2, NULL, 0);
	feed(&f, 41, 2, frames_read, 2, NULL, 0);
	tally_end(f.tally, 2);
	assert_non_null(strstr(tally_at(f.tally, 0)->example.text, "notifyListWait"));
	assert_int_equal(tally_at(f.tally, 0)->example.count, 50);
	assert_int_equal(tally_total(f.tally), 52);
	release(&f);
}

/* split_by: a class for each value, then "other"; without the label the rule's own. */
static void a_label_splits_a_class(void **state)
{
	static struct pattern any[] = {{.text = STR_LIT("main.work")}};
	static const struct rule split = {.name = STR_LIT("work"),
		.match = {.mentions = {.v = any, .n = 1}},
		.split_by = STR_LIT("handler"),
		.expect_max = NAN,
		.limit = NAN};
	struct tally_limits limits = {.classes = 300, .records = 400};
	struct classifier *c = classifier_new(&split, 1, NULL);
	struct tally *t = tally_new(c, &limits);
	struct gdump_sink sink = tally_sink(t);
	struct group g = {.count = 2, .frames = frames_send, .nframes = 2};
	uint64_t other = 0, plain = 0, first = 0;

	(void)state;
	for (int body = 0; body < 2; body++) {
		tally_begin(t);
		for (unsigned i = 0; i < CLASSIFY_SPLIT_MAX + 10; i++) {
			char value[16];
			struct label labels[] = {{STR("tenant"), STR("x")},
				{STR("handler"), str_n(value, (size_t)snprintf(value, sizeof(value),
								      "/%u", i))}};

			g.key = 1000 + i;
			g.labels = labels;
			g.nlabels = 2;
			if (!sink.known(sink.arg, g.key, g.count))
				sink.group(sink.arg, &g);
		}
		g.key = 1;
		g.nlabels = 0;
		if (!sink.known(sink.arg, g.key, g.count))
			sink.group(sink.arg, &g);
		tally_end(t, 1000 + body);
	}
	assert_int_equal(tally_count(t), CLASSIFY_SPLIT_MAX + 2);
	for (size_t i = 0; i < tally_count(t); i++) {
		struct tally_class *k = tally_at(t, i);

		assert_ptr_equal(k->rule, &split);
		assert_true(classifier_is_of(&split, str_of(k->name)));
		other += strcmp(k->name, "work{handler=other}") == 0 ? k->count : 0;
		plain += strcmp(k->name, "work") == 0 ? k->count : 0;
		first += strcmp(k->name, "work{handler=/0}") == 0 ? k->count : 0;
	}
	assert_int_equal(other, 20);
	assert_int_equal(plain, 2);
	assert_int_equal(first, 2);
	assert_false(classifier_is_of(&split, STR("work{tenant=x}")));
	assert_false(classifier_is_of(&split, STR("worker")));
	tally_free(t);
	classifier_free(c);
}

static void watch_cb(void *arg, const struct tally_class *c, const struct stack *s, uint64_t count)
{
	uint64_t *seen = arg;

	assert_string_equal(c->name, "main.work");
	assert_int_equal(s->wait, WAIT_MUTEX);
	*seen += count;
}

/* Who waits for a mutex is told in each body, with its stack; others are not. */
static void test_watch(void **state)
{
	static struct frame locked[] = {
		{.func = STR_LIT("sync.runtime_SemacquireMutex")},
		{.func = STR_LIT("sync.(*Mutex).Lock")},
		{.func = STR_LIT("main.work"), .file = STR_LIT("main.go"), .line = 7},
	};
	struct fixture f = make(10);
	uint64_t seen = 0;

	(void)state;
	tally_watch(f.tally, watch_cb, &seen);
	for (uint64_t body = 1; body <= 3; body++) {
		tally_begin(f.tally);
		assert_false(feed(&f, 11, body, locked, 3, NULL, 0));
		feed(&f, 12, 5, frames_read, 2, NULL, 0);
		tally_end(f.tally, (double)body);
		assert_int_equal(count_of(&f, "main.work"), body);
	}
	assert_int_equal(seen, 1 + 2 + 3);
	release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_unanswered),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_example),
		cmocka_unit_test(a_label_splits_a_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
