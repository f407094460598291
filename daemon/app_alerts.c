#include "app_internal.h"
#include "clock.h"
#include "log.h"
#include "notify.h"
#include "notify_syslog.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS (5 * 60 * 1000) /* annotations of standing alerts are stored that often */

/* ---- rows ---- */

static void put_alert_row(struct app *a, struct store_batch *b, const struct alert *al)
{
	struct buf labels = BUF_INIT, annotations = BUF_INIT;
	struct store_alert row = {
		.id = str_of(al->id),
		.key = str_of(al->key),
		.target_id = a->pipeline ? pipeline_target_of(a->pipeline, al) : 0,
		.name = str_of(alert_kind_name(al->kind)),
		.state = str_of(alert_state_name(al->state)),
		.holds = al->holds,
		.end = al->holds ? (struct str){0} : str_of(alert_end_name(al->end)),
		.change = al->change,
		.raised_ms = al->raised_ms,
		.fired_ms = al->fired_ms,
		.cleared_ms = al->cleared_ms,
		.resolved_ms = al->resolved_ms,
		.changed_ms = al->changed_ms,
		.reason = str_of(al->reason),
	};

	alert_labels_json(&al->labels, &labels);
	alert_labels_json(&al->annotations, &annotations);
	row.labels = buf_str(&labels);
	row.annotations = buf_str(&annotations);
	store_put_alert(b, &row);
	buf_release(&labels);
	buf_release(&annotations);
}

static void add_event(struct app *a, const struct alert *al, enum alert_state old, const char *why)
{
	struct store_alert_event row = {
		.id = ++a->ids.event_id,
		.alert_id = str_of(al->id),
		.at_ms = al->changed_ms,
		.change = al->change,
		.from_state = str_of(alert_state_name(old)),
		.to_state = str_of(alert_state_name(al->state)),
		.why = str_of(why),
	};

	store_add_alert_event(a->unit->batch, &row);
}

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

static void owe_all(struct app *a, const struct alert *al)
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

static void log_alert(const struct alert *al, const char *why)
{
	struct str summary = alert_labels_get(&al->annotations, "summary");

	if (al->state == ALERT_FIRING)
		log_msg(LEVEL_NOTICE, "alert firing: %s: %.*s [%s]", alert_kind_name(al->kind),
			STR_ARG(summary), al->id);
	else if (al->state == ALERT_RESOLVED)
		log_msg(LEVEL_NOTICE, "alert resolved: %s %.*s/%.*s %.*s: %s [%s]",
			alert_kind_name(al->kind), STR_ARG(alert_labels_get(&al->labels, "job")),
			STR_ARG(alert_labels_get(&al->labels, "instance")),
			STR_ARG(alert_labels_get(&al->labels, "class")), why, al->id);
	else
		log_msg(LEVEL_INFO, "alert %s: %s: %.*s", alert_state_name(al->state),
			alert_kind_name(al->kind), STR_ARG(summary));
}

void app_alert_changed(void *arg, const struct alert *al, enum alert_state old, const char *why)
{
	struct app *a = arg;
	bool own = !a->unit;

	if (own)
		unit_begin(a);
	put_alert_row(a, a->unit->batch, al);
	add_event(a, al, old, why);
	if (al->state == ALERT_FIRING || (al->state == ALERT_RESOLVED && old == ALERT_FIRING))
		owe_all(a, al);
	log_alert(al, why);
	if (own)
		unit_commit(a);
}

