#include "compare_internal.h"

#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct compare *compare_new(const struct classifier *c)
{
	struct compare *x = xcalloc(1, sizeof(*x));

	x->classifier = c;
	x->classes = map_new();
	x->stacks = map_new();
	for (int i = 0; i < COMPARE_SIDES; i++) {
		x->sides[i].c = x;
		x->sides[i].which = (enum compare_side)i;
	}
	return x;
}

void compare_free(struct compare *c)
{
	if (!c)
		return;
	map_free(c->classes, NULL);
	map_free(c->stacks, NULL);
	arena_release(&c->arena);
	arena_release(&c->scratch);
	free(c->sides[COMPARE_OLD].ids);
	free(c->sides[COMPARE_NEW].ids);
	free(c->by_class);
	free(c->by_stack);
	free(c);
}

/* ---- reading ----------------------------------------------------------------------------------
 */
static struct item *class_of(struct compare *c, struct str name)
{
	struct item *item = map_get(c->classes, name);

	if (!item) {
		item = arena_calloc(&c->arena, 1, sizeof(*item));
		item->name = arena_str(&c->arena, name);
		map_put(c->classes, name, item);
	}
	return item;
}

static struct str text_of(struct compare *c, const struct stack *s)
{
	struct buf b = BUF_INIT;
	struct str text;

	for (size_t i = 0; i < s->nframes; i++) {
		buf_addstr(&b, s->frames[i].func);
		if (s->frames[i].file.len)
			buf_addf(&b, " %.*s:%u", STR_ARG(s->frames[i].file), s->frames[i].line);
		buf_addc(&b, '\n');
	}
	text = arena_str(&c->arena, buf_str(&b));
	buf_release(&b);
	return text;
}

/* Stacks are told apart by class and fingerprint: lines within a function may move. */
static struct item *stack_of(struct compare *c, const struct item *class, const struct stack *s)
{
	struct str key = str_of(
		arena_printf(&c->scratch, "%.*s\n%" PRIx64, STR_ARG(class->name), s->fingerprint));
	struct item *item = map_get(c->stacks, key);

	if (item || map_count(c->stacks) >= COMPARE_STACKS)
		return item;
	item = arena_calloc(&c->arena, 1, sizeof(*item));
	item->name = class->name;
	item->text = text_of(c, s);
	map_put(c->stacks, key, item);
	return item;
}

static void keep_id(struct side *side, const struct group *g, const struct stack *s,
	struct item *class, struct item *item)
{
	uint64_t origin = hash64(s->entry.p, s->entry.len, 0);

	if (g->id == 0 || side->nids == COMPARE_IDS)
		return;
	if (side->nids == side->cap) {
		side->cap = MAX(side->cap * 2, (size_t)1024);
		side->ids = xrealloc(side->ids, side->cap, sizeof(*side->ids));
	}
	side->ids[side->nids++] = (struct seen){.id = g->id,
		.stack = s->fingerprint,
		.origin = hash64(s->created_by.p, s->created_by.len, origin),
		.minutes = g->minutes,
		.class = class,
		.item = item};
}

static void group_cb(void *arg, const struct group *g)
{
	struct side *side = arg;
	struct compare *c = side->c;
	const struct rule *rule = NULL;
	struct item *class, *item;
	struct str name, split;
	struct stack s;

	arena_reset(&c->scratch);
	stack_from_group(&c->scratch, g, false, &s);
	if (s.wait == WAIT_UNKNOWN && side->symbols)
		s.wait = symbols_wait(side->symbols, g->hidden, g->nhidden);
	name = classifier_name(c->classifier, &s, &c->scratch, &rule);
	split = classifier_split(
		rule, &s, &c->scratch, false); /* of two dumps all values are shown */
	class = class_of(c, split.len ? split : name);
	class->count[side->which] += g->count;
	class->waited += side->which == COMPARE_OLD && g->minutes >= COMPARE_WAITED_MIN;
	item = stack_of(c, class, &s);
	if (item)
		item->count[side->which] += g->count;
	if (!(g->flags & (GROUP_INCOMPLETE | GROUP_NO_STACK)))
		keep_id(side, g, &s, class, item);
}

struct gdump_sink compare_sink(
	struct compare *c, enum compare_side side, const struct symbols *symbols)
{
	c->sides[side].symbols = symbols;
	return (struct gdump_sink){.group = group_cb, .arg = &c->sides[side]};
}

static void forget(struct map *items, enum compare_side side)
{
	struct map_item m;
	void *at = NULL;

	while (map_next(items, &at, &m)) {
		struct item *item = m.value;

		item->count[side] = 0;
		if (side == COMPARE_OLD)
			item->waited = 0;
	}
}

