#include "overtime.h"

#include "arena.h"
#include "map.h"
#include "safe.h"
#include "table.h"
#include "xalloc.h"

#include <stdlib.h>

struct followed {
	struct str name;
	uint64_t least, most, last;
	size_t index; /* order of appearance */
	size_t rows; /* in how many dumps */
};

struct cell {
	uint32_t followed;
	uint64_t count;
};

struct row {
	char *name;
	uint64_t total;
	struct cell *cells;
	size_t n;
};

struct overtime {
	struct arena arena;
	struct map *classes; /* name -> struct followed, in the arena */
	struct row *rows;
	size_t nrows, dropped;
};

struct overtime *overtime_new(void)
{
	struct overtime *o = xcalloc(1, sizeof(*o));

	o->classes = map_new();
	return o;
}

void overtime_free(struct overtime *o)
{
	if (!o)
		return;
	map_free(o->classes, NULL);
	arena_release(&o->arena);
	free(o->rows);
	free(o);
}

static struct followed *follow(struct overtime *o, struct str name)
{
	struct followed *f = map_get(o->classes, name);

	if (f || map_count(o->classes) >= OVERTIME_CLASSES)
		return f;
	f = arena_calloc(&o->arena, 1, sizeof(*f));
	f->name = arena_str(&o->arena, name);
	f->index = map_count(o->classes);
	f->least = UINT64_MAX;
	map_put(o->classes, name, f);
	return f;
}

void overtime_add(struct overtime *o, const char *name, const struct report *r)
{
	struct row *row;

	if (o->nrows == OVERTIME_ROWS) {
		o->dropped++;
		return;
	}
	o->rows = xrealloc(o->rows, o->nrows + 1, sizeof(*o->rows));
	row = &o->rows[o->nrows++];
	row->name = arena_strdup(&o->arena, name);
	row->total = report_total(r);
	row->n = 0;
	row->cells = arena_calloc(&o->arena, report_class_count(r) + 1, sizeof(*row->cells));
	for (size_t i = 0; i < report_class_count(r); i++) {
		struct str class;
		uint64_t count = report_class_at(r, i, &class);
		struct followed *f = follow(o, class);

		if (!f)
			continue;
		f->least = MIN(f->least, count);
		f->most = MAX(f->most, count);
		f->rows++;
		row->cells[row->n++] =
			(struct cell){.followed = (uint32_t)f->index, .count = count};
	}
}

static int by_change(const void *a, const void *b)
{
	const struct followed *x = *(struct followed *const *)a, *y = *(struct followed *const *)b;
	uint64_t p = x->most - x->least, q = y->most - y->least;

	if (p != q)
		return p < q ? 1 : -1;
	if (x->most != y->most)
		return x->most < y->most ? 1 : -1;
	return x->index < y->index ? -1 : x->index > y->index;
}

/* The classes that changed most, in *n columns. */
static struct followed **choose(const struct overtime *o, size_t *n)
{
	struct followed **all = xcalloc(map_count(o->classes) + 1, sizeof(struct followed *));
	struct map_item item;
	void *at = NULL;
	size_t count = 0;

	while (map_next(o->classes, &at, &item)) {
		struct followed *f = item.value;

		if (f->rows < o->nrows)
			f->least = 0; /* there are dumps without it */
		all[count++] = f;
	}
	qsort(all, count, sizeof(struct followed *), by_change);
	*n = MIN(count, (size_t)OVERTIME_COLUMNS);
	return all;
}

static uint64_t count_of(const struct row *row, const struct followed *f)
{
	for (size_t i = 0; i < row->n; i++) {
		if (row->cells[i].followed == f->index)
			return row->cells[i].count;
	}
	return 0;
}

static void write_text(const struct overtime *o, struct followed **shown, size_t n, size_t columns,
	struct buf *out)
{
	static const char *const letters[OVERTIME_COLUMNS] = {"A", "B", "C", "D", "E"};
	struct table_column heads[OVERTIME_COLUMNS + 2] = {
		{.title = "SOURCE", .shrink = true}, {.title = "TOTAL", .right = true}};
	struct table t;

	for (size_t i = 0; i < n; i++)
		heads[i + 2] = (struct table_column){.title = letters[i], .right = true};
	table_init(&t, heads, n + 2);
	for (size_t i = 0; i < o->nrows; i++) {
		table_add(&t, str_of(o->rows[i].name));
		table_addf(&t, "%llu", (unsigned long long)o->rows[i].total);
		for (size_t k = 0; k < n; k++)
			table_addf(&t, "%llu", (unsigned long long)count_of(&o->rows[i], shown[k]));
	}
	table_write(&t, columns, out);
	table_release(&t);
	for (size_t i = 0; i < n; i++) {
		buf_addf(out, "%s%s ", i ? "" : "\n", letters[i]);
		safe_add(out, shown[i]->name);
		buf_addc(out, '\n');
	}
}

static void add_cell(struct buf *out, struct str s)
{
	struct buf safe = BUF_INIT;

	safe_add(&safe, s);
	buf_adds(out, "`");
	for (size_t i = 0; i < safe.len; i++) {
		if (safe.p[i] == '|')
			buf_adds(out, "\\|");
		else
			buf_addc(out, safe.p[i] == '`' ? '\'' : safe.p[i]);
	}
	buf_adds(out, "` |");
	buf_release(&safe);
}

static void write_markdown(
	const struct overtime *o, struct followed **shown, size_t n, struct buf *out)
{
	buf_adds(out, "| source | total |");
	for (size_t i = 0; i < n; i++) {
		buf_addc(out, ' ');
		add_cell(out, shown[i]->name);
	}
	buf_adds(out, "\n|---|---:|");
	for (size_t i = 0; i < n; i++)
		buf_adds(out, "---:|");
	buf_addc(out, '\n');
	for (size_t i = 0; i < o->nrows; i++) {
		buf_adds(out, "| ");
		add_cell(out, str_of(o->rows[i].name));
		buf_addf(out, " %llu |", (unsigned long long)o->rows[i].total);
		for (size_t k = 0; k < n; k++)
			buf_addf(out, " %llu |",
				(unsigned long long)count_of(&o->rows[i], shown[k]));
		buf_addc(out, '\n');
	}
}

void overtime_write(const struct overtime *o, bool markdown, size_t columns, struct buf *out)
{
	size_t n;
	struct followed **shown;

	if (o->nrows == 0)
		return;
	shown = choose(o, &n);
	if (markdown)
		write_markdown(o, shown, n, out);
	else
		write_text(o, shown, n, columns, out);
	if (o->dropped)
		buf_addf(out, "\n%zu more rows are left out\n", o->dropped);
	free(shown);
}
