#include "cost.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define WINDOWS	      2 /* of the detector's make one of ours */
#define OTHERS	      2 /* classes that get a column of their own beside the one asked for */
#define POINTS_MIN    14
#define SURE	      .5 /* half the interval over the estimate, at most */
#define MORE_THAN_ALL 1.5 /* of the process's own rise */
#define FD_GRAIN      .003 /* of a mean of several whole numbers */
#define BYTE_GRAIN    (4096.0 * 4096 / 12)

/* Single precision halves what a target takes; it is some 60 bytes of a GiB. */
struct point {
	double t;
	float load, total, metric[COST_METRICS], count[COST_CLASSES];
};

/* Sums while a window or a point is being made. */
struct making {
	double t, load, total, metric[COST_METRICS], count[COST_CLASSES];
	double floor[COST_METRICS], top[COST_METRICS];
	unsigned n;
};

struct cost {
	double window_s;
	double ends; /* of the window; NAN before the first sample */
	struct making window, next; /* next: windows on their way to a point */
	unsigned per_point; /* windows */
	struct point points[COST_POINTS];
	size_t n;
	uint32_t ids[COST_CLASSES]; /* 0: free */
	unsigned told; /* bits: columns that were counted in this window */
	uint64_t version;
};

const char *cost_metric_name(enum cost_metric m)
{
	static const char *const names[COST_METRICS] = {"fds", "heap", "stack", "go", "memory"};

	return names[m];
}

void cost_reset(struct cost *c)
{
	*c = (struct cost){
		.window_s = c->window_s, .ends = NAN, .per_point = 1, .version = c->version + 1};
}

struct cost *cost_new(double window_s)
{
	struct cost *c = xcalloc(1, sizeof(*c));

	c->window_s = WINDOWS * window_s;
	cost_reset(c);
	return c;
}

void cost_free(struct cost *c)
{
	free(c);
}

uint64_t cost_version(const struct cost *c)
{
	return c->version;
}

/* ---- windows and points ---------------------------------------------------------------------- */

static struct point mean_of(const struct making *m)
{
	struct point p = {.t = m->t / m->n,
		.load = (float)(m->load / m->n),
		.total = (float)(m->total / m->n)};

	for (int i = 0; i < COST_METRICS; i++)
		p.metric[i] = (float)(m->metric[i] / m->n);
	for (int i = 0; i < COST_CLASSES; i++)
		p.count[i] = (float)(m->count[i] / m->n);
	return p;
}

static void add_to(struct making *m, const struct point *p)
{
	m->t += p->t;
	m->load += p->load;
	m->total += p->total;
	for (int i = 0; i < COST_METRICS; i++) {
		m->metric[i] += p->metric[i];
		m->floor[i] = m->n ? fmin(m->floor[i], p->metric[i]) : p->metric[i];
		m->top[i] = m->n ? fmax(m->top[i], p->metric[i]) : p->metric[i];
	}
	for (int i = 0; i < COST_CLASSES; i++)
		m->count[i] += p->count[i];
	m->n++;
}

static void join_neighbours(struct cost *c)
{
	for (size_t i = 0; i + 1 < c->n; i += 2) {
		struct making two = {0};

		add_to(&two, &c->points[i]);
		add_to(&two, &c->points[i + 1]);
		c->points[i / 2] = mean_of(&two);
	}
	c->n /= 2;
	c->per_point *= 2;
}

/*
 * The foot of a saw-tooth from n looks at it: the lowest lies above the foot by a part of the
 * spread (of n values spread evenly between two ends, (n lowest - highest) / (n - 1) is the lower
 * end, without bias).  Left alone, that part grows with the heap, and each goroutine would seem to
 * hold an nth more.
 */
static double foot_of(const struct making *m, int metric)
{
	double low = m->floor[metric], spread = m->top[metric] - low;

	return m->n > 1 ? low - spread / (m->n - 1) : low;
}

/* A class that is not told any more is gone: nothing is known of it. */
static void forget_untold(struct cost *c)
{
	for (unsigned i = 0; i < COST_CLASSES; i++) {
		if (c->ids[i] && !(c->told & 1u << i))
			cost_forget(c, c->ids[i]);
	}
	c->told = 0;
}

