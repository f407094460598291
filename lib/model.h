/*
 * model: the data that flows from one part to the next.  Layer 1, plain data, no functions but
 * names.
 *
 * A body of /debug/pprof/goroutine becomes groups (gdump), a group becomes a stack in normal form
 * (stack), a stack belongs to a class (classify), a class's count over time is a series (series),
 * a series has a verdict (detect), verdicts with one cause are a finding, and what people hear of a
 * finding is an alert (alert).
 *
 * Every struct str in here is a slice of memory that somebody else owns: the parser's record
 * buffer, an arena, a class table.  The header that hands the struct out says for how long it
 * holds.
 */
#ifndef LEAKWATCH_MODEL_H
#define LEAKWATCH_MODEL_H

#include "base.h"
#include "str.h"

/* What a goroutine waits for, as far as a rule may ask (design: key `wait`). */
enum wait_kind {
	WAIT_UNKNOWN, /* not told by this format, and not found out yet */
	WAIT_NONE, /* running or runnable */
	WAIT_CHAN_RECEIVE,
	WAIT_CHAN_SEND,
	WAIT_SELECT,
	WAIT_IO,
	WAIT_SLEEP,
	WAIT_MUTEX,
	WAIT_SEMACQUIRE, /* sync.WaitGroup.Wait too: before Go 1.24 they are one state */
	WAIT_SYSCALL,
	WAIT_COND,
	WAIT_OTHER, /* waits for something that no rule names */
	WAIT_KINDS
};

/* "chan receive", "IO wait", …; "unknown", "running", "other" for those without a Go name. */
const char *wait_kind_name(enum wait_kind k);
/* The kind a rule's text means, or WAIT_KINDS. */
enum wait_kind wait_kind_of_name(struct str name);

/* One line of a stack, as printed or in normal form.  line is 0 where none was printed. */
struct frame {
	struct str func; /* without arguments and "+0x…" */
	struct str file;
	uint32_t line;
	bool runtime; /* belongs to the runtime: kept for rules, left out of names and fingerprints
		       */
};

struct label {
	struct str key, value; /* unquoted */
};

enum group_flags {
	GROUP_LOCKED = 1, /* locked to thread */
	GROUP_LEAKED = 2, /* marked by the collector (Go 1.26 and later) */
	GROUP_SCAN = 4,
	GROUP_DURABLE = 8, /* synctest */
	GROUP_NO_STACK = 16, /* "goroutine running on other thread; stack unavailable" */
	GROUP_ELIDED = 32, /* frames were left out by the runtime */
	GROUP_CUT_ROOT = 64, /* debug=1 at its depth limit: the entry function is lost */
	GROUP_NIL_CHAN = 128, /* waits on a nil channel, or select{}: for ever */
	GROUP_INCOMPLETE = 256, /* the input ended inside of it */
	GROUP_UNSTARTED = 512 /* debug=0 and 1: no frame to show, for it has not run yet */
};

/*
 * Goroutines that one record describes: `count` of them in debug=1, one in debug=2.  Handed out by
 * the parser; everything in it is valid during the callback only.
 */
struct group {
	uint64_t count;
	uint64_t key; /* debug=1: hash of the record's text after the count; else 0 */
	uint64_t id; /* debug=2: goroutine id; else 0 */
	struct str state; /* debug=2: without "(leaked)", "(scan)", "(durable)"; else empty */
	uint32_t minutes; /* debug=2: waited at least that long; 0 when not printed */
	unsigned flags; /* enum group_flags */
	struct frame *frames; /* leaf first, names as printed */
	size_t nframes;
	struct label *labels;
	size_t nlabels;
	const uint64_t *hidden; /* debug=1: return PCs before the first visible frame, leaf first */
	size_t nhidden;
	struct str created_by; /* debug=2: the creator's function, or empty */
	struct frame creator; /* debug=2: func = created_by, with file and line */
	uint64_t lock; /* debug=2: address of the lock that it waits for, or 0 */
	uint64_t creator_id; /* "in goroutine N", or 0 */
	uint32_t record_line; /* line of the input at which it began, from 1 */
};

#endif
