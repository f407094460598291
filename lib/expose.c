#include "expose.h"

#include <math.h>
#include <string.h>

/* The length of the UTF-8 sequence that s begins with, or 0 when it is none (RFC 3629). */
static size_t utf8_length(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (n == 0 || n > s.len || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

static void add_value(struct buf *out, struct str s)
{
	while (s.len) {
		size_t n = utf8_length(s);

		if (n == 0)
			buf_adds(out, "\xef\xbf\xbd");
		else if (*s.p == '\\' || *s.p == '"')
			buf_addf(out, "\\%c", *s.p);
		else if (*s.p == '\n')
			buf_adds(out, "\\n");
		else
			buf_add(out, s.p, n);
		s = str_from(s, n ? n : 1);
	}
}

static void add_number(struct buf *out, double v)
{
	if (isnan(v))
		buf_adds(out, "NaN");
	else if (isinf(v))
		buf_adds(out, v > 0 ? "+Inf" : "-Inf");
	else if (fabs(v) < 1e15 && v == floor(v))
		buf_addf(out, "%.0f", v);
	else
		buf_addf(out, "%.10g", v);
}

void expose_family(struct buf *out, const char *name, enum expose_type type, const char *help)
{
	buf_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
		type == EXPOSE_COUNTER ? "counter" : "gauge");
}

void expose_sample(
	struct buf *out, const char *name, const struct label *labels, size_t n, double value)
{
	char before = '{';

	buf_adds(out, name);
	for (size_t i = 0; i < n; i++) {
		if (!labels[i].value.len)
			continue;
		buf_addf(out, "%c%.*s=\"", before, STR_ARG(labels[i].key));
		add_value(out, labels[i].value);
		buf_addc(out, '"');
		before = ',';
	}
	if (before == ',')
		buf_addc(out, '}');
	buf_addc(out, ' ');
	add_number(out, value);
	buf_addc(out, '\n');
}

void expose_one(
	struct buf *out, const char *name, enum expose_type type, const char *help, double value)
{
	expose_family(out, name, type, help);
	expose_sample(out, name, NULL, 0, value);
}
