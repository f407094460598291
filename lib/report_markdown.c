/*
 * The report as Markdown, as an engineer writes it up: what matters most first, then the numbers it
 * rests on, then where to look and what to do.
 *
 * All names come from outside and stand in code quotes; sections without anything to say are left
 * out.
 */
#include "report_story.h"

#include "safe.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DETAILS	    8 /* classes that are told one by one */
#define ROWS	    10 /* of a table that has no other limit */
#define PLACES	    8
#define LOCK_CONVOY 3 /* waiters for one lock that are worth a step of their own */

/* ---- pieces -----------------------------------------------------------------------------------
 */
/* A name: between backquotes, with what would end the quote or a cell taken care of. */
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

/* Text of our own or of a rule, which is its author's: only what could begin HTML is taken out. */
static void add_text(struct buf *out, struct str text)
{
	struct buf safe = BUF_INIT;

	safe_add(&safe, text);
	for (size_t i = 0; i < safe.len; i++) {
		if (safe.p[i] == '<')
			buf_adds(out, "&lt;");
		else if (safe.p[i] == '*' || safe.p[i] == '_' || safe.p[i] == '|')
			buf_addf(out, "\\%c", safe.p[i]);
		else
			buf_addc(out, safe.p[i]);
	}
	buf_release(&safe);
}

/* Of a hint's part, which begins in lower case. */
static void add_sentence(struct buf *out, struct str text)
{
	size_t start = out->len;

	add_text(out, text);
	if (out->len > start && out->p[start] >= 'a' && out->p[start] <= 'z')
		out->p[start] = (char)(out->p[start] - 32);
}

