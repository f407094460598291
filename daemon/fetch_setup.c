#include "fetch_job.h"
#include "xalloc.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
	char *s = NULL;

	return curl_url_get(u, what, &s, flags) == CURLUE_OK ? s : NULL;
}

static bool same_part(CURLU *a, CURLU *b, CURLUPart what)
{
	char *x = part(a, what, CURLU_DEFAULT_PORT), *y = part(b, what, CURLU_DEFAULT_PORT);
	bool same = x && y && strcasecmp(x, y) == 0;

	curl_free(x);
	curl_free(y);
	return same;
}

bool fetch_same_origin(const char *a, const char *b, char *shown, size_t size)
{
	CURLU *x = curl_url(), *y = curl_url();
	bool same = false;
	char *text;

	fetch_printable(shown, size, "an address that cannot be read");
	if (x && y && curl_url_set(x, CURLUPART_URL, a, 0) == CURLUE_OK &&
		curl_url_set(y, CURLUPART_URL, b, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK) {
		same = same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
		       same_part(x, y, CURLUPART_PORT);
		curl_url_set(y, CURLUPART_USER, NULL, 0);
		curl_url_set(y, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(y, CURLUPART_QUERY, NULL, 0);
		curl_url_set(y, CURLUPART_FRAGMENT, NULL, 0);
		text = part(y, CURLUPART_URL, 0);
		if (text)
			fetch_printable(shown, size, text);
		curl_free(text);
	}
	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return same;
}

static bool one_line(const char *s)
{
	return s[strcspn(s, "\r\n")] == '\0';
}

static void add_header(struct fetch_job *job, const char *line)
{
	struct curl_slist *list = curl_slist_append(job->headers, line);

	if (list)
		job->headers = list;
}

static int set_headers(struct fetch_job *job, const struct fetch_request *req, struct err *err)
{
	for (size_t i = 0; req->headers && req->headers[i]; i++) {
		if (!one_line(req->headers[i]))
			return err_set(err, "header %zu has a line break in it", i + 1);
		add_header(job, req->headers[i]);
	}
	add_header(job, "Expect:"); /* no 100-continue: a body is sent at once */
	return 0;
}

/*
 * The certificate is checked, and SNI sent, for server_name while the connection goes to the URL's
 * host: curl does that when the URL has the name and CONNECT_TO the host.
 */
static int set_server_name(struct fetch_job *job, CURLU *u, const char *name, struct err *err)
{
	char *host = part(u, CURLUPART_HOST, 0);
	char *port = part(u, CURLUPART_PORT, CURLU_DEFAULT_PORT);
	char *line, *url = NULL;
	int rc = -1;

	if (!host || !port || curl_url_set(u, CURLUPART_HOST, name, 0) != CURLUE_OK ||
		!(url = part(u, CURLUPART_URL, 0))) {
		err_set(err, "server name \"%.100s\" is not a host name", name);
	} else {
		line = xasprintf("%s:%s:%s:%s", name, port, host, port);
		job->connect_to = curl_slist_append(NULL, line);
		free(line);
		line = xasprintf("Host: %s:%s", host, port);
		add_header(job, line);
		free(line);
		curl_easy_setopt(job->easy, CURLOPT_CONNECT_TO, job->connect_to);
		curl_easy_setopt(job->easy, CURLOPT_URL, url);
		rc = 0;
	}
	curl_free(host);
	curl_free(port);
	curl_free(url);
	return rc;
}

static int set_url(struct fetch_job *job, const struct fetch_request *req, struct err *err)
{
	char shown[200], *scheme = NULL;
	CURLU *u = curl_url();
	CURLUcode rc = CURLUE_OUT_OF_MEMORY;
	int ret = -1;

	fetch_printable(shown, sizeof(shown), req->url);
	if (u)
		rc = curl_url_set(u, CURLUPART_URL, req->url, 0);
	if (rc != CURLUE_OK) {
		err_set(err, "\"%s\" is not an address: %s", shown, curl_url_strerror(rc));
		goto out;
	}
	scheme = part(u, CURLUPART_SCHEME, 0);
	if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)) {
		err_set(err, "\"%s\" begins with neither http:// nor https://", shown);
		goto out;
	}
	job->plain = strcmp(scheme, "http") == 0;
	curl_easy_setopt(job->easy, CURLOPT_URL, req->url);
	if (req->server_name && *req->server_name && !job->plain)
		ret = set_server_name(job, u, req->server_name, err);
	else
		ret = 0;
out:
	curl_free(scheme);
	curl_url_cleanup(u);
	return ret;
}

static int set_unix_socket(struct fetch_job *job, const char *path, struct err *err)
{
	size_t room = sizeof(((struct sockaddr_un *)NULL)->sun_path);

	if (!path)
		return 0;
	if (strlen(path) >= room)
		return err_set(err, "the path of a unix socket has at most %zu bytes, not %zu",
			room - 1, strlen(path));
	curl_easy_setopt(job->easy, CURLOPT_UNIX_SOCKET_PATH, path);
	return 0;
}

static void set_method(struct fetch_job *job, const struct fetch_request *req)
{
	const char *method = req->method ? req->method : req->body.p ? "POST" : "GET";

	job->get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
	if (req->body.p) {
		curl_easy_setopt(job->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len);
		curl_easy_setopt(job->easy, CURLOPT_COPYPOSTFIELDS, req->body.p);
	}
	if (strcmp(method, "HEAD") == 0)
		curl_easy_setopt(job->easy, CURLOPT_NOBODY, 1L);
	else if (strcmp(method, "GET") != 0 || req->body.p)
		curl_easy_setopt(job->easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_tls(CURL *easy, const struct fetch_request *req)
{
	if (req->ca_file)
		curl_easy_setopt(easy, CURLOPT_CAINFO, req->ca_file);
	if (req->cert_file)
		curl_easy_setopt(easy, CURLOPT_SSLCERT, req->cert_file);
	if (req->key_file)
		curl_easy_setopt(easy, CURLOPT_SSLKEY, req->key_file);
	if (req->insecure_skip_verify) {
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

int fetch_setup(struct fetch_job *job, const struct fetch_request *req, struct err *err)
{
	CURL *easy = job->easy;
	long timeout_ms = (long)MIN(req->timeout_ms, (uint64_t)INT_MAX);

	/* Nothing from the environment, nothing but HTTP, no signals, no joining of resolver
	 * threads: without QUICK_EXIT a name server that is silent stops the loop for seconds. */
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	curl_easy_setopt(easy, CURLOPT_PROXY, "");
	curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	/* Redirects are followed by fetch.c, which looks where they lead. */
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	curl_easy_setopt(easy, CURLOPT_USERAGENT, "leakwatch/" LEAKWATCH_VERSION);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, job->error);
	if (req->username) {
		curl_easy_setopt(easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		curl_easy_setopt(easy, CURLOPT_USERNAME, req->username);
		curl_easy_setopt(easy, CURLOPT_PASSWORD, req->password ? req->password : "");
	}
	set_tls(easy, req);
	set_method(job, req);
	if (set_headers(job, req, err) < 0 || set_unix_socket(job, req->unix_socket, err) < 0 ||
		set_url(job, req, err) < 0)
		return -1;
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, job->headers);
	return 0;
}
