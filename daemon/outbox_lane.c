#include "outbox_lane.h"
#include "clock.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- items, which own their strings ---------------------------------------------------------- */

static struct item *item_new(const struct outbox_delivery *d, bool owed)
{
	struct item *it = xcalloc(1, sizeof(*it));

	it->d = *d;
	it->d.receiver = NULL; /* the lane knows */
	it->d.webhook_id = xstrdup(d->webhook_id);
	it->d.alert_id = xstrdup(d->alert_id);
	it->d.body = str_n(str_dup(d->body), d->body.len);
	it->maybe_seen = owed;
	return it;
}

static void item_free(struct item *it)
{
	free((char *)it->d.webhook_id);
	free((char *)it->d.alert_id);
	free((char *)it->d.body.p);
	free(it);
}

static void unlink_item(struct lane *l, struct item *it)
{
	TAILQ_REMOVE(&l->items, it, link);
	l->n--;
	l->bytes -= it->d.body.len;
}

void lane_tell(struct lane *l, const struct outbox_delivery *d, enum outbox_outcome outcome,
	int status, const char *why)
{
	struct outbox_delivery told = *d;

	told.receiver = l->to.name;
	l->o->stats.outcomes[outcome]++;
	l->o->opt.result(l->o->opt.arg, &told, outcome, status, why);
}

void lane_finish(
	struct lane *l, struct item *it, enum outbox_outcome outcome, int status, const char *why)
{
	unlink_item(l, it);
	lane_tell(l, &it->d, outcome, status, why);
	item_free(it);
}

struct item *lane_successor(struct item *it)
{
	struct item *next = it;

	while ((next = TAILQ_NEXT(next, link))) {
		if (strcmp(next->d.alert_id, it->d.alert_id) == 0 && next->d.change > it->d.change)
			return next;
	}
	return NULL;
}

void lane_drop_needless(struct lane *l)
{
	int64_t oldest = clock_wall_ms() - (int64_t)l->o->opt.give_up_ms;
	struct item *it, *next;

	while ((it = TAILQ_FIRST(&l->items))) {
		if (it->d.created_ms < oldest) {
			lane_finish(l, it, OUTBOX_GIVEN_UP, 0, "it was not delivered in time");
			continue;
		}
		if (it->d.ends || !(next = lane_successor(it)))
			return;
		if (it->d.opening && !it->maybe_seen) {
			next->d.opening = true;
			if (next->d.resolved)
				lane_finish(l, next, OUTBOX_STALE, 0,
					"the receiver never heard of the alert that ended");
		}
		lane_finish(l, it, OUTBOX_STALE, 0, "overtaken by a later change of its alert");
	}
}

/* ---- the lane -------------------------------------------------------------------------------- */

static char *copy_or_null(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

static void release_receiver(struct outbox_receiver *r)
{
	const char *const own[] = {r->name, r->url, r->unix_socket, r->member, r->secret,
		r->username, r->password, r->authorization, r->ca_file, r->cert_file, r->key_file,
		r->server_name};

	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		free((char *)own[i]);
}

void lane_set_receiver(struct lane *l, const struct outbox_receiver *r)
{
	struct outbox_receiver copy = *r;

	copy.name = xstrdup(r->name);
	copy.url = copy_or_null(r->url);
	copy.unix_socket = copy_or_null(r->unix_socket);
	copy.member = copy_or_null(r->member);
	copy.secret = copy_or_null(r->secret);
	copy.username = copy_or_null(r->username);
	copy.password = copy_or_null(r->password);
	copy.authorization = copy_or_null(r->authorization);
	copy.ca_file = copy_or_null(r->ca_file);
	copy.cert_file = copy_or_null(r->cert_file);
	copy.key_file = copy_or_null(r->key_file);
	copy.server_name = copy_or_null(r->server_name);
	release_receiver(&l->to);
	l->to = copy;
	l->gone = false;
}

struct lane *lane_new(struct outbox *o)
{
	struct lane *l = xcalloc(1, sizeof(*l));

	l->o = o;
	TAILQ_INIT(&l->items);
	return l;
}

void lane_cancel(struct lane *l)
{
	if (l->job)
		fetch_cancel(l->job);
	l->job = NULL;
}

void lane_free(struct lane *l)
{
	struct item *it;

	lane_cancel(l);
	while ((it = TAILQ_FIRST(&l->items))) {
		unlink_item(l, it);
		item_free(it);
	}
	release_receiver(&l->to);
	free(l);
}

struct item *lane_add(struct lane *l, const struct outbox_delivery *d, bool owed)
{
	struct item *it = item_new(d, owed);

	TAILQ_INSERT_TAIL(&l->items, it, link);
	l->n++;
	l->bytes += it->d.body.len;
	return it;
}

bool lane_has(const struct lane *l, const char *webhook_id)
{
	const struct item *it;

	TAILQ_FOREACH(it, &l->items, link)
	{
		if (strcmp(it->d.webhook_id, webhook_id) == 0)
			return true;
	}
	return false;
}

bool lane_at_rest(const struct lane *l)
{
	return !l->job && (!l->n || l->gave_up_stop || l->told_to_wait);
}
