/*
 * What a person waits for: `leakwatch report` of a debug=2 dump of 33 MB with 100,000 goroutines in
 * a hundred kinds of stacks, from a file and from a log in which each line has a prefix; its time
 * by the clock and by the processor, and the most memory it held.
 *
 * bench_report PROGRAM runs that program instead of build/leakwatch.
 */
#include "buf.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GOROUTINES 100000
#define KINDS	   100
#define RUNS	   3

static void add_goroutine(struct buf *b, unsigned n, const char *prefix)
{
	unsigned kind = n % KINDS;

	buf_addf(b, "%sgoroutine %u [%s, %u minutes]:\n", prefix, n,
		kind % 3 ? "chan receive" : "select", n % 90 + 1);
	for (unsigned i = 0; i < 2; i++)
		buf_addf(b,
			"%sshop/internal/cart%u.(*Store).step%u(0xc000%06x, {0x1, 0x2})\n"
			"%s\t/src/shop/internal/cart%u/store.go:%u +0x1d\n",
			prefix, kind, i, n, prefix, kind, i * 10 + 17);
	buf_addf(b,
		"%screated by shop/internal/cart%u.New in goroutine 1\n"
		"%s\t/src/shop/internal/cart%u/new.go:40 +0x12\n%s\n",
		prefix, kind, prefix, kind, prefix);
}

static size_t write_dump(const char *path, const char *prefix)
{
	struct buf b = BUF_INIT;
	FILE *f = fopen(path, "wb");
	size_t n;

	for (unsigned i = 1; i <= GOROUTINES; i++)
		add_goroutine(&b, i, prefix);
	n = b.len;
	if (!f || fwrite(b.p, 1, b.len, f) != b.len || fclose(f) != 0) {
		perror(path);
		exit(1);
	}
	buf_release(&b);
	return n;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Waits for it; the time by the clock. */
static double run(const char *program, const char *path, struct rusage *used)
{
	double start = now_s();
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		dup2(null, STDOUT_FILENO);
		execl(program, program, "report", path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, used) != pid || status != 0) {
		fprintf(stderr, "%s report %s: status %d\n", program, path, status);
		exit(1);
	}
	return now_s() - start;
}

static void measure(const char *program, const char *what, const char *prefix)
{
	char path[] = "/tmp/bench_report.XXXXXX";
	int fd = mkstemp(path);
	size_t bytes = write_dump(path, prefix);
	double clock = 1e9, cpu = 1e9;
	long peak = 0;

	for (int i = 0; i < RUNS; i++) {
		struct rusage u;
		double took = run(program, path, &u);
		double used = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
			      (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;

		clock = MIN(clock, took);
		cpu = MIN(cpu, used);
		peak = MAX(peak, u.ru_maxrss);
	}
	printf("%-28s %6.2f s (processor %.2f s), at most %.1f MiB (%zu bytes, %d goroutines)\n",
		what, clock, cpu, (double)peak / 1024, bytes, GOROUTINES);
	close(fd);
	unlink(path);
}

int main(int argc, char **argv)
{
	const char *program = argc > 1 ? argv[1] : "build/leakwatch";

	measure(program, "report", "");
	measure(program, "report, from a log", "Nov 21 01:33:07 web-1 api[77]: ");
	return 0;
}
