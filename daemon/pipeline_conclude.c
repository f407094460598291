/* What a look told becomes verdicts and rows. */
#include "evidence_json.h"
#include "log.h"
#include "pipeline_evidence.h"
#include "pipeline_forever.h"
#include "pipeline_inquiry.h"
#include "pipeline_reload.h"
#include "pipeline_stuck.h"
#include "store_fact.h"

#include <math.h>

/* Where the goroutines of what is suspected are seen the counts yield to them. */
static void yield_counts(struct slot *s, const struct evidence_class *c)
{
	bool suspected =
		s->series->verdict.state >= VERDICT_SUSPECT || c->interest >= EVIDENCE_SUSPECT;

	if (suspected && c->survival && survival_dumps(c->survival) > 0)
		detect_set_counts(s->series->detect, DETECT_COUNTS_YIELD);
}

static void confirm(struct slot *s, struct evidence_class *c, int64_t at_ms)
{
	bool stays = c->result.answer == SURVIVAL_STAYS, proven = evidence_is_proven(c);
	bool never = evidence_never_ends(c);
	struct buf why = BUF_INIT;

	if (c->interest < EVIDENCE_SUSPECT || (!stays && !proven && !never))
		return;
	evidence_words(c, &why);
	detect_confirm(s->series->detect, (double)at_ms / 1000, why.p);
	buf_release(&why);
}

/* Verdicts and rows from what the look told of each class that is followed. */
void target_conclude(struct target *t, int64_t at_ms)
{
	struct inquiry *q = t->inquiry;
	struct store_batch *b = t->p->events.begin(t->p->events.arg);
	struct buf body = BUF_INIT;

	for (size_t i = 0; i < evidence_count(q->evidence); i++) {
		struct evidence_class *c = evidence_at(q->evidence, i);
		struct slot *s = target_slot(t, SERIES_CLASS, str_of(c->name));
		struct store_fact row = {.at_ms = at_ms};

		if (!s || c->interest == EVIDENCE_NONE)
			continue;
		yield_counts(s, c);
		target_stuck_seen(t, s->series, c);
		confirm(s, c, at_ms);
		if (!s->stored)
			continue;
		buf_reset(&body);
		evidence_json(c, &body);
		row.series_id = s->series->id;
		row.body = buf_str(&body);
		store_put_fact(b, STORE_EVIDENCE, &row);
	}
	buf_release(&body);
	t->p->events.commit(t->p->events.arg, b);
	target_forever_seen(t);
}

/* ---- a restart of ours ----------------------------------------------------------------------- */

struct restored {
	struct target *t;
	struct slot *s;
};

static void restore_cb(void *arg, const struct store_fact *row)
{
	const struct restored *r = arg;
	struct target *t = r->t;
	struct evidence *e = target_need_inquiry(t)->evidence;
	struct str name = str_of(r->s->series->name);
	const struct evidence_class *c;
	struct err err = ERR_INIT;

	if (evidence_restore(e, name, row->body, t->run_start, &err))
		log_msg(LEVEL_DEBUG, "target %s/%s: %s: its goroutines are looked at anew: %s",
			t->job_name, t->instance, r->s->series->name, err.msg);
	c = evidence_find(e, name);
	if (c)
		yield_counts(r->s, c);
}

int target_restore_evidence(struct target *t, struct store *store, struct err *err)
{
	if (isnan(t->run_start))
		return 0; /* it could be another process by now */
	for (size_t i = 0; i < t->nslots; i++) {
		struct restored r = {t, &t->slots[i]};
		const struct series *s = r.s->series;

		if (!r.s->class || s->verdict.state < VERDICT_SUSPECT)
			continue;
		if (store_read_facts(store, STORE_EVIDENCE, s->id, restore_cb, &r, err) < 0)
			return -1;
	}
	return 0;
}
