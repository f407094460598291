/* The recording: scrapes, symbols, the index and dumps into a recording. */
#include "buf.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_record.h"
#include "fetch.h"
#include "gdump.h"
#include "recording.h"
#include "safe.h"
#include "scrape.h"
#include "xalloc.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS	      10000 /* of each request */
#define BODY_MAX	      (64 * 1024 * 1024)
#define INDEX_MAX	      (1024 * 1024)
#define SYMBOLS_ASKED_MAX     1024 /* distinct program counters of a recording */
#define DEBUG2_GOROUTINES_MAX 2000 /* with more, debug=2 stops the target for too long */

struct record {
	const struct record_options *options;
	struct event_base *base;
	struct event *interrupted, *terminated, *over;
	struct fetch *fetch;
	struct scrape *scrape;
	struct scrape_target *target;
	struct gdump *gdump;
	struct recording_writer *out;
	struct buf goroutines, symbols, metrics;

	uint64_t asked[SYMBOLS_ASKED_MAX]; /* program counters whose names were asked for */
	size_t nasked, nnew; /* nnew: the last ones, for this cycle */
	uint64_t population;

	struct fetch_job *extra; /* index or debug=2, under way */
	enum recording_kind extra_kind;
	struct buf extra_body;
	int64_t extra_at_ms;
	bool ending;

	uint64_t scrapes, failed;
	int code;
	struct err err;
};

static void end(struct record *r, int code)
{
	r->code = code;
	event_base_loopbreak(r->base);
}

static void save(
	struct record *r, enum recording_kind kind, int64_t at_ms, int status, struct str body)
{
	struct recording_entry e = {.kind = kind, .at_ms = at_ms, .status = status, .body = body};

	if (r->code == CMD_OK && recording_add(r->out, &e, &r->err) < 0)
		end(r, CMD_IO);
}

static void flush(struct record *r)
{
	if (r->code == CMD_OK && recording_flush(r->out, &r->err) < 0)
		end(r, CMD_IO);
}

/* ---- index and debug=2, after a cycle -------------------------------------------------------- */

static void ask_extra(struct record *r, enum recording_kind kind, int64_t at_ms);

static bool extra_body_cb(void *arg, const char *p, size_t n)
{
	struct record *r = arg;

	buf_add(&r->extra_body, p, n);
	return true;
}

static void extra_done_cb(void *arg, const struct fetch_result *result)
{
	struct record *r = arg;
	struct buf stripped = BUF_INIT;
	struct str body = buf_str(&r->extra_body);
	bool whole = result->end == FETCH_OK;

	r->extra = NULL;
	if (r->extra_kind == RECORDING_DEBUG2 && !r->options->raw) {
		recording_strip_arguments(body, &stripped);
		body = buf_str(&stripped);
	}
	save(r, r->extra_kind, r->extra_at_ms, whole ? result->status : 0,
		whole ? body : str_n("", 0));
	buf_release(&stripped);
	if (r->extra_kind == RECORDING_INDEX && (r->scrapes == 1 || r->ending) &&
		r->population <= DEBUG2_GOROUTINES_MAX)
		ask_extra(r, RECORDING_DEBUG2, clock_wall_ms());
	else
		flush(r);
	if (r->ending && !r->extra)
		end(r, r->code);
}

static void ask_extra(struct record *r, enum recording_kind kind, int64_t at_ms)
{
	const struct scrape_urls *urls = scrape_target_urls(r->target);
	size_t base = strlen(urls->symbol) - strlen("symbol?");
	char *url = xasprintf("%.*s%s", (int)base, urls->symbol,
		kind == RECORDING_DEBUG2 ? "goroutine?debug=2" : "");
	struct fetch_request req = {.url = url,
		.unix_socket = urls->pprof_socket,
		.timeout_ms = TIMEOUT_MS,
		.max_bytes = kind == RECORDING_DEBUG2 ? BODY_MAX : INDEX_MAX,
		.on_body = extra_body_cb,
		.on_done = extra_done_cb,
		.arg = r};

	if (!r->extra) {
		buf_reset(&r->extra_body);
		r->extra_kind = kind;
		r->extra_at_ms = at_ms;
		r->extra = fetch_start(r->fetch, &req, &r->err);
		if (!r->extra)
			end(r, CMD_IO);
	}
	free(url);
}

