/*
 * The table of keys: everything a configuration may say.  Parser, defaults, check-config, --print
 * and --keys work from it; a test holds the manual and the sample file to it.  A row is: name,
 * type, offset, default, smallest, largest, what is below it or its words, flags, help.
 */
#include "config_internal.h"

#define S      1000.0
#define M      (60 * S)
#define H      (60 * M)
#define D      (24 * H)
#define Y      (365 * D)
#define KIB    1024.0
#define MIB    (1024 * KIB)
#define GIB    (1024 * MIB)
#define TIB    (1024 * GIB)
#define LATER  KEY_LATER
#define EMPTY  KEY_EMPTY_OK
#define NEEDED KEY_REQUIRED
#define QUIET  KEY_OPTIONAL

/* Rows.  V: a value or list of values; W: one word of some; N: nested. */
#define V(name, type, str, field, def, min, max, flags, help)                                      \
	{                                                                                          \
		name, KEY_##type, offsetof(struct str, field), def, min, max, NULL, NULL, flags,   \
			help                                                                       \
	}
#define W(name, str, field, def, words, flags, help)                                               \
	{                                                                                          \
		name, KEY_ENUM, offsetof(struct str, field), def, 0, 0, NULL, words, flags, help   \
	}
#define N(name, type, at, below, flags, help)                                                      \
	{                                                                                          \
		name, KEY_##type, at, NULL, 0, 0, below, NULL, flags, help                         \
	}
#define END                                                                                        \
	{                                                                                          \
		NULL, KEY_TEXT, 0, NULL, 0, 0, NULL, NULL, 0, NULL                                 \
	}
