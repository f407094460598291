#include "advice.h"

static const struct {
	const char *cause, *look_for;
} waits[WAIT_KINDS] = {
	[WAIT_CHAN_RECEIVE] = {"They wait for a value on a channel that nobody sends or closes "
			       "any more: the sender returned early, or close is missing.",
		"Look for the sending side of this channel: every way out of it (an error, a "
		"timeout, a panic) must close the channel or cancel a context that the receiver "
		"also selects on."},
	[WAIT_CHAN_SEND] = {"They want to send and nobody receives any more: the reader returned "
			    "early, after a timeout or the first result, say.",
		"Look for the receiving side: a buffer as large as the number of senders, or a "
		"select with ctx.Done() beside the send, lets them end."},
	[WAIT_SELECT] = {"None of the cases of their select ever comes.",
		"Look whether the select has a case for ctx.Done(), and whether that context is "
		"ever cancelled: a cancel function that is not called, or context.Background()."},
	[WAIT_IO] = {"They wait for a peer that says nothing, and no deadline ends it.",
		"Look for connections without SetDeadline, clients without Timeout, and bodies or "
		"connections that are not closed."},
	[WAIT_SLEEP] = {"They sleep, or wait for a timer, in a loop that nothing ends.",
		"Look for a loop around time.Sleep or a ticker without a case for ctx.Done(), "
		"started again and again."},
	[WAIT_MUTEX] = {"They wait for a lock that its holder does not give back.",
		"Look for the goroutine that holds it: a Lock without Unlock on one way out (use "
		"defer), a lock held over a network call or a channel operation, or two locks "
		"that are taken in both orders."},
	[WAIT_SEMACQUIRE] = {"They wait for a WaitGroup or a lock that is never released.",
		"Look for a way out without wg.Done() (use defer), for Add without a goroutine, "
		"and for locks that are not given back."},
	[WAIT_COND] = {"They wait for a condition that nobody signals any more.",
		"Look for the ways out that change the condition without Broadcast or Signal."},
	[WAIT_SYSCALL] = {"They are inside the operating system: reads of files, terminals or "
			  "pipes, calls into C, children that are waited for.",
		"Look for what they read from; each holds a thread of the process too."},
};

const char advice_forever[] =
	"Growth: the channel that they wait for is nil, which blocks for ever: a field or a "
	"variable that nobody made, or that was set to nil; or it is a select without cases.  "
	"Look for where it should be made, and give them a way out, as ctx.Done().";

const char advice_stuck[] =
	"Growth: whoever holds the lock does not give it back.  Look for what the holder waits "
	"for meanwhile (a network call, a channel, another lock that is taken in both orders), or "
	"for a Lock without Unlock on one way out (use defer).";

const char *advice_cause(enum wait_kind wait)
{
	return wait < WAIT_KINDS && waits[wait].cause ? waits[wait].cause : "";
}

const char *advice_look_for(enum wait_kind wait)
{
	return wait < WAIT_KINDS && waits[wait].look_for ? waits[wait].look_for : "";
}

struct advice advice_of_hint(struct str hint)
{
	ptrdiff_t growth = str_find(hint, STR("Growth: ")), look = str_find(hint, STR("Look for"));
	struct advice a = {.what = hint};

	if (look >= 0) {
		a.look_for = str_trim(str_from(hint, (size_t)look));
		hint = str_sub(hint, 0, (size_t)look);
		a.what = str_trim(hint);
	}
	if (growth >= 0 && (size_t)growth < hint.len) {
		a.cause = str_trim(str_from(hint, (size_t)growth + 8));
		a.what = str_trim(str_sub(hint, 0, (size_t)growth));
	}
	return a;
}
