/* Reasons for people: what was seen, in the series' own units and in real time. */
#include "detect_internal.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

enum { WORD = 48 }; /* room for one value or span */

#define SELDOM	  .1 /* of the growth, that an earlier run had by the same age */
#define CONCEDED  .85 /* share that load does not explain: under it that is said */
#define FEW_BOUTS 3

const char *verdict_state_name(enum verdict_state s)
{
	static const char *const names[VERDICT_STATES] = {
		"ok", "watching", "suspect", "leaking", "held"};

	return (unsigned)s < VERDICT_STATES ? names[s] : "unknown";
}

const char *words_value(const struct detect *d, double v, char *out, size_t size)
{
	const char *unit = d->kind == DETECT_BYTES ? " MiB" : "";

	if (d->kind == DETECT_BYTES)
		v /= 1048576;
	snprintf(out, size, fabs(v) >= 10 || v == 0 ? "%.0f%s" : "%.1f%s", v, unit);
	return out;
}

const char *words_span(const struct detect *d, double seconds, char *out, size_t size)
{
	double s = seconds / d->scale;

	if (s < 10)
		snprintf(out, size, "%.1f s", s);
	else if (s < 120)
		snprintf(out, size, "%.0f s", s);
	else if (s < 7200)
		snprintf(out, size, "%.0f min", s / 60);
	else if (s < 72 * 3600)
		snprintf(out, size, s < 10 * 3600 ? "%.1f h" : "%.0f h", s / 3600);
	else
		snprintf(out, size, "%.1f d", s / 86400);
	return out;
}

static const char *words_rate(const struct detect *d, double per_hour, char *out, size_t size)
{
	return words_value(d, per_hour * d->scale, out, size);
}

struct writer {
	char *p;
	size_t size, len;
};

static void add(struct writer *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void add(struct writer *w, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(w->p + w->len, w->size - w->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		w->len = MIN(w->len + (size_t)n, w->size - 1);
}

static void say_floor(const struct detect *d, const struct rise *r, struct writer *w)
{
	char first[WORD], last[WORD], back[WORD], span[WORD];

	add(w, "floor rose from %s to %s in %s and gave back at most %s",
		words_value(d, r->shape.first, first, WORD),
		words_value(d, r->shape.last, last, WORD), words_span(d, r->look, span, WORD),
		words_value(d, r->shape.drawdown, back, WORD));
	if (r->how == RISE_BOUTS)
		add(w, ", in %d bouts none of which went back", r->shape.bouts);
	else
		add(w,
			", evenly (as if in %.1f of %d equal parts) and not slowing "
			"(second half %.0f %% of it)",
			r->shape.even, r->shape.n >= 8 ? 8 : 4, 100 * r->shape.late);
	if (r->how == RISE_URGENT && d->limit > r->now && r->rate > 0)
		add(w, "; urgent: at this rate it reaches %s in %s",
			words_value(d, d->limit, first, WORD),
			words_span(d, (d->limit - r->now) / r->rate * HOUR, span, WORD));
	else if (r->how == RISE_URGENT)
		add(w, "; urgent: too large and steep to wait for more");
	if (r->peak > r->shape.first)
		add(w, "; highest floor of the %s before: %s", words_span(d, 7 * DAY, span, WORD),
			words_value(d, r->peak, first, WORD));
	if (r->load_taken_out)
		add(w, "; after taking out what the load explains");
	if (r->earlier_runs > 0 && r->earlier < SELDOM)
		add(w, "; none of the %d runs before had risen so by that age", r->earlier_runs);
}

/* What speaks against a leak. */
static void say_against(const struct rise *r, struct writer *w)
{
	if (r->share < CONCEDED)
		add(w, "; against it: the load may explain %.0f %% of it", 100 * (1 - r->share));
	else if (r->look < DAY && r->age < 2 * HOUR && r->earlier_runs == 0)
		add(w, "; against it: it began with the process, which may only be filling");
	else if (r->how == RISE_BOUTS && r->shape.bouts <= FEW_BOUTS)
		add(w, "; against it: only %d bouts, which may have been the last", r->shape.bouts);
}

/* What a suspect lacks. */
static void say_missing(const struct detect *d, const struct rise *r, struct writer *w)
{
	char level[WORD], span[WORD];
	double at = r->needs_peak * fmax(r->peak, d->unit);

	if (r->look >= 23 * HOUR || r->yields)
		return;
	words_span(d, 23 * HOUR, span, WORD);
	if (isfinite(at) && at > r->now)
		add(w, "; leaking from %s on, or when it has gone on for %s",
			words_value(d, at, level, WORD), span);
	else
		add(w, "; leaking when it has gone on for up to %s", span);
}

void words_rise(const struct detect *d, const struct rise *r, char *out, size_t size)
{
	struct writer w = {.p = out, .size = size};
	char a[WORD], b[WORD], c[WORD];

	out[0] = '\0';
	if (r->how == RISE_ANCHOR) {
		add(&w,
			"level %s at an uptime of %s is what %s/h since the process began would "
			"give",
			words_value(d, r->anchor_level, a, WORD),
			words_span(d, r->anchor_up, b, WORD), words_rate(d, r->rate, c, WORD));
	} else if (r->how == RISE_RUNS) {
		add(&w,
			"%d runs in a row grew (median +%s) and every restart brought it back to "
			"about %s",
			r->runs, words_value(d, r->shape.growth, a, WORD),
			words_value(d, r->shape.first, b, WORD));
	} else {
		say_floor(d, r, &w);
		say_against(r, &w);
		if (r->level == RISE_SUSPECT)
			say_missing(d, r, &w);
	}
}
