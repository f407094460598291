/*
 * cmd_side: one of the two dumps of a comparison, read from a SOURCE.  Level 4.
 */
#ifndef LEAKWATCH_CMD_SIDE_H
#define LEAKWATCH_CMD_SIDE_H

#include "compare.h"

/*
 * Reads the last dump of the source into that side; what is missing from it is told on standard
 * error.  Returns the exit code; what went wrong has been told.
 */
int cmd_side_read(char **argv, struct compare *c, enum compare_side side, const char *source,
	struct gdump_stats *stats);

#endif
