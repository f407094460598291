/* Collects a history: which sample belongs to which series of which target. */
#include "backtest_internal.h"
#include "buf.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_FAMILY "leakwatch_goroutines"
#define START_FAMILY "process_start_time_seconds"

/* ---- life cycle ------------------------------------------------------------------------------ */

struct backtest *backtest_new(const struct detect_params *params)
{
	struct backtest *b = xcalloc(1, sizeof(*b));

	b->params = *params;
	b->targets = map_new();
	b->series = map_new();
	b->loads = map_new();
	b->stats.from = b->stats.to = NAN;
	return b;
}

static void release_points(struct points *p)
{
	free(p->at);
	free(p->value);
}

static void free_target(void *p)
{
	struct bt_target *t = p;

	release_points(&t->starts);
	free(t->name);
	free(t->job);
	free(t);
}

static void free_series(void *p)
{
	struct bt_series *s = p;

	release_points(&s->points);
	free(s->name);
	free(s);
}

static void free_load(void *p)
{
	struct bt_load *l = p;

	release_points(&l->points);
	free(l);
}

void backtest_free(struct backtest *b)
{
	if (!b)
		return;
	map_free(b->series, free_series);
	map_free(b->loads, free_load);
	map_free(b->targets, free_target);
	for (size_t i = 0; i < b->nwanted; i++) {
		free(b->wanted[i].job);
		free(b->wanted[i].text);
	}
	free(b->wanted);
	free(b);
}

int backtest_want_load(struct backtest *b, struct str job, struct str selector, struct err *err)
{
	struct bt_wanted w = {.text = str_dup(selector)};

	if (prom_selector_parse(str_of(w.text), &w.selector, err)) {
		free(w.text);
		return -1;
	}
	w.job = str_dup(job);
	b->wanted = xrealloc(b->wanted, b->nwanted + 1, sizeof(*b->wanted));
	b->wanted[b->nwanted++] = w;
	return 0;
}

void backtest_rules(struct backtest *b, const struct rule *rules, size_t n)
{
	b->rules = rules;
	b->nrules = n;
}

const struct backtest_stats *backtest_stats(const struct backtest *b)
{
	return &b->stats;
}

/* ---- samples --------------------------------------------------------------------------------- */

/* False when it was left out. */
static bool add_point(struct backtest *b, struct points *p, double at, double value)
{
	if (p->n && at < p->at[p->n - 1]) {
		b->stats.disordered++;
		return false;
	}
	if (b->stats.samples >= BACKTEST_SAMPLES_MAX) {
		b->stats.over_limit++;
		return false;
	}
	if (p->n == p->cap) {
		p->cap = p->cap ? 2 * p->cap : 64;
		p->at = xrealloc(p->at, p->cap, sizeof(double));
		p->value = xrealloc(p->value, p->cap, sizeof(double));
	}
	p->at[p->n] = at;
	p->value[p->n++] = value;
	b->stats.samples++;
	return true;
}

static struct bt_target *target_of(struct backtest *b, struct str name)
{
	struct bt_target *t = map_get(b->targets, name);

	if (t)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->name = str_dup(name);
	t->job = xstrdup("");
	t->first = NAN;
	map_put(b->targets, name, t);
	b->stats.targets++;
	return t;
}

void backtest_start(struct backtest *b, struct str target, double at, double start)
{
	if (isfinite(at) && isfinite(start))
		add_point(b, &target_of(b, target)->starts, at, start);
}

void backtest_value(struct backtest *b, struct str target, enum series_kind kind, struct str name,
	double at, double value)
{
	struct bt_target *t = target_of(b, target);
	struct buf key = BUF_INIT;
	struct bt_series *s;

	if (!isfinite(at) || !isfinite(value))
		return;
	buf_addf(&key, "%d", (int)kind);
	buf_addc(&key, '\0');
	buf_addstr(&key, target);
	buf_addc(&key, '\0');
	buf_addstr(&key, name);
	s = map_get(b->series, buf_str(&key));
	if (!s && map_count(b->series) < BACKTEST_SERIES_MAX) {
		s = xcalloc(1, sizeof(*s));
		s->target = t;
		s->kind = kind;
		s->name = str_dup(name.len ? name : str_of(series_kind_metric(kind)));
		map_put(b->series, buf_str(&key), s);
		b->stats.series++;
	}
	buf_release(&key);
	if (!s) {
		b->stats.over_limit++;
		return;
	}
	if (!add_point(b, &s->points, at, value))
		return;
	b->stats.from = fmin(b->stats.from, at);
	b->stats.to = fmax(b->stats.to, at);
	if (kind == SERIES_CLASS)
		t->first = fmin(t->first, at);
}

/* ---- OpenMetrics ----------------------------------------------------------------------------- */

static struct str label_of(const struct prom_sample *s, const char *key)
{
	for (size_t i = 0; i < s->nlabels; i++)
		if (str_is(s->labels[i].key, key))
			return s->labels[i].value;
	return STR("");
}

