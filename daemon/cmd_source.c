#include "cmd_source.h"

#include "clock.h"
#include "cmd.h"
#include "fetch.h"
#include "mend.h"
#include "safe.h"
#include "xalloc.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYMBOL_BYTES	  (256 * 1024) /* of an answer of /debug/pprof/symbol */
#define PROGRESS_AFTER_MS 1000
#define PROGRESS_EVERY_MS 200

/* ---- mended, on the way to the parser ---------------------------------------------------------
 */
struct reader {
	const char *source;
	struct gdump *g;
	struct mend *m;
	uint64_t bytes, began_ms, told_ms; /* told_ms 0: nothing was told yet */
	bool progress; /* standard error is a terminal */
	bool cut; /* the connection ended before the body did */
};

static void mended_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	struct reader *r = arg;

	gdump_at_line(r->g, line);
	gdump_feed(r->g, p, n);
}

static void begin_reading(struct reader *r, const char *source, uint64_t began_ms, struct gdump *g)
{
	const struct mend_sink sink = {.out = mended_cb, .arg = r};

	*r = (struct reader){.source = source, .g = g, .m = mend_new(&sink), .began_ms = began_ms};
	r->progress = isatty(STDERR_FILENO) == 1;
}

/* One line that is written over, for what takes longer than a second; kept: bytes not read yet. */
static void tell_progress(struct reader *r, size_t kept)
{
	uint64_t now = clock_mono_ms();
	struct buf b = BUF_INIT;

	if (now < r->began_ms + PROGRESS_AFTER_MS || now < r->told_ms + PROGRESS_EVERY_MS)
		return;
	r->told_ms = now;
	buf_adds(&b, "\r\x1b[K");
	safe_add_cut(&b, str_of(r->source), 60);
	if (r->bytes + kept == 0)
		buf_addf(&b, ": no answer yet, after %llu s",
			(unsigned long long)((now - r->began_ms) / 1000));
	else
		buf_addf(&b, ": %.1f MB, %llu goroutines", (double)(r->bytes + kept) / 1e6,
			(unsigned long long)gdump_stats(r->g)->parsed);
	fwrite(b.p, 1, b.len, stderr);
	buf_release(&b);
}

static void read_bytes(struct reader *r, const char *p, size_t n)
{
	r->bytes += n;
	mend_feed(r->m, p, n);
	if (r->progress)
		tell_progress(r, 0);
}

/* ---- files ------------------------------------------------------------------------------------
 */
static int read_file(struct reader *r, struct err *err)
{
	const char *source = r->source;
	bool standard = strcmp(source, "-") == 0;
	int fd = standard ? STDIN_FILENO : open(source, O_RDONLY | O_CLOEXEC);
	static char piece[256 * 1024];
	ssize_t n;

	if (fd < 0)
		return err_set(err, "cannot open %s: %s", source, strerror(errno));
	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		read_bytes(r, piece, (size_t)n);
	}
	if (n < 0)
		err_set(err, "cannot read %s: %s", source, strerror(errno));
	if (!standard)
		close(fd);
	return n < 0 ? -1 : 0;
}

/* ---- URLs -------------------------------------------------------------------------------------
 */
struct download {
	struct event_base *base;
	struct fetch *fetch;
	struct reader *r;
	struct buf kept; /* the dump so far, unless it is too large to wait for symbols */
	bool keeping;
	struct buf *symbols; /* where the answer under way goes, when it is no dump */
	struct fetch_result result;
};

static void let_go(struct download *d)
{
	d->keeping = false;
	read_bytes(d->r, d->kept.p, d->kept.len);
	buf_release(&d->kept);
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct download *d = arg;

	if (d->symbols) {
		buf_add(d->symbols, p, n);
		return true;
	}
	if (d->keeping && d->kept.len + n > CMD_SOURCE_KEEP_BYTES)
		let_go(d);
	if (d->keeping)
		buf_add(&d->kept, p, n);
	else
		read_bytes(d->r, p, n);
	return true;
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct download *d = arg;

	(void)fd;
	(void)what;
	tell_progress(d->r, d->kept.len);
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct download *d = arg;

	d->result = *r;
	event_base_loopbreak(d->base);
}

/* One request, until it is answered. */
static int get(struct download *d, const char *url, uint64_t max_bytes, struct err *err)
{
	struct fetch_request req = {.url = url,
		.timeout_ms = CMD_SOURCE_TIMEOUT_MS,
		.max_bytes = max_bytes,
		.on_body = body_cb,
		.on_done = done_cb,
		.arg = d};

	if (!fetch_start(d->fetch, &req, err))
		return -1;
	event_base_dispatch(d->base);
	return 0;
}

static bool is_url(const char *source)
{
	return strncmp(source, "http://", 7) == 0 || strncmp(source, "https://", 8) == 0;
}

/* The page to ask for; see cmd_source_read.  The caller frees it. */
static char *page_of(const char *url)
{
	struct str s = str_of(url);
	ptrdiff_t slash = str_chr(str_from(s, 8), '/');
	struct str path = slash < 0 ? STR("") : str_from(s, 8 + (size_t)slash);

	if (str_chr(s, '?') >= 0)
		return str_dup(s);
	if (path.len <= 1)
		return xasprintf(
			"%.*s/debug/pprof/goroutine?debug=1", (int)(s.len - path.len), s.p);
	if (str_ends(path, STR("/debug/pprof")) || str_ends(path, STR("/debug/pprof/")))
		return xasprintf("%s%sgoroutine?debug=1", url, str_ends(s, STR("/")) ? "" : "/");
	if (str_ends(path, STR("/goroutine")) || str_ends(path, STR("/goroutineleak")))
		return xasprintf("%s?debug=1", url); /* without it the answer is for programs */
	return str_dup(s);
}

