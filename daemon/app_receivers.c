#include "app_internal.h"
#include "clock.h"
#include "log.h"
#include "notify.h"
#include "notify_syslog.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- deliveries ---- */

/* The names of a receiver's sinks in the outbox and its rows: "oncall/webhook/0". */
static char *sink_name(const struct config_receiver *r, const char *kind, size_t i)
{
	return xasprintf("%.*s/%s/%zu", STR_ARG(r->name), kind, i);
}

/* Takes name over. */
static void owe(struct app *a, const struct alert *al, char *name, struct str body)
{
	char webhook_id[NOTIFY_ID_MAX];
	struct outbox_delivery d = {
		.id = ++a->ids.delivery_id,
		.receiver = name,
		.webhook_id = webhook_id,
		.alert_id = al->id,
		.change = al->change,
		.resolved = al->state == ALERT_RESOLVED,
		.opening = al->state == ALERT_FIRING,
		.created_ms = al->changed_ms,
		.body = body,
	};
	struct store_delivery row = {
		.id = d.id,
		.alert_id = str_of(al->id),
		.change = al->change,
		.resolved = d.resolved,
		.receiver = str_of(name),
		.webhook_id = str_of(webhook_id),
		.state = STR("owed"),
		.body = body,
		.created_ms = d.created_ms,
	};

	notify_webhook_id(al->id, al->change, str_of(name), webhook_id);
	row.webhook_id = str_of(webhook_id);
	store_put_delivery(a->unit->batch, &row);
	unit_owe(a->unit, &d);
	free(name);
}

/* Rows and deliveries of one change, in the unit that is being filled. */
void app_owe(struct app *a, const struct alert *al)
{
	const struct config_receiver *r = config_receiver_of(a->config, al->labels.v, al->labels.n);
	struct notify_group group = {.alerts = &al, .n = 1};
	bool ended = al->state == ALERT_RESOLVED;
	struct str facility;
	struct buf body = BUF_INIT;

	if (!r)
		return;
	group.receiver = r->name;
	notify_webhook(&group, &body);
	for (size_t i = 0; i < r->nwebhooks; i++) {
		if (!ended || r->webhooks[i].send_resolved)
			owe(a, al, sink_name(r, "webhook", i), buf_str(&body));
	}
	for (size_t i = 0; i < r->nsyslogs; i++) {
		if (ended && !r->syslogs[i].send_resolved)
			continue;
		buf_reset(&body);
		facility = str_of(config_facilities[r->syslogs[i].facility]);
		notify_syslog(al, notify_syslog_facility(facility), &body);
		owe(a, al, sink_name(r, "syslog", i), buf_str(&body));
	}
	buf_release(&body);
}

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
	else if (outcome == OUTBOX_PARKED || outcome == OUTBOX_GIVEN_UP)
		log_msg(LEVEL_ERROR, "receiver %s: alert %s was %s (status %d): %s", d->receiver,
			d->alert_id, outbox_outcome_name(outcome), status, why);
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

static const char *text_or_null(struct str s)
{
	return s.len ? s.p : NULL;
}

/* One webhook as the outbox wants it; secrets are read into *kept, which is released after. */
static int make_receiver(const struct config_receiver *r, size_t i, struct outbox_receiver *out,
	struct arena *kept, struct err *err)
{
	const struct config_webhook *w = &r->webhooks[i];
	struct buf secret = BUF_INIT;
	const struct {
		struct str from;
		const char **to;
	} secrets[] = {
		{w->url_file, &out->url},
		{w->secret_file, &out->secret},
		{w->authorization.credentials_file, &out->authorization},
		{w->basic_auth.password_file, &out->password},
	};

	*out = (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/webhook/%zu", STR_ARG(r->name), i),
		.url = text_or_null(w->url),
		.username = text_or_null(w->basic_auth.username),
		.ca_file = text_or_null(w->tls.ca_file),
		.cert_file = text_or_null(w->tls.cert_file),
		.key_file = text_or_null(w->tls.key_file),
		.server_name = text_or_null(w->tls.server_name),
		.insecure_skip_verify = w->tls.insecure_skip_verify,
		.send_resolved = w->send_resolved,
		.timeout_ms = w->timeout_ms,
	};
	for (size_t k = 0; k < ARRAY_LEN(secrets); k++) {
		if (!secrets[k].from.len)
			continue;
		buf_reset(&secret);
		if (config_secret(secrets[k].from, &secret, err)) {
			buf_release(&secret);
			return err_wrap(err, "receiver %.*s", STR_ARG(r->name));
		}
		*secrets[k].to = arena_str(kept, buf_str(&secret)).p;
	}
	if (out->authorization)
		out->authorization = arena_printf(
			kept, "%.*s %s", STR_ARG(w->authorization.type), out->authorization);
	explicit_bzero(secret.p, secret.cap);
	buf_release(&secret);
	return 0;
}

int app_set_receivers(struct app *a, struct err *err)
{
	struct outbox_receiver *v = NULL;
	struct arena kept = ARENA_INIT; /* names and secrets; the outbox copies them */
	size_t n = 0;
	int rc = 0;

	for (size_t i = 0; i < a->config->nreceivers && rc == 0; i++) {
		const struct config_receiver *r = &a->config->receivers[i];

		for (size_t k = 0; k < r->nwebhooks && rc == 0; k++) {
			v = xrealloc(v, n + 1, sizeof(*v));
			rc = make_receiver(r, k, &v[n], &kept, err);
			n++;
		}
		for (size_t k = 0; k < r->nsyslogs && rc == 0; k++) {
			v = xrealloc(v, n + 1, sizeof(*v));
			v[n++] = (struct outbox_receiver){
				.name = arena_printf(&kept, "%.*s/syslog/%zu", STR_ARG(r->name), k),
				.deliver = sink_syslog_deliver,
				.deliver_arg = a->syslog,
				.send_resolved = r->syslogs[k].send_resolved,
			};
		}
	}
	if (rc == 0)
		outbox_receivers(a->outbox, v, n);
	free(v);
	arena_release(&kept);
	return rc;
}
