/*
 * Rules for what has none: the YAML of `classes:` that gives each class of the dump a name.
 *
 * Fed back with -c each of them takes exactly its class of this dump.  Keys are prefixes, and the
 * first rule that matches wins; so a rule that asks for more than the entry stands before one that
 * does not, and one whose entry another's is a prefix of ("main.parkNone", "main.park") before
 * that.
 */
#include "report_story.h"

#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 60

struct suggestion {
	const struct report_class *class;
	struct str entry, inner; /* inner: the first frame outside the standard library, or "" */
	bool done;
};

/* A YAML string in double quotes. */
static void add_quoted(struct buf *out, struct str s)
{
	buf_addc(out, '"');
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c == '"' || c == '\\')
			buf_addf(out, "\\%c", c);
		else if (c < 0x20 || c == 0x7f)
			buf_addf(out, "\\x%02x", c);
		else
			buf_addc(out, (char)c);
	}
	buf_addc(out, '"');
}

/* "main.(*pool).runWorker" -> "pool-run-worker": letters and digits of the last part. */
static void add_short_name(struct buf *out, struct str entry)
{
	ptrdiff_t slash = str_rchr(entry, '/');
	struct str name = str_from(entry, (size_t)(slash + 1));
	bool dash = false;
	size_t start = out->len;

	if (str_starts(name, STR("main.")))
		name = str_from(name, 5);
	for (size_t i = 0; i < name.len && out->len - start < NAME_MAX_LEN; i++) {
		unsigned char c = (unsigned char)name.p[i];
		bool upper = c >= 'A' && c <= 'Z';

		if (upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
			bool hump = upper && i > 0 && name.p[i - 1] >= 'a' && name.p[i - 1] <= 'z';

			if ((dash || hump) && out->len > start)
				buf_addc(out, '-');
			buf_addc(out, (char)(upper ? c + 32 : c));
			dash = false;
		} else {
			dash = true;
		}
	}
	if (out->len == start)
		buf_adds(out, "class");
}

/* The short name, with "-2" and so on behind it when it is taken. */
static void add_free_name(struct buf *out, struct map *taken, struct str function)
{
	size_t start = out->len, end;

	add_short_name(out, function);
	end = out->len;
	for (unsigned i = 2; map_get(taken, str_n(out->p + start, out->len - start)); i++) {
		out->len = end;
		buf_addf(out, "-%u", i);
	}
	map_put(taken, str_n(out->p + start, out->len - start), taken);
}

/* What is known of them already, for its owner to correct. */
static void add_hint(struct buf *out, const struct report_class *c)
{
	const struct counted *at = c->own.n ? c->own.sorted[0] : NULL;
	struct str cause = report_cause(c), look = report_look_for(c);
	struct buf hint = BUF_INIT, safe = BUF_INIT;

	if (!at && c->locations.n)
		at = c->locations.sorted[0];
	if (c->states.n)
		buf_addf(&hint, "Mostly in %.*s", STR_ARG(c->states.sorted[0]->name));
	else
		buf_adds(&hint, "Goroutines");
	if (at)
		buf_addf(&hint, " at %.*s", STR_ARG(at->name));
	if (c->created_by.n)
		buf_addf(&hint, ", created by %.*s", STR_ARG(c->created_by.sorted[0]->name));
	buf_addf(&hint, ". Normal: as many as %s?", c->count == 1 ? "one" : "N");
	if (cause.len)
		buf_addf(&hint, " Growth: %.*s", STR_ARG(cause));
	if (look.len)
		buf_addf(&hint, " %.*s", STR_ARG(look));
	safe_add(&safe, buf_str(&hint));
	add_quoted(out, buf_str(&safe));
	buf_release(&hint);
	buf_release(&safe);
}

static bool needs_rule(const struct report_class *c)
{
	return !c->rule && c->entry.len > 0 && c->name.p[0] != '(' && !str_is(c->name, "other");
}

static void add_rule(struct suggestion *s, struct map *taken, struct buf *out)
{
	const struct report_class *c = s->class;

	s->done = true;
	buf_adds(out, "  - name: ");
	add_free_name(out, taken, s->inner.len ? s->inner : s->entry);
	buf_addf(out, "   # %" PRIu64 " goroutine%s\n    match:\n      entry: ", c->count,
		c->count == 1 ? "" : "s");
	/* Closures of main: main itself has a rule. */
	if (str_is(s->entry, "main.main") && !s->inner.len)
		add_quoted(out, STR("main.main.func"));
	else
		add_quoted(out, s->entry);
	if (s->inner.len) {
		buf_adds(out, "\n      mentions: ");
		add_quoted(out, s->inner);
	}
	buf_adds(out, "\n    hint: ");
	add_hint(out, c);
	buf_addc(out, '\n');
}

/* Whether b, standing before a, would take a's goroutines. */
static bool would_take(const struct suggestion *b, const struct suggestion *a)
{
	if (!str_starts(a->entry, b->entry))
		return false;
	return b->inner.len == 0 || (a->inner.len > 0 && str_starts(a->inner, b->inner));
}

/* As large as a class may be, what it would take is written before it.  The relation is a partial
 * order of prefixes, so this ends. */
static void add_in_order(
	struct suggestion *v, size_t n, size_t i, struct map *taken, struct buf *out)
{
	for (size_t k = 0; k < n; k++) {
		if (k != i && !v[k].done && would_take(&v[i], &v[k]) && !would_take(&v[k], &v[i]))
			add_in_order(v, n, k, taken, out);
	}
	if (!v[i].done)
		add_rule(&v[i], taken, out);
}

size_t report_suggest(const struct report *r, size_t n, struct buf *out)
{
	struct suggestion *v = xcalloc(MIN(n, r->nclasses) + 1, sizeof(*v));
	struct map *taken = map_new();
	size_t found = 0, classes_left = 0;
	uint64_t left = 0;

	for (size_t i = 0; i < r->nclasses; i++) {
		const struct report_class *c = r->sorted[i];
		ptrdiff_t below = str_find(c->name, STR(" < "));
		bool whole = c->name.len < STACK_CLASS_NAME_MAX;

		if (!needs_rule(c))
			continue;
		if (found == n) {
			classes_left++;
			left += c->count;
			continue;
		}
		v[found++] = (struct suggestion){.class = c,
			.entry = c->entry,
			.inner =
				below >= 0 && whole ? str_sub(c->name, 0, (size_t)below) : STR("")};
	}
	if (found > 0)
		buf_adds(out, "classes:\n");
	for (size_t i = 0; i < found; i++)
		add_in_order(v, found, i, taken, out);
	if (classes_left > 0)
		buf_addf(out,
			"# %zu smaller classes, %" PRIu64 " goroutines in all, have no rule\n",
			classes_left, left);
	map_free(taken, NULL);
	free(v);
	return found;
}
