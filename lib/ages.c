#include "ages.h"

#include "xalloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FLAT_LOW     0.5 /* each bin at least this share of the mean one */
#define FLAT_HIGH    2.0 /* and at most this */
#define TURNOVER     1.6 /* the youngest third against the oldest */
#define START_SHARE  0.3 /* so many as old as the process: a pool */
#define TAIL_MANY    100 /* of more, the 98th percentile stands for the oldest */
#define NORMAL_95    1.96
#define STAY_LAG_MIN 2 /* ages lack up to one period of the collector */

/* ---- counting ---------------------------------------------------------------------------------
 */
void ages_release(struct ages *a)
{
	free(a->rows);
	*a = (struct ages)AGES_INIT;
}

static int by_minutes(const void *a, const void *b)
{
	const struct age_row *x = a, *y = b;

	return x->minutes < y->minutes ? -1 : x->minutes > y->minutes;
}

static void put_in_order(struct ages *a)
{
	size_t n = 0;

	if (a->sorted || a->n == 0)
		return;
	qsort(a->rows, a->n, sizeof(*a->rows), by_minutes);
	for (size_t i = 0; i < a->n; i++) {
		if (n > 0 && a->rows[n - 1].minutes == a->rows[i].minutes)
			a->rows[n - 1].count += a->rows[i].count;
		else
			a->rows[n++] = a->rows[i];
	}
	a->n = n;
	a->sorted = true;
}

/* Equal waits are put together before more room is asked for: distinct ones are few. */
static void make_room(struct ages *a)
{
	if (a->n < a->cap)
		return;
	put_in_order(a);
	if (a->n > 0 && a->n * 2 <= a->cap)
		return;
	a->cap = MAX(a->cap * 2, (size_t)8);
	a->rows = xrealloc(a->rows, a->cap, sizeof(*a->rows));
}

void ages_add(struct ages *a, uint32_t minutes, uint64_t count)
{
	a->total += count;
	minutes = MIN(minutes, (uint32_t)AGES_MAX_MIN);
	if (minutes > AGES_EXACT_MIN)
		minutes -= minutes % 60;
	if (minutes == 0 || count == 0)
		return;
	if (a->n > 0 && a->rows[a->n - 1].minutes == minutes) {
		a->rows[a->n - 1].count += count;
		return;
	}
	make_room(a);
	a->rows[a->n++] = (struct age_row){.minutes = minutes, .count = count};
	a->sorted = false;
}

uint64_t ages_at_least(const struct ages *a, uint32_t minutes)
{
	uint64_t n = 0;

	if (minutes == 0)
		return a->total;
	for (size_t i = 0; i < a->n; i++)
		n += a->rows[i].minutes >= minutes ? a->rows[i].count : 0;
	return n;
}

uint32_t ages_oldest(const struct ages *a)
{
	uint32_t oldest = 0;

	for (size_t i = 0; i < a->n; i++)
		oldest = MAX(oldest, a->rows[i].minutes);
	return oldest;
}

/* ---- judging ----------------------------------------------------------------------------------
 */
/* The rows from..to (not included) of those in order. */
struct range {
	size_t from, to;
	uint64_t count;
};

static uint64_t count_range(const struct ages *a, size_t from, size_t to)
{
	uint64_t n = 0;

	for (size_t i = from; i < to; i++)
		n += a->rows[i].count;
	return n;
}

static size_t first_at_least(const struct ages *a, double minutes)
{
	size_t i = 0;

	while (i < a->n && a->rows[i].minutes < minutes)
		i++;
	return i;
}

/*
 * Goroutines that wait since the process began are workers, not arrivals.  An even pace puts some
 * there too; they are left out where they are START_SHARE, or more than it explains.
 */
static void leave_out_start_up(
	const struct ages *a, double uptime_min, struct range *old, struct ages_estimate *e)
{
	size_t from;
	uint64_t cohort;
	double even;

	if (isnan(uptime_min))
		return;
	from = MAX(first_at_least(a, uptime_min - AGES_START_UP), old->from);
	cohort = count_range(a, from, old->to);
	even = (double)(old->count - cohort) * AGES_START_UP /
	       fmax(uptime_min - AGES_START_UP - AGES_YOUNG_MIN, 1);
	if ((double)cohort > START_SHARE * (double)old->count ||
		(double)cohort > even + 3 * sqrt(even) + 3) {
		old->to = from;
		old->count -= cohort;
		e->start_up = cohort;
	}
}

