/* Reads what a store has of targets, and says whose it is. */
#include "pipeline_load.h"
#include "pipeline_releases.h"
#include "map.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct str loaded_key(const int64_t *id)
{
	return str_n((const char *)id, sizeof(*id));
}

void loaded_free(struct loaded *l)
{
	if (!l)
		return;
	map_free(l->by_name, NULL);
	map_free(l->by_line, NULL);
	map_free(l->targets, NULL);
	map_free(l->series, NULL);
	arena_release(&l->arena);
	free(l);
}

struct str loaded_name(struct buf *b, struct str job, struct str instance)
{
	buf_reset(b);
	buf_addstr(b, job);
	buf_addc(b, '\0');
	buf_addstr(b, instance);
	return buf_str(b);
}

/* ---- reading rows ---- */

static const struct config_job *job_named(const struct config *c, struct str name)
{
	for (size_t i = 0; i < c->njobs; i++) {
		if (str_eq(c->jobs[i].name, name))
			return &c->jobs[i];
	}
	return NULL;
}

/* Which line a stored target is of, as the configuration says now. */
static void add_to_line(struct loaded *l, struct row_target *t, const struct store_target *r)
{
	const struct config_job *job = job_named(l->p->config, r->job);
	struct alert_labels read = ALERT_LABELS_INIT;
	struct buf line = BUF_INIT;

	if (job && job->lineage.n && alert_labels_read(&read, r->labels, false, NULL) == 0) {
		struct config_labels labels = {.v = read.v, .n = read.n};

		if (lineage_text(job, r->instance, &labels, &line)) {
			t->line = arena_str(&l->arena, buf_str(&line));
			t->next = map_get(l->by_line, t->line);
			map_put(l->by_line, t->line, t);
		}
	}
	alert_labels_release(&read);
	buf_release(&line);
}

/* Two rows have one name where a lineage went on under a name that had a row: it is there still. */
static bool comes_before(const struct row_target *t, const struct row_target *same)
{
	if (t->gone != same->gone)
		return same->gone;
	return t->last_seen_ms >= same->last_seen_ms;
}

static void target_cb(void *arg, const struct store_target *r)
{
	struct loaded *l = arg;
	struct row_target *t = arena_calloc(&l->arena, 1, sizeof(*t)), *same;
	struct buf key = BUF_INIT;

	t->id = r->id;
	t->first_seen_ms = r->first_seen_ms;
	t->last_seen_ms = r->last_seen_ms;
	t->gone = r->gone_ms != 0;
	t->instance = arena_str(&l->arena, r->instance).p;
	add_to_line(l, t, r);
	map_put(l->targets, loaded_key(&r->id), t);
	same = map_get(l->by_name, loaded_name(&key, r->job, r->instance));
	if (!same || comes_before(t, same))
		map_put(l->by_name, buf_str(&key), t);
	if (same)
		(comes_before(t, same) ? same : t)->taken = true;
	map_put(l->p->known, buf_str(&key), l);
	buf_release(&key);
}

static void take_row(const struct loaded *l, int64_t id)
{
	struct row_target *row = map_get(l->targets, loaded_key(&id));

	if (row)
		row->taken = true;
}

/* Targets that are watched, or left a short while ago, are nobody's to continue. */
static void count_lines(struct pipeline *p, struct loaded *l)
{
	struct map_item item;
	void *at = NULL;

	for (size_t i = 0; i < p->ntargets; i++)
		take_row(l, p->targets[i]->id);
	for (size_t i = 0; i < p->nparked; i++)
		take_row(l, p->parked[i]->id);
	map_free(p->lines, NULL);
	p->lines = map_new();
	p->lines_stale = false;
	while (map_next(l->targets, &at, &item)) {
		const struct row_target *t = item.value;

		if (!t->taken && t->line.len)
			lineage_count(p, t->line, 1);
	}
}

static void run_cb(void *arg, const struct store_run *r)
{
	struct loaded *l = arg;
	struct row_target *t = map_get(l->targets, loaded_key(&r->target_id));

	if (!t)
		return;
	t->run = *r;
	t->inferred = str_starts(r->info, STR(PIPELINE_INFERRED));
	t->run.info = (struct str){0};
}

static void class_cb(void *arg, const struct store_class *r)
{
	struct loaded *l = arg;
	struct row_target *t = map_get(l->targets, loaded_key(&r->target_id));
	struct row_class *c;

	if (!t)
		return;
	c = arena_calloc(&l->arena, 1, sizeof(*c));
	c->id = r->id;
	c->definition = r->definition;
	c->first_seen_ms = r->first_seen_ms;
	c->last_seen_ms = r->last_seen_ms;
	c->name = (char *)arena_str(&l->arena, r->name).p;
	c->rule = (char *)arena_str(&l->arena, r->rule).p;
	c->next = t->classes;
	t->classes = c;
}

