#include "log.h"
#include "pipeline_reload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct pipeline_endpoint endpoint(const struct scrape_endpoint *e, bool usable)
{
	return (struct pipeline_endpoint){
		.asked = e->asked, .up = e->up && usable, .took_ms = e->took_ms, .bytes = e->bytes};
}

void target_note_view(struct target *t, const struct scrape_cycle *c)
{
	if (c->goroutines.asked)
		t->endpoints[0] = endpoint(&c->goroutines, t->dump_ok);
	else
		t->endpoints[0].up = false; /* nobody reaches it any more */
	t->endpoints[1] = endpoint(&c->metrics, t->metrics_ok);
	t->lost = c->goroutines.up && !t->between ? gdump_stats(t->gdump)->lost : 0;
	t->skipped += c->skipped;
}

/* ---- what the status says of reading its dumps ---- */

/* Too many classes: said in the status as long as it is so. */
static void note_other(struct target *t)
{
	uint64_t n = tally_in_other(t->tally);

	if (n == 0)
		return;
	snprintf(t->dump_why, sizeof(t->dump_why),
		"more than %u classes: %llu goroutines are put together in the class \"" TALLY_OTHER
		"\" (limits.classes_per_target)",
		(unsigned)t->rules->config->classes_max, (unsigned long long)n);
}

/* Dumps that cost too much: said in the status as long as it is so. */
static void note_budget(struct target *t, const struct scrape_cycle *c)
{
	if (c->every > 1)
		snprintf(t->dump_why, sizeof(t->dump_why),
			"a dump takes %.0f ms, which is over scrape_budget: goroutines are asked "
			"for in every %uth scrape only",
			c->goroutines.took_ms, c->every);
	if (c->every != t->every && (c->every > 1 || t->every > 1))
		log_limited(LEVEL_INFO, t->instance,
			"target %s/%s: a dump takes %.0f ms: 1 in %u scrapes asks for goroutines",
			t->job_name, t->instance, c->goroutines.took_ms, c->every);
	t->every = c->every;
}

void target_note_limits(struct target *t, const struct scrape_cycle *c)
{
	note_budget(t, c);
	note_other(t);
}

/* ---- its worst classes ---- */

/* How much there is to worry about: a held leak is one still, a suspect may be. */
static int weight(enum verdict_state s)
{
	static const int weights[VERDICT_STATES] = {
		[VERDICT_OK] = 0,
		[VERDICT_WATCHING] = 1,
		[VERDICT_SUSPECT] = 2,
		[VERDICT_HELD] = 3,
		[VERDICT_LEAKING] = 4,
	};

	return weights[s];
}

static bool worse(const struct pipeline_class *a, const struct pipeline_class *b)
{
	double x = isnan(a->rate_per_hour) ? 0 : a->rate_per_hour;
	double y = isnan(b->rate_per_hour) ? 0 : b->rate_per_hour;

	if (weight(a->verdict) != weight(b->verdict))
		return weight(a->verdict) > weight(b->verdict);
	if (x > y || x < y)
		return x > y;
	if (a->count > b->count || a->count < b->count)
		return a->count > b->count;
	return str_cmp(a->name, b->name) < 0;
}

static void add_class(struct pipeline_view *v, const struct pipeline_class *c)
{
	size_t i = v->ntop;

	if (i == PIPELINE_TOP) {
		if (!worse(c, &v->top[i - 1]))
			return;
		i--;
	} else {
		v->ntop++;
	}
	for (; i > 0 && worse(c, &v->top[i - 1]); i--)
		v->top[i] = v->top[i - 1];
	v->top[i] = *c;
}

size_t pipeline_targets(const struct pipeline *p)
{
	return p->ntargets;
}

void pipeline_view(const struct pipeline *p, size_t i, struct pipeline_view *out)
{
	const struct target *t = p->targets[i];

	*out = (struct pipeline_view){
		.job = t->job_name,
		.instance = t->instance,
		.seen = t->seen,
		.goroutines_endpoint = t->endpoints[0],
		.metrics_endpoint = t->endpoints[1],
		.goroutines = tally_total(t->tally),
		.classes = tally_count(t->tally),
		.lost = t->lost,
		.unreadable = t->unreadable,
		.restarts = t->restarts,
		.skipped = t->skipped,
	};
	for (size_t k = 0; k < t->nslots; k++) {
		const struct slot *s = &t->slots[k];
		struct pipeline_class c = {
			.name = str_of(s->series->name),
			.count = s->series->value,
			.verdict = s->series->verdict.state,
			.rate_per_hour = s->series->verdict.state == VERDICT_OK
						 ? NAN
						 : s->series->verdict.rate_per_hour,
		};

		if (s->class && s->class->ignored)
			continue;
		if (weight(c.verdict) > weight(out->verdict))
			out->verdict = c.verdict;
		if (s->class && !isnan(c.count))
			add_class(out, &c);
	}
}
