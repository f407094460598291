/*
 * alert_labels: the names and values an alert carries, safe to show anywhere.  Layer 1.
 *
 * An ordered set of key and value, sorted by key, owning its bytes.  Values come from scraped
 * processes, so they are made safe on the way in (safe.h: no control character, no newline, no
 * bytes that are not UTF-8) and are bounded.  The same bytes always give the same value, so a set
 * is an identity.
 *
 * Life cycle: `struct alert_labels l = ALERT_LABELS_INIT;` … alert_labels_release(&l).
 */
#ifndef LEAKWATCH_ALERT_LABELS_H
#define LEAKWATCH_ALERT_LABELS_H

#include "buf.h"
#include "err.h"
#include "model.h"

#define ALERT_LABELS_MAX     64 /* pairs of one set; more are dropped, the last put first */
#define ALERT_LABEL_KEY_MAX  64 /* bytes; a longer key is cut */
#define ALERT_LABEL_MAX	     200 /* bytes of a label's value */
#define ALERT_ANNOTATION_MAX 4096 /* bytes of an annotation's value */

struct alert_labels {
	struct label *v; /* sorted by key; keys and values are NUL-terminated */
	size_t n;
};

#define ALERT_LABELS_INIT                                                                          \
	{                                                                                          \
		.v = NULL                                                                          \
	}

void alert_labels_release(struct alert_labels *l);
void alert_labels_copy(struct alert_labels *to, const struct alert_labels *from);

/*
 * Sets key to value.  In the key every byte but [a-zA-Z0-9_] becomes "_", a leading digit gets "_"
 * in front, "" becomes "_".  The value becomes one safe line; one of more than ALERT_LABEL_MAX
 * bytes is cut between characters and ends in "~" and 16 hex digits, a hash of the whole value, so
 * that long values that begin alike stay different.  false when the set is full.
 */
bool alert_labels_put(struct alert_labels *l, struct str key, struct str value);

/*
 * As alert_labels_put for text that people read: newlines and tabs stay, and what is longer than
 * ALERT_ANNOTATION_MAX bytes is cut between characters and ends in "…".
 */
bool alert_labels_put_text(struct alert_labels *l, struct str key, struct str value);

void alert_labels_remove(struct alert_labels *l, struct str key);
/* The value, or "" when there is none. */
struct str alert_labels_get(const struct alert_labels *l, const char *key);
bool alert_labels_has(const struct alert_labels *l, struct str key);
bool alert_labels_eq(const struct alert_labels *a, const struct alert_labels *b);

/*
 * Appends text with each {{name}} (spaces inside the braces are allowed) replaced by the value of
 * that name in the first of the two sets that has it.  A name that neither has stays as it is
 * written, so that a mistake is seen.  What was put in is not looked at again.
 */
void alert_labels_expand(struct str text, const struct alert_labels *first,
	const struct alert_labels *second, struct buf *out);

/* Appends {a="x",b="y"}, quoted as the Prometheus text format does (\\ \" \n). */
void alert_labels_text(const struct alert_labels *l, struct buf *out);
/* Appends a JSON object of strings, for a database row. */
void alert_labels_json(const struct alert_labels *l, struct buf *out);
/* Reads what alert_labels_json wrote into *l, which is released first; text is for annotations
 * (alert_labels_put_text).  -1 with err when it is not an object of strings. */
int alert_labels_read(struct alert_labels *l, struct str json, bool text, struct err *err);

#endif
