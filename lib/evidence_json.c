/* What is known of a class, for people and as JSON. */
#include "evidence_json.h"
#include "json.h"

#include <math.h>
#include <stdio.h>

static void begin_part(struct buf *out)
{
	if (out->len)
		buf_adds(out, "; ");
}

/* Of what came and went nobody is told that it stayed. */
static void waits_words(const struct evidence_class *c, struct buf *out)
{
	const struct ages_estimate *a = &c->ages;

	if (isnan(c->at) || a->why == AGES_FEW || a->why == AGES_SHORT ||
		(a->why == AGES_TOLD && c->result.answer == SURVIVAL_LEAVES))
		return;
	begin_part(out);
	buf_adds(out, "by how long they have waited: ");
	ages_words(a, out);
}

void evidence_words(const struct evidence_class *c, struct buf *out)
{
	const struct evidence_proof *p = &c->proof;
	char text[SURVIVAL_WORDS_MAX];

	if (c->never) {
		buf_addf(out,
			"%llu of %llu wait for what can never happen (nil channel or empty select)",
			(unsigned long long)c->never, (unsigned long long)c->count);
	}
	if (c->lock.waiters > 1) {
		begin_part(out);
		lock_words(&c->lock, out);
	}
	survival_words(&c->result, text);
	if (text[0]) {
		begin_part(out);
		buf_adds(out, text);
	}
	if (p->asked) {
		begin_part(out);
		if (p->proven)
			buf_addf(out,
				"proven by the garbage collector: %llu of %llu can never go on",
				(unsigned long long)p->proven, (unsigned long long)p->of);
		else
			buf_adds(out,
				"the garbage collector proves none of them lost: what they wait "
				"for "
				"is still reachable, or it is input, a system call or a timer");
	}
	waits_words(c, out);
}

static json_t *words_json(const struct evidence_words *w, const char *key)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < w->n; i++)
		json_array_append_new(
			rows, json_pack("{s:o,s:I}", key, json_str(str_of(w->v[i].text)), "count",
				      (json_int_t)w->v[i].count));
	return rows;
}

static json_t *survival_json(const struct survival_result *r)
{
	static const char *const answers[] = {
		[SURVIVAL_WAIT] = "open",
		[SURVIVAL_STAYS] = "stay",
		[SURVIVAL_LEAVES] = "leave",
	};
	char words[SURVIVAL_WORDS_MAX];

	survival_words(r, words);
	return json_pack("{s:s,s:o,s:I,s:I,s:I,s:I,s:o,s:o,s:b,s:b,s:s}", "answer",
		answers[r->answer], "began", json_num(r->began), "cohort", (json_int_t)r->cohort,
		"outlived", (json_int_t)r->outlived, "stayed", (json_int_t)r->stayed, "now",
		(json_int_t)r->now, "span_seconds", json_num(r->span_s > 0 ? r->span_s : NAN),
		"usual_life_seconds", json_num(r->usual_life_s), "sampled", r->sampled, "quick",
		r->quick, "words", words);
}

static json_t *address_json(uint64_t address)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)address);
	return json_string(text);
}

static json_t *lock_json(const struct lock *l)
{
	json_t *holders = json_array();

	for (size_t i = 0; i < l->nholders; i++)
		json_array_append_new(holders,
			json_pack("{s:I,s:o,s:o}", "goroutine", (json_int_t)l->holders[i].id,
				"state", json_str(str_of(l->holders[i].state)), "function",
				json_str(str_of(l->holders[i].func))));
	return json_pack("{s:o,s:I,s:o,s:o,s:I,s:o,s:I,s:I,s:I}", "address",
		address_json(l->address), "waiters", (json_int_t)l->waiters, "by",
		json_str(str_of(l->by)), "holders", holders, "more_holders", (json_int_t)l->more,
		"before_at", json_num(l->before_at), "waiters_before", (json_int_t)l->before,
		"known_before", (json_int_t)l->known, "known_stayed", (json_int_t)l->stayed);
}

