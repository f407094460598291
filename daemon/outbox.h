/*
 * outbox: deliveries that are owed, sent at least once, in order for each receiver.  Level 3.
 *
 * What is owed lives in the store; the outbox holds it in memory and sends it.  Each receiver has a
 * queue of its own and one request at a time, so one that is slow or dead delays nobody else.
 *
 * - 2xx: delivered.
 * - 408, 429, 5xx, 3xx or no whole answer: tried again, after random(0, min(5 min, 1 s * 2^n)),
 *   n being the receiver's failures in a row before this one ("full jitter"), and not before its
 *   Retry-After, of which an hour at most is believed.
 * - Other 4xx: parked, which is told once; never sent again.
 * - Older than give_up_ms: given up.
 *
 * What is stale is not sent.  A message that a later one of its alert, or of its group of alerts,
 * overtakes in the queue is dropped, unless it tells an end that the later one does not.  Where it
 * was to open the alert, no attempt at it can have reached the receiver and the later one says
 * "resolved", both are dropped.  So a receiver that was told of an alert, or may have been, is
 * always told that it ended; one that was not hears neither.  What an earlier process owed may have
 * been sent by it.
 *
 * A message that a receiver answers five times with 5xx lets the others pass, so that one it cannot
 * digest does not hold up a night's alerts.  (503 does not count: it is the receiver as a whole
 * that asks for a pause.)
 *
 * A request is POST, content-type application/json, with webhook-id, with webhook-timestamp of the
 * moment of this attempt, and with a secret also webhook-signature.
 *
 * Life cycle: outbox_new, outbox_receivers, outbox_add for what the store owes and for what is new;
 * outbox_stop, outbox_free.  Each delivery ends in exactly one callback with an outcome other than
 * OUTBOX_RETRY, unless the outbox is freed first: then it is still owed.
 */
#ifndef LEAKWATCH_OUTBOX_H
#define LEAKWATCH_OUTBOX_H

#include "base.h"
#include "buf.h"
#include "err.h"

#define OUTBOX_QUEUE_MAX   10000 /* deliveries in a receiver's queue */
#define OUTBOX_QUEUE_BYTES (64 * 1024 * 1024) /* and of their bodies */
#define OUTBOX_GIVE_UP_MS  (24 * 3600 * 1000ull) /* default of outbox_options.give_up_ms */
#define OUTBOX_STOP_MS	   5000 /* what the daemon gives outbox_stop */

struct event_base;
struct fetch;
struct outbox;

struct outbox_receiver {
	const char *name; /* unique */
	const char *url; /* not needed with deliver */
	/* A local service, which never blocks, instead of HTTP: 0, or -1 for "try again". */
	int (*deliver)(void *arg, struct str body, struct err *err);
	void *deliver_arg;
	const char *unix_socket; /* connect there instead, or NULL */
	/* A JSON member ("\"name\":\"value\"") put first into the body, which is an object: a
	 * secret that is part of the body, but not of what is stored.  Or NULL. */
	const char *member;
	const char *secret; /* signing secret, or NULL: unsigned */
	const char *username, *password; /* basic; or NULL */
	const char *authorization; /* value of the Authorization header, or NULL */
	const char *ca_file, *cert_file, *key_file, *server_name; /* TLS; or NULL */
	bool insecure_skip_verify;
	bool send_resolved; /* false: outbox_add leaves resolved ones out */
	uint64_t timeout_ms; /* of one request; 0 = 10 s */
};

struct outbox_delivery {
	int64_t id; /* the store's row */
	const char *receiver;
	const char *webhook_id;
	const char *alert_id; /* or the group's: what a later message of the same overtakes */
	unsigned change; /* of the alert or group: later changes have higher numbers */
	bool opening; /* no message of this alert went to this receiver before */
	bool resolved; /* this message says that the alert, or all of a group, ended */
	bool ends; /* it tells the end of an alert, which a later one of its group does not */
	unsigned attempts; /* so far */
	int64_t created_ms; /* wall; its age is counted from here */
	int64_t next_at_ms; /* wall; not before, 0 = at once */
	struct str body;
};

enum outbox_outcome {
	OUTBOX_DELIVERED,
	OUTBOX_RETRY, /* failed; owed, d->next_at_ms says when next */
	OUTBOX_PARKED, /* refused by the receiver, or the receiver is no longer configured */
	OUTBOX_GIVEN_UP, /* too old */
	OUTBOX_STALE, /* overtaken by a later change of its alert */
	OUTBOX_OUTCOMES
};
const char *outbox_outcome_name(enum outbox_outcome o); /* "delivered", "retry", "parked", … */

/*
 * How an attempt, or a delivery, ended.  status is the HTTP status or 0; why is one printable
 * sentence (with the beginning of what the receiver answered), "" when delivered.  *d is valid
 * during the call, its attempts and next_at_ms are up to date.  outbox_add may be called from
 * within; outbox_free not.
 */
typedef void outbox_result_cb(void *arg, const struct outbox_delivery *d,
	enum outbox_outcome outcome, int status, const char *why);

struct outbox_options {
	uint64_t give_up_ms; /* 0 = OUTBOX_GIVE_UP_MS */
	uint64_t retry_base_ms; /* 0 = 1 s; tests make it shorter */
	uint64_t seed; /* of the jitter; 0 = random */
	outbox_result_cb *result;
	void *arg;
};

struct outbox *outbox_new(
	struct event_base *base, struct fetch *fetch, const struct outbox_options *options);
/* Requests under way are cancelled; what was not delivered is still owed. */
void outbox_free(struct outbox *o);

/*
 * Sets the receivers; everything is copied.  Queues stay with the receiver of the same name; what
 * is owed to one that is gone is parked, which is told soon after, from the loop.
 */
void outbox_receivers(struct outbox *o, const struct outbox_receiver *v, size_t n);

/*
 * Takes a delivery over; everything is copied.  owed: it comes from the store, so an earlier
 * process may have sent it.  One whose webhook_id is queued already is left out, as is a resolved
 * one where send_resolved is off (told as OUTBOX_STALE): 0 all the same.  -1 with err when there is
 * no such receiver or its queue is full: it stays owed in the store.
 */
int outbox_add(struct outbox *o, const struct outbox_delivery *d, bool owed, struct err *err);

/*
 * Sends what is owed, each receiver's queue until its first failure, for within_ms at most; then
 * stopped is called once, from the loop, with the number of deliveries still owed.  Requests under
 * way at the end are cancelled.  Nothing is sent after, and calling it again does nothing.
 */
void outbox_stop(
	struct outbox *o, uint64_t within_ms, void (*stopped)(void *arg, size_t owed), void *arg);

struct outbox_stats {
	uint64_t outcomes[OUTBOX_OUTCOMES]; /* since start */
	uint64_t attempts;
	size_t owed; /* now, in all queues */
	int64_t oldest_ms; /* created_ms of the oldest owed, 0 when there is none */
};
/* Appends the beginning of what a receiver answered to the newest attempt, made printable. */
void outbox_answer(const struct outbox *o, const char *receiver, struct buf *out);
void outbox_stats(const struct outbox *o, struct outbox_stats *out);

/* The full-jitter delay before the next try after `failures` (≥ 1) in a row; random01 in [0, 1). */
uint64_t outbox_delay_ms(unsigned failures, uint64_t base_ms, double random01);

#endif
