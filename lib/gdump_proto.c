/*
 * debug=0: profile.proto of pprof (github.com/google/pprof, proto/profile.proto), as written by
 * runtime/pprof's printCountProfile.  Names stand in one table at the end, so the body is kept
 * whole, at most GDUMP_PROTO_MAX bytes of it, and read when it has ended: once for the tables, then
 * for the samples.  Only the fields that a count of stacks has are looked at.
 */
#include "gdump_internal.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* Field numbers of message Profile. */
enum { SAMPLE_TYPE = 1, SAMPLE = 2, LOCATION = 4, FUNCTION = 5, STRING = 6, DURATION = 10 };

/* ---- the wire format of protocol buffers ------------------------------------------------------
 */
struct wire {
	const unsigned char *p, *end;
	bool bad; /* cut or not this format */
};

struct field {
	unsigned number;
	bool bytes; /* `text` is set, else `n` */
	uint64_t n;
	struct str text;
};

static struct wire wire_of(struct str s)
{
	const unsigned char *p = (const unsigned char *)(s.len ? s.p : "");

	return (struct wire){.p = p, .end = p + s.len};
}

static uint64_t take_varint(struct wire *w)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64 && w->p < w->end; shift += 7) {
		unsigned char c = *w->p++;

		v |= (uint64_t)(c & 0x7f) << shift;
		if (c < 0x80)
			return v;
	}
	w->bad = true;
	return 0;
}

static bool skip_fixed(struct wire *w, size_t n)
{
	if ((size_t)(w->end - w->p) < n)
		w->bad = true;
	else
		w->p += n;
	return !w->bad;
}

/* The next field; false at the end and when the rest cannot be read. */
static bool next_field(struct wire *w, struct field *f)
{
	uint64_t tag, n;

	if (w->p == w->end || w->bad)
		return false;
	tag = take_varint(w);
	*f = (struct field){.number = (unsigned)MIN(tag >> 3, (uint64_t)UINT32_MAX)};
	switch (tag & 7) {
	case 0:
		f->n = take_varint(w);
		return !w->bad;
	case 1:
		return skip_fixed(w, 8);
	case 2:
		n = take_varint(w);
		if (w->bad || n > (uint64_t)(w->end - w->p))
			break;
		f->bytes = true;
		f->text = str_n((const char *)w->p, (size_t)n);
		w->p += n;
		return true;
	case 5:
		return skip_fixed(w, 4);
	default:
		break;
	}
	w->bad = true;
	return false;
}

/* ---- tables -----------------------------------------------------------------------------------
 */
struct function {
	uint64_t id, name, file; /* of the table of strings */
};

struct line {
	uint64_t function; /* its id */
	uint32_t number;
};

struct location {
	uint64_t id;
	size_t first, nlines; /* of the table of lines; the innermost function comes first */
};

struct profile {
	struct str body;
	struct str *strings;
	struct function *functions;
	struct location *locations;
	struct line *lines;
	size_t nstrings, nfunctions, nlocations, nlines;
	size_t strings_cap, functions_cap, locations_cap, lines_cap;
	uint64_t nframes; /* of all samples, and references: many may be to one location */
	uint64_t types, type, unit, duration;
	size_t deepest; /* frames of the deepest sample */
	bool negative;
	const char *why; /* why it cannot be read */
};

static void *grow(void *rows, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return rows;
	*cap = MAX(*cap * 2, (size_t)256);
	return xrealloc(rows, *cap, size);
}

static void add_function(struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct function fn = {.id = 0};
	struct field f;

	while (next_field(&w, &f)) {
		if (f.number == 1)
			fn.id = f.n;
		else if (f.number == 2)
			fn.name = f.n;
		else if (f.number == 4)
			fn.file = f.n;
	}
	if (w.bad)
		p->why = "a function cannot be read";
	p->functions = grow(p->functions, p->nfunctions, &p->functions_cap, sizeof(fn));
	p->functions[p->nfunctions++] = fn;
}

static void add_line(struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct line line = {.number = 0};
	struct field f;

	while (next_field(&w, &f)) {
		if (f.number == 1)
			line.function = f.n;
		else if (f.number == 2)
			line.number = (uint32_t)MIN(f.n, (uint64_t)UINT32_MAX);
	}
	if (w.bad)
		p->why = "a line of a location cannot be read";
	p->lines = grow(p->lines, p->nlines, &p->lines_cap, sizeof(line));
	p->lines[p->nlines++] = line;
}

