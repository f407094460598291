/* Dumps of single goroutines, tallied for the classes that are suspected. */
#include "evidence_json.h"
#include "json.h"
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

/* The class is the function it is in. */
static const char *class_cb(void *arg, const struct group *g, const struct stack *s)
{
	static char name[200];

	(void)arg;
	(void)g;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(s->top));
	return name;
}

static uint64_t count_cb(void *arg, struct str class)
{
	(void)class;
	return *(uint64_t *)arg;
}

static void feed(struct evidence *e, double t, const char *text, bool whole)
{
	struct gdump_sink sink = evidence_sink(e);
	struct gdump *g = gdump_new(&sink);

	evidence_begin(e, t, class_cb, NULL);
	gdump_feed(g, text, strlen(text));
	if (whole)
		assert_int_equal(gdump_finish(g, NULL), 0);
	evidence_end(e, whole);
	gdump_free(g);
}

static const char some[] =
	"goroutine 1 [running]:\nmain.main()\n\t/src/m.go:1 +0x1\n\n"
	"goroutine 7 [chan receive, 75 minutes] {handler: /cart}:\nmain.leak(0xc1)\n\t/src/m.go:9 "
	"+0x1\n"
	"created by main.serve in goroutine 1\n\t/src/m.go:3 +0x1\n\n"
	"goroutine 8 [chan receive, 3 minutes]:\nmain.leak(0xc2)\n\t/src/m.go:9 +0x1\n"
	"created by main.serve in goroutine 1\n\t/src/m.go:3 +0x1\n\n"
	"goroutine 9 [chan receive (nil chan)]:\nmain.leak(0xc3)\n\t/src/m.go:9 +0x1\n"
	"created by main.retry in goroutine 1\n\t/src/m.go:4 +0x1\n\n"
	"goroutine 12 [select]:\nmain.other(0xc3)\n\t/src/m.go:19 +0x1\n";

static void tallied(void **state)
{
	struct evidence *e = evidence_new(120);
	struct evidence_class *c;
	struct buf json = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *doc;

	(void)state;
	evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, NAN);
	evidence_follow(e, STR("main.fine"), EVIDENCE_NONE, 0, T0, NAN);
	assert_int_equal(evidence_count(e), 1);
	assert_true(evidence_due(e) <= T0);
	feed(e, T0, some, true);
	c = evidence_find(e, STR("main.leak"));
	assert_int_equal(c->count, 3);
	assert_int_equal(c->oldest_minutes, 75);
	assert_int_equal(c->waited[EVIDENCE_1M], 2);
	assert_int_equal(c->waited[EVIDENCE_10M], 1);
	assert_int_equal(c->waited[EVIDENCE_1H], 1);
	assert_int_equal(c->waited[EVIDENCE_1D], 0);
	assert_int_equal(c->never, 1);
	assert_string_equal(c->creators.v[0].text, "main.serve");
	assert_int_equal(c->creators.v[0].count, 2);
	assert_int_equal(c->creators.n, 2);
	assert_string_equal(c->labels.v[0].text, "handler=/cart");
	assert_int_equal(evidence_goroutines(e), 5);
	assert_int_equal(evidence_frames(e), 5);
	assert_true(fabs(evidence_due(e) - T0 - 600) < 1);
	evidence_json(c, &json);
	doc = json_read(buf_str(&json), &err);
	assert_non_null(doc);
	assert_int_equal(json_integer_value(json_object_get(doc, "count")), 3);
	assert_int_equal(json_array_size(json_object_get(doc, "created_by")), 2);
	json_decref(doc);
	/* A dump that was cut changes nothing. */
	feed(e, T0 + 600, "goroutine 7 [chan receive]:\nmain.leak(0xc1)\n", false);
	assert_int_equal(c->count, 3);
	assert_true(fabs(evidence_due(e) - T0 - 600) < 1);
	buf_release(&json);
	evidence_free(e);
}

