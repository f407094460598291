#include "app_internal.h"
#include "log.h"
#include "xalloc.h"

#include <stdlib.h>

static void free_owed(struct owed *o)
{
	free((char *)o->d.receiver);
	free((char *)o->d.webhook_id);
	free((char *)o->d.alert_id);
	free((char *)o->d.body.p);
	free(o);
}

struct unit *unit_begin(struct app *a)
{
	struct unit *u = xcalloc(1, sizeof(*u));

	u->app = a;
	u->batch = store_batch_new();
	u->owed_end = &u->owed;
	a->unit = u;
	return u;
}

void unit_owe(struct unit *u, const struct outbox_delivery *d)
{
	struct owed *o = xcalloc(1, sizeof(*o));

	o->d = *d;
	o->d.receiver = xstrdup(d->receiver);
	o->d.webhook_id = xstrdup(d->webhook_id);
	o->d.alert_id = xstrdup(d->alert_id);
	o->d.body.p = str_dup(d->body);
	*u->owed_end = o;
	u->owed_end = &o->next;
}

/* Hands a unit's deliveries to the outbox, once. */
static void release(struct unit *u)
{
	struct owed *o;
	struct err err;

	while ((o = u->owed)) {
		u->owed = o->next;
		if (u->app->outbox && outbox_add(u->app->outbox, &o->d, false, &err))
			log_limited(LEVEL_ERROR, o->d.receiver,
				"receiver %s: not queued, stays owed: %s", o->d.receiver, err.msg);
		free_owed(o);
	}
	u->owed_end = &u->owed;
}

static void link_unit(struct app *a, struct unit *u)
{
	u->next = a->waiting;
	u->link = &a->waiting;
	if (u->next)
		u->next->link = &u->next;
	a->waiting = u;
}

static void unlink_unit(struct unit *u)
{
	*u->link = u->next;
	if (u->next)
		u->next->link = u->link;
}

static void stored_cb(void *arg, bool ok, const char *why)
{
	struct unit *u = arg;

	if (!ok)
		log_limited(LEVEL_ERROR, "store", "rows not stored: %s", why);
	release(u);
	if (u->request)
		app_answer(u->request, u->done_id, ok);
	unlink_unit(u);
	free(u);
}

bool unit_commit(struct app *a)
{
	struct unit *u = a->unit;
	struct store_batch *b = u->batch;

	a->unit = NULL;
	u->batch = NULL;
	if (!a->writer) {
		u->batch = b;
		u->next = a->early;
		a->early = u;
		return true;
	}
	link_unit(a, u);
	/* A disk that is out of order must not hold up an alert. */
	if (!a->disk_ok)
		release(u);
	return writer_submit(a->writer, b, stored_cb, u);
}

/* What was decided while the store was being read, oldest first. */
void units_send_early(struct app *a)
{
	struct unit *u, *oldest_first = NULL;

	while ((u = a->early)) {
		a->early = u->next;
		u->next = oldest_first;
		oldest_first = u;
	}
	while ((u = oldest_first)) {
		oldest_first = u->next;
		a->unit = u;
		unit_commit(a);
	}
}

/* At the end: units that never met a writer. */
void units_free_early(struct app *a)
{
	struct unit *u;

	while ((u = a->early)) {
		a->early = u->next;
		while (u->owed) {
			struct owed *o = u->owed;

			u->owed = o->next;
			free_owed(o);
		}
		store_batch_free(u->batch);
		free(u);
	}
}

void units_release_all(struct app *a)
{
	for (struct unit *u = a->waiting; u; u = u->next)
		release(u);
}
