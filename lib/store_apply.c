/* Batches into tables: one transaction, statements prepared once. */
#include "store_internal.h"

#define SYNC_EVERY_MS 5000 /* what a power cut may take of the samples */

static const char *const op_sql[OP_KINDS] = {
	[OP_TARGET] = "INSERT INTO target VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(id) DO UPDATE "
		      "SET job=?2, instance=?3, labels=?4, first_seen_ms=?5, last_seen_ms=?6, "
		      "gone_ms=?7",
	[OP_STATUS] = "INSERT INTO target_status VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11) ON "
		      "CONFLICT(target_id) DO UPDATE SET at_ms=?2, up=?3, metrics_up=?4, why=?5, "
		      "metrics_why=?6, duration_ms=?7, bytes=?8, parsed=?9, lost=?10, "
		      "down_since_ms=?11",
	[OP_RUN] = "INSERT INTO run VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(id) DO UPDATE SET "
		   "start_ms=?3, first_seen_ms=?4, last_seen_ms=?5, info=?6",
	[OP_CLASS] = "INSERT INTO class VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10) ON CONFLICT(id) DO "
		     "UPDATE SET name=?3, rule=?4, definition=?5, first_seen_ms=?6, "
		     "last_seen_ms=?7, ended_ms=?8, ended_why=?9, hint=?10",
	[OP_STACK] = "INSERT INTO stack VALUES(?1,?2) ON CONFLICT(fingerprint) DO NOTHING",
	[OP_CLASS_STACK] =
		"INSERT INTO class_stack VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(class_id, "
		"fingerprint) DO UPDATE SET wait=?3, created_by=CASE WHEN ?4 = '' THEN "
		"created_by ELSE ?4 END, count=?5, last_seen_ms=?6",
	[OP_SERIES] = "INSERT INTO series VALUES(?1,?2,?3,?4,?5) ON CONFLICT(id) DO UPDATE SET "
		      "kind=?3, name=?4, class_id=?5",
	[OP_VERDICT] = "INSERT INTO verdict VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12) ON "
		       "CONFLICT(series_id) DO UPDATE SET state=?2, at_ms=?3, since_ms=?4, "
		       "since_at_least=?5, rate_per_hour=?6, low=?7, high=?8, base=?9, top=?10, "
		       "lookback_s=?11, reason=?12",
	[OP_DETECTOR] =
		"INSERT INTO detector VALUES(?1,?2,?3) ON CONFLICT(series_id) DO UPDATE SET "
		"at_ms=?2, record=?3",
	[OP_ALERT] = "INSERT INTO alert "
		     "VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16) ON "
		     "CONFLICT(id) DO UPDATE SET key=?2, target_id=?3, name=?4, state=?5, "
		     "holds=?6, end=?7, change=?8, raised_ms=?9, fired_ms=?10, cleared_ms=?11, "
		     "resolved_ms=?12, changed_ms=?13, reason=?14, labels=?15, annotations=?16",
	[OP_ALERT_EVENT] =
		"INSERT INTO alert_event VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(id) DO "
		"UPDATE SET alert_id=?2, at_ms=?3, change=?4, from_state=?5, to_state=?6, "
		"why=?7",
	[OP_DELIVERY] = "INSERT INTO outbox VALUES(?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
	[OP_TOLD] = "INSERT INTO told VALUES(?1,?2,?3,?4,?5) ON CONFLICT(outbox_id, alert_id) DO "
		    "NOTHING",
	[OP_SILENCE] = "INSERT INTO silence VALUES(?1,?2,?3,?4,?5,?6) ON CONFLICT(id) DO UPDATE "
		       "SET ends_ms=?4",
	[OP_ACK] = "INSERT INTO ack VALUES(?1,?2,?3,?4) ON CONFLICT(alert_id) DO UPDATE SET "
		   "at_ms=?2, uid=?3, comment=?4",
	[OP_EXHIBIT] = "INSERT INTO exhibit(target_id, alert_id, at_ms, format, goroutines, "
		       "truncated, bytes, body) VALUES(?1,?2,?3,?4,?5,?6,?7,?8)",
	[OP_EVIDENCE] = "INSERT INTO evidence VALUES(?1,?2,?3) ON CONFLICT(series_id) DO UPDATE "
			"SET at_ms=?2, body=?3",
	[OP_COST] = "INSERT INTO cost VALUES(?1,?2,?3) ON CONFLICT(series_id) DO UPDATE SET "
		    "at_ms=?2, body=?3",
	[OP_META] = "INSERT INTO meta VALUES(?1,?2) ON CONFLICT(key) DO UPDATE SET value=?2",
	[OP_SEEN_TARGET] = "UPDATE target SET last_seen_ms=?2 WHERE id=?1",
	[OP_SEEN_RUN] = "UPDATE run SET last_seen_ms=?2 WHERE id=?1",
	[OP_SEEN_CLASS] = "UPDATE class SET last_seen_ms=?2 WHERE id=?1",
	[OP_SCRAPE] = "INSERT INTO scrape(target_id, at_ms, got, is_full, base, changes) "
		      "VALUES(?1,?2,?3,?4,?5,?6)",
};

