#include "app_page.h"
#include "clock.h"
#include "cmd_alerts.h"
#include "cmd_fleet.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

#define PAGE_MS	    5000 /* of reading for one page */
#define RESOLVED_MS (7 * 86400000ll)
#define POINTS_MAX  1000000 /* of one series; 16 s apart over half a year */
#define GAP_SCRAPES 4 /* usual distances without a sample are a gap */
#define GAP_BUCKETS 2

/* ---- reading ------------------------------------------------------------------ */

static int give_up_cb(void *arg)
{
	struct page_job *j = arg;

	return worker_is_stopping(j->worker) || clock_mono_ms() > j->until_mono_ms;
}

static struct page page_of(const struct page_job *j)
{
	return (struct page){.now_ms = j->now_ms, .host = str_of(j->host)};
}

static void problem(struct page_job *j, int status, const char *title, const char *text)
{
	struct page p = page_of(j);

	j->status = status;
	buf_reset(&j->body);
	page_problem(&p, title, str_of(text), &j->body);
}

static void failed(struct page_job *j, const struct err *err)
{
	bool late = clock_mono_ms() > j->until_mono_ms;

	problem(j, 503, "This could not be read",
		late ? "reading the store took too long" : err->msg);
}

struct points {
	struct svg_point *v;
	size_t n, cap;
	double widest_s; /* bucket */
};

static void point_cb(void *arg, const struct store_point *p)
{
	struct points *to = arg;
	double half = (double)p->width_ms / 2000;

	if (to->n == POINTS_MAX)
		return;
	if (to->n == to->cap) {
		to->cap = to->cap ? to->cap * 2 : 1024;
		to->v = xrealloc(to->v, to->cap, sizeof(*to->v));
	}
	to->v[to->n++] = (struct svg_point){.x = (double)p->at_ms / 1000 + half,
		.low = p->floor,
		.y = p->width_ms ? p->mean : p->last,
		.high = p->max};
	to->widest_s = fmax(to->widest_s, 2 * half);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

/* Some usual distances between samples, or two of the widest buckets. */
static double gap_of(const struct points *p)
{
	double *d, usual;

	if (p->n < 3)
		return 0;
	d = xcalloc(p->n - 1, sizeof(*d));
	for (size_t i = 1; i < p->n; i++)
		d[i - 1] = p->v[i].x - p->v[i - 1].x;
	qsort(d, p->n - 1, sizeof(*d), by_value);
	usual = d[(p->n - 1) / 2];
	free(d);
	return fmax(GAP_SCRAPES * usual, GAP_BUCKETS * p->widest_s);
}

/* Reads the numbers of a series row; the caller frees points->v. */
static int read_points(struct page_job *j, const json_t *target, const json_t *row, double seconds,
	struct points *points, struct page_series *out, struct err *err)
{
	struct store_series series = {.id = (int64_t)json_get_num(row, "series_id"),
		.target_id = (int64_t)json_get_num(target, "id"),
		.kind = store_series_kind_of_name(json_get_str(row, "kind"))};
	int64_t from = isinf(seconds) ? 0 : j->now_ms - (int64_t)(seconds * 1000);
	int rc;

	*points = (struct points){0};
	rc = store_read_history(j->db.store, &series, from, point_cb, points, err);
	*out = (struct page_series){
		.row = row, .points = points->v, .npoints = points->n, .gap_s = gap_of(points)};
	return rc;
}

struct starts {
	double *v;
	size_t n, cap;
};

static void run_cb(void *arg, const struct store_run *r)
{
	struct starts *to = arg;

	if (!r->start_ms)
		return;
	if (to->n == to->cap) {
		to->cap = to->cap ? to->cap * 2 : 64;
		to->v = xrealloc(to->v, to->cap, sizeof(*to->v));
	}
	to->v[to->n++] = (double)r->start_ms / 1000;
}

static int read_runs(struct page_job *j, const json_t *target, struct starts *out, struct err *err)
{
	*out = (struct starts){0};
	return store_load_all_runs(
		j->db.store, (int64_t)json_get_num(target, "id"), run_cb, out, err);
}

/* The target with that id; borrowed from rows. */
static json_t *target_of_id(json_t *targets, double id)
{
	json_t *row;
	size_t i;

	json_array_foreach(targets, i, row)
	{
		if (json_get_num(row, "id") == id)
			return row;
	}
	return NULL;
}

/* The most to worry about first: by verdict, then rate, then count. */
static int by_worry(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	int rx = cmd_db_rank(json_get_str(x, "verdict")),
	    ry = cmd_db_rank(json_get_str(y, "verdict"));
	double vx = json_get_num(x, "rate_per_hour"), vy = json_get_num(y, "rate_per_hour");

	if (rx != ry)
		return rx - ry;
	vx = isnan(vx) ? 0 : vx;
	vy = isnan(vy) ? 0 : vy;
	if (vx != vy)
		return vx > vy ? -1 : 1;
	vx = json_get_num(x, "count");
	vy = json_get_num(y, "count");
	vx = isnan(vx) ? 0 : vx;
	vy = isnan(vy) ? 0 : vy;
	return vx > vy ? -1 : vx < vy;
}

/* All live series of the target, ordered; NULL with err. */
static json_t *read_series(struct page_job *j, const json_t *target, struct err *err)
{
	json_t *rows = json_array(), *sorted = json_array(), **v;
	size_t n;

	if (cmd_rows_series(&j->db, target, rows, rows, err) < 0) {
		json_decref(rows);
		json_decref(sorted);
		return NULL;
	}
	n = json_array_size(rows);
	v = xcalloc(n + 1, sizeof(*v));
	for (size_t i = 0; i < n; i++)
		v[i] = json_array_get(rows, i);
	qsort(v, n, sizeof(*v), by_worry);
	for (size_t i = 0; i < n; i++)
		json_array_append(sorted, v[i]);
	free(v);
	json_decref(rows);
	return sorted;
}

/* ---- pages -------------------------------------------------------------------- */

static void make_overview(struct page_job *j)
{
	struct err err = ERR_INIT;
	struct page p = page_of(j);
	json_t *targets = cmd_rows_targets(&j->db, &err), *alerts = NULL;

	if (targets)
		alerts = cmd_rows_alerts(&j->db, j->now_ms - RESOLVED_MS, &err);
	if (alerts)
		page_overview(&p, targets, alerts, buf_str(&j->match), &j->body);
	else
		failed(j, &err);
	json_decref(targets);
	json_decref(alerts);
}

/* The total first, then what is most to worry about. */
static size_t choose(json_t *rows, const json_t **out, size_t max)
{
	size_t n = 0, i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		if (str_is(json_get_str(row, "kind"), "total"))
			out[n++] = row;
	}
	json_array_foreach(rows, i, row)
	{
		if (n < max && !str_is(json_get_str(row, "kind"), "total"))
			out[n++] = row;
	}
	return n;
}

