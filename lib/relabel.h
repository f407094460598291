/*
 * relabel: steps that keep, drop and label a target, as Prometheus has them.  Layer 1, pure.
 *
 * Works on a set of labels; a label set to "" is gone.  The actions are replace, keep, drop,
 * labelmap and hashmod, with Prometheus's meaning: the regular expression must match the joined
 * value as a whole ("." takes line feeds too); in replacement and, for replace, in the target
 * label, $1, ${1}, $name and ${name} are groups and $$ is a dollar; hashmod is the last eight bytes
 * of the value's MD5, big-endian, modulo the modulus, so that shards agree with Prometheus's.
 * Regular expressions are PCRE2 instead of RE2, without a just-in-time compiler, with limits: one
 * that runs into them does not match.
 *
 * Reference: prometheus.io/docs, configuration, relabel_config.
 */
#ifndef LEAKWATCH_RELABEL_H
#define LEAKWATCH_RELABEL_H

#include "arena.h"
#include "err.h"
#include "model.h"

#define RELABEL_LABELS_MAX 128 /* of one target; further ones are not set */
#define RELABEL_VALUE_MAX  4096 /* bytes of a value; a longer one is cut */

enum relabel_action {
	RELABEL_REPLACE,
	RELABEL_KEEP,
	RELABEL_DROP,
	RELABEL_LABELMAP,
	RELABEL_HASHMOD
};

/* One step; everything is copied by relabel_new. */
struct relabel_step {
	const struct str *source; /* names of labels */
	size_t nsource;
	struct str separator, regex, target, replacement;
	uint64_t modulus; /* hashmod */
	enum relabel_action action;
};

/* Labels of one target; strings are in the caller's arena. */
struct relabel_set {
	struct label v[RELABEL_LABELS_MAX];
	size_t n;
};
struct str relabel_get(const struct relabel_set *set, const char *key); /* "" when not there */
/* value "" takes the label out.  Nothing is copied. */
void relabel_put(struct relabel_set *set, struct str key, struct str value);

struct relabel;
/* NULL with err when a regular expression is not one (its number and why). */
struct relabel *relabel_new(const struct relabel_step *v, size_t n, struct err *err);
void relabel_free(struct relabel *r);
/* Applies all steps in order; false: the target is dropped.  New strings go to a. */
bool relabel_apply(const struct relabel *r, struct arena *a, struct relabel_set *set);

#endif
