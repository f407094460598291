#include "writer.h"
#include "clock.h"
#include "store_space.h"
#include "store_wal.h"
#include "writer_house.h"
#include "writer_move.h"
#include "xalloc.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define MAX_BATCHES    4096
#define MAX_BYTES      ((size_t)32 * 1024 * 1024)
#define MAX_WAL_BYTES  (256ll * 1024 * 1024)
#define MIN_WAL_BYTES  (32ll * 1024 * 1024) /* twice what the store keeps of it */
#define WAIT_WAL_BYTES (64ll * 1024 * 1024) /* a transaction waits for the log to be moved */
#define WAIT_WAL_MS    1000
#define GROUP_BATCHES  64 /* applied as one transaction when they pile up */
#define GROUP_BYTES    ((size_t)4 * 1024 * 1024)
#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  10000
#define HOUSE_EVERY_MS 10000
#define HOUSE_OVER_MS  500 /* while the write-ahead log is over its bound */
#define HOUSE_AGAIN_MS 100 /* when there is more to do */
#define STOP_GRACE_MS  200 /* for the thread to end after its deadline */

struct item {
	struct item *next;
	struct store_batch *batch;
	size_t bytes;
	writer_done_cb *done;
	void *arg;
	bool ok;
	char *why; /* NULL: nothing to say */
};

struct list {
	struct item *first, **tail;
};

struct writer {
	struct writer_config config;
	struct event *event; /* something is finished, or the state changed */
	int fd;
	pthread_t thread;
	bool joined;
	bool told_ok; /* what on_state last said; loop thread only */

	pthread_mutex_t lock; /* guards all below but store */
	pthread_cond_t wake; /* the thread: something to do */
	pthread_cond_t ended_cond; /* writer_stop: the thread has ended */
	struct list queue, work, finished; /* waiting, in the transaction under way, to be told */
	bool stopping, ended;
	bool hung; /* a stop gave the thread up: work is its own, and has had its answers */
	uint64_t stop_at_ms;
	struct writer_stats stats;
	char why[ERR_MAX]; /* why stats.ok is false */

