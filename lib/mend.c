/* Bytes to lines: gzip, encodings, and the way of what needs no mending. */
#include "mend_internal.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- life cycle -------------------------------------------------------------------------------
 */
struct mend *mend_new(const struct mend_sink *sink)
{
	struct mend *m = xcalloc(1, sizeof(*m));
	struct buf *bufs[] = {&m->utf8, &m->line, &m->stream[0], &m->stream[1], &m->clean,
		&m->unescaped, &m->candidate, &m->held, &m->file, &m->junk, &m->last};

	m->sink = *sink;
	m->number = 1;
	for (size_t i = 0; i < ARRAY_LEN(bufs); i++)
		buf_init(bufs[i]);
	return m;
}

void mend_free(struct mend *m)
{
	if (!m)
		return;
	gunzip_free(m->gunzip);
	buf_release(&m->utf8);
	buf_release(&m->line);
	buf_release(&m->stream[0]);
	buf_release(&m->stream[1]);
	buf_release(&m->clean);
	buf_release(&m->unescaped);
	buf_release(&m->candidate);
	buf_release(&m->held);
	buf_release(&m->file);
	buf_release(&m->junk);
	buf_release(&m->last);
	free(m);
}

unsigned mend_done(const struct mend *m)
{
	return m->done;
}

uint64_t mend_foreign(const struct mend *m)
{
	return m->foreign;
}

void mend_words(unsigned done, struct buf *out)
{
	static const char *const words[] = {"gzip", "UTF-16", "terminal colours", "HTML",
		"no-break spaces", "log records", "log prefixes", "escaped text", "wrapped lines",
		"blank lines", "lost \"#\"", "lines of others inside stacks"};
	size_t start = out->len;

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (done >> i & 1)
			buf_addf(out, "%s%s", out->len > start ? ", " : "", words[i]);
	}
}

/* ---- out --------------------------------------------------------------------------------------
 */
static void emit_last(struct mend *m, bool newline)
{
	if (!m->has_last)
		return;
	if (newline)
		buf_addc(&m->last, '\n');
	m->sink.out(m->sink.arg, m->last.p, m->last.len, m->last_line);
	m->has_last = false;
}

/* A line is handed out when the next one comes: whether it has a newline is known at the end. */
void mend_emit(struct mend *m, struct str line, uint32_t number)
{
	emit_last(m, true);
	buf_reset(&m->last);
	buf_addstr(&m->last, line);
	m->has_last = true;
	m->last_line = number;
}

/* ---- what is clean ----------------------------------------------------------------------------
 */
static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* The line at p without its newline; its length with it in *whole, 0 when it has no end. */
static size_t line_at(const char *p, const char *end, size_t *whole)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));
	size_t n = nl ? (size_t)(nl - p) : 0;

	*whole = nl ? n + 1 : 0;
	return n;
}

/* "4 @ 0x43be36 …" and nothing else, with a frame in the next line. */
static bool is_clean_head(struct str line, const char *next, const char *end)
{
	if (next >= end || *next != '#' || line.p[line.len - 1] <= ' ' || !mend_is_count_head(line))
		return false;
	for (size_t i = line.len; line.p[--i] != '@';) {
		if (!is_hex_digit(line.p[i]) && line.p[i] != 'x' && line.p[i] != ' ')
			return false;
	}
	return true;
}

/* A debug=1 line "#<TAB>0x…" or "# labels: {…}" that the next line does not continue. */
static bool is_clean_hash(struct str line, const char *next, const char *end)
{
	return line.len > 3 && next < end && (*next == '#' || *next == '\n') &&
	       (line.p[1] == '\t' || line.p[2] == 'l') && line.p[line.len - 1] > ' ' &&
	       mend_is_whole_frame(line);
}

/* Digits alone, or what else an offset may go on with in the next line. */
static bool is_wrapped_rest(const char *p, const char *end)
{
	while (p < end && (is_hex_digit(*p) || (*p && strchr("+x =ps", *p))))
		p++;
	return p == end || *p == '\n' || *p == '\r';
}

