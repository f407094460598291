/*
 * app_targets: which targets are asked for, and how those that are watched follow.  Level 4; for
 * app_resolve.c, app_targets.c and app_reload.c.
 *
 * wishes_make goes through configuration and discovery and relabels what it finds; app_follow adds,
 * changes and removes targets until exactly those are watched.  Both can be done over and over: a
 * target whose wish is the same is not touched.
 */
#ifndef LEAKWATCH_APP_TARGETS_H
#define LEAKWATCH_APP_TARGETS_H

#include "app_internal.h"
#include "relabel.h"

/* Secrets of a job, read once a configuration. */
struct credentials {
	char *authorization, *password;
};

/* A target that is asked for, after relabelling.  Strings have a NUL after them. */
struct wish {
	const struct config_job *job;
	const struct credentials *secret;
	double budget; /* scrape_budget in force */
	bool discovered; /* by a file or server, not in the configuration itself */
	struct str address, instance, scheme, metrics_path, metrics_address, pprof_path;
	struct str cgroup, pid; /* where it runs on this host, or "" */
	struct config_labels labels;
};

struct wishes {
	struct arena arena;
	struct wish *v;
	size_t n, cap;
	size_t left_out; /* over limits.targets */
};

/* app_resolve.c: secrets are by job.  -1 with err when a relabelling step makes no sense. */
int wishes_make(struct wishes *w, const struct config *config, const struct discover *d,
	const struct credentials *secrets, struct err *err);
void wishes_release(struct wishes *w);

/* app_targets.c */
/* Watches what is wished for and nothing else; what is the same goes on untouched. */
int app_follow(struct app *a, const struct wishes *wishes, struct err *err);
struct credentials *app_read_credentials(const struct config *config, struct err *err);
void app_free_credentials(struct credentials *v, size_t n);

#endif