/* What the collector says, an empty record of Go 1.27 left out. */
static void proven(void **state)
{
	static const char profile[] = "goroutineleak profile: total 15\n"
				      "12 @ 0x401 0x402\n#\t0x400\tmain.leak+0x1\t/src/m.go:9\n\n"
				      "2 @ 0x403\n#\t0x402\tmain.other+0x1\t/src/m.go:19\n\n"
				      "1 @\n#\t0x0\n\n";
	static const struct {
		uint64_t count;
		bool proven;
		const char *words;
	} rows[] = {{20, true, "proven by the garbage collector: 12 of 20 can never go on"},
		{100, false, "proven by the garbage collector: 12 of 100 can never go on"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct evidence *e = evidence_new(120);
		struct gdump_sink sink = evidence_proof_sink(e);
		struct gdump *g = gdump_new(&sink);
		struct buf words = BUF_INIT;
		uint64_t count = rows[i].count;

		evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, NAN);
		evidence_follow(e, STR("main.held"), EVIDENCE_SUSPECT, 30, T0, NAN);
		assert_true(evidence_wants_proof(e));
		evidence_proof_begin(e, class_cb, NULL);
		gdump_feed(g, profile, strlen(profile));
		assert_int_equal(gdump_finish(g, NULL), 0);
		evidence_proof_end(e, true, count_cb, &count);
		assert_false(evidence_wants_proof(e));
		assert_int_equal(
			evidence_is_proven(evidence_find(e, STR("main.leak"))), rows[i].proven);
		evidence_words(evidence_find(e, STR("main.leak")), &words);
		assert_string_equal(words.p, rows[i].words);
		buf_reset(&words);
		evidence_words(evidence_find(e, STR("main.held")), &words);
		assert_non_null(strstr(words.p, "still reachable"));
		assert_false(evidence_is_proven(evidence_find(e, STR("main.held"))));
		buf_release(&words);
		gdump_free(g);
		evidence_free(e);
	}
}

/* Places are for those that grow fastest, and for what is told last. */
static void places(void **state)
{
	struct evidence *e = evidence_new(120);
	char name[40];

	(void)state;
	for (int i = 0; i < EVIDENCE_CLASSES + 4; i++) {
		snprintf(name, sizeof(name), "main.f%d", i);
		evidence_follow(e, str_of(name), EVIDENCE_SUSPECT, 10 + i, T0, NAN);
	}
	assert_int_equal(evidence_count(e), EVIDENCE_CLASSES);
	assert_null(evidence_find(e, STR("main.f0")));
	assert_non_null(evidence_find(e, STR("main.f19")));
	evidence_follow(e, STR("main.slow"), EVIDENCE_SUSPECT, 1, T0, NAN);
	assert_null(evidence_find(e, STR("main.slow")));
	assert_true(fabs(evidence_urgency(e) - 29) < .1);
	evidence_new_run(e);
	assert_int_equal(evidence_count(e), 0);
	assert_true(isinf(evidence_due(e)));
	/* The next process leaks as well. */
	evidence_follow(e, STR("main.f1"), EVIDENCE_LEAKING, 10, T0 + 60, NAN);
	assert_int_equal(evidence_count(e), 1);
	evidence_free(e);
}

/* A suspicion that is over keeps its cohort for half an hour; then nothing is wanted. */
static void lingers(void **state)
{
	struct evidence *e = evidence_new(120);
	struct evidence_class *c;

	(void)state;
	evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, NAN);
	c = evidence_find(e, STR("main.leak"));
	feed(e, T0, some, true);
	evidence_follow(e, STR("main.leak"), EVIDENCE_NONE, 0, T0 + 600, NAN);
	assert_true(isinf(evidence_due(e)));
	assert_non_null(c->survival);
	evidence_follow(e, STR("main.leak"), EVIDENCE_NONE, 0, T0 + 1900, NAN);
	assert_null(c->survival);
	assert_int_equal(c->count, 3); /* what was seen is still there to be shown */
	evidence_free(e);
}

/* Whatever the interest's own time: another dump may be wanted sooner, but none of what is of no
 * interest.  And all classes that can never go on are kept, followed or not. */
static void wanted(void **state)
{
	struct evidence *e = evidence_new(120);
	const struct forever *f;

	(void)state;
	evidence_want(e, STR("main.leak"), T0);
	evidence_follow(e, STR("main.other"), EVIDENCE_LEAKING, 30, T0, NAN);
	feed(e, T0, some, true);
	assert_true(fabs(evidence_due(e) - T0 - 600) < 1);
	evidence_want(e, STR("main.other"), T0 + 120);
	assert_true(fabs(evidence_due(e) - T0 - 120) < 1);
	evidence_want(e, STR("main.other"), INFINITY);
	assert_true(fabs(evidence_due(e) - T0 - 600) < 1);
	evidence_want(e, STR("main.other"), T0 + 120);
	evidence_follow(e, STR("main.other"), EVIDENCE_NONE, 0, T0, NAN);
	assert_true(isinf(evidence_due(e)));
	f = forever_find(evidence_forever(e), STR("main.leak"));
	assert_non_null(f);
	assert_int_equal(f->count, 1);
	evidence_new_run(e);
	assert_int_equal(forever_count(evidence_forever(e)), 0);
	evidence_free(e);
}

