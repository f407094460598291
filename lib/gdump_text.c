/* Pieces of the grammar that debug=1 and debug=2 have in common: file and line, labels, hex. */
#include "gdump_internal.h"
#include "xalloc.h"

#include <string.h>

struct frame *gdump_add_frame(struct gdump *g, unsigned *flags)
{
	if (g->nframes == GDUMP_FRAMES_MAX) {
		*flags |= GROUP_ELIDED;
		return NULL;
	}
	if (g->nframes == g->frames_cap) {
		g->frames_cap = MIN(MAX(g->frames_cap * 2, (size_t)32), (size_t)GDUMP_FRAMES_MAX);
		g->frames = xrealloc(g->frames, g->frames_cap, sizeof(*g->frames));
	}
	return &g->frames[g->nframes++];
}

size_t gdump_skip_quoted(struct str s, size_t at)
{
	for (at++; at < s.len && s.p[at] != '"'; at++) {
		if (s.p[at] == '\\')
			at++;
	}
	return MIN(at + 1, s.len);
}

static void add_rune(struct buf *b, uint32_t r)
{
	if (r < 0x80) {
		buf_addc(b, (char)r);
	} else if (r < 0x800) {
		buf_addc(b, (char)(0xc0 | r >> 6));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	} else if (r < 0x10000) {
		buf_addc(b, (char)(0xe0 | r >> 12));
		buf_addc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | (r >> 18 & 7)));
		buf_addc(b, (char)(0x80 | (r >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (r & 0x3f)));
	}
}

/* Exactly n hex digits at s.p[at]. */
static bool hex_digits(struct str s, size_t at, size_t n, uint32_t *out)
{
	uint32_t v = 0;

	if (at + n > s.len)
		return false;
	for (size_t i = at; i < at + n; i++) {
		if (!gdump_is_hex_digit(s.p[i]))
			return false;
		v = v << 4 | (uint32_t)(s.p[i] <= '9' ? s.p[i] - '0' : s.p[i] - 'a' + 10);
	}
	*out = v;
	return true;
}

/* One escape, s.p[at] being the byte after the backslash; the index after it. */
static size_t unescape(struct buf *b, struct str s, size_t at)
{
	static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
	const char *simple = s.p[at] ? strchr(from, s.p[at]) : NULL;
	uint32_t v;

	if (simple) {
		buf_addc(b, to[simple - from]);
	} else if (s.p[at] == 'x' && hex_digits(s, at + 1, 2, &v)) {
		buf_addc(b, (char)v); /* a byte that was no UTF-8, not a rune */
		return at + 3;
	} else if (s.p[at] == 'u' && hex_digits(s, at + 1, 4, &v)) {
		add_rune(b, v);
		return at + 5;
	} else if (s.p[at] == 'U' && hex_digits(s, at + 1, 8, &v) && v <= 0x10ffff) {
		add_rune(b, v);
		return at + 9;
	} else {
		buf_addc(b, s.p[at]); /* \\ \" and what no Go prints */
	}
	return at + 1;
}

/* The text between quotes; itself when nothing in it is escaped, else in g->unquoted. */
static struct str unquote(struct gdump *g, struct str inner)
{
	struct buf *b = &g->unquoted;
	size_t start = b->len;

	if (str_chr(inner, '\\') < 0)
		return inner;
	for (size_t i = 0; i < inner.len;) {
		if (inner.p[i] == '\\' && i + 1 < inner.len)
			i = unescape(b, inner, i + 1);
		else
			buf_addc(b, inner.p[i++]);
	}
	return str_n(b->p + start, b->len - start);
}

/* A quoted string, or a bare word up to the next `stop`; *at moves behind it. */
static bool take_word(struct gdump *g, struct str s, size_t *at, char stop, struct str *out)
{
	size_t i = *at;

	if (i < s.len && s.p[i] == '"') {
		size_t end = gdump_skip_quoted(s, i);

		if (end < i + 2 || s.p[end - 1] != '"')
			return false;
		*out = unquote(g, str_sub(s, i + 1, end - 1));
		*at = end;
		return true;
	}
	while (i < s.len && s.p[i] != stop)
		i++;
	*out = str_sub(s, *at, i);
	*at = i;
	return true;
}

bool gdump_labels(struct gdump *g, struct str pairs, struct str sep)
{
	size_t at = 0;

	if (g->nlabels)
		return false; /* one list a record */
	/* Unescaped text is never longer than escaped; reserved whole, so that slices hold. */
	buf_reserve(&g->unquoted, pairs.len);
	while (at < pairs.len) {
		struct label l;

		if (!take_word(g, pairs, &at, ':', &l.key) || !str_starts(str_from(pairs, at), sep))
			return false;
		at += sep.len;
		if (!take_word(g, pairs, &at, ',', &l.value))
			return false;
		if (g->nlabels < GDUMP_LABELS_MAX)
			g->labels[g->nlabels++] = l;
		if (at == pairs.len)
			return true;
		if (!str_starts(str_from(pairs, at), STR(", ")))
			return false;
		at += 2;
	}
	return true;
}

/* A frame's name is a slice of the record's text, and its arguments follow it there. */
struct str gdump_frame_args(const struct group *g, const struct frame *f)
{
	const char *p = f->func.p + f->func.len;
	size_t n = 0;

	if (g->id == 0 || f->func.len == 0 || *p != '(')
		return (struct str){0};
	for (p++; n < GDUMP_ARGS_MAX && p[n] != ')' && p[n] != '\n'; n++)
		;
	return p[n] == ')' && p[0] != '.' ? str_n(p, n) : (struct str){0};
}
