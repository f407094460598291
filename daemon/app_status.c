/* What the daemon says of itself on web.listen_address: /metrics, /-/healthy, /-/ready; pages are
 * app_page.c's. */
#include "app_internal.h"
#include "clock.h"
#include "discover.h"
#include "expose.h"
#include "log.h"
#include "status.h"
#include "worker.h"
#include "xalloc.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LAG_EVERY_MS   200 /* a timer whose lateness is the loop's */
#define LISTEN_AGAIN_S 60 /* after an address was taken */
/* The writer that has work and finishes none of it for that long is not alive.  A disk that fails
 * is no such case: then transactions end, in errors. */
#define WRITER_STALLED_MS 60000

/* ---- how late the loop is ---- */

static void lag_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval every = {.tv_usec = LAG_EVERY_MS * 1000};
	struct app *a = arg;
	uint64_t now = clock_mono_ms();

	(void)fd;
	(void)what;
	if (now > a->lag_due_ms)
		a->lag_ms = MAX(a->lag_ms, now - a->lag_due_ms);
	a->lag_due_ms = now + LAG_EVERY_MS;
	event_add(a->ev_lag, &every);
}

/* ---- is the writer alive? ---- */

bool app_writer_alive(struct app *a)
{
	uint64_t now = clock_mono_ms(), done;
	struct writer_stats s;

	writer_stats(a->writer, &s);
	done = s.applied + s.transactions + s.errors + s.refused;
	if (s.depth == 0 || done != a->writer_done || !a->writer_done_ms) {
		a->writer_done = done;
		a->writer_done_ms = now;
	}
	return now - a->writer_done_ms < WRITER_STALLED_MS;
}

/* ---- the process itself ---- */

static double resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long size, resident;
	double bytes = NAN;

	if (f && fscanf(f, "%lu %lu", &size, &resident) == 2)
		bytes = (double)resident * (double)sysconf(_SC_PAGESIZE);
	if (f)
		fclose(f);
	return bytes;
}

static double open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	double n = -3; /* ".", ".." and the directory itself */

	if (!d)
		return NAN;
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void one(struct buf *out, const char *name, double value, const char *help)
{
	size_t n = strlen(name);
	bool counter = n > 6 && strcmp(name + n - 6, "_total") == 0;

	if (!isnan(value))
		expose_one(out, name, counter ? EXPOSE_COUNTER : EXPOSE_GAUGE, help, value);
}

static void put_process(struct app *a, struct buf *out)
{
	const struct label version = {STR("version"), STR(LEAKWATCH_VERSION)};

	expose_family(out, "leakwatch_build_info", EXPOSE_GAUGE, "1; what runs.");
	expose_sample(out, "leakwatch_build_info", &version, 1, 1);
	one(out, "process_start_time_seconds", (double)a->started_ms / 1000,
		"When the daemon was started, Unix time.");
	one(out, "process_resident_memory_bytes", resident_bytes(), "Memory in use.");
	one(out, "process_open_fds", open_fds(), "Open descriptors.");
	one(out, "leakwatch_loop_lag_seconds", (double)a->lag_ms / 1000,
		"Longest that the event loop was late since this was last asked for.");
	a->lag_ms = 0;
	one(out, "leakwatch_reloads_total", (double)a->reloads,
		"Configurations taken over after a SIGHUP.");
	one(out, "leakwatch_reloads_refused_total", (double)a->reloads_refused,
		"Configurations refused after a SIGHUP.");
	one(out, "leakwatch_config_last_reload_successful", a->reload_failed ? 0 : 1,
		"1 when the configuration in the file was taken over.");
}