/* The collector is asked once in a suspicion: anew when one follows what was told already (who
 * waits for a lock), and when another begins later. */
static void asked_anew(void **state)
{
	struct evidence *e = evidence_new(120);
	uint64_t count = 20;
	static const struct {
		enum evidence_interest interest;
		double after;
		bool wanted;
	} rows[] = {
		{EVIDENCE_LEAKING, 0, true},
		{EVIDENCE_LEAKING, 60, false},
		{EVIDENCE_SUSPECT, 120, true},
		{EVIDENCE_FAST, 180, false},
		{EVIDENCE_NONE, 240, false},
		{EVIDENCE_SUSPECT, 300, false},
		{EVIDENCE_NONE, 360, false},
		{EVIDENCE_NONE, 3600, false},
		{EVIDENCE_SUSPECT, 3660, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		evidence_follow(e, STR("main.leak"), rows[i].interest, 30, T0 + rows[i].after, NAN);
		if (evidence_wants_proof(e) != rows[i].wanted)
			fail_msg("row %zu", i);
		evidence_proof_begin(e, class_cb, NULL);
		evidence_proof_end(e, rows[i].wanted, count_cb, &count);
	}
	evidence_free(e);
}

/* After a restart of ours a suspicion goes on where its row left it: with its cohort, and without
 * asking the collector again; not so for another process. */
static void restored(void **state)
{
	static const char row[] = "{\"count\":3,\"cohort\":\"!\",\"collector\":null}";
	struct evidence *e = evidence_new(120), *other = evidence_new(120);
	struct buf json = BUF_INIT;
	struct err err = ERR_INIT;
	uint64_t count = 20;

	(void)state;
	evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, T0 - 60);
	feed(e, T0, some, true);
	feed(e, T0 + 600, some, true);
	evidence_proof_begin(e, class_cb, NULL);
	evidence_proof_end(e, true, count_cb, &count);
	evidence_json(evidence_find(e, STR("main.leak")), &json);
	assert_int_equal(
		evidence_restore(other, STR("main.leak"), buf_str(&json), T0 - 60, &err), 0);
	evidence_follow(other, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0 + 660, T0 - 60);
	assert_true(evidence_due(other) == evidence_due(e));
	assert_false(evidence_wants_proof(other));
	assert_int_equal(survival_dumps(evidence_find(other, STR("main.leak"))->survival), 2);
	evidence_new_run(other);
	assert_int_equal(
		evidence_restore(other, STR("main.leak"), buf_str(&json), T0 + 60, &err), -1);
	assert_int_equal(evidence_restore(other, STR("main.leak"), str_of(row), T0, &err), -1);
	assert_int_equal(evidence_restore(other, STR("main.leak"), STR("{"), T0, &err), -1);
	assert_int_equal(evidence_restore(other, STR("main.leak"), STR("{}"), T0, &err), 0);
	assert_int_equal(evidence_count(other), 0);
	buf_release(&json);
	evidence_free(e);
	evidence_free(other);
}

/* What another process said is neither for nor against: the cohort is as if it had not been read.
 */
static void another_process(void **state)
{
	static const char theirs[] =
		"goroutine 1 [running]:\nmain.main()\n\t/src/m.go:1 +0x1\n\n"
		"goroutine 7 [chan receive]:\nmain.leak(0xc1)\n\t/src/m.go:9 +0x1\n"
		"created by main.serve in goroutine 5\n\t/src/m.go:3 +0x1\n\n"
		"goroutine 8 [chan receive]:\nmain.leak(0xc2)\n\t/src/m.go:9 +0x1\n"
		"created by main.other in goroutine 1\n\t/src/m.go:3 +0x1\n\n";
	struct evidence *e = evidence_new(120);
	struct gdump_sink sink = evidence_sink(e);
	struct gdump *g = gdump_new(&sink);
	struct origin_result r;

	(void)state;
	evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, NAN);
	feed(e, T0, some, true);
	evidence_begin(e, T0 + 600, class_cb, NULL);
	gdump_feed(g, theirs, strlen(theirs));
	assert_int_equal(gdump_finish(g, NULL), 0);
	assert_int_equal(evidence_counted(evidence_find(e, STR("main.leak"))), 2);
	evidence_origin(e, &r);
	assert_true(r.other);
	evidence_end(e, false);
	assert_int_equal(evidence_find(e, STR("main.leak"))->count, 3);
	assert_int_equal(survival_dumps(evidence_find(e, STR("main.leak"))->survival), 1);
	gdump_free(g);
	evidence_free(e);
}

