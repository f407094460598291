#include "discover_internal.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *copy(struct str s)
{
	return s.len ? str_dup(s) : NULL;
}

static int read_secret(struct str name, char **out, struct err *err)
{
	struct buf secret = BUF_INIT;
	int rc;

	if (!name.len)
		return 0;
	rc = config_secret(name, &secret, err);
	if (rc == 0)
		*out = str_dup(buf_str(&secret));
	if (secret.cap)
		explicit_bzero(secret.p, secret.cap);
	buf_release(&secret);
	return rc;
}

int discover_http_make(struct source *s, const struct config_http_sd *c, struct err *err)
{
	char *token = NULL;

	s->url = str_dup(c->url);
	s->username = copy(c->basic_auth.username);
	s->ca_file = copy(c->tls.ca_file);
	s->cert_file = copy(c->tls.cert_file);
	s->key_file = copy(c->tls.key_file);
	s->server_name = copy(c->tls.server_name);
	s->insecure_skip_verify = c->tls.insecure_skip_verify;
	if (read_secret(c->basic_auth.password_file, &s->password, err) ||
		read_secret(c->authorization.credentials_file, &token, err))
		return -1;
	if (token) {
		s->authorization =
			xasprintf("Authorization: %.*s %s", STR_ARG(c->authorization.type), token);
		explicit_bzero(token, strlen(token));
		free(token);
	}
	return 0;
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct source *s = arg;

	buf_add(&s->body, p, n); /* fetch holds it to max_bytes */
	return true;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct source *s = arg;
	char why[64];

	s->request = NULL;
	s->failing = false;
	if (r->end != FETCH_OK) {
		discover_failed(s, s->url, r->why);
	} else if (r->status != 200) {
		snprintf(why, sizeof(why), "answers %d", r->status);
		discover_failed(s, s->url, why);
	} else if (discover_take(s, s->url, buf_str(&s->body), true)) {
		discover_changed(s->d);
	}
	buf_release(&s->body); /* a list may be large, and is seldom asked for */
}

void discover_http_ask(struct source *s)
{
	const char *headers[] = {"Accept: application/json", s->authorization, NULL};
	struct fetch_request req = {.url = s->url,
		.headers = headers,
		.timeout_ms = DISCOVER_TIMEOUT_MS,
		.max_bytes = CONFIG_SD_BYTES_MAX,
		.username = s->username,
		.password = s->password,
		.ca_file = s->ca_file,
		.cert_file = s->cert_file,
		.key_file = s->key_file,
		.server_name = s->server_name,
		.insecure_skip_verify = s->insecure_skip_verify,
		.on_body = body_cb,
		.on_done = done_cb,
		.arg = s};
	struct err err;

	if (s->request)
		return; /* the last answer is still to come */
	buf_reset(&s->body);
	s->request = fetch_start(s->d->fetch, &req, &err);
	if (!s->request)
		discover_failed(s, s->url, err.msg);
}
