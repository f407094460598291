/*
 * gdump_scan: the smallest pieces of the dump grammar.  Layer 1, private to gdump*.c.
 *
 * Inline, because they run for every line of a body.
 */
#ifndef LEAKWATCH_GDUMP_SCAN_H
#define LEAKWATCH_GDUMP_SCAN_H

#include "str.h"

static inline bool gdump_is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* "0x" and lower-case hex digits, nothing else. */
static inline bool gdump_is_hex(struct str s)
{
	if (s.len < 3 || s.p[0] != '0' || s.p[1] != 'x')
		return false;
	for (size_t i = 2; i < s.len; i++) {
		if (!gdump_is_hex_digit(s.p[i]))
			return false;
	}
	return true;
}

/* The digits from p on; returns where they end, at `end` or a blank, NULL when they do not. */
static inline const char *gdump_line_number(const char *p, const char *end, uint32_t *line)
{
	const char *start = p;
	uint64_t n = 0;

	for (; p < end && *p >= '0' && *p <= '9' && p - start <= 10; p++)
		n = n * 10 + (uint64_t)(*p - '0');
	if (p == start || p - start > 10 || (p < end && *p != ' '))
		return NULL;
	*line = (uint32_t)MIN(n, (uint64_t)UINT32_MAX);
	return p;
}

/* Without one CR at its end. */
static inline struct str gdump_no_cr(struct str line)
{
	if (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	return line;
}

#endif
