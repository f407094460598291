#include "pipeline_reload.h"
#include "pipeline_releases.h"
#include "map.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FULL_EVERY 32 /* scrapes between two full ones */
#define REFRESH_S  600.0 /* rows that move slowly: records, verdicts that stand, last seen */
#define REFRESH_MS 600000

static int64_t ms_of(double s)
{
	return isnan(s) ? 0 : (int64_t)llround(s * 1000);
}

/* ---- definitions of classes ---- */

static uint64_t add_text(uint64_t h, struct str s)
{
	return hash64(s.p, s.len, h);
}

static uint64_t add_patterns(uint64_t h, const struct pattern_list *l)
{
	h ^= l->n;
	for (size_t i = 0; i < l->n; i++)
		h = add_text(h + l->v[i].regex, l->v[i].text);
	return h;
}

static uint64_t add_match(uint64_t h, const struct match *m)
{
	h = add_patterns(h + 1, &m->mentions);
	h = add_patterns(h + 2, &m->entry);
	h = add_patterns(h + 3, &m->top);
	h = add_patterns(h + 4, &m->file);
	h += m->waits;
	for (size_t i = 0; i < m->nlabels; i++)
		h = add_patterns(add_text(h, m->labels[i].key), &m->labels[i].values);
	return m->not_match ? add_match(h + 5, m->not_match) : h;
}

/* Hash of what decides which goroutines a class has; 0 for an automatic class. */
int64_t rule_definition(const struct rule *r)
{
	return r ? (int64_t)(add_match(1, &r->match) | 1) : 0;
}

/* ---- rows ---- */

static void put_class(struct target *t, struct slot *s, struct store_batch *b, int64_t now_ms)
{
	const struct tally_class *c = s->class;
	struct store_class row = {
		.id = s->class_id,
		.target_id = t->id,
		.name = str_of(c->name),
		.rule = c->rule ? c->rule->name : (struct str){0},
		.definition = rule_definition(c->rule),
		.first_seen_ms = s->first_seen_ms,
		.last_seen_ms = ms_of(c->last_seen),
		.hint = tally_hint(c),
	};

	(void)now_ms;
	store_put_class(b, &row);
}

static enum store_series_kind row_kind(const struct series *s)
{
	switch (s->kind) {
	case SERIES_CLASS:
		return STORE_SERIES_CLASS;
	case SERIES_TOTAL:
		return STORE_SERIES_TOTAL;
	default:
		return STORE_SERIES_METRIC;
	}
}

static void put_series(struct target *t, struct slot *s, struct store_batch *b, int64_t now_ms)
{
	struct store_series row = {
		.target_id = t->id,
		.kind = row_kind(s->series),
		.name = s->series->kind == SERIES_TOTAL ? STR("total") : str_of(s->series->name),
	};

	if (s->class) {
		s->class_id = ++t->p->ids->class_id;
		s->first_seen_ms = now_ms;
		put_class(t, s, b, now_ms);
		row.class_id = s->class_id;
	}
	s->series->id = (uint32_t)++t->p->ids->series_id;
	row.id = s->series->id;
	/* Spread, so that a target's records do not all come in one scrape. */
	s->series->recorded_at = (double)now_ms / 1000 - (double)(row.id % (int)REFRESH_S);
	s->stored = true;
	store_put_series(b, &row);
}

static void put_example(struct slot *s, struct store_batch *b, int64_t now_ms)
{
	const struct tally_example *e = &s->class->example;
	struct store_stack stack = {.fingerprint = e->fingerprint, .text = str_of(e->text)};
	struct store_class_stack link = {
		.class_id = s->class_id,
		.fingerprint = e->fingerprint,
		.wait = str_of(wait_kind_name(e->wait)),
		.created_by = str_of(e->created_by),
		.count = (int64_t)e->count,
		.last_seen_ms = now_ms,
	};

	store_put_stack(b, &stack);
	store_put_class_stack(b, &link);
	s->example = e->fingerprint;
}

static void put_verdict(struct slot *s, struct store_batch *b, double now)
{
	const struct verdict *v = &s->series->verdict;
	struct store_verdict row = {
		.series_id = s->series->id,
		.state = str_of(verdict_state_name(v->state)),
		.at_ms = ms_of(v->at),
		.since_ms = ms_of(v->since),
		.since_at_least = v->since_at_least,
		.rate_per_hour = v->rate_per_hour,
		.low = v->low,
		.high = v->high,
		.base = v->base,
		.top = v->top,
		.lookback_s = v->lookback_s,
		.reason = str_of(v->reason),
	};

	store_put_verdict(b, &row);
	s->verdict_stored = v->state;
	s->verdict_at = now;
}

