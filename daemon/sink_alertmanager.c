#include "sink_alertmanager.h"
#include "arena.h"
#include "clock.h"
#include "fetch.h"
#include "log.h"
#include "map.h"
#include "notify_bodies.h"
#include "safe.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include <event2/event.h>

#define RETRY_BASE_MS	1000
#define RETRY_AFTER_MAX 3600.0
#define TIMEOUT_MS	10000
#define ANSWER_MAX	(64 * 1024)
#define ANSWER_SHOWN	160

/* An alert that ended, to be told for a while. */
struct ended {
	TAILQ_ENTRY(ended) link;
	struct alert alert;
};
TAILQ_HEAD(endeds, ended);

struct peer {
	struct sink_alertmanager *s;
	struct sink_alertmanager_peer to; /* strings in the arena of the sink */
	char *url;
	struct fetch_job *job;
	size_t told; /* alerts of this round that were in its requests so far */
	bool more; /* the round goes on after this request */
	bool dirty; /* something changed since the round began */
	bool failing; /* the last attempt failed, which was told */
	unsigned failures;
	uint64_t due_ms; /* monotonic; UINT64_MAX: nothing to tell */
	char answer[ANSWER_SHOWN];
	size_t answer_len;
};

struct sink_alertmanager {
	struct event_base *base;
	struct fetch *fetch;
	struct sink_alertmanager_options opt;
	struct event *timer;
	struct arena arena;
	struct peer **peers;
	size_t npeers;
	struct endeds endeds;
	uint64_t random;
};

/* ---- what there is to tell ------------------------------------------------------------------- */

static void drop_ended(struct sink_alertmanager *s, struct ended *e)
{
	TAILQ_REMOVE(&s->endeds, e, link);
	alert_release(&e->alert);
	free(e);
}

static void drop_old(struct sink_alertmanager *s)
{
	int64_t oldest = clock_wall_ms() - SINK_ALERTMANAGER_RESOLVED_MS;
	struct ended *e, *next;

	for (e = TAILQ_FIRST(&s->endeds); e; e = next) {
		next = TAILQ_NEXT(e, link);
		if (e->alert.resolved_ms < oldest)
			drop_ended(s, e);
	}
}

static void drop_same(struct sink_alertmanager *s, const char *key)
{
	struct ended *e;

	TAILQ_FOREACH(e, &s->endeds, link)
	{
		if (strcmp(e->alert.key, key) == 0) {
			drop_ended(s, e);
			return;
		}
	}
}

static void keep_ended(struct sink_alertmanager *s, const struct alert *a)
{
	struct ended *e = xcalloc(1, sizeof(*e));

	e->alert = *a;
	e->alert.key = xstrdup(a->key);
	e->alert.labels = e->alert.annotations = (struct alert_labels)ALERT_LABELS_INIT;
	alert_labels_copy(&e->alert.labels, &a->labels);
	alert_labels_copy(&e->alert.annotations, &a->annotations);
	TAILQ_INSERT_TAIL(&s->endeds, e, link);
}

/* Puts one into the body when it is this peer's; *n counts the peer's alerts.  False: it is full.
 */
static bool put_alert(struct peer *p, const struct alert *a, size_t *n, struct buf *body)
{
	struct sink_alertmanager *s = p->s;

	if (s->opt.receiver_of(s->opt.arg, a) != p->to.receiver)
		return true;
	if ((*n)++ < p->told)
		return true;
	if (body->len >= SINK_ALERTMANAGER_BODY)
		return false;
	buf_addc(body, body->len ? ',' : '[');
	notify_alertmanager(
		a, str_of(s->opt.external_url), clock_wall_ms() + (int64_t)s->opt.lease_ms, body);
	p->told = *n;
	return true;
}

/*
 * The next request of a round.  Should alerts come or go between two requests of one round, one may
 * be passed over; it is in the next round, long before its lease ends.
 */
static void make_body(struct peer *p, struct buf *body)
{
	const struct alert *a;
	struct ended *e;
	void *at = NULL;
	size_t n = 0;

	p->more = false;
	TAILQ_FOREACH(e, &p->s->endeds, link)
	{
		if (p->to.send_resolved && !put_alert(p, &e->alert, &n, body)) {
			p->more = true;
			return;
		}
	}
	while ((a = alert_next(p->s->opt.alerts, &at))) {
		if (a->state == ALERT_FIRING && !put_alert(p, a, &n, body)) {
			p->more = true;
			return;
		}
	}
}

