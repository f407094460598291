/*
 * config: the configuration file, as plain data.  Layer 2; the one home of yaml.h.
 *
 * What the file may say is one table (config_keys.c): name, type, default, range, help of each key;
 * parser, defaults, check-config, --print and the tests of manual and sample read that table.  All
 * errors of a file are found at once, each with line and column.  Nothing in here opens a network
 * connection or keeps a secret: secrets are named by reference and read when they are used.
 *
 * Life cycle: config_load, config_parse or config_default, then config_free.  A struct config is
 * never changed; a reload makes a new one and swaps.  All strings are in the config's arena and
 * have a NUL after them (s.p is a C string).  Durations are milliseconds, sizes bytes.
 * The file's keys and their meaning: leakwatch.yaml(5).
 */
#ifndef LEAKWATCH_CONFIG_H
#define LEAKWATCH_CONFIG_H

#include "alert.h"
#include "arena.h"
#include "buf.h"
#include "config_alerting.h"
#include "config_scrape.h"
#include "detect.h"
#include "err.h"

#define CONFIG_PATH	    "/etc/leakwatch/leakwatch.yaml"
#define CONFIG_BYTES_MAX    (4 * 1024 * 1024) /* of a file */
#define CONFIG_DEPTH_MAX    24 /* nested mappings and sequences */
#define CONFIG_NODES_MAX    200000 /* scalars, mappings and sequences of a file */
#define CONFIG_ERRORS_MAX   100 /* problems kept; more are counted */
#define CONFIG_SECRET_BYTES (64 * 1024) /* of a secret */
#define CONFIG_UNSET	    UINT64_MAX /* a duration that the file does not give */

struct config {
	struct arena arena; /* owns everything below */
	struct str path; /* the file's name as given; "" for config_default */
	uint64_t scrape_interval_ms, scrape_timeout_ms; /* global's; the jobs have theirs */
	struct config_labels external_labels;

	struct config_job *jobs;
	size_t njobs;

	/* The rules in force, in order: the file's, then the built-in ones (config_parse_rules). */
	struct rule *rules;
	size_t nrules;
	struct rule *own_rules; /* as the file gives them */
	size_t nown_rules;

	struct detect_params detect;
	uint64_t max_pause_ms; /* evidence.max_pause */
	uint64_t targets_max, classes_max; /* limits.targets, limits.classes_per_target */

	struct str storage_path;
	uint64_t retention_raw_ms, retention_5m_ms, retention_1h_ms;
	uint64_t max_size_bytes, min_free_bytes; /* max_size 0 = no limit */

	struct config_strs group_by;
	uint64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
	uint64_t give_up_after_ms; /* a delivery older than this is given up */
	struct config_alert_rule *alert_rules;
	size_t nalert_rules;
	struct config_receiver *receivers; /* the first whose match fits takes an alert */
	size_t nreceivers;

	struct str listen_address; /* web: "host:port", "unix:/path" or "" (off) */
	struct str external_url; /* where people reach it; "" = not told */
};

struct config_problem {
	uint32_t line, column; /* from 1; 0 when it is about the file as a whole */
	bool warning;
	struct str text; /* what, and what would be right; printable */
};

/* What is wrong with a file: the problems kept are in order of line and column. */
struct config_errors {
	struct arena arena;
	struct config_problem *v;
	size_t n, cap;
	size_t errors, warnings; /* found, also those over CONFIG_ERRORS_MAX */
	bool unreadable; /* the file could not be read at all (exit code 74) */
};

void config_errors_init(struct config_errors *errs);
void config_errors_release(struct config_errors *errs);
/* Appends a line "name:line:column: text" for each; warnings as "name:line:column: warning: …". */
void config_errors_text(const struct config_errors *errs, const char *name, struct buf *out);

/*
 * The file, or a text (name is for relative paths in it: they start at name's directory).  NULL
 * when there is any error; a config may come with warnings: keys that have no effect in this
 * version, detect.window.  errs must be initialised and is added to.
 */
struct config *config_load(const char *path, struct config_errors *errs);
struct config *config_parse(struct str text, const char *name, struct config_errors *errs);
/* Defaults and built-in rules, no jobs: for commands that work without a file. */
struct config *config_default(void);
void config_free(struct config *c);

/*
 * The rules of a text that is "classes: […]" (or a whole configuration; the rest is checked and
 * dropped); they live in a.  0, or -1 with errs.  A struct config already has the built-in rules:
 * a rule of the file with a built-in rule's name replaces it, and stands where the file has it; one
 * without `match` keeps the built-in rule's match, place, and what it does not give itself.
 */
int config_parse_rules(struct str text, bool builtin, struct arena *a, struct rule **rules,
	size_t *n, struct config_errors *errs);

/* The effective configuration as YAML that reads back as the same; no secret is in it. */
void config_print(const struct config *c, struct buf *out);
/* Warns of files (secrets, certificates) that cannot be read by whoever asks.  Secrets named
 * credential: and env: are left out: they are the service's, not the caller's. */
void config_check_files(const struct config *c, struct config_errors *errs);
/* Every key with its type, default and help. */
void config_print_keys(struct buf *out);

/* The first receiver whose match fits all of the labels' values, or NULL.  One that has nothing but
 * heartbeats takes no alert. */
const struct config_receiver *config_receiver_of(
	const struct config *c, const struct label *labels, size_t n);

/* How alerts of that kind behave: alert.h's defaults and what alerting.rules says. */
void config_alert_rule(const struct config *c, enum alert_kind kind, struct alert_rule *out,
	struct str *runbook_url);

/* The secret that a *_file key names, without the newline at its end, into out (which the caller
 * wipes).  0, or -1 with err, which never holds a byte of it. */
int config_secret(struct str name, struct buf *out, struct err *err);

/* "host:port", "[v6]:port" or "unix:/path"?  0, or -1 with err: what is wrong, and what is right.
 */
int config_check_target(struct str target, struct err *err);

extern const char builtin_rules_yaml[], sample_config_yaml[];

#endif
