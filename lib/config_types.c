#include "config_internal.h"
#include "prom.h"

#include <math.h>
#include <string.h>

#define VALUE_MAX 4096 /* bytes of one value */

static int read_number(struct str s, double *out, struct err *err)
{
	/* str_double also takes NaN, Inf and hexadecimal, which mean nothing here. */
	if (s.len == 0 || strspn(s.p, "+-.0123456789eE") < s.len || !str_double(s, out) ||
		!isfinite(*out))
		return err_set(err, "\"%.*s\" is no number", STR_ARG(s));
	return 0;
}

static int read_percent(struct str s, double *out, struct err *err)
{
	if (str_is(s, "0")) {
		*out = 0;
		return 0;
	}
	if (!str_ends(s, STR("%")) || read_number(str_sub(s, 0, s.len - 1), out, NULL) != 0)
		return err_set(err, "\"%.*s\" is no share: write it as 1%% or 0.5%%", STR_ARG(s));
	*out /= 100;
	return 0;
}

static int read_bool(struct str s, bool *out, struct err *err)
{
	*out = str_is(s, "true");
	if (!*out && !str_is(s, "false"))
		return err_set(err, "\"%.*s\" is neither true nor false", STR_ARG(s));
	return 0;
}

static int read_word(const struct key *k, struct str s, void *field, struct err *err)
{
	struct buf all = BUF_INIT;

	for (int n = 0; k->words[n]; n++) {
		if (str_is(s, k->words[n])) {
			memcpy(field, &n, sizeof(n)); /* into whatever enum the field is */
			buf_release(&all);
			return 0;
		}
		buf_addf(&all, "%s%s", n ? ", " : "", k->words[n]);
	}
	err_set(err, "\"%.*s\" is none of %s", STR_ARG(s), all.p);
	buf_release(&all);
	return -1;
}

static int check_metric(struct str s, struct err *err)
{
	struct prom_selector sel;

	return prom_selector_parse(s, &sel, err);
}

/* Only whether PCRE2 takes it: classify is its home. */
static int check_regex(struct str s, struct err *err)
{
	struct pattern p = {.regex = true, .text = s, .line = 1, .column = 1};
	struct rule rule = {.name = STR_LIT("regex"), .match.top = {.v = &p, .n = 1}};
	struct err inner = ERR_INIT;
	struct classifier *c = classifier_new(&rule, 1, &inner);
	const char *text = inner.msg;

	if (c) {
		classifier_free(c);
		return 0;
	}
	if (strncmp(text, "1:1: ", 5) == 0)
		text += 5;
	return err_set(err, "%s", text);
}

static int check_text(const struct key *k, struct str s, struct err *err)
{
	switch (k->type) {
	case KEY_URL:
	case KEY_URLS:
		return config_check_url(s, err);
	case KEY_URL_PATH:
		return s.p[0] == '/'
			       ? 0
			       : err_set(err, "\"%.*s\" is no path: it begins with /", STR_ARG(s));
	case KEY_ADDRESS:
	case KEY_ADDRESSES:
		return config_check_target(s, err);
	case KEY_SECRET:
		return config_check_secret(s, err);
	case KEY_METRIC:
		return check_metric(s, err);
	case KEY_LABEL_NAME:
	case KEY_LABEL_NAMES:
		return config_check_label_name(s, err);
	case KEY_REGEX:
		return check_regex(s, err);
	default:
		return 0;
	}
}

/* Relative paths start at the file's directory, as Prometheus has it. */
static struct str absolute(struct reader *r, enum key_type type, struct str s)
{
	if ((type == KEY_SECRET &&
		    (str_starts(s, STR("credential:")) || str_starts(s, STR("env:")))) ||
		s.p[0] == '/' || r->dir.len == 0)
		return arena_str(r->a, s);
	return str_of(arena_printf(r->a, "%.*s%.*s", STR_ARG(r->dir), STR_ARG(s)));
}

static int read_text(
	struct reader *r, const struct key *k, struct str s, struct str *out, struct err *err)
{
	if (s.len == 0) {
		*out = STR("");
		return k->flags & KEY_EMPTY_OK ? 0 : err_set(err, "may not be empty");
	}
	if (s.len > VALUE_MAX)
		return err_set(err, "%zu bytes: a value has at most %d", s.len, VALUE_MAX);
	if (check_text(k, s, err) != 0)
		return -1;
	if (k->type == KEY_PATH || k->type == KEY_PATHS || k->type == KEY_SECRET)
		*out = absolute(r, k->type, s);
	else
		*out = arena_str(r->a, s);
	return 0;
}

static void add_bound(const struct key *k, double v, struct buf *out)
{
	if (k->type == KEY_DURATION || k->type == KEY_SECONDS)
		config_duration_text((uint64_t)v, out);
	else if (k->type == KEY_SIZE || k->type == KEY_SIZE_NUMBER)
		config_size_text((uint64_t)v, out);
	else if (k->type == KEY_PERCENT)
		buf_addf(out, "%.15g%%", v * 100);
	else
		buf_addf(out, "%.15g", v);
}

