/*
 * What a report says beyond counting: the rate that waits tell, what rules expect, who called.
 *
 * report.c counts each group and hands it on to report_look; after the last one report_judge draws
 * the conclusions that the printers read.
 */
#include "report_internal.h"

#include <inttypes.h>
#include <math.h>

#define STAY_GREW 5 /* goroutines more than before, for "nobody leaves" */

/* Addresses tell which of several locks: one convoy, or many pairs. */
static void count_lock(
	struct report *r, const struct group *g, const struct stack *s, const struct frame *own)
{
	const struct frame *at = own ? own : &s->user;
	struct counted *row;
	bool made;

	row = report_row(
		r, &r->locks, str_of(arena_printf(&r->scratch, "0x%" PRIx64, g->lock)), &made);
	if (made && at->func.len > 0) {
		row->place = arena_str(&r->arena, at->func);
		row->file = arena_str(&r->arena, at->file);
		row->line = at->line;
	}
	row->minutes = MAX(row->minutes, g->minutes);
	row->count += g->count;
}

void report_look(
	struct report *r, struct report_class *c, const struct group *g, const struct stack *s)
{
	const struct frame *code, *own = caller_own_frame(s);
	enum caller_doing doing = caller_of(s, &g->creator, &code);

	ages_add(&c->ages, g->minutes, g->count);
	r->longest_minutes = MAX(r->longest_minutes, g->minutes);
	if (own)
		report_count_place(r, &c->own, own, g->minutes, g->count);
	if (caller_is_own(&g->creator))
		report_count_place(r, &c->origins, &g->creator, g->minutes, g->count);
	if (g->lock)
		count_lock(r, g, s, own);
	if (g->flags & GROUP_NIL_CHAN)
		c->never += g->count;
	locks_note(r->waiters, g, s, c->name.p);
	if (doing != CALLER_NONE)
		report_count_place(r, &r->callers[doing], code, g->minutes, g->count);
}

bool report_has_ages(const struct report *r)
{
	return r->stats.format == GDUMP_DEBUG2 || r->stats.format == GDUMP_CRASH;
}

/*
 * How long the process has run is not in a dump.  The longest wait is a lower bound, and near it
 * where anything has waited since the start, as main and the runtime's own goroutines mostly do.
 */
static double uptime_of(const struct report *r)
{
	return r->longest_minutes > 0 ? (double)r->longest_minutes : NAN;
}

void report_judge(struct report *r)
{
	for (size_t i = 0; i < r->nclasses; i++) {
		struct report_class *c = r->sorted[i];

		ages_judge(&c->ages, uptime_of(r), &c->estimate);
		if (report_has_ages(r) && c->estimate.why == AGES_TOLD)
			c->rate = (struct report_rate){.from = RATE_OF_AGES,
				.rate_per_hour = c->estimate.rate_per_hour,
				.low = c->estimate.low,
				.high = c->estimate.high};
	}
	locks_end(r->waiters);
	report_find(r);
}

/* Of two answers the one that is known more closely. */
static void take_rate_of_dumps(const struct report *r, struct report_class *c)
{
	struct compare_rate x = compare_rate(&c->change, &r->gap);

	if (isnan(x.rate_per_hour) ||
		(c->rate.from != RATE_UNTOLD && x.high - x.low > c->rate.high - c->rate.low))
		return;
	c->rate = (struct report_rate){.from = RATE_OF_DUMPS,
		.rate_per_hour = x.rate_per_hour,
		.low = x.low,
		.high = x.high};
}

void report_baseline(struct report *r, const struct compare *c, struct str name, double gap_minutes)
{
	r->baseline = c;
	r->baseline_name = name;
	r->gap = isnan(gap_minutes) ? compare_gap(c) : compare_gap_given(gap_minutes);
	for (size_t i = 0; i < r->nclasses; i++) {
		struct report_class *class = r->sorted[i];

		class->change = compare_change_of(c, class->name);
		take_rate_of_dumps(r, class);
	}
	report_find(r);
}