static void put_writer(struct app *a, struct buf *out)
{
	struct writer_stats s;

	writer_stats(a->writer, &s);
	one(out, "leakwatch_store_up", s.ok ? 1 : 0, "1 while the disk takes writes.");
	one(out, "leakwatch_store_queue_batches", (double)s.depth, "Batches on their way to disk.");
	one(out, "leakwatch_store_queue_bytes", (double)s.bytes, "Bytes on their way to disk.");
	one(out, "leakwatch_store_wal_bytes", (double)s.wal_bytes, "Size of the write-ahead log.");
	one(out, "leakwatch_store_transactions_total", (double)s.transactions, "Transactions.");
	one(out, "leakwatch_store_errors_total", (double)s.errors,
		"Transactions that the disk did not take.");
	one(out, "leakwatch_store_dropped_samples_total", (double)s.dropped_values,
		"Samples not stored because the queue was full.");
	one(out, "leakwatch_store_longest_transaction_seconds", s.longest_ms / 1000,
		"The longest transaction since start.");
	one(out, "leakwatch_store_longest_housekeeping_seconds", s.longest_bite_ms / 1000,
		"The longest since start of those that fold and delete.");
	one(out, "leakwatch_store_checkpoints_total", (double)s.moves,
		"Moves of the write-ahead log into the file.");
	one(out, "leakwatch_store_checkpoint_errors_total", (double)s.move_errors,
		"Those that failed; nothing is lost by them.");
	one(out, "leakwatch_store_longest_checkpoint_seconds", s.longest_move_ms / 1000,
		"The longest of them since start; no transaction waits for it.");
}

static void put_outbox(struct app *a, struct buf *out)
{
	struct outbox_stats s;
	double oldest = 0;

	outbox_stats(a->outbox, &s);
	if (s.oldest_ms)
		oldest = MAX(0.0, (double)(clock_wall_ms() - s.oldest_ms) / 1000);
	one(out, "leakwatch_outbox_owed", (double)s.owed, "Deliveries not yet made.");
	one(out, "leakwatch_outbox_oldest_seconds", oldest, "Age of the oldest of them.");
	one(out, "leakwatch_outbox_attempts_total", (double)s.attempts, "Requests to receivers.");
	expose_family(out, "leakwatch_outbox_outcomes_total", EXPOSE_COUNTER,
		"Deliveries and attempts by how they ended.");
	for (int o = 0; o < OUTBOX_OUTCOMES; o++) {
		struct label l = {
			STR("outcome"), str_of(outbox_outcome_name((enum outbox_outcome)o))};

		expose_sample(out, "leakwatch_outbox_outcomes_total", &l, 1, (double)s.outcomes[o]);
	}
}

static void put_alerts(struct app *a, struct buf *out)
{
	static const enum alert_state states[] = {ALERT_PENDING, ALERT_FIRING};

	expose_family(out, "leakwatch_alerts", EXPOSE_GAUGE, "Alerts by state.");
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct label l = {STR("state"), str_of(alert_state_name(states[i]))};

		expose_sample(
			out, "leakwatch_alerts", &l, 1, (double)alert_count(a->alerts, states[i]));
	}
}

static const char *const look_ends[PIPELINE_LOOK_ENDS] = {
	[PIPELINE_LOOK_DUMP] = "dump",
	[PIPELINE_LOOK_BUDGET] = "budget",
	[PIPELINE_LOOK_ABSENT] = "absent",
	[PIPELINE_LOOK_FAILED] = "failed",
	[PIPELINE_LOOK_OTHER] = "other_process",
};

