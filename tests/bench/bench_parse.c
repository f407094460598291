/*
 * How fast bodies are read: debug=1 with records that are known and that are not, debug=2, metrics
 * of which a few families are wanted.  The bodies are made here by repeating a set of records, and
 * fed in pieces of 16 KiB, as they come from the network.  GB are 10^9 bytes; the best of five
 * runs.
 */
#include "buf.h"
#include "gdump.h"
#include "prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BODY_BYTES (32u * 1000 * 1000)
#define PIECE	   16384
#define RUNS	   5

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Stacks as services have them, leaf first: the length of names and paths is what matters. */
static const char *const stacks[][12] = {
	{"internal/poll.runtime_pollWait", "internal/poll.(*pollDesc).wait",
		"internal/poll.(*pollDesc).waitRead", "internal/poll.(*FD).Read",
		"net.(*netFD).Read", "net.(*conn).Read", "net/http.(*persistConn).Read",
		"bufio.(*Reader).fill", "bufio.(*Reader).Peek", "net/http.(*persistConn).readLoop"},
	{"net/http.(*persistConn).writeLoop"},
	{"database/sql.(*DB).connectionOpener"},
	{"google.golang.org/grpc/internal/transport.(*controlBuffer).get",
		"google.golang.org/grpc/internal/transport.(*loopyWriter).run",
		"google.golang.org/grpc/internal/transport.NewServerTransport.func2"},
	{"github.com/example/shop/internal/cart.(*Store).awaitLock",
		"github.com/example/shop/internal/cart.(*Store).Add",
		"github.com/example/shop/internal/api.(*Server).handleAdd",
		"net/http.HandlerFunc.ServeHTTP", "net/http.(*ServeMux).ServeHTTP",
		"net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"},
	{"main.(*worker).loop", "main.(*pool).start.func1"},
};

static void add_debug1(struct buf *b)
{
	buf_adds(b, "goroutine profile: total 123456\n");
	for (unsigned n = 0; b->len < BODY_BYTES; n++) {
		const char *const *s = stacks[n % ARRAY_LEN(stacks)];

		buf_addf(b, "%u @ 0x43be36 0x408a3b 0x408538", n % 900 + 1);
		for (unsigned i = 0; i < 12 && s[i]; i++)
			buf_addf(b, " 0x%x", 0x685500 + n % 977 * 64 + i * 5 + 1);
		buf_adds(b, " 0x46c5c1\n");
		if (n % 8 == 3)
			buf_adds(b, "# labels: {\"handler\":\"/api/v1\", \"tenant\":\"acme\"}\n");
		for (unsigned i = 0; i < 12 && s[i]; i++)
			buf_addf(b, "#\t0x%x\t%s+0x%x\t\t/src/shop/vendor/pkg/file_%u.go:%u\n",
				0x685500 + n % 977 * 64 + i * 5, s[i], i * 16 + 29, i, i * 37 + 11);
		buf_addc(b, '\n');
	}
}

static void add_debug2(struct buf *b)
{
	for (unsigned n = 1; b->len < BODY_BYTES; n++) {
		const char *const *s = stacks[n % ARRAY_LEN(stacks)];

		buf_addf(b, "goroutine %u [%s, %u minutes]:\n", n + 17,
			n % 3 ? "IO wait" : "select", n % 90 + 1);
		for (unsigned i = 0; i < 12 && s[i]; i++)
			buf_addf(b,
				"%s(0xc000%06x, {0xc0004e2000, 0x1000, 0x1000?})\n"
				"\t/src/shop/vendor/pkg/file_%u.go:%u +0x%x\n",
				s[i], n, i, i * 37 + 11, i * 16 + 29);
		buf_adds(b, "created by net/http.(*Transport).dialConn in goroutine 18\n"
			    "\t/usr/local/go/src/net/http/transport.go:1776 +0x169f\n\n");
	}
}

static void add_metrics(struct buf *b)
{
	for (unsigned n = 0; b->len < BODY_BYTES; n++) {
		if (n % 500 == 0)
			buf_addf(b,
				"# HELP go_goroutines Goroutines.\n# TYPE go_goroutines gauge\n"
				"go_goroutines %u\n",
				n);
		if (n % 20 == 0)
			buf_addf(b, "# TYPE http_request_duration_seconds_%u histogram\n",
				n / 20 % 40);
		buf_addf(b,
			"http_request_duration_seconds_%u_bucket{handler=\"/api/v%u\",code=\"200\","
			"le=\"0.%u\"} %u\n",
			n / 20 % 40, n % 7, n % 20 * 5, n * 31);
	}
}

static bool always_known(void *arg, uint64_t key, uint64_t count)
{
	(void)count;
	*(uint64_t *)arg += key & 1;
	return true;
}

static void take_group(void *arg, const struct group *g)
{
	*(uint64_t *)arg += g->nframes;
}

static double read_dump(const struct buf *b, bool known, uint64_t *records)
{
	uint64_t sink_value = 0;
	struct gdump_sink sink = {
		.known = known ? always_known : NULL, .group = take_group, .arg = &sink_value};
	struct gdump *g = gdump_new(&sink);
	double best = 1e9;

	for (int run = 0; run < RUNS; run++) {
		double start = now_s();

		gdump_reset(g);
		for (size_t at = 0; at < b->len; at += PIECE)
			gdump_feed(g, b->p + at, MIN((size_t)PIECE, b->len - at));
		gdump_finish(g, NULL);
		best = MIN(best, now_s() - start);
	}
	*records = gdump_stats(g)->records;
	gdump_free(g);
	return best;
}

static bool want_goroutines(void *arg, struct str name)
{
	(void)arg;
	return str_is(name, "go_goroutines");
}

static void take_sample(void *arg, const struct prom_sample *s)
{
	*(double *)arg += s->value;
}

static double read_metrics(const struct buf *b, bool all, uint64_t *samples)
{
	double sum = 0, best = 1e9;
	struct prom_sink sink = {
		.want = all ? NULL : want_goroutines, .sample = take_sample, .arg = &sum};
	struct prom *p = prom_new(&sink, PROM_TIME_MS);

	for (int run = 0; run < RUNS; run++) {
		double start = now_s();

		prom_reset(p);
		for (size_t at = 0; at < b->len; at += PIECE)
			prom_feed(p, b->p + at, MIN((size_t)PIECE, b->len - at));
		prom_finish(p, NULL);
		best = MIN(best, now_s() - start);
	}
	*samples = prom_stats(p)->samples;
	prom_free(p);
	return best;
}

static void print(const char *what, const struct buf *b, double s, uint64_t n, const char *unit)
{
	printf("%-28s %6.2f GB/s  %7.1f ns a %s (%zu bytes, %" PRIu64 " %ss)\n", what,
		(double)b->len / s / 1e9, s / (double)n * 1e9, unit, b->len, n, unit);
}

int main(void)
{
	struct buf b = BUF_INIT;
	uint64_t n;
	double s;

	add_debug1(&b);
	s = read_dump(&b, true, &n);
	print("debug=1, records known", &b, s, n, "record");
	s = read_dump(&b, false, &n);
	print("debug=1, records new", &b, s, n, "record");
	buf_reset(&b);
	add_debug2(&b);
	s = read_dump(&b, false, &n);
	print("debug=2", &b, s, n, "record");
	buf_reset(&b);
	add_metrics(&b);
	s = read_metrics(&b, false, &n);
	print("metrics, one family wanted", &b, s, n, "sample");
	s = read_metrics(&b, true, &n);
	print("metrics, all wanted", &b, s, n, "sample");
	buf_release(&b);
	return 0;
}
