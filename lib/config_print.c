/* The way back: structs to YAML, and the table itself as a list. */
#include "config_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SECTIONS_MAX 64

static const void *field_of(const struct key *k, const void *object)
{
	return (const char *)object + k->at;
}

static void get_list(const void *field, const char **v, size_t *n)
{
	memcpy(v, field, sizeof(*v));
	memcpy(n, (const char *)field + sizeof(*v), sizeof(*n));
}

/* Decodes one character of valid UTF-8. */
static unsigned decode(struct str s, size_t *len)
{
	unsigned char c = (unsigned char)s.p[0];
	unsigned code = c;

	*len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	*len = MIN(*len, s.len);
	if (*len > 1)
		code = c & (0xff >> (*len + 1));
	for (size_t i = 1; i < *len; i++)
		code = code << 6 | ((unsigned char)s.p[i] & 0x3f);
	return code;
}

/* What a terminal or YAML takes for something else than itself. */
static bool is_special(unsigned c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
}

static void add_quoted(struct buf *out, struct str s)
{
	size_t len;

	buf_addc(out, '"');
	for (; s.len; s = str_from(s, len)) {
		unsigned code = decode(s, &len);

		if (code == '"' || code == '\\')
			buf_addf(out, "\\%c", (char)code);
		else if (is_special(code))
			buf_addf(out, "\\u%04x", code);
		else
			buf_add(out, s.p, len);
	}
	buf_addc(out, '"');
}

static void add_number(struct buf *out, double v)
{
	char text[40];
	double back;

	snprintf(text, sizeof(text), "%.15g", v);
	if (!str_double(str_of(text), &back) || back != v)
		snprintf(text, sizeof(text), "%.17g", v);
	buf_adds(out, text);
}

static void add_patterns(struct buf *out, const struct pattern_list *l)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		buf_adds(out, i ? ", " : "");
		buf_adds(out, l->v[i].regex ? "{re: " : "");
		add_quoted(out, l->v[i].text);
		buf_adds(out, l->v[i].regex ? "}" : "");
	}
	buf_addc(out, ']');
}

static void add_strs(struct buf *out, const struct config_strs *l)
{
	buf_addc(out, '[');
	for (size_t i = 0; i < l->n; i++) {
		buf_adds(out, i ? ", " : "");
		add_quoted(out, l->v[i]);
	}
	buf_addc(out, ']');
}

static void add_labels(struct buf *out, const struct config_labels *l)
{
	buf_addc(out, '{');
	for (size_t i = 0; i < l->n; i++) {
		buf_adds(out, i ? ", " : "");
		add_quoted(out, l->v[i].key);
		buf_adds(out, ": ");
		add_quoted(out, l->v[i].value);
	}
	buf_addc(out, '}');
}

static void add_pattern_map(struct buf *out, const struct label_match *v, size_t n)
{
	buf_addc(out, '{');
	for (size_t i = 0; i < n; i++) {
		buf_adds(out, i ? ", " : "");
		add_quoted(out, v[i].key);
		buf_adds(out, ": ");
		add_patterns(out, &v[i].values);
	}
	buf_addc(out, '}');
}

static void add_waits(struct buf *out, unsigned bits)
{
	const char *comma = "";

	buf_addc(out, '[');
	for (unsigned i = 0; i < WAIT_KINDS; i++) {
		if (!(bits & 1u << i))
			continue;
		buf_addf(out, "%s%s", comma, wait_kind_name((enum wait_kind)i));
		comma = ", ";
	}
	buf_addc(out, ']');
}

/* Not given, and so not printed: only keys without a default can be that. */
static bool is_absent(const struct key *k, const void *field)
{
	const char *v;
	size_t n;

	if (k->def)
		return false;
	switch (k->type) {
	case KEY_NUMBER:
		return isnan(*(const double *)field);
	case KEY_DURATION:
		return *(const uint64_t *)field == CONFIG_UNSET;
	case KEY_INT:
	case KEY_SIZE:
		return *(const uint64_t *)field == 0;
	case KEY_WAITS:
		return *(const unsigned *)field == 0;
	case KEY_SECTION:
		return false;
	case KEY_SECTION_PTR:
		memcpy(&v, field, sizeof(v));
		return !v;
	default: /* a text or a list: pointer and length, either way */
		get_list(field, &v, &n);
		return n == 0;
	}
}

static void add_value(struct buf *out, const struct key *k, const void *field)
{
	const char *v;
	size_t n;
	int word;

	switch (k->type) {
	case KEY_BOOL:
		buf_adds(out, *(const bool *)field ? "true" : "false");
		break;
	case KEY_INT:
		buf_addf(out, "%llu", (unsigned long long)*(const uint64_t *)field);
		break;
	case KEY_NUMBER:
		add_number(out, *(const double *)field);
		break;
	case KEY_PERCENT:
		buf_addf(out, "%.15g%%", *(const double *)field * 100);
		break;
	case KEY_DURATION:
		config_duration_text(*(const uint64_t *)field, out);
		break;
	case KEY_SECONDS:
		config_duration_text((uint64_t)(*(const double *)field * 1000 + 0.5), out);
		break;
	case KEY_SIZE:
		config_size_text(*(const uint64_t *)field, out);
		break;
	case KEY_SIZE_NUMBER:
		config_size_text((uint64_t) * (const double *)field, out);
		break;
	case KEY_ENUM:
		memcpy(&word, field, sizeof(word));
		buf_adds(out, k->words[word]);
		break;
	case KEY_TEXTS:
	case KEY_PATHS:
	case KEY_URLS:
	case KEY_ADDRESSES:
	case KEY_LABEL_NAMES:
		add_strs(out, field);
		break;
	case KEY_LABELS:
		add_labels(out, field);
		break;
	case KEY_PATTERNS:
		add_patterns(out, field);
		break;
	case KEY_PATTERN_MAP:
	case KEY_TEXT_MAP:
		get_list(field, &v, &n);
		add_pattern_map(out, (const void *)v, n);
		break;
	case KEY_WAITS:
		add_waits(out, *(const unsigned *)field);
		break;
	default:
		add_quoted(out, *(const struct str *)field);
	}
}

