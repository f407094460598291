/* When descriptors are counted by peer, and what becomes of the counts (census.h). */
#include "json.h"
#include "log.h"
#include "pipeline_host.h"
#include "pipeline_reload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BEFORE_WINDOWS 30 /* of the detector's, between two while nothing is suspected: an hour */
#define AFTER_WINDOWS  2.5 /* and while something is: five minutes */
#define LISTED	       10 /* peers that are stored */

static bool is_suspect(const struct slot *s)
{
	return (s->class || s->series->kind == SERIES_FDS) &&
	       s->series->verdict.state >= VERDICT_SUSPECT;
}

static bool suspected(const struct target *t)
{
	for (size_t i = 0; i < t->nslots; i++) {
		if (is_suspect(&t->slots[i]))
			return true;
	}
	return false;
}

/* Nothing is suspected, and descriptors do not even rise: then they are as they should be. */
static bool all_quiet(struct target *t)
{
	const struct slot *fds = target_slot(t, SERIES_FDS, (struct str){0});

	return !suspected(t) && (!fds || fds->series->verdict.state == VERDICT_OK);
}

bool target_census_wanted(struct target *t, double now)
{
	const struct host_census *c = &t->host->census;
	double window = t->rules->config->detect.window_s;

	if (isnan(c->at))
		return true;
	if (suspected(t))
		return now - c->at >= AFTER_WINDOWS * window;
	return all_quiet(t) && now - c->at >= BEFORE_WINDOWS * window;
}

/* Once for each reason. */
static void say_why(struct target *t, const char *why)
{
	char *told = t->host->census.told;

	if (why[0] && strcmp(told, why) != 0)
		log_msg(LEVEL_WARNING, "target %s/%s: descriptors are not counted by peer: %s",
			t->job_name, t->instance, why);
	snprintf(told, ERR_MAX, "%s", why);
}

void target_census_take(struct target *t, struct look *l)
{
	struct host_census *c = &t->host->census;

	if (!l->wants_census || !l->memory.has_process)
		return;
	c->at = (double)t->p->now_ms / 1000; /* also when refused: it is not tried at each scrape */
	say_why(t, l->census_why);
	if (!l->census)
		return;
	census_free(c->after);
	c->after = NULL;
	if (!c->before || all_quiet(t)) {
		census_free(c->before);
		c->before = l->census;
	} else {
		c->after = l->census;
	}
	l->census = NULL;
	buf_reset(&c->words);
	if (c->after)
		census_words(c->before, c->after, &c->words);
	c->written = false;
}

void target_census_reset(struct host *h)
{
	census_free(h->census.before);
	census_free(h->census.after);
	buf_release(&h->census.words);
	h->census = (struct host_census){.at = NAN, .words = BUF_INIT};
}

/* Of a leak of goroutines only where descriptors leak with it. */
struct str target_census_words(struct target *t, const struct finding *f)
{
	const struct slot *fds = target_slot(t, SERIES_FDS, (struct str){0});
	bool with = f->kind == FINDING_FDS;

	for (size_t i = 0; i < t->nslots; i++) {
		if (t->slots[i].series == f->primary)
			with |= target_cost_holds_fds(&t->slots[i]);
	}
	with |= fds && fds->series->verdict.state >= VERDICT_SUSPECT;
	return with ? buf_str(&t->host->census.words) : (struct str){0};
}

static json_t *grown(const struct host_census *c)
{
	struct census_growth g[LISTED];
	json_t *list = json_array();
	size_t n = census_compare(c->before, c->after, g, LISTED);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:o,s:I,s:I}", "what", json_str(g[i].name), "before",
				      (json_int_t)g[i].was, "now", (json_int_t)g[i].is));
	return list;
}

/* With the series of descriptors. */
void target_census_write(struct target *t, struct store_batch *b, double now)
{
	const struct slot *s = target_slot(t, SERIES_FDS, (struct str){0});
	struct buf body = BUF_INIT;
	struct store_fact row;
	json_t *doc;

	if (!t->host || !s || !s->stored || !t->host->census.after || t->host->census.written)
		return;
	doc = json_object();
	json_object_set_new(doc, "what_grows", json_str(buf_str(&t->host->census.words)));
	json_object_set_new(doc, "grown", grown(&t->host->census));
	json_write(doc, &body);
	json_decref(doc);
	row = (struct store_fact){
		.series_id = s->series->id, .at_ms = (int64_t)(now * 1000), .body = buf_str(&body)};
	store_put_fact(b, STORE_COST, &row);
	buf_release(&body);
	t->host->census.written = true;
}
