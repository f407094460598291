/*
 * survival_internal: a cohort as it lies in memory.  Layer 1; what the files of survival share.
 *
 *   survival.c       dumps, and the rules
 *   survival_save.c  as text, and back
 */
#ifndef LEAKWATCH_SURVIVAL_INTERNAL_H
#define LEAKWATCH_SURVIVAL_INTERNAL_H

#include "survival.h"

#define SURVIVAL_WINDOW_S 120.0 /* the window of real time */

struct member {
	uint64_t id;
	uint32_t stack;
	uint16_t first, last; /* dumps that had it; once gone it stays gone */
};

struct sample {
	struct member *v;
	size_t n, cap, max;
	uint64_t keep; /* ids whose hash is a multiple of it; a power of two */
};

struct survival {
	double scale; /* real seconds for a second of the rules */
	double run_start;
	double at[SURVIVAL_DUMPS_MAX];
	uint64_t newest[SURVIVAL_DUMPS_MAX];
	size_t n; /* dumps that were whole */
	bool open;
	struct sample cohort; /* the first dump's; members of the cohort have last >= 1 */
	struct sample others; /* came later; only to learn how long they live */
	size_t settled; /* others below this place are sorted */
};

#endif
