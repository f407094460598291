/* Who waits for which lock, as Go 1.16, 1.23 and 1.24 and later print it. */
#include "gdump.h"
#include "locks.h"
#include "xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void note_cb(void *arg, const struct group *g)
{
	struct arena a = ARENA_INIT;
	struct stack s;

	stack_from_group(&a, g, false, &s);
	locks_note(arg, g, &s, "c");
	arena_release(&a);
}

static void read_next(struct locks *l, double at, const char *text)
{
	struct gdump_sink sink = {.group = note_cb, .arg = l};
	struct gdump *g = gdump_new(&sink);

	locks_begin(l, at);
	/* In two pieces: a name's bytes may have been carried over. */
	gdump_feed(g, text, strlen(text) / 2);
	gdump_feed(g, text + strlen(text) / 2, strlen(text) - strlen(text) / 2);
	assert_int_equal(gdump_finish(g, NULL), 0);
	gdump_free(g);
	locks_end(l);
}

static struct locks *read_dump(const char *text)
{
	struct locks *l = locks_new();

	read_next(l, 0, text);
	return l;
}

#define GO127(id, lock, value)                                                                     \
	"goroutine " id " [sync.Mutex.Lock, 3 minutes]:\n"                                         \
	"internal/sync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/go/sema.go:95 +0x25\n"        \
	"internal/sync.(*Mutex).lockSlow(" lock ")\n\t/go/mutex.go:149 +0x15a\n"                   \
	"internal/sync.(*Mutex).Lock(...)\n\t/go/mutex.go:70\n"                                    \
	"sync.(*Mutex).Lock(...)\n\t/go/mutex.go:46\n"                                             \
	"main.(*shard).put(" value ", 0x7, 0x0)\n\t/src/main.go:40 +0x5\n"                         \
	"created by main.run in goroutine 1\n\t/src/main.go:9 +0x5\n\n"
#define HOLDER                                                                                     \
	"goroutine 33 [IO wait]:\n"                                                                \
	"internal/poll.runtime_pollWait(0x7f0000, 0x72)\n\t/go/netpoll.go:351 +0x85\n"             \
	"main.(*shard).flush(0xc000100000?, 0x1)\n\t/src/main.go:70 +0x5\n"                        \
	"main.(*shard).put.func1(0xc000100000)\n\t/src/main.go:44 +0x5\n\n"
#define OTHERS                                                                                     \
	"goroutine 34 [select]:\nmain.(*shard).watch(0xc000200000)\n\t/src/main.go:80 +0x5\n\n"    \
	"goroutine 35 [select]:\nmain.(*other).watch(0xc000100000)\n\t/src/main.go:90 +0x5\n\n"

static void add_waiters(struct buf *text, int from, int to)
{
	for (int id = from; id < to; id++)
		buf_addf(text,
			"goroutine %d [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc000100008)\n"
			"\t/go/mutex.go:1 +0x1\nmain.f(0x1)\n\t/src/m.go:1 +0x1\n\n",
			id);
}

static void held(void **state)
{
	struct locks *l = read_dump(HOLDER GO127("40", "0xc000100008", "0xc000100000")
			GO127("41", "0xc000100008", "0xc000100000")
				OTHERS GO127("42", "0xc000200008", "0xc000200000?"));
	const struct lock *k = locks_worst(l, "c");
	struct buf words = BUF_INIT;

	(void)state;
	assert_non_null(k);
	assert_int_equal(k->address, 0xc000100008);
	assert_int_equal(k->waiters, 2);
	assert_int_equal(k->value, 0xc000100000);
	assert_int_equal(k->nholders, 1);
	lock_words(k, &words);
	assert_string_equal(words.p,
		"2 wait for one lock in main.(*shard).put, which may be held by goroutine 33 [IO "
		"wait] in main.(*shard).flush");
	assert_null(locks_worst(l, "d"));
	buf_release(&words);
	locks_free(l);
}

