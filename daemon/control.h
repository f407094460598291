/*
 * control: a unix socket through which commands ask the daemon for something.  Level 3.
 *
 * One request a connection: one line of JSON in, one line of JSON out.  The socket's mode is 0660,
 * so its user and group may ask; who asks is what the kernel says (SO_PEERCRED), never what the
 * request says.  Bounded: CONTROL_CONNECTIONS at once, CONTROL_LINE bytes, CONTROL_MS for the whole
 * of it; the loop waits for none of them.
 *
 * Life cycle: control_new, control_free (which closes connections and removes the socket).
 */
#ifndef LEAKWATCH_CONTROL_H
#define LEAKWATCH_CONTROL_H

#include "buf.h"
#include "err.h"

#define CONTROL_CONNECTIONS 16
#define CONTROL_LINE	    32768
#define CONTROL_MS	    10000
#define CONTROL_SUFFIX	    ".sock" /* beside the store: FILE.sock */

struct event_base;
struct control;
struct control_request;

/* A request; it must be answered exactly once with control_answer, now or later.  uid is who asks.
 */
typedef void control_cb(void *arg, struct control_request *r, int64_t uid, struct str line);

/* NULL with err.  A socket that is there is taken for a dead daemon's: hold the store's lock. */
struct control *control_new(
	struct event_base *base, const char *path, control_cb *cb, void *arg, struct err *err);
void control_free(struct control *c);
/* Whoever asked may have gone, also because control_free was called: then nothing is sent. */
void control_answer(struct control_request *r, struct str line);

/* For commands: asks the daemon at the socket and waits for its answer, CONTROL_MS at most.  0, or
 * -1 with err. */
int control_ask(const char *path, struct str line, struct buf *answer, struct err *err);

#endif