static void make_target(struct page_job *j)
{
	struct err err = ERR_INIT;
	struct page p = page_of(j);
	json_t *targets = cmd_rows_targets(&j->db, &err), *rows = NULL, *alerts = NULL;
	json_t *target = targets ? target_of_id(targets, strtod(j->id, NULL)) : NULL;
	const json_t *chosen[PAGE_PLOTS_MAX];
	struct points points[PAGE_PLOTS_MAX] = {{0}};
	struct page_series series[PAGE_PLOTS_MAX];
	struct starts starts = {0};
	struct page_runs runs;
	size_t n = 0;
	bool ok = false;

	if (targets && !target) {
		problem(j, 404, "No such target", "it is not watched any more, or never was");
		goto out;
	}
	if (!target || !(rows = read_series(j, target, &err)) ||
		!(alerts = cmd_rows_alerts(&j->db, j->now_ms, &err)) ||
		read_runs(j, target, &starts, &err) < 0)
		goto out;
	n = choose(rows, chosen, PAGE_PLOTS_MAX);
	for (size_t i = 0; i < n; i++) {
		if (read_points(j, target, chosen[i], j->range->seconds, &points[i], &series[i],
			    &err) < 0)
			goto out;
	}
	runs = (struct page_runs){.starts = starts.v, .n = starts.n};
	page_target(&p, target, alerts, rows, series, n, &runs, j->range, &j->body);
	ok = true;
out:
	if (!ok && j->status == 200)
		failed(j, &err);
	for (size_t i = 0; i < PAGE_PLOTS_MAX; i++)
		free(points[i].v);
	free(starts.v);
	json_decref(alerts);
	json_decref(rows);
	json_decref(targets);
}

/* The target and row of the series with that id; *rows is the caller's. */
static json_t *find_series(struct page_job *j, json_t *targets, double id, json_t **rows,
	json_t **target, struct err *err)
{
	json_t *row;
	size_t i, k;

	json_array_foreach(targets, i, *target)
	{
		*rows = read_series(j, *target, err);
		if (!*rows)
			return NULL;
		json_array_foreach(*rows, k, row)
		{
			if (json_get_num(row, "series_id") == id)
				return row;
		}
		json_decref(*rows);
		*rows = NULL;
	}
	return NULL;
}

