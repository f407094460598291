/*
 * notify_internal: JSON that several kinds of message have in common.  Layer 1; for notify*.c only.
 */
#ifndef LEAKWATCH_NOTIFY_INTERNAL_H
#define LEAKWATCH_NOTIFY_INTERNAL_H

#include "alert.h"
#include "json.h"

/* An object of strings. */
json_t *notify_json_labels(const struct alert_labels *l);
/* RFC 3339. */
json_t *notify_json_time(int64_t at_ms);
/* The hash of an alert's labels, the same in each of its lives. */
json_t *notify_json_fingerprint(const struct alert_labels *l);
/* The annotations, with look_further: the command that shows the alert. */
json_t *notify_json_annotations(const struct alert *a);

#endif
