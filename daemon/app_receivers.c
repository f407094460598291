#include "app_internal.h"
#include "clock.h"
#include "json.h"
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
	else if (outcome == OUTBOX_PARKED || outcome == OUTBOX_GIVEN_UP)
		log_msg(LEVEL_ERROR, "receiver %s: the message of %s was %s (status %d): %s",
			d->receiver, d->alert_id, outbox_outcome_name(outcome), status, why);
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

static const char *text_or_null(struct str s)
{
	return s.len ? s.p : NULL;
}

/* A secret into *out, which stays as it is where the configuration names none. */
static int read_secret(struct str name, const char **out, struct arena *kept, struct err *err)
{
	struct buf secret = BUF_INIT;
	int rc = 0;

	if (!name.len)
		return 0;
	rc = config_secret(name, &secret, err);
	if (rc == 0)
		*out = arena_str(kept, buf_str(&secret)).p;
	if (secret.cap)
		explicit_bzero(secret.p, secret.cap);
	buf_release(&secret);
	return rc;
}

/* What an HTTP client may need, as the sinks want it. */
struct client {
	const char *username, *password, *authorization;
};

static int read_client(const struct config_auth *auth, const struct config_basic *basic,
	struct client *out, struct arena *kept, struct err *err)
{
	*out = (struct client){.username = text_or_null(basic->username)};
	if (read_secret(auth->credentials_file, &out->authorization, kept, err) ||
		read_secret(basic->password_file, &out->password, kept, err))
		return -1;
	if (out->authorization)
		out->authorization =
			arena_printf(kept, "%.*s %s", STR_ARG(auth->type), out->authorization);
	return 0;
}

/* One webhook as the outbox wants it. */
static int make_webhook(const struct config_receiver *r, size_t i, struct outbox_receiver *out,
	struct arena *kept, struct err *err)
{
	const struct config_webhook *w = &r->webhooks[i];
	struct client client;

	if (read_client(&w->authorization, &w->basic_auth, &client, kept, err))
		return -1;
	*out = (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/webhook/%zu", STR_ARG(r->name), i),
		.url = text_or_null(w->url),
		.username = client.username,
		.password = client.password,
		.authorization = client.authorization,
		.ca_file = text_or_null(w->tls.ca_file),
		.cert_file = text_or_null(w->tls.cert_file),
		.key_file = text_or_null(w->tls.key_file),
		.server_name = text_or_null(w->tls.server_name),
		.insecure_skip_verify = w->tls.insecure_skip_verify,
		.send_resolved = w->send_resolved,
		.timeout_ms = w->timeout_ms,
	};
	if (read_secret(w->url_file, &out->url, kept, err) ||
		read_secret(w->secret_file, &out->secret, kept, err))
		return -1;
	return 0;
}

static struct outbox_receiver make_syslog(
	struct app *a, const struct config_receiver *r, size_t i, struct arena *kept)
{
	return (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/syslog/%zu", STR_ARG(r->name), i),
		.deliver = sink_syslog_deliver,
		.deliver_arg = a->syslog,
		.send_resolved = r->syslogs[i].send_resolved,
	};
}

static int make_slack(const struct config_receiver *r, size_t i, struct outbox_receiver *out,
	struct arena *kept, struct err *err)
{
	const struct config_slack *c = &r->slacks[i];

	*out = (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/slack/%zu", STR_ARG(r->name), i),
		.send_resolved = c->send_resolved,
		.timeout_ms = c->timeout_ms,
	};
	return read_secret(c->api_url_file, &out->url, kept, err);
}

static int make_pagerduty(const struct config_receiver *r, size_t i, struct outbox_receiver *out,
	struct arena *kept, struct err *err)
{
	const struct config_pagerduty *c = &r->pagerduties[i];
	const char *key = "";
	struct buf quoted = BUF_INIT;
	json_t *j;

	if (read_secret(c->routing_key_file, &key, kept, err))
		return -1;
	j = json_str(str_of(key));
	json_write(j, &quoted);
	json_decref(j);
	*out = (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/pagerduty/%zu", STR_ARG(r->name), i),
		.url = c->url.p,
		.member = arena_printf(kept, "\"routing_key\":%s", quoted.p),
		.send_resolved = c->send_resolved,
		.timeout_ms = c->timeout_ms,
	};
	explicit_bzero(quoted.p, quoted.len);
	buf_release(&quoted);
	return 0;
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
	else if (p.up == 0)
		*why = "no target could be scraped";
	return !(*why)[0];
}

static int add_heartbeat(struct app *a, const struct config_receiver *r, size_t i,
	struct arena *kept, struct err *err)
{
	const struct config_heartbeat *c = &r->heartbeats[i];
	const char *url = text_or_null(c->url);

	if (read_secret(c->url_file, &url, kept, err))
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

/* One lane for each URL. */
static int add_alertmanager(struct app *a, const struct config_receiver *r, size_t i,
	struct arena *kept, struct err *err)
{
	const struct config_alertmanager *c = &r->alertmanagers[i];
	struct client client;

	if (read_client(&c->authorization, &c->basic_auth, &client, kept, err))
		return -1;
	for (size_t u = 0; u < c->urls.n; u++) {
		struct sink_alertmanager_peer peer = {
			.name = arena_printf(kept, "%.*s/alertmanager/%zu", STR_ARG(r->name),
				a->nalertmanagers++),
			.url = c->urls.v[u].p,
			.receiver = r,
			.send_resolved = c->send_resolved,
			.timeout_ms = c->timeout_ms,
			.username = client.username,
			.password = client.password,
			.authorization = client.authorization,
			.ca_file = text_or_null(c->tls.ca_file),
			.cert_file = text_or_null(c->tls.cert_file),
			.key_file = text_or_null(c->tls.key_file),
			.server_name = text_or_null(c->tls.server_name),
			.insecure_skip_verify = c->tls.insecure_skip_verify,
		};

		sink_alertmanager_add(a->alertmanager, &peer);
	}
	return 0;
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
	*v = xrealloc(
		*v, *n + r->nwebhooks + r->nsyslogs + r->nslacks + r->npagerduties, sizeof(**v));
	for (size_t i = 0; i < r->nwebhooks; i++) {
		if (make_webhook(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->nsyslogs; i++)
		(*v)[(*n)++] = make_syslog(a, r, i, kept);
	for (size_t i = 0; i < r->nslacks; i++) {
		if (make_slack(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->npagerduties; i++) {
		if (make_pagerduty(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->nalertmanagers; i++) {
		if (add_alertmanager(a, r, i, kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->nheartbeats; i++) {
		if (add_heartbeat(a, r, i, kept, err))
			return -1;
	}
	return 0;
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