static void make_series(struct page_job *j)
{
	struct err err = ERR_INIT;
	struct page p = page_of(j);
	json_t *targets = cmd_rows_targets(&j->db, &err), *rows = NULL, *target = NULL, *row = NULL;
	struct points points = {0};
	struct page_series series;
	struct starts starts = {0};
	struct page_runs runs;

	if (targets)
		row = find_series(j, targets, strtod(j->id, NULL), &rows, &target, &err);
	if (!row && targets && !err.msg[0]) {
		problem(j, 404, "No such series", "its class or target is gone, or never was");
	} else if (!row || read_runs(j, target, &starts, &err) < 0 ||
		   read_points(j, target, row, j->range->seconds, &points, &series, &err) < 0) {
		failed(j, &err);
	} else {
		runs = (struct page_runs){.starts = starts.v, .n = starts.n};
		page_series(&p, target, &series, &runs, j->range, &j->body);
	}
	free(points.v);
	free(starts.v);
	json_decref(rows);
	json_decref(targets);
}

/* The alert with that id, borrowed from rows. */
static json_t *alert_of_id(json_t *alerts, const char *id)
{
	json_t *row;
	size_t i;

	json_array_foreach(alerts, i, row)
	{
		if (str_is(json_get_str(row, "id"), id))
			return row;
	}
	return NULL;
}

/* What an alert is about; *target, *rows and the result are NULL where it is gone or about none. */
static json_t *subject_of(struct page_job *j, const json_t *alert, json_t *targets, json_t **target,
	json_t **rows, struct err *err)
{
	const json_t *labels = json_object_get(alert, "labels");
	json_t *row;
	size_t i;

	*target = NULL;
	json_array_foreach(targets, i, row)
	{
		if (page_is_about(alert, row))
			*target = row;
	}
	*rows = *target ? read_series(j, *target, err) : NULL;
	json_array_foreach(*rows, i, row)
	{
		struct str class = json_get_str(row, "class");

		if (!class.len)
			class = json_get_str(row, "name");
		if (str_eq(class, json_get_str(labels, "class")))
			return row;
	}
	return NULL;
}

/* How it is with the other instances; without, when the alert is about no class. */
static int add_fleet(struct page_job *j, json_t *alert, struct err *err)
{
	const json_t *labels = json_object_get(alert, "labels");
	struct cmd_fleet_query q = {
		.job = json_get_str(labels, "job"), .class = json_get_str(labels, "class")};
	json_t *groups;

	if (!q.job.len || !q.class.len)
		return 0;
	groups = cmd_fleet(&j->db, &q, err);
	if (!groups)
		return -1;
	if (json_array_size(groups))
		json_object_set(alert, "fleet", json_array_get(groups, 0));
	json_decref(groups);
	return 0;
}

static void make_alert(struct page_job *j)
{
	struct err err = ERR_INIT;
	struct page p = page_of(j);
	json_t *alerts = cmd_rows_alerts(&j->db, 0, &err), *targets = NULL, *target = NULL;
	json_t *alert = alerts ? alert_of_id(alerts, j->id) : NULL, *rows = NULL, *row = NULL;
	json_t *exhibits = NULL;
	struct points points = {0};
	struct page_series series;
	struct starts starts = {0};
	struct page_runs runs = {0};

	if (alerts && !alert) {
		problem(j, 404, "No such alert",
			"resolved alerts are kept for a while, then forgotten");
		goto out;
	}
	if (!alert || cmd_rows_alert_past(&j->db, alert, &err) < 0 ||
		!(exhibits = cmd_alerts_exhibits(&j->db, str_of(j->id), &err)) ||
		!(targets = cmd_rows_targets(&j->db, &err)) || add_fleet(j, alert, &err) < 0) {
		failed(j, &err);
		goto out;
	}
	json_object_set(alert, "exhibits", exhibits);
	row = subject_of(j, alert, targets, &target, &rows, &err);
	if (row && (read_points(j, target, row, INFINITY, &points, &series, &err) < 0 ||
			   read_runs(j, target, &starts, &err) < 0))
		row = NULL;
	runs = (struct page_runs){.starts = starts.v, .n = starts.n};
	page_alert(&p, alert, target, row ? &series : NULL, &runs, &j->body);
out:
	free(points.v);
	free(starts.v);
	json_decref(rows);
	json_decref(targets);
	json_decref(exhibits);
	json_decref(alerts);
}

void app_page_make(void *arg, struct worker *w)
{
	static void (*const make[])(struct page_job *) = {
		[PAGE_OVERVIEW] = make_overview,
		[PAGE_TARGET] = make_target,
		[PAGE_SERIES] = make_series,
		[PAGE_ALERT] = make_alert,
	};
	struct page_job *j = arg;
	struct err err = ERR_INIT;

	j->worker = w;
	j->until_mono_ms = clock_mono_ms() + PAGE_MS;
	j->db = (struct cmd_db){.now_ms = j->now_ms};
	if (store_open_read(j->path, &j->db.store, &err) != STORE_OPEN_OK) {
		failed(j, &err);
		return;
	}
	store_read_guard(j->db.store, give_up_cb, j);
	make[j->what](j);
	store_close(j->db.store);
}