static void close_window(struct cost *c)
{
	struct point p;

	forget_untold(c);
	p = mean_of(&c->window);
	for (int i = 0; i < COST_METRICS; i++) {
		if (i == COST_HEAP || i == COST_GO)
			p.metric[i] = (float)foot_of(&c->window, i);
		else if (i != COST_FDS)
			p.metric[i] = (float)c->window.floor[i];
	}
	memset(&c->window, 0, sizeof(c->window));
	add_to(&c->next, &p);
	if (c->next.n >= c->per_point) {
		if (c->n == COST_POINTS)
			join_neighbours(c);
		/* Half a point when they have just become longer: the next ones fill it up. */
		if (c->next.n >= c->per_point) {
			c->points[c->n++] = mean_of(&c->next);
			memset(&c->next, 0, sizeof(c->next));
		}
	}
	c->version++;
}

void cost_sample(struct cost *c, double t, const double *values, double load, double total)
{
	struct point p = {.t = t, .load = (float)load, .total = (float)total};

	if (!isfinite(t) || !isfinite(total))
		return;
	if (isnan(c->ends) || t < c->ends - 2 * c->window_s) /* or the clock was set back */
		c->ends = t + c->window_s;
	if (t >= c->ends) {
		if (c->window.n)
			close_window(c);
		c->ends = t + c->window_s;
	}
	for (int i = 0; i < COST_METRICS; i++)
		p.metric[i] = (float)values[i];
	add_to(&c->window, &p);
}

/* ---- classes --------------------------------------------------------------------------------- */

static int column_of(const struct cost *c, uint32_t id)
{
	for (int i = 0; i < COST_CLASSES; i++) {
		if (c->ids[i] == id)
			return i;
	}
	return -1;
}

/* Largest less smallest of a class's counts; 0 while there are no points. */
static double moved(const struct cost *c, int column)
{
	double low = INFINITY, high = -INFINITY;

	for (size_t i = 0; i < c->n; i++) {
		low = fmin(low, c->points[i].count[column]);
		high = fmax(high, c->points[i].count[column]);
	}
	return c->n ? high - low : 0;
}

static void fill_column(struct cost *c, int column, double count, double since, double base)
{
	double now = c->window.t / c->window.n;

	if (!isfinite(base) || base > count)
		base = count;
	if (!isfinite(since) || since >= now)
		since = now - 1;
	for (size_t i = 0; i < c->n; i++) {
		double along = fmax(0, (c->points[i].t - since) / (now - since));

		c->points[i].count[column] = (float)(base + along * (count - base));
	}
	c->next.count[column] = c->next.n * count;
	c->window.count[column] = (c->window.n - 1) * count;
}

/* A free column, or that of the class that moved least, if this one moved more. */
static int make_room(struct cost *c, double movement)
{
	int least = 0;

	if (column_of(c, 0) >= 0)
		return column_of(c, 0);
	for (int i = 1; i < COST_CLASSES; i++) {
		if (moved(c, i) < moved(c, least))
			least = i;
	}
	return moved(c, least) < movement ? least : -1;
}

void cost_count(struct cost *c, uint32_t id, double count, double since, double base)
{
	int column = column_of(c, id);

	if (!c->window.n || !isfinite(count))
		return;
	if (column < 0) {
		column = make_room(c, isfinite(base) ? fabs(count - base) : 0);
		if (column < 0)
			return;
		c->ids[column] = id;
		fill_column(c, column, count, since, base);
	}
	c->window.count[column] += count;
	c->told |= 1u << column;
}

bool cost_follows(const struct cost *c, uint32_t id)
{
	return id && column_of(c, id) >= 0;
}

void cost_forget(struct cost *c, uint32_t id)
{
	int column = column_of(c, id);

	if (column < 0)
		return;
	c->ids[column] = 0;
	for (size_t i = 0; i < c->n; i++)
		c->points[i].count[column] = 0;
	c->window.count[column] = c->next.count[column] = 0;
}

/* ---- the question ---------------------------------------------------------------------------- */

static bool is_among(uint32_t id, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ids[i] == id)
			return true;
	}
	return false;
}

/* Which columns stand for classes: the one asked for, then the others that moved most. */
struct columns {
	int v[1 + OTHERS];
	size_t n;
	int with[COST_CLASSES]; /* left out: their share is part of the answer */
	size_t nwith;
	bool load;
};

