/*
 * xalloc: memory or death.  Layer 0.
 *
 * These never return NULL: when memory is out they write one line to standard error and abort, the
 * only place in the program that does.  So every size that an outsider controls must have been
 * checked against a named limit before it gets here.  The result is released with free().
 */
#ifndef LEAKWATCH_XALLOC_H
#define LEAKWATCH_XALLOC_H

#include "base.h"

void *xmalloc(size_t size);
/* Zeroed; n * size is checked for overflow. */
void *xcalloc(size_t n, size_t size);
/* As realloc; n * size is checked for overflow. */
void *xrealloc(void *p, size_t n, size_t size);
char *xstrdup(const char *s);
/* The first n bytes of s and a NUL. */
char *xmemdup0(const void *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
