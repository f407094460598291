/*
 * str: a slice of bytes that somebody else owns.  Layer 0.
 *
 * Not NUL-terminated, may hold any byte, copied by value.  Who keeps a slice longer than its owner
 * lives copies it (arena_str, str_dup).  Printed with "%.*s", STR_ARG(s).
 */
#ifndef LEAKWATCH_STR_H
#define LEAKWATCH_STR_H

#include "base.h"

#include <string.h>

struct str {
	const char *p;
	size_t len;
};

#define STR_ARG(s) (int)(s).len, (s).p
/* A slice of a string literal, also in constant initialisers. */
#define STR_LIT(l)                                                                                 \
	{                                                                                          \
		.p = "" l, .len = sizeof(l) - 1                                                    \
	}
#define STR(l) ((struct str)STR_LIT(l))

/* The small ones are inline: parsers call them for every line of a body. */

static inline struct str str_n(const char *p, size_t len)
{
	return (struct str){.p = p, .len = len};
}

/* Of a C string; NULL gives the empty slice. */
static inline struct str str_of(const char *s)
{
	return str_n(s ? s : "", s ? strlen(s) : 0);
}

static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

static inline bool str_is(struct str a, const char *b)
{
	return str_eq(a, str_of(b));
}

static inline bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.p, prefix.p, prefix.len) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
	return s.len >= suffix.len &&
	       (suffix.len == 0 || memcmp(s.p + s.len - suffix.len, suffix.p, suffix.len) == 0);
}

/* From..to (to not included), both cut to the slice. */
static inline struct str str_sub(struct str s, size_t from, size_t to)
{
	to = MIN(to, s.len);
	from = MIN(from, to);
	/* No sum with NULL, not even of 0: the empty slice has no address. */
	return str_n(from ? s.p + from : s.p, to - from);
}

static inline struct str str_from(struct str s, size_t from)
{
	return str_sub(s, from, s.len);
}

int str_cmp(struct str a, struct str b); /* bytewise, as strcmp */
/* Index of the first (last) c, or -1. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);
/* Index of the first occurrence of needle, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
/* Without spaces, tabs, CR and LF at both ends. */
struct str str_trim(struct str s);
/* Takes a line without its LF off the front of *rest; false when nothing is left. */
bool str_line(struct str *rest, struct str *line);
/* All digits and no overflow, else false; *out is untouched then. */
bool str_u64(struct str s, uint64_t *out);
/* A Go or C floating-point number that takes the whole slice (NaN, +Inf, 1e6 too). */
bool str_double(struct str s, double *out);
/* A NUL-terminated copy; the caller frees it. */
char *str_dup(struct str s);

#endif