static void add_location(struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct location l = {.first = p->nlines};
	struct field f;

	while (next_field(&w, &f)) {
		if (f.number == 1)
			l.id = f.n;
		else if (f.number == 4)
			add_line(p, f.text);
	}
	if (w.bad)
		p->why = "a location cannot be read";
	l.nlines = p->nlines - l.first;
	p->locations = grow(p->locations, p->nlocations, &p->locations_cap, sizeof(l));
	p->locations[p->nlocations++] = l;
}

static void take_type(struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct field f;

	while (p->types == 0 && next_field(&w, &f)) {
		if (f.number == 1)
			p->type = f.n;
		else if (f.number == 2)
			p->unit = f.n;
	}
	p->types++;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b; /* their first member */

	return x < y ? -1 : x > y;
}

/* The row with that id; Go numbers them from 1 without gaps. */
static const void *find(const void *rows, size_t n, size_t size, uint64_t id)
{
	if (id - 1 < n) {
		const void *guess = (const char *)rows + (size_t)(id - 1) * size;

		if (*(const uint64_t *)guess == id)
			return guess;
	}
	return n ? bsearch(&id, rows, n, size, by_id) : NULL;
}

static struct str string_of(const struct profile *p, uint64_t index)
{
	return index < p->nstrings ? p->strings[index] : str_n("", 0);
}

static void read_tables(struct profile *p)
{
	struct wire w = wire_of(p->body);
	struct field f;

	while (!p->why && next_field(&w, &f)) {
		if (f.number == STRING) {
			p->strings =
				grow(p->strings, p->nstrings, &p->strings_cap, sizeof(*p->strings));
			p->strings[p->nstrings++] = f.text;
		} else if (f.number == FUNCTION) {
			add_function(p, f.text);
		} else if (f.number == LOCATION) {
			add_location(p, f.text);
		} else if (f.number == SAMPLE_TYPE) {
			take_type(p, f.text);
		} else if (f.number == DURATION) {
			p->duration = f.n;
		}
		if (p->nstrings > GDUMP_PROTO_ROWS || p->nfunctions > GDUMP_PROTO_ROWS ||
			p->nlocations > GDUMP_PROTO_ROWS || p->nlines > GDUMP_PROTO_ROWS)
			p->why = "it has more functions, locations or names than are read";
	}
	if (w.bad && !p->why)
		p->why = "it is cut off or damaged, and the names stand at its end";
	if (p->nfunctions)
		qsort(p->functions, p->nfunctions, sizeof(*p->functions), by_id);
	if (p->nlocations)
		qsort(p->locations, p->nlocations, sizeof(*p->locations), by_id);
}

/* ---- samples ----------------------------------------------------------------------------------
 */
struct sample {
	int64_t value;
	unsigned flags;
	size_t depth, references; /* frames; locations */
	bool bad;
};

/* Past the frames that are kept a sample's references cost nothing. */
static void add_frames(struct gdump *g, const struct profile *p, uint64_t id, struct sample *s)
{
	const struct location *l;

	if (s->references++ > GDUMP_FRAMES_MAX)
		return;
	l = find(p->locations, p->nlocations, sizeof(*l), id);
	for (size_t i = 0; l && i < l->nlines && s->depth <= GDUMP_FRAMES_MAX; i++) {
		const struct line *line = &p->lines[l->first + i];
		const struct function *fn =
			find(p->functions, p->nfunctions, sizeof(*fn), line->function);
		struct frame *frame = gdump_add_frame(g, &s->flags);

		s->depth++;
		if (frame)
			*frame = (struct frame){.func = string_of(p, fn ? fn->name : 0),
				.file = string_of(p, fn ? fn->file : 0),
				.line = line->number};
	}
}

static void add_label(struct gdump *g, const struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct label label = {.key = {.len = 0}};
	struct field f;
	bool text = false;

	while (next_field(&w, &f)) {
		if (f.number == 1)
			label.key = string_of(p, f.n);
		else if (f.number == 2) {
			label.value = string_of(p, f.n);
			text = true;
		}
	}
	if (text && g->nlabels < GDUMP_LABELS_MAX)
		g->labels[g->nlabels++] = label;
}

/* Fills g->frames and g->labels. */
static struct sample take_sample(struct gdump *g, const struct profile *p, struct str message)
{
	struct wire w = wire_of(message);
	struct sample s = {.value = 0};
	bool valued = false;
	struct field f;

