/*
 * The state as bytes, and back.
 *
 * A record is "LWD1", the fields in the order of `everything` below, and a 64-bit FNV-1a hash of
 * all before it.  Integers and IEEE 754 bits are little-endian.  One function walks the fields in
 * both directions, so that what is written is what is read.  What the walk reads is checked for
 * what the code relies on: counts within their arrays, window numbers that belong together, times
 * that are finite where they are used.
 */
#include "detect_internal.h"
#include "xalloc.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char magic[4] = "LWD1"; /* the digit counts versions */

#define SPAN_MAX 1e13 /* detector's seconds from base: 300 years at 1,000 times the speed */

struct walk {
	struct buf *out; /* writing, or NULL */
	struct str in; /* what is left to read */
	bool bad;
};

static void bytes(struct walk *w, void *p, size_t n)
{
	if (w->out) {
		buf_add(w->out, p, n);
	} else if (w->bad || w->in.len < n) {
		w->bad = true;
		memset(p, 0, n);
	} else {
		memcpy(p, w->in.p, n);
		w->in = str_from(w->in, n);
	}
}

static void u64(struct walk *w, uint64_t *v, int size)
{
	unsigned char b[8];

	for (int i = 0; i < size; i++)
		b[i] = (unsigned char)(*v >> (8 * i));
	bytes(w, b, (size_t)size);
	*v = 0;
	for (int i = 0; i < size; i++)
		*v |= (uint64_t)b[i] << (8 * i);
}

static void i64(struct walk *w, int64_t *v)
{
	uint64_t u = (uint64_t)*v;

	u64(w, &u, 8);
	*v = (int64_t)u;
}

static void f64(struct walk *w, double *v)
{
	uint64_t u;

	memcpy(&u, v, sizeof(u));
	u64(w, &u, 8);
	memcpy(v, &u, sizeof(*v));
}

static void f32(struct walk *w, float *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t bits;
		uint64_t u;

		memcpy(&bits, v + i, sizeof(bits));
		u = bits;
		u64(w, &u, 4);
		bits = (uint32_t)u;
		memcpy(v + i, &bits, sizeof(bits));
	}
}

/* A number from lo to hi in `size` bytes. */
static int64_t number(struct walk *w, int64_t v, int size, int64_t lo, int64_t hi)
{
	uint64_t u = (uint64_t)(v - lo);

	u64(w, &u, size);
	if (u > (uint64_t)(hi - lo)) {
		w->bad = true;
		return lo;
	}
	return lo + (int64_t)u;
}

static void flag(struct walk *w, bool *v)
{
	*v = number(w, *v, 1, 0, 1);
}

/* A time or size that is computed with: finite and not absurd; NAN only where it may be. */
static void span(struct walk *w, double *v, bool may_be_nan)
{
	f64(w, v);
	if (isnan(*v) ? !may_be_nan : fabs(*v) > SPAN_MAX)
		w->bad = true;
}

static void value(struct walk *w, double *v)
{
	f64(w, v);
	if (!isfinite(*v))
		w->bad = true;
}

/* A C string in an array of `size` bytes. */
static void words(struct walk *w, char *s, size_t size)
{
	int64_t n = number(w, (int64_t)strlen(s), 2, 0, (int64_t)size - 1);

	bytes(w, s, (size_t)n);
	s[n] = '\0';
}

/* Is there such a part?  Makes room for it when reading. */
static bool part(struct walk *w, void **p, size_t size)
{
	bool there = *p != NULL;

	flag(w, &there);
	if (there && !*p)
		*p = xcalloc(1, size);
	return there;
}

static void walk_trace(struct walk *w, struct moving *m)
{
	void *p = m->trace;

	if (!part(w, &p, sizeof(*m->trace)))
		return;
	m->trace = p;
	m->trace->n = (int)number(w, m->trace->n, 1, 0, TRACE_MAX - 1);
	m->trace->step = number(w, m->trace->step, 4, 1, INT32_MAX);
	m->trace->in_step = number(w, m->trace->in_step, 4, 0, INT32_MAX);
	if (m->trace->in_step >= m->trace->step)
		w->bad = true;
	f32(w, m->trace->v, (size_t)m->trace->n);
}

/* Window numbers follow from that of the open minute. */
static void walk_clock(struct walk *w, struct moving *m)
{
	static const int minutes[RINGS] = {2, 10, 60, 360};

	i64(w, &m->minute);
	if (m->minute < 0 || (double)m->minute * MINUTE > SPAN_MAX)
		w->bad = true;
	for (int i = 0; !w->out && !w->bad && i < RINGS; i++)
		m->ring[i].closed = m->minute / minutes[i];
}

