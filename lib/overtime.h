/*
 * overtime: the classes of many dumps, a row for each dump.  Layer 1.
 *
 * For files of one service that were saved one after the other: which class rose.  The columns are
 * the classes that changed most between their least and their most, OVERTIME_COLUMNS of them.
 *
 * Life cycle: overtime_new, overtime_add for each dump in its order, overtime_write, overtime_free.
 */
#ifndef LEAKWATCH_OVERTIME_H
#define LEAKWATCH_OVERTIME_H

#include "report.h"

#define OVERTIME_COLUMNS 5
#define OVERTIME_CLASSES 2000 /* classes followed by name; more only count in the total */
#define OVERTIME_ROWS	 20000 /* more are dropped, and told */

struct overtime;

struct overtime *overtime_new(void);
void overtime_free(struct overtime *o);
/* r is ended; its names are copied. */
void overtime_add(struct overtime *o, const char *name, const struct report *r);
/* A table as text of at most `columns` characters (0: any), or in Markdown. */
void overtime_write(const struct overtime *o, bool markdown, size_t columns, struct buf *out);

#endif
