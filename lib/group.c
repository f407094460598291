#include "group.h"
#include "map.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

struct member {
	char id[ALERT_ID_MAX];
	bool told; /* the receiver heard that it fires */
	bool news; /* a change of it is to be told, */
	struct since changed; /* which came then */
	struct alert *ended; /* a copy of it, when it resolved; else the table has it */
};

struct alert_group {
	char *receiver, *key, *map_key;
	struct member *v;
	size_t n;
	int64_t last_ms; /* of the last message, 0: none; part of what identifies the next */
	struct since last; /* the same, for waiting */
	bool quiet; /* all that changed was silenced, */
	struct since looked; /* as was found then: looked at again a while later */
};

struct group_set {
	struct group_options opt;
	struct map *groups;
	struct steady clock;
};

/* ---- groups and members ---------------------------------------------------------------------- */

static void free_copy(struct alert *a)
{
	if (!a)
		return;
	alert_release(a);
	free(a);
}

static void free_group(void *p)
{
	struct alert_group *g = p;

	for (size_t i = 0; i < g->n; i++)
		free_copy(g->v[i].ended);
	free(g->v);
	free(g->receiver);
	free(g->key);
	free(g->map_key);
	free(g);
}

static char *make_key(const struct group_set *s, const struct alert *a)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < s->opt.ngroup_by; i++) {
		const char *name = s->opt.group_by[i];

		if (alert_labels_has(&a->labels, str_of(name)))
			alert_labels_put(&l, str_of(name), alert_labels_get(&a->labels, name));
	}
	alert_labels_text(&l, &text);
	alert_labels_release(&l);
	return buf_take(&text);
}

/* The group of an alert; made when there is none and make is set. */
static struct alert_group *group_of(
	struct group_set *s, const char *receiver, const struct alert *a, bool make)
{
	char *key = make_key(s, a), *map_key = xasprintf("%s\n%s", receiver, key);
	struct alert_group *g = map_get(s->groups, str_of(map_key));

	if (g || !make) {
		free(key);
		free(map_key);
		return g;
	}
	g = xcalloc(1, sizeof(*g));
	g->receiver = xstrdup(receiver);
	g->key = key;
	g->map_key = map_key;
	map_put(s->groups, str_of(map_key), g);
	return g;
}

static struct member *member_of(struct alert_group *g, const char *id)
{
	for (size_t i = 0; i < g->n; i++) {
		if (strcmp(g->v[i].id, id) == 0)
			return &g->v[i];
	}
	return NULL;
}

static struct member *add_member(struct alert_group *g, const struct alert *a)
{
	struct member *m;

	g->v = xrealloc(g->v, g->n + 1, sizeof(*g->v));
	m = &g->v[g->n++];
	*m = (struct member){.news = true, .changed = {.at_ms = a->changed_ms}};
	memcpy(m->id, a->id, sizeof(m->id));
	return m;
}

static void drop_member(struct alert_group *g, struct member *m)
{
	free_copy(m->ended);
	g->n--;
	memmove(m, m + 1, (size_t)(g->v + g->n - m) * sizeof(*m));
}

static void drop_if_empty(struct group_set *s, struct alert_group *g)
{
	if (g->n)
		return;
	map_take(s->groups, str_of(g->map_key));
	free_group(g);
}

static struct alert *copy_alert(const struct alert *a)
{
	struct alert *c = xmalloc(sizeof(*c));

	*c = *a;
	c->key = xstrdup(a->key);
	c->labels = c->annotations = (struct alert_labels)ALERT_LABELS_INIT;
	alert_labels_copy(&c->labels, &a->labels);
	alert_labels_copy(&c->annotations, &a->annotations);
	return c;
}

struct group_set *group_set_new(const struct group_options *options)
{
	struct group_set *s = xcalloc(1, sizeof(*s));

	s->opt = *options;
	s->groups = map_new();
	s->clock = (struct steady)STEADY_INIT;
	return s;
}

void group_set_free(struct group_set *s)
{
	if (!s)
		return;
	map_free(s->groups, free_group);
	free(s);
}

size_t group_count(const struct group_set *s)
{
	return map_count(s->groups);
}

/* ---- changes --------------------------------------------------------------------------------- */

static void note_end(struct group_set *s, struct alert_group *g, const struct alert *a)
{
	struct member *m = member_of(g, a->id);

	if (m && m->told) {
		free_copy(m->ended);
		m->ended = copy_alert(a);
		m->news = true;
		m->changed = (struct since){.at_ms = a->changed_ms};
		g->quiet = false;
		return;
	}
	if (m)
		drop_member(g, m);
	drop_if_empty(s, g);
}

void group_change(struct group_set *s, const char *receiver, const struct alert *a)
{
	struct alert_group *g = group_of(s, receiver, a, a->state == ALERT_FIRING);

	if (!g)
		return;
	if (a->state == ALERT_RESOLVED) {
		note_end(s, g, a);
		return;
	}
	if (a->state == ALERT_FIRING && !member_of(g, a->id)) {
		add_member(g, a);
		g->quiet = false;
	}
}

void group_restore(
	struct group_set *s, const char *receiver, const struct alert *a, int64_t told_ms)
{
	bool over = a->state == ALERT_RESOLVED;
	struct member *m;
	struct alert_group *g;

