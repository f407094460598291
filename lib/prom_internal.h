/*
 * prom_internal: the grammar of one line, shared by prom.c and prom_line.c.  Layer 1, private to
 * prom*.c.
 */
#ifndef LEAKWATCH_PROM_INTERNAL_H
#define LEAKWATCH_PROM_INTERNAL_H

#include "buf.h"
#include "prom.h"

/* How far a line has been read. */
struct cursor {
	const char *p, *end;
};

/* One sample's labels; unescaped values live in `text`. */
struct prom_labels {
	struct label v[PROM_LABELS_MAX];
	size_t n;
	struct buf text;
};

void prom_skip_blanks(struct cursor *c);
/* [a-zA-Z_:][a-zA-Z0-9_:]*; empty when there is none. */
struct str prom_take_name(struct cursor *c);
/*
 * The label set after "{", with its "}".  name, when not NULL and empty, may be given inside as the
 * first quoted string without "=" (UTF-8 names).  NULL, or why it is not a label set.
 */
const char *prom_take_labels(struct cursor *c, struct prom_labels *labels, struct str *name);
/* What follows the labels: value, timestamp or NAN, exemplar (skipped).  NULL, or why not. */
const char *prom_take_values(struct cursor *c, double *value, double *time);

#endif
