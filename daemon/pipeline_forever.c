#include "pipeline_forever.h"
#include "pipeline_evidence.h"
#include "pipeline_reload.h"

#include <math.h>

/* Seconds, scaled with detect.window: between two glances; from one that found some to the second,
 * and to those after it. */
#define GLANCE_S (6 * 3600.0)
#define SECOND_S 600.0
#define AGAIN_S	 1800.0

static const struct forever *found(const struct target *t, const struct series *s)
{
	struct evidence *e = target_evidence(t);

	return e ? forever_find(evidence_forever(e), str_of(s->name)) : NULL;
}

static bool is_suspected(const struct series *s)
{
	return s->verdict.state == VERDICT_SUSPECT || s->verdict.state == VERDICT_LEAKING ||
	       detect_rises_fast(s->detect);
}

/* Whoever says that so many are healthy does not want to hear of them. */
static bool is_healthy(const struct series *s)
{
	return !isnan(s->expected) && s->value <= s->expected;
}

static bool is_growth(const struct series *s, const struct forever *f)
{
	if (is_healthy(s))
		return false;
	if (forever_grows(f))
		return true;
	return f->count >= FOREVER_LEAST && (double)f->count * 2 > s->value && is_suspected(s);
}

/* No routine profile says that a channel is nil. */
static bool may_be(enum wait_kind wait)
{
	return wait == WAIT_CHAN_RECEIVE || wait == WAIT_CHAN_SEND || wait == WAIT_SELECT ||
	       wait == WAIT_UNKNOWN;
}

bool target_forever_glance(const struct target *t, const struct slot *s, double now)
{
	double scale = t->rules->config->detect.window_s / 120;
	struct evidence *e = target_evidence(t);
	double looked = e ? forever_looked(evidence_forever(e)) : NAN;
	const struct series *series = s->series;
	const struct forever *f = found(t, series);
	double again = GLANCE_S;

	if (series->verdict.state != VERDICT_WATCHING || series->value < FOREVER_LEAST ||
		is_healthy(series) || !may_be(s->class->example.wait))
		return false;
	if (f && (double)f->count * 2 > series->value)
		again = f->before ? AGAIN_S : SECOND_S;
	return isnan(looked) || now - looked >= again * scale;
}

void target_forever_seen(struct target *t)
{
	struct evidence *e = target_evidence(t);

	if (!e || isnan(forever_looked(evidence_forever(e))))
		return; /* only the collector was asked */
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;
		const struct forever *f = s->kind == SERIES_CLASS ? found(t, s) : NULL;

		if (!f) {
			s->forever_since = 0;
			continue;
		}
		if (!(s->forever_since > 0) && is_growth(s, f))
			s->forever_since = f->first_at;
		if (s->forever_since > 0)
			s->forever_count = (double)f->count;
	}
}

void target_judge_forever(struct target *t)
{
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;

		if (!(s->forever_since > 0))
			continue;
		if (isnan(s->forever_count))
			s->forever_count = s->value; /* restored */
		if (s->value * 2 < s->forever_count || is_healthy(s))
			s->forever_since = 0;
	}
}

void target_forever_reset(struct target *t)
{
	for (size_t i = 0; i < t->nslots; i++)
		t->slots[i].series->forever_since = 0;
}

void target_forever_restore(struct target *t, struct str class, double since)
{
	struct slot *s = target_slot(t, SERIES_CLASS, class);

	if (!s)
		return;
	s->series->forever_since = since;
	s->series->forever_count = NAN;
}

void target_forever_facts(const struct target *t, const struct series *s, struct notify_facts *f)
{
	const struct forever *seen = found(t, s);

	if (!seen)
		return;
	f->wait = str_of(seen->state);
	if (s->verdict.state < VERDICT_SUSPECT)
		f->reason = STR("looks at them one by one found more each time, and none of them "
				"can ever go on");
	if (s->verdict.state >= VERDICT_WATCHING)
		return;
	/* The detector sees nothing yet: what the looks saw. */
	f->rate_per_hour = forever_rate(seen);
	f->low = f->high = NAN;
	f->since_ms = (int64_t)(seen->first_at * 1000);
	f->since_at_least = true;
}

void target_forever_words(const struct target *t, const struct series *s, struct buf *out)
{
	const struct forever *seen = found(t, s);

	if (!seen)
		return;
	if (out->len)
		buf_adds(out, "; ");
	forever_words(seen, out);
}
