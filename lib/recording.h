/*
 * recording: what a target answered over time, in a directory.  Layer 1.
 *
 * Written by `leakwatch record`, served by `leakwatch replay`, kept as fixtures and sent with bug
 * reports.  Two files, readable by their owner only (0600, directory 0700):
 *
 *   recording.json   {"version":1,"leakwatch":"0.1.0","target":"127.0.0.1:6060","pprof_path":
 *                    "/debug/pprof","metrics_path":"/metrics","interval_ms":10000,
 *                    "started_ms":1700000000000,"scrapes":200}
 *   bodies.gz        gzip of entries, one after the other: a line "KIND AT_MS STATUS BYTES\n", the
 *                    body as it was decoded, "\n".  KIND is recording_kind_name; AT_MS is when its
 *                    scrape began, Unix milliseconds, never less than the one before; STATUS is
 *                    HTTP's, 0 when there was no whole answer (the body is empty then).
 *
 * One compressed stream, because a body differs little from the one before: it is flushed after
 * each scrape, so that a recording that was cut short can be read up to there.
 */
#ifndef LEAKWATCH_RECORDING_H
#define LEAKWATCH_RECORDING_H

#include "err.h"
#include "str.h"

#define RECORDING_VERSION  1
#define RECORDING_BODY_MAX (128u * 1024 * 1024) /* bytes of one body; a larger one is an error */

enum recording_kind {
	RECORDING_GOROUTINE, /* goroutine?debug=1 */
	RECORDING_METRICS,
	RECORDING_SYMBOL, /* an answer of /symbol, for the PCs not asked for before */
	RECORDING_INDEX, /* the page that lists the profiles */
	RECORDING_DEBUG2, /* goroutine?debug=2 */
	RECORDING_KINDS
};
const char *recording_kind_name(enum recording_kind k);

struct recording_about {
	const char *target, *pprof_path, *metrics_path; /* metrics_path: "" = none */
	uint64_t interval_ms;
	int64_t started_ms;
	uint64_t scrapes;
};

struct recording_entry {
	enum recording_kind kind;
	int64_t at_ms;
	int status;
	struct str body; /* until the next call */
};

/* ---- writing ----------------------------------------------------------------------------------
 */

struct recording_writer;

/* Makes dir when it is not there.  NULL with err, also when a recording is there already. */
struct recording_writer *recording_create(
	const char *dir, const struct recording_about *about, struct err *err);
/* An at_ms before that of the last entry becomes that. */
int recording_add(struct recording_writer *w, const struct recording_entry *entry, struct err *err);
/* Ends a scrape: what was added is on its way to the disk, recording.json counts it. */
int recording_flush(struct recording_writer *w, struct err *err);
/* Ends and frees; *bytes is the size of bodies.gz.  -1 with err when something is not written. */
int recording_close(struct recording_writer *w, uint64_t *bytes, struct err *err);

/* ---- reading ----------------------------------------------------------------------------------
 */

struct recording;

/* NULL with err when there is none, or one this program does not understand. */
struct recording *recording_open(const char *dir, struct err *err);
const struct recording_about *recording_about(const struct recording *r);
/* The next entry: 1; 0 at the end; -1 with err when the rest cannot be read (cut, or not ours). */
int recording_next(struct recording *r, struct recording_entry *out, struct err *err);
void recording_free(struct recording *r);

/* ---- pure parts -------------------------------------------------------------------------------
 */

struct buf;

/*
 * Appends a debug=2 dump with the argument words of its calls taken out, "main.f(0xc000012340,
 * 0x1)" becoming "main.f(...)": they are addresses and values of the recorded process.
 */
void recording_strip_arguments(struct str dump, struct buf *out);
/*
 * Appends a metrics body with the value of each process_start_time_seconds sample moved: a start at
 * S (Unix seconds) becomes to_s + (S - from_s) / speed, so that uptime passes as fast as everything
 * else does.
 */
void recording_shift_start(
	struct str metrics, double from_s, double to_s, double speed, struct buf *out);

#endif
