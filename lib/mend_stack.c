/* By the grammar of a dump: wrapped lines, blank lines lost and added, lines of others inside. */
#include "mend_internal.h"

#include <string.h>

#define COUNT_JOINS_MAX 256 /* pieces of a wrapped "@" line: 1024 program counters */
#define BARE_NAME_MIN	60 /* a function name without its parenthesis is wrapped from there on */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static struct str no_end_blanks(struct str s)
{
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

static struct str no_front_blanks(struct str s)
{
	while (s.len && is_blank(s.p[0]))
		s = str_from(s, 1);
	return s;
}

/* ---- what a line is ---------------------------------------------------------------------------
 */
bool mend_begins_header(struct str s)
{
	static const struct str word = STR_LIT("goroutine ");
	size_t n = word.len;

	if (!str_starts(s, word))
		return false;
	while (n < s.len && is_digit(s.p[n]))
		n++;
	return n > word.len &&
	       (str_starts(str_from(s, n), STR(" [")) || str_starts(str_from(s, n), STR(" gp=0x")));
}

bool mend_is_header(struct str s)
{
	s = no_end_blanks(s);
	return s.len > 12 &&
	       (str_ends(s, STR("]:")) || (str_ends(s, STR("}:")) && str_chr(s, ']') > 0)) &&
	       mend_begins_header(s);
}

bool mend_is_profile(struct str s)
{
	static const struct str words = STR_LIT(" profile: total ");
	ptrdiff_t at = str_find(s, words);
	struct str number;
	uint64_t n;

	if (at < 1 || str_chr(str_sub(s, 0, (size_t)at), ' ') >= 0)
		return false;
	number = no_end_blanks(str_from(s, (size_t)at + words.len));
	return str_u64(number, &n);
}

/* "4 @ 0x43be36", or "4 @" alone. */
bool mend_is_count_head(struct str s)
{
	size_t n = 0;

	while (n < s.len && n < 12 && is_digit(s.p[n]))
		n++;
	if (n == 0 || !str_starts(str_from(s, n), STR(" @")))
		return false;
	s = no_end_blanks(str_from(s, n + 2));
	return s.len == 0 || str_starts(s, STR(" 0x"));
}

/* Only what a list of program counters consists of. */
static bool is_more_counters(struct str s)
{
	bool any = false;

	for (size_t i = 0; i < s.len; i++) {
		if (!is_hex_digit(s.p[i]) && s.p[i] != 'x' && s.p[i] != ' ')
			return false;
		any = any || s.p[i] != ' ';
	}
	return any;
}

/* The length of s without one word " +0x…", " fp=0x…" at its end, or s.len. */
static size_t cut_offset(struct str s)
{
	size_t i = s.len;

	while (i > 0 && is_hex_digit(s.p[i - 1]))
		i--;
	if (i == s.len || i < 4 || s.p[i - 1] != 'x' || s.p[i - 2] != '0')
		return s.len;
	i -= 2;
	if (s.p[i - 1] == '+')
		return s.p[i - 2] == ' ' ? i - 2 : s.len;
	if (s.p[i - 1] == '=' && i >= 4 && s.p[i - 4] == ' ')
		return i - 4;
	return s.len;
}

/* "<TAB>/x/y.go:12 +0x1d", with blanks in front or, of a source file, without them. */
bool mend_is_file(struct str s)
{
	static const char *const tails[] = {".go", ".s", ".c", ".cc", ".cpp", ".h", ">", "?"};
	struct str body = no_end_blanks(no_front_blanks(s));
	bool indented = s.len && is_blank(s.p[0]);
	size_t n;

	while ((n = cut_offset(body)) != body.len)
		body.len = n;
	n = body.len;
	while (n > 0 && is_digit(body.p[n - 1]))
		n--;
	if (n == body.len || n < 2 || body.p[n - 1] != ':')
		return indented && str_starts(body, STR("pc=0x"));
	body.len = n - 1;
	if (indented)
		return true;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		if (str_ends(body, str_of(tails[i])))
			return str_chr(body, ' ') < 0 || body.p[0] == '/';
	}
	return false;
}

/* The beginning of "main.f(0x1)" or "created by main.f": no blank before the parenthesis. */
static bool begins_function(struct str s)
{
	ptrdiff_t open, blank;

	if (s.len == 0 || is_blank(s.p[0]))
		return false;
	if (str_starts(s, STR("created by ")))
		return true;
	open = str_chr(s, '(');
	blank = str_chr(s, ' ');
	if (open < 0) /* cut before its parenthesis */
		return blank < 0 && s.len >= BARE_NAME_MIN && str_chr(s, '.') > 0 &&
		       !mend_is_file(s);
	return open > 0 && (blank < 0 || blank > open);
}