/* ---- one request ----------------------------------------------------------------------------- */

static void arm(struct sink_alertmanager *s)
{
	uint64_t due = UINT64_MAX, now = clock_mono_ms(), wait;

	for (size_t i = 0; i < s->npeers; i++) {
		if (!s->peers[i]->job)
			due = MIN(due, s->peers[i]->due_ms);
	}
	if (due == UINT64_MAX) {
		event_del(s->timer);
		return;
	}
	wait = due > now ? due - now : 0;
	event_add(s->timer, &(struct timeval){.tv_sec = (time_t)(wait / 1000),
				    .tv_usec = (suseconds_t)(wait % 1000 * 1000)});
}

static uint64_t retry_wait(struct peer *p, double retry_after_s)
{
	uint64_t most = (uint64_t)RETRY_BASE_MS << MIN(p->failures++, 16u), wait;

	/* A hash of a counter spreads as well as anything here. */
	p->s->random = hash64(&p->s->random, sizeof(p->s->random), p->s->random + 1);
	wait = p->s->random % (MIN(most, p->s->opt.resend_ms) + 1);
	if (retry_after_s > 0)
		wait = MAX(wait, (uint64_t)(MIN(retry_after_s, RETRY_AFTER_MAX) * 1000));
	return wait;
}

static void failed(struct peer *p, const char *why, double retry_after_s)
{
	if (!p->failing)
		log_msg(LEVEL_WARNING, "receiver %s: %s: %s; it is told again and again",
			p->to.name, p->to.url, why);
	p->failing = true;
	p->told = 0;
	p->more = false;
	p->dirty = true;
	p->due_ms = clock_mono_ms() + retry_wait(p, retry_after_s);
}

static void succeeded(struct peer *p)
{
	uint64_t now = clock_mono_ms();

	if (p->failing)
		log_msg(LEVEL_NOTICE, "receiver %s: %s takes alerts again", p->to.name, p->to.url);
	p->failing = false;
	p->failures = 0;
	if (p->more || p->dirty) {
		p->due_ms = now;
		return;
	}
	p->due_ms = now + p->s->opt.resend_ms;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct peer *p = arg;
	struct buf why = BUF_INIT;

	p->job = NULL;
	if (r->end == FETCH_OK && r->status >= 200 && r->status < 300) {
		succeeded(p);
	} else {
		safe_add(&why, str_of(r->why));
		if (r->end == FETCH_OK) {
			buf_addf(&why, "HTTP %d: ", r->status);
			safe_add_cut(&why, str_trim(str_n(p->answer, p->answer_len)), ANSWER_SHOWN);
		}
		failed(p, why.p, r->retry_after_s);
	}
	buf_release(&why);
	arm(p->s);
}

static bool body_cb(void *arg, const char *text, size_t n)
{
	struct peer *p = arg;
	size_t take = MIN(n, sizeof(p->answer) - p->answer_len);

	memcpy(p->answer + p->answer_len, text, take);
	p->answer_len += take;
	return true;
}

static void post(struct peer *p, struct str body)
{
	const char *headers[4] = {"content-type: application/json",
		"user-agent: leakwatch/" LEAKWATCH_VERSION, p->to.authorization};
	struct fetch_request req = {.url = p->url,
		.method = "POST",
		.headers = headers,
		.body = body,
		.timeout_ms = p->to.timeout_ms ? p->to.timeout_ms : TIMEOUT_MS,
		.max_bytes = ANSWER_MAX,
		.username = p->to.username,
		.password = p->to.password,
		.ca_file = p->to.ca_file,
		.cert_file = p->to.cert_file,
		.key_file = p->to.key_file,
		.server_name = p->to.server_name,
		.insecure_skip_verify = p->to.insecure_skip_verify,
		.on_body = body_cb,
		.any_status = true,
		.on_done = done_cb,
		.arg = p};
	struct err err;

	p->answer_len = 0;
	p->job = fetch_start(p->s->fetch, &req, &err);
	if (!p->job)
		failed(p, err.msg, NAN);
}