/* A class whose goroutine i has waited wait(i) minutes. */
static void feed_waits(struct evidence *e, double t, size_t n, unsigned (*wait)(size_t))
{
	struct buf text = BUF_INIT;

	buf_adds(&text, "goroutine 1 [running]:\nmain.main()\n\t/src/m.go:1 +0x1\n\n");
	for (size_t i = 0; i < n; i++) {
		buf_addf(&text, "goroutine %zu [chan receive", i + 100);
		if (wait(i))
			buf_addf(&text, ", %u minutes", wait(i));
		buf_adds(&text, "]:\nmain.leak(0xc1)\n\t/src/m.go:9 +0x1\n"
				"created by main.serve in goroutine 1\n\t/src/m.go:3 +0x1\n\n");
	}
	feed(e, t, text.p, true);
	buf_release(&text);
}

static unsigned evenly(size_t i)
{
	return (unsigned)(i * 5); /* one in five minutes */
}

static unsigned evenly_later(size_t i)
{
	return (unsigned)(i * 5 + 30);
}

static unsigned younger(size_t i)
{
	return (unsigned)(240 / (i + 1)) + (unsigned)(i % 30);
}

static unsigned at_once(size_t i)
{
	return i < 100 ? 599 : 2;
}

/* The waits of one dump: a rate where they are spread evenly, else what their shape is; and of two,
 * how many still wait. */
static void by_waits(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		unsigned (*wait)(size_t);
		const char *words, *verdict;
		double rate;
	} rows[] = {
		{"one in five minutes, and none left", 100, evenly,
			"by how long they have waited: as if 12.0 an hour came and none left (9.6 "
			"to ",
			"leaking", 12.0},
		{"they come and go", 400, younger, "by how long they have waited: they come and go",
			"ok", NAN},
		{"as old as the process", 130, at_once, "by how long they have waited: a pool: 100",
			"ok", NAN},
		{"too few to say", 20, evenly, "", "untold", NAN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct evidence *e = evidence_new(120);
		struct buf words = BUF_INIT, json = BUF_INIT;
		struct err err = ERR_INIT;
		struct evidence_class *c;
		json_t *doc, *ages;

		evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, T0 - 36000);
		feed_waits(e, T0, rows[i].n, rows[i].wait);
		c = evidence_find(e, STR("main.leak"));
		evidence_words(c, &words);
		if (strncmp(words.p, rows[i].words, strlen(rows[i].words)) != 0 ||
			(words.len > 0) != (rows[i].words[0] != '\0'))
			fail_msg("%s: %s", rows[i].what, words.p);
		evidence_json(c, &json);
		doc = json_read(buf_str(&json), &err);
		ages = json_object_get(doc, "ages");
		assert_string_equal(
			json_string_value(json_object_get(ages, "verdict")), rows[i].verdict);
		doc = json_object_get(ages, "rate_per_hour") ? doc : NULL;
		assert_non_null(doc);
		if (isnan(rows[i].rate)) {
			assert_true(json_is_null(json_object_get(ages, "rate_per_hour")));
		} else {
			json_t *rate = json_object_get(ages, "rate_per_hour");

			assert_true(fabs(json_real_value(json_object_get(rate, "estimate")) -
					    rows[i].rate) < .1);
			assert_non_null(json_string_value(json_object_get(rate, "basis")));
			assert_int_equal(json_array_size(json_object_get(ages, "bins")), AGES_BINS);
		}
		json_decref(doc);
		buf_release(&words);
		buf_release(&json);
		evidence_free(e);
	}
}

static void still_there(void **state)
{
	struct evidence *e = evidence_new(120);
	struct evidence_class *c;

	(void)state;
	evidence_follow(e, STR("main.leak"), EVIDENCE_SUSPECT, 30, T0, NAN);
	feed_waits(e, T0, 100, evenly);
	c = evidence_find(e, STR("main.leak"));
	assert_true(isnan(c->stay));
	feed_waits(e, T0 + 1800, 100, evenly_later); /* the same ones, half an hour later */
	assert_true(c->stay > .98);
	feed_waits(e, T0 + 3600, 100, evenly); /* half an hour later, others */
	assert_true(c->stay < .98);
	evidence_free(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tallied),
		cmocka_unit_test(proven),
		cmocka_unit_test(places),
		cmocka_unit_test(lingers),
		cmocka_unit_test(wanted),
		cmocka_unit_test(asked_anew),
		cmocka_unit_test(restored),
		cmocka_unit_test(another_process),
		cmocka_unit_test(by_waits),
		cmocka_unit_test(still_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
