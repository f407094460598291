/* What was seen of single goroutines, as reasons and alerts say it and exhibits show it. */
#include "evidence_json.h"
#include "pipeline_evidence.h"
#include "pipeline_forever.h"
#include "pipeline_inquiry.h"
#include "pipeline_reload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* An exhibit waits that many cycles for the alert it is for. */
#define EXHIBIT_CYCLES 10

/* ---- what reasons and alerts say ------------------------------------------------------------- */

/* The detector's words tell of counts only. */
void target_say_evidence(struct target *t)
{
	struct inquiry *q = t->inquiry;

	for (size_t i = 0; q && i < evidence_count(q->evidence); i++) {
		const struct evidence_class *c = evidence_at(q->evidence, i);
		struct slot *s = target_slot(t, SERIES_CLASS, str_of(c->name));
		char *reason = s ? s->series->verdict.reason : NULL;
		size_t len = reason ? strlen(reason) : 0;

		if (!s || s->series->verdict.state != VERDICT_SUSPECT)
			continue;
		buf_reset(&q->words);
		evidence_words(c, &q->words);
		if (q->why[0])
			buf_addf(&q->words, "%snot looked at one by one: %s",
				q->words.len ? "; " : "", q->why);
		if (q->words.len)
			snprintf(reason + len, VERDICT_REASON_MAX - len, "; %s", q->words.p);
	}
}

void target_add_facts(struct target *t, const struct slot *s, struct notify_facts *f)
{
	struct inquiry *q = t->inquiry;
	const struct evidence_class *c;

	if (!q || !s->class)
		return;
	c = evidence_find(q->evidence, str_of(s->series->name));
	buf_reset(&q->words);
	if (c)
		evidence_words(c, &q->words);
	if (!c || !c->never)
		target_forever_words(t, s->series, &q->words);
	if (q->why[0])
		buf_addf(&q->words, "%sits goroutines cannot be looked at one by one: %s",
			q->words.len ? "; " : "", q->why);
	f->evidence = buf_str(&q->words);
	if (!c || isnan(c->at))
		return;
	if (c->oldest_minutes)
		f->oldest_s = c->oldest_minutes * 60.0 + ((double)t->p->now_ms / 1000 - c->at);
	if (f->created_by.len == 0 && c->creators.n)
		f->created_by = str_of(c->creators.v[0].text);
}

/* ---- exhibits -------------------------------------------------------------------------------- */

void inquiry_keep_exhibit(struct inquiry *q)
{
	buf_reset(&q->kept);
	q->kept_whole = exhibit_take(q->exhibit, &q->kept, &q->kept_bytes);
	q->kept_goroutines = evidence_goroutines(q->evidence);
	q->kept_at_ms = q->dump_at_ms;
	q->kept_cycles = EXHIBIT_CYCLES;
}

void target_put_exhibit(struct target *t)
{
	struct inquiry *q = t->inquiry;

	if (!q || q->kept_cycles == 0)
		return;
	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);
		struct store_exhibit row = {.target_id = t->id,
			.at_ms = q->kept_at_ms,
			.format = STR("debug2"),
			.goroutines = (int64_t)q->kept_goroutines,
			.truncated = !q->kept_whole,
			.bytes = (int64_t)q->kept_bytes,
			.body = buf_str(&q->kept)};

		if (!f->user || f->kind == FINDING_FDS || f->kind == FINDING_MEMORY ||
			map_get(q->shown, str_of(f->user)))
			continue;
		row.alert_id = str_of(f->user);
		store_add_exhibit(t->p->batch, &row);
		map_put(q->shown, str_of(f->user), q);
	}
	if (--q->kept_cycles == 0)
		buf_release(&q->kept);
}
