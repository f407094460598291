/*
 * suggest: "did you mean …?" for words that people mistype.  Layer 1.
 *
 * By edit distance with transpositions (Damerau's restricted form): a word is near when at most a
 * third of its letters, and at least one, have to change.
 */
#ifndef LEAKWATCH_SUGGEST_H
#define LEAKWATCH_SUGGEST_H

#include "str.h"

#define SUGGEST_MAX 64 /* a longer word has no suggestion */

/* The nearest of n names (the first of equals), or NULL when none is near. */
const char *suggest(struct str given, const char *const *names, size_t n);

/* Insertions, deletions, substitutions and swaps of neighbours between two words of at most
 * SUGGEST_MAX bytes; SUGGEST_MAX + 1 when one is longer. */
size_t suggest_distance(struct str a, struct str b);

#endif
