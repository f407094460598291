/*
 * safe: outsiders' bytes for a terminal, a log line or a message.  Layer 1.
 *
 * Function names, labels and paths come from the scraped process, so they may hold anything: escape
 * sequences that repaint a terminal, newlines that fake a log line, marks that turn the direction
 * of writing.  JSON has json_str; this is for text.
 */
#ifndef LEAKWATCH_SAFE_H
#define LEAKWATCH_SAFE_H

#include "buf.h"

/*
 * Appends s on one line: printable ASCII and printable UTF-8 as they are; control characters (C0,
 * DEL, C1), line and paragraph separators, zero-width characters and direction marks as "\x1b" or
 * "\u202e", and bytes that are not UTF-8 as "\xff".  A backslash stays one backslash: the result is
 * to be read, not to be parsed back.
 */
void safe_add(struct buf *out, struct str s);

/*
 * The same, cut to at most `columns` characters, the last of them "…" when something was left out;
 * returns how many characters were written.  Wide characters count as one.
 */
size_t safe_add_cut(struct buf *out, struct str s, size_t columns);

#endif
