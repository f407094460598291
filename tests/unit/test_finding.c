/* finding: which verdicts are one cause, and which speak for themselves. */
#include "finding.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW  1700100000.0
#define HOUR 3600.0

struct told {
	char log[512]; /* "+KIND/CLASS" opened, "-KIND/CLASS" closed */
	size_t members; /* of the newest when it opened */
};

static void add(struct told *t, char sign, const struct finding *f)
{
	size_t n = strlen(t->log);

	snprintf(t->log + n, sizeof(t->log) - n, "%s%c%s/%s", n ? " " : "", sign,
		finding_alert_name(f->kind), f->class);
}

static void opened(void *arg, struct finding *f)
{
	((struct told *)arg)->members = f->nmembers;
	add(arg, '+', f);
}

static void current(void *arg, struct finding *f)
{
	(void)arg;
	(void)f;
}

static void closed(void *arg, struct finding *f, const char *why)
{
	assert_true(why && why[0]);
	add(arg, '-', f);
}

static struct series make(enum series_kind kind, const char *name, enum verdict_state state,
	double rate, double since, double grown)
{
	return (struct series){
		.kind = kind,
		.name = (char *)name,
		.at = NOW,
		.value = grown,
		.changed_at = NOW - 2 * HOUR,
		.verdict = {.state = state,
			.rate_per_hour = rate,
			.low = rate,
			.high = rate,
			.since = since,
			.base = 0,
			.top = grown,
			.lookback_s = 6 * HOUR,
			.reason = "as told"},
	};
}

static const struct detect_params params = DETECT_PARAMS_DEFAULT;

static struct finding_set *set_for(struct told *t)
{
	struct finding_events e = {
		.opened = opened, .current = current, .closed = closed, .arg = t};

	memset(t, 0, sizeof(*t));
	return finding_set_new(&params, &e);
}

static void run(struct finding_set *set, struct series *v, size_t n, double now)
{
	struct series *p[16];

	for (size_t i = 0; i < n; i++)
		p[i] = &v[i];
	finding_update(set, p, n, now, true);
}

