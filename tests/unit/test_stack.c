#include "stack.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void assert_str(struct str got, const char *want)
{
	if (!str_is(got, want))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(got), want);
}

static void names_get_their_normal_form(void **state)
{
	static const struct {
		const char *name, *normal, *plain;
	} rows[] = {
		/* plain functions and methods stay as they are */
		{"main.main", "main.main", "main.main"},
		{"net/http.(*conn).serve", "net/http.(*conn).serve", "net/http.(*conn).serve"},
		{"main.srv.value", "main.srv.value", "main.srv.value"},
		/* closures: kept in the name, cut for class names */
		{"main.F.func1", "main.F.func1", "main.F"},
		{"main.F.func1.2", "main.F.func1.2", "main.F"},
		{"main.(*T).Run.func3.1.1", "main.(*T).Run.func3.1.1", "main.(*T).Run"},
		/* the same nested closure as Go 1.21, 1.22 and 1.27 write it */
		{"main.zoo.func2.zoo.func2.1.func2", "main.zoo.func2.zoo.func2.1.func2",
			"main.zoo"},
		{"main.zoo.func2.zoo.func2.1.2", "main.zoo.func2.zoo.func2.1.2", "main.zoo"},
		{"main.zoo.func2.1.1", "main.zoo.func2.1.1", "main.zoo"},
		/* range-over-func bodies */
		{"main.c.func2-range1", "main.c.func2-range1", "main.c"},
		{"main.c-range1", "main.c-range1", "main.c"},
		/* closures at package level: Go 1.21 and before, Go 1.22 and after, init functions
		 */
		{"pkg.glob..func7", "pkg.glob..func7", "pkg.init"},
		{"pkg.init.func7", "pkg.init.func7", "pkg.init"},
		{"pkg.init.0.func7", "pkg.init.0.func7", "pkg.init"},
		/* a method, and a function, that are really called func1 */
		{"main.(*T).func1", "main.(*T).func1", "main.(*T).func1"},
		{"main.func1", "main.func1", "main.func1"},
		/* wrappers of go and defer statements, and of method values */
		{"main.F.gowrap12", "main.F", "main.F"},
		{"main.F.func1.gowrap1", "main.F.func1", "main.F"},
		{"main.F.deferwrap1", "main.F", "main.F"},
		{"main.F\302\267dwrap\302\2673", "main.F", "main.F"},
		{"main.(*srv).handle-fm", "main.(*srv).handle", "main.(*srv).handle"},
		/* method values before Go 1.12, the inner path as it is and as vendoring left it */
		{"github.com/Shopify/sarama.(*Broker).(github.com/Shopify/sarama.responseReceiver)-"
		 "fm",
			"github.com/Shopify/sarama.(*Broker).responseReceiver",
			"github.com/Shopify/sarama.(*Broker).responseReceiver"},
		{"a.b/vendor/github.com/Shopify/sarama.(*Broker).(/vendor/github.com/Shopify/"
		 "sarama.responseReceiver)-fm",
			"github.com/Shopify/sarama.(*Broker).responseReceiver",
			"github.com/Shopify/sarama.(*Broker).responseReceiver"},
		{"main.(T)-fm", "main.(T)", "main.(T)"}, /* no method in it */
		{")-fm", ")", ")"},
		{"main.gowrap", "main.gowrap", "main.gowrap"}, /* a function of that name */
		/* dots in the last element of a package path */
		{"gopkg.in/retry%2ev3.(*Pool).Work", "gopkg.in/retry.v3.(*Pool).Work",
			"gopkg.in/retry.v3.(*Pool).Work"},
		/* vendored in GOPATH mode, twice */
		{"example.com/a/vendor/b.org/vendor/c.org/d.F", "c.org/d.F", "c.org/d.F"},
		/* type arguments: as text has them, and as profile.proto has them */
		{"main.Drain[...]", "main.Drain[...]", "main.Drain[...]"},
		{"main.Drain[go.shape.string,go.shape.int]", "main.Drain[...]", "main.Drain[...]"},
		{"main.Drain[T]", "main.Drain[...]", "main.Drain[...]"},
		{"main.(*Q[go.shape.[]uint8]).Pop", "main.(*Q[...]).Pop", "main.(*Q[...]).Pop"},
		{"main.T[a/vendor/b.X].M[int].func1", "main.T[...].M[...].func1",
			"main.T[...].M[...]"},
		{"main.open[int", "main.open[int", "main.open[int"}, /* never closed */
		/* receivers that are struct literals */
		{"main.(*struct { sync.Mutex; x int }).Lock",
			"main.(*struct { sync.Mutex; x int }).Lock",
			"main.(*struct { sync.Mutex; x int }).Lock"},
		/* two names of one thing */
		{"runtime.gopanic", "panic", "panic"},
		{"internal/sync.(*Mutex).lockSlow", "sync.(*Mutex).lockSlow",
			"sync.(*Mutex).lockSlow"},
		/* nothing to do, and nothing to crash on */
		{"", "", ""},
		{"goexit", "goexit", "goexit"},
		{".", ".", "."},
		{"a/b", "a/b", "a/b"},
		{"main.]", "main.]", "main.]"},
		{"main.)).x.func1", "main.)).x.func1", "main.)).x"},
	};
	struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_str(stack_name(&a, str_of(rows[i].name)), rows[i].normal);
		assert_str(stack_plain_name(&a, str_of(rows[i].name)), rows[i].plain);
	}
	arena_release(&a);
}

