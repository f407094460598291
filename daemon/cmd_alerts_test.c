/* leakwatch alerts test: does the alarm ring? */
#include "app_sinks.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_alerts.h"
#include "fetch.h"
#include "notify.h"
#include "notify_bodies.h"
#include "notify_syslog.h"
#include "outbox.h"
#include "safe.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#define TEST_MS 60000 /* for all of it */

struct sink {
	const char *name;
	struct str bodies[2]; /* that it fires; that it ended, "" when that is not to be told */
	bool done;
	struct test *t; /* heartbeats */
};

struct test {
	struct event_base *base;
	struct outbox *outbox;
	struct arena kept;
	struct alert alert;
	struct sink *sinks;
	size_t n, waiting, failed;
};

/* ---- the alert ---- */

static void make_alert(struct alert *a)
{
	static const char *const labels[][2] = {{"alertname", "LeakwatchTest"},
		{"job", "leakwatch"}, {"class", "test"}, {"instance", "alerts test"},
		{"severity", "page"}, {"test", "true"}};
	static const char *const notes[][2] = {
		{"summary", "TEST: leakwatch can reach you; nothing leaks, nothing is to be done"},
		{"description", "Sent by 'leakwatch alerts test'.  Its end follows at once."}};

	*a = (struct alert){.kind = ALERT_GOROUTINE_LEAK,
		.state = ALERT_FIRING,
		.holds = true,
		.change = 1,
		.raised_ms = clock_wall_ms()};
	a->fired_ms = a->changed_ms = a->raised_ms;
	snprintf(a->id, sizeof(a->id), "7e57%012llx",
		(unsigned long long)a->raised_ms & 0xffffffffffffull);
	for (size_t i = 0; i < ARRAY_LEN(labels); i++)
		alert_labels_put(&a->labels, str_of(labels[i][0]), str_of(labels[i][1]));
	for (size_t i = 0; i < ARRAY_LEN(notes); i++)
		alert_labels_put_text(&a->annotations, str_of(notes[i][0]), str_of(notes[i][1]));
}

static void end_alert(struct alert *a)
{
	a->state = ALERT_RESOLVED;
	a->change = 2;
	a->resolved_ms = a->changed_ms = a->fired_ms + 1;
}

/* What a sink of that name ("oncall/slack/0") is sent. */
static struct str make_body(struct test *t, const struct config_receiver *r, const char *name)
{
	const char *kind = strchr(name + r->name.len, '/') + 1;
	size_t i = strtoul(strrchr(name, '/') + 1, NULL, 10);
	const struct alert *a = &t->alert;
	struct notify_group g = {.receiver = r->name, .alerts = &a, .n = 1};
	struct buf body = BUF_INIT;
	struct str kept;

	if (strncmp(kind, "webhook", 7) == 0) {
		notify_webhook(&g, &body);
	} else if (strncmp(kind, "syslog", 6) == 0) {
		struct str facility = str_of(config_facilities[r->syslogs[i].facility]);

		notify_syslog(a, STR(""), notify_syslog_facility(facility), &body);
	} else if (strncmp(kind, "slack", 5) == 0) {
		notify_slack(&g, r->slacks[i].channel, r->slacks[i].username, &body);
	} else if (strncmp(kind, "pagerduty", 9) == 0) {
		notify_pagerduty(&g, &body);
	} else {
		buf_addc(&body, '[');
		notify_alertmanager(a, STR(""), a->fired_ms + TEST_MS, &body);
		buf_addc(&body, ']');
	}
	kept = arena_str(&t->kept, buf_str(&body));
	buf_release(&body);
	return kept;
}

/* ---- sending ---- */

static void print_result(const char *name, const char *what, int status, struct str words)
{
	struct buf line = BUF_INIT;

	safe_add(&line, str_of(name));
	buf_addf(&line, ": %s: ", what);
	if (status)
		buf_addf(&line, "HTTP %d ", status);
	safe_add(&line, words);
	printf("%s\n", line.p);
	buf_release(&line);
}

