#include "cmd_fleet.h"
#include "arena.h"
#include "fleet.h"
#include "map.h"
#include "releases.h"
#include "store_fleet.h"
#include "versions.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RELEASES_KEY "releases "
#define TOTAL_LABEL  "go_goroutines" /* what alerts call the series "total" */

struct instance {
	int64_t target_id;
	struct str job, name, version;
	double seen_s;
	bool down;
	int64_t series_id; /* of the group under way; 0: it has no such class */
	bool leaking, suspect; /* its verdict */
	int64_t at_ms, since_ms;
	double rate;
};

/* A group is one name in one job; its rows come one after the other. */
struct gather {
	struct arena arena;
	struct instance *v; /* by job and target */
	size_t n, cap;
	struct map *releases; /* job -> struct releases */
	bool leaking;
	json_t *groups;
	/* the group under way */
	struct str job, name;
	enum store_series_kind kind;
	size_t from, to, at; /* instances of the job; where the last row was found */
	size_t have;
};

/* ---- instances and versions ---- */

static void instance_cb(void *arg, const struct store_instance *r)
{
	struct gather *g = arg;
	int64_t from_ms = MAX(r->first_seen_ms, r->run_start_ms);

	if (g->n == g->cap) {
		g->cap = g->cap ? g->cap * 2 : 64;
		g->v = xrealloc(g->v, g->cap, sizeof(*g->v));
	}
	g->v[g->n++] = (struct instance){.target_id = r->target_id,
		.job = arena_str(&g->arena, r->job),
		.name = arena_str(&g->arena, r->instance),
		.version = arena_str(&g->arena, versions_of_run(r->run_info)),
		.seen_s = r->scraped_ms > from_ms ? (double)(r->scraped_ms - from_ms) / 1000 : 0,
		.down = !r->up};
}

static void releases_cb(void *arg, struct str key, struct str value)
{
	struct gather *g = arg;
	json_t *doc = json_read(value, NULL);
	struct releases *r;

	if (json_is_object(doc)) {
		r = xcalloc(1, sizeof(*r));
		releases_read(r, doc);
		map_put(g->releases, str_from(key, strlen(RELEASES_KEY)), r);
	}
	json_decref(doc);
}

static void free_releases(void *arg)
{
	releases_release(arg);
	free(arg);
}

/* ---- one group ---- */

/* What is seen for so long would have shown it, as where it did first; 0: it leaks nowhere. */
static double took_s(const struct gather *g)
{
	double least = INFINITY;

	for (size_t i = g->from; i < g->to; i++) {
		if (g->v[i].leaking && g->v[i].since_ms)
			least = fmin(least, (double)(g->v[i].at_ms - g->v[i].since_ms) / 1000);
	}
	return isfinite(least) ? FLEET_LONG_ENOUGH * fmax(least, 0) : 0;
}

static void judge(const struct instance *i, double took, struct fleet_row *row)
{
	if (i->down)
		row->why = FLEET_DOWN;
	else if (i->leaking)
		row->state = FLEET_LEAKS;
	else if (i->suspect)
		row->why = FLEET_SUSPECTED;
	else if (i->seen_s < took || i->seen_s == 0)
		row->why = FLEET_YOUNG;
	else
		row->state = FLEET_CLEAN;
}

static struct str label_of(const struct gather *g)
{
	return g->kind == STORE_SERIES_TOTAL ? STR(TOTAL_LABEL) : g->name;
}

static void fill(struct gather *g, struct releases *known, double took, struct fleet *fleet)
{
	if (known)
		releases_unmark(known);
	for (size_t i = g->from; i < g->to; i++) {
		struct fleet_row row = {.instance = g->v[i].name,
			.version = g->v[i].version,
			.seen_s = g->v[i].seen_s,
			.rate_per_hour = NAN,
			.id = (int64_t)i};

		judge(&g->v[i], took, &row);
		if (row.state == FLEET_LEAKS) {
			row.rate_per_hour = g->v[i].rate;
			row.since_ms = g->v[i].since_ms;
		}
		fleet_add(fleet, &row);
		if (known)
			releases_mark(known, &row);
	}
	fleet->doubted = known && releases_doubt(known, label_of(g));
}

static void set(json_t *row, const char *key, struct str text)
{
	json_object_set_new(row, key, json_str(text));
}

static void set_count(json_t *row, const char *key, size_t n)
{
	json_object_set_new(row, key, json_integer((json_int_t)n));
}

static void add_row(const struct gather *g, const struct fleet_row *r, json_t *rows)
{
	const struct instance *i = &g->v[r->id];
	struct buf text = BUF_INIT;
	json_t *row = json_object();
	struct str why;

	set(row, "instance", r->instance);
	buf_addstr(&text, i->job);
	buf_addc(&text, '/');
	buf_addstr(&text, i->name);
	set(row, "target", buf_str(&text));
	set(row, "version", r->version);
	set(row, "state", str_of(fleet_state_name(r->state)));
	buf_reset(&text);
	fleet_add_state(r, &text);
	why = buf_str(&text);
	set(row, "why",
		str_from(why, str_find(why, STR(": ")) < 0 ? why.len : strlen("unknown: ")));
	json_object_set_new(row, "rate_per_hour", json_num(r->rate_per_hour));
	json_object_set_new(row, "since", cmd_db_seconds(r->since_ms));
	json_object_set_new(row, "target_id", json_integer(i->target_id));
	json_object_set_new(
		row, "series_id", i->series_id ? json_integer(i->series_id) : json_null());
	json_array_append_new(rows, row);
	buf_release(&text);
}

