/*
 * table: columns of text for a terminal, and a plot made of braille dots.  Layer 1.
 *
 * Cells are made safe (safe.h) when they are added; columns are as wide as their widest cell. Given
 * a width, the column marked `shrink` gives way, down to TABLE_SHRINK_MIN characters, and its cells
 * are cut with "…".  Characters count as one column each, wide ones too.
 *
 * Life cycle: table_init, table_add (and _addf) for each cell, row after row, table_write,
 * table_release.
 */
#ifndef LEAKWATCH_TABLE_H
#define LEAKWATCH_TABLE_H

#include "arena.h"
#include "buf.h"

#define TABLE_COLUMNS_MAX 12
#define TABLE_SHRINK_MIN  12

struct table_column {
	const char *title;
	bool right; /* numbers */
	bool shrink; /* at most one */
};

struct table {
	const struct table_column *columns;
	size_t ncolumns;
	struct arena arena;
	struct table_cell *cells;
	size_t n, cap;
};

/* columns must outlive the table. */
void table_init(struct table *t, const struct table_column *columns, size_t n);
void table_release(struct table *t);
void table_add(struct table *t, struct str cell);
void table_addf(struct table *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Rows so far. */
size_t table_rows(const struct table *t);
/* Appends title line and rows, each ending in a newline; width 0: as wide as it is. */
void table_write(const struct table *t, size_t width, struct buf *out);

/*
 * Appends values (evenly spaced, NAN where there is none) as a plot of columns x rows characters,
 * two by four dots each, from 0 or the lowest value to the highest.  A line begins with 9 more
 * characters, which tell the value at the first and the last line.  Nothing when there is no value.
 */
void table_plot(const double *values, size_t n, size_t columns, size_t rows, struct buf *out);

#endif
