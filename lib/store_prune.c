/* Retention: what is old goes, a few rows at a time. */
#include "store_internal.h"

/* Runs a statement with parameters ?1, ?2, …: in *changed the rows that it deleted. */
static int run_with(
	struct store *s, const char *sql, const int64_t *params, int64_t *changed, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	for (int i = 0; rc == 0 && i < sqlite3_bind_parameter_count(st); i++)
		sqlite3_bind_int64(st, i + 1, params[i]);
	if (rc == 0)
		rc = store_step(s, st, err);
	if (rc >= 0)
		*changed = sqlite3_changes(s->db);
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/*
 * All before the newest full row of the time that is past: what comes after that is told as changes
 * from it.  A row from a time when the clock was behind makes no later one old, and one from the
 * future goes with its neighbours.  ?5 is the last row that is folded, or any later one.
 */
static const char prune_scrapes[] =
	"DELETE FROM scrape WHERE id IN (SELECT id FROM scrape WHERE target_id = ?1 AND id < "
	"(SELECT max(f.id) FROM scrape f WHERE f.target_id = ?1 AND f.is_full AND f.at_ms <= ?2 "
	"AND f.id <= ?5) AND (at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)";
#define PRUNE_BUCKETS(width)                                                                       \
	"DELETE FROM bucket WHERE id IN (SELECT id FROM bucket WHERE target_id = ?1 AND "          \
	"width_ms = " width " AND id < (SELECT max(f.id) FROM bucket f WHERE f.target_id = ?1 "    \
	"AND f.width_ms = " width " AND f.is_full AND f.at_ms <= ?2 AND f.id <= ?5) AND "          \
	"(at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)"

/* One sort of rows that a target has many of, and how far through the targets we are. */
struct sort {
	const char *next_sql; /* the target after ?1 that has such rows */
	const char *prune_sql;
	const char *folded_sql; /* the last such row of target ?1 that is folded; NULL: no matter */
	int64_t keep_ms;
	int64_t *target;
};

static int query_with(
	struct store *s, const char *sql, int64_t param, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, param);
		rc = store_step(s, st, err);
	}
	*out = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int64_t prune_sort(
	struct store *s, const struct sort *sort, int64_t now_ms, int64_t max_rows, struct err *err)
{
	int64_t changed, folded = INT64_MAX, n = 0;

	if (sort->keep_ms <= 0 || max_rows <= 0)
		return 0;
	for (int visited = 0; visited < STORE_PRUNE_TARGETS; visited++) {
		if (*sort->target == 0 && query_with(s, sort->next_sql, 0, sort->target, err) < 0)
			return -1;
		if (*sort->target == 0)
			break;
		if (sort->folded_sql &&
			query_with(s, sort->folded_sql, *sort->target, &folded, err) < 0)
			return -1;
		if (run_with(s, sort->prune_sql,
			    (int64_t[]){*sort->target, now_ms - sort->keep_ms, now_ms, max_rows - n,
				    folded},
			    &changed, err) < 0)
			return -1;
		n += changed;
		if (n >= max_rows)
			break; /* this one has more: the next call goes on with it */
		if (query_with(s, sort->next_sql, *sort->target, sort->target, err) < 0)
			return -1;
		if (*sort->target == 0)
			break; /* been through all */
	}
	return n;
}

