/*
 * app_internal: what the files of the daemon share.  Level 4; not for others.
 *
 * app.c: life, signals, timers.  app_resolve.c: which targets are asked for.  app_targets.c: those
 * are watched.  app_reload.c: SIGHUP.  app_alerts.c: alert changes as rows.  app_notify.c: their
 * messages.  app_receivers.c: sinks, and how deliveries ended.  app_commit.c: one unit of work on
 * its way to disk and outbox.  app_status.c: our own metrics.  app_page*.c: pages for
 * a browser.
 */
#ifndef LEAKWATCH_APP_INTERNAL_H
#define LEAKWATCH_APP_INTERNAL_H

#include "alert.h"
#include "app.h"
#include "app_commit.h"
#include "control.h"
#include "group.h"
#include "map.h"
#include "outbox.h"
#include "pipeline.h"
#include "scrape.h"
#include "sink_alertmanager.h"
#include "sink_heartbeat.h"
#include "sink_syslog.h"
#include "silence.h"
#include "store.h"
#include "store_load.h"
#include "writer.h"

#include <event2/event.h>

struct status;
struct discover;
struct credentials;
struct status_answer;
struct status_request;
struct worker;

struct app {
	const struct config *config;
	const char *config_path;
	struct event_base *base;
	struct event *ev_term, *ev_int, *ev_hup, *ev_second, *ev_alert;
	struct fetch *fetch;
	struct scrape *scrape;
	struct store *store; /* until the writer has it */
	struct writer *writer;
	struct outbox *outbox;
	struct sink_syslog *syslog;
	struct sink_alertmanager *alertmanager;
	struct sink_heartbeat *heartbeat;
	struct group_set *groups;
	struct control *control;
	struct silence_set *silences;
	struct map *acks; /* ids of alerts that somebody took */
	char **group_by; /* NULL at the end */
	struct map *told; /* while starting: what receivers were told of alerts */
	struct alert_table *alerts;
	struct pipeline *pipeline;
	struct store_maxima ids;
	struct unit *unit; /* being filled; NULL between units */
	struct unit *waiting; /* on their way to the disk */
	struct unit *early; /* complete before there was a writer */
	bool disk_ok, disk_known, stopping; /* disk_known: since the start it was heard of */
	uint64_t stopping_at_ms;
	char disk_why[ERR_MAX];
	uint64_t watchdog_ms;
	uint64_t refreshed_ms; /* rows of standing alerts */
	struct discover *discover;
	struct map *watched; /* "job\0instance" -> struct watched */
	struct credentials *secrets; /* of each job of config */
	struct store *reading; /* while targets that came back are added */
	size_t ntargets;
	size_t left_out; /* targets over limits.targets */
	int exit_code;

	struct status *status; /* NULL: not listening */
	struct worker *pages, *looks; /* threads: make pages; read /proc and cgroups */
	char *listening; /* the address that is, or is to be, listened on */
	struct event *ev_lag;
	int64_t started_ms;
	uint64_t lag_due_ms, lag_ms; /* of the timer that measures; the most since last asked */
	uint64_t listen_mono_ms; /* last tried */
	uint64_t writer_done, writer_done_ms; /* what the writer had done, and when that changed */
	uint64_t reloads, reloads_refused;
	bool reload_failed; /* the last one */
};

/* app_alerts.c */
void app_alert_changed(void *arg, const struct alert *al, enum alert_state old, const char *why);
void app_alert_cleared(void *arg, const struct alert *al);
int app_load_alerts(struct app *a, struct err *err);
void app_refresh_alerts(struct app *a);
void app_set_alert_rules(struct app *a);

/* app_notify.c */
void app_owe(struct app *a, const struct alert *al);
void app_send_group(void *arg, const struct group_message *m);
int app_load_told(struct app *a, struct err *err);
void app_restore_group(struct app *a, const struct alert *al);

/* app_control.c */
bool app_is_silenced(void *arg, const struct alert *al);
bool app_is_withheld(struct app *a, const struct alert *al);
bool app_is_acked(void *arg, const struct alert *al);
void app_forget_ack(struct app *a, const struct alert *al);
void app_answer(struct control_request *r, const char *id, bool stored);
int app_load_said(struct app *a, struct err *err);
void app_open_control(struct app *a);

/* app.c */
void app_arm_alerts(struct app *a);

/* app_receivers.c */
int app_load_owed(struct app *a, struct err *err);
int app_set_receivers(struct app *a, struct err *err);
void app_outbox_result(void *arg, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why);

/* app_status.c */
void app_status_start(struct app *a);
void app_status_tick(struct app *a); /* each second */
void app_status_stop(struct app *a);
/* The writer has nothing to do, or does it. */
bool app_writer_alive(struct app *a);

/* app_page.c */
int app_page_start(struct app *a, struct err *err);
void app_page_stop(struct app *a);
/* False when there is no page of that path; else the answer is filled, or comes later. */
bool app_page(struct app *a, const struct status_request *req, struct status_answer *out);

/* Listens where the configuration says, after a reload too. */
void app_status_listen(struct app *a);

/* app_targets.c; more in app_targets.h */
int app_add_targets(struct app *a, struct err *err);
void app_discovered(void *arg);
void app_free_targets(struct app *a);

/* app_reload.c */
void app_reload(struct app *a);
void app_unused_config(void *arg, const struct config *c);

/* app.c */
void app_tell_systemd(struct app *a);

#endif
