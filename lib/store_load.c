#include "store_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[STORE_SERIES_KINDS] = {
	[STORE_SERIES_CLASS] = "class",
	[STORE_SERIES_TOTAL] = "total",
	[STORE_SERIES_METRIC] = "metric",
	[STORE_SERIES_LOAD] = "load",
};

const char *store_series_kind_name(enum store_series_kind k)
{
	return k < STORE_SERIES_KINDS ? kind_names[k] : "?";
}

unsigned store_series_kind_needs(enum store_series_kind k)
{
	switch (k) {
	case STORE_SERIES_CLASS:
		return STORE_GOT_GOROUTINES;
	case STORE_SERIES_TOTAL:
		return STORE_GOT_GOROUTINES | STORE_GOT_COUNT;
	default:
		return STORE_GOT_METRICS;
	}
}

enum store_series_kind store_series_kind_of_name(struct str name)
{
	for (int k = 0; k < STORE_SERIES_KINDS; k++) {
		if (str_is(name, kind_names[k]))
			return (enum store_series_kind)k;
	}
	return STORE_SERIES_KINDS;
}

typedef void each_row(sqlite3_stmt *st, void *cb, void *arg);

/* Runs a query with at most one parameter, and hands every row to each. */
static int for_rows(struct store *s, const char *sql, const int64_t *param, each_row *each,
	void *cb, void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	if (rc == 0 && param)
		sqlite3_bind_int64(st, 1, *param);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		each(st, cb, arg);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

int store_load_maxima(struct store *s, struct store_maxima *out, struct err *err)
{
	const struct {
		const char *sql;
		int64_t *out;
	} v[] = {
		{"SELECT max(id) FROM target", &out->target_id},
		{"SELECT max(id) FROM run", &out->run_id},
		{"SELECT max(id) FROM class", &out->class_id},
		{"SELECT max(id) FROM series", &out->series_id},
		{"SELECT max(id) FROM alert_event", &out->event_id},
		{"SELECT max(id) FROM outbox", &out->delivery_id},
	};

	for (size_t i = 0; i < ARRAY_LEN(v); i++) {
		if (store_query_int(s, v[i].sql, 0, v[i].out, err) < 0)
			return -1;
	}
	return 0;
}

/* The caller's function, on its way through for_rows. */
struct callback {
	union {
		void (*target)(void *, const struct store_target *);
		void (*run)(void *, const struct store_run *);
		void (*class)(void *, const struct store_class *);
		void (*series)(void *, const struct store_series *);
		void (*verdict)(void *, const struct store_verdict *);
		void (*detector)(void *, const struct store_detector *);
		void (*alert)(void *, const struct store_alert *);
		void (*delivery)(void *, const struct store_delivery *);
		void (*told)(void *, const struct store_told *);
		void (*silence)(void *, const struct store_silence *);
		void (*ack)(void *, const struct store_ack *);
	};
};

static void row_target(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_target r = {
		.id = sqlite3_column_int64(st, 0),
		.job = store_column_str(st, 1),
		.instance = store_column_str(st, 2),
		.labels = store_column_str(st, 3),
		.first_seen_ms = sqlite3_column_int64(st, 4),
		.last_seen_ms = sqlite3_column_int64(st, 5),
		.gone_ms = sqlite3_column_int64(st, 6),
	};

	((struct callback *)cb)->target(arg, &r);
}

int store_load_targets(struct store *s, void (*cb)(void *, const struct store_target *), void *arg,
	struct err *err)
{
	struct callback c = {.target = cb};

	return for_rows(s, "SELECT * FROM target ORDER BY id", NULL, row_target, &c, arg, err);
}

static void row_run(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_run r = {
		.id = sqlite3_column_int64(st, 0),
		.target_id = sqlite3_column_int64(st, 1),
		.start_ms = sqlite3_column_int64(st, 2),
		.first_seen_ms = sqlite3_column_int64(st, 3),
		.last_seen_ms = sqlite3_column_int64(st, 4),
		.info = store_column_str(st, 5),
	};

	((struct callback *)cb)->run(arg, &r);
}

int store_load_runs(
	struct store *s, void (*cb)(void *, const struct store_run *), void *arg, struct err *err)
{
	struct callback c = {.run = cb};

	return for_rows(s,
		"SELECT * FROM run WHERE id IN (SELECT max(id) FROM run GROUP BY target_id) "
		"ORDER BY id",
		NULL, row_run, &c, arg, err);
}

int store_load_all_runs(struct store *s, int64_t target_id,
	void (*cb)(void *, const struct store_run *), void *arg, struct err *err)
{
	struct callback c = {.run = cb};

	return for_rows(s, "SELECT * FROM run WHERE target_id = ?1 ORDER BY id", &target_id,
		row_run, &c, arg, err);
}

static void row_class(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_class r = {
		.id = sqlite3_column_int64(st, 0),
		.target_id = sqlite3_column_int64(st, 1),
		.name = store_column_str(st, 2),
		.rule = store_column_str(st, 3),
		.definition = sqlite3_column_int64(st, 4),
		.first_seen_ms = sqlite3_column_int64(st, 5),
		.last_seen_ms = sqlite3_column_int64(st, 6),
		.ended_ms = sqlite3_column_int64(st, 7),
		.ended_why = store_column_str(st, 8),
		.hint = store_column_str(st, 9),
	};

	((struct callback *)cb)->class(arg, &r);
}

int store_load_classes(
	struct store *s, void (*cb)(void *, const struct store_class *), void *arg, struct err *err)
{
	struct callback c = {.class = cb};

	return for_rows(s, "SELECT * FROM class WHERE ended_ms IS NULL ORDER BY id", NULL,
		row_class, &c, arg, err);
}

static void row_series(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_series r = {
		.id = sqlite3_column_int64(st, 0),
		.target_id = sqlite3_column_int64(st, 1),
		.kind = store_series_kind_of_name(store_column_str(st, 2)),
		.name = store_column_str(st, 3),
		.class_id = sqlite3_column_int64(st, 4),
	};

	((struct callback *)cb)->series(arg, &r);
}

int store_load_series(struct store *s, void (*cb)(void *, const struct store_series *), void *arg,
	struct err *err)
{
	struct callback c = {.series = cb};

	return for_rows(s,
		"SELECT e.* FROM series e LEFT JOIN class c ON c.id = e.class_id "
		"WHERE c.ended_ms IS NULL ORDER BY e.id",
		NULL, row_series, &c, arg, err);
}

static void row_verdict(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_verdict r = {
		.series_id = sqlite3_column_int64(st, 0),
		.state = store_column_str(st, 1),
		.at_ms = sqlite3_column_int64(st, 2),
		.since_ms = sqlite3_column_int64(st, 3),
		.since_at_least = sqlite3_column_int(st, 4) != 0,
		.rate_per_hour = store_column_double(st, 5),
		.low = store_column_double(st, 6),
		.high = store_column_double(st, 7),
		.base = store_column_double(st, 8),
		.top = store_column_double(st, 9),
		.lookback_s = store_column_double(st, 10),
		.reason = store_column_str(st, 11),
	};

	((struct callback *)cb)->verdict(arg, &r);
}

int store_load_verdicts(struct store *s, void (*cb)(void *, const struct store_verdict *),
	void *arg, struct err *err)
{
	struct callback c = {.verdict = cb};

	return for_rows(
		s, "SELECT * FROM verdict ORDER BY series_id", NULL, row_verdict, &c, arg, err);
}

static void row_detector(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_detector r = {
		.series_id = sqlite3_column_int64(st, 0),
		.at_ms = sqlite3_column_int64(st, 1),
		.record = store_column_str(st, 2),
	};

	((struct callback *)cb)->detector(arg, &r);
}

int store_load_detectors(struct store *s, void (*cb)(void *, const struct store_detector *),
	void *arg, struct err *err)
{
	struct callback c = {.detector = cb};

	return for_rows(
		s, "SELECT * FROM detector ORDER BY series_id", NULL, row_detector, &c, arg, err);
}

void store_read_alert_row(sqlite3_stmt *st, struct store_alert *r)
{
	*r = (struct store_alert){
		.id = store_column_str(st, 0),
		.key = store_column_str(st, 1),
		.target_id = sqlite3_column_int64(st, 2),
		.name = store_column_str(st, 3),
		.state = store_column_str(st, 4),
		.holds = sqlite3_column_int(st, 5) != 0,
		.end = store_column_str(st, 6),
		.change = sqlite3_column_int64(st, 7),
		.raised_ms = sqlite3_column_int64(st, 8),
		.fired_ms = sqlite3_column_int64(st, 9),
		.cleared_ms = sqlite3_column_int64(st, 10),
		.resolved_ms = sqlite3_column_int64(st, 11),
		.changed_ms = sqlite3_column_int64(st, 12),
		.reason = store_column_str(st, 13),
		.labels = store_column_str(st, 14),
		.annotations = store_column_str(st, 15),
	};
}

static void row_alert(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_alert r;

	store_read_alert_row(st, &r);
	((struct callback *)cb)->alert(arg, &r);
}

int store_load_alerts(struct store *s, int64_t resolved_since_ms,
	void (*cb)(void *, const struct store_alert *), void *arg, struct err *err)
{
	struct callback c = {.alert = cb};

	return for_rows(s,
		"SELECT * FROM alert WHERE state IN ('pending', 'firing') OR "
		"(state = 'resolved' AND changed_ms >= ?1) ORDER BY raised_ms, id",
		&resolved_since_ms, row_alert, &c, arg, err);
}

void store_read_delivery_row(sqlite3_stmt *st, struct store_delivery *r)
{
	*r = (struct store_delivery){
		.id = sqlite3_column_int64(st, 0),
		.alert_id = store_column_str(st, 1),
		.change = sqlite3_column_int64(st, 2),
		.resolved = sqlite3_column_int(st, 3) != 0,
		.receiver = store_column_str(st, 4),
		.webhook_id = store_column_str(st, 5),
		.state = store_column_str(st, 6),
		.body = store_column_str(st, 7),
		.created_ms = sqlite3_column_int64(st, 8),
		.next_ms = sqlite3_column_int64(st, 9),
		.done_ms = sqlite3_column_int64(st, 10),
		.attempts = sqlite3_column_int64(st, 11),
		.why = store_column_str(st, 12),
	};
}

static void row_delivery(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_delivery r;

	store_read_delivery_row(st, &r);
	r.ends = sqlite3_column_int(st, 13) != 0;
	((struct callback *)cb)->delivery(arg, &r);
}

int store_load_owed(struct store *s, void (*cb)(void *, const struct store_delivery *), void *arg,
	struct err *err)
{
	struct callback c = {.delivery = cb};

	return for_rows(s,
		"SELECT o.*, EXISTS(SELECT 1 FROM told t WHERE t.outbox_id = o.id AND t.state = "
		"'resolved') FROM outbox o WHERE o.state = 'owed' ORDER BY o.id",
		NULL, row_delivery, &c, arg, err);
}

static void row_told(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_told r = {
		.outbox_id = sqlite3_column_int64(st, 0),
		.alert_id = store_column_str(st, 1),
		.receiver = store_column_str(st, 2),
		.state = store_column_str(st, 3),
		.at_ms = sqlite3_column_int64(st, 4),
	};

	((struct callback *)cb)->told(arg, &r);
}

/* With max(), SQLite takes the other columns from the row of the maximum. */
int store_load_told(struct store *s, int64_t resolved_since_ms,
	void (*cb)(void *, const struct store_told *), void *arg, struct err *err)
{
	struct callback c = {.told = cb};

	if (s->version < 2)
		return 0;
	return for_rows(s,
		"SELECT max(t.outbox_id), t.alert_id, t.receiver, t.state, t.at_ms FROM alert a "
		"JOIN told t ON t.alert_id = a.id WHERE a.state IN ('pending', 'firing') OR "
		"(a.state = 'resolved' AND a.changed_ms >= ?1) GROUP BY t.alert_id, t.receiver",
		&resolved_since_ms, row_told, &c, arg, err);
}

static void row_silence(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_silence r = {
		.id = store_column_str(st, 0),
		.matchers = store_column_str(st, 1),
		.starts_ms = sqlite3_column_int64(st, 2),
		.ends_ms = sqlite3_column_int64(st, 3),
		.uid = sqlite3_column_int64(st, 4),
		.comment = store_column_str(st, 5),
	};

	((struct callback *)cb)->silence(arg, &r);
}

int store_load_silences(struct store *s, int64_t ends_since_ms,
	void (*cb)(void *, const struct store_silence *), void *arg, struct err *err)
{
	struct callback c = {.silence = cb};

	if (s->version < 2)
		return 0;
	return for_rows(s, "SELECT * FROM silence WHERE ends_ms >= ?1 ORDER BY starts_ms, id",
		&ends_since_ms, row_silence, &c, arg, err);
}

static void row_ack(sqlite3_stmt *st, void *cb, void *arg)
{
	struct store_ack r = {
		.alert_id = store_column_str(st, 0),
		.at_ms = sqlite3_column_int64(st, 1),
		.uid = sqlite3_column_int64(st, 2),
		.comment = store_column_str(st, 3),
	};

	((struct callback *)cb)->ack(arg, &r);
}

int store_load_acks(
	struct store *s, void (*cb)(void *, const struct store_ack *), void *arg, struct err *err)
{
	struct callback c = {.ack = cb};

	if (s->version < 2)
		return 0;
	return for_rows(s,
		"SELECT k.* FROM ack k JOIN alert a ON a.id = k.alert_id WHERE a.state IN "
		"('pending', 'firing') ORDER BY k.at_ms",
		NULL, row_ack, &c, arg, err);
}

int store_load_meta(struct store *s, const char *key, struct buf *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, "SELECT value FROM meta WHERE key = ?1", &st, err);

	if (rc == 0) {
		store_bind_str(st, 1, str_of(key));
		rc = store_step(s, st, err);
	}
	if (rc == 1)
		buf_addstr(out, store_column_str(st, 0));
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

int store_load_metas(struct store *s, const char *prefix,
	void (*cb)(void *, struct str key, struct str value), void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s,
		"SELECT key, value FROM meta WHERE substr(key, 1, length(?1)) = ?1 ORDER BY key "
		"LIMIT 1000",
		&st, err);

	if (rc == 0)
		store_bind_str(st, 1, str_of(prefix));
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		cb(arg, store_column_str(st, 0), store_column_str(st, 1));
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* ---- scrapes --------------------------------------------------------------- */

struct value_list {
	struct store_value *v;
	size_t n, cap;
};

static void add_value(struct value_list *list, int64_t series_id, double value)
{
	if (list->n == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 256;
		list->v = xrealloc(list->v, list->cap, sizeof(*list->v));
	}
	list->v[list->n++] = (struct store_value){.series_id = series_id, .value = value};
}

/*
 * Takes {"0":12,"2":null} apart; the keys count from base.  Only what store_add_value writes is
 * read; a text that anything else has written ends where it stops to look like that.  text has a
 * NUL at its end (SQLite's).
 */
static void decode(const char *text, int64_t base, struct value_list *out)
{
	const char *p = text;
	char *end;
	int64_t id;

	out->n = 0;
	while (out->n < STORE_VALUES_MAX && (*p == '{' || *p == ',') && p[1] == '"') {
		id = strtoll(p + 2, &end, 10);
		if (end == p + 2 || end[0] != '"' || end[1] != ':')
			return;
		p = end + 2;
		if (strncmp(p, "null", 4) == 0) {
			add_value(out, base + id, NAN);
			p += 4;
			continue;
		}
		add_value(out, base + id, strtod(p, &end));
		if (end == p) {
			out->n--;
			return;
		}
		p = end;
	}
}

int store_load_scrapes(struct store *s, int64_t target_id, int64_t from_ms,
	void (*cb)(void *, const struct store_scrape *, const struct store_value *, size_t n),
	void *arg, struct err *err)
{
	struct value_list values = {0};
	struct store_scrape r;
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s,
		"SELECT at_ms, got, is_full, base, changes FROM scrape WHERE target_id = ?1 AND "
		"id >= coalesce((SELECT max(f.id) FROM scrape f WHERE f.target_id = ?1 AND "
		"f.is_full AND f.at_ms <= ?2), 0) ORDER BY id",
		&st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, target_id);
		sqlite3_bind_int64(st, 2, from_ms);
	}
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		r = (struct store_scrape){
			.target_id = target_id,
			.at_ms = sqlite3_column_int64(st, 0),
			.got = (unsigned)sqlite3_column_int(st, 1),
			.full = sqlite3_column_int(st, 2) != 0,
		};
		decode((const char *)sqlite3_column_text(st, 4), sqlite3_column_int64(st, 3),
			&values);
		cb(arg, &r, values.v, values.n);
		rc = 0;
	}
	sqlite3_finalize(st);
	free(values.v);
	return rc;
}
