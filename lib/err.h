/*
 * err: why something failed, as one complete sentence.  Layer 0.
 *
 * A fallible function returns 0 or -1 and takes `struct err *err` last.  The message is complete
 * ("cannot open /x: No such file or directory"), lower case, without a newline.  Whoever gets the
 * error either logs it or returns it, never both.
 *
 * The struct is meant to live on the caller's stack; nothing has to be released.  err may be NULL
 * everywhere: then the message is dropped.
 */
#ifndef LEAKWATCH_ERR_H
#define LEAKWATCH_ERR_H

#include "base.h"

/* Longest message in bytes with its NUL; a longer one is cut and ends in "...". */
#define ERR_MAX 512

struct err {
	char msg[ERR_MAX];
};

/* An empty error: `struct err err = ERR_INIT;`. */
#define ERR_INIT                                                                                   \
	{                                                                                          \
		.msg = ""                                                                          \
	}

/* Sets the message; always returns -1, so that `return err_set(err, ...)` reads well. */
int err_set(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "text: " in front of the message that is there; always returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif
