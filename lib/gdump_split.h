/*
 * gdump_split: several dumps in one input, told apart.  Layer 1, private to gdump*.c.
 *
 * The parser asks at each beginning and end whether another dump starts there (sink.end).
 */
#ifndef LEAKWATCH_GDUMP_SPLIT_H
#define LEAKWATCH_GDUMP_SPLIT_H

#include "str.h"

struct gdump;
struct goroutine_header;

/* Each returns at once when the sink does not tell dumps apart. */
void gdump_split_profile(struct gdump *g);
void gdump_split_goroutine(struct gdump *g, const struct goroutine_header *h);
void gdump_split_crash(struct gdump *g, struct str line);
/* A goroutine's record has ended: true when it is kept until the next one tells where it belongs.
 */
bool gdump_split_keep(struct gdump *g, struct str text);
/* The end: what was kept belongs to the dump before. */
void gdump_split_end(struct gdump *g);
/* A bad line outside of every record comes. */
void gdump_split_outside(struct gdump *g);
/* "SIGQUIT:", "panic:" or "fatal error:", which end a goroutine though no empty line does. */
bool gdump_is_crash_begin(struct str line);
/* lost and truncated, from all that was read of the dump. */
void gdump_settle(struct gdump *g);

#endif