static int64_t prune_history(struct store *s, int64_t now_ms, const struct store_keep *keep,
	int64_t max_rows, struct err *err)
{
	static const char next_scrape[] =
		"SELECT target_id FROM scrape WHERE target_id > ?1 ORDER BY 1 LIMIT 1";
	static const char next_bucket[] =
		"SELECT target_id FROM bucket WHERE target_id > ?1 ORDER BY 1 LIMIT 1";
#define FOLDED(width)                                                                              \
	"SELECT upto FROM bucket WHERE target_id = ?1 AND width_ms = " width                       \
	" ORDER BY id DESC LIMIT 1"
	const struct sort sorts[] = {
		{next_scrape, prune_scrapes, keep->fold ? FOLDED("300000") : NULL, keep->raw_ms,
			&s->prune_target[0]},
		{next_bucket, PRUNE_BUCKETS("300000"), FOLDED("3600000"),
			keep->fold ? keep->m5_ms : 0, &s->prune_target[1]},
		{next_bucket, PRUNE_BUCKETS("3600000"), NULL, keep->fold ? keep->h1_ms : 0,
			&s->prune_target[2]},
	};
	int64_t changed, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(sorts); i++) {
		changed = prune_sort(s, &sorts[i], now_ms, max_rows - n, err);
		if (changed < 0)
			return -1;
		n += changed;
	}
	return n;
}

/* Rows that nobody will ask for: each statement is bounded by ?2 rows. */
static int64_t prune_rest(
	struct store *s, int64_t now_ms, int64_t keep_ms, int64_t max_rows, struct err *err)
{
	const struct {
		const char *sql;
		int64_t before_ms;
	} steps[] = {
		{"DELETE FROM class WHERE id IN (SELECT id FROM class WHERE ended_ms < ?1 LIMIT "
		 "?2)",
			now_ms - keep_ms},
		{"DELETE FROM target WHERE id IN (SELECT id FROM target WHERE gone_ms < ?1 AND "
		 "(SELECT count(*) FROM (SELECT 1 FROM scrape WHERE target_id = target.id LIMIT "
		 "100)) < 100 AND (SELECT count(*) FROM (SELECT 1 FROM bucket WHERE target_id = "
		 "target.id LIMIT 100)) < 100 LIMIT max(1, ?2 / 200))",
			now_ms - keep_ms},
		{"DELETE FROM run WHERE id IN (SELECT r.id FROM run r WHERE r.last_seen_ms < ?1 "
		 "AND "
		 "r.id < (SELECT max(n.id) FROM run n WHERE n.target_id = r.target_id) LIMIT ?2)",
			now_ms - keep_ms},
		{"DELETE FROM alert_event WHERE id IN (SELECT e.id FROM alert a JOIN alert_event e "
		 "ON e.alert_id = a.id WHERE a.state IN ('resolved', 'inactive') AND "
		 "a.changed_ms < ?1 LIMIT ?2)",
			now_ms - STORE_KEEP_ALERTS_MS},
		{"DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE state IN "
		 "('resolved', 'inactive') AND changed_ms < ?1 LIMIT ?2)",
			now_ms - STORE_KEEP_ALERTS_MS},
		{"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state <> 'owed' AND "
		 "created_ms < ?1 LIMIT ?2)",
			now_ms - STORE_KEEP_DELIVERIES_MS},
		/* While the alert stands, what was told of it is not forgotten. */
		{"DELETE FROM told WHERE (outbox_id, alert_id) IN (SELECT t.outbox_id, t.alert_id "
		 "FROM told t LEFT JOIN alert a ON a.id = t.alert_id WHERE t.at_ms < ?1 AND "
		 "(a.id IS NULL OR a.state IN ('resolved', 'inactive')) LIMIT ?2)",
			now_ms - STORE_KEEP_DELIVERIES_MS},
		{"DELETE FROM silence WHERE id IN (SELECT id FROM silence WHERE ends_ms < ?1 LIMIT "
		 "?2)",
			now_ms - STORE_KEEP_ALERTS_MS},
		{"DELETE FROM ack WHERE alert_id IN (SELECT k.alert_id FROM ack k LEFT JOIN alert "
		 "a "
		 "ON a.id = k.alert_id WHERE a.id IS NULL AND k.at_ms < ?1 LIMIT ?2)",
			now_ms - STORE_KEEP_DELIVERIES_MS},
	};
	int64_t changed, n = 0;

	for (size_t i = 0; i < ARRAY_LEN(steps) && n < max_rows; i++) {
		if (run_with(s, steps[i].sql, (int64_t[]){steps[i].before_ms, max_rows - n},
			    &changed, err) < 0)
			return -1;
		n += changed;
	}
	return n;
}

