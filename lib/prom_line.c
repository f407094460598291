/* The grammar of a sample's line: names, label sets, numbers; and series selectors. */
#include "prom_internal.h"

#include <math.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_name_start(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

void prom_skip_blanks(struct cursor *c)
{
	while (c->p < c->end && is_blank(*c->p))
		c->p++;
}

struct str prom_take_name(struct cursor *c)
{
	const char *start = c->p;

	if (c->p < c->end && is_name_start(*c->p)) {
		while (c->p < c->end && (is_name_start(*c->p) || is_digit(*c->p)))
			c->p++;
	}
	return str_n(start, (size_t)(c->p - start));
}

static bool take_char(struct cursor *c, char wanted)
{
	if (c->p == c->end || *c->p != wanted)
		return false;
	c->p++;
	return true;
}

/* A quoted string; its escapes are \\, \" and \n, any other backslash stands for itself. */
static bool take_quoted(struct cursor *c, struct buf *text, struct str *out)
{
	const char *start = ++c->p;
	size_t at = text->len;
	bool escaped = false;

	while (c->p < c->end && *c->p != '"') {
		escaped |= *c->p == '\\';
		c->p += *c->p == '\\' ? 2 : 1;
	}
	if (c->p >= c->end)
		return false;
	*out = str_n(start, (size_t)(c->p++ - start));
	if (!escaped)
		return true;
	for (size_t i = 0; i < out->len; i++) {
		char e = out->p[i];

		if (e == '\\' && i + 1 < out->len && strchr("\\\"n", out->p[i + 1]) &&
			out->p[i + 1] != '\0') {
			i++;
			e = out->p[i] == 'n' ? '\n' : out->p[i];
		}
		buf_addc(text, e);
	}
	*out = str_n(text->p + at, text->len - at);
	return true;
}

const char *prom_take_labels(struct cursor *c, struct prom_labels *labels, struct str *name)
{
	labels->n = 0;
	buf_reset(&labels->text);
	/* Unescaped text is never longer than the line; reserved whole, so that slices hold. */
	buf_reserve(&labels->text, (size_t)(c->end - c->p));
	for (;;) {
		struct label l;

		prom_skip_blanks(c);
		if (take_char(c, '}'))
			return NULL;
		if (c->p < c->end && *c->p == '"') {
			if (!take_quoted(c, &labels->text, &l.key))
				return "a string without its closing quote";
		} else {
			l.key = prom_take_name(c);
			if (l.key.len == 0)
				return "not a label name";
		}
		prom_skip_blanks(c);
		if (take_char(c, '=')) {
			prom_skip_blanks(c);
			if (c->p == c->end || *c->p != '"')
				return "a label value that is not quoted";
			if (!take_quoted(c, &labels->text, &l.value))
				return "a string without its closing quote";
			if (labels->n == PROM_LABELS_MAX)
				return "more than 64 labels";
			labels->v[labels->n++] = l;
		} else if (name && name->len == 0 && labels->n == 0) {
			*name = l.key;
		} else {
			return "a label without a value";
		}
		prom_skip_blanks(c);
		if (!take_char(c, ',') && (c->p == c->end || *c->p != '}'))
			return "neither ',' nor '}' after a label";
	}
}

static struct str take_word(struct cursor *c)
{
	const char *start;

	prom_skip_blanks(c);
	for (start = c->p; c->p < c->end && !is_blank(*c->p);)
		c->p++;
	return str_n(start, (size_t)(c->p - start));
}

/* [+-]digits[.digits][e[+-]digits], Inf, Infinity and NaN in any case: no hexadecimal, no words. */
static bool is_number(struct str w)
{
	static const char *const words[] = {"inf", "infinity", "nan"};
	size_t i = 0, digits = 0;

	if (w.len && (w.p[0] == '+' || w.p[0] == '-'))
		w = str_from(w, 1);
	for (size_t k = 0; k < ARRAY_LEN(words); k++) {
		if (w.len == strlen(words[k]) && strncasecmp(w.p, words[k], w.len) == 0)
			return true;
	}
	for (; i < w.len && (is_digit(w.p[i]) || w.p[i] == '.'); i++)
		digits += w.p[i] != '.';
	if (digits == 0)
		return false;
	return i == w.len || w.p[i] == 'e' || w.p[i] == 'E';
}

static bool number(struct str w, double *out)
{
	/* Most values are small whole numbers, for which strtod is ten times the work. */
	if (w.len && w.len <= 15) {
		uint64_t n;

		if (str_u64(w, &n)) {
			*out = (double)n;
			return true;
		}
	}
	return is_number(w) && str_double(w, out);
}

