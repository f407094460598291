/*
 * store_rows: the rows that go into the store and come out of it.  Layer 2, plain data.
 * One struct a table; the columns have the same names (leakwatch-sql(7)).  Strings are copied when
 * a row is put into a batch; those of a row that comes out hold during the callback only.
 *
 * Ids are handed out by the daemon, from 1 up and never twice (store_load_maxima says where to go
 * on); 0 is "none".  Times are Unix milliseconds, 0 is "none" (NULL in SQL); doubles are NAN where
 * there is no number (NULL).  Text that was not told is empty.  labels and annotations
 * are JSON objects as text, made by json_write; "" counts as {}.
 */
#ifndef LEAKWATCH_STORE_ROWS_H
#define LEAKWATCH_STORE_ROWS_H

#include "base.h"
#include "str.h"

/* What a scrape got: classes and total, metrics and loads, the total alone. */
enum store_got { STORE_GOT_GOROUTINES = 1, STORE_GOT_METRICS = 2, STORE_GOT_COUNT = 4 };

enum store_series_kind {
	STORE_SERIES_CLASS, /* goroutines of one class */
	STORE_SERIES_TOTAL, /* all of the dump */
	STORE_SERIES_METRIC, /* a process metric by its usual name */
	STORE_SERIES_LOAD, /* load_metric and max_metric */
	STORE_SERIES_KINDS
};
const char *store_series_kind_name(enum store_series_kind k); /* "class", "total", … */
enum store_series_kind store_series_kind_of_name(struct str name); /* or STORE_SERIES_KINDS */

struct store_target {
	int64_t id;
	struct str job, instance, labels;
	int64_t first_seen_ms, last_seen_ms;
	int64_t gone_ms; /* when discovery stopped to name it */
};

/* The last scrape of a target, whatever came of it; one row a target. */
struct store_status {
	int64_t target_id, at_ms;
	bool up; /* the goroutine endpoint answered with a dump */
	bool metrics_up; /* also false when there is no metrics endpoint and metrics_why is "" */
	struct str why, metrics_why; /* one sentence each; "" when up */
	double duration_ms;
	int64_t bytes, parsed, lost; /* of the dump: body bytes, goroutines read and not */
	int64_t down_since_ms; /* first failed scrape in a row */
};

struct store_run {
	int64_t id, target_id, start_ms; /* start of the process */
	int64_t first_seen_ms, last_seen_ms;
	struct str info; /* of the build, in words; may be empty */
};

struct store_class {
	int64_t id, target_id;
	struct str name, rule; /* the rule that made it; "" for an automatic class */
	int64_t definition; /* hash of the rule; another one means: its history starts anew */
	int64_t first_seen_ms, last_seen_ms;
	int64_t ended_ms; /* forgotten, or its definition changed */
	struct str ended_why, hint;
};

struct store_stack {
	uint64_t fingerprint;
	struct str text; /* "func file:line" lines, leaf first; kept once, whoever shows it */
};

/* A stack as an example of a class. */
struct store_class_stack {
	int64_t class_id;
	uint64_t fingerprint;
	struct str wait; /* wait_kind_name */
	struct str created_by; /* "" when no dump told it */
	int64_t count; /* when last looked at */
	int64_t last_seen_ms;
};

struct store_series {
	int64_t id, target_id;
	enum store_series_kind kind;
	struct str name; /* class name, "total", or the metric's selector */
	int64_t class_id; /* kind class; else 0 */
};

/*
 * One scrape that got at least one endpoint.  Its values are those that changed since the scrape of
 * the target before it, or all when full (of an endpoint that was not got: as before).  A series
 * without one here is unchanged when its endpoint is in got, and missing when it is not.
 */
struct store_scrape {
	int64_t target_id, at_ms;
	unsigned got; /* enum store_got */
	bool full;
};

struct store_value {
	int64_t series_id;
	double value; /* NAN: the series has none from here on */
};

struct store_verdict {
	int64_t series_id;
	struct str state; /* verdict_state_name */
	int64_t at_ms, since_ms;
	bool since_at_least;
	double rate_per_hour, low, high, base, top, lookback_s;
	struct str reason;
};

/* The detector's state of one series (detect_save); samples after at_ms bring it to now. */
struct store_detector {
	int64_t series_id, at_ms;
	struct str record;
};

/* As struct alert of alert.h has it; labels as one JSON object in the order they are shown. */
struct store_alert {
	struct str id, key;
	int64_t target_id; /* 0 for alerts of the daemon itself */
	struct str name, state; /* alert_kind_name, alert_state_name */
	bool holds;
	struct str end; /* alert_end_name when !holds */
	int64_t change;
	int64_t raised_ms, fired_ms, cleared_ms, resolved_ms, changed_ms;
	struct str reason, labels, annotations;
};

struct store_alert_event {
	int64_t id;
	struct str alert_id;
	int64_t at_ms, change;
	struct str from_state, to_state;
	struct str why;
};

struct store_delivery {
	int64_t id;
	struct str alert_id;
	int64_t change;
	bool resolved; /* the message says that the alert ended */
	struct str receiver, webhook_id;
	struct str state; /* "owed", or how it ended: delivered, parked, … */
	struct str body; /* kept while owed */
	int64_t created_ms, next_ms, done_ms, attempts;
	struct str why; /* of the newest failure */
	bool ends; /* read only: it names an alert that ended (a row of told says so) */
};

#endif
