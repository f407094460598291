/* Out of a log's records; colours, HTML, no-break spaces; dumps inside a string. */
#include "mend_internal.h"

#include <string.h>

#define ESCAPE_MAX	    6 /* bytes of "\u001b" */
#define HEADER_NEWLINES_MAX 8 /* escaped newlines that labels in a header may hold */

/* ---- lines of records: Docker, CRI, journald --------------------------------------------------
 */
/* Appends the JSON string that begins behind its quote; the index after its end, or 0. */
static size_t add_json_string(struct buf *b, struct str s)
{
	static const char from[] = "nrtbf\"\\/", to[] = "\n\r\t\b\f\"\\/";
	size_t i = 0;

	while (i < s.len && s.p[i] != '"') {
		const char *simple;

		if (s.p[i] != '\\') {
			buf_addc(b, s.p[i++]);
			continue;
		}
		if (i + 1 >= s.len)
			return 0;
		simple = s.p[i + 1] ? strchr(from, s.p[i + 1]) : NULL;
		if (simple) {
			buf_addc(b, to[simple - from]);
			i += 2;
		} else if (s.p[i + 1] == 'u' && i + 5 < s.len) {
			unsigned v = 0;

			for (size_t k = i + 2; k < i + 6; k++) {
				char c = s.p[k];

				v = v << 4 | (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
			}
			buf_addc(b, v < 0x80 ? (char)v : '?'); /* a dump's own text is ASCII */
			i += 6;
		} else {
			buf_addc(b, s.p[i++]);
		}
	}
	return i < s.len ? i + 1 : 0;
}

/* Behind `"key"`, a colon and a quote, or -1. */
static ptrdiff_t find_value(struct str line, struct str key)
{
	ptrdiff_t at = str_find(line, key);
	size_t i;

	if (at < 0)
		return -1;
	i = (size_t)at + key.len;
	while (i < line.len && line.p[i] == ' ')
		i++;
	if (i >= line.len || line.p[i++] != ':')
		return -1;
	while (i < line.len && line.p[i] == ' ')
		i++;
	return i < line.len && line.p[i] == '"' ? (ptrdiff_t)i + 1 : -1;
}

/* The whole lines at the front of a stream go on; what has no end yet stays. */
static void drain(struct mend *m, struct buf *stream)
{
	struct str rest = buf_str(stream);
	ptrdiff_t nl;
	size_t used = 0;

	while ((nl = str_chr(rest, '\n')) >= 0) {
		struct str line = str_sub(rest, 0, (size_t)nl);

		while (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		mend_text(m, line);
		rest = str_from(rest, (size_t)nl + 1);
		used += (size_t)nl + 1;
	}
	buf_consume(stream, used);
	if (stream->len > MEND_LINE_MAX) { /* no line is that long */
		mend_text(m, buf_str(stream));
		buf_reset(stream);
	}
}

/* {"log":"text\n","stream":"stderr",…} of Docker, {"MESSAGE":"text",…} of journalctl -o json. */
static bool take_json(struct mend *m, struct str line)
{
	ptrdiff_t docker = find_value(line, STR("\"log\""));
	ptrdiff_t at = docker >= 0 ? docker : find_value(line, STR("\"MESSAGE\""));
	ptrdiff_t name = find_value(line, STR("\"stream\""));
	bool out = name >= 0 && str_starts(str_from(line, (size_t)name), STR("stdout\""));
	struct buf *stream = &m->stream[!out];

	if (at < 0)
		return false;
	m->done |= MEND_RECORDS;
	if (add_json_string(stream, str_from(line, (size_t)at)) == 0 || docker < 0)
		buf_addc(stream, '\n');
	drain(m, stream);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "2026-11-21T01:33:07.000000000Z stderr F text", P for a part of a line (CRI). */
static bool take_cri(struct mend *m, struct str line)
{
	size_t i = 0;
	bool out;
	struct buf *stream;

	if (line.len < 30 || !is_digit(line.p[0]) || line.p[4] != '-' || line.p[10] != 'T')
		return false;
	while (i < line.len && line.p[i] != ' ')
		i++;
	line = str_from(line, i);
	out = str_starts(line, STR(" stdout "));
	if (!out && !str_starts(line, STR(" stderr ")))
		return false;
	line = str_from(line, strlen(" stdout "));
	if (line.len == 0 || (line.p[0] != 'F' && line.p[0] != 'P') ||
		(line.len > 1 && line.p[1] != ' '))
		return false;
	stream = &m->stream[!out];
	m->done |= MEND_RECORDS;
	buf_addstr(stream, str_from(line, 2));
	if (line.p[0] == 'F')
		buf_addc(stream, '\n');
	drain(m, stream);
	return true;
}

void mend_record(struct mend *m, struct str line)
{
	if (line.len && line.p[0] == '{' && take_json(m, line))
		return;
	if (line.len && is_digit(line.p[0]) && take_cri(m, line))
		return;
	mend_text(m, line);
}

void mend_records_end(struct mend *m)
{
	for (int i = 0; i < 2; i++) {
		if (m->stream[i].len)
			mend_text(m, buf_str(&m->stream[i]));
		buf_reset(&m->stream[i]);
	}
}

/* ---- colours, HTML, no-break spaces -----------------------------------------------------------
 */
/* The index after an escape sequence of a terminal (ECMA-48) that begins at s.p[at]. */
static size_t skip_colour(struct str s, size_t at)
{
	at++;
	if (at >= s.len || s.p[at] != '[')
		return MIN(at + 1, s.len);
	for (at++; at < s.len && (unsigned char)s.p[at] < 0x40;)
		at++;
	return MIN(at + 1, s.len);
}

struct entity {
	struct str text;
	char c;
};

static const struct entity entities[] = {
	{STR_LIT("&lt;"), '<'},
	{STR_LIT("&gt;"), '>'},
	{STR_LIT("&amp;"), '&'},
	{STR_LIT("&quot;"), '"'},
	{STR_LIT("&apos;"), '\''},
	{STR_LIT("&nbsp;"), ' '},
	{STR_LIT("&tab;"), '\t'},
	{STR_LIT("&Tab;"), '\t'},
	{STR_LIT("&NewLine;"), ' '},
};

/* The length of the entity at the front of s and what it stands for, or 0. */
static size_t entity_at(struct str s, char *c)
{
	size_t i = 2;
	bool hex = s.len > 2 && (s.p[2] == 'x' || s.p[2] == 'X');
	unsigned v = 0;

	for (size_t k = 0; k < ARRAY_LEN(entities); k++) {
		if (str_starts(s, entities[k].text)) {
			*c = entities[k].c;
			return entities[k].text.len;
		}
	}
	if (s.len < 4 || s.p[1] != '#')
		return 0;
	for (i += hex; i < s.len && i < 10 && s.p[i] != ';'; i++) {
		char d = s.p[i];

		if (is_digit(d))
			v = v * (hex ? 16 : 10) + (unsigned)(d - '0');
		else if (hex && (d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			v = v * 16 + (unsigned)((d | 0x20) - 'a' + 10);
		else
			return 0;
	}
	if (i >= s.len || s.p[i] != ';' || v == 0 || (v > 0x7f && v != 0xa0))
		return 0;
	*c = v == 0xa0 ? ' ' : (char)v;
	return i + 1;
}

/* The length of an HTML tag at the front of s that stands around text, or 0. */
static size_t tag_at(struct str s, bool *newline)
{
	static const char *const names[] = {"pre", "code", "br", "p", "div", "span", "html", "body",
		"head", "blockquote", "samp", "tt"};
	size_t i = 1, start;
	ptrdiff_t end;

	*newline = false;
	if (i < s.len && s.p[i] == '/')
		i++;
	start = i;
	while (i < s.len && ((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z'))
		i++;
	end = str_chr(s, '>');
	if (end < 0 || i == start || (s.p[i] != '>' && s.p[i] != ' ' && s.p[i] != '/'))
		return 0;
	for (size_t k = 0; k < ARRAY_LEN(names); k++) {
		if (strlen(names[k]) == i - start &&
			strncasecmp(s.p + start, names[k], i - start) == 0) {
			*newline = k == 2;
			return (size_t)end + 1;
		}
	}
	return 0;
}

/* Labels may hold an '&' of their own; what only HTML has tells that the input is HTML. */
static bool is_html(const struct mend *m, struct str line)
{
	if (m->html || str_find(line, STR("<pre")) >= 0 || str_find(line, STR("<code")) >= 0)
		return true;
	return str_find(line, STR("&#43;0x")) >= 0 || str_find(line, STR("&lt;autogenerated")) >= 0;
}

static void hand_text(struct mend *m, struct str line);

static void clean_html(struct mend *m, struct str line)
{
	struct buf out = BUF_INIT;
	size_t i = 0;

	while (i < line.len) {
		struct str rest = str_from(line, i);
		char c = 0;
		bool newline = false;
		size_t n = rest.p[0] == '&'   ? entity_at(rest, &c)
			   : rest.p[0] == '<' ? tag_at(rest, &newline)
					      : 0;

		if (n == 0) {
			buf_addc(&out, rest.p[0]);
			i++;
			continue;
		}
		m->done |= MEND_HTML;
		i += n;
		if (newline && i < line.len) {
			hand_text(m, buf_str(&out));
			buf_reset(&out);
		} else if (c) {
			buf_addc(&out, c);
		}
	}
	hand_text(m, buf_str(&out));
	buf_release(&out);
}

static void clean_line(struct mend *m, struct str line)
{
	buf_reset(&m->clean);
	for (size_t i = 0; i < line.len;) {
		if (line.p[i] == 0x1b) {
			i = skip_colour(line, i);
			m->done |= MEND_COLOURS;
		} else if (line.p[i] == '\xc2' && i + 1 < line.len && line.p[i + 1] == '\xa0') {
			buf_addc(&m->clean, ' ');
			i += 2;
			m->done |= MEND_NBSP;
		} else {
			buf_addc(&m->clean, line.p[i++]);
		}
	}
}

void mend_text(struct mend *m, struct str line)
{
	if (str_chr(line, 0x1b) >= 0 || str_find(line, STR("\xc2\xa0")) >= 0) {
		clean_line(m, line);
		line = buf_str(&m->clean);
	}
	m->html = m->html ||
		  ((str_chr(line, '&') >= 0 || str_chr(line, '<') >= 0) && is_html(m, line));
	if (m->html)
		clean_html(m, line);
	else
		hand_text(m, line);
}

/* ---- a dump inside a string -------------------------------------------------------------------
 */
/* How many backslashes stand before s.p[at]. */
static size_t backslashes(struct str s, size_t at)
{
	size_t n = 0;

	while (n < at && s.p[at - n - 1] == '\\')
		n++;
	return n;
}

/* Behind a header at the front of s, an escaped newline: how many backslashes it has, else 0. */
static size_t is_escaped_header(struct str s)
{
	size_t at = 0;

	for (int i = 0; i < HEADER_NEWLINES_MAX; i++) {
		ptrdiff_t found = str_find(str_from(s, at), STR("\\n"));
		struct str head;
		size_t n;

		if (found < 0)
			return 0;
		at += (size_t)found + 1;
		n = backslashes(s, at);
		head = str_sub(s, 0, at - n);
		if (str_ends(head, STR("\\r")))
			head.len -= 2;
		if (mend_is_header(head) || mend_is_profile(head))
			return n;
	}
	return 0;
}

/* Where the string that s.p[at] is in begins, or 0; *quoted: there is a quote. */
static size_t string_start(struct str s, size_t at, bool *quoted)
{
	for (*quoted = false; at > 0 && !*quoted; at--)
		*quoted = s.p[at - 1] == '"' && backslashes(s, at - 1) == 0;
	return at + *quoted;
}

/* Begins in the string's front when the header is not in its first line. */
ptrdiff_t mend_find_escaped(struct mend *m, struct str line)
{
	static const struct str word = STR_LIT("goroutine");
	size_t at = 0, start, n = 0;

	if (str_find(line, STR("\\n")) < 0)
		return -1;
	while (n == 0) {
		ptrdiff_t found = str_find(str_from(line, at), word);

		if (found < 0)
			return -1;
		at += (size_t)found;
		n = is_escaped_header(str_from(line, at));
		at += n ? 0 : word.len;
	}
	m->nested = n > 1;
	start = string_start(line, at, &m->quoted);
	if (m->quoted && str_find(str_sub(line, start, at), STR("\\n")) >= 0)
		return (ptrdiff_t)start;
	return (ptrdiff_t)at;
}

void mend_begin_escaped(struct mend *m)
{
	m->escaped = true;
	m->escape_len = 0;
	m->done |= MEND_ESCAPES;
	buf_reset(&m->unescaped);
}

static void add_unescaped(struct mend *m, char c)
{
	if (c == '\n') {
		struct str line = buf_str(&m->unescaped);

		while (line.len && line.p[line.len - 1] == '\r')
			line.len--;
		mend_unprefix(m, line);
		buf_reset(&m->unescaped);
	} else if (m->unescaped.len < MEND_LINE_MAX) {
		buf_addc(&m->unescaped, c);
	}
}

/* The bytes of m->escape are a whole escape, or no escape at all; false when more are needed. */
static bool end_escape(struct mend *m)
{
	char c = m->escape[1];
	unsigned v = 0;

	if (c == 'u') {
		if (m->escape_len < ESCAPE_MAX)
			return false;
		for (size_t i = 2; i < ESCAPE_MAX; i++) {
			char d = m->escape[i];

			v = v << 4 | ((unsigned)(d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10) & 15);
		}
		add_unescaped(m, v < 0x80 ? (char)v : '?');
	} else if (c == 'n' || c == 't' || c == 'r') {
		add_unescaped(m, c == 'n' ? '\n' : c == 't' ? '\t' : '\r');
	} else {
		add_unescaped(m, c); /* \" \\ \/ */
	}
	m->escape_len = 0;
	return true;
}

size_t mend_unescape(struct mend *m, struct str s)
{
	bool deep = false;

	for (size_t i = 0; i < s.len; i++) {
		if (m->escape_len) {
			/* "\\\\n" of a string within a string; one more layer makes no difference
			 */
			if (m->nested && m->escape_len == 1 && s.p[i] == '\\') {
				deep = true;
				continue;
			}
			if (m->nested && m->quoted && !deep && s.p[i] == '"') {
				m->escaped = false;
				return i;
			}
			deep = false;
			m->escape[m->escape_len++] = s.p[i];
			end_escape(m);
		} else if (s.p[i] == '\\') {
			m->escape[m->escape_len++] = '\\';
		} else if (s.p[i] == '"' && m->quoted) {
			m->escaped = false;
			return i;
		} else {
			add_unescaped(m, s.p[i]);
		}
	}
	return s.len;
}

void mend_unescape_end(struct mend *m)
{
	/* A record of a log may end in the middle of a goroutine, and the next one begins anew. */
	bool line = m->unescaped.len > 0;

	m->escaped = false;
	m->escape_len = 0;
	if (line)
		add_unescaped(m, '\n');
	buf_reset(&m->unescaped);
}

/* A line of text, free of colours and HTML. */
static void hand_text(struct mend *m, struct str line)
{
	ptrdiff_t at = mend_find_escaped(m, line);

	if (at < 0) {
		mend_unprefix(m, line);
		return;
	}
	mend_begin_escaped(m);
	mend_unescape(m, str_from(line, (size_t)at));
	mend_unescape_end(m);
}
