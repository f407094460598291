/*
 * evidence: what looking at a target's single goroutines tells of its suspected classes.  Layer 1.
 *
 * Of the classes that rise (evidence_follow) it says when the next dump with debug=2 is wanted; of
 * such a dump it tallies, for each of them: how many, their states and how long they have waited,
 * who created them, their labels, the locks they wait for, and how many wait for what can never
 * happen; and their ids go to survival, which says whether they ever leave.  It asks nobody for
 * anything and judges no budget.
 *
 * Memory is bounded: EVIDENCE_CLASSES followed classes, EVIDENCE_TOP different words of each kind
 * (what is over is counted together), a few ids for each (survival.h).
 *
 * A cycle: evidence_follow for every class that is known, with what is thought of it; evidence_due;
 * when a dump is taken evidence_begin, a gdump parser with evidence_sink, evidence_end.
 */
#ifndef LEAKWATCH_EVIDENCE_H
#define LEAKWATCH_EVIDENCE_H

#include "ages.h"
#include "arena.h"
#include "buf.h"
#include "forever.h"
#include "gdump.h"
#include "locks.h"
#include "origin.h"
#include "stack.h"
#include "survival.h"

#define EVIDENCE_CLASSES 16 /* followed at once, those that grow fastest */
#define EVIDENCE_TOP	 12 /* different states, creators, labels, locks of a class */
#define EVIDENCE_TEXT	 200 /* bytes kept of a creator's or label's name */

enum evidence_interest {
	EVIDENCE_NONE,
	EVIDENCE_LEAKING, /* told already, or seems stuck: what an alert should show, once */
	EVIDENCE_SUSPECT,
	EVIDENCE_FAST /* rises by hundreds within minutes */
};

struct evidence_word {
	char *text;
	uint64_t count;
};

struct evidence_words {
	struct evidence_word v[EVIDENCE_TOP];
	size_t n;
	uint64_t others; /* of words that found no place */
};

enum { EVIDENCE_1M, EVIDENCE_10M, EVIDENCE_1H, EVIDENCE_1D, EVIDENCE_AGES };

/* The collector's word (goroutineleak): how many of the class nothing can wake any more. */
struct evidence_proof {
	bool asked; /* it was asked, and answered */
	uint64_t proven, of;
};

struct evidence_class {
	char *name;
	enum evidence_interest interest;
	double growth_per_hour;
	double wanted_at; /* when there was last any interest */
	double look_at; /* evidence_want; or INFINITY */
	struct survival *survival; /* NULL while no cohort is kept */
	struct survival_result result; /* after the newest dump */
	bool open_suspicion; /* there was one, and its linger is not over */
	struct evidence_proof proof;
	uint64_t proven_next; /* of the profile that is being read */
	/* The newest dump; at is NAN before the first. */
	double at;
	uint64_t count;
	uint32_t oldest_minutes; /* as printed: a lower bound, 0 when none is */
	uint64_t waited[EVIDENCE_AGES]; /* waited at least so long */
	struct ages_estimate ages; /* what the waits say */
	double stay; /* of the dump before's that had waited 10 min, the share that still does; NAN
		      */
	uint64_t never; /* wait for what cannot happen: nil channel, select{} */
	struct evidence_words states, creators, labels;
	struct lock lock; /* the one that most of them wait for; waiters 0: none */
	/* The dump that is being read. */
	struct evidence_class *next;
	struct ages waits; /* of next */
};

struct evidence;

struct evidence *evidence_new(double window_s);
void evidence_free(struct evidence *e);

/*
 * What is thought of a class now (Unix time); one of no interest is only noted when it is followed
 * already.  run_start: of the process, or NAN.
 */
void evidence_follow(struct evidence *e, struct str class, enum evidence_interest interest,
	double growth_per_hour, double now, double run_start);
/* Whatever the interest: another dump is wanted for that class, which is followed, at that time. */
void evidence_want(struct evidence *e, struct str class, double at);
/* The process was restarted: its ids mean nothing any more. */
void evidence_new_run(struct evidence *e);
/* When the next dump is wanted: at or before now, later, or INFINITY. */
double evidence_due(const struct evidence *e);
/* The growth of the fastest class that wants one; orders targets of one host. */
double evidence_urgency(const struct evidence *e);

/* Names the class of a goroutine, or gives NULL. */
typedef const char *evidence_class_cb(void *arg, const struct group *g, const struct stack *s);

void evidence_begin(struct evidence *e, double t, evidence_class_cb *class_of, void *arg);
struct gdump_sink evidence_sink(struct evidence *e);
/* Of the dump that is being read, before its end: how many of a class (0: none is followed), and
 * whether it is another process's than the last one that counted. */
uint64_t evidence_counted(const struct evidence_class *c);
void evidence_origin(const struct evidence *e, struct origin_result *out);
/* A dump that was not whole, or is another process's, tells nothing: false. */
void evidence_end(struct evidence *e, bool counts);
/* Of the newest dump, whole or not: goroutines, and their frames. */
uint64_t evidence_goroutines(const struct evidence *e);
uint64_t evidence_frames(const struct evidence *e);
/* Those of all classes, followed or not, that can never go on, as whole dumps told. */
const struct forever_set *evidence_forever(const struct evidence *e);

/*
 * The collector's profile (goroutineleak?debug=1): evidence_proof_begin, a parser with
 * evidence_proof_sink, evidence_proof_end.  Wanted where a class of interest has no proof yet, and
 * anew with each suspicion.
 */
bool evidence_wants_proof(const struct evidence *e);
void evidence_proof_begin(struct evidence *e, evidence_class_cb *class_of, void *arg);
struct gdump_sink evidence_proof_sink(struct evidence *e);
/* count_of: goroutines of a class now. */
void evidence_proof_end(struct evidence *e, bool whole,
	uint64_t (*count_of)(void *arg, struct str class), void *arg);
/* More than half of the class, and 10 or more, are proven to be lost. */
bool evidence_is_proven(const struct evidence_class *c);

/* The same by what they wait for: a nil channel or an empty select needs no statistics. */
bool evidence_never_ends(const struct evidence_class *c);

/* For evidence_restore: a suspicion goes on with a cohort, which it takes, and a proof. */
void evidence_take(struct evidence *e, struct str class, struct survival *s,
	const struct evidence_proof *proof);
double evidence_window(const struct evidence *e); /* as evidence_new was given it */

size_t evidence_count(const struct evidence *e);
struct evidence_class *evidence_at(struct evidence *e, size_t i);
struct evidence_class *evidence_find(struct evidence *e, struct str class);

#endif
