#include "received.h"

#include <stdio.h>
#include <string.h>

/* What a body begins with, and what that is. */
static const struct {
	const char *begins, *what;
} known[] = {
	{"\x1f\x8b", "gzip'd data (a debug=0 profile is saved so)"},
	{"\x28\xb5\x2f\xfd", "zstd-compressed data"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\xff\xfe", "UTF-16 text"},
	{"\xfe\xff", "UTF-16 text"},
	{"heap profile: ", "a heap profile"},
	{"--- mutex:", "a mutex profile"},
	{"--- contention:", "a block profile"},
	{"goroutine profile: total ", "a goroutine profile (debug=1)"},
	{"goroutineleak profile: total ", "a goroutine leak profile (debug=1)"},
	{"threadcreate profile: total ", "a threadcreate profile (debug=1)"},
	{"goroutine ", "a goroutine dump (debug=2)"},
	{"# HELP ", "Prometheus metrics"},
	{"# TYPE ", "Prometheus metrics"},
	{"Unknown profile", "the answer \"Unknown profile\" (this process has no such profile)"},
	{"404 page not found",
		"the answer \"404 page not found\" (nothing is served at this path)"},
	{"401 ", "the answer \"401\" (credentials are wanted)"},
	{"403 ", "the answer \"403\" (access is forbidden)"},
	{"seconds and debug params", "a refusal of the parameters seconds and debug together"},
	{"Could not enable CPU profiling", "a CPU profiler's error text"},
	{"go 1.", "an execution trace"},
	{"num_symbols: ", "what /debug/pprof/symbol answers"},
	{"WARNING: DATA RACE", "a report of the race detector"},
	{"{\"status\":\"success\",\"data\":", "an answer of Prometheus's HTTP API (JSON)"},
	{"{\"status\":\"error\",\"errorType\":", "an error of Prometheus's HTTP API (JSON)"},
	{"%!PS", "PostScript"},
	{"%PDF", "a PDF document"},
	{"\x7f"
	 "ELF",
		"an ELF program"},
};

void received_excerpt(struct str s, char *out, size_t size)
{
	size_t n = 0;

	while (n < s.len && n < size - 1) {
		unsigned char c = (unsigned char)s.p[n];
		bool blank = c == '\t' || c == '\n' || c == '\r';

		out[n++] = blank ? ' ' : c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[n] = '\0';
	if (s.len >= size)
		memcpy(out + size - 4, "...", 4);
}

/* Control characters that no text holds; NUL is asked for by itself. */
static bool is_binary(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c && c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != 0x1b && c != '\f')
			return true;
	}
	return false;
}

/* What stands between the two words in s, or nothing. */
static struct str between(struct str s, struct str before, struct str after)
{
	ptrdiff_t at = str_find(s, before), end;

	if (at < 0)
		return str_n(s.p, 0);
	s = str_from(s, (size_t)at + before.len);
	end = str_find(s, after);
	return end < 0 ? str_n(s.p, 0) : str_trim(str_sub(s, 0, (size_t)end));
}

static void quote(const char *what, struct str s, char *out, size_t size)
{
	char excerpt[72];

	received_excerpt(s, excerpt, sizeof(excerpt));
	snprintf(out, size, "%s \"%s\"", what, excerpt);
}

/* net/http's Redirect writes <a href="WHERE">Moved Permanently</a>. and nothing else. */
static bool is_redirect(struct str text)
{
	static const char *const words[] = {"Moved Permanently</a>", "Found</a>", "See Other</a>",
		"Temporary Redirect</a>", "Permanent Redirect</a>"};

	for (size_t i = 0; str_starts(text, STR("<a href=\"")) && i < ARRAY_LEN(words); i++) {
		if (str_find(text, str_of(words[i])) > 0)
			return true;
	}
	return false;
}

static void what_html(struct str text, char *out, size_t size)
{
	struct str title = between(text, STR("<title>"), STR("</title>"));

	if (is_redirect(text))
		quote("a redirect to", between(text, STR("href=\""), STR("\"")), out, size);
	else if (str_is(title, "/debug/pprof/"))
		snprintf(out, size, "pprof's index page (the dump is below it)");
	else if (title.len)
		quote("an HTML page titled", title, out, size);
	else
		snprintf(out, size, "an HTML page or XML");
}

/* The part behind the headers of a saved HTTP answer, or head itself. */
static struct str without_http(struct str head)
{
	ptrdiff_t at;

	if (!str_starts(head, STR("HTTP/1.")) && !str_starts(head, STR("HTTP/2")))
		return head;
	at = str_find(head, STR("\r\n\r\n"));
	if (at >= 0)
		return str_from(head, (size_t)at + 4);
	at = str_find(head, STR("\n\n"));
	return at >= 0 ? str_from(head, (size_t)at + 2) : head;
}

/* A saved answer that sends elsewhere: its header tells where. */
static bool what_redirect(struct str head, char *out, size_t size)
{
	struct str where = between(head, STR("\nLocation: "), STR("\n"));

	if (!str_starts(head, STR("HTTP/")) || where.len == 0 ||
		!str_starts(str_sub(head, 8, 10), STR(" 3")))
		return false;
	quote("a redirect to", where, out, size);
	return true;
}

void received_what(struct str head, char *out, size_t size)
{
	struct str text = head, line;

	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_from(text, 3);
	if (what_redirect(text, out, size))
		return;
	text = without_http(text);
	if (text.p != head.p && str_starts(text, STR("\x1f\x8b"))) {
		snprintf(out, size, "HTTP headers and then gzip'd data (save it without them)");
		return;
	}
	text = str_trim(text);
	if (text.len == 0) {
		snprintf(out, size, "an empty body");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_starts(text, str_of(known[i].begins))) {
			snprintf(out, size, "%s", known[i].what);
			return;
		}
	}
	if (is_binary(text)) {
		bool profile = head.p[0] == 0x0a || head.p[0] == 0x5a;

		snprintf(out, size, "%s",
			profile ? "binary data (perhaps a debug=0 profile)" : "binary data");
	} else if (memchr(text.p, '\0', text.len)) {
		snprintf(out, size, "words set apart by NUL, as /debug/pprof/cmdline has them");
	} else if (text.p[0] == '<') {
		what_html(text, out, size);
	} else if (str_find(text, STR("\"cmdline\": [")) > 0) {
		snprintf(out, size, "the JSON of expvar (/debug/vars)");
	} else if (text.p[0] == '{' ||
		   (text.p[0] == '[' && text.len > 1 && strchr("{[\"", text.p[1]))) {
		quote("JSON that begins with", text, out, size);
	} else {
		str_line(&text, &line);
		quote("text that begins with", line, out, size);
	}
}
