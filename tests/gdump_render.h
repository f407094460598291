/*
 * gdump_render: what a parser handed out, as text, so that tests and fuzzers compare one string.
 *
 * A group is one line: [COUNTx] [#ID] [STATE] [MINm] [flags] {labels} <hidden PCs> frames, creator.
 */
#ifndef LEAKWATCH_GDUMP_RENDER_H
#define LEAKWATCH_GDUMP_RENDER_H

#include "buf.h"
#include "gdump.h"

#include <inttypes.h>

static const char *const group_flag_names[] = {"locked", "leaked", "scan", "durable", "no-stack",
	"elided", "cut-root", "nil-chan", "incomplete", "unstarted"};

static inline void render_group(void *arg, const struct group *g)
{
	struct buf *b = arg;

	if (g->id || !g->key)
		buf_addf(b, "#%" PRIu64 " [%.*s] %" PRIu32 "m", g->id, STR_ARG(g->state),
			g->minutes);
	else
		buf_addf(b, "%" PRIu64 "x", g->count);
	for (size_t i = 0; i < ARRAY_LEN(group_flag_names); i++) {
		if (g->flags & 1u << i)
			buf_addf(b, " %s", group_flag_names[i]);
	}
	for (size_t i = 0; i < g->nlabels; i++)
		buf_addf(b, " {%.*s=%.*s}", STR_ARG(g->labels[i].key), STR_ARG(g->labels[i].value));
	for (size_t i = 0; i < g->nhidden; i++)
		buf_addf(b, " <%" PRIx64 ">", g->hidden[i]);
	for (size_t i = 0; i < g->nframes; i++)
		buf_addf(b, " %.*s %.*s:%" PRIu32 ";", STR_ARG(g->frames[i].func),
			STR_ARG(g->frames[i].file), g->frames[i].line);
	if (g->created_by.len)
		buf_addf(b, " by %.*s %.*s:%" PRIu32 " in %" PRIu64, STR_ARG(g->created_by),
			STR_ARG(g->creator.file), g->creator.line, g->creator_id);
	buf_addc(b, '\n');
}

static inline void render_stats(struct buf *b, const struct gdump_stats *s)
{
	buf_addf(b,
		"%s announced=%" PRIu64 " parsed=%" PRIu64 " records=%" PRIu64
		" duplicates=%" PRIu64 " lost=%" PRIu64 " bad=%" PRIu64 " lines=%" PRIu64
		"%s first=%" PRIu32 " %s\n",
		gdump_format_name(s->format), s->announced, s->parsed, s->records, s->duplicates,
		s->lost, s->bad_lines, s->lines, s->truncated ? " truncated" : "",
		s->first_bad_line, s->first_bad);
}

/* Parses text fed in pieces of at most `piece` bytes (0: whole) and appends everything to out. */
static inline int render_dump(struct buf *out, struct str text, size_t piece)
{
	struct gdump_sink sink = {.group = render_group, .arg = out};
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;
	int rc;

	for (size_t at = 0; at < text.len; at += piece ? piece : text.len) {
		struct str s = str_sub(text, at, piece ? at + piece : text.len);

		gdump_feed(g, s.p, s.len);
	}
	rc = gdump_finish(g, &err);
	render_stats(out, gdump_stats(g));
	buf_addf(out, "%d %s\n", rc, err.msg);
	gdump_free(g);
	return rc;
}

#endif
