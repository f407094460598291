#include "pause.h"

#include <math.h>

#define MIB	       1048576.0
#define TELLING_FRAMES 2000 /* frames times tries: of fewer, the time says nothing of a frame */
#define FASTEST_US     .05
#define SLOWEST_US     10.0
#define NEWEST	       .5 /* weight of the newest dump */

void pause_init(struct pause *p)
{
	*p = (struct pause){.us_per_frame = PAUSE_US_PER_FRAME,
		.frames_each = PAUSE_FRAMES_EACH,
		.bytes_each = PAUSE_BYTES_EACH};
}

void pause_new_run(struct pause *p)
{
	p->frames_each = fmax(p->frames_each, PAUSE_FRAMES_EACH);
	p->bytes_each = fmax(p->bytes_each, PAUSE_BYTES_EACH);
}

static double tries_of(double bytes)
{
	return fmin(PAUSE_TRIES_MAX, 1 + fmax(0, ceil(log2(fmax(bytes, 1) / MIB))));
}

double pause_predict(const struct pause *p, uint64_t goroutines)
{
	double n = (double)goroutines;

	return tries_of(n * p->bytes_each) * n * p->frames_each * p->us_per_frame / 1000;
}

double pause_learn(
	struct pause *p, uint64_t goroutines, uint64_t frames, uint64_t bytes, double cost_ms)
{
	double work = (double)frames * tries_of((double)bytes), us;

	if (goroutines == 0 || frames == 0)
		return 0;
	p->frames_each = (double)frames / (double)goroutines;
	p->bytes_each = (double)bytes / (double)goroutines;
	p->dumps++;
	if (isnan(cost_ms) || work < TELLING_FRAMES)
		return fmin(isnan(cost_ms) ? INFINITY : cost_ms, work * p->us_per_frame / 1000);
	us = fmin(SLOWEST_US, fmax(FASTEST_US, cost_ms * 1000 / work));
	p->us_per_frame = NEWEST * us + (1 - NEWEST) * p->us_per_frame;
	return cost_ms;
}
