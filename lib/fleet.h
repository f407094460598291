/*
 * fleet: how a leak is spread over the instances of a job.  Layer 1, pure.
 *
 * "5 of 6 instances leak, they run v1.3.0; 10.0.0.6:6060 runs v1.2.9" says what changed, before
 * anybody has looked.  Instances are added one by one and nothing of them is kept but counts and
 * whether a side has one version, so a job may have any number.
 *
 * Life cycle: `struct fleet f = FLEET_INIT;` fleet_add for each instance, fleet_words.  Strings are
 * slices of the caller's, needed until then.
 */
#ifndef LEAKWATCH_FLEET_H
#define LEAKWATCH_FLEET_H

#include "buf.h"

struct fleet_side {
	size_t n;
	struct str instance, version; /* of the first; version "" when not told */
	bool mixed; /* not all tell that version */
};

struct fleet {
	struct fleet_side leaks, rest;
};

#define FLEET_INIT                                                                                 \
	{                                                                                          \
		.leaks = {.n = 0 }                                                                 \
	}

/* version is "" when it is not known. */
void fleet_add(struct fleet *f, struct str instance, struct str version, bool leaks);
/* Appends the words; nothing for a job of one instance.  Names are made safe. */
void fleet_words(const struct fleet *f, struct buf *out);

#endif
