#include "pipeline_limits.h"
#include "pipeline_reload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOUR 3600.0

static struct cost_range rate_of(const struct series *s)
{
	const struct verdict *v = &s->verdict;

	return (struct cost_range){v->rate_per_hour, v->low, v->high};
}

/* Both ends of both intervals: more than 95 % sure, never less. */
static struct cost_range times(struct cost_range a, struct cost_range b)
{
	return (struct cost_range){a.estimate * b.estimate, a.low * b.low, a.high * b.high};
}

/* Seconds until that much is used up; INFINITY when it never is. */
static double used_up(double left, double per_hour)
{
	return left <= 0 ? 0 : per_hour > 0 ? left / per_hour * HOUR : INFINITY;
}

/*
 * How fast something is used up by a finding: by its own series where that is judged to rise; else
 * by what each goroutine of the class holds times how many come.  False when neither is known.
 */
static bool find_rate(const struct target *t, const struct finding *f, enum series_kind kind,
	enum cost_metric metric, struct cost_range *out)
{
	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];

		if (s->series->kind == kind && s->series->verdict.state >= VERDICT_SUSPECT &&
			s->series->verdict.rate_per_hour > 0) {
			*out = rate_of(s->series);
			return true;
		}
	}
	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];
		struct cost_range each;

		if (s->series == f->primary && s->class && f->primary->verdict.rate_per_hour > 0 &&
			target_cost_each(s, metric, &each)) {
			*out = times(rate_of(f->primary), each);
			return true;
		}
	}
	return false;
}

static void add(struct limits *out, struct str what, enum notify_unit unit, double limit,
	double left, const struct cost_range *rate)
{
	struct notify_ceiling c = {
		.what = what,
		.unit = unit,
		.limit = limit,
		.in_s = used_up(left, rate->estimate),
		.low_s = used_up(left, rate->high),
		.high_s = used_up(left, rate->low),
	};

	if (isnan(limit) || isnan(left) || !isfinite(c.in_s))
		return;
	if (out->n && out->v[0].in_s > c.in_s) {
		out->v[1] = out->v[0];
		out->v[0] = c;
		out->n++;
	} else {
		out->v[out->n++] = c;
	}
}

static void add_descriptors(const struct target *t, const struct finding *f, struct limits *out)
{
	double max = vitals_get(t->vitals, VITAL_MAX_FDS);
	struct cost_range rate;

	/* Of descriptors themselves the alert's own limit tells it. */
	if (finding_is_growth(f->kind) && find_rate(t, f, SERIES_FDS, COST_FDS, &rate))
		add(out, STR("the descriptor limit"), NOTIFY_DESCRIPTORS, max,
			max - vitals_get(t->vitals, VITAL_FDS), &rate);
}

/* What cannot be reclaimed counts: all that is charged but page cache. */
static void add_memory(const struct target *t, const struct finding *f, struct limits *out)
{
	double max = target_host_limit(t);
	const struct memstat_cgroup *c;
	struct cost_range rate;
	const char *name;

	if (isnan(max) || f->kind == FINDING_FDS || !find_rate(t, f, SERIES_ANON, COST_GO, &rate))
		return;
	c = &t->host->memory.cgroup;
	name = strrchr(t->host->found.cgroup, '/');
	snprintf(out->memory_of, sizeof(out->memory_of), "memory.max of %s",
		name ? name + 1 : t->host->found.cgroup);
	add(out, str_of(out->memory_of), NOTIFY_BYTES, max, max - (c->current - c->cache), &rate);
}

void target_limits(const struct target *t, const struct finding *f, struct limits *out)
{
	out->n = 0;
	if (!f->primary || (!finding_is_growth(f->kind) && f->kind != FINDING_MEMORY))
		return;
	add_descriptors(t, f, out);
	add_memory(t, f, out);
}
