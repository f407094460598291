#include "pipeline_evidence.h"
#include "pipeline_forever.h"
#include "pipeline_reload.h"
#include "pipeline_stuck.h"
#include "pipeline_releases.h"
#include "log.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* process_start_time_seconds of one process wobbles by up to a second when the host's clock is set
 * (the kernel's btime); more than that is another process. */
#define START_WOBBLE_S 1.5

/* ---- slots ---- */

struct slot *target_slot(struct target *t, enum series_kind kind, struct str name)
{
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;

		if (s->kind == kind && (kind != SERIES_CLASS || str_is(name, s->name)))
			return &t->slots[i];
	}
	return NULL;
}

static enum vital vital_of(enum series_kind kind)
{
	switch (kind) {
	case SERIES_FDS:
		return VITAL_FDS;
	case SERIES_THREADS:
		return VITAL_THREADS;
	case SERIES_MEMORY:
		return VITAL_RESIDENT;
	case SERIES_HEAP:
		return VITAL_HEAP_INUSE;
	default:
		return VITALS;
	}
}

struct slot *target_add_slot(struct target *t, enum series_kind kind, struct str name)
{
	struct slot s = {.vital = vital_of(kind), .load = -1, .expect = -1, .cost.at = NAN};

	s.series = series_new(kind, name, &t->rules->config->detect);
	t->slots = xrealloc(t->slots, t->nslots + 1, sizeof(*t->slots));
	t->view = xrealloc(t->view, t->nslots + 1, sizeof(*t->view));
	t->slots[t->nslots] = s;
	t->view[t->nslots] = s.series;
	return &t->slots[t->nslots++];
}

void target_free_slots(struct target *t)
{
	for (size_t i = 0; i < t->nslots; i++)
		series_free(t->slots[i].series);
	free(t->slots);
	free(t->view);
}

/* The metrics that a rule names; they were accepted when the target was added. */
void target_set_rule(struct target *t, struct slot *s, const struct rule *rule)
{
	s->load = s->expect = -1;
	s->series->builtin = rule && rule->builtin;
	detect_set_limit(s->series->detect, rule ? rule->limit : NAN);
	if (!rule)
		return;
	if (rule->load_metric.len)
		s->load = vitals_want(t->vitals, rule->load_metric, NULL);
	if (rule->expect_metric.len)
		s->expect = vitals_want(t->vitals, rule->expect_metric, NULL);
}

/* ---- what is known of a series before its first sample ---- */

static void prepare(struct target *t, struct series *s, double now)
{
	double from = t->first_at;

	if (!isnan(t->run_start))
		detect_started(s->detect, t->run_start);
	if (isnan(from))
		return; /* it is there since the target's first body */
	if (!isnan(t->run_start))
		from = MAX(from, t->run_start);
	if (from < now)
		detect_zero_since(s->detect, from, now);
}

/* A class that took a forgotten one's place begins with a series of its own. */
static void replace_series(struct target *t, size_t i, const struct tally_class *c, double now)
{
	struct slot *s = &t->slots[i];

	finding_drop(t->findings, s->series);
	series_free(s->series);
	s->series = series_new(SERIES_CLASS, str_of(c->name), &t->rules->config->detect);
	t->view[i] = s->series;
	s->class_id = 0;
	s->stored = false;
	s->example = 0;
	target_cost_forget(t, s);
	prepare(t, s->series, now);
}

/* Each class of the tally has a slot; a new one was 0 before. */
void target_sync_classes(struct target *t, double now)
{
	for (size_t i = 0; i < tally_count(t->tally); i++) {
		struct tally_class *c = tally_at(t->tally, i);
		struct slot *s;

		if (c->user) {
			s = &t->slots[(uintptr_t)c->user - 1];
			if (s->generation == c->generation)
				continue;
			replace_series(t, (uintptr_t)c->user - 1, c, now);
		} else {
			s = target_add_slot(t, SERIES_CLASS, str_of(c->name));
			if (strcmp(c->name, TALLY_OTHER) == 0)
				log_msg(LEVEL_WARNING,
					"target %s/%s: more than limits.classes_per_target (%llu) "
					"classes: further goroutines are counted as \"" TALLY_OTHER
					"\", which is judged",
					t->job_name, t->instance,
					(unsigned long long)t->rules->config->classes_max);
			c->user = (void *)(uintptr_t)t->nslots;
			prepare(t, s->series, now);
		}
		s->class = c;
		s->generation = c->generation;
		target_set_rule(t, s, c->rule);
	}
}

