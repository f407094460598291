#include "clock.h"
#include "scrape_internal.h"
#include "scrape_look.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void scrape_look_host(const char *url, const char *unix_socket, char *out, size_t size)
{
	struct str host = str_of(url);
	ptrdiff_t at = str_find(host, STR("://"));
	size_t n = 0;

	out[0] = '\0';
	if (unix_socket)
		return;
	host = str_from(host, at < 0 ? 0 : (size_t)at + 3);
	if (host.len && host.p[0] == '[')
		n = (size_t)MAX(str_chr(host, ']') + 1, (ptrdiff_t)0);
	else
		while (n < host.len && !strchr(":/", host.p[n]))
			n++;
	host = str_sub(host, 0, MIN(n, size - 1));
	if (str_is(host, "localhost") || str_is(host, "[::1]") || str_starts(host, STR("127.")))
		return;
	memcpy(out, host.p, host.len);
	out[host.len] = '\0';
}

/* ---- one after the other --------------------------------------------------------------------- */

static bool host_is_busy(const struct scrape *s, const char *host)
{
	for (size_t i = 0; i < s->nlooks; i++) {
		if (s->looks[i]->looking && strcmp(s->looks[i]->look_host, host) == 0)
			return true;
	}
	return false;
}

static void ask_part(struct scrape_target *t, enum look_part part);

/* Begins what may begin now. */
static void begin_next(struct scrape *s)
{
	size_t active = 0;

	for (size_t i = 0; i < s->nlooks; i++)
		active += s->looks[i]->looking;
	while (s->running && active < SCRAPE_LOOKS_MAX) {
		struct scrape_target *best = NULL;

		for (size_t i = 0; i < s->nlooks; i++) {
			struct scrape_target *t = s->looks[i];

			if (t->looking || host_is_busy(s, t->look_host))
				continue;
			if (!best || t->look_urgency > best->look_urgency)
				best = t;
		}
		if (!best)
			return;
		best->looking = true;
		active++;
		ask_part(best, LOOK_INDEX);
	}
}

static void take_out(struct scrape_target *t)
{
	struct scrape *s = t->scrape;
	size_t kept = 0;

	for (size_t i = 0; i < s->nlooks; i++) {
		if (s->looks[i] != t)
			s->looks[kept++] = s->looks[i];
	}
	s->nlooks = kept;
	t->look_wanted = t->looking = false;
}

void scrape_drop_look(struct scrape_target *t)
{
	if (!t->look_wanted)
		return;
	if (t->look_request)
		fetch_cancel(t->look_request);
	t->look_request = NULL;
	take_out(t);
	begin_next(t->scrape);
}

void scrape_on_look(struct scrape *s, const struct scrape_look_events *events)
{
	s->look_events = events;
}

void scrape_look(struct scrape_target *t, double urgency)
{
	struct scrape *s = t->scrape;

	t->look_urgency = urgency;
	if (t->look_wanted || t->removed || !s->look_events)
		return;
	t->look_wanted = true;
	scrape_look_host(t->urls.index, t->urls.pprof_socket, t->look_host, sizeof(t->look_host));
	s->looks = xrealloc(s->looks, s->nlooks + 1, sizeof(struct scrape_target *));
	s->looks[s->nlooks++] = t;
	begin_next(s);
}

bool scrape_looking(const struct scrape_target *t)
{
	return t->look_wanted;
}

/* ---- the parts ------------------------------------------------------------------------------- */

static const char *url_of(const struct scrape_target *t, enum look_part part)
{
	switch (part) {
	case LOOK_INDEX:
		return t->urls.index;
	case LOOK_DUMP:
		return t->urls.dump;
	default:
		return t->urls.leaks;
	}
}

static bool body_cb(void *arg, const char *p, size_t n)
{
	struct scrape_target *t = arg;
	struct scrape *s = t->scrape;
	bool more;

	t->calling++;
	more = s->look_events->body(s->arg, t, t->look_part, p, n);
	t->calling--;
	if (t->removed) {
		if (t->calling == 0)
			scrape_free_target(t);
		return false;
	}
	return more && t->looking;
}

static void done_cb(void *arg, const struct fetch_result *r)
{
	struct scrape_target *t = arg;
	struct scrape *s = t->scrape;
	struct scrape_endpoint e = {.asked = true};
	enum look_part next;

	t->look_request = NULL;
	scrape_note(t, &e, r, url_of(t, t->look_part));
	t->calling++;
	next = s->look_events->end(s->arg, t, t->look_part, &e,
		r->first_byte_ms > 0 ? r->first_byte_ms : NAN, clock_wall_ms());
	t->calling--;
	if (t->removed) {
		if (t->calling == 0)
			scrape_free_target(t);
		return;
	}
	if (!t->looking)
		return; /* stopped from within */
	if (next != LOOK_PARTS) {
		ask_part(t, next);
		return;
	}
	take_out(t);
	begin_next(s);
}

static void ask_part(struct scrape_target *t, enum look_part part)
{
	t->look_part = part;
	scrape_ask(t, &t->look_request, url_of(t, part), t->urls.pprof_socket, "Accept: */*",
		MAX(t->timeout_ms, (uint64_t)SCRAPE_LOOK_TIMEOUT_MS),
		part == LOOK_INDEX ? SCRAPE_LOOK_INDEX_BYTES : t->body_limit_bytes, body_cb,
		done_cb);
}
