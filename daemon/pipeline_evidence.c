#include "pipeline_evidence.h"
#include "pipeline_forever.h"
#include "log.h"
#include "pipeline_inquiry.h"
#include "pipeline_reload.h"
#include "pipeline_stuck.h"
#include "pprof_index.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A look that could not be had is tried again after that long, scaled with detect.window. */
#define AGAIN_S 600.0
/* … one that ended at another process, after this and more each time. */
#define SOON_S 60.0
struct inquiry *target_need_inquiry(struct target *t)
{
	struct inquiry *q = t->inquiry;

	if (q)
		return q;
	q = t->inquiry = xcalloc(1, sizeof(*q));
	q->evidence = evidence_new(t->rules->config->detect.window_s);
	pause_init(&q->pause);
	buf_init(&q->page);
	buf_init(&q->kept);
	buf_init(&q->words);
	q->shown = map_new();
	return q;
}

struct evidence *target_evidence(const struct target *t)
{
	return t->inquiry ? t->inquiry->evidence : NULL;
}

const char *target_unseen_why(const struct target *t)
{
	return t->inquiry ? t->inquiry->why : "";
}

/* What a look left behind that did not end, too. */
static void end_look(struct inquiry *q)
{
	gdump_free(q->parser);
	exhibit_free(q->exhibit);
	q->parser = NULL;
	q->exhibit = NULL;
	evidence_end(q->evidence, false);
	evidence_proof_end(q->evidence, false, NULL, NULL);
	buf_release(&q->page);
}

void target_inquiry_free(struct target *t)
{
	struct inquiry *q = t->inquiry;

	if (!q)
		return;
	end_look(q);
	evidence_free(q->evidence);
	buf_release(&q->kept);
	buf_release(&q->words);
	map_free(q->shown, NULL);
	free(q);
	t->inquiry = NULL;
}

/* What counts may decide in all classes. */
static void hold_counts(struct target *t, enum detect_counts counts)
{
	for (size_t i = 0; i < t->nslots; i++) {
		if (t->slots[i].class)
			detect_set_counts(t->slots[i].series->detect, counts);
	}
}

void target_inquiry_reset(struct target *t)
{
	struct inquiry *q = t->inquiry;

	if (!q)
		return;
	hold_counts(t, DETECT_COUNTS_DECIDE);
	evidence_new_run(q->evidence);
	pause_new_run(&q->pause);
	q->proof_absent = q->owes_cost = false;
	q->again_at = 0;
	q->odd = 0;
	q->why[0] = '\0';
}

/* ---- what is suspected ----------------------------------------------------------------------- */

static enum evidence_interest interest_in(const struct target *t, const struct slot *s, double now)
{
	const struct series *series = s->series;

	if (!s->class || s->class->ignored)
		return EVIDENCE_NONE;
	if (series->verdict.state <= VERDICT_WATCHING &&
		(target_stuck_soon(t, series) || series->forever_since > 0))
		return EVIDENCE_LEAKING; /* who waits for which lock, and whether still */
	switch (series->verdict.state) {
	case VERDICT_SUSPECT:
		return series->verdict.was_leaking ? EVIDENCE_NONE : EVIDENCE_SUSPECT;
	case VERDICT_LEAKING:
		return EVIDENCE_LEAKING;
	default:
		/* At or under `expect` a rise is healthy, however fast. */
		if (!isnan(series->expected) && series->value <= series->expected)
			return EVIDENCE_NONE;
		if (detect_rises_fast(series->detect))
			return EVIDENCE_FAST;
		return target_forever_glance(t, s, now) ? EVIDENCE_LEAKING : EVIDENCE_NONE;
	}
}

static void follow_classes(struct target *t, double now)
{
	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];
		enum evidence_interest interest = interest_in(t, s, now);
		double growth = s->series->verdict.rate_per_hour;
		const struct evidence_class *c;

		if (interest != EVIDENCE_NONE)
			target_need_inquiry(t);
		if (!t->inquiry || !s->class)
			continue;
		evidence_follow(t->inquiry->evidence, str_of(s->series->name), interest,
			isnan(growth) ? 0 : growth, now, t->run_start);
		c = evidence_find(t->inquiry->evidence, str_of(s->series->name));
		if (c)
			evidence_want(t->inquiry->evidence, str_of(c->name),
				target_stuck_look(t, s->series, c));
		if (!c || !c->survival) /* the suspicion is over, and what was seen old */
			detect_set_counts(s->series->detect, DETECT_COUNTS_DECIDE);
	}
}

/* ---- what it costs --------------------------------------------------------------------------- */

static double pauses_now(const struct target *t)
{
	return t->metrics_ok ? vitals_get(t->vitals, VITAL_PAUSES) : NAN;
}

