/*
 * svg: a number over time as a drawing for a page.  Layer 1.
 *
 * Inline SVG without script: line, the band between lowest and highest where samples were folded,
 * marks for restarts and for the beginning of a growth, a ceiling.  Colours come from the page's
 * style (html.h); every text in it is ours or made safe.
 */
#ifndef LEAKWATCH_SVG_H
#define LEAKWATCH_SVG_H

#include "buf.h"

#define SVG_COLUMNS 800 /* points drawn at most; more are drawn as the band of their extremes */

/* x in Unix seconds, not falling; y NAN begins a gap. */
struct svg_point {
	double x, low, y, high;
};

enum svg_mark_kind { SVG_RUN, SVG_SINCE };

struct svg_mark {
	enum svg_mark_kind kind;
	double x;
	struct str text; /* shown when pointed at */
};

struct svg_plot {
	double from, to; /* Unix seconds; what lies outside is not drawn */
	double gap_s; /* points further apart than that are not joined; 0: all are */
	bool bytes; /* values are bytes: MiB at the axis */
	double limit; /* drawn when it is not far above the values; NAN: none */
	struct str title; /* what a screen reader says */
	const struct svg_point *points;
	size_t npoints;
	const struct svg_mark *marks;
	size_t nmarks;
};

/* Appends an <svg>; one that says "no samples" when no point lies within. */
void svg_plot(const struct svg_plot *p, struct buf *out);

/*
 * Pure, for the axes: the distance of at most `most` round marks over span (1, 2, 5 times a power
 * of ten; for bytes, of 1024), and of times in seconds (5 s to 90 days).
 */
double svg_step(double span, int most, bool bytes);
double svg_time_step(double span, int most);

#endif
