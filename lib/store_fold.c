/*
 * Folding: the scrapes of a target into buckets of 5 minutes, and those into buckets of an hour.
 *
 * A target's series are laid out once a call, sorted by id; the rows since the newest bucket pass
 * over them in order, with what came before (from the newest full row on) as the values to start
 * from.  `upto` of the newest bucket says how far folding has come: there is no other cursor.
 */
#include "store_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FULL_EVERY 12 /* buckets' time between two full ones */

struct part {
	int64_t series_id;
	unsigned needs; /* enum store_got: scrapes that tell it */
	double value; /* as of the last row */
	double before; /* as of the bucket before */
	/* Of the bucket under way: */
	double low, floor, max, sum;
	int64_t n;
	int64_t minute, minute_n; /* under way */
	double minute_sum;
};

struct fold {
	struct store *s;
	int64_t target_id, width_ms;
	int64_t now_ms;
	struct part *v;
	size_t n, cap;
	sqlite3_stmt *insert; /* NULL: it is only looked at what would be read */
	bool open; /* there is a bucket under way */
	int64_t at_ms, upto, samples;
	int64_t full_at_ms; /* of the newest full bucket; INT64_MIN: none */
	int64_t made;
	int visited; /* targets */
};

static int read_parts(struct fold *f, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(
		f->s, "SELECT id, kind FROM series WHERE target_id = ?1 ORDER BY id", &st, err);

	f->n = 0;
	if (rc == 0)
		sqlite3_bind_int64(st, 1, f->target_id);
	while (rc == 0 && (rc = store_step(f->s, st, err)) == 1) {
		struct str kind = store_column_str(st, 1);

		if (f->n == f->cap) {
			f->cap = f->cap ? f->cap * 2 : 256;
			f->v = xrealloc(f->v, f->cap, sizeof(*f->v));
		}
		f->v[f->n++] = (struct part){.series_id = sqlite3_column_int64(st, 0),
			.needs = store_series_kind_needs(store_series_kind_of_name(kind)),
			.value = NAN,
			.before = NAN};
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

static struct part *find_part(struct fold *f, int64_t series_id)
{
	size_t low = 0, high = f->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (f->v[mid].series_id < series_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low < f->n && f->v[low].series_id == series_id ? &f->v[low] : NULL;
}

/* ---- one bucket ---------------------------------------------------------------- */

static void end_minute(struct part *p)
{
	if (p->minute_n)
		p->floor = MIN(p->floor, p->minute_sum / (double)p->minute_n);
	p->minute_n = 0;
	p->minute_sum = 0;
}

static void add_sample(struct part *p, int64_t at_ms)
{
	int64_t minute = at_ms / 60000;

	if (minute != p->minute)
		end_minute(p);
	p->minute = minute;
	p->minute_n++;
	p->minute_sum += p->value;
	p->low = MIN(p->low, p->value);
	p->max = MAX(p->max, p->value);
	p->sum += p->value;
	p->n++;
}

static void add_bucket(struct part *p, double floor_, double mean, double max, int64_t n)
{
	p->low = MIN(p->low, floor_);
	p->floor = MIN(p->floor, floor_);
	p->max = MAX(p->max, max);
	p->sum += mean * (double)n;
	p->n += n;
}

static void begin_bucket(struct fold *f, int64_t at_ms)
{
	f->open = true;
	f->at_ms = at_ms;
	f->samples = 0;
	for (size_t i = 0; i < f->n; i++) {
		struct part *p = &f->v[i];

		p->before = p->value;
		p->low = p->floor = INFINITY;
		p->max = -INFINITY;
		p->sum = p->minute_sum = 0;
		p->n = p->minute_n = 0;
	}
}

/* What stands in the row for a series; false when nothing has to. */
static bool make_entry(const struct fold *f, struct part *p, bool full, struct store_entry *e)
{
	bool still;

	end_minute(p);
	still = p->n == f->samples && p->low == p->max && p->value == p->max;
	*e = (struct store_entry){.series_id = p->series_id, .last = p->value, .n = -1};
	if (p->n == 0 && isnan(p->value))
		return !isnan(p->before);
	if (still)
		return full || !(p->before == p->value);
	e->moved = true;
	e->floor = p->n ? p->floor : p->value;
	e->mean = p->n ? p->sum / (double)p->n : p->value;
	e->max = p->n ? p->max : p->value;
	e->n = p->n == f->samples ? -1 : p->n;
	return true;
}

static int insert_bucket(
	struct fold *f, bool full, int64_t base, struct str changes, struct err *err)
{
	int rc;

	sqlite3_bind_int64(f->insert, 1, f->target_id);
	sqlite3_bind_int64(f->insert, 2, f->width_ms);
	sqlite3_bind_int64(f->insert, 3, f->at_ms);
	sqlite3_bind_int64(f->insert, 4, f->samples);
	sqlite3_bind_int64(f->insert, 5, f->upto);
	sqlite3_bind_int(f->insert, 6, full);
	sqlite3_bind_int64(f->insert, 7, base);
	store_bind_str(f->insert, 8, changes);
	rc = store_step(f->s, f->insert, err);
	sqlite3_reset(f->insert);
	return rc;
}

static int end_bucket(struct fold *f, struct err *err)
{
	/* A bucket whose time is before that of the full one: the clock was set back. */
	bool full = f->full_at_ms == INT64_MIN || f->at_ms < f->full_at_ms ||
		    f->at_ms - f->full_at_ms >= FULL_EVERY * f->width_ms;
	struct buf changes = BUF_INIT;
	struct store_entry e;
	int64_t base = 0;
	int rc;

	for (size_t i = 0; i < f->n; i++) {
		if (!make_entry(f, &f->v[i], full, &e))
			continue;
		if (changes.len == 0)
			base = e.series_id;
		store_entry_add(&changes, base, &e);
	}
	buf_adds(&changes, changes.len ? "}" : "{}");
	if (full)
		f->full_at_ms = f->at_ms;
	f->open = false;
	f->made++;
	rc = f->insert ? insert_bucket(f, full, base, buf_str(&changes), err) : 0;
	buf_release(&changes);
	return rc;
}
/* ---- rows ------------------------------------------------------------------------ */

/* Columns: id, at_ms, got or samples, base, changes. */
static void take_scrape(struct fold *f, sqlite3_stmt *st, bool counts)
{
	const char *p = (const char *)sqlite3_column_text(st, 4);
	int64_t at_ms = sqlite3_column_int64(st, 1);
	int got = sqlite3_column_int(st, 2);
	struct store_entry e;

	while (store_entry_next(&p, sqlite3_column_int64(st, 3), &e)) {
		struct part *part = find_part(f, e.series_id);

		if (part)
			part->value = e.last;
	}
	if (!counts)
		return;
	f->samples++;
	for (size_t i = 0; i < f->n; i++) {
		struct part *part = &f->v[i];

		if ((unsigned)got & part->needs && !isnan(part->value))
			add_sample(part, at_ms);
	}
}

static void take_bucket(struct fold *f, sqlite3_stmt *st, bool counts)
{
	const char *p = (const char *)sqlite3_column_text(st, 4);
	int64_t samples = sqlite3_column_int64(st, 2), n;
	struct store_entry e;

	/* A minute of -1 marks those whose numbers the row gives; here it has no other use. */
	while (store_entry_next(&p, sqlite3_column_int64(st, 3), &e)) {
		struct part *part = find_part(f, e.series_id);

		if (!part)
			continue;
		part->value = e.last;
		if (!counts || !e.moved)
			continue;
		part->minute = -1;
		n = e.n < 0 ? samples : e.n;
		if (n)
			add_bucket(part, e.floor, e.mean, e.max, n);
	}
	if (!counts)
		return;
	f->samples += samples;
	for (size_t i = 0; i < f->n; i++) {
		struct part *part = &f->v[i];

		if (part->minute != -1 && !isnan(part->value))
			add_bucket(part, part->value, part->value, part->value, samples);
		part->minute = 0;
	}
}

static const char scrapes_sql[] =
	"SELECT id, at_ms, got, base, changes FROM scrape WHERE target_id = ?1 AND id >= "
	"coalesce((SELECT f.id FROM scrape f INDEXED BY scrape_target WHERE f.target_id = ?1 AND "
	"f.id <= ?2 AND f.is_full ORDER BY f.id DESC LIMIT 1), 0) ORDER BY id";
static const char buckets_sql[] =
	"SELECT id, at_ms, samples, base, changes FROM bucket WHERE target_id = ?1 AND width_ms = "
	"300000 AND id >= coalesce((SELECT f.id FROM bucket f INDEXED BY bucket_target WHERE "
	"f.target_id = ?1 AND f.width_ms = 300000 AND f.id <= ?2 AND f.is_full ORDER BY f.id DESC "
	"LIMIT 1), 0) ORDER BY id";

static bool is_enough(const struct store *s)
{
	return s->enough && s->enough(s->enough_arg);
}

/* Everything since the newest bucket, until max_rows are read and a bucket is made. */
static int fold_rows(struct fold *f, int max_rows, int64_t *rows, struct err *err)
{
	bool hour = f->width_ms == STORE_HOUR_MS;
	int64_t cursor = f->upto, at_ms;
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(f->s, hour ? buckets_sql : scrapes_sql, &st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, f->target_id);
		sqlite3_bind_int64(st, 2, cursor);
	}
	while (rc == 0 && (rc = store_step(f->s, st, err)) == 1) {
		bool counts = sqlite3_column_int64(st, 0) > cursor;

		rc = 0;
		++*rows;
		at_ms = sqlite3_column_int64(st, 1);
		at_ms -= at_ms % f->width_ms;
		if (counts && f->open && at_ms != f->at_ms) {
			rc = end_bucket(f, err);
			if (*rows >= max_rows || is_enough(f->s))
				break;
		}
		if (counts && !f->open)
			begin_bucket(f, at_ms);
		if (hour)
			take_bucket(f, st, counts);
		else
			take_scrape(f, st, counts);
		f->upto = sqlite3_column_int64(st, 0);
	}
	sqlite3_finalize(st);
	/* An hour waits for the bucket of its last 5 minutes. */
	if (rc == 0 && f->open &&
		f->now_ms >=
			f->at_ms + f->width_ms + STORE_FOLD_LATE_MS + (hour ? STORE_5M_MS : 0) &&
		*rows < max_rows)
		rc = end_bucket(f, err);
	return rc;
}

/*
 * Whether a bucket is complete: there is a row that is not folded, and its time is past or a later
 * row is in another bucket.  Three look-ups in an index, for what is asked of every target all the
 * time.
 */
static const char due_scrapes_sql[] =
	"SELECT (SELECT at_ms FROM scrape WHERE target_id = ?1 AND id > ?2 ORDER BY id LIMIT 1),"
	" (SELECT at_ms FROM scrape WHERE target_id = ?1 ORDER BY id DESC LIMIT 1)";
static const char due_buckets_sql[] =
	"SELECT (SELECT at_ms FROM bucket WHERE target_id = ?1 AND width_ms = 300000 AND id > ?2 "
	"ORDER BY id LIMIT 1), (SELECT at_ms FROM bucket WHERE target_id = ?1 AND width_ms = "
	"300000 "
	"ORDER BY id DESC LIMIT 1)";

static int is_due(struct fold *f, bool *due, struct err *err)
{
	bool hour = f->width_ms == STORE_HOUR_MS;
	sqlite3_stmt *st = NULL;
	int64_t first, newest;
	int rc = store_prepare(f->s, hour ? due_buckets_sql : due_scrapes_sql, &st, err);

	*due = false;
	if (rc == 0) {
		sqlite3_bind_int64(st, 1, f->target_id);
		sqlite3_bind_int64(st, 2, f->upto);
		rc = store_step(f->s, st, err);
	}
	if (rc == 1 && sqlite3_column_type(st, 0) != SQLITE_NULL) {
		first = sqlite3_column_int64(st, 0);
		first -= first % f->width_ms;
		newest = sqlite3_column_int64(st, 1);
		newest -= newest % f->width_ms;
		*due = newest != first || f->now_ms >= first + f->width_ms + STORE_FOLD_LATE_MS +
							       (hour ? STORE_5M_MS : 0);
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* How far the target's folding has come, and its newest full bucket. */
static int read_cursor(struct fold *f, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(f->s,
		"SELECT (SELECT upto FROM bucket WHERE target_id = ?1 AND width_ms = ?2 ORDER BY "
		"id "
		"DESC LIMIT 1), (SELECT f.at_ms FROM bucket f INDEXED BY bucket_target WHERE "
		"f.target_id = ?1 AND f.width_ms = ?2 AND f.is_full ORDER BY f.id DESC LIMIT 1)",
		&st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, f->target_id);
		sqlite3_bind_int64(st, 2, f->width_ms);
		rc = store_step(f->s, st, err);
	}
	f->upto = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	f->full_at_ms = rc == 1 && sqlite3_column_type(st, 1) != SQLITE_NULL
				? sqlite3_column_int64(st, 1)
				: INT64_MIN;
	f->open = false;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int fold_target(struct fold *f, int max_rows, int64_t *rows, struct err *err)
{
	static const int64_t widths[] = {STORE_5M_MS, STORE_HOUR_MS};
	bool due;

	for (size_t i = 0; i < ARRAY_LEN(widths) && !(i && is_enough(f->s)); i++) {
		f->width_ms = widths[i];
		if (read_cursor(f, err) < 0 || is_due(f, &due, err) < 0)
			return -1;
		if (due && (read_parts(f, err) < 0 || fold_rows(f, max_rows, rows, err) < 0))
			return -1;
	}
	return 0;
}

static int next_target(struct store *s, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(
		s, "SELECT id FROM target WHERE id > ?1 ORDER BY id LIMIT 1", &st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, s->fold_target);
		rc = store_step(s, st, err);
	}
	s->fold_target = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* steps: targets, at the most. */
static int fold_targets(struct fold *f, int max_rows, int steps, bool *again, struct err *err)
{
	int64_t rows = 0, made;
	bool enough;

	*again = false;
	if (f->s->fold_target == 0 && next_target(f->s, err) < 0)
		return -1;
	for (; f->s->fold_target && f->visited < steps; f->visited++) {
		f->target_id = f->s->fold_target;
		made = f->made;
		if (fold_target(f, max_rows, &rows, err) < 0)
			return -1;
		enough = rows >= max_rows || is_enough(f->s);
		if (enough && f->made > made)
			break; /* this one may have more: the next call goes on with it */
		if (next_target(f->s, err) < 0)
			return -1;
		if (enough)
			break;
	}
	*again = f->s->fold_target != 0;
	return 0;
}

int64_t store_fold(struct store *s, int64_t now_ms, int max_rows, bool *again, struct err *err)
{
	struct fold f = {.s = s, .now_ms = now_ms};
	int rc, steps = s->fold_steps ? s->fold_steps : STORE_FOLD_TARGETS;

	*again = false;
	s->fold_steps = 0;
	if (store_begin_bite(s, err) < 0)
		return -1;
	rc = store_prepare(s,
		"INSERT INTO bucket(target_id, width_ms, at_ms, samples, upto, is_full, base, "
		"changes) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		&f.insert, err);
	if (rc == 0)
		rc = fold_targets(&f, max_rows, steps, again, err);
	sqlite3_finalize(f.insert);
	free(f.v);
	if (rc == 0)
		rc = store_exec(s, "COMMIT", err);
	if (rc < 0) {
		store_roll_back(s);
		*again = false;
	}
	return rc < 0 ? -1 : f.made;
}

int store_look_fold(struct store *s, int64_t now_ms, int max_rows, int *steps)
{
	struct fold f = {.s = s, .now_ms = now_ms};
	bool again;
	int rc = fold_targets(&f, max_rows, STORE_FOLD_TARGETS, &again, NULL);

	free(f.v);
	*steps = f.visited + 1; /* the one that it ended with */
	return rc;
}