static void walk_open_windows(struct walk *w, struct moving *m)
{
	value(w, &m->sum);
	value(w, &m->load_sum);
	m->n = (uint32_t)number(w, m->n, 4, 0, UINT32_MAX);
	m->load_n = (uint32_t)number(w, m->load_n, 4, 0, UINT32_MAX);
	f64(w, &m->fast_low);
	f64(w, &m->ten_low);
	f64(w, &m->ten_load);
	m->ten_load_n = (uint32_t)number(w, m->ten_load_n, 4, 0, UINT32_MAX);
	f64(w, &m->hour_low);
	f64(w, &m->hour_load);
	m->hour_load_n = (uint32_t)number(w, m->hour_load_n, 4, 0, UINT32_MAX);
	f64(w, &m->run_first);
	value(w, &m->b);
	value(w, &m->b_error);
}

static void walk_moving(struct walk *w, struct detect *d)
{
	bool there = d->m != NULL, day, loads;

	flag(w, &there);
	if (!there)
		return;
	if (!d->m)
		d->m = moving_new(0);
	walk_clock(w, d->m);
	walk_open_windows(w, d->m);
	f32(w, d->m->fast, FAST_CAP);
	f32(w, d->m->ten, TEN_CAP);
	f32(w, d->m->hour, HOUR_CAP);
	day = d->m->day != NULL;
	flag(w, &day);
	if (day) {
		moving_want_day(d->m);
		f32(w, d->m->day, 2 * DAY_CAP);
	}
	loads = d->m->loads != NULL;
	flag(w, &loads);
	if (loads) {
		moving_want_loads(d->m);
		f32(w, d->m->loads, TEN_CAP + HOUR_CAP + DAY_CAP);
	}
	walk_trace(w, d->m);
}

static void walk_ledger(struct walk *w, struct detect *d)
{
	void *p = d->ledger;

	if (!part(w, &p, sizeof(*d->ledger)))
		return;
	d->ledger = p;
	d->ledger->n = (int)number(w, d->ledger->n, 1, 0, RUNS_MAX);
	for (int i = 0; i < d->ledger->n; i++) {
		struct past_run *r = &d->ledger->run[i];

		f32(w, &r->length, 1);
		f32(w, &r->first, 1);
		f32(w, &r->mid, 1);
		f32(w, &r->end, 1);
		f32(w, &r->to_mid, 1);
		f32(w, &r->to_end, 1);
	}
}

static void walk_alarm(struct walk *w, struct detect *d)
{
	void *p = d->alarm;
	struct alarm *a;

	if (!part(w, &p, sizeof(*d->alarm)))
		return;
	a = d->alarm = p;
	value(w, &a->base);
	value(w, &a->top);
	span(w, &a->top_at, false);
	span(w, &a->look, false);
	span(w, &a->since, false);
	value(w, &a->b);
	f64(w, &a->load);
	f64(w, &a->rate);
	f64(w, &a->low);
	f64(w, &a->high);
	f64(w, &a->opened_rate);
	a->how = (enum rise_how)number(w, a->how, 1, RISE_STEADY, RISE_CARRY);
	a->ring = (enum ring_id)number(w, a->ring, 1, RING_FAST, RING_DAY);
	flag(w, &a->was_leaking);
	flag(w, &a->since_at_least);
	value(w, &a->held_top);
	a->low_windows = (int)number(w, a->low_windows, 4, 0, INT32_MAX);
	flag(w, &a->carrying);
	span(w, &a->carry_from, false);
	span(w, &a->carry_first, false);
	value(w, &a->carry_rate);
}

static void walk_verdict(struct walk *w, struct detect *d)
{
	void *p = d->verdict;
	struct verdict *v;

	if (!part(w, &p, sizeof(*d->verdict)))
		return;
	v = d->verdict = p;
	v->state = d->state;
	f64(w, &v->at);
	f64(w, &v->rate_per_hour);
	f64(w, &v->low);
	f64(w, &v->high);
	f64(w, &v->since);
	flag(w, &v->since_at_least);
	flag(w, &v->was_leaking);
	f64(w, &v->base);
	f64(w, &v->top);
	f64(w, &v->lookback_s);
	words(w, v->reason, sizeof(v->reason));
}

