#include "config_yaml.h"
#include "config_internal.h"
#include "map.h"

#include <string.h>
#include <yaml.h>

struct level {
	struct node *node, *last; /* last child */
	struct map *keys; /* of a mapping: key -> its node */
	struct node *key; /* the key whose value comes next, or NULL */
};

struct tree {
	struct arena *a;
	struct config_errors *errs;
	struct level levels[CONFIG_DEPTH_MAX];
	size_t depth, nodes;
	struct node *root;
	unsigned documents;
	bool failed; /* no use in reading on */
};

static uint32_t line_of(yaml_mark_t m)
{
	return (uint32_t)m.line + 1;
}

static uint32_t column_of(yaml_mark_t m)
{
	return (uint32_t)m.column + 1;
}

static void give_up(struct tree *t, yaml_mark_t m, const char *why)
{
	config_error(t->errs, line_of(m), column_of(m), "%s", why);
	t->failed = true;
}

static struct node *new_node(struct tree *t, enum node_kind kind, yaml_mark_t m)
{
	struct node *n = arena_calloc(t->a, 1, sizeof(*n));

	n->kind = kind;
	n->line = line_of(m);
	n->column = column_of(m);
	if (++t->nodes > CONFIG_NODES_MAX)
		give_up(t, m, "too many values in one file: the limit is 200000");
	return n;
}

/* A key of the innermost mapping: remembered until its value comes. */
static void take_key(struct tree *t, struct level *in, struct node *n)
{
	struct node *before;

	if (n->kind != NODE_SCALAR) {
		config_error(t->errs, n->line, n->column, "a key must be a text, not %s",
			node_kind_name(n));
		t->failed = true;
		return;
	}
	before = map_get(in->keys, n->text);
	if (before)
		config_error(t->errs, n->line, n->column,
			"\"%.*s\" is given twice: first at line %u", STR_ARG(n->text),
			before->line);
	else
		map_put(in->keys, n->text, n);
	in->key = n;
}

/* Hangs the node into the tree: as root, as a key, as a key's value or as a list's item. */
static void place(struct tree *t, struct node *n)
{
	struct level *in;

	if (t->depth == 0) {
		t->root = n;
		return;
	}
	in = &t->levels[t->depth - 1];
	if (in->node->kind == NODE_MAP) {
		if (!in->key) {
			take_key(t, in, n);
			return;
		}
		n->key = in->key->text;
		n->key_line = in->key->line;
		n->key_column = in->key->column;
		in->key = NULL;
	}
	if (in->last)
		in->last->next = n;
	else
		in->node->first = n;
	in->last = n;
	in->node->n++;
}

static void open_level(struct tree *t, struct node *n, yaml_mark_t m)
{
	struct level *l;

	place(t, n);
	if (t->failed)
		return;
	if (t->depth == CONFIG_DEPTH_MAX) {
		give_up(t, m, "nested too deep: the limit is 24 levels");
		return;
	}
	l = &t->levels[t->depth++];
	*l = (struct level){.node = n};
	if (n->kind == NODE_MAP)
		l->keys = map_new();
}

static void close_level(struct tree *t)
{
	map_free(t->levels[--t->depth].keys, NULL);
}

/* Anchors and tags would let a text mean something else than it says. */
static void refuse_marks(
	struct tree *t, const yaml_event_t *e, const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor)
		config_error(t->errs, line_of(e->start_mark), column_of(e->start_mark),
			"anchors (&%s) are not allowed: write the value where it is needed",
			(const char *)anchor);
	if (tag)
		config_error(t->errs, line_of(e->start_mark), column_of(e->start_mark),
			"tags (%s) are not allowed: each key knows its type", (const char *)tag);
}

static void take_scalar(struct tree *t, const yaml_event_t *e)
{
	struct node *n = new_node(t, NODE_SCALAR, e->start_mark);

	refuse_marks(t, e, e->data.scalar.anchor, e->data.scalar.tag);
	n->plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_str(t->a, str_n((const char *)e->data.scalar.value, e->data.scalar.length));
	if (memchr(n->text.p, 0, n->text.len))
		config_error(t->errs, n->line, n->column, "a NUL byte (\\0) is not allowed");
	if (!t->failed)
		place(t, n);
}

