/*
 * gdump_outside: lines that continue no record: what begins one, what stands around dumps, and
 * damage.  Layer 1, private to gdump*.c.
 */
#ifndef LEAKWATCH_GDUMP_OUTSIDE_H
#define LEAKWATCH_GDUMP_OUTSIDE_H

#include "gdump_internal.h"

/* A line that continues no record; text is with its newline, for the record that
 * it may begin. */
void gdump_outside_line(struct gdump *g, struct str text);
/* "goroutine 5 [", but not a header: cut at the end of the body, or damaged. */
bool gdump_is_lost_header(struct str line);
/* What SIGQUIT, panics, `go run` and `go test` print around and between goroutines. */
bool gdump_is_crash_line(struct str line);

/* gdump.c: the record under way is p..p+n, of the line being read. */
void gdump_begin_record(struct gdump *g, enum record_kind kind, const char *p, size_t n);

#endif
