/* A target takes over what the store has of it. */
#include "pipeline_evidence.h"
#include "pipeline_load.h"
#include "pipeline_forever.h"
#include "pipeline_releases.h"
#include "log.h"
#include "map.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- its classes and series ---- */

static const struct rule *rule_named(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->nrules; i++) {
		if (str_is(c->rules[i].name, name))
			return &c->rules[i];
	}
	return NULL;
}

static const struct row_class *class_row(const struct row_target *row, int64_t id)
{
	for (const struct row_class *c = row->classes; c; c = c->next) {
		if (c->id == id)
			return c;
	}
	return NULL;
}

static enum series_kind kind_of_metric(const char *name)
{
	for (int k = SERIES_FDS; k < SERIES_KINDS; k++) {
		if (strcmp(name, series_kind_metric((enum series_kind)k)) == 0)
			return (enum series_kind)k;
	}
	return SERIES_KINDS;
}

static void restore_detector(struct slot *s, const struct row_series *r, const struct target *t)
{
	struct err err;

	s->stored = true;
	s->series->id = (uint32_t)r->id;
	if (!r->record_len)
		return;
	if (detect_load(s->series->detect, str_n(r->record, r->record_len), &err)) {
		log_msg(LEVEL_WARNING,
			"target %s/%s: %s: the stored state of the detector is not "
			"used: %s; it begins anew from the samples",
			t->job_name, t->instance, s->series->name, err.msg);
		return;
	}
	s->series->recorded_at = (double)r->record_ms / 1000;
	series_refresh(s->series);
	s->verdict_stored = s->series->verdict.state;
}

/* A class whose rule is another one now starts anew: its row ends, its samples stay. */
static bool definition_holds(
	const struct target *t, const struct row_class *c, const struct rule **rule)
{
	*rule = c->rule[0] ? rule_named(t->rules->config, c->rule) : NULL;
	return c->rule[0] ? *rule && rule_definition(*rule) == c->definition : true;
}

static void end_class(struct target *t, const struct row_class *c)
{
	struct store_class row = {
		.id = c->id,
		.target_id = t->id,
		.name = str_of(c->name),
		.rule = str_of(c->rule),
		.definition = c->definition,
		.first_seen_ms = c->first_seen_ms,
		.last_seen_ms = c->last_seen_ms,
		.ended_ms = c->last_seen_ms,
		.ended_why = STR("its rule was changed in the configuration"),
	};
	struct store_batch *b = t->p->events.begin(t->p->events.arg);

	store_put_class(b, &row);
	t->p->events.commit(t->p->events.arg, b);
}

static void restore_class(
	struct target *t, const struct row_target *row, const struct row_series *r)
{
	const struct row_class *c = class_row(row, r->class_id);
	const struct rule *rule;
	struct tally_class *tc;
	struct slot *s;

	if (!c)
		return;
	if (!definition_holds(t, c, &rule)) {
		end_class(t, c);
		return;
	}
	tc = tally_restore(t->tally, str_of(c->name), rule);
	if (!tc || tc->user)
		return;
	tc->last_seen = (double)c->last_seen_ms / 1000;
	s = target_add_slot(t, SERIES_CLASS, str_of(c->name));
	tc->user = (void *)(uintptr_t)t->nslots;
	s->class = tc;
	s->generation = tc->generation;
	s->class_id = c->id;
	s->first_seen_ms = c->first_seen_ms;
	target_set_rule(t, s, rule);
	restore_detector(s, r, t);
}

static void restore_metric(struct target *t, const struct row_series *r)
{
	for (int i = 0; i < VITALS_SELECTORS_MAX; i++) {
		const char *name = vitals_selector(t->vitals, i);

		if (!name)
			return;
		if ((size_t)i >= t->nmetrics) {
			t->metrics = xrealloc(t->metrics, (size_t)i + 1, sizeof(*t->metrics));
			t->metrics[i] = (struct metric){.saved = NAN};
			t->nmetrics = (size_t)i + 1;
		}
		if (strcmp(name, r->name) == 0)
			t->metrics[i].series_id = r->id;
	}
}

