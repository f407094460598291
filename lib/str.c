#include "str.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

int str_cmp(struct str a, struct str b)
{
	size_t n = MIN(a.len, b.len);
	int c = n ? memcmp(a.p, b.p, n) : 0;

	if (c)
		return c;
	return (a.len > b.len) - (a.len < b.len);
}

ptrdiff_t str_chr(struct str s, char c)
{
	const char *p = s.len ? memchr(s.p, c, s.len) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t str_rchr(struct str s, char c)
{
	const char *p = s.len ? memrchr(s.p, c, s.len) : NULL;

	return p ? p - s.p : -1;
}

ptrdiff_t str_find(struct str s, struct str needle)
{
	const char *p;

	if (needle.len == 0)
		return 0;
	p = s.len ? memmem(s.p, s.len, needle.p, needle.len) : NULL;
	return p ? p - s.p : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
	while (s.len && is_blank(s.p[0]))
		s = str_from(s, 1);
	while (s.len && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

bool str_line(struct str *rest, struct str *line)
{
	ptrdiff_t n;

	if (rest->len == 0)
		return false;
	n = str_chr(*rest, '\n');
	if (n < 0) {
		*line = *rest;
		*rest = str_from(*rest, rest->len);
	} else {
		*line = str_sub(*rest, 0, (size_t)n);
		*rest = str_from(*rest, (size_t)n + 1);
	}
	return true;
}

bool str_u64(struct str s, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned d = (unsigned char)s.p[i] - '0';

		if (d > 9 || __builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, d, &v))
			return false;
	}
	*out = v;
	return true;
}

bool str_double(struct str s, double *out)
{
	char text[64], *end;
	double v;

	if (s.len == 0 || s.len >= sizeof(text) || is_blank(s.p[0]))
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	v = strtod(text, &end);
	if (end != text + s.len)
		return false;
	*out = v;
	return true;
}

char *str_dup(struct str s)
{
	return xmemdup0(s.p, s.len);
}
