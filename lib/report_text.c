/* The report as text that is read in a terminal. */
#include "report_internal.h"

#include "safe.h"
#include "stack.h"

#include <string.h>

#define LIST_ROWS   3 /* of states, places and creators below a class */
#define CALLER_ROWS 5 /* of what uses HTTP clients */

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

void report_add_age(struct buf *out, uint32_t minutes)
{
	if (minutes < 60)
		buf_addf(out, "%u min", minutes);
	else if (minutes < 1440)
		buf_addf(out, "%u h", minutes / 60);
	else
		buf_addf(out, "%u d", minutes / 1440);
}

/* Breaks text between words so that lines, with the indentation, are at most `columns` long. */
static void add_wrapped(struct buf *out, struct str text, size_t indent, size_t columns)
{
	size_t at = 0; /* columns used on the line */

	while (text.len > 0) {
		ptrdiff_t space = str_chr(text, ' ');
		struct str word = str_sub(text, 0, space < 0 ? text.len : (size_t)space);

		if (at > 0 && columns > 0 && at + 1 + word.len > columns) {
			buf_addc(out, '\n');
			at = 0;
		}
		buf_addf(out, "%*s", at ? 1 : (int)indent, "");
		safe_add(out, word);
		at += (at ? 1 : indent) + word.len;
		text = str_from(text, word.len + (space < 0 ? 0 : 1));
	}
	buf_addc(out, '\n');
}

void report_add_losses(const struct report *r, const char *indent, struct buf *out)
{
	const struct gdump_stats *s = &r->stats;

	if (s->lost > 0) {
		buf_addf(out, "%s%llu of them (%.1f %%) could not be read", indent,
			(unsigned long long)s->lost,
			100.0 * (double)s->lost / (double)report_total(r));
		if (s->first_bad[0])
			buf_addf(out, ": line %u: %s", s->first_bad_line, s->first_bad);
		buf_addc(out, '\n');
	} else if (s->bad_lines > 0) {
		buf_addf(out, "%s%llu line%s could not be read: line %u: %s\n", indent,
			(unsigned long long)s->bad_lines, plural(s->bad_lines), s->first_bad_line,
			s->first_bad);
	}
	if (s->duplicates > 0)
		buf_addf(out, "%s%llu printed again under the same number, counted once\n", indent,
			(unsigned long long)s->duplicates);
	if (s->truncated)
		buf_addf(
			out, "%sthe dump is cut off: what came after the cut is missing\n", indent);
	if (r->bytes_dropped > 0)
		buf_addf(out, "%snames fill %zu MiB: new ones are counted as \"other\"\n", indent,
			REPORT_BYTES_MAX >> 20);
}

void report_add_count(const struct report *r, struct buf *out)
{
	unsigned long long total = report_total(r);

	if (r->stats.format == GDUMP_COUNT)
		buf_addf(out, "%llu of the profile %s in %zu class%s (no goroutines)", total,
			r->stats.profile, r->nclasses, r->nclasses == 1 ? "" : "es");
	else
		buf_addf(out, "%llu goroutine%s in %zu class%s (%s)", total, plural(total),
			r->nclasses, r->nclasses == 1 ? "" : "es",
			gdump_format_name(r->stats.format));
}

static void add_head(const struct report *r, const struct report_view *view, struct buf *out)
{
	struct str note = view->note, line;

	safe_add(out, view->name);
	buf_adds(out, ": ");
	report_add_count(r, out);
	buf_addc(out, '\n');
	while (str_line(&note, &line))
		buf_addf(out, "  %.*s\n", STR_ARG(line));
	report_add_losses(r, "  ", out);
	if (r->baseline) {
		buf_adds(out, "  baseline ");
		safe_add(out, r->baseline_name);
		buf_adds(out, ": ");
		report_add_baseline(r, out);
		buf_addc(out, '\n');
	}
}

