/*
 * notify_internal: words and JSON that several kinds of message have in common.  Layer 1; for
 * notify*.c only.
 */
#ifndef LEAKWATCH_NOTIFY_INTERNAL_H
#define LEAKWATCH_NOTIFY_INTERNAL_H

#include "json.h"
#include "notify.h"

/* "1,410"; rounded. */
void notify_add_integer(struct buf *out, double v);
/* "1.2", "8", "1,410"; "unknown" when not finite. */
void notify_add_number(struct buf *out, double v);
/* Bytes as "1.1 GiB", all else as an integer. */
void notify_add_amount(struct buf *out, double v, enum notify_unit unit);
/* The seconds (an hour, a day, one) a rate is told for: the number is neither tiny nor huge then.
 */
double notify_rate_scale(double per_hour, enum notify_unit unit);
void notify_add_rate_per(struct buf *out, double per_hour, enum notify_unit unit, double scale);
/* "2026-11-21 04:05 UTC" */
void notify_add_minute(struct buf *out, int64_t at_ms);

/* An object of strings. */
json_t *notify_json_labels(const struct alert_labels *l);
/* RFC 3339. */
json_t *notify_json_time(int64_t at_ms);
/* The hash of an alert's labels, the same in each of its lives. */
json_t *notify_json_fingerprint(const struct alert_labels *l);
/* The annotations, with look_further: the command that shows the alert, and page where there is
 * one. */
json_t *notify_json_annotations(const struct alert *a, struct str external_url);

/* The labels that make the group. */
void notify_group_labels(const struct notify_group *g, struct alert_labels *out);
/* How many of the group fire, named or not. */
size_t notify_firing(const struct notify_group *g);
/* The value of a label that is the same in all alerts named, or "". */
struct str notify_common(const struct notify_group *g, const char *label);
/* " GoroutineLeak shop http-client-conn": what they have in common, made safe. */
void notify_add_common(struct buf *out, const struct notify_group *g);

#endif
