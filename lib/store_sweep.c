/*
 * Retention of what is not history: rows that nobody will ask for.
 *
 * None of these tables has an index by age, which all of their rows would pay for; a window of each
 * is looked at in each call, from where the last one stopped, so that none costs more than a moment
 * however many rows it has.
 */
#include "store_internal.h"

#define WINDOW_ROWS 200 /* as LAST_KEY has it */
#define STEP_ROWS   4 /* of what is dear: one statement */
#define ENDED	    "state IN ('resolved', 'inactive')"

struct window {
	const char *last_sql; /* the last key of those after ?1, WINDOW_ROWS of them */
	const char *delete_sql; /* those with keys in (?1, ?2], when before ?3 */
	const char *look_sql; /* counts them */
};
#define LAST_KEY(table, key)                                                                       \
	"SELECT max(k) FROM (SELECT " key " AS k FROM " table " WHERE " key                        \
	" > ?1 ORDER BY 1 LIMIT 200)"
#define WINDOW(table, key, condition)                                                              \
	{                                                                                          \
		LAST_KEY(table, key),                                                              \
			"DELETE FROM " table " WHERE " key " > ?1 AND " key                        \
			" <= ?2 AND " condition,                                                   \
			"SELECT count(*) FROM " table " WHERE " key " > ?1 AND " key               \
			" <= ?2 AND " condition                                                    \
	}

/* Where the window after a key ends; false when there is nothing after it. */
static int find_last(
	struct store *s, const char *sql, int64_t after, int64_t *last, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);
	bool found;

	if (rc == 0) {
		sqlite3_bind_int64(st, 1, after);
		rc = store_step(s, st, err);
	}
	found = rc == 1 && sqlite3_column_type(st, 0) != SQLITE_NULL;
	*last = found ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : found;
}

/* Deletes what is old of the next window; at the end it begins anew. */
static int sweep(struct store_bite *b, const struct window *w, int64_t *key, int64_t before_ms,
	struct err *err)
{
	int64_t last, changed, params[3];
	int found, rc;

	if (store_bite_over(b))
		return 0;
	found = find_last(b->s, w->last_sql, *key, &last, err);
	if (found <= 0) {
		*key = STORE_KEY_MIN;
		return found;
	}
	params[0] = *key;
	params[1] = last;
	params[2] = before_ms;
	rc = b->look ? store_query_with(b->s, w->look_sql, params, &changed, err)
		     : store_run_with(b->s, w->delete_sql, params, &changed, err);
	if (rc < 0)
		return -1;
	*key = last;
	store_bite_count(b, changed);
	b->s->prune_full |= changed >= WINDOW_ROWS / 2; /* there will be more of it */
	return 0;
}

/* ---- targets that are gone ------------------------------------------------------ */

/* In steps, since all that a target has may be a thousand rows; nothing builds on its history. */
static int delete_target(struct store_bite *b, int64_t target_id, bool *done, struct err *err)
{
	static const char *const steps[] = {
		"DELETE FROM class WHERE id IN (SELECT id FROM class WHERE target_id = ?1 LIMIT "
		"?2)",
		"DELETE FROM series WHERE id IN (SELECT id FROM series WHERE target_id = ?1 LIMIT "
		"?2)",
		"DELETE FROM scrape WHERE id IN (SELECT id FROM scrape WHERE target_id = ?1 LIMIT "
		"?2)",
		"DELETE FROM bucket WHERE id IN (SELECT id FROM bucket WHERE target_id = ?1 LIMIT "
		"?2)",
		"DELETE FROM run WHERE id IN (SELECT id FROM run WHERE target_id = ?1 LIMIT ?2)",
		"DELETE FROM target WHERE id = ?1",
	};
	int64_t changed;

	*done = false;
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		do {
			if (store_run_with(b->s, steps[i], (int64_t[]){target_id, STEP_ROWS},
				    &changed, err) < 0)
				return -1;
			store_bite_count(b, changed);
			if (changed && store_bite_over(b))
				return 0;
		} while (changed == STEP_ROWS);
	}
	*done = true;
	return 0;
}

static int sweep_targets(struct store_bite *b, int64_t before_ms, struct err *err)
{
	int64_t *key = &b->s->sweep_key[STORE_SWEEP_TARGET], last, id;
	bool done = true;
	int found;

	if (store_bite_over(b))
		return 0;
	found = find_last(b->s, LAST_KEY("target", "id"), *key, &last, err);
	if (found <= 0) {
		*key = STORE_KEY_MIN;
		return found;
	}
	while (done) {
		if (store_query_with(b->s,
			    "SELECT id FROM target WHERE id > ?1 AND id <= ?2 AND gone_ms < ?3 "
			    "ORDER BY id LIMIT 1",
			    (int64_t[]){*key, last, before_ms}, &id, err) < 0)
			return -1;
		if (id == 0) {
			*key = last;
			return 0;
		}
		if (delete_target(b, id, &done, err) < 0)
			return -1;
	}
	b->s->prune_full = true;
	return 0;
}