static void put_record(struct slot *s, struct store_batch *b, double now)
{
	struct buf record = BUF_INIT;
	struct store_detector row = {.series_id = s->series->id, .at_ms = ms_of(now)};

	detect_save(s->series->detect, &record);
	row.record = buf_str(&record);
	store_put_detector(b, &row);
	buf_release(&record);
	s->series->recorded_at = now;
}

static void write_slot(struct target *t, struct slot *s, struct store_batch *b, double now)
{
	bool standing = s->series->verdict.state > VERDICT_WATCHING;

	if (!s->stored)
		put_series(t, s, b, t->p->now_ms);
	if (s->class && s->class->example.text && s->class->example.fingerprint != s->example)
		put_example(s, b, t->p->now_ms);
	if (s->series->verdict.state != s->verdict_stored ||
		(standing && now - s->verdict_at >= REFRESH_S))
		put_verdict(s, b, now);
	target_cost_write(t, s, b);
	if (now - s->series->recorded_at >= REFRESH_S && !isnan(s->series->value)) {
		put_record(s, b, now);
		if (s->class)
			store_put_seen(
				b, STORE_SEEN_CLASS, s->class_id, ms_of(s->class->last_seen));
	}
}

/* ---- values ---- */

static void add_value(
	struct store_batch *b, bool full, int64_t series_id, double value, double *saved)
{
	bool same = value == *saved || (isnan(value) && isnan(*saved));

	if (same && (!full || isnan(value)))
		return;
	if (store_add_value(b, series_id, value))
		*saved = value;
}

static void write_metric(struct target *t, size_t i, struct store_batch *b, bool full)
{
	struct metric *m = &t->metrics[i];
	double value = vitals_selected(t->vitals, (int)i);

	if (m->series_id)
		add_value(b, full, m->series_id, value, &m->saved);
}

/* In a full row also the values of an endpoint that was not got: later rows build on this one. */
static void carry_value(struct store_batch *b, int64_t series_id, double saved)
{
	if (!isnan(saved))
		store_add_value(b, series_id, saved);
}

/* Before the scrape's row, which its values follow at once. */
static void put_metric_series(struct target *t, struct store_batch *b)
{
	for (int i = 0; i < VITALS_SELECTORS_MAX; i++) {
		const char *name = vitals_selector(t->vitals, i);
		struct store_series row = {.target_id = t->id, .kind = STORE_SERIES_LOAD};

		if (!name)
			return;
		if ((size_t)i >= t->nmetrics) {
			t->metrics = xrealloc(t->metrics, (size_t)i + 1, sizeof(*t->metrics));
			t->metrics[i] = (struct metric){.saved = NAN};
			t->nmetrics = (size_t)i + 1;
		}
		if (t->metrics[i].series_id || isnan(vitals_selected(t->vitals, i)))
			continue;
		t->metrics[i].series_id = row.id = ++t->p->ids->series_id;
		row.name = str_of(name);
		store_put_series(b, &row);
	}
}

static void write_values(struct target *t, struct store_batch *b, int64_t at_ms, bool counted)
{
	struct store_scrape row = {.target_id = t->id, .at_ms = at_ms};

	row.got = (t->dump_ok ? STORE_GOT_GOROUTINES : 0) |
		  (t->metrics_ok ? STORE_GOT_METRICS : 0) | (counted ? STORE_GOT_COUNT : 0);
	if (!row.got)
		return;
	row.full = t->need_full || t->since_full + 1 >= FULL_EVERY;
	t->since_full = row.full ? 0 : t->since_full + 1;
	t->need_full = false;
	store_add_scrape(b, &row);
	for (size_t i = 0; i < t->nslots; i++) {
		struct series *s = t->slots[i].series;

		if (s->at * 1000 >= (double)at_ms - 1 && !isnan(s->value))
			add_value(b, row.full, s->id, s->value, &s->saved);
		else if (row.full)
			carry_value(b, s->id, s->saved);
	}
	for (size_t i = 0; i < t->nmetrics; i++) {
		if (t->metrics_ok)
			write_metric(t, i, b, row.full);
		else if (row.full && t->metrics[i].series_id)
			carry_value(b, t->metrics[i].series_id, t->metrics[i].saved);
	}
}

