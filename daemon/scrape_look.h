/*
 * scrape_look: a closer look at one target, beside its routine cycles.  Level 3.
 *
 * A look is up to three requests, one after the other, over connections of its own: the index page,
 * which stops nothing; the dump with debug=2, which stops the target while it is printed; the
 * collector's profile goroutineleak?debug=1, which costs the target a collection.  Who wanted the
 * look decides after each answer what is asked next; nothing is known here of what bodies mean.
 *
 * Two targets of one host are never looked at together (this host is localhost, 127.0.0.0/8, ::1
 * and unix sockets), at most SCRAPE_LOOKS_MAX at all; of those that wait the most urgent goes
 * first.
 *
 * A look ends with scrape_remove of its target or scrape_stop, without a further callback.
 */
#ifndef LEAKWATCH_SCRAPE_LOOK_H
#define LEAKWATCH_SCRAPE_LOOK_H

#include "scrape.h"

#define SCRAPE_LOOKS_MAX	8
#define SCRAPE_LOOK_TIMEOUT_MS	10000 /* of each request; a shorter scrape_timeout is for cycles */
#define SCRAPE_LOOK_INDEX_BYTES (256 * 1024)

enum look_part { LOOK_INDEX, LOOK_DUMP, LOOK_LEAKS, LOOK_PARTS };

struct scrape_look_events {
	/* A piece of a 2xx body; false stops the request. */
	bool (*body)(
		void *arg, struct scrape_target *t, enum look_part part, const char *p, size_t n);
	/* The part ended; first_byte_ms until its answer began (NAN: never).  Returns the part that
	 * is asked next, or LOOK_PARTS: the look is over.  at_ms is the wall clock now. */
	enum look_part (*end)(void *arg, struct scrape_target *t, enum look_part part,
		const struct scrape_endpoint *e, double first_byte_ms, int64_t at_ms);
};

/* Before the first look; *events must outlive s; arg is scrape_new's. */
void scrape_on_look(struct scrape *s, const struct scrape_look_events *events);
/* Wants a look, soon.  Nothing happens when one is wanted or under way; urgency is noted anew. */
void scrape_look(struct scrape_target *t, double urgency);
/* Wanted or under way. */
bool scrape_looking(const struct scrape_target *t);
/*
 * The host of a URL as looks are kept apart by: "" for this host.  out has size bytes; a longer one
 * is cut.  Pure.
 */
void scrape_look_host(const char *url, const char *unix_socket, char *out, size_t size);

#endif
