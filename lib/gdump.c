/* Framing and recognition: where records begin and end, and what the body is. */
#include "gdump_internal.h"
#include "gdump_outside.h"
#include "lines.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The runtime gives up at this size and cuts the dump in mid-line (go-formats, 2.7). */
#define GO_STACK_BUFFER_MAX (64u * 1024 * 1024)

static const char *const format_names[GDUMP_FORMATS] = {
	[GDUMP_UNKNOWN] = "unknown",
	[GDUMP_DEBUG1] = "debug1",
	[GDUMP_LEAK] = "goroutineleak",
	[GDUMP_COUNT] = "count",
	[GDUMP_DEBUG2] = "debug2",
	[GDUMP_CRASH] = "crash",
	[GDUMP_PROTO] = "proto",
};

const char *gdump_format_name(enum gdump_format f)
{
	return f < GDUMP_FORMATS ? format_names[f] : "unknown";
}

struct gdump *gdump_new(const struct gdump_sink *sink)
{
	struct gdump *g = xcalloc(1, sizeof(*g));

	g->sink = *sink;
	buf_init(&g->carry);
	buf_init(&g->unquoted);
	buf_init(&g->proto);
	buf_init(&g->stash);
	return g;
}

void gdump_free(struct gdump *g)
{
	if (!g)
		return;
	buf_release(&g->carry);
	buf_release(&g->unquoted);
	buf_release(&g->proto);
	buf_release(&g->stash);
	gunzip_free(g->gunzip);
	free(g->frames);
	free(g->pcs);
	free(g->ids);
	free(g);
}

void gdump_reset(struct gdump *g)
{
	struct gdump kept = *g;

	*g = (struct gdump){.sink = kept.sink, .carry = kept.carry, .unquoted = kept.unquoted};
	buf_reset(&g->carry);
	buf_reset(&g->unquoted);
	buf_init(&g->proto);
	buf_init(&g->stash);
	buf_release(&kept.stash);
	buf_release(&kept.proto); /* rare, and large */
	gunzip_free(kept.gunzip);
	g->frames = kept.frames;
	g->frames_cap = kept.frames_cap;
	g->pcs = kept.pcs;
	g->pcs_cap = kept.pcs_cap;
	g->ids = kept.ids;
	g->ids_cap = kept.ids_cap;
	if (kept.nids)
		memset(g->ids, 0, g->ids_cap * sizeof(*g->ids));
}

const struct gdump_stats *gdump_stats(const struct gdump *g)
{
	return &g->stats;
}

void gdump_bad_line(struct gdump *g, uint32_t line, const char *why, struct str text)
{
	struct gdump_stats *s = &g->stats;
	char excerpt[72];

	s->bad_lines++;
	if (s->first_bad_line && s->first_bad_line <= line)
		return;
	s->first_bad_line = line;
	received_excerpt(text, excerpt, sizeof(excerpt));
	snprintf(s->first_bad, sizeof(s->first_bad), "%s: \"%s\"", why, excerpt);
}

/* Where the line without its end begins in carry. */
static size_t line_at(const struct gdump *g)
{
	return g->kind != RECORD_NONE && g->carried ? g->record_len : 0;
}

static void end_record(struct gdump *g)
{
	struct str text = str_n(g->carried ? g->carry.p : g->record, g->record_len);

	if (g->kind == RECORD_COUNT)
		gdump_count_record(g, text);
	else if (!gdump_split_keep(g, text))
		gdump_goroutine_record(g, text);
	if (g->carried)
		buf_consume(&g->carry, g->record_len);
	g->kind = RECORD_NONE;
	g->carried = g->overflow = false;
}

void gdump_begin_record(struct gdump *g, enum record_kind kind, const char *p, size_t n)
{
	g->kind = kind;
	g->record = p;
	g->record_len = n;
	g->nends = 0;
	gdump_add_end(g);
	g->record_line = (uint32_t)g->stats.lines;
	g->runtime_stack = false;
	g->outside = g->outside && g->stash_next;
}

/* Whether a line, given without its newline, belongs to the record under way. */
static bool continues(const struct gdump *g, const char *p, size_t n)
{
	struct str line, name;
	struct goroutine_header h;
	uint64_t total;

	if (g->kind == RECORD_COUNT)
		return n && *p == '#';
	if (n == 0 || (n == 1 && *p == '\r'))
		return false;
	if (g->sink.end && gdump_is_crash_begin(str_n(p, n)))
		return false;
	if (*p != 'g' || n < 10 || memcmp(p, "goroutine ", 10) != 0)
		return true;
	line = gdump_no_cr(str_n(p, n));
	return !gdump_parse_header(line, &h) && !gdump_profile_header(line, &name, &total);
}