static void need_slot(struct target *t, enum series_kind kind, double now)
{
	struct slot *s;

	if (target_slot(t, kind, (struct str){0}))
		return;
	s = target_add_slot(t, kind, str_of(series_kind_metric(kind)));
	/* It is not 0 before it was seen, as a class is: only the start is known. */
	if (!isnan(t->run_start) && t->run_start < now)
		detect_started(s->series->detect, t->run_start);
}

static void sync_process(struct target *t, double now, bool goroutines, bool metrics)
{
	static const enum series_kind kinds[] = {
		SERIES_FDS, SERIES_THREADS, SERIES_MEMORY, SERIES_HEAP};

	if (goroutines)
		need_slot(t, SERIES_TOTAL, now);
	for (size_t i = 0; metrics && i < ARRAY_LEN(kinds); i++) {
		if (!isnan(vitals_get(t->vitals, vital_of(kinds[i]))))
			need_slot(t, kinds[i], now);
	}
	if (!isnan(target_host_anon(t))) {
		need_slot(t, SERIES_ANON, now);
		detect_set_limit(target_slot(t, SERIES_ANON, (struct str){0})->series->detect,
			target_host_limit(t));
	}
	/* Descriptors end at what the process may open: a rise that would be there soon is urgent.
	 */
	if (metrics && target_slot(t, SERIES_FDS, (struct str){0}))
		detect_set_limit(target_slot(t, SERIES_FDS, (struct str){0})->series->detect,
			vitals_get(t->vitals, VITAL_MAX_FDS));
}

/* ---- judging ---- */

static double pick(const double *selected, int number)
{
	return number >= 0 && selected ? selected[number] : NAN;
}

/* How many of a class are healthy by its rule; subtract is what the detector takes off. */
static void expectation(const struct slot *s, const double *selected, struct series_context *ctx)
{
	const struct rule *rule = s->class ? s->class->rule : NULL;

	if (!rule)
		return;
	if (s->expect >= 0) {
		ctx->subtract = rule->expect_factor * pick(selected, s->expect);
		ctx->expected = ctx->subtract + rule->expect_slack;
	} else if (!isnan(rule->expect_max)) {
		ctx->expected = rule->expect_max + rule->expect_slack;
	}
}

/*
 * Of all goroutines of the total, those that rules expect: they are judged by their rules, and the
 * total by what is left.  values are by slot; NAN when a metric that a rule names is not known now.
 */
static double expected_of_total(
	const struct target *t, const double *values, const double *selected)
{
	double sum = 0;

	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];
		struct series_context ctx = {.expected = NAN};

		if (!s->class || s->class->ignored || isnan(values[i]))
			continue;
		expectation(s, selected, &ctx);
		if (isnan(ctx.subtract))
			return NAN;
		if (!isnan(ctx.expected))
			sum += MIN(values[i], ctx.expected);
	}
	return sum;
}

/* subtract is NAN when the number of healthy ones is not known now: then nothing can be judged. */
struct series_context target_context(
	const struct target *t, const struct slot *s, const double *values, const double *selected)
{
	struct series_context ctx = {.load = NAN, .expected = NAN};

	ctx.load = pick(selected, s->load >= 0 ? s->load : t->load);
	ctx.blocked = s->class && s->class->example.wait != WAIT_NONE;
	if (s->series->kind == SERIES_TOTAL)
		ctx.subtract = expected_of_total(t, values, selected);
	else
		expectation(s, selected, &ctx);
	return ctx;
}

