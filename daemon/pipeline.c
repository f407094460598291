#include "pipeline_evidence.h"
#include "pipeline_reload.h"
#include "pipeline_stuck.h"
#include "log.h"
#include "pipeline_lineage.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A dump that lost more than this of its goroutines is missing, not small. */
#define LOSS_MAX 0.01

/* ---- the story of a cycle: body, parse, classify, series, verdict, alert, rows ---- */

static void begin_cb(void *arg, struct scrape_target *st)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	if (t->rules != t->p->rules)
		target_reconfigure(t);
	t->dump_ok = t->metrics_ok = t->asked_symbols = t->between = false;
	t->dump_why[0] = t->metrics_why[0] = '\0';
	target_host_look(t);
	gdump_reset(t->gdump);
	prom_reset(t->prom);
	target_note_counts(t);
	tally_begin(t->tally);
	stuck_begin(t->stuck);
	vitals_begin(t->vitals);
}

static void between_cb(void *arg, struct scrape_target *st)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	if (t->rules != t->p->rules)
		target_reconfigure(t);
	t->between = true;
	t->metrics_ok = false;
	t->metrics_why[0] = '\0';
	prom_reset(t->prom);
	vitals_begin(t->vitals);
}

static bool goroutines_cb(void *arg, struct scrape_target *st, const char *p, size_t n)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	gdump_feed(t->gdump, p, n);
	return true;
}

/* How many are missing, and why: the first line that was not understood, or an early end. */
static void say_lost(struct target *t, const struct gdump_stats *s)
{
	unsigned long long lost = s->lost, announced = s->announced, bad = s->bad_lines;

	if (announced == 0) /* its first line is missing */
		snprintf(t->dump_why, sizeof(t->dump_why), "%s", s->first_bad);
	else if (bad)
		snprintf(t->dump_why, sizeof(t->dump_why),
			"%llu of %llu goroutines could not be read: %llu lines not understood, the "
			"first at line %u: %s",
			lost, announced, bad, s->first_bad_line, s->first_bad);
	else
		snprintf(t->dump_why, sizeof(t->dump_why),
			"%llu of %llu goroutines could not be read: the dump ends early", lost,
			announced);
}

/* Is this body one to count?  Else dump_why says what was received. */
static bool usable(struct target *t)
{
	const struct gdump_stats *s = gdump_stats(t->gdump);
	struct err err;

	if (gdump_finish(t->gdump, &err)) {
		snprintf(t->dump_why, sizeof(t->dump_why), "%s", err.msg);
		return false;
	}
	if (s->format != GDUMP_DEBUG1) {
		snprintf(t->dump_why, sizeof(t->dump_why),
			"received a dump of format %s where a goroutine profile with debug=1 "
			"is right",
			gdump_format_name(s->format));
		return false;
	}
	if ((s->announced == 0 && s->parsed > 0) ||
		(double)s->lost > LOSS_MAX * (double)MAX(s->announced, s->parsed)) {
		say_lost(t, s);
		return false;
	}
	return true;
}

static size_t goroutines_end_cb(void *arg, struct scrape_target *st, const struct fetch_result *r,
	uint64_t *pcs, size_t max)
{
	struct target *t = scrape_target_user(st);
	size_t n;

	(void)arg;
	target_note_connection(t, r);
	if (r->end != FETCH_OK || r->status / 100 != 2)
		return 0;
	t->dump_ok = usable(t);
	if (!t->dump_ok)
		return 0;
	n = tally_unresolved(t->tally, pcs, max);
	t->asked_symbols = n > 0;
	return n;
}

static void symbols_cb(void *arg, struct scrape_target *st, struct str body)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	tally_symbols(t->tally, body);
	t->asked_symbols = false;
}

static bool metrics_cb(void *arg, struct scrape_target *st, const char *p, size_t n)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	prom_feed(t->prom, p, n);
	return true;
}

static void metrics_end_cb(void *arg, struct scrape_target *st, const struct fetch_result *r)
{
	struct target *t = scrape_target_user(st);
	struct err err;

	(void)arg;
	if (r->end != FETCH_OK || r->status / 100 != 2)
		return;
	if (prom_finish(t->prom, &err))
		snprintf(t->metrics_why, sizeof(t->metrics_why), "%s", err.msg);
	else
		t->metrics_ok = true;
}

