/* debug=1: "4 @ 0x43be36 0x408a3b", its labels and its frames. */
#include "gdump_internal.h"
#include "map.h"
#include "xalloc.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool gdump_profile_header(struct str line, struct str *name, uint64_t *total)
{
	static const struct str words = STR_LIT(" profile: total ");
	ptrdiff_t at = str_chr(line, ' ');

	if (at < 1 || !str_starts(str_from(line, (size_t)at), words))
		return false;
	*name = str_sub(line, 0, (size_t)at);
	return line.len - (size_t)at - words.len <= GDUMP_COUNT_DIGITS &&
	       str_u64(str_from(line, (size_t)at + words.len), total);
}

/* Digits of the count at the front of s; 0 when there is no count that is believed. */
static size_t count_digits(struct str s)
{
	size_t n = 0;

	while (n < s.len && n <= GDUMP_COUNT_DIGITS && is_digit(s.p[n]))
		n++;
	return n <= GDUMP_COUNT_DIGITS ? n : 0;
}

bool gdump_is_count_head(struct str line, bool whole)
{
	size_t n = count_digits(line);
	struct str rest = str_from(line, n);

	if (n == 0 || !str_starts(rest, STR(" @")))
		return false;
	rest = str_from(rest, 2);
	if (rest.len && !str_starts(rest, STR(" 0x")))
		return false;
	while (whole && rest.len) {
		ptrdiff_t end = str_chr(str_from(rest, 1), ' ');

		if (rest.p[0] != ' ' ||
			!gdump_is_hex(str_sub(rest, 1, end < 0 ? rest.len : (size_t)end + 1)))
			return false;
		rest = end < 0 ? str_from(rest, rest.len) : str_from(rest, (size_t)end + 1);
	}
	return true;
}

/* Hex digits after "0x" from p on; returns where they end, NULL when there are none. */
static const char *take_hex(const char *p, const char *end, uint64_t *out)
{
	const char *start = p + 2;
	uint64_t v = 0;

	if (end - p < 3 || p[0] != '0' || p[1] != 'x')
		return NULL;
	for (p = start; p < end; p++) {
		unsigned c = (unsigned char)*p;

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			v = v << 4 | (c - 'a' + 10);
		else
			break;
	}
	*out = v;
	return p > start && p - start <= 16 ? p : NULL;
}

static void add_pc(struct gdump *g, uint64_t pc)
{
	if (g->npcs < GDUMP_FRAMES_MAX) {
		if (g->npcs == g->pcs_cap) {
			g->pcs_cap = MIN(MAX(g->pcs_cap * 2, (size_t)64), (size_t)GDUMP_FRAMES_MAX);
			g->pcs = xrealloc(g->pcs, g->pcs_cap, sizeof(*g->pcs));
		}
		g->pcs[g->npcs] = pc;
	}
	g->npcs++;
}

/* The words after "@"; *last is the PC nearest to the root. */
static bool take_pcs(struct gdump *g, struct str s, uint64_t *last)
{
	const char *p = s.p, *end = s.p + s.len;

	g->npcs = 0;
	*last = 0;
	while (p && p < end) {
		p = *p == ' ' ? take_hex(p + 1, end, last) : NULL;
		if (p)
			add_pc(g, *last);
	}
	return p != NULL;
}

/*
 * Where FUNC+0xOFF ends.  Columns are set apart by tabs; text that was pasted has blanks instead,
 * which functions ("main.(*struct { x int }).f") and files may hold too, so there the offset tells.
 */
static const char *symbol_end(const char *p, const char *end)
{
	const char *tab = memchr(p, '\t', (size_t)(end - p));

	if (tab)
		return tab;
	while ((p = memchr(p, '+', (size_t)(end - p))) != NULL) {
		uint64_t offset;
		const char *after = take_hex(++p, end, &offset);

		if (after && after < end && *after == ' ')
			return after;
	}
	return end;
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == '\t' || *p == ' '))
		p++;
	return p;
}

/* "FUNC+0xOFF<TAB>FILE:LINE" */
static bool parse_symbol(const char *p, const char *end, struct frame *f)
{
	const char *stop = symbol_end(p, end), *plus = stop, *colon, *after;
	uint64_t offset;

	do {
		plus = memrchr(p, '+', (size_t)(plus - p));
	} while (plus && take_hex(plus + 1, stop, &offset) == NULL);
	if (!plus || plus == p)
		return false;
	f->func = str_n(p, (size_t)(plus - p));
	p = skip_blanks(stop, end);
	colon = memrchr(p, ':', (size_t)(end - p)); /* a path may hold more of them */
	if (!colon || colon == p)
		return false;
	f->file = str_n(p, (size_t)(colon - p));
	after = gdump_line_number(colon + 1, end, &f->line);
	return after == end;
}

/* A line "#<TAB>0xPC[<TAB>FUNC+0xOFF<TAB>FILE:LINE]"; pc 0 stands for no frame at all. */
static bool take_frame(struct gdump *g, struct str line, uint64_t *pc, unsigned *flags)
{
	const char *end = line.p + line.len, *p, *after;
	struct frame *f, read = {.line = 0};

	p = skip_blanks(line.p + 1, end);
	after = take_hex(p, end, pc);
	if (!after)
		return false;
	read.func = str_n(p, (size_t)(after - p)); /* all there is without a symbol */
	p = skip_blanks(after, end);
	if (p < end ? !parse_symbol(p, end, &read) : *pc == 0)
		return p == end;
	f = gdump_add_frame(g, flags);
	if (f)
		*f = read;
	return true;
}

