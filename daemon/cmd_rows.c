/* Rows of the store as JSON, which is also what the texts of the commands are made of. */
#include "cmd_db.h"
#include "map.h"
#include "silence.h"

#include <stdio.h>

#include <math.h>
#include <stdlib.h>

struct str cmd_rows_str(const json_t *row, const char *key)
{
	return json_get_str(row, key);
}

double cmd_rows_num(const json_t *row, const char *key)
{
	return json_get_num(row, key);
}

bool cmd_rows_true(const json_t *row, const char *key)
{
	return json_get_true(row, key);
}

struct str cmd_rows_state(const json_t *target)
{
	if (json_get_true(target, "up"))
		return STR("up");
	return isnan(json_get_num(target, "last_scrape")) ? STR("new") : STR("down");
}

int64_t cmd_rows_ms(const json_t *row, const char *key)
{
	double v = cmd_rows_num(row, key);

	return isnan(v) ? 0 : (int64_t)llround(v * 1000);
}

static void set_str(json_t *row, const char *key, struct str v)
{
	json_object_set_new(row, key, json_str(v));
}

static void set_num(json_t *row, const char *key, double v)
{
	json_object_set_new(row, key, json_num(v));
}

static void set_bool(json_t *row, const char *key, bool v)
{
	json_object_set_new(row, key, json_boolean(v));
}

static void set_time(json_t *row, const char *key, int64_t at_ms)
{
	json_object_set_new(row, key, cmd_db_seconds(at_ms));
}

/* ---- targets ----------------------------------------------------------------- */

static void set_name(json_t *row, struct str job, struct str instance)
{
	struct buf name = BUF_INIT;

	buf_addstr(&name, job);
	buf_addc(&name, '/');
	buf_addstr(&name, instance);
	set_str(row, "target", buf_str(&name));
	buf_release(&name);
}

static void target_cb(void *arg, const struct store_target_view *v)
{
	json_t *row = json_object();
	bool scraped = v->status.at_ms != 0;

	set_name(row, v->target.job, v->target.instance);
	set_str(row, "job", v->target.job);
	set_str(row, "instance", v->target.instance);
	json_object_set_new(row, "labels", cmd_db_object(v->target.labels));
	set_bool(row, "up", v->status.up);
	set_str(row, "why", scraped ? v->status.why : STR("not scraped yet"));
	set_bool(row, "metrics_up", v->status.metrics_up);
	set_str(row, "metrics_why", v->status.metrics_why);
	set_time(row, "last_scrape", v->status.at_ms);
	set_time(row, "down_since", v->status.down_since_ms);
	set_num(row, "scrape_ms", scraped ? v->status.duration_ms : NAN);
	set_num(row, "bytes", scraped ? (double)v->status.bytes : NAN);
	set_num(row, "parsed", scraped ? (double)v->status.parsed : NAN);
	set_num(row, "lost", scraped ? (double)v->status.lost : NAN);
	set_num(row, "goroutines", v->goroutines);
	set_num(row, "classes", (double)v->classes);
	set_str(row, "verdict", v->worst_state.len ? v->worst_state : STR("ok"));
	set_str(row, "verdict_of", v->worst_name);
	set_num(row, "rate_per_hour", v->worst_rate_per_hour);
	set_num(row, "alerts_firing", (double)v->firing);
	set_time(row, "run_start", v->run_start_ms);
	set_time(row, "first_seen", v->target.first_seen_ms);
	set_num(row, "id", (double)v->target.id);
	json_array_append_new(arg, row);
}