/* Rows: series of one target, and what is told of them in one update. */
static void test_causes(void **state)
{
	static const struct {
		const char *what;
		size_t n;
		struct {
			enum series_kind kind;
			const char *name;
			enum verdict_state state;
			double rate, since, grown;
		} v[5];
		const char *told;
	} rows[] = {
		{"nothing leaks", 2,
			{{SERIES_CLASS, "a", VERDICT_SUSPECT, 30, NOW - 6 * HOUR, 180},
				{SERIES_TOTAL, "go_goroutines", VERDICT_SUSPECT, 30, NOW - 6 * HOUR,
					180}},
			""},
		{"two classes that began together: one finding, named after the faster", 2,
			{{SERIES_CLASS, "slow", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180},
				{SERIES_CLASS, "fast", VERDICT_LEAKING, 300, NOW - 8 * HOUR, 2400}},
			"+GoroutineLeak/fast"},
		{"two that began days apart and rise in no common ratio: two", 2,
			{{SERIES_CLASS, "old", VERDICT_LEAKING, 30, NOW - 90 * HOUR, 2700},
				{SERIES_CLASS, "new", VERDICT_LEAKING, 10, NOW - 6 * HOUR, 60}},
			"+GoroutineLeak/old +GoroutineLeak/new"},
		{"days apart as seen, but in one ratio: one", 2,
			{{SERIES_CLASS, "reader", VERDICT_LEAKING, 30, NOW - 90 * HOUR, 2700},
				{SERIES_CLASS, "writer", VERDICT_LEAKING, 15, NOW - 6 * HOUR,
					1350}},
			"+GoroutineLeak/reader"},
		{"the total is silent where a class explains it", 2,
			{{SERIES_TOTAL, "go_goroutines", VERDICT_LEAKING, 33, NOW - 6 * HOUR, 200},
				{SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180}},
			"+GoroutineLeak/a"},
		{"and also while that class is only suspect", 2,
			{{SERIES_TOTAL, "go_goroutines", VERDICT_LEAKING, 33, NOW - 6 * HOUR, 200},
				{SERIES_CLASS, "a", VERDICT_SUSPECT, 30, NOW - 6 * HOUR, 180}},
			""},
		{"but speaks where half of its rate is left over", 2,
			{{SERIES_TOTAL, "go_goroutines", VERDICT_LEAKING, 60, NOW - 6 * HOUR, 360},
				{SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180}},
			"+GoroutineLeak/a +GoroutineLeak/go_goroutines"},
		{"descriptors that follow the goroutines are members", 2,
			{{SERIES_FDS, "process_open_fds", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180},
				{SERIES_CLASS, "a", VERDICT_LEAKING, 60, NOW - 6 * HOUR, 360}},
			"+GoroutineLeak/a"},
		{"descriptors alone", 1,
			{{SERIES_FDS, "process_open_fds", VERDICT_LEAKING, 30, NOW - 6 * HOUR,
				180}},
			"+FileDescriptorLeak/process_open_fds"},
		{"memory of 30 kB a goroutine is the goroutines'", 2,
			{{SERIES_MEMORY, "process_resident_memory_bytes", VERDICT_LEAKING,
				 30 * 30e3, NOW - 6 * HOUR, 180 * 30e3},
				{SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180}},
			"+GoroutineLeak/a"},
		{"memory of 30 MB a goroutine is not", 2,
			{{SERIES_MEMORY, "process_resident_memory_bytes", VERDICT_LEAKING,
				 30 * 30e6, NOW - 6 * HOUR, 180 * 30e6},
				{SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180}},
			"+GoroutineLeak/a +MemoryLeak/process_resident_memory_bytes"},
		{"heap and resident memory: one MemoryLeak", 2,
			{{SERIES_HEAP, "go_memstats_heap_inuse_bytes", VERDICT_LEAKING, 9e6,
				 NOW - 6 * HOUR, 54e6},
				{SERIES_MEMORY, "process_resident_memory_bytes", VERDICT_LEAKING,
					1e7, NOW - 6 * HOUR, 6e7}},
			"+MemoryLeak/process_resident_memory_bytes"},
		{"anonymous memory speaks where it is told; pages of files in resident memory do "
		 "not",
			2,
			{{SERIES_MEMORY, "process_resident_memory_bytes", VERDICT_LEAKING, 9e6,
				 NOW - 6 * HOUR, 54e6},
				{SERIES_ANON, "anonymous_memory_bytes", VERDICT_OK, NAN, NAN, 0}},
			""},
		{"anonymous memory, and what it is made of: one MemoryLeak", 2,
			{{SERIES_MEMORY, "process_resident_memory_bytes", VERDICT_LEAKING, 9e6,
				 NOW - 6 * HOUR, 54e6},
				{SERIES_ANON, "anonymous_memory_bytes", VERDICT_LEAKING, 9e6,
					NOW - 6 * HOUR, 54e6}},
			"+MemoryLeak/anonymous_memory_bytes"},
		{"heap where resident memory is not told", 1,
			{{SERIES_HEAP, "go_memstats_heap_inuse_bytes", VERDICT_LEAKING, 9e6,
				NOW - 6 * HOUR, 54e6}},
			"+MemoryLeak/go_memstats_heap_inuse_bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct series v[5];
		struct told t;
		struct finding_set *set = set_for(&t);

		for (size_t k = 0; k < rows[i].n; k++)
			v[k] = make(rows[i].v[k].kind, rows[i].v[k].name, rows[i].v[k].state,
				rows[i].v[k].rate, rows[i].v[k].since, rows[i].v[k].grown);
		run(set, v, rows[i].n, NOW);
		run(set, v, rows[i].n, NOW + 60); /* nothing new is told of the same */
		if (strcmp(t.log, rows[i].told) != 0)
			fail_msg("%s: told \"%s\", not \"%s\"", rows[i].what, t.log, rows[i].told);
		finding_set_free(set);
	}
}

/* A hanging handler and the server's connections grow alike: the handler has the better name. */
static void test_own_code(void **state)
{
	struct series v[2] = {
		make(SERIES_CLASS, "http-server-conn", VERDICT_LEAKING, 31, NOW - 6 * HOUR, 186),
		make(SERIES_CLASS, "main.handle", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180),
	};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	v[0].builtin = true;
	run(set, v, 2, NOW);
	assert_string_equal(t.log, "+GoroutineLeak/main.handle");
	finding_set_free(set);

	/* Twice as fast is not alike. */
	set = set_for(&t);
	v[0].verdict.rate_per_hour = 60;
	run(set, v, 2, NOW);
	assert_string_equal(t.log, "+GoroutineLeak/http-server-conn");
	finding_set_free(set);
}

/* The total waits for a class to speak: it has the better name. */
static void test_grace(void **state)
{
	struct series v[2] = {
		make(SERIES_TOTAL, "go_goroutines", VERDICT_LEAKING, 60, NOW - 6 * HOUR, 360),
		make(SERIES_CLASS, "a", VERDICT_WATCHING, 60, NOW - 6 * HOUR, 360),
	};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	v[0].changed_at = NOW - 60;
	run(set, v, 2, NOW);
	assert_string_equal(t.log, "");
	v[1].verdict.state = VERDICT_LEAKING;
	run(set, v, 2, NOW + 600);
	run(set, v, 2, NOW + 2 * HOUR);
	assert_string_equal(t.log, "+GoroutineLeak/a");
	finding_set_free(set);
}

/* A total that spoke before any class could is taken back when a class explains it. */
static void test_late_class(void **state)
{
	struct series v[2] = {
		make(SERIES_TOTAL, "go_goroutines", VERDICT_LEAKING, 60, NOW - 6 * HOUR, 360),
		make(SERIES_CLASS, "a", VERDICT_OK, NAN, NAN, 0),
	};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	run(set, v, 2, NOW);
	v[1] = make(SERIES_CLASS, "a", VERDICT_LEAKING, 60, NOW - 6 * HOUR, 360);
	run(set, v, 2, NOW + 60);
	assert_string_equal(t.log, "+GoroutineLeak/go_goroutines +GoroutineLeak/a "
				   "-GoroutineLeak/go_goroutines");
	finding_set_free(set);
}

/* Held is still there, a suspect after a restart too; ok is over. */
static void test_close(void **state)
{
	struct series v[1] = {make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180)};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	run(set, v, 1, NOW);
	v[0].verdict.state = VERDICT_HELD;
	run(set, v, 1, NOW + 60);
	v[0].verdict.state = VERDICT_SUSPECT;
	run(set, v, 1, NOW + 120);
	assert_int_equal(finding_count(set), 1);
	v[0].verdict.state = VERDICT_OK;
	run(set, v, 1, NOW + 180);
	assert_int_equal(finding_count(set), 0);
	assert_string_equal(t.log, "+GoroutineLeak/a -GoroutineLeak/a");
	finding_set_free(set);
}

