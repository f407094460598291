#include "store_internal.h"

/*
 * The file's tables, described column by column in leakwatch-sql(7).
 *
 * scrape holds the samples: one row a scrape, with the values that changed as one JSON object of
 * series (its id less base) to value.  That is one insertion a scrape, fewer bytes than a row for
 * each change, and json_each (view v_sample) makes rows of it again.  The rowid is in order of time
 * for all targets together, so that new rows of all targets share pages; what came first is told
 * by the rowid, never by at_ms, because clocks are set back.
 *
 * Keys that point from what is many to what is one are deferred: the order within a batch does not
 * matter.  Alerts point at nothing, so that no other row's fate can refuse or delete one.
 */
static const char version_1[] =
	"CREATE TABLE meta(key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL) STRICT, WITHOUT "
	"ROWID;"
	"CREATE TABLE target(id INTEGER PRIMARY KEY, job TEXT NOT NULL, instance TEXT NOT NULL,"
	" labels TEXT NOT NULL, first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,"
	" gone_ms INTEGER) STRICT;"
	"CREATE TABLE target_status(target_id INTEGER PRIMARY KEY REFERENCES target ON DELETE "
	"CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" at_ms INTEGER NOT NULL, up INTEGER NOT NULL, metrics_up INTEGER NOT NULL,"
	" why TEXT NOT NULL, metrics_why TEXT NOT NULL, duration_ms REAL, bytes INTEGER NOT NULL,"
	" parsed INTEGER NOT NULL, lost INTEGER NOT NULL, down_since_ms INTEGER) STRICT;"
	"CREATE TABLE run(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL REFERENCES target ON "
	"DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" start_ms INTEGER, first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,"
	" info TEXT NOT NULL) STRICT;"
	"CREATE INDEX run_target ON run(target_id);"
	"CREATE TABLE class(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL REFERENCES target "
	"ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" name TEXT NOT NULL, rule TEXT NOT NULL, definition INTEGER NOT NULL,"
	" first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL, ended_ms INTEGER,"
	" ended_why TEXT NOT NULL, hint TEXT NOT NULL) STRICT;"
	"CREATE INDEX class_target ON class(target_id, name);"
	"CREATE INDEX class_ended ON class(ended_ms) WHERE ended_ms IS NOT NULL;"
	"CREATE TABLE stack(fingerprint INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;"
	"CREATE TABLE class_stack(class_id INTEGER NOT NULL REFERENCES class ON DELETE CASCADE "
	"DEFERRABLE INITIALLY DEFERRED,"
	" fingerprint INTEGER NOT NULL REFERENCES stack DEFERRABLE INITIALLY DEFERRED,"
	" wait TEXT NOT NULL, created_by TEXT NOT NULL, count INTEGER NOT NULL,"
	" last_seen_ms INTEGER NOT NULL, PRIMARY KEY(class_id, fingerprint)) STRICT, WITHOUT "
	"ROWID;"
	"CREATE INDEX class_stack_fingerprint ON class_stack(fingerprint);"
	"CREATE TABLE series(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL REFERENCES target "
	"ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" kind TEXT NOT NULL, name TEXT NOT NULL,"
	" class_id INTEGER REFERENCES class ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED) "
	"STRICT;"
	"CREATE INDEX series_target ON series(target_id);"
	"CREATE INDEX series_class ON series(class_id);"
	"CREATE TABLE scrape(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL REFERENCES target "
	"ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" at_ms INTEGER NOT NULL, got INTEGER NOT NULL, is_full INTEGER NOT NULL,"
	" base INTEGER NOT NULL, changes TEXT NOT NULL) STRICT;"
	"CREATE INDEX scrape_target ON scrape(target_id);"
	"CREATE INDEX scrape_full ON scrape(target_id, at_ms) WHERE is_full;"
	"CREATE TABLE verdict(series_id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE "
	"DEFERRABLE INITIALLY DEFERRED,"
	" state TEXT NOT NULL, at_ms INTEGER, since_ms INTEGER, since_at_least INTEGER NOT NULL,"
	" rate_per_hour REAL, low REAL, high REAL, base REAL, top REAL, lookback_s REAL,"
	" reason TEXT NOT NULL) STRICT;"
	"CREATE TABLE detector(series_id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE "
	"DEFERRABLE INITIALLY DEFERRED,"
	" at_ms INTEGER NOT NULL, record BLOB NOT NULL) STRICT;"
	"CREATE TABLE alert(id TEXT PRIMARY KEY NOT NULL, key TEXT NOT NULL, target_id INTEGER,"
	" name TEXT NOT NULL, state TEXT NOT NULL, holds INTEGER NOT NULL, end TEXT NOT NULL,"
	" change INTEGER NOT NULL, raised_ms INTEGER, fired_ms INTEGER, cleared_ms INTEGER,"
	" resolved_ms INTEGER, changed_ms INTEGER, reason TEXT NOT NULL, labels TEXT NOT NULL,"
	" annotations TEXT NOT NULL) STRICT;"
	"CREATE INDEX alert_state ON alert(state, changed_ms);"
	"CREATE INDEX alert_target ON alert(target_id);"
	"CREATE TABLE alert_event(id INTEGER PRIMARY KEY, alert_id TEXT NOT NULL,"
	" at_ms INTEGER NOT NULL, change INTEGER NOT NULL, from_state TEXT NOT NULL,"
	" to_state TEXT NOT NULL, why TEXT NOT NULL) STRICT;"
	"CREATE INDEX alert_event_alert ON alert_event(alert_id);"
	"CREATE TABLE outbox(id INTEGER PRIMARY KEY, alert_id TEXT NOT NULL,"
	" change INTEGER NOT NULL, resolved INTEGER NOT NULL, receiver TEXT NOT NULL,"
	" webhook_id TEXT NOT NULL, state TEXT NOT NULL, body TEXT NOT NULL,"
	" created_ms INTEGER NOT NULL, next_ms INTEGER, done_ms INTEGER,"
	" attempts INTEGER NOT NULL, why TEXT NOT NULL) STRICT;"
	"CREATE INDEX outbox_alert ON outbox(alert_id);"
	"CREATE INDEX outbox_owed ON outbox(id) WHERE state = 'owed';";

