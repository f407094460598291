/* leakwatch import: a recorded history into the store, so that the detector knows it on day one. */
#include "buf.h"
#include "clock.h"
#include "cmd.h"
#include "cmd_backtest.h"
#include "cmd_db.h"
#include "config.h"
#include "map.h"
#include "pipeline_reload.h"
#include "store_load.h"
#include "xalloc.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FULL_EVERY 32 /* scrapes between two full ones, as the daemon writes them */
#define BATCH	   500 /* scrapes of one transaction */

static const char usage[] =
	"usage: leakwatch import [-c FILE] [--db FILE] HISTORY\n"
	"Takes a recorded history into the store, so that the detector knows a service from the\n"
	"first scrape on.  To be run while no daemon holds the store; targets that have a history\n"
	"there already are left out.\n\n"
	"HISTORY is what 'promtool tsdb dump DIR' prints, or OpenMetrics text with timestamps "
	"(either\n"
	"gzip'd too), another daemon's .db, or - for standard input; what is read of it is what\n"
	"'leakwatch backtest' reads.  A target is the one of the configuration that has the same "
	"job\n"
	"and instance.\n\n"
	"  -c, --config FILE    take storage.path, detect, load_metric and the classes from this "
	"file\n"
	"      --db FILE        the store (default: storage.path, or " CMD_DB_PATH ")\n"
	"      --help           this text\n\n"
	"Exit: 0 done, 1 nothing was new, 2 usage, 65 no history in it, or a store of a newer\n"
	"version, 74 cannot read or write, 75 a daemon holds the store.\n";

struct item {
	struct backtest_judged judged; /* series: not used */
	char *record; /* the detector's */
	size_t record_len;
	char *reason;
	struct verdict verdict;
	int64_t series_id;
	size_t next; /* sample to be written */
};

struct import {
	char **argv;
	const struct config *config;
	struct store *store;
	struct store_maxima ids;
	struct item *v; /* sorted by target */
	size_t n, cap;
	struct map *known; /* "job/instance" of targets that are in the store */
	size_t targets, samples, left_out;
};

static int64_t ms(double s)
{
	return isnan(s) ? 0 : (int64_t)llround(s * 1000);
}

/* ---- collecting -------------------------------------------------------------------- */

static void judged_cb(void *arg, const struct backtest_judged *j)
{
	struct import *im = arg;
	struct buf record = BUF_INIT;
	struct item *it;

	if (im->n == im->cap) {
		im->cap = im->cap ? im->cap * 2 : 256;
		im->v = xrealloc(im->v, im->cap, sizeof(*im->v));
	}
	it = &im->v[im->n++];
	detect_save(j->series->detect, &record);
	*it = (struct item){.judged = *j,
		.record_len = record.len,
		.record = str_dup(buf_str(&record)),
		.reason = xstrdup(j->series->verdict.reason),
		.verdict = j->series->verdict};
	buf_release(&record);
}

static void event_cb(void *arg, const struct backtest_event *e)
{
	(void)arg, (void)e;
}

static int by_target(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int c = strcmp(x->judged.target, y->judged.target);

	if (c == 0)
		c = (int)x->judged.kind - (int)y->judged.kind;
	return c ? c : strcmp(x->judged.name, y->judged.name);
}

static void known_cb(void *arg, const struct store_target *t)
{
	struct import *im = arg;
	struct buf name = BUF_INIT;

	buf_addf(&name, "%.*s/%.*s", STR_ARG(t->job), STR_ARG(t->instance));
	map_put(im->known, buf_str(&name), im);
	buf_release(&name);
}

/* ---- writing ------------------------------------------------------------------------- */

static int apply(struct import *im, struct store_batch **b, struct err *err)
{
	int rc = store_apply(im->store, b, 1, (int64_t)clock_mono_ms(), err);

	store_batch_free(*b);
	*b = store_batch_new();
	return rc;
}

static const struct rule *rule_of(const struct import *im, const char *class)
{
	for (size_t i = 0; i < im->config->nrules; i++) {
		if (classifier_is_of(&im->config->rules[i], str_of(class)))
			return &im->config->rules[i];
	}
	return NULL;
}

static void put_class(
	struct import *im, struct store_batch *b, int64_t target_id, const struct item *it)
{
	const struct rule *rule = rule_of(im, it->judged.name);
	struct store_class row = {.id = ++im->ids.class_id,
		.target_id = target_id,
		.name = str_of(it->judged.name),
		.rule = rule ? rule->name : STR(""),
		.definition = rule_definition(rule),
		.first_seen_ms = ms(it->judged.at[0]),
		.last_seen_ms = ms(it->judged.at[it->judged.n - 1])};