static void series_cb(void *arg, const struct store_series *r)
{
	struct loaded *l = arg;
	struct row_target *t = map_get(l->targets, loaded_key(&r->target_id));
	struct row_series *s;

	if (!t)
		return;
	s = arena_calloc(&l->arena, 1, sizeof(*s));
	s->id = r->id;
	s->class_id = r->class_id;
	s->kind = r->kind;
	s->name = (char *)arena_str(&l->arena, r->name).p;
	s->next = t->series;
	t->series = s;
	map_put(l->series, loaded_key(&r->id), s);
}

static void detector_cb(void *arg, const struct store_detector *r)
{
	struct loaded *l = arg;
	struct row_series *s = map_get(l->series, loaded_key(&r->series_id));

	if (!s)
		return;
	s->record = (char *)arena_str(&l->arena, r->record).p;
	s->record_len = r->record.len;
	s->record_ms = r->at_ms;
}

int pipeline_load(struct pipeline *p, struct store *store, struct err *err)
{
	struct loaded *l = xcalloc(1, sizeof(*l));

	loaded_free(p->loaded);
	l->store = store;
	l->p = p;
	l->by_name = map_new();
	l->by_line = map_new();
	l->targets = map_new();
	l->series = map_new();
	p->loaded = l;
	if (store_load_targets(store, target_cb, l, err) ||
		store_load_runs(store, run_cb, l, err) ||
		store_load_classes(store, class_cb, l, err) ||
		store_load_series(store, series_cb, l, err) ||
		store_load_detectors(store, detector_cb, l, err) ||
		pipeline_load_releases(p, store, err))
		return -1;
	count_lines(p, l);
	return 0;
}

/* ---- whose it is ---- */

/* The one of the line that was seen last. */
static struct row_target *row_of_line(
	const struct loaded *l, const struct target *t, int64_t now_ms)
{
	struct row_target *best = NULL;

	if (!t->line)
		return NULL;
	for (struct row_target *r = map_get(l->by_line, str_n(t->line, t->line_len)); r;
		r = r->next) {
		if (!r->taken && now_ms - r->last_seen_ms <= LINEAGE_GONE_MS &&
			(!best || r->last_seen_ms > best->last_seen_ms))
			best = r;
	}
	return best;
}

struct row_target *loaded_take(struct target *t, int64_t now_ms)
{
	struct loaded *l = t->p->loaded;
	struct buf key = BUF_INIT;
	struct row_target *row = NULL;

	loaded_name(&key, str_of(t->job_name), str_of(t->instance));
	if (l) {
		row = map_get(l->by_name, buf_str(&key));
		if (!row && (row = row_of_line(l, t, now_ms)))
			t->continues = row->instance;
	}
	if (row && !row->taken && row->line.len)
		lineage_count(t->p, row->line, -1);
	if (row)
		row->taken = true;
	map_put(t->p->known, buf_str(&key), t->p);
	buf_release(&key);
	return row;
}

void pipeline_loaded(struct pipeline *p)
{
	loaded_free(p->loaded);
	p->loaded = NULL;
}

bool pipeline_knows(const struct pipeline *p, struct str job, struct str instance)
{
	struct buf key = BUF_INIT;
	bool known = map_get(p->known, loaded_name(&key, job, instance));

	buf_release(&key);
	return known;
}

/* A history of another instance, for one that has none. */
static bool line_in_store(const struct pipeline *p, const struct config_job *job,
	struct str instance, const struct config_labels *labels)
{
	struct buf line = BUF_INIT;
	bool is = lineage_text(job, instance, labels, &line) &&
		  (p->lines_stale || map_get(p->lines, buf_str(&line)));

	buf_release(&line);
	return is;
}

bool pipeline_needs_store(const struct pipeline *p, const struct config_job *job,
	struct str instance, const struct config_labels *labels)
{
	if (p->loaded)
		return false;
	for (size_t i = 0; i < p->nparked; i++) {
		if (str_is(job->name, p->parked[i]->job_name) &&
			str_is(instance, p->parked[i]->instance))
			return false;
	}
	return pipeline_knows(p, job->name, instance) || line_in_store(p, job, instance, labels);
}

/* Alerts of targets that are no longer configured end. */
void pipeline_added_all(struct pipeline *p, int64_t now_ms)
{
	char gone[64][ALERT_ID_MAX];
	size_t n;

	do {
		void *at = NULL;
		const struct alert *a;

		n = 0;
		while (n < ARRAY_LEN(gone) && (a = alert_next(p->alerts, &at))) {
			if (a->holds && alert_labels_has(&a->labels, STR("instance")) &&
				!pipeline_target_of(p, a))
				memcpy(gone[n++], a->id, ALERT_ID_MAX);
		}
		for (size_t i = 0; i < n; i++)
			pipeline_clear(p, gone[i], ALERT_END_REMOVED,
				"the target is no longer configured", now_ms);
	} while (n == ARRAY_LEN(gone));
	pipeline_loaded(p);
}