bool report_nobody_leaves(const struct report *r, const struct report_class *c)
{
	const struct compare_change *x = &c->change;

	return r->baseline && x->by_id && x->waited >= AGES_OLD_LEAST &&
	       (double)x->waited_stayed >= AGES_STAY_LEAKS * (double)x->waited &&
	       x->now >= x->old + STAY_GREW;
}

static void add_number(struct buf *out, double x)
{
	buf_addf(out, fabs(x) < 100 ? "%.1f" : "%.0f", x);
}

void report_add_rate(const struct report_rate *rate, struct buf *out)
{
	add_number(out, rate->rate_per_hour);
	buf_adds(out, " an hour (");
	add_number(out, rate->low);
	buf_adds(out, " to ");
	add_number(out, rate->high);
	buf_addc(out, ')');
}

void report_add_basis(const struct report *r, const struct report_class *c, struct buf *out)
{
	if (c->rate.from == RATE_OF_AGES)
		ages_basis(&c->estimate, out);
	else if (c->rate.from == RATE_OF_DUMPS)
		compare_rate_basis(&c->change, &r->gap, out);
}

void report_judge_release(struct report_class *c)
{
	ages_release(&c->ages);
}

struct report_expect report_expect(const struct report_class *c)
{
	struct report_expect x = {.kind = EXPECT_NOTHING};

	if (!c->rule)
		return x;
	if (c->rule->expect_metric.len > 0) {
		x.kind = EXPECT_METRIC;
	} else if (!isnan(c->rule->expect_max)) {
		x.kind = EXPECT_MAX;
		x.most = c->rule->expect_max + c->rule->expect_slack;
		x.excess = (double)c->count > x.most ? (double)c->count - x.most : 0;
	}
	return x;
}

void report_add_expect(const struct report_class *c, struct buf *out)
{
	struct report_expect x = report_expect(c);

	if (x.kind == EXPECT_MAX) {
		buf_addf(out, "expected: at most %.10g, found: %llu", x.most,
			(unsigned long long)c->count);
		if (x.excess > 0)
			buf_addf(out, ", %.10g too many", x.excess);
	} else if (x.kind == EXPECT_METRIC) {
		buf_adds(out, "expected: ");
		if (c->rule->expect_factor != 1)
			buf_addf(out, "%.10g * ", c->rule->expect_factor);
		buf_addstr(out, c->rule->expect_metric);
		if (c->rule->expect_slack != 0)
			buf_addf(out, " + %.10g", c->rule->expect_slack);
		buf_adds(out, ", which no dump tells (the daemon reads it from /metrics)");
	}
}

void report_add_change(const struct report *r, const struct report_class *c, struct buf *out)
{
	const struct compare_change *x = &c->change;

	buf_addf(out, "%+" PRId64 " since the baseline (%" PRIu64 " then)",
		(int64_t)(x->now - x->old), x->old);
	if (!x->by_id)
		return;
	buf_addf(out, ": %" PRIu64 " came, %" PRIu64 " left", x->now - x->stayed,
		x->old - x->stayed);
	if (report_nobody_leaves(r, c))
		buf_addf(out,
			"; of %" PRIu64 " that had waited %d min, %" PRIu64 " are still there",
			x->waited, COMPARE_WAITED_MIN, x->waited_stayed);
}

void report_add_baseline(const struct report *r, struct buf *out)
{
	const struct compare *c = r->baseline;
	uint64_t old = compare_total(c, COMPARE_OLD), now = report_total(r);

	buf_addf(out, "%" PRIu64 " then, %" PRIu64 " now (%+" PRId64 "), ", old, now,
		(int64_t)(now - old));
	if (!isnan(r->gap.minutes)) {
		if (r->gap.agree)
			buf_adds(out, "about ");
		ages_add_span(out, (uint32_t)fmin(r->gap.minutes + .5, 1e9));
		buf_adds(out, " apart");
		if (r->gap.agree)
			buf_addf(out, ", as the waits of %" PRIu64 " goroutines in both say",
				r->gap.agree);
		else
			buf_adds(out, " (--gap)");
	} else {
		buf_adds(out, "how long apart is not known (--gap tells it)");
	}
	buf_adds(out, compare_one_process(c)
			      ? "; one process: goroutines are compared one by one"
			      : "; goroutines cannot be told apart, so by class only");
}