static json_t *ages_json(const struct evidence_class *c)
{
	const struct ages_estimate *a = &c->ages;
	struct buf basis = BUF_INIT, words = BUF_INIT;
	json_t *doc, *rate = json_null(), *bins = json_array();

	if (isnan(c->at)) {
		json_decref(bins);
		return rate;
	}
	ages_basis(a, &basis);
	ages_words(a, &words);
	if (!isnan(a->rate_per_hour))
		rate = json_pack("{s:f,s:f,s:f,s:s}", "estimate", a->rate_per_hour, "low", a->low,
			"high", a->high, "basis", basis.p);
	for (int i = 0; a->bins_told && i < AGES_BINS; i++)
		json_array_append_new(
			bins, json_pack("{s:f,s:f,s:I}", "from_minutes", ages_bin_edge(a, i),
				      "to_minutes", ages_bin_edge(a, i + 1), "count",
				      (json_int_t)a->bins[i]));
	doc = json_pack("{s:s,s:o,s:I,s:I,s:o,s:o,s:s}", "verdict", ages_verdict_name(a->verdict),
		"rate_per_hour", rate, "old", (json_int_t)a->old, "start_up",
		(json_int_t)a->start_up, "bins", bins, "stay", json_num(c->stay), "words", words.p);
	buf_release(&basis);
	buf_release(&words);
	return doc;
}

static json_t *cohort_json(const struct evidence_class *c)
{
	struct buf text = BUF_INIT;
	json_t *cohort;

	if (c->survival)
		survival_save(c->survival, &text);
	cohort = text.len ? json_str(buf_str(&text)) : json_null();
	buf_release(&text);
	return cohort;
}

void evidence_json(const struct evidence_class *c, struct buf *out)
{
	json_t *doc = json_object();

	json_object_set_new(doc, "at", json_num(c->at));
	json_object_set_new(doc, "count", json_integer((json_int_t)c->count));
	json_object_set_new(doc, "oldest_minutes", json_integer(c->oldest_minutes));
	json_object_set_new(doc, "waiting",
		json_pack("{s:I,s:I,s:I,s:I}", "over_1m", (json_int_t)c->waited[EVIDENCE_1M],
			"over_10m", (json_int_t)c->waited[EVIDENCE_10M], "over_1h",
			(json_int_t)c->waited[EVIDENCE_1H], "over_1d",
			(json_int_t)c->waited[EVIDENCE_1D]));
	json_object_set_new(doc, "never", json_integer((json_int_t)c->never));
	json_object_set_new(doc, "states", words_json(&c->states, "state"));
	json_object_set_new(doc, "created_by", words_json(&c->creators, "function"));
	json_object_set_new(doc, "labels", words_json(&c->labels, "label"));
	json_object_set_new(doc, "lock", c->lock.waiters ? lock_json(&c->lock) : json_null());
	json_object_set_new(doc, "survival", survival_json(&c->result));
	json_object_set_new(doc, "collector",
		c->proof.asked ? json_pack("{s:I,s:I}", "proven", (json_int_t)c->proof.proven, "of",
					 (json_int_t)c->proof.of)
			       : json_null());
	json_object_set_new(doc, "ages", ages_json(c));
	json_object_set_new(doc, "cohort", cohort_json(c));
	json_write(doc, out);
	json_decref(doc);
}

/* What the collector said, as evidence_json has it. */
static void read_proof(const json_t *doc, struct evidence_proof *p)
{
	const json_t *row = json_object_get(doc, "collector");
	json_int_t proven = json_integer_value(json_object_get(row, "proven"));
	json_int_t of = json_integer_value(json_object_get(row, "of"));

	if (json_is_object(row) && proven >= 0 && of >= proven)
		*p = (struct evidence_proof){
			.asked = true, .proven = (uint64_t)proven, .of = (uint64_t)of};
}

int evidence_restore(
	struct evidence *e, struct str class, struct str body, double run_start, struct err *err)
{
	json_t *doc = json_read(body, err);
	const char *cohort = doc ? json_string_value(json_object_get(doc, "cohort")) : NULL;
	struct evidence_proof proof = {.asked = false};
	struct survival *s = NULL;
	int rc = doc ? 0 : -1;

	if (cohort) {
		read_proof(doc, &proof);
		s = survival_load(evidence_window(e), run_start, str_of(cohort), err);
		rc = s ? 0 : -1;
	}
	if (s)
		evidence_take(e, class, s, &proof);
	json_decref(doc);
	return rc;
}
