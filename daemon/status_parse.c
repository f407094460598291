/* A request's head (RFC 9112), as far as a server of GET and HEAD needs it. */
#include "status.h"

#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_header(struct str name, const char *want)
{
	return name.len == strlen(want) && strncasecmp(name.p, want, name.len) == 0;
}

static struct str without_cr(struct str line)
{
	return line.len && line.p[line.len - 1] == '\r' ? str_sub(line, 0, line.len - 1) : line;
}

/* "127.0.0.1:9765", "[::1]:9765" or "localhost" without what follows the host. */
static struct str without_port(struct str host)
{
	ptrdiff_t end;

	if (host.len && host.p[0] == '[') {
		end = str_chr(host, ']');
		return end < 0 ? host : str_sub(host, 1, (size_t)end);
	}
	end = str_chr(host, ':');
	return end < 0 ? host : str_sub(host, 0, (size_t)end);
}

struct str status_url_host(struct str url)
{
	ptrdiff_t scheme = str_find(url, STR("://"));
	struct str host = scheme < 0 ? url : str_from(url, (size_t)scheme + 3);
	size_t n = 0;

	while (n < host.len && !memchr("/?#", host.p[n], 3))
		n++;
	return without_port(str_sub(host, 0, n));
}

bool status_host_is_loopback(struct str host)
{
	if (is_header(host, "localhost") || str_is(host, "::1"))
		return true;
	if (!str_starts(host, STR("127.")))
		return false;
	for (size_t i = 0; i < host.len; i++) {
		if (!strchr("0123456789.", host.p[i]))
			return false; /* 127.0.0.1.example.org is a name */
	}
	return true;
}

static int parse_target(struct str target, struct status_request *out)
{
	ptrdiff_t query;

	if (!target.len || target.p[0] != '/')
		return 400;
	for (size_t i = 0; i < target.len; i++) {
		if ((unsigned char)target.p[i] <= ' ' || (unsigned char)target.p[i] >= 127)
			return 400;
	}
	query = str_chr(target, '?');
	out->path = query < 0 ? target : str_sub(target, 0, (size_t)query);
	out->query = query < 0 ? str_n("", 0) : str_from(target, (size_t)query + 1);
	return 0;
}

static int parse_line(struct str line, struct status_request *out, bool *head, bool *needs_host)
{
	ptrdiff_t first = str_chr(line, ' '), last = str_rchr(line, ' ');
	struct str method, version;

	if (first <= 0 || last <= first)
		return 400;
	method = str_sub(line, 0, (size_t)first);
	version = str_from(line, (size_t)last + 1);
	if (!str_is(version, "HTTP/1.1") && !str_is(version, "HTTP/1.0"))
		return str_starts(version, STR("HTTP/")) ? 505 : 400;
	*needs_host = str_is(version, "HTTP/1.1");
	*head = str_is(method, "HEAD");
	if (!*head && !str_is(method, "GET"))
		return 405;
	return parse_target(str_sub(line, (size_t)first + 1, (size_t)last), out);
}

/* One header: counts those named Host, and refuses a body. */
static int parse_header(struct str line, struct str *host, size_t *hosts)
{
	ptrdiff_t colon = str_chr(line, ':');
	struct str name, value;

	if (colon <= 0 || line.p[0] == ' ' || line.p[0] == '\t' || line.p[colon - 1] == ' ')
		return 400;
	name = str_sub(line, 0, (size_t)colon);
	value = str_trim(str_from(line, (size_t)colon + 1));
	if (is_header(name, "Host")) {
		*host = without_port(value);
		*hosts += 1;
	}
	if (is_header(name, "Transfer-Encoding") ||
		(is_header(name, "Content-Length") && !str_is(value, "0")))
		return 400;
	return 0;
}

int status_parse(struct str text, struct status_request *out, struct str *host, bool *head)
{
	struct str line;
	size_t hosts = 0;
	bool needs_host;
	int status;

	*host = str_n("", 0);
	*head = false;
	if (memchr(text.p, '\0', text.len) || !str_line(&text, &line))
		return 400;
	status = parse_line(without_cr(line), out, head, &needs_host);
	while (status == 0 && str_line(&text, &line)) {
		line = without_cr(line);
		if (!line.len)
			break;
		status = parse_header(line, host, &hosts);
	}
	if (status == 0 && (hosts > 1 || (needs_host && hosts == 0)))
		status = 400;
	return status;
}

void status_query(struct str query, const char *key, struct buf *out)
{
	struct evkeyvalq pairs;
	char *text = str_dup(query);
	const char *value;

	buf_reset(out);
	/* On error it leaves the list empty. */
	if (evhttp_parse_query_str(text, &pairs) == 0) {
		value = evhttp_find_header(&pairs, key);
		buf_adds(out, value ? value : "");
		evhttp_clear_headers(&pairs);
	}
	free(text);
}
