#include "app_host.h"
#include "app_storage.h"
#include "clock.h"
#include "cmd.h"
#include "log.h"
#include "sdnotify.h"
#include "xalloc.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WRITER_STOP_MS 5000
#define SAME_WISH_MS   1000 /* a second signal that soon is the first one again */

/* ---- units of the pipeline ---- */

static struct store_batch *begin_cb(void *arg)
{
	return unit_begin(arg)->batch;
}

static bool commit_cb(void *arg, struct store_batch *b)
{
	struct app *a = arg;
	bool whole;

	(void)b; /* it is the unit's */
	whole = unit_commit(a);
	app_arm_alerts(a);
	return whole;
}

/* ---- timers ---- */

/* Alerts wait for times of their own: `for`, keep_firing_for; groups of them too: group_wait. */
void app_arm_alerts(struct app *a)
{
	int64_t next = MIN(alert_next_ms(a->alerts), group_next_ms(a->groups)), in;
	struct timeval tv;

	if (!a->ev_alert || next == INT64_MAX)
		return;
	in = MAX(next - clock_wall_ms(), (int64_t)1);
	tv = (struct timeval){.tv_sec = in / 1000, .tv_usec = in % 1000 * 1000};
	event_add(a->ev_alert, &tv);
}

static void tick_alerts(struct app *a)
{
	alert_tick(a->alerts, clock_wall_ms(), clock_mono_ms());
	group_tick(a->groups, clock_wall_ms(), clock_mono_ms());
	app_arm_alerts(a);
}

static void alert_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	tick_alerts(arg);
}

void app_tell_systemd(struct app *a)
{
	struct pipeline_stats s;
	struct outbox_stats o;

	pipeline_stats(a->pipeline, &s);
	outbox_stats(a->outbox, &o);
	sdnotify_status(NULL, "%zu of %zu targets up, %zu alerts firing, %zu deliveries owed%s",
		s.up, s.targets, alert_count(a->alerts, ALERT_FIRING), o.owed,
		a->disk_ok ? "" : ", the disk does not take writes");
	/* Fed by the loop, and only while the writer gets on with its work. */
	if (a->watchdog_ms && app_writer_alive(a))
		sdnotify_watchdog(NULL);
}

static void second_cb(evutil_socket_t fd, short what, void *arg)
{
	struct app *a = arg;

	(void)fd;
	(void)what;
	app_tell_systemd(a);
	tick_alerts(a); /* also when nothing is due: the clock may have been set */
	app_disk_settle(a);
	pipeline_sweep(a->pipeline, clock_wall_ms());
	app_refresh_alerts(a);
	app_status_tick(a);
}

/* ---- stopping ---- */

static void stopped_cb(void *arg, size_t owed)
{
	struct app *a = arg;

	if (owed)
		log_msg(LEVEL_WARNING,
			"%zu deliveries are still owed; they are sent at the next start", owed);
	event_base_loopexit(a->base, NULL);
}

static void stop_cb(evutil_socket_t sig, short what, void *arg)
{
	struct app *a = arg;

	(void)what;
	if (a->stopping && clock_mono_ms() - a->stopping_at_ms < SAME_WISH_MS)
		return; /* Ctrl-C reaches the whole group, and a script passes it on */
	if (a->stopping) {
		log_msg(LEVEL_WARNING, "second signal: not waiting for deliveries");
		event_base_loopexit(a->base, NULL);
		return;
	}
	a->stopping = true;
	a->stopping_at_ms = clock_mono_ms();
	log_msg(LEVEL_NOTICE, "stopping on %s", sig == SIGINT ? "SIGINT" : "SIGTERM");
	sdnotify_stopping(NULL);
	scrape_stop(a->scrape);
	pipeline_save_all(a->pipeline, clock_wall_ms());
	outbox_stop(a->outbox, OUTBOX_STOP_MS, stopped_cb, a);
}

