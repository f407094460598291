/*
 * watcher: a simulated service and the real pipeline and store that watch it.  For the simulations
 * only; each that includes it has its own.
 *
 * struct service answers scrapes with bodies as Go prints them; struct watcher feeds them through
 * parser, classes, series, verdicts, findings and alerts into a real SQLite file, and keeps what
 * people would have heard.
 */
#ifndef LEAKWATCH_SIM_WATCHER_H
#define LEAKWATCH_SIM_WATCHER_H

#include "alert.h"
#include "config.h"
#include "pipeline.h"
#include "store.h"
#include "xalloc.h"

#include <event2/event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define T0     1700006400.0
#define MINUTE 60.0
#define HOUR   3600.0

#define REPLICAS_MAX 6

/* ---- the service ---- */

struct service {
	double conns; /* leaked client connections */
	double sessions; /* goroutines of users */
	double users;
	double waiting; /* goroutines that wait for one mutex */
	double polling; /* that receive from a nil channel */
	double start;
	bool no_metrics;
	bool new; /* not scraped yet in this run */
	const char *version; /* NULL: it does not tell */
};

static void record(struct buf *b, double count, const char *pcs, const char *frames)
{
	if (count >= 1)
		buf_addf(b, "%.0f @ %s\n%s\n", floor(count), pcs, frames);
}

static void dump(const struct service *s, struct buf *b)
{
	double conns = floor(s->conns), sessions = floor(s->sessions);

	buf_reset(b);
	buf_addf(b, "goroutine profile: total %.0f\n",
		2 * conns + sessions + floor(s->waiting) + floor(s->polling) + 9);
	record(b, conns, "0x43be36 0x4340f7 0x46c5c1 0x7a0001 0x46c5c1",
		"#\t0x46c5c0\tinternal/poll.runtime_pollWait+0x80\t/go/src/runtime/netpoll.go:345\n"
		"#\t0x7a0000\tnet/http.(*persistConn).readLoop+0xa5\t/go/src/net/http/"
		"transport.go:2200\n");
	record(b, conns, "0x43be36 0x447d27 0x7a1001 0x46c5c1",
		"#\t0x7a1000\tnet/http.(*persistConn).writeLoop+0xf0\t/go/src/net/http/"
		"transport.go:2400\n");
	record(b, sessions, "0x43be36 0x408a3b 0x408538 0x68551e 0x46c5c1",
		"#\t0x68551d\tmain.(*session).wait+0x1d\t/src/app/session.go:38\n");
	record(b, s->waiting, "0x43be36 0x45a1f2 0x47b0e1 0x47b2a1 0x68f101",
		"#\t0x45a1f1\tsync.runtime_SemacquireMutex+0x24\t/go/src/runtime/sema.go:95\n"
		"#\t0x47b0e0\tsync.(*Mutex).lockSlow+0x15c\t/go/src/sync/mutex.go:149\n"
		"#\t0x47b2a0\tsync.(*Mutex).Lock+0x3d\t/go/src/sync/mutex.go:70\n"
		"#\t0x68f100\tmain.(*journal).add+0x3d\t/src/app/journal.go:31\n");
	record(b, s->polling, "0x43be36 0x408a3b 0x408538 0x68f201",
		"#\t0x68f200\tmain.(*source).poll+0x1d\t/src/app/poll.go:12\n");
	record(b, 8, "0x43be36 0x4340f7 0x50c5c1 0x7b0001 0x46c5c1",
		"#\t0x50c5c0\tinternal/poll.runtime_pollWait+0x80\t/go/src/runtime/netpoll.go:345\n"
		"#\t0x7b0000\tnet/http.(*conn).serve+0xa5\t/go/src/net/http/server.go:2092\n");
	record(b, 1, "0x40df14 0x68f001 0x46c5c1",
		"#\t0x68f000\tmain.main+0x1d\t/src/app/main.go:20\n");
}

static void metrics(const struct service *s, double now, struct buf *b)
{
	buf_reset(b);
	buf_addf(b, "process_start_time_seconds %.2f\n", s->start);
	buf_addf(b, "process_open_fds %.0f\nprocess_max_fds 1048576\n", 12 + floor(s->conns));
	buf_addf(b, "process_resident_memory_bytes %.0f\n",
		5e7 + 30e3 * s->conns + 2e6 * sin(now / 700));
	buf_addf(b, "app_users %.0f\n", floor(s->users));
	if (s->version)
		buf_addf(b, "shop_build_info{version=\"%s\"} 1\n", s->version);
}

/* ---- the watcher ---- */

