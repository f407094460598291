/*
 * scrape_internal: what the parts of scrape share.  Level 3, private to daemon/scrape*.c.
 *
 * scrape.c has the targets and decides when a cycle begins; scrape_cycle.c goes through one;
 * scrape_look.c takes a closer look where one is wanted;
 * scrape_urls.c says where a target's parts are.
 */
#ifndef LEAKWATCH_SCRAPE_INTERNAL_H
#define LEAKWATCH_SCRAPE_INTERNAL_H

#include "budget.h"
#include "buf.h"
#include "scrape.h"
#include "scrape_look.h"

struct event;

enum step { STEP_IDLE, STEP_GOROUTINES, STEP_INDEX, STEP_SYMBOLS, STEP_METRICS, STEP_TELL };

struct scrape_target {
	struct scrape *scrape;
	void *user;
	char *job, *instance;
	struct scrape_urls urls;
	uint64_t hash, interval_ms, timeout_ms, body_limit_bytes;
	char *username, *password, *authorization; /* the last with its "Authorization: " */
	char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;

	uint64_t due_mono_ms;
	bool at_once; /* its first cycle is still to come, and begins at once */
	size_t place; /* in the heap */
	enum step step;
	struct fetch_job *request; /* under way */
	struct scrape_cycle cycle;
	struct buf symbols; /* answer of /symbol, or of the index, so far */
	struct budget budget;
	bool no_index; /* there is no such page */
	uint64_t pcs[SCRAPE_PCS_MAX];
	size_t npcs;
	uint64_t skipped; /* since the last cycle began */
	bool look_wanted, looking; /* looking: its requests are under way */
	double look_urgency;
	enum look_part look_part;
	struct fetch_job *look_request;
	char look_host[256];
	int calling; /* a callback about it is on the call stack */
	bool removed; /* from within one: freed when it returns */
};

struct scrape {
	struct fetch *fetch;
	const struct scrape_events *events;
	void *arg;
	struct event *timer;
	struct scrape_target **heap; /* all targets, the one that is due first in front */
	size_t n, cap, active;
	const struct scrape_look_events *look_events; /* NULL: nobody looks */
	struct scrape_target **looks; /* wanted or under way */
	size_t nlooks;
	bool running;
	uint64_t cycles, skipped;
};

/* Begins a cycle that was due at due_mono_ms; it ends with scrape_arm. */
void scrape_begin_cycle(struct scrape_target *t, uint64_t due_mono_ms, uint64_t now_mono_ms);
/* Sets the timer to the target that is due first. */
void scrape_arm(struct scrape *s);
void scrape_free_target(struct scrape_target *t);
/* Sends a request with the target's credentials into *request; when it cannot even be sent, done is
 * told so. */
void scrape_ask(struct scrape_target *t, struct fetch_job **request, const char *url,
	const char *unix_socket, const char *accept, uint64_t timeout_ms, uint64_t max_bytes,
	bool (*body)(void *, const char *, size_t),
	void (*done)(void *, const struct fetch_result *));
/* What came of it, in words. */
void scrape_note(const struct scrape_target *t, struct scrape_endpoint *e,
	const struct fetch_result *r, const char *url);
/* Ends a look, or the wish for one, without a further callback. */
void scrape_drop_look(struct scrape_target *t);

#endif