static void add_waiting(const struct report *r, struct buf *out)
{
	static const char *const words[WAITING] = {
		"a minute or more", "10 minutes", "an hour", "a day"};

	if (r->waiting[OVER_1M] == 0)
		return;
	buf_adds(out, "  waiting for");
	for (int i = 0; i < WAITING && r->waiting[i] > 0; i++)
		buf_addf(out, "%s %s: %llu", i ? "," : "", words[i],
			(unsigned long long)r->waiting[i]);
	buf_addc(out, '\n');
	for (size_t i = 0; i < r->stuck.n; i++) {
		const struct counted *row = r->stuck.sorted[i];

		buf_addf(out, "  stuck: %llu in ", (unsigned long long)row->count);
		safe_add(out, row->name);
		buf_adds(out, ", the oldest for ");
		report_add_age(out, row->minutes);
		buf_addc(out, '\n');
	}
}

static void add_findings(const struct report *r, const struct report_view *view, struct buf *out)
{
	for (size_t i = 0; i < r->nfindings; i++) {
		const struct report_finding *f = &r->findings[i];
		struct buf words = BUF_INIT;

		buf_addf(&words, "%s: %.*s: ", report_finding_name(f), STR_ARG(f->class->name));
		report_finding_words(r, f, &words);
		add_wrapped(out, buf_str(&words), 2, view->columns);
		buf_release(&words);
	}
}

static void add_states(const struct report_class *c, struct buf *out)
{
	if (c->states.n == 0)
		return;
	buf_addf(out, "%27s", "");
	for (size_t i = 0; i < c->states.n; i++) {
		const struct counted *row = c->states.sorted[i];

		if (i == LIST_ROWS) {
			buf_addf(out, ", and %zu more", c->states.n - i);
			break;
		}
		buf_adds(out, i ? ", " : "");
		safe_add(out, row->name);
		if (c->states.n > 1)
			buf_addf(out, " %llu", (unsigned long long)row->count);
	}
	buf_addc(out, '\n');
}

/* "at function file:line" or "created by function", the most frequent ones. */
static void add_places(
	const struct table *t, const char *word, uint64_t all, size_t most, struct buf *out)
{
	for (size_t i = 0; i < MIN(t->n, most); i++) {
		const struct counted *row = t->sorted[i];

		buf_addf(out, "%27s%s ", "", word);
		safe_add(out, row->name);
		if (row->file.len > 0) {
			buf_addc(out, ' ');
			safe_add(out, row->file);
			buf_addf(out, ":%u", row->line);
		}
		if (row->count != all)
			buf_addf(out, " (%llu)", (unsigned long long)row->count);
		buf_addc(out, '\n');
	}
	if (t->n > most)
		buf_addf(out, "%27s%s %zu other place%s\n", "", word, t->n - most,
			plural(t->n - most));
}

/* What is expected, and what the waits tell of a class that is large enough to ask. */
static void add_judgement(const struct report *r, const struct report_class *c,
	const struct report_view *view, struct buf *out)
{
	struct buf words = BUF_INIT;

	report_add_expect(c, &words);
	if (words.len > 0)
		add_wrapped(out, buf_str(&words), 27, view->columns);
	buf_reset(&words);
	if (r->baseline) {
		report_add_change(r, c, &words);
		add_wrapped(out, buf_str(&words), 27, view->columns);
	}
	buf_reset(&words);
	if (c->rate.from == RATE_OF_DUMPS && c->change.now != c->change.old) {
		buf_adds(&words, "growth: ");
		report_add_rate(&c->rate, &words);
		add_wrapped(out, buf_str(&words), 27, view->columns);
	} else if (report_has_ages(r) && c->count >= AGES_OLD_LEAST) {
		buf_adds(&words, "waits: ");
		ages_words(&c->estimate, &words);
		add_wrapped(out, buf_str(&words), 27, view->columns);
	}
	buf_release(&words);
}