static void put_target(struct target *t, struct store_batch *b, int64_t now_ms, int64_t gone_ms)
{
	struct store_target row;

	if (!t->first_seen_ms)
		t->first_seen_ms = now_ms;
	row = (struct store_target){
		.id = t->id,
		.job = str_of(t->job_name),
		.instance = str_of(t->instance),
		.labels = str_of(t->labels_json),
		.first_seen_ms = t->first_seen_ms,
		.last_seen_ms = now_ms,
		.gone_ms = gone_ms,
	};

	store_put_target(b, &row);
	t->known = true;
	t->target_at_ms = now_ms;
}

static void put_run(struct target *t, struct store_batch *b, int64_t now_ms)
{
	struct buf info = BUF_INIT;
	struct store_run row = {
		.id = t->run_id,
		.target_id = t->id,
		.start_ms = t->run_start_ms,
		.first_seen_ms = t->run_first_ms,
		.last_seen_ms = now_ms,
	};

	if (isnan(t->run_start))
		buf_adds(&info, PIPELINE_INFERRED);
	if (vitals_version(t->vitals)[0])
		buf_addf(&info, "%s" VERSIONS_MARK "%s", info.len ? ", " : "",
			vitals_version(t->vitals));
	if (vitals_go_version(t->vitals)[0])
		buf_addf(&info, "%s%s", info.len ? ", " : "", vitals_go_version(t->vitals));
	if (t->line)
		buf_addf(&info, "%sinstance %s", info.len ? ", " : "", t->instance);
	row.info = buf_str(&info);
	store_put_run(b, &row);
	buf_release(&info);
	t->run_stored = t->run_id;
	t->run_told = vitals_version(t->vitals)[0];
}

static void put_status(struct target *t, const struct scrape_cycle *c, struct store_batch *b)
{
	const struct gdump_stats *s = gdump_stats(t->gdump);
	struct store_status row = {
		.target_id = t->id,
		.at_ms = c->at_ms,
		.up = t->between ? t->up : t->dump_ok,
		.metrics_up = t->metrics_ok,
		.why = str_of(t->dump_why),
		.metrics_why = str_of(t->metrics_why),
		.duration_ms = t->duration_ms, /* of the last dump */
		.bytes = (int64_t)t->endpoints[0].bytes,
		.parsed = (int64_t)s->parsed,
		.lost = (int64_t)s->lost,
		.down_since_ms = t->down_since_ms,
	};

	store_put_status(b, &row);
}

void target_write(struct target *t, const struct scrape_cycle *c)
{
	struct store_batch *b = t->p->batch;
	double now = (double)c->at_ms / 1000;

	if (!t->known || !t->target_at_ms) {
		put_target(t, b, c->at_ms, 0);
	} else if (c->at_ms - t->target_at_ms >= REFRESH_MS) {
		store_put_seen(b, STORE_SEEN_TARGET, t->id, c->at_ms);
		if (t->run_stored)
			store_put_seen(b, STORE_SEEN_RUN, t->run_stored, c->at_ms);
		t->target_at_ms = c->at_ms;
	}
	/* Its first metrics may have come later than its first dump. */
	if (t->run_id &&
		(t->run_stored != t->run_id || (!t->run_told && vitals_version(t->vitals)[0])))
		put_run(t, b, c->at_ms);
	put_status(t, c, b);
	for (size_t i = 0; i < t->nslots; i++)
		write_slot(t, &t->slots[i], b, now);
	target_host_write(t, b, now);
	if (t->metrics_ok)
		put_metric_series(t, b);
	write_values(t, b, c->at_ms, c->counted);
	target_write_releases(t, b, c->at_ms, false);
}

/* All records, for a clean stop. */
void target_save(struct target *t, int64_t now_ms)
{
	struct store_batch *b = t->p->batch;

	if (!t->known)
		return;
	target_write_releases(t, b, now_ms, true);
	for (size_t i = 0; i < t->nslots; i++) {
		struct slot *s = &t->slots[i];

		if (!s->stored || isnan(s->series->value))
			continue;
		put_record(s, b, isnan(s->series->at) ? (double)now_ms / 1000 : s->series->at);
		put_verdict(s, b, (double)now_ms / 1000);
	}
}

void target_put_gone(struct target *t, int64_t now_ms)
{
	if (t->known)
		put_target(t, t->p->batch, now_ms, now_ms);
}