#define LOOSE(var, text, str, fn)                                                                  \
	static const struct section var = {text, sizeof(struct str), var##_keys, fn, true}
#define SECTION(var, text, str, fn)                                                                \
	static const struct section var = {text, sizeof(struct str), var##_keys, fn, false}

static const char *const schemes[] = {"http", "https", NULL};
static const char *const sensitivities[] = {"low", "normal", "high", NULL};
static const char *const relabel_actions[] = {
	"replace", "keep", "drop", "labelmap", "hashmod", NULL};
const char *const config_facilities[] = {"auth", "authpriv", "cron", "daemon", "kern", "local0",
	"local1", "local2", "local3", "local4", "local5", "local6", "local7", "mail", "syslog",
	"user", NULL};

/* clang-format off */

/* ---- what several sections have: who we are, and whom we trust ---- */
static const struct key auth_keys[] = {
	V("type", TEXT, config_auth, type, "Bearer", 0, 0, 0,
		"First word of the Authorization header."),
	V("credentials_file", SECRET, config_auth, credentials_file, NULL, 0, 0, NEEDED,
		"What follows it."),
	END
};
SECTION(auth, "authorization", config_auth, NULL);

static const struct key basic_keys[] = {
	V("username", TEXT, config_basic, username, NULL, 0, 0, NEEDED, "User name."),
	V("password_file", SECRET, config_basic, password_file, NULL, 0, 0, NEEDED, "Password."),
	END
};
SECTION(basic, "basic_auth", config_basic, NULL);

static const struct key tls_keys[] = {
	V("ca_file", PATH, config_tls, ca_file, NULL, 0, 0, KEY_EXISTS,
		"Certificates of the authorities to trust instead of the system's."),
	V("cert_file", PATH, config_tls, cert_file, NULL, 0, 0, KEY_EXISTS,
		"Client certificate."),
	V("key_file", PATH, config_tls, key_file, NULL, 0, 0, KEY_EXISTS, "Its key."),
	V("server_name", TEXT, config_tls, server_name, NULL, 0, 0, 0,
		"Name that the server's certificate must have, instead of the address's."),
	V("insecure_skip_verify", BOOL, config_tls, insecure_skip_verify, "false", 0, 0, 0,
		"Do not check the server's certificate."),
	END
};
SECTION(tls, "tls_config", config_tls, config_check_tls);

#define HTTP_CLIENT(str)                                                                           \
	N("authorization", SECTION, offsetof(struct str, authorization), &auth, QUIET,             \
		"A token sent with each request."),                                                \
	N("basic_auth", SECTION, offsetof(struct str, basic_auth), &basic, QUIET,                  \
		"A name and password sent with each request."),                                    \
	N("tls_config", SECTION, offsetof(struct str, tls), &tls, QUIET, "TLS, for https.")

/* ---- global ---- */
static const struct key global_keys[] = {
	V("scrape_interval", DURATION, config, scrape_interval_ms, "1m", 100, D, 0,
		"How often a target is scraped, where its job does not say."),
	V("scrape_timeout", DURATION, config, scrape_timeout_ms, "10s", 10, H, 0,
		"Longest wait for an answer, where the job does not say; at most the interval."),
	V("external_labels", LABELS, config, external_labels, NULL, 0, 0, 0,
		"Labels on every alert."),
	END
};
SECTION(global, "global", config, config_check_global);

/* ---- scrape_configs ---- */
static const struct key statics_keys[] = {
	V("targets", ADDRESSES, config_static, targets, NULL, 0, 0, NEEDED,
		"Addresses, host:port or unix:/path."),
	V("labels", LABELS, config_static, labels, NULL, 0, 0, 0, "Labels of all these targets."),
	END
};
SECTION(statics, "static_configs[]", config_static, config_check_static);

static const struct key file_sd_keys[] = {
	V("files", PATHS, config_file_sd, files, NULL, 0, 0, NEEDED,
		"JSON or YAML files of targets; the last part of a path may hold *."),
	V("refresh_interval", DURATION, config_file_sd, refresh_interval_ms, "5m", S, D, 0,
		"How often they are read again even when no change is seen."),
	END
};
SECTION(file_sd, "file_sd_configs[]", config_file_sd, NULL);

static const struct key http_sd_keys[] = {
	V("url", URL, config_http_sd, url, NULL, 0, 0, NEEDED, "Where the list of targets is."),
	V("refresh_interval", DURATION, config_http_sd, refresh_interval_ms, "1m", S, D, 0,
		"How often it is asked for."),
	HTTP_CLIENT(config_http_sd),
	END
};
SECTION(http_sd, "http_sd_configs[]", config_http_sd, NULL);

static const struct key relabel_keys[] = {
	V("source_labels", LABEL_NAMES, config_relabel, source_labels, NULL, 0, 0, 0,
		"Labels whose values are joined."),
	V("separator", TEXT, config_relabel, separator, ";", 0, 0, EMPTY,
		"What stands between them."),
	V("regex", REGEX, config_relabel, regex, "(.*)", 0, 0, 0,
		"What the joined value, as a whole, must match."),
	V("modulus", INT, config_relabel, modulus, NULL, 0, 0, 0,
		"For hashmod: the hash of the joined value is taken modulo this."),
	V("target_label", TEXT, config_relabel, target_label, NULL, 0, 0, 0,
		"Label that replace and hashmod set."),
	V("replacement", TEXT, config_relabel, replacement, "$1", 0, 0, EMPTY,
		"What it is set to; $1 is the first group of regex."),
	W("action", config_relabel, action, "replace", relabel_actions, 0, "What is done."),
	END
};
SECTION(relabel, "relabel_configs[]", config_relabel, config_check_relabel);

static const struct key job_keys[] = {
	V("job_name", TEXT, config_job, name, NULL, 0, 0, NEEDED, "The label job; unique."),
	V("scrape_interval", DURATION, config_job, scrape_interval_ms, NULL, 100, D, 0,
		"Default: global's."),
	V("scrape_timeout", DURATION, config_job, scrape_timeout_ms, NULL, 10, H, 0,
		"Default: global's; at most the interval."),
	W("scheme", config_job, scheme, "http", schemes, 0, "How targets are asked."),
	V("metrics_path", URL_PATH, config_job, metrics_path, "/metrics", 0, 0, EMPTY,
		"Where the metrics are; \"\" when the targets have none."),
	V("pprof_path", URL_PATH, config_job, pprof_path, "/debug/pprof", 0, 0, 0,
		"Where pprof is: goroutine and symbol are below it."),
	V("metrics_address", ADDRESS, config_job, metrics_address, NULL, 0, 0, 0,
		"Where the metrics are asked for, when it is not the target's address."),
	V("scrape_budget", PERCENT, config_job, scrape_budget, "1%", 0, 1, 0,
		"Share of a core that dumps may cost a target; 0: no budget."),
	V("lineage", LABEL_NAMES, config_job, lineage, NULL, 0, 0, 0,
		"Labels under which a new instance continues an old one's history."),
	V("body_size_limit", SIZE, config_job, body_size_limit_bytes, "32MB", KIB, GIB, 0,
		"Largest body that is read, uncompressed."),
	HTTP_CLIENT(config_job),
	V("load_metric", METRIC, config_job, load_metric, NULL, 0, 0, 0,
		"Metric that says how busy a target is: growth that follows it is no leak."),
	V("cgroup", TEXT, config_job, cgroup, NULL, 0, 0, 0,
		"Unit, container or path of the targets' cgroup on this host."),
	V("pid", INT, config_job, pid, NULL, 1, 4194304, 0,
		"Process id of the target on this host."),
	V("allow_local", BOOL, config_job, allow_local, "false", 0, 0, 0,
		"Discovery may name unix sockets, processes and cgroups of this host."),
	N("static_configs", SECTIONS, offsetof(struct config_job, statics), &statics, 0,
		"Targets that are written here."),
	N("file_sd_configs", SECTIONS, offsetof(struct config_job, file_sds), &file_sd, 0,
		"Targets that stand in files."),
	N("http_sd_configs", SECTIONS, offsetof(struct config_job, http_sds), &http_sd, 0,
		"Targets that a server lists."),
	N("relabel_configs", SECTIONS, offsetof(struct config_job, relabels), &relabel, 0,
		"What is done to the labels of all targets."),
	END
};
LOOSE(job, "scrape_configs[]", config_job, config_check_job);

/* ---- classes ---- */
static const struct section match;
static const struct section not_match;

#define MATCH_KEYS                                                                                 \
	V("mentions", PATTERNS, match, mentions, NULL, 0, 0, 0, "Any function of the stack."),     \
	V("entry", PATTERNS, match, entry, NULL, 0, 0, 0,                                          \
		"The function the goroutine started in."),                                         \
	V("top", PATTERNS, match, top, NULL, 0, 0, 0, "The first function outside the runtime."),  \
	V("file", PATTERNS, match, file, NULL, 0, 0, 0,                                            \
		"End of a frame's path, or of path:line."),                                        \
	V("wait", WAITS, match, waits, NULL, 0, 0, 0, "What the goroutine waits for."),            \
	V("label", PATTERN_MAP, match, labels, NULL, 0, 0, 0, "The goroutine's profiler labels.")

static const struct key not_match_keys[] = {
	MATCH_KEYS,
	END
};
static const struct section not_match = {
	"not", sizeof(struct match), not_match_keys, config_check_match, false};

static const struct key match_keys[] = {
	MATCH_KEYS,
	N("not", SECTION_PTR, offsetof(struct match, not_match), &not_match, 0,
		"The same keys; holds when none of them does."),
	END
};
static const struct section match = {
	"match", sizeof(struct match), match_keys, config_check_match, false};

static const struct key expect_keys[] = {
	V("max", NUMBER, rule, expect_max, NULL, 0, 1e9, 0, "How many goroutines are healthy."),
	V("max_metric", METRIC, rule, expect_metric, NULL, 0, 0, 0,
		"Or the metric of the target that tells how many."),
	V("factor", NUMBER, rule, expect_factor, "1", 0, 1e6, 0, "For each one of the metric."),
	V("slack", NUMBER, rule, expect_slack, "0", 0, 1e9, 0, "And so many more."),
	END
};
SECTION(expect, "expect", rule, config_check_expect);

static const struct key rule_keys[] = {
	V("name", TEXT, rule, name, NULL, 0, 0, NEEDED, "Name of the class."),
	N("match", SECTION, offsetof(struct rule, match), &match, QUIET,
		"Which goroutines: all keys must hold, a list is any-of."),
	V("hint", TEXT, rule, hint, NULL, 0, 0, 0, "Told with an alert: the usual cause."),
	N("expect", SECTION, 0, &expect, QUIET, "How many are healthy."),
	V("limit", NUMBER, rule, limit, NULL, 1, 1e9, 0, "Ceiling to forecast against."),
	V("load_metric", METRIC, rule, load_metric, NULL, 0, 0, 0,
		"As the job's, for this class alone."),
	V("split_by", TEXT, rule, split_by, NULL, 0, 0, 0,
		"Profiler label whose values make classes of their own, 50 at most."),
	V("ignore", BOOL, rule, ignore, "false", 0, 0, 0,
		"Counted and shown, never judged, not in the judged total."),
	END
};
SECTION(rule, "classes[]", rule, config_check_rule);

/* ---- detect, evidence, limits, storage ---- */
static const struct key detect_keys[] = {
	W("sensitivity", config, detect.sensitivity, "normal", sensitivities, 0,
		"How much proof a verdict asks for."),
	V("ref", NUMBER, config, detect.ref, "50", 1, 1e6, 0,
		"Growth that matters, in goroutines or descriptors."),
	V("ref_bytes", SIZE_NUMBER, config, detect.ref_bytes, "32MiB", KIB, TIB, 0,
		"Growth that matters, in bytes of memory."),
	V("window", SECONDS, config, detect.window_s, "2m", 100, H, 0,
		"Scales the detector's whole clock: for tests and demonstrations only."),
	END
};
SECTION(detect, "detect", config, config_check_detect);

static const struct key evidence_keys[] = {
	V("max_pause", DURATION, config, max_pause_ms, "25ms", 0, 10 * S, 0,
		"Longest that a dump taken as evidence may stop a target, in all; 0: no dump."),
	END
};
SECTION(evidence, "evidence", config, NULL);

static const struct key limits_keys[] = {
	V("targets", INT, config, targets_max, "10000", 1, 100000, 0, "Targets at once."),
	V("classes_per_target", INT, config, classes_max, "300", 1, 10000, 0,
		"Classes of one target; goroutines of further ones count as other."),
	END
};
SECTION(limits, "limits", config, NULL);

static const struct key retention_keys[] = {
	V("raw", DURATION, config, retention_raw_ms, "48h", M, 100 * Y, 0, "Samples as scraped."),
	V("5m", DURATION, config, retention_5m_ms, "30d", M, 100 * Y, 0, "5-minute buckets."),
	V("1h", DURATION, config, retention_1h_ms, "400d", M, 100 * Y, 0, "1-hour buckets."),
	END
};
SECTION(retention, "retention", config, config_check_retention);

static const struct key storage_keys[] = {
	V("path", PATH, config, storage_path, "/var/lib/leakwatch/leakwatch.db", 0, 0, 0,
		"The SQLite file."),
	N("retention", SECTION, 0, &retention, 0, "How long history is kept."),
	V("max_size", SIZE, config, max_size_bytes, "2GB", 0, 16 * TIB, 0,
		"Largest size of the file; 0: no limit."),
	V("min_free", SIZE, config, min_free_bytes, "256MB", 0, 16 * TIB, 0,
		"Space on the disk that is left to others."),
	END
};
SECTION(storage, "storage", config, NULL);

/* ---- alerting ---- */
static const struct key alert_rule_keys[] = {
	V("for", DURATION, config_alert_rule, for_ms, NULL, 0, 30 * D, 0,
		"How long the condition must hold before anybody is told."),
	V("keep_firing_for", DURATION, config_alert_rule, keep_firing_for_ms, NULL, 0, 30 * D, 0,
		"How long it must be gone before the alert resolves."),
	V("severity", TEXT, config_alert_rule, severity, NULL, 0, 0, 0, "The label severity."),
	V("labels", LABELS, config_alert_rule, labels, NULL, 0, 0, 0, "More labels."),
	V("annotations", LABELS, config_alert_rule, annotations, NULL, 0, 0, 0,
		"More annotations; {{NAME}} is the label or annotation of that name."),
	V("runbook_url", URL, config_alert_rule, runbook_url, NULL, 0, 0, 0,
		"The annotation runbook_url."),
	END
};
SECTION(alert_rule, "rules.ALERTNAME", config_alert_rule, config_check_alert_rule);

#define SINK(str)                                                                                  \
	V("send_resolved", BOOL, str, send_resolved, "true", 0, 0, 0,                              \
		"Tell also when an alert ended."),                                                 \
	V("timeout", DURATION, str, timeout_ms, "10s", 100, 5 * M, 0, "Longest wait for an answer.")

static const struct key webhook_keys[] = {
	V("url", URL, config_webhook, url, NULL, 0, 0, 0, "Where messages are posted."),
	V("url_file", SECRET, config_webhook, url_file, NULL, 0, 0, 0,
		"Or the secret that holds the URL."),
	V("secret_file", SECRET, config_webhook, secret_file, NULL, 0, 0, 0,
		"Signs messages as Standard Webhooks have it."),
	SINK(config_webhook),
	HTTP_CLIENT(config_webhook),
	END
};
SECTION(webhook, "webhook_configs[]", config_webhook, config_check_url_or_file);

static const struct key syslog_keys[] = {
	W("facility", config_syslog, facility, "daemon", config_facilities, 0,
		"Facility of the messages."),
	V("send_resolved", BOOL, config_syslog, send_resolved, "true", 0, 0, 0,
		"Tell also when an alert ended."),
	END
};
SECTION(syslog, "syslog_configs[]", config_syslog, NULL);

static const struct key alertmanager_keys[] = {
	V("urls", URLS, config_alertmanager, urls, NULL, 0, 0, NEEDED,
		"All members of the cluster; each gets every alert."),
	SINK(config_alertmanager),
	HTTP_CLIENT(config_alertmanager),
	END
};
SECTION(alertmanager, "alertmanager_configs[]", config_alertmanager, NULL);

static const struct key slack_keys[] = {
	V("api_url_file", SECRET, config_slack, api_url_file, NULL, 0, 0, NEEDED,
		"The incoming webhook's URL, which is a secret."),
	V("channel", TEXT, config_slack, channel, NULL, 0, 0, 0, "Channel."),
	V("username", TEXT, config_slack, username, NULL, 0, 0, 0, "Name of the sender."),
	SINK(config_slack),
	END
};
SECTION(slack, "slack_configs[]", config_slack, NULL);

static const struct key pagerduty_keys[] = {
	V("routing_key_file", SECRET, config_pagerduty, routing_key_file, NULL, 0, 0, NEEDED,
		"Integration key of the service."),
	V("url", URL, config_pagerduty, url, "https://events.pagerduty.com/v2/enqueue", 0, 0, 0,
		"Where events are posted."),
	SINK(config_pagerduty),
	END
};
SECTION(pagerduty, "pagerduty_configs[]", config_pagerduty, NULL);

static const struct key heartbeat_keys[] = {
	V("url", URL, config_heartbeat, url, NULL, 0, 0, 0, "What is asked for."),
	V("url_file", SECRET, config_heartbeat, url_file, NULL, 0, 0, 0,
		"Or the secret that holds the URL."),
	V("interval", DURATION, config_heartbeat, interval_ms, "1m", S, D, 0, "How often."),
	V("timeout", DURATION, config_heartbeat, timeout_ms, "10s", 100, 5 * M, 0,
		"Longest wait for an answer."),
	END
};
SECTION(heartbeat, "heartbeat_configs[]", config_heartbeat, config_check_url_or_file);

#define SINKS(name, field, below, flags, help)                                                     \
	N(name, SECTIONS, offsetof(struct config_receiver, field), below, flags, help)

static const struct key receiver_keys[] = {
	V("name", TEXT, config_receiver, name, NULL, 0, 0, NEEDED, "Name; unique."),
	V("match", TEXT_MAP, config_receiver, match, NULL, 0, 0, 0,
		"Labels and values: all must be equal, a list is any-of.  Without: every alert."),
	SINKS("webhook_configs", webhooks, &webhook, 0, "HTTP servers that get JSON."),
	SINKS("syslog_configs", syslogs, &syslog, 0, "The system's log."),
	SINKS("alertmanager_configs", alertmanagers, &alertmanager, 0, "Alertmanagers."),
	SINKS("slack_configs", slacks, &slack, 0, "Slack channels."),
	SINKS("pagerduty_configs", pagerduties, &pagerduty, 0, "PagerDuty services."),
	SINKS("heartbeat_configs", heartbeats, &heartbeat, 0,
		"Servers that miss us when we are gone."),
	END
};
SECTION(receiver, "receivers[]", config_receiver, config_check_receiver);

static const struct key alerting_keys[] = {
	V("group_by", LABEL_NAMES, config, group_by, "[job, class]", 0, 0, 0,
		"Alerts with these labels alike make one message."),
	V("group_wait", DURATION, config, group_wait_ms, "30s", 0, D, 0,
		"Wait for others of a group before a change in it is told."),
	V("group_interval", DURATION, config, group_interval_ms, "5m", S, 7 * D, 0,
		"Shortest time between two messages of a group."),
	V("repeat_interval", DURATION, config, repeat_interval_ms, "4h", S, 90 * D, 0,
		"A message is sent again after that long, unless acknowledged."),
	V("give_up_after", DURATION, config, give_up_after_ms, "24h", S, 30 * D, 0,
		"A message that could not be delivered for that long is given up."),
	N("rules", NAMED_SECTIONS, offsetof(struct config, alert_rules), &alert_rule, 0,
		"What differs from the defaults, by alert name."),
	N("receivers", SECTIONS, offsetof(struct config, receivers), &receiver, 0,
		"Who is told: the first whose match fits."),
	END
};
LOOSE(alerting, "alerting", config, config_check_alerting);

static const struct key web_keys[] = {
	V("listen_address", ADDRESS, config, listen_address, "127.0.0.1:9765", 0, 0,
		EMPTY, "Where our pages, metrics and health are; \"\": nowhere."),
	V("external_url", URL, config, external_url, NULL, 0, 0, 0,
		"Where people reach those pages: messages link to them."),
	END
};
SECTION(web, "web", config, NULL);

/* ---- the whole file ---- */
static const struct key root_keys[] = {
	N("global", SECTION, 0, &global, 0, "What holds for all jobs."),
	N("scrape_configs", SECTIONS, offsetof(struct config, jobs), &job, 0, "What is scraped."),
	N("classes", SECTIONS, offsetof(struct config, own_rules), &rule, 0,
		"Rules that name goroutines, before the built-in ones; the first that fits."),
	N("detect", SECTION, 0, &detect, 0, "When growth is a leak."),
	N("evidence", SECTION, 0, &evidence, 0, "What is gathered on suspicion."),
	N("limits", SECTION, 0, &limits, 0, "What keeps memory bounded."),
	N("storage", SECTION, 0, &storage, 0, "The history."),
	N("alerting", SECTION, 0, &alerting, 0, "What people hear, and who."),
	N("web", SECTION, 0, &web, 0, "The daemon's pages, metrics and health."),
	END
};
/* clang-format on */
const struct section config_root = {
	"the file", sizeof(struct config), root_keys, config_check_root, true};
