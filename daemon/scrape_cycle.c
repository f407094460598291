#include "clock.h"
#include "pprof_index.h"
#include "scrape_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATH_SHOWN_MAX 200 /* bytes of a path in a sentence */

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

void scrape_note(const struct scrape_target *t, struct scrape_endpoint *e,
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
			scrape_free_target(t);
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
	scrape_arm(s); /* a target may have waited for its turn */
}

void scrape_ask(struct scrape_target *t, struct fetch_job **request, const char *url,
	const char *unix_socket, const char *accept, uint64_t timeout_ms, uint64_t max_bytes,
	bool (*body)(void *, const char *, size_t),
	void (*done)(void *, const struct fetch_result *))
{
	const char *headers[] = {accept, t->authorization, NULL};
	struct fetch_request req = {.url = url,
		.unix_socket = unix_socket,
		.headers = headers,
		.timeout_ms = timeout_ms,
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

	*request = fetch_start(t->scrape->fetch, &req, &err);
	if (*request)
		return;
	snprintf(failed.why, sizeof(failed.why), "%.*s", (int)sizeof(failed.why) - 1, err.msg);
	done(t, &failed);
}

static void ask(struct scrape_target *t, const char *url, const char *unix_socket,
	const char *accept, uint64_t max_bytes, bool (*body)(void *, const char *, size_t),
	void (*done)(void *, const struct fetch_result *))
{
	scrape_ask(t, &t->request, url, unix_socket, accept, t->timeout_ms, max_bytes, body, done);
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
	scrape_note(t, &t->cycle.metrics, r, t->urls.metrics);
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
	scrape_note(t, &t->cycle.symbols, r, t->urls.symbol);
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

/* ---- a cycle without a dump ---- */

static void index_done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;
	struct pprof_index page;

	t->request = NULL;
	scrape_note(t, &t->cycle.index, r, t->urls.index);
	if (t->cycle.index.up && pprof_index_parse(buf_str(&t->symbols), &page)) {
		t->cycle.counted = true;
		t->cycle.count = page.goroutines;
	} else if (r->end == FETCH_OK || r->end == FETCH_TOO_LARGE) {
		t->no_index = true; /* some other page, or none */
	}
	ask_metrics(t);
}

static void ask_index(struct scrape_target *t)
{
	if (t->no_index) {
		ask_metrics(t);
		return;
	}
	t->step = STEP_INDEX;
	t->cycle.index.asked = true;
	buf_reset(&t->symbols);
	ask(t, t->urls.index, t->urls.pprof_socket, "Accept: text/html", PPROF_INDEX_MAX,
		symbols_body_cb, index_done_cb);
}

/* What it took the target, as far as it did anything. */
static void note_cost(struct scrape_target *t, const struct fetch_result *r)
{
	if (r->end != FETCH_REFUSED && r->end != FETCH_RESOLVE && r->end != FETCH_TLS &&
		(r->end != FETCH_OK || r->status / 100 == 2))
		budget_note(&t->budget, r->took_ms);
	t->cycle.every = t->budget.every;
}

/* ---- a cycle with one ---- */

static void goroutines_done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;
	struct scrape *s = t->scrape;

	t->request = NULL;
	scrape_note(t, &t->cycle.goroutines, r, t->urls.goroutine);
	note_cost(t, r);
	enter(t);
	t->npcs = s->events->goroutines_end(s->arg, t, r, t->pcs, SCRAPE_PCS_MAX);
	if (!leave(t))
		return;
	if (t->cycle.goroutines.up && t->npcs > 0)
		ask_symbols(t);
	else
		ask_metrics(t);
}

void scrape_begin_cycle(struct scrape_target *t, uint64_t due_mono_ms, uint64_t now_mono_ms)
{
	struct scrape *s = t->scrape;

	memset(&t->cycle, 0, sizeof(t->cycle));
	t->cycle.at_ms = clock_wall_ms();
	t->cycle.mono_ms = now_mono_ms;
	t->cycle.late_ms = (double)(now_mono_ms - due_mono_ms);
	t->cycle.skipped = t->skipped;
	t->cycle.every = t->budget.every;
	t->cycle.goroutines.asked = !s->events->between || budget_turn(&t->budget);
	t->skipped = 0;
	t->step = STEP_GOROUTINES;
	s->active++;
	enter(t);
	if (t->cycle.goroutines.asked)
		s->events->begin(s->arg, t);
	else
		s->events->between(s->arg, t);
	if (!leave(t))
		return;
	if (!t->cycle.goroutines.asked)
		ask_index(t);
	else
		ask(t, t->urls.goroutine, t->urls.pprof_socket, "Accept: text/plain",
			t->body_limit_bytes, goroutines_body_cb, goroutines_done_cb);
}
