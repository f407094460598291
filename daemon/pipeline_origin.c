/* Is it one process that answers under a target's address? */
#include "pipeline_origin.h"
#include "log.h"
#include "pipeline_inquiry.h"
#include "pipeline_reload.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- start times ------------------------------------------------------------------------------
 */

#define SAME_START_S 1.5 /* the same start as told by two scrapes */
#define TURNS_S	     600.0 /* so long after the last turn it is said, and nothing looked at */

static size_t find_start(const struct replicas *r, double start)
{
	size_t i = 0;

	while (i < r->n && fabs(r->starts[i] - start) > SAME_START_S)
		i++;
	return i;
}

void target_note_start(struct target *t, double start)
{
	struct replicas *r = &t->replicas;
	size_t at = find_start(r, start);

	if (r->n && at == r->n - 1)
		return; /* the process of the scrape before */
	if (at < r->n) {
		r->seen_at = (double)t->p->now_ms / 1000;
		log_limited(LEVEL_WARNING, t->instance,
			"target %s/%s: %zu processes answer in turns, as their start times say; is "
			"it behind a load balancer?  Each must be scraped by its own address",
			t->job_name, t->instance, r->n);
	}
	if (at == r->n && r->n == REPLICA_STARTS)
		at = 0; /* the one that was not seen for the longest */
	if (at < r->n)
		memmove(r->starts + at, r->starts + at + 1, (--r->n - at) * sizeof(*r->starts));
	r->starts[r->n++] = start;
}

bool target_takes_turns(const struct target *t)
{
	double window_s = t->rules->config->detect.window_s;

	return t->replicas.seen_at > 0 &&
	       (double)t->p->now_ms / 1000 - t->replicas.seen_at < TURNS_S * window_s / 120;
}

void target_note_replicas(struct target *t)
{
	if (target_takes_turns(t))
		snprintf(t->dump_why, sizeof(t->dump_why),
			"%zu processes answer in turns, as their start times say: what is counted "
			"jumps between them; scrape each by its own address",
			t->replicas.n);
}

/* ---- dumps ------------------------------------------------------------------------------------
 */

#define ODD_MAX	     4 /* dumps in a row: then the one they are held against may be odd */
#define LIKE_LEAST   50.0 /* goroutines that may come or go between two answers */
#define LIKE_CLASS   20.0 /* … of a class */
#define LIKE_SHARE   .3
#define LIKE_CHANGES 4.0 /* times the last change between two scrapes */

/* A count of the last scrape, and of the two before; one is under way, maybe, and the last two are
 * the same. */
struct scraped {
	double now, before, earlier;
};

/* May one process have had both counts, a scrape's length apart? */
static bool is_like(double dumped, const struct scraped *s, double least)
{
	double change = fmax(fabs(s->now - s->before), fabs(s->before - s->earlier));
	double allowed = fmax(least, LIKE_SHARE * fmax(dumped, s->now));

	return fabs(dumped - s->now) <= fmax(allowed, LIKE_CHANGES * change);
}

static struct scraped scraped_class(const struct target *t, const struct tally_class *c)
{
	return (struct scraped){.now = (double)c->count,
		.before = c->index < t->nbefore ? (double)t->before[c->index] : 0,
		.earlier = c->index < t->nearlier ? (double)t->earlier[c->index] : 0};
}

/* The total, then each class that is of interest, against the last whole scrape. */
static bool counts_agree(struct target *t, char *why, size_t size)
{
	struct inquiry *q = t->inquiry;
	double dumped = (double)evidence_goroutines(q->evidence);
	struct scraped total = {
		(double)tally_total(t->tally), (double)t->total_before, (double)t->total_earlier};

	if (!is_like(dumped, &total, LIKE_LEAST)) {
		snprintf(why, size, "it has %.0f goroutines, and the routine scrape counted %.0f",
			dumped, total.now);
		return false;
	}
	for (size_t i = 0; i < evidence_count(q->evidence); i++) {
		const struct evidence_class *c = evidence_at(q->evidence, i);
		const struct slot *s = target_slot(t, SERIES_CLASS, str_of(c->name));
		struct scraped scraped;

		if (!s || !s->class || c->interest == EVIDENCE_NONE)
			continue;
		scraped = scraped_class(t, s->class);
		dumped = (double)evidence_counted(c);
		if (is_like(dumped, &scraped, LIKE_CLASS))
			continue;
		snprintf(why, size, "it has %.0f of %s, and the routine scrape counted %.0f",
			dumped, c->name, scraped.now);
		return false;
	}
	return true;
}

bool target_dump_is_own(struct target *t, char *why, size_t size)
{
	struct inquiry *q = t->inquiry;
	struct origin_result origin;
	struct buf words = BUF_INIT;
	char counts[ERR_MAX / 2] = "";

	evidence_origin(q->evidence, &origin);
	if (!origin.other && counts_agree(t, counts, sizeof(counts))) {
		q->odd = 0;
		return true;
	}
	origin_words(&origin, &words);
	snprintf(why, size,
		"the dump came from another process: %s (is it behind a load balancer?)",
		origin.other ? words.p : counts);
	buf_release(&words);
	q->odd++;
	return false;
}

bool target_dumps_are_odd(struct target *t)
{
	return t->inquiry->odd >= ODD_MAX;
}
