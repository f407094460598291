#include "classify.h"

#include "map.h"
#include "xalloc.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A pattern ready to be compared. */
struct test {
	struct str text; /* names in normal form, as those they are compared with */
	uint32_t line; /* of a file's pattern "path:line"; 0 = any */
	pcre2_code *re; /* NULL: text is compared */
};

struct test_list {
	struct test *v;
	size_t n;
};

struct label_test {
	struct str key;
	struct test_list values;
};

struct condition {
	struct test_list mentions, entry, top, file;
	unsigned waits;
	struct label_test *labels;
	size_t nlabels;
	struct condition *not_match;
};

struct classifier {
	const struct rule *rules;
	struct condition *conditions; /* of the rule with the same index */
	size_t n;
	struct arena arena;
	pcre2_code **codes;
	size_t ncodes;
	pcre2_match_context *limits;
	pcre2_match_data *match;
	uint64_t *gave_up; /* behind a pointer: matching is const but for this count */
};

/* ---- making -----------------------------------------------------------------------------------
 */
static pcre2_code *compile_regex(struct classifier *c, const struct pattern *p, struct err *err)
{
	PCRE2_SIZE at = 0;
	int code = 0;
	PCRE2_UCHAR why[128];
	pcre2_code *re;

	if (p->text.len > CLASSIFY_REGEX_MAX) {
		err_set(err, "%u:%u: a regular expression of %zu bytes; at most %d are read",
			p->line, p->column, p->text.len, CLASSIFY_REGEX_MAX);
		return NULL;
	}
	re = pcre2_compile((PCRE2_SPTR)p->text.p, p->text.len,
		PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &code, &at, NULL);
	if (!re) {
		pcre2_get_error_message(code, why, sizeof(why));
		err_set(err, "%u:%u: regular expression \"%.*s\": %s, at character %zu", p->line,
			p->column, STR_ARG(p->text), (const char *)why, (size_t)at + 1);
		return NULL;
	}
	c->codes = xrealloc(c->codes, c->ncodes + 1, sizeof(*c->codes));
	c->codes[c->ncodes++] = re;
	return re;
}

enum pattern_kind { FUNCTION, FILE_SUFFIX, LABEL };

static void make_text(
	struct classifier *c, const struct pattern *p, enum pattern_kind kind, struct test *to)
{
	ptrdiff_t colon = str_rchr(p->text, ':');
	uint64_t line;

	to->text = kind == FUNCTION ? stack_name(&c->arena, p->text) : p->text;
	if (kind != FILE_SUFFIX || colon < 0 ||
		!str_u64(str_from(p->text, (size_t)colon + 1), &line) || line > UINT32_MAX)
		return;
	to->text = str_sub(p->text, 0, (size_t)colon);
	to->line = (uint32_t)line;
}

static int make_list(struct classifier *c, const struct pattern_list *from, enum pattern_kind kind,
	struct test_list *to, struct err *err)
{
	to->v = arena_calloc(&c->arena, from->n + 1, sizeof(*to->v));
	to->n = from->n;
	for (size_t i = 0; i < from->n; i++) {
		if (!from->v[i].regex)
			make_text(c, &from->v[i], kind, &to->v[i]);
		else if (!(to->v[i].re = compile_regex(c, &from->v[i], err)))
			return -1;
	}
	return 0;
}

static int make_condition(
	struct classifier *c, const struct match *m, struct condition *to, struct err *err)
{
	if (make_list(c, &m->mentions, FUNCTION, &to->mentions, err) != 0 ||
		make_list(c, &m->entry, FUNCTION, &to->entry, err) != 0 ||
		make_list(c, &m->top, FUNCTION, &to->top, err) != 0 ||
		make_list(c, &m->file, FILE_SUFFIX, &to->file, err) != 0)
		return -1;
	to->waits = m->waits;
	to->labels = arena_calloc(&c->arena, m->nlabels + 1, sizeof(*to->labels));
	to->nlabels = m->nlabels;
	for (size_t i = 0; i < m->nlabels; i++) {
		to->labels[i].key = m->labels[i].key;
		if (make_list(c, &m->labels[i].values, LABEL, &to->labels[i].values, err) != 0)
			return -1;
	}
	if (!m->not_match)
		return 0;
	to->not_match = arena_calloc(&c->arena, 1, sizeof(*to->not_match));
	return make_condition(c, m->not_match, to->not_match, err);
}

struct classifier *classifier_new(const struct rule *rules, size_t n, struct err *err)
{
	struct classifier *c = xcalloc(1, sizeof(*c));

	c->rules = rules;
	c->n = n;
	c->conditions = xcalloc(n + 1, sizeof(*c->conditions));
	c->gave_up = xcalloc(1, sizeof(*c->gave_up));
	c->limits = pcre2_match_context_create(NULL);
	c->match = pcre2_match_data_create(1, NULL);
	if (!c->limits || !c->match) {
		err_set(err, "cannot prepare regular expressions: out of memory");
		classifier_free(c);
		return NULL;
	}
	pcre2_set_match_limit(c->limits, CLASSIFY_MATCH_LIMIT);
	pcre2_set_depth_limit(c->limits, CLASSIFY_DEPTH_LIMIT);
	pcre2_set_heap_limit(c->limits, CLASSIFY_HEAP_KIB);
	for (size_t i = 0; i < n; i++) {
		if (make_condition(c, &rules[i].match, &c->conditions[i], err) != 0) {
			classifier_free(c);
			return NULL;
		}
	}
	return c;
}