/*
 * Stacks that no class shows any more: a few of them are looked at each time, from where the last
 * call stopped.  Deleting a class leaves its stack, since others may show the same.
 */
static int64_t prune_stacks(struct store *s, int64_t max_rows, struct err *err)
{
	int64_t from = s->prune_stack, changed;

	if (max_rows <= 0)
		return 0;
	if (run_with(s,
		    "DELETE FROM stack WHERE fingerprint IN (SELECT fingerprint FROM stack WHERE "
		    "fingerprint > ?1 ORDER BY 1 LIMIT ?2) AND NOT EXISTS (SELECT 1 FROM "
		    "class_stack c WHERE c.fingerprint = stack.fingerprint)",
		    (int64_t[]){from, max_rows}, &changed, err) < 0)
		return -1;
	/* One row further on than was looked at, at most; the deleted ones among them are gone. */
	if (query_with(s,
		    "SELECT coalesce(max(fingerprint), -9223372036854775807) FROM (SELECT "
		    "fingerprint FROM stack WHERE fingerprint > ?1 ORDER BY 1 LIMIT 100)",
		    from, &s->prune_stack, err) < 0)
		return -1;
	return changed;
}

/* One a call: a body may have a thousand pages. */
static int64_t prune_exhibits(struct store *s, int64_t now_ms, struct err *err)
{
	int64_t bytes = 0, changed;

	if (run_with(s,
		    "DELETE FROM exhibit WHERE id IN (SELECT e.id FROM exhibit e LEFT JOIN alert "
		    "a ON a.id = e.alert_id WHERE a.id IS NULL AND e.at_ms < ?1 LIMIT 1)",
		    (int64_t[]){now_ms - STORE_KEEP_EXHIBITS_MS}, &changed, err) < 0)
		return -1;
	if (changed || s->exhibits_fit)
		return changed;
	if (store_query_int(s, "SELECT sum(length(body)) FROM exhibit", 0, &bytes, err) < 0)
		return -1;
	s->exhibits_fit = bytes <= STORE_EXHIBITS_BYTES;
	if (s->exhibits_fit)
		return 0;
	if (run_with(s,
		    "DELETE FROM exhibit WHERE id IN (SELECT e.id FROM exhibit e LEFT JOIN alert "
		    "a ON a.id = e.alert_id ORDER BY coalesce(a.state IN ('pending', 'firing'), "
		    "0), e.id LIMIT 1)",
		    NULL, &changed, err) < 0)
		return -1;
	return changed;
}

/* Classes and targets stay as long as anything of them is kept; 0: for good. */
static int64_t longest(const struct store_keep *keep)
{
	if (!keep->fold)
		return keep->raw_ms;
	if (keep->raw_ms <= 0 || keep->m5_ms <= 0 || keep->h1_ms <= 0)
		return INT64_MAX / 2;
	return MAX(keep->raw_ms, MAX(keep->m5_ms, keep->h1_ms));
}

int64_t store_prune(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	struct err *err)
{
	int64_t n, rest = 0, stacks = 0, exhibits = 0;

	s->retry = false;
	if (store_exec(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	n = prune_history(s, now_ms, keep, max_rows, err);
	if (n >= 0 && n < max_rows)
		rest = prune_rest(s, now_ms, longest(keep), max_rows - n, err);
	if (n >= 0 && rest >= 0 && n + rest < max_rows)
		stacks = prune_stacks(s, MIN(max_rows - n - rest, (int64_t)100), err);
	if (n >= 0 && rest >= 0 && stacks >= 0 && n + rest + stacks < max_rows)
		exhibits = prune_exhibits(s, now_ms, err);
	if (n < 0 || rest < 0 || stacks < 0 || exhibits < 0 || store_exec(s, "COMMIT", err) < 0) {
		store_roll_back(s);
		return -1;
	}
	return n + rest + stacks + exhibits;
}