static bool fits(struct gdump *g, size_t n)
{
	if (!g->overflow && g->record_len + n <= GDUMP_RECORD_MAX)
		return true;
	if (!g->overflow)
		gdump_bad_line(g, (uint32_t)g->stats.lines, "a record longer than 4 MiB", STR(""));
	g->overflow = true;
	return false;
}

/* Copies the record under way out of the piece, which is about to go or has a hole. */
static void carry_record(struct gdump *g)
{
	if (g->kind == RECORD_NONE || g->carried)
		return;
	buf_add(&g->carry, g->record, g->record_len);
	g->carried = true;
}

/* A whole line of the piece, p[n] being its newline. */
static void piece_line(struct gdump *g, const char *p, size_t n)
{
	g->stats.lines++;
	if (g->kind != RECORD_NONE) {
		if (continues(g, p, n)) {
			if (!fits(g, n + 1))
				return;
			if (g->carried)
				buf_add(&g->carry, p, n + 1);
			g->record_len += n + 1;
			gdump_add_end(g);
			return;
		}
		end_record(g);
	}
	gdump_outside_line(g, str_n(p, n + 1));
}

static void cut_carry(struct gdump *g, size_t len)
{
	g->carry.len = len;
	g->carry.p[len] = '\0';
}

/* The line at the end of carry has become whole; at the end of the body it may lack its newline. */
static void carried_line(struct gdump *g)
{
	struct buf *b = &g->carry;
	struct str line = str_from(buf_str(b), line_at(g));
	bool newline = line.p[line.len - 1] == '\n';

	g->stats.lines++;
	if (g->kind != RECORD_NONE) {
		if (continues(g, line.p, line.len - newline)) {
			if (!fits(g, line.len)) {
				cut_carry(g, g->record_len);
				return;
			}
			g->record_len += line.len;
			gdump_add_end(g);
			return;
		}
		end_record(g);
	}
	gdump_outside_line(g, buf_str(b));
	if (g->kind == RECORD_NONE) {
		buf_reset(b);
		return;
	}
	buf_consume(b, b->len - g->record_len); /* a byte order mark */
	g->carried = true;
}

/* Keeps the beginning of a line whose end is not there yet. */
static void keep_line(struct gdump *g, const char *p, size_t n)
{
	carry_record(g);
	buf_add(&g->carry, p, n);
}

/* Part of a line longer than GDUMP_LINE_MAX; `whole` when it ends here. */
static void drop_line(struct gdump *g, const char *p, size_t n, bool whole)
{
	if (!g->dropping) {
		struct str line;

		g->dropping = true;
		keep_line(g, p, MIN(n, (size_t)64));
		line = str_sub(str_from(buf_str(&g->carry), line_at(g)), 0, 64);
		gdump_bad_line(g, (uint32_t)g->stats.lines + 1, "a line longer than 1 MiB", line);
		g->stats.lost += gdump_is_lost_header(line);
		cut_carry(g, line_at(g));
	}
	if (whole) {
		g->dropping = false;
		g->stats.lines++;
	}
}

/*
 * Whether the line at p, of which at least a byte is there, can only make the record longer.  All
 * others are looked at by continues().
 */
static bool is_plain_begin(const struct gdump *g, const char *p, const char *end)
{
	if (g->kind == RECORD_COUNT)
		return *p == '#';
	switch (*p) {
	case 'g': /* goroutine, but not github.com */
		return end - p > 2 && p[2] != 'r';
	case 'p': /* panic: */
	case 'f': /* fatal error: */
		return end - p > 1 && p[1] != 'a';
	case 'S': /* SIGQUIT: */
		return end - p > 1 && p[1] != 'I';
	default:
		return *p > ' ' || *p == '\t';
	}
}

/* The whole lines at p that only make the record longer, which lies in the piece; where they end.
 */
static const char *take_plain_lines(
	struct gdump *g, struct lines *lines, const char *p, const char *end)
{
	while (p < end && is_plain_begin(g, p, end)) {
		const char *nl = lines_next(lines);
		size_t n = nl ? (size_t)(nl - p) + 1 : 0;

		if (n == 0 || g->record_len + n > GDUMP_RECORD_MAX || n > GDUMP_LINE_MAX) {
			lines_init(lines, p, end); /* for the careful way */
			break;
		}
		g->record_len += n;
		g->stats.lines++;
		gdump_add_end(g);
		p = nl + 1;
	}
	return p;
}

static void feed_lines(struct gdump *g, const char *p, size_t n)
{
	const char *end = p + n;
	struct lines lines;

	lines_init(&lines, p, end);
	while (p < end) {
		const char *nl;
		size_t len, kept;

		if (g->kind != RECORD_NONE && !g->carried && !g->overflow && !g->dropping &&
			g->carry.len == 0) {
			p = take_plain_lines(g, &lines, p, end);
			if (p == end)
				break;
		}
		nl = lines_next(&lines);
		len = (size_t)((nl ? nl : end) - p);
		kept = g->carry.len - line_at(g);

		if (g->dropping || kept + len > GDUMP_LINE_MAX) {
			drop_line(g, p, len, nl != NULL);
		} else if (!nl) {
			keep_line(g, p, len);
		} else if (kept) {
			buf_add(&g->carry, p, len + 1);
			carried_line(g);
		} else {
			piece_line(g, p, len);
		}
		p = nl ? nl + 1 : end;
	}
	carry_record(g);
}

