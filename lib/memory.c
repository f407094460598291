#include "memory.h"
#include "notify.h"
#include "notify_internal.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>

#define ENDS	 2 /* points at either end whose lowest stands for it */
#define POINTS	 4
#define NOTABLE	 (16 * 1048576.0)
#define SHARE	 .05 /* of what there is now */
#define PART_MIN .1 /* of a growth: smaller parts are not named */

struct point {
	double t, v[MEMORY_PARTS];
};

struct memory {
	double window_s, ends;
	struct point window, next; /* lowest so far; sums of windows on their way to a point */
	unsigned windows, per_point;
	bool open; /* the window has a sample */
	struct point points[MEMORY_POINTS];
	size_t n;
};

void memory_reset(struct memory *m)
{
	*m = (struct memory){.window_s = m->window_s, .ends = NAN, .per_point = 1};
}

struct memory *memory_new(double window_s)
{
	struct memory *m = xcalloc(1, sizeof(*m));

	m->window_s = window_s;
	memory_reset(m);
	return m;
}

void memory_free(struct memory *m)
{
	free(m);
}

/* ---- points ---------------------------------------------------------------------------------- */

static void add_point(struct point *sum, const struct point *p, double weight)
{
	sum->t += p->t * weight;
	for (int i = 0; i < MEMORY_PARTS; i++)
		sum->v[i] += p->v[i] * weight;
}

static void join_neighbours(struct memory *m)
{
	for (size_t i = 0; i + 1 < m->n; i += 2) {
		struct point two = {0};

		add_point(&two, &m->points[i], .5);
		add_point(&two, &m->points[i + 1], .5);
		m->points[i / 2] = two;
	}
	m->n /= 2;
	m->per_point *= 2;
}

static void close_window(struct memory *m)
{
	add_point(&m->next, &m->window, 1);
	m->windows++;
	m->open = false;
	if (m->windows < m->per_point)
		return;
	if (m->n == MEMORY_POINTS)
		join_neighbours(m);
	if (m->windows < m->per_point)
		return; /* points have just become longer */
	m->points[m->n] = (struct point){0};
	add_point(&m->points[m->n++], &m->next, 1.0 / m->windows);
	m->next = (struct point){0};
	m->windows = 0;
}

void memory_sample(struct memory *m, double t, const double *parts)
{
	if (!isfinite(t))
		return;
	if (isnan(m->ends) || t < m->ends - 2 * m->window_s)
		m->ends = t + m->window_s;
	if (t >= m->ends) {
		if (m->open)
			close_window(m);
		m->ends = t + m->window_s;
	}
	for (int i = 0; i < MEMORY_PARTS; i++)
		m->window.v[i] = m->open ? fmin(m->window.v[i], parts[i]) : parts[i];
	m->window.t = t;
	m->open = true;
}

/* ---- growth ---------------------------------------------------------------------------------- */

static double lowest(const struct memory *m, size_t from, size_t to, int part)
{
	double low = NAN;

	for (size_t i = from; i < to; i++)
		low = fmin(low, m->points[i].v[part]);
	return low;
}

bool memory_growth(const struct memory *m, double since, struct memory_growth *out)
{
	size_t from = 0, n;

	if (m->n < POINTS)
		return false;
	while (from + POINTS < m->n && m->points[from].t < since)
		from++;
	n = MIN((size_t)ENDS, (m->n - from) / 2);
	/* What rises is lowest at the first of the points at either end. */
	out->over_s = m->points[m->n - n].t - m->points[from].t;
	for (int i = 0; i < MEMORY_PARTS; i++) {
		out->now[i] = lowest(m, m->n - n, m->n, i);
		out->grown[i] = out->now[i] - lowest(m, from, from + n, i);
	}
	return true;
}

/* ---- words ----------------------------------------------------------------------------------- */

static bool notable(const struct memory_growth *g, enum memory_part part)
{
	return g->grown[part] >= NOTABLE && g->grown[part] >= SHARE * g->now[part];
}

static void add_grew(struct buf *out, const struct memory_growth *g, const char *what, double grown)
{
	if (out->len)
		buf_addc(out, ' ');
	buf_addf(out, "%s grew by ", what);
	notify_add_amount(out, grown, NOTIFY_BYTES);
	buf_adds(out, " in ");
	notify_add_duration(out, g->over_s);
}

struct share {
	const char *what;
	double bytes;
};

/*
 * Whose an anonymous growth is.  What Go knows of comes first; what is left of the process's is
 * outside of Go, what is left of the cgroup's is another process's.
 */
static size_t divide(const struct memory_growth *g, double goroutines, struct share *out)
{
	double go = g->grown[MEMORY_GO_HEAP] + g->grown[MEMORY_GO_STACK];
	double idle = g->grown[MEMORY_GO_IDLE], all = g->grown[MEMORY_GO_ALL];
	double own = g->grown[MEMORY_RSS_ANON], held = isnan(goroutines) ? 0 : goroutines;
	size_t n = 0;

	held = fmin(fmax(held, 0), fmax(go, 0));
	out[n++] = (struct share){"leaked goroutines", held};
	out[n++] = (struct share){
		isnan(goroutines) ? "Go heap and stacks in use" : "other Go heap and stacks in use",
		go - held};
	out[n++] = (struct share){"free in Go's heap, not returned to the system yet", idle};
	out[n++] = (struct share){"other parts of the Go runtime", all - go - idle};
	out[n++] = (struct share){"outside of Go (cgo, C libraries, mmap)", own - all};
	if (!isnan(own))
		out[n++] = (struct share){
			"other processes of the cgroup", g->grown[MEMORY_ANON] - own};
	return n;
}

static void add_shares(
	struct buf *out, const struct memory_growth *g, double grown, double goroutines)
{
	struct share shares[8];
	size_t n = divide(g, goroutines, shares), named = 0;

	for (size_t i = 0; i < n; i++) {
		if (!(shares[i].bytes >= PART_MIN * grown))
			continue;
		buf_adds(out, named++ ? ", " : ": ");
		notify_add_amount(out, shares[i].bytes, NOTIFY_BYTES);
		buf_addf(out, " %s", shares[i].what);
	}
	buf_addc(out, '.');
}

void memory_words(const struct memory_growth *g, double goroutines, struct buf *out)
{
	bool cgroup = !isnan(g->now[MEMORY_ANON]);
	enum memory_part anon = cgroup ? MEMORY_ANON : MEMORY_RSS_ANON;

	if (notable(g, anon)) {
		add_grew(out, g, "Anonymous memory", g->grown[anon]);
		add_shares(out, g, g->grown[anon], goroutines);
	}
	if (notable(g, MEMORY_CACHE)) {
		add_grew(out, g, "Page cache", g->grown[MEMORY_CACHE]);
		buf_adds(out, ": no leak, the kernel takes it back when memory is wanted.");
	}
	if (!cgroup && notable(g, MEMORY_RSS_FILE)) {
		add_grew(out, g, "Mapped files", g->grown[MEMORY_RSS_FILE]);
		buf_adds(out, ": no leak, the kernel takes them back when memory is wanted.");
	}
	if (notable(g, MEMORY_SHMEM)) {
		add_grew(out, g, "Shared memory (tmpfs, /dev/shm)", g->grown[MEMORY_SHMEM]);
		buf_adds(
			out, ": it counts against the limit, and goes when its files are deleted.");
	}
	if (notable(g, MEMORY_KERNEL)) {
		add_grew(out, g, "Kernel memory", g->grown[MEMORY_KERNEL]);
		buf_adds(out, ": sockets, open files, page tables.");
	}
}
