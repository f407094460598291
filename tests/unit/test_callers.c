/* callers: what a goroutine does with an HTTP client, and whose code made it do so. */
#include "callers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#define FRAMES 10

static const struct {
	const char *what;
	enum caller_doing doing;
	const char *code; /* the function that is told; "" for none */
	const char *creator; /* "func file", or NULL */
	const char *frames[FRAMES]; /* "func file", leaf first */
} rows[] = {
	{"waits for a response", CALLER_WAITS, "main.poll", NULL,
		{"net/http.(*persistConn).roundTrip", "net/http.(*Transport).roundTrip",
			"net/http.(*Transport).RoundTrip", "net/http.send", "net/http.(*Client).do",
			"main.poll /src/poll.go", "main.run /src/main.go"}},
	{"through a wrapper of the transport: the outermost client call counts", CALLER_WAITS,
		"main.poll", NULL,
		{"net/http.(*persistConn).roundTrip", "net/http.(*Transport).RoundTrip",
			"main.(*logged).RoundTrip /src/logged.go", "net/http.send",
			"net/http.(*Client).Do", "main.poll /src/poll.go"}},
	{"through a library: the service's own code is told", CALLER_WAITS, "shop.example/a.Watch",
		NULL,
		{"net/http.(*Transport).RoundTrip", "net/http.(*Client).Do",
			"github.com/docker/docker/client.(*Client).Events "
			"/home/dev/go/pkg/mod/github.com/docker/docker@v20.1.0/client/events.go",
			"shop.example/a.Watch /src/a/watch.go"}},
	{"the same with trimmed paths", CALLER_WAITS, "shop.example/a.Watch", NULL,
		{"net/http.(*Client).Do",
			"github.com/docker/docker/client.(*Client).Events "
			"github.com/docker/docker@v20.1.0/client/events.go",
			"shop.example/a.Watch shop.example/a/watch.go"}},
	{"a library's own goroutine", CALLER_WAITS, "lib.org/x.Poll", NULL,
		{"net/http.(*Client).Do", "lib.org/x.Poll /go/pkg/mod/lib.org/x@v1.0.0/x.go"}},
	{"the same, started by the service", CALLER_WAITS, "main.start", "main.start /src/m.go",
		{"net/http.(*Client).Do", "lib.org/x.Poll /go/pkg/mod/lib.org/x@v1.0.0/x.go"}},
	{"go http.Get(url)", CALLER_WAITS, "main.start", "main.start /src/m.go",
		{"net/http.(*Transport).RoundTrip", "net/http.(*Client).Get", "net/http.Get"}},
	{"the same in debug=1", CALLER_WAITS, "net/http.Get", NULL,
		{"net/http.(*Transport).RoundTrip", "net/http.(*Client).Get", "net/http.Get"}},
	{"nothing but the client", CALLER_WAITS, "net/http.(*Client).Get", NULL,
		{"net/http.(*Transport).RoundTrip", "net/http.(*Client).Get"}},
	{"reads a body", CALLER_READS, "main.load", NULL,
		{"internal/poll.runtime_pollWait", "net/http.(*body).Read",
			"net/http.(*bodyEOFSignal).Read", "io.ReadAll", "main.load /src/load.go"}},
	{"reads a body over HTTP/2", CALLER_READS, "main.load", NULL,
		{"sync.(*Cond).Wait", "net/http.(*http2pipe).Read",
			"net/http.http2transportResponseBody.Read", "bufio.(*Reader).Read",
			"main.load /src/load.go"}},
	{"a server reads a request's body", CALLER_NONE, "", NULL,
		{"net/http.(*body).Read", "io.ReadAll", "main.upload /src/up.go",
			"net/http.(*conn).serve"}},
	{"a reverse proxy of the standard library", CALLER_WAITS, "net/http.(*conn).serve", NULL,
		{"net/http.(*Transport).RoundTrip", "net/http/httputil.(*ReverseProxy).ServeHTTP",
			"net/http.serverHandler.ServeHTTP", "net/http.(*conn).serve"}},
	{"a connection", CALLER_NONE, "", "net/http.(*Transport).dialConn /go/src/t.go",
		{"internal/poll.runtime_pollWait", "net/http.(*persistConn).readLoop"}},
	{"no stack", CALLER_NONE, "", NULL, {NULL}},
};

static struct frame frame_of(const char *text)
{
	struct str s = str_of(text);
	ptrdiff_t space = str_chr(s, ' ');

	if (space < 0)
		return (struct frame){.func = s};
	return (struct frame){
		.func = str_sub(s, 0, (size_t)space), .file = str_from(s, (size_t)space + 1)};
}

static void the_code_that_called_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct frame frames[FRAMES], creator = {0};
		struct stack s = {.frames = frames};
		const struct frame *code;
		enum caller_doing doing;

		for (; s.nframes < FRAMES && rows[i].frames[s.nframes]; s.nframes++)
			frames[s.nframes] = frame_of(rows[i].frames[s.nframes]);
		if (rows[i].creator)
			creator = frame_of(rows[i].creator);
		doing = caller_of(&s, &creator, &code);
		if (doing != rows[i].doing || !str_is(code ? code->func : STR(""), rows[i].code))
			fail_msg("%s: %s, %.*s", rows[i].what, caller_doing_name(doing),
				code ? (int)code->func.len : 0, code ? code->func.p : "");
	}
}

static void own_code_is_not_a_dependency(void **state)
{
	static const struct {
		const char *frame;
		bool own;
	} frames[] = {
		{"main.run /src/main.go", true},
		{"main.run", true},
		{"example.com/shop/cart.Add /build/cart/cart.go", true},
		{"example.com/shop/cart.Add /home/me@verve/cart/cart.go", true},
		{"lib.org/x.Poll /home/dev/go/pkg/mod/lib.org/x@v1.0.0/x.go", false},
		{"lib.org/x.Poll lib.org/x@v1.0.0/x.go", false},
		{"lib.org/x.Poll /src/shop/vendor/lib.org/x/x.go", false},
		{"net/http.(*Client).Do /go/src/net/http/client.go", false},
		{"", false},
	};
	struct frame of_stack[3];
	struct stack s = {.frames = of_stack, .nframes = 3};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
		struct frame f = frame_of(frames[i].frame);

		if (caller_is_own(&f) != frames[i].own)
			fail_msg("%s", frames[i].frame);
	}
	for (int i = 0; i < 3; i++)
		of_stack[i] = frame_of(frames[5 - i].frame);
	assert_null(caller_own_frame(&(struct stack){0}));
	assert_ptr_equal(caller_own_frame(&s), &of_stack[2]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_code_that_called_is_told),
		cmocka_unit_test(own_code_is_not_a_dependency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