void classifier_free(struct classifier *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->ncodes; i++)
		pcre2_code_free(c->codes[i]);
	free(c->codes);
	pcre2_match_data_free(c->match);
	pcre2_match_context_free(c->limits);
	arena_release(&c->arena);
	free(c->conditions);
	free(c->gave_up);
	free(c);
}

/* ---- matching ---------------------------------------------------------------------------------
 */
static bool regex_holds(const struct classifier *c, const struct test *t, struct str s)
{
	int got = pcre2_match(t->re, (PCRE2_SPTR)s.p, s.len, 0, 0, c->match, c->limits);

	if (got < 0 && got != PCRE2_ERROR_NOMATCH)
		++*c->gave_up;
	return got >= 0;
}

static bool name_holds(const struct classifier *c, const struct test_list *l, struct str name)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct test *t = &l->v[i];

		if (t->re ? regex_holds(c, t, name) : str_starts(name, t->text))
			return true;
	}
	return false;
}

static bool mentions_hold(
	const struct classifier *c, const struct test_list *l, const struct stack *s)
{
	for (size_t i = 0; i < s->nframes; i++) {
		if (name_holds(c, l, s->frames[i].func))
			return true;
	}
	return false;
}

/* A regular expression sees "path:line". */
static bool file_holds(const struct classifier *c, const struct test_list *l, const struct frame *f)
{
	char location[CLASSIFY_LOCATION_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const struct test *t = &l->v[i];
		int n;

		if (!t->re) {
			if (str_ends(f->file, t->text) && (t->line == 0 || t->line == f->line))
				return true;
			continue;
		}
		n = snprintf(location, sizeof(location), "%.*s:%u", STR_ARG(f->file), f->line);
		if (n < (int)sizeof(location) && regex_holds(c, t, str_n(location, (size_t)n)))
			return true;
	}
	return false;
}

static bool files_hold(const struct classifier *c, const struct test_list *l, const struct stack *s)
{
	for (size_t i = 0; i < s->nframes; i++) {
		if (file_holds(c, l, &s->frames[i]))
			return true;
	}
	return false;
}

static bool label_holds(
	const struct classifier *c, const struct label_test *l, const struct stack *s)
{
	for (size_t i = 0; i < s->nlabels; i++) {
		if (!str_eq(s->labels[i].key, l->key))
			continue;
		for (size_t k = 0; k < l->values.n; k++) {
			const struct test *t = &l->values.v[k];

			if (t->re ? regex_holds(c, t, s->labels[i].value)
				  : str_eq(s->labels[i].value, t->text))
				return true;
		}
	}
	return false;
}

/* Whether all given keys hold (want), or none of them (!want). */
static bool keys_agree(
	const struct classifier *c, const struct condition *m, const struct stack *s, bool want)
{
	if (m->mentions.n > 0 && mentions_hold(c, &m->mentions, s) != want)
		return false;
	if (m->entry.n > 0 && name_holds(c, &m->entry, s->entry) != want)
		return false;
	if (m->top.n > 0 && name_holds(c, &m->top, s->top) != want)
		return false;
	if (m->waits && ((m->waits >> s->wait & 1) != 0) != want)
		return false;
	if (m->file.n > 0 && files_hold(c, &m->file, s) != want)
		return false;
	for (size_t i = 0; i < m->nlabels; i++) {
		if (label_holds(c, &m->labels[i], s) != want)
			return false;
	}
	return !m->not_match || keys_agree(c, m->not_match, s, false) == want;
}

const struct rule *classifier_match(const struct classifier *c, const struct stack *s)
{
	/* Routine scrapes show nothing of it that a rule could match. */
	for (size_t i = 0; i < c->n && !s->unstarted; i++) {
		if (keys_agree(c, &c->conditions[i], s, true))
			return &c->rules[i];
	}
	return NULL;
}

struct str classifier_name(const struct classifier *c, const struct stack *s, struct arena *a,
	const struct rule **rule)
{
	const struct rule *r = classifier_match(c, s);

	if (rule)
		*rule = r;
	return r ? r->name : stack_class_name(a, s);
}

struct str classifier_split(
	const struct rule *rule, const struct stack *s, struct arena *a, bool other)
{
	struct str value, name;

	for (size_t i = 0; rule && rule->split_by.len && i < s->nlabels; i++) {
		if (!str_eq(s->labels[i].key, rule->split_by))
			continue;
		value = other ? STR("other") : s->labels[i].value;
		name = str_of(arena_printf(a, "%.*s{%.*s=%.*s}", STR_ARG(rule->name),
			STR_ARG(rule->split_by), STR_ARG(value)));
		if (name.len <= STACK_CLASS_NAME_MAX)
			return name;
		return str_of(arena_printf(a, "%.*s~%016llx", STACK_CLASS_NAME_MAX - 17, name.p,
			(unsigned long long)hash64(name.p, name.len, 0)));
	}
	return str_n("", 0);
}

bool classifier_is_of(const struct rule *rule, struct str class_name)
{
	struct str rest;

	if (!str_starts(class_name, rule->name))
		return false;
	rest = str_from(class_name, rule->name.len);
	if (rest.len == 0)
		return true;
	return rule->split_by.len && rest.p[0] == '{' &&
	       str_starts(str_from(rest, 1), rule->split_by) && rest.len > rule->split_by.len + 1 &&
	       rest.p[rule->split_by.len + 1] == '=';
}

uint64_t classifier_gave_up(const struct classifier *c)
{
	return *c->gave_up;
}
