#include "store_fact.h"
#include "store_internal.h"

int store_read_exhibits(struct store *s, struct str alert_id,
	void (*cb)(void *, const struct store_exhibit *), void *arg, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc;

	if (s->version < 3)
		return 0;
	rc = store_prepare(s,
		"SELECT id, target_id, alert_id, at_ms, format, goroutines, truncated, bytes, body"
		" FROM exhibit WHERE alert_id = ?1 ORDER BY id DESC",
		&st, err);
	if (rc == 0)
		store_bind_str(st, 1, alert_id);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		struct store_exhibit r = {
			.id = sqlite3_column_int64(st, 0),
			.target_id = sqlite3_column_int64(st, 1),
			.alert_id = store_column_str(st, 2),
			.at_ms = sqlite3_column_int64(st, 3),
			.format = store_column_str(st, 4),
			.goroutines = sqlite3_column_int64(st, 5),
			.truncated = sqlite3_column_int(st, 6) != 0,
			.bytes = sqlite3_column_int64(st, 7),
			.body = store_column_str(st, 8),
		};

		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

#define ALL(table)                                                                                 \
	"SELECT f.series_id, f.at_ms, f.body FROM " table " f JOIN series e ON e.id = "            \
	"f.series_id LEFT JOIN class c ON c.id = e.class_id WHERE c.ended_ms IS NULL ORDER BY 1"

int store_read_facts(struct store *s, enum store_fact_kind kind, int64_t series_id,
	void (*cb)(void *, const struct store_fact *), void *arg, struct err *err)
{
	static const char *const sql[][2] = {
		[STORE_EVIDENCE] = {"SELECT * FROM evidence WHERE series_id = ?1", ALL("evidence")},
		[STORE_COST] = {"SELECT * FROM cost WHERE series_id = ?1", ALL("cost")},
	};
	sqlite3_stmt *st = NULL;
	int rc;

	if (s->version < 3)
		return 0;
	rc = store_prepare(s, sql[kind][series_id == 0], &st, err);
	if (rc == 0 && series_id)
		sqlite3_bind_int64(st, 1, series_id);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		struct store_fact r = {
			.series_id = sqlite3_column_int64(st, 0),
			.at_ms = sqlite3_column_int64(st, 1),
			.body = store_column_str(st, 2),
		};

		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}
