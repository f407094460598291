/*
 * cmd_source: what the offline commands read.  Level 4.
 *
 * A SOURCE is a file, "-" for standard input, or an http(s) URL.  Whatever it is, its bytes are
 * mended (lib/mend.h) and pushed into the parser as they come; nothing is kept, but the answer of a
 * target's goroutine page until the target has named the hidden frames.  What takes longer than a
 * second shows its progress where standard error is a terminal.
 */
#ifndef LEAKWATCH_CMD_SOURCE_H
#define LEAKWATCH_CMD_SOURCE_H

#include "classify.h"
#include "config.h"
#include "gdump.h"
#include "symbols.h"

#define CMD_SOURCE_MAX_BYTES  ((uint64_t)4 << 30) /* decoded, of a URL */
#define CMD_SOURCE_TIMEOUT_MS 60000
#define CMD_SOURCE_KEEP_BYTES ((size_t)64 << 20) /* a larger answer is parsed without names */

/*
 * Reads one source to its end.  CMD_OK, CMD_IO (err: cannot open, read or connect) or CMD_DATA
 * (err: it is no goroutine dump, and what it is).  A URL without a path, or of the pprof index, is
 * asked for its goroutine page with debug=1, which does not stop the target; of such a page the
 * target is asked for the names of hidden frames, into symbols, before g is fed.  An answer that
 * ended early is a dump that is cut.  Progress is shown from a second after began_ms on
 * (clock_mono_ms), when the command began: of many sources none may take so long.  mended, unless
 * NULL, gets the words of what was mended.
 */
int cmd_source_read(const char *source, uint64_t began_ms, struct gdump *g, struct symbols *symbols,
	struct buf *mended, struct err *err);

/* Tells on standard error what is missing from a dump that was read: cut, lost, unreadable. */
void cmd_source_warn(char **argv, const char *source, const struct gdump_stats *s);

/*
 * The configuration of -c FILE, or the defaults (with the built-in rules) when file is NULL, and
 * its rules ready for use.  CMD_OK, CMD_FAILED after telling what is wrong, or CMD_IO.
 */
int cmd_source_rules(
	char **argv, const char *file, struct config **config, struct classifier **classifier);

#endif
