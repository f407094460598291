#include "silence.h"
#include "arena.h"
#include "map.h"
#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define MATCH_LIMIT 20000
#define DEPTH_LIMIT 1000
#define HEAP_KIB    1024

struct matcher {
	char *name;
	struct str value;
	bool negative;
	pcre2_code *re; /* NULL: text is compared */
};

struct entry {
	struct silence s;
	struct arena arena;
	struct matcher *m;
};

struct silence_set {
	struct entry **v;
	size_t n;
	pcre2_match_context *limits;
	pcre2_match_data *match;
};

/* ---- matchers -------------------------------------------------------------------------------- */

static bool is_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
			    (i && c >= '0' && c <= '9')))
			return false;
	}
	return s.len > 0;
}

/* What stands between the quotes, or the text as it is. */
static int read_value(struct str text, struct buf *out, struct err *err)
{
	if (text.len == 0 || text.p[0] != '"') {
		buf_addstr(out, text);
		return 0;
	}
	for (size_t i = 1; i < text.len; i++) {
		char c = text.p[i];

		if (c == '"' && i + 1 == text.len)
			return 0;
		if (c == '"')
			break;
		if (c == '\\' && ++i < text.len) {
			c = text.p[i];
			if (c == 'n')
				c = '\n';
			else if (c != '\\' && c != '"')
				buf_addc(out, '\\'); /* an escape of the regular expression */
		}
		buf_addc(out, c);
	}
	return err_set(err, "its value begins with a quote that is not closed at its end");
}

static int compile(struct matcher *m, struct err *err)
{
	struct buf whole = BUF_INIT;
	PCRE2_UCHAR why[128];
	PCRE2_SIZE at;
	int code;

	buf_adds(&whole, "^(?:");
	buf_addstr(&whole, m->value);
	buf_adds(&whole, ")$");
	m->re = pcre2_compile((PCRE2_SPTR)whole.p, whole.len,
		PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	buf_release(&whole);
	if (m->re)
		return 0;
	pcre2_get_error_message(code, why, sizeof(why));
	return err_set(err, "its regular expression is not accepted: %s", (char *)why);
}

/* Where the operator begins and ends. */
static bool find_operator(struct str text, size_t *at, size_t *end)
{
	for (size_t i = 0; i < text.len; i++) {
		bool two = i + 1 < text.len;

		if (text.p[i] != '=' && text.p[i] != '!')
			continue;
		*at = i;
		if (text.p[i] == '!')
			*end = i + 2;
		else
			*end = i + (two && text.p[i + 1] == '~' ? 2 : 1);
		return text.p[i] == '=' || (two && strchr("=~", text.p[i + 1]) != NULL);
	}
	return false;
}

static int read_matcher(
	struct entry *e, struct str given, struct matcher *m, struct str *normal, struct err *err)
{
	struct buf value = BUF_INIT, text = BUF_INIT;
	struct str trimmed = str_trim(given), name;
	size_t at, end;
	int rc;

	if (given.len > SILENCE_MATCHER_MAX)
		return err_set(err, "it is longer than %d bytes", SILENCE_MATCHER_MAX);
	if (!find_operator(trimmed, &at, &end))
		return err_set(err, "it has none of = != =~ !~");
	name = str_trim(str_sub(trimmed, 0, at));
	if (!is_name(name))
		return err_set(err, "what stands before the %.*s is no label name", (int)(end - at),
			trimmed.p + at);
	rc = read_value(str_trim(str_from(trimmed, end)), &value, err);
	m->name = arena_printf(&e->arena, "%.*s", STR_ARG(name));
	m->value = arena_str(&e->arena, buf_str(&value));
	m->negative = trimmed.p[at] == '!';
	if (rc == 0 && trimmed.p[end - 1] == '~')
		rc = compile(m, err);
	buf_addf(&text, "%s%.*s\"", m->name, (int)(end - at), trimmed.p + at);
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] == '\n')
			buf_adds(&text, "\\n");
		else
			buf_addf(&text, "%s%c", strchr("\\\"", value.p[i]) ? "\\" : "", value.p[i]);
	}
	buf_addc(&text, '"');
	*normal = arena_str(&e->arena, buf_str(&text));
	buf_release(&value);
	buf_release(&text);
	return rc;
}

static bool fits(const struct silence_set *s, const struct matcher *m, struct str value)
{
	bool same;

	if (m->re)
		same = pcre2_match(m->re, (PCRE2_SPTR)(value.len ? value.p : ""), value.len, 0, 0,
			       s->match, s->limits) > 0;
	else
		same = str_eq(value, m->value);
	return same != m->negative;
}

/* ---- the set --------------------------------------------------------------------------------- */

static void free_entry(struct entry *e)
{
	for (size_t i = 0; e->m && i < e->s.nmatchers; i++)
		pcre2_code_free(e->m[i].re);
	arena_release(&e->arena);
	free(e);
}