/* Too many bytes of exhibits: one goes in a call, since a body may have a thousand pages. */
static int limit_exhibits(struct store_bite *b, struct err *err)
{
	struct store *s = b->s;
	int64_t bytes, changed;

	if (s->exhibits_fit || store_bite_over(b))
		return 0;
	if (store_query_int(s, "SELECT sum(length(body)) FROM exhibit", 0, &bytes, err) < 0)
		return -1;
	s->exhibits_fit = bytes <= STORE_EXHIBITS_BYTES;
	if (s->exhibits_fit)
		return 0;
	if (store_run_with(s,
		    "DELETE FROM exhibit WHERE id IN (SELECT e.id FROM exhibit e LEFT JOIN alert a "
		    "ON a.id = e.alert_id ORDER BY coalesce(a.state IN ('pending', 'firing'), 0), "
		    "e.id LIMIT 1)",
		    NULL, &changed, err) < 0)
		return -1;
	store_bite_count(b, changed);
	b->s->prune_full = true;
	return 0;
}

/* ---- all of it -------------------------------------------------------------------- */

/* Found by an index; STEP_ROWS at a time, until it is enough. */
static int sweep_old(struct store_bite *b, const char *sql, int64_t before_ms, struct err *err)
{
	int64_t changed = STEP_ROWS;

	while (changed == STEP_ROWS) {
		if (store_bite_over(b)) {
			b->s->prune_full = true;
			break;
		}
		if (store_run_with(b->s, sql, (int64_t[]){before_ms, STEP_ROWS}, &changed, err) < 0)
			return -1;
		store_bite_count(b, changed);
	}
	return 0;
}

static int sweep_window(struct store_bite *b, enum store_sweep what, int64_t now_ms,
	int64_t keep_ms, struct err *err)
{
	static const struct window windows[] = {
		[STORE_SWEEP_RUN] = WINDOW("run", "id",
			"last_seen_ms < ?3 AND id < (SELECT max(n.id) FROM run n WHERE n.target_id "
			"= run.target_id)"),
		[STORE_SWEEP_OUTBOX] =
			WINDOW("outbox", "id", "state <> 'owed' AND created_ms < ?3"),
		/* While the alert stands, what was told of it is not forgotten. */
		[STORE_SWEEP_TOLD] = WINDOW("told", "outbox_id",
			"at_ms < ?3 AND NOT EXISTS (SELECT 1 FROM alert a WHERE a.id = alert_id "
			"AND "
			"NOT a." ENDED ")"),
		[STORE_SWEEP_SILENCE] = WINDOW("silence", "rowid", "ends_ms < ?3"),
		[STORE_SWEEP_ACK] = WINDOW("ack", "rowid",
			"at_ms < ?3 AND NOT EXISTS (SELECT 1 FROM alert a WHERE a.id = alert_id)"),
		/* One at a time, for its pages; the next goes when the window comes again. */
		[STORE_SWEEP_EXHIBIT] = WINDOW("exhibit", "id",
			"id IN (SELECT e.id FROM exhibit e WHERE e.id > ?1 AND e.id <= ?2 AND "
			"e.at_ms < ?3 AND NOT EXISTS (SELECT 1 FROM alert a WHERE a.id = "
			"e.alert_id) LIMIT 1)"),
		/* Deleting a class leaves its stacks, since others may show the same. */
		[STORE_SWEEP_STACK] = WINDOW("stack", "fingerprint",
			"?3 AND NOT EXISTS (SELECT 1 FROM class_stack c WHERE c.fingerprint = "
			"stack.fingerprint)"),
	};
	const int64_t before_ms[] = {
		[STORE_SWEEP_RUN] = now_ms - keep_ms,
		[STORE_SWEEP_OUTBOX] = now_ms - STORE_KEEP_DELIVERIES_MS,
		[STORE_SWEEP_TOLD] = now_ms - STORE_KEEP_DELIVERIES_MS,
		[STORE_SWEEP_SILENCE] = now_ms - STORE_KEEP_ALERTS_MS,
		[STORE_SWEEP_ACK] = now_ms - STORE_KEEP_DELIVERIES_MS,
		[STORE_SWEEP_EXHIBIT] = now_ms - STORE_KEEP_EXHIBITS_MS,
		[STORE_SWEEP_STACK] = 1, /* whatever their age */
	};

	return sweep(b, &windows[what], &b->s->sweep_key[what], before_ms[what], err);
}

int store_sweep(struct store_bite *b, enum store_sweep what, int64_t now_ms, int64_t keep_ms,
	struct err *err)
{
	static const char classes[] = "DELETE FROM class WHERE id IN (SELECT id FROM class WHERE "
				      "ended_ms < ?1 ORDER BY ended_ms LIMIT ?2)";
	static const char events[] =
		"DELETE FROM alert_event WHERE id IN (SELECT e.id FROM alert a CROSS JOIN "
		"alert_event e ON e.alert_id = a.id WHERE a." ENDED
		" AND a.changed_ms < ?1 LIMIT ?2)";
	static const char alerts[] =
		"DELETE FROM alert WHERE id IN (SELECT id FROM alert WHERE " ENDED
		" AND changed_ms < ?1 LIMIT ?2)";

	if (b->look && what >= STORE_SWEEP_TARGET)
		return 0; /* what these delete is rare, and not in one place */
	switch (what) {
	case STORE_SWEEP_TARGET:
		return sweep_targets(b, now_ms - keep_ms, err);
	case STORE_SWEEP_CLASS:
		return sweep_old(b, classes, now_ms - keep_ms, err);
	case STORE_SWEEP_ALERT:
		if (sweep_old(b, events, now_ms - STORE_KEEP_ALERTS_MS, err) < 0)
			return -1;
		return sweep_old(b, alerts, now_ms - STORE_KEEP_ALERTS_MS, err);
	case STORE_SWEEP_EXHIBITS:
		return limit_exhibits(b, err);
	default:
		return sweep_window(b, what, now_ms, keep_ms, err);
	}
}