bool config_range_text(const struct key *k, struct buf *out)
{
	if (k->min == 0 && k->max == 0)
		return false;
	if (k->min == 0) {
		buf_adds(out, "at most ");
	} else {
		add_bound(k, k->min, out);
		buf_adds(out, " to ");
	}
	add_bound(k, k->max, out);
	return true;
}

static int in_range(const struct key *k, double v, struct err *err)
{
	struct buf range = BUF_INIT;
	int rc = 0;

	if (config_range_text(k, &range) && v < 0)
		rc = err_set(err, "may not be negative");
	else if (range.len && !(v >= k->min && v <= k->max))
		rc = err_set(err, "must be %s%s", k->min == 0 ? "" : "from ", range.p);
	buf_release(&range);
	return rc;
}

static int read_int(const struct key *k, struct str s, uint64_t *out, struct err *err)
{
	if (!str_u64(s, out))
		return err_set(err, "\"%.*s\" is no whole number", STR_ARG(s));
	return in_range(k, (double)*out, err);
}

static int read_duration(const struct key *k, struct str s, uint64_t *ms, struct err *err)
{
	return config_duration(s, ms, err) != 0 ? -1 : in_range(k, (double)*ms, err);
}

static int read_size(const struct key *k, struct str s, uint64_t *bytes, struct err *err)
{
	return config_size(s, bytes, err) != 0 ? -1 : in_range(k, (double)*bytes, err);
}

static int read_value(
	struct reader *r, const struct key *k, struct str s, void *field, struct err *err)
{
	uint64_t n = 0;
	int rc;

	switch (k->type) {
	case KEY_BOOL:
		return read_bool(s, field, err);
	case KEY_INT:
		return read_int(k, s, field, err);
	case KEY_NUMBER:
		return read_number(s, field, err) != 0 ? -1 : in_range(k, *(double *)field, err);
	case KEY_PERCENT:
		return read_percent(s, field, err) != 0 ? -1 : in_range(k, *(double *)field, err);
	case KEY_DURATION:
		return read_duration(k, s, field, err);
	case KEY_SECONDS:
		rc = read_duration(k, s, &n, err);
		*(double *)field = (double)n / 1000;
		return rc;
	case KEY_SIZE:
		return read_size(k, s, field, err);
	case KEY_SIZE_NUMBER:
		rc = read_size(k, s, &n, err);
		*(double *)field = (double)n;
		return rc;
	case KEY_ENUM:
		return read_word(k, s, field, err);
	default:
		return read_text(r, k, s, field, err);
	}
}

bool config_value(struct reader *r, const struct key *k, const struct node *n, void *field)
{
	struct err err = ERR_INIT;

	if (n->kind != NODE_SCALAR)
		err_set(&err, "must be a %s, not %s", config_type_name(k->type), node_kind_name(n));
	else if (node_is_nothing(n))
		err_set(&err, "has no value%s",
			k->flags & KEY_EMPTY_OK ? ": the empty text is written \"\"" : "");
	else if (read_value(r, k, n->text, field, &err) == 0)
		return true;
	NODE_ERROR(r, n, "%s: %s", k->name, err.msg);
	return false;
}

const char *config_type_name(enum key_type t)
{
	static const char *const names[KEY_TYPES] = {
		[KEY_TEXT] = "text",
		[KEY_BOOL] = "true or false",
		[KEY_INT] = "whole number",
		[KEY_NUMBER] = "number",
		[KEY_PERCENT] = "percentage",
		[KEY_DURATION] = "duration",
		[KEY_SECONDS] = "duration",
		[KEY_SIZE] = "size",
		[KEY_SIZE_NUMBER] = "size",
		[KEY_ENUM] = "word",
		[KEY_PATH] = "path",
		[KEY_SECRET] = "secret",
		[KEY_URL] = "URL",
		[KEY_URL_PATH] = "path of a URL",
		[KEY_ADDRESS] = "address",
		[KEY_METRIC] = "metric",
		[KEY_LABEL_NAME] = "label name",
		[KEY_REGEX] = "regular expression",
		[KEY_TEXTS] = "list of texts",
		[KEY_PATHS] = "list of paths",
		[KEY_URLS] = "list of URLs",
		[KEY_ADDRESSES] = "list of addresses",
		[KEY_LABEL_NAMES] = "list of label names",
		[KEY_LABELS] = "labels",
		[KEY_PATTERNS] = "patterns",
		[KEY_PATTERN_MAP] = "labels and patterns",
		[KEY_TEXT_MAP] = "labels and texts",
		[KEY_WAITS] = "wait kinds",
		[KEY_SECTION] = "mapping",
		[KEY_SECTION_PTR] = "mapping",
		[KEY_SECTIONS] = "list of mappings",
		[KEY_NAMED_SECTIONS] = "mapping of names and mappings",
	};

	return names[t];
}
