#include "finding.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RATIO_GROWTH 10 /* of either, before a ratio is told */
#define REPLACED     "they become more, and wait for one lock: LockConvoy tells of them"
#define RATIO_SPREAD 0.10 /* two rates over two growths differ less than that: one ratio */

struct finding_set {
	struct detect_params params;
	struct finding_events events;
	struct finding **v;
	size_t n;
};

static const char *const alert_names[FINDING_KINDS] = {
	[FINDING_GOROUTINES] = "GoroutineLeak",
	[FINDING_FDS] = "FileDescriptorLeak",
	[FINDING_MEMORY] = "MemoryLeak",
	[FINDING_FOREVER] = "BlockedForever",
	[FINDING_CONVOY] = "LockConvoy",
	[FINDING_LIMIT] = "GoroutineLimit",
	[FINDING_STUCK] = "StuckGoroutines",
};

const char *finding_alert_name(enum finding_kind k)
{
	return alert_names[k];
}

enum finding_kind finding_kind_of(struct str alert_name)
{
	for (int k = 0; k < FINDING_KINDS; k++) {
		if (str_is(alert_name, alert_names[k]))
			return (enum finding_kind)k;
	}
	return FINDING_KINDS;
}

bool finding_is_growth(enum finding_kind k)
{
	return k == FINDING_GOROUTINES || k == FINDING_FOREVER || k == FINDING_CONVOY;
}

struct finding_set *finding_set_new(
	const struct detect_params *params, const struct finding_events *events)
{
	struct finding_set *set = xcalloc(1, sizeof(*set));

	set->params = *params;
	set->events = *events;
	return set;
}

static void free_finding(struct finding *f)
{
	free(f->class);
	free(f);
}

void finding_set_retune(struct finding_set *set, const struct detect_params *params)
{
	set->params = *params;
}

void finding_set_free(struct finding_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		free_finding(set->v[i]);
	free(set->v);
	free(set);
}

size_t finding_count(const struct finding_set *set)
{
	return set->n;
}

const struct finding *finding_at(const struct finding_set *set, size_t i)
{
	return i < set->n ? set->v[i] : NULL;
}

static struct finding *add_finding(
	struct finding_set *set, enum finding_kind kind, struct str class, double now)
{
	struct finding *f = xcalloc(1, sizeof(*f));

	f->kind = kind;
	f->class = str_dup(class);
	f->opened_at = now;
	f->since = NAN;
	set->v = xrealloc(set->v, set->n + 1, sizeof(*set->v));
	set->v[set->n++] = f;
	return f;
}

struct finding *finding_restore(
	struct finding_set *set, enum finding_kind kind, struct str class, double opened_at)
{
	struct finding *f = add_finding(set, kind, class, opened_at);

	f->told = true;
	return f;
}

/* It does not speak of growth, and takes no series away from those that do. */
static bool is_apart(enum finding_kind k)
{
	return k == FINDING_LIMIT || k == FINDING_STUCK;
}

/* ---- members ---- */

static bool alarmed(const struct series *s)
{
	return s->verdict.state == VERDICT_LEAKING;
}

/* Still what was alarmed: held stays, and so does a suspect that was leaking before a restart. */
static bool still_alarmed(const struct series *s)
{
	return s->verdict.state >= VERDICT_SUSPECT;
}

static bool is_member(const struct finding *f, const struct series *s)
{
	for (size_t i = 0; i < f->nmembers; i++) {
		if (f->members[i] == s)
			return true;
	}
	return false;
}

static void add_member(struct finding *f, struct series *s)
{
	if (is_member(f, s) || f->nmembers == FINDING_MEMBERS_MAX)
		return;
	f->members[f->nmembers++] = s;
	if (isnan(f->since) || s->verdict.since < f->since)
		f->since = s->verdict.since;
}

static void drop_member(struct finding *f, const struct series *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->nmembers; i++) {
		if (f->members[i] != s)
			f->members[kept++] = f->members[i];
	}
	f->nmembers = kept;
	if (f->primary == s)
		f->primary = NULL;
}

void finding_drop(struct finding_set *set, const struct series *s)
{
	for (size_t i = 0; i < set->n; i++)
		drop_member(set->v[i], s);
}

static struct finding *finding_of(const struct finding_set *set, const struct series *s)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!is_apart(set->v[i]->kind) && is_member(set->v[i], s))
			return set->v[i];
	}
	return NULL;
}

