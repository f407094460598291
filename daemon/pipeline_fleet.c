#include "pipeline_fleet.h"
#include "fleet.h"

#include <math.h>
#include <string.h>

/* ---- versions ---- */

/* The version of the program in which it began; once told it stays, whatever is deployed since. */
static struct str version_of(
	const struct target *t, const struct finding *finding, int64_t since_ms)
{
	const struct alert *a = finding->user ? alert_get(t->p->alerts, finding->user) : NULL;
	struct str told = a ? alert_labels_get(&a->annotations, "version") : STR("");

	return told.len ? told : versions_at(&t->versions, since_ms);
}

/* ---- one instance ---- */

static bool has_member(const struct finding *f, const char *name)
{
	for (size_t i = 0; i < f->nmembers; i++) {
		if (strcmp(f->members[i]->name, name) == 0)
			return true;
	}
	return false;
}

/* Under that class rather than with it. */
static const struct finding *finding_like(const struct target *t, const struct finding *like)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);

		if (f->kind != like->kind)
			continue;
		if (strcmp(f->class, like->class) == 0)
			return f;
		if (!found && has_member(f, like->class))
			found = f;
	}
	return found;
}

/* It grows there as well, and may be a leak. */
static bool is_suspected(const struct target *t, const struct finding *like)
{
	for (size_t i = 0; t->suspects && i < t->nslots; i++) {
		const struct series *s = t->slots[i].series;

		if (s->verdict.state > VERDICT_WATCHING && strcmp(s->name, like->class) == 0)
			return true;
	}
	return false;
}

/* So long its process has been seen. */
static double seen_s(const struct target *t, double now)
{
	double from = isnan(t->first_at) ? now : t->first_at;

	return now - (isnan(t->run_start) ? from : fmax(from, t->run_start));
}

/* So long the leak took to show; 0 when that is not known. */
static double took_s(const struct finding *f)
{
	return isnan(f->since) ? 0 : fmax(f->opened_at - f->since, 0);
}

static void judge_instance(const struct target *t, const struct target *o,
	const struct finding *finding, struct fleet_row *row)
{
	const struct finding *its = finding_like(o, finding);

	if (!o->up && o != t) {
		row->why = FLEET_DOWN;
	} else if (its) {
		row->state = FLEET_LEAKS;
		row->rate_per_hour = its->primary ? its->primary->verdict.rate_per_hour : NAN;
		row->since_ms = isnan(its->since) ? 0 : (int64_t)(its->since * 1000);
	} else if (is_suspected(o, finding)) {
		row->why = FLEET_SUSPECTED;
	} else if (row->seen_s < took_s(finding)) {
		row->why = FLEET_YOUNG;
	} else {
		row->state = FLEET_CLEAN;
	}
}

/* ---- all of them ---- */

/* How it is with the instances of the job that are watched now. */
static void gather(const struct target *t, const struct finding *finding, struct fleet *fleet)
{
	const struct pipeline *p = t->p;

	for (size_t i = 0; i < p->ntargets; i++) {
		const struct target *o = p->targets[i];
		struct fleet_row row = {.rate_per_hour = NAN};

		if (o->job != t->job)
			continue;
		row.instance = str_of(o->instance);
		row.version = versions_at(&o->versions, p->now_ms);
		row.seen_s = seen_s(o, (double)p->now_ms / 1000);
		judge_instance(t, o, finding, &row);
		fleet_add(fleet, &row);
	}
}

static bool is_of_growth(const struct finding *f)
{
	return f->kind == FINDING_GOROUTINES || f->kind == FINDING_FDS || f->kind == FINDING_MEMORY;
}

void target_fleet_facts(struct target *t, const struct finding *finding, struct notify_facts *f,
	struct fleet_facts *out)
{
	struct fleet fleet = FLEET_INIT;

	f->version = version_of(t, finding, f->since_ms);
	f->version_now = versions_at(&t->versions, f->now_ms);
	if (!is_of_growth(finding))
		return;
	gather(t, finding, &fleet);
	fleet_words(&fleet, f->unit, STR(""), &out->words);
	fleet_list(&fleet, f->unit, &out->list);
	f->fleet = buf_str(&out->words);
	f->instances = buf_str(&out->list);
}

void fleet_facts_release(struct fleet_facts *out)
{
	buf_release(&out->words);
	buf_release(&out->list);
}
