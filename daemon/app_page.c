/*
 * The pages on web.listen_address: a request becomes a job for a thread of its own, and the answer
 * goes out when the loop hears of the end.  A page sees what a command would see.
 */
#include "app_page.h"
#include "clock.h"
#include "status.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGES_MAX 16 /* that wait or are made */
#define STOP_MS	  1000 /* that a stop waits for the page under way */
#define MATCH_MAX 200

static void free_job(struct page_job *j)
{
	buf_release(&j->match);
	buf_release(&j->body);
	free(j->path);
	free(j);
}

/* ---- on the loop ----------------------------------------------------------------------------- */

static void done_cb(void *arg, bool ran)
{
	struct page_job *j = arg;
	struct status_answer answer = {
		.status = j->status, .type = "text/html; charset=utf-8", .body = j->body};

	if (ran && j->app->status) {
		j->body = (struct buf)BUF_INIT;
		status_finish(j->app->status, j->token, &answer);
	}
	free_job(j);
}

/* "/alerts/ID" as what and ID. */
static bool route(struct str path, enum app_page_what *what, char *id)
{
	static const struct {
		const char *prefix;
		enum app_page_what what;
	} routes[] = {
		{"/targets/", PAGE_TARGET}, {"/series/", PAGE_SERIES}, {"/alerts/", PAGE_ALERT}};

	id[0] = '\0';
	*what = PAGE_OVERVIEW;
	if (str_is(path, "/"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
		struct str prefix = str_of(routes[i].prefix);

		if (!str_starts(path, prefix) || path.len - prefix.len >= PAGE_ID_MAX ||
			path.len == prefix.len)
			continue;
		*what = routes[i].what;
		snprintf(id, PAGE_ID_MAX, "%.*s", STR_ARG(str_from(path, prefix.len)));
		return true;
	}
	return false;
}

bool app_page(struct app *a, const struct status_request *req, struct status_answer *out)
{
	struct worker_job work = {.work = app_page_make, .done = done_cb};
	struct buf range = BUF_INIT;
	enum app_page_what what;
	char id[PAGE_ID_MAX];
	struct page_job *j;

	if (!route(req->path, &what, id))
		return false;
	j = xcalloc(1, sizeof(*j));
	j->app = a;
	j->token = out->token;
	j->what = what;
	memcpy(j->id, id, sizeof(id));
	j->status = 200;
	buf_init(&j->match);
	buf_init(&j->body);
	status_query(req->query, "range", &range);
	j->range = page_range_of(buf_str(&range));
	buf_release(&range);
	status_query(req->query, "q", &j->match);
	if (j->match.len > MATCH_MAX)
		buf_reset(&j->match);
	j->path = str_dup(a->config->storage_path);
	if (gethostname(j->host, sizeof(j->host) - 1))
		j->host[0] = '\0';
	j->now_ms = clock_wall_ms();
	work.arg = j;
	out->later = a->pages && worker_submit(a->pages, &work);
	if (!out->later) {
		out->status = 503;
		buf_adds(&out->body, "too many pages are being made; try again\n");
		free_job(j);
	}
	return true;
}

int app_page_start(struct app *a, struct err *err)
{
	a->pages = worker_new(a->base, "pages", PAGES_MAX, err);
	return a->pages ? 0 : -1;
}

void app_page_stop(struct app *a)
{
	worker_free(a->pages, STOP_MS);
	a->pages = NULL;
}