bool mend_is_function(struct str s)
{
	s = no_end_blanks(s);
	return begins_function(s) && (s.p[s.len - 1] == ')' || str_starts(s, STR("created by ")));
}

/* "<TAB>0x47e148<TAB>…": a frame of a profile whose "#" is gone. */
static bool is_bare_frame(struct str s)
{
	struct str body = no_front_blanks(s);

	return body.len < s.len && str_starts(body, STR("0x")) && body.len > 2 &&
	       is_hex_digit(body.p[2]);
}

/* "#<TAB>0x…" up to the line number, or to the PC when there is no more; labels up to the brace. */
bool mend_is_whole_frame(struct str s)
{
	struct str body = no_end_blanks(no_front_blanks(str_from(s, 1)));
	size_t n = body.len;

	if (str_starts(body, STR("labels: {")))
		return body.p[body.len - 1] == '}';
	while (n > 0 && is_digit(body.p[n - 1]))
		n--;
	if (n < body.len && n > 0 && body.p[n - 1] == ':')
		return true;
	return str_chr(body, ' ') < 0 && str_chr(body, '\t') < 0 && str_starts(body, STR("0x"));
}

static bool is_digits(struct str s)
{
	uint64_t n;

	return str_u64(s, &n);
}

bool mend_is_stack_line(struct str s)
{
	struct str body = no_front_blanks(s);

	return mend_is_function(s) || mend_is_file(s) || mend_is_count_head(s) ||
	       (s.len > 2 && s.p[0] == '#' &&
		       str_starts(no_front_blanks(str_from(s, 1)), STR("0x"))) ||
	       str_starts(s, STR("# labels: {")) || is_bare_frame(s) || mend_is_header(s) ||
	       str_starts(body, STR("goroutine running on other thread")) ||
	       (begins_function(s) && s.len >= BARE_NAME_MIN);
}

/* ---- what is held back ------------------------------------------------------------------------
 */
static void emit_junk(struct mend *m)
{
	struct str rest = buf_str(&m->junk), line;

	while (str_line(&rest, &line))
		mend_emit(m, line, m->held_line);
	buf_reset(&m->junk);
	m->junk_lines = 0;
}

static void release_held(struct mend *m)
{
	if (m->kind != HELD_NOTHING)
		mend_emit(m, buf_str(&m->held), m->held_line);
	if (m->kind == HELD_FILE)
		mend_emit(m, buf_str(&m->file), m->file_line);
	emit_junk(m);
	m->kind = HELD_NOTHING;
}

static void hold(struct mend *m, enum mend_held kind, struct str line, uint32_t number)
{
	release_held(m);
	m->kind = kind;
	buf_reset(&m->held);
	buf_addstr(&m->held, line);
	m->held_line = number;
	m->joins = 0;
}

/* Words that a header, a creator's or a file's line may go on with. */
static const struct str next_words[] = {
	STR_LIT("minutes"),
	STR_LIT("locked"),
	STR_LIT("to "),
	STR_LIT("thread"),
	STR_LIT("receive"),
	STR_LIT("send"),
	STR_LIT("wait"),
	STR_LIT("bubble"),
	STR_LIT("cases)"),
	STR_LIT("chan)"),
	STR_LIT("(nil"),
	STR_LIT("(no"),
	STR_LIT("(leaked)"),
	STR_LIT("(scan)"),
	STR_LIT("(durable)"),
	STR_LIT("labels:{"),
	STR_LIT("in goroutine"),
	STR_LIT("goroutine "),
	STR_LIT("gp="),
	STR_LIT("m="),
	STR_LIT("mp="),
	STR_LIT("["),
	STR_LIT("{"),
	STR_LIT("+0x"),
	STR_LIT("fp="),
	STR_LIT("sp="),
	STR_LIT("pc="),
};

/* A wrap between words may have taken the blank between them. */
static bool wants_blank(struct str held, struct str more)
{
	char last = held.len ? held.p[held.len - 1] : ' ';

	if (more.len == 0 || is_blank(last) || is_blank(more.p[0]))
		return false;
	if (last == ',' || (last == ':' && mend_begins_header(held)) ||
		str_ends(held, STR(" in")) || str_ends(held, STR(" by")) ||
		str_ends(held, STR(" in goroutine")) || str_ends(held, STR(" to")))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(next_words); i++) {
		if (str_starts(more, next_words[i]) && (held.p[0] != '#' || more.p[0] == '+') &&
			(is_hex_digit(last) || mend_begins_header(held)))
			return true;
	}
	return str_starts(more, STR("0x")) && is_hex_digit(last);
}

