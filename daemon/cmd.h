/*
 * cmd: what the commands share.  Level 4.
 *
 * One file a command (cmd_NAME.c), one function, one row in the table of main.c.  A command gets
 * its own words as argv ("leakwatch NAME" is argv[0], so that getopt_long's messages read well) and
 * returns the exit code; it neither exits nor changes signals it does not need.  main flushes
 * standard output afterwards and turns a failed write into CMD_IO.
 *
 * A command prints its result to standard output and everything else to standard error.  `--help`
 * prints its usage text and returns CMD_OK.  Names that come from outside are printed through
 * safe_add (lib/safe.h) or as JSON.
 */
#ifndef LEAKWATCH_CMD_H
#define LEAKWATCH_CMD_H

#include "base.h"
#include "err.h"

/* Exit codes: a contract, listed in leakwatch(1). */
enum cmd_exit {
	CMD_OK = 0, /* done */
	CMD_FAILED = 1, /* what was asked for failed: errors in a configuration, --fail-on-leak */
	CMD_USAGE = 2,
	CMD_DATA = 65, /* input not understood, or a store from a newer version */
	CMD_IO = 74, /* cannot read, write or connect */
	CMD_HELD = 75, /* another daemon holds the store */
	CMD_CONFIG = 78 /* configuration refused by run */
};

/* One line each, sorted; the table in main.c has the same rows. */
int cmd_ack(int argc, char **argv);
int cmd_alerts(int argc, char **argv);
int cmd_backtest(int argc, char **argv);
int cmd_backup(int argc, char **argv);
int cmd_check_config(int argc, char **argv);
int cmd_classes(int argc, char **argv);
int cmd_classify(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_history(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_silence(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_targets(int argc, char **argv);

/* "leakwatch NAME: text" and where help is, on standard error; returns CMD_USAGE. */
int cmd_usage(char **argv, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* "leakwatch NAME: message" on standard error; returns code. */
int cmd_error(int code, char **argv, const struct err *err);

/*
 * Index of the word in the list (NULL at its end), for `--format json` and the like; -1 after
 * telling, by cmd_usage, which words there are.
 */
int cmd_word(char **argv, const char *option, const char *given, const char *const *words);

#endif
