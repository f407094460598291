/*
 * sim_pipeline: the real pipeline and store in simulated time.
 *
 * A simulated service answers scrapes once a minute for days, in a second: bodies as Go prints
 * them, fed in pieces, through parser, classes, series, verdicts, findings and alerts into a real
 * SQLite file.  Each scenario says which alerts must come and which must not.
 *
 *   sim_pipeline [--check]   one line a scenario; with --check also "N passed, N failed"
 */
#include "alert.h"
#include "config.h"
#include "log.h"
#include "pipeline.h"
#include "store.h"
#include "xalloc.h"

#include <event2/event.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0     1700006400.0
#define MINUTE 60.0
#define HOUR   3600.0

/* ---- the service ---- */

struct service {
	double conns; /* leaked client connections */
	double sessions; /* goroutines of users */
	double users;
	double start;
	bool no_metrics;
	bool new; /* not scraped yet in this run */
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
	buf_addf(b, "goroutine profile: total %.0f\n", 2 * conns + sessions + 9);
	record(b, conns, "0x43be36 0x4340f7 0x46c5c1 0x7a0001 0x46c5c1",
		"#\t0x46c5c0\tinternal/poll.runtime_pollWait+0x80\t/go/src/runtime/netpoll.go:345\n"
		"#\t0x7a0000\tnet/http.(*persistConn).readLoop+0xa5\t/go/src/net/http/"
		"transport.go:2200\n");
	record(b, conns, "0x43be36 0x447d27 0x7a1001 0x46c5c1",
		"#\t0x7a1000\tnet/http.(*persistConn).writeLoop+0xf0\t/go/src/net/http/"
		"transport.go:2400\n");
	record(b, sessions, "0x43be36 0x408a3b 0x408538 0x68551e 0x46c5c1",
		"#\t0x68551d\tmain.(*session).wait+0x1d\t/src/app/session.go:38\n");
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
	buf_addf(b, "process_open_fds %.0f\n", 12 + floor(s->conns));
	buf_addf(b, "process_resident_memory_bytes %.0f\n",
		5e7 + 30e3 * s->conns + 2e6 * sin(now / 700));
	buf_addf(b, "app_users %.0f\n", floor(s->users));
}

/* ---- the watcher ---- */