/* Began within one lookback of each other. */
static bool began_together(const struct verdict *a, const struct verdict *b)
{
	return fabs(a->since - b->since) <= MAX(a->lookback_s, b->lookback_s);
}

/* Rates stand in the ratio of what each has grown: one rises as a multiple of the other. */
static bool one_ratio(const struct verdict *a, const struct verdict *b)
{
	double ga = a->top - a->base, gb = b->top - b->base, r;

	if (!(ga > 0 && gb > 0 && a->rate_per_hour > 0 && b->rate_per_hour > 0))
		return false;
	r = (a->rate_per_hour / b->rate_per_hour) / (ga / gb);
	return fabs(r - 1) <= RATIO_SPREAD;
}

double finding_ratio(const struct series *member, const struct series *primary)
{
	double grown = member->verdict.top - member->verdict.base;
	double by = primary->verdict.top - primary->verdict.base;

	if (series_kind_unit(member->kind) == DETECT_BYTES ||
		series_kind_unit(primary->kind) == DETECT_BYTES || !(grown >= RATIO_GROWTH) ||
		!(by >= RATIO_GROWTH) || !one_ratio(&member->verdict, &primary->verdict))
		return NAN;
	return grown / by;
}

static double rate_of(const struct series *s)
{
	return s->verdict.rate_per_hour > 0 ? s->verdict.rate_per_hour : 0;
}

/* Of a class, whatever its rate is. */
static bool is_of_waits(enum finding_kind k)
{
	return k == FINDING_FOREVER || k == FINDING_CONVOY;
}

static struct finding *named(
	const struct finding_set *set, enum finding_kind kind, const char *class)
{
	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i]->kind == kind && strcmp(set->v[i]->class, class) == 0)
			return set->v[i];
	}
	return NULL;
}

/* That most of them are stuck is told: so is why the class grows. */
static bool is_told_stuck(const struct finding_set *set, const struct series *s)
{
	return named(set, FINDING_STUCK, s->name) && s->stuck_count * 2 >= s->value;
}

/* ---- classes ---- */

/* The faster of two names what leaks; of two as fast as each other the one of the user's own code:
 * a handler that hangs makes the server's connections grow with it. */
static bool better_name(const struct series *a, const struct series *b)
{
	double ra = rate_of(a), rb = rate_of(b);

	if (a->builtin != b->builtin && fabs(ra - rb) <= RATIO_SPREAD * MAX(ra, rb))
		return !a->builtin;
	return ra > rb;
}

static struct series *fastest_free(
	const struct finding_set *set, struct series *const *series, size_t n)
{
	struct series *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (series[i]->kind != SERIES_CLASS || !alarmed(series[i]) ||
			finding_of(set, series[i]) || is_told_stuck(set, series[i]))
			continue;
		if (!best || better_name(series[i], best))
			best = series[i];
	}
	return best;
}

static struct finding *find_partner(const struct finding_set *set, const struct series *s)
{
	for (size_t i = 0; i < set->n; i++) {
		struct finding *f = set->v[i];

		if (!finding_is_growth(f->kind) || !f->primary || f->primary->kind != SERIES_CLASS)
			continue;
		if (began_together(&f->primary->verdict, &s->verdict) ||
			one_ratio(&f->primary->verdict, &s->verdict))
			return f;
	}
	return NULL;
}

/* Puts s at the head of a finding of its own: one of that name, or a new one. */
static void lead(struct finding_set *set, enum finding_kind kind, struct series *s, double now)
{
	struct finding *f = named(set, kind, s->name);

	if (!f)
		f = add_finding(set, kind, str_of(s->name), now);
	f->primary = s;
	if (!is_member(f, s) && f->nmembers == FINDING_MEMBERS_MAX)
		f->nmembers--;
	add_member(f, s);
}

static void place_classes(
	struct finding_set *set, struct series *const *series, size_t n, double now)
{
	struct series *s;

	while ((s = fastest_free(set, series, n))) {
		struct finding *f =
			named(set, FINDING_GOROUTINES, s->name) ? NULL : find_partner(set, s);

		if (f && f->nmembers < FINDING_MEMBERS_MAX)
			add_member(f, s);
		else
			lead(set, FINDING_GOROUTINES, s, now);
	}
}

/* ---- total, descriptors, memory ---- */

