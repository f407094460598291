#include "store_read.h"
#include "store_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

#define GUARD_STEPS 10000 /* of the virtual machine between two questions */

void store_read_guard(struct store *s, int (*give_up)(void *arg), void *arg)
{
	sqlite3_progress_handler(s->db, GUARD_STEPS, give_up, arg);
}

/* ---- the newest value of each series of a target --------------------------- */

struct latest {
	int64_t series_id, at_ms;
	size_t order;
	double value;
};

struct latest_list {
	struct latest *v;
	size_t n, cap;
};

static void collect_cb(
	void *arg, const struct store_scrape *s, const struct store_value *v, size_t n)
{
	struct latest_list *list = arg;

	if (list->n + n > list->cap) {
		list->cap = MAX(list->n + n, list->cap * 2);
		list->v = xrealloc(list->v, list->cap, sizeof(*list->v));
	}
	for (size_t i = 0; i < n; i++) {
		list->v[list->n] = (struct latest){.series_id = v[i].series_id,
			.at_ms = s->at_ms,
			.order = list->n,
			.value = v[i].value};
		list->n++;
	}
}

static int by_series(const void *a, const void *b)
{
	const struct latest *x = a, *y = b;

	if (x->series_id != y->series_id)
		return x->series_id < y->series_id ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Sorted by series, one entry each; the caller frees v. */
static int read_latest(
	struct store *s, int64_t target_id, struct latest_list *list, struct err *err)
{
	size_t n = 0;

	list->n = 0;
	if (store_load_scrapes(s, target_id, INT64_MAX, collect_cb, list, err) < 0)
		return -1;
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), by_series);
	for (size_t i = 0; i < list->n; i++) {
		if (i + 1 == list->n || list->v[i + 1].series_id != list->v[i].series_id)
			list->v[n++] = list->v[i];
	}
	list->n = n;
	return 0;
}