/* The body is of no use once nothing is owed. */
static const char delivery_state_sql[] =
	"UPDATE outbox SET state=?2, next_ms=?3, done_ms=?4, attempts=?5, why=?6,"
	" body=CASE WHEN ?2 = 'owed' THEN body ELSE '' END WHERE id=?1";

/* After an insertion, so one row at most goes. */
static const char exhibit_limit_sql[] =
	"DELETE FROM exhibit WHERE id IN (SELECT id FROM exhibit WHERE target_id = ?1"
	" ORDER BY id DESC LIMIT -1 OFFSET ?2)";

static void bind_target(sqlite3_stmt *st, const struct store_target *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	store_bind_str(st, 2, r->job);
	store_bind_str(st, 3, r->instance);
	store_bind_str(st, 4, r->labels);
	sqlite3_bind_int64(st, 5, r->first_seen_ms);
	sqlite3_bind_int64(st, 6, r->last_seen_ms);
	store_bind_time(st, 7, r->gone_ms);
}

static void bind_status(sqlite3_stmt *st, const struct store_status *r)
{
	sqlite3_bind_int64(st, 1, r->target_id);
	sqlite3_bind_int64(st, 2, r->at_ms);
	sqlite3_bind_int(st, 3, r->up);
	sqlite3_bind_int(st, 4, r->metrics_up);
	store_bind_str(st, 5, r->why);
	store_bind_str(st, 6, r->metrics_why);
	store_bind_double(st, 7, r->duration_ms);
	sqlite3_bind_int64(st, 8, r->bytes);
	sqlite3_bind_int64(st, 9, r->parsed);
	sqlite3_bind_int64(st, 10, r->lost);
	store_bind_time(st, 11, r->down_since_ms);
}

static void bind_run(sqlite3_stmt *st, const struct store_run *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	sqlite3_bind_int64(st, 2, r->target_id);
	store_bind_time(st, 3, r->start_ms);
	sqlite3_bind_int64(st, 4, r->first_seen_ms);
	sqlite3_bind_int64(st, 5, r->last_seen_ms);
	store_bind_str(st, 6, r->info);
}

static void bind_class(sqlite3_stmt *st, const struct store_class *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	sqlite3_bind_int64(st, 2, r->target_id);
	store_bind_str(st, 3, r->name);
	store_bind_str(st, 4, r->rule);
	sqlite3_bind_int64(st, 5, r->definition);
	sqlite3_bind_int64(st, 6, r->first_seen_ms);
	sqlite3_bind_int64(st, 7, r->last_seen_ms);
	store_bind_time(st, 8, r->ended_ms);
	store_bind_str(st, 9, r->ended_why);
	store_bind_str(st, 10, r->hint);
}

static void bind_stack(sqlite3_stmt *st, const struct store_stack *r)
{
	sqlite3_bind_int64(st, 1, (int64_t)r->fingerprint);
	store_bind_str(st, 2, r->text);
}

static void bind_class_stack(sqlite3_stmt *st, const struct store_class_stack *r)
{
	sqlite3_bind_int64(st, 1, r->class_id);
	sqlite3_bind_int64(st, 2, (int64_t)r->fingerprint);
	store_bind_str(st, 3, r->wait);
	store_bind_str(st, 4, r->created_by);
	sqlite3_bind_int64(st, 5, r->count);
	sqlite3_bind_int64(st, 6, r->last_seen_ms);
}

