#include "alert.h"
#include "map.h"
#include "safe.h"
#include "xalloc.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct alert_table {
	struct map *by_key, *by_id;
	size_t in_state[ALERT_STATES];
	struct alert_rule rules[ALERT_KINDS]; /* deep copies */
	alert_change_cb *change;
	void *arg;
	bool telling; /* within change */
	struct steady clock;
};

/* Which state may follow which; anything else is a bug of ours. */
static const bool may_follow[ALERT_STATES][ALERT_STATES] = {
	[ALERT_INACTIVE] = {[ALERT_PENDING] = true, [ALERT_FIRING] = true},
	[ALERT_PENDING] = {[ALERT_INACTIVE] = true, [ALERT_FIRING] = true},
	[ALERT_FIRING] = {[ALERT_RESOLVED] = true},
};

static void free_alert(void *p)
{
	struct alert *a = p;

	alert_release(a);
	free(a);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static struct label *copy_labels(const struct label *v, size_t n)
{
	struct label *copy = n ? xcalloc(n, sizeof(*copy)) : NULL;

	for (size_t i = 0; i < n; i++) {
		copy[i].key = str_n(str_dup(v[i].key), v[i].key.len);
		copy[i].value = str_n(str_dup(v[i].value), v[i].value.len);
	}
	return copy;
}

static void free_labels(const struct label *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free((char *)v[i].key.p);
		free((char *)v[i].value.p);
	}
	free((struct label *)v);
}

static void release_rule(struct alert_rule *r)
{
	free((char *)r->severity);
	free_labels(r->labels, r->nlabels);
	free_labels(r->annotations, r->nannotations);
}

void alert_table_rule(struct alert_table *t, enum alert_kind kind, const struct alert_rule *rule)
{
	struct alert_rule copy = *rule;

	copy.severity = xstrdup(rule->severity);
	copy.labels = copy_labels(rule->labels, rule->nlabels);
	copy.annotations = copy_labels(rule->annotations, rule->nannotations);
	release_rule(&t->rules[kind]);
	t->rules[kind] = copy;
}

const struct alert_rule *alert_table_rule_of(const struct alert_table *t, enum alert_kind kind)
{
	return &t->rules[kind];
}

/* ---- the table ------------------------------------------------------------------------------- */

struct alert_table *alert_table_new(alert_change_cb *change, void *arg)
{
	struct alert_table *t = xcalloc(1, sizeof(*t));

	t->by_key = map_new();
	t->by_id = map_new();
	t->clock = (struct steady)STEADY_INIT;
	t->change = change;
	t->arg = arg;
	for (int k = 0; k < ALERT_KINDS; k++)
		alert_table_rule(t, k, &alert_rule_defaults[k]);
	return t;
}

void alert_table_free(struct alert_table *t)
{
	if (!t)
		return;
	map_free(t->by_id, NULL);
	map_free(t->by_key, free_alert);
	for (int k = 0; k < ALERT_KINDS; k++)
		release_rule(&t->rules[k]);
	free(t);
}

static void add_to_table(struct alert_table *t, struct alert *a)
{
	map_put(t->by_key, str_of(a->key), a);
	map_put(t->by_id, str_of(a->id), a);
	t->in_state[a->state]++;
}

static void forget(struct alert_table *t, struct alert *a)
{
	t->in_state[a->state]--;
	map_take(t->by_id, str_of(a->id));
	map_take(t->by_key, str_of(a->key));
	free_alert(a);
}

static struct alert *look_up(const struct alert_table *t, const char *id)
{
	return map_get(t->by_id, str_of(id));
}

const struct alert *alert_get(const struct alert_table *t, const char *id)
{
	return look_up(t, id);
}

size_t alert_count(const struct alert_table *t, enum alert_state s)
{
	return t->in_state[s];
}

const struct alert *alert_next(const struct alert_table *t, void **at)
{
	struct map_item item;

	return map_next(t->by_key, at, &item) ? item.value : NULL;
}

/* ---- identity -------------------------------------------------------------------------------- */

/* Adds what is not there yet. */
static void put_missing(struct alert_labels *to, const struct label *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!alert_labels_has(to, v[i].key))
			alert_labels_put(to, v[i].key, v[i].value);
	}
}

static char *make_key(enum alert_kind kind, const struct label *labels, size_t n)
{
	struct alert_labels l = ALERT_LABELS_INIT;
	struct buf text = BUF_INIT;

	alert_labels_put(&l, STR("alertname"), str_of(alert_kind_name(kind)));
	put_missing(&l, labels, n);
	/* Configurable, so it must not make another alert of a standing one. */
	alert_labels_remove(&l, STR("severity"));
	alert_labels_text(&l, &text);
	alert_labels_release(&l);
	return buf_take(&text);
}

