/* The report as Markdown: one table, and the stack of each class that is shown. */
#include "report_internal.h"

#include "safe.h"

/* A name in a cell: between backquotes, with what would end the cell or the quote taken care of. */
static void add_code(struct buf *out, struct str name)
{
	struct buf safe = BUF_INIT;

	safe_add(&safe, name);
	buf_addc(out, '`');
	for (size_t i = 0; i < safe.len; i++) {
		if (safe.p[i] == '|')
			buf_adds(out, "\\|");
		else
			buf_addc(out, safe.p[i] == '`' ? '\'' : safe.p[i]);
	}
	buf_addc(out, '`');
	buf_release(&safe);
}

static void add_row(const struct report *r, const struct report_class *c, struct buf *out)
{
	const struct counted *place = c->locations.n ? c->locations.sorted[0] : NULL;
	const struct counted *state = c->states.n ? c->states.sorted[0] : NULL;
	double share = r->stats.parsed ? 100.0 * (double)c->count / (double)r->stats.parsed : 0;

	buf_addf(out, "| %llu | %.1f %% | ", (unsigned long long)c->count, share);
	if (c->oldest_minutes > 0)
		report_add_age(out, c->oldest_minutes);
	buf_adds(out, " | ");
	add_code(out, c->name);
	buf_adds(out, " | ");
	if (state)
		safe_add(out, state->name);
	buf_adds(out, " | ");
	if (place && place->file.len) {
		struct buf at = BUF_INIT;

		buf_addf(&at, "%.*s:%u", STR_ARG(place->file), place->line);
		add_code(out, buf_str(&at));
		buf_release(&at);
	}
	buf_adds(out, " |\n");
}

/* In an indented block nothing in a name can end it. */
static void add_stack(const struct report_class *c, struct buf *out)
{
	struct str rest = c->example, line;

	buf_adds(out, "\n");
	add_code(out, c->name);
	buf_adds(out, "\n\n");
	while (str_line(&rest, &line)) {
		buf_adds(out, "    ");
		safe_add(out, line);
		buf_addc(out, '\n');
	}
}

void report_markdown(const struct report *r, const struct report_view *view, struct buf *out)
{
	size_t shown = MIN(r->nclasses, view->classes);
	struct str note = view->note, line;
	uint64_t rest = 0;

	buf_adds(out, "### ");
	add_code(out, view->name);
	buf_addf(out, "\n\n%llu goroutines in %zu classes (%s)\n",
		(unsigned long long)report_total(r), r->nclasses,
		gdump_format_name(r->stats.format));
	while (str_line(&note, &line))
		buf_addf(out, "- %.*s\n", STR_ARG(line));
	report_add_losses(r, "- ", out);
	if (r->nclasses == 0)
		return;
	buf_adds(out, "\n| count | share | oldest | class | state | at |\n"
		      "|---:|---:|---:|---|---|---|\n");
	for (size_t i = 0; i < shown; i++)
		add_row(r, r->sorted[i], out);
	for (size_t i = shown; i < r->nclasses; i++)
		rest += r->sorted[i]->count;
	if (rest > 0)
		buf_addf(out, "| %llu | | | in %zu more classes | | |\n", (unsigned long long)rest,
			r->nclasses - shown);
	for (size_t i = 0; i < shown && !view->brief; i++)
		add_stack(r->sorted[i], out);
}
