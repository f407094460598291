/*
 * silence: which alerts nobody wants to hear of, for how long, why and who said so.  Layer 1, pure.
 *
 * A silence holds for an alert whose labels fit all of its matchers, written as Alertmanager has
 * them: NAME=VALUE, NAME!=VALUE, NAME=~REGEX, NAME!~REGEX, the value bare or in double quotes
 * (\\ \" \n).  Regular expressions are PCRE2 and match the whole value; one that runs into its
 * limit does not match.  A label that an alert does not have counts as "".  A silence that would
 * fit alerts without any of its labels is refused, since it would silence everything.
 *
 * Nothing here reads a clock.  Life cycle: silence_set_new, silence_add, silence_set_free.
 */
#ifndef LEAKWATCH_SILENCE_H
#define LEAKWATCH_SILENCE_H

#include "alert_labels.h"

#define SILENCES_MAX	     1000 /* that have not ended */
#define SILENCE_MATCHERS_MAX 20
#define SILENCE_MATCHER_MAX  1000 /* bytes of one */
#define SILENCE_COMMENT_MAX  1000
#define SILENCE_ID_MAX	     17

struct silence {
	char id[SILENCE_ID_MAX]; /* 16 hex digits */
	struct str *matchers; /* as given, in normal form: NAME="VALUE" */
	size_t nmatchers;
	int64_t starts_ms, ends_ms;
	int64_t uid;
	struct str comment;
};

struct silence_set;

struct silence_set *silence_set_new(void);
void silence_set_free(struct silence_set *s);

/*
 * Adds a copy of *spec, whose id may be "": then it gets one.  The silence, valid until it is
 * dropped; or NULL with err when a matcher is wrong, the end is not after the start, or there are
 * too many.  Those that ended before now_ms are dropped.
 */
const struct silence *silence_add(
	struct silence_set *s, const struct silence *spec, int64_t now_ms, struct err *err);
/* Ends the one whose id is, or begins with, id.  It, or NULL with err when it is not one. */
const struct silence *silence_expire(
	struct silence_set *s, struct str id, int64_t now_ms, struct err *err);
/* A silence that holds now for these labels, or NULL. */
const struct silence *silence_match(
	const struct silence_set *s, const struct alert_labels *labels, int64_t now_ms);

#endif
