/* Retention: old scrapes and buckets go, a few rows at a time; store_sweep.c has the rest. */
#include "store_internal.h"

#define STEP_ROWS 4 /* one statement; between two it is asked whether it is enough */

bool store_bite_over(struct store_bite *b)
{
	if (b->left > 0 && (!b->begun || !b->s->enough || !b->s->enough(b->s->enough_arg)))
		return false;
	b->more = true;
	return true;
}

void store_bite_count(struct store_bite *b, int64_t rows)
{
	b->begun = true;
	b->n += rows;
	b->left -= rows;
}

int store_run_with(
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
 * future goes with its neighbours.  ?5 is the last row that is folded, or any later one.  By itself
 * SQLite would look for the newest full row from the end on, through all that is kept.
 */
static const char prune_scrapes[] =
	"DELETE FROM scrape WHERE id IN (SELECT id FROM scrape WHERE target_id = ?1 AND id < "
	"(SELECT max(f.id) FROM scrape f INDEXED BY scrape_full WHERE f.target_id = ?1 AND "
	"f.is_full AND f.at_ms <= ?2 "
	"AND f.id <= ?5) AND (at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)";
#define PRUNE_BUCKETS(width)                                                                       \
	"DELETE FROM bucket WHERE id IN (SELECT id FROM bucket WHERE target_id = ?1 AND "          \
	"width_ms = " width                                                                        \
	" AND id < (SELECT max(f.id) FROM bucket f INDEXED BY bucket_full WHERE f.target_id = ?1 " \
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

int store_query_with(
	struct store *s, const char *sql, const int64_t *params, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	for (int i = 0; rc == 0 && i < sqlite3_bind_parameter_count(st); i++)
		sqlite3_bind_int64(st, i + 1, params[i]);
	if (rc == 0)
		rc = store_step(s, st, err);
	*out = rc == 1 ? sqlite3_column_int64(st, 0) : 0;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

/* Of one target; stops early when it is enough. */
static int prune_target(
	struct store_bite *b, const struct sort *sort, int64_t now_ms, struct err *err)
{
	int64_t changed = STEP_ROWS, folded = INT64_MAX;

	if (sort->folded_sql &&
		store_query_with(b->s, sort->folded_sql, sort->target, &folded, err) < 0)
		return -1;
	while (changed == STEP_ROWS && !store_bite_over(b)) {
		int64_t params[] = {
			*sort->target, now_ms - sort->keep_ms, now_ms, STEP_ROWS, folded};

		if (store_run_with(b->s, sort->prune_sql, params, &changed, err) < 0)
			return -1;
		store_bite_count(b, changed);
	}
	return 0;
}

static int prune_sort(
	struct store_bite *b, const struct sort *sort, int64_t now_ms, struct err *err)
{
	int64_t *target = sort->target;

	if (sort->keep_ms <= 0)
		return 0;
	if (*target == 0 && store_query_with(b->s, sort->next_sql, target, target, err) < 0)
		return -1;
	for (int visited = 0; *target && visited < STORE_PRUNE_TARGETS; visited++) {
		if (store_bite_over(b))
			break;
		if (prune_target(b, sort, now_ms, err) < 0)
			return -1;
		if (store_bite_over(b))
			break; /* this one may have more: the next call goes on with it */
		if (store_query_with(b->s, sort->next_sql, target, target, err) < 0)
			return -1;
	}
	return 0;
}

static int prune_history(struct store_bite *b, size_t i, int64_t now_ms,
	const struct store_keep *keep, struct err *err)
{
	static const char next_scrape[] =
		"SELECT target_id FROM scrape WHERE target_id > ?1 ORDER BY 1 LIMIT 1";
	static const char next_bucket[] =
		"SELECT target_id FROM bucket WHERE target_id > ?1 ORDER BY 1 LIMIT 1";
#define FOLDED(width)                                                                              \
	"SELECT upto FROM bucket WHERE target_id = ?1 AND width_ms = " width                       \
	" ORDER BY id DESC LIMIT 1"
	const struct sort sorts[STORE_SORTS] = {
		{next_scrape, prune_scrapes, keep->fold ? FOLDED("300000") : NULL, keep->raw_ms,
			&b->s->prune_target[0]},
		{next_bucket, PRUNE_BUCKETS("300000"), FOLDED("3600000"),
			keep->fold ? keep->m5_ms : 0, &b->s->prune_target[1]},
		{next_bucket, PRUNE_BUCKETS("3600000"), NULL, keep->fold ? keep->h1_ms : 0,
			&b->s->prune_target[2]},
	};

	return prune_sort(b, &sorts[i], now_ms, err);
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

/* A call has time for some of the stages, so each begins with another one. */
static int prune_stages(
	struct store_bite *b, int64_t now_ms, const struct store_keep *keep, struct err *err)
{
	size_t first = b->s->prune_turn++, n = STORE_SORTS + STORE_SWEEPS, stage;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < n; i++) {
		stage = (first + i) % n;
		rc = stage < STORE_SORTS ? prune_history(b, stage, now_ms, keep, err)
					 : store_sweep(b, (enum store_sweep)(stage - STORE_SORTS),
						   now_ms, longest(keep), err);
	}
	return rc;
}

int64_t store_prune(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	bool *again, struct err *err)
{
	struct store_bite b = {.s = s, .left = max_rows};

	*again = false;
	if (store_begin_bite(s, err) < 0)
		return -1;
	if (prune_stages(&b, now_ms, keep, err) < 0 || store_exec(s, "COMMIT", err) < 0) {
		store_roll_back(s);
		return -1;
	}
	*again = b.more;
	return b.n;
}
