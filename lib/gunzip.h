/*
 * gunzip: gzip in pieces, out in pieces, never more than was agreed.  Layer 1.
 *
 * A few kilobytes of gzip can hold gigabytes: max_bytes of output is the limit, passed in by who
 * knows what a sensible size is.  Several members one after the other are one output (RFC 1952,
 * 2.2); anything else behind the last one is an error.
 *
 * Life cycle: gunzip_new, gunzip_feed, gunzip_finish once, gunzip_free.  After an error nothing
 * more comes out, and each call returns the same error.
 */
#ifndef LEAKWATCH_GUNZIP_H
#define LEAKWATCH_GUNZIP_H

#include "err.h"

struct gunzip;

/* out gets what was compressed, in pieces of at most 64 KiB. */
struct gunzip *gunzip_new(
	uint64_t max_bytes, void (*out)(void *arg, const char *p, size_t n), void *arg);
void gunzip_free(struct gunzip *z);
/* -1: not gzip, damaged, or more than max_bytes come out. */
int gunzip_feed(struct gunzip *z, const char *p, size_t n, struct err *err);
/* -1 also when the data ended early. */
int gunzip_finish(struct gunzip *z, struct err *err);

#endif
