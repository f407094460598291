#include "pipeline_evidence.h"
#include "advice.h"
#include "pipeline_fleet.h"
#include "pipeline_forever.h"
#include "pipeline_lineage.h"
#include "pipeline_stuck.h"
#include "log.h"
#include "notify.h"
#include "pipeline_limits.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LABELS_MAX 64

static void put(struct label *out, size_t *n, size_t max, const char *key, struct str value)
{
	if (*n < max && value.len)
		out[(*n)++] = (struct label){.key = str_of(key), .value = value};
}

static void put_all(struct label *out, size_t *n, size_t max, const struct config_labels *labels)
{
	for (size_t i = 0; i < labels->n && *n < max; i++)
		out[(*n)++] = labels->v[i];
}

/* Identity, in order of importance. */
size_t target_labels(const struct target *t, const char *class, struct label *out, size_t max)
{
	size_t n = 0;

	put(out, &n, max, "job", str_of(t->job_name));
	put(out, &n, max, "instance", str_of(t->instance));
	put(out, &n, max, "class", str_of(class));
	put(out, &n, max, "host", t->p->host);
	put_all(out, &n, max, &t->labels);
	put_all(out, &n, max, &t->p->config->external_labels);
	return n;
}

size_t pipeline_own_labels(const struct pipeline *p, struct label *out, size_t max)
{
	size_t n = 0;

	put(out, &n, max, "host", p->host);
	put_all(out, &n, max, &p->config->external_labels);
	return n;
}

bool pipeline_is_about(const struct alert *a, struct str job, struct str instance)
{
	struct str moved = alert_labels_get(&a->annotations, LINEAGE_ANNOTATION);

	return str_eq(moved.len ? moved : alert_labels_get(&a->labels, "instance"), instance) &&
	       str_eq(alert_labels_get(&a->labels, "job"), job);
}

bool pipeline_target_is(const struct target *t, const struct alert *a)
{
	return pipeline_is_about(a, str_of(t->job_name), str_of(t->instance));
}

int64_t pipeline_target_of(const struct pipeline *p, const struct alert *a)
{
	for (size_t i = 0; i < p->ntargets; i++) {
		if (pipeline_target_is(p->targets[i], a))
			return p->targets[i]->id;
	}
	for (size_t i = 0; i < p->nparked; i++) {
		if (pipeline_target_is(p->parked[i], a))
			return p->parked[i]->id;
	}
	return 0;
}

/* ---- the facts of a finding ---- */

static struct slot *slot_of(struct target *t, const struct series *s)
{
	for (size_t i = 0; i < t->nslots; i++) {
		if (t->slots[i].series == s)
			return &t->slots[i];
	}
	return NULL;
}

static enum notify_unit unit_of(const struct series *s)
{
	if (s->kind == SERIES_FDS)
		return NOTIFY_DESCRIPTORS;
	return series_kind_unit(s->kind) == DETECT_BYTES ? NOTIFY_BYTES : NOTIFY_GOROUTINES;
}

static int64_t ms_of(double s)
{
	return isnan(s) ? 0 : (int64_t)(s * 1000);
}

static void class_facts(struct notify_facts *f, const struct slot *s)
{
	const struct tally_class *c = s->class;

	if (!c || !c->example.text)
		return;
	if (c->example.wait != WAIT_UNKNOWN && c->example.wait != WAIT_NONE)
		f->wait = str_of(wait_kind_name(c->example.wait));
	f->created_by = str_of(c->example.created_by);
	f->user.func = str_of(c->example.user_func);
	f->user.file = str_of(c->example.user_file);
	f->user.line = c->example.user_line;
	f->example_stack = str_of(c->example.text);
	f->hint = tally_hint(c);
	if (c->rule)
		f->limit = c->rule->limit;
}

static struct str runbook_of(const struct pipeline *p, enum alert_kind kind)
{
	struct alert_rule rule;
	struct str url;

	config_alert_rule(p->config, kind, &rule, &url);
	return url;
}

static struct notify_facts empty_facts(const struct target *t, enum alert_kind kind, int64_t now_ms)
{
	struct notify_facts f = NOTIFY_FACTS_INIT;