/* The length of a file's line at p, with its newline, or 0; an empty line may follow. */
static size_t clean_file(const char *p, const char *end)
{
	size_t whole, n;

	if (p >= end || *p != '\t')
		return 0;
	n = line_at(p, end, &whole);
	if (whole == 0 || p + whole == end || p[n - 1] <= ' ' || !mend_is_file(str_n(p, n)))
		return 0;
	return p[whole] == '\n' || !is_wrapped_rest(p + whole, end) ? whole : 0;
}

/*
 * How many bytes from p on, in whole lines, need no mending: a goroutine's lines in their places,
 * records of a profile, empty lines between them.  What is special in any way ends it.
 */
static size_t clean_run(struct mend *m, const char *p, const char *end, uint32_t *lines)
{
	enum mend_record_kind record = m->record;
	const char *start = p;
	bool after_header = m->after_header;

	while (p < end) {
		size_t whole, n = line_at(p, end, &whole);
		const char *next = p + whole;

		if (whole == 0)
			break;
		if (n == 0) {
			if (after_header)
				break; /* double-spaced? */
			record = MEND_NO_RECORD;
		} else if (*p == '#') {
			if (record != MEND_COUNT || !is_clean_hash(str_n(p, n), next, end))
				break;
		} else if (*p >= '0' && *p <= '9') {
			if (record == MEND_GOROUTINE || !is_clean_head(str_n(p, n), next, end))
				break;
			record = MEND_COUNT;
		} else if (*p == 'g' && n > 12 && p[n - 1] == ':' &&
			   memcmp(p, "goroutine ", 10) == 0) {
			if (next >= end || *next == '\n' || !mend_is_header(str_n(p, n)))
				break;
			record = MEND_GOROUTINE;
			after_header = true;
			*lines += 1;
			p = next;
			continue;
		} else if (record == MEND_GOROUTINE && *p > ' ' && p[n - 1] > ' ' &&
			   mend_is_function(str_n(p, n))) {
			whole = clean_file(next, end);
			if (whole == 0)
				break;
			*lines += 1;
			next += whole;
		} else {
			break;
		}
		after_header = false;
		*lines += 1;
		p = next;
	}
	m->record = record;
	m->after_header = after_header;
	return (size_t)(p - start);
}

/* Bytes that ask for a closer look: of colours, no-break spaces, HTML, escapes. */
static bool has_special(const char *p, size_t n)
{
	static const struct str made = STR_LIT("<autogenerated>");
	const char *end = p + n;

	if (memchr(p, 0x1b, n) || memchr(p, '&', n) || memchr(p, 0xc2, n) || memchr(p, '\\', n))
		return true;
	while ((p = memchr(p, '<', (size_t)(end - p))) != NULL) {
		if (!str_starts(str_n(p, (size_t)(end - p)), made))
			return true;
		p += made.len;
	}
	return false;
}

static bool is_clean_state(const struct mend *m)
{
	return m->line.len == 0 && !m->passing && m->kind == HELD_NOTHING && m->prefix.len == 0 &&
	       m->candidate.len == 0 && !m->escaped && !m->html && m->stream[0].len == 0 &&
	       m->stream[1].len == 0 && !m->double_spaced && !m->blank_after_header;
}

/* ---- lines ------------------------------------------------------------------------------------
 */
static void whole_line(struct mend *m, struct str line)
{
	while (line.len && line.p[line.len - 1] == '\r')
		line.len--;
	mend_record(m, line);
	m->number++;
}

/*
 * The line under way is longer than MEND_LINE_MAX.  When it is an escaped dump it is taken apart
 * as it comes; else it goes through, and the parser says that it is too long.
 */