static void packages_belong_to_somebody(void **state)
{
	static const struct {
		const char *func;
		bool std, runtime;
	} rows[] = {
		{"net/http.(*conn).serve", true, false},
		{"time.Sleep", true, false},
		{"os/signal.loop", true, false},
		{"vendor/golang.org/x/net/dns/dnsmessage.F", true, false},
		{"net.(*T[a.org/b.C]).M", true, false}, /* a slash in type arguments only */
		{"runtime.gopark", true, true},
		{"runtime/pprof.writeGoroutine", true, false}, /* not the runtime */
		{"internal/runtime/syscall.Syscall6", true, true},
		{"runtime/internal/syscall.Syscall6", true, true}, /* Go 1.23 and before */
		{"panic", false, true},
		{"_cgoexp_fc2c557b2d12_goCallback", false, true},
		{"main.main", false, false},
		{"go.uber.org/zap.New", false, false}, /* begins as package go does */
		{"golang.org/x/net/http2.F", false, false},
		{"text.example/x.F", false, false},
		{"network/http.F", false, false}, /* longer than a name of the list */
		{"ne.F", false, false}, /* shorter */
		{"", false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str func = str_of(rows[i].func);

		if (stack_is_std(func) != rows[i].std)
			fail_msg("stack_is_std(%s)", rows[i].func);
		if (stack_is_runtime(func) != rows[i].runtime)
			fail_msg("stack_is_runtime(%s)", rows[i].func);
	}
}

/* Frames "func" or "func file", leaf first; the array is the test's. */
static size_t frames_of(const char *const *text, struct frame *frames)
{
	size_t n = 0;

	for (; text[n]; n++) {
		struct str line = str_of(text[n]);
		ptrdiff_t space = str_rchr(line, ' ');

		memset(&frames[n], 0, sizeof(frames[n]));
		frames[n].func = space < 0 ? line : str_sub(line, 0, (size_t)space);
		frames[n].file = space < 0 ? STR("") : str_from(line, (size_t)space + 1);
	}
	return n;
}

static void groups_become_stacks(void **state)
{
	static const struct {
		const char *what, *state;
		size_t nhidden;
		const char *frames[8];
		const char *name, *entry, *top, *user;
		enum wait_kind wait;
	} rows[] = {
		{"debug=1, waits on a channel: the hidden PCs must be asked", "", 3,
			{"main.worker.func1"}, "main.worker", "main.worker.func1",
			"main.worker.func1", "main.worker.func1", WAIT_UNKNOWN},
		{"the same in debug=2", "chan receive", 0, {"main.worker.func1"}, "main.worker",
			"main.worker.func1", "main.worker.func1", "main.worker.func1",
			WAIT_CHAN_RECEIVE},
		{"the same in a crash dump: runtime frames, wrapper, goexit", "chan receive", 0,
			{"runtime.gopark", "runtime.chanrecv", "main.worker.func1",
				"main.start.gowrap3", "runtime.goexit"},
			"main.worker", "main.worker.func1", "main.worker.func1",
			"main.worker.func1", WAIT_CHAN_RECEIVE},
		{"a library waits for the service: both are in the name", "", 3,
			{"internal/poll.runtime_pollWait", "net.(*conn).Read",
				"redis.org/r.(*Conn).read", "main.work", "net/http.(*conn).serve"},
			"redis.org/r.(*Conn).read < net/http.(*conn).serve",
			"net/http.(*conn).serve", "internal/poll.runtime_pollWait",
			"redis.org/r.(*Conn).read", WAIT_IO},
		{"running: one class wherever it happens to be", "running", 0,
			{"lib.org/x.hash", "main.work"}, "main.work", "main.work", "lib.org/x.hash",
			"lib.org/x.hash", WAIT_NONE},
		{"running in debug=1: no PC is hidden", "", 0, {"lib.org/x.hash", "main.work"},
			"main.work", "main.work", "lib.org/x.hash", "lib.org/x.hash", WAIT_NONE},
		{"standard library only", "IO wait", 0,
			{"internal/poll.runtime_pollWait", "net/http.(*persistConn).readLoop"},
			"net/http.(*persistConn).readLoop", "net/http.(*persistConn).readLoop",
			"internal/poll.runtime_pollWait", "", WAIT_IO},
		{"the main goroutine: runtime.main is no entry", "select (no cases)", 0,
			{"main.main", "runtime.main"}, "main.main", "main.main", "main.main",
			"main.main", WAIT_SELECT},
		{"nothing but the runtime", "force gc (idle)", 0,
			{"runtime.gopark", "runtime.forcegchelper", "runtime.goexit"},
			"runtime.forcegchelper", "runtime.forcegchelper", "", "", WAIT_OTHER},
		{"nothing but the runtime and a wrapper", "GC sweep wait", 0,
			{"runtime.gopark", "runtime.bgsweep", "runtime.gcenable.gowrap1",
				"runtime.goexit"},
			"runtime.bgsweep", "runtime.bgsweep", "", "", WAIT_OTHER},
		{"just started: a wrapper and goexit", "runnable", 0,
			{"main.start.gowrap1", "runtime.goexit"}, "(not started)", "main.start",
			"main.start", "main.start", WAIT_NONE},
		{"<autogenerated> frames are wrappers", "select", 0,
			{"main.T.run", "main.(*T).run <autogenerated>"}, "main.T.run", "main.T.run",
			"main.T.run", "main.T.run", WAIT_SELECT},
		{"a mutex before Go 1.20", "semacquire", 0,
			{"sync.runtime_SemacquireMutex", "sync.(*Mutex).Lock", "main.f"}, "main.f",
			"main.f", "sync.runtime_SemacquireMutex", "main.f", WAIT_MUTEX},
		{"a wait group before Go 1.24", "semacquire", 0,
			{"sync.runtime_Semacquire", "sync.(*WaitGroup).Wait", "main.f"}, "main.f",
			"main.f", "sync.runtime_Semacquire", "main.f", WAIT_SEMACQUIRE},
		{"a system call through the runtime's package, debug=1 of Go 1.19", "", 0,
			{"runtime/internal/syscall.Syscall6", "syscall.Syscall", "main.f"},
			"main.f", "main.f", "syscall.Syscall", "main.f", WAIT_SYSCALL},
		{"a wrapper that waits: not a new one", "select", 0, {"main.start.gowrap1"},
			"main.start", "main.start", "main.start", "main.start", WAIT_SELECT},
		{"new, without a wrapper: as if it ran", "runnable", 0,
			{"main.start", "runtime.goexit"}, "main.start", "main.start", "main.start",
			"main.start", WAIT_NONE},
		{"no frames, as threadcreate has them", "", 1, {NULL}, "(no stack)", "", "", "",
			WAIT_NONE},
		{"a PC without a symbol", "", 0, {""}, "(no name)", "", "", "", WAIT_UNKNOWN},
	};
	struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame frames[8];
		struct group g = {.count = 1, .frames = frames};
		struct stack s;

		g.state = str_of(rows[i].state);
		g.nhidden = rows[i].nhidden;
		g.nframes = frames_of(rows[i].frames, frames);
		stack_from_group(&a, &g, i % 2 == 0, &s);
		print_message("%s\n", rows[i].what);
		assert_str(stack_class_name(&a, &s), rows[i].name);
		assert_str(s.entry, rows[i].entry);
		assert_str(s.top, rows[i].top);
		assert_str(s.user.func, rows[i].user);
		assert_string_equal(wait_kind_name(s.wait), wait_kind_name(rows[i].wait));
		arena_reset(&a);
	}
	arena_release(&a);
}

