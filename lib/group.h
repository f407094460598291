/*
 * group: which alerts go into one message, and when it is sent.  Layer 1, pure.
 *
 * Alerts of one receiver whose labels named by group_by are alike are one group; a group has one
 * message at a time, which names all of its alerts.
 *
 *   a change (fired, or ended after it was told)      ──▶ a message after wait_ms, and not before
 *                                                         interval_ms after the one before it
 *   nothing changed, something fires that nobody took ──▶ again, repeat_ms after the last message
 *
 * As in Alertmanager (group_wait, group_interval, repeat_interval), with one difference: a change
 * in a group that was quiet for longer than interval_ms is told after wait_ms, not at the next
 * beat.
 *
 * An alert that ends before anybody was told of it is not told at all.  One that ended after it was
 * told stays until a message has said so.  A silenced alert is in no message; when the silence ends
 * first, what changed meanwhile is told.  An acknowledged one is named, and causes no repetition.
 *
 * A message names at most GROUP_ALERTS_MAX alerts, those that changed first; changes that it has no
 * room for are in the next one.
 *
 * The state is derived: from the alerts, and from what each receiver was told of each and when (the
 * store's table told).  So after a restart group_restore for each brings all of it back.
 *
 * Nothing here reads a clock; the waits are counted on the monotonic clock that group_tick is given
 * (steady.h), and from wall times over a restart.  Life cycle: group_set_new, group_restore for
 * what was stored, then group_change and group_tick; group_set_free, which tells nobody.
 */
#ifndef LEAKWATCH_GROUP_H
#define LEAKWATCH_GROUP_H

#include "alert.h"

#define GROUP_ALERTS_MAX 100 /* in one message */
#define GROUP_RECHECK_MS 5000 /* a change that is silenced is looked at again so often */

struct group_set;

struct group_message {
	const char *receiver; /* as given */
	const char *key; /* of the group: its labels as text, {class="x",job="y"} */
	const struct alert *const *alerts; /* those that changed first, then the others that fire */
	size_t n;
	size_t nchanged; /* the first ones: this is news; 0 when it repeats */
	size_t nfiring; /* of those named */
	size_t truncated; /* of the group, not named here */
	size_t truncated_firing; /* those of them that fire */
	bool opening; /* no message of this group before */
	int64_t last_ms; /* of the message before this one, 0: none */
	int64_t now_ms;
};

struct group_options {
	const char *const *group_by;
	size_t ngroup_by;
	int64_t wait_ms, interval_ms, repeat_ms;
	const struct alert_table *alerts; /* those that stand, with what is known of them now */
	/* A message is due; what it says counts as told when the call is over. */
	void (*send)(void *arg, const struct group_message *m);
	bool (*silenced)(void *arg, const struct alert *a);
	bool (*acked)(void *arg, const struct alert *a);
	void *arg;
};

/* *options is copied, but for what it points at. */
struct group_set *group_set_new(const struct group_options *options);
void group_set_free(struct group_set *s);

/* An alert fired or resolved (a->state), of which receiver is to hear.  Nothing is sent from within
 * (group_tick does). */
void group_change(struct group_set *s, const char *receiver, const struct alert *a);

/* As group_change for what was stored: told_ms is when the receiver was last told that it fires, 0:
 * never.  One that resolved and was never told is left out. */
void group_restore(
	struct group_set *s, const char *receiver, const struct alert *a, int64_t told_ms);

void group_tick(struct group_set *s, int64_t now_ms, uint64_t mono_ms);
/* When group_tick has something to do next, or INT64_MAX. */
int64_t group_next_ms(const struct group_set *s);
/* Silences or acknowledgements changed. */
void group_wake(struct group_set *s);
/* Groups at present. */
size_t group_count(const struct group_set *s);

#endif