/* Over its limit it speaks beside the leak, and stops when it is back. */
static void test_limit(void **state)
{
	struct series v[1] = {make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180)};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	v[0].over = true;
	run(set, v, 1, NOW);
	v[0].over = false;
	run(set, v, 1, NOW + 60);
	assert_string_equal(t.log, "+GoroutineLeak/a +GoroutineLimit/a -GoroutineLimit/a");
	finding_set_free(set);
}

/* Those that wait for a mutex for ever speak whether they grow or not, unless their leak is told; a
 * word that stands is not taken back while it is too early to know. */
static void test_stuck(void **state)
{
	struct series v[1] = {make(SERIES_CLASS, "a", VERDICT_OK, 0, NAN, 0)};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	v[0].maybe_stuck = true;
	run(set, v, 1, NOW);
	assert_int_equal(finding_count(set), 0);
	v[0].stuck_since = NOW - 300;
	run(set, v, 1, NOW);
	assert_string_equal(t.log, "+StuckGoroutines/a");
	/* The process was restarted, and they wait again. */
	v[0].stuck_since = 0;
	run(set, v, 1, NOW + 60);
	v[0].stuck_since = NOW + 30;
	run(set, v, 1, NOW + 360);
	assert_string_equal(t.log, "+StuckGoroutines/a");
	v[0].stuck_since = 0;
	v[0].maybe_stuck = false;
	run(set, v, 1, NOW + 420);
	assert_string_equal(t.log, "+StuckGoroutines/a -StuckGoroutines/a");
	v[0] = make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180);
	v[0].stuck_since = NOW;
	run(set, v, 1, NOW + 480);
	assert_string_equal(t.log, "+StuckGoroutines/a -StuckGoroutines/a +GoroutineLeak/a");
	finding_restore(set, FINDING_STUCK, STR("a"), NOW); /* told by an earlier life of ours */
	run(set, v, 1, NOW + 540);
	assert_int_equal(finding_count(set), 2);
	finding_set_free(set);
}

