/*
 * What a report finds of waits: those that can never end, and convoys behind one lock.
 *
 * Under the names that the daemon's alerts have.  One dump shows how many wait; that they become
 * more, which makes it a leak, only a baseline does.  Without one, ten or more are told, and that
 * this is not known.  With one, those that did not become more are not told.
 */
#include "report_internal.h"

#include "forever.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#define GREW_LEAST 3 /* more than in the baseline, to be told when they are fewer than ten */

static const struct report_class *class_named(const struct report *r, const char *name)
{
	for (size_t i = 0; i < r->nclasses; i++) {
		if (str_is(r->sorted[i]->name, name))
			return r->sorted[i];
	}
	return NULL;
}

static int64_t more_of(const struct report_class *c)
{
	return (int64_t)(c->change.now - c->change.old);
}

static void add(struct report *r, struct report_finding f)
{
	if (r->nfindings < REPORT_FINDINGS)
		r->findings[r->nfindings++] = f;
}

static void find_forever(struct report *r, const struct report_class *c)
{
	bool most = c->never * 2 > c->count;

	if (c->never < GREW_LEAST || !most)
		return;
	if (r->baseline ? more_of(c) < GREW_LEAST : c->never < FOREVER_LEAST)
		return;
	add(r, (struct report_finding){.kind = ALERT_BLOCKED_FOREVER,
		       .class = c,
		       .count = c->never,
		       .minutes = c->oldest_minutes});
}

static const struct lock *lock_at(const struct report *r, struct str address)
{
	char text[24];

	for (size_t i = 0; i < locks_count(r->waiters); i++) {
		const struct lock *l = locks_at(r->waiters, i);

		snprintf(text, sizeof(text), "0x%" PRIx64, l->address);
		if (str_is(address, text))
			return l;
	}
	return NULL;
}

/* Nobody of the class, or next to nobody, left since the baseline, and others came. */
static bool grew(const struct report_class *c)
{
	const struct compare_change *x = &c->change;

	return x->now > x->old && (!x->by_id || x->stayed * 10 >= x->old * 9);
}

static void find_convoy(struct report *r, const struct counted *row)
{
	const struct lock *l = lock_at(r, row->name);
	const struct report_class *c = l && l->class ? class_named(r, l->class) : NULL;

	/* Under a minute it may be a moment's queue. */
	if (!c || row->count < LOCKS_CONVOY || row->minutes < 1 || (r->baseline && !grew(c)))
		return;
	add(r, (struct report_finding){.kind = ALERT_LOCK_CONVOY,
		       .class = c,
		       .lock = l,
		       .count = row->count,
		       .minutes = row->minutes});
}

void report_find(struct report *r)
{
	r->nfindings = 0;
	for (size_t i = 0; i < r->nclasses; i++)
		find_forever(r, r->sorted[i]);
	for (size_t i = 0; i < r->locks.n; i++)
		find_convoy(r, r->locks.sorted[i]);
}

const struct report_finding *report_finding_of(const struct report *r, const struct report_class *c)
{
	for (size_t i = 0; i < r->nfindings; i++) {
		if (r->findings[i].class == c)
			return &r->findings[i];
	}
	return NULL;
}

const char *report_finding_name(const struct report_finding *f)
{
	return alert_kind_name(f->kind);
}

static void add_more(const struct report *r, const struct report_class *c, struct buf *out)
{
	if (!r->baseline) {
		if (c->rate.from == RATE_UNTOLD) {
			buf_adds(out, "; whether they become more, a second dump tells "
				      "(--baseline)");
			return;
		}
		buf_adds(out, "; by their waits they become more by ");
		report_add_rate(&c->rate, out);
		return;
	}
	buf_addf(out, "; %" PRId64 " more than in the baseline", more_of(c));
	if (c->change.by_id)
		buf_addf(out, ", and %" PRIu64 " left", c->change.old - c->change.stayed);
	if (c->rate.from != RATE_UNTOLD) {
		buf_adds(out, ": ");
		report_add_rate(&c->rate, out);
	}
}

void report_finding_words(const struct report *r, const struct report_finding *f, struct buf *out)
{
	const struct report_class *c = f->class;

	if (f->lock) {
		lock_words(f->lock, out);
	} else {
		buf_addf(out, "%" PRIu64 " wait for what can never happen", f->count);
		if (c->states.n) {
			buf_adds(out, " [");
			buf_addstr(out, c->states.sorted[0]->name);
			buf_addc(out, ']');
		}
		if (c->created_by.n) {
			buf_adds(out, ", created by ");
			buf_addstr(out, c->created_by.sorted[0]->name);
		}
	}
	if (f->minutes) {
		buf_adds(out, "; the oldest for ");
		report_add_age(out, f->minutes);
	}
	add_more(r, c, out);
}

static json_t *holders_json(const struct lock *l)
{
	json_t *list = json_array();

	for (size_t i = 0; i < l->nholders; i++)
		json_array_append_new(
			list, json_pack("{s:I,s:o,s:o}", "goroutine", (json_int_t)l->holders[i].id,
				      "state", json_str(str_of(l->holders[i].state)), "function",
				      json_str(str_of(l->holders[i].func))));
	return list;
}

json_t *report_findings_json(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->nfindings; i++) {
		const struct report_finding *f = &r->findings[i];
		struct buf words = BUF_INIT;
		json_t *o = json_object();
		char address[24];

		report_finding_words(r, f, &words);
		json_object_set_new(o, "alertname", json_string(report_finding_name(f)));
		json_object_set_new(o, "class", json_str(f->class->name));
		json_object_set_new(o, "count", json_integer((json_int_t)f->count));
		json_object_set_new(o, "oldest_minutes", json_integer(f->minutes));
		json_object_set_new(
			o, "more", r->baseline ? json_integer(more_of(f->class)) : json_null());
		if (f->lock) {
			snprintf(address, sizeof(address), "0x%" PRIx64, f->lock->address);
			json_object_set_new(o, "lock", json_string(address));
			json_object_set_new(o, "function", json_str(str_of(f->lock->by)));
			json_object_set_new(o, "holders", holders_json(f->lock));
		}
		json_object_set_new(o, "words", json_str(buf_str(&words)));
		json_array_append_new(list, o);
		buf_release(&words);
	}
	return list;
}