static void long_line(struct mend *m)
{
	ptrdiff_t at = mend_find_escaped(m, buf_str(&m->line));

	m->passing_escaped = at >= 0;
	if (at >= 0) {
		mend_begin_escaped(m);
		mend_unescape(m, str_from(buf_str(&m->line), (size_t)at));
	} else {
		mend_stack_end(m);
		emit_last(m, true);
		m->sink.out(m->sink.arg, m->line.p, m->line.len, m->number);
	}
	m->passing = true;
	buf_reset(&m->line);
}

static void pass_on(struct mend *m, const char *p, size_t n, bool end_of_line)
{
	if (!m->passing_escaped)
		m->sink.out(m->sink.arg, p, n, m->number);
	else if (m->escaped)
		mend_unescape(m, str_n(p, n));
	if (!end_of_line)
		return;
	if (m->passing_escaped)
		mend_unescape_end(m);
	else
		m->sink.out(m->sink.arg, "\n", 1, m->number);
	m->passing = false;
	m->number++;
}

static void take_lines(struct mend *m, const char *p, size_t n)
{
	const char *end = p + n;
	bool special = has_special(p, n);

	while (p < end) {
		const char *nl;
		size_t len;

		if (!special && is_clean_state(m)) {
			uint32_t lines = 0;
			size_t run = clean_run(m, p, end, &lines);

			if (run) {
				emit_last(m, true);
				m->sink.out(m->sink.arg, p, run, m->number);
				m->number += lines;
				p += run;
				continue;
			}
		}
		nl = memchr(p, '\n', (size_t)(end - p));
		len = (size_t)((nl ? nl : end) - p);
		if (m->passing) {
			pass_on(m, p, len, nl != NULL);
		} else if (nl && m->line.len == 0) {
			whole_line(m, str_n(p, len));
		} else {
			buf_add(&m->line, p, len);
			if (nl) {
				whole_line(m, buf_str(&m->line));
				buf_reset(&m->line);
			} else if (m->line.len > MEND_LINE_MAX) {
				long_line(m);
			}
		}
		p = nl ? nl + 1 : end;
	}
}

/* ---- encodings --------------------------------------------------------------------------------
 */
static void add_utf8(struct buf *b, uint32_t c)
{
	if (c < 0x80) {
		buf_addc(b, (char)c);
	} else if (c < 0x800) {
		buf_addc(b, (char)(0xc0 | c >> 6));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_addc(b, (char)(0xe0 | c >> 12));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_addc(b, (char)(0xf0 | c >> 18));
		buf_addc(b, (char)(0x80 | (c >> 12 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_addc(b, (char)(0x80 | (c & 0x3f)));
	}
}

static void add_utf16(struct mend *m, uint32_t unit)
{
	if (unit >= 0xdc00 && unit < 0xe000 && m->surrogate) {
		add_utf8(&m->utf8, 0x10000 + ((m->surrogate - 0xd800) << 10) + (unit - 0xdc00));
		m->surrogate = 0;
		return;
	}
	if (m->surrogate)
		add_utf8(&m->utf8, 0xfffd);
	m->surrogate = unit >= 0xd800 && unit < 0xdc00 ? unit : 0;
	if (!m->surrogate)
		add_utf8(&m->utf8, unit >= 0xdc00 && unit < 0xe000 ? 0xfffd : unit);
}

static void take_utf16(struct mend *m, const char *p, size_t n)
{
	bool little = m->encoding == MEND_UTF16LE;

	buf_reset(&m->utf8);
	for (size_t i = 0; i < n; i++) {
		m->odd[m->odd_len++] = p[i];
		if (m->odd_len == 2) {
			uint32_t a = (unsigned char)m->odd[0], b = (unsigned char)m->odd[1];

			add_utf16(m, little ? a | b << 8 : a << 8 | b);
			m->odd_len = 0;
		}
		if (m->utf8.len >= 65536) {
			take_lines(m, m->utf8.p, m->utf8.len);
			buf_reset(&m->utf8);
		}
	}
	take_lines(m, m->utf8.p, m->utf8.len);
}

static void take_encoded(struct mend *m, const char *p, size_t n)
{
	if (n == 0)
		return;
	if (m->encoding == MEND_BYTES)
		take_lines(m, p, n);
	else if (m->encoding == MEND_BINARY)
		m->sink.out(m->sink.arg, p, n, 1);
	else
		take_utf16(m, p, n);
}

static bool is_control(char c)
{
	return (unsigned char)c < 0x20 && !strchr("\t\n\r\f\x1b", c);
}

/* From the first bytes; *skip is the length of a byte order mark. */
static enum mend_encoding decide(const char *p, size_t n, size_t *skip)
{
	*skip = 0;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		*skip = 3;
		return MEND_BYTES;
	}
	if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
		*skip = 2;
		return p[0] == '\xff' ? MEND_UTF16LE : MEND_UTF16BE;
	}
	if (n >= 4 && p[0] && !p[1] && p[2] && !p[3])
		return MEND_UTF16LE;
	if (n >= 4 && !p[0] && p[1] && !p[2] && p[3])
		return MEND_UTF16BE;
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\0' || is_control(p[i]))
			return MEND_BINARY;
	}
	return MEND_BYTES;
}