static void put_work(struct app *a, struct buf *out)
{
	struct pipeline_stats p;
	struct scrape_stats s;
	struct discover_stats d;

	pipeline_stats(a->pipeline, &p);
	scrape_stats(a->scrape, &s);
	one(out, "leakwatch_targets", (double)p.targets, "Targets watched.");
	one(out, "leakwatch_targets_up", (double)p.up, "Targets whose goroutines are read.");
	one(out, "leakwatch_targets_over_budget", (double)p.over_budget,
		"Targets whose dumps cost more than scrape_budget, and are asked for less often.");
	one(out, "leakwatch_targets_left_out", (double)a->left_out,
		"Targets not watched because of limits.targets.");
	discover_stats(a->discover, &d);
	one(out, "leakwatch_discovery_sources", (double)d.sources,
		"Files and servers that list targets, as configured.");
	one(out, "leakwatch_discovery_failing", (double)d.failing,
		"Those whose last reading failed; their targets stay.");
	one(out, "leakwatch_series", (double)p.series, "Series judged.");
	one(out, "leakwatch_findings", (double)p.findings, "Findings that stand.");
	one(out, "leakwatch_scrapes_total", (double)s.cycles, "Scrapes ended.");
	one(out, "leakwatch_scrapes_skipped_total", (double)s.skipped,
		"Scrapes left out because the one before was running.");
	expose_family(out, "leakwatch_looks_total", EXPOSE_COUNTER,
		"Looks at single goroutines of suspected classes, by how they ended.");
	for (int i = 0; i < PIPELINE_LOOK_ENDS; i++) {
		struct label l = {STR("end"), str_of(look_ends[i])};

		expose_sample(out, "leakwatch_looks_total", &l, 1, (double)p.looks.ended[i]);
	}
	one(out, "leakwatch_collector_profiles_total", (double)p.looks.proofs,
		"Profiles of goroutines that the garbage collector proved lost.");
	one(out, "leakwatch_looks_predicted_pause_seconds_total", p.looks.predicted_s,
		"For how long dumps of single goroutines were to stop targets, as predicted.");
	one(out, "leakwatch_looks_pause_seconds_total", p.looks.paused_s,
		"For how long they did, at most.");
	one(out, "leakwatch_scrapes_active", (double)s.active, "Scrapes under way.");
}

/* ---- targets: at most 25 series each ---- */

struct own_labels {
	struct label v[4];
	size_t n;
};

static struct own_labels labels_of(const struct pipeline_view *v)
{
	return (struct own_labels){
		.v = {{STR("job"), str_of(v->job)}, {STR("instance"), str_of(v->instance)}},
		.n = 2,
	};
}

/* The samples of one family; v is of one target. */
typedef void family_samples(struct buf *out, const char *name, const struct pipeline_view *v);

static void endpoints(struct buf *out, const char *name, const struct pipeline_view *v,
	double (*value)(const struct pipeline_endpoint *))
{
	const struct pipeline_endpoint *both[] = {&v->goroutines_endpoint, &v->metrics_endpoint};
	struct own_labels l = labels_of(v);

	for (int i = 0; i < 2; i++) {
		l.v[2] = (struct label){STR("endpoint"), i ? STR("metrics") : STR("goroutine")};
		if (both[i]->asked)
			expose_sample(out, name, l.v, 3, value(both[i]));
	}
}

static double up_of(const struct pipeline_endpoint *e)
{
	return e->up ? 1 : 0;
}

static double seconds_of(const struct pipeline_endpoint *e)
{
	return e->took_ms / 1000;
}

static double bytes_of(const struct pipeline_endpoint *e)
{
	return (double)e->bytes;
}

static void put_up(struct buf *out, const char *name, const struct pipeline_view *v)
{
	endpoints(out, name, v, up_of);
}

static void put_seconds(struct buf *out, const char *name, const struct pipeline_view *v)
{
	endpoints(out, name, v, seconds_of);
}

static void put_bytes(struct buf *out, const char *name, const struct pipeline_view *v)
{
	endpoints(out, name, v, bytes_of);
}

#define NUMBER(fn, expression)                                                                     \
	static void fn(struct buf *out, const char *name, const struct pipeline_view *v)           \
	{                                                                                          \
		struct own_labels l = labels_of(v);                                                \
                                                                                                   \
		expose_sample(out, name, l.v, l.n, (double)(expression));                          \
	}