struct watcher {
	const struct config *config;
	struct event_base *base;
	struct fetch *fetch;
	struct scrape *scrape;
	struct scrape_target *st, *others[REPLICAS_MAX]; /* of the replicas, st is the first */
	unsigned replicas; /* 0 is one, too */
	unsigned instance; /* of it: deploys so far */
	struct alert_table *alerts;
	struct pipeline *pipeline;
	struct store *store;
	struct store_maxima ids;
	char path[256];
	double now;
	/* what people heard */
	char told[1024];
	unsigned raised;
	double first_at;
	char class[256];
	/* what the alert that stands at the end says: each holds, forecast, also */
	char each[256], forecast[512], also[512];
};

static void die(const char *what, const struct err *err)
{
	fprintf(stderr, "sim_pipeline: %s: %s\n", what, err->msg);
	exit(1);
}

static void apply(struct watcher *w, struct store_batch *b)
{
	struct err err = ERR_INIT;

	if (store_apply(w->store, &b, 1, (int64_t)(w->now * 1000), &err))
		die("store_apply", &err);
	store_batch_free(b);
}

static struct store_batch *begin_cb(void *arg)
{
	(void)arg;
	return store_batch_new();
}

static bool commit_cb(void *arg, struct store_batch *b)
{
	apply(arg, b);
	return true;
}

static void put_alert(struct watcher *w, const struct alert *a)
{
	struct buf labels = BUF_INIT, annotations = BUF_INIT;
	struct store_batch *b = store_batch_new();
	struct store_alert row = {
		.id = str_of(a->id),
		.key = str_of(a->key),
		.name = str_of(alert_kind_name(a->kind)),
		.state = str_of(alert_state_name(a->state)),
		.holds = a->holds,
		.end = a->holds ? (struct str){0} : str_of(alert_end_name(a->end)),
		.change = a->change,
		.raised_ms = a->raised_ms,
		.fired_ms = a->fired_ms,
		.cleared_ms = a->cleared_ms,
		.resolved_ms = a->resolved_ms,
		.changed_ms = a->changed_ms,
		.reason = str_of(a->reason),
	};

	alert_labels_json(&a->labels, &labels);
	alert_labels_json(&a->annotations, &annotations);
	row.labels = buf_str(&labels);
	row.annotations = buf_str(&annotations);
	store_put_alert(b, &row);
	apply(w, b);
	buf_release(&labels);
	buf_release(&annotations);
}

static void cleared_cb(void *arg, const struct alert *a)
{
	put_alert(arg, a);
}

static void change_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	struct watcher *w = arg;
	size_t n = strlen(w->told);

	(void)why;
	put_alert(w, a);
	if (a->state != ALERT_FIRING && !(a->state == ALERT_RESOLVED && old == ALERT_FIRING))
		return;
	snprintf(w->told + n, sizeof(w->told) - n, "%s%c%s", n ? " " : "",
		a->state == ALERT_FIRING ? '+' : '-', alert_kind_name(a->kind));
	if (a->state == ALERT_FIRING && w->raised++ == 0) {
		w->first_at = w->now;
		snprintf(w->class, sizeof(w->class), "%.*s",
			STR_ARG(alert_labels_get(&a->labels, "class")));
	}
}

static void stored_alert_cb(void *arg, const struct store_alert *r)
{
	struct watcher *w = arg;
	struct alert a = {
		.kind = alert_kind_of_name(r->name), .state = alert_state_of_name(r->state)};
	struct err err = ERR_INIT;

	snprintf(a.id, sizeof(a.id), "%.*s", STR_ARG(r->id));
	a.key = str_dup(r->key);
	a.holds = r->holds;
	a.end = r->holds ? ALERT_END_CLEARED : alert_end_of_name(r->end);
	a.change = (unsigned)r->change;
	a.raised_ms = r->raised_ms;
	a.fired_ms = r->fired_ms;
	a.cleared_ms = r->cleared_ms;
	a.changed_ms = r->changed_ms;
	alert_labels_read(&a.labels, r->labels, false, &err);
	alert_labels_read(&a.annotations, r->annotations, true, &err);
	if (alert_load(w->alerts, &a, &err))
		die("alert_load", &err);
	alert_release(&a);
}

static struct scrape_target *watch(struct watcher *w, unsigned instance)
{
	char name[32], pod[32];
	struct scrape_target_config c = {.job = "shop",
		.instance = name,
		.address = name,
		.interval_ms = 60000,
		.timeout_ms = 10000,
		.body_limit_bytes = 1 << 24};
	struct label labels[2] = {{STR("pod"), STR("")}, {STR("service"), STR("shop")}};
	struct err err = ERR_INIT;
	struct scrape_target *st;
	struct target *t;