static void bind_series(sqlite3_stmt *st, const struct store_series *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	sqlite3_bind_int64(st, 2, r->target_id);
	store_bind_str(st, 3, str_of(store_series_kind_name(r->kind)));
	store_bind_str(st, 4, r->name);
	store_bind_time(st, 5, r->class_id);
}

static void bind_verdict(sqlite3_stmt *st, const struct store_verdict *r)
{
	sqlite3_bind_int64(st, 1, r->series_id);
	store_bind_str(st, 2, r->state);
	store_bind_time(st, 3, r->at_ms);
	store_bind_time(st, 4, r->since_ms);
	sqlite3_bind_int(st, 5, r->since_at_least);
	store_bind_double(st, 6, r->rate_per_hour);
	store_bind_double(st, 7, r->low);
	store_bind_double(st, 8, r->high);
	store_bind_double(st, 9, r->base);
	store_bind_double(st, 10, r->top);
	store_bind_double(st, 11, r->lookback_s);
	store_bind_str(st, 12, r->reason);
}

static void bind_detector(sqlite3_stmt *st, const struct store_detector *r)
{
	sqlite3_bind_int64(st, 1, r->series_id);
	sqlite3_bind_int64(st, 2, r->at_ms);
	sqlite3_bind_blob64(st, 3, r->record.p, r->record.len, SQLITE_STATIC);
}

static void bind_alert(sqlite3_stmt *st, const struct store_alert *r)
{
	store_bind_str(st, 1, r->id);
	store_bind_str(st, 2, r->key);
	store_bind_time(st, 3, r->target_id);
	store_bind_str(st, 4, r->name);
	store_bind_str(st, 5, r->state);
	sqlite3_bind_int(st, 6, r->holds);
	store_bind_str(st, 7, r->end);
	sqlite3_bind_int64(st, 8, r->change);
	store_bind_time(st, 9, r->raised_ms);
	store_bind_time(st, 10, r->fired_ms);
	store_bind_time(st, 11, r->cleared_ms);
	store_bind_time(st, 12, r->resolved_ms);
	store_bind_time(st, 13, r->changed_ms);
	store_bind_str(st, 14, r->reason);
	store_bind_str(st, 15, r->labels);
	store_bind_str(st, 16, r->annotations);
}

static void bind_alert_event(sqlite3_stmt *st, const struct store_alert_event *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	store_bind_str(st, 2, r->alert_id);
	sqlite3_bind_int64(st, 3, r->at_ms);
	sqlite3_bind_int64(st, 4, r->change);
	store_bind_str(st, 5, r->from_state);
	store_bind_str(st, 6, r->to_state);
	store_bind_str(st, 7, r->why);
}

static void bind_delivery(sqlite3_stmt *st, const struct store_delivery *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	store_bind_str(st, 2, r->alert_id);
	sqlite3_bind_int64(st, 3, r->change);
	sqlite3_bind_int(st, 4, r->resolved);
	store_bind_str(st, 5, r->receiver);
	store_bind_str(st, 6, r->webhook_id);
	store_bind_str(st, 7, r->state);
	store_bind_str(st, 8, r->body);
	sqlite3_bind_int64(st, 9, r->created_ms);
	store_bind_time(st, 10, r->next_ms);
	store_bind_time(st, 11, r->done_ms);
	sqlite3_bind_int64(st, 12, r->attempts);
	store_bind_str(st, 13, r->why);
}

static void bind_delivery_state(sqlite3_stmt *st, const struct store_delivery *r)
{
	sqlite3_bind_int64(st, 1, r->id);
	store_bind_str(st, 2, r->state);
	store_bind_time(st, 3, r->next_ms);
	store_bind_time(st, 4, r->done_ms);
	sqlite3_bind_int64(st, 5, r->attempts);
	store_bind_str(st, 6, r->why);
}

static void bind_told(sqlite3_stmt *st, const struct store_told *r)
{
	sqlite3_bind_int64(st, 1, r->outbox_id);
	store_bind_str(st, 2, r->alert_id);
	store_bind_str(st, 3, r->receiver);
	store_bind_str(st, 4, r->state);
	sqlite3_bind_int64(st, 5, r->at_ms);
}

