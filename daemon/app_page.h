/*
 * app_page: one page on its way from a request to an answer.  Level 4; for app_page*.c only.
 *
 * app_page.c is the loop's part: requests in, answers out.  app_page_make.c is the thread's: it
 * reads what the page shows and makes it, and touches nothing but the job.
 */
#ifndef LEAKWATCH_APP_PAGE_H
#define LEAKWATCH_APP_PAGE_H

#include "app_internal.h"
#include "cmd_db.h"
#include "page.h"
#include "worker.h"

#define PAGE_ID_MAX 64

enum app_page_what { PAGE_OVERVIEW, PAGE_TARGET, PAGE_SERIES, PAGE_ALERT };

struct page_job {
	struct app *app;
	uint64_t token;
	enum app_page_what what;
	char id[PAGE_ID_MAX];
	const struct page_range *range;
	struct buf match;
	char *path; /* of the store */
	char host[256];
	int64_t now_ms;
	/* on the thread */
	struct worker *worker;
	struct cmd_db db;
	uint64_t until_mono_ms;
	/* the answer */
	int status;
	struct buf body;
};

/* On the thread: opens the store read-only, within a few seconds fills body and status. */
void app_page_make(void *job, struct worker *w);

#endif
