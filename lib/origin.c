#include "origin.h"
#include "map.h"
#include "xalloc.h"

#include <stdlib.h>

#define MAIN	     1 /* the id of the goroutine that runs main */
#define EARLY_ID     64 /* so low, a program's processes number them alike */
#define DIFFER_LEAST 2
#define DIFFER_SHARE 20 /* one in so many of those in common */
#define LATE_LEAST   20 /* where nobody else was found again */
#define LATE_MANY    1024 /* 16 ids a processor, 64 processors */

struct goroutine {
	uint64_t id;
	uint32_t born; /* a hash of who created it, where, and in which goroutine */
};

struct sample {
	struct goroutine *v;
	size_t n;
	uint64_t keep; /* ids whose hash is a multiple of it; a power of two */
	uint64_t newest;
};

struct origin {
	struct sample before, now; /* before is sorted */
	struct origin_result seen;
};

struct origin *origin_new(void)
{
	struct origin *o = xcalloc(1, sizeof(*o));

	o->before.v = xcalloc(ORIGIN_SAMPLE, sizeof(*o->before.v));
	o->now.v = xcalloc(ORIGIN_SAMPLE, sizeof(*o->now.v));
	origin_forget(o);
	return o;
}

void origin_free(struct origin *o)
{
	if (!o)
		return;
	free(o->before.v);
	free(o->now.v);
	free(o);
}

static void empty(struct sample *p)
{
	p->n = 0;
	p->keep = 1;
	p->newest = 0;
}

void origin_forget(struct origin *o)
{
	empty(&o->before);
	origin_begin(o);
}

void origin_begin(struct origin *o)
{
	empty(&o->now);
	o->seen = (struct origin_result){0};
}

/* ---- samples ---- */

static bool is_kept(const struct sample *p, uint64_t id)
{
	return (hash64(&id, sizeof(id), 0) & (p->keep - 1)) == 0;
}

static void add(struct sample *p, const struct goroutine *g)
{
	while (p->n == ORIGIN_SAMPLE) {
		size_t kept = 0;

		p->keep *= 2;
		for (size_t i = 0; i < p->n; i++) {
			if (is_kept(p, p->v[i].id))
				p->v[kept++] = p->v[i];
		}
		p->n = kept;
	}
	if (is_kept(p, g->id))
		p->v[p->n++] = *g;
}

static int by_id(const void *a, const void *b)
{
	const struct goroutine *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

static uint32_t born(const struct group *g)
{
	uint64_t h = hash64(g->created_by.p, g->created_by.len, g->creator_id);

	return (uint32_t)hash64(&g->creator.line, sizeof(g->creator.line), h);
}

/* ---- a dump ---- */

/* Begun while the program started: all its processes have one like it under that id. */
static bool is_alike(const struct group *g)
{
	return g->created_by.len == 0 || g->creator_id == MAIN ||
	       (g->creator_id == 0 && g->id <= EARLY_ID);
}

static void compare(struct origin *o, const struct group *g, const struct goroutine *one)
{
	const struct goroutine *old;

	if (o->before.n == 0 || one->id > o->before.newest || !is_kept(&o->before, one->id))
		return;
	old = bsearch(one, o->before.v, o->before.n, sizeof(*old), by_id);
	if (!old)
		o->seen.late++;
	else if (old->born != one->born)
		o->seen.differ++;
	else if (!is_alike(g))
		o->seen.same++;
}

void origin_see(struct origin *o, const struct group *g)
{
	struct goroutine one = {.id = g->id, .born = born(g)};

	if (g->id <= MAIN)
		return;
	compare(o, g, &one);
	o->now.newest = MAX(o->now.newest, g->id);
	add(&o->now, &one);
}

void origin_judge(const struct origin *o, struct origin_result *out)
{
	uint64_t scale = o->before.keep;
	const struct origin_result *r = &o->seen; /* of the sample */

	*out = *r;
	out->before = o->before.n * scale;
	out->same *= scale;
	out->differ *= scale;
	out->late *= scale;
	if (r->differ >= DIFFER_LEAST && r->differ * DIFFER_SHARE > r->same)
		out->other = true;
	else if (r->same == 0)
		out->other = r->late >= LATE_LEAST;
	else
		out->other = out->late > LATE_MANY && r->late > 4 * r->same;
}

void origin_words(const struct origin_result *r, struct buf *out)
{
	if (!r->other)
		return;
	if (r->differ >= DIFFER_LEAST)
		buf_addf(out,
			"%llu of the goroutines that the dump before has under the same number "
			"were created elsewhere",
			(unsigned long long)r->differ);
	else
		buf_addf(out,
			"%llu of its goroutines have older numbers than the newest of the dump "
			"before, which did not have them",
			(unsigned long long)r->late);
}

void origin_take(struct origin *o)
{
	struct sample old = o->before;

	o->before = o->now;
	o->now = old;
	qsort(o->before.v, o->before.n, sizeof(*o->before.v), by_id);
	origin_begin(o);
}