	f.kind = kind;
	f.job = str_of(t->job_name);
	f.instance = str_of(t->instance);
	f.now_ms = now_ms;
	f.runbook_url = runbook_of(t->p, kind);
	return f;
}

/* Where no rule says more; behind "Likely cause: ". */
static struct str hint_of(enum finding_kind k)
{
	struct str hint = {0};

	if (k == FINDING_FOREVER)
		hint = str_of(advice_forever);
	else if (k == FINDING_CONVOY || k == FINDING_STUCK)
		hint = str_of(advice_stuck);
	return str_from(hint, MIN(strlen("Growth: "), hint.len));
}

static void series_facts(struct notify_facts *f, struct target *t, const struct finding *finding)
{
	const struct series *s = finding->primary;
	const struct verdict *v = &s->verdict;
	struct slot *slot = slot_of(t, s);

	f->unit = unit_of(s);
	f->count = s->value;
	f->rate_per_hour = v->rate_per_hour;
	f->low = v->low;
	f->high = v->high;
	f->since_ms = ms_of(isnan(finding->since) ? v->since : finding->since);
	f->since_at_least = v->since_at_least;
	f->reason = str_of(v->reason);
	f->lookback_s = v->lookback_s;
	if (slot) {
		class_facts(f, slot);
		target_cost_facts(slot, f);
		target_add_facts(t, slot, f);
	}
	if (s->kind == SERIES_FDS)
		f->limit = vitals_get(t->vitals, VITAL_MAX_FDS);
	if (finding->kind == FINDING_LIMIT)
		f->limit = s->over_limit;
	if (finding->kind == FINDING_STUCK || finding->kind == FINDING_CONVOY)
		target_stuck_facts(t, s, f);
	if (finding->kind == FINDING_FOREVER)
		target_forever_facts(t, s, f);
	if (f->hint.len == 0)
		f->hint = hint_of(finding->kind);
}

static void finding_facts(struct target *t, const struct finding *finding, struct notify_facts *f,
	struct notify_member *members)
{
	size_t n = 0;

	*f = empty_facts(
		t, alert_kind_of_name(str_of(finding_alert_name(finding->kind))), t->p->now_ms);
	f->class = str_of(finding->class);
	if (!finding->primary)
		return;
	series_facts(f, t, finding);
	for (size_t i = 0; i < finding->nmembers; i++) {
		const struct series *s = finding->members[i];

		if (s == finding->primary)
			continue;
		members[n++] = (struct notify_member){
			.name = str_of(s->name),
			.unit = unit_of(s),
			.count = s->value,
			.rate_per_hour = s->verdict.rate_per_hour,
			.ratio = finding_ratio(s, finding->primary),
		};
	}
	target_host_facts(t, finding, f);
	f->members = members;
	f->nmembers = n;
}

/* ---- raising and clearing ---- */

void pipeline_clear(
	struct pipeline *p, const char *id, enum alert_end end, const char *why, int64_t now_ms)
{
	char kept[ALERT_ID_MAX]; /* id may be the alert's own, and go with it */
	const struct alert *a;

	snprintf(kept, sizeof(kept), "%s", id);
	if (!alert_clear(p->alerts, kept, end, why, now_ms))
		return;
	a = alert_get(p->alerts, kept); /* gone when it resolved at once, which was told */
	if (a)
		p->events.cleared(p->events.arg, a);
}

/* One that stands keeps the labels it was raised with, also when a deploy brought others. */
static const struct alert *renew_alert(
	struct target *t, const char *id, const char *why, struct alert_labels *annotations)
{
	const struct alert *a = id ? alert_get(t->p->alerts, id) : NULL;

	if (!a)
		return NULL;
	if (alert_labels_has(&a->annotations, STR(LINEAGE_ANNOTATION)))
		alert_labels_put_text(annotations, STR(LINEAGE_ANNOTATION), str_of(t->instance));
	return alert_renew(t->p->alerts, id, annotations, why);
}

