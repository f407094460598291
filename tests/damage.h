/*
 * damage: what logs, terminals, mail and wikis do to a dump, one function a kind.
 *
 * Tests and the fuzzer apply them to good dumps; mended, the dump has to be the same again.
 */
#ifndef LEAKWATCH_DAMAGE_H
#define LEAKWATCH_DAMAGE_H

#include "buf.h"

#include <string.h>

typedef void damage_fn(struct str text, struct buf *out);

/* Puts a prefix with the line's number in it before each line. */
static inline void damage_prefix(
	struct str text, struct buf *out, const char *before, const char *after)
{
	struct str line;

	for (unsigned n = 1; str_line(&text, &line); n++)
		buf_addf(out, "%s%u%s%.*s\n", before, n % 60, after, STR_ARG(line));
}

static inline void damage_journald(struct str text, struct buf *out)
{
	damage_prefix(text, out, "Nov 21 01:33:", " web-1 api[30882]: ");
}

static inline void damage_kubectl(struct str text, struct buf *out)
{
	damage_prefix(text, out, "[pod/api-7d9c6b5f4-x2x9q/api] 2026-11-21T01:33:07.", "Z ");
}

static inline void damage_compose(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line))
		buf_addf(out, "api-1  | %.*s\n", STR_ARG(line));
}

static inline void damage_quoted(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line))
		buf_addf(out, line.len ? "> %.*s\n" : ">\n", STR_ARG(line));
}

static inline void damage_indented(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line))
		buf_addf(out, line.len ? "    %.*s\n" : "\n", STR_ARG(line));
}

static inline void damage_rsyslog(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		bool tab = line.len && line.p[0] == '\t';

		buf_addf(out, "2026-11-21T01:33:07+01:00 web-1 api[77]: %s%.*s\n",
			tab ? "#011" : "", STR_ARG(str_from(line, tab)));
	}
}

/* Others write to the same log, without the prefix of this one. */
static inline void damage_others(struct str text, struct buf *out)
{
	struct str line;

	for (unsigned n = 0; str_line(&text, &line); n++) {
		buf_addf(out, "api-1  | %.*s\n", STR_ARG(line));
		if (n % 3 == 1)
			buf_adds(out, "db-1   | checkpoint complete: wrote 3 buffers (0.0%)\n");
	}
}

static inline void damage_cri(struct str text, struct buf *out)
{
	struct str line;

	for (unsigned n = 0; str_line(&text, &line); n++) {
		size_t half = line.len > 20 ? line.len / 2 : 0;

		if (half)
			buf_addf(out, "2026-11-21T01:33:07.%09uZ stderr P %.*s\n", n, (int)half,
				line.p);
		buf_addf(out, "2026-11-21T01:33:07.%09uZ stderr F %.*s\n", n,
			(int)(line.len - half), line.p + half);
	}
}

static inline void damage_escape(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (c == '\n' || c == '\t')
			buf_adds(out, c == '\n' ? "\\n" : "\\t");
		else if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else
			buf_addc(out, c);
	}
}

static inline void damage_docker(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		buf_adds(out, "{\"log\":\"");
		damage_escape(out, line);
		buf_adds(out, "\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-21T01:33:07.1Z\"}\n");
	}
}

static inline void damage_journal_json(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		buf_adds(out, "{\"__CURSOR\" : \"s=1\", \"MESSAGE\" : \"");
		damage_escape(out, line);
		buf_adds(out, "\", \"_PID\" : \"77\"}\n");
	}
}

static inline void damage_json_field(struct str text, struct buf *out)
{
	buf_adds(out, "{\"level\":\"info\",\"msg\":\"dump of all:\\n");
	damage_escape(out, text);
	buf_adds(out, "\",\"pid\":77}\n");
}

static inline void damage_logfmt(struct str text, struct buf *out)
{
	buf_adds(out, "time=\"2026-11-21T01:33:07Z\" level=info msg=\"");
	damage_escape(out, text);
	buf_adds(out, "\" pid=77\n");
}

/* One record of a log for each goroutine, with lines of others between them. */
static inline void damage_records(struct str text, struct buf *out)
{
	while (text.len) {
		ptrdiff_t end = str_find(text, STR("\n\n"));
		size_t n = end < 0 ? text.len : (size_t)end + 1;

		buf_adds(out, "time=2026-11-21T01:33:07Z level=info msg=\"");
		damage_escape(out, str_sub(text, 0, n));
		buf_adds(out, "\"\ntime=2026-11-21T01:33:07Z level=info msg=\"served /\" ms=3\n");
		text = str_from(text, n + (end >= 0));
	}
}