static void decide_encoding(struct mend *m)
{
	size_t skip;

	m->encoding = decide(m->head, m->head_len, &skip);
	if (m->encoding == MEND_UTF16LE || m->encoding == MEND_UTF16BE)
		m->done |= MEND_UTF16;
	take_encoded(m, m->head + skip, m->head_len - skip);
}

/* Bytes that are not compressed (any more). */
static void feed_plain(void *arg, const char *p, size_t n)
{
	struct mend *m = arg;

	if (m->encoding == MEND_UNDECIDED) {
		size_t take = MIN(n, sizeof(m->head) - m->head_len);

		memcpy(m->head + m->head_len, p, take);
		m->head_len += take;
		p += take;
		n -= take;
		if (m->head_len < sizeof(m->head))
			return;
		decide_encoding(m);
	}
	take_encoded(m, p, n);
}

static void feed_gzip(struct mend *m, const char *p, size_t n)
{
	if (!m->gunzip_failed && gunzip_feed(m->gunzip, p, n, &m->gunzip_err) != 0)
		m->gunzip_failed = true;
}

static void begin_gzip(struct mend *m)
{
	char head[sizeof(m->head)];
	size_t n = m->head_len;

	memcpy(head, m->head, n);
	m->head_len = 0;
	m->done |= MEND_GZIP;
	m->gunzip = gunzip_new(MEND_GZIP_MAX, feed_plain, m);
	feed_gzip(m, head, n);
}

void mend_feed(struct mend *m, const char *p, size_t n)
{
	while (n && m->encoding == MEND_UNDECIDED && !m->gunzip) {
		m->head[m->head_len++] = *p++;
		n--;
		if (m->head_len == 2 && memcmp(m->head, "\x1f\x8b", 2) == 0)
			begin_gzip(m);
		else if (m->head_len == sizeof(m->head))
			decide_encoding(m);
	}
	if (m->gunzip)
		feed_gzip(m, p, n);
	else if (n)
		take_encoded(m, p, n);
}

int mend_finish(struct mend *m, struct err *err)
{
	if (m->gunzip && !m->gunzip_failed && gunzip_finish(m->gunzip, &m->gunzip_err) != 0)
		m->gunzip_failed = true;
	if (m->encoding == MEND_UNDECIDED)
		decide_encoding(m);
	m->unterminated = m->line.len > 0 || m->passing;
	if (m->passing)
		pass_on(m, "", 0, m->passing_escaped);
	else if (m->line.len)
		whole_line(m, buf_str(&m->line));
	mend_records_end(m);
	mend_prefix_end(m);
	mend_stack_end(m);
	emit_last(m, !m->unterminated);
	if (!m->gunzip_failed)
		return 0;
	return err_set(err, "%s", m->gunzip_err.msg);
}
