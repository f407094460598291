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

/* The target after this one that has scrapes; 0 when there is none. */
static int next_target(struct store *s, int64_t *id, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s,
		"SELECT target_id FROM scrape WHERE target_id > ?1 ORDER BY 1 LIMIT 1", &st, err);

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, *id);
		rc = store_step(s, st, err);
	}
	*id = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/*
 * All before the newest full scrape of the time that is past: what comes after that is told as
 * changes from it.  A row from a time when the clock was behind makes no later one old, and one
 * from the future goes with its neighbours.
 */
static const char prune_sql[] =
	"DELETE FROM scrape WHERE id IN (SELECT id FROM scrape WHERE target_id = ?1 AND id < "
	"(SELECT max(f.id) FROM scrape f WHERE f.target_id = ?1 AND f.is_full AND f.at_ms <= ?2) "
	"AND (at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)";

static int64_t prune_scrapes(
	struct store *s, int64_t now_ms, int64_t keep_ms, int64_t max_rows, struct err *err)
{
	int64_t changed, n = 0;

	for (int visited = 0; visited < STORE_PRUNE_TARGETS; visited++) {
		if (s->prune_target == 0 && next_target(s, &s->prune_target, err) < 0)
			return -1;
		if (s->prune_target == 0)
			break;
		if (run_with(s, prune_sql,
			    (int64_t[]){s->prune_target, now_ms - keep_ms, now_ms, max_rows - n},
			    &changed, err) < 0)
			return -1;
		n += changed;
		if (n >= max_rows)
			break; /* this one has more: the next call goes on with it */
		if (next_target(s, &s->prune_target, err) < 0)
			return -1;
		if (s->prune_target == 0)
			break; /* been through all */
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
		 "100)) < 100 LIMIT max(1, ?2 / 100))",
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

int64_t store_prune(struct store *s, int64_t now_ms, int64_t keep_ms, int max_rows, struct err *err)
{
	int64_t n, more = 0;

	s->retry = false;
	if (store_exec(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	n = prune_scrapes(s, now_ms, keep_ms, max_rows, err);
	if (n >= 0 && n < max_rows)
		more = prune_rest(s, now_ms, keep_ms, max_rows - n, err);
	if (n < 0 || more < 0 || store_exec(s, "COMMIT", err) < 0) {
		if (!sqlite3_get_autocommit(s->db))
			sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
		return -1;
	}
	return n + more;
}
