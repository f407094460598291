/*
 * What stands before every line: found where a header stands in the middle of its line, believed
 * when the next line has it too.  A prefix fits a line when they differ only in digits and in the
 * length of runs of digits: times, process ids, sequence numbers.
 */
#include "mend_internal.h"

#include <string.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Bytes of the line that the prefix takes, or -1. */
static ptrdiff_t match_prefix(const char *p, size_t n, struct str line)
{
	size_t i = 0, at = 0;

	while (i < n) {
		if (is_digit(p[i])) {
			if (at >= line.len || !is_digit(line.p[at]))
				return -1;
			while (i < n && is_digit(p[i]))
				i++;
			while (at < line.len && is_digit(line.p[at]))
				at++;
			/* A fraction of a second whose zeros are left out. */
			if (i + 1 < n && p[i] == '.' && is_digit(p[i + 1]) && at < line.len &&
				line.p[at] == p[i]) {
				continue;
			} else if (i + 1 < n && p[i] == '.' && is_digit(p[i + 1])) {
				for (i++; i < n && is_digit(p[i]);)
					i++;
			} else if (at + 1 < line.len && line.p[at] == '.' &&
				   is_digit(line.p[at + 1]) && i < n && p[i] != '.') {
				for (at++; at < line.len && is_digit(line.p[at]);)
					at++;
			}
		} else if (at < line.len && line.p[at] == p[i]) {
			i++;
			at++;
		} else {
			return -1;
		}
	}
	return (ptrdiff_t)at;
}

/* The line without the prefix; false when it has another one, or none. */
static bool strip(const struct mend_prefix *prefix, struct str line, struct str *body)
{
	size_t n = prefix->len;
	ptrdiff_t at = match_prefix(prefix->p, n, line);

	if (at >= 0) {
		*body = str_from(line, (size_t)at);
		return true;
	}
	/* An empty line may have lost the blanks at its end with them. */
	while (n && (prefix->p[n - 1] == ' ' || prefix->p[n - 1] == '\t'))
		n--;
	if (n == prefix->len || match_prefix(prefix->p, n, line) != (ptrdiff_t)line.len)
		return false;
	*body = str_n("", 0);
	return true;
}

/* What ends in a letter or a digit is a sentence, not a prefix. */
static bool can_end_prefix(char c)
{
	return !is_digit(c) && ((c | 0x20) < 'a' || (c | 0x20) > 'z');
}

/* Where a header begins in the line, or -1. */
static ptrdiff_t find_header(struct str line)
{
	static const struct str words[] = {STR_LIT("goroutine "), STR_LIT(" profile: total ")};
	size_t at = 0;
	ptrdiff_t found = str_find(line, words[1]);

	if (found > 0) {
		size_t start = (size_t)found;

		while (start > 0 && line.p[start - 1] != ' ' && line.p[start - 1] != '\t' &&
			line.p[start - 1] != '|' && line.p[start - 1] != '>')
			start--;
		return mend_is_profile(str_from(line, start)) ? (ptrdiff_t)start : -1;
	}
	while ((found = str_find(str_from(line, at), words[0])) >= 0) {
		at += (size_t)found;
		if (mend_is_header(str_trim(str_from(line, at))) &&
			(at == 0 || can_end_prefix(line.p[at - 1])))
			return (ptrdiff_t)at;
		at += words[0].len;
	}
	return -1;
}

static void go_on(struct mend *m, struct str line)
{
	/* rsyslog writes control characters in octal. */
	if (str_starts(line, STR("#011"))) {
		struct buf b = BUF_INIT;

		buf_addc(&b, '\t');
		buf_addstr(&b, str_from(line, 4));
		m->done |= MEND_PREFIXES;
		mend_stack(m, buf_str(&b), m->number);
		buf_release(&b);
		return;
	}
	mend_stack(m, line, m->number);
}

static void hold_candidate(struct mend *m, struct str line, size_t at)
{
	buf_reset(&m->candidate);
	buf_addstr(&m->candidate, line);
	m->candidate_at = at;
	m->candidate_line = m->number;
}

static void emit_candidate(struct mend *m, bool header)
{
	mend_stack(m, str_from(buf_str(&m->candidate), header ? m->candidate_at : 0),
		m->candidate_line);
	buf_reset(&m->candidate);
}

/* The longest front of the candidate's prefix that the line has too, a stack's line behind it. */
static bool find_prefix(const struct mend *m, struct str line, struct mend_prefix *found)
{
	struct str body;

	memcpy(found->p, m->candidate.p, m->candidate_at);
	for (found->len = m->candidate_at; found->len > 0; found->len--) {
		if (can_end_prefix(found->p[found->len - 1]) && strip(found, line, &body) &&
			mend_is_stack_line(body))
			return true;
	}
	return false;
}

/* The line after one with a header in the middle decides what the part before the header is. */
static void settle_candidate(struct mend *m, struct str line)
{
	struct mend_prefix found;
	struct str body;

	if (find_prefix(m, line, &found)) {
		m->prefix = found;
	} else if (strip(&m->prefix, line, &body) && mend_is_stack_line(body)) {
		/* of a log record with several lines, only the first has it */
	} else if (mend_is_stack_line(line)) {
		m->prefix.len = 0;
	} else {
		emit_candidate(m, false);
		return;
	}
	m->done |= MEND_PREFIXES;
	emit_candidate(m, true);
}

void mend_unprefix(struct mend *m, struct str line)
{
	struct str body;
	ptrdiff_t at;

	if (m->candidate.len)
		settle_candidate(m, line);
	at = find_header(line);
	if (str_starts(line, STR("panic: ")))
		m->panic_value = true;
	else if (line.len == 0)
		m->panic_value = false;
	/* Go indents what a panic's text has on further lines: it may quote a header. */
	if (at > 0 && m->panic_value && line.p[0] == '\t')
		at = -1;
	if (at == 0) {
		m->prefix.len = 0;
		go_on(m, line);
		return;
	}
	if (!strip(&m->prefix, line, &body)) {
		if (at > 0 && at < MEND_PREFIX_MAX)
			hold_candidate(m, line, (size_t)at);
		else if (line.len == 0 || mend_is_stack_line(line))
			go_on(m, line);
		else
			m->foreign++;
		return;
	}
	/* A header in the middle, behind what is known already: perhaps more of it is prefix. */
	if (at > 0 && at < MEND_PREFIX_MAX && (size_t)at > (size_t)(body.p - line.p))
		hold_candidate(m, line, (size_t)at);
	else
		go_on(m, body);
}

void mend_prefix_end(struct mend *m)
{
	if (m->candidate.len)
		emit_candidate(m, false);
}
