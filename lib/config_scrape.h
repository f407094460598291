/*
 * config_scrape: what is scraped and how, as the configuration file says it.  Layer 2, plain data.
 *
 * Part of config.h, which says who owns the memory.  Keys and defaults: config_keys.c and
 * leakwatch.yaml(5).
 */
#ifndef LEAKWATCH_CONFIG_SCRAPE_H
#define LEAKWATCH_CONFIG_SCRAPE_H

#include "model.h"

#define CONFIG_CGROUP_MAX 500 /* bytes of a unit's, container's or path's name */

struct config_strs {
	struct str *v;
	size_t n;
};

struct config_labels {
	struct label *v;
	size_t n;
};

/* Names of secrets: a path, "credential:NAME" ($CREDENTIALS_DIRECTORY/NAME) or "env:NAME". */
struct config_auth {
	struct str type; /* "Bearer" */
	struct str credentials_file; /* "" = no Authorization header */
};

struct config_basic {
	struct str username, password_file; /* username "" = none */
};

struct config_tls {
	struct str ca_file, cert_file, key_file, server_name; /* paths; "" = not given */
	bool insecure_skip_verify;
};

struct config_static {
	struct config_strs targets; /* "host:port" or "unix:/path" */
	struct config_labels labels;
};

struct config_file_sd {
	struct config_strs files; /* paths; * in the last part */
	uint64_t refresh_interval_ms;
};

struct config_http_sd {
	struct str url;
	uint64_t refresh_interval_ms;
	struct config_auth authorization;
	struct config_basic basic_auth;
	struct config_tls tls;
};

enum config_relabel_action {
	CONFIG_RELABEL_REPLACE,
	CONFIG_RELABEL_KEEP,
	CONFIG_RELABEL_DROP,
	CONFIG_RELABEL_LABELMAP,
	CONFIG_RELABEL_HASHMOD
};

struct config_relabel {
	struct config_strs source_labels;
	struct str separator, regex, target_label, replacement;
	uint64_t modulus;
	int action; /* enum config_relabel_action */
};

enum config_scheme { CONFIG_HTTP, CONFIG_HTTPS };

struct config_job {
	struct str name;
	uint64_t scrape_interval_ms, scrape_timeout_ms; /* global's where the job gives none */
	int scheme; /* enum config_scheme */
	struct str metrics_path; /* "" = the targets have no metrics */
	struct str pprof_path; /* without a "/" at its end */
	struct str metrics_address; /* "" = where pprof is */
	double scrape_budget; /* share of a core, 0.01 = 1 %; 0 = no budget */
	struct config_strs lineage; /* label names; none = job and instance */
	uint64_t body_size_limit_bytes;
	struct config_auth authorization;
	struct config_basic basic_auth;
	struct config_tls tls;
	struct str load_metric, cgroup; /* "" = not given */
	uint64_t pid; /* 0 = not given */
	bool allow_local;
	struct config_static *statics;
	size_t nstatics;
	struct config_file_sd *file_sds;
	size_t nfile_sds;
	struct config_http_sd *http_sds;
	size_t nhttp_sds;
	struct config_relabel *relabels;
	size_t nrelabels;
};

#endif