/* The metrics after a dump say what it stopped the target for, at the most. */
static void settle_cost(struct target *t)
{
	struct inquiry *q = t->inquiry;
	double more;

	if (!q || !q->owes_cost)
		return;
	more = (pauses_now(t) - q->pauses_before) * 1000;
	if (more >= 0 && (isnan(q->cost_ms) || more < q->cost_ms))
		q->cost_ms = more;
	q->cost_ms = pause_learn(&q->pause, q->goroutines, q->frames, q->bytes, q->cost_ms);
	q->owes_cost = false;
	t->p->looks.paused_s += q->cost_ms / 1000;
	t->p->looks.predicted_s += q->predicted_ms / 1000;
	log_msg(LEVEL_DEBUG,
		"target %s/%s: looked at %llu goroutines one by one; it was stopped for %.1f ms at "
		"most, %.1f ms were predicted",
		t->job_name, t->instance, (unsigned long long)q->goroutines, q->cost_ms,
		q->predicted_ms);
}

void target_inquire(struct target *t, struct scrape_target *st)
{
	double now = (double)t->p->now_ms / 1000;
	struct inquiry *q;

	settle_cost(t);
	follow_classes(t, now);
	q = t->inquiry;
	if (!q || scrape_looking(st) || now < q->again_at)
		return;
	if (evidence_due(q->evidence) > now)
		return;
	if (target_takes_turns(t)) {
		snprintf(q->why, sizeof(q->why), "several processes answer in turns");
		return;
	}
	end_look(q); /* one that was cut off, with the scrape target that took it */
	scrape_look(st, evidence_urgency(q->evidence));
}

/* ---- a look ---------------------------------------------------------------------------------- */

static const char *class_cb(void *arg, const struct group *g, const struct stack *s)
{
	struct target *t = arg;
	const struct tally_class *c = tally_find(t->tally, s, g->hidden, g->nhidden);

	return c ? c->name : NULL;
}

/* No dump now, and when the next one may be had; the reason is told. */
static void do_without(struct target *t, enum pipeline_look_end end, double again_s, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;
	double window_s = t->rules->config->detect.window_s;

	t->p->looks.ended[end]++;
	q->again_at = (double)at_ms / 1000 + again_s * window_s / 120;
	log_limited(end == PIPELINE_LOOK_OTHER ? LEVEL_WARNING : LEVEL_INFO, t->instance,
		"target %s/%s: goroutines are not looked at: %s", t->job_name, t->instance, q->why);
}

/* None can be had: counts decide alone. */
static void leave_to_counts(struct target *t, enum pipeline_look_end end, int64_t at_ms)
{
	hold_counts(t, DETECT_COUNTS_DECIDE);
	do_without(t, end, AGAIN_S, at_ms);
}

/*
 * A dump of another process says nothing for or against: it is asked for again soon.  Not so where
 * they are all odd: then what they were held against is forgotten, and counts decide.
 */
static void pass_over(struct target *t, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;

	if (target_dumps_are_odd(t)) {
		evidence_new_run(q->evidence);
		q->odd = 0;
		leave_to_counts(t, PIPELINE_LOOK_OTHER, at_ms);
		return;
	}
	do_without(t, PIPELINE_LOOK_OTHER, q->odd * SOON_S, at_ms);
}

static enum look_part next_proof(struct target *t)
{
	struct inquiry *q = t->inquiry;
	struct gdump_sink sink;

	if (!q->proof_wanted) {
		end_look(q);
		return LOOK_PARTS;
	}
	q->proof_wanted = false;
	evidence_proof_begin(q->evidence, class_cb, t);
	sink = evidence_proof_sink(q->evidence);
	gdump_free(q->parser);
	q->parser = gdump_new(&sink);
	return LOOK_LEAKS;
}

/* A page of another make says nothing: then the last routine dump tells how many there are. */
static uint64_t goroutines_now(struct target *t, const struct scrape_endpoint *e)
{
	struct inquiry *q = t->inquiry;
	struct pprof_index index;

	if (!e->up || !pprof_index_parse(buf_str(&q->page), &index))
		return tally_total(t->tally);
	q->proof_wanted =
		index.goroutineleak && !q->proof_absent && evidence_wants_proof(q->evidence);
	return MAX(index.goroutines, (uint64_t)1);
}