/* The class a of 100, of which holds what the letters say: L leaks, S all are stuck, s three are, C
 * it is a convoy, F it waits for ever. */
static void hold(struct series *s, const char *letters, size_t n)
{
	*s = make(SERIES_CLASS, "a", VERDICT_OK, 0, NAN, 100);
	for (size_t i = 0; i < n; i++) {
		if (letters[i] == 'L')
			s->verdict =
				make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 100)
					.verdict;
		if (letters[i] == 'S' || letters[i] == 's') {
			s->stuck_since = NOW - 300;
			s->stuck_count = letters[i] == 'S' ? 100 : 3;
		}
		s->convoy |= letters[i] == 'C';
		if (letters[i] == 'F')
			s->forever_since = NOW - 300;
	}
}

/* Of one class one name is told, whatever is found out later; only a convoy takes the place of what
 * is stuck, and opens before that closes.  A step a minute. */
static void test_waits(void **state)
{
	static const struct {
		const char *what, *steps, *told;
	} rows[] = {
		{"it grows, and never ends: one alert", "F,LF,L", "+BlockedForever/a"},
		{"over when neither is said any more", "F,LF,L,-",
			"+BlockedForever/a -BlockedForever/a"},
		{"a leak that is told stays one", "L,LF,LSC", "+GoroutineLeak/a"},
		{"stuck at first, then a convoy", "S,SC,SCL",
			"+StuckGoroutines/a +LockConvoy/a -StuckGoroutines/a"},
		{"a convoy at once, over with its waits, then a leak", "SC,SCL,L,L",
			"+LockConvoy/a -LockConvoy/a +GoroutineLeak/a"},
		{"a convoy is not said to be stuck, too", "SC,S,SC", "+LockConvoy/a"},
		{"those that are stuck are the growth", "S,SL", "+StuckGoroutines/a"},
		{"those that are stuck are a few of it", "s,sL",
			"+StuckGoroutines/a +GoroutineLeak/a"},
		{"nor are those for ever, when all are stuck", "S,SF", "+StuckGoroutines/a"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct told t;
		struct finding_set *set = set_for(&t);
		struct str rest = str_of(rows[i].steps), step;
		struct series v[1];

		for (double now = NOW; rest.len; now += 60) {
			ptrdiff_t comma = str_chr(rest, ',');

			step = comma < 0 ? rest : str_sub(rest, 0, (size_t)comma);
			rest = str_from(rest, MIN(step.len + 1, rest.len));
			hold(v, step.p, step.len);
			run(set, v, 1, now);
		}
		if (strcmp(t.log, rows[i].told) != 0)
			fail_msg("%s: %s", rows[i].what, t.log);
		finding_set_free(set);
	}
}

/* Another class that grows with a convoy is a member of it; a restored one waits for its series,
 * and stands while it is too early to know. */
static void test_waits_members(void **state)
{
	struct series v[2] = {make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180),
		make(SERIES_CLASS, "http-server-conn", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180)};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	v[0].stuck_since = NOW - 300;
	v[0].convoy = true;
	run(set, v, 2, NOW);
	assert_string_equal(t.log, "+LockConvoy/a");
	assert_int_equal(t.members, 2);
	finding_set_free(set);

	set = set_for(&t);
	finding_restore(set, FINDING_CONVOY, STR("a"), NOW);
	finding_restore(set, FINDING_FOREVER, STR("http-server-conn"), NOW);
	v[0] = make(SERIES_CLASS, "a", VERDICT_OK, 0, NAN, 100);
	v[1] = make(SERIES_CLASS, "http-server-conn", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180);
	v[0].maybe_stuck = true;
	run(set, v, 2, NOW + 60);
	assert_string_equal(t.log, "");
	v[0].maybe_stuck = false;
	v[0].stuck_since = NOW;
	run(set, v, 2, NOW + 120);
	assert_string_equal(t.log, "");
	assert_int_equal(finding_count(set), 2);
	finding_set_free(set);
}

