/* What one goroutine of a class holds: asked, told, stored (cost.h). */
#include "pipeline_reload.h"
#include "json.h"

#include <math.h>

/* Places of slots change with the rules, so that they have numbers of their own. */
static uint32_t id_of(struct target *t, struct slot *s)
{
	if (!s->cost.id)
		s->cost.id = ++t->cost_ids;
	return s->cost.id;
}

static double sum_of(double a, double b)
{
	return a + b; /* NAN when one is not told */
}

static void values_now(const struct target *t, double *values)
{
	const struct vitals *v = t->vitals;

	values[COST_FDS] = vitals_get(v, VITAL_FDS);
	values[COST_HEAP] = vitals_get(v, VITAL_HEAP_INUSE);
	values[COST_STACK] = vitals_get(v, VITAL_STACK);
	values[COST_GO] = sum_of(values[COST_HEAP], values[COST_STACK]);
	values[COST_MEMORY] =
		target_host_known(t) ? target_host_anon(t) : vitals_get(v, VITAL_RESIDENT);
}

static bool is_class(const struct slot *s)
{
	return s->class && !s->class->ignored && !isnan(s->series->value);
}

/* Both endpoints in one cycle: else nothing can be compared. */
void target_cost_sample(struct target *t, double now)
{
	double values[COST_METRICS];

	if (!t->dump_ok || !t->metrics_ok)
		return;
	if (!t->cost)
		t->cost = cost_new(t->rules->config->detect.window_s);
	values_now(t, values);
	cost_sample(t->cost, now, values, vitals_selected(t->vitals, t->load),
		(double)tally_total(t->tally));
	for (size_t i = 0; i < t->nslots; i++) {
		struct slot *s = &t->slots[i];
		const struct verdict *v = &s->series->verdict;

		if (is_class(s) && (v->state > VERDICT_OK || cost_follows(t->cost, id_of(t, s))))
			cost_count(t->cost, id_of(t, s), s->series->value, v->since, v->base);
	}
}

/* Other classes of the finding that a series belongs to. */
static size_t companions(struct target *t, const struct slot *s, uint32_t *out)
{
	size_t n = 0;

	for (size_t i = 0; i < finding_count(t->findings); i++) {
		const struct finding *f = finding_at(t->findings, i);
		bool own = false;

		if (!finding_is_growth(f->kind))
			continue;
		for (size_t j = 0; j < f->nmembers; j++)
			own |= f->members[j] == s->series;
		for (size_t j = 0; own && j < t->nslots && n < FINDING_MEMBERS_MAX; j++) {
			for (size_t k = 0; k < f->nmembers; k++) {
				if (f->members[k] == t->slots[j].series && &t->slots[j] != s)
					out[n++] = id_of(t, &t->slots[j]);
			}
		}
	}
	return n;
}

/* A number once told stands until a better one or the end of the run. */
static void ask_slot(struct target *t, struct slot *s, double now)
{
	uint32_t with[FINDING_MEMBERS_MAX];
	size_t nwith = companions(t, s, with);

	for (int m = 0; m < COST_METRICS; m++) {
		struct cost_range r;

		if (!cost_each(t->cost, id_of(t, s), with, nwith, (enum cost_metric)m, &r))
			continue;
		if (isnan(s->cost.at)) {
			for (int i = 0; i < COST_METRICS; i++)
				s->cost.each[i].estimate = NAN;
		}
		s->cost.each[m] = r;
		s->cost.at = now;
		s->cost.stored = false;
	}
}

void target_cost_ask(struct target *t, double now)
{
	if (!t->cost || t->cost_version == cost_version(t->cost))
		return;
	t->cost_version = cost_version(t->cost);
	for (size_t i = 0; i < t->nslots; i++) {
		struct slot *s = &t->slots[i];

		if (is_class(s) && s->series->verdict.state >= VERDICT_SUSPECT)
			ask_slot(t, s, now);
	}
}

void target_cost_forget(struct target *t, struct slot *s)
{
	if (t->cost)
		cost_forget(t->cost, id_of(t, s));
	s->cost = (struct slot_cost){.at = NAN};
}

void target_cost_reset(struct target *t)
{
	if (t->cost)
		cost_reset(t->cost);
	for (size_t i = 0; i < t->nslots; i++)
		t->slots[i].cost = (struct slot_cost){.at = NAN};
}

