#include "relabel.h"

#include "buf.h"
#include "xalloc.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <openssl/evp.h>
#include <pcre2.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MATCH_LIMIT 100000
#define DEPTH_LIMIT 1000
#define HEAP_KIB    1024

struct step {
	struct relabel_step s;
	pcre2_code *re;
};

struct relabel {
	struct arena arena;
	struct step *v;
	size_t n;
	pcre2_match_context *limits;
};

/* ---- sets ---- */

struct str relabel_get(const struct relabel_set *set, const char *key)
{
	for (size_t i = 0; i < set->n; i++) {
		if (str_is(set->v[i].key, key))
			return set->v[i].value;
	}
	return str_n("", 0);
}

void relabel_put(struct relabel_set *set, struct str key, struct str value)
{
	size_t i = 0;

	while (i < set->n && !str_eq(set->v[i].key, key))
		i++;
	if (value.len == 0) {
		if (i < set->n)
			set->v[i] = set->v[--set->n];
		return;
	}
	if (i == RELABEL_LABELS_MAX)
		return;
	set->v[i] = (struct label){.key = key, .value = value};
	set->n = MAX(set->n, i + 1);
}

/* ---- making ---- */

static int compile(struct step *step, size_t number, struct err *err)
{
	PCRE2_UCHAR why[128];
	PCRE2_SIZE at = 0;
	int code = 0;

	step->re = pcre2_compile((PCRE2_SPTR)step->s.regex.p, step->s.regex.len,
		PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C | PCRE2_ANCHORED |
			PCRE2_ENDANCHORED | PCRE2_DOTALL,
		&code, &at, NULL);
	if (step->re)
		return 0;
	pcre2_get_error_message(code, why, sizeof(why));
	return err_set(err, "step %zu: regular expression \"%.*s\": %s, at character %zu",
		number + 1, STR_ARG(step->s.regex), (const char *)why, (size_t)at + 1);
}

static struct relabel_step copy_step(struct arena *a, const struct relabel_step *s)
{
	struct relabel_step out = *s;
	struct str *source = arena_calloc(a, s->nsource + 1, sizeof(*source));

	for (size_t i = 0; i < s->nsource; i++)
		source[i] = arena_str(a, s->source[i]);
	out.source = source;
	out.separator = arena_str(a, s->separator);
	out.regex = arena_str(a, s->regex);
	out.target = arena_str(a, s->target);
	out.replacement = arena_str(a, s->replacement);
	return out;
}

struct relabel *relabel_new(const struct relabel_step *v, size_t n, struct err *err)
{
	struct relabel *r = xcalloc(1, sizeof(*r));

	r->arena = (struct arena)ARENA_INIT;
	r->v = xcalloc(n + 1, sizeof(*r->v));
	r->limits = pcre2_match_context_create(NULL);
	if (!r->limits)
		abort(); /* only for want of memory */
	pcre2_set_match_limit(r->limits, MATCH_LIMIT);
	pcre2_set_depth_limit(r->limits, DEPTH_LIMIT);
	pcre2_set_heap_limit(r->limits, HEAP_KIB);
	for (size_t i = 0; i < n; i++) {
		r->v[i].s = copy_step(&r->arena, &v[i]);
		r->n = i + 1;
		if (compile(&r->v[i], i, err)) {
			relabel_free(r);
			return NULL;
		}
	}
	return r;
}

void relabel_free(struct relabel *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		pcre2_code_free(r->v[i].re);
	pcre2_match_context_free(r->limits);
	free(r->v);
	arena_release(&r->arena);
	free(r);
}

/* ---- applying ---- */

/* One value against one step; the groups stay for expand. */
struct match {
	const struct step *step;
	struct str value;
	pcre2_match_data *data;
	int groups; /* 0: no match */
};

static void match_step(
	const struct relabel *r, const struct step *step, struct str value, struct match *m)
{
	int got;

	*m = (struct match){.step = step,
		.value = value,
		.data = pcre2_match_data_create_from_pattern(step->re, NULL)};
	if (!m->data)
		abort(); /* only for want of memory */
	got = pcre2_match(step->re, (PCRE2_SPTR)value.p, value.len, 0, 0, m->data, r->limits);
	m->groups = MAX(got, 0);
}

static void add_group(const struct match *m, uint64_t n, struct buf *out)
{
	const PCRE2_SIZE *at = pcre2_get_ovector_pointer(m->data);

	if (n < (uint64_t)m->groups && at[2 * n] != PCRE2_UNSET)
		buf_add(out, m->value.p + at[2 * n], at[2 * n + 1] - at[2 * n]);
}

