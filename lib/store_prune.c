/* Retention: old scrapes and buckets go, a few rows at a time; store_sweep.c has the rest. */
#include "store_internal.h"

#include <limits.h>

#define STEP_ROWS 8 /* one statement; between two it is asked whether it is enough */

bool store_bite_over(struct store_bite *b)
{
	if (b->left > 0 && b->steps > b->done &&
		(!b->begun || !b->s->enough || !b->s->enough(b->s->enough_arg)))
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
#define OLD_SCRAPES                                                                                \
	"(SELECT id FROM scrape WHERE target_id = ?1 AND id < (SELECT max(f.id) FROM scrape f "    \
	"INDEXED BY scrape_full WHERE f.target_id = ?1 AND f.is_full AND f.at_ms <= ?2 AND f.id "  \
	"<= ?5) AND (at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)"
#define OLD_BUCKETS(width)                                                                         \
	"(SELECT id FROM bucket WHERE target_id = ?1 AND width_ms = " width                        \
	" AND id < (SELECT max(f.id) FROM bucket f INDEXED BY bucket_full WHERE f.target_id = ?1 " \
	"AND f.width_ms = " width " AND f.is_full AND f.at_ms <= ?2 AND f.id <= ?5) AND "          \
	"(at_ms <= ?2 OR at_ms > ?3) ORDER BY id LIMIT ?4)"
/* The pages that go with a row: those of its text, and its place in the index of full rows. */
#define LOOK_SCRAPES                                                                               \
	"SELECT count(*) FROM scrape s WHERE id IN " OLD_SCRAPES " AND length(changes) >= 0 AND "  \
	"(NOT is_full OR EXISTS (SELECT 1 FROM scrape f INDEXED BY scrape_full WHERE f.target_id " \
	"= s.target_id AND f.is_full AND f.at_ms = s.at_ms))"
#define LOOK_BUCKETS(width)                                                                        \
	"SELECT count(*) FROM bucket b WHERE id IN " OLD_BUCKETS(                                  \
		width) " AND length(changes) >= 0 AND (NOT is_full OR EXISTS (SELECT 1 FROM "      \
		       "bucket f INDEXED BY "                                                      \
		       "bucket_full WHERE f.target_id = b.target_id AND f.width_ms = b.width_ms "  \
		       "AND f.is_full "                                                            \
		       "AND f.at_ms = b.at_ms))"

/* One sort of rows that a target has many of, and how far through the targets we are. */
struct sort {
	const char *next_sql; /* the target after ?1 that has such rows */
	const char *prune_sql, *look_sql;
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

/*
 * Of one target, a few rows: then those of the next, since the rows of all targets of one time lie
 * beside each other in the file.  *full: there may be more of them.
 */
static int prune_target(
	struct store_bite *b, const struct sort *sort, int64_t now_ms, bool *full, struct err *err)
{
	int64_t changed, folded = INT64_MAX;
	int64_t params[] = {*sort->target, now_ms - sort->keep_ms, now_ms, STEP_ROWS, 0};
	int rc;

	if (sort->folded_sql &&
		store_query_with(b->s, sort->folded_sql, sort->target, &folded, err) < 0)
		return -1;
	params[4] = folded;
	rc = b->look ? store_query_with(b->s, sort->look_sql, params, &changed, err)
		     : store_run_with(b->s, sort->prune_sql, params, &changed, err);
	if (rc < 0)
		return -1;
	store_bite_count(b, changed);
	b->done++;
	*full |= changed == STEP_ROWS;
	return 0;
}

/* 1 when all targets have been visited, 0 when the next call goes on with the next one. */
static int prune_sort(
	struct store_bite *b, const struct sort *sort, int64_t now_ms, struct err *err)
{
	int64_t *target = sort->target;
	bool full;
	int visited = 0;

	if (sort->keep_ms <= 0)
		return 1;
	do {
		full = false;
		if (*target == 0 && store_query_with(b->s, sort->next_sql, target, target, err) < 0)
			return -1;
		while (*target) {
			if (store_bite_over(b) || visited++ == STORE_PRUNE_TARGETS)
				return 0;
			if (prune_target(b, sort, now_ms, &full, err) < 0 ||
				store_query_with(b->s, sort->next_sql, target, target, err) < 0)
				return -1;
			b->s->prune_full |= full;
		}
		/* Once in a look, and so in what follows it. */
	} while (full && !b->look && b->steps == INT_MAX && !store_bite_over(b));
	return 1;
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
		{next_scrape, "DELETE FROM scrape WHERE id IN " OLD_SCRAPES, LOOK_SCRAPES,
			keep->fold ? FOLDED("300000") : NULL, keep->raw_ms, &b->s->prune_target[0]},
		{next_bucket, "DELETE FROM bucket WHERE id IN " OLD_BUCKETS("300000"),
			LOOK_BUCKETS("300000"), FOLDED("3600000"), keep->fold ? keep->m5_ms : 0,
			&b->s->prune_target[1]},
		{next_bucket, "DELETE FROM bucket WHERE id IN " OLD_BUCKETS("3600000"),
			LOOK_BUCKETS("3600000"), NULL, keep->fold ? keep->h1_ms : 0,
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

/*
 * A call has time for some of the stages, and the next goes on there.  *all: that was the last one.
 * A stage that fails is not what the next call begins with.
 */
static int prune_stages(struct store_bite *b, int64_t now_ms, const struct store_keep *keep,
	bool *all, struct err *err)
{
	size_t n = STORE_SORTS + STORE_SWEEPS, stage;
	int rc;

	for (*all = false; !*all && !store_bite_over(b);) {
		stage = b->s->prune_turn;
		if (stage < STORE_SORTS) {
			rc = prune_history(b, stage, now_ms, keep, err);
		} else {
			rc = store_sweep(b, (enum store_sweep)(stage - STORE_SORTS), now_ms,
				longest(keep), err);
			rc = rc < 0 ? -1 : 1;
			b->done++;
		}
		if (rc == 0)
			break;
		b->s->prune_turn = (stage + 1) % n;
		if (rc < 0)
			return -1;
		*all = stage + 1 == n;
	}
	return 0;
}

int64_t store_prune(struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows,
	bool *again, struct err *err)
{
	struct store_bite b = {
		.s = s, .left = max_rows, .steps = s->prune_steps ? s->prune_steps : INT_MAX};
	bool all;

	*again = false;
	s->prune_steps = 0;
	if (store_begin_bite(s, err) < 0)
		return -1;
	if (prune_stages(&b, now_ms, keep, &all, err) < 0 || store_exec(s, "COMMIT", err) < 0) {
		store_roll_back(s);
		return -1;
	}
	*again = !all || b.more || s->prune_full;
	if (all)
		s->prune_full = false;
	return b.n;
}

int store_look_prune(
	struct store *s, int64_t now_ms, const struct store_keep *keep, int max_rows, int *steps)
{
	struct store_bite b = {.s = s, .left = max_rows, .steps = INT_MAX, .look = true};
	bool all;
	int rc = prune_stages(&b, now_ms, keep, &all, NULL);

	*steps = b.done + (rc < 0); /* that one too */
	return rc;
}
