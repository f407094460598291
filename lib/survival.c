#include "survival_internal.h"
#include "map.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MINUTES 60.0
#define HOURS	3600.0

#define SECOND_AFTER (10 * MINUTES)
#define EVERY	     (30 * MINUTES)
#define LONGEST	     (24 * HOURS) /* twice the longest span */
#define EARLY	     .95 /* a dump that came this much of its time after the first will do */

#define CORE_STAYS   .98
#define CORE_SHARE   .3
#define CORE_LEAST   10
#define LEAVES_UNDER .5 /* of those that outlived the first span: they come and go */
#define LIVES_LEAST  10
#define USUAL	     .9

/* The quick rule. */
#define QUICK_SECOND (3 * MINUTES)
#define QUICK_SPAN   (6 * MINUTES)
#define QUICK_LEAST  100
#define QUICK_LIFE   (24 * HOURS)

static const double spans[] = {1 * HOURS, 2 * HOURS, 4 * HOURS, 8 * HOURS, 12 * HOURS};

struct survival *survival_new(double window_s, double run_start)
{
	struct survival *s = xcalloc(1, sizeof(*s));

	s->scale = window_s / SURVIVAL_WINDOW_S;
	s->run_start = run_start;
	s->cohort = (struct sample){.max = SURVIVAL_COHORT_MAX, .keep = 1};
	s->others = (struct sample){.max = SURVIVAL_LIVES_MAX, .keep = 1};
	return s;
}

void survival_free(struct survival *s)
{
	if (!s)
		return;
	free(s->cohort.v);
	free(s->others.v);
	free(s);
}

size_t survival_memory(const struct survival *s)
{
	return sizeof(*s) + (s->cohort.cap + s->others.cap) * sizeof(struct member);
}

/* ---- samples ---- */

static bool is_kept(const struct sample *p, uint64_t id)
{
	return (hash64(&id, sizeof(id), 0) & (p->keep - 1)) == 0;
}

static void thin_out(struct sample *p, size_t *settled)
{
	size_t kept = 0, sorted = 0;

	p->keep *= 2;
	for (size_t i = 0; i < p->n; i++) {
		if (!is_kept(p, p->v[i].id))
			continue;
		sorted += i < *settled;
		p->v[kept++] = p->v[i];
	}
	p->n = kept;
	*settled = sorted;
}

static void add(struct sample *p, size_t *settled, const struct member *m)
{
	while (p->n == p->max)
		thin_out(p, settled);
	if (!is_kept(p, m->id))
		return;
	if (p->n == p->cap) {
		p->cap = MIN(p->max, MAX((size_t)64, p->cap * 2));
		p->v = xrealloc(p->v, p->cap, sizeof(*p->v));
	}
	p->v[p->n++] = *m;
}

