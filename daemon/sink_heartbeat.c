#include "sink_heartbeat.h"
#include "fetch.h"
#include "log.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <event2/event.h>

#define ANSWER_MAX (64 * 1024)

struct server {
	SLIST_ENTRY(server) link;
	struct sink_heartbeat *s;
	char *name, *url;
	uint64_t timeout_ms;
	struct event *timer;
	struct fetch_job *job;
	bool failing;
};

struct sink_heartbeat {
	struct event_base *base;
	struct fetch *fetch;
	bool (*well)(void *arg, const char **why);
	void *arg;
	SLIST_HEAD(, server) servers;
};

static void note_failure(struct server *v, const char *why)
{
	if (!v->failing)
		log_msg(LEVEL_WARNING, "heartbeat %s: %s", v->name, why);
	v->failing = true;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct server *v = arg;
	char status[32];

	v->job = NULL;
	if (r->end == FETCH_OK && r->status >= 200 && r->status < 300) {
		if (v->failing)
			log_msg(LEVEL_NOTICE, "heartbeat %s: taken again", v->name);
		v->failing = false;
		return;
	}
	snprintf(status, sizeof(status), "HTTP %d", r->status);
	note_failure(v, r->end == FETCH_OK ? status : r->why);
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	(void)arg, (void)p, (void)n;
	return true;
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	static const char *const headers[] = {"user-agent: leakwatch/" LEAKWATCH_VERSION, NULL};
	struct server *v = arg;
	struct fetch_request req = {.url = v->url,
		.headers = headers,
		.timeout_ms = v->timeout_ms,
		.max_bytes = ANSWER_MAX,
		.on_body = body_cb,
		.any_status = true,
		.on_done = done_cb,
		.arg = v};
	const char *why = "";
	struct err err;

	(void)fd, (void)what;
	if (v->job)
		return; /* slower than its interval */
	if (!v->s->well(v->s->arg, &why)) {
		log_limited(LEVEL_WARNING, v->name, "heartbeat %s: left out: %s", v->name, why);
		return;
	}
	v->job = fetch_start(v->s->fetch, &req, &err);
	if (!v->job)
		note_failure(v, err.msg);
}

struct sink_heartbeat *sink_heartbeat_new(struct event_base *base, struct fetch *fetch,
	bool (*well)(void *arg, const char **why), void *arg)
{
	struct sink_heartbeat *s = xcalloc(1, sizeof(*s));

	s->base = base;
	s->fetch = fetch;
	s->well = well;
	s->arg = arg;
	return s;
}

void sink_heartbeat_free(struct sink_heartbeat *s)
{
	struct server *v;

	if (!s)
		return;
	while ((v = SLIST_FIRST(&s->servers))) {
		SLIST_REMOVE_HEAD(&s->servers, link);
		if (v->job)
			fetch_cancel(v->job);
		event_free(v->timer);
		free(v->name);
		free(v->url);
		free(v);
	}
	free(s);
}

void sink_heartbeat_add(struct sink_heartbeat *s, const char *name, const char *url,
	uint64_t interval_ms, uint64_t timeout_ms)
{
	struct timeval every = {.tv_sec = (time_t)(interval_ms / 1000),
		.tv_usec = (suseconds_t)(interval_ms % 1000 * 1000)};
	struct server *v = xcalloc(1, sizeof(*v));

	v->s = s;
	v->name = xstrdup(name);
	v->url = xstrdup(url);
	v->timeout_ms = timeout_ms;
	v->timer = event_new(s->base, -1, EV_PERSIST, timer_cb, v);
	event_add(v->timer, &every);
	SLIST_INSERT_HEAD(&s->servers, v, link);
}