	struct store *store; /* the thread's own while it runs, as is the next */
	struct house house;
	struct mover *mover;
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

/* ---- the thread ------------------------------------------------------------ */

/* Waits, with the lock held, until something happens or mono_ms has come. */
static void wait_until(struct writer *w, uint64_t mono_ms)
{
	struct timespec at = {
		.tv_sec = (time_t)(mono_ms / 1000), .tv_nsec = (long)(mono_ms % 1000) * 1000000};

	pthread_cond_timedwait(&w->wake, &w->lock, &at);
}

/* One byte in the counter is enough however often; the loop looks at everything when it comes. */
static void wake_loop(struct writer *w)
{
	uint64_t one = 1;
	ssize_t n = write(w->fd, &one, sizeof(one));

	(void)n; /* EAGAIN: the counter is full, so the loop will come */
}

static void take_group(struct writer *w)
{
	size_t n = 0, bytes = 0;
	struct item *it;

	while ((it = w->queue.first) && n < GROUP_BATCHES && (n == 0 || bytes < GROUP_BYTES)) {
		bytes += it->bytes;
		n++;
		append(&w->work, take_first(&w->queue));
	}
}

static void set_state(struct writer *w, bool ok, const char *why)
{
	if (w->stats.ok == ok && strcmp(w->why, why) == 0)
		return;
	w->stats.ok = ok;
	snprintf(w->why, sizeof(w->why), "%s", why);
	wake_loop(w);
}

/* Without the lock: one transaction with everything in work, or with `only`. */
static int apply(struct writer *w, struct item *only, struct err *err)
{
	struct store_batch *v[GROUP_BATCHES];
	uint64_t start = clock_mono_ms();
	int64_t wal_bytes;
	size_t n = 0;
	double took;
	int rc;

	if (only)
		v[n++] = only->batch;
	else
		for (struct item *it = w->work.first; it; it = it->next)
			v[n++] = it->batch;
	/* It grows when moving it is slower than what is written: then it has to begin anew. */
	if (w->stats.wal_bytes > WAIT_WAL_BYTES)
		mover_catch_up(w->mover, WAIT_WAL_MS);
	rc = store_apply(w->store, v, n, (int64_t)start, err);
	mover_offer(w->mover);
	took = (double)(clock_mono_ms() - start);
	wal_bytes = store_wal_bytes(w->store);
	pthread_mutex_lock(&w->lock);
	w->stats.last_ms = took;
	w->stats.longest_ms = MAX(w->stats.longest_ms, took);
	w->stats.wal_bytes = wal_bytes;
	w->stats.transactions += rc == 0;
	w->stats.errors += rc < 0 && store_should_retry(w->store);
	pthread_mutex_unlock(&w->lock);
	return rc;
}

/* The first of work is done with. */
static void finish_first(struct writer *w, bool ok, const char *why)
{
	struct item *it;

	pthread_mutex_lock(&w->lock);
	it = take_first(&w->work);
	it->ok = ok;
	it->why = why[0] ? xstrdup(why) : NULL;
	if (w->hung)
		it->done = NULL;
	w->stats.depth--;
	w->stats.bytes -= it->bytes;
	w->stats.applied += ok;
	w->stats.refused += why[0] != '\0';
	append(&w->finished, it);
	pthread_mutex_unlock(&w->lock);
}

/*
 * The store refused the group for what is in it: one by one then, and of a batch that is refused by
 * itself the rows that depend on nothing.  -1 with err when the disk fails meanwhile.
 */
static int apply_one_by_one(struct writer *w, struct err *err)
{
	struct err why, again;

	while (w->work.first) {
		struct item *it = w->work.first;

		if (apply(w, it, &why) == 0) {
			finish_first(w, true, "");
			continue;
		}
		if (store_should_retry(w->store)) {
			*err = why;
			return -1;
		}
		store_batch_keep_durable(it->batch);
		if (apply(w, it, &again) == 0) {
			finish_first(w, !store_batch_empty(it->batch), why.msg);
		} else if (store_should_retry(w->store)) {
			*err = again;
			return -1;
		} else {
			finish_first(w, false, again.msg);
		}
	}
	return 0;
}

/* Applies work; -1 with err when the disk failed and the rest of it is to be tried again. */
static int write_group(struct writer *w, struct err *err)
{
	if (apply(w, NULL, err) == 0) {
		while (w->work.first)
			finish_first(w, true, "");
		return 0;
	}
	return store_should_retry(w->store) ? -1 : apply_one_by_one(w, err);
}

static bool out_of_time(const struct writer *w)
{
	return w->stopping && clock_mono_ms() >= w->stop_at_ms;
}

static bool wal_is_over(const struct writer *w)
{
	return w->stats.wal_bytes > w->config.max_wal_bytes;
}

/* With the lock held. */
static void copy_house(struct writer *w)
{
	w->stats.folded = w->house.folded;
	w->stats.pruned = w->house.pruned;
	w->stats.longest_bite_ms = w->house.longest_bite_ms;
	w->stats.used_bytes = w->house.used_bytes;
	w->stats.free_bytes = w->house.free_bytes;
	w->stats.room = w->house.room;
	w->stats.damaged = w->house.damage[0] && strcmp(w->house.why, w->house.damage) == 0;
}

/* A batch has come while the house is kept. */
static bool wanted(void *arg)
{
	struct writer *w = arg;
	bool yes;

	pthread_mutex_lock(&w->lock);
	yes = w->queue.first || w->stopping;
	pthread_mutex_unlock(&w->lock);
	return yes;
}

/* What is done in idle time, without the lock: when it is due again, in milliseconds. */
static uint64_t keep_house(struct writer *w, bool over)
{
	int64_t wal_bytes;
	bool again;

	if (over && mover_wait(w->mover, WAIT_WAL_MS)) {
		store_cut_wal(w->store);
		wal_bytes = store_wal_bytes(w->store);
		pthread_mutex_lock(&w->lock);
		w->stats.wal_bytes = wal_bytes;
		pthread_mutex_unlock(&w->lock);
	}
	again = house_keep(&w->house, clock_wall_ms());
	pthread_mutex_lock(&w->lock);
	copy_house(w);
	set_state(w, w->house.why[0] == '\0', w->house.why);
	pthread_mutex_unlock(&w->lock);
	return again ? HOUSE_AGAIN_MS : HOUSE_EVERY_MS;
}

/* Waits for work with the lock held.  False: it is time to end. */
static bool wait_for_work(struct writer *w, uint64_t *house_at)
{
	bool over;

	while (!w->queue.first && !w->stopping) {
		over = wal_is_over(w);
		if (over || !w->stats.room)
			*house_at = MIN(*house_at, clock_mono_ms() + HOUSE_OVER_MS);
		if (clock_mono_ms() < *house_at) {
			wait_until(w, *house_at);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		*house_at = clock_mono_ms() + keep_house(w, over);
		pthread_mutex_lock(&w->lock);
	}
	return w->queue.first != NULL;
}

/* Waits before the next try, with the lock held. */
static void wait_to_retry(struct writer *w, uint64_t *delay_ms)
{
	uint64_t until = clock_mono_ms() + (w->stopping ? RETRY_FIRST_MS : *delay_ms);

	*delay_ms = MIN(*delay_ms * 2, (uint64_t)RETRY_LAST_MS);
	while (clock_mono_ms() < until && !out_of_time(w)) {
		wait_until(w, w->stopping ? MIN(until, w->stop_at_ms) : until);
		if (w->stopping)
			until = MIN(until, clock_mono_ms() + RETRY_FIRST_MS);
	}
}

static void *run(void *arg)
{
	uint64_t house_at = clock_mono_ms(), delay_ms = RETRY_FIRST_MS;
	struct writer *w = arg;
	struct err err;
	int rc;

	pthread_mutex_lock(&w->lock);
	while (!out_of_time(w) && (w->work.first || wait_for_work(w, &house_at))) {
		if (!w->work.first)
			take_group(w);
		pthread_mutex_unlock(&w->lock);
		rc = write_group(w, &err);
		pthread_mutex_lock(&w->lock);
		if (rc < 0 && store_was_full(w->store) && house_disk_is_full(&w->house))
			delay_ms = RETRY_FIRST_MS;
		copy_house(w);
		set_state(w, rc == 0 && !w->house.why[0], rc == 0 ? w->house.why : err.msg);
		wake_loop(w);
		if (rc == 0)
			delay_ms = RETRY_FIRST_MS;
		else
			wait_to_retry(w, &delay_ms);
	}
	w->ended = true;
	pthread_cond_signal(&w->ended_cond);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* ---- the loop side --------------------------------------------------------- */

/* Tells what is finished.  done may submit again, and is called without the lock. */
static void deliver(struct writer *w)
{
	struct item *it;
	char why[ERR_MAX];
	bool ok;

	for (;;) {
		pthread_mutex_lock(&w->lock);
		it = take_first(&w->finished);
		ok = w->stats.ok;
		memcpy(why, w->why, sizeof(why));
		pthread_mutex_unlock(&w->lock);
		if (!it)
			break;
		store_batch_free(it->batch);
		if (it->done)
			it->done(it->arg, it->ok, it->why ? it->why : "");
		free(it->why);
		free(it);
	}
	if (ok != w->told_ok) {
		w->told_ok = ok;
		if (w->config.on_state)
			w->config.on_state(w->config.arg, ok, why);
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

static int start_thread(struct writer *w, struct err *err)
{
	sigset_t all, before;
	int rc;

	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&w->thread, NULL, run, w);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc ? err_set(err, "cannot start the writer's thread: %s", strerror(rc)) : 0;
}

struct writer *writer_new(struct event_base *base, struct store *store,
	const struct writer_config *config, struct err *err)
{
	struct writer *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;

	w->config = *config;
	if (!w->config.max_batches)
		w->config.max_batches = MAX_BATCHES;
	if (!w->config.max_bytes)
		w->config.max_bytes = MAX_BYTES;
	if (!w->config.max_wal_bytes)
		w->config.max_wal_bytes = MAX_WAL_BYTES;
	w->config.max_wal_bytes = MAX(w->config.max_wal_bytes, MIN_WAL_BYTES);
	w->store = store;
	house_init(&w->house, store);
	w->house.keep = config->keep;
	w->house.max_size = config->max_size;
	w->house.min_free = config->min_free;
	w->house.wanted = wanted;
	w->house.wanted_arg = w;
	w->told_ok = w->stats.ok = w->stats.room = true;
	w->joined = true;
	list_init(&w->queue);
	list_init(&w->work);
	list_init(&w->finished);
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->ended_cond, &attr);
	pthread_condattr_destroy(&attr);
	w->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (w->fd < 0) {
		err_set(err, "cannot make an eventfd: %s", strerror(errno));
		goto failed;
	}
	w->event = event_new(base, w->fd, EV_READ | EV_PERSIST, finished_cb, w);
	if (!w->event || event_add(w->event, NULL) < 0) {
		err_set(err, "cannot watch the writer's eventfd");
		goto failed;
	}
	w->mover = w->house.mover = mover_new(store, 0, err);
	if (!w->mover || start_thread(w, err) < 0)
		goto failed;
	w->joined = false;
	return w;
failed:
	writer_free(w);
	return NULL;
}

bool writer_submit(struct writer *w, struct store_batch *b, writer_done_cb *done, void *arg)
{
	struct item *it = xcalloc(1, sizeof(*it));
	bool over, complete = true;
	size_t values;

	it->batch = b;
	it->bytes = store_batch_bytes(b);
	it->done = done;
	it->arg = arg;
	pthread_mutex_lock(&w->lock);
	over = w->stats.depth >= w->config.max_batches ||
	       w->stats.bytes + it->bytes > w->config.max_bytes || wal_is_over(w) || !w->stats.room;
	if (over) {
		values = store_batch_drop_samples(b);
		w->stats.dropped_values += values;
		complete = values == 0;
		it->bytes = store_batch_bytes(b);
	}
	if (over && store_batch_empty(b)) {
		/* Nothing is left to write: its answer does not wait, or a disk that is dead for a
		 * day would fill the memory with empty batches. */
		it->ok = true;
		append(&w->finished, it);
		wake_loop(w);
		pthread_mutex_unlock(&w->lock);
		return complete;
	}
	append(&w->queue, it);
	w->stats.depth++;
	w->stats.bytes += it->bytes;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
	return complete;
}

static void drop_all(struct list *l)
{
	struct item *it;

	while ((it = take_first(l))) {
		store_batch_free(it->batch);
		free(it);
	}
}

static void answer(struct writer *w, const struct item *it)
{
	struct item *told = xcalloc(1, sizeof(*told));

	told->done = it->done;
	told->arg = it->arg;
	told->why = xasprintf("not written before the stop%s%s", w->why[0] ? ": " : "", w->why);
	append(&w->finished, told);
}

/*
 * What is left gets its answer; with the lock held.  A thread that has not ended hangs in the disk
 * and cannot be interrupted: the batches it is at stay its own.
 */
static void give_up(struct writer *w)
{
	struct item *it;

	for (it = w->work.first; it; it = it->next)
		answer(w, it);
	for (it = w->queue.first; it; it = it->next)
		answer(w, it);
	drop_all(&w->queue);
	if (w->ended)
		drop_all(&w->work);
	else
		w->hung = true;
}

bool writer_stop(struct writer *w, int deadline_ms)
{
	struct timespec at;
	uint64_t until;
	bool all;

	if (w->joined)
		return w->stats.depth == 0;
	pthread_mutex_lock(&w->lock);
	if (w->stopping) { /* it hung then, and its batches have had their answer */
		pthread_mutex_unlock(&w->lock);
		return false;
	}
	w->stopping = true;
	w->stop_at_ms = clock_mono_ms() + (uint64_t)MAX(deadline_ms, 0);
	pthread_cond_signal(&w->wake);
	until = w->stop_at_ms + STOP_GRACE_MS;
	at = (struct timespec){
		.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};
	while (!w->ended && clock_mono_ms() < until)
		pthread_cond_timedwait(&w->ended_cond, &w->lock, &at);
	all = w->ended && w->stats.depth == 0;
	give_up(w);
	w->joined = w->ended;
	pthread_mutex_unlock(&w->lock);
	if (w->joined) {
		pthread_join(w->thread, NULL);
		mover_stop(w->mover, STOP_GRACE_MS);
	}
	deliver(w);
	return all;
}

void writer_free(struct writer *w)
{
	if (!w)
		return;
	writer_stop(w, 0);
	if (w->event)
		event_free(w->event);
	w->event = NULL;
	if (!w->joined) {
		/* The process is about to end; freeing what the thread uses would only crash it. */
		pthread_detach(w->thread);
		return;
	}
	mover_stop(w->mover, STOP_GRACE_MS);
	if (!mover_free(w->mover))
		return; /* for the same reason */
	if (w->fd >= 0)
		close(w->fd);
	store_close(w->store);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->ended_cond);
	pthread_mutex_destroy(&w->lock);
	free(w);
}

void writer_stats(const struct writer *w, struct writer_stats *out)
{
	struct mover_stats moves;

	pthread_mutex_lock((pthread_mutex_t *)&w->lock);
	*out = w->stats;
	pthread_mutex_unlock((pthread_mutex_t *)&w->lock);
	mover_stats(w->mover, &moves);
	out->moves = moves.moves;
	out->move_errors = moves.errors;
	out->longest_move_ms = moves.longest_ms;
}