static void finish(struct test *t, struct sink *s, bool ok)
{
	s->done = true;
	t->failed += !ok;
	if (--t->waiting == 0)
		event_base_loopbreak(t->base);
}

static void send_body(struct test *t, struct sink *s, bool over)
{
	char id[NOTIFY_ID_MAX];
	struct outbox_delivery d = {.receiver = s->name,
		.webhook_id = id,
		.alert_id = t->alert.id,
		.change = over ? 2 : 1,
		.opening = !over,
		.resolved = over,
		.created_ms = clock_wall_ms(),
		.body = s->bodies[over]};
	struct err err;

	notify_webhook_id(t->alert.id, d.change, str_of(s->name), id);
	if (outbox_add(t->outbox, &d, false, &err)) {
		print_result(s->name, "not sent", 0, str_of(err.msg));
		finish(t, s, false);
	}
}

/* One try each: who tests wants to know now, not after a pause. */
static void result_cb(void *arg, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why)
{
	const char *what = d->resolved ? "that it ended" : "the alert";
	struct test *t = arg;
	struct buf answer = BUF_INIT;

	for (size_t i = 0; i < t->n; i++) {
		struct sink *s = &t->sinks[i];

		if (s->done || strcmp(s->name, d->receiver) != 0)
			continue;
		if (outcome != OUTBOX_DELIVERED) {
			print_result(s->name, what, 0, str_of(why));
			finish(t, s, false);
			break;
		}
		outbox_answer(t->outbox, d->receiver, &answer);
		print_result(s->name, what, status, answer.len ? buf_str(&answer) : STR("taken"));
		if (d->resolved || s->bodies[1].len == 0)
			finish(t, s, true);
		else
			send_body(t, s, true);
		break;
	}
	buf_release(&answer);
}

static bool ignore_cb(void *arg, const char *p, size_t n)
{
	(void)arg, (void)p, (void)n;
	return true;
}

static void heartbeat_cb(void *arg, const struct fetch_result *r)
{
	bool ok = r->end == FETCH_OK && r->status >= 200 && r->status < 300;
	struct sink *s = arg;

	print_result(s->name, "the request", r->status, str_of(ok ? "taken" : r->why));
	finish(s->t, s, ok);
}

static int ask_heartbeat(struct test *t, struct fetch *fetch, const struct config_heartbeat *c,
	struct sink *s, struct err *err)
{
	struct fetch_request req = {.timeout_ms = c->timeout_ms,
		.max_bytes = 65536,
		.on_body = ignore_cb,
		.any_status = true,
		.on_done = heartbeat_cb,
		.arg = s};

	s->t = t;
	if (app_heartbeat_url(c, &req.url, &t->kept, err))
		return -1;
	return fetch_start(fetch, &req, err) ? 0 : -1;
}

/* ---- the sinks ---- */

/* An Alertmanager is told as any other, once: that it renews leases is the daemon's business. */
static struct outbox_receiver as_receiver(
	const struct sink_alertmanager_peer *p, struct arena *kept)
{
	struct str url = str_of(p->url);

	while (str_ends(url, STR("/")))
		url.len--;
	return (struct outbox_receiver){
		.name = p->name,
		.url = arena_printf(kept, "%.*s/api/v2/alerts", STR_ARG(url)),
		.username = p->username,
		.password = p->password,
		.authorization = p->authorization,
		.ca_file = p->ca_file,
		.cert_file = p->cert_file,
		.key_file = p->key_file,
		.server_name = p->server_name,
		.insecure_skip_verify = p->insecure_skip_verify,
		.send_resolved = p->send_resolved,
		.timeout_ms = p->timeout_ms,
	};
}

static int list_receivers(struct test *t, const struct config_receiver *r,
	struct sink_syslog *syslog, struct outbox_receiver **v, size_t *n, struct err *err)
{
	struct sink_alertmanager_peer *peers = NULL;
	size_t npeers = 0;
	int rc = app_outbox_receivers(r, syslog, v, n, &t->kept, err);

