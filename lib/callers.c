#include "callers.h"

/* Plain prefixes of names in normal form. */
static const char *const waits[] = {
	"net/http.(*Transport).RoundTrip",
	"net/http.(*Transport).roundTrip",
	"net/http.(*Client).",
	"net/http.send",
	"net/http.(*persistConn).roundTrip",
	"net/http.(*http2Transport).RoundTrip",
	"net/http.(*http2ClientConn).RoundTrip",
	"net/http.(*http2ClientConn).roundTrip",
	"net/http/internal/http2.(*Transport).RoundTrip",
	"net/http/internal/http2.(*ClientConn).RoundTrip",
	"net/http/internal/http2.(*ClientConn).roundTrip",
	"golang.org/x/net/http2.(*Transport).RoundTrip",
	"golang.org/x/net/http2.(*ClientConn).RoundTrip",
	"golang.org/x/net/http2.(*ClientConn).roundTrip",
};

/* net/http.(*body) alone is a request's, read by a server. */
static const char *const reads[] = {
	"net/http.(*bodyEOFSignal).",
	"net/http.(*gzipReader).Read",
	"net/http.http2transportResponseBody.",
	"net/http.(*http2gzipReader).Read",
	"net/http/internal/http2.transportResponseBody.",
	"net/http/internal/http2.(*gzipReader).Read",
	"golang.org/x/net/http2.transportResponseBody.",
	"golang.org/x/net/http2.(*gzipReader).Read",
};

const char *caller_doing_name(enum caller_doing d)
{
	static const char *const names[CALLER_DOINGS] = {
		[CALLER_NONE] = "",
		[CALLER_WAITS] = "waits for a response",
		[CALLER_READS] = "reads a body",
	};

	return names[d];
}

static bool is_any(struct str func, const char *const *prefixes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (str_starts(func, str_of(prefixes[i])))
			return true;
	}
	return false;
}

/* "…@v1.2.3/…", also of trimmed paths. */
static bool has_module_version(struct str file)
{
	ptrdiff_t at = str_find(file, STR("@v"));

	return at >= 0 && (size_t)at + 2 < file.len && file.p[at + 2] >= '0' &&
	       file.p[at + 2] <= '9';
}

bool caller_is_own(const struct frame *f)
{
	return !f->runtime && f->func.len > 0 && !stack_is_std(f->func) &&
	       str_find(f->file, STR("/vendor/")) < 0 && str_find(f->file, STR("/pkg/mod/")) < 0 &&
	       !has_module_version(f->file);
}

const struct frame *caller_own_frame(const struct stack *s)
{
	for (size_t i = 0; i < s->nframes; i++) {
		if (caller_is_own(&s->frames[i]))
			return &s->frames[i];
	}
	return NULL;
}

/* The line that called what ends before frame `from`. */
static const struct frame *code_beyond(const struct stack *s, size_t from)
{
	const struct frame *outside = NULL, *entry = NULL;

	for (size_t i = from; i < s->nframes; i++) {
		const struct frame *f = &s->frames[i];

		if (caller_is_own(f))
			return f;
		if (f->runtime)
			continue;
		if (!outside && !stack_is_std(f->func))
			outside = f;
		entry = f;
	}
	return outside ? outside : entry;
}

enum caller_doing caller_of(
	const struct stack *s, const struct frame *creator, const struct frame **code)
{
	enum caller_doing doing = CALLER_NONE;
	size_t beyond = 0;

	*code = NULL;
	for (size_t i = 0; i < s->nframes; i++) {
		bool waiting = is_any(s->frames[i].func, waits, ARRAY_LEN(waits));
		bool reading = is_any(s->frames[i].func, reads, ARRAY_LEN(reads));

		if (!waiting && !reading)
			continue;
		/* The innermost one tells what is done, the outermost one who called. */
		if (doing == CALLER_NONE)
			doing = reading ? CALLER_READS : CALLER_WAITS;
		beyond = i + 1;
	}
	if (doing == CALLER_NONE)
		return CALLER_NONE;
	*code = code_beyond(s, beyond);
	/* go client.Get(url): the only code of the service is where that was started. */
	if ((!*code || !caller_is_own(*code)) && creator && caller_is_own(creator))
		*code = creator;
	if (!*code)
		*code = &s->frames[beyond - 1];
	return doing;
}
