/* Framing, comments and the way of a sample to the sink. */
#include "prom_internal.h"
#include "received.h"
#include "xalloc.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A longer metric name is still read; its family's type is not remembered. */
#define FAMILY_MAX 1024

struct prom {
	struct prom_sink sink;
	enum prom_time_unit unit;
	struct prom_stats stats;
	struct buf carry; /* the beginning of a line whose end is not there yet */
	bool dropping; /* inside a line longer than PROM_LINE_MAX */
	struct buf family; /* of the last "# TYPE" */
	enum prom_type type;
	struct buf asked; /* the name that `want` was asked for last, and its answer */
	bool wanted;
	struct prom_labels labels;
	bool described; /* there was a "# HELP", "# TYPE" or "# EOF" */
	char head[RECEIVED_HEAD]; /* the body's first bytes, for the message when it is none */
	size_t head_len;
};

struct prom *prom_new(const struct prom_sink *sink, enum prom_time_unit unit)
{
	struct prom *p = xcalloc(1, sizeof(*p));

	p->sink = *sink;
	p->unit = unit;
	buf_init(&p->carry);
	buf_init(&p->family);
	buf_init(&p->asked);
	buf_init(&p->labels.text);
	return p;
}

void prom_free(struct prom *p)
{
	if (!p)
		return;
	buf_release(&p->carry);
	buf_release(&p->family);
	buf_release(&p->asked);
	buf_release(&p->labels.text);
	free(p);
}

void prom_reset(struct prom *p)
{
	p->stats = (struct prom_stats){.samples = 0};
	buf_reset(&p->carry);
	buf_reset(&p->family);
	buf_reset(&p->asked);
	p->dropping = p->wanted = p->described = false;
	p->head_len = 0;
}

const struct prom_stats *prom_stats(const struct prom *p)
{
	return &p->stats;
}

static void bad_line(struct prom *p, const char *why, struct str line)
{
	struct prom_stats *s = &p->stats;
	char excerpt[72];

	s->bad_lines++;
	if (s->first_bad_line)
		return;
	s->first_bad_line = (uint32_t)s->lines;
	received_excerpt(line, excerpt, sizeof(excerpt));
	snprintf(s->first_bad, sizeof(s->first_bad), "%s: \"%s\"", why, excerpt);
}

static struct str next_word(struct str *s)
{
	struct str t = str_trim(*s);
	size_t n = 0;

	if (t.len && t.p[0] == '"') { /* a UTF-8 name */
		for (n = 1; n < t.len && t.p[n] != '"'; n++)
			;
		*s = str_from(t, n + 1);
		return str_sub(t, 1, n);
	}
	while (n < t.len && t.p[n] != ' ' && t.p[n] != '\t')
		n++;
	*s = str_from(t, n);
	return str_sub(t, 0, n);
}

static enum prom_type type_of_name(struct str name)
{
	static const struct {
		const char *name;
		enum prom_type type;
	} types[] = {
		{"counter", PROM_COUNTER},
		{"gauge", PROM_GAUGE},
		{"histogram", PROM_HISTOGRAM},
		{"summary", PROM_SUMMARY},
		{"untyped", PROM_UNTYPED},
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (str_is(name, types[i].name))
			return types[i].type;
	}
	return PROM_OTHER;
}

/* "# TYPE go_goroutines gauge", "# EOF"; any other comment tells nothing. */
static void comment(struct prom *p, struct str line)
{
	struct str rest = str_from(line, 1), word;

	if (str_is(line, "# EOF")) {
		p->stats.eof_seen = p->described = true;
		return;
	}
	word = next_word(&rest);
	if (str_is(word, "HELP"))
		p->described = true;
	if (!str_is(word, "TYPE"))
		return;
	p->described = true;
	word = next_word(&rest);
	buf_reset(&p->family);
	if (word.len <= FAMILY_MAX)
		buf_addstr(&p->family, word);
	p->type = type_of_name(next_word(&rest));
}

/* The type of the last "# TYPE" when the sample belongs to its family. */
static enum prom_type type_of_sample(const struct prom *p, struct str name)
{
	static const char *const suffixes[] = {
		"", "_total", "_bucket", "_sum", "_count", "_created", "_info", "_gsum", "_gcount"};
	struct str family = buf_str(&p->family);

	if (family.len && str_starts(name, family)) {
		for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
			if (str_is(str_from(name, family.len), suffixes[i]))
				return p->type;
		}
	}
	return PROM_UNTYPED;
}

/* Series of one family stand together: their name is looked up once. */
static bool is_wanted(struct prom *p, struct str name)
{
	if (!p->sink.want)
		return true;
	if (p->asked.len && str_eq(name, buf_str(&p->asked)))
		return p->wanted;
	p->wanted = p->sink.want(p->sink.arg, name);
	buf_reset(&p->asked);
	buf_addstr(&p->asked, name);
	return p->wanted;
}