static void make_id(const struct alert_table *t, struct alert *a)
{
	uint64_t seed = (uint64_t)a->raised_ms;

	do {
		snprintf(a->id, sizeof(a->id), "%016" PRIx64,
			hash64(a->key, strlen(a->key), seed++));
	} while (look_up(t, a->id));
}

const struct alert *alert_find(const struct alert_table *t, enum alert_kind kind,
	const struct label *labels, size_t nlabels)
{
	char *key = make_key(kind, labels, nlabels);
	const struct alert *a = map_get(t->by_key, str_of(key));

	free(key);
	return a;
}

/* ---- the state machine ----------------------------------------------------------------------- */

static void set_reason(struct alert *a, const char *why)
{
	struct buf b = BUF_INIT;

	if (!why[0])
		return;
	safe_add(&b, str_of(why));
	if (b.len >= sizeof(a->reason)) {
		size_t n = sizeof(a->reason) - sizeof("…");

		while ((b.p[n] & 0xc0) == 0x80) /* not in the middle of a character */
			n--;
		b.len = n;
		buf_adds(&b, "…");
	}
	snprintf(a->reason, sizeof(a->reason), "%s", b.p);
	buf_release(&b);
}

/* Frees a when it has come to its end. */
static void set_state(
	struct alert_table *t, struct alert *a, enum alert_state to, const char *why, int64_t now)
{
	enum alert_state old = a->state;

	assert(may_follow[old][to]);
	t->in_state[old]--;
	t->in_state[to]++;
	a->state = to;
	a->change++;
	a->changed_ms = now;
	a->waits = (struct since){.at_ms = now};
	if (to == ALERT_FIRING)
		a->fired_ms = now;
	if (to == ALERT_RESOLVED)
		a->resolved_ms = now;
	set_reason(a, why);
	t->telling = true;
	t->change(t->arg, a, old, a->reason);
	t->telling = false;
	if (to == ALERT_RESOLVED || to == ALERT_INACTIVE)
		forget(t, a);
}

/* How long an alert whose condition has ended in this way still stands. */
static int64_t linger_ms(const struct alert_table *t, const struct alert *a, enum alert_end end)
{
	switch (end) {
	case ALERT_END_REMOVED:
		return ALERT_REMOVED_MS;
	case ALERT_END_CHANGED:
		return 0;
	default:
		return (int64_t)t->rules[a->kind].keep_firing_ms;
	}
}

/* When time changes its state, or INT64_MAX. */
static int64_t due_ms(const struct alert_table *t, const struct alert *a)
{
	if (a->state == ALERT_PENDING)
		return a->waits.at_ms + (int64_t)t->rules[a->kind].for_ms;
	if (!a->holds)
		return a->waits.at_ms + linger_ms(t, a, a->end);
	return INT64_MAX;
}

static void settle(struct alert_table *t, struct alert *a, int64_t now)
{
	if (due_ms(t, a) > now)
		return;
	set_state(t, a, a->state == ALERT_PENDING ? ALERT_FIRING : ALERT_RESOLVED, "", now);
}

static struct alert *new_alert(struct alert_table *t, enum alert_kind kind, char *key,
	const struct label *labels, size_t n, int64_t now)
{
	const struct alert_rule *rule = &t->rules[kind];
	struct alert *a = xcalloc(1, sizeof(*a));

	a->key = key;
	a->kind = kind;
	a->raised_ms = now;
	make_id(t, a);
	alert_labels_put(&a->labels, STR("alertname"), str_of(alert_kind_name(kind)));
	alert_labels_put(&a->labels, STR("severity"), str_of(rule->severity));
	put_missing(&a->labels, labels, n);
	put_missing(&a->labels, rule->labels, rule->nlabels);
	return a;
}

static void set_annotations(
	struct alert *a, const struct alert_labels *annotations, const struct alert_rule *rule)
{
	struct buf text = BUF_INIT;

	alert_labels_copy(&a->annotations, annotations);
	for (size_t i = 0; i < rule->nannotations; i++) {
		if (alert_labels_has(annotations, rule->annotations[i].key))
			continue;
		buf_reset(&text);
		alert_labels_expand(rule->annotations[i].value, &a->labels, annotations, &text);
		alert_labels_put_text(&a->annotations, rule->annotations[i].key, buf_str(&text));
	}
	buf_release(&text);
}

static const struct alert *renew(struct alert_table *t, struct alert *a,
	const struct alert_labels *annotations, const char *why)
{
	a->holds = true;
	a->cleared_ms = 0;
	set_annotations(a, annotations, &t->rules[a->kind]);
	set_reason(a, why);
	return a;
}

