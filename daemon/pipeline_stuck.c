/* Goroutines that wait for a mutex and never get it, in the routine scrapes of one target. */
#include "pipeline_stuck.h"
#include "pipeline_reload.h"

#include <math.h>

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

const struct stuck *target_stuck(const struct target *t, const struct series *s)
{
	double after_s = STUCK_AFTER_S * t->rules->config->detect.window_s / 120;

	return is_expected(s) ? NULL : stuck_worst(t->stuck, s->name, s->at, after_s);
}

void target_judge_stuck(struct target *t, double now, bool complete)
{
	if (!complete) {
		stuck_abandon(t->stuck);
		return;
	}
	stuck_end(t->stuck, now);
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;
		const struct stuck *worst = s->kind == SERIES_CLASS ? target_stuck(t, s) : NULL;

		s->stuck_since = worst ? worst->since : 0;
		s->maybe_stuck = worst || (s->kind == SERIES_CLASS && !is_expected(s) &&
						  stuck_maybe(t->stuck, s->name));
	}
}
