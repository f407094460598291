/*
 * pipeline_limits: the ceilings that a leak runs into, and when.  Level 4; part of the pipeline.
 *
 * Goroutines end at what they hold: descriptors at process_max_fds, memory at the cgroup's
 * memory.max.  (A class's own `limit` is told by the alert's text itself.)
 */
#ifndef LEAKWATCH_PIPELINE_LIMITS_H
#define LEAKWATCH_PIPELINE_LIMITS_H

#include "hostmem.h"
#include "notify.h"

struct finding;
struct target;

#define LIMITS_MAX 2

struct limits {
	struct notify_ceiling v[LIMITS_MAX]; /* the first to be hit first */
	size_t n;
	char memory_of[HOSTMEM_PATH + 32];
};

/* What a finding of that primary runs into; into points into out.  */
void target_limits(const struct target *t, const struct finding *f, struct limits *out);

#endif
