/*
 * fetch: HTTP requests on the event loop.  Level 3; the one home of curl/curl.h.
 *
 * libcurl's multi-socket interface on libevent: nothing here ever blocks, names are resolved by
 * curl's own threads.  Only http and https, also after a redirect, and redirects only to the same
 * host and port; no proxy and no .netrc from the environment.  Bodies are pushed to the caller as
 * they come and are never kept here; decoded bytes are counted against a limit, which also holds
 * for chunked and compressed bodies.
 *
 * Life cycle: fetch_new, then fetch_start for each request; on_done is called exactly once for each
 * unless it was cancelled, never from within fetch_start.  fetch_free cancels what is under way;
 * not from within a callback. Connections are kept alive and reused per host.
 */
#ifndef LEAKWATCH_FETCH_H
#define LEAKWATCH_FETCH_H

#include "base.h"
#include "err.h"
#include "str.h"

struct event_base;
struct fetch;
struct fetch_job;

/* Why a request ended; for status lines and metrics.  fetch_end_name() beside. */
enum fetch_end {
	FETCH_OK, /* a whole answer, whatever its status code */
	FETCH_REFUSED, /* cannot connect */
	FETCH_RESOLVE, /* the host has no address */
	FETCH_TIMEOUT,
	FETCH_TOO_LARGE, /* more than max_bytes decoded bytes */
	FETCH_CUT, /* ended before it was whole: reset, wrong length, no last chunk */
	FETCH_TLS,
	FETCH_REDIRECT, /* to another host, to another scheme, or too many */
	FETCH_PROTOCOL, /* not HTTP, or not decodable */
	FETCH_STOPPED, /* on_body said stop */
	FETCH_ENDS
};
const char *fetch_end_name(enum fetch_end e);

struct fetch_result {
	enum fetch_end end;
	int status; /* HTTP status; 0 when there was none */
	char why[256]; /* one sentence for people; "" when end is OK; printable only */
	char content_type[96]; /* printable only; "" when there was none */
	bool kept; /* end is OK, and no new connection was needed for it */
	uint64_t bytes; /* decoded body bytes pushed */
	double took_ms; /* the whole request */
	double first_byte_ms; /* until the first byte of the answer */
	double retry_after_s; /* of a Retry-After header, seconds or date; NAN when there was none
			       */
};

struct fetch_request {
	const char *url;
	const char *unix_socket; /* connect there instead, or NULL */
	const char *method; /* NULL: GET, or POST when there is a body */
	const char *const *headers; /* "Name: value", NULL at the end; or NULL */
	struct str body; /* copied */
	uint64_t timeout_ms; /* of the whole request */
	uint64_t max_bytes; /* decoded body bytes */
	const char *username, *password; /* basic; or NULL */
	const char *ca_file, *cert_file, *key_file, *server_name; /* TLS; or NULL */
	bool insecure_skip_verify;
	/* A piece of the body, only of 2xx answers unless any_status; false stops the request. */
	bool (*on_body)(void *arg, const char *p, size_t n);
	bool any_status;
	void (*on_done)(void *arg, const struct fetch_result *r);
	void *arg;
};

struct fetch *fetch_new(struct event_base *base, struct err *err);
void fetch_free(struct fetch *f);
/* Everything in *req is copied.  NULL with err when the request makes no sense (a bad URL). */
struct fetch_job *fetch_start(struct fetch *f, const struct fetch_request *req, struct err *err);
/* No callback comes any more; job is gone.  Not from within its own on_done. */
void fetch_cancel(struct fetch_job *job);
size_t fetch_active(const struct fetch *f);

#endif
