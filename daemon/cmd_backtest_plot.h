/*
 * cmd_backtest_plot: what was found leaking in a history, drawn for a terminal.  Level 4, for
 * cmd_backtest.c.
 *
 * Life cycle: plots_init, plots_series for each series that was judged and plots_event for each
 * change of a verdict, in any order, plots_write, plots_release.
 */
#ifndef LEAKWATCH_CMD_BACKTEST_PLOT_H
#define LEAKWATCH_CMD_BACKTEST_PLOT_H

#include "backtest.h"
#include "buf.h"

#define PLOTS_MAX 8 /* series that leak; more are counted */

struct plots {
	struct backtest_judged *series; /* their samples are the backtest's */
	struct plot_mark *marks;
	size_t nseries, nmarks;
};

void plots_init(struct plots *p);
void plots_release(struct plots *p);
/* Its samples and strings must hold until plots_write. */
void plots_series(struct plots *p, const struct backtest_judged *j);
/* Copied. */
void plots_event(struct plots *p, const struct backtest_event *e);
/*
 * Each series that was leaking, columns wide: its values, and below them a line of marks: s
 * suspect, ! firing, h held, . resolved, where the verdict changed.
 */
void plots_write(const struct plots *p, size_t columns, struct buf *out);

#endif
