#include "vitals.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REVISION_BYTES 12 /* of a commit's hash */
#define LONG_PAUSE_S   1e6 /* counted for one that is longer than all buckets */

static const char *const vital_names[VITALS] = {
	[VITAL_START] = "process_start_time_seconds",
	[VITAL_FDS] = "process_open_fds",
	[VITAL_MAX_FDS] = "process_max_fds",
	[VITAL_THREADS] = "go_threads",
	[VITAL_RESIDENT] = "process_resident_memory_bytes",
	[VITAL_HEAP_INUSE] = "go_memstats_heap_inuse_bytes",
	[VITAL_HEAP_IDLE] = "go_memstats_heap_idle_bytes",
	[VITAL_HEAP_RELEASED] = "go_memstats_heap_released_bytes",
	[VITAL_STACK] = "go_memstats_stack_inuse_bytes",
	[VITAL_GO_SYS] = "go_memstats_sys_bytes",
	[VITAL_GOROUTINES] = "go_goroutines",
	[VITAL_PAUSES] = "go_sched_pauses_total_other_seconds_bucket",
};

struct selected {
	char *text;
	struct prom_selector selector; /* slices of text */
	double sum; /* of the body being read; NAN while nothing matched */
	bool counter;
	double last, last_at; /* a counter's value before */
	double value; /* what is told */
};

/* How much a version says of the program itself; the first of the highest rank is told. */
enum version_rank {
	RANK_NONE,
	RANK_MODULE, /* go_build_info: the Go module's, "(devel)" where it was built from a tree */
	RANK_REVISION, /* the program's own, which tells its commit only */
	RANK_VERSION
};

struct vitals {
	double reading[VITALS], value[VITALS];
	double shorter; /* pauses in the buckets read so far */
	struct selected *selected;
	size_t nselected;
	char go_version[VITALS_VERSION_MAX], version[VITALS_VERSION_MAX];
	enum version_rank rank; /* of version */
};

struct vitals *vitals_new(void)
{
	struct vitals *v = xcalloc(1, sizeof(*v));

	vitals_abandon(v);
	return v;
}

void vitals_free(struct vitals *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->nselected; i++)
		free(v->selected[i].text);
	free(v->selected);
	free(v);
}

int vitals_want(struct vitals *v, struct str selector, struct err *err)
{
	struct selected s = {.sum = NAN, .last = NAN, .last_at = NAN, .value = NAN};

	for (size_t i = 0; i < v->nselected; i++) {
		if (str_is(selector, v->selected[i].text))
			return (int)i;
	}
	if (v->nselected == VITALS_SELECTORS_MAX)
		return err_set(err,
			"more than %d different load and expectation metrics for one target",
			VITALS_SELECTORS_MAX);
	s.text = str_dup(selector);
	if (prom_selector_parse(str_of(s.text), &s.selector, err)) {
		free(s.text);
		return -1;
	}
	v->selected = xrealloc(v->selected, v->nselected + 1, sizeof(*v->selected));
	v->selected[v->nselected] = s;
	return (int)v->nselected++;
}

const char *vitals_selector(const struct vitals *v, int number)
{
	return number >= 0 && (size_t)number < v->nselected ? v->selected[number].text : NULL;
}

static int vital_of(struct str name)
{
	for (int i = 0; i < VITALS; i++) {
		if (str_is(name, vital_names[i]))
			return i;
	}
	return -1;
}

static bool want_cb(void *arg, struct str name)
{
	struct vitals *v = arg;

	if (vital_of(name) >= 0 || str_is(name, "go_info") || str_ends(name, STR("_build_info")))
		return true;
	for (size_t i = 0; i < v->nselected; i++) {
		if (str_eq(name, v->selected[i].selector.name))
			return true;
	}
	return false;
}

static struct str label_of(const struct prom_sample *s, const char *key)
{
	for (size_t i = 0; i < s->nlabels; i++) {
		if (str_is(s->labels[i].key, key))
			return str_trim(s->labels[i].value);
	}
	return STR("");
}

static void keep(char *into, struct str text)
{
	snprintf(into, VITALS_VERSION_MAX, "%.*s",
		(int)MIN(text.len, (size_t)VITALS_VERSION_MAX - 1), text.p);
}

