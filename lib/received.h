/*
 * received: names what a body is when it is not what was asked for.  Layer 1.
 *
 * Behind a wrong path, a proxy or a login page stands something else than the format a parser
 * wanted; the person who reads the message at night should not have to fetch it again to see what.
 * Looks at the first bytes only, never at a Content-Type; recognises, does not parse.
 */
#ifndef LEAKWATCH_RECEIVED_H
#define LEAKWATCH_RECEIVED_H

#include "str.h"

/* Bytes of the beginning of a body that are worth keeping for received_what. */
#define RECEIVED_HEAD 512

/*
 * Writes a noun phrase into out, at most size bytes with its NUL, printable ASCII only: "an HTML
 * page titled \"…\"", "a heap profile", "an empty body", "text that begins with \"…\"".
 */
void received_what(struct str head, char *out, size_t size);

/*
 * The first bytes of s for a message: tabs and line ends become blanks, other bytes that are not
 * printable ASCII '?', and a longer text is cut and ends in "...".  out is at most size bytes with
 * its NUL; size is at least 4.
 */
void received_excerpt(struct str s, char *out, size_t size);

#endif
