#include "pipeline_host.h"
#include "json.h"
#include "log.h"
#include "pipeline_reload.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_WINDOWS .5 /* until what was not found is looked for again */
#define WRITE_WINDOWS 5 /* of the detector's, between two rows of words */

/* ---- looks ----------------------------------------------------------------------------------- */

void look_run(struct look *l)
{
	struct err err;

	hostmem_read(&l->place, &l->found, &l->memory);
	if (!l->wants_census || !l->memory.has_process)
		return;
	l->census = hostfds_census(l->place.root, l->found.pid, &err);
	if (!l->census)
		snprintf(l->census_why, sizeof(l->census_why), "%s", err.msg);
}

static struct target *target_of(struct pipeline *p, uint64_t serial)
{
	for (size_t i = 0; i < p->ntargets; i++) {
		if (p->targets[i]->host && p->targets[i]->host->serial == serial)
			return p->targets[i];
	}
	for (size_t i = 0; i < p->nparked; i++) {
		if (p->parked[i]->host && p->parked[i]->host->serial == serial)
			return p->parked[i];
	}
	return NULL;
}

/* Once for each reason, and once when it is over. */
static void say_why(struct target *t)
{
	struct host *h = t->host;

	if (strcmp(h->told, h->memory.why) == 0)
		return;
	if (h->memory.why[0])
		log_msg(LEVEL_WARNING, "target %s/%s: memory: %s", t->job_name, t->instance,
			h->memory.why);
	else
		log_msg(LEVEL_INFO, "target %s/%s: memory is read from process %d, cgroup %s%s%s",
			t->job_name, t->instance, h->found.pid,
			h->found.cgroup[0] ? h->found.cgroup : "none",
			h->found.version == MEMSTAT_V1 ? " (cgroup v1)" : "",
			h->memory.hybrid ? " (of a hybrid host: memory is accounted in v1)" : "");
	snprintf(h->told, sizeof(h->told), "%s", h->memory.why);
}

/* A search goes through the whole tree of cgroups: not at each scrape. */
static double next_try(const struct target *t)
{
	return (double)t->p->now_ms / 1000 + AGAIN_WINDOWS * t->rules->config->detect.window_s;
}

void pipeline_looked(struct pipeline *p, struct look *l, bool ran)
{
	struct target *t = target_of(p, l->serial);

	if (t && ran) {
		t->host->found = l->found;
		t->host->memory = l->memory;
		t->host->fresh = true;
		t->host->not_before = l->memory.why[0] ? next_try(t) : 0;
		target_census_take(t, l);
		say_why(t);
	}
	if (t)
		t->host->looking = false;
	census_free(l->census);
	free(l);
}

void target_host_look(struct target *t)
{
	struct pipeline_events *e = &t->p->events;
	struct look *l;

	if (!t->host || !e->look || t->host->looking ||
		(double)t->p->now_ms / 1000 < t->host->not_before)
		return;
	l = xcalloc(1, sizeof(*l));
	l->serial = t->host->serial;
	l->place = t->host->place;
	l->place.started = t->run_start;
	l->found = t->host->found;
	l->wants_census = target_census_wanted(t, (double)t->p->now_ms / 1000);
	t->host->looking = e->look(e->arg, l);
	if (!t->host->looking)
		free(l); /* too many at once: the next cycle asks again */
}

/* ---- life ------------------------------------------------------------------------------------ */

void pipeline_set_place(struct target *t, struct str cgroup, struct str pid)
{
	struct hostmem_place place = {.root = "", .started = NAN};
	uint64_t number = 0;

	snprintf(place.cgroup, sizeof(place.cgroup), "%.*s", STR_ARG(cgroup));
	if (str_u64(pid, &number))
		place.pid = (int)number;
	if (t->host && strcmp(t->host->place.cgroup, place.cgroup) == 0 &&
		t->host->place.pid == place.pid)
		return;
	target_host_free(t);
	if (!place.cgroup[0] && !place.pid)
		return;
	t->host = xcalloc(1, sizeof(*t->host));
	t->host->serial = ++t->p->host_serial;
	t->host->place = place;
	t->host->history = memory_new(t->rules->config->detect.window_s);
	t->host->words = (struct buf)BUF_INIT;
	t->host->written_at = NAN;
	t->host->census = (struct host_census){.at = NAN, .words = BUF_INIT};
	snprintf(t->host->told, sizeof(t->host->told), "-"); /* the first look is told anyway */
}

void target_host_free(struct target *t)
{
	if (!t->host)
		return;
	target_census_reset(t->host);
	memory_free(t->host->history);
	buf_release(&t->host->words);
	free(t->host);
	t->host = NULL;
}

void target_host_reset(struct target *t)
{
	if (!t->host)
		return;
	memory_reset(t->host->history);
	target_census_reset(t->host);
	buf_reset(&t->host->words);
	t->host->found = (struct hostmem_found){0};
	t->host->fresh = false;
}

/* ---- numbers --------------------------------------------------------------------------------- */

bool target_host_known(const struct target *t)
{
	const struct host *h = t->host;

	return h && (h->memory.has_cgroup || h->memory.has_process);
}

