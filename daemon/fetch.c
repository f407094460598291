#include "clock.h"
#include "fetch_job.h"
#include "xalloc.h"

#include <event2/event.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define IDLE_CONNECTIONS_MAX 2000 /* kept alive over all hosts; the oldest goes first */

/* One socket that curl wants watched. */
struct watch {
	struct fetch *fetch;
	struct watch *prev, *next;
	struct event *event;
};

struct fetch {
	struct event_base *base;
	CURLM *multi;
	struct event *timer;
	struct watch *watches;
	struct fetch_job *jobs; /* all of them */
	size_t active;
	bool inside; /* curl_multi_socket_action is on the call stack: jobs come and go after it */
	bool unsettled; /* some did */
};

static void after_curl(struct fetch *f);

/* ---- curl on libevent ------------------------------------------------------------------------ */

static void drive(struct fetch *f, curl_socket_t fd, int what)
{
	int running;

	f->inside = true;
	curl_multi_socket_action(f->multi, fd, what, &running);
	f->inside = false;
	after_curl(f);
}

static void socket_event_cb(evutil_socket_t fd, short what, void *arg)
{
	struct watch *w = arg;

	drive(w->fetch, fd,
		(what & EV_READ ? CURL_CSELECT_IN : 0) | (what & EV_WRITE ? CURL_CSELECT_OUT : 0));
}

static void timer_event_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

/* A timeout of 0 means now, but not from within this call: the timer fires on the loop's next turn.
 */
static int set_timer_cb(CURLM *multi, long timeout_ms, void *arg)
{
	struct timeval tv = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
	struct fetch *f = arg;

	(void)multi;
	if (timeout_ms < 0)
		evtimer_del(f->timer);
	else
		evtimer_add(f->timer, &tv);
	return 0;
}

static void free_watch(struct watch *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		w->fetch->watches = w->next;
	if (w->next)
		w->next->prev = w->prev;
	event_free(w->event);
	free(w);
}

static struct watch *new_watch(struct fetch *f)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->fetch = f;
	w->next = f->watches;
	if (w->next)
		w->next->prev = w;
	f->watches = w;
	return w;
}

static int watch_socket_cb(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct watch *w = socket_arg;
	struct fetch *f = arg;
	short events = EV_PERSIST;

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		if (w) { /* curl also removes sockets that it never announced */
			free_watch(w);
			curl_multi_assign(f->multi, fd, NULL);
		}
		return 0;
	}
	events |= what & CURL_POLL_IN ? EV_READ : 0;
	events |= what & CURL_POLL_OUT ? EV_WRITE : 0;
	if (w) {
		event_free(w->event);
	} else {
		w = new_watch(f);
		curl_multi_assign(f->multi, fd, w);
	}
	w->event = event_new(f->base, fd, events, socket_event_cb, w);
	event_add(w->event, NULL);
	return 0;
}

/* ---- answers --------------------------------------------------------------------------------- */

static size_t header_cb(char *p, size_t size, size_t n, void *arg)
{
	static const char retry_after[] = "retry-after:";
	struct fetch_job *job = arg;

	n *= size;
	job->header_bytes += n;
	if (job->header_bytes > FETCH_HEADERS_MAX) {
		job->headers_too_large = true;
		return 0;
	}
	if (n >= sizeof(retry_after) - 1 &&
		strncasecmp(p, retry_after, sizeof(retry_after) - 1) == 0)
		job->retry_after_seen = true;
	return n;
}

