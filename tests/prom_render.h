/*
 * prom_render: what the metrics parser handed out, as text, so that tests and fuzzers compare one
 * string.  A sample is one line: name {key=value} value @time type.
 */
#ifndef LEAKWATCH_PROM_RENDER_H
#define LEAKWATCH_PROM_RENDER_H

#include "buf.h"
#include "prom.h"

#include <inttypes.h>
#include <math.h>

static const char *const prom_type_names[] = {
	"untyped", "counter", "gauge", "histogram", "summary", "other"};

static inline void render_sample(void *arg, const struct prom_sample *s)
{
	struct buf *b = arg;

	buf_addstr(b, s->name);
	for (size_t i = 0; i < s->nlabels; i++)
		buf_addf(b, " {%.*s=%.*s}", STR_ARG(s->labels[i].key), STR_ARG(s->labels[i].value));
	buf_addf(b, " %.17g", s->value);
	if (!isnan(s->time))
		buf_addf(b, " @%.17g", s->time);
	buf_addf(b, " %s\n", prom_type_names[s->type]);
}

/* Parses text fed in pieces of at most `piece` bytes (0: whole) and appends everything to out. */
static inline int render_metrics(struct buf *out, struct str text, size_t piece,
	bool (*want)(void *arg, struct str name), enum prom_time_unit unit)
{
	struct prom_sink sink = {.want = want, .sample = render_sample, .arg = out};
	struct prom *p = prom_new(&sink, unit);
	const struct prom_stats *s = prom_stats(p);
	struct err err = ERR_INIT;
	int rc;

	for (size_t at = 0; at < text.len; at += piece ? piece : text.len) {
		struct str part = str_sub(text, at, piece ? at + piece : text.len);

		prom_feed(p, part.p, part.len);
	}
	rc = prom_finish(p, &err);
	buf_addf(out,
		"samples=%" PRIu64 " wanted=%" PRIu64 " bad=%" PRIu64 " lines=%" PRIu64
		"%s first=%" PRIu32 " %s\n%d %s\n",
		s->samples, s->wanted, s->bad_lines, s->lines, s->eof_seen ? " eof" : "",
		s->first_bad_line, s->first_bad, rc, err.msg);
	prom_free(p);
	return rc;
}

#endif
