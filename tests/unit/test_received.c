/* received: what else a body may be, in the words of the message. */
#include "received.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define HTTP(status) "HTTP/1.1 " status "\r\nX-Go-Pprof: 1\r\n"

static const struct {
	struct str body;
	const char *what;
} rows[] = {
	/* nothing */
	{STR_LIT(""), "an empty body"},
	{STR_LIT(HTTP("200 OK") "\r\n"), "an empty body"},
	/* answers of net/http and net/http/pprof, bare and as curl -i saves them */
	{STR_LIT("404 page not found\n"),
		"the answer \"404 page not found\" (nothing is served at this path)"},
	{STR_LIT(HTTP("404 Not Found") "\r\nUnknown profile\n"),
		"the answer \"Unknown profile\" (this process has no such profile)"},
	{STR_LIT("seconds and debug params are incompatible\n"),
		"a refusal of the parameters seconds and debug together"},
	{STR_LIT("Method Not Allowed\n"), "text that begins with \"Method Not Allowed\""},
	{STR_LIT("<a href=\"/debug/pprof/\">Moved Permanently</a>.\n\n"),
		"a redirect to \"/debug/pprof/\""},
	{STR_LIT("<a href=\"https://sso/?a=b&amp;c\">Found</a>.\n"),
		"a redirect to \"https://sso/?a=b&amp;c\""},
	{STR_LIT(HTTP("302 Found") "Location: https://sso.example/\r\n\r\n<html>moved</html>"),
		"a redirect to \"https://sso.example/\""},
	/* a Location without a 3xx sends nowhere */
	{STR_LIT(HTTP("201 Created") "Location: /x\r\n\r\nok\n"), "text that begins with \"ok\""},
	{STR_LIT("num_symbols: 1\n0x1 main.f\n"), "what /debug/pprof/symbol answers"},
	{STR_LIT("./api\0-token\0secret"),
		"words set apart by NUL, as /debug/pprof/cmdline has them"},
	{STR_LIT("{\n\"cmdline\": [\"./api\"],\n\"memstats\": {"),
		"the JSON of expvar (/debug/vars)"},
	/* pages */
	{STR_LIT("<html>\n<head>\n<title>/debug/pprof/</title>"),
		"pprof's index page (the dump is below it)"},
	{STR_LIT("<!DOCTYPE html><html><head><title>\n Sign in\n</title>"),
		"an HTML page titled \"Sign in\""},
	{STR_LIT("<html><head><title>cut in the mid"), "an HTML page or XML"},
	{STR_LIT("<?xml version=\"1.0\"?>"), "an HTML page or XML"},
	{STR_LIT("<a href=\"/x\">read more</a>"), "an HTML page or XML"},
	/* JSON, with how it begins */
	{STR_LIT("{\"error\":\n\t\"no such host\"}"),
		"JSON that begins with \"{\"error\":  \"no such host\"}\""},
	{STR_LIT("{\"status\":\"success\",\"data\":{\"resultType\":\"matrix\""),
		"an answer of Prometheus's HTTP API (JSON)"},
	{STR_LIT("{\"status\":\"error\",\"errorType\":\"bad_data\""),
		"an error of Prometheus's HTTP API (JSON)"},
	{STR_LIT("{\"status\":\"ok\"}"), "JSON that begins with \"{\"status\":\"ok\"}\""},
	{STR_LIT("[{\"a\": 1}]"), "JSON that begins with \"[{\"a\": 1}]\""},
	{STR_LIT("[WARN] disk full"), "text that begins with \"[WARN] disk full\""},
	/* other profiles and files */
	{STR_LIT("heap profile: 1: 8 [2: 16] @ heap/1048576\n"), "a heap profile"},
	{STR_LIT("WARNING: DATA RACE\n"), "a report of the race detector"},
	{STR_LIT("\x1f\x8b\x08"), "gzip'd data (a debug=0 profile is saved so)"},
	{STR_LIT(HTTP("200 OK") "\r\n\x1f\x8b\x08"),
		"HTTP headers and then gzip'd data (save it without them)"},
	{STR_LIT("\x0a\x04\x08\x01"), "binary data (perhaps a debug=0 profile)"},
	{STR_LIT("abc\x01\x02"), "binary data"},
	/* what a stranger writes does not reach the terminal */
	{STR_LIT("hello\x1b[2J\xc3\xa9\n"), "text that begins with \"hello?[2J??\""},
	{STR_LIT("<title>\x1b]0;x\x07</title>"), "binary data"},
};

static void names_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char what[160];

		received_what(rows[i].body, what, sizeof(what));
		assert_string_equal(what, rows[i].what);
	}
}

/* Cut anywhere, in any room: no read outside, always ended. */
static void holds_its_room(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 0; n <= rows[i].body.len; n++) {
			for (size_t size = 4; size < 100; size += 19) {
				char *copy = str_dup(str_sub(rows[i].body, 0, n));
				char what[100];

				memset(what, 'x', sizeof(what));
				received_what(str_n(copy, n), what, size);
				assert_true(memchr(what, '\0', size) != NULL);
				free(copy);
			}
		}
	}
}

static void cuts_excerpts(void **state)
{
	char out[12];

	(void)state;
	received_excerpt(STR("short\ttext"), out, sizeof(out));
	assert_string_equal(out, "short text");
	received_excerpt(STR("twelve bytes"), out, sizeof(out));
	assert_string_equal(out, "twelve b...");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_each),
		cmocka_unit_test(holds_its_room),
		cmocka_unit_test(cuts_excerpts),
	};

	return cmocka_run_group_tests_name("received", tests, NULL, NULL);
}
