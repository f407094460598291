/*
 * notify_bodies: messages in the words of particular services.  Layer 1, pure.
 *
 * Slack: incoming webhooks; text is mrkdwn, with & < > escaped, so that no name can mention anybody
 * or make a link.
 *
 * PagerDuty: Events API v2; one event a group, as Alertmanager's notifier has it: "trigger" while
 * one of the group fires, "resolve" when none does, under one dedup_key, so that forty instances
 * are one incident and one page, a repetition is the same incident, and the end finds it.  The key
 * is a hash of the group's labels, of the receiver's name and of the daemon's host: two daemons
 * that send to one service would else end each other's incidents.
 *
 * Alertmanager: API v2, POST /api/v2/alerts, an array of alerts.  What it is told is not an event
 * but a lease: "firing until endsAt", renewed while it holds; a past endsAt says that it ended.
 */
#ifndef LEAKWATCH_NOTIFY_BODIES_H
#define LEAKWATCH_NOTIFY_BODIES_H

#include "notify.h"

/*
 * Appends one element of the array for POST /api/v2/alerts.  A firing alert holds until
 * lease_end_ms if nobody says more; one that is resolved ended when it did.  generatorURL is the
 * alert's page, left out without an external_url: an empty one is refused.
 */
void notify_alertmanager(
	const struct alert *a, struct str external_url, int64_t lease_end_ms, struct buf *out);

#define NOTIFY_SLACK_TEXT 30000 /* bytes of the list; Slack cuts a text at 40,000 characters */

/* Appends the JSON body: a headline, one line for each alert, and the description and example stack
 * of the first one.  channel and username may be "": then the webhook's own. */
void notify_slack(
	const struct notify_group *g, struct str channel, struct str username, struct buf *out);

#define NOTIFY_PAGERDUTY_SUMMARY 1000 /* columns; PagerDuty takes 1024 characters */

/*
 * Appends the event, trigger or resolve, without its routing_key: that is a secret, which is not
 * stored with the event but put in when it is sent (outbox_receiver.member).  Severity is that of
 * the worst alert: page and critical are critical, error and info are themselves, all others
 * warning.  The summary names the instances, as many as it has room for and how many more; the
 * details are those of the first alert that fires, and a line for each of the group.  With all
 * that names can hold an event is some 200 kB; PagerDuty takes 512.
 */
void notify_pagerduty(const struct notify_group *g, struct buf *out);

#endif
