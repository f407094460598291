/* The table of keys, the manual page and the sample file say the same. */
#include "config_internal.h"
#include "config_sample.h"
#include "notify_syslog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROWS_MAX 300
#define MAN_PATH "man/leakwatch.yaml.5"

struct row {
	const struct section *section;
	const struct key *key;
	bool seen; /* in the document that is looked at */
	bool with_default; /* with the table's default */
};

static struct row rows[ROWS_MAX];
static size_t nrows;

static void add_row(void *arg, const struct section *s, const struct key *k)
{
	(void)arg;
	assert_true(nrows < ROWS_MAX);
	rows[nrows++] = (struct row){.section = s, .key = k};
}

static int set_up(void **state)
{
	(void)state;
	nrows = 0;
	config_each_key(add_row, NULL);
	return 0;
}

static struct row *find(const char *section, const char *key)
{
	for (size_t i = 0; i < nrows; i++) {
		if (strcmp(rows[i].section->name, section) == 0 &&
			strcmp(rows[i].key->name, key) == 0)
			return &rows[i];
	}
	return NULL;
}

static size_t tell_unseen(const char *where)
{
	size_t missing = 0;

	for (size_t i = 0; i < nrows; i++) {
		const struct row *r = &rows[i];

		if (!r->seen)
			print_error("%s: no %s.%s\n", where, r->section->name, r->key->name);
		else if (r->key->def && !r->with_default)
			print_error("%s: %s.%s does not have its default, %s\n", where,
				r->section->name, r->key->name, r->key->def);
		else
			continue;
		missing++;
	}
	return missing;
}

/* The table itself: what every row must have. */
static void test_rows(void **state)
{
	(void)state;
	assert_true(nrows > 100);
	for (size_t i = 0; i < nrows; i++) {
		const struct key *k = rows[i].key;
		size_t len = strlen(k->help);

		assert_true(len > 3 && k->help[len - 1] == '.');
		assert_true(config_type_name(k->type) != NULL);
		assert_true((k->section != NULL) == (k->type >= KEY_SECTION));
		assert_true((k->words != NULL) == (k->type == KEY_ENUM));
		assert_false(k->flags & KEY_REQUIRED && k->def);
		assert_true(k->min <= k->max);
		assert_ptr_equal(find(rows[i].section->name, k->name), &rows[i]);
	}
}

/* What syslog_configs accepts, the sink knows. */
static void test_facilities(void **state)
{
	(void)state;
	for (size_t i = 0; config_facilities[i]; i++)
		assert_true(notify_syslog_facility(str_of(config_facilities[i])) >= 0);
}

static bool same_as_default(const struct key *k, const struct node *n)
{
	struct arena a = ARENA_INIT;
	struct config_errors errs;
	const struct node *d, *x = n->first;
	bool same = n->kind == NODE_SCALAR && str_is(n->text, k->def);

	config_errors_init(&errs);
	if (n->kind == NODE_LIST) {
		d = config_yaml_read(str_of(k->def), &a, &errs);
		assert_non_null(d);
		same = n->n == d->n;
		for (d = d->first; same && d; d = d->next, x = x->next)
			same = str_eq(d->text, x->text);
	}
	arena_release(&a);
	config_errors_release(&errs);
	return same;
}

static void walk(const struct section *s, const struct node *n)
{
	for (const struct node *c = n->first; c; c = c->next) {
		struct row *r = find(s->name, c->key.p);

		assert_non_null(r);
		r->seen = true;
		if (r->key->def && same_as_default(r->key, c))
			r->with_default = true;
		if (r->key->type == KEY_SECTION || r->key->type == KEY_SECTION_PTR)
			walk(r->key->section, c);
		for (const struct node *item = c->first; item && r->key->type >= KEY_SECTIONS;
			item = item->next)
			walk(r->key->section, item);
	}
}

/* The sample, all of it uncommented, is right, has every key and every default. */
static void test_sample(void **state)
{
	struct buf text = BUF_INIT;
	struct arena a = ARENA_INIT;
	struct config_errors errs;
	struct node *root;
	struct config *c;

	(void)state;
	config_errors_init(&errs);
	c = config_parse(str_of(sample_config_yaml), "leakwatch.yaml", &errs);
	assert_non_null(c); /* as it is */
	assert_int_equal(errs.n, 0);
	config_free(c);
	config_sample(&text);
	c = config_parse(buf_str(&text), "leakwatch.yaml", &errs);
	buf_reset(&text);
	if (!c) {
		config_errors_text(&errs, "leakwatch.yaml", &text);
		print_error("%s", text.p);
	}
	assert_non_null(c);
	config_free(c);

	buf_reset(&text);
	config_sample(&text);
	root = config_yaml_read(buf_str(&text), &a, &errs);
	assert_non_null(root);
	walk(&config_root, root);
	assert_int_equal(tell_unseen("etc/leakwatch/leakwatch.yaml"), 0);
	arena_release(&a);
	buf_release(&text);
	config_errors_release(&errs);
}

static size_t count_later(struct str text)
{
	struct str line;
	size_t n = 0;

	while (str_line(&text, &line))
		n += line.len && line.p[0] != '#' && str_find(line, STR("(later)")) >= 0;
	return n;
}