static void add_class(const struct report *r, const struct report_class *c,
	const struct report_view *view, struct buf *out)
{
	struct buf age = BUF_INIT;
	double share = r->stats.parsed ? 100.0 * (double)c->count / (double)r->stats.parsed : 0;

	if (c->oldest_minutes > 0)
		report_add_age(&age, c->oldest_minutes);
	buf_addf(out, "%9llu %5.1f %%  %7s  ", (unsigned long long)c->count, share, age.p);
	safe_add(out, c->name);
	buf_adds(out, c->rule && c->rule->ignore ? "  (ignored)\n" : "\n");
	buf_release(&age);
	if (view->brief)
		return;
	add_states(c, out);
	add_places(&c->locations, "at", c->count, LIST_ROWS, out);
	add_places(&c->created_by, "created by", c->count, LIST_ROWS, out);
	add_judgement(r, c, view, out);
	if (c->rule && c->rule->hint.len > 0)
		add_wrapped(out, c->rule->hint, 27, view->columns);
}

/* Of a leak of connections every creator is dialConn: who uses them is found here. */
static void add_callers(const struct report *r, struct buf *out)
{
	bool any = false;

	for (int d = 0; d < CALLER_DOINGS; d++) {
		const struct table *t = &r->callers[d];

		for (size_t i = 0; i < MIN(t->n, (size_t)CALLER_ROWS); i++) {
			const struct counted *row = t->sorted[i];
			struct buf age = BUF_INIT;

			if (!any)
				buf_adds(out,
					"\nHTTP requests under way, by the code that made them:\n");
			any = true;
			if (row->minutes > 0)
				report_add_age(&age, row->minutes);
			buf_addf(out, "%9llu %7s  %7s  %s: ", (unsigned long long)row->count, "",
				age.p, caller_doing_name((enum caller_doing)d));
			safe_add(out, row->name);
			if (row->file.len > 0) {
				buf_addc(out, ' ');
				safe_add(out, row->file);
				buf_addf(out, ":%u", row->line);
			}
			buf_addc(out, '\n');
			buf_release(&age);
		}
		if (t->n > CALLER_ROWS)
			buf_addf(out, "%27s%zu other places (--format json has all)\n", "",
				t->n - CALLER_ROWS);
	}
}

/* What the baseline had and this dump has not. */
static void add_gone(const struct report *r, struct buf *out)
{
	for (size_t i = 0; r->baseline && i < compare_changes(r->baseline); i++) {
		struct compare_change x = compare_change_at(r->baseline, i);

		if (x.now > 0)
			continue;
		buf_addf(out, "%9u %7s  %7s  ", 0u, "", "");
		safe_add(out, x.class_name);
		buf_addf(out, "\n%27s%llu in the baseline, gone now\n", "",
			(unsigned long long)x.old);
	}
}

void report_text(const struct report *r, const struct report_view *view, struct buf *out)
{
	uint64_t rest = 0;
	size_t shown = MIN(r->nclasses, view->classes);

	add_head(r, view, out);
	add_waiting(r, out);
	add_findings(r, view, out);
	if (r->nclasses > 0)
		buf_addf(out, "\n%9s %7s  %7s  %s\n", "COUNT", "SHARE", "OLDEST", "CLASS");
	for (size_t i = 0; i < shown; i++)
		add_class(r, r->sorted[i], view, out);
	for (size_t i = shown; i < r->nclasses; i++)
		rest += r->sorted[i]->count;
	if (rest > 0)
		buf_addf(out, "%9llu %5.1f %%  %7s  in %zu more class%s (--format json has all)\n",
			(unsigned long long)rest, 100.0 * (double)rest / (double)r->stats.parsed,
			"", r->nclasses - shown, r->nclasses - shown == 1 ? "" : "es");
	if (view->brief)
		return;
	add_gone(r, out);
	add_callers(r, out);
}
