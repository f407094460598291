/*
 * gdump_internal: what the files of the goroutine dump parser share.  Layer 1, private to gdump*.c.
 *
 * The work is cut in two.  gdump.c finds where a record begins and ends, a line at a time, without
 * understanding it, and hands its text out as one contiguous slice: of the fed piece when the
 * record lies in it whole, of `carry` when it was cut.  gdump_debug1.c and gdump_debug2.c take such
 * a slice apart.  So nothing but framing has to survive from one piece to the next.
 */
#ifndef LEAKWATCH_GDUMP_INTERNAL_H
#define LEAKWATCH_GDUMP_INTERNAL_H

#include "buf.h"
#include "gdump.h"
#include "gdump_scan.h"
#include "gdump_split.h"
#include "gunzip.h"
#include "received.h"

/* Digits of a record's count that are believed; the sum of a body's counts cannot overflow. */
#define GDUMP_COUNT_DIGITS 12

/* Line ends of a record that framing keeps, so that they are not searched for again. */
#define GDUMP_ENDS_MAX 512

enum record_kind {
	RECORD_NONE,
	RECORD_COUNT, /* debug=1: "4 @ 0x43be36 …" and its '#' lines */
	RECORD_GOROUTINE /* debug=2: a goroutine's header and its stack */
};

/* "goroutine 5 [select, 3 minutes]:", slices of the line. */
struct goroutine_header {
	uint64_t id;
	struct str state; /* without (leaked), (scan), (durable), (synctest) */
	uint32_t minutes;
	unsigned flags; /* enum group_flags */
	struct str labels; /* between the braces */
	bool gp; /* "gp=0x…": only crashes print it */
};

struct gdump {
	struct gdump_sink sink;
	struct gdump_stats stats;

	/* Framing.  carry holds the record under way (when `carried`), then a line without its end.
	 */
	struct buf carry;
	enum record_kind kind; /* of the record under way */
	const char *record; /* its text, when not carried */
	size_t record_len;
	uint32_t record_line;
	struct goroutine_header header; /* of a goroutine; holds while not carried */
	uint32_t ends[GDUMP_ENDS_MAX]; /* where its first lines end, with their newlines */
	size_t nends;
	bool carried;
	bool overflow; /* the record is longer than GDUMP_RECORD_MAX */
	bool dropping; /* inside a line longer than GDUMP_LINE_MAX */
	bool was_cut; /* gdump_cut */
	bool at_end; /* the body ended inside the record that is being parsed … */
	bool unterminated; /* … and its last line has no newline */

	/* Where one dump ends and another begins (sink.end). */
	bool first_runs; /* the dump's first goroutine is the one that made it */
	bool dashes; /* "-----": more of the same crash follows */
	uint64_t crash_text; /* hash of the line that the crash began with */
	bool stash_next; /* the record under way may be the first one of another dump … */
	bool stashed; /* … which the next one tells */
	struct buf stash;
	uint32_t stash_line;
	bool outside; /* bad lines since the last record: of no dump, if another one begins … */
	struct gdump_stats before; /* … and what was told before them */

	/* Recognition. */
	char head[RECEIVED_HEAD]; /* the body's first bytes, for the message when it is no dump */
	size_t head_len;
	char magic[2]; /* the very first bytes, until they tell whether it is gzip */
	size_t magic_len;
	struct gunzip *gunzip;
	bool gunzip_failed;
	struct err gunzip_err;
	bool is_proto; /* debug=0: kept whole in … */
	struct buf proto;
	bool proto_overflow;
	bool profile_seen; /* "goroutine profile: total N" */
	bool crash; /* something that only SIGQUIT and panics print */
	bool runtime_stack; /* inside "runtime stack:", frames without a goroutine */
	bool function_before; /* the line before, outside of every record, looks like one */
	bool headless; /* a stack came before the first header */
	bool header_inside; /* "goroutine N [" was seen, but not where a line begins */
	uint64_t counted; /* debug=1 part of stats.parsed */

	/* The group that is being built; kept from record to record. */
	struct frame *frames;
	size_t nframes, frames_cap;
	struct label labels[GDUMP_LABELS_MAX];
	size_t nlabels;
	uint64_t *pcs;
	size_t npcs, pcs_cap; /* npcs counts also those past GDUMP_FRAMES_MAX, which are not kept */
	struct buf unquoted; /* label text whose escapes were taken out */

	/* The ids seen: open addressing, 0 is an empty slot. */
	uint64_t *ids;
	size_t nids, ids_cap;
	bool id_zero;
};

static inline void gdump_add_end(struct gdump *g)
{
	if (g->nends < GDUMP_ENDS_MAX)
		g->ends[g->nends++] = (uint32_t)g->record_len;
}

/* gdump.c: counts a line that fitted nowhere; the earliest one's reason is kept. */
void gdump_bad_line(struct gdump *g, uint32_t line, const char *why, struct str text);

/* gdump_lock.c: whether a goroutine in that state waits for a lock, and the address of the lock
 * that its stack names, or 0. */
bool gdump_may_wait_for_lock(struct str state);
uint64_t gdump_lock_of(struct str text);

/* gdump_text.c: pieces of the grammar that both formats use. */
struct frame *gdump_add_frame(struct gdump *g, unsigned *flags);
/*
 * The pairs between the braces, appended to g->labels; `sep` stands between key and value (":" in
 * debug=1, ": " in debug=2).  Quoted by strconv.Quote or by the runtime's printer, or bare.  False
 * when it stopped before the end; what was read until then stays.
 */
bool gdump_labels(struct gdump *g, struct str pairs, struct str sep);
/* Index after the closing quote of the string that begins at s.p[at], or s.len when it has none. */
size_t gdump_skip_quoted(struct str s, size_t at);

/* gdump_debug1.c */
bool gdump_profile_header(struct str line, struct str *name, uint64_t *total);
/* Begins like "4 @ 0x43be36"; whole: every word of it is looked at. */
bool gdump_is_count_head(struct str line, bool whole);
void gdump_count_record(struct gdump *g, struct str text);

/* gdump_proto.c */
bool gdump_is_proto(struct str head);
/* Parses what is in g->proto. */
int gdump_proto_finish(struct gdump *g, struct err *err);

/* gdump_debug2.c */
bool gdump_parse_header(struct str line, struct goroutine_header *h);
void gdump_goroutine_record(struct gdump *g, struct str text);
bool gdump_has_id(const struct gdump *g, uint64_t id);

#endif
