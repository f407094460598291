/*
 * fetch_job: what the parts of fetch share.  Level 3, private to daemon/fetch*.c.
 *
 * fetch.c owns jobs, the loop and curl's callbacks; fetch_setup.c turns a request into the options
 * of an easy handle; fetch_words.c turns how it ended into an enum and a sentence.
 */
#ifndef LEAKWATCH_FETCH_JOB_H
#define LEAKWATCH_FETCH_JOB_H

#include "fetch.h"

#include <curl/curl.h>

#define FETCH_HEADERS_MAX 65536 /* bytes of all header lines of an answer */
#define FETCH_ERROR_BODY_MAX                                                                       \
	65536 /* of a body nobody wants (not 2xx), read to keep the connection */
#define FETCH_REDIRECTS_MAX 5

struct fetch_job {
	struct fetch *fetch;
	struct fetch_job *prev, *next;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	bool (*on_body)(void *arg, const char *p, size_t n);
	void (*on_done)(void *arg, const struct fetch_result *r);
	void *arg;
	uint64_t timeout_ms, deadline_mono_ms, max_bytes;
	bool get; /* GET or HEAD: may follow any redirect */
	bool any_status;
	bool plain; /* http, not https */
	bool added; /* to the multi handle */
	bool cancelled; /* from within a body callback: removed as soon as curl returns */

	uint64_t header_bytes, unwanted_bytes;
	bool headers_too_large, stopped, too_large, enough; /* why the write was refused */
	bool retry_after_seen;
	int redirects;
	double earlier_ms; /* spent on the redirects before */
	struct fetch_result result;
	char error[CURL_ERROR_SIZE];
};

/* Sets every option of job->easy but the callbacks.  -1 with err: the request makes no sense. */
int fetch_setup(struct fetch_job *job, const struct fetch_request *req, struct err *err);
/* True when b has the scheme, host and port of a.  shown gets b without user, query and fragment.
 */
bool fetch_same_origin(const char *a, const char *b, char *shown, size_t size);

/* Fills job->result from how the transfer ended. */
void fetch_conclude(struct fetch_job *job, CURLcode code);
/* Copies src cut to size, everything but printable ASCII as '?'. */
void fetch_printable(char *dst, size_t size, const char *src);

#endif
