/*
 * callers: who called, where the goroutine itself does not tell.  Layer 1, pure.
 *
 * Each connection of net/http's client is two goroutines that were all created by dialConn, so of a
 * leak of connections neither stack nor creator names the culprit.  The goroutines that use them
 * do: those inside RoundTrip, which wait for a response, and those that read a body.  Their stacks
 * hold the code that called.
 */
#ifndef LEAKWATCH_CALLERS_H
#define LEAKWATCH_CALLERS_H

#include "stack.h"

enum caller_doing {
	CALLER_NONE, /* does nothing with an HTTP client */
	CALLER_WAITS, /* for a response: inside RoundTrip, dialling included */
	CALLER_READS, /* the body of a response */
	CALLER_DOINGS
};

/* "waits for a response", "reads a body"; "" for CALLER_NONE. */
const char *caller_doing_name(enum caller_doing d);

/*
 * What the goroutine does with an HTTP client (net/http, its HTTP/2, golang.org/x/net/http2), and
 * in *code the line that made it do so: the first frame of the service's own code beyond the
 * client, else where such code created the goroutine (debug=2; creator may be NULL), else the first
 * frame outside the standard library, else the goroutine's entry.  *code is s's, or creator.
 */
enum caller_doing caller_of(
	const struct stack *s, const struct frame *creator, const struct frame **code);

/*
 * Whether the frame is code of the service itself, as far as a path tells: not the standard
 * library's, and not a dependency's (…/pkg/mod/…@v1.2.3/…, …/vendor/…).  A frame without a file
 * counts as own when its function is outside the standard library.
 */
bool caller_is_own(const struct frame *f);
/* The first such frame, leaf first; NULL when there is none. */
const struct frame *caller_own_frame(const struct stack *s);

#endif