static struct str line_at(struct str text, uint32_t number)
{
	struct str line = STR("");

	while (number-- > 0 && str_line(&text, &line))
		;
	return line;
}

/* Lines marked (later) in the sample are those of keys that have no effect yet, and the reverse. */
static void test_sample_later(void **state)
{
	struct buf text = BUF_INIT;
	struct config_errors errs;
	size_t marked = 0;
	struct config *c;

	(void)state;
	config_errors_init(&errs);
	config_sample(&text);
	c = config_parse(buf_str(&text), "leakwatch.yaml", &errs);
	assert_non_null(c);
	for (size_t i = 0; i < errs.n; i++) {
		struct str line = line_at(buf_str(&text), errs.v[i].line);

		if (str_find(errs.v[i].text, STR("no effect in this version")) < 0)
			continue;
		if (str_find(line, STR("(later)")) < 0)
			print_error("not marked (later): %.*s\n", STR_ARG(line));
		assert_true(str_find(line, STR("(later)")) >= 0);
		marked++;
	}
	assert_int_equal(marked, count_later(buf_str(&text)));
	config_free(c);
	buf_release(&text);
	config_errors_release(&errs);
}

static char *read_man(void)
{
	FILE *f = fopen(MAN_PATH, "r");
	struct buf text = BUF_INIT;
	char piece[4096];
	size_t n;

	if (!f)
		return NULL;
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(&text, piece, n);
	fclose(f);
	return buf_take(&text);
}

/* The examples of the manual are right. */
static void check_example(struct str text)
{
	struct config_errors errs;
	struct buf out = BUF_INIT;
	struct config *c;

	config_errors_init(&errs);
	c = config_parse(text, "example", &errs);
	config_errors_text(&errs, "example", &out);
	if (errs.n)
		print_error("%s", out.p);
	assert_non_null(c);
	assert_int_equal(errs.n, 0);
	config_free(c);
	buf_release(&out);
	config_errors_release(&errs);
}

static void test_examples(void **state)
{
	char *text = read_man();
	struct str rest = str_of(text), line;
	struct buf example = BUF_INIT;
	size_t n = 0;
	bool in = false;

	(void)state;
	if (!text) {
		print_message("%s is not there: run from the top of the tree\n", MAN_PATH);
		skip();
	}
	while (str_line(&rest, &line)) {
		if (str_starts(line, STR(".Bd -literal"))) {
			in = true;
			buf_reset(&example);
		} else if (str_is(line, ".Ed")) {
			check_example(buf_str(&example));
			in = false;
			n++;
		} else if (in) {
			buf_addf(&example, "%.*s\n", STR_ARG(line));
		}
	}
	assert_true(n >= 2);
	buf_release(&example);
	free(text);
}

/* ".It Ic KEY Pq TYPE, default DEF", as the page writes each key's line. */
static void take_man_line(const char *section, struct str line)
{
	struct buf key = BUF_INIT, want = BUF_INIT, got = BUF_INIT;
	ptrdiff_t space = str_chr(str_from(line, 7), ' ');
	struct row *r;

	buf_addstr(&key, str_sub(line, 7, space < 0 ? line.len : 7 + (size_t)space));
	r = find(section, key.p);
	if (!r)
		print_error("%s: %s.%s is in no table\n", MAN_PATH, section, key.p);
	assert_non_null(r);
	r->seen = true;
	buf_addf(&want, ".It Ic %s Pq ", key.p);
	config_key_text(r->key, &want);
	if (r->key->flags & KEY_LATER)
		buf_adds(&want, ", later");
	for (size_t i = 0; i < line.len; i++) { /* \& keeps mdoc from reading ";" its own way */
		if (line.p[i] == '\\' && i + 1 < line.len && line.p[i + 1] == '&')
			i++;
		else
			buf_addc(&got, line.p[i]);
	}
	assert_string_equal(got.p, want.p);
	r->with_default = true;
	buf_release(&key);
	buf_release(&want);
	buf_release(&got);
}

/* In the manual, ".Ss SECTION" begins a section and ".It Ic KEY …" a key of it. */
static void test_manual(void **state)
{
	char *text = read_man(), section[80] = "";
	struct str rest = str_of(text), line;
	bool keys = false;

	(void)state;
	if (!text) {
		print_message("%s is not there: run from the top of the tree\n", MAN_PATH);
		skip();
	}
	while (str_line(&rest, &line)) {
		if (str_starts(line, STR(".Sh ")))
			keys = str_is(line, ".Sh KEYS");
		else if (keys && str_starts(line, STR(".Ss ")))
			snprintf(section, sizeof(section), "%.*s", STR_ARG(str_from(line, 4)));
		else if (keys && str_starts(line, STR(".It Ic ")))
			take_man_line(section, line);
	}
	assert_int_equal(tell_unseen(MAN_PATH), 0);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rows, set_up),
		cmocka_unit_test(test_facilities),
		cmocka_unit_test_setup(test_sample, set_up),
		cmocka_unit_test_setup(test_sample_later, set_up),
		cmocka_unit_test_setup(test_manual, set_up),
		cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
