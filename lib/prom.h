/*
 * prom: the Prometheus text format 0.0.4 and OpenMetrics 1.0, as a stream.  Layer 1.
 *
 * Only families that the sink wants are taken apart; all other lines cost one comparison of the
 * name. Life cycle: prom_new, prom_feed with pieces cut anywhere, prom_finish once, prom_reset,
 * prom_free. Memory is bounded by one line (PROM_LINE_MAX), not by the body.  A line that is not in
 * the format is skipped, counted and its first reason kept; it never fails the body.
 *
 * Formats: prometheus.io/docs/instrumenting/exposition_formats, OpenMetrics 1.0 text; and the lines
 * of `promtool tsdb dump` (Prometheus 2.x and 3.x), which have the name as label __name__ and
 * milliseconds, whatever the unit of the others is:
 *
 *   {__name__="go_goroutines", instance="127.0.0.1:6060", job="shop"} 31 1795917522971
 */
#ifndef LEAKWATCH_PROM_H
#define LEAKWATCH_PROM_H

#include "err.h"
#include "model.h"

#define PROM_LINE_MAX	(256 * 1024) /* a longer line is skipped and counted */
#define PROM_LABELS_MAX 64 /* labels of one sample; a line with more is skipped */

enum prom_type {
	PROM_UNTYPED,
	PROM_COUNTER,
	PROM_GAUGE,
	PROM_HISTOGRAM,
	PROM_SUMMARY,
	PROM_OTHER /* info, stateset, gaugehistogram, unknown */
};

struct prom_sample {
	struct str name; /* as written: a counter's "_total", a histogram's "_bucket" stay */
	const struct label *labels; /* unescaped */
	size_t nlabels;
	double value;
	double time; /* seconds; NAN when the line has none */
	enum prom_type type;
};

struct prom_sink {
	/* Asked once per line that is a sample; NULL wants all. */
	bool (*want)(void *arg, struct str name);
	/* *s and all it points at are valid during the call only. */
	void (*sample)(void *arg, const struct prom_sample *s);
	void *arg;
};

enum prom_time_unit {
	PROM_TIME_MS, /* text format 0.0.4: milliseconds */
	PROM_TIME_S /* OpenMetrics: seconds */
};

/* For messages: what is read where a history is wanted. */
#define PROM_HISTORY_WORDS                                                                         \
	"what 'promtool tsdb dump DIR' or 'promtool tsdb dump-openmetrics DIR' prints, or other "  \
	"OpenMetrics text with timestamps"

struct prom_stats {
	uint64_t samples; /* lines that are samples, wanted or not */
	uint64_t wanted;
	uint64_t bad_lines;
	uint64_t bytes, lines;
	bool eof_seen; /* "# EOF": it is OpenMetrics and whole */
	uint32_t first_bad_line; /* 0 when there is none */
	char first_bad[160]; /* why, with what was received; printable ASCII */
};

struct prom;

struct prom *prom_new(const struct prom_sink *sink, enum prom_time_unit unit);
void prom_free(struct prom *p);
void prom_reset(struct prom *p);
void prom_feed(struct prom *p, const char *data, size_t n);
/* 0, or -1 when no line of it was a sample: err says what was received instead. */
int prom_finish(struct prom *p, struct err *err);
const struct prom_stats *prom_stats(const struct prom *p);

/*
 * A series selector of the configuration: name or name{label="v",…}, only equality.  Slices of
 * text. 0, or -1 with err: what was received and what would be right.
 */
struct prom_selector {
	struct str name;
	struct label labels[8];
	size_t nlabels;
};
int prom_selector_parse(struct str text, struct prom_selector *out, struct err *err);
bool prom_selector_matches(const struct prom_selector *sel, const struct prom_sample *s);

#endif