json_t *cmd_rows_targets(struct cmd_db *db, struct err *err)
{
	json_t *rows = json_array();

	if (store_read_targets(db->store, target_cb, rows, err) == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

/* ---- series ------------------------------------------------------------------ */

struct series_sink {
	const json_t *target;
	json_t *classes, *others;
};

static void series_cb(void *arg, const struct store_series_view *v)
{
	bool class = v->series.kind == STORE_SERIES_CLASS;
	struct series_sink *sink = arg;
	json_t *row = json_object();

	json_object_set(row, "target", json_object_get(sink->target, "target"));
	set_str(row, "kind", str_of(store_series_kind_name(v->series.kind)));
	set_str(row, class ? "class" : "name", v->series.name);
	set_num(row, class ? "count" : "value", v->value);
	set_time(row, "changed", v->changed_ms);
	set_str(row, "verdict", v->verdict.state);
	set_num(row, "rate_per_hour", v->verdict.rate_per_hour);
	set_num(row, "low", v->verdict.low);
	set_num(row, "high", v->verdict.high);
	set_time(row, "since", v->verdict.since_ms);
	set_bool(row, "since_at_least", v->verdict.since_at_least);
	set_str(row, "reason", v->verdict.reason);
	if (class) {
		set_str(row, "rule", v->rule);
		set_str(row, "hint", v->hint);
		set_str(row, "waits_on", v->wait);
		set_str(row, "created_by", v->created_by);
		set_str(row, "stack", v->stack);
		set_time(row, "first_seen", v->first_seen_ms);
		set_time(row, "last_seen", v->last_seen_ms);
	}
	set_num(row, "series_id", (double)v->series.id);
	json_array_append_new(class ? sink->classes : sink->others, row);
}

static void cost_cb(void *arg, const struct store_fact *r)
{
	json_t *each = cmd_db_object(r->body);

	json_object_del(each, "run");
	json_object_del(each, "target");
	json_object_del(each, "class");
	set_time(each, "at", r->at_ms);
	json_object_set_new(arg, "each", each);
}

static void evidence_cb(void *arg, const struct store_fact *r)
{
	json_t *told = cmd_db_object(r->body);

	json_object_del(told, "cohort"); /* the daemon's own, and long */
	json_object_set_new(arg, "evidence", told);
}

/* What one goroutine of each class holds, and what a look at single ones told, where that is known.
 */
static int add_facts(struct cmd_db *db, json_t *classes, size_t from, struct err *err)
{
	for (size_t i = from; i < json_array_size(classes); i++) {
		json_t *row = json_array_get(classes, i);
		int64_t id = (int64_t)cmd_rows_num(row, "series_id");

		json_object_set_new(row, "each", json_null());
		json_object_set_new(row, "evidence", json_null());
		if (store_read_facts(db->store, STORE_COST, id, cost_cb, row, err) < 0 ||
			store_read_facts(db->store, STORE_EVIDENCE, id, evidence_cb, row, err) < 0)
			return -1;
	}
	return 0;
}

static void host_cb(void *arg, const struct store_fact *r)
{
	json_t *memory = cmd_db_object(r->body);

	set_time(memory, "at", r->at_ms);
	json_object_set_new(arg, json_object_get(memory, "grown") ? "census" : "memory", memory);
}

/* What memory is made of, with the series of anonymous memory; whose new descriptors are, with that
 * of descriptors. */
static int add_host(struct cmd_db *db, json_t *others, size_t from, struct err *err)
{
	for (size_t i = from; i < json_array_size(others); i++) {
		json_t *row = json_array_get(others, i);

		struct str name = cmd_rows_str(row, "name");

		if ((str_is(name, "anonymous_memory_bytes") || str_is(name, "process_open_fds")) &&
			store_read_facts(db->store, STORE_COST,
				(int64_t)cmd_rows_num(row, "series_id"), host_cb, row, err) < 0)
			return -1;
	}
	return 0;
}

int cmd_rows_series(
	struct cmd_db *db, const json_t *target, json_t *classes, json_t *others, struct err *err)
{
	struct series_sink sink = {.target = target, .classes = classes, .others = others};
	size_t from = json_array_size(classes), others_from = json_array_size(others);

	if (store_read_series(
		    db->store, (int64_t)cmd_rows_num(target, "id"), series_cb, &sink, err))
		return -1;
	return add_facts(db, classes, from, err) || add_host(db, others, others_from, err);
}

/* ---- alerts ------------------------------------------------------------------ */

static void alert_cb(void *arg, const struct store_alert *a)
{
	json_t *row = json_object();

	set_str(row, "id", a->id);
	set_str(row, "name", a->name);
	set_str(row, "state", a->state);
	set_bool(row, "holds", a->holds);
	set_time(row, "raised", a->raised_ms);
	set_time(row, "fired", a->fired_ms);
	set_time(row, "resolved", a->resolved_ms);
	set_time(row, "changed", a->changed_ms);
	set_num(row, "change", (double)a->change);
	set_str(row, "reason", a->reason);
	json_object_set_new(row, "labels", cmd_db_object(a->labels));
	json_object_set_new(row, "annotations", cmd_db_object(a->annotations));
	json_object_set_new(row, "silence", json_null());
	json_object_set_new(row, "acknowledged", json_null());
	json_array_insert_new(arg, 0, row); /* newest first */
}

static void ack_cb(void *arg, const struct store_ack *k)
{
	json_t *row, *ack = json_object();
	size_t i;

	set_time(ack, "at", k->at_ms);
	set_num(ack, "uid", (double)k->uid);
	set_str(ack, "comment", k->comment);
	json_array_foreach((json_t *)arg, i, row)
	{
		if (str_eq(cmd_rows_str(row, "id"), k->alert_id))
			json_object_set(row, "acknowledged", ack);
	}
	json_decref(ack);
}

struct silence_sink {
	struct silence_set *set;
	int64_t now_ms;
};

static void silence_cb(void *arg, const struct store_silence *r)
{
	struct silence_sink *sink = arg;
	struct str matchers[SILENCE_MATCHERS_MAX];
	struct silence spec = {.matchers = matchers,
		.starts_ms = r->starts_ms,
		.ends_ms = r->ends_ms,
		.comment = r->comment};
	struct err err;
	json_t *list = json_read(r->matchers, &err), *m;
	size_t i;

	snprintf(spec.id, sizeof(spec.id), "%.*s", STR_ARG(r->id));
	json_array_foreach(list, i, m)
	{
		if (json_is_string(m) && spec.nmatchers < SILENCE_MATCHERS_MAX)
			matchers[spec.nmatchers++] =
				str_n(json_string_value(m), json_string_length(m));
	}
	silence_add(sink->set, &spec, sink->now_ms, &err);
	json_decref(list);
}

/* Those that stand and are silenced now get the id of the silence. */
static void mark_silenced(json_t *rows, const struct silence_sink *sink)
{
	json_t *row, *value;
	const char *key;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		struct alert_labels labels = ALERT_LABELS_INIT;
		const struct silence *s;

		json_object_foreach(json_object_get(row, "labels"), key, value)
			alert_labels_put(&labels, str_of(key),
				str_n(json_string_value(value), json_string_length(value)));
		s = silence_match(sink->set, &labels, sink->now_ms);
		if (s && !str_is(cmd_rows_str(row, "state"), "resolved"))
			set_str(row, "silence", str_of(s->id));
		alert_labels_release(&labels);
	}
}

static int add_said(struct cmd_db *db, json_t *rows, struct err *err)
{
	struct silence_sink sink = {.set = silence_set_new(), .now_ms = db->now_ms};
	int rc = store_load_silences(db->store, db->now_ms, silence_cb, &sink, err);

	if (rc == 0)
		rc = store_load_acks(db->store, ack_cb, rows, err);
	if (rc == 0)
		mark_silenced(rows, &sink);
	silence_set_free(sink.set);
	return rc;
}

json_t *cmd_rows_alerts(struct cmd_db *db, int64_t resolved_since_ms, struct err *err)
{
	json_t *rows = json_array();

	if (store_load_alerts(db->store, resolved_since_ms, alert_cb, rows, err) == 0 &&
		add_said(db, rows, err) == 0)
		return rows;
	json_decref(rows);
	return NULL;
}

/* ---- what became of an alert ------------------------------------------------- */

static void event_cb(void *arg, const struct store_alert_event *e)
{
	json_t *row = json_object();

	json_object_set_new(row, "at", cmd_db_seconds(e->at_ms));
	json_object_set_new(row, "change", json_integer(e->change));
	json_object_set_new(row, "from", json_str(e->from_state));
	json_object_set_new(row, "to", json_str(e->to_state));
	json_object_set_new(row, "why", json_str(e->why));
	json_array_append_new(arg, row);
}

static void delivery_cb(void *arg, const struct store_delivery *d)
{
	json_t *row = json_object();

	json_object_set_new(row, "receiver", json_str(d->receiver));
	json_object_set_new(row, "change", json_integer(d->change));
	json_object_set_new(row, "state", json_str(d->state));
	json_object_set_new(row, "created", cmd_db_seconds(d->created_ms));
	json_object_set_new(row, "done", cmd_db_seconds(d->done_ms));
	json_object_set_new(row, "next", cmd_db_seconds(d->next_ms));
	json_object_set_new(row, "attempts", json_integer(d->attempts));
	json_object_set_new(row, "why", json_str(d->why));
	json_object_set_new(row, "webhook_id", json_str(d->webhook_id));
	json_array_append_new(arg, row);
}

int cmd_rows_alert_past(struct cmd_db *db, json_t *alert, struct err *err)
{
	struct str id = cmd_rows_str(alert, "id");
	json_t *events = json_array(), *deliveries = json_array();

	json_object_set_new(alert, "events", events);
	json_object_set_new(alert, "deliveries", deliveries);
	if (store_read_events(db->store, id, event_cb, events, err) < 0)
		return -1;
	return store_read_deliveries(db->store, id, delivery_cb, deliveries, err);
}

/* ---- facts of all targets --------------------------------------------------- */

struct host_sink {
	json_t *memory;
	struct map *by_name; /* targets, borrowed */
};

/* What one goroutine of a target's worst class holds. */
static void set_each(const struct host_sink *sink, json_t *each)
{
	json_t *target = map_get(sink->by_name, cmd_rows_str(each, "target"));

	if (!target || !str_eq(cmd_rows_str(each, "class"), cmd_rows_str(target, "verdict_of")))
		return;
	json_object_del(each, "target");
	json_object_del(each, "class");
	json_object_del(each, "run");
	json_object_set(target, "each", each);
}

static void all_facts_cb(void *arg, const struct store_fact *r)
{
	const struct host_sink *sink = arg;
	json_t *fact = cmd_db_object(r->body);

	set_time(fact, "at", r->at_ms);
	if (cmd_rows_str(fact, "text").len)
		json_array_append(sink->memory, fact);
	else if (cmd_rows_str(fact, "class").len)
		set_each(sink, fact);
	json_decref(fact);
}

json_t *cmd_rows_memory(struct cmd_db *db, json_t *targets, struct err *err)
{
	struct host_sink sink = {.memory = json_array(), .by_name = map_new()};
	json_t *row;
	size_t i;
	int rc;

	json_array_foreach(targets, i, row)
	{
		json_object_set_new(row, "each", json_null());
		map_put(sink.by_name, cmd_rows_str(row, "target"), row);
	}
	rc = store_read_facts(db->store, STORE_COST, 0, all_facts_cb, &sink, err);
	map_free(sink.by_name, NULL);
	if (rc == 0)
		return sink.memory;
	json_decref(sink.memory);
	return NULL;
}