static const struct latest *find_latest(const struct latest_list *list, int64_t series_id)
{
	size_t low = 0, high = list->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (list->v[mid].series_id < series_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < list->n && list->v[low].series_id == series_id ? &list->v[low] : NULL;
}

/* ---- targets --------------------------------------------------------------- */

#define RANK                                                                                       \
	"CASE v.state WHEN 'leaking' THEN 0 WHEN 'suspect' THEN 1 WHEN 'held' THEN 2 "             \
	"WHEN 'watching' THEN 3 ELSE 4 END"

static const char targets_sql[] =
	"SELECT t.id, t.job, t.instance, t.labels, t.first_seen_ms, t.last_seen_ms, t.gone_ms,"
	" p.at_ms, p.up, p.metrics_up, p.why, p.metrics_why, p.duration_ms, p.bytes, p.parsed,"
	" p.lost, p.down_since_ms,"
	" (SELECT r.start_ms FROM run r WHERE r.target_id = t.id ORDER BY r.id DESC LIMIT 1),"
	" (SELECT g.id FROM series g WHERE g.target_id = t.id AND g.kind = 'total' LIMIT 1),"
	" (SELECT count(*) FROM class c WHERE c.target_id = t.id AND c.ended_ms IS NULL),"
	" (SELECT count(*) FROM alert a WHERE a.target_id = t.id AND a.state = 'firing'),"
	" w.state, e.kind, e.name, w.rate_per_hour"
	" FROM target t LEFT JOIN target_status p ON p.target_id = t.id LEFT JOIN verdict w"
	" ON w.series_id = (SELECT v.series_id FROM series x JOIN verdict v ON v.series_id = x.id"
	"  LEFT JOIN class k ON k.id = x.class_id WHERE x.target_id = t.id"
	"  AND k.ended_ms IS NULL ORDER BY " RANK ", x.kind <> 'class', v.rate_per_hour DESC"
	"  LIMIT 1) LEFT JOIN series e ON e.id = w.series_id"
	" WHERE t.gone_ms IS NULL ORDER BY t.job, t.instance";

static void read_target(sqlite3_stmt *st, struct store_target_view *v)
{
	*v = (struct store_target_view){
		.target = {.id = sqlite3_column_int64(st, 0),
			.job = store_column_str(st, 1),
			.instance = store_column_str(st, 2),
			.labels = store_column_str(st, 3),
			.first_seen_ms = sqlite3_column_int64(st, 4),
			.last_seen_ms = sqlite3_column_int64(st, 5),
			.gone_ms = sqlite3_column_int64(st, 6)},
		.status = {.target_id = sqlite3_column_int64(st, 0),
			.at_ms = sqlite3_column_int64(st, 7),
			.up = sqlite3_column_int(st, 8) != 0,
			.metrics_up = sqlite3_column_int(st, 9) != 0,
			.why = store_column_str(st, 10),
			.metrics_why = store_column_str(st, 11),
			.duration_ms = store_column_double(st, 12),
			.bytes = sqlite3_column_int64(st, 13),
			.parsed = sqlite3_column_int64(st, 14),
			.lost = sqlite3_column_int64(st, 15),
			.down_since_ms = sqlite3_column_int64(st, 16)},
		.run_start_ms = sqlite3_column_int64(st, 17),
		.goroutines = NAN,
		.classes = sqlite3_column_int64(st, 19),
		.firing = sqlite3_column_int64(st, 20),
		.worst_state = store_column_str(st, 21),
		.worst_kind = store_column_str(st, 22),
		.worst_name = store_column_str(st, 23),
		.worst_rate_per_hour = store_column_double(st, 24),
	};
}

int store_read_targets(struct store *s, void (*cb)(void *, const struct store_target_view *),
	void *arg, struct err *err)
{
	struct latest_list list = {0};
	struct store_target_view v;
	const struct latest *total;
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, targets_sql, &st, err);

	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		read_target(st, &v);
		rc = read_latest(s, v.target.id, &list, err);
		total = find_latest(&list, sqlite3_column_int64(st, 18));
		if (total)
			v.goroutines = total->value;
		if (rc == 0)
			cb(arg, &v);
	}
	sqlite3_finalize(st);
	free(list.v);
	return rc;
}

/* ---- series ---------------------------------------------------------------- */

/* The example of a class is the stack with most goroutines. */
static const char series_sql[] =
	"SELECT e.id, e.kind, e.name, e.class_id, v.state, v.at_ms, v.since_ms, v.since_at_least,"
	" v.rate_per_hour, v.low, v.high, v.base, v.top, v.lookback_s, v.reason,"
	" c.rule, c.hint, c.first_seen_ms, c.last_seen_ms, x.wait, x.created_by, k.text"
	" FROM series e LEFT JOIN verdict v ON v.series_id = e.id LEFT JOIN class c"
	" ON c.id = e.class_id LEFT JOIN class_stack x ON x.class_id = c.id AND x.fingerprint ="
	" (SELECT m.fingerprint FROM class_stack m WHERE m.class_id = c.id"
	"  ORDER BY m.count DESC, m.last_seen_ms DESC LIMIT 1)"
	" LEFT JOIN stack k ON k.fingerprint = x.fingerprint"
	" WHERE e.target_id = ?1 AND c.ended_ms IS NULL ORDER BY e.id";

static void read_series(sqlite3_stmt *st, int64_t target_id, struct store_series_view *v)
{
	*v = (struct store_series_view){
		.series = {.id = sqlite3_column_int64(st, 0),
			.target_id = target_id,
			.kind = store_series_kind_of_name(store_column_str(st, 1)),
			.name = store_column_str(st, 2),
			.class_id = sqlite3_column_int64(st, 3)},
		.value = NAN,
		.verdict = {.series_id = sqlite3_column_int64(st, 0),
			.state = store_column_str(st, 4),
			.at_ms = sqlite3_column_int64(st, 5),
			.since_ms = sqlite3_column_int64(st, 6),
			.since_at_least = sqlite3_column_int(st, 7) != 0,
			.rate_per_hour = store_column_double(st, 8),
			.low = store_column_double(st, 9),
			.high = store_column_double(st, 10),
			.base = store_column_double(st, 11),
			.top = store_column_double(st, 12),
			.lookback_s = store_column_double(st, 13),
			.reason = store_column_str(st, 14)},
		.rule = store_column_str(st, 15),
		.hint = store_column_str(st, 16),
		.first_seen_ms = sqlite3_column_int64(st, 17),
		.last_seen_ms = sqlite3_column_int64(st, 18),
		.wait = store_column_str(st, 19),
		.created_by = store_column_str(st, 20),
		.stack = store_column_str(st, 21),
	};
	if (v->verdict.state.len == 0)
		v->verdict.state = STR("ok");
}