/* ---- told ---- */

static bool is_told(const struct slot *s, enum cost_metric m)
{
	return !isnan(s->cost.at) && !isnan(s->cost.each[m].estimate);
}

static struct notify_range range_of(const struct cost_range *r)
{
	return (struct notify_range){.value = r->estimate, .low = r->low, .high = r->high};
}

/* The bytes that say most: all that Go holds for it, else what the process has more, else a part.
 */
void target_cost_facts(const struct slot *s, struct notify_facts *f)
{
	static const enum cost_metric bytes[] = {COST_GO, COST_MEMORY, COST_HEAP, COST_STACK};

	if (is_told(s, COST_FDS))
		f->each_fds = range_of(&s->cost.each[COST_FDS]);
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		if (is_told(s, bytes[i])) {
			f->each_bytes = range_of(&s->cost.each[bytes[i]]);
			return;
		}
	}
}

bool target_cost_each(const struct slot *s, enum cost_metric m, struct cost_range *out)
{
	*out = s->cost.each[m];
	return is_told(s, m);
}

bool target_cost_holds_fds(const struct slot *s)
{
	return is_told(s, COST_FDS);
}

double target_cost_go(const struct slot *s)
{
	return is_told(s, COST_GO)     ? s->cost.each[COST_GO].estimate
	       : is_told(s, COST_HEAP) ? s->cost.each[COST_HEAP].estimate
				       : NAN;
}

/* ---- stored ---- */

void target_cost_write(struct target *t, struct slot *s, struct store_batch *b)
{
	struct store_fact row = {.series_id = s->series->id};
	struct buf body = BUF_INIT;
	json_t *doc;

	if (s->cost.stored || isnan(s->cost.at))
		return;
	doc = json_object();
	json_object_set_new(doc, "target", json_sprintf("%s/%s", t->job_name, t->instance));
	json_object_set_new(doc, "class", json_str(str_of(s->series->name)));
	for (int m = 0; m < COST_METRICS; m++) {
		const struct cost_range *r = &s->cost.each[m];

		if (!is_told(s, (enum cost_metric)m))
			continue;
		json_object_set_new(doc, cost_metric_name((enum cost_metric)m),
			json_pack("{s:o,s:o,s:o}", "estimate", json_num(r->estimate), "low",
				json_num(r->low), "high", json_num(r->high)));
	}
	json_object_set_new(doc, "run", json_integer((json_int_t)t->run_id));
	json_write(doc, &body);
	json_decref(doc);
	row.at_ms = (int64_t)(s->cost.at * 1000);
	row.body = buf_str(&body);
	store_put_fact(b, STORE_COST, &row);
	buf_release(&body);
	s->cost.stored = true;
}

struct restoring {
	const struct target *t;
	struct slot *s;
};

static void restore_cb(void *arg, const struct store_fact *row)
{
	const struct target *t = ((struct restoring *)arg)->t;
	struct slot *s = ((struct restoring *)arg)->s;
	struct err err;
	json_t *doc = json_read(row->body, &err);

	if (!doc || json_integer_value(json_object_get(doc, "run")) != t->run_id) {
		json_decref(doc);
		return;
	}
	for (int m = 0; m < COST_METRICS; m++) {
		const json_t *r = json_object_get(doc, cost_metric_name((enum cost_metric)m));
		struct cost_range *into = &s->cost.each[m];

		into->estimate = NAN;
		if (!json_is_object(r))
			continue;
		into->estimate = json_number_value(json_object_get(r, "estimate"));
		into->low = json_number_value(json_object_get(r, "low"));
		into->high = json_number_value(json_object_get(r, "high"));
	}
	s->cost.at = (double)row->at_ms / 1000;
	s->cost.stored = true;
	json_decref(doc);
}

/* What was told of this run before the daemon stopped; of another run it says nothing. */
int target_cost_load(struct target *t, struct store *store, struct err *err)
{
	for (size_t i = 0; i < t->nslots; i++) {
		struct restoring r = {.t = t, .s = &t->slots[i]};

		if (r.s->class && r.s->series->verdict.state >= VERDICT_SUSPECT &&
			store_read_facts(store, STORE_COST, r.s->series->id, restore_cb, &r, err) <
				0)
			return -1;
	}
	return 0;
}
