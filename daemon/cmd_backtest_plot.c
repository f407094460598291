#include "cmd_backtest_plot.h"
#include "safe.h"
#include "table.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PLOT_ROWS    6
#define PLOT_MARGIN  9 /* as table_plot has it */
#define PLOT_NARROW  20
#define PLOT_COLUMNS 100

struct plot_mark {
	char *target, *name;
	double at;
	enum verdict_state state;
};

void plots_init(struct plots *p)
{
	*p = (struct plots){0};
}

void plots_release(struct plots *p)
{
	for (size_t i = 0; i < p->nmarks; i++) {
		free(p->marks[i].target);
		free(p->marks[i].name);
	}
	free(p->marks);
	free(p->series);
	plots_init(p);
}

void plots_series(struct plots *p, const struct backtest_judged *j)
{
	p->series = xrealloc(p->series, p->nseries + 1, sizeof(*p->series));
	p->series[p->nseries++] = *j;
}

void plots_event(struct plots *p, const struct backtest_event *e)
{
	p->marks = xrealloc(p->marks, p->nmarks + 1, sizeof(*p->marks));
	p->marks[p->nmarks++] = (struct plot_mark){.target = xstrdup(e->target),
		.name = xstrdup(e->name),
		.at = e->at,
		.state = e->state};
}

static bool is_of(const struct plot_mark *m, const struct backtest_judged *j)
{
	return strcmp(m->target, j->target) == 0 && strcmp(m->name, j->name) == 0;
}

static bool was_leaking(const struct plots *p, const struct backtest_judged *j)
{
	for (size_t i = 0; i < p->nmarks; i++) {
		if (p->marks[i].state == VERDICT_LEAKING && is_of(&p->marks[i], j))
			return j->n > 1;
	}
	return false;
}

static char mark_of(enum verdict_state s)
{
	return s == VERDICT_LEAKING   ? '!'
	       : s == VERDICT_SUSPECT ? 's'
	       : s == VERDICT_HELD    ? 'h'
				      : '.';
}

/* Which of n places between first and last a time has. */
static size_t place(const struct backtest_judged *j, double at, size_t n)
{
	double span = fmax(j->at[j->n - 1] - j->at[0], 1);

	return (size_t)fmin(fmax((at - j->at[0]) / span, 0) * (double)(n - 1), (double)(n - 1));
}

static void add_time(struct buf *out, double at)
{
	time_t s = (time_t)floor(at);
	struct tm tm;
	char text[40] = "";

	if (gmtime_r(&s, &tm))
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &tm);
	buf_adds(out, text);
}

static void add_marks(
	const struct plots *p, const struct backtest_judged *j, size_t columns, struct buf *out)
{
	char *line = xcalloc(columns + 1, 1);

	memset(line, ' ', columns);
	for (size_t i = 0; i < p->nmarks; i++) {
		char *at = &line[place(j, p->marks[i].at, columns)];

		/* Of several in one place, the alert is what people look for. */
		if (is_of(&p->marks[i], j) && *at != '!')
			*at = mark_of(p->marks[i].state);
	}
	buf_addf(out, "%*s%s\n", PLOT_MARGIN, "", line);
	free(line);
}

/* The highest value of each place, so that gaps show as gaps. */
static void add_plot(
	const struct plots *p, const struct backtest_judged *j, size_t columns, struct buf *out)
{
	size_t n = columns * 2;
	double *grid = xcalloc(n, sizeof(*grid));

	for (size_t i = 0; i < n; i++)
		grid[i] = NAN;
	for (size_t i = 0; i < j->n; i++) {
		double *at = &grid[place(j, j->at[i], n)];

		if (!(*at >= j->value[i]))
			*at = j->value[i];
	}
	buf_addc(out, '\n');
	safe_add(out, str_of(j->target));
	buf_adds(out, "  ");
	safe_add(out, str_of(j->name));
	buf_addc(out, '\n');
	table_plot(grid, n, columns, PLOT_ROWS, out);
	add_marks(p, j, columns, out);
	buf_addf(out, "%*s", PLOT_MARGIN, "");
	add_time(out, j->at[0]);
	buf_addf(out, "%*s", columns > 33 ? (int)columns - 32 : 1, "");
	add_time(out, j->at[j->n - 1]);
	buf_addc(out, '\n');
	free(grid);
}

void plots_write(const struct plots *p, size_t columns, struct buf *out)
{
	size_t leaking = 0;

	columns = MIN(MAX(columns, (size_t)PLOT_NARROW + PLOT_MARGIN) - PLOT_MARGIN,
		(size_t)PLOT_COLUMNS);
	for (size_t i = 0; i < p->nseries; i++) {
		if (was_leaking(p, &p->series[i]) && leaking++ < PLOTS_MAX)
			add_plot(p, &p->series[i], columns, out);
	}
	if (leaking)
		buf_adds(out, "\ns suspect   ! firing   h held   . resolved\n");
	if (leaking > PLOTS_MAX)
		buf_addf(out, "%zu more series that leak are not drawn\n", leaking - PLOTS_MAX);
}
