/*
 * gdump: goroutine dumps, as a stream of bytes in and groups out.  Layer 1.
 *
 * One push parser for every format: debug=1 ("goroutine profile: total 5", also goroutineleak and
 * other count profiles), debug=2, the output of SIGQUIT and panics, and debug=0 (profile.proto,
 * gzip'd or not).  The format is recognised from the body, never from a name or a Content-Type.  It
 * does not mend damage (that is mend's work) and it does not judge, classify or normalise names.
 *
 * Life cycle: gdump_new, then gdump_feed with pieces cut anywhere, then gdump_finish once, then
 * gdump_stats; gdump_reset starts the next body and keeps the memory; gdump_free.
 *
 * Memory is bounded by one record (GDUMP_RECORD_MAX bytes), not by the body; debug=0 has its names
 * at the end and is kept whole (GDUMP_PROTO_MAX bytes).  What does not fit the grammar is skipped,
 * counted and its first reason kept: a truncated dump is ordinary input.
 *
 * Formats: Go's runtime/pprof/pprof.go (printCountProfile, printStackRecord) and
 * runtime/traceback.go (goroutineheader, printcreatedby1, traceback2), Go 1.9 to 1.28-dev.
 */
#ifndef LEAKWATCH_GDUMP_H
#define LEAKWATCH_GDUMP_H

#include "err.h"
#include "model.h"

#define GDUMP_LINE_MAX	   (1024 * 1024) /* a longer line is skipped and is a bad line */
#define GDUMP_RECORD_MAX   (4 * 1024 * 1024) /* text of one record; the rest of it is skipped */
#define GDUMP_FRAMES_MAX   1100 /* frames of one stack; more are dropped, flag ELIDED */
#define GDUMP_ARGS_MAX	   4096 /* bytes of a frame's argument words; of more none are handed out */
#define GDUMP_LABELS_MAX   64 /* labels of one goroutine; more are dropped */
#define GDUMP_PROTO_MAX	   (64 * 1024 * 1024) /* bytes of a debug=0 profile, and out of gzip */
#define GDUMP_PROTO_ROWS   (1024 * 1024) /* functions, locations, lines, names of one; each */
#define GDUMP_PROTO_FRAMES (16 * 1024 * 1024) /* of all its samples: they may share locations */

enum gdump_format {
	GDUMP_UNKNOWN,
	GDUMP_DEBUG1, /* goroutine profile, debug=1 */
	GDUMP_LEAK, /* goroutineleak profile, debug=1 */
	GDUMP_COUNT, /* another count profile (threadcreate, a user's own), debug=1 */
	GDUMP_DEBUG2,
	GDUMP_CRASH, /* SIGQUIT or panic output */
	GDUMP_PROTO, /* debug=0: profile.proto */
	GDUMP_FORMATS
};

/* "debug1", "goroutineleak", "count", "debug2", "crash", "proto", "unknown". */
const char *gdump_format_name(enum gdump_format f);

struct gdump_stats;

struct gdump_sink {
	/*
	 * debug=1 only, may be NULL: asked before a record's frames are parsed.  True means "known,
	 * counted": the record is skipped and group() is not called for it.
	 */
	bool (*known)(void *arg, uint64_t key, uint64_t count);
	/*
	 * A record; *g and all it points at are valid during the call only.  Names are as printed
	 * (stack makes the normal form and sets frame.runtime); a PC without a symbol is a frame
	 * named "0x…" without a file.  Frames of debug=0 are all of them, the runtime's too.
	 */
	void (*group)(void *arg, const struct group *g);
	/*
	 * May be NULL: several dumps in one body are then read as one.  Else called where another
	 * dump begins, with what there is to say of the one before it; of the last one
	 * gdump_stats tells.  Another one begins at a profile's header, at a goroutine that has
	 * been printed already or runs where only the first can (debug=2), and at "SIGQUIT:",
	 * "panic:" and "fatal error:" after goroutines.
	 */
	void (*end)(void *arg, const struct gdump_stats *s);
	void *arg;
};

struct gdump_stats {
	enum gdump_format format;
	uint64_t announced; /* debug=1: N of "total N", without Go 1.27's empty phantom record;
			       debug=0: parsed; else 0 */
	uint64_t parsed; /* goroutines handed out or known: sum of counts */
	uint64_t records; /* groups handed out or known */
	uint64_t duplicates; /* debug=2: same id printed again (crash dumps do); not in parsed */
	uint64_t lost; /* debug=1: announced - parsed when positive; debug=2: headers that were cut
			  or cannot be read (one whose stack is cut is parsed, INCOMPLETE), and a
			  stack before the first header, where the head was cut off */
	uint64_t bad_lines; /* lines that fitted nowhere; text before the dump is not counted */
	uint64_t bytes, lines;
	bool truncated; /* ended in mid-record, ended too early, or is exactly 64 MiB long */
	uint32_t first_bad_line; /* 0 when there is none */
	char first_bad[160]; /* why, with what was received; printable ASCII */
	char profile[32]; /* GDUMP_COUNT: the profile's name, "threadcreate"; printable ASCII */
};

struct gdump;

struct gdump *gdump_new(const struct gdump_sink *sink);
void gdump_free(struct gdump *g);
void gdump_reset(struct gdump *g);
void gdump_feed(struct gdump *g, const char *p, size_t n);
/* The next byte fed begins that line of the input (mend took lines out, or put them together). */
void gdump_at_line(struct gdump *g, uint32_t line);
/* Before gdump_finish: whoever brought the body knows that its end is missing (HTTP without the
 * last chunk, a gzip that is cut), though it may end between two records. */
void gdump_cut(struct gdump *g);
/*
 * Ends the body.  0, also for other count profiles (format GDUMP_COUNT) and for a leak profile that
 * found none; or -1 when nothing in it was such a dump: err says what was received instead (an HTML
 * page, JSON, a heap profile, a delta profile, an error text, nothing) and what would be right.
 */
int gdump_finish(struct gdump *g, struct err *err);
const struct gdump_stats *gdump_stats(const struct gdump *g);

/*
 * The argument words of a frame of a goroutine of debug=2, as printed between its parentheses
 * ("0xc000012340, {0x1, 0x2}"); "" for those of other dumps, and where there are none ("...").
 * Only within the call of group() that handed out g.
 */
struct str gdump_frame_args(const struct group *g, const struct frame *f);

#endif
