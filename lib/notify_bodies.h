/*
 * notify_bodies: messages in the words of particular services.  Layer 1, pure.
 *
 * Alertmanager: API v2, POST /api/v2/alerts, an array of alerts.  What it is told is not an event
 * but a lease: "firing until endsAt", renewed while it holds; a past endsAt says that it ended.
 */
#ifndef LEAKWATCH_NOTIFY_BODIES_H
#define LEAKWATCH_NOTIFY_BODIES_H

#include "alert.h"

/*
 * Appends one element of the array for POST /api/v2/alerts.  A firing alert holds until
 * lease_end_ms if nobody says more; one that is resolved ended when it did.  generatorURL is left
 * out: there is no page to point at, and an empty one is refused.
 */
void notify_alertmanager(const struct alert *a, int64_t lease_end_ms, struct buf *out);

#endif