/* What the endpoints said, where the bodies did not already say more. */
static void note_endpoints(struct target *t, const struct scrape_cycle *c)
{
	t->answered = c->goroutines.up;
	if (!c->goroutines.up) {
		t->dump_ok = false;
		snprintf(t->dump_why, sizeof(t->dump_why), "%s", c->goroutines.why);
	}
	if (c->metrics.asked && !c->metrics.up) {
		t->metrics_ok = false;
		snprintf(t->metrics_why, sizeof(t->metrics_why), "%s", c->metrics.why);
	}
}

static void note_state(struct target *t, const struct scrape_cycle *c)
{
	struct pipeline *p = t->p;

	if (t->dump_ok != t->up || !t->seen) {
		if (t->dump_ok)
			log_msg(LEVEL_INFO, "target %s/%s: up, %llu goroutines in %zu classes",
				t->job_name, t->instance, (unsigned long long)tally_total(t->tally),
				tally_count(t->tally));
		else
			log_msg(LEVEL_WARNING, "target %s/%s: %s", t->job_name, t->instance,
				t->dump_why);
	}
	if (!t->metrics_ok && c->metrics.asked && (t->metrics_up || !t->seen))
		log_msg(LEVEL_WARNING, "target %s/%s: metrics: %s", t->job_name, t->instance,
			t->metrics_why);
	if (c->goroutines.up && !t->dump_ok) {
		p->bodies_lost++;
		t->unreadable++;
	}
	if (!t->dump_ok && !t->down_since_ms)
		t->down_since_ms = c->at_ms;
	if (t->dump_ok)
		t->down_since_ms = 0;
	t->up = t->dump_ok;
	t->metrics_up = t->metrics_ok;
	t->seen = true;
	t->duration_ms = c->goroutines.took_ms;
	target_note_view(t, c);
}

static void end_cycle(struct pipeline *p, struct target *t)
{
	if (!p->events.commit(p->events.arg, p->batch))
		t->need_full = true;
	p->batch = NULL;
}

/*
 * A cycle without a dump: what the last one said stands, but for the total, and for a target that
 * nobody reaches any more.
 */
static void end_between(struct target *t, const struct scrape_cycle *c)
{
	double now = (double)c->at_ms / 1000, restarted_at;
	bool was_ok = t->dump_ok,
	     lost = c->index.asked && c->index.end != FETCH_OK && c->index.end != FETCH_TOO_LARGE;

	t->dump_ok = false;
	if (c->metrics.asked && !c->metrics.up) {
		t->metrics_ok = false;
		snprintf(t->metrics_why, sizeof(t->metrics_why), "%s", c->metrics.why);
	}
	if (t->metrics_ok)
		vitals_end(t->vitals, now);
	else
		vitals_abandon(t->vitals);
	if (target_restarted(t, &restarted_at))
		target_begin_run(t, restarted_at);
	if (lost) {
		t->answered = false;
		snprintf(t->dump_why, sizeof(t->dump_why), "%s", c->index.why);
		note_state(t, c);
	}
	if (c->counted)
		target_judge_count(t, now, c->count);
	target_judge(t, now, false, t->metrics_ok);
	finding_update(t->findings, t->view, t->nslots, now, false);
	if (lost)
		target_tell_state(t, c->at_ms);
	target_write(t, c);
	t->dump_ok = was_ok && !lost;
}

static void cycle_cb(void *arg, struct scrape_target *st, const struct scrape_cycle *c)
{
	struct target *t = scrape_target_user(st);
	struct pipeline *p = t->p;
	double now = (double)c->at_ms / 1000, restarted_at;

	(void)arg;
	p->cycles++;
	pipeline_mind_clock(p, c->at_ms);
	p->now_ms = c->at_ms;
	p->batch = p->events.begin(p->events.arg);
	if (t->between) {
		end_between(t, c);
		end_cycle(p, t);
		return;
	}
	note_endpoints(t, c);
	if (t->metrics_ok)
		vitals_end(t->vitals, now);
	else
		vitals_abandon(t->vitals);
	if (t->dump_ok) {
		if (t->asked_symbols)
			tally_no_symbols(t->tally);
		tally_end(t->tally, now);
	} else {
		tally_abandon(t->tally);
	}
	if (target_restarted(t, &restarted_at))
		target_begin_run(t, restarted_at);
	t->broke = t->broke && !t->dump_ok;
	if (t->dump_ok) {
		target_sync_classes(t, now);
		target_resorted(t);
	}
	note_state(t, c);
	if (t->dump_ok) {
		target_note_limits(t, c);
		target_note_replicas(t);
	}
	target_judge(t, now, t->dump_ok, t->metrics_ok);
	target_say_evidence(t);
	target_judge_stuck(t, now, t->dump_ok);
	target_cost_sample(t, now);
	finding_update(t->findings, t->view, t->nslots, now, t->dump_ok);
	target_cost_ask(t, now);
	target_host_sample(t, now);
	target_tell_state(t, c->at_ms);
	target_write(t, c);
	target_put_exhibit(t);
	end_cycle(p, t);
	if (t->dump_ok)
		target_inquire(t, st);
}

