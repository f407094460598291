/* Goroutines that wait for a mutex and never get it, in the routine scrapes of one target. */
#include "pipeline_stuck.h"
#include "pipeline_evidence.h"
#include "pipeline_reload.h"

#include <math.h>

/* Seconds, scaled with detect.window: from one look at those that seem stuck to the second, and to
 * another one when they have become many since. */
#define SECOND_S 120.0
#define AGAIN_S	 1800.0

static void waits_cb(void *arg, const struct tally_class *c, const struct stack *s, uint64_t count)
{
	struct target *t = arg;

	if (!c->ignored)
		stuck_note(t->stuck, str_of(c->name), s, count);
}

void target_watch_waits(struct target *t)
{
	tally_watch(t->tally, waits_cb, t);
}

/* Whoever says that so many are healthy does not want to hear of them. */
static bool is_expected(const struct series *s)
{
	return !isnan(s->expected) && s->value <= s->expected;
}

static double after_s(const struct target *t)
{
	return STUCK_AFTER_S * t->rules->config->detect.window_s / 120;
}

const struct stuck *target_stuck(const struct target *t, const struct series *s)
{
	return is_expected(s) ? NULL : stuck_worst(t->stuck, s->name, s->at, after_s(t));
}

const struct stuck *target_stuck_soon(const struct target *t, const struct series *s)
{
	return is_expected(s) ? NULL : stuck_soon(t->stuck, s->name, s->at, after_s(t));
}

/* ---- looks ----------------------------------------------------------------------------------- */

/* The look was one at those of this row. */
static bool is_of_row(const struct evidence_class *c, const struct stuck *row)
{
	return c && c->at >= row->since;
}

/* Two looks were, or there is no lock to be seen that a second could compare. */
static bool is_compared(const struct evidence_class *c, const struct stuck *row)
{
	return is_of_row(c, row) && (c->lock.waiters == 0 || c->lock.before_at >= row->since);
}

double target_stuck_look(
	const struct target *t, const struct series *s, const struct evidence_class *c)
{
	double scale = t->rules->config->detect.window_s / 120;
	const struct stuck *row = target_stuck_soon(t, s);

	if (!row)
		return INFINITY;
	if (!is_of_row(c, row))
		return row->since; /* it is time since long */
	if (!is_compared(c, row))
		return c->at + SECOND_S * scale;
	/* They were few, or as many as before; since then many came. */
	if (!s->convoy && row->count >= 2 * MAX(c->lock.waiters, (uint64_t)LOCKS_CONVOY / 2))
		return c->at + AGAIN_S * scale;
	return INFINITY;
}

void target_stuck_seen(struct target *t, const struct series *s, const struct evidence_class *c)
{
	const struct stuck *row = target_stuck_soon(t, s);

	/* What is told ends when fewer are counted. */
	if (!row || !is_of_row(c, row) || s->convoy)
		return;
	/* Of those that wait in both of two dumps nobody is the same: the lock is only busy. */
	if ((c->survival && survival_dumps(c->survival) > 1 && c->count && c->result.cohort == 0) ||
		(c->lock.before_at >= row->since && lock_moves(&c->lock)) ||
		lock_is_young(&c->lock, c->at - row->since))
		stuck_moves(t->stuck, row->fingerprint, c->at);
	else if (c->lock.before_at >= row->since && lock_grows(&c->lock))
		stuck_stays(t->stuck, row->fingerprint);
}

/* Who is asked later would be told later: not for longer than it took so far. */
static bool may_tell(const struct target *t, const struct series *s, const struct stuck *row)
{
	struct evidence *e = target_evidence(t);

	if (s->stuck_since > 0 || target_unseen_why(t)[0])
		return true;
	if (e && is_compared(evidence_find(e, str_of(s->name)), row))
		return true;
	return s->at - row->since >= 2 * after_s(t) && row->bodies >= row->need + STUCK_BODIES;
}

/*
 * Many wait for one lock, and more than before.  After two looks: they are the same ones and
 * others; after one: all of the class that wait do so there, and more have come since, while none
 * left (or the row would have ended).
 */
static bool is_convoy(const struct target *t, const struct series *s, const struct stuck *row)
{
	struct evidence *e = target_evidence(t);
	const struct evidence_class *c = e ? evidence_find(e, str_of(s->name)) : NULL;
	const struct lock *l = c ? &c->lock : NULL;

	if (!is_of_row(c, row) || row->count < LOCKS_CONVOY || row->count <= row->first)
		return false;
	if (l->before_at >= row->since && lock_grows(l) && l->waiters >= LOCKS_CONVOY)
		return true;
	return l->waiters >= LOCKS_CONVOY / 2 && l->waiters * 5 >= c->count * 4 &&
	       row->count > l->waiters && !lock_moves(l);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static void judge_class(struct target *t, struct series *s)
{
	const struct stuck *row = target_stuck(t, s),
			   *told = row && may_tell(t, s, row) ? row : NULL;

	s->stuck_since = told ? told->since : 0;
	s->stuck_count = told ? (double)stuck_waiters(t->stuck, s->name) : 0;
	s->convoy = told && (s->convoy || is_convoy(t, s, told));
	s->maybe_stuck = row || (!is_expected(s) && stuck_maybe(t->stuck, s->name));
}

void target_judge_stuck(struct target *t, double now, bool complete)
{
	if (!complete) {
		stuck_abandon(t->stuck);
		return;
	}
	stuck_end(t->stuck, now);
	for (size_t i = 0; i < t->nslots; i++) {
		if (t->slots[i].series->kind == SERIES_CLASS)
			judge_class(t, t->slots[i].series);
	}
}

/* ---- words ----------------------------------------------------------------------------------- */

/* How fast they became more, until the detector knows better; with the interval of a count. */
static void row_rate(struct notify_facts *f, const struct stuck *row, double now)
{
	double more = (double)(row->count - row->first), hours = (now - row->since) / 3600;

	if (!(hours > 0) || more <= 0)
		return;
	f->rate_per_hour = more / hours;
	f->low = fmax(0, more - 2 * sqrt(more)) / hours;
	f->high = (more + 2 * sqrt(more) + 2) / hours;
	f->lookback_s = now - row->since;
}

void target_stuck_facts(const struct target *t, const struct series *s, struct notify_facts *f)
{
	const struct stuck *row = target_stuck(t, s);

	f->reason = STR("in every scrape since then they were as many as in the one before, or "
			"more");
	if (f->kind == ALERT_STUCK_GOROUTINES)
		f->limit = NAN;
	if (!row)
		return;
	if (f->kind == ALERT_LOCK_CONVOY && s->verdict.state < VERDICT_SUSPECT)
		row_rate(f, row, s->at);
	f->count = (double)row->count;
	f->since_ms = (int64_t)(row->since * 1000);
	f->since_at_least = false;
	f->user = row->user;
	f->example_stack = str_of(row->text);
	f->wait = str_of(wait_kind_name(WAIT_MUTEX));
}
