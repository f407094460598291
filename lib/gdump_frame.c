#include "gdump_frame.h"
#include "gdump_scan.h"

#include <string.h>

/* " +0x1d", " fp=0x…", " sp=0x…", " pc=0x…" up to the end, nothing else. */
static bool are_offsets(const char *p, const char *end)
{
	while (p < end) {
		const char *word = p + 1;

		if (*p != ' ' || end - p < 4)
			return false;
		if (*word == '+')
			word += 1;
		else if (word[2] == '=' && (word[1] == 'p' || word[1] == 'c'))
			word += 3;
		else
			return false;
		for (p = word; p < end && *p != ' ';)
			p++;
		if (!gdump_is_hex(str_n(word, (size_t)(p - word))))
			return false;
	}
	return true;
}

/* It stands near the end in most lines: looked for there without a call. */
static const char *last_colon(const char *p, const char *end)
{
	for (int i = 0; i < 24 && end > p; i++) {
		if (*--end == ':')
			return end;
	}
	return end > p ? memrchr(p, ':', (size_t)(end - p)) : NULL;
}

bool gdump_parse_file(struct str line, bool bare, struct frame *f)
{
	const char *p = line.p, *end = p + line.len, *colon;

	while (p < end && (*p == '\t' || *p == ' '))
		p++;
	if (p == line.p && !bare)
		return false;
	/* A path may hold colons and blanks: the last colon is the one before the line number. */
	colon = last_colon(p, end);
	if (!colon) {
		f->file = str_n(p, 0);
		f->line = 0;
		return !bare && end - p > 3 && memcmp(p, "pc=", 3) == 0 &&
		       gdump_is_hex(str_n(p + 3, (size_t)(end - p) - 3));
	}
	f->file = str_n(p, (size_t)(colon - p));
	p = gdump_line_number(colon + 1, end, &f->line);
	return f->file.len && p && are_offsets(p, end);
}

bool gdump_plain_frame(const char *p, const char *middle, const char *stop, struct frame *f)
{
	const char *q = stop - 2, *digit, *open; /* before the newline */
	uint32_t line = 0, unit = 1;

	if (middle - p < 5 || middle[-2] != ')' || stop - middle < 5 || stop[-1] != '\n' ||
		middle[0] != '\t' || middle[1] == '\t' || middle[1] == ' ' || *p == '\t' ||
		*p == ' ')
		return false;
	if (*p == 'c' && middle - p > 11 && memcmp(p, "created by ", 11) == 0)
		return false;
	/* From the end: the tab stops each of the loops. */
	while (gdump_is_hex_digit(*q))
		q--;
	if (*q == 'x' && q - middle > 5 && q < stop - 2 && memcmp(q - 3, " +0", 3) == 0)
		q -= 4;
	else
		q = stop - 2;
	for (digit = q; *q >= '0' && *q <= '9' && digit - q < 9; q--, unit *= 10)
		line += (uint32_t)(*q - '0') * unit;
	if (*q != ':' || q == digit || q - middle < 2)
		return false;
	open = memrchr(p, '(', (size_t)(middle - p) - 2);
	if (!open || open == p)
		return false;
	f->func = str_n(p, (size_t)(open - p));
	f->file = str_n(middle + 1, (size_t)(q - middle) - 1);
	f->line = line;
	f->runtime = false;
	return true;
}