const struct scrape_events pipeline_scrape_events = {
	.begin = begin_cb,
	.between = between_cb,
	.goroutines = goroutines_cb,
	.goroutines_end = goroutines_end_cb,
	.symbols = symbols_cb,
	.metrics = metrics_cb,
	.metrics_end = metrics_end_cb,
	.cycle = cycle_cb,
};

/* ---- life ---- */

static struct str host_label(const struct config *config)
{
	for (size_t i = 0; i < config->external_labels.n; i++) {
		if (str_is(config->external_labels.v[i].key, "host"))
			return config->external_labels.v[i].value;
	}
	return (struct str){0};
}

struct pipeline *pipeline_new(const struct config *config, struct alert_table *alerts,
	struct store_maxima *ids, const struct pipeline_events *events, struct err *err)
{
	struct pipeline *p = xcalloc(1, sizeof(*p));
	char name[256] = "";

	p->config = config;
	p->alerts = alerts;
	p->ids = ids;
	p->events = *events;
	p->rules = ruleset_new(config, err);
	if (!p->rules) {
		free(p);
		return NULL;
	}
	p->known = map_new();
	p->lines = map_new();
	if (gethostname(name, sizeof(name) - 1) == 0)
		p->host_owned = xstrdup(name);
	pipeline_set_host(p);
	return p;
}

void pipeline_set_host(struct pipeline *p)
{
	p->host = host_label(p->config);
	if (!p->host.len)
		p->host = str_of(p->host_owned);
}

void target_free(struct target *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < finding_count(t->findings); i++)
		free(finding_at(t->findings, i)->user);
	finding_set_free(t->findings);
	target_inquiry_free(t);
	target_free_slots(t);
	tally_free(t->tally);
	stuck_free(t->stuck);
	gdump_free(t->gdump);
	vitals_free(t->vitals);
	versions_release(&t->versions);
	prom_free(t->prom);
	free(t->metrics);
	cost_free(t->cost);
	target_host_free(t);
	free(t->before);
	free(t->earlier);
	free(t->job_name);
	free(t->instance);
	free(t->line);
	free(t->labels_json);
	arena_release(&t->labels_arena);
	ruleset_drop(t->p, t->rules);
	free(t);
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->ntargets; i++)
		target_free(p->targets[i]);
	for (size_t i = 0; i < p->nparked; i++)
		target_free(p->parked[i]);
	free(p->targets);
	free(p->parked);
	loaded_free(p->loaded);
	map_free(p->known, NULL);
	map_free(p->lines, NULL);
	pipeline_free_releases(p);
	ruleset_drop(p, p->rules);
	free(p->host_owned);
	free(p);
}

/* Asks the metrics endpoint for what the job and the rules name. */
int target_want_metrics(struct target *t, struct err *err)
{
	const struct config *c = t->rules->config;

	t->load = -1;
	if (t->job && t->job->load_metric.len) {
		t->load = vitals_want(t->vitals, t->job->load_metric, err);
		if (t->load < 0)
			return err_wrap(err, "load_metric");
	}
	for (size_t i = 0; i < c->nrules; i++) {
		const struct rule *r = &c->rules[i];

		if (r->load_metric.len && vitals_want(t->vitals, r->load_metric, err) < 0)
			return err_wrap(err, "class %.*s: load_metric", STR_ARG(r->name));
		if (r->expect_metric.len && vitals_want(t->vitals, r->expect_metric, err) < 0)
			return err_wrap(err, "class %.*s: max_metric", STR_ARG(r->name));
	}
	return 0;
}

void target_make_tally(struct target *t)
{
	struct tally_limits limits = TALLY_LIMITS_DEFAULT;

	limits.classes = (uint32_t)t->rules->config->classes_max;
	t->tally = tally_new(t->rules->classifier, &limits);
	target_watch_waits(t);
}

static void make_parsers(struct target *t)
{
	struct gdump_sink groups;
	struct prom_sink samples;
	struct finding_events findings = target_finding_events;

	t->stuck = stuck_new();
	target_make_tally(t);
	groups = tally_sink(t->tally);
	t->gdump = gdump_new(&groups);
	t->vitals = vitals_new();
	samples = vitals_sink(t->vitals);
	t->prom = prom_new(&samples, PROM_TIME_MS);
	findings.arg = t;
	t->findings = finding_set_new(&t->rules->config->detect, &findings);
}

