#include "fetch_job.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const end_names[FETCH_ENDS] = {
	[FETCH_OK] = "ok",
	[FETCH_REFUSED] = "refused",
	[FETCH_RESOLVE] = "resolve",
	[FETCH_TIMEOUT] = "timeout",
	[FETCH_TOO_LARGE] = "too_large",
	[FETCH_CUT] = "cut",
	[FETCH_TLS] = "tls",
	[FETCH_REDIRECT] = "redirect",
	[FETCH_PROTOCOL] = "protocol",
	[FETCH_STOPPED] = "stopped",
};

const char *fetch_end_name(enum fetch_end e)
{
	return e < FETCH_ENDS ? end_names[e] : "unknown";
}

void fetch_printable(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; src && *src && n + 1 < size; src++)
		dst[n++] = *src >= ' ' && *src <= '~' ? *src : '?';
	dst[n] = '\0';
}

static enum fetch_end end_of(const struct fetch_job *job, CURLcode code)
{
	if (job->too_large)
		return FETCH_TOO_LARGE;
	if (job->stopped)
		return FETCH_STOPPED;
	if (job->headers_too_large)
		return FETCH_PROTOCOL;
	if (job->enough)
		return FETCH_OK;
	switch (code) {
	case CURLE_OK:
		return FETCH_OK;
	case CURLE_COULDNT_CONNECT:
		return FETCH_REFUSED;
	case CURLE_COULDNT_RESOLVE_HOST:
		return FETCH_RESOLVE;
	case CURLE_OPERATION_TIMEDOUT:
		return FETCH_TIMEOUT;
	case CURLE_RECV_ERROR:
		return strstr(job->error, "chunked-encoding") ? FETCH_PROTOCOL : FETCH_CUT;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
		return FETCH_CUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_INVALIDCERTSTATUS:
	case CURLE_USE_SSL_FAILED:
		return FETCH_TLS;
	default:
		return FETCH_PROTOCOL;
	}
}

static void word_timeout(const struct fetch_job *job, char *why, size_t size)
{
	curl_off_t connected = 0;

	curl_easy_getinfo(job->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (job->result.bytes)
		snprintf(why, size, "not whole after %" PRIu64 " ms: %" PRIu64 " bytes until then",
			job->timeout_ms, job->result.bytes);
	else if (job->header_bytes)
		snprintf(why, size, "no body within %" PRIu64 " ms", job->timeout_ms);
	else if (connected)
		snprintf(why, size, "connected, but no answer within %" PRIu64 " ms",
			job->timeout_ms);
	else
		snprintf(why, size, "no connection within %" PRIu64 " ms", job->timeout_ms);
}

static void word(const struct fetch_job *job, CURLcode code, char *why, size_t size)
{
	char curl[160];

	fetch_printable(curl, sizeof(curl), job->error[0] ? job->error : curl_easy_strerror(code));
	switch (job->result.end) {
	case FETCH_OK:
		*why = '\0';
		break;
	case FETCH_REFUSED:
		snprintf(why, size, "nobody listens there: %s", curl);
		break;
	case FETCH_RESOLVE:
		snprintf(why, size, "the host name has no address: %s", curl);
		break;
	case FETCH_TIMEOUT:
		word_timeout(job, why, size);
		break;
	case FETCH_TOO_LARGE:
		snprintf(why, size, "the body is larger than %" PRIu64 " bytes", job->max_bytes);
		break;
	case FETCH_CUT:
		if (job->header_bytes == 0)
			snprintf(why, size, "closed the connection without an answer%s: %s",
				job->plain ? " (if the port speaks TLS, set scheme: https)" : "",
				curl);
		else
			snprintf(why, size,
				"the answer ended early, after %" PRIu64 " bytes of body: %s",
				job->result.bytes, curl);
		break;
	case FETCH_TLS:
		snprintf(why, size, "TLS: %s%s", curl,
			strstr(curl, "wrong version number")
				? " (the server speaks plain HTTP: set scheme: http)"
				: "");
		break;
	case FETCH_STOPPED:
		snprintf(why, size, "stopped after %" PRIu64 " bytes", job->result.bytes);
		break;
	default:
		if (job->headers_too_large)
			snprintf(why, size, "the answer's headers are larger than %d bytes",
				FETCH_HEADERS_MAX);
		else
			snprintf(why, size, "the answer is not proper HTTP: %s", curl);
	}
}

void fetch_conclude(struct fetch_job *job, CURLcode code)
{
	struct fetch_result *r = &job->result;
	curl_off_t total = 0, first = 0, retry = 0;
	char *type = NULL;
	long status = 0, connects = 0;

	curl_easy_getinfo(job->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(job->easy, CURLINFO_NUM_CONNECTS, &connects);
	curl_easy_getinfo(job->easy, CURLINFO_TOTAL_TIME_T, &total);
	curl_easy_getinfo(job->easy, CURLINFO_STARTTRANSFER_TIME_T, &first);
	curl_easy_getinfo(job->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(job->easy, CURLINFO_RETRY_AFTER, &retry);
	r->status = (int)status;
	r->took_ms = job->earlier_ms + (double)total / 1000;
	r->first_byte_ms = job->earlier_ms + (double)first / 1000;
	r->retry_after_s = job->retry_after_seen ? (double)retry : NAN;
	fetch_printable(r->content_type, sizeof(r->content_type), type);
	r->end = end_of(job, code);
	r->kept = r->end == FETCH_OK && connects == 0;
	word(job, code, r->why, sizeof(r->why));
}
