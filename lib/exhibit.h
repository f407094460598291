/*
 * exhibit: a dump with debug=2, kept small as it comes.  Layer 1.
 *
 * What an alert keeps as its exhibit: the dump's text with the argument words of calls taken out
 * (they are addresses and values of the process), gzip'd, at most EXHIBIT_MAX bytes of it.  Text is
 * fed in pieces; at no time is the dump whole in memory.
 *
 * Life cycle: exhibit_new, exhibit_feed, exhibit_take once, exhibit_free.
 */
#ifndef LEAKWATCH_EXHIBIT_H
#define LEAKWATCH_EXHIBIT_H

#include "buf.h"

#define EXHIBIT_MAX	 ((size_t)1 << 20) /* bytes of gzip; about 20,000 goroutines */
#define EXHIBIT_LINE_MAX 65536 /* a longer line is cut */

struct exhibit;

struct exhibit *exhibit_new(void);
void exhibit_free(struct exhibit *x);
void exhibit_feed(struct exhibit *x, const char *p, size_t n);
/*
 * Ends it and appends the gzip to out; true when it is the whole dump, false when it was cut at a
 * line because of EXHIBIT_MAX.  bytes is the size of the text in it.
 */
bool exhibit_take(struct exhibit *x, struct buf *out, uint64_t *bytes);

#endif
