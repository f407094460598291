/*
 * app_host: looks at this host are made on a thread of their own, for /proc and cgroups may stall.
 * Level 4.
 */
#ifndef LEAKWATCH_APP_HOST_H
#define LEAKWATCH_APP_HOST_H

#include "app_internal.h"

struct look;

/* As pipeline_events.look; arg is the app. */
bool app_look(void *arg, struct look *l);
int app_looks_start(struct app *a, struct err *err);
void app_looks_stop(struct app *a); /* before the pipeline goes */

#endif