/* The value of a slot in this cycle; NAN when its endpoint did not tell it. */
static double value_now(const struct target *t, const struct slot *s, bool goroutines, bool metrics)
{
	if (s->series->kind == SERIES_CLASS)
		return goroutines && s->class ? (double)s->class->count : NAN;
	if (s->series->kind == SERIES_ANON)
		return target_host_anon(t);
	if (s->series->kind == SERIES_TOTAL)
		return goroutines ? (double)tally_judged_total(t->tally) : NAN;
	return metrics ? vitals_get(t->vitals, s->vital) : NAN;
}

static void log_change(const struct target *t, const struct series *s, enum verdict_state old)
{
	log_msg(LEVEL_INFO, "target %s/%s: %s: %s -> %s%s%s", t->job_name, t->instance, s->name,
		verdict_state_name(old), verdict_state_name(s->verdict.state),
		s->verdict.reason[0] ? ": " : "", s->verdict.reason);
}

/* Changes between these two come often and tell a person nothing. */
static bool worth_a_line(enum verdict_state a, enum verdict_state b)
{
	return a > VERDICT_WATCHING || b > VERDICT_WATCHING;
}

static void judge_slot(
	struct target *t, size_t i, double now, const double *values, const double *selected)
{
	struct slot *s = &t->slots[i];
	double value = values[i];
	struct series_context ctx;
	enum verdict_state old = s->series->verdict.state;

	if (isnan(value))
		return;
	if (s->class && s->class->ignored) {
		s->series->at = now;
		s->series->value = value;
		return;
	}
	ctx = target_context(t, s, values, selected);
	if (isnan(ctx.subtract))
		return;
	if (series_sample(s->series, &t->rules->config->detect, now, value, &ctx) &&
		worth_a_line(old, s->series->verdict.state) && old != s->series->verdict.state)
		log_change(t, s->series, old);
}

static const double *selected_now(struct target *t, double *out)
{
	for (int i = 0; i < VITALS_SELECTORS_MAX; i++)
		out[i] = vitals_selected(t->vitals, i);
	return out;
}

static void count_suspects(struct target *t)
{
	t->suspects = 0;
	for (size_t i = 0; i < t->nslots; i++) {
		enum verdict_state state = t->slots[i].series->verdict.state;

		t->suspects += state == VERDICT_SUSPECT || state == VERDICT_HELD;
	}
}

void target_judge(struct target *t, double now, bool goroutines, bool metrics)
{
	double selected[VITALS_SELECTORS_MAX], *values;

	if (metrics && t->run_id)
		versions_note(&t->versions, t->run_start_ms, str_of(vitals_version(t->vitals)));
	selected_now(t, selected);
	sync_process(t, now, goroutines, metrics);
	values = xcalloc(t->nslots, sizeof(*values));
	for (size_t i = 0; i < t->nslots; i++)
		values[i] = value_now(t, &t->slots[i], goroutines, metrics);
	for (size_t i = 0; i < t->nslots; i++)
		judge_slot(t, i, now, values, selected);
	free(values);
	count_suspects(t);
	if (goroutines) {
		target_judge_forever(t);
		if (isnan(t->first_at))
			t->first_at = now;
		t->last_at = now;
		target_note_release(t);
	}
}

void target_judge_count(struct target *t, double now, uint64_t count)
{
	struct slot *total = target_slot(t, SERIES_TOTAL, (struct str){0});
	uint64_t ignored = tally_total(t->tally) - tally_judged_total(t->tally);
	double selected[VITALS_SELECTORS_MAX], *values;

	if (!total)
		return;
	/* What is expected of the classes is as the last dump had it. */
	values = xcalloc(t->nslots, sizeof(*values));
	for (size_t i = 0; i < t->nslots; i++)
		values[i] = t->slots[i].series->value;
	values[total - t->slots] = (double)(count - MIN(count, ignored));
	judge_slot(t, (size_t)(total - t->slots), now, values, selected_now(t, selected));
	free(values);
}

/* ---- runs ---- */

void target_note_counts(struct target *t)
{
	size_t n = tally_count(t->tally);
	uint64_t *old = t->earlier;

	t->earlier = t->before;
	t->nearlier = t->nbefore;
	t->total_earlier = t->total_before;
	t->before = xrealloc(old, n, sizeof(*t->before));
	t->nbefore = n;
	t->total_before = tally_total(t->tally);
	for (size_t i = 0; i < n; i++)
		t->before[i] = tally_at(t->tally, i)->count;
}

