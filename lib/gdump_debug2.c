/* debug=2, SIGQUIT and panics: "goroutine 5 [select, 3 minutes]:" and its stack. */
#include "gdump_frame.h"
#include "gdump_internal.h"
#include "gdump_outside.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

struct suffix {
	struct str text;
	unsigned flag;
};

/* What may stand behind a state in parentheses and is no part of its name. */
static const struct suffix suffixes[] = {
	{STR_LIT(" (leaked)"), GROUP_LEAKED}, {STR_LIT(" (scan)"), GROUP_SCAN},
	{STR_LIT(" (durable)"), GROUP_DURABLE},
	{STR_LIT(" (synctest)"), GROUP_DURABLE}, /* Go 1.24's word for it */
};

static struct str take_suffixes(struct str state, unsigned *flags)
{
	bool again = true;

	while (again && state.len && state.p[state.len - 1] == ')') {
		again = false;
		for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
			if (str_ends(state, suffixes[i].text)) {
				state.len -= suffixes[i].text.len;
				*flags |= suffixes[i].flag;
				again = true;
			}
		}
	}
	if (str_ends(state, STR(" (nil chan)")) || str_ends(state, STR(" (no cases)")))
		*flags |= GROUP_NIL_CHAN;
	return state;
}

/* "3 minutes"; what does not fit saturates. */
static bool take_minutes(struct str item, uint32_t *minutes)
{
	static const struct str word = STR_LIT(" minutes");
	uint64_t n;

	if (!str_ends(item, word) || !str_u64(str_sub(item, 0, item.len - word.len), &n))
		return false;
	*minutes = (uint32_t)MIN(n, (uint64_t)UINT32_MAX);
	return true;
}

/* Index of the first ", ", or -1. */
static ptrdiff_t find_comma(struct str s)
{
	const char *p = s.p, *end = s.p + s.len;

	while ((p = memchr(p, ',', (size_t)(end - p))) != NULL) {
		if (++p < end && *p == ' ')
			return p - 1 - s.p;
	}
	return -1;
}

/* "select (no cases) (durable), 3 minutes, locked to thread, synctest bubble 1" */
static void take_status(struct str status, struct goroutine_header *h)
{
	ptrdiff_t comma = find_comma(status);

	h->state = take_suffixes(comma < 0 ? status : str_sub(status, 0, (size_t)comma), &h->flags);
	while (comma >= 0) {
		struct str item;

		status = str_from(status, (size_t)comma + 2);
		comma = find_comma(status);
		item = comma < 0 ? status : str_sub(status, 0, (size_t)comma);
		if (str_is(item, "locked to thread"))
			h->flags |= GROUP_LOCKED;
		else
			take_minutes(item, &h->minutes); /* a word that is new means nothing yet */
	}
}

/* Index of the first c outside double quotes from `at` on, or s.len. */
static size_t find_unquoted(struct str s, size_t at, char c)
{
	while (at < s.len && s.p[at] != c)
		at = s.p[at] == '"' ? gdump_skip_quoted(s, at) : at + 1;
	return MIN(at, s.len);
}

/* " gp=0xc000002380 m=nil", " gp=0x… m=9 mp=0x…": false when it is something else. */
static bool skip_gp(struct str *s, struct goroutine_header *h)
{
	while (!str_starts(*s, STR(" ["))) {
		ptrdiff_t end = s->len > 1 ? str_chr(str_from(*s, 1), ' ') : -1;
		struct str word;

		if (end < 0)
			return false;
		word = str_sub(*s, 1, (size_t)end + 1);
		if (!str_starts(word, STR("gp=")) && !str_starts(word, STR("m=")) &&
			!str_starts(word, STR("mp=")))
			return false;
		h->gp = true;
		*s = str_from(*s, (size_t)end + 1);
	}
	return true;
}

