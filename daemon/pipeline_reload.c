/* Targets that come, go and change, and a configuration that takes another one's place. */
#include "pipeline_evidence.h"
#include "pipeline_reload.h"
#include "pipeline_lineage.h"
#include "log.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- rule sets: a configuration's rules, for as long as a target is sorted by them ---- */

struct ruleset *ruleset_new(const struct config *config, struct err *err)
{
	struct ruleset *r = xcalloc(1, sizeof(*r));

	r->config = config;
	r->users = 1;
	r->classifier = classifier_new(config->rules, config->nrules, err);
	if (r->classifier)
		return r;
	free(r);
	return NULL;
}

void ruleset_drop(struct pipeline *p, struct ruleset *r)
{
	if (!r || --r->users > 0)
		return;
	classifier_free(r->classifier);
	if (p->events.unused)
		p->events.unused(p->events.arg, r->config);
	free(r);
}

/* ---- a target takes over a new configuration's rules, between two scrapes ---- */

static const struct rule *rule_named(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->nrules; i++) {
		if (str_eq(c->rules[i].name, name))
			return &c->rules[i];
	}
	return NULL;
}

/* The class goes on when the same goroutines are meant by it; *rule is the new configuration's. */
static bool same_class(
	const struct target *t, const struct tally_class *c, const struct rule **rule)
{
	*rule = c->rule ? rule_named(t->p->rules->config, c->rule->name) : NULL;
	return !c->rule || (*rule && rule_definition(*rule) == rule_definition(c->rule));
}

/* What was found under the series' name ends with the next scrape, also where the total or others
 * grow with it: they speak for themselves then. */
static void end_findings(struct target *t, const struct series *s)
{
	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);

		while (f->primary == s || (f->nmembers && !f->primary))
			finding_drop(t->findings, f->nmembers ? f->members[f->nmembers - 1] : s);
	}
	finding_drop(t->findings, s);
}

void target_resorted(struct target *t)
{
	for (size_t i = 0; t->resorted && i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];

		if (!s->class || s->class->rule || s->class->count || !(s->series->value > 0))
			continue;
		end_findings(t, s->series);
		series_forget(s->series, &t->rules->config->detect);
	}
	t->resorted = false;
}

static void end_class(struct target *t, struct slot *s)
{
	struct store_class row = {
		.id = s->class_id,
		.target_id = t->id,
		.name = str_of(s->class->name),
		.rule = s->class->rule ? s->class->rule->name : (struct str){0},
		.definition = rule_definition(s->class->rule),
		.first_seen_ms = s->first_seen_ms,
		.last_seen_ms = (int64_t)(s->class->last_seen * 1000),
		.ended_ms = t->p->now_ms,
		.ended_why = STR("its rule was changed in the configuration"),
	};

	end_findings(t, s->series);
	if (s->stored)
		store_put_class(t->p->batch, &row);
	series_free(s->series);
	s->series = NULL;
}

/* The class's place in the new tally; what the last body said of it stays. */
static bool move_class(struct target *t, struct tally *to, struct slot *s, uintptr_t place)
{
	struct tally_class *old = s->class, *c;
	const struct rule *rule;

	if (!same_class(t, old, &rule))
		return false;
	c = tally_restore(to, str_of(old->name), rule);
	if (!c || c->user)
		return false;
	c->count = old->count;
	c->last_seen = old->last_seen;
	c->example = old->example;
	memset(&old->example, 0, sizeof(old->example));
	c->user = (void *)(place + 1);
	s->class = c;
	s->generation = c->generation;
	return true;
}

static void move_classes(struct target *t, struct tally *to)
{
	size_t n = 0;

	for (size_t i = 0; i < t->nslots; i++) {
		struct slot s = t->slots[i];

		if (s.class && !move_class(t, to, &s, n)) {
			end_class(t, &s);
			continue;
		}
		t->slots[n] = s;
		t->view[n++] = s.series;
	}
	t->nslots = n;
}

/* Selectors of the new configuration; when they are the old ones, their counters go on. */
static void move_vitals(struct target *t)
{
	struct vitals *old = t->vitals;
	struct metric *metrics = t->metrics;
	size_t nmetrics = t->nmetrics;
	struct prom_sink samples;
	bool same = true;

	t->vitals = vitals_new();
	if (target_want_metrics(t, NULL)) /* it was accepted when it was read */
		t->load = -1;
	for (int i = 0; i < VITALS_SELECTORS_MAX && same; i++) {
		const char *a = vitals_selector(old, i), *b = vitals_selector(t->vitals, i);

		same = (!a && !b) || (a && b && strcmp(a, b) == 0);
	}
	if (same) {
		vitals_free(t->vitals);
		t->vitals = old;
		return;
	}
	samples = vitals_sink(t->vitals);
	prom_free(t->prom);
	t->prom = prom_new(&samples, PROM_TIME_MS);
	t->metrics = NULL;
	t->nmetrics = 0;
	for (int i = 0; vitals_selector(t->vitals, i); i++) {
		t->metrics = xrealloc(t->metrics, t->nmetrics + 1, sizeof(*t->metrics));
		t->metrics[t->nmetrics] = (struct metric){.saved = NAN};
		for (size_t k = 0; k < nmetrics; k++) {
			if (strcmp(vitals_selector(old, (int)k), vitals_selector(t->vitals, i)) ==
				0)
				t->metrics[t->nmetrics].series_id = metrics[k].series_id;
		}
		t->nmetrics++;
	}
	free(metrics);
	vitals_free(old);
}

void target_rewant(struct target *t)
{
	move_vitals(t);
	for (size_t i = 0; i < t->nslots; i++) {
		if (t->slots[i].class)
			target_set_rule(t, &t->slots[i], t->slots[i].class->rule);
	}
}

