/*
 * notify_bodies: messages in the words of particular services.  Layer 1, pure.
 *
 * Slack: incoming webhooks; text is mrkdwn, with & < > escaped, so that no name can mention anybody
 * or make a link.  PagerDuty: Events API v2; one event an alert, whose dedup_key is the alert's
 * fingerprint, so that a repetition is the same incident and the end finds it.
 *
 * Alertmanager: API v2, POST /api/v2/alerts, an array of alerts.  What it is told is not an event
 * but a lease: "firing until endsAt", renewed while it holds; a past endsAt says that it ended.
 */
#ifndef LEAKWATCH_NOTIFY_BODIES_H
#define LEAKWATCH_NOTIFY_BODIES_H

#include "notify.h"

/*
 * Appends one element of the array for POST /api/v2/alerts.  A firing alert holds until
 * lease_end_ms if nobody says more; one that is resolved ended when it did.  generatorURL is left
 * out: there is no page to point at, and an empty one is refused.
 */
void notify_alertmanager(const struct alert *a, int64_t lease_end_ms, struct buf *out);

#define NOTIFY_SLACK_TEXT 30000 /* bytes of the list; Slack cuts a text at 40,000 characters */

/* Appends the JSON body: a headline, one line for each alert, and the description and example stack
 * of the first one.  channel and username may be "": then the webhook's own. */
void notify_slack(
	const struct notify_group *g, struct str channel, struct str username, struct buf *out);

#define NOTIFY_PAGERDUTY_SUMMARY 1000 /* columns; PagerDuty takes 1024 characters */

/*
 * Appends the event, trigger or resolve, without its routing_key: that is a secret, which is not
 * stored with the event but put in when it is sent (outbox_receiver.member).  Severities: page and
 * critical are critical, error and info are themselves, all others warning.
 */
void notify_pagerduty(const struct alert *a, struct buf *out);

#endif