void compare_restart(struct compare *c, enum compare_side side)
{
	forget(c->classes, side);
	forget(c->stacks, side);
	c->sides[side].nids = 0;
}

/* ---- goroutines that are in both --------------------------------------------------------------
 */
static int by_id(const void *a, const void *b)
{
	const struct seen *x = a, *y = b;

	return x->id < y->id ? -1 : x->id > y->id;
}

/* Walks the ids that are in both; counts them when `count`, else says whether all agree. */
static bool walk_common(struct compare *c, bool count, uint64_t *common)
{
	const struct side *old = &c->sides[COMPARE_OLD], *new_side = &c->sides[COMPARE_NEW];
	size_t i = 0, k = 0;
	bool agree = true;

	*common = 0;
	while (i < old->nids && k < new_side->nids) {
		const struct seen *a = &old->ids[i], *b = &new_side->ids[k];

		if (a->id != b->id) {
			*(a->id < b->id ? &i : &k) += 1;
			continue;
		}
		++*common;
		agree = agree && a->origin == b->origin;
		if (count) {
			c->same_stack += a->stack == b->stack;
			b->class->stayed++;
			compare_note_wait(c, a, b);
			if (b->item && a->item == b->item)
				b->item->stayed++;
		}
		i++;
		k++;
	}
	return agree;
}

static void find_stayed(struct compare *c)
{
	struct side *old = &c->sides[COMPARE_OLD], *new_side = &c->sides[COMPARE_NEW];
	uint64_t common;

	if (old->nids == 0 || new_side->nids == 0)
		return;
	qsort(old->ids, old->nids, sizeof(*old->ids), by_id);
	qsort(new_side->ids, new_side->nids, sizeof(*new_side->ids), by_id);
	c->one_process = walk_common(c, false, &common) && common > 0;
	if (c->one_process)
		walk_common(c, true, &c->stayed);
}

/* ---- in order ---------------------------------------------------------------------------------
 */
static int64_t change_of(const struct item *item)
{
	return (int64_t)item->count[COMPARE_NEW] - (int64_t)item->count[COMPARE_OLD];
}

static int by_change(const void *a, const void *b)
{
	const struct item *x = *(struct item *const *)a, *y = *(struct item *const *)b;
	int64_t p = llabs(change_of(x)), q = llabs(change_of(y));
	int by_name;

	if (p != q)
		return p < q ? 1 : -1;
	if (x->count[COMPARE_NEW] != y->count[COMPARE_NEW])
		return x->count[COMPARE_NEW] < y->count[COMPARE_NEW] ? 1 : -1;
	by_name = str_cmp(x->name, y->name);
	return by_name ? by_name : str_cmp(x->text, y->text);
}

static struct item **in_order(const struct map *items, size_t *n)
{
	struct item **list = xcalloc(map_count(items) + 1, sizeof(struct item *));
	struct map_item m;
	void *at = NULL;

	*n = 0;
	while (map_next(items, &at, &m)) {
		struct item *item = m.value;

		if (item->count[COMPARE_OLD] || item->count[COMPARE_NEW])
			list[(*n)++] = item;
	}
	qsort(list, *n, sizeof(struct item *), by_change);
	return list;
}

void compare_end(
	struct compare *c, const struct gdump_stats *old, const struct gdump_stats *new_stats)
{
	c->sides[COMPARE_OLD].stats = *old;
	c->sides[COMPARE_NEW].stats = *new_stats;
	find_stayed(c);
	compare_end_gap(c);
	c->by_class = in_order(c->classes, &c->nclasses);
	c->by_stack = in_order(c->stacks, &c->nstacks);
}

static const char *what_of(const struct item *item)
{
	if (item->count[COMPARE_OLD] == 0)
		return "new";
	if (item->count[COMPARE_NEW] == 0)
		return "gone";
	return change_of(item) > 0 ? "more" : change_of(item) < 0 ? "fewer" : "same";
}

/* ---- text -------------------------------------------------------------------------------------
 */
static void add_item(const struct compare *c, const struct item *item, bool stack, struct buf *out)
{
	struct str rest = item->text, line;

	buf_addf(out, "%+9" PRId64 " %9" PRIu64 " %9" PRIu64 "  ", change_of(item),
		item->count[COMPARE_OLD], item->count[COMPARE_NEW]);
	if (c->one_process)
		buf_addf(out, "%9" PRIu64 "  ", item->stayed);
	buf_addf(out, "%-5s  ", what_of(item));
	safe_add(out, item->name);
	buf_addc(out, '\n');
	for (int i = 0; stack && i < 3 && str_line(&rest, &line); i++) {
		buf_addf(out, "%*s", c->one_process ? 50 : 39, "");
		safe_add(out, line);
		buf_addc(out, '\n');
	}
}