static void add_place(struct buf *out, const struct counted *row)
{
	add_code(out, row->name);
	if (row->file.len > 0) {
		struct buf at = BUF_INIT;

		buf_addf(&at, "%.*s:%u", STR_ARG(row->file), row->line);
		buf_adds(out, " in ");
		add_code(out, buf_str(&at));
		buf_release(&at);
	}
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void add_age_cell(struct buf *out, uint32_t minutes)
{
	if (minutes > 0)
		report_add_age(out, minutes);
}

/* ---- summary ----------------------------------------------------------------------------------
 */
static void add_key_finding(const struct report *r, const struct report_story *s, struct buf *out)
{
	const struct report_class *c = s->class;

	add_code(out, c->name);
	buf_addf(out, ": **%" PRIu64 " of %" PRIu64 " goroutines (%.0f %%)**", c->count,
		r->stats.parsed, percent(c->count, r->stats.parsed));
	if (c->waiting[OVER_1M] > 0) {
		buf_addf(out, ", %" PRIu64 " of them waiting for a minute or more, the oldest for ",
			c->waiting[OVER_1M]);
		report_add_age(out, c->oldest_minutes);
	}
	buf_adds(out, ". ");
	report_story_words(r, s, out);
	buf_addc(out, '\n');
}

static void add_waiting_line(const struct report *r, struct buf *out)
{
	static const char *const words[WAITING] = {
		"a minute or more", "10 minutes", "an hour", "a day"};

	if (r->waiting[OVER_1M] == 0)
		return;
	buf_adds(out, "- waiting for");
	for (int i = 0; i < WAITING && r->waiting[i] > 0; i++)
		buf_addf(out, "%s %s: %" PRIu64, i ? "," : "", words[i], r->waiting[i]);
	buf_addc(out, '\n');
}

static void add_wait_finding(
	const struct report *r, const struct report_finding *f, struct buf *out)
{
	struct buf words = BUF_INIT;

	report_finding_words(r, f, &words);
	buf_addf(out, "- **%s**: ", report_finding_name(f));
	add_code(out, f->class->name);
	buf_adds(out, ": ");
	add_text(out, buf_str(&words));
	buf_addc(out, '\n');
	buf_release(&words);
}

static void add_summary(const struct report *r, const struct report_story *s,
	const struct report_view *view, struct buf *out)
{
	struct str note = view->note, line;

	buf_adds(out, r->stats.format == GDUMP_COUNT ? "## Profile of " : "## Goroutines of ");
	add_code(out, view->name);
	buf_adds(out, "\n\n");
	if (s->class)
		add_key_finding(r, s, out);
	buf_adds(out, "\n- ");
	report_add_count(r, out);
	buf_addc(out, '\n');
	add_waiting_line(r, out);
	for (size_t i = 0; i < r->stuck.n; i++) {
		buf_addf(out, "- stuck: %" PRIu64 " in ", r->stuck.sorted[i]->count);
		add_code(out, r->stuck.sorted[i]->name);
		buf_adds(out, ", the oldest for ");
		report_add_age(out, r->stuck.sorted[i]->minutes);
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < r->nfindings; i++)
		add_wait_finding(r, &r->findings[i], out);
	if (r->baseline) {
		buf_adds(out, "- against ");
		add_code(out, r->baseline_name);
		buf_adds(out, ": ");
		report_add_baseline(r, out);
		buf_addc(out, '\n');
	}
	while (str_line(&note, &line)) {
		buf_adds(out, "- ");
		add_text(out, line);
		buf_addc(out, '\n');
	}
	report_add_losses(r, "- ", out);
}

/* ---- tables -----------------------------------------------------------------------------------
 */
static void add_class_row(const struct report *r, const struct report_class *c, struct buf *out)
{
	buf_addf(out, "| %" PRIu64 " | %.1f %% | ", c->count, percent(c->count, r->stats.parsed));
	if (report_has_ages(r)) {
		buf_addf(out, "%" PRIu64 " | ", c->waiting[OVER_1M]);
		add_age_cell(out, c->oldest_minutes);
		buf_adds(out, " | ");
	}
	if (r->baseline)
		buf_addf(out, "%+" PRId64 " | ", (int64_t)(c->change.now - c->change.old));
	add_code(out, c->name);
	buf_adds(out, c->rule && c->rule->ignore ? " (ignored) | " : " | ");
	if (c->states.n)
		add_code(out, c->states.sorted[0]->name);
	buf_adds(out, " |\n");
}

static void add_classes(const struct report *r, const struct report_view *view, struct buf *out)
{
	size_t shown = MIN(r->nclasses, view->classes);
	bool ages = report_has_ages(r);
	uint64_t rest = 0;

	buf_addf(out,
		"\n### By class\n\n| count | share | %s%sclass | mostly "
		"|\n|---:|---:|%s%s---|---|\n",
		ages ? "≥ 1 min | oldest | " : "", r->baseline ? "change | " : "",
		ages ? "---:|---:|" : "", r->baseline ? "---:|" : "");
	for (size_t i = 0; i < shown; i++)
		add_class_row(r, r->sorted[i], out);
	for (size_t i = shown; i < r->nclasses; i++)
		rest += r->sorted[i]->count;
	if (rest > 0)
		buf_addf(out, "\n%" PRIu64 " more in %zu class%s.\n", rest, r->nclasses - shown,
			r->nclasses - shown == 1 ? "" : "es");
}

/* Rows of one state differ in their minutes; they are put together here. */
static void add_states(const struct report *r, struct buf *out)
{
	if (r->states.n == 0)
		return;
	buf_adds(out, "\n### By state\n\n| count | share | ≥ 1 min | oldest | state |\n"
		      "|---:|---:|---:|---:|---|\n");
	for (size_t i = 0, shown = 0; i < r->states.n && shown < ROWS; i++) {
		const struct counted *first = r->states.sorted[i];
		uint64_t count = 0, waiting = 0;
		uint32_t oldest = 0;
		bool told = false;

		for (size_t k = 0; k < i && !told; k++)
			told = str_eq(r->states.sorted[k]->name, first->name);
		for (size_t k = i; k < r->states.n && !told; k++) {
			const struct counted *row = r->states.sorted[k];

			if (!str_eq(row->name, first->name))
				continue;
			count += row->count;
			waiting += row->minutes >= 1 ? row->count : 0;
			oldest = MAX(oldest, row->minutes);
		}
		if (told)
			continue;
		shown++;
		buf_addf(out, "| %" PRIu64 " | %.1f %% | %" PRIu64 " | ", count,
			percent(count, r->stats.parsed), waiting);
		add_age_cell(out, oldest);
		buf_adds(out, " | ");
		add_code(out, first->name);
		buf_adds(out, " |\n");
	}
}

static void add_waits_row(
	const uint64_t *w, uint64_t count, struct str name, bool code, struct buf *out)
{
	buf_adds(out, "| ");
	if (code)
		add_code(out, name);
	else
		buf_addstr(out, name);
	buf_addf(out, " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " |\n",
		count - w[OVER_1M], w[OVER_1M] - w[OVER_10M], w[OVER_10M] - w[OVER_1H],
		w[OVER_1H] - w[OVER_1D], w[OVER_1D]);
}

static void add_waits(const struct report *r, struct buf *out)
{
	if (r->waiting[OVER_1M] == 0)
		return;
	buf_adds(out,
		"\n### How long they have waited\n\n"
		"| class | under 1 min | 1 to 10 min | 10 to 60 min | 1 h to 1 d | over 1 d |\n"
		"|---|---:|---:|---:|---:|---:|\n");
	add_waits_row(r->waiting, r->stats.parsed, STR("all"), false, out);
	for (size_t i = 0, shown = 0; i < r->nclasses && shown < DETAILS; i++) {
		const struct report_class *c = r->sorted[i];

		if (c->waiting[OVER_1M] == 0)
			continue;
		add_waits_row(c->waiting, c->count, c->name, true, out);
		shown++;
	}
	buf_adds(out, "\nA wait counts from the first garbage collection that saw the goroutine "
		      "blocked, and begins anew at each wake-up.\n");
}

static void add_creators(const struct report *r, struct buf *out)
{
	if (r->created_by.n == 0)
		return;
	buf_adds(out, "\n### Created by\n\n| count | function |\n|---:|---|\n");
	for (size_t i = 0; i < MIN(r->created_by.n, (size_t)ROWS); i++) {
		buf_addf(out, "| %" PRIu64 " | ", r->created_by.sorted[i]->count);
		add_code(out, r->created_by.sorted[i]->name);
		buf_adds(out, " |\n");
	}
	if (r->created_by.n > ROWS)
		buf_addf(out, "\n%zu more function%s.\n", r->created_by.n - ROWS,
			plural(r->created_by.n - ROWS));
}

static void add_locks(const struct report *r, struct buf *out)
{
	if (r->locks.n == 0)
		return;
	buf_adds(out, "\n### Waiting for locks\n\n| waiting | oldest | lock | at "
		      "|\n|---:|---:|---|---|\n");
	for (size_t i = 0; i < MIN(r->locks.n, (size_t)ROWS); i++) {
		const struct counted *row = r->locks.sorted[i];
		struct counted at = {.name = row->place, .file = row->file, .line = row->line};

		buf_addf(out, "| %" PRIu64 " | ", row->count);
		add_age_cell(out, row->minutes);
		buf_adds(out, " | ");
		add_code(out, row->name);
		buf_adds(out, " | ");
		if (at.name.len)
			add_place(out, &at);
		buf_adds(out, " |\n");
	}
	if (r->locks.n > ROWS)
		buf_addf(out, "\n%zu more lock%s.\n", r->locks.n - ROWS, plural(r->locks.n - ROWS));
}

static void add_callers(const struct report *r, struct buf *out)
{
	bool any = false;

	for (int d = 0; d < CALLER_DOINGS; d++) {
		const struct table *t = &r->callers[d];

		for (size_t i = 0; i < MIN(t->n, (size_t)ROWS); i++) {
			if (!any)
				buf_adds(out,
					"\n### HTTP requests under way, by the code that made "
					"them\n\n| count | oldest | what | code |\n"
					"|---:|---:|---|---|\n");
			any = true;
			buf_addf(out, "| %" PRIu64 " | ", t->sorted[i]->count);
			add_age_cell(out, t->sorted[i]->minutes);
			buf_addf(out, " | %s | ", caller_doing_name((enum caller_doing)d));
			add_place(out, t->sorted[i]);
			buf_adds(out, " |\n");
		}
	}
}

static void add_change_row(const struct compare_change *x, struct buf *out)
{
	buf_addf(out, "| %+" PRId64 " | %" PRIu64 " | %" PRIu64 " | ", (int64_t)(x->now - x->old),
		x->old, x->now);
	if (x->by_id)
		buf_addf(out, "%" PRIu64 " | %" PRIu64 " | %" PRIu64 " | ", x->stayed,
			x->old - x->stayed, x->now - x->stayed);
	add_code(out, x->class_name);
	buf_adds(out, " |\n");
}

static void add_comparison(const struct report *r, struct buf *out)
{
	size_t shown = 0, n = r->baseline ? compare_changes(r->baseline) : 0;

	if (!r->baseline)
		return;
	buf_adds(out, "\n### Since the baseline\n\n");
	report_add_baseline(r, out);
	buf_addf(out, ".\n\n| change | then | now | %sclass |\n|---:|---:|---:|%s---|\n",
		compare_one_process(r->baseline) ? "stayed | gone | new | " : "",
		compare_one_process(r->baseline) ? "---:|---:|---:|" : "");
	for (size_t i = 0; i < n && shown < ROWS * 2; i++) {
		struct compare_change x = compare_change_at(r->baseline, i);

		if (x.old == x.now && (!x.by_id || x.stayed == x.old))
			continue;
		add_change_row(&x, out);
		shown++;
	}
	if (shown == 0)
		buf_adds(out, "\nNothing changed.\n");
}

static void add_rates(const struct report *r, struct buf *out)
{
	bool any = false;

	for (size_t i = 0; i < r->nclasses; i++) {
		const struct report_class *c = r->sorted[i];

		if (c->rate.from == RATE_UNTOLD ||
			(c->rate.from == RATE_OF_DUMPS && c->change.now == c->change.old))
			continue;
		if (!any)
			buf_adds(out, "\n### Growth\n\n| an hour | class | known from "
				      "|\n|---|---|---|\n");
		any = true;
		buf_adds(out, "| ");
		report_add_rate(&c->rate, out);
		buf_adds(out, " | ");
		add_code(out, c->name);
		buf_adds(out, " | ");
		report_add_basis(r, c, out);
		buf_adds(out, " |\n");
	}
}

/* ---- where to look, what to do ----------------------------------------------------------------
 */
static void add_where(const struct report *r, const struct report_story *s, struct buf *out)
{
	struct report_place places[PLACES];
	size_t n = report_where(r, s->class, places, PLACES);
	struct str what = report_what(s->class), cause = report_cause(s->class);

	if (cause.len > 0) {
		buf_addf(out, "\n### Likely cause%s\n\n",
			s->why >= STORY_STUCK ? "" : ", if it grows");
		if (what.len > 0) {
			add_text(out, what);
			buf_adds(out, "\n\n");
		}
		add_sentence(out, cause);
		buf_addc(out, '\n');
	}
	if (n == 0)
		return;
	buf_adds(out, "\n### Where to look\n\n");
	for (size_t i = 0; i < n; i++) {
		buf_adds(out, "- ");
		add_place(out, places[i].row);
		buf_addf(out, " (%s, %" PRIu64 ")\n", places[i].doing, places[i].row->count);
	}
}

static void add_steps(const struct report *r, const struct report_story *s,
	const struct report_view *view, struct buf *out)
{
	struct str look = report_look_for(s->class);
	unsigned step = 1;

	buf_adds(out, "\n### What to do\n\n");
	if (look.len > 0) {
		buf_addf(out, "%u. ", step++);
		add_text(out, look);
		buf_addc(out, '\n');
	}
	if (r->locks.n > 0 && r->locks.sorted[0]->count >= LOCK_CONVOY) {
		buf_addf(out, "%u. Find who holds the lock ", step++);
		add_code(out, r->locks.sorted[0]->name);
		buf_addf(out,
			": it is not among the %" PRIu64 " that wait for it; look for a goroutine "
			"inside the same methods that waits for "
			"something else.\n",
			r->locks.sorted[0]->count);
	}
	if (!report_has_ages(r))
		buf_addf(out,
			"%u. Take a dump with `?debug=2`: it has waits, creators and numbers of "
			"goroutines. It stops the service while it is printed, with many thousand "
			"goroutines for seconds.\n",
			step++);
	if (s->why < STORY_MORE) {
		struct buf command = BUF_INIT;

		buf_addf(&command, "leakwatch report --baseline %.*s NEW", STR_ARG(view->name));
		buf_addf(out, "%u. Take a second dump in half an hour and compare: ", step++);
		add_code(out, buf_str(&command));
		buf_adds(out, ". What leaks is still there, and more has come.\n");
		buf_release(&command);
	} else {
		buf_addf(out,
			"%u. After the fix, compare two dumps half an hour apart in the same way: "
			"the class must stop growing.\n",
			step++);
	}
	if (report_expect(s->class).kind == EXPECT_NOTHING)
		buf_addf(out,
			"%u. If so many are healthy, say so: a class in the configuration with "
			"`expect: {max: N}`.\n",
			step);
}

static void add_detail(const struct report_class *c, struct buf *out)
{
	struct str rest = c->example, line;
	struct buf words = BUF_INIT;

	buf_addf(out, "\n%" PRIu64 " × ", c->count);
	add_code(out, c->name);
	for (size_t i = 0; i < MIN(c->created_by.n, (size_t)2); i++) {
		buf_adds(out, i ? ", " : ", created by ");
		add_code(out, c->created_by.sorted[i]->name);
	}
	report_add_expect(c, &words);
	if (words.len) {
		buf_adds(out, "; ");
		add_text(out, buf_str(&words));
	}
	buf_release(&words);
	buf_adds(out, "\n\n");
	/* In an indented block nothing in a name can end it. */
	while (str_line(&rest, &line)) {
		buf_adds(out, "    ");
		safe_add(out, line);
		buf_addc(out, '\n');
	}
}

void report_markdown(const struct report *r, const struct report_view *view, struct buf *out)
{
	struct report_story s = report_story(r);
	size_t details = MIN(MIN(r->nclasses, view->classes), (size_t)DETAILS);

	add_summary(r, &s, view, out);
	if (r->nclasses == 0)
		return;
	if (s.class) {
		add_where(r, &s, out);
		add_steps(r, &s, view, out);
	}
	add_rates(r, out);
	add_comparison(r, out);
	add_classes(r, view, out);
	add_states(r, out);
	add_waits(r, out);
	add_locks(r, out);
	add_callers(r, out);
	add_creators(r, out);
	if (view->brief)
		return;
	buf_adds(out, "\n### The usual stack of each\n");
	for (size_t i = 0; i < details; i++)
		add_detail(r->sorted[i], out);
}
