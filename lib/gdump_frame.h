/*
 * gdump_frame: one frame of debug=2, a function with its arguments and the line below it with the
 * file.  Layer 1, private to gdump*.c.
 */
#ifndef LEAKWATCH_GDUMP_FRAME_H
#define LEAKWATCH_GDUMP_FRAME_H

#include "model.h"

/*
 * The line below a function: "<TAB>FILE:LINE[ +0xOFF][ fp=… sp=…[ pc=…]]", of a C function also
 * "<TAB>[FILE:LINE ]pc=0x…".  bare: its indentation was lost, as in pasted text.
 */
bool gdump_parse_file(struct str line, bool bare, struct frame *f);
/*
 * A frame in the form that nearly all have, "FUNC(ARGS)<LF><TAB>FILE:LINE[ +0xOFF]<LF>": the two
 * lines are p..middle and middle..stop, with their newlines.  False for every other form, also
 * where gdump_parse_file would take it; what is accepted is the same to both.
 */
bool gdump_plain_frame(const char *p, const char *middle, const char *stop, struct frame *f);

#endif
