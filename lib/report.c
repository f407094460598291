#include "report_internal.h"

#include "stack.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

const uint32_t report_waiting_minutes[WAITING] = {1, 10, 60, 1440};

/* ---- counting ---------------------------------------------------------------------------------
 */
struct counted *report_row(struct report *r, struct table *t, struct str key, bool *made)
{
	struct counted *row;

	*made = false;
	if (!t->map)
		t->map = map_new();
	row = map_get(t->map, key);
	if (row)
		return row;
	*made = true;
	if (r->arena.bytes + key.len > REPORT_BYTES_MAX) {
		r->bytes_dropped++;
		*made = false;
		key = STR("other");
		row = map_get(t->map, key);
		if (row)
			return row;
	}
	row = arena_calloc(&r->arena, 1, sizeof(*row));
	row->name = arena_str(&r->arena, key);
	map_put(t->map, key, row);
	return row;
}

static void count(struct report *r, struct table *t, struct str name, uint64_t n)
{
	bool made;

	if (name.len > 0)
		report_row(r, t, name, &made)->count += n;
}

/* The state without the marks that the runtime puts behind it. */
static struct str plain_state(struct str state)
{
	static const char *const marks[] = {" (leaked)", " (scan)", " (durable)", " (synctest)"};

	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		if (str_ends(state, str_of(marks[i])))
			return plain_state(str_sub(state, 0, state.len - strlen(marks[i])));
	}
	return state;
}

/* debug=2 tells the state; debug=1 as far as the wait is known. */
static struct str state_of(const struct group *g, const struct stack *s)
{
	if (g->state.len > 0)
		return plain_state(g->state);
	return s->wait == WAIT_UNKNOWN ? STR("") : str_of(wait_kind_name(s->wait));
}

static void count_state(
	struct report *r, struct table *t, struct str state, uint32_t minutes, uint64_t n)
{
	struct str key = str_of(arena_printf(&r->scratch, "%.*s\n%u", STR_ARG(state), minutes));
	struct counted *row;
	bool made;

	if (state.len == 0)
		return;
	row = report_row(r, t, key, &made);
	if (made) {
		row->name = str_sub(row->name, 0, state.len);
		row->minutes = minutes;
	}
	row->count += n;
}

void report_count_place(
	struct report *r, struct table *t, const struct frame *f, uint32_t minutes, uint64_t n)
{
	struct counted *row;
	bool made;

	if (f->func.len == 0)
		return;
	row = report_row(r, t,
		str_of(arena_printf(
			&r->scratch, "%.*s\n%.*s:%u", STR_ARG(f->func), STR_ARG(f->file), f->line)),
		&made);
	if (made) {
		row->file = str_sub(row->name, f->func.len + 1, f->func.len + 1 + f->file.len);
		row->name = str_sub(row->name, 0, f->func.len);
		row->line = f->line;
	}
	row->minutes = MAX(row->minutes, minutes);
	row->count += n;
}

/* A lock that is waited for a minute, or a wait that can never end. */
static bool is_stuck(const struct group *g, const struct stack *s)
{
	return g->minutes >= 1 && (s->wait == WAIT_MUTEX || (g->flags & GROUP_NIL_CHAN) != 0);
}

static void count_stuck(
	struct report *r, struct table *t, struct str state, uint32_t minutes, uint64_t n)
{
	bool made;
	struct counted *row = report_row(r, t, state, &made);

	row->count += n;
	row->minutes = MAX(row->minutes, minutes);
}

static void count_waiting(uint64_t *waiting, uint32_t minutes, uint64_t n)
{
	for (int i = 0; i < WAITING; i++)
		waiting[i] += minutes >= report_waiting_minutes[i] ? n : 0;
}

/* ---- classes ----------------------------------------------------------------------------------
 */