static bool could_explain(const struct series *c, const struct series *s)
{
	return c->kind == SERIES_CLASS && c->verdict.state >= VERDICT_SUSPECT && rate_of(c) > 0 &&
	       (series_kind_unit(s->kind) == DETECT_COUNT ||
		       began_together(&c->verdict, &s->verdict) ||
		       one_ratio(&c->verdict, &s->verdict));
}

static bool explained(const struct series *s, struct series *const *series, size_t n)
{
	double goroutines = 0,
	       each = series_kind_unit(s->kind) == DETECT_BYTES ? FINDING_BYTES_EACH : 1;

	for (size_t i = 0; i < n; i++) {
		if (could_explain(series[i], s))
			goroutines += rate_of(series[i]);
	}
	return goroutines * each >= FINDING_EXPLAINS * rate_of(s) && goroutines > 0;
}

static struct finding *any_goroutine_finding(const struct finding_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (finding_is_growth(set->v[i]->kind) && set->v[i]->primary &&
			set->v[i]->primary->kind == SERIES_CLASS)
			return set->v[i];
	}
	return NULL;
}

static enum finding_kind kind_of_series(const struct series *s)
{
	switch (s->kind) {
	case SERIES_FDS:
		return FINDING_FDS;
	case SERIES_MEMORY:
	case SERIES_HEAP:
	case SERIES_ANON:
		return FINDING_MEMORY;
	default:
		return FINDING_GOROUTINES;
	}
}

static bool has_kind(struct series *const *series, size_t n, enum series_kind kind)
{
	for (size_t i = 0; i < n; i++) {
		if (series[i]->kind == kind && !isnan(series[i]->value))
			return true;
	}
	return false;
}

/*
 * Anonymous memory is what a leak is made of; resident memory has pages of files in it, and heap in
 * use is a part.  Of those that are told, the first speaks, and the others explain it.
 */
static enum series_kind speaks_for_memory(struct series *const *series, size_t n)
{
	return has_kind(series, n, SERIES_ANON)	    ? SERIES_ANON
	       : has_kind(series, n, SERIES_MEMORY) ? SERIES_MEMORY
						    : SERIES_HEAP;
}

static void place_process(struct finding_set *set, struct series *s, struct series *const *series,
	size_t n, double now)
{
	double grace = FINDING_GRACE_S * set->params.window_s / 120;
	struct finding *f;

	if (s->kind == SERIES_THREADS)
		return; /* judged and shown; goroutines blocked in system calls speak for it */
	if (explained(s, series, n)) {
		f = any_goroutine_finding(set);
		if (f)
			add_member(f, s);
		return;
	}
	/* A class may be some windows behind: it has the better name. */
	if (now - s->changed_at < grace && !named(set, kind_of_series(s), s->name))
		return;
	if (kind_of_series(s) == FINDING_MEMORY && s->kind != speaks_for_memory(series, n)) {
		f = named(set, FINDING_MEMORY, series_kind_metric(speaks_for_memory(series, n)));
		if (f)
			add_member(f, s);
		return;
	}
	lead(set, kind_of_series(s), s, now);
}

/* ---- limits, what is stuck, and what waits for ever ---- */

static void place_limits(
	struct finding_set *set, struct series *const *series, size_t n, double now)
{
	for (size_t i = 0; i < n; i++) {
		if (series[i]->over)
			lead(set, FINDING_LIMIT, series[i], now);
	}
}

static void place_stuck(struct finding_set *set, struct series *const *series, size_t n, double now)
{
	for (size_t i = 0; i < n; i++) {
		struct series *s = series[i];

		if (!(s->stuck_since > 0))
			continue;
		if (named(set, FINDING_STUCK, s->name) || !finding_of(set, s))
			lead(set, FINDING_STUCK, s, now);
	}
}

/* The detector may not know yet since when. */
static void lead_waits(
	struct finding_set *set, enum finding_kind kind, struct series *s, double since, double now)
{
	struct finding *f;

	lead(set, kind, s, now);
	f = named(set, kind, s->name);
	if (isnan(f->since))
		f->since = since;
}

/* Before the leaks: theirs is the better name. */
static void place_waits(struct finding_set *set, struct series *const *series, size_t n, double now)
{
	for (size_t i = 0; i < n; i++) {
		struct series *s = series[i];

		if (s->kind != SERIES_CLASS || finding_of(set, s))
			continue;
		if (s->forever_since > 0 && !is_told_stuck(set, s))
			lead_waits(set, FINDING_FOREVER, s, s->forever_since, now);
		else if (s->convoy)
			lead_waits(set, FINDING_CONVOY, s, s->stuck_since, now);
	}
}