/* After a restart of the daemon the finding finds its series again, under its old name. */
static void test_restore(void **state)
{
	struct series v[2] = {
		make(SERIES_CLASS, "a", VERDICT_LEAKING, 30, NOW - 6 * HOUR, 180),
		make(SERIES_CLASS, "faster", VERDICT_LEAKING, 90, NOW - 6 * HOUR, 540),
	};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	finding_restore(set, FINDING_GOROUTINES, STR("a"), NOW - 3 * HOUR);
	finding_restore(set, FINDING_GOROUTINES, STR("gone"), NOW - 3 * HOUR);
	/* Nothing is said before a whole body told which classes there are. */
	finding_update(set, NULL, 0, NOW, false);
	assert_int_equal(finding_count(set), 2);
	run(set, v, 2, NOW + 60);
	assert_string_equal(t.log, "-GoroutineLeak/gone");
	assert_int_equal(finding_at(set, 0)->nmembers, 2);
	assert_string_equal(finding_at(set, 0)->class, "a");
	finding_set_free(set);
}

/* What is told at the opening names everything that grows with it: no second message would. */
static void test_opens_with_its_members(void **state)
{
	struct series v[] = {
		make(SERIES_CLASS, "fast", VERDICT_LEAKING, 40, NOW - 6 * HOUR, 240),
		make(SERIES_CLASS, "slow", VERDICT_LEAKING, 20, NOW - 6 * HOUR, 120),
		make(SERIES_FDS, "process_open_fds", VERDICT_LEAKING, 20, NOW - 6 * HOUR, 120),
	};
	struct told t;
	struct finding_set *set = set_for(&t);

	(void)state;
	run(set, v, ARRAY_LEN(v), NOW);
	assert_string_equal(t.log, "+GoroutineLeak/fast");
	assert_int_equal(t.members, 3);
	run(set, v, ARRAY_LEN(v), NOW + 60);
	assert_string_equal(t.log, "+GoroutineLeak/fast");
	finding_set_free(set);
}

/* One writeLoop for each readLoop; a worker and its queue; goroutines and their descriptors. */
static void test_ratio(void **state)
{
	static const struct {
		const char *stands_for;
		enum series_kind kind;
		double rate, grown; /* of the member; of the primary 30 an hour, 180 grown */
		double ratio;
	} rows[] = {
		{"readLoop and writeLoop", SERIES_CLASS, 30, 180, 1},
		{"a worker and its four", SERIES_CLASS, 121, 720, 4},
		{"a descriptor for two", SERIES_FDS, 15, 90, .5},
		{"began earlier: another ratio in the rates", SERIES_CLASS, 30, 400, NAN},
		{"too few to tell", SERIES_CLASS, 1.4, 8, NAN},
		{"bytes are told by what each holds", SERIES_MEMORY, 30, 180, NAN},
		{"not growing", SERIES_CLASS, NAN, 180, NAN},
	};
	struct series primary = {
		.kind = SERIES_CLASS, .verdict = {.rate_per_hour = 30, .base = 5, .top = 185}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct series m = {.kind = rows[i].kind,
			.verdict = {.rate_per_hour = rows[i].rate,
				.base = 7,
				.top = 7 + rows[i].grown}};
		double ratio = finding_ratio(&m, &primary);

		if (isnan(ratio) != isnan(rows[i].ratio) || fabs(ratio - rows[i].ratio) > 1e-9)
			fail_msg("%s: %g", rows[i].stands_for, ratio);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ratio),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_opens_with_its_members),
		cmocka_unit_test(test_own_code),
		cmocka_unit_test(test_grace),
		cmocka_unit_test(test_late_class),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_stuck),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_waits_members),
		cmocka_unit_test(test_restore),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