/* The oldest; of many, what 2 % exceed: a few old workers do not stretch the histogram. */
static uint32_t oldest_that_counts(const struct ages *a, const struct range *old)
{
	uint64_t beyond = old->count > TAIL_MANY ? MAX(old->count / 50, (uint64_t)1) : 1;
	size_t i = old->to;

	for (uint64_t seen = 0; i > old->from && seen < beyond; i--)
		seen += a->rows[i - 1].count;
	return a->rows[i].minutes;
}

/* What is exactly on a bin's edge belongs to the younger one. */
static uint64_t fill_bins(
	const struct ages *a, const struct range *old, uint32_t span, struct ages_estimate *e)
{
	uint64_t n = 0;

	for (size_t i = old->from; i < old->to && a->rows[i].minutes <= e->oldest; i++) {
		uint64_t at = a->rows[i].minutes - AGES_YOUNG_MIN;
		uint64_t bin = at ? (at * AGES_BINS - 1) / span : 0;

		e->bins[bin] += a->rows[i].count;
		n += a->rows[i].count;
	}
	return n;
}

static enum ages_why shape_of(const struct ages_estimate *e, uint64_t n)
{
	double mean = (double)n / AGES_BINS, low = mean, high = mean;
	double young = (double)(e->bins[0] + e->bins[1]);
	double aged = (double)(e->bins[AGES_BINS - 2] + e->bins[AGES_BINS - 1]);

	for (int i = 0; i < AGES_BINS; i++) {
		low = fmin(low, (double)e->bins[i]);
		high = fmax(high, (double)e->bins[i]);
	}
	if (young > TURNOVER * aged + 3 * sqrt(aged))
		return AGES_TURNOVER;
	if (low >= FLAT_LOW * mean && high <= FLAT_HIGH * mean)
		return AGES_TOLD;
	if ((double)e->bins[0] < FLAT_LOW * mean && (double)e->bins[AGES_BINS - 1] >= mean)
		return AGES_STOPPED;
	return AGES_BATCHES;
}

/* The printed minutes are rounded down, so the span is known to a minute at either end. */
static void set_rate(struct ages_estimate *e, uint64_t n, uint32_t span)
{
	/* Of few waits the oldest one is the interval's end, of n - 1 others. */
	double within = (double)n - (n <= TAIL_MANY ? 1 : 0);
	double spread = NORMAL_95 * sqrt((double)n);

	e->rate_per_hour = within * 60 / span;
	e->low = fmax(0, within - spread) * 60 / (span + 1);
	e->high = (within + spread) * 60 / (span - 1);
	e->verdict = span >= AGES_SPAN_LONG   ? AGES_LEAKING
		     : span >= AGES_SPAN_HOUR ? AGES_SUSPECT
					      : AGES_WATCHING;
}

static void untold(struct ages_estimate *e, enum ages_why why)
{
	bool shape = why != AGES_FEW && why != AGES_SHORT;

	e->why = why;
	e->verdict = shape ? AGES_OK : AGES_UNTOLD;
	e->rate_per_hour = e->low = e->high = NAN;
}

void ages_judge(struct ages *a, double uptime_min, struct ages_estimate *e)
{
	struct range old;
	uint32_t span;
	uint64_t n;

	put_in_order(a);
	memset(e, 0, sizeof(*e));
	old = (struct range){.from = first_at_least(a, AGES_YOUNG_MIN), .to = a->n};
	old.count = count_range(a, old.from, old.to);
	e->total = a->total;
	e->old = old.count;
	e->oldest = ages_oldest(a);
	if (old.count < AGES_OLD_LEAST) {
		untold(e, AGES_FEW);
		return;
	}
	leave_out_start_up(a, uptime_min, &old, e);
	if (old.count < AGES_OLD_LEAST) {
		untold(e, AGES_POOL);
		return;
	}
	e->oldest = oldest_that_counts(a, &old);
	span = e->oldest - AGES_YOUNG_MIN;
	if (span < AGES_SPAN_LEAST) {
		untold(e, e->start_up > old.count ? AGES_POOL : AGES_SHORT);
		return;
	}
	n = fill_bins(a, &old, span, e);
	e->bins_told = true;
	e->why = shape_of(e, n);
	if (e->why == AGES_TOLD)
		set_rate(e, n, span);
	else
		untold(e, e->why);
}

