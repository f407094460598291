#include "store_fleet.h"
#include "store_internal.h"

int store_read_instances(struct store *s, struct str job,
	void (*cb)(void *, const struct store_instance *), void *arg, struct err *err)
{
	static const char sql[] =
		"SELECT t.id, t.job, t.instance, p.at_ms, p.up, t.first_seen_ms, r.start_ms, r.info"
		" FROM target t LEFT JOIN target_status p ON p.target_id = t.id LEFT JOIN run r"
		" ON r.id = (SELECT max(x.id) FROM run x WHERE x.target_id = t.id)"
		" WHERE t.gone_ms IS NULL AND (?1 = '' OR t.job = ?1) ORDER BY t.job, t.id";
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	if (rc == 0)
		store_bind_str(st, 1, job);
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		struct store_instance r = {
			.target_id = sqlite3_column_int64(st, 0),
			.job = store_column_str(st, 1),
			.instance = store_column_str(st, 2),
			.scraped_ms = sqlite3_column_int64(st, 3),
			.up = sqlite3_column_int(st, 4) != 0,
			.first_seen_ms = sqlite3_column_int64(st, 5),
			.run_start_ms = sqlite3_column_int64(st, 6),
			.run_info = store_column_str(st, 7),
		};

		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}

int store_read_members(struct store *s, struct str job, struct str name, bool leaking,
	void (*cb)(void *, const struct store_member *), void *arg, struct err *err)
{
	static const char sql[] =
		"SELECT t.job, e.kind, e.name, t.id, e.id, coalesce(v.state, 'ok'), v.at_ms,"
		" v.since_ms, v.rate_per_hour FROM target t JOIN series e ON e.target_id = t.id"
		" LEFT JOIN class c ON c.id = e.class_id LEFT JOIN verdict v ON v.series_id = e.id"
		" WHERE t.gone_ms IS NULL AND c.ended_ms IS NULL AND e.kind <> 'load'"
		" AND (?1 = '' OR t.job = ?1) AND (?2 = '' OR e.name = ?2)"
		" AND (?3 = 0 OR e.name IN (SELECT x.name FROM verdict w JOIN series x"
		"  ON x.id = w.series_id WHERE w.state IN ('leaking', 'held')))"
		" ORDER BY t.job, e.kind, e.name, t.id";
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	if (rc == 0) {
		store_bind_str(st, 1, job);
		store_bind_str(st, 2, name);
		sqlite3_bind_int(st, 3, leaking);
	}
	while (rc == 0 && (rc = store_step(s, st, err)) == 1) {
		struct store_member r = {
			.job = store_column_str(st, 0),
			.kind = store_series_kind_of_name(store_column_str(st, 1)),
			.name = store_column_str(st, 2),
			.target_id = sqlite3_column_int64(st, 3),
			.series_id = sqlite3_column_int64(st, 4),
			.state = store_column_str(st, 5),
			.at_ms = sqlite3_column_int64(st, 6),
			.since_ms = sqlite3_column_int64(st, 7),
			.rate_per_hour = store_column_double(st, 8),
		};

		cb(arg, &r);
		rc = 0;
	}
	sqlite3_finalize(st);
	return rc;
}
