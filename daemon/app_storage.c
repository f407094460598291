#include "app_storage.h"
#include "app_internal.h"
#include "clock.h"
#include "log.h"
#include "notify.h"
#include "xalloc.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void raise_own(struct app *a, enum alert_kind kind, const char *why)
{
	struct alert_labels annotations = ALERT_LABELS_INIT;
	struct notify_facts f = NOTIFY_FACTS_INIT;
	struct label labels[64];
	size_t n = pipeline_own_labels(a->pipeline, labels, ARRAY_LEN(labels));

	f.kind = kind;
	f.now_ms = clock_wall_ms();
	f.reason = str_of(why);
	notify_text(&f, &annotations);
	alert_raise(a->alerts, kind, labels, n, &annotations, why, f.now_ms, NULL);
	alert_labels_release(&annotations);
}

static void clear_own(struct app *a, enum alert_kind kind, const char *why)
{
	struct label labels[64];
	size_t n = pipeline_own_labels(a->pipeline, labels, ARRAY_LEN(labels));
	const struct alert *al = alert_find(a->alerts, kind, labels, n);
	char id[ALERT_ID_MAX];

	if (!al)
		return;
	memcpy(id, al->id, sizeof(id)); /* al may go with what is told of its end */
	alert_clear(a->alerts, id, ALERT_END_CLEARED, why, clock_wall_ms());
	al = alert_get(a->alerts, id);
	if (al)
		app_alert_cleared(a, al);
}

/* The newest file that was set aside, or NULL; the caller frees it.  FILE.corrupt-TIME, without
 * its -wal and -shm. */
static char *find_aside(const char *path)
{
	char *pattern = xasprintf("%s.corrupt-[0-9]*Z*", path), *found = NULL;
	glob_t g;

	if (glob(pattern, 0, NULL, &g) == 0) {
		for (size_t i = 0; i < g.gl_pathc; i++) {
			struct str name = str_of(g.gl_pathv[i]);

			if (str_ends(name, STR("-wal")) || str_ends(name, STR("-shm")))
				continue;
			free(found);
			found = xstrdup(g.gl_pathv[i]); /* sorted by time */
		}
		globfree(&g);
	}
	free(pattern);
	return found;
}

void app_check_aside(struct app *a)
{
	char *file = find_aside(a->config->storage_path.p), *why;

	if (file) {
		why = xasprintf(
			"a new history was begun; the damaged one is kept as %s: when it was "
			"looked at, move it away and reload",
			file);
		raise_own(a, ALERT_STORAGE_DAMAGED, why);
		free(why);
	} else {
		clear_own(a, ALERT_STORAGE_DAMAGED, "the damaged file was moved away");
	}
	free(file);
}

void app_disk_state(void *arg, bool ok, const char *why)
{
	struct writer_stats stats;
	struct app *a = arg;
	bool damaged;

	writer_stats(a->writer, &stats);
	damaged = !ok && stats.damaged;
	a->disk_ok = ok;
	a->disk_known = true;
	snprintf(a->disk_why, sizeof(a->disk_why), "%s", ok ? "" : why);
	if (ok)
		log_msg(LEVEL_NOTICE, "store: writes succeed again");
	else
		log_msg(LEVEL_ERROR, "store: %s; deciding and alerting go on", why);
	if (!ok)
		units_release_all(a);
	if (a->stopping)
		return;
	if (!ok)
		raise_own(a, damaged ? ALERT_STORAGE_DAMAGED : ALERT_STORAGE_FULL, why);
	if (ok) {
		clear_own(a, ALERT_STORAGE_FULL, "the disk takes writes again");
		app_check_aside(a);
	}
}

/* The writer tells of changes, and a disk that is in order from the start has none. */
void app_disk_settle(struct app *a)
{
	struct writer_stats stats;

	if (a->disk_known)
		return;
	writer_stats(a->writer, &stats);
	if (!stats.ok || !stats.room || !stats.applied || !stats.free_bytes)
		return; /* it has not written, or not looked how much room there is */
	a->disk_known = true;
	clear_own(a, ALERT_STORAGE_FULL, "the disk takes writes");
}
