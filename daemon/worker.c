#include "worker.h"

#include "xalloc.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct item {
	struct item *next;
	struct worker_job job;
	bool ran;
};

struct list {
	struct item *first, **tail;
};

struct worker {
	struct event *event; /* something is finished */
	int fd;
	size_t max;
	bool started;
	bool abandoned; /* by worker_free: the thread frees all this when it ends */
	atomic_bool stopping;
	pthread_t thread;
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake;
	struct list queue, finished;
	struct item *running;
	size_t depth; /* queued and running */
};

static void list_init(struct list *l)
{
	l->first = NULL;
	l->tail = &l->first;
}

static void append(struct list *l, struct item *it)
{
	it->next = NULL;
	*l->tail = it;
	l->tail = &it->next;
}

static struct item *take_first(struct list *l)
{
	struct item *it = l->first;

	if (it) {
		l->first = it->next;
		if (!l->first)
			l->tail = &l->first;
	}
	return it;
}

static void release(struct worker *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->running);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* ---- the thread ------------------------------------------------------------------------------ */

static void finish(struct worker *w)
{
	uint64_t one = 1;
	ssize_t n;

	w->running->ran = true;
	append(&w->finished, w->running);
	w->running = NULL;
	w->depth--;
	n = write(w->fd, &one, sizeof(one));
	(void)n; /* EAGAIN: the counter is full, so the loop will come */
}

static void *run(void *arg)
{
	struct worker *w = arg;
	bool abandoned;

	pthread_mutex_lock(&w->lock);
	while (!w->stopping) {
		w->running = take_first(&w->queue);
		if (!w->running) {
			pthread_cond_wait(&w->wake, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		w->running->job.work(w->running->job.arg, w);
		pthread_mutex_lock(&w->lock);
		if (!w->abandoned)
			finish(w);
	}
	abandoned = w->abandoned;
	pthread_mutex_unlock(&w->lock);
	if (abandoned)
		release(w);
	return NULL;
}

/* ---- the loop -------------------------------------------------------------------------------- */

/* Tells the ends; done may submit again, and is called without the lock. */
static void deliver(struct worker *w)
{
	struct item *it;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		it = take_first(&w->finished);
		pthread_mutex_unlock(&w->lock);
		if (!it)
			break;
		it->job.done(it->job.arg, it->ran);
		free(it);
	}
}

static void finished_cb(evutil_socket_t fd, short what, void *arg)
{
	uint64_t n;
	ssize_t got = read(fd, &n, sizeof(n));

	(void)what;
	if (got == (ssize_t)sizeof(n))
		deliver(arg);
}

static int start_thread(struct worker *w, const char *name, struct err *err)
{
	sigset_t all, before;
	int rc;

	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return err_set(err, "cannot start the thread \"%s\": %s", name, strerror(rc));
	pthread_setname_np(w->thread, name);
	w->started = true;
	return 0;
}

struct worker *worker_new(struct event_base *base, const char *name, size_t max, struct err *err)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->max = max;
	list_init(&w->queue);
	list_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->wake, NULL);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0)
		err_set(err, "cannot make an eventfd: %s", strerror(errno));
	else if (!(w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, finished_cb, w)) ||
		 event_add(w->event, NULL) < 0)
		err_set(err, "cannot watch the eventfd of the thread \"%s\"", name);
	else if (start_thread(w, name, err) == 0)
		return w;
	worker_free(w, 0);
	return NULL;
}

bool worker_submit(struct worker *w, const struct worker_job *job)
{
	struct item *it;
	bool room;

	pthread_mutex_lock(&w->lock);
	room = w->depth < w->max && !w->stopping;
	if (room) {
		it = xcalloc(1, sizeof(*it));
		it->job = *job;
		append(&w->queue, it);
		w->depth++;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
	return room;
}

/* False when the thread did not end in time. */
static bool join(struct worker *w, int wait_ms)
{
	struct timespec until;

	pthread_mutex_lock(&w->lock);
	w->stopping = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += wait_ms / 1000;
	until.tv_nsec += (long)(wait_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	return pthread_timedjoin_np(w->thread, NULL, &until) == 0;
}

/* A job that ended just now is told as the others are; one that hangs has the thread and w. */
static bool abandon(struct worker *w)
{
	bool hangs;

	pthread_mutex_lock(&w->lock);
	hangs = w->abandoned = w->running != NULL;
	pthread_mutex_unlock(&w->lock);
	if (hangs)
		pthread_detach(w->thread);
	else
		pthread_join(w->thread, NULL);
	return hangs;
}

void worker_free(struct worker *w, int wait_ms)
{
	struct list queued;
	struct item *it;
	bool hangs;

	if (!w)
		return;
	if (w->event)
		event_free(w->event);
	hangs = w->started && !join(w, wait_ms);
	deliver(w);
	pthread_mutex_lock(&w->lock);
	queued = w->queue;
	list_init(&w->queue);
	pthread_mutex_unlock(&w->lock);
	while ((it = take_first(&queued))) {
		it->job.done(it->job.arg, false);
		free(it);
	}
	hangs = hangs && abandon(w);
	if (hangs)
		return;
	deliver(w);
	release(w);
}

bool worker_is_stopping(struct worker *w)
{
	return w->stopping;
}

size_t worker_depth(struct worker *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->depth;
	pthread_mutex_unlock(&w->lock);
	return n;
}
