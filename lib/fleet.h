/*
 * fleet: how a leak is spread over the instances of a job.  Layer 1, pure.
 *
 * "5 of 6 instances leak, 11.8 to 12.4 an hour each; 10.0.0.6:6060 runs an older version (v1.4.0):
 * first seen in v1.5.0" says what changed, before anybody has looked.  No more is claimed than was
 * seen: an instance that is younger than the leak takes to show counts for nothing.
 *
 * Instances are added one by one and nothing of them is kept but counts, rates and versions at the
 * ends, so a job may have any number.
 *
 * Life cycle: `struct fleet f = FLEET_INIT;` fleet_add for each instance, fleet_words.  Strings are
 * slices of the caller's, needed until then.
 */
#ifndef LEAKWATCH_FLEET_H
#define LEAKWATCH_FLEET_H

#include "buf.h"

enum fleet_state {
	FLEET_UNKNOWN, /* seen too short a time */
	FLEET_CLEAN,
	FLEET_LEAKS
};

struct fleet_side {
	size_t n;
	struct str instance, version; /* of the first; version "" when not told */
	bool one_version; /* all tell one, the same */
	bool all_told; /* all tell some version */
	bool ordered; /* their versions have an order */
	struct str lowest, highest;
	double slowest, fastest; /* rates an hour; NAN when none is known */
};

struct fleet {
	struct fleet_side leaks, rest;
	size_t unknown;
};

#define FLEET_INIT                                                                                 \
	{                                                                                          \
		.leaks = {.n = 0 }                                                                 \
	}

/* version is "" when it is not known; the rate, of one that leaks, may be NAN. */
void fleet_add(struct fleet *f, struct str instance, struct str version, enum fleet_state state,
	double rate_per_hour);
/* Appends the words; nothing for a job of one instance.  Names are made safe. */
void fleet_words(const struct fleet *f, struct buf *out);

/*
 * Versions in order: runs of digits as numbers, the rest bytewise, and what has a suffix behind the
 * same numbers ("-rc1", as Semantic Versioning 2.0.0, item 11, has it) before what has none.  A
 * leading "v" and what follows a "+" do not count.  < 0, 0, > 0; *known is false, and 0 returned,
 * when one of them does not begin with a number and a dot (a commit's hash, "devel").
 */
int fleet_compare_versions(struct str a, struct str b, bool *known);

#endif
