#include "clock.h"
#include "map.h"
#include "scrape_internal.h"
#include "xalloc.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* ---- the heap of due times ------------------------------------------------------------------- */

static void put_at(struct scrape *s, size_t place, struct scrape_target *t)
{
	s->heap[place] = t;
	t->place = place;
}

static void sift(struct scrape *s, struct scrape_target *t)
{
	size_t at = t->place, child;

	for (; at > 0 && s->heap[(at - 1) / 2]->due_mono_ms > t->due_mono_ms; at = (at - 1) / 2)
		put_at(s, at, s->heap[(at - 1) / 2]);
	for (; (child = 2 * at + 1) < s->n; at = child) {
		if (child + 1 < s->n &&
			s->heap[child + 1]->due_mono_ms < s->heap[child]->due_mono_ms)
			child++;
		if (s->heap[child]->due_mono_ms >= t->due_mono_ms)
			break;
		put_at(s, at, s->heap[child]);
	}
	put_at(s, at, t);
}

static void heap_add(struct scrape *s, struct scrape_target *t)
{
	if (s->n == s->cap) {
		s->cap = MAX((size_t)16, s->cap * 2);
		s->heap = xrealloc(s->heap, s->cap, sizeof(struct scrape_target *));
	}
	put_at(s, s->n++, t);
	sift(s, t);
}

static void heap_take(struct scrape *s, struct scrape_target *t)
{
	struct scrape_target *last = s->heap[--s->n];

	if (last == t)
		return;
	put_at(s, t->place, last);
	sift(s, last);
}

/* ---- when ------------------------------------------------------------------------------------ */

uint64_t scrape_target_hash(const char *job, const char *instance)
{
	return hash64(instance, strlen(instance), hash64(job, strlen(job), 0));
}

uint64_t scrape_next_due(uint64_t hash, uint64_t interval_ms, uint64_t now_mono_ms)
{
	uint64_t offset = hash % interval_ms;
	uint64_t into = (now_mono_ms % interval_ms + interval_ms - offset) % interval_ms;

	return now_mono_ms - into + interval_ms;
}

static void set_due(struct scrape_target *t, uint64_t now_mono_ms)
{
	t->due_mono_ms =
		t->at_once ? now_mono_ms : scrape_next_due(t->hash, t->interval_ms, now_mono_ms);
}

void scrape_arm(struct scrape *s)
{
	uint64_t now = clock_mono_ms(), wait;
	struct timeval tv;

	evtimer_del(s->timer);
	if (!s->running || s->n == 0 || s->active >= SCRAPE_ACTIVE_MAX)
		return;
	wait = s->heap[0]->due_mono_ms > now ? s->heap[0]->due_mono_ms - now : 0;
	tv = (struct timeval){
		.tv_sec = (time_t)(wait / 1000), .tv_usec = (suseconds_t)(wait % 1000 * 1000)};
	evtimer_add(s->timer, &tv);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t now = clock_mono_ms(), due, missed;
	struct scrape *s = arg;
	struct scrape_target *t;

	(void)fd;
	(void)what;
	while (s->running && s->n && s->active < SCRAPE_ACTIVE_MAX) {
		t = s->heap[0];
		due = t->due_mono_ms;
		if (due > now)
			break;
		t->at_once = false;
		set_due(t, now);
		sift(s, t);
		/* Whole intervals may have passed while the loop, or a turn, was waited for. */
		missed = (now - due) / t->interval_ms + (t->step != STEP_IDLE);
		t->skipped += missed;
		s->skipped += missed;
		if (t->step == STEP_IDLE)
			scrape_begin_cycle(t, due, now);
	}
	scrape_arm(s);
}

/* ---- targets and the whole ------------------------------------------------------------------- */

static char *copy(const char *s)
{
	return s && *s ? xstrdup(s) : NULL;
}

struct scrape_target *scrape_add(
	struct scrape *s, const struct scrape_target_config *config, void *user, struct err *err)
{
	struct scrape_target *t = xcalloc(1, sizeof(*t));