static void restore_series(
	struct target *t, const struct row_target *row, const struct row_series *r)
{
	enum series_kind kind = SERIES_TOTAL;

	switch (r->kind) {
	case STORE_SERIES_CLASS:
		restore_class(t, row, r);
		return;
	case STORE_SERIES_LOAD:
		restore_metric(t, r);
		return;
	case STORE_SERIES_METRIC:
		kind = kind_of_metric(r->name);
		break;
	default:
		break;
	}
	if (kind != SERIES_KINDS && !target_slot(t, kind, (struct str){0}))
		restore_detector(target_add_slot(t, kind, str_of(series_kind_metric(kind))), r, t);
}

/* ---- the raw samples since the records ---- */

struct replay {
	struct target *t;
	double *value; /* by slot, carried forward */
	double *selected; /* by selector */
	struct map *slot_of, *metric_of; /* series id -> index + 1 */
	uint64_t scrapes;
	int64_t at_ms; /* of the row before */
	uint64_t set_back; /* the row at which the clock was set back last; 0: at none */
};

static bool endpoint_got(const struct slot *s, unsigned got)
{
	switch (s->series->kind) {
	case SERIES_CLASS:
		return got & STORE_GOT_GOROUTINES;
	case SERIES_TOTAL:
		return got & (STORE_GOT_GOROUTINES | STORE_GOT_COUNT);
	default:
		return got & STORE_GOT_METRICS;
	}
}

static void take_values(struct replay *r, const struct store_value *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)map_get(r->slot_of, loaded_key(&v[i].series_id));

		if (at) {
			r->value[at - 1] = v[i].value;
			continue;
		}
		at = (uintptr_t)map_get(r->metric_of, loaded_key(&v[i].series_id));
		if (at)
			r->selected[at - 1] = v[i].value;
	}
}

static void replay_cb(
	void *arg, const struct store_scrape *scrape, const struct store_value *v, size_t n)
{
	struct replay *r = arg;
	struct target *t = r->t;
	double at = (double)scrape->at_ms / 1000;

	r->scrapes++;
	take_values(r, v, n);
	if (scrape->got & STORE_GOT_GOROUTINES)
		t->last_at = at;
	if (r->scrapes < r->set_back)
		return;
	for (size_t i = 0; i < t->nslots; i++) {
		struct slot *s = &t->slots[i];
		struct series_context ctx;

		if (!endpoint_got(s, scrape->got) || isnan(r->value[i]) ||
			at <= s->series->recorded_at || (s->class && s->class->ignored))
			continue;
		ctx = target_context(t, s, r->value, r->selected);
		if (!isnan(ctx.subtract))
			series_sample(s->series, &t->rules->config->detect, at, r->value[i], &ctx);
	}
}

/*
 * Rows come in the order in which they were written.  After the clock was set back all records are
 * written anew (pipeline.c): none is older than that, whatever the times of the rows before say.
 */
static void find_set_back_cb(
	void *arg, const struct store_scrape *scrape, const struct store_value *v, size_t n)
{
	struct replay *r = arg;

	(void)v;
	(void)n;
	r->scrapes++;
	if (r->at_ms - scrape->at_ms > CLOCK_SET_MS)
		r->set_back = r->scrapes;
	r->at_ms = scrape->at_ms;
}

static void index_series(struct target *t, struct replay *r)
{
	for (size_t i = 0; i < t->nslots; i++) {
		int64_t id = t->slots[i].series->id;

		r->value[i] = NAN;
		map_put(r->slot_of, loaded_key(&id), (void *)(uintptr_t)(i + 1));
	}
	for (size_t i = 0; i < t->nmetrics; i++) {
		if (t->metrics[i].series_id)
			map_put(r->metric_of, loaded_key(&t->metrics[i].series_id),
				(void *)(uintptr_t)(i + 1));
	}
	for (size_t i = 0; i < VITALS_SELECTORS_MAX; i++)
		r->selected[i] = NAN;
}

