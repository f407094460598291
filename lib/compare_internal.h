/*
 * compare_internal: what the files of the comparison share.  Layer 1, private to compare*.c.
 */
#ifndef LEAKWATCH_COMPARE_INTERNAL_H
#define LEAKWATCH_COMPARE_INTERNAL_H

#include "arena.h"
#include "compare.h"
#include "map.h"

struct growths;

/* A class or a stack. */
struct item {
	struct str name; /* of the class */
	struct str text; /* of the stack, "func file:line" lines; "" for a class */
	uint64_t count[COMPARE_SIDES];
	uint64_t stayed; /* goroutines in both */
	uint64_t kept; /* and in this class in both */
	uint64_t waited, waited_stayed; /* of the old: had waited COMPARE_WAITED_MIN; still there */
};

struct seen {
	uint64_t id, stack; /* fingerprint */
	uint64_t origin; /* hash of entry and creator */
	uint32_t minutes;
	struct item *class, *item; /* item: its stack, or NULL */
};

struct side {
	struct compare *c;
	enum compare_side which;
	const struct symbols *symbols;
	struct gdump_stats stats;
	struct seen *ids;
	size_t nids, cap;
};

struct compare {
	const struct classifier *classifier;
	struct arena arena, scratch;
	struct map *classes, *stacks; /* -> struct item, in the arena */
	struct side sides[COMPARE_SIDES];
	struct item **by_class, **by_stack;
	size_t nclasses, nstacks;
	bool one_process;
	uint64_t stayed, same_stack;
	struct growths *growths; /* of waits that are in both; in the arena, NULL until the first */
	struct compare_gap gap;
};

/* compare_rate.c: goroutines of both dumps, by id; called once for each that is in both. */
void compare_note_wait(struct compare *c, const struct seen *old, const struct seen *new_seen);
void compare_end_gap(struct compare *c);

#endif
