/*
 * How long the loop waits for a disk that stalls: every sync takes 2 s while 50 targets are scraped
 * and an alert changes each second.  Prints the longest time between two ticks of 5 ms.
 */
#include "../unit/faultvfs.h"

#include "clock.h"
#include "writer.h"

#include <event2/event.h>
#include <unistd.h>

#define TARGETS	   50
#define VALUES	   200
#define RUN_MS	   12000
#define STALL_MS   2000
#define TICK_MS	   5
#define SCRAPES_MS 1000

struct bench {
	struct event_base *base;
	struct writer *writer;
	uint64_t end_ms, ticked_ms, longest_ms, scrape_ms, submitted_us;
	int64_t n;
	int done;
};

static void done_cb(void *arg, bool ok, const char *why)
{
	(void)why;
	((struct bench *)arg)->done += ok;
}

static void scrape_all(struct bench *b)
{
	struct timespec from, to;
	int64_t us;

	b->n++;
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (int64_t t = 1; t <= TARGETS; t++) {
		struct store_batch *batch = store_batch_new();
		struct store_target target = {.id = t, .job = STR("j"), .instance = STR("i")};
		struct store_scrape scrape = {
			.target_id = t, .at_ms = b->n * 60000, .got = 1, .full = b->n % 32 == 1};
		struct store_alert_event e = {
			.id = b->n, .alert_id = STR("a"), .at_ms = 1, .change = b->n};

		if (b->n == 1)
			store_put_target(batch, &target);
		store_add_scrape(batch, &scrape);
		for (int i = 0; i < VALUES; i++)
			store_add_value(batch, t * 1000 + i, (double)(b->n * 31 % 997 + i));
		if (t == 1)
			store_add_alert_event(batch, &e);
		writer_submit(b->writer, batch, done_cb, b);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	us = (to.tv_sec - from.tv_sec) * 1000000 + (to.tv_nsec - from.tv_nsec) / 1000;
	b->submitted_us = MAX(b->submitted_us, (uint64_t)us);
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct bench *b = arg;
	uint64_t now = clock_mono_ms();

	(void)fd, (void)what;
	if (b->ticked_ms)
		b->longest_ms = MAX(b->longest_ms, now - b->ticked_ms);
	b->ticked_ms = now;
	if (now >= b->scrape_ms) {
		b->scrape_ms = now + SCRAPES_MS;
		scrape_all(b);
	}
	if (now >= b->end_ms)
		event_base_loopbreak(b->base);
}

int main(void)
{
	static const char *const suffixes[] = {"", "-wal", "-shm", ".lock", ".ballast"};
	char dir[] = "/tmp/leakwatch-bench-XXXXXX", path[64], side[80];
	const struct timeval tick = {.tv_usec = TICK_MS * 1000};
	struct writer_config config = {0};
	struct writer_stats stats;
	struct store_opened opened;
	struct bench b = {0};
	struct event *event;
	struct store *s;
	struct err err;

	if (!mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/bench.db", dir);
	fault_install();
	b.base = event_base_new();
	if (store_open(path, 0, &s, &opened, &err) != STORE_OPEN_OK ||
		!(b.writer = writer_new(b.base, s, &config, &err))) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	fault.stall_ms = STALL_MS;
	b.end_ms = clock_mono_ms() + RUN_MS;
	event = event_new(b.base, -1, EV_PERSIST, tick_cb, &b);
	event_add(event, &tick);
	event_base_dispatch(b.base);
	fault.stall_ms = 0;
	writer_stop(b.writer, 10000);
	writer_stats(b.writer, &stats);
	printf("a disk whose syncs take 2 s: longest time between two ticks of %d ms %llu ms; %d "
	       "targets handed over in at most %.1f ms; longest transaction %.0f ms; %d of %d "
	       "batches stored\n",
		TICK_MS, (unsigned long long)b.longest_ms, TARGETS, (double)b.submitted_us / 1000,
		stats.longest_ms, b.done, (int)b.n * TARGETS);
	writer_free(b.writer);
	event_free(event);
	event_base_free(b.base);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		snprintf(side, sizeof(side), "%s%s", path, suffixes[i]);
		unlink(side);
	}
	return rmdir(dir);
}
