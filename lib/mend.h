/*
 * mend: takes the damage out of a goroutine dump before it is parsed.  Layer 1.
 *
 * Dumps that people keep have been through logs, terminals, mail and wikis.  This is the filter for
 * the offline commands: bytes in as they are, the dump's own lines out, each with the number of the
 * input line it came from.  It takes out gzip, UTF-16, byte order marks, terminal colours, HTML,
 * no-break spaces; the records and prefixes of Docker (json-file), CRI, journald, syslog, compose,
 * kubectl and any other logger whose prefix differs in its digits only; quotation and indentation;
 * a dump inside a string with \n and \t (JSON, logfmt); lines that were wrapped or double-spaced;
 * frames of debug=1 whose columns, or whose file, stand on lines of their own;
 * "#" that Markdown ate.  Lines of others between a function and its place are put behind both.
 *
 * What is not damaged goes through as it is, binary data (a debug=0 profile) too.  It does not
 * parse: what it does not understand is left to gdump, which counts it.  The daemon never uses it:
 * what a target answers is not mended but counted.
 *
 * Life cycle: mend_new, mend_feed with pieces cut anywhere, mend_finish once, mend_free.
 * Memory is bounded by MEND_LINE_MAX bytes of a line, whatever the size of the input; a dump that
 * is one escaped line of any length is taken apart as it comes.
 *
 * Which damage there is: go-formats, section 6; CRI: Kubernetes, pkg/kubelet/kuberuntime/logs.
 */
#ifndef LEAKWATCH_MEND_H
#define LEAKWATCH_MEND_H

#include "buf.h"
#include "err.h"

#define MEND_LINE_MAX	(1024 * 1024) /* a longer line goes through as it is */
#define MEND_PREFIX_MAX 256 /* bytes of a log prefix */
#define MEND_JOIN_MAX	3 /* pieces that one wrapped line may have had after its first */
#define MEND_JUNK_MAX	16 /* lines of others that are put behind a frame */
#define MEND_GZIP_MAX	((uint64_t)4 << 30) /* bytes that come out of gzip */

enum mend_what { /* bits of mend_done() */
	MEND_GZIP = 1,
	MEND_UTF16 = 2,
	MEND_COLOURS = 4,
	MEND_HTML = 8,
	MEND_NBSP = 16,
	MEND_RECORDS = 32, /* Docker, CRI, journald's JSON */
	MEND_PREFIXES = 64,
	MEND_ESCAPES = 128,
	MEND_WRAPS = 256,
	MEND_BLANKS = 512, /* double-spaced */
	MEND_HASHES = 1024,
	MEND_OTHERS = 2048 /* lines of others inside a stack */
};

struct mend_sink {
	/*
	 * Mended text: whole lines with their newlines (the last one of the input may lack it), or
	 * binary data in pieces.  line is the input's line that the first of them came from, from
	 * 1; each further one is one line on.
	 */
	void (*out)(void *arg, const char *p, size_t n, uint32_t line);
	void *arg;
};

struct mend;

struct mend *mend_new(const struct mend_sink *sink);
void mend_free(struct mend *m);
void mend_feed(struct mend *m, const char *p, size_t n);
/* The end of the input: the lines still held come out.  -1: a gzip that is broken, cut or too
 * large; what came before it was handed out. */
int mend_finish(struct mend *m, struct err *err);

/* What was mended: bits of enum mend_what. */
unsigned mend_done(const struct mend *m);
/* The same in words, "log prefixes, wrapped lines"; "" when nothing was. */
void mend_words(unsigned done, struct buf *out);
/* Lines left out because they do not belong to the log that the dump is in. */
uint64_t mend_foreign(const struct mend *m);

#endif
