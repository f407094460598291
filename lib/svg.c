#include "svg.h"

#include "html.h"
#include "notify.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* The drawing's own units; the page scales it. */
#define WIDTH	 880.0
#define HEIGHT	 250.0
#define LEFT	 66.0
#define RIGHT	 14.0
#define TOP	 10.0
#define BOTTOM	 26.0
#define ROWS	 5 /* values at the axis, about */
#define TIMES	 8
#define LIMIT_IN 2.0 /* a ceiling up to that many times the highest value is drawn */
#define DAY	 86400.0

struct scale {
	double x0, x1, y0, y1;
};

static double at_x(const struct scale *s, double x)
{
	return LEFT + (x - s->x0) / (s->x1 - s->x0) * (WIDTH - LEFT - RIGHT);
}

static double at_y(const struct scale *s, double y)
{
	return HEIGHT - BOTTOM - (y - s->y0) / (s->y1 - s->y0) * (HEIGHT - TOP - BOTTOM);
}

/* ---- axes ------------------------------------------------------------------------------------ */

double svg_step(double span, int most, bool bytes)
{
	static const double steps[] = {1, 2, 5, 10};
	double least = span / most, unit = 1;

	if (!(least > 0))
		return 1;
	if (bytes)
		unit = pow(1024, floor(log(fmax(least, 1)) / log(1024)));
	unit *= pow(10, floor(log10(least / unit)));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (steps[i] * unit >= least * (1 - 1e-9))
			return steps[i] * unit;
	}
	return 10 * unit;
}

double svg_time_step(double span, int most)
{
	static const double steps[] = {5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200,
		10800, 21600, 43200, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 90 * DAY};

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (span / steps[i] <= most)
			return steps[i];
	}
	return ceil(span / most / (90 * DAY)) * 90 * DAY;
}

static void add_time(struct buf *out, double t, double step)
{
	char text[32];
	time_t at = (time_t)t;
	struct tm tm;

	if (!gmtime_r(&at, &tm))
		return;
	strftime(text, sizeof(text),
		step >= DAY || (tm.tm_hour == 0 && tm.tm_min == 0 && tm.tm_sec == 0) ? "%b %d"
		: step < 60							     ? "%H:%M:%S"
										     : "%H:%M",
		&tm);
	buf_adds(out, text);
}

static void add_axes(const struct svg_plot *p, const struct scale *s, struct buf *out)
{
	double step = fmax(svg_step(s->y1 - s->y0, ROWS, p->bytes), 1); /* no half goroutine */
	double tick = svg_time_step(s->x1 - s->x0, TIMES);

	for (double y = ceil(s->y0 / step) * step; y <= s->y1 + step * 1e-6; y += step) {
		double at = at_y(s, y);

		buf_addf(out,
			"<line class=\"grid\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			LEFT, WIDTH - RIGHT, at, at);
		buf_addf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, at + 4);
		notify_add_amount(out, y, p->bytes ? NOTIFY_BYTES : NOTIFY_GOROUTINES);
		buf_adds(out, "</text>");
	}
	for (double x = ceil(s->x0 / tick) * tick; x <= s->x1; x += tick) {
		buf_addf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", at_x(s, x),
			HEIGHT - 8);
		add_time(out, x, tick);
		buf_adds(out, "</text>");
	}
}

/* ---- points ---------------------------------------------------------------------------------- */

/* Those within the plot, at most SVG_COLUMNS of them: the extremes and the last value of a column.
 * The caller frees them. */
static struct svg_point *thin(const struct svg_plot *p, size_t *n)
{
	struct svg_point *v = xcalloc(SVG_COLUMNS + 1, sizeof(*v)), *to = NULL;
	double width = (p->to - p->from) / SVG_COLUMNS;
	long column = -1, at;

	*n = 0;
	for (size_t i = 0; i < p->npoints; i++) {
		const struct svg_point *q = &p->points[i];

		if (!(q->x >= p->from && q->x <= p->to) || isnan(q->y))
			continue;
		at = (long)((q->x - p->from) / width);
		if (to && at <= column) {
			to->x = q->x;
			to->y = q->y;
			to->low = fmin(to->low, q->low);
			to->high = fmax(to->high, q->high);
			continue;
		}
		column = at;
		to = &v[(*n)++];
		*to = *q;
	}
	return v;
}

