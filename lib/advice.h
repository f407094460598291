/*
 * advice: what to think of goroutines that wait in one way and never leave.  Layer 1, pure.
 *
 * For classes that no rule knows, where the way they wait is all there is to go by; a rule's hint
 * says more.
 */
#ifndef LEAKWATCH_ADVICE_H
#define LEAKWATCH_ADVICE_H

#include "model.h"

/* The usual cause, and what to look for; "" for kinds that say nothing.  One or two sentences. */
const char *advice_cause(enum wait_kind wait);
const char *advice_look_for(enum wait_kind wait);

/* The same, written as a rule's hint: of what waits for what can never happen, and of what waits
 * for a lock and does not get it. */
extern const char advice_forever[], advice_stuck[];

/*
 * A rule's hint taken apart at the words it is written with: "Normal: …", "Growth: …" and
 * "Look for …".  What is missing is ""; the slices are hint's.
 */
struct advice {
	struct str what; /* the first sentence or two: what these goroutines are */
	struct str cause; /* behind "Growth:" */
	struct str look_for; /* from "Look for" on */
};

struct advice advice_of_hint(struct str hint);

#endif
