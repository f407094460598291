/* A daemon's store as a history: its raw samples, target by target. */
#include "cmd.h"
#include "cmd_backtest.h"
#include "store_load.h"
#include "store_read.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

struct target {
	int64_t id;
	char *name; /* "job/instance" */
};

struct one_series {
	int64_t id, target_id;
	enum store_series_kind kind;
	char *name;
};

struct reader {
	struct store *store;
	struct backtest *b;
	struct target *targets;
	size_t ntargets;
	struct one_series *series; /* of the target at hand */
	size_t nseries;
	struct str target, name; /* of the series at hand */
	enum series_kind kind;
	bool load;
};

static void target_cb(void *arg, const struct store_target *t)
{
	struct reader *r = arg;

	r->targets = xrealloc(r->targets, r->ntargets + 1, sizeof(*r->targets));
	r->targets[r->ntargets++] = (struct target){
		.id = t->id, .name = xasprintf("%.*s/%.*s", STR_ARG(t->job), STR_ARG(t->instance))};
}

static void run_cb(void *arg, const struct store_run *run)
{
	struct reader *r = arg;

	if (run->start_ms)
		backtest_start(r->b, r->target, (double)run->first_seen_ms / 1000,
			(double)run->start_ms / 1000);
}

static void series_cb(void *arg, const struct store_series_view *v)
{
	struct reader *r = arg;

	r->series = xrealloc(r->series, r->nseries + 1, sizeof(*r->series));
	r->series[r->nseries++] = (struct one_series){.id = v->series.id,
		.target_id = v->series.target_id,
		.kind = v->series.kind,
		.name = str_dup(v->series.name)};
}

static void value_cb(void *arg, int64_t at_ms, double value)
{
	struct reader *r = arg;

	if (r->load)
		backtest_load(r->b, r->target, r->name, (double)at_ms / 1000, value);
	else
		backtest_value(r->b, r->target, r->kind,
			r->kind == SERIES_CLASS ? r->name : STR(""), (double)at_ms / 1000, value);
}

/* What the series is to the detector; SERIES_KINDS when it is not judged. */
static enum series_kind kind_of(const struct one_series *s)
{
	if (s->kind == STORE_SERIES_CLASS)
		return SERIES_CLASS;
	if (s->kind == STORE_SERIES_TOTAL)
		return SERIES_TOTAL;
	for (int k = SERIES_FDS; k < SERIES_KINDS; k++)
		if (s->kind == STORE_SERIES_METRIC &&
			strcmp(s->name, series_kind_metric((enum series_kind)k)) == 0)
			return (enum series_kind)k;
	return SERIES_KINDS;
}

static void drop_series(struct reader *r)
{
	for (size_t i = 0; i < r->nseries; i++)
		free(r->series[i].name);
	free(r->series);
	r->series = NULL;
	r->nseries = 0;
}

static int read_target(struct reader *r, const struct target *t, struct err *err)
{
	int rc;

	r->target = str_of(t->name);
	rc = store_load_all_runs(r->store, t->id, run_cb, r, err);
	if (rc == 0)
		rc = store_read_series(r->store, t->id, series_cb, r, err);
	for (size_t i = 0; rc == 0 && i < r->nseries; i++) {
		const struct one_series *s = &r->series[i];
		struct store_series key = {.id = s->id,
			.target_id = s->target_id,
			.kind = s->kind,
			.name = str_of(s->name)};

		r->name = key.name;
		r->kind = kind_of(s);
		r->load = s->kind == STORE_SERIES_LOAD;
		if (r->load || r->kind != SERIES_KINDS)
			rc = store_read_values(r->store, &key, 0, value_cb, r, err);
	}
	drop_series(r);
	return rc;
}

int backtest_read_store(const char *path, struct backtest *b, struct err *err)
{
	struct reader r = {.b = b};
	enum store_open opened = store_open_read(path, &r.store, err);
	int rc;

	if (opened != STORE_OPEN_OK)
		return opened == STORE_OPEN_NEWER ? CMD_DATA : CMD_IO;
	rc = store_load_targets(r.store, target_cb, &r, err);
	for (size_t i = 0; rc == 0 && i < r.ntargets; i++)
		rc = read_target(&r, &r.targets[i], err);
	for (size_t i = 0; i < r.ntargets; i++)
		free(r.targets[i].name);
	free(r.targets);
	store_close(r.store);
	return rc ? CMD_IO : CMD_OK;
}
