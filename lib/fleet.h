/*
 * fleet: how a leak is spread over the instances of a job.  Layer 1, pure.
 *
 * "5 of 6 instances leak, 11.8 to 12.4 an hour each; 10.0.0.6:6060 runs an older version (v1.4.0):
 * first seen in v1.5.0" says what changed, before anybody has looked.  No more is claimed than was
 * seen: an instance that is younger than the leak takes to show counts for nothing, nor does one
 * that is suspected or not scraped now.
 *
 * Instances are added one by one, and a job may have any number: kept are counts, rates and
 * versions at the ends, the FLEET_FASTEST that leak fastest, and FLEET_OTHERS that do not leak.
 *
 * Life cycle: `struct fleet f = FLEET_INIT;` fleet_add for each instance, then fleet_words,
 * fleet_list or the rows themselves.  Strings are slices of the caller's, needed until then.
 */
#ifndef LEAKWATCH_FLEET_H
#define LEAKWATCH_FLEET_H

#include "buf.h"
#include "notify.h"

#define FLEET_FASTEST 12
#define FLEET_OTHERS  4

/* Of the time that the leak took to show, from its estimated beginning: that is long enough for
 * another instance, or version, to have shown it, too.  All of them are often seen for as long. */
#define FLEET_LONG_ENOUGH 0.8

enum fleet_state { FLEET_UNKNOWN, FLEET_CLEAN, FLEET_LEAKS, FLEET_STATES };
const char *fleet_state_name(enum fleet_state s); /* "unknown", "clean", "leaks" */

/* Why it is not known of one; the most telling first. */
enum fleet_why {
	FLEET_WHY_NONE,
	FLEET_SUSPECTED, /* it grows, and may be a leak */
	FLEET_CHANGED, /* it leaked until its deploy, and it is too early to say */
	FLEET_DOWN, /* it is not scraped now */
	FLEET_YOUNG /* not seen for long enough for it to show */
};

struct fleet_row {
	struct str instance, version; /* version "" when not told */
	enum fleet_state state;
	enum fleet_why why; /* of FLEET_UNKNOWN */
	double seen_s; /* how long its process has been seen */
	double rate_per_hour; /* of one that leaks; NAN when not known */
	int64_t since_ms; /* of one that leaks; 0 when not known */
	int64_t id; /* the caller's */
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
	struct fleet_row fastest[FLEET_FASTEST]; /* that leak, the fastest first */
	size_t nfastest;
	double left_out; /* fastest rate of those that leak and are not among them; NAN: none */
	struct fleet_row others[FLEET_OTHERS]; /* that do not: clean ones first */
	size_t nothers;
	bool doubted; /* the caller's: a version that is clean now may have leaked before */
};

#define FLEET_INIT                                                                                 \
	{                                                                                          \
		.left_out = NAN                                                                    \
	}

void fleet_add(struct fleet *f, const struct fleet_row *row);
/*
 * Appends the sentence; nothing for a job of one instance.  Names are made safe.  history is what
 * releases_words has to say, or ""; it knows more than the instances of now do, and takes the place
 * of what follows from them.
 */
void fleet_words(const struct fleet *f, enum notify_unit unit, struct str history, struct buf *out);
/* Appends the rows, a line each, and how many more there are; nothing for a job of one instance. */
void fleet_list(const struct fleet *f, enum notify_unit unit, struct buf *out);
/* Appends "clean", "leaks", or "unknown: seen for 5 min only". */
void fleet_add_state(const struct fleet_row *row, struct buf *out);
/* How many leak, or do not, that have no row. */
size_t fleet_more_leak(const struct fleet *f);
size_t fleet_more_others(const struct fleet *f);

/*
 * Versions in order: runs of digits as numbers, the rest bytewise, and what has a suffix behind the
 * same numbers ("-rc1", as Semantic Versioning 2.0.0, item 11, has it) before what has none.  A
 * leading "v" and what follows a "+" do not count.  < 0, 0, > 0; *known is false, and 0 returned,
 * when one of them does not begin with a number and a dot (a commit's hash, "devel").
 */
int fleet_compare_versions(struct str a, struct str b, bool *known);

#endif