/* ---- a cycle --------------------------------------------------------------------------------- */

static void group(void *arg, const struct group *g)
{
	struct record *r = arg;

	for (size_t i = 0; i < g->nhidden; i++) {
		bool known = r->nnew == SCRAPE_PCS_MAX || r->nasked == SYMBOLS_ASKED_MAX;

		for (size_t k = 0; !known && k < r->nasked; k++)
			known = r->asked[k] == g->hidden[i];
		if (known)
			continue;
		r->asked[r->nasked++] = g->hidden[i];
		r->nnew++;
	}
}

static void begin(void *arg, struct scrape_target *t)
{
	struct record *r = arg;

	(void)t;
	gdump_reset(r->gdump);
	buf_reset(&r->goroutines);
	buf_reset(&r->symbols);
	buf_reset(&r->metrics);
	r->nnew = 0;
}

static bool goroutines(void *arg, struct scrape_target *t, const char *p, size_t n)
{
	struct record *r = arg;

	(void)t;
	buf_add(&r->goroutines, p, n);
	gdump_feed(r->gdump, p, n);
	return true;
}

static size_t goroutines_end(void *arg, struct scrape_target *t, const struct fetch_result *result,
	uint64_t *pcs, size_t max)
{
	struct record *r = arg;

	(void)t;
	(void)result;
	gdump_finish(r->gdump, NULL);
	r->population = gdump_stats(r->gdump)->parsed;
	r->nnew = MIN(r->nnew, max);
	memcpy(pcs, r->asked + r->nasked - r->nnew, r->nnew * sizeof(*pcs));
	return r->nnew;
}

static void symbols(void *arg, struct scrape_target *t, struct str body)
{
	struct record *r = arg;

	(void)t;
	buf_addstr(&r->symbols, body);
}

static bool metrics(void *arg, struct scrape_target *t, const char *p, size_t n)
{
	struct record *r = arg;

	(void)t;
	buf_add(&r->metrics, p, n);
	return true;
}

static void metrics_end(void *arg, struct scrape_target *t, const struct fetch_result *result)
{
	(void)arg;
	(void)t;
	(void)result;
}

/* At the first answer, so that a target that gives none leaves nothing behind. */
static int create(struct record *r, int64_t now_ms)
{
	const struct record_options *o = r->options;
	const char *path = o->pprof_path ? o->pprof_path : o->path;
	struct recording_about about = {.target = o->target,
		.pprof_path = path && *path ? path : "/debug/pprof",
		.metrics_path = o->metrics_path,
		.interval_ms = o->interval_ms,
		.started_ms = now_ms};

	r->out = recording_create(o->out, &about, &r->err);
	return r->out ? 0 : -1;
}

static void save_endpoint(struct record *r, enum recording_kind kind, int64_t at_ms,
	const struct scrape_endpoint *e, const struct buf *body)
{
	bool whole = e->end == FETCH_OK;

	if (e->asked)
		save(r, kind, at_ms, whole ? e->status : 0, whole ? buf_str(body) : str_n("", 0));
}

static void cycle(void *arg, struct scrape_target *t, const struct scrape_cycle *c)
{
	struct record *r = arg;

	(void)t;
	if (!c->goroutines.up && r->scrapes == 0) {
		err_set(&r->err, "%s: %s", r->options->target, c->goroutines.why);
		end(r, CMD_IO);
		return;
	}
	if (!r->out && create(r, c->at_ms) < 0) {
		end(r, CMD_IO);
		return;
	}
	if (c->symbols.asked && !c->symbols.up)
		r->nasked -= r->nnew; /* asked for again in the next cycle */
	r->scrapes++;
	r->failed += !c->goroutines.up;
	save_endpoint(r, RECORDING_GOROUTINE, c->at_ms, &c->goroutines, &r->goroutines);
	save_endpoint(r, RECORDING_SYMBOL, c->at_ms, &c->symbols, &r->symbols);
	save_endpoint(r, RECORDING_METRICS, c->at_ms, &c->metrics, &r->metrics);
	ask_extra(r, RECORDING_INDEX, c->at_ms);
}

static const struct scrape_events events = {
	.begin = begin,
	.goroutines = goroutines,
	.goroutines_end = goroutines_end,
	.symbols = symbols,
	.metrics = metrics,
	.metrics_end = metrics_end,
	.cycle = cycle,
};

