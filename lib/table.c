#include "table.h"
#include "safe.h"
#include "xalloc.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP	    2 /* spaces between columns */
#define PLOT_LABELS 9 /* characters of the values at a plot's left */

struct table_cell {
	struct str text; /* safe */
	size_t width;
};

void table_init(struct table *t, const struct table_column *columns, size_t n)
{
	assert(n > 0 && n <= TABLE_COLUMNS_MAX);
	*t = (struct table){.columns = columns, .ncolumns = n};
}

void table_release(struct table *t)
{
	arena_release(&t->arena);
	free(t->cells);
	t->cells = NULL;
	t->n = t->cap = 0;
}

/* Characters of valid UTF-8: every byte that is not a continuation begins one. */
static size_t width_of(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

void table_add(struct table *t, struct str cell)
{
	struct buf safe = BUF_INIT;
	struct table_cell *c;

	if (t->n == t->cap) {
		t->cap = t->cap ? t->cap * 2 : 64;
		t->cells = xrealloc(t->cells, t->cap, sizeof(*t->cells));
	}
	c = &t->cells[t->n++];
	safe_add(&safe, cell);
	c->text = arena_str(&t->arena, buf_str(&safe));
	c->width = width_of(c->text);
	buf_release(&safe);
}

void table_addf(struct table *t, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(t, str_of(text));
}

size_t table_rows(const struct table *t)
{
	return t->n / t->ncolumns;
}

static void add_spaces(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_addc(out, ' ');
}

static void write_cell(const struct table *t, size_t column, struct str text, size_t width,
	size_t to, struct buf *out)
{
	size_t shown = MIN(width, to);

	if (t->columns[column].right)
		add_spaces(out, to - shown);
	if (width > to)
		safe_add_cut(out, text, to);
	else
		buf_addstr(out, text);
	add_spaces(out, (t->columns[column].right ? 0 : to - shown) + GAP);
}

/* No spaces at the end of a line. */
static void end_line(struct buf *out)
{
	while (out->len && out->p[out->len - 1] == ' ')
		out->len--;
	buf_addc(out, '\n');
}

static void fit(const struct table *t, size_t width, size_t *widths)
{
	size_t all = 0, over;

	for (size_t c = 0; c < t->ncolumns; c++) {
		widths[c] = strlen(t->columns[c].title);
		for (size_t i = c; i < t->n; i += t->ncolumns)
			widths[c] = MAX(widths[c], t->cells[i].width);
		all += widths[c] + (c ? GAP : 0);
	}
	over = width && all > width ? all - width : 0;
	for (size_t c = 0; c < t->ncolumns; c++) {
		if (t->columns[c].shrink && widths[c] > TABLE_SHRINK_MIN)
			widths[c] -= MIN(over, widths[c] - TABLE_SHRINK_MIN);
	}
}

void table_write(const struct table *t, size_t width, struct buf *out)
{
	size_t widths[TABLE_COLUMNS_MAX] = {0};
	struct str title;

	fit(t, width, widths);
	for (size_t c = 0; c < t->ncolumns; c++) {
		title = str_of(t->columns[c].title);
		write_cell(t, c, title, title.len, widths[c], out);
	}
	end_line(out);
	for (size_t i = 0; i < t->n; i++) {
		write_cell(t, i % t->ncolumns, t->cells[i].text, t->cells[i].width,
			widths[i % t->ncolumns], out);
		if (i % t->ncolumns + 1 == t->ncolumns)
			end_line(out);
	}
}

/* ---- the plot ---------------------------------------------------------------- */

/* Highest of the values that fall into one dot column, so that no peak is lost; NAN for none. */
static double highest(const double *values, size_t n, size_t dot, size_t dots)
{
	size_t from = dot * n / dots, to = MAX((dot + 1) * n / dots, from + 1);
	double top = NAN;

	for (size_t i = from; i < to && i < n; i++) {
		if (!isnan(values[i]) && !(values[i] <= top))
			top = values[i];
	}
	return top;
}

static void add_rune(struct buf *out, unsigned dots)
{
	unsigned rune = 0x2800 + dots; /* Unicode's braille patterns */

	buf_addc(out, (char)(0xe0 | rune >> 12));
	buf_addc(out, (char)(0x80 | (rune >> 6 & 0x3f)));
	buf_addc(out, (char)(0x80 | (rune & 0x3f)));
}

static void add_label(struct buf *out, bool given, double v)
{
	char text[32];

	snprintf(text, sizeof(text), fabs(v) < 1e7 ? "%.6g" : "%.3g", v);
	buf_addf(out, "%*s ", PLOT_LABELS - 1, given ? text : "");
}

void table_plot(const double *values, size_t n, size_t columns, size_t rows, struct buf *out)
{
	static const unsigned char bit[2][4] = {{1, 2, 4, 64}, {8, 16, 32, 128}};
	size_t dots = columns * 2, levels = rows * 4, level;
	unsigned char *cells = xcalloc(columns * rows, 1);
	double low = INFINITY, high = -INFINITY, v;

	for (size_t i = 0; i < n; i++) {
		if (isnan(values[i]))
			continue;
		low = MIN(low, values[i]);
		high = MAX(high, values[i]);
	}
	if (low > high)
		goto out;
	if (low > 0 && low < high / 2)
		low = 0; /* the height shows the proportion unless that would flatten the curve */
	for (size_t x = 0; x < dots; x++) {
		v = highest(values, n, x, dots);
		if (isnan(v))
			continue;
		level = high > low ? (size_t)lround((v - low) / (high - low) * (double)(levels - 1))
				   : 0;
		cells[(rows - 1 - level / 4) * columns + x / 2] |= bit[x % 2][3 - level % 4];
	}
	for (size_t y = 0; y < rows; y++) {
		add_label(out, y == 0 || y + 1 == rows, y == 0 ? high : low);
		for (size_t x = 0; x < columns; x++)
			add_rune(out, cells[y * columns + x]);
		buf_addc(out, '\n');
	}
out:
	free(cells);
}