static void bind_silence(sqlite3_stmt *st, const struct store_silence *r)
{
	store_bind_str(st, 1, r->id);
	store_bind_str(st, 2, r->matchers);
	sqlite3_bind_int64(st, 3, r->starts_ms);
	sqlite3_bind_int64(st, 4, r->ends_ms);
	sqlite3_bind_int64(st, 5, r->uid);
	store_bind_str(st, 6, r->comment);
}

static void bind_ack(sqlite3_stmt *st, const struct store_ack *r)
{
	store_bind_str(st, 1, r->alert_id);
	sqlite3_bind_int64(st, 2, r->at_ms);
	sqlite3_bind_int64(st, 3, r->uid);
	store_bind_str(st, 4, r->comment);
}

static void bind_exhibit(sqlite3_stmt *st, const struct store_exhibit *r)
{
	sqlite3_bind_int64(st, 1, r->target_id);
	store_bind_str(st, 2, r->alert_id);
	sqlite3_bind_int64(st, 3, r->at_ms);
	store_bind_str(st, 4, r->format);
	sqlite3_bind_int64(st, 5, r->goroutines);
	sqlite3_bind_int(st, 6, r->truncated);
	sqlite3_bind_int64(st, 7, r->bytes);
	sqlite3_bind_blob64(st, 8, r->body.len ? r->body.p : "", r->body.len, SQLITE_STATIC);
}

static void bind_fact(sqlite3_stmt *st, const struct store_fact *r)
{
	sqlite3_bind_int64(st, 1, r->series_id);
	sqlite3_bind_int64(st, 2, r->at_ms);
	store_bind_str(st, 3, r->body);
}

/* changes has no closing brace yet, so that values can be added to the batch; it gets one here. */
static void bind_scrape(sqlite3_stmt *st, struct store_scrape_row *r)
{
	if (r->changes.p[r->changes.len - 1] != '}')
		buf_addc(&r->changes, '}');
	sqlite3_bind_int64(st, 1, r->scrape.target_id);
	sqlite3_bind_int64(st, 2, r->scrape.at_ms);
	sqlite3_bind_int64(st, 3, r->scrape.got);
	sqlite3_bind_int(st, 4, r->scrape.full);
	sqlite3_bind_int64(st, 5, r->base);
	store_bind_str(st, 6, buf_str(&r->changes));
}

static void bind_row(sqlite3_stmt *st, const struct store_op *op)
{
	const struct store_meta_row *meta;
	const struct store_seen_row *seen;

	switch (op->kind) {
	case OP_TARGET:
		bind_target(st, op->row);
		break;
	case OP_STATUS:
		bind_status(st, op->row);
		break;
	case OP_RUN:
		bind_run(st, op->row);
		break;
	case OP_CLASS:
		bind_class(st, op->row);
		break;
	case OP_STACK:
		bind_stack(st, op->row);
		break;
	case OP_CLASS_STACK:
		bind_class_stack(st, op->row);
		break;
	case OP_SERIES:
		bind_series(st, op->row);
		break;
	case OP_VERDICT:
		bind_verdict(st, op->row);
		break;
	case OP_DETECTOR:
		bind_detector(st, op->row);
		break;
	case OP_ALERT:
		bind_alert(st, op->row);
		break;
	case OP_ALERT_EVENT:
		bind_alert_event(st, op->row);
		break;
	case OP_DELIVERY:
		bind_delivery(st, op->row);
		break;
	case OP_TOLD:
		bind_told(st, op->row);
		break;
	case OP_SILENCE:
		bind_silence(st, op->row);
		break;
	case OP_ACK:
		bind_ack(st, op->row);
		break;
	case OP_EXHIBIT:
		bind_exhibit(st, op->row);
		break;
	case OP_EVIDENCE:
	case OP_COST:
		bind_fact(st, op->row);
		break;
	case OP_META:
		meta = op->row;
		store_bind_str(st, 1, meta->key);
		store_bind_str(st, 2, meta->value);
		break;
	case OP_SEEN_TARGET:
	case OP_SEEN_RUN:
	case OP_SEEN_CLASS:
		seen = op->row;
		sqlite3_bind_int64(st, 1, seen->id);
		sqlite3_bind_int64(st, 2, seen->last_seen_ms);
		break;
	case OP_SCRAPE:
		bind_scrape(st, op->row);
		break;
	case OP_KINDS:
		break;
	}
}