/* Sensitivity and sizes that matter; the window is another matter (app_reload.c). */
static void retune(struct target *t, const struct detect_params *params)
{
	for (size_t i = 0; i < t->nslots; i++)
		series_retune(t->slots[i].series, params);
	finding_set_retune(t->findings, params);
}

static bool same_params(const struct detect_params *a, const struct detect_params *b)
{
	return a->sensitivity == b->sensitivity && a->ref <= b->ref && a->ref >= b->ref &&
	       a->ref_bytes <= b->ref_bytes && a->ref_bytes >= b->ref_bytes;
}

void target_reconfigure(struct target *t)
{
	struct ruleset *old = t->rules;
	struct tally *tally = t->tally;
	struct gdump_sink groups;
	bool own = !t->p->batch;

	if (own)
		t->p->batch = t->p->events.begin(t->p->events.arg);
	t->rules = t->p->rules;
	t->rules->users++;
	target_make_tally(t);
	move_classes(t, t->tally);
	target_rewant(t);
	if (!same_params(&old->config->detect, &t->rules->config->detect))
		retune(t, &t->rules->config->detect);
	target_inquiry_reset(t);
	tally_free(tally);
	gdump_free(t->gdump);
	groups = tally_sink(t->tally);
	t->gdump = gdump_new(&groups);
	t->nbefore = t->nearlier = 0;
	t->total_before = 0;
	t->need_full = t->resorted = true;
	if (own) {
		t->p->events.commit(t->p->events.arg, t->p->batch);
		t->p->batch = NULL;
	}
	ruleset_drop(t->p, old);
}

/* ---- labels ---- */

static bool same_labels(const struct config_labels *a, const struct config_labels *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (!str_eq(a->v[i].key, b->v[i].key) || !str_eq(a->v[i].value, b->v[i].value))
			return false;
	}
	return true;
}

/* All alerts of a target; each is looked for anew, since ending one changes the table. */
static void end_alerts(struct target *t, enum alert_end end, const char *why, int64_t now_ms)
{
	const struct alert *a;
	void *at = NULL;

	while ((a = alert_next(t->p->alerts, &at))) {
		if (!a->holds || !pipeline_target_is(t, a))
			continue;
		pipeline_clear(t->p, a->id, end, why, now_ms);
		at = NULL;
	}
}

/* Labels are an alert's identity: what stands under the old ones ends, and is raised anew. */
static void end_identity(struct target *t, int64_t now_ms)
{
	end_alerts(t, ALERT_END_CHANGED, "its labels were changed in the configuration", now_ms);
	for (size_t i = 0; i < finding_count(t->findings); i++) {
		struct finding *f = (struct finding *)finding_at(t->findings, i);

		free(f->user);
		f->user = NULL;
	}
}

void pipeline_update(struct target *t, const struct config_job *job,
	const struct config_labels *labels, int64_t now_ms)
{
	t->job = job;
	if (!same_labels(&t->labels, labels)) {
		end_identity(t, now_ms);
		target_set_labels(t, labels);
	}
	target_set_line(t);
}

/* ---- coming and going ---- */

static void take_out(struct target **v, size_t *n, size_t i)
{
	v[i] = v[--*n];
}

void pipeline_remove(struct target *t, int64_t now_ms)
{
	struct pipeline *p = t->p;
	size_t i = 0;

	while (p->targets[i] != t)
		i++;
	p->now_ms = now_ms;
	p->batch = p->events.begin(p->events.arg);
	target_save(t, now_ms);
	target_put_gone(t, now_ms);
	p->events.commit(p->events.arg, p->batch);
	p->batch = NULL;
	take_out(p->targets, &p->ntargets, i);
	p->parked = xrealloc(p->parked, p->nparked + 1, sizeof(*p->parked));
	p->parked[p->nparked++] = t;
	t->parked_ms = now_ms;
	t->job = NULL; /* its configuration may go */
	end_alerts(t, ALERT_END_REMOVED, "the target is no longer configured", now_ms);
}

struct target *pipeline_take_parked(struct pipeline *p, const char *job, const char *instance)
{
	for (size_t i = 0; i < p->nparked; i++) {
		struct target *t = p->parked[i];

		if (strcmp(t->job_name, job) != 0 || strcmp(t->instance, instance) != 0)
			continue;
		take_out(p->parked, &p->nparked, i);
		return t;
	}
	return NULL;
}

void pipeline_sweep(struct pipeline *p, int64_t now_ms)
{
	for (size_t i = p->nparked; i-- > 0;) {
		struct target *t = p->parked[i];

		/* A little longer than its alerts stand, which still name its row. */
		if (now_ms - t->parked_ms < ALERT_REMOVED_MS + PIPELINE_PARKED_MORE_MS &&
			now_ms >= t->parked_ms)
			continue;
		take_out(p->parked, &p->nparked, i);
		if (t->line)
			lineage_count(p, str_n(t->line, t->line_len), 1);
		target_free(t);
	}
}

/* ---- the whole configuration ---- */

static bool same_external(const struct config *a, const struct config *b)
{
	return same_labels(&a->external_labels, &b->external_labels);
}

int pipeline_reconfigure(
	struct pipeline *p, const struct config *config, int64_t now_ms, struct err *err)
{
	struct ruleset *rules = ruleset_new(config, err), *old = p->rules;
	bool external = !same_external(p->config, config);

	if (!rules)
		return -1;
	p->rules = rules;
	for (size_t i = 0; external && i < p->ntargets; i++)
		end_identity(p->targets[i], now_ms);
	p->config = config;
	p->lines_stale = true;
	pipeline_set_host(p);
	for (size_t i = 0; i < p->nparked; i++)
		target_reconfigure(p->parked[i]);
	ruleset_drop(p, old);
	return 0;
}
