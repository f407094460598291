/* What a series costs: time a sample, memory, and the record that is stored. */
#include "detect.h"

#include "../sim/sim.h"

#include <stdio.h>
#include <time.h>

#define T0     1700006400.0
#define SERIES 50
#define DAYS   7

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

enum kind { CONSTANT, NOISE, LEAK, WITH_LOAD, KINDS };
static const char *const names[KINDS] = {
	"constant", "noise", "leak under noise", "noise with load"};

static double value(struct sim *r, enum kind k, double t)
{
	if (k == CONSTANT)
		return 12;
	return 100 + sim_poisson(r, 20) + (k == LEAK ? floor(t / 3600 * 10) : 0);
}

static void bench(enum kind k, double every)
{
	struct detect_params p = DETECT_PARAMS_DEFAULT;
	struct sim r = {7};
	struct buf record = BUF_INIT;
	double spent = 0, from;
	size_t bytes = 0;
	long samples = 0;

	for (int i = 0; i < SERIES; i++) {
		struct detect *d = detect_new(DETECT_COUNT, &p, NULL, NULL);

		for (double t = 0; t < DAYS * 86400; t += 3600) {
			double v[400];
			int n = 0;

			for (double u = t; u < t + 3600; u += every)
				v[n++] = value(&r, k, u);
			from = now_ns();
			for (int j = 0; j < n; j++)
				detect_sample(
					d, T0 + t + j * every, v[j], k == WITH_LOAD ? v[j] : NAN);
			spent += now_ns() - from;
			samples += n;
		}
		bytes += detect_memory(d);
		if (i == 0)
			detect_save(d, &record);
		detect_free(d);
	}
	printf("%-18s every %2.0f s: %6.1f ns a sample, %5zu bytes a series, record %zu bytes\n",
		names[k], every, spent / (double)samples, bytes / SERIES, record.len);
	buf_release(&record);
}

int main(void)
{
	for (int k = 0; k < KINDS; k++) {
		bench((enum kind)k, 15);
		bench((enum kind)k, 60);
	}
	return 0;
}