static void add_items(const struct compare *c, struct item **items, size_t n, size_t rows,
	bool stacks, struct buf *out)
{
	size_t shown = 0, changed = 0;

	for (size_t i = 0; i < n; i++)
		changed += change_of(items[i]) != 0;
	if (changed == 0)
		return;
	buf_addf(out, "\n%9s %9s %9s  ", "CHANGE", "OLD", "NEW");
	if (c->one_process)
		buf_addf(out, "%9s  ", "STAYED");
	buf_addf(out, "%-5s  %s\n", "", stacks ? "STACK" : "CLASS");
	for (; shown < MIN(changed, rows); shown++)
		add_item(c, items[shown], stacks, out);
	if (changed > shown)
		buf_addf(out, "%zu more (--format json has all)\n", changed - shown);
}

static uint64_t total_of(const struct side *s)
{
	return s->stats.announced ? s->stats.announced : s->stats.parsed + s->stats.lost;
}

static void add_loss(const struct side *s, const char *which, struct buf *out)
{
	if (s->stats.lost || s->stats.truncated)
		buf_addf(out, "  of the %s one %" PRIu64 " could not be read%s\n", which,
			s->stats.lost, s->stats.truncated ? "; it is cut off" : "");
}

void compare_text(
	const struct compare *c, struct str old, struct str new_name, size_t rows, struct buf *out)
{
	const struct side *a = &c->sides[COMPARE_OLD], *b = &c->sides[COMPARE_NEW];

	safe_add(out, old);
	buf_addf(out, ": %" PRIu64 " goroutines (%s)\n", total_of(a),
		gdump_format_name(a->stats.format));
	safe_add(out, new_name);
	buf_addf(out, ": %" PRIu64 " goroutines (%s), %+" PRId64 "\n", total_of(b),
		gdump_format_name(b->stats.format), (int64_t)(total_of(b) - total_of(a)));
	add_loss(a, "old", out);
	add_loss(b, "new", out);
	if (c->one_process)
		buf_addf(out,
			"  one process: %" PRIu64 " goroutines are in both, %" PRIu64
			" of them in the same stack; %" PRIu64 " are gone, %" PRIu64 " new\n",
			c->stayed, c->same_stack, a->stats.parsed - c->stayed,
			b->stats.parsed - c->stayed);
	add_items(c, c->by_class, c->nclasses, rows, false, out);
	add_items(c, c->by_stack, c->nstacks, rows, true, out);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */
static void set_count(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

static json_t *side_json(const struct side *s, struct str source)
{
	json_t *o = json_object();

	json_object_set_new(o, "source", json_str(source));
	json_object_set_new(o, "format", json_string(gdump_format_name(s->stats.format)));
	set_count(o, "total", total_of(s));
	set_count(o, "parsed", s->stats.parsed);
	set_count(o, "lost", s->stats.lost);
	json_object_set_new(o, "truncated", json_boolean(s->stats.truncated));
	return o;
}

static json_t *items_json(const struct compare *c, struct item **items, size_t n, bool stacks)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		const struct item *item = items[i];
		json_t *o = json_object(), *lines = json_array();
		struct str rest = item->text, line;

		json_object_set_new(o, "class", json_str(item->name));
		json_object_set_new(o, "what", json_string(what_of(item)));
		set_count(o, "old", item->count[COMPARE_OLD]);
		set_count(o, "new", item->count[COMPARE_NEW]);
		json_object_set_new(o, "change", json_integer((json_int_t)change_of(item)));
		json_object_set_new(o, "stayed",
			c->one_process ? json_integer((json_int_t)item->stayed) : json_null());
		while (str_line(&rest, &line))
			json_array_append_new(lines, json_str(line));
		if (stacks)
			json_object_set(o, "stack", lines);
		json_decref(lines);
		json_array_append_new(list, o);
	}
	return list;
}

json_t *compare_json(const struct compare *c, struct str old, struct str new_name)
{
	const struct side *a = &c->sides[COMPARE_OLD], *b = &c->sides[COMPARE_NEW];
	json_t *o = json_object();

	json_object_set_new(o, "old", side_json(a, old));
	json_object_set_new(o, "new", side_json(b, new_name));
	json_object_set_new(
		o, "change", json_integer((json_int_t)total_of(b) - (json_int_t)total_of(a)));
	json_object_set_new(o, "one_process", json_boolean(c->one_process));
	json_object_set_new(
		o, "stayed", c->one_process ? json_integer((json_int_t)c->stayed) : json_null());
	json_object_set_new(o, "same_stack",
		c->one_process ? json_integer((json_int_t)c->same_stack) : json_null());
	json_object_set_new(o, "classes", items_json(c, c->by_class, c->nclasses, false));
	json_object_set_new(o, "stacks", items_json(c, c->by_stack, c->nstacks, true));
	return o;
}