	if (rule)
		row.hint = rule->hint;
	store_put_class(b, &row);
}

static void put_series(struct import *im, struct store_batch *b, int64_t target_id, struct item *it)
{
	const struct verdict *v = &it->verdict;
	int64_t at_ms = ms(it->judged.at[it->judged.n - 1]);
	struct store_series series = {.target_id = target_id, .name = str_of(it->judged.name)};
	struct store_detector detector = {.at_ms = at_ms};
	struct store_verdict verdict = {.state = str_of(verdict_state_name(v->state)),
		.at_ms = ms(v->at),
		.since_ms = ms(v->since),
		.since_at_least = v->since_at_least,
		.rate_per_hour = v->rate_per_hour,
		.low = v->low,
		.high = v->high,
		.base = v->base,
		.top = v->top,
		.lookback_s = v->lookback_s,
		.reason = str_of(it->reason)};

	series.kind = it->judged.kind == SERIES_CLASS	? STORE_SERIES_CLASS
		      : it->judged.kind == SERIES_TOTAL ? STORE_SERIES_TOTAL
							: STORE_SERIES_METRIC;
	if (series.kind == STORE_SERIES_TOTAL)
		series.name = STR("total");
	if (series.kind == STORE_SERIES_CLASS) {
		put_class(im, b, target_id, it);
		series.class_id = im->ids.class_id;
	}
	it->series_id = series.id = detector.series_id = verdict.series_id = ++im->ids.series_id;
	detector.record = str_n(it->record, it->record_len);
	store_put_series(b, &series);
	store_put_detector(b, &detector);
	store_put_verdict(b, &verdict);
}

/* The time of the oldest sample that is not written yet; INT64_MAX at the end. */
static int64_t next_ms(const struct item *v, size_t n)
{
	int64_t at = INT64_MAX;

	for (size_t i = 0; i < n; i++) {
		if (v[i].next < v[i].judged.n)
			at = MIN(at, ms(v[i].judged.at[v[i].next]));
	}
	return at;
}

static void add_scrape(struct import *im, struct store_batch *b, int64_t target_id, int64_t at_ms,
	bool full, struct item *v, size_t n)
{
	struct store_scrape row = {.target_id = target_id, .at_ms = at_ms, .full = full};

	for (size_t i = 0; i < n; i++) {
		if (v[i].next < v[i].judged.n && ms(v[i].judged.at[v[i].next]) == at_ms)
			row.got |= v[i].judged.kind <= SERIES_TOTAL ? STORE_GOT_GOROUTINES
								    : STORE_GOT_METRICS;
	}
	store_add_scrape(b, &row);
	for (size_t i = 0; i < n; i++) {
		const struct backtest_judged *j = &v[i].judged;
		size_t at = v[i].next;

		while (v[i].next < j->n && ms(j->at[v[i].next]) == at_ms)
			v[i].next++; /* of two at one time the later holds */
		im->samples += v[i].next - at;
		if (v[i].next == 0)
			continue;
		if (full || (v[i].next > at &&
				    (at == 0 || j->value[v[i].next - 1] != j->value[at - 1])))
			store_add_value(b, v[i].series_id, j->value[v[i].next - 1]);
	}
}

/* The n series of one target, as if its scrapes had been stored. */
static int write_target(struct import *im, struct str job, struct str instance, struct item *v,
	size_t n, struct err *err)
{
	struct store_batch *b = store_batch_new();
	struct store_target target = {.id = ++im->ids.target_id,
		.job = job,
		.instance = instance,
		.first_seen_ms = ms(v[0].judged.first_class)};
	struct store_run run = {.target_id = target.id, .start_ms = ms(v[0].judged.start)};
	int64_t at_ms;
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		target.last_seen_ms =
			MAX(target.last_seen_ms, ms(v[i].judged.at[v[i].judged.n - 1]));
	store_put_target(b, &target);
	if (run.start_ms) {
		run.id = ++im->ids.run_id;
		run.first_seen_ms = ms(v[0].judged.start_seen);
		run.last_seen_ms = target.last_seen_ms;
		store_put_run(b, &run);
	}
	for (size_t i = 0; i < n; i++)
		put_series(im, b, target.id, &v[i]);
	for (int k = 0; rc == 0 && (at_ms = next_ms(v, n)) != INT64_MAX; k++) {
		add_scrape(im, b, target.id, at_ms, k % FULL_EVERY == 0, v, n);
		if (k % BATCH == BATCH - 1)
			rc = apply(im, &b, err);
	}
	if (rc == 0)
		rc = apply(im, &b, err);
	store_batch_free(b);
	im->targets++;
	return rc;
}

