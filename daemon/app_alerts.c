#include "app_internal.h"
#include "clock.h"
#include "log.h"
#include "notify.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REFRESH_MS (5 * 60 * 1000) /* annotations of standing alerts are stored that often */

/* ---- rows ---- */

static void put_alert_row(struct app *a, struct store_batch *b, const struct alert *al)
{
	struct buf labels = BUF_INIT, annotations = BUF_INIT;
	struct store_alert row = {
		.id = str_of(al->id),
		.key = str_of(al->key),
		.target_id = a->pipeline ? pipeline_target_of(a->pipeline, al) : 0,
		.name = str_of(alert_kind_name(al->kind)),
		.state = str_of(alert_state_name(al->state)),
		.holds = al->holds,
		.end = al->holds ? (struct str){0} : str_of(alert_end_name(al->end)),
		.change = al->change,
		.raised_ms = al->raised_ms,
		.fired_ms = al->fired_ms,
		.cleared_ms = al->cleared_ms,
		.resolved_ms = al->resolved_ms,
		.changed_ms = al->changed_ms,
		.reason = str_of(al->reason),
	};

	alert_labels_json(&al->labels, &labels);
	alert_labels_json(&al->annotations, &annotations);
	row.labels = buf_str(&labels);
	row.annotations = buf_str(&annotations);
	store_put_alert(b, &row);
	buf_release(&labels);
	buf_release(&annotations);
}

static void add_event(struct app *a, const struct alert *al, enum alert_state old, const char *why)
{
	struct store_alert_event row = {
		.id = ++a->ids.event_id,
		.alert_id = str_of(al->id),
		.at_ms = al->changed_ms,
		.change = al->change,
		.from_state = str_of(alert_state_name(old)),
		.to_state = str_of(alert_state_name(al->state)),
		.why = str_of(why),
	};

	store_add_alert_event(a->unit->batch, &row);
}

/* ---- changes ---- */

static void log_alert(const struct alert *al, const char *why)
{
	struct str summary = alert_labels_get(&al->annotations, "summary");
	struct str since = alert_labels_get(&al->annotations, "since");

	if (al->state == ALERT_FIRING)
		log_msg(LEVEL_NOTICE, "alert firing: %s: %.*s%s%.*s [%s]",
			alert_kind_name(al->kind), STR_ARG(summary), since.len ? "; since " : "",
			STR_ARG(since), al->id);
	else if (al->state == ALERT_RESOLVED)
		log_msg(LEVEL_NOTICE, "alert resolved: %s %.*s/%.*s %.*s: %s [%s]",
			alert_kind_name(al->kind), STR_ARG(alert_labels_get(&al->labels, "job")),
			STR_ARG(alert_labels_get(&al->labels, "instance")),
			STR_ARG(alert_labels_get(&al->labels, "class")), why, al->id);
	else
		log_msg(LEVEL_INFO, "alert %s: %s: %.*s", alert_state_name(al->state),
			alert_kind_name(al->kind), STR_ARG(summary));
}

void app_alert_changed(void *arg, const struct alert *al, enum alert_state old, const char *why)
{
	struct app *a = arg;
	bool own = !a->unit;

	if (own)
		unit_begin(a);
	put_alert_row(a, a->unit->batch, al);
	add_event(a, al, old, why);
	if (al->state == ALERT_FIRING || (al->state == ALERT_RESOLVED && old == ALERT_FIRING))
		app_owe(a, al);
	if (al->state == ALERT_FIRING || al->state == ALERT_RESOLVED)
		sink_alertmanager_changed(a->alertmanager, al);
	if (al->state == ALERT_RESOLVED || al->state == ALERT_INACTIVE)
		app_forget_ack(a, al);
	log_alert(al, why);
	if (own)
		unit_commit(a);
}

/* The condition ended while the alert stands: no change is told, its row is another one. */
void app_alert_cleared(void *arg, const struct alert *al)
{
	struct app *a = arg;
	bool own = !a->unit;

	if (own)
		unit_begin(a);
	put_alert_row(a, a->unit->batch, al);
	if (own)
		unit_commit(a);
}

void app_refresh_alerts(struct app *a)
{
	uint64_t now_ms = clock_mono_ms();
	const struct alert *al;
	void *at = NULL;

	if (now_ms - a->refreshed_ms < REFRESH_MS || a->unit)
		return;
	a->refreshed_ms = now_ms;
	unit_begin(a);
	while ((al = alert_next(a->alerts, &at)))
		put_alert_row(a, a->unit->batch, al);
	unit_commit(a);
}

/* ---- start ---- */

static int read_alert(const struct store_alert *r, struct alert *al, struct err *err)
{
	snprintf(al->id, sizeof(al->id), "%.*s", STR_ARG(r->id));
	al->key = str_dup(r->key);
	al->holds = r->holds;
	al->end = r->holds ? ALERT_END_CLEARED : alert_end_of_name(r->end);
	al->change = (unsigned)r->change;
	al->raised_ms = r->raised_ms;
	al->fired_ms = r->fired_ms;
	al->cleared_ms = r->cleared_ms;
	al->resolved_ms = r->resolved_ms;
	al->changed_ms = r->changed_ms;
	snprintf(al->reason, sizeof(al->reason), "%.*s", STR_ARG(r->reason));
	if (alert_labels_read(&al->labels, r->labels, false, err))
		return -1;
	return alert_labels_read(&al->annotations, r->annotations, true, err);
}

static void take_over(struct app *a, const struct alert *al)
{
	app_restore_group(a, al);
	if (al->state == ALERT_FIRING ||
		al->resolved_ms >= clock_wall_ms() - SINK_ALERTMANAGER_RESOLVED_MS)
		sink_alertmanager_changed(a->alertmanager, al);
}

/* Pending and firing ones go on; of those that ended lately Alertmanagers are still told. */
static void stored_alert_cb(void *arg, const struct store_alert *r)
{
	struct app *a = arg;
	struct alert al = {
		.kind = alert_kind_of_name(r->name), .state = alert_state_of_name(r->state)};
	struct err err;
	int rc = 0;

	if (al.state == ALERT_INACTIVE || al.state >= ALERT_STATES)
		return;
	rc = read_alert(r, &al, &err);
	if (rc == 0 && al.state != ALERT_RESOLVED)
		rc = alert_load(a->alerts, &al, &err);
	if (rc)
		log_msg(LEVEL_ERROR, "stored alert %s is not taken over: %s", al.id, err.msg);
	else if (al.state != ALERT_PENDING && al.fired_ms)
		take_over(a, &al);
	alert_release(&al);
}

int app_load_alerts(struct app *a, struct err *err)
{
	int64_t since_ms = clock_wall_ms() - MAX((int64_t)a->config->give_up_after_ms,
						     (int64_t)SINK_ALERTMANAGER_RESOLVED_MS);
	int rc;

	if (app_load_told(a, err))
		return -1;
	rc = store_load_alerts(a->store, since_ms, stored_alert_cb, a, err);
	map_free(a->told, free);
	a->told = NULL;
	return rc;
}

void app_set_alert_rules(struct app *a)
{
	for (int k = 0; k < ALERT_KINDS; k++) {
		struct alert_rule rule;
		struct str runbook; /* the pipeline's */

		config_alert_rule(a->config, (enum alert_kind)k, &rule, &runbook);
		alert_table_rule(a->alerts, (enum alert_kind)k, &rule);
	}
}