static bool take_labels(struct gdump *g, struct str line)
{
	struct str s = str_from(line, strlen("# labels: {"));

	if (s.len == 0 || s.p[s.len - 1] != '}')
		return false;
	return gdump_labels(g, str_sub(s, 0, s.len - 1), STR(":"));
}

struct count_record {
	unsigned flags;
	uint64_t last_pc; /* of the "@" line */
	uint64_t first_visible, last_visible; /* call PCs of the frames shown */
	bool bad_end; /* the last line could not be read */
};

static void take_lines(struct gdump *g, struct str text, struct count_record *r)
{
	uint32_t number = g->record_line;
	struct str line;
	uint64_t pc = 0;
	bool first = true;

	while (str_line(&text, &line)) {
		const char *why = NULL;

		line = gdump_no_cr(line);
		if (number == g->record_line) {
			if (!take_pcs(g, str_from(line, count_digits(line) + 2), &r->last_pc))
				why = "not a list of program counters";
		} else if (line.len > 2 && line.p[2] == 'l' &&
			   str_starts(line, STR("# labels: {"))) {
			if (!take_labels(g, line))
				why = "not a list of labels";
		} else if (!take_frame(g, line, &pc, &r->flags)) {
			why = "not a frame of a debug=1 record";
		} else if (pc) {
			if (first)
				r->first_visible = pc;
			r->last_visible = pc;
			first = false;
		}
		r->bad_end = why != NULL;
		if (why)
			gdump_bad_line(g, number, why, line);
		number++;
	}
}

/* Return PCs before the one of the first visible frame, whose line shows the call: one less. */
static size_t count_hidden(const struct gdump *g, const struct count_record *r)
{
	size_t n = MIN(g->npcs, (size_t)GDUMP_FRAMES_MAX);

	for (size_t i = 0; r->first_visible && i < n; i++) {
		if (g->pcs[i] == r->first_visible + 1)
			return i;
	}
	return 0;
}

/*
 * A whole stack ends in runtime.goexit, which has a PC and no line.  Where the last PC does have
 * its line, the stack was cut at the runtime's depth limit (32 up to Go 1.22, 128 since, GODEBUG
 * profstackdepth up to 1024) and the function the goroutine started in is lost.
 */
static bool is_cut_at_root(const struct gdump *g, const struct count_record *r)
{
	return g->npcs >= 32 && r->last_visible && r->last_pc == r->last_visible + 1;
}

/* The body ended in this record and part of it is missing. */
static bool is_incomplete(const struct gdump *g, const struct count_record *r)
{
	size_t n = g->npcs;

	if (!g->at_end || !g->unterminated)
		return false;
	if (r->bad_end || n == 0 || n > GDUMP_FRAMES_MAX)
		return true;
	/* Text whose last newline an editor took shows all its frames. */
	return r->last_visible + 1 != g->pcs[n - 1] &&
	       (n < 2 || r->last_visible + 1 != g->pcs[n - 2]);
}

/* " @" without program counters, or with zeros only, as some versions print none. */
static bool is_empty(struct str rest)
{
	return rest.len < 3 || rest.p[2] != ' ' || str_starts(rest, STR(" @ 0x0 ")) ||
	       str_starts(rest, STR(" @ 0x0\n"));
}

void gdump_count_record(struct gdump *g, struct str text)
{
	size_t digits = count_digits(text);
	struct str rest = str_from(text, digits);
	struct count_record r = {.flags = 0};
	struct group group = {.record_line = g->record_line};

	str_u64(str_sub(text, 0, digits), &group.count);
	if (g->stats.format == GDUMP_LEAK && is_empty(rest)) {
		/* Go 1.27 counts main in select{} though it does not report it. */
		g->stats.announced -= MIN(g->stats.announced, group.count);
		return;
	}
	group.key = hash64_text(rest.p, rest.len);
	g->stats.parsed += group.count;
	g->counted += group.count;
	g->stats.records++;
	if (g->sink.known && g->sink.known(g->sink.arg, group.key, group.count))
		return;
	g->nframes = g->nlabels = 0;
	buf_reset(&g->unquoted);
	take_lines(g, text, &r);
	group.flags = r.flags | (g->overflow ? GROUP_ELIDED : 0);
	if (is_cut_at_root(g, &r))
		group.flags |= GROUP_CUT_ROOT;
	if (is_incomplete(g, &r)) {
		group.flags |= GROUP_INCOMPLETE;
		g->stats.truncated = true;
	}
	if (g->npcs == 1 && r.last_pc != 0 && g->nframes == 0 && !r.bad_end &&
		!(group.flags & GROUP_INCOMPLETE))
		group.flags |= GROUP_UNSTARTED; /* runtime.goexit, which has no line */
	group.frames = g->frames;
	group.nframes = g->nframes;
	group.labels = g->labels;
	group.nlabels = g->nlabels;
	group.hidden = g->pcs;
	group.nhidden = count_hidden(g, &r);
	if (g->sink.group)
		g->sink.group(g->sink.arg, &group);
}