int store_read_series(struct store *s, int64_t target_id,
	void (*cb)(void *, const struct store_series_view *), void *arg, struct err *err)
{
	struct latest_list list = {0};
	struct store_series_view v;
	const struct latest *l;
	sqlite3_stmt *st = NULL;
	int rc = read_latest(s, target_id, &list, err);

	if (rc == 0)
		rc = store_prepare(s, series_sql, &st, err);
	if (rc == 0)
		sqlite3_bind_int64(st, 1, target_id);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		read_series(st, target_id, &v);
		l = find_latest(&list, v.series.id);
		if (l) {
			v.value = l->value;
			v.changed_ms = l->at_ms;
		}
		cb(arg, &v);
		rc = 0;
	}
	sqlite3_finalize(st);
	free(list.v);
	return rc;
}

struct values_reader {
	int64_t series_id, from_ms;
	unsigned need; /* endpoint of the series, enum store_got */
	double value;
	void (*cb)(void *, int64_t, double);
	void *arg;
};

static void values_cb(
	void *arg, const struct store_scrape *s, const struct store_value *v, size_t n)
{
	struct values_reader *r = arg;

	for (size_t i = 0; i < n; i++) {
		if (v[i].series_id == r->series_id)
			r->value = v[i].value;
	}
	if (s->at_ms >= r->from_ms && (s->got & r->need) && !isnan(r->value))
		r->cb(r->arg, s->at_ms, r->value);
}

int store_read_values(struct store *s, const struct store_series *series, int64_t from_ms,
	void (*cb)(void *, int64_t at_ms, double value), void *arg, struct err *err)
{
	struct values_reader r = {
		.series_id = series->id,
		.from_ms = from_ms,
		.need = store_series_kind_needs(series->kind),
		.value = NAN,
		.cb = cb,
		.arg = arg,
	};

	return store_load_scrapes(s, series->target_id, from_ms, values_cb, &r, err);
}

/* ---- alerts ---------------------------------------------------------------- */

int store_read_events(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_alert_event *), void *arg, struct err *err)
{
	struct store_alert_event r;
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s,
		"SELECT id, at_ms, change, from_state, to_state, why FROM alert_event "
		"WHERE alert_id = ?1 ORDER BY id",
		&st, err);

	if (rc == 0)
		store_bind_str(st, 1, alert_id);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		r = (struct store_alert_event){
			.id = sqlite3_column_int64(st, 0),
			.alert_id = alert_id,
			.at_ms = sqlite3_column_int64(st, 1),
			.change = sqlite3_column_int64(st, 2),
			.from_state = store_column_str(st, 3),
			.to_state = store_column_str(st, 4),
			.why = store_column_str(st, 5),
		};
		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

int store_read_deliveries(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_delivery *), void *arg, struct err *err)
{
	struct store_delivery r;
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s,
		s->version < 2 ? "SELECT * FROM outbox WHERE alert_id = ?1 ORDER BY id"
			       : "SELECT * FROM outbox WHERE alert_id = ?1 OR id IN (SELECT "
				 "outbox_id FROM told WHERE alert_id = ?1) ORDER BY id",
		&st, err);

	if (rc == 0)
		store_bind_str(st, 1, alert_id);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		store_read_delivery_row(st, &r);
		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}