NUMBER(put_goroutines, v->goroutines)
NUMBER(put_classes, v->classes)
NUMBER(put_lost, v->lost)
NUMBER(put_unreadable, v->unreadable)
NUMBER(put_restarts, v->restarts)
NUMBER(put_skipped, v->skipped)
NUMBER(put_verdict, v->verdict)

static void put_class_count(struct buf *out, const char *name, const struct pipeline_view *v)
{
	struct own_labels l = labels_of(v);

	for (size_t i = 0; i < v->ntop; i++) {
		l.v[2] = (struct label){STR("class"), v->top[i].name};
		expose_sample(out, name, l.v, 3, v->top[i].count);
	}
}

static void put_class_verdict(struct buf *out, const char *name, const struct pipeline_view *v)
{
	struct own_labels l = labels_of(v);

	for (size_t i = 0; i < v->ntop; i++) {
		l.v[2] = (struct label){STR("class"), v->top[i].name};
		expose_sample(out, name, l.v, 3, v->top[i].verdict);
	}
}

static void put_class_rate(struct buf *out, const char *name, const struct pipeline_view *v)
{
	struct own_labels l = labels_of(v);

	for (size_t i = 0; i < v->ntop; i++) {
		l.v[2] = (struct label){STR("class"), v->top[i].name};
		if (!isnan(v->top[i].rate_per_hour))
			expose_sample(out, name, l.v, 3, v->top[i].rate_per_hour);
	}
}

/* 6 of endpoints, 7 of the target, 3 for each of 4 classes: 25. */
static const struct {
	const char *name;
	enum expose_type type;
	family_samples *put;
	const char *help;
} families[] = {
	{"leakwatch_target_up", EXPOSE_GAUGE, put_up, "1 when the last scrape was whole."},
	{"leakwatch_target_scrape_duration_seconds", EXPOSE_GAUGE, put_seconds,
		"What the last scrape took."},
	{"leakwatch_target_scrape_bytes", EXPOSE_GAUGE, put_bytes, "Size of the last answer."},
	{"leakwatch_target_goroutines", EXPOSE_GAUGE, put_goroutines,
		"Goroutines in the last whole dump."},
	{"leakwatch_target_classes", EXPOSE_GAUGE, put_classes, "Classes of goroutines known."},
	{"leakwatch_target_goroutines_lost", EXPOSE_GAUGE, put_lost,
		"Goroutines of the last dump that could not be read."},
	{"leakwatch_target_unreadable_total", EXPOSE_COUNTER, put_unreadable,
		"Dumps that could not be used."},
	{"leakwatch_target_restarts_total", EXPOSE_COUNTER, put_restarts,
		"Restarts of the process since the daemon's start."},
	{"leakwatch_target_scrapes_skipped_total", EXPOSE_COUNTER, put_skipped,
		"Scrapes left out because the one before was running."},
	{"leakwatch_target_verdict", EXPOSE_GAUGE, put_verdict,
		"The worst verdict: 0 ok, 1 watching, 2 suspect, 3 leaking, 4 held."},
	{"leakwatch_class_goroutines", EXPOSE_GAUGE, put_class_count,
		"Goroutines of a class; the classes most to worry about."},
	{"leakwatch_class_verdict", EXPOSE_GAUGE, put_class_verdict,
		"0 ok, 1 watching, 2 suspect, 3 leaking, 4 held."},
	{"leakwatch_class_growth_per_hour", EXPOSE_GAUGE, put_class_rate,
		"How fast it grows; no sample when it does not."},
};

static void put_targets(const struct app *a, struct buf *out)
{
	struct pipeline_view v;

	for (size_t f = 0; f < ARRAY_LEN(families); f++) {
		expose_family(out, families[f].name, families[f].type, families[f].help);
		for (size_t i = 0; i < pipeline_targets(a->pipeline); i++) {
			pipeline_view(a->pipeline, i, &v);
			if (v.seen)
				families[f].put(out, families[f].name, &v);
		}
	}
}

/* ---- requests ---- */

