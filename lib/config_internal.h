/*
 * config_internal: what the files of config share.  Layer 2; nobody else includes it.
 *
 * config_yaml makes nodes of a text, config_keys has the table, config_decode walks both together
 * and fills structs, config_types reads single values, config_check looks at what values mean
 * together, config_rules puts the built-in rules behind the file's, config_print goes the way back.
 */
#ifndef LEAKWATCH_CONFIG_INTERNAL_H
#define LEAKWATCH_CONFIG_INTERNAL_H

#include "config.h"
#include "config_yaml.h"

enum key_type {
	/* scalars; the type of the field in parentheses */
	KEY_TEXT, /* (struct str) */
	KEY_BOOL, /* (bool) */
	KEY_INT, /* (uint64_t) */
	KEY_NUMBER, /* (double) NAN when not given */
	KEY_PERCENT, /* (double) 0.01 for 1% */
	KEY_DURATION, /* (uint64_t, ms) CONFIG_UNSET when not given; 0 too where min is 0 */
	KEY_SECONDS, /* (double, s) a duration */
	KEY_SIZE, /* (uint64_t, bytes) */
	KEY_SIZE_NUMBER, /* (double, bytes) */
	KEY_ENUM, /* (int) index in words */
	KEY_PATH, /* (struct str) relative ones start at the file's directory */
	KEY_SECRET, /* (struct str) path, credential:NAME or env:NAME */
	KEY_URL, /* (struct str) http or https, without a password */
	KEY_URL_PATH, /* (struct str) begins with "/" */
	KEY_ADDRESS, /* (struct str) host:port or unix:/path */
	KEY_METRIC, /* (struct str) name or name{label="v"} */
	KEY_LABEL_NAME, /* (struct str) */
	KEY_REGEX, /* (struct str) */
	/* lists of scalars (struct config_strs) */
	KEY_TEXTS,
	KEY_PATHS,
	KEY_URLS,
	KEY_ADDRESSES,
	KEY_LABEL_NAMES,
	/* with a grammar of their own */
	KEY_LABELS, /* (struct config_labels) a mapping of names and texts */
	KEY_PATTERNS, /* (struct pattern_list) text or {re: text}, or a list of these */
	KEY_PATTERN_MAP, /* (struct label_match *, size_t) names and patterns */
	KEY_TEXT_MAP, /* (struct label_match *, size_t) names and texts or lists of texts */
	KEY_WAITS, /* (unsigned) bits of enum wait_kind */
	/* nested */
	KEY_SECTION, /* a mapping with keys of its own, at the key's offset */
	KEY_SECTION_PTR, /* (pointer) the same, NULL when not given */
	KEY_SECTIONS, /* (pointer, size_t) a list of such mappings */
	KEY_NAMED_SECTIONS, /* (pointer, size_t) a mapping of names and such mappings; the first
			       field is the name */
	KEY_TYPES
};

enum key_flags {
	KEY_REQUIRED = 1,
	KEY_EMPTY_OK = 2, /* "" means something */
	KEY_LATER = 4, /* accepted, has no effect in this version */
	KEY_EXISTS = 8, /* a path that must be there already */
	KEY_OPTIONAL = 16 /* a section that is printed only when it says something */
};

struct key {
	const char *name;
	enum key_type type;
	size_t at; /* offset in the section's struct */
	const char *def; /* as the file would say it; NULL when there is none */
	double min, max; /* in ms, bytes, or the number's own unit; 0, 0 = any */
	const struct section *section; /* nested types */
	const char *const *words; /* KEY_ENUM, NULL at the end */
	unsigned flags;
	const char *help;
};

struct reader {
	struct config *config;
	struct arena *a; /* the config's */
	struct config_errors *errs;
	struct str dir; /* of the file, "" or with "/" at its end */
	bool builtin; /* reading the built-in rules */
	const struct rule *builtin_rules;
	size_t nbuiltin_rules;
};

struct section {
	const char *name; /* as the manual has it: "scrape_configs[]" */
	size_t size; /* of its struct */
	const struct key *keys; /* name NULL at the end */
	/* What its values mean together; n is the mapping.  Called when the values are right;
	 * loose: also when something in the sections below is not. */
	void (*check)(struct reader *r, const struct node *n, void *object);
	bool loose;
};

extern const struct section config_root;

/* Problems; the text is made printable. */
void config_error(struct config_errors *errs, uint32_t line, uint32_t column, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void config_warning(struct config_errors *errs, uint32_t line, uint32_t column, const char *fmt,
	...) PRINTF_LIKE(4, 5);
/* At the node n. */
#define NODE_ERROR(r, n, ...) config_error((r)->errs, (n)->line, (n)->column, __VA_ARGS__)
void config_errors_sort(struct config_errors *errs);

/* Fills object (zeroed) from the mapping n; n NULL gives the defaults. */
void config_decode(struct reader *r, const struct section *s, const struct node *n, void *object);
/* Reads one scalar into field; false after telling what is wrong. */
bool config_value(struct reader *r, const struct key *k, const struct node *n, void *field);
/* What the manual calls the type. */
const char *config_type_name(enum key_type t);

/* Appends "100ms to 1d" or "at most 10s"; false when any value will do. */
bool config_range_text(const struct key *k, struct buf *out);

/* The grammar of single values: 0, or -1 with err. */
int config_duration(struct str s, uint64_t *ms, struct err *err);
int config_size(struct str s, uint64_t *bytes, struct err *err);
void config_duration_text(uint64_t ms, struct buf *out);
void config_size_text(uint64_t bytes, struct buf *out);
bool config_label_name_ok(struct str s);
int config_check_label_name(struct str s, struct err *err);
int config_check_url(struct str s, struct err *err);
int config_check_secret(struct str s, struct err *err);

/* Each row of the table once, section by section. */
typedef void config_key_cb(void *arg, const struct section *s, const struct key *k);
void config_each_key(config_key_cb *fn, void *arg);

/* Appends what --keys and the manual say of a key: "duration, default 1m, 100ms to 1d". */
void config_key_text(const struct key *k, struct buf *out);

/* r->config's rules from own_rules and the built-in ones. */
void config_rules_merge(struct reader *r);
/* Nothing is asked for. */
bool config_match_empty(const struct match *m);

/* The checks that the table names. */
typedef void config_check(struct reader *r, const struct node *n, void *object);
config_check config_check_root, config_check_global, config_check_job, config_check_static,
	config_check_tls, config_check_relabel, config_check_rule, config_check_match,
	config_check_expect, config_check_detect, config_check_retention, config_check_alert_rule,
	config_check_alerting, config_check_receiver, config_check_url_or_file;

#endif
