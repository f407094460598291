/*
 * Which lock a goroutine waits for.
 *
 * The runtime prints the first argument of a method, its receiver, as long as the compiler kept it:
 * "sync.(*Mutex).lockSlow(0xc0000163f4)" in every Go from 1.13 on ("internal/sync." since 1.24),
 * "sync.(*RWMutex).Lock(0xc000018400)" where it was not inlined.  "(...)" is an inlined call, and a
 * word with '?' behind it may be stale; neither tells anything.  A writer of an RWMutex that waits
 * for other writers is in the lockSlow of its first field, which has the same address.
 */
#include "gdump_internal.h"

static const char *const receivers[] = {
	"sync.(*Mutex).lockSlow(0x",
	"sync.(*RWMutex).Lock(0x",
	"sync.(*RWMutex).RLock(0x",
};

/* The word, when it ends as a known argument does: 0 else. */
static uint64_t hex_argument(struct str s)
{
	uint64_t word = 0;
	size_t i = 0;

	for (; i < s.len && i < 16 && gdump_is_hex_digit(s.p[i]); i++)
		word = word << 4 | (uint64_t)(s.p[i] <= '9' ? s.p[i] - '0' : s.p[i] - 'a' + 10);
	return i > 0 && i < s.len && (s.p[i] == ')' || s.p[i] == ',') ? word : 0;
}

bool gdump_may_wait_for_lock(struct str state)
{
	return str_starts(state, STR("sync.")) || str_is(state, "semacquire");
}

uint64_t gdump_lock_of(struct str text)
{
	for (size_t i = 0; i < ARRAY_LEN(receivers); i++) {
		struct str receiver = str_of(receivers[i]);
		ptrdiff_t at = str_find(text, receiver);

		if (at >= 0)
			return hex_argument(str_from(text, (size_t)at + receiver.len));
	}
	return 0;
}
