#include "clock.h"
#include "outbox_lane.h"
#include "safe.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <event2/event.h>

#define RETRY_BASE_MS 1000
#define OWED_WAIT_MAX (3600 * 1000) /* a stored next_at_ms further off is not believed */

const char *outbox_outcome_name(enum outbox_outcome o)
{
	static const char *const names[OUTBOX_OUTCOMES] = {
		"delivered", "retry", "parked", "given up", "stale"};

	return o < OUTBOX_OUTCOMES ? names[o] : "?";
}

static struct lane *lane_of(const struct outbox *o, const char *name)
{
	for (size_t i = 0; i < o->nlanes; i++) {
		if (strcmp(o->lanes[i]->to.name, name) == 0)
			return o->lanes[i];
	}
	return NULL;
}

static struct lane *add_lane(struct outbox *o)
{
	o->lanes = xrealloc(o->lanes, o->nlanes + 1, sizeof(*o->lanes));
	return o->lanes[o->nlanes++] = lane_new(o);
}

/* Parks what is owed to receivers that are no longer configured, and forgets them. */
static void bury_lanes(struct outbox *o)
{
	for (size_t i = 0; i < o->nlanes;) {
		struct lane *l = o->lanes[i];
		struct item *it;

		if (!l->gone) {
			i++;
			continue;
		}
		lane_cancel(l);
		while ((it = TAILQ_FIRST(&l->items)))
			lane_finish(
				l, it, OUTBOX_PARKED, 0, "the receiver is no longer configured");
		o->lanes[i] = o->lanes[--o->nlanes];
		lane_free(l);
	}
}

/* ---- the timer ------------------------------------------------------------------------------- */

void outbox_arm(struct outbox *o)
{
	uint64_t now = clock_mono_ms(), due = o->stopping ? o->stop_by_ms : UINT64_MAX, wait;
	bool all_at_rest = true;

	if (o->stopped)
		return;
	for (size_t i = 0; i < o->nlanes; i++) {
		const struct lane *l = o->lanes[i];

		all_at_rest &= lane_at_rest(l);
		if (l->gone || (o->stopping && l->n && !lane_at_rest(l) && !l->job))
			due = 0;
		else if (l->n && !l->job && !o->stopping)
			due = MIN(due, l->due_ms);
	}
	if (o->stopping && all_at_rest)
		due = 0;
	if (due == UINT64_MAX) {
		event_del(o->timer);
		return;
	}
	wait = due > now ? due - now : 0;
	event_add(o->timer, &(struct timeval){.tv_sec = (time_t)(wait / 1000),
				    .tv_usec = (suseconds_t)(wait % 1000 * 1000)});
}

static size_t count_owed(const struct outbox *o)
{
	size_t n = 0;

	for (size_t i = 0; i < o->nlanes; i++)
		n += o->lanes[i]->n;
	return n;
}

static void end_stop(struct outbox *o)
{
	for (size_t i = 0; i < o->nlanes; i++)
		lane_cancel(o->lanes[i]);
	o->stopped = true;
	o->on_stopped(o->stopped_arg, count_owed(o));
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct outbox *o = arg;
	bool all_at_rest = true;

	(void)fd, (void)what;
	bury_lanes(o);
	for (size_t i = 0; i < o->nlanes; i++) {
		lane_send(o->lanes[i]);
		all_at_rest &= lane_at_rest(o->lanes[i]);
	}
	if (o->stopping && (all_at_rest || clock_mono_ms() >= o->stop_by_ms))
		end_stop(o);
	else
		outbox_arm(o);
}

/* ---- public ---------------------------------------------------------------------------------- */

struct outbox *outbox_new(
	struct event_base *base, struct fetch *fetch, const struct outbox_options *options)
{
	struct outbox *o = xcalloc(1, sizeof(*o));

	o->fetch = fetch;
	o->opt = *options;
	if (!o->opt.give_up_ms)
		o->opt.give_up_ms = OUTBOX_GIVE_UP_MS;
	if (!o->opt.retry_base_ms)
		o->opt.retry_base_ms = RETRY_BASE_MS;
	o->random = options->seed;
	if (!o->random && getrandom(&o->random, sizeof(o->random), GRND_NONBLOCK) < 0)
		o->random = clock_mono_ms();
	o->timer = evtimer_new(base, timer_cb, o);
	return o;
}

void outbox_free(struct outbox *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->nlanes; i++)
		lane_free(o->lanes[i]);
	free(o->lanes);
	event_free(o->timer);
	free(o);
}

void outbox_receivers(struct outbox *o, const struct outbox_receiver *v, size_t n)
{
	for (size_t i = 0; i < o->nlanes; i++)
		o->lanes[i]->gone = true;
	for (size_t i = 0; i < n; i++) {
		struct lane *l = lane_of(o, v[i].name);

		lane_set_receiver(l ? l : add_lane(o), &v[i]);
	}
	outbox_arm(o);
}

int outbox_add(struct outbox *o, const struct outbox_delivery *d, bool owed, struct err *err)
{
	struct lane *l = lane_of(o, d->receiver);

	if (!l || l->gone)
		return err_set(err, "there is no receiver %s", d->receiver);
	if (lane_has(l, d->webhook_id))
		return 0;
	if (l->n >= OUTBOX_QUEUE_MAX || l->bytes + d->body.len > OUTBOX_QUEUE_BYTES)
		return err_set(err, "the queue of receiver %s is full (%zu messages, %zu bytes)",
			l->to.name, l->n, l->bytes);
	if (d->resolved && !l->to.send_resolved) {
		lane_tell(l, d, OUTBOX_STALE, 0, "send_resolved is off");
		return 0;
	}
	if (owed && !l->n && d->next_at_ms) {
		/* A clock that was set must not make it wait for years. */
		int64_t wait = MIN(d->next_at_ms - clock_wall_ms(), (int64_t)OWED_WAIT_MAX);

		l->due_ms = clock_mono_ms() + (wait > 0 ? (uint64_t)wait : 0);
		l->failures = d->attempts;
	}
	lane_add(l, d, owed);
	outbox_arm(o);
	return 0;
}

void outbox_stop(
	struct outbox *o, uint64_t within_ms, void (*stopped)(void *arg, size_t owed), void *arg)
{
	if (o->stopping)
		return;
	o->stopping = true;
	o->stop_by_ms = clock_mono_ms() + within_ms;
	o->on_stopped = stopped;
	o->stopped_arg = arg;
	outbox_arm(o);
}

void outbox_stats(const struct outbox *o, struct outbox_stats *out)
{
	*out = o->stats;
	out->owed = count_owed(o);
	out->oldest_ms = 0;
	for (size_t i = 0; i < o->nlanes; i++) {
		const struct item *it;

		TAILQ_FOREACH(it, &o->lanes[i]->items, link)
		{
			if (!out->oldest_ms || it->d.created_ms < out->oldest_ms)
				out->oldest_ms = it->d.created_ms;
		}
	}
}

void outbox_answer(const struct outbox *o, const char *receiver, struct buf *out)
{
	const struct lane *l = lane_of(o, receiver);

	if (l)
		safe_add_cut(out, str_trim(str_n(l->answer, l->answer_len)), OUTBOX_ANSWER_SHOWN);
}
