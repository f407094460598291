#include "pipeline_lineage.h"
#include "log.h"
#include "pipeline_reload.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- lines ---- */

static struct str value_of(const struct config_job *job, struct str instance,
	const struct config_labels *labels, struct str key)
{
	if (str_is(key, "job"))
		return job->name;
	if (str_is(key, "instance"))
		return instance;
	for (size_t i = 0; i < labels->n; i++) {
		if (str_eq(labels->v[i].key, key))
			return labels->v[i].value;
	}
	return (struct str){0};
}

bool lineage_text(const struct config_job *job, struct str instance,
	const struct config_labels *labels, struct buf *out)
{
	size_t began = out->len;
	bool any = false;

	buf_addstr(out, job->name);
	for (size_t i = 0; i < job->lineage.n; i++) {
		struct str value = value_of(job, instance, labels, job->lineage.v[i]);

		buf_addc(out, '\0');
		buf_addstr(out, value);
		any = any || value.len;
	}
	if (!any) {
		out->len = began;
		out->p[began] = '\0';
	}
	return any;
}

void target_set_line(struct target *t)
{
	struct buf text = BUF_INIT;

	free(t->line);
	t->line = NULL;
	t->line_len = 0;
	if (lineage_text(t->job, str_of(t->instance), &t->labels, &text)) {
		t->line_len = text.len;
		t->line = xmemdup0(text.p, text.len);
	}
	t->line_hash = hash64(t->line ? t->line : "", t->line_len, 0);
	buf_release(&text);
}

bool lineage_same(const struct target *a, const struct target *b)
{
	return a->line && b->line && a->line_hash == b->line_hash &&
	       str_eq(str_n(a->line, a->line_len), str_n(b->line, b->line_len));
}

void lineage_count(struct pipeline *p, struct str line, int by)
{
	intptr_t n = (intptr_t)map_get(p->lines, line) + by;

	if (n > 0)
		map_put(p->lines, line, (void *)n);
	else
		map_take(p->lines, line);
}

/* ---- who continues whom ---- */

struct target *lineage_take_parked(struct pipeline *p, const struct target *t)
{
	size_t best = p->nparked;
	struct target *found;

	for (size_t i = 0; t->line && i < p->nparked; i++) {
		if (lineage_same(p->parked[i], t) &&
			(best == p->nparked ||
				p->parked[i]->parked_ms > p->parked[best]->parked_ms))
			best = i;
	}
	if (best == p->nparked)
		return NULL;
	found = p->parked[best];
	p->parked[best] = p->parked[--p->nparked];
	return found;
}

const char *pipeline_target_instance(const struct target *t)
{
	return t->instance;
}

void pipeline_leaves(struct target *t)
{
	t->leaves = true;
}

/* Two that began together are replicas; one that has a history was there before. */
static bool came_after(const struct target *h, const struct target *t)
{
	return h->added_ms > t->added_ms || (h->added_ms == t->added_ms && !t->fresh);
}

struct target *pipeline_heir(const struct target *t, int64_t now_ms)
{
	const struct pipeline *p = t->p;
	struct target *best = NULL;

	for (size_t i = 0; t->line && i < p->ntargets; i++) {
		struct target *h = p->targets[i];

		if (h == t || h->leaves || !h->fresh || !came_after(h, t) || !lineage_same(h, t) ||
			finding_count(h->findings) || now_ms - h->added_ms > LINEAGE_YOUNG_MS)
			continue;
		if (!best || h->added_ms < best->added_ms)
			best = h;
	}
	return best;
}

/* ---- taking over ---- */

/* Alerts of the instance that t continues are about t now. */
static void move_alerts(struct target *t, struct str old_instance, int64_t now_ms)
{
	struct pipeline *p = t->p;
	const struct alert *a;
	char *why = xasprintf("continued by %s", t->instance);
	void *at = NULL;

	while ((a = alert_next(p->alerts, &at))) {
		if (!pipeline_is_about(a, str_of(t->job_name), old_instance))
			continue;
		if (finding_kind_of(alert_labels_get(&a->labels, "alertname")) == FINDING_KINDS) {
			/* About the old process itself: it does not answer, and never will. */
			pipeline_clear(p, a->id, ALERT_END_CHANGED, why, now_ms);
			at = NULL;
			continue;
		}
		alert_annotate(p->alerts, a->id, LINEAGE_ANNOTATION, str_of(t->instance));
		p->events.cleared(p->events.arg, a);
	}
	free(why);
}

static void rename_known(struct pipeline *p, const char *job, const char *from, const char *to)
{
	struct buf key = BUF_INIT;

	buf_addf(&key, "%s%c%s", job, 0, from);
	map_take(p->known, buf_str(&key));
	buf_reset(&key);
	buf_addf(&key, "%s%c%s", job, 0, to);
	map_put(p->known, buf_str(&key), p);
	buf_release(&key);
}

void target_succeed(struct target *t, const char *old_instance, int64_t now_ms)
{
	log_msg(LEVEL_INFO, "target %s/%s: goes on with the history of %s (lineage)", t->job_name,
		t->instance, old_instance);
	rename_known(t->p, t->job_name, old_instance, t->instance);
	t->successor = true;
	t->need_full = true;
	t->fresh = t->up = t->seen = t->keeps = t->broke = false;
	t->told_up = t->told_readable = t->told_dump = false;
	t->down_since_ms = 0;
	move_alerts(t, str_of(old_instance), now_ms);
}

void target_become(struct target *t, const struct config_job *job, struct str instance,
	const struct config_labels *labels, int64_t now_ms)
{
	char *old = t->instance;

	t->instance = str_dup(instance);
	t->job = job;
	t->added_ms = now_ms;
	t->leaves = false;
	target_set_labels(t, labels);
	target_set_line(t);
	target_rewant(t);
	target_succeed(t, old, now_ms);
	free(old);
}

void pipeline_continue(struct target *t, struct target *heir, int64_t now_ms)
{
	struct pipeline *p = t->p;
	size_t i = 0;

	while (p->targets[i] != heir)
		i++;
	p->targets[i] = p->targets[--p->ntargets];
	p->now_ms = now_ms;
	p->batch = p->events.begin(p->events.arg);
	target_save(t, now_ms);
	target_put_gone(heir, now_ms);
	p->events.commit(p->events.arg, p->batch);
	p->batch = NULL;
	target_become(t, heir->job, str_of(heir->instance), &heir->labels, now_ms);
	target_free(heir);
}