static int replay_samples(struct target *t, struct err *err)
{
	double selected[VITALS_SELECTORS_MAX], from = INFINITY;
	struct replay r = {.t = t, .selected = selected};
	int rc;

	for (size_t i = 0; i < t->nslots; i++)
		from = MIN(from, t->slots[i].series->recorded_at);
	if (!isfinite(from))
		return 0;
	r.value = xcalloc(t->nslots, sizeof(*r.value));
	r.slot_of = map_new();
	r.metric_of = map_new();
	index_series(t, &r);
	rc = store_load_scrapes(
		t->p->loaded->store, t->id, (int64_t)(from * 1000), find_set_back_cb, &r, err);
	r.scrapes = 0;
	if (rc == 0)
		rc = store_load_scrapes(
			t->p->loaded->store, t->id, (int64_t)(from * 1000), replay_cb, &r, err);
	map_free(r.slot_of, NULL);
	map_free(r.metric_of, NULL);
	free(r.value);
	return rc;
}

/*
 * After that, what is stored of the detectors has times that are still to come: all of it is stored
 * anew, after the sample that takes it along (detect_sample).
 */
void pipeline_mind_clock(struct pipeline *p, int64_t at_ms)
{
	if (p->now_ms - at_ms <= CLOCK_SET_MS)
		return;
	log_msg(LEVEL_WARNING, "the clock was set back by %lld s",
		(long long)(p->now_ms - at_ms) / 1000);
	for (size_t i = 0; i < p->ntargets; i++) {
		for (size_t k = 0; k < p->targets[i]->nslots; k++)
			p->targets[i]->slots[k].series->recorded_at = 0;
	}
}

/* ---- findings of alerts that stand ---- */

void target_restore_findings(struct target *t)
{
	void *at = NULL;
	const struct alert *a;

	while ((a = alert_next(t->p->alerts, &at))) {
		enum finding_kind kind = finding_kind_of(alert_labels_get(&a->labels, "alertname"));
		struct finding *f;

		if (kind == FINDING_KINDS || !a->holds || pipeline_target_is(t, a) == false)
			continue;
		f = finding_restore(t->findings, kind, alert_labels_get(&a->labels, "class"),
			(double)a->raised_ms / 1000);
		f->user = xstrdup(a->id);
		if (kind == FINDING_FOREVER)
			target_forever_restore(t, str_of(f->class), f->opened_at);
	}
}

/* The versions that its runs told, from their info. */
static void run_cb(void *arg, const struct store_run *r)
{
	struct target *t = arg;

	versions_note(&t->versions, r->start_ms, versions_of_run(r->info));
}

int target_take_loaded(struct target *t, int64_t now_ms, struct err *err)
{
	struct row_target *row = loaded_take(t, now_ms);

	if (!row) {
		t->id = ++t->p->ids->target_id;
		t->fresh = true;
		return 0;
	}
	t->id = row->id;
	t->first_seen_ms = row->first_seen_ms;
	t->first_at = row->first_seen_ms ? (double)row->first_seen_ms / 1000 : NAN;
	t->run_id = t->run_stored = row->run.id;
	t->run_start_ms = row->run.start_ms;
	t->run_first_ms = row->run.first_seen_ms;
	target_restore_release(t, &row->run);
	if (row->run.id && !row->inferred)
		t->run_start = (double)row->run.start_ms / 1000;
	for (const struct row_series *r = row->series; r; r = r->next)
		restore_series(t, row, r);
	if (target_restore_evidence(t, t->p->loaded->store, err) || replay_samples(t, err) ||
		store_load_all_runs(t->p->loaded->store, t->id, run_cb, t, err))
		return -1;
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;

		if (s->recorded_at * 1000 > (double)now_ms)
			s->recorded_at = 0; /* the clock was set back while nothing ran */
	}
	return target_cost_load(t, t->p->loaded->store, err);
}
