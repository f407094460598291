#include "buf.h"
#include "clock.h"
#include "map.h"
#include "scrape.h"
#include "str.h"
#include "xalloc.h"

#include <event2/event.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_SHOWN_MAX 200 /* bytes of a path in a sentence */

enum step { STEP_IDLE, STEP_GOROUTINES, STEP_SYMBOLS, STEP_METRICS, STEP_TELL };

struct scrape_target {
	struct scrape *scrape;
	void *user;
	char *job, *instance;
	struct scrape_urls urls;
	uint64_t hash, interval_ms, timeout_ms, body_limit_bytes;
	char *username, *password, *authorization; /* the last with its "Authorization: " */
	char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;

	uint64_t due_mono_ms;
	bool at_once; /* its first cycle is still to come, and begins at once */
	size_t place; /* in the heap */
	enum step step;
	struct fetch_job *request; /* under way */
	struct scrape_cycle cycle;
	struct buf symbols; /* answer of /symbol so far */
	uint64_t pcs[SCRAPE_PCS_MAX];
	size_t npcs;
	uint64_t skipped; /* since the last cycle began */
	int calling; /* a callback about it is on the call stack */
	bool removed; /* from within one: freed when it returns */
};

struct scrape {
	struct fetch *fetch;
	const struct scrape_events *events;
	void *arg;
	struct event *timer;
	struct scrape_target **heap; /* all targets, the one that is due first in front */
	size_t n, cap, active;
	bool running;
	uint64_t cycles, skipped;
};

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

/* ---- words ----------------------------------------------------------------------------------- */

/* "/debug/pprof/goroutine" of a URL: without origin and query. */
static struct str path_of(const char *url)
{
	struct str s = str_of(url);
	ptrdiff_t at = str_find(s, STR("://"));

	s = str_from(s, at < 0 ? 0 : (size_t)at + 3);
	at = str_chr(s, '/');
	s = str_from(s, at < 0 ? s.len : (size_t)at);
	at = str_chr(s, '?');
	return at < 0 ? s : str_sub(s, 0, (size_t)at);
}

static const char *advice(const struct scrape_target *t, int status, bool metrics)
{
	switch (status) {
	case 400:
		return "answers 400: if the port speaks TLS, set scheme: https";
	case 401:
		return t->username || t->authorization
			       ? "does not take our credentials (401): see authorization or "
				 "basic_auth"
			       : "wants credentials (401): set authorization or basic_auth";
	case 403:
		return "is forbidden to us (403): let this host in, or set authorization or "
		       "basic_auth";
	case 404:
		return metrics ? "is not there (404): set metrics_path, or metrics_path: \"\" "
				 "where there are none"
			       : "is not there (404): import net/http/pprof, or set pprof_path";
	default:
		return NULL;
	}
}

static void word_status(
	const struct scrape_target *t, int status, const char *url, struct scrape_endpoint *e)
{
	const char *text = advice(t, status, url == t->urls.metrics);
	struct str path = str_sub(path_of(url), 0, PATH_SHOWN_MAX);

	if (text)
		snprintf(e->why, sizeof(e->why), "%.*s %s", STR_ARG(path), text);
	else
		snprintf(e->why, sizeof(e->why), "%.*s answers %d", STR_ARG(path), status);
}

static void note(const struct scrape_target *t, struct scrape_endpoint *e,
	const struct fetch_result *r, const char *url)
{
	e->status = r->status;
	e->end = r->end;
	e->took_ms = r->took_ms;
	e->bytes = r->bytes;
	e->up = r->end == FETCH_OK && r->status >= 200 && r->status <= 299;
	if (e->up)
		e->why[0] = '\0';
	else if (r->end == FETCH_OK)
		word_status(t, r->status, url, e);
	else
		snprintf(e->why, sizeof(e->why), "%s", r->why);
}

/* ---- one cycle ------------------------------------------------------------------------------- */

static void arm_timer(struct scrape *s);

static void free_target(struct scrape_target *t)
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

/*
 * Around every callback.  leave is true when the cycle goes on in the step it was in; t may be gone
 * when it is false.
 */
static void enter(struct scrape_target *t)
{
	t->calling++;
}

static bool leave(struct scrape_target *t)
{
	t->calling--;
	if (t->removed) {
		if (t->calling == 0)
			free_target(t);
		return false;
	}
	return t->step != STEP_IDLE;
}

static void end_cycle(struct scrape_target *t)
{
	struct scrape *s = t->scrape;

	t->step = STEP_TELL;
	enter(t);
	s->events->cycle(s->arg, t, &t->cycle);
	if (leave(t)) {
		t->step = STEP_IDLE;
		s->active--;
		s->cycles++;
	}
	arm_timer(s); /* a target may have waited for its turn */
}

