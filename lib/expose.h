/*
 * expose: writes the Prometheus text exposition format 0.0.4.  Layer 1, pure.
 *
 * For what the daemon says of itself.  A family's head comes once and before its samples; all of
 * its samples stand together, which is the caller's duty.  Label values may hold any bytes: what is
 * not UTF-8 becomes U+FFFD, and backslash, quote and line feed are escaped as the format has it.
 *
 * Format: prometheus.io/docs/instrumenting/exposition_formats.  The other direction is prom.h.
 */
#ifndef LEAKWATCH_EXPOSE_H
#define LEAKWATCH_EXPOSE_H

#include "buf.h"
#include "model.h"

enum expose_type { EXPOSE_GAUGE, EXPOSE_COUNTER };

/* "# HELP" and "# TYPE".  A counter's name ends in "_total"; help is one line. */
void expose_family(struct buf *out, const char *name, enum expose_type type, const char *help);
/* One sample; labels with an empty value are left out, as they mean the same.  NaN and infinities
 * are written as the format has them. */
void expose_sample(
	struct buf *out, const char *name, const struct label *labels, size_t n, double value);
/* A family of one sample without labels. */
void expose_one(
	struct buf *out, const char *name, enum expose_type type, const char *help, double value);

#endif