static void print_section(
	struct buf *out, const struct section *s, const void *object, unsigned indent);

/* "- " before the first key of each item, or "{}" for one without keys. */
static void print_items(struct buf *out, const struct key *k, const void *field, unsigned indent)
{
	bool named = k->type == KEY_NAMED_SECTIONS;
	const char *v;
	size_t n;

	get_list(field, &v, &n);
	for (size_t i = 0; i < n; i++, v += k->section->size) {
		struct buf item = BUF_INIT;

		print_section(&item, k->section, v, indent + 2);
		buf_addf(out, "%*s", (int)indent, "");
		if (named)
			add_quoted(out, *(const struct str *)(const void *)v);
		else
			buf_adds(out, "- ");
		if (named)
			buf_adds(out, item.len ? ":\n" : ": {}\n");
		else if (item.len == 0)
			buf_adds(out, "{}\n");
		buf_addstr(out, named ? buf_str(&item) : str_from(buf_str(&item), indent + 2));
		buf_release(&item);
	}
}

/* Does the section print as one that nobody gave? */
static bool says_nothing(const struct section *s, struct str printed, unsigned indent)
{
	struct config_errors errs;
	struct arena a = ARENA_INIT;
	struct reader r = {.a = &a, .errs = &errs};
	struct buf out = BUF_INIT;
	void *object = arena_calloc(&a, 1, s->size);
	bool same;

	config_errors_init(&errs);
	config_decode(&r, s, NULL, object);
	print_section(&out, s, object, indent);
	same = str_eq(buf_str(&out), printed);
	buf_release(&out);
	arena_release(&a);
	config_errors_release(&errs);
	return same;
}

static void print_nested(struct buf *out, const struct key *k, const void *field, unsigned indent)
{
	struct buf below = BUF_INIT;
	const void *object = field;

	if (k->type == KEY_SECTION_PTR)
		memcpy(&object, field, sizeof(object));
	if (k->type == KEY_SECTION || k->type == KEY_SECTION_PTR)
		print_section(&below, k->section, object, indent + 2);
	else
		print_items(&below, k, field, indent + 2);
	if (below.len && !(k->flags & KEY_OPTIONAL &&
				 says_nothing(k->section, buf_str(&below), indent + 2))) {
		buf_addf(out, "%*s%s:\n", (int)indent, "", k->name);
		buf_addstr(out, buf_str(&below));
	}
	buf_release(&below);
}

static void print_section(
	struct buf *out, const struct section *s, const void *object, unsigned indent)
{
	for (const struct key *k = s->keys; k->name; k++) {
		const void *field = field_of(k, object);

		if (is_absent(k, field))
			continue;
		if (k->section) {
			print_nested(out, k, field, indent);
			continue;
		}
		buf_addf(out, "%*s%s: ", (int)indent, "", k->name);
		add_value(out, k, field);
		buf_addc(out, '\n');
	}
}

void config_print(const struct config *c, struct buf *out)
{
	print_section(out, &config_root, c, 0);
}

static void visit(const struct section *s, const struct section **seen, size_t *nseen,
	config_key_cb *fn, void *arg)
{
	for (size_t i = 0; i < *nseen; i++) {
		if (seen[i] == s)
			return;
	}
	if (*nseen == SECTIONS_MAX)
		return;
	seen[(*nseen)++] = s;
	for (const struct key *k = s->keys; k->name; k++)
		fn(arg, s, k);
	for (const struct key *k = s->keys; k->name; k++) {
		if (k->section)
			visit(k->section, seen, nseen, fn, arg);
	}
}

void config_each_key(config_key_cb *fn, void *arg)
{
	const struct section *seen[SECTIONS_MAX];
	size_t n = 0;

	visit(&config_root, seen, &n, fn, arg);
}

struct listing {
	struct buf *out;
	const struct section *last;
};

/* "duration, default 1m, 100ms to 1d" */
void config_key_text(const struct key *k, struct buf *out)
{
	struct buf range = BUF_INIT;

	buf_adds(out, config_type_name(k->type));
	if (k->def)
		buf_addf(out, ", default %s", k->def);
	if (config_range_text(k, &range))
		buf_addf(out, ", %s", range.p);
	if (k->flags & KEY_REQUIRED)
		buf_adds(out, ", required");
	buf_release(&range);
}

static void list_key(void *arg, const struct section *s, const struct key *k)
{
	struct listing *l = arg;

	if (s != l->last)
		buf_addf(l->out, "%s%s\n", l->last ? "\n" : "", s->name);
	l->last = s;
	buf_addf(l->out, "  %-22s", k->name);
	config_key_text(k, l->out);
	if (k->flags & KEY_LATER)
		buf_adds(l->out, ", no effect in this version");
	buf_addf(l->out, "\n  %-22s%s\n", "", k->help);
}

void config_print_keys(struct buf *out)
{
	struct listing l = {.out = out};

	config_each_key(list_key, &l);
}
