/*
 * What a scrape costs the daemon: 1,000 targets on as many addresses of 127.0.0.0/8, a cycle every
 * two seconds each, over kept connections, against a service that answers at once (another
 * process).  Prints processor time a cycle, how late cycles began, and memory.
 */
#include "buf.h"
#include "clock.h"
#include "replay.h"
#include "scrape.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TARGETS	    1000
#define INTERVAL_MS 2000
#define CYCLES	    4 /* of each target, the first not measured */

static uint64_t bytes, late_cycles, cycles;
static double worst_late_ms;

static void begin(void *arg, struct scrape_target *t)
{
	(void)arg;
	(void)t;
}

static bool piece(void *arg, struct scrape_target *t, const char *p, size_t n)
{
	(void)arg;
	(void)t;
	(void)p;
	bytes += n;
	return true;
}

static size_t goroutines_end(
	void *arg, struct scrape_target *t, const struct fetch_result *r, uint64_t *pcs, size_t max)
{
	(void)arg;
	(void)t;
	(void)pcs;
	(void)max;
	if (r->end != FETCH_OK)
		fprintf(stderr, "bench_scrape: %s\n", r->why);
	return 0;
}

static void symbols(void *arg, struct scrape_target *t, struct str body)
{
	(void)arg;
	(void)t;
	(void)body;
}

static void metrics_end(void *arg, struct scrape_target *t, const struct fetch_result *r)
{
	(void)arg;
	(void)t;
	(void)r;
}

static void cycle(void *arg, struct scrape_target *t, const struct scrape_cycle *c)
{
	(void)arg;
	(void)t;
	cycles++;
	late_cycles += c->late_ms > 50;
	if (c->late_ms > worst_late_ms)
		worst_late_ms = c->late_ms;
}

static const struct scrape_events events = {
	.begin = begin,
	.goroutines = piece,
	.goroutines_end = goroutines_end,
	.symbols = symbols,
	.metrics = piece,
	.metrics_end = metrics_end,
	.cycle = cycle,
};

static void save(struct recording_writer *w, enum recording_kind kind, const struct buf *body)
{
	struct recording_entry e = {.kind = kind, .at_ms = 1, .status = 200, .body = buf_str(body)};

	recording_add(w, &e, NULL);
}

/* A service of 60 different stacks and 300 metrics: about what a small real one has. */
static void make_recording(const char *dir)
{
	static const struct recording_about about = {.target = "bench",
		.pprof_path = "/debug/pprof",
		.metrics_path = "/metrics",
		.interval_ms = 1000,
		.started_ms = 1};
	struct recording_writer *w = recording_create(dir, &about, NULL);
	struct buf b = BUF_INIT;
	uint64_t size;

	buf_adds(&b, "goroutine profile: total 600\n");
	for (int i = 0; i < 60; i++) {
		buf_addf(&b, "10 @ 0x43be36 0x4085%02x 0x6855%02x\n", i, i);
		for (int k = 0; k < 5; k++)
			buf_addf(&b,
				"#\t0x6855%02x\tmain.(*service).handle%d+0x1d\t\t/src/shop/"
				"main.go:%d\n",
				i, k, 30 + k);
		buf_addc(&b, '\n');
	}
	save(w, RECORDING_GOROUTINE, &b);
	buf_reset(&b);
	for (int i = 0; i < 300; i++)
		buf_addf(&b, "shop_requests_total{handler=\"/api/%d\",code=\"200\"} %d\n", i, i);
	save(w, RECORDING_METRICS, &b);
	recording_close(w, &size, NULL);
	buf_release(&b);
}

/* Serves dir until it is killed; tells its port on fd. */
static void serve(const char *dir, int fd)
{
	struct event_base *base = event_base_new();
	struct err err = ERR_INIT;
	struct recording *recording = recording_open(dir, &err);
	struct replay *replay = NULL;

	if (recording)
		replay = replay_new(base, recording, "0.0.0.0:0", 1, &err);
	if (!replay || replay_start(replay, &err) < 0) {
		fprintf(stderr, "bench_scrape: %s\n", err.msg);
		_exit(1);
	}
	dprintf(fd, "%s\n", strrchr(replay_address(replay), ':') + 1);
	event_base_dispatch(base);
	_exit(0);
}

static double processor_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_THREAD, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000;
}

static long resident_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void run(struct event_base *base, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	event_base_loopexit(base, &tv);
	event_base_dispatch(base);
}

static void measure(int port)
{
	struct event_base *base = event_base_new();
	struct fetch *fetch = fetch_new(base, NULL);
	struct scrape *s = scrape_new(base, fetch, &events, NULL);
	long before = resident_kib();
	double used;

	for (int i = 0; i < TARGETS; i++) {
		char address[40];
		struct scrape_target_config c = {.job = "bench",
			.instance = address,
			.address = address,
			.metrics_path = "/metrics",
			.interval_ms = INTERVAL_MS,
			.timeout_ms = INTERVAL_MS,
			.body_limit_bytes = 1 << 20};

		snprintf(address, sizeof(address), "127.1.%d.%d:%d", i / 250, i % 250 + 1, port);
		scrape_add(s, &c, NULL, NULL);
	}
	scrape_start(s);
	run(base, INTERVAL_MS); /* the connections are made */
	bytes = cycles = late_cycles = 0;
	worst_late_ms = 0;
	used = processor_ms();
	run(base, INTERVAL_MS * (CYCLES - 1));
	used = processor_ms() - used;
	printf("%d targets, a cycle every %d ms each, two requests a cycle, %" PRIu64
	       " bytes of bodies a cycle\n",
		TARGETS, INTERVAL_MS, cycles ? bytes / cycles : 0);
	printf("  %" PRIu64 " cycles, %.0f us of processor each; %.1f %% of one core\n", cycles,
		cycles ? used * 1000 / (double)cycles : 0,
		used * 100 / (INTERVAL_MS * (CYCLES - 1)));
	printf("  latest began %.0f ms late, %" PRIu64 " more than 50 ms\n", worst_late_ms,
		late_cycles);
	printf("  %ld KiB of memory more than before\n", resident_kib() - before);
	scrape_free(s);
	fetch_free(fetch);
	event_base_free(base);
}

int main(void)
{
	char dir[] = "/tmp/leakwatch-bench-XXXXXX", path[64], port[16] = "";
	int fds[2];
	pid_t pid;

	signal(SIGPIPE, SIG_IGN);
	if (!mkdtemp(dir) || pipe(fds) < 0)
		return 1;
	make_recording(dir);
	pid = fork();
	if (pid == 0)
		serve(dir, fds[1]);
	close(fds[1]);
	if (pid > 0 && read(fds[0], port, sizeof(port) - 1) > 0)
		measure(atoi(port));
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	snprintf(path, sizeof(path), "%s/bodies.gz", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/recording.json", dir);
	unlink(path);
	rmdir(dir);
	return port[0] ? 0 : 1;
}
