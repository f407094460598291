#include "json.h"

#include <math.h>

/* Length of the valid UTF-8 sequence at p (n bytes left), or 0. */
static size_t utf8_len(const unsigned char *p, size_t n)
{
	size_t len = p[0] < 0x80   ? 1
		     : p[0] < 0xc2 ? 0
		     : p[0] < 0xe0 ? 2
		     : p[0] < 0xf0 ? 3
		     : p[0] < 0xf5 ? 4
				   : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
		(p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

json_t *json_str(struct str s)
{
	json_t *j = json_stringn(s.p, s.len);
	struct buf b = BUF_INIT;

	if (j)
		return j;
	for (size_t i = 0, n; i < s.len; i += n) {
		n = utf8_len((const unsigned char *)s.p + i, s.len - i);
		if (n)
			buf_add(&b, s.p + i, n);
		else
			buf_adds(&b, "\xef\xbf\xbd");
		n = n ? n : 1;
	}
	j = json_stringn(b.p, b.len);
	buf_release(&b);
	return j;
}

json_t *json_num(double v)
{
	if (!isfinite(v))
		return json_null();
	if (v == floor(v) && fabs(v) < 9e15)
		return json_integer((json_int_t)v);
	return json_real(v);
}

static int append_cb(const char *p, size_t n, void *arg)
{
	buf_add(arg, p, n);
	return 0;
}

void json_write(const json_t *doc, struct buf *out)
{
	json_dump_callback(
		doc, append_cb, out, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

json_t *json_read(struct str text, struct err *err)
{
	json_error_t e;
	json_t *j = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &e);

	if (!j)
		err_set(err, "%d:%d: %s", e.line, e.column, e.text);
	return j;
}

struct str json_get_str(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_string(v) ? str_n(json_string_value(v), json_string_length(v)) : STR("");
}

double json_get_num(const json_t *object, const char *key)
{
	const json_t *v = json_object_get(object, key);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

bool json_get_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