	if ((over && !told_ms) || (!over && a->state != ALERT_FIRING))
		return;
	g = group_of(s, receiver, a, true);
	if (member_of(g, a->id))
		return;
	m = add_member(g, a);
	m->told = told_ms != 0;
	if (over)
		m->ended = copy_alert(a);
	else if (told_ms)
		m->news = false;
	g->last_ms = g->last.at_ms = MAX(g->last_ms, told_ms);
}

/* ---- what is due ----------------------------------------------------------------------------- */

static int64_t first_change_ms(const struct alert_group *g)
{
	int64_t first = INT64_MAX;

	for (size_t i = 0; i < g->n; i++) {
		if (g->v[i].news)
			first = MIN(first, g->v[i].changed.at_ms);
	}
	return first;
}

/* When a change is to be told, or INT64_MAX. */
static int64_t news_due_ms(const struct group_set *s, const struct alert_group *g)
{
	int64_t change = first_change_ms(g);

	if (change == INT64_MAX)
		return INT64_MAX;
	return MAX(change + s->opt.wait_ms, g->last_ms ? g->last.at_ms + s->opt.interval_ms : 0);
}

/* When there is something to look at; whether it is sent depends on silences then. */
static int64_t due_ms(const struct group_set *s, const struct alert_group *g)
{
	int64_t due = news_due_ms(s, g);

	if (g->last_ms)
		due = MIN(due, g->last.at_ms + s->opt.repeat_ms);
	return g->quiet ? MAX(due, g->looked.at_ms + GROUP_RECHECK_MS) : due;
}

/* At each turn of the clock. */
static void mend_waits(const struct steady *clock, struct alert_group *g)
{
	for (size_t i = 0; i < g->n; i++)
		steady_mend(clock, &g->v[i].changed);
	steady_mend(clock, &g->last);
	steady_mend(clock, &g->looked);
}

static const struct alert *alert_of(const struct group_set *s, const struct member *m)
{
	return m->ended ? m->ended : alert_get(s->opt.alerts, m->id);
}

/* A message being put together. */
struct draft {
	const struct alert *v[GROUP_ALERTS_MAX];
	struct group_message m;
	bool unacked; /* something that was told fires still, and nobody took it */
};

/* Adds the members that changed, or those that did not. */
static void put_members(
	const struct group_set *s, const struct alert_group *g, struct draft *d, bool changed)
{
	for (size_t i = 0; i < g->n; i++) {
		const struct alert *a = alert_of(s, &g->v[i]);

		if (g->v[i].news != changed || !a || s->opt.silenced(s->opt.arg, a))
			continue;
		if (!changed && a->state == ALERT_FIRING && !s->opt.acked(s->opt.arg, a))
			d->unacked = true;
		if (d->m.n == GROUP_ALERTS_MAX) {
			d->m.truncated++;
			d->m.truncated_firing += a->state == ALERT_FIRING;
			continue;
		}
		d->v[d->m.n++] = a;
		d->m.nfiring += a->state == ALERT_FIRING;
	}
}

/* What a message named was told; of what ended there is nothing more to tell. */
static void mark_told(struct alert_group *g, const struct draft *d)
{
	for (size_t i = 0; i < d->m.nchanged; i++) {
		struct member *m = member_of(g, d->v[i]->id);

		if (m->ended) {
			drop_member(g, m);
			continue;
		}
		m->told = true;
		m->news = false;
	}
	g->last_ms = d->m.now_ms;
	g->last = (struct since){.at_ms = d->m.now_ms};
	g->quiet = false;
}

static bool repeat_is_due(const struct group_set *s, const struct alert_group *g, int64_t now)
{
	return g->last_ms && now >= g->last.at_ms + s->opt.repeat_ms;
}

static void flush(struct group_set *s, struct alert_group *g, int64_t now)
{
	struct draft d = {.m = {.receiver = g->receiver,
				  .key = g->key,
				  .opening = g->last_ms == 0,
				  .last_ms = g->last_ms,
				  .now_ms = now}};

	d.m.alerts = d.v;
	put_members(s, g, &d, true);
	d.m.nchanged = d.m.n;
	put_members(s, g, &d, false);
	if (!(d.m.nchanged && news_due_ms(s, g) <= now) &&
		!(repeat_is_due(s, g, now) && d.unacked)) {
		g->quiet = true;
		g->looked = (struct since){.at_ms = now};
		return;
	}
	s->opt.send(s->opt.arg, &d.m);
	mark_told(g, &d);
	drop_if_empty(s, g);
}

void group_tick(struct group_set *s, int64_t now_ms, uint64_t mono_ms)
{
	struct map_item item;
	void *at = NULL;

	steady_turn(&s->clock, now_ms, mono_ms);
	while (map_next(s->groups, &at, &item)) {
		struct alert_group *g = item.value;

		mend_waits(&s->clock, g);
		if (due_ms(s, g) <= now_ms)
			flush(s, g, now_ms);
	}
}

int64_t group_next_ms(const struct group_set *s)
{
	int64_t next = INT64_MAX;
	struct map_item item;
	void *at = NULL;

	while (map_next(s->groups, &at, &item))
		next = MIN(next, due_ms(s, item.value));
	return next;
}

void group_wake(struct group_set *s)
{
	struct map_item item;
	void *at = NULL;

	while (map_next(s->groups, &at, &item))
		((struct alert_group *)item.value)->quiet = false;
}
