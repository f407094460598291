/*
 * str: a slice of bytes that somebody else owns.  Layer 0.
 *
 * Not NUL-terminated, may hold any byte, copied by value.  Who keeps a slice longer than its owner
 * lives copies it (arena_str, str_dup).  Printed with "%.*s", STR_ARG(s).
 */
#ifndef LEAKWATCH_STR_H
#define LEAKWATCH_STR_H

#include "base.h"

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

struct str str_of(const char *s); /* of a C string; NULL gives the empty slice */
struct str str_n(const char *p, size_t len);
bool str_eq(struct str a, struct str b);
bool str_is(struct str a, const char *b);
int str_cmp(struct str a, struct str b); /* bytewise, as strcmp */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* Index of the first (last) c, or -1. */
ptrdiff_t str_chr(struct str s, char c);
ptrdiff_t str_rchr(struct str s, char c);
/* Index of the first occurrence of needle, or -1. */
ptrdiff_t str_find(struct str s, struct str needle);
/* From..to (to not included), both cut to the slice. */
struct str str_sub(struct str s, size_t from, size_t to);
struct str str_from(struct str s, size_t from);
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