static int by_id(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static struct member *find(const struct sample *p, size_t sorted, uint64_t id)
{
	struct member key = {.id = id};

	return sorted ? bsearch(&key, p->v, sorted, sizeof(*p->v), by_id) : NULL;
}

/* Of the cohort, those that dump i still had. */
static size_t alive(const struct survival *s, size_t i)
{
	size_t n = 0;

	for (size_t k = 0; k < s->cohort.n; k++)
		n += s->cohort.v[k].last >= MAX(i, (size_t)1);
	return n;
}

/* ---- dumps ---- */

static void forget_cohort(struct survival *s)
{
	s->n = s->cohort.n = s->others.n = s->settled = 0;
	s->cohort.keep = s->others.keep = 1;
}

/* Of so few no rule can say anything, however long they stay. */
static bool is_too_small(const struct survival *s)
{
	return s->n == 2 && alive(s, 1) < CORE_LEAST;
}

void survival_begin(struct survival *s, double t)
{
	if (s->n == SURVIVAL_DUMPS_MAX || is_too_small(s) ||
		(s->n && t - s->at[0] > (LONGEST + EVERY) * s->scale))
		forget_cohort(s);
	s->at[s->n] = t;
	s->open = true;
}

void survival_see(struct survival *s, uint64_t id, uint64_t stack)
{
	uint16_t dump = (uint16_t)s->n;
	struct member m = {.id = id, .stack = (uint32_t)stack, .first = dump, .last = dump}, *old;
	size_t none = 0;

	if (!s->open || id == 0)
		return;
	if (dump == 0) {
		add(&s->cohort, &none, &m);
		return;
	}
	old = find(&s->cohort, s->cohort.n, id);
	if (!old)
		old = find(&s->others, s->settled, id);
	if (!old) {
		/* One of the first dump that the sample left out is no newcomer. */
		if (id > s->newest[0])
			add(&s->others, &s->settled, &m);
	} else if (old->last == dump - 1 && old->stack == m.stack) {
		old->last = dump;
	}
}

void survival_abandon(struct survival *s)
{
	size_t kept = 0;

	if (!s->open)
		return;
	s->open = false;
	if (s->n == 0) {
		forget_cohort(s);
		return;
	}
	for (size_t i = 0; i < s->cohort.n; i++)
		s->cohort.v[i].last = MIN(s->cohort.v[i].last, (uint16_t)(s->n - 1));
	for (size_t i = 0; i < s->others.n; i++) {
		if (s->others.v[i].first == s->n)
			continue;
		s->others.v[kept] = s->others.v[i];
		s->others.v[kept].last = MIN(s->others.v[kept].last, (uint16_t)(s->n - 1));
		kept++;
	}
	s->others.n = kept;
}

void survival_end(struct survival *s, uint64_t newest_id)
{
	if (!s->open)
		return;
	s->open = false;
	s->newest[s->n] = s->n ? MAX(newest_id, s->newest[s->n - 1]) : newest_id;
	if (s->n == 0 && s->cohort.n)
		qsort(s->cohort.v, s->cohort.n, sizeof(*s->cohort.v), by_id);
	if (s->others.n)
		qsort(s->others.v, s->others.n, sizeof(*s->others.v), by_id);
	s->settled = s->others.n;
	s->n++;
}

size_t survival_dumps(const struct survival *s)
{
	return s->n;
}

/* ---- how long they live ---- */

/* When about that id was given out: between the dumps whose newest ids lie around it. */
static double born_at(const struct survival *s, uint64_t id)
{
	double before = s->run_start;
	uint64_t low = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (id > s->newest[i]) {
			low = s->newest[i];
			before = s->at[i];
			continue;
		}
		if (isnan(before) || s->newest[i] == low)
			return s->at[i];
		return before +
		       (s->at[i] - before) * (double)(id - low) / (double)(s->newest[i] - low);
	}
	return s->n ? s->at[s->n - 1] : NAN;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static size_t add_lives(const struct survival *s, const struct sample *p, double *lives, size_t n)
{
	for (size_t i = 0; i < p->n; i++) {
		const struct member *m = &p->v[i];

		if (m->last + 1u >= s->n)
			continue; /* lives */
		/* It went between the last dump that had it and the one after. */
		lives[n++] = (s->at[m->last] + s->at[m->last + 1]) / 2 - born_at(s, m->id);
	}
	return n;
}

/* NAN while too few were seen to end. */
static double usual_life(const struct survival *s)
{
	double *lives = xmalloc((s->cohort.n + s->others.n + 1) * sizeof(*lives)), life = NAN;
	size_t n = add_lives(s, &s->cohort, lives, 0);

	n = add_lives(s, &s->others, lives, n);
	if (n >= LIVES_LEAST) {
		qsort(lives, n, sizeof(*lives), by_size);
		life = lives[(size_t)(USUAL * (double)(n - 1) + .5)];
	}
	free(lives);
	return life;
}

/* ---- the rules ---- */

/* The first dump at least that long after the first; s->n when there is none. */
static size_t dump_after(const struct survival *s, double span)
{
	size_t i = 1;

	while (i < s->n && s->at[i] - s->at[0] < EARLY * span * s->scale)
		i++;
	return i;
}

static void fill(const struct survival *s, size_t mid, size_t end, struct survival_result *out)
{
	out->span_s = s->at[mid] - s->at[0];
	out->outlived = alive(s, mid) * s->cohort.keep;
	out->stayed = alive(s, end) * s->cohort.keep;
}

/* Both spans are as long as each other, or the second longer. */
static bool core_stays(const struct survival *s, size_t mid, size_t end, double life)
{
	size_t first = alive(s, mid), second = alive(s, end), all = alive(s, 1);

	if ((double)first < fmax(CORE_LEAST, CORE_SHARE * (double)all))
		return false;
	if ((double)second < CORE_STAYS * (double)first)
		return false;
	return isnan(life) || s->at[end] - s->at[0] >= life;
}

/* The upper 95 % limit of how often each leaves is under once in QUICK_LIFE. */
static bool quickly_stays(const struct survival *s, size_t mid, size_t end, double life)
{
	double first = (double)alive(s, mid), left = first - (double)alive(s, end);
	double exposure = first * (s->at[end] - s->at[mid]) / s->scale;
	double at_most = left + 2 * sqrt(left) + 3;

	if (first < QUICK_LEAST || first < CORE_SHARE * (double)alive(s, 1))
		return false;
	if (exposure / at_most < QUICK_LIFE)
		return false;
	return isnan(life) || s->at[end] - s->at[0] >= life;
}

static void judge_core(const struct survival *s, struct survival_result *out)
{
	for (size_t i = 0; i < ARRAY_LEN(spans); i++) {
		size_t mid = dump_after(s, spans[i]), end = dump_after(s, 2 * spans[i]);

		if (end >= s->n)
			return;
		fill(s, mid, end, out);
		out->answer = (double)out->stayed < LEAVES_UNDER * (double)out->outlived ||
					      out->outlived == 0
				      ? SURVIVAL_LEAVES
				      : SURVIVAL_WAIT;
		/* A rule speaks once, when its time has come. */
		if (end == s->n - 1 && core_stays(s, mid, end, out->usual_life_s)) {
			out->answer = SURVIVAL_STAYS;
			return;
		}
	}
}

void survival_judge(const struct survival *s, bool quick, struct survival_result *out)
{
	size_t mid, end;

	*out = (struct survival_result){.answer = SURVIVAL_WAIT,
		.began = s->n ? s->at[0] : NAN,
		.usual_life_s = s->n > 2 ? usual_life(s) : NAN,
		.sampled = s->cohort.keep > 1};
	if (s->n < 2)
		return;
	out->cohort = alive(s, 1) * s->cohort.keep;
	out->now = alive(s, s->n - 1) * s->cohort.keep;
	judge_core(s, out);
	mid = dump_after(s, QUICK_SPAN);
	end = dump_after(s, 2 * QUICK_SPAN);
	if (!quick || out->answer == SURVIVAL_STAYS || end != s->n - 1 || mid == end)
		return;
	fill(s, mid, end, out);
	if (quickly_stays(s, mid, end, out->usual_life_s)) {
		out->answer = SURVIVAL_STAYS;
		out->quick = true;
	}
}

double survival_next(const struct survival *s, bool quick)
{
	double first, since;

	if (s->n == 0)
		return -INFINITY;
	first = s->at[0];
	if (s->n == 1)
		return first + (quick ? QUICK_SECOND : SECOND_AFTER) * s->scale;
	if (is_too_small(s))
		return s->at[1] + SECOND_AFTER * s->scale;
	since = (s->at[s->n - 1] - first) / s->scale;
	if (quick && since < EARLY * QUICK_SPAN)
		return first + QUICK_SPAN * s->scale;
	if (quick && since < EARLY * 2 * QUICK_SPAN)
		return first + 2 * QUICK_SPAN * s->scale;
	return first + (floor(since / EVERY + 1 - EARLY) + 1) * EVERY * s->scale;
}

/* ---- words ---- */

static const char *span_words(double s, char *out, size_t size)
{
	double h = s / HOURS;

	if (h >= .95 && h < 1.05)
		snprintf(out, size, "hour");
	else if (h >= 1)
		snprintf(out, size, "%.2g hours", h);
	else if (s >= 100)
		snprintf(out, size, "%.0f minutes", s / MINUTES);
	else
		snprintf(out, size, "%.2g seconds", s);
	return out;
}

void survival_words(const struct survival_result *r, char out[SURVIVAL_WORDS_MAX])
{
	unsigned long long cohort = r->cohort, outlived = r->outlived, left;
	char at[16] = "", span[48], some[64] = "nobody";
	time_t t = isnan(r->began) ? 0 : (time_t)r->began;
	struct tm tm;

	out[0] = '\0';
	if (r->span_s <= 0)
		return;
	if (gmtime_r(&t, &tm))
		strftime(at, sizeof(at), "%H:%M", &tm);
	span_words(r->span_s, span, sizeof(span));
	left = r->outlived - r->stayed;
	if (left)
		snprintf(some, sizeof(some), "%llu", left);
	snprintf(out, SURVIVAL_WORDS_MAX,
		"of the %s%llu counted at %s (UTC), %llu outlived the first %s; of those %s left "
		"in the next",
		r->sampled ? "about " : "", cohort, at, outlived, span, some);
}
