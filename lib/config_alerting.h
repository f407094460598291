/*
 * config_alerting: alerts and who is told, as the configuration file says it.  Layer 2, plain data.
 *
 * Part of config.h, which says who owns the memory.  Keys and defaults: config_keys.c and
 * leakwatch.yaml(5).
 */
#ifndef LEAKWATCH_CONFIG_ALERTING_H
#define LEAKWATCH_CONFIG_ALERTING_H

#include "classify.h"
#include "config_scrape.h"

struct config_alert_rule {
	struct str name; /* one of alert.h's names */
	uint64_t for_ms, keep_firing_for_ms; /* CONFIG_UNSET = the alert's own */
	struct str severity; /* "" = the alert's own */
	struct config_labels labels, annotations;
	struct str runbook_url;
};

struct config_webhook {
	struct str url, url_file; /* one of the two */
	struct str secret_file; /* "" = not signed */
	bool send_resolved;
	uint64_t timeout_ms;
	struct config_auth authorization;
	struct config_basic basic_auth;
	struct config_tls tls;
};

/* Names of syslog's facilities, NULL at the end. */
extern const char *const config_facilities[];

struct config_syslog {
	int facility; /* index in config_facilities, the default is "daemon" */
	bool send_resolved;
};

struct config_alertmanager {
	struct config_strs urls;
	bool send_resolved;
	uint64_t timeout_ms;
	struct config_auth authorization;
	struct config_basic basic_auth;
	struct config_tls tls;
};

struct config_slack {
	struct str api_url_file, channel, username;
	bool send_resolved;
	uint64_t timeout_ms;
};

struct config_pagerduty {
	struct str routing_key_file, url;
	bool send_resolved;
	uint64_t timeout_ms;
};

struct config_heartbeat {
	struct str url, url_file;
	uint64_t interval_ms, timeout_ms;
};

struct config_receiver {
	struct str name;
	struct label_match *match; /* all must hold, values any-of; none = takes every alert */
	size_t nmatch;
	struct config_webhook *webhooks;
	size_t nwebhooks;
	struct config_syslog *syslogs;
	size_t nsyslogs;
	struct config_alertmanager *alertmanagers;
	size_t nalertmanagers;
	struct config_slack *slacks;
	size_t nslacks;
	struct config_pagerduty *pagerduties;
	size_t npagerduties;
	struct config_heartbeat *heartbeats;
	size_t nheartbeats;
};

#endif