static bool join(struct mend *m, struct buf *held, struct str more, unsigned most)
{
	if (m->joins >= most || held->len + more.len > MEND_LINE_MAX)
		return false;
	m->joins++;
	m->done |= MEND_WRAPS;
	if (wants_blank(buf_str(held), more))
		buf_addc(held, ' ');
	buf_addstr(held, more);
	return true;
}

static void keep_junk(struct mend *m, struct str line)
{
	if (m->junk_lines++ >= MEND_JUNK_MAX) {
		release_held(m);
		mend_emit(m, line, m->number);
		return;
	}
	m->done |= MEND_OTHERS;
	buf_addstr(&m->junk, line);
	buf_addc(&m->junk, '\n');
}

/* The file of the function that is held, or its beginning. */
static void hold_file(struct mend *m, struct str line, uint32_t number)
{
	m->kind = HELD_FILE;
	m->joins = 0;
	buf_reset(&m->file);
	buf_addstr(&m->file, line);
	m->file_line = number;
}

/* "/usr/local/go/src/net", or up to the offsets: no line number yet, or a cut word behind it. */
static bool is_path_begun(struct str body)
{
	return str_chr(body, '/') >= 0 &&
	       (str_chr(body, ' ') < 0 || str_find(body, STR(".go:")) > 0 ||
		       str_find(body, STR(".s:")) > 0);
}

/* Only what may follow where a line number or an offset was cut in two. */
static bool is_remainder(struct str line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (!is_hex_digit(line.p[i]) && !strchr("+x =ps", line.p[i]))
			return false;
	}
	return line.len > 0;
}

/* ---- a line after a held one: true when it belongs to it ------------------------------------ */
static bool continue_function(struct mend *m, struct str line, uint32_t number)
{
	struct str held = buf_str(&m->held);

	if (mend_is_file(line)) {
		if (!mend_is_function(held))
			return false;
		hold_file(m, line, number);
		return true;
	}
	if (!mend_is_function(held)) { /* wrapped inside its arguments or its name */
		if (!begins_function(line) || str_chr(held, '(') < 0)
			return join(m, &m->held, line, MEND_JOIN_MAX);
		return false;
	}
	if (str_starts(held, STR("created by ")) && !mend_is_function(line) &&
		!(line.len && is_blank(line.p[0])) && !begins_function(line) &&
		(str_ends(no_end_blanks(held), STR(" in")) || str_starts(line, STR("goroutine ")) ||
			(str_chr(line, ' ') < 0 && str_ends(line, STR(")")))))
		return join(m, &m->held, line, MEND_JOIN_MAX);
	if (line.len && (is_blank(line.p[0]) || line.p[0] == '/')) {
		struct str body = no_front_blanks(line);

		if (is_path_begun(body)) {
			hold_file(m, line, number);
			return true;
		}
	}
	if (mend_is_function(line) || line.len == 0)
		return false;
	keep_junk(m, line);
	return true;
}

static bool continue_file(struct mend *m, struct str line)
{
	struct buf whole = BUF_INIT;
	struct str held = buf_str(&m->file);
	bool done = mend_is_file(held), more;

	if (line.len == 0 || mend_is_function(line) || mend_begins_header(line) ||
		(done && !is_remainder(line)))
		return false;
	buf_addstr(&whole, held);
	if (wants_blank(held, line))
		buf_addc(&whole, ' ');
	buf_addstr(&whole, line);
	more = (!done || mend_is_file(buf_str(&whole))) && join(m, &m->file, line, MEND_JOIN_MAX);
	buf_release(&whole);
	return more;
}

/* "main.f+0x1d": ends in "+0x" and hex digits. */
static bool ends_in_offset(struct str s)
{
	size_t n = s.len;

	while (n > 0 && is_hex_digit(s.p[n - 1]))
		n--;
	return n < s.len && n > 3 && s.p[n - 1] == 'x' && s.p[n - 2] == '0' && s.p[n - 3] == '+';
}

/* "/src/a.go:38", with or without "#" before it; not the end of a word that was wrapped. */
static bool is_place(struct str s)
{
	size_t n = s.len;

	while (n > 0 && is_digit(s.p[n - 1]))
		n--;
	return n < s.len && n > 1 && s.p[n - 1] == ':' && str_chr(s, '\t') < 0 &&
	       (str_chr(s, ' ') < 0 || s.p[0] == '/');
}

/* Loggers of lines tear a frame's columns apart, and some listings give the file a line of its own.
 */
static bool continue_cells(struct mend *m, struct str line)
{
	struct str held = buf_str(&m->held), cell = no_end_blanks(line);
	bool hash = cell.len > 1 && cell.p[0] == '#' && is_blank(cell.p[1]), joins;

	cell = no_front_blanks(str_from(cell, hash));
	joins = ends_in_offset(held) ? is_place(cell)
				     : !hash && mend_is_whole_frame(held) && ends_in_offset(cell);
	if (!joins || held.len + cell.len > MEND_LINE_MAX)
		return false;
	buf_addc(&m->held, '\t');
	buf_addstr(&m->held, cell);
	m->done |= MEND_WRAPS;
	return true;
}

