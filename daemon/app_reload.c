/* SIGHUP: the file is read again, and taken over whole or not at all. */
#include "app_targets.h"
#include "app_storage.h"
#include "clock.h"
#include "discover.h"
#include "log.h"
#include "sdnotify.h"

#include <math.h>
#include <stdio.h>

#define ERRORS_TOLD 20 /* of a configuration that is refused */

static bool same_strs(const struct config_strs *a, const struct config_strs *b)
{
	for (size_t i = 0; i < a->n && i < b->n; i++) {
		if (!str_eq(a->v[i], b->v[i]))
			return false;
	}
	return a->n == b->n;
}

/* What a running daemon cannot change; the manual names the same keys. */
static int check_changeable(const struct config *old, const struct config *new, struct err *err)
{
	const struct {
		const char *key;
		bool same;
	} fixed[] = {
		{"storage.path", str_eq(old->storage_path, new->storage_path)},
		{"storage.retention", old->retention_raw_ms == new->retention_raw_ms &&
					      old->retention_5m_ms == new->retention_5m_ms &&
					      old->retention_1h_ms == new->retention_1h_ms},
		{"storage.max_size", old->max_size_bytes == new->max_size_bytes},
		{"storage.min_free", old->min_free_bytes == new->min_free_bytes},
		{"detect.window", fabs(old->detect.window_s - new->detect.window_s) < 1e-9},
		{"alerting.group_by", same_strs(&old->group_by, &new->group_by)},
		{"alerting.group_wait", old->group_wait_ms == new->group_wait_ms},
		{"alerting.group_interval", old->group_interval_ms == new->group_interval_ms},
		{"alerting.repeat_interval", old->repeat_interval_ms == new->repeat_interval_ms},
		{"alerting.give_up_after", old->give_up_after_ms == new->give_up_after_ms},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		if (!fixed[i].same)
			return err_set(err, "%s changes only with a restart", fixed[i].key);
	}
	if (new->njobs == 0)
		return err_set(err, "no scrape_configs: nothing to watch");
	return 0;
}

static struct config *load(const char *path)
{
	struct config_errors errs;
	struct config *config;

	config_errors_init(&errs);
	config = config_load(path, &errs);
	for (size_t i = 0; i < MIN(errs.n, (size_t)ERRORS_TOLD); i++) {
		const struct config_problem *p = &errs.v[i];

		log_msg(p->warning ? LEVEL_WARNING : LEVEL_ERROR, "%s:%u:%u: %.*s", path, p->line,
			p->column, STR_ARG(p->text));
	}
	config_errors_release(&errs);
	return config;
}

/* A target of the file itself that cannot be asked refuses the file. */
static int check_wishes(const struct wishes *w, struct err *err)
{
	for (size_t i = 0; i < w->n; i++) {
		struct scrape_target_config c = {
			.scheme = w->v[i].scheme.p,
			.address = w->v[i].address.p,
			.pprof_path = w->v[i].pprof_path.p,
			.metrics_path = w->v[i].metrics_path.p,
			.metrics_address = w->v[i].metrics_address.p,
		};
		struct scrape_urls urls;

		if (!w->v[i].discovered && scrape_urls_build(&c, &urls, err))
			return err_wrap(err, "job %.*s", STR_ARG(w->v[i].job->name));
		if (!w->v[i].discovered)
			scrape_urls_release(&urls);
	}
	return 0;
}

/* Goes back to what discovery had; its secrets were read before. */
static int undo(struct app *a, const struct config *old)
{
	struct err err;

	a->config = old;
	if (discover_set(a->discover, old, &err))
		log_msg(LEVEL_ERROR, "discovery: %s", err.msg);
	return -1;
}

/* All that may fail comes first; on failure everything is as it was. */
static int take_over(struct app *a, const struct config *new, struct err *err)
{
	const struct config *old = a->config;
	struct credentials *secrets, *old_secrets = a->secrets;
	struct wishes wishes = {.arena = ARENA_INIT};
	size_t old_jobs = old->njobs;
	int rc;

	secrets = app_read_credentials(new, err);
	if (!secrets)
		return -1;
	if (discover_set(a->discover, new, err)) {
		app_free_credentials(secrets, new->njobs);
		return -1;
	}
	a->config = new;
	rc = wishes_make(&wishes, new, a->discover, secrets, err);
	if (rc == 0)
		rc = check_wishes(&wishes, err);
	if (rc == 0)
		rc = app_set_receivers(a, err);
	if (rc == 0 && pipeline_reconfigure(a->pipeline, new, clock_wall_ms(), err)) {
		/* (The receivers are those of the old configuration again.) */
		a->config = old;
		app_set_receivers(a, NULL);
		rc = -1;
	}
	if (rc) {
		undo(a, old);
		wishes_release(&wishes);
		app_free_credentials(secrets, new->njobs);
		return -1;
	}
	a->secrets = secrets;
	app_set_alert_rules(a);
	if (app_follow(a, &wishes, err))
		log_msg(LEVEL_ERROR, "reload: %s", err->msg);
	wishes_release(&wishes);
	app_free_credentials(old_secrets, old_jobs);
	app_status_listen(a);
	return 0;
}

void app_unused_config(void *arg, const struct config *c)
{
	struct app *a = arg;

	/* The one in force is freed at the very end. */
	if (c != a->config)
		config_free((struct config *)c);
}

void app_reload(struct app *a)
{
	struct config *new;
	struct err err = ERR_INIT;
	uint64_t began = clock_mono_ms();
	bool ok = false;

	sdnotify_reloading(NULL);
	new = load(a->config_path);
	if (!new)
		err_set(&err, "%s has errors", a->config_path);
	else if (check_changeable(a->config, new, &err) == 0)
		ok = take_over(a, new, &err) == 0;
	a->reload_failed = !ok;
	if (ok) {
		a->reloads++;
		app_check_aside(a);
		log_msg(LEVEL_NOTICE, "configuration reloaded: %zu targets, %llu ms", a->ntargets,
			(unsigned long long)(clock_mono_ms() - began));
	} else {
		a->reloads_refused++;
		log_msg(LEVEL_ERROR, "reload refused, the old configuration stays: %s", err.msg);
		config_free(new);
	}
	sdnotify_ready(NULL);
	app_tell_systemd(a);
}