/* Bytes come decoded: this is the place where a limit holds for every kind of body. */
static size_t body_cb(char *p, size_t size, size_t n, void *arg)
{
	struct fetch_job *job = arg;
	long status = 0;

	n *= size;
	if (job->cancelled)
		return 0;
	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	if ((status < 200 || status > 299) && !job->any_status) {
		job->unwanted_bytes += n;
		job->enough = job->unwanted_bytes > FETCH_ERROR_BODY_MAX;
		return job->enough ? 0 : n;
	}
	if (job->result.bytes + n > job->max_bytes) {
		job->too_large = true;
		return 0;
	}
	job->result.bytes += n;
	if (job->on_body && !job->on_body(job->arg, p, n)) {
		job->stopped = true;
		return 0;
	}
	return n;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

static void free_job(struct fetch_job *job)
{
	struct fetch *f = job->fetch;

	if (job->added)
		curl_multi_remove_handle(f->multi, job->easy);
	if (job->prev)
		job->prev->next = job->next;
	else
		f->jobs = job->next;
	if (job->next)
		job->next->prev = job->prev;
	f->active--;
	curl_easy_cleanup(job->easy);
	curl_slist_free_all(job->headers);
	curl_slist_free_all(job->connect_to);
	free(job);
}

static void refuse_redirect(struct fetch_job *job, const char *fmt, const char *where)
{
	job->result.end = FETCH_REDIRECT;
	snprintf(job->result.why, sizeof(job->result.why), fmt, where);
}

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/*
 * Follows a redirect if it may be: true when the job goes on.  Here and not in libcurl, which would
 * follow it to other hosts too.
 */
static bool follow(struct fetch_job *job)
{
	char *from = NULL, *to = NULL, where[120];
	uint64_t now = clock_mono_ms();
	long left_ms;

	if (!is_redirect(job->result.status))
		return false;
	curl_easy_getinfo(job->easy, CURLINFO_EFFECTIVE_URL, &from);
	curl_easy_getinfo(job->easy, CURLINFO_REDIRECT_URL, &to);
	if (!from || !to)
		return false;
	if (!fetch_same_origin(from, to, where, sizeof(where))) {
		refuse_redirect(job,
			"sends us on to %s, another scheme, host or port: set the address to that "
			"if it is right",
			where);
		return false;
	}
	if (!job->get && job->result.status < 307) {
		refuse_redirect(job, "sends us on to %s: set the address to that", where);
		return false;
	}
	if (++job->redirects > FETCH_REDIRECTS_MAX) {
		refuse_redirect(job, "sends us on more than 5 times, last to %s", where);
		return false;
	}
	left_ms = job->deadline_mono_ms > now ? (long)(job->deadline_mono_ms - now) : 1;
	curl_multi_remove_handle(job->fetch->multi, job->easy);
	curl_easy_setopt(job->easy, CURLOPT_URL, to);
	curl_easy_setopt(job->easy, CURLOPT_TIMEOUT_MS, left_ms);
	job->earlier_ms = job->result.took_ms;
	job->header_bytes = job->unwanted_bytes = 0;
	job->enough = job->retry_after_seen = false;
	job->result.bytes = 0;
	job->error[0] = '\0';
	job->added = curl_multi_add_handle(job->fetch->multi, job->easy) == CURLM_OK;
	return job->added;
}

static void finish(struct fetch_job *job, CURLcode code)
{
	void (*on_done)(void *, const struct fetch_result *) = job->on_done;
	struct fetch_result result;
	void *arg = job->arg;

	fetch_conclude(job, code);
	if (job->result.end == FETCH_OK && follow(job))
		return;
	result = job->result;
	free_job(job);
	if (on_done)
		on_done(arg, &result);
}

static void settle_jobs(struct fetch *f)
{
	struct fetch_job *job, *next;

	if (!f->unsettled)
		return;
	f->unsettled = false;
	for (job = f->jobs; job; job = next) {
		next = job->next;
		if (job->cancelled)
			free_job(job);
		else if (!job->added)
			job->added = curl_multi_add_handle(f->multi, job->easy) == CURLM_OK;
	}
}

/* What came up while curl was on the stack: jobs begun or cancelled there, transfers that ended. */
static void after_curl(struct fetch *f)
{
	struct fetch_job *job;
	CURLMsg *msg;
	char *private;
	int left;

	settle_jobs(f);
	while ((msg = curl_multi_info_read(f->multi, &left))) {
		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &private);
		job = (struct fetch_job *)(void *)private;
		finish(job, msg->data.result);
	}
}

static struct fetch_job *new_job(struct fetch *f, const struct fetch_request *req)
{
	struct fetch_job *job = xcalloc(1, sizeof(*job));

	job->fetch = f;
	job->on_body = req->on_body;
	job->on_done = req->on_done;
	job->arg = req->arg;
	job->any_status = req->any_status;
	job->max_bytes = req->max_bytes;
	job->timeout_ms = req->timeout_ms;
	job->deadline_mono_ms = clock_mono_ms() + req->timeout_ms;
	job->result.retry_after_s = NAN;
	job->next = f->jobs;
	if (job->next)
		job->next->prev = job;
	f->jobs = job;
	f->active++;
	return job;
}

struct fetch_job *fetch_start(struct fetch *f, const struct fetch_request *req, struct err *err)
{
	struct fetch_job *job = new_job(f, req);

	job->easy = curl_easy_init();
	if (!job->easy) {
		err_set(err, "libcurl gives no handle");
		goto fail;
	}
	if (fetch_setup(job, req, err) < 0)
		goto fail;
	curl_easy_setopt(job->easy, CURLOPT_PRIVATE, job);
	curl_easy_setopt(job->easy, CURLOPT_WRITEFUNCTION, body_cb);
	curl_easy_setopt(job->easy, CURLOPT_WRITEDATA, job);
	curl_easy_setopt(job->easy, CURLOPT_HEADERFUNCTION, header_cb);
	curl_easy_setopt(job->easy, CURLOPT_HEADERDATA, job);
	if (f->inside) {
		f->unsettled = true;
		return job;
	}
	job->added = curl_multi_add_handle(f->multi, job->easy) == CURLM_OK;
	if (job->added)
		return job;
	err_set(err, "libcurl does not take the request");
fail:
	free_job(job);
	return NULL;
}

void fetch_cancel(struct fetch_job *job)
{
	if (job->fetch->inside)
		job->cancelled = job->fetch->unsettled = true;
	else
		free_job(job);
}

size_t fetch_active(const struct fetch *f)
{
	return f->active;
}

struct fetch *fetch_new(struct event_base *base, struct err *err)
{
	struct fetch *f;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		err_set(err, "cannot start libcurl");
		return NULL;
	}
	f = xcalloc(1, sizeof(*f));
	f->base = base;
	f->multi = curl_multi_init();
	f->timer = evtimer_new(base, timer_event_cb, f);
	if (!f->multi || !f->timer) {
		err_set(err, "cannot start libcurl on the event loop");
		fetch_free(f);
		return NULL;
	}
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETFUNCTION, watch_socket_cb);
	curl_multi_setopt(f->multi, CURLMOPT_SOCKETDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERFUNCTION, set_timer_cb);
	curl_multi_setopt(f->multi, CURLMOPT_TIMERDATA, f);
	curl_multi_setopt(f->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS_MAX);
	return f;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	while (f->jobs)
		free_job(f->jobs);
	curl_multi_cleanup(f->multi);
	while (f->watches)
		free_watch(f->watches);
	if (f->timer)
		event_free(f->timer);
	free(f);
	curl_global_cleanup();
}