/* Once all have found their place, and before what a new one replaces is closed. */
static void tell_new(struct finding_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		if (!set->v[i]->told) {
			set->v[i]->told = true;
			set->events.opened(set->events.arg, set->v[i]);
		}
	}
}

/* ---- closing ---- */

/* Those who are stuck are told by a name that says more. */
static bool is_replaced(const struct finding_set *set, const struct finding *f)
{
	return f->kind == FINDING_STUCK && named(set, FINDING_CONVOY, f->class);
}

/* What waits tell ends with the waits; else NULL. */
static const char *waits_ended(const struct finding *f)
{
	const struct series *s = f->members[0];

	switch (f->kind) {
	case FINDING_STUCK:
	case FINDING_CONVOY:
		return s->stuck_since > 0 || s->maybe_stuck
			       ? NULL
			       : "nobody waits for that mutex in every scrape any more";
	case FINDING_FOREVER:
		return s->forever_since > 0 || still_alarmed(s)
			       ? NULL
			       : "those that waited for what can never happen are gone";
	default:
		return NULL;
	}
}

static bool over(const struct finding *f, struct series *const *series, size_t n, const char **why)
{
	if (f->nmembers == 0) {
		*why = "its class is gone";
		return true;
	}
	if (f->primary && f->primary->kind != SERIES_CLASS && explained(f->primary, series, n)) {
		*why = "explained by the goroutine class that grows with it";
		return true;
	}
	if (f->kind == FINDING_LIMIT) {
		*why = "back at or under its limit";
		return !f->members[0]->over;
	}
	if (f->kind == FINDING_STUCK || is_of_waits(f->kind)) {
		*why = waits_ended(f);
		return *why;
	}
	for (size_t i = 0; i < f->nmembers; i++) {
		const struct series *s = f->members[i];

		/* Members that are not the finding's own kind do not keep it open. */
		if (kind_of_series(s) == f->kind && still_alarmed(s))
			return false;
	}
	*why = f->members[0]->verdict.reason[0] ? f->members[0]->verdict.reason
						: "it no longer grows";
	return true;
}

static void drop_quiet_members(struct finding *f)
{
	size_t i = 1; /* the first stays, it names the reason */

	while (i < f->nmembers) {
		if (!still_alarmed(f->members[i]) && !is_apart(f->kind))
			drop_member(f, f->members[i]);
		else
			i++;
	}
}

static void close_ended(
	struct finding_set *set, struct series *const *series, size_t n, bool complete)
{
	for (size_t i = 0; i < set->n;) {
		struct finding *f = set->v[i];
		const char *why = NULL;

		/* Restored ones wait for a whole body to tell whether their class is still there.
		 */
		f->replaced = is_replaced(set, f);
		if (!f->replaced &&
			((f->nmembers == 0 && !complete) || !over(f, series, n, &why))) {
			drop_quiet_members(f);
			i++;
			continue;
		}
		memmove(&set->v[i], &set->v[i + 1], (set->n - i - 1) * sizeof(*set->v));
		set->n--;
		set->events.closed(set->events.arg, f, f->replaced ? REPLACED : why);
		free_finding(f);
	}
}

/* A restored finding finds its series again by name. */
static void reclaim(struct finding_set *set, struct series *const *series, size_t n)
{
	for (size_t i = 0; i < set->n; i++) {
		struct finding *f = set->v[i];

		for (size_t j = 0; j < n && !f->primary; j++) {
			if (strcmp(series[j]->name, f->class) == 0 &&
				(is_apart(f->kind) || is_of_waits(f->kind) ||
					kind_of_series(series[j]) == f->kind)) {
				f->primary = series[j];
				add_member(f, series[j]);
			}
		}
	}
}

void finding_update(
	struct finding_set *set, struct series *const *series, size_t n, double now, bool complete)
{
	reclaim(set, series, n);
	place_waits(set, series, n, now);
	place_classes(set, series, n, now);
	for (size_t i = 0; i < n; i++) {
		if (series[i]->kind != SERIES_CLASS && alarmed(series[i]) &&
			!finding_of(set, series[i]))
			place_process(set, series[i], series, n, now);
	}
	place_limits(set, series, n, now);
	place_stuck(set, series, n, now);
	tell_new(set);
	close_ended(set, series, n, complete);
	for (size_t i = 0; i < set->n; i++)
		set->events.current(set->events.arg, set->v[i]);
}