struct watcher {
	const struct config *config;
	struct event_base *base;
	struct fetch *fetch;
	struct scrape *scrape;
	struct scrape_target *st;
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

static void start(struct watcher *w)
{
	struct pipeline_events events = {
		.begin = begin_cb, .commit = commit_cb, .cleared = cleared_cb, .arg = w};
	const struct config_job *job = &w->config->jobs[0];
	struct scrape_target_config c = {.job = "shop",
		.instance = "127.0.0.1:6060",
		.address = "127.0.0.1:6060",
		.interval_ms = 60000,
		.timeout_ms = 10000,
		.body_limit_bytes = 1 << 24};
	struct store_opened opened;
	struct target *t;
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
	t = pipeline_add(
		w->pipeline, job, job->statics[0].targets.v[0], &job->statics[0].labels, &err);
	w->st = t ? scrape_add(w->scrape, &c, t, &err) : NULL;
	if (!w->st)
		die("target", &err);
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

static void feed(struct watcher *w,
	bool (*to)(void *, struct scrape_target *, const char *, size_t), const struct buf *body)
{
	for (size_t at = 0, n; at < body->len; at += n) {
		n = MIN(body->len - at, (size_t)1000);
		to(NULL, w->st, body->p + at, n);
	}
}

static void scrape_once(struct watcher *w, struct service *s)
{
	const struct scrape_events *e = &pipeline_scrape_events;
	struct fetch_result ok = {.end = FETCH_OK, .status = 200, .kept = !s->new};
	struct scrape_cycle c = {.at_ms = (int64_t)(w->now * 1000)};
	struct buf b = BUF_INIT;
	uint64_t pcs[SCRAPE_PCS_MAX];

	c.goroutines = (struct scrape_endpoint){.asked = true, .up = true, .took_ms = 3};
	c.metrics = (struct scrape_endpoint){.asked = !s->no_metrics, .up = !s->no_metrics};
	e->begin(NULL, w->st);
	dump(s, &b);
	feed(w, e->goroutines, &b);
	if (e->goroutines_end(NULL, w->st, &ok, pcs, SCRAPE_PCS_MAX))
		e->symbols(NULL, w->st,
			STR("num_symbols: 1\n0x43be36 runtime.gopark\n0x408a3b runtime.chanrecv\n"
			    "0x408538 runtime.chanrecv1\n0x447d27 runtime.selectgo\n"
			    "0x4340f7 runtime.netpollblock\n0x40df14 runtime.gopark\n"));
	if (!s->no_metrics) {
		metrics(s, w->now, &b);
		feed(w, e->metrics, &b);
		e->metrics_end(NULL, w->st, &ok);
	}
	e->cycle(NULL, w->st, &c);
	alert_tick(w->alerts, c.at_ms);
	s->new = false;
	buf_release(&b);
}

/* ---- scenarios ---- */

struct scenario {
	const char *what;
	const char *job, *yaml; /* keys of the job, and of the file */
	double hours;
	double leak_per_hour; /* connections */
	double users_per_hour; /* each with two goroutines */
	double restarts_every; /* of the service, hours; 0 = never */
	double repaired_at; /* hours, with a restart; 0 = never */
	double watcher_restarts; /* every so many hours; 0 = never */
	bool kill_watcher, no_metrics;
	bool exact; /* the first alert comes as soon as for a watcher that ran through */
	double clock_set_at, clock_by; /* hours; by how much the watcher's clock is set then */
	const char *told; /* exactly, in order */
	const char *class; /* of the first */
	double within; /* hours from the first scrape */
};

#define LOAD "    load_metric: app_users\n"
#define SESSIONS                                                                                   \
	"classes:\n"                                                                               \
	"  - name: sessions\n"                                                                     \
	"    match: {mentions: ['main.(*session).']}\n"

static const struct scenario scenarios[] = {
	{.what = "nothing happens for two days", .hours = 48, .told = ""},
	{.what = "health checks without a timeout: one connection a minute",
		.hours = 26,
		.leak_per_hour = 60,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the same, its service restarted every 20 h: one alert",
		.hours = 60,
		.leak_per_hour = 60,
		.restarts_every = 20,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the same, repaired by a deploy: resolved",
		.hours = 60,
		.leak_per_hour = 60,
		.repaired_at = 20,
		.told = "+GoroutineLeak -GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "without metrics, restarted every 20 h: seen by the fall and the connection; one "
		 "alert",
		.hours = 60,
		.leak_per_hour = 60,
		.restarts_every = 20,
		.no_metrics = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "without metrics, repaired by a deploy: resolved",
		.hours = 60,
		.leak_per_hour = 60,
		.repaired_at = 20,
		.no_metrics = true,
		.told = "+GoroutineLeak -GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher restarted every three hours",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 3,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher killed every 100 minutes",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 5 / 3.0,
		.kill_watcher = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher restarted every quarter of an hour, ten times before it tells",
		.hours = 10,
		.leak_per_hour = 60,
		.watcher_restarts = 0.25,
		.exact = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher killed every 13 minutes",
		.hours = 10,
		.leak_per_hour = 60,
		.watcher_restarts = 13 / 60.0,
		.kill_watcher = true,
		.exact = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	/* The detector does not take an hour twice: it waits until the clock has caught up, and
	 * then sees a step in the rise.  It is late, not blind. */
	{.what = "the clock set back an hour, and the watcher restarted every hour",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 1,
		.clock_set_at = 1.5,
		.clock_by = -1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 16},
	{.what = "the clock set forward an hour, and the watcher restarted every hour",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 1,
		.clock_set_at = 1.5,
		.clock_by = 1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 9},
	{.what = "the clock set back an hour where nothing leaks",
		.hours = 24,
		.clock_set_at = 12,
		.clock_by = -1,
		.told = ""},
	{.what = "goroutines that follow users, not told of them: it grows",
		.hours = 30,
		.users_per_hour = 40,
		.told = "+GoroutineLeak",
		.class = "main.(*session).wait",
		.within = 26},
	{.what = "goroutines that follow users, load_metric given",
		.job = LOAD,
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "goroutines that follow users, expect.max_metric given",
		.yaml = SESSIONS "    expect: {max_metric: app_users, factor: 2, slack: 50}\n",
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "expect.max above all that comes: quiet",
		.yaml = SESSIONS "    expect: {max: 9000}\n",
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "a leak beside growth that the load explains",
		.job = LOAD,
		.hours = 40,
		.users_per_hour = 40,
		.leak_per_hour = 60,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 26},
};

static struct config *make_config(const struct scenario *s)
{
	char *text = xasprintf("scrape_configs:\n"
			       "  - job_name: shop\n"
			       "    static_configs: [{targets: ['127.0.0.1:6060']}]\n%s%s",
		s->job ? s->job : "", s->yaml ? s->yaml : "");
	struct config_errors errs;
	struct config *c;
	struct buf out = BUF_INIT;

	config_errors_init(&errs);
	c = config_parse(str_of(text), "sim.yaml", &errs);
	if (!c) {
		config_errors_text(&errs, "sim.yaml", &out);
		fputs(out.p, stderr);
		exit(1);
	}
	config_errors_release(&errs);
	buf_release(&out);
	free(text);
	return c;
}

/* One minute of the service's life. */
static void live(const struct scenario *s, struct service *v, unsigned minute)
{
	unsigned every = (unsigned)(s->restarts_every * 60),
		 repair = (unsigned)(s->repaired_at * 60);
	bool repaired = repair && minute >= repair;

	if (minute && ((every && minute % every == 0) || (repair && minute == repair))) {
		v->conns = 0;
		v->users = 100;
		v->start = T0 + minute * MINUTE - 5;
		v->new = true;
	}
	if (!repaired)
		v->conns += s->leak_per_hour / 60;
	/* Not a ruler: load that never varies cannot be told from anything else that rises. */
	v->users += s->users_per_hour / 60 * (1 + 3 * sin(minute / 37.0));
	v->sessions = 2 * floor(v->users) + 20;
}

static bool judge(const struct scenario *s, const struct watcher *w)
{
	double delay = (w->first_at - T0) / HOUR;
	bool ok = strcmp(w->told, s->told) == 0 && (!s->class || strcmp(w->class, s->class) == 0) &&
		  (!s->told[0] || delay <= s->within);

	printf("%s %s: told \"%s\"", ok ? "ok  " : "FAIL", s->what, w->told);
	if (w->raised)
		printf(", %s after %.1f h", w->class, delay);
	if (!ok)
		printf("; right: \"%s\" %s within %.0f h", s->told, s->class ? s->class : "",
			s->within);
	printf("\n");
	return ok;
}

static void remove_store(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[300];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

/* The watcher's life in the scenario; restarts_every in hours, 0: it runs through. */
static void simulate(const struct scenario *s, double restarts_every, struct watcher *w)
{
	const char *tmp = getenv("TMPDIR");
	struct service v = {.start = T0 - 600, .users = 100, .no_metrics = s->no_metrics};
	unsigned restarts = (unsigned)(restarts_every * 60 + 0.5);
	struct config *config = make_config(s);

	*w = (struct watcher){.now = T0, .config = config};
	snprintf(w->path, sizeof(w->path), "%s/sim_pipeline.%ld.db", tmp ? tmp : "/tmp",
		(long)getpid());
	remove_store(w->path);
	start(w);
	for (unsigned minute = 0; minute < s->hours * 60; minute++) {
		w->now = T0 + minute * MINUTE;
		if (s->clock_by && minute >= s->clock_set_at * 60)
			w->now += s->clock_by * HOUR;
		live(s, &v, minute);
		if (restarts && minute && minute % restarts == 0) {
			stop(w, !s->kill_watcher);
			start(w);
		}
		scrape_once(w, &v);
	}
	stop(w, true);
	remove_store(w->path);
	config_free(config);
	w->config = NULL;
}

static bool run(const struct scenario *s)
{
	struct watcher w, through;
	bool ok;

	simulate(s, s->watcher_restarts, &w);
	ok = judge(s, &w);
	if (s->exact) {
		simulate(s, 0, &through);
		if (fabs(through.first_at - w.first_at) > MINUTE) {
			printf("FAIL %s: after %.0f min, not %.0f as without\n", s->what,
				(w.first_at - T0) / MINUTE, (through.first_at - T0) / MINUTE);
			ok = false;
		}
	}
	return ok;
}

int main(int argc, char **argv)
{
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	const char *only = argc > 1 && !check ? argv[1] : "";
	size_t passed = 0, n = 0;

	if (!getenv("VERBOSE"))
		log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LEVEL_ERROR, false);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (!strstr(scenarios[i].what, only))
			continue;
		n++;
		passed += run(&scenarios[i]);
	}
	if (check)
		printf("%zu passed, %zu failed\n", passed, n - passed);
	return passed == n ? 0 : 1;
}