static void keep_proto(struct gdump *g, const char *p, size_t n)
{
	g->proto_overflow = g->proto_overflow || g->proto.len + n > GDUMP_PROTO_MAX;
	if (!g->proto_overflow)
		buf_add(&g->proto, p, n);
}

/* The first bytes; true when they have just told that the body is a profile.proto. */
static bool look_at_head(struct gdump *g, const char *p, size_t n)
{
	size_t before = g->head_len, take = MIN(sizeof(g->head) - before, n);

	memcpy(g->head + before, p, take);
	g->head_len += take;
	return before < 3 && gdump_is_proto(str_n(g->head, g->head_len));
}

/* Bytes that are not compressed, or not any more. */
static void feed_plain(void *arg, const char *p, size_t n)
{
	struct gdump *g = arg;
	size_t before = g->head_len;

	if (!g->is_proto && before < sizeof(g->head) && look_at_head(g, p, n)) {
		g->is_proto = true;
		g->stats.format = GDUMP_PROTO;
		g->stats.lines = 0; /* its first byte may have been taken for a newline */
		buf_reset(&g->carry);
		keep_proto(g, g->head, before);
	}
	if (g->is_proto)
		keep_proto(g, p, n);
	else
		feed_lines(g, p, n);
}

static void feed_bytes(struct gdump *g, const char *p, size_t n)
{
	if (!g->gunzip)
		feed_plain(g, p, n);
	else if (!g->gunzip_failed && gunzip_feed(g->gunzip, p, n, &g->gunzip_err) != 0)
		g->gunzip_failed = true;
}

void gdump_feed(struct gdump *g, const char *p, size_t n)
{
	g->stats.bytes += n;
	while (n && g->magic_len < sizeof(g->magic)) {
		g->magic[g->magic_len++] = *p++;
		n--;
		if (g->magic_len < sizeof(g->magic))
			continue;
		if (memcmp(g->magic, "\x1f\x8b", 2) == 0)
			g->gunzip = gunzip_new(GDUMP_PROTO_MAX, feed_plain, g);
		feed_bytes(g, g->magic, sizeof(g->magic));
	}
	if (n)
		feed_bytes(g, p, n);
}

/* What there is to say about a body in which nothing was found. */
static int refuse(const struct gdump *g, struct err *err)
{
	char what[160];

	if (g->header_inside)
		return err_set(err, "no goroutine dump: \"goroutine N [...]\" does not begin a "
				    "line anywhere, as "
				    "when a logger or a quotation put something before each line");
	received_what(str_n(g->head, g->head_len), what, sizeof(what));
	return err_set(err,
		"no goroutine dump: received %s; what is read is "
		"/debug/pprof/goroutine?debug=1 or ?debug=2, or what SIGQUIT prints",
		what);
}

void gdump_at_line(struct gdump *g, uint32_t line)
{
	g->stats.lines = line - 1;
}

void gdump_cut(struct gdump *g)
{
	g->was_cut = true;
}

/* The last line, when it has no newline, and the record it ends. */
static void end_lines(struct gdump *g)
{
	struct gdump_stats *s = &g->stats;
	uint64_t bad = s->bad_lines;

	if (g->dropping || g->carry.len > line_at(g)) {
		g->unterminated = true;
		if (g->dropping)
			s->lines++;
		else
			carried_line(g);
		s->truncated = g->dropping || s->bad_lines > bad;
	}
	g->at_end = true;
	if (g->kind != RECORD_NONE)
		end_record(g);
	gdump_split_end(g);
}

int gdump_finish(struct gdump *g, struct err *err)
{
	struct gdump_stats *s = &g->stats;

	if (g->magic_len == 1)
		feed_plain(g, g->magic, 1);
	g->magic_len = sizeof(g->magic);
	if (g->gunzip && !g->gunzip_failed && gunzip_finish(g->gunzip, &g->gunzip_err) != 0)
		g->gunzip_failed = true;
	if (g->gunzip_failed && (g->is_proto || g->head_len == 0))
		return err_set(err, "no goroutine dump: %s", g->gunzip_err.msg);
	if (g->is_proto)
		return gdump_proto_finish(g, err);
	end_lines(g);
	if (s->format == GDUMP_UNKNOWN)
		return refuse(g, err);
	gdump_settle(g);
	if ((s->bytes == GO_STACK_BUFFER_MAX && s->announced == 0) || g->gunzip_failed ||
		g->was_cut)
		s->truncated = true;
	return 0;
}
