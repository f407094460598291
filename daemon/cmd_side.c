#include "cmd_side.h"

#include "clock.h"
#include "cmd.h"
#include "cmd_source.h"

struct reading {
	struct compare *c;
	enum compare_side side;
	struct gdump_sink into;
};

static void group_cb(void *arg, const struct group *g)
{
	struct reading *x = arg;

	x->into.group(x->into.arg, g);
}

/* Another dump follows in the same file. */
static void end_cb(void *arg, const struct gdump_stats *stats)
{
	struct reading *x = arg;

	(void)stats;
	compare_restart(x->c, x->side);
}

int cmd_side_read(char **argv, struct compare *c, enum compare_side side, const char *source,
	struct gdump_stats *stats)
{
	struct symbols *symbols = symbols_new();
	struct reading x = {.c = c, .side = side, .into = compare_sink(c, side, symbols)};
	const struct gdump_sink sink = {.group = group_cb, .end = end_cb, .arg = &x};
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;
	int code = cmd_source_read(source, clock_mono_ms(), g, symbols, NULL, &err);

	*stats = *gdump_stats(g);
	if (code == CMD_OK)
		cmd_source_warn(argv, source, stats);
	else
		cmd_error(code, argv, &err);
	gdump_free(g);
	symbols_free(symbols);
	return code;
}
