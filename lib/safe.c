#include "safe.h"

/* Decodes the sequence at p (n > 0 bytes left); its length, or 0 when it is not valid UTF-8. */
static size_t decode(const unsigned char *p, size_t n, uint32_t *rune)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

	if (len == 0 || len > n || p[0] > 0xf4)
		return 0;
	*rune = len == 1 ? p[0] : p[0] & (0xff >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*rune = *rune << 6 | (p[i] & 0x3f);
	}
	if (*rune < smallest[len] || *rune > 0x10ffff || (*rune >= 0xd800 && *rune < 0xe000))
		return 0;
	return len;
}

/* Unicode's controls, format characters and separators that change what a reader sees. */
static bool is_harmful(uint32_t r)
{
	static const struct {
		uint32_t from, to;
	} ranges[] = {
		{0x00, 0x1f}, {0x7f, 0x9f}, {0xad, 0xad}, /* soft hyphen */
		{0x61c, 0x61c}, /* Arabic letter mark */
		{0x180e, 0x180e}, {0x200b, 0x200f}, /* zero width, direction marks */
		{0x2028, 0x202e}, /* separators, embeddings, overrides */
		{0x2060, 0x206f}, /* word joiner, isolates */
		{0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe0fff}, /* tags */
	};

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		if (r >= ranges[i].from && r <= ranges[i].to)
			return true;
	}
	return false;
}

/* One character of s at i, escaped when it must be: bytes used up. */
static size_t add_one(struct buf *out, struct str s, size_t i)
{
	uint32_t rune = 0;
	size_t n = decode((const unsigned char *)s.p + i, s.len - i, &rune);

	if (n == 0)
		buf_addf(out, "\\x%02x", (unsigned char)s.p[i]);
	else if (!is_harmful(rune))
		buf_add(out, s.p + i, n);
	else if (rune == '\n' || rune == '\t' || rune == '\r')
		buf_addf(out, "\\%c", rune == '\n' ? 'n' : rune == '\t' ? 't' : 'r');
	else if (rune < 0x100)
		buf_addf(out, "\\x%02x", (unsigned)rune);
	else
		buf_addf(out, "\\u%04x", (unsigned)rune);
	return n ? n : 1;
}

void safe_add(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len;)
		i += add_one(out, s, i);
}

/* Characters in the bytes from `from` on, which safe_add wrote. */
static size_t columns_from(const struct buf *b, size_t from)
{
	size_t n = 0;

	for (size_t i = from; i < b->len; i++)
		n += ((unsigned char)b->p[i] & 0xc0) != 0x80;
	return n;
}

size_t safe_add_cut(struct buf *out, struct str s, size_t columns)
{
	size_t used = 0, fits = out->len, fits_columns = 0;

	for (size_t i = 0; i < s.len;) {
		size_t before = out->len;

		i += add_one(out, s, i);
		used += columns_from(out, before);
		if (used + 1 <= columns) {
			fits = out->len;
			fits_columns = used;
		}
		if (used > columns)
			break;
	}
	if (used <= columns)
		return used;
	out->len = fits;
	if (columns == 0)
		return out->p[out->len] = '\0', 0;
	buf_adds(out, "\xe2\x80\xa6");
	return fits_columns + 1;
}
