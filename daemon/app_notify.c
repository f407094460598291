/* Alerts that changed, as messages that are owed. */
#include "app_internal.h"
#include "clock.h"
#include "log.h"
#include "map.h"
#include "notify.h"
#include "notify_bodies.h"
#include "notify_syslog.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one delivery ---- */

/* A message for one sink.  Its alerts are those that it names. */
struct message {
	const struct config_receiver *receiver;
	const char *kind; /* of the sink: "webhook" */
	size_t index; /* among the receiver's sinks of that kind */
	const char *subject; /* an alert's id, or a group's: what a later message overtakes */
	unsigned change;
	bool opening;
	const struct alert *const *alerts;
	size_t n;
	struct buf news; /* what makes it another message than those before: for its id */
	int64_t now_ms;
};

/* The id of a message is a hash of what it tells, so that it is the same when, after a crash, the
 * same is decided again. */
static void owe(struct app *a, const struct message *m, struct str body)
{
	char *name = xasprintf("%.*s/%s/%zu", STR_ARG(m->receiver->name), m->kind, m->index);
	char webhook_id[NOTIFY_ID_MAX];
	struct outbox_delivery d = {
		.id = ++a->ids.delivery_id,
		.receiver = name,
		.webhook_id = webhook_id,
		.alert_id = m->subject,
		.change = m->change ? m->change : (unsigned)a->ids.delivery_id,
		.opening = m->opening,
		.resolved = true,
		.created_ms = m->now_ms,
		.body = body,
	};
	struct store_delivery row = {.id = d.id, .state = STR("owed"), .body = body};

	notify_webhook_id(m->news.p, (unsigned)m->n, str_of(name), webhook_id);
	for (size_t i = 0; i < m->n; i++) {
		bool over = m->alerts[i]->state == ALERT_RESOLVED;
		struct store_told told = {
			.outbox_id = d.id,
			.alert_id = str_of(m->alerts[i]->id),
			.receiver = m->receiver->name,
			.state = str_of(alert_state_name(m->alerts[i]->state)),
			.at_ms = m->now_ms,
		};

		d.resolved = d.resolved && over;
		d.ends = d.ends || over;
		store_add_told(a->unit->batch, &told);
	}
	row.alert_id = str_of(m->subject);
	row.change = d.change;
	row.resolved = d.resolved;
	row.receiver = str_of(name);
	row.webhook_id = str_of(webhook_id);
	row.created_ms = d.created_ms;
	store_put_delivery(a->unit->batch, &row);
	unit_owe(a->unit, &d);
	free(name);
}

/* ---- a group's message ---- */

static const struct config_receiver *receiver_named(const struct app *a, const char *name)
{
	for (size_t i = 0; i < a->config->nreceivers; i++) {
		if (str_is(a->config->receivers[i].name, name))
			return &a->config->receivers[i];
	}
	return NULL;
}

/* The message less what ended, for sinks that do not want to hear of it; n may become 0. */
static size_t drop_ended(const struct group_message *m, const struct alert **out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		if (m->alerts[i]->state == ALERT_FIRING)
			out[n++] = m->alerts[i];
	}
	return n;
}

/* Is there news of something that fires, or a repetition?  Else nobody who does not want to hear of
 * ends needs the message. */
static bool has_firing_news(const struct group_message *m)
{
	for (size_t i = 0; i < m->nchanged; i++) {
		if (m->alerts[i]->state == ALERT_FIRING)
			return true;
	}
	return m->nchanged == 0;
}

/* The changes that are told, and the message before: a repetition differs by that alone. */
static void add_news(struct buf *out, const struct group_message *m)
{
	size_t n = m->nchanged ? m->nchanged : m->n;

	buf_addf(out, "%s %" PRId64, m->key, m->last_ms);
	for (size_t i = 0; i < n; i++)
		buf_addf(out, " %s %u", m->alerts[i]->id, m->alerts[i]->change);
}

struct grouping {
	struct app *app;
	const struct group_message *m;
	struct message to;
	struct notify_group group;
	const struct alert *firing[GROUP_ALERTS_MAX];
	size_t nfiring;
};

/* Which alerts this sink is to hear of; false: none. */
static bool choose(struct grouping *g, const char *kind, size_t index, bool send_resolved)
{
	g->to.kind = kind;
	g->to.index = index;
	g->to.alerts = send_resolved ? g->m->alerts : g->firing;
	g->to.n = send_resolved ? g->m->n : g->nfiring;
	g->group.alerts = g->to.alerts;
	g->group.n = g->to.n;
	return g->to.n && (send_resolved || has_firing_news(g->m));
}