	if (rc == 0)
		rc = app_alertmanager_peers(r, &peers, &npeers, &t->kept, err);
	if (rc == 0) {
		*v = xrealloc(*v, *n + npeers + 1, sizeof(**v));
		for (size_t i = 0; i < npeers; i++)
			(*v)[(*n)++] = as_receiver(&peers[i], &t->kept);
	}
	free(peers);
	return rc;
}

static int send_all(struct test *t, struct fetch *fetch, const struct config_receiver *r,
	const struct outbox_receiver *v, size_t n, struct err *err)
{
	t->n = n + r->nheartbeats;
	t->waiting = t->n;
	t->sinks = arena_calloc(&t->kept, t->n + 1, sizeof(*t->sinks));
	for (size_t i = 0; i < n; i++) {
		t->sinks[i].name = v[i].name;
		t->sinks[i].bodies[0] = make_body(t, r, v[i].name);
	}
	end_alert(&t->alert);
	for (size_t i = 0; i < n; i++) {
		if (v[i].send_resolved)
			t->sinks[i].bodies[1] = make_body(t, r, v[i].name);
	}
	outbox_receivers(t->outbox, v, n);
	for (size_t i = 0; i < n; i++)
		send_body(t, &t->sinks[i], false);
	for (size_t i = 0; i < r->nheartbeats; i++) {
		struct sink *s = &t->sinks[n + i];

		s->name = arena_printf(&t->kept, "%.*s/heartbeat/%zu", STR_ARG(r->name), i);
		if (ask_heartbeat(t, fetch, &r->heartbeats[i], s, err))
			return -1;
	}
	return 0;
}

static int run(char **argv, const struct config_receiver *r)
{
	struct timeval limit = {.tv_sec = TEST_MS / 1000};
	struct outbox_options options = {.result = result_cb};
	struct outbox_receiver *v = NULL;
	struct test t = {.base = event_base_new()};
	struct sink_syslog *syslog = sink_syslog_new(NULL, NULL);
	struct fetch *fetch;
	struct err err = ERR_INIT;
	size_t n = 0;
	int code = CMD_OK;

	options.arg = &t;
	fetch = t.base ? fetch_new(t.base, &err) : NULL;
	if (!fetch) {
		sink_syslog_free(syslog);
		return cmd_error(CMD_IO, argv, &err);
	}
	t.outbox = outbox_new(t.base, fetch, &options);
	make_alert(&t.alert);
	if (list_receivers(&t, r, syslog, &v, &n, &err) || send_all(&t, fetch, r, v, n, &err)) {
		code = cmd_error(CMD_IO, argv, &err);
	} else {
		if (t.waiting) {
			event_base_loopexit(t.base, &limit);
			event_base_dispatch(t.base);
		}
		code = t.failed || t.waiting ? CMD_FAILED : CMD_OK;
	}
	outbox_free(t.outbox);
	fetch_free(fetch);
	sink_syslog_free(syslog);
	event_base_free(t.base);
	alert_release(&t.alert);
	arena_release(&t.kept);
	free(v);
	return code;
}

int cmd_alerts_test(char **argv, const char *path, const char *receiver)
{
	struct config_errors errs;
	struct config *config;
	struct err err = ERR_INIT;
	int code;

	config_errors_init(&errs);
	config = config_load(path ? path : CONFIG_PATH, &errs);
	if (!config) {
		struct buf text = BUF_INIT;

		config_errors_text(&errs, path ? path : CONFIG_PATH, &text);
		fputs(text.p, stderr);
		buf_release(&text);
		code = errs.unreadable ? CMD_IO : CMD_FAILED;
		config_errors_release(&errs);
		return code;
	}
	err_set(&err, "there is no receiver '%s'", receiver);
	code = -1;
	for (size_t i = 0; i < config->nreceivers; i++) {
		if (str_is(config->receivers[i].name, receiver))
			code = run(argv, &config->receivers[i]);
	}
	if (code < 0)
		code = cmd_error(CMD_FAILED, argv, &err);
	config_free(config);
	config_errors_release(&errs);
	return code;
}