double target_host_anon(const struct target *t)
{
	const struct host *h = t->host;

	if (!h || !h->fresh)
		return NAN;
	return h->memory.has_cgroup    ? h->memory.cgroup.anon
	       : h->memory.has_process ? h->memory.process.anon
				       : NAN;
}

double target_host_limit(const struct target *t)
{
	const struct host *h = t->host;

	return h && h->memory.has_cgroup && isfinite(h->memory.cgroup.max) ? h->memory.cgroup.max
									   : NAN;
}

static void parts_now(const struct target *t, double *v)
{
	const struct memstat_cgroup *c = &t->host->memory.cgroup;
	const struct memstat_process *p = &t->host->memory.process;
	const struct vitals *m = t->vitals;

	for (int i = 0; i < MEMORY_PARTS; i++)
		v[i] = NAN;
	if (t->host->memory.has_cgroup) {
		v[MEMORY_ANON] = c->anon;
		v[MEMORY_CACHE] = c->cache;
		v[MEMORY_SHMEM] = c->shmem;
		v[MEMORY_KERNEL] = c->kernel;
		v[MEMORY_CHARGED] = c->current;
	}
	if (t->host->memory.has_process) {
		v[MEMORY_RSS] = p->rss;
		v[MEMORY_RSS_ANON] = p->anon;
		v[MEMORY_RSS_FILE] = p->file;
	}
	v[MEMORY_GO_HEAP] = vitals_get(m, VITAL_HEAP_INUSE);
	v[MEMORY_GO_STACK] = vitals_get(m, VITAL_STACK);
	v[MEMORY_GO_IDLE] = vitals_get(m, VITAL_HEAP_IDLE) - vitals_get(m, VITAL_HEAP_RELEASED);
	v[MEMORY_GO_ALL] = vitals_get(m, VITAL_GO_SYS) - vitals_get(m, VITAL_HEAP_RELEASED);
}

/* Of a growth of memory, what leaked goroutines hold; NAN when no class tells. */
static double held_by_goroutines(const struct target *t)
{
	double sum = NAN;

	for (size_t i = 0; i < t->nslots; i++) {
		const struct slot *s = &t->slots[i];
		const struct verdict *v = &s->series->verdict;
		double each = target_cost_go(s);

		if (!s->class || v->state < VERDICT_SUSPECT || isnan(each) || isnan(v->base))
			continue;
		sum = fmax(0, isnan(sum) ? 0 : sum) + each * fmax(0, s->series->value - v->base);
	}
	return sum;
}

void target_host_sample(struct target *t, double now)
{
	struct slot *s = target_slot(t, SERIES_ANON, (struct str){0});
	struct host *h = t->host;
	struct memory_growth g;
	double parts[MEMORY_PARTS];

	/* What is no longer told may not speak for memory: else resident memory were silent. */
	if (s && !target_host_known(t))
		s->series->value = NAN;
	if (!h || !h->fresh)
		return;
	h->fresh = false;
	parts_now(t, parts);
	memory_sample(h->history, now, parts);
	buf_reset(&h->words);
	if (memory_growth(h->history, NAN, &g))
		memory_words(&g, held_by_goroutines(t), &h->words);
}

/* ---- told and stored ------------------------------------------------------------------------- */

/* Valid until the next cycle. */
void target_host_facts(struct target *t, const struct finding *f, struct notify_facts *facts)
{
	if (!t->host)
		return;
	facts->culprit =
		f->kind == FINDING_MEMORY ? buf_str(&t->host->words) : target_census_words(t, f);
}

/* With the series of anonymous memory, as the fact that goes with it. */
void target_host_write(struct target *t, struct store_batch *b, double now)
{
	const struct slot *s = target_slot(t, SERIES_ANON, (struct str){0});
	double every = WRITE_WINDOWS * t->rules->config->detect.window_s;
	struct buf body = BUF_INIT;
	struct host *h = t->host;
	struct store_fact row;
	uint64_t hash;
	json_t *doc;

	target_census_write(t, b, now);
	if (!h || !s || !s->stored || (!isnan(h->written_at) && now - h->written_at < every))
		return;
	hash = hash64(h->words.p, h->words.len, 1);
	if (!isnan(h->written_at) && hash == h->written)
		return;
	doc = json_object();
	json_object_set_new(doc, "target", json_sprintf("%s/%s", t->job_name, t->instance));
	json_object_set_new(doc, "text", json_str(buf_str(&h->words)));
	json_object_set_new(doc, "cgroup", json_str(str_of(h->found.cgroup)));
	json_object_set_new(doc, "cgroup_version",
		json_integer(h->found.version == MEMSTAT_V1   ? 1
			     : h->found.version == MEMSTAT_V2 ? 2
							      : 0));
	json_object_set_new(doc, "pid", json_integer(h->found.pid));
	json_object_set_new(doc, "anon", json_num(h->memory.cgroup.anon));
	json_object_set_new(doc, "page_cache", json_num(h->memory.cgroup.cache));
	json_object_set_new(doc, "limit", json_num(target_host_limit(t)));
	json_write(doc, &body);
	json_decref(doc);
	row = (struct store_fact){
		.series_id = s->series->id, .at_ms = (int64_t)(now * 1000), .body = buf_str(&body)};
	store_put_fact(b, STORE_COST, &row);
	buf_release(&body);
	h->written = hash;
	h->written_at = now;
}