static inline void damage_crlf(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		buf_addstr(out, line); /* a fuzzer's lines hold NULs too */
		buf_adds(out, "\r\n");
	}
}

/* Every other line only. */
static inline void damage_mixed_eol(struct str text, struct buf *out)
{
	struct str line;

	for (unsigned n = 0; str_line(&text, &line); n++)
		buf_addf(out, "%.*s%s\n", STR_ARG(line), n & 1 ? "\r" : "");
}

static inline void damage_bom(struct str text, struct buf *out)
{
	buf_adds(out, "\xef\xbb\xbf");
	buf_addstr(out, text);
}

static inline void damage_utf16(struct str text, struct buf *out)
{
	buf_adds(out, "\xff\xfe");
	for (size_t i = 0; i < text.len; i++) {
		buf_addc(out, text.p[i]);
		buf_addc(out, '\0');
	}
}

static inline void damage_colours(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line))
		buf_addf(out, "\x1b[31m%.*s\x1b[0m\n", STR_ARG(line));
}

static inline void damage_html(struct str text, struct buf *out)
{
	buf_adds(out, "<html><body><pre>");
	for (size_t i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (strchr("<>&\"+", c) && c)
			buf_adds(out, c == '<'	 ? "&lt;"
				      : c == '>' ? "&gt;"
				      : c == '&' ? "&amp;"
				      : c == '"' ? "&quot;"
						 : "&#43;");
		else
			buf_addc(out, c);
	}
	buf_adds(out, "</pre></body></html>\n");
}

static inline void damage_nbsp(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == ' ')
			buf_adds(out, "\xc2\xa0");
		else
			buf_addc(out, text.p[i]);
	}
}

static inline void damage_spaces(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.p[i] == '\t')
			buf_adds(out, "    ");
		else
			buf_addc(out, text.p[i]);
	}
}

static inline void damage_double_spaced(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line))
		buf_addf(out, "%.*s\n\n", STR_ARG(line));
}

/* No blank line and, of a stack, no indentation is left. */
static inline void damage_squeezed(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		while (line.len && line.p[0] == '\t')
			line = str_from(line, 1);
		if (line.len)
			buf_addf(out, "%.*s\n", STR_ARG(line));
	}
}

static inline void damage_wrapped(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		for (; line.len > 80; line = str_from(line, 80))
			buf_addf(out, "%.*s\n", 80, line.p);
		buf_addf(out, "%.*s\n", STR_ARG(line));
	}
}

/* Between words, where there is one; the blank is lost with it. */
static inline void damage_wrapped_words(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		while (line.len > 72) {
			size_t at = 72;

			while (at > 20 && line.p[at] != ' ')
				at--;
			if (at == 20)
				break;
			buf_addf(out, "%.*s\n", (int)at, line.p);
			line = str_from(line, at + 1);
		}
		buf_addf(out, "%.*s\n", STR_ARG(line));
	}
}

static inline void damage_no_hash(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		bool frame = str_starts(line, STR("#\t"));

		buf_addf(out, "%.*s\n", STR_ARG(str_from(line, frame)));
	}
}

/* A logger of lines that takes tabs for line ends: the columns of a frame stand below each other.
 */
static inline void damage_cells(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		bool frame = str_starts(line, STR("#\t"));

		buf_addstr(out, frame ? STR("# ") : STR(""));
		for (size_t i = frame ? 2 : 0; i < line.len; i++) {
			if (line.p[i] != '\t')
				buf_addc(out, line.p[i]);
			else if (line.p[i - 1] != '\t')
				buf_addc(out, '\n');
		}
		buf_addc(out, '\n');
	}
}

/* The file of a frame on a line of its own. */
static inline void damage_own_line(struct str text, struct buf *out)
{
	struct str line;

	while (str_line(&text, &line)) {
		ptrdiff_t at = str_starts(line, STR("#\t")) ? str_rchr(line, '\t') : -1;

		if (at > 2)
			buf_addf(out, "%.*s\n#\t%.*s\n", (int)at, line.p,
				STR_ARG(str_from(line, (size_t)at)));
		else
			buf_addf(out, "%.*s\n", STR_ARG(line));
	}
}

/* Log lines in the middle of stacks; the parser counts them. */
static inline void damage_interleaved(struct str text, struct buf *out)
{
	struct str line;

	for (unsigned n = 1; str_line(&text, &line); n++) {
		buf_addf(out, "%.*s\n", STR_ARG(line));
		if (n % 7 == 0 && line.len)
			buf_adds(out, "2026/11/21 01:33:07 http: TLS handshake error from "
				      "10.0.0.4:51234: EOF\n");
	}
}

#endif
