/*
 * report_story: what a report comes to.  Layer 1, private to report*.c.
 *
 * The class that matters most, the evidence for it, what causes it and where to look; for printers
 * that write an analysis.
 */
#ifndef LEAKWATCH_REPORT_STORY_H
#define LEAKWATCH_REPORT_STORY_H

#include "report_internal.h"

/* The strongest evidence that there is against a class. */
enum story_why { /* the stronger, the larger */
	STORY_NOTHING, /* there is none */
	STORY_LARGEST,
	STORY_WAITS, /* has the most that wait for a minute or more */
	STORY_STUCK,
	STORY_EXCESS,
	STORY_AGED,
	STORY_MORE, /* more than in the baseline, at a rate that is not known */
	STORY_GREW
};

struct report_story {
	const struct report_class *class;
	enum story_why why;
};

/* Of a dump that is none of goroutines (threadcreate): nothing. */
struct report_story report_story(const struct report *r);
/* Sentences on why, with what they rest on. */
void report_story_words(const struct report *r, const struct report_story *s, struct buf *out);
/* What such goroutines are ("" without a rule), what usually causes growth, and what to look for:
 * the rule's hint, else by the way it waits. */
struct str report_what(const struct report_class *c);
struct str report_cause(const struct report_class *c);
struct str report_look_for(const struct report_class *c);
/* Connections: stacks and creators name none of the service's code. */
bool report_is_http_client(const struct report_class *c);

#define REPORT_PLACES 3 /* of each kind */
struct report_place {
	const char *doing; /* "waits at", "started at", "reads a body" */
	const struct counted *row;
};
/* Places in the service's code to look at, the most telling first; returns how many. */
size_t report_where(
	const struct report *r, const struct report_class *c, struct report_place *v, size_t most);

#endif