static void leave_out(struct import *im, const char *target, const char *why)
{
	struct err note;

	im->left_out++;
	err_set(&note, "%s: left out: %s", target, why);
	cmd_error(CMD_OK, im->argv, &note);
}

static int write_all(struct import *im, struct err *err)
{
	size_t from, to;
	int rc = 0;

	qsort(im->v, im->n, sizeof(*im->v), by_target);
	for (from = 0; rc == 0 && from < im->n; from = to) {
		struct str name = str_of(im->v[from].judged.target), job, instance;
		ptrdiff_t slash = str_chr(name, '/');

		for (to = from; to < im->n &&
				strcmp(im->v[to].judged.target, im->v[from].judged.target) == 0;)
			to++;
		if (slash < 1) {
			leave_out(im, name.p,
				"it has neither job and instance nor a target "
				"of the form job/instance");
			continue;
		}
		job = str_sub(name, 0, (size_t)slash);
		instance = str_from(name, (size_t)slash + 1);
		if (map_get(im->known, name))
			leave_out(im, name.p, "the store has a history of it");
		else
			rc = write_target(im, job, instance, &im->v[from], to - from, err);
	}
	return rc;
}

/* ---- the command ------------------------------------------------------------------------ */

static int open_store(struct import *im, const char *path, struct err *err)
{
	struct store_opened opened;

	switch (store_open(path, clock_wall_ms(), &im->store, &opened, err)) {
	case STORE_OPEN_OK:
		break;
	case STORE_OPEN_HELD:
		return CMD_HELD;
	case STORE_OPEN_NEWER:
		return CMD_DATA;
	default:
		return CMD_IO;
	}
	if (opened.set_aside[0])
		fprintf(stderr, "the store was corrupt; it is kept as %s\n", opened.set_aside);
	if (store_load_maxima(im->store, &im->ids, err) < 0 ||
		store_load_targets(im->store, known_cb, im, err) < 0)
		return CMD_IO;
	return CMD_OK;
}

static int want_loads(struct backtest *b, const struct config *c, struct err *err)
{
	for (size_t i = 0; i < c->njobs; i++) {
		if (c->jobs[i].load_metric.len &&
			backtest_want_load(b, c->njobs > 1 ? c->jobs[i].name : STR(""),
				c->jobs[i].load_metric, err))
			return CMD_FAILED;
	}
	return CMD_OK;
}

static int import(
	struct import *im, struct backtest *b, const char *db, const char *history, struct err *err)
{
	int code = want_loads(b, im->config, err);

	if (code == CMD_OK)
		code = backtest_read_history(history, b, err);
	if (code == CMD_OK)
		code = open_store(im, db, err);
	if (code != CMD_OK)
		return code;
	backtest_rules(b, im->config->rules, im->config->nrules);
	backtest_on_judged(b, judged_cb, im);
	backtest_judge(b, event_cb, NULL);
	if (write_all(im, err) < 0)
		return CMD_IO;
	if (im->targets == 0) {
		err_set(err, "nothing was imported");
		return CMD_FAILED;
	}
	printf("%zu targets, %zu series, %zu samples\n", im->targets, im->n, im->samples);
	return CMD_OK;
}

static void release(struct import *im)
{
	for (size_t i = 0; i < im->n; i++) {
		free(im->v[i].record);
		free(im->v[i].reason);
	}
	free(im->v);
	map_free(im->known, NULL);
	store_close(im->store);
}

int cmd_import(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"db", required_argument, NULL, 'd'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	const char *path = NULL, *db = NULL;
	struct import im = {.argv = argv};
	struct err err = ERR_INIT;
	struct config *config;
	struct backtest *b;
	int c, code = CMD_FAILED;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 'd':
			db = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return CMD_USAGE;
		}
	}
	if (optind + 1 != argc)
		return cmd_usage(argv, "takes one HISTORY");
	config = backtest_load_config(path, &code);
	if (!config)
		return code;
	im.config = config;
	im.known = map_new();
	b = backtest_new(&config->detect);
	code = import(&im, b, db ? db : config->storage_path.p, argv[optind], &err);
	if (code != CMD_OK)
		cmd_error(code, argv, &err);
	release(&im);
	backtest_free(b);
	config_free(config);
	return code;
}
