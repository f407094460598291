/* Which lock a goroutine waits for, as Go 1.13 to 1.27 print it. */
#include "advice.h"
#include "gdump.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static const struct {
	const char *what, *text;
	uint64_t lock;
} rows[] = {
	{"Go 1.13",
		"goroutine 5 [semacquire]:\n"
		"sync.runtime_SemacquireMutex(0xc0000163f8, 0xc0000cc000, 0x1)\n\t/s.go:71 +0x47\n"
		"sync.(*Mutex).lockSlow(0xc0000163f4)\n\t/m.go:138 +0xfc\n"
		"sync.(*Mutex).Lock(...)\n\t/m.go:81\nmain.f(0x1)\n\t/f.go:1 +0x1\n",
		0xc0000163f4},
	{"Go 1.20 and later: the semaphore's word may be stale, the receiver is not",
		"goroutine 5 [sync.Mutex.Lock, 3 minutes]:\n"
		"sync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/s.go:77 +0x26\n"
		"sync.(*Mutex).lockSlow(0xc00001a0e8)\n\t/m.go:171 +0x165\n",
		0xc00001a0e8},
	{"Go 1.24 and later",
		"goroutine 5 [sync.Mutex.Lock]:\n"
		"internal/sync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/s.go:95 +0x25\n"
		"internal/sync.(*Mutex).lockSlow(0xa36d5814178)\n\t/m.go:149 +0x15d\n",
		0xa36d5814178},
	{"an RWMutex",
		"goroutine 5 [sync.RWMutex.Lock]:\n"
		"sync.runtime_SemacquireRWMutex(0x0?, 0x0?, 0x0?)\n\t/s.go:105 +0x25\n"
		"sync.(*RWMutex).Lock(0xc000018400)\n\t/r.go:1 +0x15d\n",
		0xc000018400},
	{"inlined: nothing is told",
		"goroutine 5 [sync.RWMutex.RLock]:\n"
		"sync.runtime_SemacquireRWMutexR(0x0?, 0x0?, 0x0?)\n\t/s.go:100 +0x25\n"
		"sync.(*RWMutex).RLock(...)\n\t/r.go:1\n",
		0},
	{"a word that may be stale is not believed",
		"goroutine 5 [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc00001a0e8?)\n\t/m.go:1 "
		"+0x1\n",
		0},
	{"a stack that waits for something else",
		"goroutine 5 [chan receive]:\nsync.(*Mutex).lockSlow(0xc00001a0e8)\n\t/m.go:1 "
		"+0x1\n",
		0},
	{"cut off in the word", "goroutine 5 [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc0", 0},
};

static void keep_lock(void *arg, const struct group *g)
{
	*(uint64_t *)arg = g->lock;
}

static void the_receiver_tells_the_lock(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t lock = 1;
		const struct gdump_sink sink = {.group = keep_lock, .arg = &lock};
		struct gdump *g = gdump_new(&sink);

		gdump_feed(g, rows[i].text, strlen(rows[i].text));
		gdump_finish(g, NULL);
		if (lock != rows[i].lock)
			fail_msg("%s: 0x%llx", rows[i].what, (unsigned long long)lock);
		gdump_free(g);
	}
}

static void a_hint_is_taken_apart(void **state)
{
	static const struct {
		const char *hint, *what, *cause, *look_for;
	} hints[] = {
		{"Conns. Normal: few. Growth: not closed. Look for Close.", "Conns. Normal: few.",
			"not closed.", "Look for Close."},
		{"Conns. Growth: not closed.", "Conns.", "not closed.", ""},
		{"One in a process.", "One in a process.", "", ""},
		{"Conns. Look for Close. Growth: late.", "Conns.", "",
			"Look for Close. Growth: late."},
		{"", "", "", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hints); i++) {
		struct advice a = advice_of_hint(str_of(hints[i].hint));

		assert_true(str_is(a.what, hints[i].what) && str_is(a.cause, hints[i].cause) &&
			    str_is(a.look_for, hints[i].look_for));
	}
	for (int w = 0; w <= WAIT_KINDS; w++)
		assert_true((*advice_cause((enum wait_kind)w) == '\0') ==
			    (*advice_look_for((enum wait_kind)w) == '\0'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_receiver_tells_the_lock),
		cmocka_unit_test(a_hint_is_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