bool gdump_parse_header(struct str line, struct goroutine_header *h)
{
	static const struct str word = STR_LIT("goroutine "), inside = STR_LIT(" labels:{");
	struct str s = gdump_no_cr(line), status;
	size_t n = word.len, end;
	ptrdiff_t at;

	if (!str_starts(s, word) || s.p[s.len - 1] != ':')
		return false;
	*h = (struct goroutine_header){.id = 0};
	for (; n < s.len && s.p[n] >= '0' && s.p[n] <= '9'; n++)
		h->id = h->id * 10 + (uint64_t)(s.p[n] - '0');
	/* The sum may have overflowed from 20 digits on. */
	if (n == word.len || (n - word.len > 19 && !str_u64(str_sub(s, word.len, n), &h->id)))
		return false;
	s = str_from(s, n);
	if (!skip_gp(&s, h))
		return false;
	s = str_from(s, 2);
	end = find_unquoted(s, 0, ']');
	if (end == s.len)
		return false;
	status = str_sub(s, 0, end);
	s = str_sub(s, end + 1, s.len - 1); /* between "]" and ":" */
	at = str_chr(status, '{') < 0 ? -1 : str_find(status, inside);
	if (at >= 0) { /* Go 1.26 */
		h->labels = str_from(status, (size_t)at + inside.len);
		if (h->labels.len == 0 || h->labels.p[h->labels.len - 1] != '}')
			return false;
		h->labels.len--;
		status = str_sub(status, 0, (size_t)at);
	} else if (s.len) { /* Go 1.27: "] {k: v}:" */
		if (s.p[0] == ' ')
			s = str_from(s, 1);
		if (s.len < 2 || s.p[0] != '{' || s.p[s.len - 1] != '}')
			return false;
		h->labels = str_sub(s, 1, s.len - 1);
	}
	take_status(status, h);
	return true;
}

struct goroutine_lines {
	const struct gdump *g;
	const char *start; /* of the record */
	size_t index; /* of the next line's end in g->ends */
	struct str rest;
	struct str line;
	uint32_t number; /* of line */
	struct group group;
	bool ancestor; /* after "[originating from goroutine N]:" */
	bool open; /* the last thing read wants another line */
	struct str last; /* the last function read, empty after anything else */
	bool creator_last; /* the last thing read is who created it, with its file */
};

/* The length of the next line, with its newline. */
static size_t line_length(struct goroutine_lines *l)
{
	const char *nl;

	if (l->index < l->g->nends)
		return (size_t)(l->start + l->g->ends[l->index] - l->rest.p);
	nl = memchr(l->rest.p, '\n', l->rest.len);
	return nl ? (size_t)(nl - l->rest.p) + 1 : l->rest.len;
}

static bool next_line(struct goroutine_lines *l)
{
	const char *p = l->rest.p;
	size_t n;

	if (l->rest.len == 0)
		return false;
	n = line_length(l);
	l->index++;
	l->number++;
	l->rest.p += n;
	l->rest.len -= n;
	if (p[n - 1] == '\n')
		n--;
	if (n && p[n - 1] == '\r')
		n--;
	l->line = (struct str){.p = p, .len = n};
	return true;
}

/* Takes the next line when it is a file and line. */
static bool next_file(struct goroutine_lines *l, bool bare, struct frame *f)
{
	struct str rest = l->rest, line = l->line;

	if (!next_line(l))
		return false;
	if (gdump_parse_file(l->line, bare, f))
		return true;
	l->rest = rest;
	l->line = line;
	l->number--;
	l->index--;
	return false;
}

static void take_frame(
	struct gdump *g, struct goroutine_lines *l, struct str func, const struct frame *where)
{
	struct frame *f;

	l->last = func;
	if (l->ancestor)
		return;
	f = gdump_add_frame(g, &l->group.flags);
	if (!f)
		return;
	f->func = func;
	f->file = where->file;
	f->line = where->line;
	f->runtime = false;
}