static void everything(struct walk *w, struct detect *d)
{
	d->state = (enum verdict_state)number(w, d->state, 1, VERDICT_OK, VERDICT_HELD);
	flag(w, &d->begun);
	flag(w, &d->zero_known);
	flag(w, &d->anchor_done);
	f64(w, &d->base);
	if (!isfinite(d->base))
		w->bad = true;
	span(w, &d->first, false);
	span(w, &d->last, false);
	f64(w, &d->start);
	span(w, &d->run, false);
	value(w, &d->value);
	d->npending = (uint8_t)number(w, d->npending, 1, 0, 2);
	span(w, &d->pending[0], false);
	span(w, &d->pending[1], false);
	span(w, &d->watch_until, false);
	walk_moving(w, d);
	walk_ledger(w, d);
	walk_alarm(w, d);
	walk_verdict(w, d);
}

static uint64_t fnv1a(const char *p, size_t n)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 0x100000001b3u;
	return h;
}

void detect_save(const struct detect *d, struct buf *out)
{
	struct walk w = {.out = out};
	size_t start = out->len;
	uint64_t kind = d->kind, h;
	double scale = d->scale;

	buf_add(out, magic, sizeof(magic));
	u64(&w, &kind, 1);
	f64(&w, &scale);
	everything(&w, (struct detect *)d); /* writing leaves d as it is */
	h = fnv1a(out->p + start, out->len - start);
	u64(&w, &h, 8);
	assert(out->len - start <= DETECT_RECORD_MAX);
}

/* Takes back what a bad record left. */
static void as_new(struct detect *d)
{
	struct detect kept = *d;

	moving_free(d->m);
	free(d->ledger);
	free(d->alarm);
	free(d->fast);
	free(d->verdict);
	*d = (struct detect){.scale = kept.scale,
		.unit = kept.unit,
		.kind = kept.kind,
		.sensitivity = kept.sensitivity,
		.counts = kept.counts,
		.as_reference = kept.as_reference,
		.start = NAN,
		.limit = kept.limit,
		.change = kept.change,
		.arg = kept.arg};
}

/* What must hold between fields. */
static bool is_whole(const struct detect *d)
{
	bool needs_alarm = d->state >= VERDICT_SUSPECT;

	if (needs_alarm != (d->alarm != NULL) || (d->state != VERDICT_OK && !d->verdict))
		return false;
	if (!d->begun && (d->m || d->ledger || d->alarm))
		return false;
	/* The open minute is that of the newest sample. */
	return !d->m || fabs((double)d->m->minute * MINUTE - d->last) <= FORGET;
}

/* Is it a record of ours, undamaged, for such a series?  Leaves w at its fields. */
static int open_record(const struct detect *d, struct str record, struct walk *w, struct err *err)
{
	struct walk tail;
	uint64_t kind = 0, hash = 0;
	double scale = 0;

	if (record.len < sizeof(magic) + 8 || record.len > DETECT_RECORD_MAX)
		return err_set(err, "detector record of %zu bytes: not one", record.len);
	if (memcmp(record.p, magic, sizeof(magic) - 1) != 0)
		return err_set(err, "detector record does not begin with \"LWD\"");
	if (record.p[3] != magic[3])
		return err_set(err, "detector record of version 0x%02x, this program reads %c",
			(unsigned char)record.p[3], magic[3]);
	tail = (struct walk){.in = str_from(record, record.len - 8)};
	u64(&tail, &hash, 8);
	if (hash != fnv1a(record.p, record.len - 8))
		return err_set(err, "detector record is damaged: its hash does not match");
	*w = (struct walk){.in = str_sub(record, sizeof(magic), record.len - 8)};
	u64(w, &kind, 1);
	f64(w, &scale);
	if (kind != (uint64_t)d->kind)
		return err_set(err, "detector record is of another kind of series");
	if (scale != d->scale)
		return err_set(err, "detector record was made with detect.window %gs, not %gs",
			120 / scale, 120 / d->scale);
	return 0;
}

int detect_load(struct detect *d, struct str record, struct err *err)
{
	struct walk w;

	as_new(d);
	if (open_record(d, record, &w, err))
		return -1;
	everything(&w, d);
	if (!w.bad && w.in.len == 0 && is_whole(d))
		return 0;
	as_new(d);
	return err_set(err, "detector record makes no sense");
}

size_t detect_memory(const struct detect *d)
{
	size_t n = sizeof(*d);

	if (d->m) {
		n += sizeof(*d->m);
		n += d->m->day ? 2 * DAY_CAP * sizeof(float) : 0;
		n += d->m->loads ? (TEN_CAP + HOUR_CAP + DAY_CAP) * sizeof(float) : 0;
		n += d->m->trace ? sizeof(*d->m->trace) : 0;
	}
	n += d->alarm ? sizeof(*d->alarm) : 0;
	n += d->fast ? sizeof(*d->fast) : 0;
	n += d->ledger ? sizeof(*d->ledger) : 0;
	n += d->verdict ? sizeof(*d->verdict) : 0;
	return n;
}