static void forms(void **state)
{
	static const struct {
		const char *what, *dump;
		uint64_t address, value;
	} rows[] = {
		{"Go 1.24 and later", GO127("40", "0x276cab016178", "0x276cab016170"),
			0x276cab016178, 0x276cab016170},
		{"Go 1.23",
			"goroutine 7 [sync.Mutex.Lock]:\n"
			"sync.runtime_SemacquireMutex(0x0?, 0x0?, 0x0?)\n\t/go/sema.go:95 +0x25\n"
			"sync.(*Mutex).lockSlow(0xc000014178)\n\t/go/mutex.go:171 +0x15d\n"
			"sync.(*Mutex).Lock(...)\n\t/go/mutex.go:90\n"
			"main.lockIt(0x1)\n\t/src/main.go:40 +0x5\n",
			0xc000014178, 0},
		{"Go 1.16, flat words, semacquire",
			"goroutine 7 [semacquire]:\n"
			"sync.runtime_SemacquireMutex(0xc000014084, 0x0, 0x1)\n\t/go/sema.go:71 "
			"+0x47\n"
			"sync.(*Mutex).lockSlow(0xc000014080)\n\t/go/mutex.go:138 +0x105\n"
			"sync.(*Mutex).Lock(...)\n\t/go/mutex.go:81\n"
			"main.(*srv).get(0xc000014000, 0x1)\n\t/src/main.go:40 +0x5\n",
			0xc000014080, 0xc000014000},
		{"a reader",
			"goroutine 7 [sync.RWMutex.RLock]:\n"
			"sync.runtime_SemacquireRWMutexR(0xc00001c0bc?, 0x0?, "
			"0x0?)\n\t/go/sema.go:100 +0x25\n"
			"sync.(*RWMutex).RLock(0xc00001c0b0)\n\t/go/rwmutex.go:72 +0x5\n"
			"main.(*srv).get(0xc00001c000, 0x1)\n\t/src/main.go:40 +0x5\n",
			0xc00001c0b0, 0xc00001c000},
		{"a writer, whose inner mutex is the RWMutex's own",
			"goroutine 7 [sync.RWMutex.Lock]:\n"
			"sync.runtime_SemacquireRWMutex(0xc00001c0b8?, 0x0?, "
			"0x0?)\n\t/go/sema.go:105 +0x25\n"
			"sync.(*RWMutex).Lock(0xc00001c0b0)\n\t/go/rwmutex.go:153 +0x6a\n"
			"main.main()\n\t/src/main.go:40 +0x5\n",
			0xc00001c0b0, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct locks *l = read_dump(rows[i].dump);
		const struct lock *k = locks_worst(l, "c");

		if (!k || k->address != rows[i].address || k->value != rows[i].value)
			fail_msg("%s: %llx %llx", rows[i].what,
				k ? (unsigned long long)k->address : 0,
				k ? (unsigned long long)k->value : 0);
		locks_free(l);
	}
}

/* The waiter's word for the value is gone: the lock's address lies in the holder's. */
static void value_gone(void **state)
{
	struct locks *l = read_dump(
		HOLDER GO127("40", "0xc000100008", "0x0?") GO127("41", "0xc000900008", "0x0?"));
	const struct lock *k = locks_worst(l, "c");
	struct buf words = BUF_INIT;

	(void)state;
	assert_int_equal(k->value, 0);
	assert_int_equal(k->nholders, 1);
	assert_int_equal(k->holders[0].id, 33);
	locks_free(l);
	/* A stale word is another value's: nothing is said of who is not there. */
	l = read_dump(HOLDER GO127("40", "0xc000100008", "0xc000777000?"));
	k = locks_worst(l, "c");
	assert_int_equal(k->value, 0);
	assert_int_equal(k->nholders, 1);
	locks_free(l);
	l = read_dump(OTHERS GO127("40", "0xc000100008", "0xc000777000?"));
	lock_words(locks_worst(l, "c"), &words);
	assert_non_null(strstr(words.p, "may have returned without unlocking it"));
	locks_free(l);
	/* Somebody is in a method of such a value, and of which is not to be seen: nothing is said.
	 */
	buf_reset(&words);
	l = read_dump(
		"goroutine 36 [select]:\nmain.(*shard).sync(0x0?)\n\t/src/m.go:80 +0x5\n\n" GO127(
			"40", "0xc000100008", "0xc000777000?"));
	lock_words(locks_worst(l, "c"), &words);
	assert_string_equal(words.p, "1 wait for one lock in main.(*shard).put");
	buf_release(&words);
	locks_free(l);
}

/* Nobody is in it: it was left locked. */
static void left_locked(void **state)
{
	struct locks *l = read_dump(OTHERS GO127("40", "0xc000100008", "0xc000100000"));
	struct buf words = BUF_INIT;

	(void)state;
	lock_words(locks_worst(l, "c"), &words);
	assert_non_null(strstr(words.p, "may have returned without unlocking it"));
	buf_release(&words);
	locks_free(l);
}

/* A lock in a second dump ten minutes later: who waits in each, and what that says. */
static void again(void **state)
{
	static const struct {
		const char *what;
		int from, to, from2, to2; /* ids, the last one not included */
		bool grows, moves;
		const char *words; /* behind the number of waiters */
	} rows[] = {
		{"the same and more", 40, 45, 40, 52, true, false,
			"; 5 did at 22:13 (UTC), and all of those still do"},
		{"the same", 40, 45, 40, 45, false, false,
			"; 5 did at 22:13 (UTC), and all of those still do"},
		{"as many others: it is busy", 40, 45, 45, 50, false, true,
			"; 5 did at 22:13 (UTC), and 0 of 5 of those still do"},
		{"one got it, and they are not more", 40, 45, 41, 46, false, true,
			"; 5 did at 22:13 (UTC), and 4 of 5 of those still do"},
		{"many came, two of twenty got it", 40, 60, 42, 90, true, false,
			"; 20 did at 22:13 (UTC), and 18 of 20 of those still do"},
		{"many came, most got it", 40, 60, 55, 90, false, true,
			"; 20 did at 22:13 (UTC), and 5 of 20 of those still do"},
		{"more than are known again", 40, 140, 40, 150, true, false,
			"; 100 did at 22:13 (UTC), and all of those still do"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct locks *l = locks_new();
		struct buf text = BUF_INIT, words = BUF_INIT;
		const struct lock *k;

		add_waiters(&text, rows[i].from, rows[i].to);
		read_next(l, 1700000000, text.p);
		buf_reset(&text);
		add_waiters(&text, rows[i].from2, rows[i].to2);
		/* One that is cut is as if there had been none. */
		locks_begin(l, 1700000300);
		read_next(l, 1700000600, text.p);
		k = locks_worst(l, "c");
		assert_int_equal(k->before, rows[i].to - rows[i].from);
		assert_int_equal(k->waiters, rows[i].to2 - rows[i].from2);
		lock_words(k, &words);
		if (lock_grows(k) != rows[i].grows || lock_moves(k) != rows[i].moves ||
			!str_ends(buf_str(&words), str_of(rows[i].words)))
			fail_msg("%s: %d %d %s", rows[i].what, lock_grows(k), lock_moves(k),
				words.p);
		/* Another process. */
		locks_forget(l);
		read_next(l, 1700000900, text.p);
		k = locks_worst(l, "c");
		assert_int_equal(k->before, 0);
		assert_false(lock_grows(k) || lock_moves(k));
		locks_free(l);
		buf_release(&text);
		buf_release(&words);
	}
}

/* Rows: what is printed of who waits, and of another goroutine. */
static void young(void **state)
{
	static const struct {
		const char *what, *waiter, *other;
		double age_s;
		bool young;
	} rows[] = {
		{"collected two minutes ago, and not seen then", "sync.Mutex.Lock",
			"select, 2 minutes", 300, true},
		{"that was before they came", "sync.Mutex.Lock", "select, 8 minutes", 300, false},
		{"no collection is known of", "sync.Mutex.Lock", "select", 300, false},
		{"it was seen", "sync.Mutex.Lock, 1 minutes", "select, 2 minutes", 300, false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = BUF_INIT;
		struct locks *l;

		buf_addf(&text,
			"goroutine 7 [%s]:\nsync.(*Mutex).lockSlow(0xc000100008)\n"
			"\t/go/mutex.go:1 +0x1\nmain.f(0x1)\n\t/src/m.go:1 +0x1\n\n"
			"goroutine 8 [%s]:\nmain.g(0x1)\n\t/src/m.go:7 +0x1\n\n",
			rows[i].waiter, rows[i].other);
		l = read_dump(text.p);
		if (lock_is_young(locks_worst(l, "c"), rows[i].age_s) != rows[i].young)
			fail_msg("%s", rows[i].what);
		locks_free(l);
		buf_release(&text);
	}
}

/* More locks than are kept, and no lock at all. */
static void bounded(void **state)
{
	struct buf text = BUF_INIT;
	struct locks *l;

	(void)state;
	for (int i = 0; i < LOCKS_MAX + 20; i++)
		buf_addf(&text,
			"goroutine %d [sync.Mutex.Lock]:\nsync.(*Mutex).lockSlow(0xc0000%04x0)\n"
			"\t/go/mutex.go:1 +0x1\nmain.f(0x1)\n\t/src/m.go:1 +0x1\n\n",
			i + 2, i);
	l = read_dump(text.p);
	assert_int_equal(locks_worst(l, "c")->waiters, 1);
	locks_free(l);
	l = read_dump(OTHERS);
	assert_null(locks_worst(l, "c"));
	locks_free(l);
	buf_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held),
		cmocka_unit_test(forms),
		cmocka_unit_test(value_gone),
		cmocka_unit_test(left_locked),
		cmocka_unit_test(again),
		cmocka_unit_test(young),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