static void reload_cb(evutil_socket_t sig, short what, void *arg)
{
	struct app *a = arg;

	(void)sig;
	(void)what;
	if (!a->stopping)
		app_reload(a);
}

/* ---- starting ---- */

static int open_store(struct app *a, struct err *err)
{
	static const int codes[] = {
		[STORE_OPEN_HELD] = CMD_HELD,
		[STORE_OPEN_NEWER] = CMD_DATA,
		[STORE_OPEN_FAILED] = CMD_IO,
	};
	struct store_opened opened;
	enum store_open r =
		store_open(a->config->storage_path.p, clock_wall_ms(), &a->store, &opened, err);

	if (r != STORE_OPEN_OK) {
		a->exit_code = codes[r];
		return -1;
	}
	if (opened.set_aside[0])
		log_msg(LEVEL_ERROR,
			"the store was corrupt (%s); it is kept as %s, a new one begins",
			opened.corrupt_why, opened.set_aside);
	if (opened.copied[0])
		log_msg(LEVEL_NOTICE,
			"the store was of an older version and was brought to version %d; as it "
			"was it is kept as %s",
			STORE_VERSION, opened.copied);
	return 0;
}

static int start_writer(struct app *a, struct err *err)
{
	struct writer_config c = {
		.keep = {.raw_ms = (int64_t)a->config->retention_raw_ms,
			.m5_ms = (int64_t)a->config->retention_5m_ms,
			.h1_ms = (int64_t)a->config->retention_1h_ms,
			.fold = true},
		.max_size = (int64_t)a->config->max_size_bytes,
		.min_free = (int64_t)a->config->min_free_bytes,
		.on_state = app_disk_state,
		.arg = a,
	};
	struct store *s = a->store;

	a->store = NULL;
	a->disk_ok = true;
	a->writer = writer_new(a->base, s, &c, err);
	if (!a->writer)
		return -1;
	units_send_early(a);
	return 0;
}

static void make_groups(struct app *a)
{
	const struct config *c = a->config;
	struct group_options options = {
		.ngroup_by = c->group_by.n,
		.wait_ms = (int64_t)c->group_wait_ms,
		.interval_ms = (int64_t)c->group_interval_ms,
		.repeat_ms = (int64_t)c->repeat_interval_ms,
		.alerts = a->alerts,
		.send = app_send_group,
		.silenced = app_is_silenced,
		.acked = app_is_acked,
		.arg = a,
	};

	a->group_by = xcalloc(c->group_by.n + 1, sizeof(*a->group_by));
	for (size_t i = 0; i < c->group_by.n; i++)
		a->group_by[i] = xstrdup(c->group_by.v[i].p); /* a reload frees c */
	options.group_by = (const char *const *)a->group_by;
	a->groups = group_set_new(&options);
}

static int make_parts(struct app *a, struct err *err)
{
	struct pipeline_events events = {.begin = begin_cb,
		.commit = commit_cb,
		.cleared = app_alert_cleared,
		.look = app_look,
		.unused = app_unused_config,
		.arg = a};
	struct outbox_options options = {
		.give_up_ms = a->config->give_up_after_ms, .result = app_outbox_result, .arg = a};

	a->fetch = fetch_new(a->base, err);
	if (!a->fetch)
		return -1;
	a->outbox = outbox_new(a->base, a->fetch, &options);
	a->syslog = sink_syslog_new(NULL, NULL);
	a->alerts = alert_table_new(app_alert_changed, a);
	app_set_alert_rules(a);
	make_groups(a);
	a->pipeline = pipeline_new(a->config, a->alerts, &a->ids, &events, err);
	if (!a->pipeline)
		return -1;
	a->scrape = scrape_new(a->base, a->fetch, &pipeline_scrape_events, a);
	scrape_on_look(a->scrape, &pipeline_look_events);
	return app_set_receivers(a, err);
}

