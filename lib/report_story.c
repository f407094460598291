/*
 * What a report comes to: the class that matters most, why, what causes it and where to look.
 *
 * Nothing here is certain, and the words say what they rest on.  Of all classes that one is told
 * which the strongest evidence speaks against: growth between two dumps, growth that waits tell,
 * more than its rule expects, goroutines that are stuck, and, where nothing else speaks, the most
 * goroutines that have waited for long.
 */
#include "report_story.h"

#include "advice.h"
#include "safe.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define STUCK_MANY 3 /* waiters for locks, to be told before a class that is merely large */

static enum story_why why_of(const struct report *r, const struct report_class *c)
{
	/* The runtime's own goroutines are in crash dumps only, so they look new. */
	if (c->rule && (c->rule->ignore || (c->rule->builtin && str_is(c->name, "runtime"))))
		return STORY_NOTHING;
	if (c->rate.from == RATE_OF_DUMPS && c->rate.low > 0)
		return STORY_GREW;
	if (r->baseline && c->change.now > c->change.old + c->change.old / 10 + 5 &&
		isnan(r->gap.minutes))
		return STORY_MORE;
	if (c->rate.from == RATE_OF_AGES && c->estimate.verdict >= AGES_SUSPECT)
		return STORY_AGED;
	if (report_expect(c).excess > 0)
		return STORY_EXCESS;
	if (report_finding_of(r, c))
		return STORY_STUCK;
	for (size_t i = 0; i < c->stuck.n; i++) {
		if (c->stuck.sorted[i]->count >= STUCK_MANY)
			return STORY_STUCK;
	}
	return c->waiting[OVER_1M] > 0 ? STORY_WAITS : STORY_LARGEST;
}

/* Within one kind of evidence, how much of it. */
static double weight_of(const struct report *r, const struct report_class *c, enum story_why why)
{
	const struct report_finding *f = report_finding_of(r, c);

	switch (why) {
	case STORY_GREW:
	case STORY_AGED:
		return c->rate.rate_per_hour;
	case STORY_MORE:
		return (double)(c->change.now - c->change.old);
	case STORY_EXCESS:
		return report_expect(c).excess;
	case STORY_STUCK:
		return f ? (double)f->count : (double)c->stuck.sorted[0]->count;
	case STORY_WAITS:
		return (double)c->waiting[OVER_1M];
	default:
		return (double)c->count;
	}
}

struct report_story report_story(const struct report *r)
{
	struct report_story best = {.why = STORY_NOTHING};
	double most = -1;

	if (r->stats.format == GDUMP_COUNT) /* what is counted there are no goroutines */
		return best;
	for (size_t i = 0; i < r->nclasses; i++) {
		const struct report_class *c = r->sorted[i];
		enum story_why why = why_of(r, c);
		double weight = weight_of(r, c, why);

		if (why == STORY_NOTHING || (best.class && why < best.why))
			continue;
		if (why > best.why || weight > most) {
			best = (struct report_story){.class = c, .why = why};
			most = weight;
		}
	}
	return best;
}

void report_story_words(const struct report *r, const struct report_story *s, struct buf *out)
{
	const struct report_class *c = s->class;
	const struct report_finding *f = report_finding_of(r, c);

	switch (s->why) {
	case STORY_GREW:
		buf_adds(out, "It grows by ");
		report_add_rate(&c->rate, out);
		buf_adds(out, ": ");
		report_add_basis(r, c, out);
		if (report_nobody_leaves(r, c))
			buf_addf(out,
				"; nobody leaves: of %" PRIu64
				" that had waited %d minutes, %" PRIu64 " are still there",
				c->change.waited, COMPARE_WAITED_MIN, c->change.waited_stayed);
		break;
	case STORY_MORE:
		buf_adds(out, "It has grown: ");
		report_add_change(r, c, out);
		buf_adds(out, "; how fast is not known, since the time between the dumps is not");
		break;
	case STORY_AGED:
		buf_adds(out, "Its waits look like a leak, ");
		ages_words(&c->estimate, out);
		break;
	case STORY_EXCESS:
		buf_adds(out, "More than its rule says are healthy, ");
		report_add_expect(c, out);
		break;
	case STORY_STUCK:
		if (f) {
			buf_addf(out, "%s: ", report_finding_name(f));
			report_finding_words(r, f, out);
		} else {
			buf_adds(out, "They are stuck: they have waited a minute or more for a "
				      "lock, or in what can never end");
		}
		break;
	default:
		buf_adds(out, "Whether it grows, this dump cannot tell");
		if (report_has_ages(r)) {
			buf_adds(out, " (");
			ages_words(&c->estimate, out);
			buf_addc(out, ')');
		} else {
			buf_addf(out, " (%s prints no waits; debug=2 does)",
				gdump_format_name(r->stats.format));
		}
		break;
	}
	buf_addc(out, '.');
}

static enum wait_kind wait_of(const struct report_class *c)
{
	enum wait_kind wait;

	if (c->states.n == 0)
		return WAIT_UNKNOWN;
	wait = stack_wait_of_state(c->states.sorted[0]->name);
	return wait == WAIT_UNKNOWN || wait == WAIT_OTHER
		       ? wait_kind_of_name(c->states.sorted[0]->name)
		       : wait;
}

struct str report_what(const struct report_class *c)
{
	return c->rule ? advice_of_hint(c->rule->hint).what : STR("");
}

/* The rule's hint; without one, of waits that never end, what is to be said of those. */
static struct advice advice_of(const struct report_class *c)
{
	if (c->rule)
		return advice_of_hint(c->rule->hint);
	if (c->never * 2 > c->count)
		return advice_of_hint(str_of(advice_forever));
	return (struct advice){0};
}

struct str report_cause(const struct report_class *c)
{
	struct advice a = advice_of(c);

	return a.cause.len > 0 ? a.cause : str_of(advice_cause(wait_of(c)));
}

struct str report_look_for(const struct report_class *c)
{
	struct advice a = advice_of(c);

	if (a.look_for.len > 0 || a.cause.len > 0)
		return a.look_for;
	return str_of(advice_look_for(wait_of(c)));
}

bool report_is_http_client(const struct report_class *c)
{
	return c->rule && str_starts(c->name, STR("http-client"));
}

size_t report_where(
	const struct report *r, const struct report_class *c, struct report_place *v, size_t most)
{
	const struct {
		const char *doing;
		const struct table *t;
	} lists[] = {
		{"waits at", &c->own},
		{"waits for a response",
			report_is_http_client(c) ? &r->callers[CALLER_WAITS] : NULL},
		{"reads a body", report_is_http_client(c) ? &r->callers[CALLER_READS] : NULL},
		{"started at", &c->origins},
		{"waits at", c->own.n ? NULL : &c->locations},
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		const struct table *t = lists[i].t;

		for (size_t k = 0; t && k < MIN(t->n, (size_t)REPORT_PLACES) && n < most; k++)
			v[n++] =
				(struct report_place){.doing = lists[i].doing, .row = t->sorted[k]};
	}
	return n;
}
