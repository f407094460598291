#include "writer_move.h"
#include "clock.h"
#include "store_look.h"
#include "store_wal.h"
#include "xalloc.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_US 100000

struct mover {
	struct store *store;
	pthread_t thread;
	bool joined;

	pthread_mutex_t lock; /* guards the next */
	pthread_cond_t changed;
	bool asked; /* until it is done: to move, or */
	bool look;
	int64_t wall_ms; /* of the look */
	struct store_keep keep;
	int max_rows;
	uint64_t look_until_us;
	bool stopping, ended;
	struct mover_stats stats;
	char why[ERR_MAX];
};

static bool looked_enough(void *arg)
{
	const struct mover *m = arg;

	return clock_mono_us() >= m->look_until_us;
}

/* With the lock held, but not while it does something; asked holds others off meanwhile. */
static void look(struct mover *m)
{
	pthread_mutex_unlock(&m->lock);
	m->look_until_us = clock_mono_us() + LOOK_US;
	store_look(m->store, m->wall_ms, &m->keep, m->max_rows, looked_enough, m);
	pthread_mutex_lock(&m->lock);
}

static void move(struct mover *m)
{
	uint64_t start = clock_mono_us();
	struct err err;
	int rc;

	pthread_mutex_unlock(&m->lock);
	rc = store_wal_move(m->store, &err);
	pthread_mutex_lock(&m->lock);
	m->stats.moves += rc == 0;
	m->stats.errors += rc < 0;
	m->stats.longest_ms = MAX(m->stats.longest_ms, (double)(clock_mono_us() - start) / 1000);
	snprintf(m->why, sizeof(m->why), "%s", rc < 0 ? err.msg : "");
}

static void *run(void *arg)
{
	struct mover *m = arg;

	pthread_mutex_lock(&m->lock);
	while (!m->stopping) {
		if (!m->asked) {
			pthread_cond_wait(&m->changed, &m->lock);
			continue;
		}
		if (m->look)
			look(m);
		else
			move(m);
		m->asked = m->look = false;
		pthread_cond_broadcast(&m->changed);
	}
	m->asked = false;
	m->ended = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->lock);
	return NULL;
}

struct mover *mover_new(struct store *store, int pages, struct err *err)
{
	struct mover *m = xcalloc(1, sizeof(*m));
	pthread_condattr_t attr;
	sigset_t all, before;
	int rc;

	m->store = store;
	m->joined = true;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&m->changed, &attr);
	pthread_condattr_destroy(&attr);
	if (store_wal_apart(store, pages, err) < 0) {
		mover_free(m);
		return NULL;
	}
	/* Signals are the loop's business. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&m->thread, NULL, run, m);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc) {
		err_set(err, "cannot start the thread that moves the write-ahead log: %s",
			strerror(rc));
		mover_free(m);
		return NULL;
	}
	m->joined = false;
	return m;
}

void mover_offer(struct mover *m)
{
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	if (!m->asked && !m->stopping && store_wal_due(m->store)) {
		m->asked = true;
		pthread_cond_broadcast(&m->changed);
	}
	pthread_mutex_unlock(&m->lock);
}

void mover_look(struct mover *m, int64_t wall_ms, const struct store_keep *keep, int max_rows)
{
	pthread_mutex_lock(&m->lock);
	if (!m->asked && !m->stopping) {
		m->asked = m->look = true;
		m->wall_ms = wall_ms;
		m->keep = *keep;
		m->max_rows = max_rows;
		pthread_cond_broadcast(&m->changed);
	}
	pthread_mutex_unlock(&m->lock);
}

bool mover_is_busy(struct mover *m)
{
	return !mover_wait(m, 0);
}

/* With the lock held, until *what is as it should be; false when the time is over. */
static bool wait_for(struct mover *m, const bool *what, bool wanted, int wait_ms)
{
	uint64_t until = clock_mono_ms() + (uint64_t)MAX(wait_ms, 0);
	struct timespec at = {
		.tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000};

	while (*what != wanted && clock_mono_ms() < until)
		pthread_cond_timedwait(&m->changed, &m->lock, &at);
	return *what == wanted;
}

bool mover_wait(struct mover *m, int wait_ms)
{
	bool idle;

	if (!m)
		return true;
	pthread_mutex_lock(&m->lock);
	idle = wait_for(m, &m->asked, false, wait_ms);
	pthread_mutex_unlock(&m->lock);
	return idle;
}

void mover_catch_up(struct mover *m, int wait_ms)
{
	if (!mover_wait(m, wait_ms))
		return;
	mover_offer(m);
	mover_wait(m, wait_ms);
}

void mover_why(struct mover *m, char *out, size_t size)
{
	out[0] = '\0';
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	snprintf(out, size, "%s", m->why);
	pthread_mutex_unlock(&m->lock);
}

void mover_stats(struct mover *m, struct mover_stats *out)
{
	*out = (struct mover_stats){0};
	if (!m)
		return;
	pthread_mutex_lock(&m->lock);
	*out = m->stats;
	pthread_mutex_unlock(&m->lock);
}

bool mover_stop(struct mover *m, int wait_ms)
{
	if (!m || m->joined)
		return true;
	pthread_mutex_lock(&m->lock);
	m->stopping = true;
	if (m->asked)
		store_wal_interrupt(m->store);
	pthread_cond_broadcast(&m->changed);
	m->joined = wait_for(m, &m->ended, true, wait_ms);
	pthread_mutex_unlock(&m->lock);
	if (m->joined)
		pthread_join(m->thread, NULL);
	return m->joined;
}

bool mover_free(struct mover *m)
{
	if (!m)
		return true;
	if (!m->joined) {
		pthread_detach(m->thread); /* the process is about to end */
		return false;
	}
	pthread_cond_destroy(&m->changed);
	pthread_mutex_destroy(&m->lock);
	free(m);
	return true;
}