/*
 * Buckets: what scrapes fold into (store_fold.c).  One row a target and bucket, in the manner of
 * scrape: the values of series that did not stand still since the bucket before.
 * told, silence, ack: who was told what, and what people said to it.
 */
static const char version_2[] =
	"CREATE TABLE bucket(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL REFERENCES target "
	"ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
	" width_ms INTEGER NOT NULL, at_ms INTEGER NOT NULL, samples INTEGER NOT NULL,"
	" upto INTEGER NOT NULL, is_full INTEGER NOT NULL, base INTEGER NOT NULL,"
	" changes TEXT NOT NULL) STRICT;"
	"CREATE INDEX bucket_target ON bucket(target_id, width_ms);"
	"CREATE INDEX bucket_full ON bucket(target_id, width_ms, at_ms) WHERE is_full;"
	"CREATE TABLE told(outbox_id INTEGER NOT NULL, alert_id TEXT NOT NULL,"
	" receiver TEXT NOT NULL, state TEXT NOT NULL, at_ms INTEGER NOT NULL,"
	" PRIMARY KEY(outbox_id, alert_id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX told_alert ON told(alert_id);"
	"CREATE TABLE silence(id TEXT PRIMARY KEY NOT NULL, matchers TEXT NOT NULL,"
	" starts_ms INTEGER NOT NULL, ends_ms INTEGER NOT NULL, uid INTEGER NOT NULL,"
	" comment TEXT NOT NULL) STRICT;"
	"CREATE TABLE ack(alert_id TEXT PRIMARY KEY NOT NULL, at_ms INTEGER NOT "
	"NULL, uid INTEGER NOT NULL, comment TEXT NOT NULL) STRICT;";

/*
 * exhibit, evidence, cost: what is found out beyond numbers (store_fact.h).  An exhibit points at
 * nothing, like the alert it belongs to.
 */
static const char version_3[] =
	"CREATE TABLE exhibit(id INTEGER PRIMARY KEY, target_id INTEGER NOT NULL,"
	" alert_id TEXT NOT NULL, at_ms INTEGER NOT NULL, format TEXT NOT NULL,"
	" goroutines INTEGER NOT NULL, truncated INTEGER NOT NULL, bytes INTEGER NOT NULL,"
	" body BLOB NOT NULL) STRICT;"
	"CREATE INDEX exhibit_alert ON exhibit(alert_id);"
	"CREATE INDEX exhibit_target ON exhibit(target_id);"
	"CREATE TABLE evidence(series_id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE "
	"DEFERRABLE INITIALLY DEFERRED, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT;"
	"CREATE TABLE cost(series_id INTEGER PRIMARY KEY REFERENCES series ON DELETE CASCADE "
	"DEFERRABLE INITIALLY DEFERRED, at_ms INTEGER NOT NULL, body TEXT NOT NULL) STRICT;";

/* Step i brings a file of version i to version i + 1. */
static const char *const steps[STORE_VERSION] = {version_1, version_2, version_3};

/*
 * v_latest reads, for each target, the newest full scrape and those after it (32 or so rows), and
 * takes for each series the value of the newest row that has one: with max(), SQLite takes the
 * other columns from the row of the maximum.  CROSS JOIN and INDEXED BY hold the planner to what
 * was said here; by itself it reads all scrapes.
 */