/* Begins a round, or goes on with one. */
static void tell_peer(struct peer *p)
{
	struct buf body = BUF_INIT;

	if (!p->more) {
		p->told = 0;
		p->dirty = false;
	}
	make_body(p, &body);
	if (body.len) {
		buf_addc(&body, ']');
		post(p, buf_str(&body));
	} else {
		p->due_ms = UINT64_MAX; /* until something changes */
	}
	buf_release(&body);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct sink_alertmanager *s = arg;
	uint64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	drop_old(s);
	for (size_t i = 0; i < s->npeers; i++) {
		if (!s->peers[i]->job && s->peers[i]->due_ms <= now)
			tell_peer(s->peers[i]);
	}
	arm(s);
}

/* ---- public ---------------------------------------------------------------------------------- */

struct sink_alertmanager *sink_alertmanager_new(struct event_base *base, struct fetch *fetch,
	const struct sink_alertmanager_options *options)
{
	struct sink_alertmanager *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->fetch = fetch;
	s->opt = *options;
	s->opt.external_url = xstrdup(options->external_url ? options->external_url : "");
	if (!s->opt.resend_ms)
		s->opt.resend_ms = SINK_ALERTMANAGER_RESEND_MS;
	TAILQ_INIT(&s->endeds);
	s->random = (uint64_t)clock_wall_ms();
	s->timer = evtimer_new(base, timer_cb, s);
	return s;
}

void sink_alertmanager_free(struct sink_alertmanager *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->npeers; i++) {
		if (s->peers[i]->job)
			fetch_cancel(s->peers[i]->job);
		free(s->peers[i]);
	}
	while (!TAILQ_EMPTY(&s->endeds))
		drop_ended(s, TAILQ_FIRST(&s->endeds));
	free(s->peers);
	event_free(s->timer);
	arena_release(&s->arena);
	free((char *)s->opt.external_url);
	free(s);
}

static const char *keep(struct sink_alertmanager *s, const char *text)
{
	return text ? arena_strdup(&s->arena, text) : NULL;
}

void sink_alertmanager_add(struct sink_alertmanager *s, const struct sink_alertmanager_peer *peer)
{
	struct peer *p = xcalloc(1, sizeof(*p));
	struct str url = str_of(peer->url);

	while (str_ends(url, STR("/")))
		url.len--;
	p->s = s;
	p->to = *peer;
	p->to.name = keep(s, peer->name);
	p->to.url = arena_str(&s->arena, url).p;
	p->url = arena_printf(&s->arena, "%s/api/v2/alerts", p->to.url);
	p->to.username = keep(s, peer->username);
	p->to.password = keep(s, peer->password);
	p->to.authorization = peer->authorization ? arena_printf(&s->arena, "authorization: %s",
							    peer->authorization)
						  : NULL;
	p->to.ca_file = keep(s, peer->ca_file);
	p->to.cert_file = keep(s, peer->cert_file);
	p->to.key_file = keep(s, peer->key_file);
	p->to.server_name = keep(s, peer->server_name);
	s->peers = xrealloc(s->peers, s->npeers + 1, sizeof(*s->peers));
	s->peers[s->npeers++] = p;
	arm(s);
}

void sink_alertmanager_changed(struct sink_alertmanager *s, const struct alert *a)
{
	if (s->npeers == 0)
		return;
	drop_same(s, a->key);
	if (a->state == ALERT_RESOLVED)
		keep_ended(s, a);
	sink_alertmanager_wake(s);
}

/* A peer that fails keeps to its pause. */
void sink_alertmanager_wake(struct sink_alertmanager *s)
{
	for (size_t i = 0; i < s->npeers; i++) {
		s->peers[i]->dirty = true;
		if (!s->peers[i]->failing)
			s->peers[i]->due_ms = 0;
	}
	arm(s);
}

bool sink_alertmanager_idle(const struct sink_alertmanager *s)
{
	for (size_t i = 0; i < s->npeers; i++) {
		if (s->peers[i]->job || s->peers[i]->dirty)
			return false;
	}
	return true;
}
