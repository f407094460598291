#include "config_internal.h"
#include "suggest.h"

#include <math.h>
#include <string.h>

#define KEYS_MAX 64 /* keys of one section */

static void *field_of(const struct key *k, void *object)
{
	return (char *)object + k->at;
}

/* Stores a list: every field of that kind is a pointer followed by its count. */
static void set_list(void *field, void *v, size_t n)
{
	memcpy(field, &v, sizeof(v));
	memcpy((char *)field + sizeof(v), &n, sizeof(n));
}

static const struct key *find_key(const struct section *s, struct str name)
{
	for (const struct key *k = s->keys; k->name; k++) {
		if (str_is(name, k->name))
			return k;
	}
	return NULL;
}

struct search {
	struct str name;
	const struct section *not_in, *found;
};

static void search_cb(void *arg, const struct section *s, const struct key *k)
{
	struct search *search = arg;

	if (!search->found && s != search->not_in && str_is(search->name, k->name))
		search->found = s;
}

static void tell_unknown(struct reader *r, const struct section *s, const struct node *n)
{
	struct search search = {.name = n->key, .not_in = s};
	const char *names[KEYS_MAX], *near;
	size_t count = 0;

	for (const struct key *k = s->keys; k->name && count < KEYS_MAX; k++)
		names[count++] = k->name;
	config_each_key(search_cb, &search);
	near = suggest(n->key, names, count);
	if (search.found && search.found != &config_root)
		config_error(r->errs, n->key_line, n->key_column,
			"unknown key \"%.*s\" in %s: it belongs in %s", STR_ARG(n->key), s->name,
			search.found->name);
	else if (near)
		config_error(r->errs, n->key_line, n->key_column,
			"unknown key \"%.*s\" in %s: did you mean \"%s\"?", STR_ARG(n->key),
			s->name, near);
	else
		config_error(r->errs, n->key_line, n->key_column, "unknown key \"%.*s\" in %s",
			STR_ARG(n->key), s->name);
}

/* A list's items; a single scalar where the grammar lets one stand for a list. */
static const struct node *items_of(const struct node *n, size_t *count)
{
	*count = n->kind == NODE_LIST ? n->n : 1;
	return n->kind == NODE_LIST ? n->first : n;
}

static bool expect_kind(
	struct reader *r, const struct key *k, const struct node *n, enum node_kind kind)
{
	if (n->kind == kind)
		return true;
	NODE_ERROR(r, n, "%s: must be %s, not %s", k->name,
		kind == NODE_MAP ? "a mapping" : "a list", node_kind_name(n));
	return false;
}

static void read_strs(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	struct str *v;
	size_t count = 0;

	if (!expect_kind(r, k, n, NODE_LIST))
		return;
	v = arena_calloc(r->a, n->n, sizeof(*v));
	for (const struct node *item = n->first; item; item = item->next)
		config_value(r, k, item, &v[count++]);
	set_list(field, v, count);
}

static bool label_value(struct reader *r, const struct node *n, struct str *out)
{
	static const struct key any = {.type = KEY_TEXT, .flags = KEY_EMPTY_OK};
	struct key k = any;

	k.name = n->key.p;
	return config_value(r, &k, n, out);
}

static void check_label_key(struct reader *r, const struct key *k, const struct node *n)
{
	if (!config_label_name_ok(n->key) && k->type == KEY_LABELS)
		config_error(r->errs, n->key_line, n->key_column,
			"%s: \"%.*s\" is no label name: letters, digits and _ only", k->name,
			STR_ARG(n->key));
}

static void read_labels(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	struct label *v;
	size_t count = 0;

	if (!expect_kind(r, k, n, NODE_MAP))
		return;
	v = arena_calloc(r->a, n->n, sizeof(*v));
	for (const struct node *item = n->first; item; item = item->next) {
		check_label_key(r, k, item);
		v[count].key = arena_str(r->a, item->key);
		label_value(r, item, &v[count++].value);
	}
	set_list(field, v, count);
}

