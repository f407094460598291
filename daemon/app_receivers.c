#include "app_internal.h"
#include "app_sinks.h"
#include "clock.h"
#include "log.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- deliveries ---- */

void app_outbox_result(void *arg, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why)
{
	struct app *a = arg;
	struct store_delivery row = {
		.id = d->id,
		.state = outcome == OUTBOX_RETRY ? STR("owed")
						 : str_of(outbox_outcome_name(outcome)),
		.next_ms = d->next_at_ms,
		.done_ms = outcome == OUTBOX_RETRY ? 0 : clock_wall_ms(),
		.attempts = d->attempts,
		.why = str_of(why),
		.alert_id = str_of(d->alert_id),
		.change = d->change,
		.receiver = str_of(d->receiver),
		.webhook_id = str_of(d->webhook_id),
		.resolved = d->resolved,
		.created_ms = d->created_ms,
	};
	bool own = !a->unit;

	if (outcome == OUTBOX_RETRY)
		log_limited(LEVEL_WARNING, d->receiver, "receiver %s: %s; will be tried again",
			d->receiver, why);
	else if (outcome == OUTBOX_PARKED)
		log_msg(LEVEL_ERROR,
			"receiver %s: refuses the message of %s, which is not sent again (status "
			"%d): %s",
			d->receiver, d->alert_id, status, why);
	else if (outcome == OUTBOX_GIVEN_UP)
		log_msg(LEVEL_CRITICAL,
			"receiver %s: was never told of %s: given up after %u attempts: %s",
			d->receiver, d->alert_id, d->attempts, why);
	if (own)
		unit_begin(a);
	store_put_delivery(a->unit->batch, &row);
	if (own)
		unit_commit(a);
}

/* ---- start ---- */

static void owed_cb(void *arg, const struct store_delivery *r)
{
	struct app *a = arg;
	char *receiver = str_dup(r->receiver), *id = str_dup(r->webhook_id),
	     *alert = str_dup(r->alert_id);
	struct outbox_delivery d = {
		.id = r->id,
		.receiver = receiver,
		.webhook_id = id,
		.alert_id = alert,
		.change = (unsigned)r->change,
		.resolved = r->resolved,
		.ends = r->ends,
		.attempts = (unsigned)r->attempts,
		.created_ms = r->created_ms,
		.next_at_ms = r->next_ms,
		.body = r->body,
	};
	struct err err;

	if (outbox_add(a->outbox, &d, true, &err)) {
		log_msg(LEVEL_ERROR, "delivery of alert %s is not sent: %s", alert, err.msg);
		app_outbox_result(a, &d, OUTBOX_PARKED, 0, err.msg);
	}
	free(receiver);
	free(id);
	free(alert);
}

int app_load_owed(struct app *a, struct err *err)
{
	return store_load_owed(a->store, owed_cb, a, err);
}

/* ---- heartbeats ---- */

static bool is_well(void *arg, const char **why)
{
	struct app *a = arg;
	struct pipeline_stats p;
	struct writer_stats w;

	pipeline_stats(a->pipeline, &p);
	writer_stats(a->writer, &w);
	*why = "";
	if (!a->disk_ok || !w.ok)
		*why = "the store does not take writes";
	else if (!app_writer_alive(a))
		*why = "the writer of the store hangs";
	else if (p.up == 0)
		*why = "no target could be scraped";
	return !(*why)[0];
}

static int add_heartbeat(struct app *a, const struct config_receiver *r, size_t i,
	struct arena *kept, struct err *err)
{
	const struct config_heartbeat *c = &r->heartbeats[i];
	const char *url;

	if (app_heartbeat_url(c, &url, kept, err))
		return -1;
	sink_heartbeat_add(a->heartbeat,
		arena_printf(kept, "%.*s/heartbeat/%zu", STR_ARG(r->name), i), url, c->interval_ms,
		c->timeout_ms);
	return 0;
}

/* ---- Alertmanagers ---- */

static const void *receiver_of(void *arg, const struct alert *al)
{
	struct app *a = arg;

	if (app_is_withheld(a, al))
		return NULL;
	return config_receiver_of(a->config, al->labels.v, al->labels.n);
}

static uint64_t longest_interval_ms(const struct config *c)
{
	uint64_t most = c->scrape_interval_ms;

	for (size_t i = 0; i < c->njobs; i++)
		most = MAX(most, c->jobs[i].scrape_interval_ms);
	return most;
}

static void new_alertmanager(struct app *a)
{
	struct sink_alertmanager_options options = {
		.alerts = a->alerts,
		.external_url = a->config->external_url.p,
		.receiver_of = receiver_of,
		.arg = a,
	};
	uint64_t interval =
		MAX(longest_interval_ms(a->config), (uint64_t)SINK_ALERTMANAGER_RESEND_MS);

	options.lease_ms = SINK_ALERTMANAGER_LEASES * interval;
	a->alertmanager = sink_alertmanager_new(a->base, a->fetch, &options);
}

/* ---- all of them ---- */

static int add_receiver(struct app *a, const struct config_receiver *r, struct outbox_receiver **v,
	size_t *n, struct arena *kept, struct err *err)
{
	struct sink_alertmanager_peer *peers = NULL;
	size_t npeers = 0;
	int rc = app_outbox_receivers(r, a->syslog, v, n, kept, err);

	if (rc == 0)
		rc = app_alertmanager_peers(r, &peers, &npeers, kept, err);
	for (size_t i = 0; rc == 0 && i < npeers; i++)
		sink_alertmanager_add(a->alertmanager, &peers[i]);
	for (size_t i = 0; rc == 0 && i < r->nheartbeats; i++)
		rc = add_heartbeat(a, r, i, kept, err);
	free(peers);
	return rc;
}

int app_set_receivers(struct app *a, struct err *err)
{
	struct outbox_receiver *v = NULL;
	struct arena kept = ARENA_INIT; /* names and secrets; the sinks copy them */
	struct sink_alertmanager *old = a->alertmanager;
	struct sink_heartbeat *old_heartbeat = a->heartbeat;
	size_t n = 0;
	int rc = 0;

	new_alertmanager(a);
	a->heartbeat = sink_heartbeat_new(a->base, a->fetch, is_well, a);
	for (size_t i = 0; i < a->config->nreceivers && rc == 0; i++) {
		const struct config_receiver *r = &a->config->receivers[i];

		rc = add_receiver(a, r, &v, &n, &kept, err);
		if (rc)
			err_wrap(err, "receiver %.*s", STR_ARG(r->name));
	}
	if (rc == 0) {
		outbox_receivers(a->outbox, v, n);
	} else { /* a reload that fails leaves what was there */
		struct sink_alertmanager *failed = a->alertmanager;
		struct sink_heartbeat *failed_heartbeat = a->heartbeat;

		a->alertmanager = old;
		a->heartbeat = old_heartbeat;
		old = failed;
		old_heartbeat = failed_heartbeat;
	}
	sink_alertmanager_free(old);
	sink_heartbeat_free(old_heartbeat);
	free(v);
	arena_release(&kept);
	return rc;
}