struct silence_set *silence_set_new(void)
{
	struct silence_set *s = xcalloc(1, sizeof(*s));

	s->limits = pcre2_match_context_create(NULL);
	s->match = pcre2_match_data_create(1, NULL);
	if (!s->limits || !s->match)
		abort(); /* only for want of memory */
	pcre2_set_match_limit(s->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(s->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(s->limits, HEAP_KIB);
	return s;
}

void silence_set_free(struct silence_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		free_entry(s->v[i]);
	free(s->v);
	pcre2_match_data_free(s->match);
	pcre2_match_context_free(s->limits);
	free(s);
}

static void drop_over(struct silence_set *s, int64_t now_ms)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i]->s.ends_ms <= now_ms)
			free_entry(s->v[i]);
		else
			s->v[n++] = s->v[i];
	}
	s->n = n;
}

static int read_matchers(
	struct silence_set *s, struct entry *e, const struct silence *spec, struct err *err)
{
	bool narrow = false;

	if (spec->nmatchers == 0 || spec->nmatchers > SILENCE_MATCHERS_MAX)
		return err_set(err, "a silence has 1 to %d matchers", SILENCE_MATCHERS_MAX);
	e->m = arena_calloc(&e->arena, spec->nmatchers, sizeof(*e->m));
	e->s.matchers = arena_calloc(&e->arena, spec->nmatchers, sizeof(*e->s.matchers));
	for (size_t i = 0; i < spec->nmatchers; i++) {
		e->s.nmatchers = i + 1;
		if (read_matcher(e, spec->matchers[i], &e->m[i], &e->s.matchers[i], err))
			return err_wrap(err, "matcher %zu (%.*s)", i + 1,
				(int)MIN(spec->matchers[i].len, (size_t)80), spec->matchers[i].p);
		narrow = narrow || !fits(s, &e->m[i], STR(""));
	}
	return narrow ? 0
		      : err_set(err, "it would silence every alert: at least one matcher must ask "
				     "for a label that is there");
}

static void make_id(struct silence_set *s, struct entry *e, int64_t now_ms)
{
	uint64_t h = (uint64_t)now_ms;

	for (size_t i = 0; i < e->s.nmatchers; i++)
		h = hash64(e->s.matchers[i].p, e->s.matchers[i].len, h);
	snprintf(e->s.id, sizeof(e->s.id), "%016" PRIx64, hash64(&s->n, sizeof(s->n), h));
}

const struct silence *silence_add(
	struct silence_set *s, const struct silence *spec, int64_t now_ms, struct err *err)
{
	struct entry *e;

	drop_over(s, now_ms);
	if (s->n >= SILENCES_MAX) {
		err_set(err, "there are %d silences already", SILENCES_MAX);
		return NULL;
	}
	if (spec->ends_ms <= MAX(spec->starts_ms, now_ms)) {
		err_set(err, "its end is not in the future");
		return NULL;
	}
	if (spec->comment.len > SILENCE_COMMENT_MAX) {
		err_set(err, "its comment is longer than %d bytes", SILENCE_COMMENT_MAX);
		return NULL;
	}
	e = xcalloc(1, sizeof(*e));
	e->s = *spec;
	e->s.nmatchers = 0;
	e->s.comment = arena_str(&e->arena, spec->comment);
	if (read_matchers(s, e, spec, err)) {
		free_entry(e);
		return NULL;
	}
	if (!e->s.id[0])
		make_id(s, e, now_ms);
	s->v = xrealloc(s->v, s->n + 1, sizeof(*s->v));
	s->v[s->n++] = e;
	return &e->s;
}

const struct silence *silence_expire(
	struct silence_set *s, struct str id, int64_t now_ms, struct err *err)
{
	struct entry *found = NULL;
	size_t n = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i]->s.ends_ms > now_ms && id.len &&
			str_starts(str_of(s->v[i]->s.id), id)) {
			found = s->v[i];
			n++;
		}
	}
	if (n != 1) {
		err_set(err,
			n ? "more than one silence begins with '%.*s'"
			  : "no silence that holds is '%.*s'",
			(int)MIN(id.len, (size_t)40), id.p);
		return NULL;
	}
	found->s.ends_ms = now_ms;
	return &found->s;
}

const struct silence *silence_match(
	const struct silence_set *s, const struct alert_labels *labels, int64_t now_ms)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct entry *e = s->v[i];
		bool all = e->s.starts_ms <= now_ms && now_ms < e->s.ends_ms;

		for (size_t k = 0; all && k < e->s.nmatchers; k++)
			all = fits(s, &e->m[k], alert_labels_get(labels, e->m[k].name));
		if (all)
			return &e->s;
	}
	return NULL;
}
