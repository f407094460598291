/*
 * What a report says beyond counting: the rate that waits tell, what rules expect, who called.
 *
 * report.c counts each group and hands it on to report_look; after the last one report_judge draws
 * the conclusions that the printers read.
 */
#include "report_internal.h"

#include <math.h>
#include <stdlib.h>

void report_look(
	struct report *r, struct report_class *c, const struct group *g, const struct stack *s)
{
	const struct frame *code, *own = caller_own_frame(s);
	enum caller_doing doing = caller_of(s, &g->creator, &code);

	ages_add(&c->ages, g->minutes, g->count);
	r->longest_minutes = MAX(r->longest_minutes, g->minutes);
	if (own)
		report_count_place(r, &c->own, own, g->minutes, g->count);
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
	}
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