static int say_answer(const char *url, const struct fetch_result *r, struct err *err)
{
	if (r->end == FETCH_CUT && r->bytes > 0)
		return 0; /* a dump that is cut */
	if (r->end != FETCH_OK)
		return err_set(err, "cannot get %s: %s", url, r->why);
	if (r->status == 401 || r->status == 403)
		return err_set(err, "%s is not for everybody (HTTP status %d)", url, r->status);
	if (r->status == 404)
		return err_set(err,
			"%s is not there (HTTP status 404): does the service import "
			"net/http/pprof, and on this address?",
			url);
	if (r->status < 200 || r->status >= 300)
		return err_set(err, "%s answered with HTTP status %d", url, r->status);
	return 0;
}

/* Asks the target what the hidden frames of the kept dump are; without an answer they stay so. */
static void ask_symbols(struct download *d, const char *url, struct symbols *symbols)
{
	ptrdiff_t at = str_find(str_of(url), STR("/goroutine?"));
	struct buf page = BUF_INIT, answer = BUF_INIT;

	if (at > 0) {
		symbols_collect(symbols, buf_str(&d->kept));
		buf_addf(&page, "%.*s/symbol?", (int)at, url);
		d->symbols = &answer;
		if (symbols_query(symbols, &page) && get(d, page.p, SYMBOL_BYTES, NULL) == 0)
			symbols_answer(symbols, buf_str(&answer));
		d->symbols = NULL;
	}
	buf_release(&page);
	buf_release(&answer);
}

static int read_url(struct reader *r, struct symbols *symbols, struct err *err)
{
	struct download d = {.base = event_base_new(), .r = r, .kept = BUF_INIT, .keeping = true};
	const struct timeval every = {.tv_usec = PROGRESS_EVERY_MS * 1000};
	struct event *tick = NULL;
	char *url = page_of(r->source);
	int result = -1;

	if (!d.base) {
		err_set(err, "cannot make an event loop: %s", strerror(errno));
		goto out;
	}
	if (r->progress) {
		tick = event_new(d.base, -1, EV_PERSIST, tick_cb, &d);
		event_add(tick, &every);
	}
	d.fetch = fetch_new(d.base, err);
	if (!d.fetch || get(&d, url, CMD_SOURCE_MAX_BYTES, err) != 0)
		goto out;
	result = say_answer(url, &d.result, err);
	r->cut = d.result.end == FETCH_CUT;
	if (result == 0 && d.keeping) {
		ask_symbols(&d, url, symbols);
		let_go(&d);
	}
out:
	buf_release(&d.kept);
	fetch_free(d.fetch);
	if (tick)
		event_free(tick);
	if (d.base)
		event_base_free(d.base);
	free(url);
	return result;
}

/* ---- all of them ------------------------------------------------------------------------------
 */
int cmd_source_read(const char *source, uint64_t began_ms, struct gdump *g, struct symbols *symbols,
	struct buf *mended, struct err *err)
{
	struct reader r;
	int result, code = CMD_IO;
	bool cut;

	begin_reading(&r, source, began_ms, g);
	result = is_url(source) ? read_url(&r, symbols, err) : read_file(&r, err);
	cut = mend_finish(r.m, err) != 0;
	if (cut || r.cut)
		gdump_cut(g);
	if (r.told_ms > 0)
		fputs("\r\x1b[K", stderr);
	if (result == 0 && gdump_finish(g, cut ? NULL : err) == 0)
		code = CMD_OK;
	else if (result == 0)
		code = CMD_DATA;
	if (code == CMD_DATA)
		err_wrap(err, "%s", strcmp(source, "-") == 0 ? "standard input" : source);
	if (mended)
		mend_words(mend_done(r.m), mended);
	mend_free(r.m);
	return code;
}

void cmd_source_warn(char **argv, const char *source, const struct gdump_stats *s)
{
	struct err e;

	if (s->truncated) {
		err_set(&e, "%s: the dump is cut off; %llu goroutine%s could be read", source,
			(unsigned long long)s->parsed, s->parsed == 1 ? "" : "s");
		cmd_error(CMD_OK, argv, &e);
	} else if (s->lost > 0) {
		err_set(&e, "%s: %llu goroutine%s could not be read", source,
			(unsigned long long)s->lost, s->lost == 1 ? "" : "s");
		cmd_error(CMD_OK, argv, &e);
	}
	if (s->first_bad_line > 0) {
		err_set(&e, "%s: line %u: %s%s", source, s->first_bad_line, s->first_bad,
			s->bad_lines > 1 ? ", and others like it" : "");
		cmd_error(CMD_OK, argv, &e);
	}
}

int cmd_source_rules(
	char **argv, const char *file, struct config **config, struct classifier **classifier)
{
	struct config_errors errs;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;
	int code = CMD_OK;

	*classifier = NULL;
	config_errors_init(&errs);
	*config = file ? config_load(file, &errs) : config_default();
	config_errors_text(&errs, file ? file : "", &text);
	fputs(text.p, stderr);
	if (!*config)
		code = errs.unreadable ? CMD_IO : CMD_FAILED;
	else if (!(*classifier = classifier_new((*config)->rules, (*config)->nrules, &err)))
		code = cmd_error(CMD_FAILED, argv, &err);
	buf_release(&text);
	config_errors_release(&errs);
	if (code != CMD_OK) {
		config_free(*config);
		*config = NULL;
	}
	return code;
}
