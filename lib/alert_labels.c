#include "alert_labels.h"
#include "json.h"
#include "map.h"
#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_TAIL 17 /* "~" and 16 hex digits */
#define ELLIPSIS  "\xe2\x80\xa6"

static void release_pair(struct label *p)
{
	free((char *)p->key.p);
	free((char *)p->value.p);
}

void alert_labels_release(struct alert_labels *l)
{
	for (size_t i = 0; i < l->n; i++)
		release_pair(&l->v[i]);
	free(l->v);
	*l = (struct alert_labels)ALERT_LABELS_INIT;
}

static struct str copy_of(struct str s)
{
	return str_n(xmemdup0(s.p, s.len), s.len);
}

void alert_labels_copy(struct alert_labels *to, const struct alert_labels *from)
{
	struct alert_labels copy = {.v = from->n ? xcalloc(from->n, sizeof(*copy.v)) : NULL};

	for (; copy.n < from->n; copy.n++) {
		copy.v[copy.n].key = copy_of(from->v[copy.n].key);
		copy.v[copy.n].value = copy_of(from->v[copy.n].value);
	}
	alert_labels_release(to);
	*to = copy;
}

/* Index of the first pair whose key is not before key. */
static size_t place_of(const struct alert_labels *l, struct str key)
{
	size_t i = 0;

	while (i < l->n && str_cmp(l->v[i].key, key) < 0)
		i++;
	return i;
}

bool alert_labels_has(const struct alert_labels *l, struct str key)
{
	size_t i = place_of(l, key);

	return i < l->n && str_eq(l->v[i].key, key);
}

struct str alert_labels_get(const struct alert_labels *l, const char *key)
{
	size_t i = place_of(l, str_of(key));

	return i < l->n && str_is(l->v[i].key, key) ? l->v[i].value : STR("");
}

/* Takes the value over. */
static bool set_pair(struct alert_labels *l, struct str key, struct buf *value)
{
	size_t i = place_of(l, key), len = value->len;

	if (i < l->n && str_eq(l->v[i].key, key)) {
		free((char *)l->v[i].value.p);
		l->v[i].value = str_n(buf_take(value), len);
		return true;
	}
	if (l->n == ALERT_LABELS_MAX) {
		buf_release(value);
		return false;
	}
	l->v = xrealloc(l->v, l->n + 1, sizeof(*l->v));
	memmove(&l->v[i + 1], &l->v[i], (l->n - i) * sizeof(*l->v));
	l->n++;
	l->v[i].key = copy_of(key);
	l->v[i].value = str_n(buf_take(value), len);
	return true;
}

static void clean_key(struct str key, struct buf *out)
{
	if (key.len == 0 || (key.p[0] >= '0' && key.p[0] <= '9'))
		buf_addc(out, '_');
	for (size_t i = 0; i < key.len && out->len < ALERT_LABEL_KEY_MAX; i++) {
		char c = key.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '_';

		buf_addc(out, plain ? c : '_');
	}
}

/* Cuts b to at most `max` bytes, between two UTF-8 sequences. */
static void cut(struct buf *b, size_t max)
{
	while (max > 0 && ((unsigned char)b->p[max] & 0xc0) == 0x80)
		max--;
	b->len = max;
	b->p[max] = '\0';
}

bool alert_labels_put(struct alert_labels *l, struct str key, struct str value)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	bool fits;

	clean_key(key, &name);
	/* What safe_add writes is never shorter than what it reads, so the rest cannot show. */
	safe_add(&text, str_sub(value, 0, ALERT_LABEL_MAX + 1));
	if (text.len > ALERT_LABEL_MAX) {
		cut(&text, ALERT_LABEL_MAX - HASH_TAIL);
		buf_addf(&text, "~%016" PRIx64, hash64(value.p, value.len, 0));
	}
	fits = set_pair(l, buf_str(&name), &text);
	buf_release(&name);
	return fits;
}