/* "# {trace_id="x"} 1 1.5": checked, so that a line cut in half is not taken for a whole one. */
static const char *skip_exemplar(struct cursor *c)
{
	struct str w;
	double v;

	prom_skip_blanks(c);
	if (!take_char(c, '{'))
		return "an exemplar without labels";
	while (c->p < c->end && *c->p != '}') {
		if (*c->p++ != '"')
			continue;
		while (c->p < c->end && *c->p != '"')
			c->p += *c->p == '\\' && c->p + 1 < c->end ? 2 : 1;
		if (c->p < c->end)
			c->p++;
	}
	if (!take_char(c, '}'))
		return "an exemplar without its closing '}'";
	for (int i = 0; i < 2; i++) {
		w = take_word(c);
		if (w.len == 0 ? i == 0 : !number(w, &v))
			return "an exemplar whose value is no number";
	}
	return NULL;
}

const char *prom_take_values(struct cursor *c, double *value, double *time)
{
	struct str w = take_word(c);

	*time = NAN;
	if (!number(w, value))
		return "a value that is no number";
	w = take_word(c);
	if (w.len && w.p[0] != '#') {
		if (!number(w, time))
			return "a timestamp that is no number";
		w = take_word(c);
	}
	if (w.len) {
		const char *why;

		if (w.p[0] != '#')
			return "something after the timestamp";
		c->p = w.p + 1;
		why = skip_exemplar(c);
		if (why)
			return why;
	}
	prom_skip_blanks(c);
	return c->p == c->end ? NULL : "something after the value";
}

/* ---- selectors --------------------------------------------------------------------------------
 */

static int take_selector_label(struct cursor *c, struct prom_selector *out, struct err *err)
{
	struct str key = prom_take_name(c);
	const char *start;

	if (key.len == 0 || memchr(key.p, ':', key.len))
		return err_set(err, "a label name is letters, digits and '_', not \"%.*s\"",
			(int)MIN(c->end - c->p, 20), c->p);
	prom_skip_blanks(c);
	if (!take_char(c, '=') || (c->p < c->end && (*c->p == '~' || *c->p == '!')))
		return err_set(
			err, "only %.*s=\"value\" is read, no other comparison", STR_ARG(key));
	prom_skip_blanks(c);
	if (!take_char(c, '"'))
		return err_set(
			err, "the value of label %.*s is not in double quotes", STR_ARG(key));
	for (start = c->p; c->p < c->end && *c->p != '"'; c->p++) {
		if (*c->p == '\\')
			return err_set(err, "backslashes are not read in label values");
	}
	if (c->p == c->end)
		return err_set(err, "the value of label %.*s has no closing quote", STR_ARG(key));
	if (out->nlabels == ARRAY_LEN(out->labels))
		return err_set(err, "more than %zu labels", ARRAY_LEN(out->labels));
	out->labels[out->nlabels++] =
		(struct label){.key = key, .value = str_n(start, (size_t)(c->p - start))};
	c->p++;
	return 0;
}

int prom_selector_parse(struct str text, struct prom_selector *out, struct err *err)
{
	struct str s = str_trim(text);
	struct cursor c = {.p = s.p, .end = s.p + s.len};

	*out = (struct prom_selector){.name = prom_take_name(&c)};
	if (out->name.len == 0)
		return err_set(err,
			"a series is written name or name{label=\"value\"}, not \"%.*s\"",
			(int)MIN(s.len, (size_t)40), s.p);
	prom_skip_blanks(&c);
	if (take_char(&c, '{')) {
		for (;;) {
			prom_skip_blanks(&c);
			if (take_char(&c, '}'))
				break;
			if (take_selector_label(&c, out, err) < 0)
				return -1;
			prom_skip_blanks(&c);
			if (!take_char(&c, ',') && (c.p == c.end || *c.p != '}'))
				return err_set(err, "neither ',' nor '}' after label %.*s",
					STR_ARG(out->labels[out->nlabels - 1].key));
		}
	}
	if (c.p != c.end)
		return err_set(err, "\"%.*s\" after the series: only name{label=\"value\"} is read",
			(int)MIN(c.end - c.p, 40), c.p);
	return 0;
}

bool prom_selector_matches(const struct prom_selector *sel, const struct prom_sample *s)
{
	if (!str_eq(sel->name, s->name))
		return false;
	for (size_t i = 0; i < sel->nlabels; i++) {
		struct str value = STR(""); /* a label that is not there is empty */

		for (size_t k = 0; k < s->nlabels; k++) {
			if (str_eq(s->labels[k].key, sel->labels[i].key))
				value = s->labels[k].value;
		}
		if (!str_eq(value, sel->labels[i].value))
			return false;
	}
	return true;
}
