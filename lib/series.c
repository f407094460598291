#include "series.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

static const struct {
	const char *name, *metric;
	enum detect_kind unit;
} kinds[SERIES_KINDS] = {
	[SERIES_CLASS] = {"class", "", DETECT_COUNT},
	[SERIES_TOTAL] = {"total", "go_goroutines", DETECT_COUNT},
	[SERIES_FDS] = {"fds", "process_open_fds", DETECT_COUNT},
	[SERIES_THREADS] = {"threads", "go_threads", DETECT_COUNT},
	[SERIES_MEMORY] = {"memory", "process_resident_memory_bytes", DETECT_BYTES},
	[SERIES_HEAP] = {"heap", "go_memstats_heap_inuse_bytes", DETECT_BYTES},
	[SERIES_ANON] = {"anon", "anonymous_memory_bytes", DETECT_BYTES},
};

const char *series_kind_name(enum series_kind k)
{
	return kinds[k].name;
}

const char *series_kind_metric(enum series_kind k)
{
	return kinds[k].metric;
}

enum detect_kind series_kind_unit(enum series_kind k)
{
	return kinds[k].unit;
}

struct series *series_new(
	enum series_kind kind, struct str name, const struct detect_params *params)
{
	struct series *s = xcalloc(1, sizeof(*s));

	s->kind = kind;
	s->name = str_dup(name);
	s->detect = detect_new(kinds[kind].unit, params, NULL, NULL);
	s->verdict = *detect_verdict(s->detect);
	s->at = s->value = s->expected = s->over_since = s->saved = NAN;
	return s;
}

void series_free(struct series *s)
{
	if (!s)
		return;
	detect_free(s->detect);
	free(s->name);
	free(s);
}

static bool within_expectation(const struct series *s)
{
	return !isnan(s->expected) && s->value <= s->expected;
}

static bool take_verdict(struct series *s)
{
	enum verdict_state old = s->verdict.state;

	s->verdict = *detect_verdict(s->detect);
	if (within_expectation(s) && s->verdict.state > VERDICT_WATCHING)
		s->verdict.state = VERDICT_WATCHING;
	if (s->verdict.state == old)
		return false;
	s->changed_at = s->at;
	return true;
}

/* The limit that a value may not pass for long; NAN when there is none. */
static double limit_of(const struct series *s, const struct series_context *ctx)
{
	if (s->kind != SERIES_CLASS)
		return NAN;
	if (!isnan(ctx->expected))
		return ctx->expected;
	return ctx->blocked ? SERIES_BLOCKED_LIMIT : NAN;
}

static bool take_limit(
	struct series *s, const struct detect_params *params, const struct series_context *ctx)
{
	double limit = limit_of(s, ctx), after = SERIES_OVER_S * params->window_s / 120;
	bool was = s->over;

	if (isnan(limit) || s->value <= limit) {
		s->over_since = NAN;
		s->over = false;
		return was;
	}
	s->over_limit = limit;
	if (isnan(s->over_since))
		s->over_since = s->at;
	s->over = s->at - s->over_since >= after;
	return s->over != was;
}

bool series_sample(struct series *s, const struct detect_params *params, double now, double value,
	const struct series_context *ctx)
{
	bool changed;

	s->at = now;
	s->value = value;
	s->expected = ctx->expected;
	detect_sample(s->detect, now, value - ctx->subtract, ctx->load);
	changed = take_verdict(s);
	return take_limit(s, params, ctx) || changed;
}

bool series_restart(struct series *s, double now)
{
	detect_restart(s->detect, now);
	return take_verdict(s);
}

void series_refresh(struct series *s)
{
	take_verdict(s);
}

void series_retune(struct series *s, const struct detect_params *params)
{
	struct detect *d = detect_new(series_kind_unit(s->kind), params, NULL, NULL);
	struct buf record = BUF_INIT;

	detect_save(s->detect, &record);
	if (detect_load(d, buf_str(&record), NULL) == 0) {
		detect_free(s->detect);
		s->detect = d;
		take_verdict(s);
	} else {
		detect_free(d); /* it judges on as it did */
	}
	buf_release(&record);
}

void series_forget(struct series *s, const struct detect_params *params)
{
	detect_free(s->detect);
	s->detect = detect_new(series_kind_unit(s->kind), params, NULL, NULL);
	s->over_since = NAN;
	s->over = false;
	s->recorded_at = 0;
	take_verdict(s);
}
