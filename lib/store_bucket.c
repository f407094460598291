/* What a bucket's row says of each series, and the history of one series out of buckets and
 * scrapes. */
#include "store_internal.h"
#include "store_read.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- entries ----------------------------------------------------------------- */

static bool next_number(const char **p, double *out)
{
	char *end;

	if (strncmp(*p, "null", 4) == 0) {
		*out = NAN;
		*p += 4;
		return true;
	}
	*out = strtod(*p, &end);
	if (end == *p)
		return false;
	*p = end;
	return true;
}

static bool next_array(const char **p, struct store_entry *e)
{
	double v[5];
	int n = 0;

	do {
		++*p; /* [ or , */
		if (n == 5 || !next_number(p, &v[n]))
			return false;
		n++;
	} while (**p == ',');
	if (n < 4 || *(*p)++ != ']')
		return false;
	e->moved = true;
	e->floor = v[0];
	e->mean = v[1];
	e->max = v[2];
	e->last = v[3];
	e->n = n == 5 ? (int64_t)v[4] : -1;
	return true;
}

bool store_entry_next(const char **p, int64_t base, struct store_entry *e)
{
	char *end;

	*e = (struct store_entry){.n = -1};
	if ((**p != '{' && **p != ',') || (*p)[1] != '"')
		return false;
	e->series_id = base + strtoll(*p + 2, &end, 10);
	if (end == *p + 2 || end[0] != '"' || end[1] != ':')
		return false;
	*p = end + 2;
	if (**p == '[')
		return next_array(p, e);
	if (!next_number(p, &e->last))
		return false;
	e->floor = e->mean = e->max = e->last;
	return true;
}

static void add_number(struct buf *out, double v)
{
	if (isfinite(v))
		store_add_number(out, v);
	else
		buf_adds(out, "null");
}

/* A mean needs no more digits than a hundredth of what the values differ by. */
static double rounded_mean(const struct store_entry *e)
{
	double span = e->max - e->floor, step;

	if (!(span > 0))
		return e->mean;
	step = pow(10, floor(log10(span)) - 2);
	return step >= 1 ? round(e->mean / step) * step
			 : round(e->mean * round(1 / step)) / round(1 / step);
}

void store_entry_add(struct buf *out, int64_t base, const struct store_entry *e)
{
	buf_addf(out, "%s\"%" PRId64 "\":", out->len ? "," : "{", e->series_id - base);
	if (!e->moved) {
		add_number(out, e->last);
		return;
	}
	buf_addc(out, '[');
	add_number(out, e->floor);
	buf_addc(out, ',');
	add_number(out, rounded_mean(e));
	buf_addc(out, ',');
	add_number(out, e->max);
	buf_addc(out, ',');
	add_number(out, e->last);
	if (e->n >= 0)
		buf_addf(out, ",%" PRId64, e->n);
	buf_addc(out, ']');
}

/* ---- history ----------------------------------------------------------------- */

struct history_reader {
	int64_t series_id, from_ms;
	int64_t until_ms; /* told so far */
	void (*cb)(void *, const struct store_point *);
	void *arg;
};

/* When finer history of the target begins; INT64_MAX when there is none. */
static int finer_from(
	struct store *s, int64_t target_id, int64_t width_ms, int64_t *from_ms, struct err *err)
{
	char *sql = sqlite3_mprintf(
		"SELECT coalesce((SELECT at_ms FROM bucket WHERE target_id = %lld AND width_ms = "
		"300000 AND 300000 < %lld ORDER BY id LIMIT 1), (SELECT at_ms FROM scrape WHERE "
		"target_id = %lld ORDER BY id LIMIT 1))",
		(long long)target_id, (long long)width_ms, (long long)target_id);
	int rc = store_query_int(s, sql, INT64_MAX, from_ms, err);

	sqlite3_free(sql);
	return rc;
}

static bool find_entry(sqlite3_stmt *st, int64_t series_id, struct store_entry *e)
{
	const char *p = (const char *)sqlite3_column_text(st, 3);

	while (store_entry_next(&p, sqlite3_column_int64(st, 2), e)) {
		if (e->series_id == series_id)
			return true;
	}
	return false;
}

/* Buckets of one width up to where finer history begins. */
static int read_buckets(struct store *s, int64_t target_id, int64_t width_ms,
	struct history_reader *r, struct err *err)
{
	struct store_entry e;
	struct store_point point = {.width_ms = width_ms};
	sqlite3_stmt *st = NULL;
	int64_t finer_ms, samples;
	double carry = NAN;
	int rc = finer_from(s, target_id, width_ms, &finer_ms, err);

	if (rc == 0)
		rc = store_prepare(s,
			"SELECT at_ms, samples, base, changes FROM bucket WHERE target_id = ?1 AND "
			"width_ms = ?2 AND id >= coalesce((SELECT max(f.id) FROM bucket f WHERE "
			"f.target_id = ?1 AND f.width_ms = ?2 AND f.is_full AND f.at_ms <= ?3), 0) "
			"ORDER BY id",
			&st, err);
	if (rc == 0) {
		sqlite3_bind_int64(st, 1, target_id);
		sqlite3_bind_int64(st, 2, width_ms);
		sqlite3_bind_int64(st, 3, r->from_ms);
	}
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		rc = 0;
		point.at_ms = sqlite3_column_int64(st, 0);
		samples = sqlite3_column_int64(st, 1);
		if (!find_entry(st, r->series_id, &e))
			e = (struct store_entry){.floor = carry,
				.mean = carry,
				.max = carry,
				.last = carry,
				.n = -1};
		carry = e.last;
		if (point.at_ms >= finer_ms)
			break;
		point.floor = e.floor;
		point.mean = e.mean;
		point.max = e.max;
		point.last = e.last;
		point.n = e.n < 0 ? samples : e.n;
		if (point.at_ms + width_ms <= r->from_ms || point.n == 0 || isnan(point.mean))
			continue;
		r->cb(r->arg, &point);
		r->until_ms = MAX(r->until_ms, point.at_ms + width_ms);
	}
	sqlite3_finalize(st);
	return rc;
}

static void raw_cb(void *arg, int64_t at_ms, double value)
{
	struct history_reader *r = arg;
	struct store_point point = {
		.at_ms = at_ms, .floor = value, .mean = value, .max = value, .last = value, .n = 1};

	if (at_ms >= r->until_ms)
		r->cb(r->arg, &point);
}

int store_read_history(struct store *s, const struct store_series *series, int64_t from_ms,
	void (*cb)(void *, const struct store_point *), void *arg, struct err *err)
{
	struct history_reader r = {.series_id = series->id,
		.from_ms = from_ms,
		.until_ms = INT64_MIN,
		.cb = cb,
		.arg = arg};

	if (s->version >= 2 &&
		(read_buckets(s, series->target_id, STORE_HOUR_MS, &r, err) < 0 ||
			read_buckets(s, series->target_id, STORE_5M_MS, &r, err) < 0))
		return -1;
	return store_read_values(s, series, from_ms, raw_cb, &r, err);
}