static bool is_gap(const struct svg_plot *p, const struct svg_point *a, const struct svg_point *b)
{
	double column = (p->to - p->from) / SVG_COLUMNS;

	return p->gap_s > 0 && b->x - a->x > fmax(p->gap_s, 3 * column);
}

static void add_line(const struct svg_plot *p, const struct scale *s, const struct svg_point *v,
	size_t n, struct buf *out)
{
	buf_adds(out, "<path class=\"value\" d=\"");
	for (size_t i = 0; i < n; i++)
		buf_addf(out, "%c%.1f %.1f", i == 0 || is_gap(p, &v[i - 1], &v[i]) ? 'M' : 'L',
			at_x(s, v[i].x), at_y(s, v[i].y));
	buf_adds(out, "\"/>");
}

/* There and back again, a shape for each stretch without a gap. */
static void add_band(const struct svg_plot *p, const struct scale *s, const struct svg_point *v,
	size_t n, struct buf *out)
{
	size_t from = 0;

	buf_adds(out, "<path class=\"band\" d=\"");
	for (size_t i = 1; i <= n; i++) {
		if (i < n && !is_gap(p, &v[i - 1], &v[i]))
			continue;
		for (size_t k = from; k < i; k++)
			buf_addf(out, "%c%.1f %.1f", k == from ? 'M' : 'L', at_x(s, v[k].x),
				at_y(s, v[k].high));
		for (size_t k = i; k-- > from;)
			buf_addf(out, "L%.1f %.1f", at_x(s, v[k].x), at_y(s, v[k].low));
		buf_addc(out, 'Z');
		from = i;
	}
	buf_adds(out, "\"/>");
}

/* From 0 when that does not flatten what there is to see. */
static void scale_values(
	const struct svg_plot *p, const struct svg_point *v, size_t n, struct scale *s)
{
	double low = INFINITY, high = -INFINITY;

	for (size_t i = 0; i < n; i++) {
		low = fmin(low, v[i].low);
		high = fmax(high, v[i].high);
	}
	if (!isnan(p->limit) && p->limit <= LIMIT_IN * high && p->limit >= low)
		high = fmax(high, p->limit);
	s->y0 = low >= 0 && (low < high * 0.7 || low == high) ? 0 : low;
	s->y1 = fmax(high, s->y0 + 1);
	s->y1 += (s->y1 - s->y0) * 0.04;
}

static void add_marks(const struct svg_plot *p, const struct scale *s, struct buf *out)
{
	for (size_t i = 0; i < p->nmarks; i++) {
		const struct svg_mark *m = &p->marks[i];
		double x = at_x(s, m->x);

		if (!(m->x >= p->from && m->x <= p->to))
			continue;
		buf_addf(out,
			"<line class=\"%s\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" "
			"y2=\"%.0f\"><title>",
			m->kind == SVG_RUN ? "run" : "since", x, x, TOP, HEIGHT - BOTTOM);
		html_text(out, m->text);
		buf_adds(out, "</title></line>");
	}
	if (!isnan(p->limit) && p->limit >= s->y0 && p->limit <= s->y1)
		buf_addf(out,
			"<line class=\"limit\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>",
			LEFT, WIDTH - RIGHT, at_y(s, p->limit), at_y(s, p->limit));
}

void svg_plot(const struct svg_plot *p, struct buf *out)
{
	struct scale s = {.x0 = p->from, .x1 = fmax(p->to, p->from + 1)};
	struct svg_point *v;
	size_t n;

	buf_addf(out, "<svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>", WIDTH, HEIGHT);
	html_text(out, p->title);
	buf_adds(out, "</title>");
	v = thin(p, &n);
	if (n == 0) {
		buf_addf(out,
			"<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">no samples</text>",
			WIDTH / 2, HEIGHT / 2);
	} else {
		scale_values(p, v, n, &s);
		add_axes(p, &s, out);
		add_band(p, &s, v, n, out);
		add_line(p, &s, v, n, out);
		add_marks(p, &s, out);
	}
	free(v);
	buf_adds(out, "</svg>\n");
}
