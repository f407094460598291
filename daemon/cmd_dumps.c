#include "cmd_dumps.h"

#include "cmd.h"
#include "cmd_source.h"

#include <stdio.h>
#include <string.h>

struct reading {
	const struct cmd_dumps *how;
	const char *source;
	struct symbols *symbols;
	struct report *r;
	struct gdump_sink into; /* of r */
	struct gdump_sink also; /* of the comparison */
	unsigned number;
};

static void begin_report(struct reading *x)
{
	x->r = report_new(x->how->classifier, x->how->stacks);
	report_symbols(x->r, x->symbols);
	x->into = report_sink(x->r);
	x->number++;
}

static void hand_out(
	struct reading *x, const struct gdump_stats *stats, bool last, const char *mended)
{
	struct cmd_dump d = {.source = x->source,
		.number = x->number,
		.last = last,
		.stats = stats,
		.mended = mended};

	report_end(x->r, stats);
	if (x->how->compare)
		compare_end(x->how->compare, x->how->baseline_stats, stats);
	x->how->take(x->how->arg, x->r, &d);
	fflush(stdout); /* before what is told of it */
	cmd_source_warn(x->how->argv, x->source, stats);
}

static void group_cb(void *arg, const struct group *g)
{
	struct reading *x = arg;

	x->into.group(x->into.arg, g);
	if (x->how->compare)
		x->also.group(x->also.arg, g);
}

static void end_cb(void *arg, const struct gdump_stats *stats)
{
	struct reading *x = arg;

	if (x->how->all)
		hand_out(x, stats, false, "");
	report_free(x->r);
	begin_report(x);
	if (x->how->compare)
		compare_restart(x->how->compare, COMPARE_NEW);
}

int cmd_dumps_read(const struct cmd_dumps *how, const char *source)
{
	struct reading x = {.how = how, .source = source, .symbols = symbols_new()};
	const struct gdump_sink sink = {.group = group_cb, .end = end_cb, .arg = &x};
	struct gdump *g = gdump_new(&sink);
	struct buf mended = BUF_INIT;
	struct err err = ERR_INIT;
	int code;

	begin_report(&x);
	if (how->compare)
		x.also = compare_sink(how->compare, COMPARE_NEW, x.symbols);
	code = cmd_source_read(source, how->began_ms, g, x.symbols, &mended, &err);
	if (code == CMD_OK)
		hand_out(&x, gdump_stats(g), true, mended.p);
	else
		cmd_error(code, how->argv, &err);
	gdump_free(g);
	report_free(x.r);
	symbols_free(x.symbols);
	buf_release(&mended);
	return code;
}

const char *cmd_dumps_name(const char *source)
{
	return strcmp(source, "-") ? source : "input";
}

void cmd_dumps_note(const struct cmd_dump *d, struct buf *out)
{
	if (d->last && d->number > 1)
		buf_addf(out, "the last of %u dumps in it (--all tells of each)\n", d->number);
	else if (!d->last)
		buf_addf(out, "dump %u in it\n", d->number);
	if (*d->mended)
		buf_addf(out, "mended: %s\n", d->mended);
}
