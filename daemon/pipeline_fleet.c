#include "pipeline_fleet.h"
#include "pipeline_releases.h"
#include "fleet.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- versions ---- */

/* The version of the program in which it began; once told it stays, whatever is deployed since. */
static struct str version_of(const struct target *t, const struct finding *f)
{
	const struct alert *a = f->user ? alert_get(t->p->alerts, f->user) : NULL;
	struct str told = a ? alert_labels_get(&a->annotations, "version") : STR("");

	return told.len ? told : target_version_in(t, f->since, f->opened_at);
}

/* ---- one instance ---- */

static const struct series *member_of(const struct finding *f, const char *name)
{
	for (size_t i = 0; i < f->nmembers; i++) {
		if (strcmp(f->members[i]->name, name) == 0)
			return f->members[i];
	}
	return NULL;
}

/* Under that class rather than with it. */
static const struct finding *finding_like(const struct target *t, const struct finding *like)
{
	const struct finding *found = NULL;

	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);

		if (f->kind != like->kind &&
			!(finding_is_growth(f->kind) && finding_is_growth(like->kind)))
			continue;
		if (strcmp(f->class, like->class) == 0)
			return f;
		if (!found && member_of(f, like->class))
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

/* What is seen for so long would have shown it; 0 when that is not known. */
static double took_s(const struct finding *f)
{
	return isnan(f->since) ? 0 : FLEET_LONG_ENOUGH * fmax(f->opened_at - f->since, 0);
}

/* Its alert stands from another version, and it has not been seen to leak in this one. */
static bool is_changed(const struct target *t, const struct finding *f)
{
	const struct verdict *v = f->primary ? &f->primary->verdict : NULL;

	return v && v->state != VERDICT_LEAKING && v->state != VERDICT_HELD &&
	       !str_eq(version_of(t, f), versions_at(&t->versions, t->p->now_ms));
}

static void judge_instance(const struct target *t, const struct target *o,
	const struct finding *finding, struct fleet_row *row)
{
	const struct finding *its = finding_like(o, finding);
	const struct series *s;

	if (o->seen && !o->up && o != t) {
		row->why = FLEET_DOWN;
	} else if (its && is_changed(o, its)) {
		row->why = FLEET_CHANGED;
	} else if (its) {
		row->state = FLEET_LEAKS;
		s = member_of(its, finding->class);
		s = s ? s : its->primary;
		row->rate_per_hour = s ? s->verdict.rate_per_hour : NAN;
		row->since_ms = isnan(its->since) ? 0 : (int64_t)(its->since * 1000);
	} else if (!o->seen) {
		row->why = FLEET_DOWN; /* the daemon has just started */
	} else if (is_suspected(o, finding)) {
		row->why = FLEET_SUSPECTED;
	} else if (row->seen_s < took_s(finding)) {
		row->why = FLEET_YOUNG;
	} else {
		row->state = FLEET_CLEAN;
	}
}

/* ---- all of them ---- */

/* What the versions before did, where it says more than the instances of now. */
static void add_history(const struct finding *finding, const struct releases *known,
	const struct notify_facts *f, struct buf *out)
{
	struct release_claim claim;

	releases_judge(known, f->class, f->version.len ? f->version : f->version_now,
		took_s(finding), &claim);
	releases_words(&claim, out);
}

/* How it is with the instances of the job that are watched now. */
static void gather(const struct target *t, const struct finding *finding, struct releases *known,
	struct fleet *fleet)
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
		releases_mark(known, &row);
	}
	fleet->doubted = releases_doubt(known, str_of(finding->class));
}

static bool is_of_growth(const struct finding *f)
{
	return finding_is_growth(f->kind) || f->kind == FINDING_FDS || f->kind == FINDING_MEMORY;
}

/* ---- what was found out ---- */

#define TOLD_MAX 256 /* of all jobs, classes and versions; more, and all are forgotten */

struct told {
	int64_t at_ms; /* 0: to be found out */
	struct buf words, list, history;
};

static void free_told(void *arg)
{
	struct told *d = arg;

	buf_release(&d->words);
	buf_release(&d->list);
	buf_release(&d->history);
	free(d);
}

void pipeline_free_fleets(struct pipeline *p)
{
	if (p->fleets)
		map_free(p->fleets, free_told);
	p->fleets = NULL;
}

static struct told *told_of(const struct target *t, const struct finding *f, struct str version)
{
	int kind = finding_is_growth(f->kind) ? FINDING_GOROUTINES : (int)f->kind;
	struct pipeline *p = t->p;
	struct buf key = BUF_INIT;
	struct told *d;

	buf_addf(&key, "%s%c%d%c%s%c", t->job_name, 0, kind, 0, f->class, 0);
	buf_addstr(&key, version);
	if (p->fleets && map_count(p->fleets) >= TOLD_MAX && !map_get(p->fleets, buf_str(&key)))
		pipeline_free_fleets(p);
	if (!p->fleets)
		p->fleets = map_new();
	d = map_get(p->fleets, buf_str(&key));
	if (!d) {
		d = xcalloc(1, sizeof(*d));
		buf_init(&d->words);
		buf_init(&d->list);
		buf_init(&d->history);
		map_put(p->fleets, buf_str(&key), d);
	}
	buf_release(&key);
	return d;
}

static bool is_fresh(const struct target *t, const struct told *d)
{
	int64_t age_ms = t->p->now_ms - d->at_ms;

	return d->at_ms && age_ms >= 0 && age_ms < (int64_t)t->job->scrape_interval_ms / 2;
}

static void find_out(struct target *t, const struct finding *finding, const struct notify_facts *f,
	struct told *d)
{
	struct releases *known = target_releases(t);
	struct fleet fleet = FLEET_INIT;

	buf_reset(&d->words);
	buf_reset(&d->list);
	buf_reset(&d->history);
	releases_unmark(known);
	gather(t, finding, known, &fleet);
	add_history(finding, known, f, &d->history);
	fleet_words(&fleet, f->unit, buf_str(&d->history), &d->words);
	fleet_list(&fleet, f->unit, &d->list);
	d->at_ms = t->p->now_ms;
}

void target_fleet_facts(struct target *t, const struct finding *finding, struct notify_facts *f)
{
	struct told *d;

	f->version = version_of(t, finding);
	f->version_now = versions_at(&t->versions, f->now_ms);
	if (!is_of_growth(finding))
		return;
	d = told_of(t, finding, f->version);
	if (!finding->user || !is_fresh(t, d))
		find_out(t, finding, f, d);
	if (!finding->user)
		d->at_ms = 0; /* one more leaks: what was told of the others is old */
	f->fleet = buf_str(&d->words);
	f->instances = buf_str(&d->list);
	f->first_seen = buf_str(&d->history);
}