/* Classes that a label's values have split off the rule's. */
static size_t count_split(const struct report *r, const struct rule *rule)
{
	struct map_item item;
	void *at = NULL;
	size_t n = 0;

	while (map_next(r->classes, &at, &item)) {
		const struct report_class *c = item.value;

		n += c->rule == rule && !str_eq(c->name, rule->name);
	}
	return n;
}

/* As in tally: a report and the daemon give the same classes. */
static struct str split_name(
	struct report *r, const struct rule *rule, const struct stack *s, struct str name)
{
	struct str own = classifier_split(rule, s, &r->scratch, false), other;

	if (own.len == 0 || map_get(r->classes, own))
		return own.len ? own : name;
	other = classifier_split(rule, s, &r->scratch, true);
	if (map_get(r->classes, other) || count_split(r, rule) >= CLASSIFY_SPLIT_MAX)
		return other;
	return own;
}

static struct report_class *class_of(struct report *r, const struct stack *s)
{
	const struct rule *rule = NULL;
	struct str name = classifier_name(r->classifier, s, &r->scratch, &rule);
	struct report_class *c;

	name = split_name(r, rule, s, name);
	c = map_get(r->classes, name);
	if (c)
		return c;
	if (map_count(r->classes) >= REPORT_CLASSES_MAX ||
		r->arena.bytes + name.len > REPORT_BYTES_MAX) {
		name = STR("other");
		rule = NULL;
		c = map_get(r->classes, name);
		if (c)
			return c;
	}
	c = arena_calloc(&r->arena, 1, sizeof(*c));
	c->name = arena_str(&r->arena, name);
	c->rule = rule;
	c->entry = arena_str(&r->arena, stack_plain_name(&r->scratch, s->entry));
	map_put(r->classes, name, c);
	return c;
}

/* Over all that a rule or a name can depend on, as printed. */
static uint64_t hash_look(const struct report *r, const struct group *g, const struct stack *s)
{
	uint64_t h = (uint64_t)(uintptr_t)r; /* not known to who writes the dump */

	h = hash64(&s->wait, sizeof(s->wait), h + s->unstarted);
	for (size_t i = 0; i < g->nframes; i++) {
		const struct frame *f = &g->frames[i];

		h = hash64(f->func.p, f->func.len, h);
		h = hash64(f->file.p, f->file.len, h + f->line);
	}
	for (size_t i = 0; i < g->nlabels; i++) {
		h = hash64(g->labels[i].key.p, g->labels[i].key.len, h + 1);
		h = hash64(g->labels[i].value.p, g->labels[i].value.len, h);
	}
	return h;
}

/* Most goroutines of a dump look like one before: asking all rules again would be most of the work.
 */
static struct report_class *class_seen(
	struct report *r, const struct group *g, const struct stack *s)
{
	uint64_t h = hash_look(r, g, s);
	struct str key = str_n((const char *)&h, sizeof(h));
	struct report_class *c = map_get(r->seen, key);

	if (c)
		return c;
	c = class_of(r, s);
	if (map_count(r->seen) < REPORT_SEEN_MAX)
		map_put(r->seen, key, c);
	return c;
}

static void add_frame(struct buf *b, const struct frame *f)
{
	buf_addstr(b, f->func);
	if (f->file.len > 0)
		buf_addf(b, " %.*s:%u", STR_ARG(f->file), f->line);
	buf_addc(b, '\n');
}

static void vote(struct report *r, struct report_class *c, const struct stack *s, uint64_t n)
{
	struct buf text = BUF_INIT;

	if (c->candidate == s->fingerprint && c->example.p) {
		c->votes += n;
		return;
	}
	if (c->votes >= n && c->example.p) {
		c->votes -= n;
		return;
	}
	c->votes = n - c->votes;
	c->candidate = s->fingerprint;
	if (r->arena.bytes > REPORT_BYTES_MAX)
		return;
	for (size_t i = 0; i < MIN(s->nframes, REPORT_STACK_LINES); i++)
		add_frame(&text, &s->frames[i]);
	if (s->nframes > REPORT_STACK_LINES)
		buf_addf(&text, "... %zu more\n", s->nframes - REPORT_STACK_LINES);
	c->example = arena_str(&r->arena, buf_str(&text));
	buf_release(&text);
}

