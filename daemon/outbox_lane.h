/*
 * outbox_lane: one receiver's queue, within the outbox.  Level 3, for outbox*.c only.
 *
 * outbox.c holds the lanes and the one timer, outbox_lane.c a queue and what is not sent from it,
 * outbox_send.c one attempt.
 */
#ifndef LEAKWATCH_OUTBOX_LANE_H
#define LEAKWATCH_OUTBOX_LANE_H

#include "fetch.h"
#include "outbox.h"

#include <sys/queue.h>

#define OUTBOX_ANSWER_SHOWN 160 /* bytes of an answer that are kept for people */

struct item {
	TAILQ_ENTRY(item) link;
	struct outbox_delivery d; /* owns its strings */
	bool maybe_seen; /* an attempt may have reached the receiver */
	unsigned refusals; /* 5xx answers but 503 */
};
TAILQ_HEAD(items, item);

/* One receiver and its queue.  The item under way is always the first. */
struct lane {
	struct outbox *o;
	struct outbox_receiver to; /* owns its strings */
	struct items items;
	size_t n, bytes;
	struct fetch_job *job;
	unsigned failures; /* in a row */
	uint64_t due_ms; /* monotonic: no attempt before */
	bool told_to_wait; /* due_ms comes from a Retry-After */
	bool gave_up_stop; /* failed since outbox_stop */
	bool gone; /* no longer configured */
	char answer[OUTBOX_ANSWER_SHOWN];
	size_t answer_len;
};

struct outbox {
	struct fetch *fetch;
	struct outbox_options opt;
	struct event *timer;
	struct lane **lanes;
	size_t nlanes;
	uint64_t random;
	struct outbox_stats stats;
	bool stopping, stopped;
	uint64_t stop_by_ms; /* monotonic */
	void (*on_stopped)(void *arg, size_t owed);
	void *stopped_arg;
};

/* Arms the timer for whatever is due first.  Never calls back. */
void outbox_arm(struct outbox *o);

struct lane *lane_new(struct outbox *o);
/* Cancels the request; tells nobody. */
void lane_free(struct lane *l);
/* Copies the receiver; the lane is no longer gone. */
void lane_set_receiver(struct lane *l, const struct outbox_receiver *r);
/* Ends the request under way without a word. */
void lane_cancel(struct lane *l);
/* Copies d to the end of the queue. */
struct item *lane_add(struct lane *l, const struct outbox_delivery *d, bool owed);
bool lane_has(const struct lane *l, const char *webhook_id);
/* The next message of the same alert behind it, or NULL. */
struct item *lane_successor(struct item *it);
/* Tells how an attempt ended, and counts it. */
void lane_tell(struct lane *l, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why);
/* The end of a delivery: told, and gone. */
void lane_finish(
	struct lane *l, struct item *it, enum outbox_outcome outcome, int status, const char *why);
/* Takes what is too old, and what a later message overtakes, off the front. */
void lane_drop_needless(struct lane *l);
/* Nothing more will be tried in this lane before outbox_stop is over. */
bool lane_at_rest(const struct lane *l);
/* Starts an attempt at the first item, when it is time to and none is under way. */
void lane_send(struct lane *l);

#endif