static void answer_metrics(struct app *a, struct status_answer *out)
{
	struct status_stats web;

	out->type = "text/plain; version=0.0.4; charset=utf-8";
	put_process(a, &out->body);
	put_work(a, &out->body);
	put_alerts(a, &out->body);
	put_outbox(a, &out->body);
	put_writer(a, &out->body);
	status_stats(a->status, &web);
	one(&out->body, "leakwatch_web_pages_waiting",
		a->pages ? (double)worker_depth(a->pages) : NAN, "Pages that wait or are made.");
	one(&out->body, "leakwatch_web_connections", (double)web.connections,
		"Connections to this server.");
	one(&out->body, "leakwatch_web_requests_total", (double)web.requests, "Requests answered.");
	one(&out->body, "leakwatch_web_refused_total", (double)web.refused,
		"Requests and connections refused.");
	put_targets(a, &out->body);
}

static void answer_health(struct status_answer *out, bool ok, const char *why)
{
	out->status = ok ? 200 : 503;
	buf_adds(&out->body, ok ? "ok\n" : why);
}

static void answer_cb(void *arg, const struct status_request *req, struct status_answer *out)
{
	struct app *a = arg;

	if (str_is(req->path, "/metrics")) {
		answer_metrics(a, out);
	} else if (str_is(req->path, "/-/healthy")) {
		answer_health(out, app_writer_alive(a), "the writer of the store hangs\n");
	} else if (str_is(req->path, "/-/ready")) {
		answer_health(out, !a->stopping, "stopping\n");
	} else if (!app_page(a, req, out)) {
		out->status = 404;
		buf_adds(&out->body, "there are /, /targets/ID, /series/ID, /alerts/ID, /metrics, "
				     "/-/healthy and /-/ready\n");
	}
}

/* ---- life ---- */

static void listen_now(struct app *a)
{
	struct err err = ERR_INIT;

	a->listen_mono_ms = clock_mono_ms();
	a->status = status_new(a->base, a->config->listen_address.p, answer_cb, a, &err);
	if (a->status) {
		status_allow(a->status, a->config->external_url);
		log_msg(LEVEL_NOTICE, "web: pages, metrics and health on %s",
			status_address(a->status));
		return;
	}
	log_limited(LEVEL_ERROR, "web",
		"web.listen_address: %s; tried again every minute, watching goes on without",
		err.msg);
}

static void stop_listening(struct app *a)
{
	status_free(a->status);
	a->status = NULL;
	free(a->listening);
	a->listening = NULL;
}

void app_status_listen(struct app *a)
{
	const char *want = a->config->listen_address.p;

	if (a->status)
		status_allow(a->status, a->config->external_url);
	if (a->listening && strcmp(a->listening, want) == 0)
		return;
	stop_listening(a);
	a->listening = xstrdup(want);
	if (*want)
		listen_now(a);
}

void app_status_start(struct app *a)
{
	struct timeval every = {.tv_usec = LAG_EVERY_MS * 1000};
	struct err err = ERR_INIT;

	a->started_ms = clock_wall_ms();
	a->ev_lag = evtimer_new(a->base, lag_cb, a);
	if (!a->ev_lag)
		abort(); /* only for want of memory */
	a->lag_due_ms = clock_mono_ms() + LAG_EVERY_MS;
	event_add(a->ev_lag, &every);
	if (app_page_start(a, &err))
		log_msg(LEVEL_ERROR, "web: no pages: %s", err.msg);
	app_status_listen(a);
}

void app_status_tick(struct app *a)
{
	if (!a->status && a->config->listen_address.len &&
		clock_mono_ms() - a->listen_mono_ms >= LISTEN_AGAIN_S * 1000)
		listen_now(a);
}

void app_status_stop(struct app *a)
{
	app_page_stop(a);
	stop_listening(a);
	if (a->ev_lag)
		event_free(a->ev_lag);
	a->ev_lag = NULL;
}