/* The name at the front of a line: the one that was asked for last, or read letter by letter. */
static struct str line_name(const struct prom *p, struct cursor *c)
{
	size_t n = p->asked.len;

	if (n && (size_t)(c->end - c->p) > n && (c->p[n] == '{' || c->p[n] == ' ') &&
		memcmp(c->p, p->asked.p, n) == 0) {
		c->p += n;
		return str_n(c->p - n, n);
	}
	return prom_take_name(c);
}

/* What may follow the name of a sample that is not taken apart. */
static bool looks_like_sample(const struct cursor *c)
{
	return c->p < c->end && *c->p != '\0' && strchr("{+-.0123456789NniI", *c->p);
}

/* Takes the name out of the label __name__, where a line of `promtool tsdb dump` has it. */
static bool take_dumped_name(struct prom_labels *l, struct str *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (!str_is(l->v[i].key, "__name__"))
			continue;
		*name = l->v[i].value;
		l->n--;
		memmove(&l->v[i], &l->v[i + 1], (l->n - i) * sizeof(*l->v));
		return true;
	}
	return false;
}

static void sample(struct prom *p, struct str line)
{
	struct cursor c = {.p = line.p, .end = line.p + line.len};
	struct prom_sample s = {.name = line_name(p, &c), .labels = p->labels.v};
	bool named = s.name.len > 0, dumped = false;
	const char *why = NULL;

	prom_skip_blanks(&c);
	if (named && !is_wanted(p, s.name)) {
		if (looks_like_sample(&c))
			p->stats.samples++;
		else
			bad_line(p, "neither labels nor a value after the name", line);
		return;
	}
	p->labels.n = 0;
	if (c.p < c.end && *c.p == '{') {
		c.p++;
		why = prom_take_labels(&c, &p->labels, &s.name);
	}
	if (!why && s.name.len == 0)
		dumped = take_dumped_name(&p->labels, &s.name);
	if (!why && s.name.len == 0)
		why = "not a metric name";
	if (!why)
		why = prom_take_values(&c, &s.value, &s.time);
	if (why) {
		bad_line(p, why, line);
		return;
	}
	p->stats.samples++;
	if (!named && !is_wanted(p, s.name))
		return;
	p->stats.wanted++;
	s.nlabels = p->labels.n;
	s.type = type_of_sample(p, s.name);
	if (p->unit == PROM_TIME_MS || dumped)
		s.time /= 1000;
	if (p->sink.sample)
		p->sink.sample(p->sink.arg, &s);
}

static void take_line(struct prom *p, struct str line)
{
	p->stats.lines++;
	if (p->stats.lines == 1 && str_starts(line, STR("\xef\xbb\xbf")))
		line = str_from(line, 3);
	line = str_trim(line);
	if (line.len == 0)
		return;
	if (line.p[0] == '#')
		comment(p, line);
	else
		sample(p, line);
}

/* Part of a line longer than PROM_LINE_MAX; `whole` when it ends here. */
static void drop_line(struct prom *p, const char *data, size_t n, bool whole)
{
	if (!p->dropping) {
		p->dropping = true;
		buf_add(&p->carry, data, MIN(n, (size_t)80));
		p->stats.lines++;
		bad_line(p, "a line longer than 256 KiB", buf_str(&p->carry));
		buf_reset(&p->carry);
	}
	if (whole)
		p->dropping = false;
}

void prom_feed(struct prom *p, const char *data, size_t n)
{
	const char *end = data + n;
	size_t room = MIN(sizeof(p->head) - p->head_len, n);

	p->stats.bytes += n;
	if (room)
		memcpy(p->head + p->head_len, data, room);
	p->head_len += room;
	while (data < end) {
		const char *nl = memchr(data, '\n', (size_t)(end - data));
		size_t len = (size_t)((nl ? nl : end) - data);

		if (p->dropping || p->carry.len + len > PROM_LINE_MAX) {
			drop_line(p, data, len, nl != NULL);
		} else if (!nl) {
			buf_add(&p->carry, data, len);
		} else if (p->carry.len) {
			buf_add(&p->carry, data, len);
			take_line(p, buf_str(&p->carry));
			buf_reset(&p->carry);
		} else {
			take_line(p, str_n(data, len));
		}
		data = nl ? nl + 1 : end;
	}
}

int prom_finish(struct prom *p, struct err *err)
{
	char what[160];

	if (p->carry.len) /* written by hand: transports tell when they were cut */
		take_line(p, buf_str(&p->carry));
	buf_reset(&p->carry);
	if (p->stats.samples)
		return 0;
	if (p->described)
		return err_set(err, "no metrics: the exposition has no sample in it");
	received_what(str_n(p->head, p->head_len), what, sizeof(what));
	return err_set(err, "no metrics: received %s; what is read is %s", what,
		p->unit == PROM_TIME_S ? PROM_HISTORY_WORDS
				       : "the Prometheus text format, as /metrics serves it");
}
