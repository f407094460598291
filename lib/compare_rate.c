/* How long two dumps lie apart, and at which rate a class grew between them. */
#include "compare_internal.h"

#include <inttypes.h>
#include <math.h>

#define NORMAL_95 1.96

/* ---- the gap ----------------------------------------------------------------------------------
 */
/*
 * Two candidates are kept: the largest growth of a wait, and the one a minute below it (whole
 * minutes at both ends make it floor or ceiling of the same time).  A larger one that nobody shares
 * is an outlier of a damaged dump, so the largest ones are counted as they come.
 */
#define GROWTHS 64

struct growths {
	uint32_t minutes[GROWTHS]; /* the largest ones, in falling order */
	uint64_t count[GROWTHS];
	size_t n;
};

static void add_growth(struct growths *g, uint32_t minutes)
{
	size_t i = 0;

	while (i < g->n && g->minutes[i] > minutes)
		i++;
	if (i < g->n && g->minutes[i] == minutes) {
		g->count[i]++;
		return;
	}
	if (i == GROWTHS)
		return;
	g->n = MIN(g->n + 1, (size_t)GROWTHS);
	for (size_t k = g->n - 1; k > i; k--) {
		g->minutes[k] = g->minutes[k - 1];
		g->count[k] = g->count[k - 1];
	}
	g->minutes[i] = minutes;
	g->count[i] = 1;
}

void compare_note_wait(struct compare *c, const struct seen *old, const struct seen *new_seen)
{
	if (old->class != new_seen->class)
		return; /* to its classes it left and came */
	old->class->kept++;
	old->class->waited_stayed += old->minutes >= COMPARE_WAITED_MIN;
	/* A wait without a printed age may be older than it looks. */
	if (old->minutes == 0 || new_seen->minutes < old->minutes || old->stack != new_seen->stack)
		return;
	if (!c->growths)
		c->growths = arena_calloc(&c->arena, 1, sizeof(*c->growths));
	add_growth(c->growths, new_seen->minutes - old->minutes);
}

void compare_end_gap(struct compare *c)
{
	const struct growths *g = c->growths;

	c->gap = (struct compare_gap){.minutes = NAN, .minutes_low = NAN, .minutes_high = NAN};
	for (size_t i = 0; g && i < g->n; i++) {
		bool below = i + 1 < g->n && g->minutes[i + 1] + 1 == g->minutes[i];
		uint64_t agree = g->count[i] + (below ? g->count[i + 1] : 0);
		double ceiling = g->minutes[i];

		if (agree < COMPARE_GAP_AGREE || ceiling == 0)
			continue;
		/* All alike: within a minute of it; else their shares tell the fraction. */
		c->gap.agree = agree;
		c->gap.minutes =
			below ? ceiling - 1 + (double)g->count[i] / (double)agree : ceiling;
		c->gap.minutes_low = fmax(ceiling - 1, .5);
		c->gap.minutes_high = below ? ceiling : ceiling + 1;
		return;
	}
}

struct compare_gap compare_gap(const struct compare *c)
{
	return c->gap;
}

struct compare_gap compare_gap_given(double minutes)
{
	return (struct compare_gap){
		.minutes = minutes, .minutes_low = minutes, .minutes_high = minutes};
}

/* ---- the rate ---------------------------------------------------------------------------------
 */
struct compare_rate compare_rate(const struct compare_change *change, const struct compare_gap *gap)
{
	double net = (double)change->now - (double)change->old, moved, low, high;

	if (!(gap->minutes > 0))
		return (struct compare_rate){NAN, NAN, NAN};
	moved = change->by_id ? (double)(change->old - change->stayed) +
					(double)(change->now - change->stayed)
			      : (double)change->old + (double)change->now;
	low = net - NORMAL_95 * sqrt(moved);
	high = net + NORMAL_95 * sqrt(moved);
	/* The ends lie where the gap's ends carry them furthest. */
	return (struct compare_rate){.rate_per_hour = 60 * net / gap->minutes,
		.low = 60 * low / (low < 0 ? gap->minutes_low : gap->minutes_high),
		.high = 60 * high / (high < 0 ? gap->minutes_high : gap->minutes_low)};
}

void compare_rate_basis(
	const struct compare_change *change, const struct compare_gap *gap, struct buf *out)
{
	if (change->by_id)
		buf_addf(out, "two dumps of one process: %" PRIu64 " came and %" PRIu64 " left",
			change->now - change->stayed, change->old - change->stayed);
	else
		buf_addf(out, "two dumps: %" PRIu64 " then, %" PRIu64 " now", change->old,
			change->now);
	buf_addf(out, " in %.4g min", gap->minutes);
	if (gap->agree)
		buf_addf(out, " (as the waits of %" PRIu64 " goroutines in both say)", gap->agree);
	else
		buf_adds(out, " (--gap)");
}

/* ---- changes ----------------------------------------------------------------------------------
 */
static struct compare_change change_of_item(const struct compare *c, const struct item *item)
{
	return (struct compare_change){.class_name = item->name,
		.old = item->count[COMPARE_OLD],
		.now = item->count[COMPARE_NEW],
		.by_id = c->one_process,
		.stayed = item->kept,
		.waited = item->waited,
		.waited_stayed = item->waited_stayed};
}

size_t compare_changes(const struct compare *c)
{
	return c->nclasses;
}

struct compare_change compare_change_at(const struct compare *c, size_t index)
{
	return change_of_item(c, c->by_class[index]);
}

struct compare_change compare_change_of(const struct compare *c, struct str class_name)
{
	const struct item *item = map_get(c->classes, class_name);

	return item ? change_of_item(c, item)
		    : (struct compare_change){.class_name = class_name, .by_id = c->one_process};
}

bool compare_one_process(const struct compare *c)
{
	return c->one_process;
}

enum gdump_format compare_format(const struct compare *c, enum compare_side side)
{
	return c->sides[side].stats.format;
}

uint64_t compare_total(const struct compare *c, enum compare_side side)
{
	const struct gdump_stats *s = &c->sides[side].stats;

	return s->announced ? s->announced : s->parsed + s->lost;
}