static bool continue_held(struct mend *m, struct str line, uint32_t number)
{
	switch (m->kind) {
	case HELD_NOTHING:
		return false;
	case HELD_HEADER:
		if (line.len == 0 || !join(m, &m->held, line, MEND_JOIN_MAX))
			return false;
		if (mend_is_header(buf_str(&m->held))) {
			release_held(m);
			m->record = MEND_GOROUTINE;
			m->after_header = true;
		}
		return true;
	case HELD_FUNCTION:
		return continue_function(m, line, number);
	case HELD_FILE:
		return continue_file(m, line);
	case HELD_COUNT:
		return is_more_counters(line) && join(m, &m->held, line, COUNT_JOINS_MAX);
	case HELD_FRAME:
		if (continue_cells(m, line))
			return true;
		if (line.len == 0 || line.p[0] == '#' || mend_is_count_head(line) ||
			is_bare_frame(line) ||
			(mend_is_whole_frame(buf_str(&m->held)) && !is_digits(line)))
			return false;
		return join(m, &m->held, line, MEND_JOIN_MAX);
	}
	return false;
}

/* ---- a line that begins something ------------------------------------------------------------ */
static void begin_header(struct mend *m, struct str line, uint32_t number)
{
	release_held(m);
	mend_emit(m, no_end_blanks(line), number);
	m->record = MEND_GOROUTINE;
	m->after_header = true;
	m->blank_after_header = false;
}

static void count_line(struct mend *m, struct str line, uint32_t number)
{
	struct buf hash = BUF_INIT;

	if (is_bare_frame(line)) {
		buf_addc(&hash, '#');
		buf_addstr(&hash, line);
		line = buf_str(&hash);
		m->done |= MEND_HASHES;
	}
	if (line.p[0] == '#') {
		hold(m, HELD_FRAME, no_end_blanks(line), number);
	} else {
		release_held(m);
		mend_emit(m, no_end_blanks(line), number);
	}
	buf_release(&hash);
}

static void goroutine_line(struct mend *m, struct str line, uint32_t number)
{
	if (begins_function(line)) {
		hold(m, HELD_FUNCTION, line, number);
	} else {
		release_held(m);
		mend_emit(m, line, number);
	}
}

static void blank_line(struct mend *m, uint32_t number)
{
	if (m->record == MEND_GOROUTINE && m->after_header) {
		m->blank_after_header = true; /* the next line tells what it means */
		return;
	}
	if (m->double_spaced && m->record == MEND_GOROUTINE)
		return;
	if (m->kind == HELD_FUNCTION && m->junk_lines) {
		keep_junk(m, STR(" "));
		return;
	}
	release_held(m);
	mend_emit(m, STR(""), number);
	m->record = MEND_NO_RECORD;
}

/* The line after a header: when a blank one stood between them, all lines are double-spaced. */
static void settle_blank(struct mend *m, struct str line, uint32_t number)
{
	m->after_header = false;
	if (!m->blank_after_header)
		return;
	m->blank_after_header = false;
	if (begins_function(line)) {
		m->double_spaced = true;
		m->done |= MEND_BLANKS;
	} else {
		mend_emit(m, STR(""), number);
		m->record = MEND_NO_RECORD;
	}
}

void mend_stack(struct mend *m, struct str line, uint32_t number)
{
	if (line.len == 0) {
		blank_line(m, number);
		return;
	}
	if (mend_is_header(line)) {
		if (m->blank_after_header)
			settle_blank(m, line, number);
		begin_header(m, line, number);
		return;
	}
	if (m->after_header)
		settle_blank(m, line, number);
	if (m->kind != HELD_NOTHING && continue_held(m, line, number))
		return;
	if (mend_is_profile(line)) {
		release_held(m);
		mend_emit(m, no_end_blanks(line), number);
		m->record = MEND_NO_RECORD;
	} else if (mend_is_count_head(line)) {
		hold(m, HELD_COUNT, line, number);
		m->record = MEND_COUNT;
	} else if (mend_begins_header(line)) {
		hold(m, HELD_HEADER, line, number);
	} else if (m->record == MEND_COUNT) {
		count_line(m, line, number);
	} else if (m->record == MEND_GOROUTINE) {
		goroutine_line(m, line, number);
	} else {
		release_held(m);
		mend_emit(m, line, number);
	}
}

void mend_stack_end(struct mend *m)
{
	release_held(m);
	if (m->blank_after_header)
		mend_emit(m, STR(""), m->number);
	m->blank_after_header = false;
}
