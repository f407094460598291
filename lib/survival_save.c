/* A cohort as text, and back. */
#include "survival_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERSION	    1
#define SAME_RUN_MS 1500 /* a start as it was told twice */
#define KEEP_MAX    40 /* log2 of it */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* ---- out ---- */

static void put(struct buf *out, uint64_t n)
{
	for (; n >= 32; n >>= 5)
		buf_addc(out, digits[32 + (n & 31)]);
	buf_addc(out, digits[n]);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* The different stacks of all, in order. */
static size_t list_stacks(const struct survival *s, uint32_t *stacks)
{
	size_t n = 0, kept = 0;

	for (size_t i = 0; i < s->cohort.n; i++)
		stacks[n++] = s->cohort.v[i].stack;
	for (size_t i = 0; i < s->others.n; i++)
		stacks[n++] = s->others.v[i].stack;
	qsort(stacks, n, sizeof(*stacks), by_number);
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || stacks[kept - 1] != stacks[i])
			stacks[kept++] = stacks[i];
	}
	return kept;
}

static unsigned log2_of(uint64_t power)
{
	unsigned n = 0;

	while (power > 1) {
		power /= 2;
		n++;
	}
	return n;
}

static void put_sample(
	struct buf *out, const struct sample *p, const uint32_t *stacks, size_t n, bool first_told)
{
	uint64_t id = 0;

	put(out, log2_of(p->keep));
	put(out, p->n);
	for (size_t i = 0; i < p->n; i++) {
		const struct member *m = &p->v[i];
		const uint32_t *stack = bsearch(&m->stack, stacks, n, sizeof(*stacks), by_number);

		put(out, m->id - id);
		put(out, (uint64_t)(stack - stacks));
		if (first_told)
			put(out, m->first);
		put(out, m->last);
		id = m->id;
	}
}

void survival_save(const struct survival *s, struct buf *out)
{
	uint32_t *stacks = xmalloc((s->cohort.n + s->others.n + 1) * sizeof(*stacks));
	size_t n = list_stacks(s, stacks), before = out->len;
	uint64_t at = 0, newest = 0;

	if (s->n > 0 && !s->open) {
		put(out, VERSION);
		put(out, (uint64_t)llround(s->scale * SURVIVAL_WINDOW_S * 1000));
		put(out, isnan(s->run_start) ? 0 : (uint64_t)llround(s->run_start * 1000) + 1);
		put(out, s->n);
		for (size_t i = 0; i < s->n; i++) {
			uint64_t t = (uint64_t)llround(s->at[i] * 1000);

			put(out, t - at);
			put(out, s->newest[i] - newest);
			at = t;
			newest = s->newest[i];
		}
		put(out, n);
		for (size_t i = 0; i < n; i++)
			put(out, stacks[i]);
		put_sample(out, &s->cohort, stacks, n, false);
		put_sample(out, &s->others, stacks, n, true);
	}
	free(stacks);
	if (out->len - before > SURVIVAL_SAVED_MAX) {
		out->len = before;
		out->p[before] = '\0';
	}
}

/* ---- in ---- */

struct reader {
	struct str text;
	size_t at;
	bool bad;
};

/* A number of at most max; 0 and bad otherwise. */
static uint64_t get(struct reader *r, uint64_t max)
{
	uint64_t n = 0;

	for (unsigned shift = 0; !r->bad && shift < 65; shift += 5) {
		const char *digit = r->at < r->text.len && r->text.p[r->at]
					    ? strchr(digits, r->text.p[r->at])
					    : NULL;
		uint64_t d = digit ? (uint64_t)(digit - digits) : 0;

		r->at++;
		if (!digit || (shift == 60 && (d & 31) > 15))
			break;
		n |= (d & 31) << shift;
		if (d < 32) {
			if (n > max)
				break;
			return n;
		}
	}
	r->bad = true;
	return 0;
}

static void get_sample(struct reader *r, struct sample *p, const uint32_t *stacks, size_t nstacks,
	size_t dumps, bool first_told)
{
	uint64_t id = 0;

	p->keep = (uint64_t)1 << get(r, KEEP_MAX);
	p->n = p->cap = (size_t)get(r, p->max);
	p->v = xcalloc(p->n + 1, sizeof(*p->v));
	for (size_t i = 0; i < p->n && !r->bad; i++) {
		struct member *m = &p->v[i];
		uint64_t more = get(r, UINT64_MAX - id), stack;

		r->bad |= more == 0; /* each once, in order */
		m->id = id += more;
		stack = get(r, nstacks ? nstacks - 1 : 0);
		if (r->bad || nstacks == 0) {
			r->bad = true;
			return;
		}
		m->stack = stacks[stack];
		m->first = first_told ? (uint16_t)get(r, dumps - 1) : 0;
		m->last = (uint16_t)get(r, dumps - 1);
		r->bad |= m->last < m->first;
	}
}

static void get_dumps(struct reader *r, struct survival *s)
{
	uint64_t at = 0;

	s->n = (size_t)get(r, SURVIVAL_DUMPS_MAX);
	r->bad |= s->n == 0;
	for (size_t i = 0; i < s->n && !r->bad; i++) {
		uint64_t newest = i ? s->newest[i - 1] : 0, more = get(r, (uint64_t)1 << 52);

		r->bad |= more == 0;
		at += more;
		s->at[i] = (double)at / 1000;
		s->newest[i] = newest + get(r, UINT64_MAX - newest);
	}
}

static void get_members(struct reader *r, struct survival *s)
{
	size_t n = (size_t)get(r, SURVIVAL_COHORT_MAX + SURVIVAL_LIVES_MAX);
	uint32_t *stacks = xcalloc(n + 1, sizeof(*stacks));

	for (size_t i = 0; i < n; i++)
		stacks[i] = (uint32_t)get(r, UINT32_MAX);
	if (!r->bad)
		get_sample(r, &s->cohort, stacks, n, s->n, false);
	if (!r->bad)
		get_sample(r, &s->others, stacks, n, s->n, true);
	s->settled = s->others.n;
	free(stacks);
}

struct survival *survival_load(double window_s, double run_start, struct str text, struct err *err)
{
	struct survival *s = survival_new(window_s, run_start);
	struct reader r = {.text = text};
	uint64_t version = get(&r, UINT64_MAX), window_ms = get(&r, UINT64_MAX);
	double run_ms = (double)get(&r, (uint64_t)1 << 52) - 1;
	const char *why = NULL;

	if (r.bad || version != VERSION)
		why = "it is not a cohort of this version";
	else if (window_ms != (uint64_t)llround(window_s * 1000))
		why = "it was made with another detect.window";
	else if (isnan(run_start) || fabs(run_ms - run_start * 1000) > SAME_RUN_MS)
		why = "it is of another run of the process";
	if (!why) {
		get_dumps(&r, s);
		if (!r.bad)
			get_members(&r, s);
		if (r.bad || r.at != text.len)
			why = "it is damaged";
	}
	if (!why)
		return s;
	survival_free(s);
	err_set(err, "%s", why);
	return NULL;
}
