#include "pipeline_releases.h"
#include "pipeline_fleet.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define KEY	     "releases "
#define REFRESH_MS   600000
#define GAP_MS	     600000.0 /* with detect.window as it is; else scaled like the detector */
#define GAP_SCRAPES  3
#define BEFORE_SHARE 0.2 /* of a rise that may lie before the deploy that brought it */

struct job_releases {
	struct releases r;
	bool news;
	int64_t stored_ms, seen_ms; /* last written; last look */
};

/* ---- of a job ---- */

static struct job_releases *of_job(struct pipeline *p, struct str job)
{
	struct job_releases *j;

	if (!p->releases)
		p->releases = map_new();
	j = map_get(p->releases, job);
	if (!j) {
		j = xcalloc(1, sizeof(*j));
		map_put(p->releases, job, j);
	}
	return j;
}

struct releases *target_releases(const struct target *t)
{
	return &of_job(t->p, str_of(t->job_name))->r;
}

static void free_job(void *arg)
{
	struct job_releases *j = arg;

	releases_release(&j->r);
	free(j);
}

void pipeline_free_releases(struct pipeline *p)
{
	if (p->releases)
		map_free(p->releases, free_job);
	pipeline_free_fleets(p);
}

/* ---- what is seen ---- */

static int64_t gap_ms(const struct target *t)
{
	double scaled = GAP_MS * t->p->config->detect.window_s / 120;

	return MAX((int64_t)scaled, GAP_SCRAPES * (int64_t)t->job->scrape_interval_ms);
}

struct str target_version_in(const struct target *t, double since, double at)
{
	if (isnan(since))
		return STR("");
	if (at > since)
		since += BEFORE_SHARE * (at - since);
	return versions_at(&t->versions, (int64_t)(since * 1000));
}

/* A verdict became leaking: of each version that ran while the rise was judged. */
static bool note_leak(const struct target *t, struct releases *r, const struct series *s)
{
	const struct verdict *v = &s->verdict;
	double from = isnan(v->lookback_s) ? v->at : v->at - v->lookback_s;
	const struct versions *ran = &t->versions;
	int64_t from_ms, at_ms = (int64_t)(v->at * 1000);
	bool news = false;
	size_t first = 0;

	if (!isnan(v->since))
		from = fmax(from, v->since);
	from_ms = (int64_t)((from + BEFORE_SHARE * (v->at - from)) * 1000);
	while (first + 1 < ran->n && ran->v[first + 1].from_ms <= from_ms)
		first++;
	for (size_t i = first; i < ran->n && (i == first || ran->v[i].from_ms <= at_ms); i++) {
		bool alone = i == first && (i + 1 == ran->n || ran->v[i + 1].from_ms > at_ms);

		news = releases_leak(r, str_of(ran->v[i].text), str_of(s->name), at_ms, alone) ||
		       news;
	}
	return news;
}

static bool note_leaks(struct target *t, struct releases *r)
{
	bool news = false;

	for (size_t i = 0; i < t->nslots; i++) {
		struct slot *s = &t->slots[i];
		const struct verdict *v = &s->series->verdict;

		if (v->state != VERDICT_LEAKING || s->leaking_at == v->at)
			continue;
		s->leaking_at = v->at;
		news = note_leak(t, r, s->series) || news;
	}
	return news;
}

void target_note_release(struct target *t)
{
	struct job_releases *j = of_job(t->p, str_of(t->job_name));
	int64_t now_ms = t->p->now_ms, gap = gap_ms(t);
	struct release_look look = {
		.version = versions_at(&t->versions, now_ms), .at_ms = now_ms, .gap_ms = gap};

	if (t->watched_ms && now_ms > t->watched_ms && now_ms - t->watched_ms <= gap)
		t->run_watched_s += (double)(now_ms - t->watched_ms) / 1000;
	t->watched_ms = now_ms;
	if (t->run_id == 0)
		return;
	look.run_ms = t->run_start_ms;
	look.run_seen_s = t->run_watched_s;
	j->news = releases_see(&j->r, &look) || j->news;
	j->news = note_leaks(t, &j->r) || j->news;
	j->seen_ms = now_ms;
}

/* What was suspected when it ended cannot be told any more: a restart resolves it. */
void target_end_release(struct target *t)
{
	struct job_releases *j = of_job(t->p, str_of(t->job_name));
	const struct versions *ran = &t->versions;

	for (size_t i = 0; ran->n && i < t->nslots; i++) {
		const struct series *s = t->slots[i].series;

		if (s->verdict.state == VERDICT_SUSPECT && !s->verdict.was_leaking)
			j->news = releases_leak(&j->r, str_of(ran->v[ran->n - 1].text),
					  str_of(s->name), t->p->now_ms, false) ||
				  j->news;
	}
	t->watched_ms = 0;
	t->run_watched_s = 0;
}

void target_restore_release(struct target *t, const struct store_run *run)
{
	t->run_watched_s = fmax((double)(run->last_seen_ms - run->first_seen_ms) / 1000, 0);
}

/* ---- in the store ---- */

void target_write_releases(struct target *t, struct store_batch *b, int64_t now_ms, bool last)
{
	struct job_releases *j = of_job(t->p, str_of(t->job_name));
	struct buf key = BUF_INIT, value = BUF_INIT;
	json_t *doc;

	if (j->r.n == 0 || !(j->news || now_ms - j->stored_ms >= REFRESH_MS ||
				   now_ms < j->stored_ms || (last && j->seen_ms > j->stored_ms)))
		return;
	doc = releases_json(&j->r);
	buf_addf(&key, KEY "%s", t->job_name);
	json_write(doc, &value);
	store_put_meta(b, key.p, buf_str(&value));
	json_decref(doc);
	buf_release(&value);
	buf_release(&key);
	j->news = false;
	j->stored_ms = now_ms;
}

/* What is in memory is newer. */
static void meta_cb(void *arg, struct str key, struct str value)
{
	struct str job = str_from(key, strlen(KEY));
	struct pipeline *p = arg;
	struct job_releases *j;
	json_t *doc;

	if (p->releases && map_get(p->releases, job))
		return;
	doc = json_read(value, NULL);
	if (json_is_object(doc)) {
		j = of_job(p, job);
		releases_read(&j->r, doc);
	}
	json_decref(doc);
}

int pipeline_load_releases(struct pipeline *p, struct store *store, struct err *err)
{
	return store_load_metas(store, KEY, meta_cb, p, err);
}