static uint64_t fingerprint_of(struct arena *a, const char *const *text)
{
	struct frame frames[8];
	struct group g = {.count = 1, .frames = frames, .state = STR_LIT("select")};
	struct stack s;

	g.nframes = frames_of(text, frames);
	stack_from_group(a, &g, false, &s);
	return s.fingerprint;
}

static void one_leak_has_one_fingerprint(void **state)
{
	static const char *const debug1[] = {"sync.runtime_SemacquireMutex",
		"sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock", "main.f.func1", NULL};
	static const char *const same[][8] = {
		/* Go 1.24: the mutex moved */
		{"internal/sync.runtime_SemacquireMutex", "internal/sync.(*Mutex).lockSlow",
			"internal/sync.(*Mutex).Lock", "sync.(*Mutex).Lock", "main.f.func1"},
		/* another build: another closure number, other lines */
		{"sync.runtime_SemacquireMutex /x.go", "sync.(*Mutex).lockSlow",
			"sync.(*Mutex).Lock", "main.f.func2"},
		/* recursion of another depth */
		{"sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock",
			"main.f.func1", "main.f.func1"},
		/* crash output */
		{"runtime.gopark", "sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow",
			"sync.(*Mutex).Lock", "main.f.func1", "runtime.goexit"},
	};
	static const char *const other[][8] = {
		{"sync.runtime_SemacquireMutex", "sync.(*Mutex).lockSlow", "sync.(*Mutex).Lock",
			"main.g"},
		{"sync.(*Mutex).Lock", "main.f"},
		{"main.f"},
		{NULL},
	};
	struct arena a = ARENA_INIT;
	uint64_t want = fingerprint_of(&a, debug1);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_true(fingerprint_of(&a, same[i]) == want);
	for (size_t i = 0; i < ARRAY_LEN(other); i++)
		assert_true(fingerprint_of(&a, other[i]) != want);
	assert_true(fingerprint_of(&a, other[3]) == 0);
	arena_release(&a);
}

