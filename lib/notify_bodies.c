#include "notify_bodies.h"
#include "notify.h"
#include "notify_internal.h"

void notify_alertmanager(const struct alert *a, int64_t lease_end_ms, struct buf *out)
{
	bool over = a->state == ALERT_RESOLVED;
	json_t *o = json_object();

	json_object_set_new(o, "labels", notify_json_labels(&a->labels));
	json_object_set_new(o, "annotations", notify_json_annotations(a));
	json_object_set_new(o, "startsAt", notify_json_time(a->fired_ms));
	json_object_set_new(o, "endsAt", notify_json_time(over ? a->resolved_ms : lease_end_ms));
	json_write(o, out);
	json_decref(o);
}