static const char views[] =
	"CREATE VIEW v_sample AS SELECT t.job || '/' || t.instance AS target, e.kind, e.name,"
	" s.at_ms, strftime('%Y-%m-%d %H:%M:%S', s.at_ms / 1000.0, 'unixepoch') AS at, j.value,"
	" e.id AS series_id, t.id AS target_id, s.is_full"
	" FROM target t CROSS JOIN scrape s ON s.target_id = t.id CROSS JOIN json_each(s.changes) j"
	" CROSS JOIN series e ON e.id = s.base + CAST(j.key AS INTEGER);"
	"CREATE VIEW v_latest AS SELECT t.job || '/' || t.instance AS target, e.kind, e.name,"
	" l.value, strftime('%Y-%m-%d %H:%M:%S', l.at_ms / 1000.0, 'unixepoch') AS changed,"
	" l.at_ms AS changed_ms, e.id AS series_id, t.id AS target_id FROM"
	" (SELECT s.base + CAST(j.key AS INTEGER) AS series_id, j.value, s.at_ms, max(s.id)"
	"  FROM target g CROSS JOIN scrape s ON s.target_id = g.id AND s.id >= (SELECT max(f.id)"
	"   FROM scrape f INDEXED BY scrape_full WHERE f.target_id = g.id AND f.is_full)"
	"  CROSS JOIN json_each(s.changes) j GROUP BY 1) l"
	" JOIN series e ON e.id = l.series_id JOIN target t ON t.id = e.target_id;"
	"CREATE VIEW v_history AS SELECT t.job || '/' || t.instance AS target, e.kind, e.name,"
	" b.width_ms / 1000 AS seconds,"
	" strftime('%Y-%m-%d %H:%M:%S', b.at_ms / 1000.0, 'unixepoch') AS at, b.at_ms,"
	" CASE j.type WHEN 'array' THEN json_extract(j.value, '$[0]') ELSE j.value END AS floor,"
	" CASE j.type WHEN 'array' THEN json_extract(j.value, '$[1]') ELSE j.value END AS mean,"
	" CASE j.type WHEN 'array' THEN json_extract(j.value, '$[2]') ELSE j.value END AS max,"
	" CASE j.type WHEN 'array' THEN json_extract(j.value, '$[3]') ELSE j.value END AS last,"
	" CASE j.type WHEN 'array' THEN coalesce(json_extract(j.value, '$[4]'), b.samples)"
	" WHEN 'null' THEN 0 ELSE b.samples END AS samples,"
	" e.id AS series_id, t.id AS target_id, b.is_full"
	" FROM target t CROSS JOIN bucket b ON b.target_id = t.id CROSS JOIN json_each(b.changes) j"
	" CROSS JOIN series e ON e.id = b.base + CAST(j.key AS INTEGER);"
	"CREATE VIEW v_growth AS SELECT t.job || '/' || t.instance AS target, e.kind, e.name,"
	" v.state, round(v.rate_per_hour, 2) AS rate_per_hour, round(v.low, 2) AS low,"
	" round(v.high, 2) AS high,"
	" strftime('%Y-%m-%d %H:%M', v.since_ms / 1000.0, 'unixepoch') AS since,"
	" v.base, v.top, v.reason, e.id AS series_id, t.id AS target_id"
	" FROM verdict v JOIN series e ON e.id = v.series_id JOIN target t ON t.id = e.target_id"
	" WHERE v.state <> 'ok' ORDER BY CASE v.state WHEN 'leaking' THEN 0 WHEN 'suspect' THEN 1"
	" WHEN 'held' THEN 2 ELSE 3 END, v.rate_per_hour DESC;"
	"CREATE VIEW v_alerts AS SELECT id, state, name,"
	" json_extract(labels, '$.job') || '/' || json_extract(labels, '$.instance') AS target,"
	" json_extract(labels, '$.class') AS class, json_extract(labels, '$.severity') AS severity,"
	" strftime('%Y-%m-%d %H:%M:%S', coalesce(fired_ms, raised_ms) / 1000.0, 'unixepoch') AS"
	" began, strftime('%Y-%m-%d %H:%M:%S', resolved_ms / 1000.0, 'unixepoch') AS resolved,"
	" json_extract(annotations, '$.summary') AS summary, reason"
	" FROM alert ORDER BY changed_ms DESC;";

static const char drop_views[] =
	"DROP VIEW IF EXISTS v_sample; DROP VIEW IF EXISTS v_latest; DROP VIEW IF EXISTS v_history;"
	"DROP VIEW IF EXISTS v_growth; DROP VIEW IF EXISTS v_alerts;";

int store_schema_step(struct store *s, int from, struct err *err)
{
	bool last = from + 1 == STORE_VERSION;
	char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s %s %s PRAGMA application_id = %d; "
				    "PRAGMA user_version = %d; COMMIT",
		drop_views, steps[from], last ? views : "", STORE_APPLICATION_ID, from + 1);
	char *why = NULL;
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, &why);

	if (rc != SQLITE_OK) {
		err_set(err, "%s: cannot make the tables of store version %d: %s", s->path,
			from + 1, why ? why : sqlite3_errstr(rc));
		if (!sqlite3_get_autocommit(s->db))
			sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	}
	sqlite3_free(why);
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : -1;
}