/* What builds without a version have in its place: all of them have the same. */
static bool says_nothing(struct str version)
{
	static const char *const words[] = {
		"", "(devel)", "devel", "dev", "unknown", "(unknown)", "none", "undefined", "n/a"};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (str_is(version, words[i]))
			return true;
	}
	return false;
}

static void take_version(struct vitals *v, const struct prom_sample *s)
{
	bool module = str_is(s->name, "go_build_info");
	struct str version = label_of(s, "version");
	enum version_rank rank = module ? RANK_MODULE : RANK_VERSION;

	if (says_nothing(version)) {
		version = module ? STR("") : str_sub(label_of(s, "revision"), 0, REVISION_BYTES);
		rank = says_nothing(version) ? RANK_NONE : RANK_REVISION;
	}
	if (rank <= v->rank)
		return;
	v->rank = rank;
	keep(v->version, version);
}

/*
 * Each pause counts as its bucket's upper bound.  The sum beside the buckets will not do:
 * client_golang makes it of lower bounds, powers of ten apart, so it may be a tenth of the truth.
 */
static void take_pauses(struct vitals *v, const struct prom_sample *s)
{
	struct str le = label_of(s, "le");
	double bound = LONG_PAUSE_S, sum = v->reading[VITAL_PAUSES];

	if (!str_is(le, "+Inf") && !str_double(le, &bound))
		return;
	if (!(s->value >= v->shorter))
		return; /* they come in order, and count the shorter ones too */
	v->reading[VITAL_PAUSES] = (isnan(sum) ? 0 : sum) + (s->value - v->shorter) * bound;
	v->shorter = s->value;
}

static void sample_cb(void *arg, const struct prom_sample *s)
{
	struct vitals *v = arg;
	int vital = vital_of(s->name);

	if (vital == VITAL_PAUSES)
		take_pauses(v, s);
	else if (vital >= 0)
		v->reading[vital] = s->value;
	else if (str_is(s->name, "go_info"))
		keep(v->go_version, label_of(s, "version"));
	else if (str_ends(s->name, STR("_build_info")))
		take_version(v, s);
	for (size_t i = 0; i < v->nselected; i++) {
		struct selected *sel = &v->selected[i];

		if (!prom_selector_matches(&sel->selector, s) || isnan(s->value))
			continue;
		sel->sum = isnan(sel->sum) ? s->value : sel->sum + s->value;
		sel->counter = s->type == PROM_COUNTER ||
			       (s->type == PROM_UNTYPED && str_ends(s->name, STR("_total")));
	}
}

struct prom_sink vitals_sink(struct vitals *v)
{
	return (struct prom_sink){.want = want_cb, .sample = sample_cb, .arg = v};
}

void vitals_begin(struct vitals *v)
{
	for (int i = 0; i < VITALS; i++)
		v->reading[i] = NAN;
	for (size_t i = 0; i < v->nselected; i++)
		v->selected[i].sum = NAN;
	v->shorter = 0;
	v->version[0] = '\0';
	v->rank = RANK_NONE;
}

static void settle(struct selected *s, double now)
{
	if (!s->counter) {
		s->value = s->sum;
		return;
	}
	/* A counter that fell was reset: no rate across that. */
	s->value = now > s->last_at && s->sum >= s->last ? (s->sum - s->last) / (now - s->last_at)
							 : NAN;
	s->last = s->sum;
	s->last_at = now;
}

void vitals_end(struct vitals *v, double now)
{
	memcpy(v->value, v->reading, sizeof(v->value));
	for (size_t i = 0; i < v->nselected; i++)
		settle(&v->selected[i], now);
}

void vitals_abandon(struct vitals *v)
{
	for (int i = 0; i < VITALS; i++)
		v->value[i] = NAN;
	for (size_t i = 0; i < v->nselected; i++)
		v->selected[i].value = NAN;
}

void vitals_new_run(struct vitals *v)
{
	for (size_t i = 0; i < v->nselected; i++)
		v->selected[i].last = v->selected[i].last_at = NAN;
}

double vitals_get(const struct vitals *v, enum vital which)
{
	return v->value[which];
}

double vitals_selected(const struct vitals *v, int number)
{
	return number >= 0 && (size_t)number < v->nselected ? v->selected[number].value : NAN;
}

const char *vitals_go_version(const struct vitals *v)
{
	return v->go_version;
}

const char *vitals_version(const struct vitals *v)
{
	return v->version;
}
