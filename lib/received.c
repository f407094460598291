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

		out[n++] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	out[n] = '\0';
	if (s.len >= size)
		memcpy(out + size - 4, "...", 4);
}

static bool is_binary(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != 0x1b && c != '\f')
			return true;
	}
	return false;
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

void received_what(struct str head, char *out, size_t size)
{
	struct str text = head, line;
	char begins[64];

	if (str_starts(text, STR("\xef\xbb\xbf")))
		text = str_from(text, 3);
	text = str_trim(without_http(text));
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
	} else if (text.p[0] == '<') {
		snprintf(out, size, "an HTML page or XML");
	} else if (text.p[0] == '{' ||
		   (text.p[0] == '[' && text.len > 1 && strchr("{[\"", text.p[1]))) {
		snprintf(out, size, "JSON");
	} else {
		str_line(&text, &line);
		received_excerpt(line, begins, sizeof(begins));
		snprintf(out, size, "text that begins with \"%s\"", begins);
	}
}
