/*
 * cmd_record: what the command line and the recording itself share.  Level 4, private to
 * daemon/cmd_record*.c.
 */
#ifndef LEAKWATCH_CMD_RECORD_H
#define LEAKWATCH_CMD_RECORD_H

#include "base.h"

struct record_options {
	const char *out, *target, *pprof_path, *metrics_path, *metrics_address;
	char *scheme, *address, *path; /* of a target that is a URL */
	uint64_t interval_ms, for_ms;
	bool raw;
};

/* Records until the time is up or a signal comes; tells about it and returns the exit code. */
int cmd_record_run(char **argv, const struct record_options *options);

#endif
