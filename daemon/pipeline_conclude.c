/* What a look told becomes verdicts and rows. */
#include "pipeline_forever.h"
#include "pipeline_inquiry.h"
#include "pipeline_reload.h"
#include "pipeline_stuck.h"
#include "store_fact.h"

/* Where the goroutines of what is suspected are seen the counts yield to them. */
static void yield_counts(struct slot *s, const struct evidence_class *c)
{
	bool suspected = s->series->verdict.state >= VERDICT_SUSPECT ||
			 c->interest >= EVIDENCE_SUSPECT;

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