static void add_words(struct gather *g, const struct fleet *fleet, const struct releases *known,
	double took, json_t *group)
{
	struct buf text = BUF_INIT, history = BUF_INIT;
	struct release_claim claim = {0};
	enum notify_unit unit = str_ends(g->name, STR("_bytes")) ? NOTIFY_BYTES : NOTIFY_GOROUTINES;

	if (known && fleet->nfastest)
		releases_judge(known, label_of(g), fleet->fastest[0].version, took, &claim);
	releases_words(&claim, &history);
	fleet_words(fleet, unit, buf_str(&history), &text);
	set(group, "text", buf_str(&text));
	set(group, "first_seen", buf_str(&history));
	buf_release(&history);
	buf_release(&text);
}

static json_t *group_of(struct gather *g, const struct fleet *fleet)
{
	json_t *group = json_object(), *rows = json_array();

	set(group, "job", g->job);
	set(group, "class", label_of(g));
	set(group, "kind", str_of(store_series_kind_name(g->kind)));
	set_count(group, "instances", g->to - g->from);
	set_count(group, "have", g->have);
	set_count(group, "leak", fleet->leaks.n);
	set_count(group, "clean", fleet->rest.n);
	set_count(group, "unknown", fleet->unknown);
	json_object_set_new(
		group, "slowest", json_num(fleet->leaks.n ? fleet->leaks.slowest : NAN));
	json_object_set_new(
		group, "fastest", json_num(fleet->leaks.n ? fleet->leaks.fastest : NAN));
	for (size_t i = 0; i < fleet->nfastest; i++)
		add_row(g, &fleet->fastest[i], rows);
	for (size_t i = 0; i < fleet->nothers; i++)
		add_row(g, &fleet->others[i], rows);
	json_object_set_new(group, "rows", rows);
	set_count(group, "more_leak", fleet_more_leak(fleet));
	set_count(group, "more_others", fleet_more_others(fleet));
	return group;
}

static void finish(struct gather *g)
{
	struct releases *known = map_get(g->releases, g->job);
	struct fleet fleet = FLEET_INIT;
	double took = took_s(g);
	json_t *group;

	if (g->from == g->to || g->have == 0)
		return;
	fill(g, known, took, &fleet);
	if (!g->leaking || fleet.leaks.n) {
		group = group_of(g, &fleet);
		add_words(g, &fleet, known, took, group);
		json_array_append_new(g->groups, group);
	}
}

static void begin(struct gather *g, const struct store_member *r)
{
	if (!str_eq(g->job, r->job)) {
		g->job = arena_str(&g->arena, r->job);
		for (g->from = g->to; g->from < g->n && !str_eq(g->v[g->from].job, r->job);)
			g->from++;
		for (g->to = g->from; g->to < g->n && str_eq(g->v[g->to].job, r->job);)
			g->to++;
	}
	g->name = arena_str(&g->arena, r->name);
	g->kind = r->kind;
	g->at = g->from;
	g->have = 0;
	for (size_t i = g->from; i < g->to; i++) {
		g->v[i].series_id = 0;
		g->v[i].leaking = g->v[i].suspect = false;
	}
}

static void member_cb(void *arg, const struct store_member *r)
{
	struct gather *g = arg;
	struct instance *i;

	if (!g->have || !str_eq(g->job, r->job) || !str_eq(g->name, r->name) ||
		g->kind != r->kind) {
		finish(g);
		begin(g, r);
	}
	while (g->at < g->to && g->v[g->at].target_id < r->target_id)
		g->at++;
	if (g->at == g->to || g->v[g->at].target_id != r->target_id)
		return;
	i = &g->v[g->at];
	i->series_id = r->series_id;
	i->leaking = str_is(r->state, "leaking") || str_is(r->state, "held");
	i->suspect = str_is(r->state, "suspect");
	i->at_ms = r->at_ms;
	i->since_ms = r->since_ms;
	i->rate = r->rate_per_hour;
	g->have++;
}

/* ---- all of them ---- */

static int by_trouble(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	bool lx = cmd_rows_num(x, "leak") > 0, ly = cmd_rows_num(y, "leak") > 0;
	double fx = cmd_rows_num(x, "fastest"), fy = cmd_rows_num(y, "fastest");
	int d;

	if (lx != ly)
		return lx ? -1 : 1;
	if (lx && fx != fy && !(isnan(fx) && isnan(fy)))
		return isnan(fx) || fx < fy ? 1 : -1;
	d = str_cmp(cmd_rows_str(x, "job"), cmd_rows_str(y, "job"));
	return d ? d : str_cmp(cmd_rows_str(x, "class"), cmd_rows_str(y, "class"));
}

static json_t *sorted(json_t *rows)
{
	size_t n = json_array_size(rows);
	json_t **v = xcalloc(n + 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(rows, i);
	qsort(v, n, sizeof(json_t *), by_trouble);
	for (size_t i = 0; i < n; i++)
		json_array_append(out, v[i]);
	free(v);
	json_decref(rows);
	return out;
}

json_t *cmd_fleet(struct cmd_db *db, const struct cmd_fleet_query *q, struct err *err)
{
	struct gather g = {.arena = ARENA_INIT,
		.leaking = q->leaking,
		.groups = json_array(),
		.releases = map_new()};
	struct str name = str_is(q->class, TOTAL_LABEL) ? STR("total") : q->class;
	int rc;

	rc = store_load_metas(db->store, RELEASES_KEY, releases_cb, &g, err);
	if (rc == 0)
		rc = store_read_instances(db->store, q->job, instance_cb, &g, err);
	if (rc == 0)
		rc = store_read_members(db->store, q->job, name, q->leaking, member_cb, &g, err);
	if (rc == 0)
		finish(&g);
	map_free(g.releases, free_releases);
	arena_release(&g.arena);
	free(g.v);
	if (rc == 0)
		return sorted(g.groups);
	json_decref(g.groups);
	return NULL;
}
