/*
 * json: building and reading JSON documents.  Layer 0; the one home of jansson.h.
 *
 * jansson's own names (json_t, json_object_set_new, json_decref …) are used as they are; this adds
 * what outsiders' bytes need: strings that are not valid UTF-8, and documents with a depth limit.
 */
#ifndef LEAKWATCH_JSON_H
#define LEAKWATCH_JSON_H

#include "base.h"
#include "buf.h"
#include "err.h"
#include "str.h"

#include <jansson.h>

/* A JSON string of any bytes: what is not valid UTF-8 becomes U+FFFD; a NUL byte stays ("\u0000").
 */
json_t *json_str(struct str s);
/* Finite numbers as numbers; NaN and infinities as null. */
json_t *json_num(double v);
/* Appends the document to out: one line, keys in order of insertion, "/" not escaped. */
void json_write(const json_t *doc, struct buf *out);
/* Parses the whole text; duplicate keys are errors.  NULL with err set ("line:column: why"). */
json_t *json_read(struct str text, struct err *err);

/* Members of an object, as documents of our own are read: "" and NAN for what is not there, null or
 * of another type. */
struct str json_get_str(const json_t *object, const char *key);
double json_get_num(const json_t *object, const char *key);
bool json_get_true(const json_t *object, const char *key);

#endif
