/*
 * config_yaml: a YAML text as a tree of nodes that know their line and column.  Layer 2.
 *
 * Only what a configuration needs: one document of mappings, sequences and scalars.  Anchors,
 * aliases, tags, a second document, a key given twice or that is no scalar, too deep nesting and
 * too many nodes are errors.  It gives no scalar a type: "true" and 5 are texts until the table of
 * keys says otherwise.
 */
#ifndef LEAKWATCH_CONFIG_YAML_H
#define LEAKWATCH_CONFIG_YAML_H

#include "config.h"

enum node_kind { NODE_SCALAR, NODE_MAP, NODE_LIST };

struct node {
	enum node_kind kind;
	bool plain; /* a scalar without quotes */
	uint32_t line, column;
	struct str text; /* of a scalar */
	struct str key; /* of a mapping's child */
	uint32_t key_line, key_column;
	struct node *first, *next; /* children; siblings */
	size_t n; /* children */
};

/*
 * The root, in a; NULL with errors.  An empty document is an empty mapping.  The text may not be
 * longer than CONFIG_BYTES_MAX.
 */
struct node *config_yaml_read(struct str text, struct arena *a, struct config_errors *errs);

/* A mapping's child, or NULL. */
const struct node *node_get(const struct node *map, const char *key);
/* "a mapping", "a list", "a text": for messages. */
const char *node_kind_name(const struct node *n);
/* "key:" with nothing behind it. */
bool node_is_nothing(const struct node *n);

#endif
