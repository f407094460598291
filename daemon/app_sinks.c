/* Receivers of the configuration as the sinks want them; secrets are read here. */
#include "app_sinks.h"
#include "json.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

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
	struct sink_syslog *syslog, const struct config_receiver *r, size_t i, struct arena *kept)
{
	return (struct outbox_receiver){
		.name = arena_printf(kept, "%.*s/syslog/%zu", STR_ARG(r->name), i),
		.deliver = sink_syslog_deliver,
		.deliver_arg = syslog,
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

int app_outbox_receivers(const struct config_receiver *r, struct sink_syslog *syslog,
	struct outbox_receiver **v, size_t *n, struct arena *kept, struct err *err)
{
	*v = xrealloc(*v, *n + r->nwebhooks + r->nsyslogs + r->nslacks + r->npagerduties + 1,
		sizeof(**v));
	for (size_t i = 0; i < r->nwebhooks; i++) {
		if (make_webhook(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->nsyslogs; i++)
		(*v)[(*n)++] = make_syslog(syslog, r, i, kept);
	for (size_t i = 0; i < r->nslacks; i++) {
		if (make_slack(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	for (size_t i = 0; i < r->npagerduties; i++) {
		if (make_pagerduty(r, i, &(*v)[(*n)++], kept, err))
			return -1;
	}
	return 0;
}

static int add_peers(const struct config_receiver *r, const struct config_alertmanager *c,
	struct sink_alertmanager_peer **v, size_t *n, struct arena *kept, struct err *err)
{
	struct client client;

	if (read_client(&c->authorization, &c->basic_auth, &client, kept, err))
		return -1;
	*v = xrealloc(*v, *n + c->urls.n, sizeof(**v));
	for (size_t u = 0; u < c->urls.n; u++, (*n)++)
		(*v)[*n] = (struct sink_alertmanager_peer){
			.name = arena_printf(kept, "%.*s/alertmanager/%zu", STR_ARG(r->name), *n),
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
	return 0;
}

int app_alertmanager_peers(const struct config_receiver *r, struct sink_alertmanager_peer **v,
	size_t *n, struct arena *kept, struct err *err)
{
	for (size_t i = 0; i < r->nalertmanagers; i++) {
		if (add_peers(r, &r->alertmanagers[i], v, n, kept, err))
			return -1;
	}
	return 0;
}

int app_heartbeat_url(
	const struct config_heartbeat *c, const char **url, struct arena *kept, struct err *err)
{
	*url = text_or_null(c->url);
	return read_secret(c->url_file, url, kept, err);
}