const struct alert *alert_renew(struct alert_table *t, const char *id,
	const struct alert_labels *annotations, const char *why)
{
	struct alert *a = look_up(t, id);

	assert(!t->telling);
	return a ? renew(t, a, annotations, why) : NULL;
}

const struct alert *alert_raise(struct alert_table *t, enum alert_kind kind,
	const struct label *labels, size_t nlabels, const struct alert_labels *annotations,
	const char *why, int64_t now_ms, struct err *err)
{
	char *key = make_key(kind, labels, nlabels);
	struct alert *a = map_get(t->by_key, str_of(key));

	assert(!t->telling);
	if (a) {
		free(key);
		return renew(t, a, annotations, why);
	}
	if (map_count(t->by_key) >= ALERT_TABLE_MAX) {
		err_set(err, "there are %d alerts already: %s is not raised", ALERT_TABLE_MAX,
			alert_kind_name(kind));
		free(key);
		return NULL;
	}
	a = new_alert(t, kind, key, labels, nlabels, now_ms);
	a->holds = true;
	set_annotations(a, annotations, &t->rules[kind]);
	add_to_table(t, a);
	set_state(t, a, t->rules[kind].for_ms ? ALERT_PENDING : ALERT_FIRING, why, now_ms);
	return a;
}

bool alert_clear(
	struct alert_table *t, const char *id, enum alert_end end, const char *why, int64_t now_ms)
{
	struct alert *a = look_up(t, id);

	assert(!t->telling);
	if (!a)
		return false;
	/* A second end counts only when it comes to pass before the first. */
	if (!a->holds && now_ms + linger_ms(t, a, end) >= due_ms(t, a))
		return false;
	a->holds = false;
	a->end = end;
	a->cleared_ms = now_ms;
	a->waits = (struct since){.at_ms = now_ms};
	if (a->state == ALERT_PENDING) {
		set_state(t, a, ALERT_INACTIVE, why, now_ms);
		return true;
	}
	set_reason(a, why);
	settle(t, a, now_ms);
	return true;
}

bool alert_annotate(struct alert_table *t, const char *id, const char *key, struct str value)
{
	struct alert *a = look_up(t, id);

	assert(!t->telling);
	if (!a)
		return false;
	if (value.len == 0)
		alert_labels_remove(&a->annotations, str_of(key));
	else
		alert_labels_put_text(&a->annotations, str_of(key), value);
	return true;
}

void alert_tick(struct alert_table *t, int64_t now_ms, uint64_t mono_ms)
{
	struct map_item item;
	void *at = NULL;

	assert(!t->telling);
	steady_turn(&t->clock, now_ms, mono_ms);
	while (map_next(t->by_key, &at, &item)) {
		steady_mend(&t->clock, &((struct alert *)item.value)->waits);
		settle(t, item.value, now_ms);
	}
}

int64_t alert_next_ms(const struct alert_table *t)
{
	struct map_item item;
	int64_t next = INT64_MAX;
	void *at = NULL;

	while (map_next(t->by_key, &at, &item))
		next = MIN(next, due_ms(t, item.value));
	return next;
}

int alert_load(struct alert_table *t, const struct alert *row, struct err *err)
{
	struct alert *a;

	if (row->kind >= ALERT_KINDS)
		return err_set(err, "a stored alert has a name that this version does not know");
	if (row->state != ALERT_PENDING && row->state != ALERT_FIRING)
		return err_set(err, "a stored alert is %s, so it does not stand any more",
			alert_state_name(row->state));
	if (row->state == ALERT_PENDING && !row->holds)
		return err_set(err, "a stored alert is pending, but its condition does not hold");
	if (!row->id[0] || !row->key || !row->key[0] || row->end >= ALERT_ENDS)
		return err_set(err, "a stored alert has no id, no identity or an unknown end");
	if (map_get(t->by_key, str_of(row->key)) || look_up(t, row->id))
		return err_set(err, "alert %s is stored twice", row->id);
	if (map_count(t->by_key) >= ALERT_TABLE_MAX)
		return err_set(err, "more than %d alerts are stored", ALERT_TABLE_MAX);
	a = xmalloc(sizeof(*a));
	*a = *row;
	a->key = xstrdup(row->key);
	a->waits = (struct since){.at_ms = a->holds ? a->changed_ms : a->cleared_ms};
	a->labels = a->annotations = (struct alert_labels)ALERT_LABELS_INIT;
	alert_labels_copy(&a->labels, &row->labels);
	alert_labels_copy(&a->annotations, &row->annotations);
	add_to_table(t, a);
	return 0;
}