/* For --out: the text is the key, so equal stacks are one. */
static void keep_stack(struct report *r, struct report_class *c, const struct group *g,
	const struct stack *s, struct str state)
{
	struct buf text = BUF_INIT;
	bool made;

	if (state.len > 0)
		buf_addf(&text, "[%.*s]\n", STR_ARG(state));
	for (size_t i = 0; i < s->nframes; i++)
		add_frame(&text, &s->frames[i]);
	if (g->flags & GROUP_ELIDED)
		buf_adds(&text, "... frames left out by the runtime\n");
	if (s->created_by.len > 0)
		buf_addf(&text, "created by %.*s\n", STR_ARG(s->created_by));
	if (text.len == 0)
		buf_adds(&text, "no stack\n");
	report_row(r, &c->stacks, buf_str(&text), &made)->count += g->count;
	buf_release(&text);
}

static void group_cb(void *arg, const struct group *g)
{
	struct report *r = arg;
	struct report_class *c;
	struct str state;
	struct stack s;

	stack_from_group(&r->scratch, g, false, &s);
	if (s.wait == WAIT_UNKNOWN && r->symbols)
		s.wait = symbols_wait(r->symbols, g->hidden, g->nhidden);
	state = state_of(g, &s);
	c = class_seen(r, g, &s);
	c->count += g->count;
	c->oldest_minutes = MAX(c->oldest_minutes, g->minutes);
	vote(r, c, &s, g->count);
	count_waiting(r->waiting, g->minutes, g->count);
	count_waiting(c->waiting, g->minutes, g->count);
	count_state(r, &r->states, state, g->minutes, g->count);
	count(r, &c->states, state, g->count);
	count(r, &r->entries, s.entry, g->count);
	count(r, &c->entries, s.entry, g->count);
	count(r, &r->created_by, s.created_by, g->count);
	count(r, &c->created_by, s.created_by, g->count);
	report_count_place(r, &c->locations, &s.user, g->minutes, g->count);
	report_look(r, c, g, &s);
	if (is_stuck(g, &s)) {
		count_stuck(r, &r->stuck, state, g->minutes, g->count);
		count_stuck(r, &c->stuck, state, g->minutes, g->count);
	}
	if (r->keep_stacks)
		keep_stack(r, c, g, &s, state);
	arena_reset(&r->scratch);
}

/* ---- life cycle -------------------------------------------------------------------------------
 */
struct report *report_new(const struct classifier *c, bool stacks)
{
	struct report *r = xcalloc(1, sizeof(*r));

	r->classifier = c;
	r->keep_stacks = stacks;
	r->classes = map_new();
	r->seen = map_new();
	r->waiters = locks_new();
	locks_begin(r->waiters, 0);
	return r;
}

void report_symbols(struct report *r, const struct symbols *symbols)
{
	r->symbols = symbols;
}

struct gdump_sink report_sink(struct report *r)
{
	struct gdump_sink sink = {.group = group_cb, .arg = r};

	return sink;
}

static int compare_rows(const void *a, const void *b)
{
	const struct counted *x = *(struct counted *const *)a, *y = *(struct counted *const *)b;
	int by_name;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	by_name = str_cmp(x->name, y->name);
	if (by_name != 0)
		return by_name;
	by_name = str_cmp(x->file, y->file);
	if (by_name != 0)
		return by_name;
	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->minutes < y->minutes ? 1 : x->minutes > y->minutes ? -1 : 0;
}