static void take_event(struct tree *t, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (++t->documents > 1)
			give_up(t, e->start_mark,
				"a second document (---): one file is one configuration");
		break;
	case YAML_ALIAS_EVENT:
		config_error(t->errs, line_of(e->start_mark), column_of(e->start_mark),
			"aliases (*%s) are not allowed: write the value where it is needed",
			(const char *)e->data.alias.anchor);
		place(t, new_node(t, NODE_SCALAR, e->start_mark));
		break;
	case YAML_SCALAR_EVENT:
		take_scalar(t, e);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_marks(t, e, e->data.sequence_start.anchor, e->data.sequence_start.tag);
		open_level(t, new_node(t, NODE_LIST, e->start_mark), e->start_mark);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_marks(t, e, e->data.mapping_start.anchor, e->data.mapping_start.tag);
		open_level(t, new_node(t, NODE_MAP, e->start_mark), e->start_mark);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		close_level(t);
		break;
	default:
		break;
	}
}

/* Line and column of a byte, for errors that libyaml knows by offset only. */
static void tell_bad_bytes(struct tree *t, const yaml_parser_t *p, struct str text)
{
	size_t end = MIN(p->problem_offset, text.len);
	uint32_t line = 1, column = 1;

	for (size_t i = 0; i < end; i++) {
		if (text.p[i] == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)text.p[i] & 0xc0) != 0x80) {
			column++;
		}
	}
	if (p->problem_value == 0)
		config_error(t->errs, line, column, "a NUL byte: this is not a text file");
	else if (strstr(p->problem, "control"))
		config_error(t->errs, line, column,
			"the control character 0x%02x is not allowed: write it \"\\x%02x\" in "
			"quotes",
			(unsigned)p->problem_value, (unsigned)p->problem_value);
	else
		config_error(t->errs, line, column, "not UTF-8: %s", p->problem);
}

/* Does a tab stand in the indentation of that line? */
static bool indented_by_tab(struct str text, uint32_t line)
{
	struct str rest = text, l = {.p = "", .len = 0};

	while (line-- > 0) {
		if (!str_line(&rest, &l))
			return false;
	}
	for (size_t i = 0; i < l.len && (l.p[i] == ' ' || l.p[i] == '\t'); i++) {
		if (l.p[i] == '\t')
			return true;
	}
	return false;
}

static void tell_syntax(struct tree *t, const yaml_parser_t *p, struct str text)
{
	uint32_t line = line_of(p->problem_mark), column = column_of(p->problem_mark);

	if (p->error == YAML_READER_ERROR)
		tell_bad_bytes(t, p, text);
	else if (indented_by_tab(text, line))
		config_error(
			t->errs, line, column, "a tab in the indentation: YAML wants spaces there");
	else if (p->context && p->context_mark.line != p->problem_mark.line)
		config_error(t->errs, line, column, "not YAML: %s (%s that began at line %u)",
			p->problem, p->context, line_of(p->context_mark));
	else if (p->context)
		config_error(t->errs, line, column, "not YAML: %s (%s)", p->problem, p->context);
	else
		config_error(t->errs, line, column, "not YAML: %s", p->problem);
}

static void read_events(struct tree *t, yaml_parser_t *p, struct str text)
{
	yaml_event_t e;
	bool end = false;

	while (!end && !t->failed) {
		if (!yaml_parser_parse(p, &e)) {
			tell_syntax(t, p, text);
			t->failed = true;
			break;
		}
		end = e.type == YAML_STREAM_END_EVENT;
		take_event(t, &e);
		yaml_event_delete(&e);
	}
	while (t->depth > 0)
		close_level(t);
}

struct node *config_yaml_read(struct str text, struct arena *a, struct config_errors *errs)
{
	struct tree t = {.a = a, .errs = errs};
	yaml_parser_t p;

	if (text.len > CONFIG_BYTES_MAX) {
		config_error(errs, 0, 0, "%zu bytes: a configuration has at most %d", text.len,
			CONFIG_BYTES_MAX);
		return NULL;
	}
	if (!yaml_parser_initialize(&p)) {
		config_error(errs, 0, 0, "cannot start the YAML parser");
		return NULL;
	}
	yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&p, (const unsigned char *)text.p, text.len);
	read_events(&t, &p, text);
	yaml_parser_delete(&p);
	if (t.failed)
		return NULL;
	if (!t.root || node_is_nothing(t.root)) {
		t.root = arena_calloc(a, 1, sizeof(*t.root));
		t.root->kind = NODE_MAP;
	}
	return t.root;
}

const struct node *node_get(const struct node *map, const char *key)
{
	if (!map || map->kind != NODE_MAP)
		return NULL;
	for (const struct node *n = map->first; n; n = n->next) {
		if (str_is(n->key, key))
			return n;
	}
	return NULL;
}

const char *node_kind_name(const struct node *n)
{
	static const char *const names[] = {"a text", "a mapping", "a list"};

	return names[n->kind];
}

bool node_is_nothing(const struct node *n)
{
	return n->kind == NODE_SCALAR && n->plain && n->text.len == 0;
}
