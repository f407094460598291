/*
 * cmd_backtest: the source of cmd_backtest.c that is a store.  Level 4.
 */
#ifndef LEAKWATCH_CMD_BACKTEST_H
#define LEAKWATCH_CMD_BACKTEST_H

#include "backtest.h"
#include "err.h"

/*
 * All that a daemon's store at path still has as raw samples: every live series of every target,
 * and the starts of its processes.  CMD_OK, or CMD_IO or CMD_DATA with err.
 */
int backtest_read_store(const char *path, struct backtest *b, struct err *err);

#endif