static void sort_table(struct report *r, struct table *t)
{
	struct map_item item;
	void *at = NULL;

	if (!t->map)
		return;
	t->sorted = arena_calloc(&r->arena, map_count(t->map), sizeof(struct counted *));
	while (map_next(t->map, &at, &item))
		t->sorted[t->n++] = item.value;
	qsort(t->sorted, t->n, sizeof(struct counted *), compare_rows);
	map_free(t->map, NULL);
	t->map = NULL;
}

static int compare_classes(const void *a, const void *b)
{
	const struct report_class *x = *(struct report_class *const *)a;
	const struct report_class *y = *(struct report_class *const *)b;

	if (x->count != y->count)
		return x->count < y->count ? 1 : -1;
	return str_cmp(x->name, y->name);
}

void report_end(struct report *r, const struct gdump_stats *stats)
{
	struct map_item item;
	void *at = NULL;

	r->stats = *stats;
	sort_table(r, &r->states);
	sort_table(r, &r->entries);
	sort_table(r, &r->created_by);
	sort_table(r, &r->stuck);
	sort_table(r, &r->locks);
	for (int i = 0; i < CALLER_DOINGS; i++)
		sort_table(r, &r->callers[i]);
	r->sorted =
		arena_calloc(&r->arena, map_count(r->classes) + 1, sizeof(struct report_class *));
	while (map_next(r->classes, &at, &item)) {
		struct report_class *c = item.value;

		sort_table(r, &c->states);
		sort_table(r, &c->entries);
		sort_table(r, &c->created_by);
		sort_table(r, &c->locations);
		sort_table(r, &c->own);
		sort_table(r, &c->origins);
		sort_table(r, &c->stuck);
		sort_table(r, &c->stacks);
		r->sorted[r->nclasses++] = c;
	}
	qsort(r->sorted, r->nclasses, sizeof(struct report_class *), compare_classes);
	report_judge(r);
}

static void free_maps(struct report_class *c)
{
	struct table *tables[] = {&c->states, &c->entries, &c->created_by, &c->locations, &c->own,
		&c->origins, &c->stuck, &c->stacks};

	for (size_t i = 0; i < ARRAY_LEN(tables); i++)
		map_free(tables[i]->map, NULL);
	report_judge_release(c);
}

void report_free(struct report *r)
{
	struct map_item item;
	void *at = NULL;

	if (!r)
		return;
	while (map_next(r->classes, &at, &item))
		free_maps(item.value);
	map_free(r->classes, NULL);
	map_free(r->seen, NULL);
	locks_free(r->waiters);
	map_free(r->states.map, NULL);
	map_free(r->entries.map, NULL);
	map_free(r->created_by.map, NULL);
	map_free(r->stuck.map, NULL);
	map_free(r->locks.map, NULL);
	for (int i = 0; i < CALLER_DOINGS; i++)
		map_free(r->callers[i].map, NULL);
	arena_release(&r->scratch);
	arena_release(&r->arena);
	free(r);
}

/* As announced, else parsed and lost. */
uint64_t report_total(const struct report *r)
{
	return r->stats.announced > 0 ? r->stats.announced : r->stats.parsed + r->stats.lost;
}

size_t report_class_count(const struct report *r)
{
	return r->nclasses;
}

uint64_t report_class_at(const struct report *r, size_t index, struct str *name)
{
	*name = r->sorted[index]->name;
	return r->sorted[index]->count;
}

void report_stacks(const struct report *r,
	void (*each)(void *arg, size_t index, struct str class_name, struct str text), void *arg)
{
	for (size_t i = 0; i < r->nclasses; i++) {
		const struct report_class *c = r->sorted[i];
		struct buf text = BUF_INIT;

		for (size_t k = 0; k < c->stacks.n; k++) {
			const struct counted *row = c->stacks.sorted[k];

			buf_addf(&text, "%s%llu goroutine%s\n", k ? "\n" : "",
				(unsigned long long)row->count, row->count == 1 ? "" : "s");
			buf_addstr(&text, row->name);
		}
		each(arg, i, c->name, buf_str(&text));
		buf_release(&text);
	}
}
