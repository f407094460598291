/*
 * versions: which version of a program ran when.  Layer 1, plain data made to be embedded.
 *
 * A leak is told with the version in which it began, and that may be some deployments ago.  So the
 * versions that a target's *_build_info told are kept with the time from which each ran, newest
 * last, VERSIONS_MAX of them; what ran before the oldest is not known.
 *
 * Life cycle: `struct versions v = VERSIONS_INIT;` … versions_release(&v).
 */
#ifndef LEAKWATCH_VERSIONS_H
#define LEAKWATCH_VERSIONS_H

#include "str.h"

#define VERSIONS_MAX 32

struct versions {
	struct {
		int64_t from_ms; /* Unix */
		char *text; /* "": a process that did not tell */
	} v[VERSIONS_MAX];
	size_t n;
};

#define VERSIONS_INIT                                                                              \
	{                                                                                          \
		.n = 0                                                                             \
	}

void versions_release(struct versions *v);
/* That version runs from then on; one that runs already, or an older time, changes nothing but an
 * untold version that is told now. */
void versions_note(struct versions *v, int64_t from_ms, struct str version);
/* What ran at that time, or "". */
struct str versions_at(const struct versions *v, int64_t at_ms);

/* Stands before the version in the words that the store keeps of a run; it ends at a comma. */
#define VERSIONS_MARK "version "
/* The version in those words ("version v1.5.0, go1.26.0"), or "". */
struct str versions_of_run(struct str info);

#endif