void app_refresh_alerts(struct app *a, int64_t now_ms)
{
	const struct alert *al;
	void *at = NULL;

	if (now_ms - a->refreshed_ms < REFRESH_MS || a->unit)
		return;
	a->refreshed_ms = now_ms;
	unit_begin(a);
	while ((al = alert_next(a->alerts, &at)))
		put_alert_row(a, a->unit->batch, al);
	unit_commit(a);
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

static void stored_alert_cb(void *arg, const struct store_alert *r)
{
	struct app *a = arg;
	struct alert al = {
		.kind = alert_kind_of_name(r->name), .state = alert_state_of_name(r->state)};
	struct err err;

	if (al.state != ALERT_PENDING && al.state != ALERT_FIRING)
		return;
	snprintf(al.id, sizeof(al.id), "%.*s", STR_ARG(r->id));
	al.key = str_dup(r->key);
	al.holds = r->holds;
	al.end = r->holds ? ALERT_END_CLEARED : alert_end_of_name(r->end);
	al.change = (unsigned)r->change;
	al.raised_ms = r->raised_ms;
	al.fired_ms = r->fired_ms;
	al.cleared_ms = r->cleared_ms;
	al.resolved_ms = r->resolved_ms;
	al.changed_ms = r->changed_ms;
	snprintf(al.reason, sizeof(al.reason), "%.*s", STR_ARG(r->reason));
	if (alert_labels_read(&al.labels, r->labels, false, &err) ||
		alert_labels_read(&al.annotations, r->annotations, true, &err) ||
		alert_load(a->alerts, &al, &err))
		log_msg(LEVEL_ERROR, "stored alert %s is not taken over: %s", al.id, err.msg);
	alert_release(&al);
}

int app_load_alerts(struct app *a, struct err *err)
{
	return store_load_alerts(a->store, INT64_MAX, stored_alert_cb, a, err);
}

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

void app_set_alert_rules(struct app *a)
{
	for (size_t i = 0; i < a->config->nalert_rules; i++) {
		const struct config_alert_rule *r = &a->config->alert_rules[i];
		enum alert_kind kind = alert_kind_of_name(r->name);
		struct alert_rule rule;

		if (kind == ALERT_KINDS)
			continue;
		rule = alert_rule_defaults[kind];
		if (r->for_ms != CONFIG_UNSET)
			rule.for_ms = r->for_ms;
		if (r->keep_firing_for_ms != CONFIG_UNSET)
			rule.keep_firing_ms = r->keep_firing_for_ms;
		if (r->severity.len)
			rule.severity = r->severity.p;
		rule.labels = r->labels.v;
		rule.nlabels = r->labels.n;
		rule.annotations = r->annotations.v;
		rule.nannotations = r->annotations.n;
		alert_table_rule(a->alerts, kind, &rule);
	}
}

/* ---- the disk ---- */

static void tell_disk(struct app *a, bool ok)
{
	struct label labels[64];
	size_t n = pipeline_own_labels(a->pipeline, labels, ARRAY_LEN(labels));
	int64_t now_ms = clock_wall_ms();
	const struct alert *al;
	struct notify_facts f = {
		.kind = ALERT_STORAGE_FULL, .now_ms = now_ms, .reason = str_of(a->disk_why)};
	struct alert_labels annotations = ALERT_LABELS_INIT;

	if (ok) {
		al = alert_find(a->alerts, ALERT_STORAGE_FULL, labels, n);
		if (al)
			alert_clear(a->alerts, al->id, ALERT_END_CLEARED,
				"the disk takes writes again", now_ms);
		return;
	}
	notify_text(&f, &annotations);
	alert_raise(
		a->alerts, ALERT_STORAGE_FULL, labels, n, &annotations, a->disk_why, now_ms, NULL);
	alert_labels_release(&annotations);
}

void app_disk_state(void *arg, bool ok, const char *why)
{
	struct app *a = arg;

	a->disk_ok = ok;
	snprintf(a->disk_why, sizeof(a->disk_why), "%s", ok ? "" : why);
	if (ok)
		log_msg(LEVEL_NOTICE, "store: writes succeed again");
	else
		log_msg(LEVEL_ERROR, "store: %s; deciding and alerting go on", why);
	if (!ok)
		units_release_all(a);
	if (!a->stopping)
		tell_disk(a, ok);
}