bool alert_labels_put_text(struct alert_labels *l, struct str key, struct str value)
{
	struct buf name = BUF_INIT, text = BUF_INIT;
	struct str rest = str_sub(value, 0, ALERT_ANNOTATION_MAX + 1);
	bool fits;

	clean_key(key, &name);
	for (size_t i = 0, from = 0; i <= rest.len; i++) {
		if (i < rest.len && rest.p[i] != '\n' && rest.p[i] != '\t')
			continue;
		safe_add(&text, str_sub(rest, from, i));
		if (i < rest.len)
			buf_addc(&text, rest.p[i]);
		from = i + 1;
	}
	if (text.len > ALERT_ANNOTATION_MAX) {
		cut(&text, ALERT_ANNOTATION_MAX - strlen(ELLIPSIS));
		buf_adds(&text, ELLIPSIS);
	}
	fits = set_pair(l, buf_str(&name), &text);
	buf_release(&name);
	return fits;
}

void alert_labels_remove(struct alert_labels *l, struct str key)
{
	size_t i = place_of(l, key);

	if (i == l->n || !str_eq(l->v[i].key, key))
		return;
	release_pair(&l->v[i]);
	l->n--;
	memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof(*l->v));
}

bool alert_labels_eq(const struct alert_labels *a, const struct alert_labels *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->v[i].key, b->v[i].key) || !str_eq(a->v[i].value, b->v[i].value))
			return false;
	}
	return true;
}

static void add_quoted(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '"' || s.p[i] == '\\')
			buf_addc(out, '\\');
		if (s.p[i] == '\n')
			buf_adds(out, "\\n");
		else
			buf_addc(out, s.p[i]);
	}
	buf_addc(out, '"');
}

void alert_labels_text(const struct alert_labels *l, struct buf *out)
{
	buf_addc(out, '{');
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			buf_addc(out, ',');
		buf_addstr(out, l->v[i].key);
		buf_addc(out, '=');
		add_quoted(out, l->v[i].value);
	}
	buf_addc(out, '}');
}

void alert_labels_json(const struct alert_labels *l, struct buf *out)
{
	json_t *o = json_object();

	for (size_t i = 0; i < l->n; i++)
		json_object_set_new(o, l->v[i].key.p, json_str(l->v[i].value));
	json_write(o, out);
	json_decref(o);
}

int alert_labels_read(struct alert_labels *l, struct str json, bool text, struct err *err)
{
	json_t *o = json_read(json, err), *value;
	const char *key;
	int rc = 0;

	alert_labels_release(l);
	if (!o)
		return -1;
	if (!json_is_object(o))
		rc = err_set(err, "labels are no JSON object");
	json_object_foreach(o, key, value)
	{
		struct str s = str_n(json_string_value(value), json_string_length(value));

		if (!json_is_string(value)) {
			rc = err_set(err, "a label's value is no string");
			break;
		}
		if (text)
			alert_labels_put_text(l, str_of(key), s);
		else
			alert_labels_put(l, str_of(key), s);
	}
	json_decref(o);
	if (rc)
		alert_labels_release(l);
	return rc;
}

/* The name between the braces at the beginning of s, and how long all of it is; 0: it is none. */
static size_t take_name(struct str s, struct str *name)
{
	ptrdiff_t end;

	if (!str_starts(s, STR("{{")))
		return 0;
	end = str_find(s, STR("}}"));
	if (end < 0)
		return 0;
	*name = str_trim(str_sub(s, 2, (size_t)end));
	return (size_t)end + 2;
}

void alert_labels_expand(struct str text, const struct alert_labels *first,
	const struct alert_labels *second, struct buf *out)
{
	char key[ALERT_LABEL_KEY_MAX + 1];
	struct str name;
	size_t n;

	for (size_t i = 0; i < text.len; i += n) {
		n = take_name(str_from(text, i), &name);
		if (n && name.len <= ALERT_LABEL_KEY_MAX &&
			(alert_labels_has(first, name) || alert_labels_has(second, name))) {
			snprintf(key, sizeof(key), "%.*s", STR_ARG(name));
			buf_addstr(
				out, alert_labels_get(
					     alert_labels_has(first, name) ? first : second, key));
			continue;
		}
		n = 1;
		buf_addc(out, text.p[i]);
	}
}