static void owe_group(struct grouping *g)
{
	const struct config_receiver *r = g->to.receiver;
	struct buf body = BUF_INIT;

	for (size_t i = 0; i < r->nwebhooks; i++) {
		if (!choose(g, "webhook", i, r->webhooks[i].send_resolved))
			continue;
		buf_reset(&body);
		notify_webhook(&g->group, &body);
		owe(g->app, &g->to, buf_str(&body));
	}
	for (size_t i = 0; i < r->nslacks; i++) {
		if (!choose(g, "slack", i, r->slacks[i].send_resolved))
			continue;
		buf_reset(&body);
		notify_slack(&g->group, r->slacks[i].channel, r->slacks[i].username, &body);
		owe(g->app, &g->to, buf_str(&body));
	}
	for (size_t i = 0; i < r->npagerduties; i++) {
		if (!choose(g, "pagerduty", i, r->pagerduties[i].send_resolved))
			continue;
		buf_reset(&body);
		notify_pagerduty(&g->group, &body);
		owe(g->app, &g->to, buf_str(&body));
	}
	buf_release(&body);
}

void app_send_group(void *arg, const struct group_message *m)
{
	struct app *a = arg;
	struct grouping g = {.app = a, .m = m};
	bool own = !a->unit;
	char subject[32];

	g.to.receiver = receiver_named(a, m->receiver);
	if (!g.to.receiver)
		return;
	if (own)
		unit_begin(a);
	snprintf(subject, sizeof(subject), "group-%016" PRIx64,
		hash64(m->key, strlen(m->key), hash64(m->receiver, strlen(m->receiver), 0)));
	buf_init(&g.to.news);
	add_news(&g.to.news, m);
	g.to.subject = subject;
	g.to.opening = m->opening;
	g.to.now_ms = m->now_ms;
	g.group = (struct notify_group){
		.receiver = g.to.receiver->name,
		.group_by = (const char *const *)a->group_by,
		.ngroup_by = a->config->group_by.n,
		.external_url = a->config->external_url,
		.truncated = m->truncated,
		.truncated_firing = m->truncated_firing,
	};
	g.nfiring = drop_ended(m, g.firing);
	owe_group(&g);
	buf_release(&g.to.news);
	if (own)
		unit_commit(a);
}

/* ---- a change ---- */

/* The system's log hears of each alert by itself, at once. */
static void owe_syslog(struct app *a, const struct config_receiver *r, const struct alert *al)
{
	bool over = al->state == ALERT_RESOLVED;
	struct message m = {.receiver = r,
		.kind = "syslog",
		.subject = al->id,
		.change = al->change,
		.opening = !over,
		.alerts = &al,
		.n = 1,
		.news = BUF_INIT,
		.now_ms = al->changed_ms};
	struct buf body = BUF_INIT;

	buf_addf(&m.news, "%s %u", al->id, al->change);
	for (m.index = 0; m.index < r->nsyslogs; m.index++) {
		struct str facility = str_of(config_facilities[r->syslogs[m.index].facility]);

		if (over && !r->syslogs[m.index].send_resolved)
			continue;
		buf_reset(&body);
		notify_syslog(al, a->config->external_url, notify_syslog_facility(facility), &body);
		owe(a, &m, buf_str(&body));
	}
	buf_release(&body);
	buf_release(&m.news);
}

static bool is_grouped(const struct config_receiver *r)
{
	return r->nwebhooks || r->nslacks || r->npagerduties;
}

void app_owe(struct app *a, const struct alert *al)
{
	const struct config_receiver *r = config_receiver_of(a->config, al->labels.v, al->labels.n);

	if (!r)
		return;
	if (!app_is_silenced(a, al))
		owe_syslog(a, r, al);
	if (!is_grouped(r))
		return;
	group_change(a->groups, r->name.p, al);
	group_tick(a->groups, clock_wall_ms(), clock_mono_ms());
}

/* ---- start ---- */

/* What a receiver was told, by alert and receiver. */
static char *told_key(struct str alert_id, struct str receiver)
{
	return xasprintf("%.*s %.*s", STR_ARG(alert_id), STR_ARG(receiver));
}

static void told_cb(void *arg, const struct store_told *r)
{
	struct app *a = arg;
	char *key = told_key(r->alert_id, r->receiver);
	int64_t *at_ms = xmalloc(sizeof(*at_ms));

	*at_ms = str_is(r->state, "firing") ? r->at_ms : 0;
	free(map_put(a->told, str_of(key), at_ms));
	free(key);
}

int app_load_told(struct app *a, struct err *err)
{
	a->told = map_new();
	return store_load_told(
		a->store, clock_wall_ms() - (int64_t)a->config->give_up_after_ms, told_cb, a, err);
}

void app_restore_group(struct app *a, const struct alert *al)
{
	const struct config_receiver *r = config_receiver_of(a->config, al->labels.v, al->labels.n);
	int64_t *at_ms;
	char *key;

	if (!r || !is_grouped(r))
		return;
	key = told_key(str_of(al->id), r->name);
	at_ms = map_get(a->told, str_of(key));
	free(key);
	group_restore(a->groups, r->name.p, al, at_ms ? *at_ms : 0);
}
