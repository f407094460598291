/*
 * sink_alertmanager: tells Alertmanagers what stands, again and again.  Level 3.
 *
 * Every listed Alertmanager gets every alert (they do not hand alerts on to one another), each on a
 * lane of its own, so that one that is dead delays nobody.  A round tells a peer of all alerts that
 * are firing, each with a lease (endsAt = now + lease_ms), and of those that resolved within
 * SINK_ALERTMANAGER_RESOLVED_MS, with the time they ended.  There is a round at each change, and
 * every resend_ms while there is anything to tell; after a failed one the next comes after
 * random(0, min(resend_ms, 1 s * 2^n)), or when Retry-After says.
 *
 * Nothing of this is in the outbox, and nothing is lost by that: a round is made of the alert table
 * and of the store's resolved alerts, which are the durable state, not of a queue of events.  What
 * a peer missed while it, or this daemon, was away is in the next round.  Should this daemon stay
 * away, the leases run out and Alertmanager resolves what nobody vouches for any more.
 *
 * An alert that fires again while its resolved forerunner (same identity) is still told replaces
 * it: both at once would flap.
 *
 * API: Alertmanager v2, POST /api/v2/alerts; Prometheus's notifier resends in the same way.
 */
#ifndef LEAKWATCH_SINK_ALERTMANAGER_H
#define LEAKWATCH_SINK_ALERTMANAGER_H

#include "alert.h"

#define SINK_ALERTMANAGER_RESEND_MS   (60 * 1000)
#define SINK_ALERTMANAGER_RESOLVED_MS (15 * 60 * 1000)
#define SINK_ALERTMANAGER_LEASES      4 /* lease_ms is so many times max(interval, resend) */
#define SINK_ALERTMANAGER_BODY                                                                     \
	(1024 * 1024) /* bytes after which a round goes on in another request */

struct event_base;
struct fetch;
struct sink_alertmanager;

struct sink_alertmanager_peer {
	const char *name; /* for the log: "oncall/alertmanager/0" */
	const char *url; /* without /api/v2/alerts */
	const void *receiver; /* what receiver_of gives for the alerts it gets */
	bool send_resolved; /* false: it learns of an end when the lease runs out */
	uint64_t timeout_ms;
	const char *username, *password; /* basic; or NULL */
	const char *authorization; /* value of the header, or NULL */
	const char *ca_file, *cert_file, *key_file, *server_name; /* TLS; or NULL */
	bool insecure_skip_verify;
};

struct sink_alertmanager_options {
	const struct alert_table *alerts;
	const char *external_url; /* where our pages are, copied; or NULL */
	uint64_t lease_ms, resend_ms; /* resend_ms 0: SINK_ALERTMANAGER_RESEND_MS */
	/* The receiver that takes an alert, NULL when none does or it is withheld (a silence). */
	const void *(*receiver_of)(void *arg, const struct alert *a);
	void *arg;
};

struct sink_alertmanager *sink_alertmanager_new(struct event_base *base, struct fetch *fetch,
	const struct sink_alertmanager_options *options);
/* Requests under way are cancelled. */
void sink_alertmanager_free(struct sink_alertmanager *s);
/* Adds a peer; everything is copied.  Its first round begins at once. */
void sink_alertmanager_add(struct sink_alertmanager *s, const struct sink_alertmanager_peer *peer);

/* An alert fired or resolved (a resolved one is copied): all peers have a round now.  Alerts that
 * resolved before this process began are handed in the same way. */
void sink_alertmanager_changed(struct sink_alertmanager *s, const struct alert *a);
/* What is withheld may have changed. */
void sink_alertmanager_wake(struct sink_alertmanager *s);
/* True when no peer waits for what it was not told yet. */
bool sink_alertmanager_idle(const struct sink_alertmanager *s);

#endif
