/*
 * app_sinks: receivers of the configuration as the sinks want them.  Level 4; for the daemon and
 * for `leakwatch alerts test`.
 *
 * Each function adds to the list *v of *n, which the caller frees; names and secrets live in kept,
 * and the sinks copy what they take.  0, or -1 with err when a secret cannot be read.
 */
#ifndef LEAKWATCH_APP_SINKS_H
#define LEAKWATCH_APP_SINKS_H

#include "config.h"
#include "outbox.h"
#include "sink_alertmanager.h"
#include "sink_syslog.h"

/* Webhooks, syslog, Slack and PagerDuty, named "RECEIVER/KIND/NUMBER". */
int app_outbox_receivers(const struct config_receiver *r, struct sink_syslog *syslog,
	struct outbox_receiver **v, size_t *n, struct arena *kept, struct err *err);
/* One for each URL. */
int app_alertmanager_peers(const struct config_receiver *r, struct sink_alertmanager_peer **v,
	size_t *n, struct arena *kept, struct err *err);
int app_heartbeat_url(
	const struct config_heartbeat *c, const char **url, struct arena *kept, struct err *err);

#endif