/* A text, or {re: text}. */
static void read_pattern(struct reader *r, const struct key *k, const struct node *n, bool regexes,
	struct pattern *out)
{
	struct key text = {.name = k->name, .type = KEY_TEXT, .flags = KEY_EMPTY_OK};

	if (n->kind == NODE_MAP && regexes) {
		if (n->n != 1 || !node_get(n, "re")) {
			NODE_ERROR(
				r, n, "%s: a regular expression is written {re: \"…\"}", k->name);
			return;
		}
		out->regex = true;
		n = n->first;
		text.flags = 0;
	}
	out->line = n->line;
	out->column = n->column;
	config_value(r, &text, n, &out->text);
}

static void read_patterns(struct reader *r, const struct key *k, const struct node *n, bool regexes,
	struct pattern_list *out)
{
	const struct node *item = items_of(n, &out->n);

	if (out->n == 0)
		NODE_ERROR(r, n, "%s: an empty list matches nothing", k->name);
	out->v = arena_calloc(r->a, out->n, sizeof(*out->v));
	for (size_t i = 0; i < out->n; i++, item = item->next)
		read_pattern(r, k, item, regexes, &out->v[i]);
}

static void read_pattern_map(
	struct reader *r, const struct key *k, const struct node *n, void *field)
{
	struct label_match *v;
	size_t count = 0;

	if (!expect_kind(r, k, n, NODE_MAP))
		return;
	v = arena_calloc(r->a, n->n, sizeof(*v));
	for (const struct node *item = n->first; item; item = item->next) {
		v[count].key = arena_str(r->a, item->key);
		read_patterns(r, k, item, k->type == KEY_PATTERN_MAP, &v[count++].values);
	}
	set_list(field, v, count);
}

static void read_wait(struct reader *r, const struct key *k, const struct node *n, unsigned *bits)
{
	const char *names[WAIT_KINDS], *near;
	enum wait_kind kind = WAIT_KINDS;
	struct str text = STR("");

	if (!config_value(r, &(struct key){.name = k->name, .type = KEY_TEXT}, n, &text))
		return;
	kind = wait_kind_of_name(text);
	if (kind != WAIT_KINDS) {
		*bits |= 1u << kind;
		return;
	}
	for (unsigned i = 0; i < WAIT_KINDS; i++)
		names[i] = wait_kind_name((enum wait_kind)i);
	near = suggest(text, names, WAIT_KINDS);
	NODE_ERROR(r, n, "%s: \"%.*s\" is no kind of wait: %s%s%s", k->name, STR_ARG(text),
		near ? "did you mean \"" : "such as chan receive, select, IO wait, mutex",
		near ? near : "", near ? "\"?" : "");
}

static void read_waits(struct reader *r, const struct key *k, const struct node *n, unsigned *bits)
{
	size_t count;
	const struct node *item = items_of(n, &count);

	if (count == 0)
		NODE_ERROR(r, n, "%s: an empty list matches nothing", k->name);
	for (; count > 0; count--, item = item->next)
		read_wait(r, k, item, bits);
}

static void read_sections(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	bool named = k->type == KEY_NAMED_SECTIONS;
	size_t size = k->section->size, count = 0;
	char *v;

	if (!expect_kind(r, k, n, named ? NODE_MAP : NODE_LIST))
		return;
	v = arena_calloc(r->a, n->n, size);
	for (const struct node *item = n->first; item; item = item->next) {
		struct str name = item->key;
		void *object = v + count++ * size;

		if (named) {
			name = arena_str(r->a, name);
			memcpy(object, &name, sizeof(name));
		}
		config_decode(r, k->section, item, object);
	}
	set_list(field, v, count);
}

static void read_section_ptr(
	struct reader *r, const struct key *k, const struct node *n, void *field)
{
	void *object = arena_calloc(r->a, 1, k->section->size);

	config_decode(r, k->section, n, object);
	memcpy(field, &object, sizeof(object));
}