static void waits_are_told_by_symbols(void **state)
{
	static const struct {
		const char *symbols[4];
		enum wait_kind wait;
	} rows[] = {
		{{"runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1"}, WAIT_CHAN_RECEIVE},
		{{"runtime.gopark", "runtime.chansend", "runtime.chansend1"}, WAIT_CHAN_SEND},
		{{"runtime.gopark", "runtime.selectgo"}, WAIT_SELECT},
		{{"runtime.gopark", "runtime.block"}, WAIT_SELECT},
		{{"runtime.gopark", "runtime.blockevent"}, WAIT_OTHER}, /* only begins like it */
		{{"runtime.coroswitch"}, WAIT_OTHER},
		{{"runtime.asyncPreempt2", "runtime.asyncPreempt"}, WAIT_NONE}, /* it runs */
		{{"runtime.gopark"}, WAIT_OTHER},
		{{""}, WAIT_UNKNOWN}, /* the target did not know it */
		{{NULL}, WAIT_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct str names[4];
		size_t n = 0;

		for (; rows[i].symbols[n]; n++)
			names[n] = str_of(rows[i].symbols[n]);
		assert_int_equal(stack_wait_of_symbols(names, n), rows[i].wait);
	}
}

static void waits_are_told_by_states(void **state)
{
	static const struct {
		const char *state;
		enum wait_kind wait;
	} rows[] = {
		{"chan receive (nil chan)", WAIT_CHAN_RECEIVE},
		{"select (no cases)", WAIT_SELECT},
		{"sync.RWMutex.RLock", WAIT_MUTEX},
		{"sync.WaitGroup.Wait", WAIT_SEMACQUIRE},
		{"sync.Cond.Wait", WAIT_COND},
		{"runnable", WAIT_NONE},
		{"a state of Go 1.40", WAIT_OTHER},
		{"", WAIT_UNKNOWN},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(stack_wait_of_state(str_of(rows[i].state)), rows[i].wait);
}

static void long_class_names_are_cut(void **state)
{
	char name[2][400] = {"main.", "main."};
	struct str got[2];
	struct arena a = ARENA_INIT;

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct frame f = {.func = {name[i], 305}};
		struct group g = {.count = 1, .frames = &f, .nframes = 1};
		struct stack s;

		for (size_t at = 5; at < 305; at += 3)
			memcpy(name[i] + at, "\xe4\xb8\x96", 3); /* U+4E16: cut between, not in */
		name[i][304] += (char)i;
		stack_from_group(&a, &g, true, &s);
		got[i] = stack_class_name(&a, &s);
		assert_true(got[i].len <= STACK_CLASS_NAME_MAX && got[i].len > 190);
		assert_int_equal(got[i].p[got[i].len - 9], '~');
		assert_int_equal((got[i].len - 9 - 5) % 3, 0);
	}
	assert_false(str_eq(got[0], got[1])); /* they differ behind the cut */
	arena_release(&a);
}

/* All three formats call a goroutine that has not run yet the same; no rule can take it in one of
 * them. */
static void new_goroutines_have_one_name(void **state)
{
	static struct frame wrapper = {.func = STR_LIT("net/http.(*connReader).f.gowrap2")};
	const struct group rows[] = {
		{.count = 1, .key = 7, .flags = GROUP_UNSTARTED},
		{.count = 1, .flags = GROUP_UNSTARTED},
		{.count = 1,
			.id = 5,
			.state = STR_LIT("runnable"),
			.frames = &wrapper,
			.nframes = 1},
	};
	struct arena a = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct stack s;

		stack_from_group(&a, &rows[i], true, &s);
		assert_true(s.unstarted);
		assert_int_equal(s.wait, WAIT_NONE);
		assert_str(stack_class_name(&a, &s), "(not started)");
	}
	arena_release(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_get_their_normal_form),
		cmocka_unit_test(packages_belong_to_somebody),
		cmocka_unit_test(groups_become_stacks),
		cmocka_unit_test(one_leak_has_one_fingerprint),
		cmocka_unit_test(waits_are_told_by_symbols),
		cmocka_unit_test(waits_are_told_by_states),
		cmocka_unit_test(long_class_names_are_cut),
		cmocka_unit_test(new_goroutines_have_one_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
