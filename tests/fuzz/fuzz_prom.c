/*
 * Any bytes as metrics: no crash, the same result however the body is cut, what is not wanted
 * changes nothing for what is, and a selector that is accepted finds the sample it was made from.
 */
#include "../prom_render.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Wanted or not by its first letter. */
static bool want_cb(void *arg, struct str name)
{
	(void)arg;
	return name.len && (name.p[0] & 1);
}

static bool has_twice(const struct prom_sample *s, struct str key)
{
	unsigned n = 0;

	for (size_t i = 0; i < s->nlabels; i++)
		n += str_eq(s->labels[i].key, key);
	return n > 1;
}

static void check_sample(void *arg, const struct prom_sample *s)
{
	uint64_t *seen = arg;
	struct buf b = BUF_INIT;
	struct prom_selector sel;

	++*seen;
	if (s->nlabels > PROM_LABELS_MAX)
		abort();
	if (s->nlabels == 0)
		return;
	buf_addstr(&b, s->name);
	buf_adds(&b, "{");
	buf_addstr(&b, s->labels[0].key);
	buf_adds(&b, "=\"");
	buf_addstr(&b, s->labels[0].value);
	buf_adds(&b, "\"}");
	if (prom_selector_parse(buf_str(&b), &sel, NULL) == 0 && sel.nlabels == 1 &&
		str_eq(sel.name, s->name) && str_eq(sel.labels[0].value, s->labels[0].value) &&
		!has_twice(s, s->labels[0].key) && !prom_selector_matches(&sel, s))
		abort();
	buf_release(&b);
}

static void check_sums(struct str text)
{
	uint64_t seen = 0;
	struct prom_sink sink = {.want = want_cb, .sample = check_sample, .arg = &seen};
	struct prom *p = prom_new(&sink, PROM_TIME_S);
	const struct prom_stats *s = prom_stats(p);
	struct prom_selector sel;

	for (int round = 0; round < 2; round++) { /* the second one after a reset */
		seen = 0;
		prom_feed(p, text.p, text.len);
		prom_finish(p, NULL);
		if (s->wanted != seen || s->wanted > s->samples ||
			s->samples + s->bad_lines > s->lines || s->bytes != text.len)
			abort();
		prom_reset(p);
	}
	prom_free(p);
	prom_selector_parse(text, &sel, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	size_t pieces[] = {1, 2, 3 + (size ? data[size / 2] : 0), size / 2 + 1};
	struct buf whole = BUF_INIT, cut = BUF_INIT;

	render_metrics(&whole, text, 0, NULL, PROM_TIME_MS);
	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		buf_reset(&cut);
		render_metrics(&cut, text, pieces[i], NULL, PROM_TIME_MS);
		if (!str_eq(buf_str(&whole), buf_str(&cut)))
			abort();
	}
	check_sums(text);
	buf_release(&whole);
	buf_release(&cut);
	return 0;
}
