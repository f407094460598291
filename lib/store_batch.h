/*
 * store_batch: rows on their way to the store, one transaction.  Layer 2.
 *
 * Built on any thread, copies what it is given, and is plain memory: no SQLite in it.  Order is
 * kept.  Rows with an id are inserted, or take the place of the row with that id.
 *
 * Life cycle: store_batch_new, store_put_* and store_add_*, then either writer_submit takes it or
 * store_apply reads it and store_batch_free ends it.
 */
#ifndef LEAKWATCH_STORE_BATCH_H
#define LEAKWATCH_STORE_BATCH_H

#include "store_fact.h"
#include "store_rows.h"
#include "store_told.h"

#define STORE_VALUES_MAX 20000 /* values of one scrape; more are not taken, and told */

struct store_batch;

struct store_batch *store_batch_new(void);
void store_batch_free(struct store_batch *b);
/* Memory it holds. */
size_t store_batch_bytes(const struct store_batch *b);
bool store_batch_empty(const struct store_batch *b);
/* It changes an alert or the outbox, and is synced. */
bool store_batch_durable(const struct store_batch *b);
/*
 * Takes out what later batches make good: scrapes with their values, statuses, times when something
 * was seen and detector records, and the rows of store_fact.h.
 * How many values that were; when there were any, the next scrape of the targets must be full.
 */
size_t store_batch_drop_samples(struct store_batch *b);

/*
 * Takes everything out but alerts, their events, the outbox and meta: rows that refer to no other
 * row, so nothing else that may be wrong can keep them out.  How many operations went.
 */
size_t store_batch_keep_durable(struct store_batch *b);

void store_put_target(struct store_batch *b, const struct store_target *r);
enum store_seen { STORE_SEEN_TARGET, STORE_SEEN_RUN, STORE_SEEN_CLASS };
/* last_seen_ms of a row that was put before; cheaper than to put it again, and may be dropped. */
void store_put_seen(struct store_batch *b, enum store_seen what, int64_t id, int64_t last_seen_ms);
void store_put_status(struct store_batch *b, const struct store_status *r);
void store_put_run(struct store_batch *b, const struct store_run *r);
void store_put_class(struct store_batch *b, const struct store_class *r);
void store_put_stack(struct store_batch *b, const struct store_stack *r);
void store_put_class_stack(struct store_batch *b, const struct store_class_stack *r);
void store_put_series(struct store_batch *b, const struct store_series *r);
void store_put_verdict(struct store_batch *b, const struct store_verdict *r);
void store_put_detector(struct store_batch *b, const struct store_detector *r);
void store_put_alert(struct store_batch *b, const struct store_alert *r);
void store_add_alert_event(struct store_batch *b, const struct store_alert_event *r);
/* A new delivery (owed), or the new state of one: then only state, next_ms, done_ms, attempts and
 * why are taken from it. */
void store_put_delivery(struct store_batch *b, const struct store_delivery *r);
void store_add_told(struct store_batch *b, const struct store_told *r);
/* Also the new end of one that is there. */
void store_put_silence(struct store_batch *b, const struct store_silence *r);
void store_put_ack(struct store_batch *b, const struct store_ack *r);
/* False, and not taken, when its body is over STORE_EXHIBIT_BYTES. */
bool store_add_exhibit(struct store_batch *b, const struct store_exhibit *r);
void store_put_fact(struct store_batch *b, enum store_fact_kind kind, const struct store_fact *r);
void store_put_meta(struct store_batch *b, const char *key, struct str value);
/*
 * A scrape, and then its values; a full one every 32 scrapes or so, always as the first of a target
 * after a start, and after samples were dropped.  store_add_value belongs to the newest
 * store_add_scrape; false when it already has STORE_VALUES_MAX.
 */
void store_add_scrape(struct store_batch *b, const struct store_scrape *r);
bool store_add_value(struct store_batch *b, int64_t series_id, double value);

#endif
