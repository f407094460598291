/*
 * How fast bodies are read: debug=1 with records that are known and that are not, debug=2 (also
 * through mend, as the offline commands do), metrics with twenty wanted families of two thousand.
 * The bodies are made here by repeating a set of records, and fed in pieces of 16 KiB, as they come
 * from the network.  GB are 10^9 bytes; the best of five runs, in processor time, as the machine
 * may have other work.
 *
 * bench_parse FILE writes the debug=2 body there instead, for another program to read; bench_parse
 * -r FILE reads a dump and prints the nanoseconds it took.
 */
#include "buf.h"
#include "gdump.h"
#include "map.h"
#include "mend.h"
#include "prom.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define BODY_BYTES (32u * 1000 * 1000)
#define PIECE	   16384
#define RUNS	   5
#define FAMILIES   2000
#define WANTED	   20 /* of them */

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

/* Families of ten series each, as histograms and counters by label are. */
static void add_metrics(struct buf *b)
{
	for (unsigned n = 0; b->len < BODY_BYTES; n++) {
		unsigned family = n / 10 % FAMILIES;

		if (n % 10 == 0)
			buf_addf(b,
				"# HELP shop_http_request_duration_seconds_%u Time of a request.\n"
				"# TYPE shop_http_request_duration_seconds_%u gauge\n",
				family, family);
		buf_addf(b,
			"shop_http_request_duration_seconds_%u{handler=\"/api/v%u\",code=\"200\","
			"le=\"0.%u\"} %u\n",
			family, n % 7, n % 20 * 5, n * 31);
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

/* As the daemon decides: by a look into a table. */
static bool want_twenty(void *arg, struct str name)
{
	return map_get(arg, name) != NULL;
}

struct sums {
	struct map *wanted;
	double sum;
};

static bool want_cb(void *arg, struct str name)
{
	return want_twenty(((struct sums *)arg)->wanted, name);
}

static void take_sample(void *arg, const struct prom_sample *s)
{
	((struct sums *)arg)->sum += s->value;
}

static double read_metrics(const struct buf *b, bool all, uint64_t *samples)
{
	struct sums sums = {.wanted = map_new()};
	struct prom_sink sink = {.want = all ? NULL : want_cb, .sample = take_sample, .arg = &sums};
	struct prom *p = prom_new(&sink, PROM_TIME_MS);
	double best = 1e9;

	for (unsigned i = 0; i < WANTED; i++) {
		char name[64];
		int n = snprintf(name, sizeof(name), "shop_http_request_duration_seconds_%u",
			i * (FAMILIES / WANTED));

		map_put(sums.wanted, str_n(name, (size_t)n), &sums);
	}
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
	map_free(sums.wanted, NULL);
	return best;
}

static void mended_cb(void *arg, const char *p, size_t n, uint32_t line)
{
	gdump_at_line(arg, line);
	gdump_feed(arg, p, n);
}

static double read_mended(const struct buf *b, uint64_t *records)
{
	uint64_t sink_value = 0;
	struct gdump_sink sink = {.group = take_group, .arg = &sink_value};
	struct gdump *g = gdump_new(&sink);
	const struct mend_sink into = {.out = mended_cb, .arg = g};
	double best = 1e9;

	for (int run = 0; run < RUNS; run++) {
		struct mend *m = mend_new(&into);
		double start = now_s();

		gdump_reset(g);
		for (size_t at = 0; at < b->len; at += PIECE)
			mend_feed(m, b->p + at, MIN((size_t)PIECE, b->len - at));
		mend_finish(m, NULL);
		gdump_finish(g, NULL);
		best = MIN(best, now_s() - start);
		mend_free(m);
	}
	*records = gdump_stats(g)->records;
	gdump_free(g);
	return best;
}

static void print(const char *what, const struct buf *b, double s, uint64_t n, const char *unit)
{
	printf("%-28s %6.2f GB/s  %7.1f ns a %s (%zu bytes, %" PRIu64 " %ss)\n", what,
		(double)b->len / s / 1e9, s / (double)n * 1e9, unit, b->len, n, unit);
}

static int write_body(const char *path)
{
	struct buf b = BUF_INIT;
	FILE *f = fopen(path, "wb");
	bool ok;

	add_debug2(&b);
	ok = f && fwrite(b.p, 1, b.len, f) == b.len;
	if (f)
		ok = fclose(f) == 0 && ok;
	if (!ok)
		perror(path);
	buf_release(&b);
	return !ok;
}

static int read_file(const char *path)
{
	struct buf b = BUF_INIT;
	FILE *f = fopen(path, "rb");
	char piece[PIECE];
	uint64_t n;

	if (!f) {
		perror(path);
		return 1;
	}
	for (size_t got; (got = fread(piece, 1, sizeof(piece), f)) > 0;)
		buf_add(&b, piece, got);
	fclose(f);
	printf("%.0f\n", read_dump(&b, false, &n) * 1e9);
	buf_release(&b);
	return 0;
}

int main(int argc, char **argv)
{
	struct buf b = BUF_INIT;
	uint64_t n;
	double s;

	if (argc > 2 && strcmp(argv[1], "-r") == 0)
		return read_file(argv[2]);
	if (argc > 1)
		return write_body(argv[1]);
	add_debug1(&b);
	s = read_dump(&b, true, &n);
	print("debug=1, records known", &b, s, n, "record");
	s = read_dump(&b, false, &n);
	print("debug=1, records new", &b, s, n, "record");
	buf_reset(&b);
	add_debug2(&b);
	s = read_dump(&b, false, &n);
	print("debug=2", &b, s, n, "record");
	s = read_mended(&b, &n);
	print("debug=2, through mend", &b, s, n, "record");
	buf_reset(&b);
	add_metrics(&b);
	s = read_metrics(&b, false, &n);
	print("metrics, 20 families of 2000", &b, s, n, "sample");
	s = read_metrics(&b, true, &n);
	print("metrics, all wanted", &b, s, n, "sample");
	buf_release(&b);
	return 0;
}
