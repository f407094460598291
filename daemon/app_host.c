/* Looks at this host are made on a thread of their own: /proc and cgroups may stall. */
#include "app_host.h"
#include "pipeline_host.h"
#include "worker.h"
#include "xalloc.h"

#include <stdlib.h>

#define LOOKS_MAX 1024 /* waiting; further targets are looked at in their next cycle */
#define STOP_MS	  500

struct job {
	struct app *app;
	struct look *look;
};

static void work_cb(void *arg, struct worker *w)
{
	(void)w;
	look_run(((struct job *)arg)->look);
}

static void done_cb(void *arg, bool ran)
{
	struct job *j = arg;

	pipeline_looked(j->app->pipeline, j->look, ran);
	free(j);
}

bool app_look(void *arg, struct look *l)
{
	struct app *a = arg;
	struct worker_job work = {.work = work_cb, .done = done_cb};
	struct job *j;

	if (a->stopping || !a->looks)
		return false;
	work.arg = j = xcalloc(1, sizeof(*j));
	*j = (struct job){.app = a, .look = l};
	if (worker_submit(a->looks, &work))
		return true;
	free(j);
	return false;
}

int app_looks_start(struct app *a, struct err *err)
{
	a->looks = worker_new(a->base, "looks", LOOKS_MAX, err);
	return a->looks ? 0 : -1;
}

void app_looks_stop(struct app *a)
{
	worker_free(a->looks, STOP_MS);
	a->looks = NULL;
}
