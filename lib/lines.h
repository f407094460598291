/*
 * lines: where lines end.  Layer 0.
 *
 * For parsers that look at every line of a body: 64 bytes are compared at once (SSE2, which every
 * x86-64 has; elsewhere memchr finds one line after the other).  Lines of a dump are some fifty
 * bytes long, so that a call of memchr for each of them costs more than the search itself.
 *
 * Life cycle: lines_init on a stretch of memory, then lines_next until it gives NULL.  Embedded,
 * owns nothing, the stretch must stay as it is meanwhile.
 */
#ifndef LEAKWATCH_LINES_H
#define LEAKWATCH_LINES_H

#include "base.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct lines {
	const char *at; /* nothing from here on was looked at */
	const char *end;
	uint64_t found; /* newlines in the 64 bytes before `at` that were not handed out, bit 0
			   first */
};

static inline void lines_init(struct lines *l, const char *p, const char *end)
{
	*l = (struct lines){.at = p, .end = end};
}

#ifdef __SSE2__
/* Bit i is set when p[i] is c; 64 bytes are read. */
static inline uint64_t lines_mask(const char *p, char c)
{
	const __m128i want = _mm_set1_epi8(c);
	uint64_t mask = 0;

	for (unsigned i = 0; i < 4; i++) {
		__m128i have = _mm_loadu_si128((const __m128i *)(const void *)(p + 16 * i));

		mask |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(have, want)) << 16 * i;
	}
	return mask;
}
#endif

/* The next newline, or NULL when there is none up to the end (also when asked again). */
static inline const char *lines_next(struct lines *l)
{
	const char *nl;

#ifdef __SSE2__
	while (!l->found && l->end - l->at >= 64) {
		l->found = lines_mask(l->at, '\n');
		l->at += 64;
	}
	if (l->found) {
		nl = l->at - 64 + __builtin_ctzll(l->found);
		l->found &= l->found - 1;
		return nl;
	}
#endif
	nl = l->at < l->end ? memchr(l->at, '\n', (size_t)(l->end - l->at)) : NULL;
	l->at = nl ? nl + 1 : l->end;
	return nl;
}

#endif
