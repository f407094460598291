/*
 * report_internal: what the files of the report share.  Layer 1, private to report*.c.
 *
 * A table counts by name and keeps the names in the report's arena; report_end makes the sorted
 * lists that the printers read.
 */
#ifndef LEAKWATCH_REPORT_INTERNAL_H
#define LEAKWATCH_REPORT_INTERNAL_H

#include "ages.h"
#include "callers.h"
#include "map.h"
#include "report.h"
#include "report_waits.h"
#include "stack.h"

#define REPORT_SEEN_MAX 65536 /* kinds of stacks whose class is remembered */

/* One line of any list: only the fields that the list has are set. */
struct counted {
	struct str name; /* class, state, function, lock */
	struct str place; /* locks: the function in which one of them waits */
	struct str file;
	uint32_t line;
	uint32_t minutes; /* states: of this row; stuck and classes: the oldest */
	uint64_t count;
};

struct table {
	struct map *map; /* key -> struct counted, in the arena; NULL until the first one */
	struct counted **sorted; /* by count, then by name; after report_end */
	size_t n;
};

/* The growth of a class, from what tells it best. */
struct report_rate {
	enum { RATE_UNTOLD, RATE_OF_AGES, RATE_OF_DUMPS } from;
	double rate_per_hour, low, high;
};

enum waiting { OVER_1M, OVER_10M, OVER_1H, OVER_1D, WAITING };

struct report_class {
	struct str name;
	const struct rule *rule; /* NULL: named automatically */
	uint64_t count;
	uint32_t oldest_minutes;
	uint64_t waiting[WAITING];
	uint64_t never; /* wait for what can never happen */
	struct table states, entries, created_by, locations, stuck;
	struct table own; /* first frames of the service's own code */
	struct table origins; /* where such code started them */
	struct ages ages;
	struct ages_estimate estimate; /* after report_end */
	struct report_rate rate;
	struct compare_change change; /* with a baseline */
	struct table stacks; /* only when they are kept */
	struct str entry; /* of the first goroutine: for report_suggest */

	/* The stack that most goroutines have, if one has more than half (a majority vote: no
	 * list of stacks is needed); else one of the frequent ones. */
	uint64_t candidate, votes;
	struct str example; /* lines "func file:line" */
};

struct report {
	const struct classifier *classifier;
	const struct symbols *symbols; /* or NULL */
	struct arena arena; /* names and rows */
	struct arena scratch; /* of one group */
	struct gdump_stats stats;
	bool keep_stacks;
	struct map *classes; /* name -> struct report_class */
	struct map *seen; /* hash of all that rules look at -> struct report_class */
	struct report_class **sorted;
	size_t nclasses;
	uint64_t waiting[WAITING];
	struct table states, entries, created_by, stuck;
	struct table locks; /* by address: how many wait for it, and where one of them does */
	struct locks *waiters; /* the same, with who may hold it */
	struct report_finding findings[REPORT_FINDINGS]; /* after report_end, and a baseline */
	size_t nfindings;
	struct table callers[CALLER_DOINGS]; /* places that use an HTTP client, by what they do */
	uint32_t longest_minutes;
	const struct compare *baseline; /* or NULL */
	struct str baseline_name;
	struct compare_gap gap;
	uint64_t bytes_dropped; /* rows that went to "other" for want of room */
};

/* Minutes that the counts of enum waiting begin with. */
extern const uint32_t report_waiting_minutes[WAITING];

/* report.c: counts a place in the code; the row keeps the longest wait there. */
void report_count_place(
	struct report *r, struct table *t, const struct frame *f, uint32_t minutes, uint64_t n);

/* The row of a key, made (*made) when it is new; the one of "other" when there is no more room. */
struct counted *report_row(struct report *r, struct table *t, struct str key, bool *made);

/* report_judge.c */
void report_look(
	struct report *r, struct report_class *c, const struct group *g, const struct stack *s);
void report_judge(struct report *r);
void report_judge_release(struct report_class *c);
/* Whether the format prints how long goroutines have waited. */
bool report_has_ages(const struct report *r);

struct report_expect {
	enum { EXPECT_NOTHING, EXPECT_MAX, EXPECT_METRIC } kind;
	double most, excess; /* EXPECT_MAX */
};
struct report_expect report_expect(const struct report_class *c);
/* "expected: at most 4500, found: 4600, 100 too many", or nothing. */
void report_add_expect(const struct report_class *c, struct buf *out);

/* What the rate rests on; nothing where there is none. */
void report_add_basis(const struct report *r, const struct report_class *c, struct buf *out);
/* "12.0 an hour (10.1 to 13.9)" */
void report_add_rate(const struct report_rate *rate, struct buf *out);
/* "+30 since the baseline (20 then): 30 came, 0 left"; and of the whole dump. */
void report_add_change(const struct report *r, const struct report_class *c, struct buf *out);
void report_add_baseline(const struct report *r, struct buf *out);
/* Two dumps of one process say that nobody who had waited for long has left, and more came. */
bool report_nobody_leaves(const struct report *r, const struct report_class *c);

/* "2 min", "3 h", "2 d": whole units, as the runtime rounds down too. */
void report_add_age(struct buf *out, uint32_t minutes);
/* What is missing from the dump and why, a line each, behind `indent`; nothing when it is whole. */
void report_add_losses(const struct report *r, const char *indent, struct buf *out);
/* "231 goroutines in 7 classes (debug2)"; what is no dump of goroutines by its profile's name. */
void report_add_count(const struct report *r, struct buf *out);

#endif