static void add_reference(const struct match *m, struct str name, struct buf *out)
{
	uint64_t n;
	char *text;
	int number;

	if (str_u64(name, &n)) {
		add_group(m, n, out);
		return;
	}
	text = str_dup(name);
	number = pcre2_substring_number_from_name(m->step->re, (PCRE2_SPTR)text);
	free(text);
	if (number > 0)
		add_group(m, (uint64_t)number, out);
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

/* As Go's regexp.Expand: the name behind $ is as long as can be; one that is no group is nothing.
 */
static struct str expand(const struct match *m, struct str text, struct arena *a)
{
	struct buf out = BUF_INIT;
	struct str result;
	size_t i = 0;

	while (i < text.len) {
		size_t from = i + 1, to;
		bool braces;

		if (text.p[i] != '$' || from == text.len) {
			buf_addc(&out, text.p[i++]);
			continue;
		}
		if (text.p[from] == '$') {
			buf_addc(&out, '$');
			i += 2;
			continue;
		}
		braces = text.p[from] == '{';
		from += braces;
		for (to = from; to < text.len && is_word(text.p[to]);)
			to++;
		if (to == from || (braces && (to == text.len || text.p[to] != '}'))) {
			buf_addc(&out, text.p[i++]); /* no reference: as it stands */
			continue;
		}
		add_reference(m, str_sub(text, from, to), &out);
		i = to + braces;
	}
	result = arena_str(a, str_sub(buf_str(&out), 0, RELABEL_VALUE_MAX));
	buf_release(&out);
	return result;
}

static struct str joined(const struct step *step, const struct relabel_set *set, struct arena *a)
{
	struct buf out = BUF_INIT;
	struct str value;

	for (size_t i = 0; i < step->s.nsource; i++) {
		if (i)
			buf_addstr(&out, step->s.separator);
		buf_addstr(&out, relabel_get(set, step->s.source[i].p));
	}
	value = arena_str(a, buf_str(&out));
	buf_release(&out);
	return value;
}

static bool is_label_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!is_word(s.p[i]) || (i == 0 && s.p[i] >= '0' && s.p[i] <= '9'))
			return false;
	}
	return s.len > 0;
}

static uint64_t md5_tail(struct str value)
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	uint64_t n = 0;

	/* Without MD5 (a FIPS mode) all values are one shard's: no target is lost. */
	if (EVP_Digest(value.p, value.len, digest, NULL, EVP_md5(), NULL) != 1)
		return 0;
	for (int i = 8; i < 16; i++)
		n = n << 8 | digest[i];
	return n;
}

static void map_labels(
	const struct relabel *r, const struct step *step, struct relabel_set *set, struct arena *a)
{
	struct relabel_set before = *set;
	struct match m;

	for (size_t i = 0; i < before.n; i++) {
		match_step(r, step, before.v[i].key, &m);
		if (m.groups) {
			struct str name = expand(&m, step->s.replacement, a);

			if (is_label_name(name))
				relabel_put(set, name, before.v[i].value);
		}
		pcre2_match_data_free(m.data);
	}
}

static bool apply_step(
	const struct relabel *r, const struct step *step, struct relabel_set *set, struct arena *a)
{
	struct match m;
	struct str target;
	bool keep = true;

	match_step(r, step, joined(step, set, a), &m);
	switch (step->s.action) {
	case RELABEL_KEEP:
		keep = m.groups > 0;
		break;
	case RELABEL_DROP:
		keep = m.groups == 0;
		break;
	case RELABEL_HASHMOD:
		relabel_put(set, step->s.target,
			str_of(arena_printf(a, "%" PRIu64,
				md5_tail(m.value) % MAX(step->s.modulus, (uint64_t)1))));
		break;
	case RELABEL_LABELMAP:
		map_labels(r, step, set, a);
		break;
	case RELABEL_REPLACE:
		if (!m.groups)
			break;
		target = expand(&m, step->s.target, a);
		if (is_label_name(target))
			relabel_put(set, target, expand(&m, step->s.replacement, a));
		break;
	}
	pcre2_match_data_free(m.data);
	return keep;
}

bool relabel_apply(const struct relabel *r, struct arena *a, struct relabel_set *set)
{
	for (size_t i = 0; i < r->n; i++) {
		if (!apply_step(r, &r->v[i], set, a))
			return false;
	}
	return true;
}
