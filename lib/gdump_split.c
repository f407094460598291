/* Several dumps in one body: where one ends and another begins. */
#include "gdump_internal.h"
#include "map.h"

#include <string.h>

void gdump_settle(struct gdump *g)
{
	struct gdump_stats *s = &g->stats;

	if (s->announced > g->counted) {
		s->lost += s->announced - g->counted;
		/* Nothing is unreadable, so the end is missing. */
		s->truncated |= s->bad_lines == 0;
	}
}

static void begin_another(struct gdump *g)
{
	struct gdump_stats *s = &g->stats;
	uint64_t bytes = s->bytes, lines = s->lines;

	if (g->outside) { /* what stands between two dumps belongs to neither */
		*s = g->before;
		s->bytes = bytes;
		s->lines = lines;
	}
	gdump_settle(g);
	g->sink.end(g->sink.arg, s);
	*s = (struct gdump_stats){.bytes = bytes, .lines = lines};
	g->profile_seen = g->crash = g->runtime_stack = false;
	g->first_runs = g->dashes = g->outside = g->id_zero = false;
	g->counted = g->crash_text = 0;
	if (g->nids)
		memset(g->ids, 0, g->ids_cap * sizeof(*g->ids));
	g->nids = 0;
}

/* ---- a goroutine that may be the first one of another dump ------------------------------------
 */
bool gdump_split_keep(struct gdump *g, struct str text)
{
	if (!g->stash_next)
		return false;
	g->stash_next = false;
	if (g->at_end)
		return false;
	buf_reset(&g->stash);
	buf_addstr(&g->stash, text);
	g->stash_line = g->record_line;
	g->stashed = true;
	return true;
}

static void take_stash(struct gdump *g)
{
	uint32_t line = g->record_line;
	bool carried = g->carried, at_end = g->at_end;

	g->stashed = false;
	g->record_line = g->stash_line;
	g->carried = true; /* its header is read anew, … */
	g->nends = 0; /* … and its lines */
	g->at_end = false;
	gdump_goroutine_record(g, buf_str(&g->stash));
	g->record_line = line;
	g->carried = carried;
	g->at_end = at_end;
}

void gdump_split_end(struct gdump *g)
{
	if (!g->stashed)
		return;
	take_stash(g);
	g->outside = false;
}

/* ---- what begins another one ------------------------------------------------------------------
 */
void gdump_split_outside(struct gdump *g)
{
	if (g->sink.end && !g->outside && !g->stashed) {
		g->before = g->stats;
		g->outside = true;
	}
}

void gdump_split_profile(struct gdump *g)
{
	if (!g->sink.end || g->stats.format == GDUMP_UNKNOWN)
		return;
	gdump_split_end(g);
	begin_another(g);
}

/*
 * While debug=2 is printed the world stands still but for the goroutine that prints, which comes
 * first.  Only when another one follows it is a dump: programs also print the one stack of a
 * goroutine that recovered from a panic.
 */
void gdump_split_goroutine(struct gdump *g, const struct goroutine_header *h)
{
	const struct gdump_stats *s = &g->stats;
	bool runs = str_is(h->state, "running");

	if (!g->sink.end)
		return;
	if (g->stashed && !runs) {
		begin_another(g);
		g->stats.format = GDUMP_DEBUG2;
		g->first_runs = true;
	}
	gdump_split_end(g);
	if (s->format == GDUMP_DEBUG1 || s->format == GDUMP_LEAK || s->format == GDUMP_COUNT)
		begin_another(g);
	else if (s->format == GDUMP_DEBUG2 && s->records > 1 && !g->crash && !h->gp && runs)
		g->stash_next = g->first_runs || gdump_has_id(g, h->id);
	if (s->records == 0)
		g->first_runs = runs;
	g->dashes = false;
}

bool gdump_is_crash_begin(struct str line)
{
	return str_starts(line, STR("SIGQUIT: ")) || str_starts(line, STR("panic: ")) ||
	       str_starts(line, STR("fatal error: "));
}

/* The same words again are the same crash, printed twice. */
void gdump_split_crash(struct gdump *g, struct str line)
{
	uint64_t text;

	if (!g->sink.end)
		return;
	if (str_starts(line, STR("-----")))
		g->dashes = true;
	if (!gdump_is_crash_begin(line))
		return;
	gdump_split_end(g);
	text = str_starts(line, STR("SIGQUIT: ")) ? 0 : hash64(line.p, line.len, 0);
	if (g->stats.records > 0 && !g->dashes && (!text || text != g->crash_text))
		begin_another(g);
	if (!g->crash_text || g->stats.records == 0)
		g->crash_text = text;
}
