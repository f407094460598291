/*
 * cmd_backtest: reading a history, for cmd_backtest.c and cmd_import.c.  Level 4.
 */
#ifndef LEAKWATCH_CMD_BACKTEST_H
#define LEAKWATCH_CMD_BACKTEST_H

#include "backtest.h"
#include "err.h"

struct config;

/*
 * All that a daemon's store at path still has as raw samples: every live series of every target,
 * and the starts of its processes.  CMD_OK, or CMD_IO or CMD_DATA with err.
 */
int backtest_read_store(const char *path, struct backtest *b, struct err *err);

/*
 * OpenMetrics text or what `promtool tsdb dump` prints, gzip'd or not, "-" for standard input, or a
 * store; lines that are not understood are told on standard error.  CMD_OK, or another exit code
 * with err, also when it is no history: no series to be judged, or times that cannot be seconds.
 */
int backtest_read_history(const char *path, struct backtest *b, struct err *err);
/* The file's configuration, or the default one without a path; NULL with *code after telling why.
 */
struct config *backtest_load_config(const char *path, int *code);

#endif
