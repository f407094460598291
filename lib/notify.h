/*
 * notify: the words and the bodies of what is sent.  Layer 1; the one home of openssl/.
 *
 * notify_text words an alert for the person who reads it at night; notify_webhook puts one message
 * together as Alertmanager's webhook, version "4"; notify_sign signs it as Standard Webhooks 1.0
 * ask. Nothing is sent from here (daemon/outbox), and no clock is read.
 */
#ifndef LEAKWATCH_NOTIFY_H
#define LEAKWATCH_NOTIFY_H

#include "alert.h"

#include <math.h>

#define NOTIFY_ID_MAX	     40 /* with its NUL */
#define NOTIFY_SIGNATURE_MAX 48 /* "v1," and base64 of 32 bytes, with its NUL */
#define NOTIFY_SECRET_BYTES  4096 /* decoded length of a signing secret at most */
#define NOTIFY_TIME_MAX	     25 /* 2026-11-21T04:05:06.789Z and a NUL */

enum notify_unit { NOTIFY_GOROUTINES, NOTIFY_BYTES, NOTIFY_DESCRIPTORS };

/* Another series that leaks for the same cause. */
struct notify_member {
	struct str name;
	enum notify_unit unit;
	double count, rate_per_hour; /* NAN when not known */
	double ratio; /* how many of it there are for each of the alert's own; NAN: not told */
};

/* A number with its 95 % interval. */
struct notify_range {
	double value, low, high; /* NAN where not known */
};

/* A ceiling that the leak runs into, whatever it is counted in. */
struct notify_ceiling {
	struct str what; /* "memory.max of checkout.service", "the descriptor limit" */
	enum notify_unit unit;
	double limit;
	double in_s, low_s, high_s; /* until it is hit, with its interval; at or under 0: it is */
};

/*
 * What is known; "", 0 (times, counts of members), NAN (numbers) and NULL where it is not: then the
 * sentence is left out.  Begin with NOTIFY_FACTS_INIT.  Nothing is copied.
 */
struct notify_facts {
	enum alert_kind kind;
	struct str job, instance, class;
	enum notify_unit unit;
	int64_t now_ms;
	double count; /* goroutines, bytes or descriptors now */
	double rate_per_hour, low, high; /* with its 95 % interval */
	int64_t since_ms;
	bool since_at_least; /* it began before the first sample */
	struct str version; /* of the program when it began */
	struct str version_now; /* told where it is another one */
	struct str wait; /* what they wait on: "chan receive" */
	struct str created_by; /* function */
	struct frame user; /* first line outside the standard library */
	struct str example_stack; /* lines "function file:line" */
	struct str hint; /* the rule's: the likely cause */
	double limit; /* a ceiling: of the class, of descriptors, of the process */
	/* When it is hit at the earliest and at the latest; NAN: reckoned from low and high.  high
	 * may be INFINITY. */
	double lookback_s; /* the rate is that of so long */
	double limit_low_s, limit_high_s;
	const struct notify_ceiling *ceilings; /* others, the first to be hit first */
	size_t nceilings;
	double oldest_s; /* so long the oldest of them is there at least */
	struct notify_range each_bytes, each_fds; /* what each of them holds */
	struct str culprit; /* "69 of 71 new descriptors: unix /run/docker.sock" */
	struct str evidence; /* what was found out beside the count, or why it could not be */
	struct str fleet; /* "5 of 6 instances leak, the sixth runs version v1.4.0" */
	struct str first_seen; /* "first seen in v1.5.0 (v1.4.0 ran 6 d without it)" */
	struct str instances; /* a line for each of them, as fleet_list makes them */
	struct str reason; /* the detector's words, or why a target is down */
	const struct notify_member *members;
	size_t nmembers;
	struct str runbook_url;
};

#define NOTIFY_FACTS_INIT                                                                          \
	{                                                                                          \
		.count = NAN, .rate_per_hour = NAN, .low = NAN, .high = NAN, .limit = NAN,         \
		.lookback_s = NAN, .limit_low_s = NAN, .limit_high_s = NAN, .oldest_s = NAN,       \
		.each_bytes = {NAN, NAN, NAN}, .each_fds = {                                       \
			NAN,                                                                       \
			NAN,                                                                       \
			NAN                                                                        \
		}                                                                                  \
	}

/*
 * Fills annotations (which are emptied first): summary and description always; rate, since,
 * version, also, example_stack, waits_on, created_by, first_user_line, hint, forecast, oldest,
 * each_holds, what_grows, evidence, fleet, first_seen, instances, runbook_url where known.
 */
void notify_text(const struct notify_facts *f, struct alert_labels *annotations);

/* Appends an amount: "1,204", "12 MiB", "1.5 MiB"; "unknown" for bytes that are NAN. */
void notify_add_amount(struct buf *out, double v, enum notify_unit unit);
/* Appends the address of an alert's page, EXTERNAL_URL/alerts/ID; nothing without external_url. */
void notify_add_page(struct buf *out, const struct alert *a, struct str external_url);
/* Appends a rate a person can judge: "30/h", "1.2/s", "240/d", "12 MiB/h"; "unknown" for NAN. */
void notify_add_rate(struct buf *out, double per_hour, enum notify_unit unit);
/* Appends "45 s", "12 min", "2 h 5 min", "3 d 4 h"; negative counts as 0. */
void notify_add_duration(struct buf *out, double seconds);
/* RFC 3339 in UTC with milliseconds; out has NOTIFY_TIME_MAX bytes.  Years 1970 to 9999. */
void notify_time(int64_t at_ms, char *out);

struct notify_group {
	struct str receiver;
	struct str external_url; /* where our pages are, or "" */
	/* The labels that make the group; NULL: all of them, so that each alert is its own group
	 * (what Alertmanager calls group_by: ['...']). */
	const char *const *group_by;
	size_t ngroup_by;
	const struct alert *const *alerts; /* at least one; all have the group's labels in common */
	size_t n;
	size_t truncated; /* alerts of the group that were left out of this message */
	size_t truncated_firing; /* those of them that fire */
};

/*
 * Appends the JSON body, one line.  status is "firing" while one of the alerts is; endsAt of one
 * that is firing is 0001-01-01T00:00:00Z.  groupKey is "{}:" and the group's labels.
 * generatorURL is the alert's page, "" without an external_url; so is the annotation page, and
 * look_further is the command that shows the alert.
 * fingerprint is the hash of an alert's labels, the same in each of its lives.  Format: Prometheus
 * Alertmanager, "webhook_config", version 4.
 */
void notify_webhook(const struct notify_group *g, struct buf *out);

/* webhook-id: a hash of alert, change and receiver, so that it is the same at every attempt and
 * after a restart.  out has NOTIFY_ID_MAX bytes.  Letters, digits and "_" only. */
void notify_webhook_id(const char *alert_id, unsigned change, struct str receiver, char *out);

/*
 * webhook-signature of one attempt: "v1," and the base64 of HMAC-SHA256(secret, ID.TIMESTAMP.BODY).
 * secret is "whsec_" and base64, as the specification writes it, or any other text, whose bytes are
 * the key then.  out has NOTIFY_SIGNATURE_MAX bytes.  -1 with err when the secret is empty, too
 * long or not base64; err never holds any of it.
 */
int notify_sign(struct str secret, const char *webhook_id, int64_t timestamp_s, struct str body,
	char *out, struct err *err);

#endif