	if (scrape_urls_build(config, &t->urls, err) < 0) {
		free(t);
		return NULL;
	}
	t->scrape = s;
	t->user = user;
	t->job = xstrdup(config->job ? config->job : "");
	t->instance = xstrdup(config->instance ? config->instance : "");
	t->hash = scrape_target_hash(t->job, t->instance);
	t->interval_ms = MAX(config->interval_ms, (uint64_t)SCRAPE_INTERVAL_MIN_MS);
	t->timeout_ms = config->timeout_ms;
	t->body_limit_bytes = config->body_limit_bytes;
	budget_init(&t->budget, config->budget, t->interval_ms);
	t->username = copy(config->username);
	t->password = copy(config->password);
	if (config->authorization && *config->authorization)
		t->authorization = xasprintf("Authorization: %s", config->authorization);
	t->ca_file = copy(config->ca_file);
	t->cert_file = copy(config->cert_file);
	t->key_file = copy(config->key_file);
	t->server_name = copy(config->server_name);
	t->insecure_skip_verify = config->insecure_skip_verify;
	buf_init(&t->symbols);
	if (config->at_once)
		t->hash = clock_mono_ms() % t->interval_ms;
	t->at_once = config->at_once;
	set_due(t, clock_mono_ms());
	heap_add(s, t);
	scrape_arm(s);
	return t;
}

void scrape_free_target(struct scrape_target *t)
{
	scrape_urls_release(&t->urls);
	buf_release(&t->symbols);
	free(t->job);
	free(t->instance);
	free(t->username);
	free(t->password);
	free(t->authorization);
	free(t->ca_file);
	free(t->cert_file);
	free(t->key_file);
	free(t->server_name);
	free(t);
}

/* Leaves the cycle where it is; nothing more is called back about it. */
static void drop_cycle(struct scrape_target *t)
{
	if (t->step == STEP_IDLE)
		return;
	if (t->request)
		fetch_cancel(t->request);
	t->request = NULL;
	t->step = STEP_IDLE;
	t->scrape->active--;
}

void scrape_remove(struct scrape_target *t)
{
	struct scrape *s = t->scrape;

	drop_cycle(t);
	t->removed = t->calling > 0;
	scrape_drop_look(t);
	heap_take(s, t);
	if (!t->removed)
		scrape_free_target(t);
	scrape_arm(s);
}

void scrape_hand_over(struct scrape_target *t, void *user)
{
	drop_cycle(t);
	scrape_drop_look(t);
	t->user = user;
	scrape_arm(t->scrape);
}

void *scrape_target_user(const struct scrape_target *t)
{
	return t->user;
}

const char *scrape_target_job(const struct scrape_target *t)
{
	return t->job;
}

const char *scrape_target_instance(const struct scrape_target *t)
{
	return t->instance;
}

const struct scrape_urls *scrape_target_urls(const struct scrape_target *t)
{
	return &t->urls;
}

void scrape_stats(const struct scrape *s, struct scrape_stats *out)
{
	*out = (struct scrape_stats){
		.targets = s->n, .active = s->active, .cycles = s->cycles, .skipped = s->skipped};
}

void scrape_start(struct scrape *s)
{
	uint64_t now = clock_mono_ms();
	size_t n = s->n;

	if (s->running)
		return;
	s->running = true;
	s->n = 0;
	for (size_t i = 0; i < n; i++) {
		struct scrape_target *t = s->heap[i];

		set_due(t, now);
		heap_add(s, t);
	}
	scrape_arm(s);
}

void scrape_stop(struct scrape *s)
{
	s->running = false;
	evtimer_del(s->timer);
	for (size_t i = 0; i < s->n; i++)
		drop_cycle(s->heap[i]);
	while (s->nlooks)
		scrape_drop_look(s->looks[0]);
}

struct scrape *scrape_new(
	struct event_base *base, struct fetch *fetch, const struct scrape_events *events, void *arg)
{
	struct scrape *s = xcalloc(1, sizeof(*s));

	s->fetch = fetch;
	s->events = events;
	s->arg = arg;
	s->timer = evtimer_new(base, timer_cb, s);
	return s;
}

void scrape_free(struct scrape *s)
{
	if (!s)
		return;
	scrape_stop(s);
	for (size_t i = 0; i < s->n; i++)
		scrape_free_target(s->heap[i]);
	free(s->heap);
	free(s->looks);
	event_free(s->timer);
	free(s);
}