/* ---- the whole ------------------------------------------------------------------------------- */

static void signal_cb(evutil_socket_t sig, short what, void *arg)
{
	struct record *r = arg;

	(void)sig;
	(void)what;
	end(r, r->code);
}

/* The time is up: one last debug=2 dump, of what has come together by now. */
static void over_cb(evutil_socket_t fd, short what, void *arg)
{
	struct record *r = arg;

	(void)fd;
	(void)what;
	scrape_stop(r->scrape);
	r->ending = true;
	if (!r->extra && r->scrapes > 0 && r->population <= DEBUG2_GOROUTINES_MAX)
		ask_extra(r, RECORDING_DEBUG2, clock_wall_ms());
	if (!r->extra)
		end(r, r->code);
}

static int start(struct record *r)
{
	const struct record_options *o = r->options;
	struct scrape_target_config config = {.job = "record",
		.instance = o->target,
		.scheme = o->scheme,
		.address = o->address,
		.pprof_path = o->pprof_path ? o->pprof_path : o->path,
		.metrics_path = o->metrics_path,
		.metrics_address = o->metrics_address,
		.interval_ms = o->interval_ms,
		.timeout_ms = TIMEOUT_MS,
		.at_once = true,
		.body_limit_bytes = BODY_MAX};
	struct timeval tv = {.tv_sec = (time_t)(o->for_ms / 1000),
		.tv_usec = (suseconds_t)(o->for_ms % 1000 * 1000)};

	r->fetch = fetch_new(r->base, &r->err);
	if (!r->fetch)
		return CMD_IO;
	r->scrape = scrape_new(r->base, r->fetch, &events, r);
	r->target = scrape_add(r->scrape, &config, r, &r->err);
	if (!r->target)
		return CMD_USAGE;
	evsignal_add(r->interrupted, NULL);
	evsignal_add(r->terminated, NULL);
	if (o->for_ms)
		evtimer_add(r->over, &tv);
	scrape_start(r->scrape);
	return CMD_OK;
}

static void tell(const struct record *r, uint64_t bytes)
{
	struct buf text = BUF_INIT;

	buf_addf(&text, "recorded %" PRIu64 " scrapes of ", r->scrapes);
	safe_add(&text, str_of(r->options->target));
	buf_adds(&text, " in ");
	safe_add(&text, str_of(r->options->out));
	buf_addf(&text, ": %" PRIu64 " bytes", bytes);
	if (r->failed)
		buf_addf(&text, "; %" PRIu64 " of them failed", r->failed);
	puts(text.p);
	buf_release(&text);
}

int cmd_record_run(char **argv, const struct record_options *options)
{
	struct record *r = xcalloc(1, sizeof(*r));
	struct gdump_sink sink = {.group = group, .arg = r};
	struct err closing = ERR_INIT;
	uint64_t bytes = 0;
	int code;

	signal(SIGPIPE, SIG_IGN);
	r->options = options;
	r->base = event_base_new();
	r->interrupted = evsignal_new(r->base, SIGINT, signal_cb, r);
	r->terminated = evsignal_new(r->base, SIGTERM, signal_cb, r);
	r->over = evtimer_new(r->base, over_cb, r);
	r->gdump = gdump_new(&sink);
	buf_init(&r->goroutines);
	buf_init(&r->symbols);
	buf_init(&r->metrics);
	buf_init(&r->extra_body);
	r->code = start(r);
	if (r->code == CMD_OK)
		event_base_dispatch(r->base);
	scrape_free(r->scrape);
	fetch_free(r->fetch);
	if (r->out) {
		if (recording_close(r->out, &bytes, &closing) < 0 && r->code == CMD_OK) {
			r->code = CMD_IO;
			r->err = closing;
		}
	}
	code = r->code;
	if (code == CMD_OK)
		tell(r, bytes);
	else
		cmd_error(code, argv, &r->err);
	gdump_free(r->gdump);
	buf_release(&r->goroutines);
	buf_release(&r->symbols);
	buf_release(&r->metrics);
	buf_release(&r->extra_body);
	event_free(r->interrupted);
	event_free(r->terminated);
	event_free(r->over);
	event_base_free(r->base);
	free(r);
	return code;
}