	g->nframes = g->nlabels = 0;
	while (next_field(&w, &f)) {
		struct wire packed = wire_of(f.text);

		if (f.number == 1 && !f.bytes) {
			add_frames(g, p, f.n, &s);
		} else if (f.number == 1) {
			while (packed.p < packed.end && !packed.bad)
				add_frames(g, p, take_varint(&packed), &s);
		} else if (f.number == 2 && !valued) {
			s.value = (int64_t)(f.bytes ? take_varint(&packed) : f.n);
			valued = true;
		} else if (f.number == 3) {
			add_label(g, p, f.text);
		}
		s.bad = s.bad || packed.bad;
	}
	s.bad = s.bad || w.bad || !valued;
	return s;
}

/* What the samples as a whole tell; nothing is handed out yet. */
static void look_at_samples(struct gdump *g, struct profile *p)
{
	struct wire w = wire_of(p->body);
	struct field f;

	while (next_field(&w, &f)) {
		struct sample s;

		if (f.number != SAMPLE)
			continue;
		s = take_sample(g, p, f.text);
		p->negative = p->negative || s.value < 0;
		p->deepest = MAX(p->deepest, s.depth);
		p->nframes += s.depth + MIN(s.references, (size_t)GDUMP_FRAMES_MAX);
		if (p->nframes > GDUMP_PROTO_FRAMES) {
			p->why = "it has more frames than are read";
			return;
		}
		if (s.bad || s.value >= (int64_t)1 << 40)
			p->why = "a sample cannot be read";
	}
}

static void hand_out(struct gdump *g, const struct profile *p)
{
	/* The runtime's depth limit: 32 up to Go 1.22, then 128 (debug=1 says more). */
	size_t limit = p->deepest <= 32 ? 32 : 128;
	bool goroutines = str_is(string_of(p, p->type), "goroutine");
	struct wire w = wire_of(p->body);
	struct field f;

	while (next_field(&w, &f)) {
		struct group group = {.count = 0};
		struct sample s;

		if (f.number != SAMPLE)
			continue;
		s = take_sample(g, p, f.text);
		if (s.value == 0)
			continue;
		group.count = (uint64_t)s.value;
		group.flags = s.flags | (s.depth == limit ? GROUP_CUT_ROOT : 0) |
			      (s.references == 0 && goroutines ? GROUP_UNSTARTED : 0);
		group.frames = g->frames;
		group.nframes = g->nframes;
		group.labels = g->labels;
		group.nlabels = g->nlabels;
		group.record_line = 1;
		g->stats.parsed += group.count;
		g->stats.announced += group.count;
		g->stats.records++;
		if (g->sink.group)
			g->sink.group(g->sink.arg, &group);
	}
}

static int refuse_profile(const struct profile *p, struct err *err)
{
	char type[40], unit[40];

	if (p->why)
		return err_set(
			err, "no goroutine dump: received a profile (debug=0), but %s", p->why);
	if (p->negative || p->duration)
		return err_set(err,
			"no goroutine dump: received a delta profile (seconds=), which tells what "
			"changed and not what there is; ask without seconds=");
	received_excerpt(string_of(p, p->type), type, sizeof(type));
	received_excerpt(string_of(p, p->unit), unit, sizeof(unit));
	return err_set(err,
		"no goroutine dump: received a profile of %s/%s; what is read is a profile of "
		"goroutine/count",
		type, unit);
}

bool gdump_is_proto(struct str head)
{
	/* Its first field is sample_type or period_type, a message that begins with field 1. */
	return head.len >= 3 && (head.p[0] == 0x5a || head.p[0] == 0x0a) &&
	       (unsigned char)head.p[1] < 0x20 && head.p[2] == 0x08;
}

int gdump_proto_finish(struct gdump *g, struct err *err)
{
	struct profile p = {.body = buf_str(&g->proto)};
	bool ok;

	if (g->proto_overflow)
		p.why = "it is larger than 64 MiB";
	else
		read_tables(&p);
	if (!p.why && p.types == 1 && str_is(string_of(&p, p.unit), "count"))
		look_at_samples(g, &p);
	ok = !p.why && p.types == 1 && str_is(string_of(&p, p.unit), "count") && !p.negative &&
	     p.duration == 0;
	if (ok)
		hand_out(g, &p);
	else
		refuse_profile(&p, err);
	free(p.strings);
	free(p.functions);
	free(p.locations);
	free(p.lines);
	return ok ? 0 : -1;
}