static enum look_part index_ended(
	struct target *t, const struct scrape_endpoint *e, double first_byte_ms, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;
	double limit_ms = (double)t->p->config->max_pause_ms;
	uint64_t n = goroutines_now(t, e);
	struct gdump_sink sink;

	buf_release(&q->page);
	q->index_ms = first_byte_ms;
	q->predicted_ms = pause_predict(&q->pause, n);
	if (q->predicted_ms > limit_ms) {
		snprintf(q->why, sizeof(q->why),
			"a dump of its %llu goroutines one by one would stop it for about %.0f ms "
			"in all, and evidence.max_pause is %.0f ms",
			(unsigned long long)n, q->predicted_ms, limit_ms);
		leave_to_counts(t, PIPELINE_LOOK_BUDGET, at_ms);
		return next_proof(t);
	}
	q->dump_at_ms = at_ms;
	q->pauses_before = pauses_now(t);
	evidence_begin(q->evidence, (double)at_ms / 1000, class_cb, t);
	sink = evidence_sink(q->evidence);
	q->parser = gdump_new(&sink);
	q->exhibit = exhibit_new();
	return LOOK_DUMP;
}

/* Is it a whole dump of single goroutines?  Else why says what was received. */
static bool dump_is_whole(struct inquiry *q, const struct scrape_endpoint *e)
{
	const struct gdump_stats *s = gdump_stats(q->parser);
	struct err err = ERR_INIT;

	if (!e->up) {
		snprintf(q->why, sizeof(q->why), "%s", e->why);
	} else if (gdump_finish(q->parser, &err)) {
		snprintf(q->why, sizeof(q->why), "%s", err.msg);
	} else if (s->format != GDUMP_DEBUG2) {
		snprintf(q->why, sizeof(q->why),
			"goroutine?debug=2 answers with a dump of format %s",
			gdump_format_name(s->format));
	} else if (s->truncated || s->lost) {
		snprintf(q->why, sizeof(q->why),
			"goroutine?debug=2 was cut after %llu goroutines and %llu bytes",
			(unsigned long long)s->parsed, (unsigned long long)s->bytes);
	} else {
		q->why[0] = '\0';
		return true;
	}
	return false;
}

static enum look_part dump_ended(
	struct target *t, const struct scrape_endpoint *e, double first_byte_ms, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;
	const struct gdump_stats *s = gdump_stats(q->parser);
	bool whole = dump_is_whole(q, e);
	bool own = whole && target_dump_is_own(t, q->why, sizeof(q->why));

	evidence_end(q->evidence, own);
	if (own) {
		t->p->looks.ended[PIPELINE_LOOK_DUMP]++;
		inquiry_keep_exhibit(q);
		target_conclude(t, q->dump_at_ms);
	} else if (whole) {
		pass_over(t, at_ms);
	} else {
		leave_to_counts(t,
			e->status / 100 == 4 ? PIPELINE_LOOK_ABSENT : PIPELINE_LOOK_FAILED, at_ms);
	}
	/* It stopped the target also when we could not use it. */
	q->owes_cost = e->up;
	q->goroutines = evidence_goroutines(q->evidence);
	q->frames = evidence_frames(q->evidence);
	q->bytes = s->bytes;
	q->cost_ms = fmax(0, first_byte_ms - (isnan(q->index_ms) ? 0 : q->index_ms));
	return next_proof(t);
}

static uint64_t count_cb(void *arg, struct str class)
{
	struct target *t = arg;
	const struct slot *s = target_slot(t, SERIES_CLASS, class);

	return s && s->class ? s->class->count : 0;
}

static enum look_part leaks_ended(struct target *t, const struct scrape_endpoint *e, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;
	bool whole = e->up && gdump_finish(q->parser, NULL) == 0 &&
		     gdump_stats(q->parser)->format == GDUMP_LEAK &&
		     gdump_stats(q->parser)->lost == 0;

	q->proof_absent = e->status == 404;
	evidence_proof_end(q->evidence, whole, count_cb, t);
	if (whole) {
		t->p->looks.proofs++;
		target_conclude(t, at_ms);
	}
	end_look(q);
	return LOOK_PARTS;
}

static bool body_cb(
	void *arg, struct scrape_target *st, enum look_part part, const char *p, size_t n)
{
	struct target *t = scrape_target_user(st);
	struct inquiry *q = t->inquiry;

	(void)arg;
	if (part == LOOK_INDEX) {
		buf_add(&q->page, p, n);
		return true;
	}
	gdump_feed(q->parser, p, n);
	if (part == LOOK_DUMP)
		exhibit_feed(q->exhibit, p, n);
	return true;
}

static enum look_part end_cb(void *arg, struct scrape_target *st, enum look_part part,
	const struct scrape_endpoint *e, double first_byte_ms, int64_t at_ms)
{
	struct target *t = scrape_target_user(st);

	(void)arg;
	switch (part) {
	case LOOK_INDEX:
		return index_ended(t, e, first_byte_ms, at_ms);
	case LOOK_DUMP:
		return dump_ended(t, e, first_byte_ms, at_ms);
	default:
		return leaks_ended(t, e, at_ms);
	}
}

const struct scrape_look_events pipeline_look_events = {.body = body_cb, .end = end_cb};