static void add_events(struct app *a)
{
	static const struct timeval second = {.tv_sec = 1};

	a->ev_term = evsignal_new(a->base, SIGTERM, stop_cb, a);
	a->ev_int = evsignal_new(a->base, SIGINT, stop_cb, a);
	a->ev_hup = evsignal_new(a->base, SIGHUP, reload_cb, a);
	a->ev_second = event_new(a->base, -1, EV_PERSIST, second_cb, a);
	a->ev_alert = evtimer_new(a->base, alert_cb, a);
	if (!a->ev_term || !a->ev_int || !a->ev_hup || !a->ev_second || !a->ev_alert)
		abort(); /* only for want of memory */
	event_add(a->ev_term, NULL);
	event_add(a->ev_int, NULL);
	event_add(a->ev_hup, NULL);
	event_add(a->ev_second, &second);
	a->refreshed_ms = clock_mono_ms();
	tick_alerts(a); /* what waits is measured from here on, not by the time of day */
}

static int start(struct app *a, struct err *err)
{
	a->exit_code = CMD_IO;
	if (open_store(a, err))
		return -1;
	if (store_load_maxima(a->store, &a->ids, err) || make_parts(a, err))
		return -1;
	if (app_load_said(a, err) || app_load_alerts(a, err) ||
		pipeline_load(a->pipeline, a->store, err))
		return -1;
	a->exit_code = CMD_CONFIG;
	if (app_add_targets(a, err))
		return -1;
	pipeline_added_all(a->pipeline, clock_wall_ms());
	a->exit_code = CMD_IO;
	if (app_load_owed(a, err) || start_writer(a, err))
		return -1;
	if (app_looks_start(a, err))
		return -1;
	app_check_aside(a);
	add_events(a);
	app_status_start(a);
	app_open_control(a);
	scrape_start(a->scrape);
	a->exit_code = CMD_OK;
	return 0;
}

static void release(struct app *a)
{
	app_looks_stop(a);
	app_status_stop(a);
	control_free(a->control);
	app_free_targets(a);
	scrape_free(a->scrape);
	if (a->writer && !writer_stop(a->writer, WRITER_STOP_MS))
		log_msg(LEVEL_ERROR, "the store did not take all rows before the end");
	writer_free(a->writer);
	units_free_early(a);
	outbox_free(a->outbox);
	sink_syslog_free(a->syslog);
	sink_alertmanager_free(a->alertmanager);
	sink_heartbeat_free(a->heartbeat);
	pipeline_free(a->pipeline);
	alert_table_free(a->alerts);
	group_set_free(a->groups);
	silence_set_free(a->silences);
	map_free(a->acks, NULL);
	for (size_t i = 0; a->group_by && a->group_by[i]; i++)
		free(a->group_by[i]);
	free(a->group_by);
	fetch_free(a->fetch);
	store_close(a->store);
	if (a->ev_term)
		event_free(a->ev_term);
	if (a->ev_int)
		event_free(a->ev_int);
	if (a->ev_hup)
		event_free(a->ev_hup);
	if (a->ev_second)
		event_free(a->ev_second);
	if (a->ev_alert)
		event_free(a->ev_alert);
	event_base_free(a->base);
}

int app_run(struct config *config, const char *path)
{
	struct app a = {.config = config, .config_path = path};
	struct err err = ERR_INIT;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN); /* until the loop takes it */
	a.base = event_base_new();
	if (!a.base) {
		log_msg(LEVEL_ERROR, "cannot make an event loop");
		return CMD_IO;
	}
	if (start(&a, &err)) {
		log_msg(LEVEL_ERROR, "cannot start: %s", err.msg);
	} else {
		a.watchdog_ms = sdnotify_watchdog_ms();
		sdnotify_ready(NULL);
		log_msg(LEVEL_NOTICE, "watching %zu targets, history in %s", a.ntargets,
			config->storage_path.p);
		if (config->nreceivers == 0)
			log_msg(LEVEL_NOTICE, "no alerting.receivers: alerts are only logged");
		event_base_dispatch(a.base);
	}
	release(&a);
	config_free((struct config *)a.config);
	return a.exit_code;
}