static void choose(
	const struct cost *c, struct columns *out, int own, const uint32_t *with, size_t nwith)
{
	double least = moved(c, own) / 20;

	*out = (struct columns){.v = {own}, .n = 1};
	for (int i = 0; i < COST_CLASSES; i++) {
		if (i != own && c->ids[i] && is_among(c->ids[i], with, nwith))
			out->with[out->nwith++] = i;
	}
	for (int k = 0; k < OTHERS; k++) {
		int best = -1;

		for (int i = 0; i < COST_CLASSES; i++) {
			bool taken = !c->ids[i] || is_among(c->ids[i], with, nwith);

			for (size_t j = 0; j < out->n; j++)
				taken |= out->v[j] == i;
			if (!taken && moved(c, i) > least &&
				(best < 0 || moved(c, i) > moved(c, best)))
				best = i;
		}
		if (best >= 0)
			out->v[out->n++] = best;
	}
}

/* All goroutines that no other column has. */
static double rest_of(const struct point *p, const struct columns *cols)
{
	double rest = p->total;

	for (size_t j = 0; j < cols->n; j++)
		rest -= p->count[cols->v[j]];
	for (size_t j = 0; j < cols->nwith; j++)
		rest -= p->count[cols->with[j]];
	return rest;
}

/* Does it move by more than rounding?  A column that stands still says nothing and cannot be
 * fitted.
 */
static bool moves(const struct cost_fit *f, size_t j)
{
	double low = INFINITY, high = -INFINITY;

	for (size_t i = 0; i < f->n; i++) {
		low = fmin(low, f->x[i][j]);
		high = fmax(high, f->x[i][j]);
	}
	return high - low > 1e-9 * fmax(fabs(high), 1);
}

static void add_row(struct cost_fit *f, const struct cost *c, const struct point *p,
	const struct columns *cols, enum cost_metric metric)
{
	double from = c->points[0].t, length = c->points[c->n - 1].t - from;
	double along = length > 0 ? 2 * (p->t - from) / length - 1 : 0, *x = f->x[f->n];
	size_t k = 0;

	for (size_t j = 0; j < cols->n; j++)
		x[k++] = p->count[cols->v[j]];
	x[k++] = along;
	x[k++] = along * along;
	x[k++] = rest_of(p, cols);
	if (cols->load)
		x[k++] = p->load;
	f->k = k;
	f->y[f->n++] = p->metric[metric];
}

/* Takes columns out that do not move; column 0 stays, cost_fit refuses it then. */
static void drop_still(struct cost_fit *f)
{
	for (size_t j = f->k; j-- > 1;) {
		if (moves(f, j))
			continue;
		for (size_t i = 0; i < f->n; i++)
			memmove(&f->x[i][j], &f->x[i][j + 1], (f->k - j - 1) * sizeof(f->x[i][0]));
		f->k--;
	}
}

/* Told only where a person may rely on it. */
static bool sure(const struct cost_fit *f, const struct cost_range *r)
{
	double low = INFINITY, high = -INFINITY, grown = 0;

	if (!(r->low > 0) || r->high - r->estimate > SURE * r->estimate ||
		r->estimate - r->low > SURE * r->estimate)
		return false;
	for (size_t i = 0; i < f->n; i++) {
		low = fmin(low, f->y[i]);
		high = fmax(high, f->y[i]);
		grown = fmax(grown, f->x[i][0] - f->x[0][0]);
	}
	return r->low * grown <= MORE_THAN_ALL * (high - low);
}

bool cost_each(const struct cost *c, uint32_t id, const uint32_t *with, size_t nwith,
	enum cost_metric metric, struct cost_range *out)
{
	struct cost_fit f = {.grain = metric == COST_FDS ? FD_GRAIN : BYTE_GRAIN};
	int own = id ? column_of(c, id) : -1;
	struct columns cols;

	if (own < 0 || c->n < POINTS_MIN)
		return false;
	choose(c, &cols, own, with, nwith);
	cols.load = true;
	for (size_t i = 0; i < c->n; i++)
		cols.load &= isfinite(c->points[i].load);
	for (size_t i = 0; i < c->n; i++) {
		if (isfinite(c->points[i].metric[metric]))
			add_row(&f, c, &c->points[i], &cols, metric);
	}
	if (f.n < POINTS_MIN)
		return false;
	drop_still(&f);
	return cost_fit(&f, out) && sure(&f, out);
}