/* "created by main.zoo in goroutine 1" */
static void take_creator(struct goroutine_lines *l)
{
	struct str func = str_from(l->line, strlen("created by "));
	struct frame where = {.line = 0};
	static const struct str in = STR_LIT(" in goroutine ");
	uint64_t id = 0;
	size_t n = func.len;

	while (n && func.p[n - 1] >= '0' && func.p[n - 1] <= '9')
		n--;
	if (str_ends(str_sub(func, 0, n), in) && str_u64(str_from(func, n), &id))
		func.len = n - in.len;
	l->open = !next_file(l, true, &where);
	l->creator_last = !l->open;
	if (l->ancestor)
		return;
	where.func = func;
	l->group.created_by = func;
	l->group.creator = where;
	l->group.creator_id = id;
}

/* Lines that are no function and belong to a goroutine all the same. */
static bool take_remark(struct goroutine_lines *l)
{
	struct str line = l->line;

	if (str_starts(line, STR("..."))) {
		if (!str_ends(line, STR("frames elided...")))
			return false;
		if (!l->ancestor)
			l->group.flags |= GROUP_ELIDED;
		return true;
	}
	if (str_starts(line, STR("[originating from goroutine "))) {
		l->ancestor = true;
		return true;
	}
	if (str_find(line, STR("stack unavailable")) >= 0) {
		l->group.flags |= GROUP_NO_STACK;
		return true;
	}
	return str_starts(line, STR("non-Go function at pc=")) || gdump_is_crash_line(line);
}

/* Arguments hold no parentheses: the name is what stands before the last one. */
static bool take_function(struct gdump *g, struct goroutine_lines *l)
{
	struct str line = l->line;
	struct frame where;
	const char *open = NULL;

	if (line.p[0] == '\t' || line.p[0] == ' ')
		return false;
	if (line.p[line.len - 1] == ')')
		open = memrchr(line.p, '(', line.len);
	if (open == line.p)
		open = NULL;
	if (!next_file(l, open != NULL, &where)) {
		l->open = open != NULL;
		return false;
	}
	take_frame(g, l, open ? str_n(line.p, (size_t)(open - line.p)) : line, &where);
	return true;
}

/* Frames in their usual form, as long as there are any: two lines each, whose ends are known. */
static void take_plain_frames(struct gdump *g, struct goroutine_lines *l)
{
	const char *p = l->rest.p, *end = p + l->rest.len;

	while (!l->ancestor && l->index + 1 < g->nends) {
		const char *middle = l->start + g->ends[l->index];
		const char *stop = l->start + g->ends[l->index + 1];
		struct frame *f, read;

		if (!gdump_plain_frame(p, middle, stop, &read))
			break;
		f = gdump_add_frame(g, &l->group.flags);
		if (f)
			*f = read;
		l->last = read.func;
		l->open = l->creator_last = false;
		l->index += 2;
		l->number += 2;
		p = stop;
	}
	l->rest = str_n(p, (size_t)(end - p));
}

static void take_lines(struct gdump *g, struct goroutine_lines *l)
{
	for (take_plain_frames(g, l); next_line(l); take_plain_frames(g, l)) {
		uint32_t number = l->number;

		l->open = l->creator_last = false;
		l->last.len = 0;
		if (l->line.len == 0)
			continue;
		if (l->line.p[0] == 'c' && str_starts(l->line, STR("created by "))) {
			take_creator(l);
			continue;
		}
		if (take_function(g, l) || take_remark(l))
			continue;
		if (!(l->open && (g->at_end || g->overflow) && l->rest.len == 0))
			gdump_bad_line(g, number, "not a line of a stack", l->line);
	}
}

/* Eight neighbours share a cache line: ids are handed out in runs. */
static size_t id_slot(uint64_t id, uint64_t seed)
{
	uint64_t h = (id >> 3 ^ seed) * 0x9e3779b97f4a7c15;

	return (size_t)((h ^ h >> 32) << 3 | (id & 7));
}

