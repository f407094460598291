/*
 * cmd_dumps: the dumps of a SOURCE, each summed up in a report.  Level 4.
 *
 * A file may hold several dumps, one after the other.  The last one is the answer to "what is
 * there"; all of them, in their order, are there for who asks.
 */
#ifndef LEAKWATCH_CMD_DUMPS_H
#define LEAKWATCH_CMD_DUMPS_H

#include "classify.h"
#include "compare.h"
#include "report.h"

struct cmd_dump {
	const char *source;
	unsigned number; /* in its source, from 1 */
	bool last;
	const struct gdump_stats *stats;
	const char *mended; /* words of what was mended, known with the last one; else "" */
};

struct cmd_dumps {
	char **argv;
	uint64_t began_ms; /* of the command, for its progress */
	const struct classifier *classifier;
	bool stacks; /* report_new's */
	bool all; /* hand out all of them, not the last one only */
	/* A report, ended; freed after the call. */
	void (*take)(void *arg, struct report *r, const struct cmd_dump *d);
	void *arg;
	/* With a baseline, else NULL: also gets the groups, as its new side; take is called after
	 * it was told the end. */
	struct compare *compare;
	const struct gdump_stats *baseline_stats; /* of its old side */
};

/*
 * Reads a source and hands out its dumps; what is missing from them is told on standard error.
 * Returns the exit code; what went wrong has been told.
 */
int cmd_dumps_read(const struct cmd_dumps *how, const char *source);

/* "input" for standard input, else the source itself. */
const char *cmd_dumps_name(const char *source);
/* The lines for report_view.note: which dump of the file it is, and what was mended. */
void cmd_dumps_note(const struct cmd_dump *d, struct buf *out);

#endif