/* Name of the sample's target into out; false when it is that of all its labels, or of none. */
static bool target_name(const struct prom_sample *s, struct buf *out)
{
	struct str target = label_of(s, "target"), job = label_of(s, "job");
	struct str instance = label_of(s, "instance");

	if (target.len) {
		buf_addstr(out, target);
		return true;
	}
	if (job.len || instance.len) {
		buf_addstr(out, job);
		if (job.len && instance.len)
			buf_addc(out, '/');
		buf_addstr(out, instance);
		return true;
	}
	for (size_t i = 0; i < s->nlabels; i++) {
		if (str_is(s->labels[i].key, "class"))
			continue;
		buf_addf(out, "%s%.*s=%.*s", out->len ? "," : "", STR_ARG(s->labels[i].key),
			STR_ARG(s->labels[i].value));
	}
	return false;
}

/* A family's name stands for its counter too. */
static bool same_family(struct str name, struct str wanted)
{
	return str_eq(name, wanted) ||
	       (str_starts(name, wanted) && str_is(str_from(name, wanted.len), "_total"));
}

static bool is_load(const struct prom_sample *s, const struct bt_wanted *w)
{
	struct prom_selector sel = w->selector;

	if (!same_family(s->name, sel.name))
		return false;
	sel.name = s->name;
	return prom_selector_matches(&sel, s);
}

/* The series of a load under that key, made when it is new; NULL when there are too many. */
static struct bt_load *load_of(struct backtest *b, struct str key, size_t wanted, bool *is_new)
{
	struct bt_load *l = map_get(b->loads, key);

	*is_new = !l;
	if (l)
		return l;
	if (map_count(b->loads) >= BACKTEST_SERIES_MAX) {
		b->stats.over_limit++;
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->wanted = wanted;
	map_put(b->loads, key, l);
	b->stats.loads++;
	return l;
}

static void add_load(struct backtest *b, size_t wanted, const struct prom_sample *s)
{
	struct buf key = BUF_INIT, name = BUF_INIT;
	struct bt_load *l;
	bool is_new;

	buf_addf(&key, "%zu %.*s", wanted, STR_ARG(s->name));
	for (size_t i = 0; i < s->nlabels; i++)
		buf_addf(&key, "\n%.*s\n%.*s", STR_ARG(s->labels[i].key),
			STR_ARG(s->labels[i].value));
	l = load_of(b, buf_str(&key), wanted, &is_new);
	if (l && is_new) {
		l->counter = s->type == PROM_COUNTER ||
			     (s->type == PROM_UNTYPED && str_ends(s->name, STR("_total")));
		if (target_name(s, &name))
			l->target = target_of(b, buf_str(&name));
	}
	if (l)
		add_point(b, &l->points, s->time, s->value);
	buf_release(&key);
	buf_release(&name);
}

void backtest_load(
	struct backtest *b, struct str target, struct str selector, double at, double value)
{
	struct buf key = BUF_INIT;

	for (size_t i = 0; isfinite(value) && i < b->nwanted; i++) {
		struct bt_load *l;
		bool is_new;

		if (!str_is(selector, b->wanted[i].text))
			continue;
		buf_reset(&key);
		buf_addf(&key, "%zu\n%.*s", i, STR_ARG(target));
		l = load_of(b, buf_str(&key), i, &is_new);
		if (!l)
			break;
		l->target = target_of(b, target);
		add_point(b, &l->points, at, value);
	}
	buf_release(&key);
}

/* The kind of a family, or SERIES_KINDS. */
static enum series_kind kind_of(struct str name)
{
	if (str_is(name, CLASS_FAMILY))
		return SERIES_CLASS;
	for (int k = SERIES_TOTAL; k < SERIES_KINDS; k++)
		if (str_is(name, series_kind_metric((enum series_kind)k)))
			return (enum series_kind)k;
	return SERIES_KINDS;
}

static bool want_cb(void *arg, struct str name)
{
	const struct backtest *b = arg;

	if (kind_of(name) != SERIES_KINDS || str_is(name, START_FAMILY))
		return true;
	for (size_t i = 0; i < b->nwanted; i++)
		if (same_family(name, b->wanted[i].selector.name))
			return true;
	return false;
}

static void note_job(struct backtest *b, struct str target, const struct prom_sample *s)
{
	struct str job = label_of(s, "job");
	struct bt_target *t;

	if (!job.len)
		return;
	t = target_of(b, target);
	if (t->job[0])
		return;
	free(t->job);
	t->job = str_dup(job);
}

static void sample_cb(void *arg, const struct prom_sample *s)
{
	struct backtest *b = arg;
	struct buf target = BUF_INIT;
	struct str class = label_of(s, "class");
	enum series_kind kind = kind_of(s->name);

	if (!isfinite(s->value))
		return;
	if (isnan(s->time)) {
		b->stats.untimed++;
		return;
	}
	for (size_t i = 0; i < b->nwanted; i++)
		if (is_load(s, &b->wanted[i]))
			add_load(b, i, s);
	if (kind == SERIES_KINDS && !str_is(s->name, START_FAMILY))
		return;
	target_name(s, &target);
	note_job(b, buf_str(&target), s);
	if (kind == SERIES_KINDS)
		backtest_start(b, buf_str(&target), s->time, s->value);
	else if (kind == SERIES_CLASS)
		backtest_value(b, buf_str(&target), kind, class.len ? class : STR(CLASS_FAMILY),
			s->time, s->value);
	else
		backtest_value(b, buf_str(&target), kind, STR(""), s->time, s->value);
	buf_release(&target);
}

struct prom_sink backtest_sink(struct backtest *b)
{
	return (struct prom_sink){.want = want_cb, .sample = sample_cb, .arg = b};
}
