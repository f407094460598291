/*
 * status: the daemon's own small HTTP server.  Level 3.
 *
 * GET and HEAD on one address, for a few readers at a time: Prometheus, a load balancer's check, a
 * person.  What it answers is the caller's; this bounds who may ask and for how long, so that a
 * slow or hostile client costs nobody anything:
 *
 * - at most STATUS_CONNECTIONS_MAX connections; a further one takes the place of the one that has
 *   been slowest to ask, and is closed when all of them are being answered;
 * - at most STATUS_HEAD_MAX bytes of request line and headers, within STATUS_HEAD_MS; no body;
 * - STATUS_WHOLE_MS for a connection in all, one request each (the answer says so);
 * - at most STATUS_OWED_MAX bytes of answers that readers have not taken yet.
 *
 * An answer that takes reading from a disk may come later (status_answer.later, status_finish),
 * while others are served.  Answers tell browsers to run no script and to load nothing.
 *
 * On a loopback address the Host header must name the loopback too, so that no page in a browser
 * can read it under a name of its own (DNS rebinding).  evhttp has neither the limit of connections
 * nor one for a whole request, so this speaks HTTP/1.1 (RFC 9112) by itself.
 *
 * Life cycle: status_new, which listens at once; status_free closes everything.
 */
#ifndef LEAKWATCH_STATUS_H
#define LEAKWATCH_STATUS_H

#include "buf.h"
#include "err.h"

#define STATUS_CONNECTIONS_MAX 64
#define STATUS_HEAD_MAX	       8192
#define STATUS_HEAD_MS	       5000
#define STATUS_WHOLE_MS	       30000
#define STATUS_OWED_MAX	       (64 * 1024 * 1024)

struct event_base;
struct status;

struct status_request {
	struct str path, query; /* as sent, not unescaped; query without its "?" */
};

struct status_answer {
	int status; /* 200 before the callback */
	const char *type; /* "text/plain; charset=utf-8" before */
	struct buf body; /* empty before; taken over */
	uint64_t token; /* given: of this request, never 0 */
	bool later; /* set: status_finish brings the answer; the rest is not looked at */
};

/* Fills the answer; called for every request that is well-formed and allowed. */
typedef void status_answer_cb(
	void *arg, const struct status_request *req, struct status_answer *out);

/*
 * The answer that was to come later, within STATUS_WHOLE_MS; the body is taken over.  False when
 * the client is gone meanwhile; the body is released then.
 */
bool status_finish(struct status *s, uint64_t token, struct status_answer *a);
/* Pure: the value of a key in a query, decoded; "" when there is none, or when the query is not
 * one.  out is emptied first. */
void status_query(struct str query, const char *key, struct buf *out);

struct status_stats {
	size_t connections; /* now */
	uint64_t requests; /* answered by the callback */
	uint64_t refused; /* answered 4xx by this module, or closed: too slow, too many */
};

/*
 * listen is "ADDRESS:PORT", "[V6]:PORT" (port 0: any free one), "localhost:PORT" or "unix:/path"; a
 * name is not looked up.  A socket that nobody listens on is replaced; its mode is 0660.  NULL with
 * err when the address is not one, or taken.
 */
struct status *status_new(struct event_base *base, const char *listen, status_answer_cb *answer,
	void *arg, struct err *err);
void status_free(struct status *s);
/* On a loopback address the host of that URL is taken as Host, too: a proxy's; "" takes it back. */
void status_allow(struct status *s, struct str url);
/* As given, with the port that is really used. */
const char *status_address(const struct status *s);
void status_stats(const struct status *s, struct status_stats *out);

/*
 * Pure: takes a request's head apart, up to its empty line.  0 when it is one that may be answered;
 * else the HTTP status that says why not.  host: the Host header without its port, "" when there is
 * none; head: whether the method is HEAD.  Slices of text.
 */
int status_parse(struct str text, struct status_request *out, struct str *host, bool *head);
/* Pure: the host of an http or https URL, without its port. */
struct str status_url_host(struct str url);
/* Pure: does this Host name the loopback? */
bool status_host_is_loopback(struct str host);

#endif