/* standing: the id of the alert that is there already, or NULL. */
static const struct alert *raise_alert(
	struct target *t, const struct notify_facts *f, const char *standing)
{
	struct alert_labels annotations = ALERT_LABELS_INIT;
	const char *why = f->reason.len ? f->reason.p : "";
	struct label labels[LABELS_MAX];
	char *class = str_dup(f->class);
	const struct alert *a;
	struct err err;

	notify_text(f, &annotations);
	a = renew_alert(t, standing, why, &annotations);
	if (!a)
		a = alert_raise(t->p->alerts, f->kind, labels,
			target_labels(t, class, labels, LABELS_MAX), &annotations, why, f->now_ms,
			&err);
	if (!a)
		log_limited(LEVEL_ERROR, "alert_raise", "alert not raised: %s", err.msg);
	alert_labels_release(&annotations);
	free(class);
	return a;
}

static void raise_finding(struct target *t, struct finding *finding)
{
	struct notify_member members[FINDING_MEMBERS_MAX];
	struct limits limits;
	struct notify_facts f;
	const struct alert *a;

	finding_facts(t, finding, &f, members);
	target_limits(t, finding, &limits);
	f.ceilings = limits.v;
	f.nceilings = limits.n;
	target_fleet_facts(t, finding, &f);
	a = raise_alert(t, &f, finding->user);
	if (!a || (finding->user && strcmp(finding->user, a->id) == 0))
		return;
	free(finding->user);
	finding->user = xstrdup(a->id);
}

static void opened_cb(void *arg, struct finding *f)
{
	raise_finding(arg, f);
}

/* Keeps rate, interval and count current while it stands; a restored one waits for its series. */
static void current_cb(void *arg, struct finding *f)
{
	struct target *t = arg;

	if (f->primary && t->dump_ok)
		raise_finding(t, f);
}

static void closed_cb(void *arg, struct finding *f, const char *why)
{
	struct target *t = arg;
	enum alert_end end = f->nmembers && !f->replaced ? ALERT_END_CLEARED : ALERT_END_CHANGED;

	if (f->user)
		pipeline_clear(t->p, f->user, end, why, t->p->now_ms);
	free(f->user);
	f->user = NULL;
}

const struct finding_events target_finding_events = {
	.opened = opened_cb,
	.current = current_cb,
	.closed = closed_cb,
};

/* ---- the target itself ---- */

static void clear_own(struct target *t, enum alert_kind kind, const char *why, int64_t now_ms)
{
	struct label labels[LABELS_MAX];
	const struct alert *a =
		alert_find(t->p->alerts, kind, labels, target_labels(t, "", labels, LABELS_MAX));

	if (a)
		pipeline_clear(t->p, a->id, ALERT_END_CLEARED, why, now_ms);
}

static void raise_own(struct target *t, enum alert_kind kind, int64_t now_ms)
{
	struct notify_facts f = empty_facts(t, kind, now_ms);

	f.reason = str_of(t->dump_why);
	f.since_ms = t->down_since_ms;
	raise_alert(t, &f, NULL);
}

/* The alerts of what leaks there stand on, marked. */
static void mark_findings(struct target *t, bool down)
{
	char text[PIPELINE_WHY_MAX + 64] = "";

	if (down)
		snprintf(text, sizeof(text), "not scraped now: %s", t->dump_why);
	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);

		if (f->user)
			alert_annotate(t->p->alerts, f->user, "target", str_of(text));
	}
}

void target_tell_state(struct target *t, int64_t now_ms)
{
	bool down = !t->dump_ok && !t->answered, unreadable = !t->dump_ok && t->answered;

	if (down)
		raise_own(t, ALERT_TARGET_DOWN, now_ms);
	else if (!t->told_up)
		clear_own(t, ALERT_TARGET_DOWN, "the target answers again", now_ms);
	if (unreadable)
		raise_own(t, ALERT_DUMP_UNREADABLE, now_ms);
	else if (!t->told_readable)
		clear_own(t, ALERT_DUMP_UNREADABLE, "dumps can be read again", now_ms);
	if (t->told_dump != t->dump_ok || !t->told_up)
		mark_findings(t, !t->dump_ok);
	t->told_up = !down;
	t->told_readable = !unreadable;
	t->told_dump = t->dump_ok;
}