/* Whether the id was there already. */
static bool find_or_add(uint64_t *ids, size_t cap, uint64_t id, uint64_t seed)
{
	for (size_t i = id_slot(id, seed) & (cap - 1);; i = (i + 1) & (cap - 1)) {
		if (ids[i] == id)
			return true;
		if (ids[i] == 0) {
			ids[i] = id;
			return false;
		}
	}
}

bool gdump_has_id(const struct gdump *g, uint64_t id)
{
	uint64_t seed = (uint64_t)(uintptr_t)g;

	if (id == 0 || g->nids == 0)
		return id == 0 && g->id_zero;
	for (size_t i = id_slot(id, seed) & (g->ids_cap - 1);; i = (i + 1) & (g->ids_cap - 1)) {
		if (g->ids[i] == id || g->ids[i] == 0)
			return g->ids[i] == id;
	}
}

/* Crash output prints a goroutine again for each thread; the first one counts. */
static bool is_duplicate(struct gdump *g, uint64_t id)
{
	uint64_t seed = (uint64_t)(uintptr_t)g; /* not known to who writes the dump */
	bool seen;

	if (id == 0) {
		seen = g->id_zero;
		g->id_zero = true;
		return seen;
	}
	if (2 * (g->nids + 1) > g->ids_cap) {
		size_t cap = MAX(g->ids_cap * 2, (size_t)256);
		uint64_t *ids = xcalloc(cap, sizeof(*ids));

		for (size_t i = 0; i < g->ids_cap; i++) {
			if (g->ids[i])
				find_or_add(ids, cap, g->ids[i], seed);
		}
		free(g->ids);
		g->ids = ids;
		g->ids_cap = cap;
	}
	seen = find_or_add(g->ids, g->ids_cap, id, seed);
	g->nids += !seen;
	return seen;
}

/*
 * The body ended in this goroutine and part of it is missing: a function without its file, a header
 * alone, or a last line without a newline that is not where a stack ends (an editor may have taken
 * the newline).
 */
static bool is_incomplete(const struct gdump *g, const struct goroutine_lines *l)
{
	if (!g->at_end)
		return false;
	if (l->open || l->number == g->record_line)
		return true;
	return g->unterminated && !l->creator_last && !str_is(l->last, "main.main") &&
	       !str_is(l->last, "runtime.main") && !str_is(l->last, "runtime.goexit");
}

void gdump_goroutine_record(struct gdump *g, struct str text)
{
	struct goroutine_lines l = {
		.g = g, .start = text.p, .rest = text, .number = g->record_line - 1};
	struct goroutine_header h = g->header;
	struct group *group = &l.group;

	next_line(&l);
	if (g->carried && !gdump_parse_header(l.line, &h))
		return; /* cannot be: it was one before it moved */
	g->nframes = g->nlabels = 0;
	buf_reset(&g->unquoted);
	group->flags = h.flags;
	if (h.labels.len && !gdump_labels(g, h.labels, STR(": ")))
		gdump_bad_line(g, l.number, "labels that cannot be read", h.labels);
	take_lines(g, &l);
	if (g->overflow)
		group->flags |= GROUP_ELIDED;
	if (is_incomplete(g, &l)) {
		group->flags |= GROUP_INCOMPLETE;
		g->stats.truncated = true;
	}
	if (is_duplicate(g, h.id)) {
		g->stats.duplicates++;
		return;
	}
	g->stats.parsed++;
	g->stats.records++;
	group->count = 1;
	group->id = h.id;
	group->state = h.state;
	group->minutes = h.minutes;
	group->frames = g->frames;
	group->nframes = g->nframes;
	group->labels = g->labels;
	group->nlabels = g->nlabels;
	group->record_line = g->record_line;
	if (gdump_may_wait_for_lock(h.state))
		group->lock = gdump_lock_of(text);
	if (g->sink.group)
		g->sink.group(g->sink.arg, group);
}