	snprintf(name, sizeof(name), "10.0.0.%u:6060", instance);
	snprintf(pod, sizeof(pod), "shop-%u", instance);
	labels[0].value = str_of(pod);
	t = pipeline_add(w->pipeline, &w->config->jobs[0], str_of(name),
		&(struct config_labels){.v = labels, .n = 2}, (int64_t)(w->now * 1000), &err);
	st = t ? scrape_add(w->scrape, &c, t, &err) : NULL;
	if (!st)
		die("target", &err);
	return st;
}

/* The old instance leaves; heir: the one that came before that, or NULL.  As app_targets.c does it.
 * Inline: not all who include this deploy.
 */
static inline void leave(struct watcher *w, struct scrape_target *old, struct scrape_target *heir)
{
	int64_t now_ms = (int64_t)(w->now * 1000);
	struct target *t = scrape_target_user(old);

	scrape_remove(old);
	if (heir && pipeline_heir(t, now_ms) == scrape_target_user(heir)) {
		scrape_hand_over(heir, t);
		pipeline_continue(t, pipeline_heir(t, now_ms), now_ms);
	} else {
		pipeline_remove(t, now_ms);
	}
}

static void start(struct watcher *w)
{
	struct pipeline_events events = {
		.begin = begin_cb, .commit = commit_cb, .cleared = cleared_cb, .arg = w};
	struct store_opened opened;
	struct err err = ERR_INIT;

	if (store_open(w->path, (int64_t)(w->now * 1000), &w->store, &opened, &err) !=
			STORE_OPEN_OK ||
		store_load_maxima(w->store, &w->ids, &err))
		die("store", &err);
	w->base = event_base_new();
	w->fetch = fetch_new(w->base, &err);
	w->scrape = scrape_new(w->base, w->fetch, &pipeline_scrape_events, NULL);
	w->alerts = alert_table_new(change_cb, w);
	w->pipeline = pipeline_new(w->config, w->alerts, &w->ids, &events, &err);
	if (!w->pipeline)
		die("pipeline", &err);
	if (store_load_alerts(w->store, INT64_MAX, stored_alert_cb, w, &err) ||
		pipeline_load(w->pipeline, w->store, &err))
		die("load", &err);
	w->st = w->others[0] = watch(w, w->instance);
	for (unsigned i = 1; i < w->replicas; i++)
		w->others[i] = watch(w, w->instance + i);
	pipeline_added_all(w->pipeline, (int64_t)(w->now * 1000));
}

static void stop(struct watcher *w, bool clean)
{
	if (clean)
		pipeline_save_all(w->pipeline, (int64_t)(w->now * 1000));
	scrape_free(w->scrape);
	pipeline_free(w->pipeline);
	alert_table_free(w->alerts);
	fetch_free(w->fetch);
	event_base_free(w->base);
	store_close(w->store);
}

static void feed(bool (*to)(void *, struct scrape_target *, const char *, size_t),
	struct scrape_target *st, const struct buf *body)
{
	for (size_t at = 0, n; at < body->len; at += n) {
		n = MIN(body->len - at, (size_t)1000);
		to(NULL, st, body->p + at, n);
	}
}

static void scrape_once(struct watcher *w, struct scrape_target *st, struct service *s)
{
	const struct scrape_events *e = &pipeline_scrape_events;
	struct fetch_result ok = {.end = FETCH_OK, .status = 200, .kept = !s->new};
	struct scrape_cycle c = {.at_ms = (int64_t)(w->now * 1000)};
	struct buf b = BUF_INIT;
	uint64_t pcs[SCRAPE_PCS_MAX];

	c.goroutines = (struct scrape_endpoint){.asked = true, .up = true, .took_ms = 3};
	c.metrics = (struct scrape_endpoint){.asked = !s->no_metrics, .up = !s->no_metrics};
	e->begin(NULL, st);
	dump(s, &b);
	feed(e->goroutines, st, &b);
	if (e->goroutines_end(NULL, st, &ok, pcs, SCRAPE_PCS_MAX))
		e->symbols(NULL, st,
			STR("num_symbols: 1\n0x43be36 runtime.gopark\n0x408a3b runtime.chanrecv\n"
			    "0x408538 runtime.chanrecv1\n0x447d27 runtime.selectgo\n"
			    "0x4340f7 runtime.netpollblock\n0x40df14 runtime.gopark\n"));
	if (!s->no_metrics) {
		metrics(s, w->now, &b);
		feed(e->metrics, st, &b);
		e->metrics_end(NULL, st, &ok);
	}
	e->cycle(NULL, st, &c);
	alert_tick(w->alerts, c.at_ms, (uint64_t)c.at_ms);
	s->new = false;
	buf_release(&b);
}

#endif