static char *labels_json(const struct config_labels *labels)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct buf out = BUF_INIT;

	for (size_t i = 0; i < labels->n; i++)
		alert_labels_put(&l, labels->v[i].key, labels->v[i].value);
	alert_labels_json(&l, &out);
	alert_labels_release(&l);
	return buf_take(&out);
}

/* Copied: discovery's lists and configurations come and go. */
void target_set_labels(struct target *t, const struct config_labels *labels)
{
	struct arena a = ARENA_INIT;
	struct label *v = arena_calloc(&a, labels->n + 1, sizeof(*v));

	for (size_t i = 0; i < labels->n; i++)
		v[i] = (struct label){.key = arena_str(&a, labels->v[i].key),
			.value = arena_str(&a, labels->v[i].value)};
	arena_release(&t->labels_arena);
	t->labels_arena = a;
	t->labels = (struct config_labels){.v = v, .n = labels->n};
	free(t->labels_json);
	t->labels_json = labels_json(&t->labels);
	t->target_at_ms = 0; /* its row is another one */
}

static struct target *new_target(struct pipeline *p, const struct config_job *job,
	struct str instance, const struct config_labels *labels)
{
	struct target *t = xcalloc(1, sizeof(*t));

	t->p = p;
	t->rules = p->rules;
	t->rules->users++;
	t->job = job;
	t->job_name = str_dup(job->name);
	t->instance = str_dup(instance);
	t->labels_arena = (struct arena)ARENA_INIT;
	target_set_labels(t, labels);
	target_set_line(t);
	t->first_at = t->last_at = t->run_start = NAN;
	t->load = -1;
	t->need_full = true;
	make_parsers(t);
	return t;
}

static void add_to_targets(struct pipeline *p, struct target *t, int64_t now_ms)
{
	p->targets = xrealloc(p->targets, p->ntargets + 1, sizeof(*p->targets));
	p->targets[p->ntargets++] = t;
	t->added_ms = now_ms;
	t->leaves = false;
}

/* One that left a short while ago, under the same name or as one of the same line. */
static struct target *add_parked(struct pipeline *p, const struct config_job *job,
	const struct target *wanted, int64_t now_ms)
{
	struct target *t = pipeline_take_parked(p, wanted->job_name, wanted->instance);

	if (t) {
		add_to_targets(p, t, now_ms);
		pipeline_update(t, job, &wanted->labels, now_ms);
		target_rewant(t); /* the job may name another load_metric */
		t->target_at_ms = 0;
		return t;
	}
	if (!pipeline_knows(p, job->name, str_of(wanted->instance)))
		t = lineage_take_parked(p, wanted);
	if (!t)
		return NULL;
	add_to_targets(p, t, now_ms);
	target_become(t, job, str_of(wanted->instance), &wanted->labels, now_ms);
	return t;
}

struct target *pipeline_add(struct pipeline *p, const struct config_job *job, struct str instance,
	const struct config_labels *labels, int64_t now_ms, struct err *err)
{
	struct target *t = new_target(p, job, instance, labels), *parked;

	parked = add_parked(p, job, t, now_ms);
	if (parked) {
		target_free(t);
		return parked;
	}
	if (target_want_metrics(t, err) || target_take_loaded(t, now_ms, err)) {
		target_free(t);
		return NULL;
	}
	add_to_targets(p, t, now_ms);
	if (t->continues)
		target_succeed(t, t->continues, now_ms);
	t->continues = NULL;
	target_restore_findings(t);
	return t;
}

void pipeline_save_all(struct pipeline *p, int64_t now_ms)
{
	for (size_t i = 0; i < p->ntargets; i++) {
		p->batch = p->events.begin(p->events.arg);
		target_save(p->targets[i], now_ms);
		p->events.commit(p->events.arg, p->batch);
		p->batch = NULL;
	}
}

void pipeline_stats(const struct pipeline *p, struct pipeline_stats *out)
{
	memset(out, 0, sizeof(*out));
	out->targets = p->ntargets;
	out->cycles = p->cycles;
	out->bodies_lost = p->bodies_lost;
	out->looks = p->looks;
	for (size_t i = 0; i < p->ntargets; i++) {
		const struct target *t = p->targets[i];

		out->up += t->up;
		out->over_budget += t->every > 1;
		out->series += t->nslots;
		out->classes += tally_count(t->tally);
		out->findings += finding_count(t->findings);
	}
}