/* A key that the file gives. */
static void read_key(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	switch (k->type) {
	case KEY_TEXTS:
	case KEY_PATHS:
	case KEY_URLS:
	case KEY_ADDRESSES:
	case KEY_LABEL_NAMES:
		read_strs(r, k, n, field);
		break;
	case KEY_LABELS:
		read_labels(r, k, n, field);
		break;
	case KEY_PATTERNS:
		read_patterns(r, k, n, true, field);
		break;
	case KEY_PATTERN_MAP:
	case KEY_TEXT_MAP:
		read_pattern_map(r, k, n, field);
		break;
	case KEY_WAITS:
		read_waits(r, k, n, field);
		break;
	case KEY_SECTION:
		config_decode(r, k->section, n, field);
		break;
	case KEY_SECTION_PTR:
		read_section_ptr(r, k, n, field);
		break;
	case KEY_SECTIONS:
	case KEY_NAMED_SECTIONS:
		read_sections(r, k, n, field);
		break;
	default:
		config_value(r, k, n, field);
	}
}

/* What a scalar without a default holds when it is not given. */
static void set_absent(const struct key *k, void *field)
{
	if (k->type == KEY_NUMBER)
		*(double *)field = NAN;
	else if (k->type == KEY_DURATION)
		*(uint64_t *)field = CONFIG_UNSET;
	else if (k->type == KEY_TEXT || (k->type >= KEY_PATH && k->type <= KEY_REGEX))
		*(struct str *)field = STR("");
}

/* A list's default is YAML as in a file; a scalar's needs no parser. */
static void set_default(struct reader *r, const struct key *k, void *field)
{
	struct node scalar = {.kind = NODE_SCALAR, .text = str_of(k->def)};

	if (k->type < KEY_TEXTS)
		config_value(r, k, &scalar, field);
	else
		read_key(r, k, config_yaml_read(str_of(k->def), r->a, r->errs), field);
}

static void absent(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	if (n && k->flags & KEY_REQUIRED)
		NODE_ERROR(r, n, "%s is missing", k->name);
	if (k->def)
		set_default(r, k, field);
	else if (k->type == KEY_SECTION)
		config_decode(r, k->section, NULL, field);
	else
		set_absent(k, field);
}

/* One key of the section, from the file or its default; true when the value itself is wrong. */
static bool decode_key(struct reader *r, const struct section *s, const struct key *k,
	const struct node *n, void *object)
{
	const struct node *child = node_get(n, k->name);
	size_t before = r->errs->errors;

	if (child && k->flags & KEY_LATER)
		config_warning(r->errs, child->key_line, child->key_column,
			"%s.%s: accepted, has no effect in this version", s->name, k->name);
	if (child && !(k->type >= KEY_TEXTS && node_is_nothing(child)))
		read_key(r, k, child, field_of(k, object));
	else
		absent(r, k, n, field_of(k, object));
	return r->errs->errors > before && !k->section;
}

void config_decode(struct reader *r, const struct section *s, const struct node *n, void *object)
{
	struct node nothing = {.kind = NODE_MAP};
	size_t before = r->errs->errors;
	bool wrong = false;

	if (n && node_is_nothing(n)) { /* "- " with all its keys commented out */
		nothing.line = n->line;
		nothing.column = n->column;
		n = &nothing;
	}
	if (n && n->kind != NODE_MAP) {
		NODE_ERROR(r, n, "%s must be a mapping, not %s", s->name, node_kind_name(n));
		n = NULL;
	}
	for (const struct node *child = n ? n->first : NULL; child; child = child->next) {
		if (!find_key(s, child->key))
			tell_unknown(r, s, child);
	}
	for (const struct key *k = s->keys; k->name; k++)
		wrong |= decode_key(r, s, k, n, object);
	/* What wrong values mean together is not worth telling. */
	if (s->check && n && !wrong && (s->loose || r->errs->errors == before))
		s->check(r, n, object);
}
