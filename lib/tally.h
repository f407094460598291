/*
 * tally: one target's goroutine classes and how many goroutines each has now.  Layer 1.
 *
 * It is the sink of a gdump parser: every record of a body is put into a class and counted. Records
 * repeat from scrape to scrape, so a record seen before is recognised by its key and costs one
 * table look-up; only new ones are normalised and classified.  It keeps no history and judges
 * nothing.
 *
 * A cycle: tally_begin, feed the parser with tally_sink, then ask tally_unresolved for program
 * counters that /debug/pprof/symbol should name (a debug=1 record hides what a goroutine waits on
 * behind them, go-formats 1.7), tally_symbols with the answer, tally_end.  An unusable body ends
 * with tally_abandon instead: the counts of the body before stay.
 *
 * Memory is bounded by the limits: classes, distinct records and example stacks.  What is over a
 * limit is counted: classes go to "other", records are classified anew each time.
 */
#ifndef LEAKWATCH_TALLY_H
#define LEAKWATCH_TALLY_H

#include "classify.h"
#include "gdump.h"

#define TALLY_OTHER    "other"
#define TALLY_EXAMPLE  4096 /* longest example stack, bytes of text */
#define TALLY_ASK_MAX  64 /* program counters asked for in one request */
#define TALLY_FORGET_S (7 * 86400.0) /* a class at 0 for that long may lose its place */

struct tally_limits {
	uint32_t classes; /* limits.classes_per_target */
	uint32_t records; /* distinct records remembered; more are classified each time */
};

#define TALLY_LIMITS_DEFAULT                                                                       \
	{                                                                                          \
		.classes = 300, .records = 16384                                                   \
	}

/* The largest stack of a class in the last body that had the class. */
struct tally_example {
	uint64_t fingerprint;
	uint64_t count; /* goroutines with just this stack */
	enum wait_kind wait;
	char *text; /* "func file:line\n" for each frame, leaf first, cut at a line */
	char *entry; /* function it started in, or "" */
	char *created_by; /* only from debug=2, else "" */
	char *user_func; /* first frame outside the standard library, or "" */
	char *user_file;
	uint32_t user_line;
};

struct tally_class {
	uint32_t index; /* its place; a forgotten class's place goes to a new one */
	uint32_t generation; /* rises when the place gets a new class */
	char *name;
	const struct rule *rule; /* NULL: named by itself */
	bool ignored;
	uint64_t count; /* in the last whole body */
	double last_seen; /* Unix time of the last body with count > 0 */
	struct tally_example example;
	void *user; /* the caller's */
	/* The body being read: */
	uint64_t next;
	uint64_t best;
};

struct tally;

/* rules behind c must live as long as the tally. */
struct tally *tally_new(const struct classifier *c, const struct tally_limits *limits);
void tally_free(struct tally *t);
/* A class known from an earlier run of the daemon, so that it keeps its place; NULL when full. */
struct tally_class *tally_restore(struct tally *t, struct str name, const struct rule *rule);

/*
 * Told of each record that waits for a mutex, while its body is read (it may turn out unusable): s
 * holds during the call.  Such records are never known ones, so that their stack is at hand.
 */
typedef void tally_watch_cb(
	void *arg, const struct tally_class *c, const struct stack *s, uint64_t count);
void tally_watch(struct tally *t, tally_watch_cb *watch, void *arg);

void tally_begin(struct tally *t);
struct gdump_sink tally_sink(struct tally *t);
/* Up to max (and TALLY_ASK_MAX) program counters that are not known yet; 0 when all are. */
size_t tally_unresolved(struct tally *t, uint64_t *pcs, size_t max);
/*
 * The answer of /debug/pprof/symbol to those: lines "0xPC name".  Lines that are not are skipped;
 * what was asked and not answered is taken to tell nothing.
 */
void tally_symbols(struct tally *t, struct str body);
/* The target does not answer there: this run's records are classified without, and not asked again.
 */
void tally_no_symbols(struct tally *t);
/* The body was whole: its counts are the counts now.  now is Unix time. */
void tally_end(struct tally *t, double now);
/* The body was not usable: nothing of it counts. */
void tally_abandon(struct tally *t);
/* A new process: its program counters mean something else. */
void tally_new_run(struct tally *t);

/*
 * The class in which a goroutine of this run with stack s is counted, or NULL: none has been yet.
 * hidden: the record's program counters (debug=1), for what their symbols told of the wait.  For
 * other dumps of the same target, also while a body is being read.
 */
struct tally_class *tally_find(
	struct tally *t, const struct stack *s, const uint64_t *hidden, size_t nhidden);

size_t tally_count(const struct tally *t);
struct tally_class *tally_at(const struct tally *t, size_t index);
/* Goroutines in the last whole body, without (with) those of ignored classes. */
uint64_t tally_judged_total(const struct tally *t);
uint64_t tally_total(const struct tally *t);
/* Records of the last body that found no place in the table and were classified each for itself. */
uint64_t tally_overflow(const struct tally *t);
/* Goroutines of the last whole body that are in "other" because there were too many classes. */
uint64_t tally_in_other(const struct tally *t);
/* What usually makes the class grow: its rule's hint; of "other", what it is; "" when not known. */
struct str tally_hint(const struct tally_class *c);

#endif