double ages_bin_edge(const struct ages_estimate *e, int i)
{
	return AGES_YOUNG_MIN + (double)(e->oldest - AGES_YOUNG_MIN) * i / AGES_BINS;
}

double ages_still(uint64_t then, const struct ages *second, double gap_min)
{
	double least = ceil(AGES_YOUNG_MIN + gap_min - STAY_LAG_MIN), now;

	if (then == 0 || !(gap_min >= 0))
		return NAN;
	now = (double)ages_at_least(second, (uint32_t)fmin(least, AGES_MAX_MIN));
	return fmin(now / (double)then, 1);
}

double ages_stay(const struct ages *first, const struct ages *second, double gap_min)
{
	return ages_still(ages_at_least(first, AGES_YOUNG_MIN), second, gap_min);
}

/* ---- words ------------------------------------------------------------------------------------
 */
const char *ages_verdict_name(enum ages_verdict v)
{
	static const char *const names[] = {
		[AGES_UNTOLD] = "untold",
		[AGES_OK] = "ok",
		[AGES_WATCHING] = "watching",
		[AGES_SUSPECT] = "suspect",
		[AGES_LEAKING] = "leaking",
	};

	return names[v];
}

void ages_add_span(struct buf *out, uint32_t minutes)
{
	if (minutes < 120)
		buf_addf(out, "%u min", minutes);
	else if (minutes < 2880)
		buf_addf(out, "%.1f h", minutes / 60.0);
	else
		buf_addf(out, "%.1f d", minutes / 1440.0);
}

static void add_start_up(const struct ages_estimate *e, struct buf *out)
{
	if (e->start_up)
		buf_addf(out, "; %" PRIu64 " as old as the process left out", e->start_up);
}

void ages_basis(const struct ages_estimate *e, struct buf *out)
{
	if (e->why != AGES_TOLD)
		return;
	buf_addf(out, "waits in one dump, spread evenly over %u min to ", AGES_YOUNG_MIN);
	ages_add_span(out, e->oldest);
	add_start_up(e, out);
	buf_adds(out, "; a wait counts from the first garbage collection that saw it");
}

void ages_words(const struct ages_estimate *e, struct buf *out)
{
	switch (e->why) {
	case AGES_TOLD:
		buf_addf(out,
			"as if %.1f an hour came and none left (%.1f to %.1f): %" PRIu64
			" have waited %u min to ",
			e->rate_per_hour, e->low, e->high, e->old - e->start_up, AGES_YOUNG_MIN);
		ages_add_span(out, e->oldest);
		buf_adds(out, ", evenly");
		add_start_up(e, out);
		break;
	case AGES_FEW:
		buf_addf(out,
			"no rate from one dump: %" PRIu64
			" have waited %u min or more, %u are needed",
			e->old, AGES_YOUNG_MIN, AGES_OLD_LEAST);
		break;
	case AGES_SHORT:
		buf_addf(out, "no rate from one dump: the longest waits are %u min, %u are needed",
			e->oldest, AGES_YOUNG_MIN + AGES_SPAN_LEAST);
		break;
	case AGES_POOL:
		buf_addf(out,
			"a pool: %" PRIu64 " of %" PRIu64
			" that have waited %u min are as old as the process",
			e->start_up, e->old, AGES_YOUNG_MIN);
		break;
	case AGES_TURNOVER:
		buf_addf(out,
			"they come and go: most of the %" PRIu64
			" that have waited %u min are young",
			e->old - e->start_up, AGES_YOUNG_MIN);
		break;
	case AGES_STOPPED:
		buf_adds(out, "most came long ago and few since: a pool that has filled, or a leak "
			      "that has paused");
		break;
	case AGES_BATCHES:
		buf_adds(out, "they came in batches, so there is no steady rate");
		break;
	}
}
