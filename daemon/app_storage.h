/*
 * app_storage: the alerts of the daemon about its own store.  Level 4, for app*.c only.
 */
#ifndef LEAKWATCH_APP_STORAGE_H
#define LEAKWATCH_APP_STORAGE_H

#include "base.h"

struct app;

/* The writer's on_state: WatchStorageFull while it cannot write, WatchStorageDamaged when that is
 * because pages of the file are not what they should be. */
void app_disk_state(void *arg, bool ok, const char *why);
/* Each second: an alert that an earlier run left, of a disk that this one has found in order, ends.
 */
void app_disk_settle(struct app *a);
/*
 * Raises WatchStorageDamaged while a file that was set aside lies beside the store, and ends it
 * when none does.  At a start and a reload only, since it asks the disk.
 */
void app_check_aside(struct app *a);

#endif