/* Sends a request; when it cannot even be sent, done is told so. */
static void ask(struct scrape_target *t, const char *url, const char *unix_socket,
	const char *accept, uint64_t max_bytes, bool (*body)(void *, const char *, size_t),
	void (*done)(void *, const struct fetch_result *))
{
	const char *headers[] = {accept, t->authorization, NULL};
	struct fetch_request req = {.url = url,
		.unix_socket = unix_socket,
		.headers = headers,
		.timeout_ms = t->timeout_ms,
		.max_bytes = max_bytes,
		.username = t->username,
		.password = t->password,
		.ca_file = t->ca_file,
		.cert_file = t->cert_file,
		.key_file = t->key_file,
		.server_name = t->server_name,
		.insecure_skip_verify = t->insecure_skip_verify,
		.on_body = body,
		.on_done = done,
		.arg = t};
	struct fetch_result failed = {.end = FETCH_PROTOCOL, .retry_after_s = NAN};
	struct err err = ERR_INIT;

	t->request = fetch_start(t->scrape->fetch, &req, &err);
	if (t->request)
		return;
	snprintf(failed.why, sizeof(failed.why), "%.*s", (int)sizeof(failed.why) - 1, err.msg);
	done(t, &failed);
}

static bool metrics_body_cb(void *arg, const char *p, size_t n)
{
	struct scrape_target *t = arg;
	bool more;

	enter(t);
	more = t->scrape->events->metrics(t->scrape->arg, t, p, n);
	return leave(t) && more;
}

static void metrics_done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;

	t->request = NULL;
	note(t, &t->cycle.metrics, r, t->urls.metrics);
	enter(t);
	t->scrape->events->metrics_end(t->scrape->arg, t, r);
	if (leave(t))
		end_cycle(t);
}

static void ask_metrics(struct scrape_target *t)
{
	if (!t->urls.metrics) {
		end_cycle(t);
		return;
	}
	t->step = STEP_METRICS;
	t->cycle.metrics.asked = true;
	ask(t, t->urls.metrics, t->urls.metrics_socket,
		"Accept: text/plain;version=0.0.4;q=1,*/*;q=0.1", t->body_limit_bytes,
		metrics_body_cb, metrics_done_cb);
}

static bool symbols_body_cb(void *arg, const char *p, size_t n)
{
	struct scrape_target *t = arg;

	buf_add(&t->symbols, p, n);
	return true;
}

static void symbols_done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;
	struct scrape *s = t->scrape;

	t->request = NULL;
	note(t, &t->cycle.symbols, r, t->urls.symbol);
	enter(t);
	if (t->cycle.symbols.up)
		s->events->symbols(s->arg, t, buf_str(&t->symbols));
	if (leave(t))
		ask_metrics(t);
}

static void ask_symbols(struct scrape_target *t)
{
	struct buf url = BUF_INIT;

	t->step = STEP_SYMBOLS;
	t->cycle.symbols.asked = true;
	buf_reset(&t->symbols);
	buf_adds(&url, t->urls.symbol);
	for (size_t i = 0; i < t->npcs; i++)
		buf_addf(&url, "%s0x%" PRIx64, i ? "+" : "", t->pcs[i]);
	ask(t, url.p, t->urls.pprof_socket, "Accept: text/plain", SCRAPE_SYMBOL_MAX,
		symbols_body_cb, symbols_done_cb);
	buf_release(&url);
}

static bool goroutines_body_cb(void *arg, const char *p, size_t n)
{
	struct scrape_target *t = arg;
	bool more;

	enter(t);
	more = t->scrape->events->goroutines(t->scrape->arg, t, p, n);
	return leave(t) && more;
}

static void goroutines_done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;
	struct scrape *s = t->scrape;

	t->request = NULL;
	note(t, &t->cycle.goroutines, r, t->urls.goroutine);
	enter(t);
	t->npcs = s->events->goroutines_end(s->arg, t, r, t->pcs, SCRAPE_PCS_MAX);
	if (!leave(t))
		return;
	if (t->cycle.goroutines.up && t->npcs > 0)
		ask_symbols(t);
	else
		ask_metrics(t);
}

static void begin_cycle(struct scrape_target *t, uint64_t due_mono_ms, uint64_t now_mono_ms)
{
	struct scrape *s = t->scrape;

	memset(&t->cycle, 0, sizeof(t->cycle));
	t->cycle.at_ms = clock_wall_ms();
	t->cycle.mono_ms = now_mono_ms;
	t->cycle.late_ms = (double)(now_mono_ms - due_mono_ms);
	t->cycle.skipped = t->skipped;
	t->cycle.goroutines.asked = true;
	t->skipped = 0;
	t->step = STEP_GOROUTINES;
	s->active++;
	enter(t);
	s->events->begin(s->arg, t);
	if (leave(t))
		ask(t, t->urls.goroutine, t->urls.pprof_socket, "Accept: text/plain",
			t->body_limit_bytes, goroutines_body_cb, goroutines_done_cb);
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

static void arm_timer(struct scrape *s)
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
			begin_cycle(t, due, now);
	}
	arm_timer(s);
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
	arm_timer(s);
	return t;
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
	heap_take(s, t);
	if (t->calling)
		t->removed = true;
	else
		free_target(t);
	arm_timer(s);
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
	arm_timer(s);
}

void scrape_stop(struct scrape *s)
{
	s->running = false;
	evtimer_del(s->timer);
	for (size_t i = 0; i < s->n; i++)
		drop_cycle(s->heap[i]);
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
		free_target(s->heap[i]);
	free(s->heap);
	event_free(s->timer);
	free(s);
}