/* A process that ends takes its connections with it; when we hung up ourselves, nothing is known.
 */
void target_note_connection(struct target *t, const struct fetch_result *r)
{
	if (r->end == FETCH_REFUSED || (r->end == FETCH_OK && t->keeps && !r->kept))
		t->broke = true;
	if (r->end != FETCH_CUT)
		t->keeps = r->kept;
}

static bool halved(uint64_t before, uint64_t now)
{
	return before > 0 && now * 2 <= before;
}

/* A class that was thought to leak has lost half of its goroutines at once. */
static bool leak_halved(const struct target *t)
{
	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];

		if (s->class && s->class->index < t->nbefore &&
			s->series->verdict.state > VERDICT_WATCHING &&
			halved(t->before[s->class->index], s->class->count))
			return true;
	}
	return false;
}

/*
 * Without a start time a restart is a fall of the total by half and of most classes at once.  Where
 * the connection broke as well, the total's fall or that of a leaking class is enough: most classes
 * of a small service have one goroutine in every run.
 */
static bool all_fell(const struct target *t)
{
	bool total_halved = halved(t->total_before, tally_total(t->tally));
	size_t had = 0, fell = 0;

	if (t->broke && (total_halved || leak_halved(t)))
		return true;
	if (!total_halved)
		return false;
	for (size_t i = 0; i < t->nbefore; i++) {
		if (t->before[i] == 0)
			continue;
		had++;
		fell += tally_at(t->tally, i)->count < t->before[i];
	}
	return fell * 2 > had;
}

/* It answers for the first time in another one's place: that is a restart, whatever it says. */
static bool succeeded(struct target *t, double start, double now, double *at)
{
	if (!t->successor || (!t->dump_ok && !t->metrics_ok))
		return false;
	t->successor = false;
	t->run_start = start;
	*at = isnan(t->last_at) ? now : MIN(MAX(isnan(start) ? now : start, t->last_at), now);
	return true;
}

bool target_restarted(struct target *t, double *at)
{
	double start = t->metrics_ok ? vitals_get(t->vitals, VITAL_START) : NAN;
	double now = (double)t->p->now_ms / 1000;
	bool known = !isnan(t->run_start);

	if (!isnan(start))
		target_note_start(t, start);
	if (succeeded(t, start, now, at))
		return true;
	if (!isnan(start)) {
		t->run_start = start;
		if (!known || fabs(start - t->run_start_ms / 1000.0) <= START_WOBBLE_S) {
			if (!known && t->run_id == 0)
				target_begin_run(t, start); /* the first: no restart */
			t->run_start_ms = (int64_t)(start * 1000);
			return false;
		}
		*at = isnan(t->last_at) ? start : MIN(MAX(start, t->last_at), now);
		return true;
	}
	if (t->dump_ok && t->run_id == 0)
		target_begin_run(t, now);
	if (known || !t->dump_ok || isnan(t->last_at) || !all_fell(t))
		return false;
	*at = now;
	return true;
}

void target_begin_run(struct target *t, double at)
{
	bool first = t->run_id == 0;

	t->run_id = ++t->p->ids->run_id;
	t->run_start_ms = (int64_t)((isnan(t->run_start) ? at : t->run_start) * 1000);
	t->run_first_ms = t->p->now_ms;
	if (first)
		return;
	t->restarts++;
	log_msg(LEVEL_INFO, "target %s/%s: the process was restarted", t->job_name, t->instance);
	target_end_release(t);
	tally_new_run(t->tally);
	stuck_forget(t->stuck);
	vitals_new_run(t->vitals);
	target_cost_reset(t);
	target_host_reset(t);
	target_inquiry_reset(t);
	target_forever_reset(t);
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;
		enum verdict_state old = s->verdict.state;

		if (series_restart(s, at) && worth_a_line(old, s->verdict.state))
			log_change(t, s, old);
		s->recorded_at = 0; /* so that no stored record lies before the restart */
	}
}