static int run_once(struct store *s, sqlite3_stmt *st, struct err *err)
{
	int rc = store_step(s, st, err);

	sqlite3_reset(st);
	sqlite3_clear_bindings(st);
	return rc;
}

static int prepare_once(struct store *s, sqlite3_stmt **st, const char *sql, struct err *err)
{
	return *st ? 0 : store_prepare(s, sql, st, err);
}

/* An update first; where it finds nothing the delivery is new. */
static int apply_delivery(struct store *s, const struct store_op *op, struct err *err)
{
	if (prepare_once(s, &s->delivery_state, delivery_state_sql, err) < 0)
		return -1;
	bind_delivery_state(s->delivery_state, op->row);
	if (run_once(s, s->delivery_state, err) < 0)
		return -1;
	if (sqlite3_changes(s->db) > 0)
		return 0;
	bind_row(s->ops[OP_DELIVERY], op);
	return run_once(s, s->ops[OP_DELIVERY], err);
}

static int apply_exhibit(struct store *s, const struct store_op *op, struct err *err)
{
	const struct store_exhibit *r = op->row;

	bind_row(s->ops[OP_EXHIBIT], op);
	if (run_once(s, s->ops[OP_EXHIBIT], err) < 0 ||
		prepare_once(s, &s->exhibit_limit, exhibit_limit_sql, err) < 0)
		return -1;
	sqlite3_bind_int64(s->exhibit_limit, 1, r->target_id);
	sqlite3_bind_int(s->exhibit_limit, 2, STORE_EXHIBITS_PER_TARGET);
	s->exhibits_fit = false;
	return run_once(s, s->exhibit_limit, err);
}

static int apply_op(struct store *s, const struct store_op *op, struct err *err)
{
	if (prepare_once(s, &s->ops[op->kind], op_sql[op->kind], err) < 0)
		return -1;
	if (op->kind == OP_DELIVERY)
		return apply_delivery(s, op, err);
	if (op->kind == OP_EXHIBIT)
		return apply_exhibit(s, op, err);
	bind_row(s->ops[op->kind], op);
	return run_once(s, s->ops[op->kind], err);
}

/* synchronous cannot change inside a transaction, so it is chosen before. */
static int choose_sync(struct store *s, bool durable, int64_t mono_ms, struct err *err)
{
	bool full = durable || (s->unsynced && mono_ms - s->synced_mono_ms >= SYNC_EVERY_MS);

	if (full == s->full_sync)
		return 0;
	if (store_exec(s, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL", err) <
		0)
		return -1;
	s->full_sync = full;
	return 0;
}

int store_begin_bite(struct store *s, struct err *err)
{
	s->retry = false;
	if (s->full_sync && store_exec(s, "PRAGMA synchronous = NORMAL", err) < 0)
		return -1;
	s->full_sync = false;
	return store_exec(s, "BEGIN IMMEDIATE", err);
}

/* A rollback's own failure has nothing to add: SQLite has rolled back by itself then. */
void store_roll_back(struct store *s)
{
	bool retry = s->retry;

	if (!sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	s->retry = retry;
}

int store_apply(
	struct store *s, struct store_batch *const *v, size_t n, int64_t mono_ms, struct err *err)
{
	bool durable = false;

	s->retry = false;
	for (size_t i = 0; i < n; i++)
		durable |= v[i]->durable;
	if (choose_sync(s, durable, mono_ms, err) < 0 || store_exec(s, "BEGIN IMMEDIATE", err) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		for (const struct store_op *op = v[i]->first; op; op = op->next) {
			if (apply_op(s, op, err) < 0)
				goto failed;
		}
	}
	if (store_exec(s, "COMMIT", err) < 0)
		goto failed;
	if (s->full_sync || !s->unsynced)
		s->synced_mono_ms = mono_ms;
	s->unsynced = !s->full_sync;
	return 0;
failed:
	store_roll_back(s);
	return -1;
}
