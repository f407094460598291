/*
 * scrape: asks each target for its goroutines and metrics, once per interval.  Level 3.
 *
 * It knows when and what to ask, and words what went wrong on the way; it does not know what the
 * bodies mean.  They go in pieces to the callbacks (struct scrape_events), which the pipeline
 * gives.
 *
 * A cycle is, in this order and over one kept connection: GET PPROF_PATH/goroutine?debug=1; GET
 * PPROF_PATH/symbol?0x…+0x… for the PCs that goroutines_end named, if any; GET METRICS_PATH, if
 * there is one.  One after the other, so that the dump holds one connection of ours and not, now
 * and then, two.  Each request has the target's timeout, so a cycle takes at most three of them.
 *
 * Where dumps cost the target more than its budget (budget.h), some cycles are without: `between`
 * instead of begin, GET PPROF_PATH/ for the number of goroutines, which stops nothing, and GET
 * METRICS_PATH.  A target without that page is asked for its metrics only.
 *
 * Cycles are spread over the interval by a hash of job and instance, on the monotonic clock: the
 * same after a restart.  A target's cycles never overlap; one that comes due while the last is
 * still running is left out and counted.  At most SCRAPE_ACTIVE_MAX cycles run at a time; further
 * ones begin late.
 *
 * Life cycle: scrape_new, scrape_add for each target, scrape_start; scrape_add and scrape_remove at
 * any time, also from within callbacks; scrape_stop (idempotent; cancels what is under way, calls
 * nothing back), scrape_free.
 */
#ifndef LEAKWATCH_SCRAPE_H
#define LEAKWATCH_SCRAPE_H

#include "err.h"
#include "fetch.h"

#define SCRAPE_ACTIVE_MAX      1000
#define SCRAPE_PCS_MAX	       32 /* PCs asked for in one cycle */
#define SCRAPE_SYMBOL_MAX      65536 /* bytes of an answer from /symbol */
#define SCRAPE_INTERVAL_MIN_MS 10

struct scrape;
struct scrape_target;

/* Everything is copied.  Strings that are NULL count as empty. */
struct scrape_target_config {
	const char *job, *instance; /* identity; instance as shown to people */
	const char *scheme; /* http or https; empty: http */
	const char *address; /* host:port, or unix:/path */
	const char *pprof_path; /* empty: /debug/pprof */
	const char *metrics_path; /* empty: no metrics are asked for */
	const char *metrics_address; /* empty: address */
	uint64_t interval_ms, timeout_ms;
	bool at_once; /* the first cycle begins now, not when its hash says */
	uint64_t body_limit_bytes; /* decoded, of each body */
	double budget; /* share of a core that dumps may cost; 0: no limit */
	const char *username, *password; /* basic */
	const char *authorization; /* value of the header ("Bearer …"), instead of basic */
	const char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;
};

/* Where the parts of a target are. */
struct scrape_urls {
	char *goroutine, *symbol; /* symbol without PCs, ends in "?" */
	char *index, *dump, *leaks; /* PPROF_PATH/, and for a closer look: scrape_look.h */
	char *metrics; /* NULL: none */
	char *pprof_socket, *metrics_socket; /* unix socket to connect to, or NULL */
};
/*
 * Pure.  -1 with err when an address or path makes no sense: what was received and what would be
 * right.  On success the strings are the caller's (scrape_urls_release).
 */
int scrape_urls_build(
	const struct scrape_target_config *config, struct scrape_urls *out, struct err *err);
void scrape_urls_release(struct scrape_urls *urls);

struct scrape_endpoint {
	bool asked;
	bool up; /* a whole answer of status 2xx */
	int status; /* HTTP status, 0 when there was none */
	enum fetch_end end;
	char why[384]; /* when asked and not up: what is wrong and what would be right */
	double took_ms;
	uint64_t bytes;
};

struct scrape_cycle {
	int64_t at_ms; /* wall clock, when the goroutine request was sent */
	uint64_t mono_ms;
	struct scrape_endpoint goroutines, symbols, metrics; /* goroutines: asked unless left out */
	struct scrape_endpoint index; /* asked where they were left out, and it is there */
	bool counted;
	uint64_t count; /* goroutines, as the index says */
	unsigned every; /* every so many cycles goroutines are asked for, from now on */
	uint64_t skipped; /* cycles left out just before this one because the last was running */
	double late_ms; /* begun this much after it was due */
};

/*
 * In the order of a cycle: begin (or between, and nothing about goroutines or symbols); goroutines
 * for each piece of a 2xx body; goroutines_end always; symbols when an answer came; metrics,
 * metrics_end when there is a metrics_path; cycle, last. False from goroutines or metrics stops
 * that request (FETCH_STOPPED).  goroutines_end fills pcs (at most max) and returns how many; they
 * are asked for only when the body came whole.
 */
struct scrape_events {
	void (*begin)(void *arg, struct scrape_target *t);
	void (*between)(void *arg, struct scrape_target *t);
	bool (*goroutines)(void *arg, struct scrape_target *t, const char *p, size_t n);
	size_t (*goroutines_end)(void *arg, struct scrape_target *t, const struct fetch_result *r,
		uint64_t *pcs, size_t max);
	void (*symbols)(void *arg, struct scrape_target *t, struct str body);
	bool (*metrics)(void *arg, struct scrape_target *t, const char *p, size_t n);
	void (*metrics_end)(void *arg, struct scrape_target *t, const struct fetch_result *r);
	void (*cycle)(void *arg, struct scrape_target *t, const struct scrape_cycle *c);
};

/* fetch and *events must outlive it. */
struct scrape *scrape_new(struct event_base *base, struct fetch *fetch,
	const struct scrape_events *events, void *arg);
void scrape_free(struct scrape *s);
void scrape_start(struct scrape *s);
void scrape_stop(struct scrape *s);

/* NULL with err when the configuration makes no sense.  user is for the caller. */
struct scrape_target *scrape_add(
	struct scrape *s, const struct scrape_target_config *config, void *user, struct err *err);
/* It is for another user from now on; a cycle that is under way is left where it is.  Not from
 * within callbacks. */
void scrape_hand_over(struct scrape_target *t, void *user);
/* No callback about t comes any more; t must not be used after. */
void scrape_remove(struct scrape_target *t);
void *scrape_target_user(const struct scrape_target *t);
const char *scrape_target_job(const struct scrape_target *t);
const char *scrape_target_instance(const struct scrape_target *t);
const struct scrape_urls *scrape_target_urls(const struct scrape_target *t);

/* The stable hash that spreads targets. */
uint64_t scrape_target_hash(const char *job, const char *instance);
/*
 * When a target is next due, pure: the first instant after now on the grid that the hash of job and
 * instance gives within interval.
 */
uint64_t scrape_next_due(uint64_t hash, uint64_t interval_ms, uint64_t now_mono_ms);

struct scrape_stats {
	size_t targets, active; /* active: cycles under way */
	uint64_t cycles, skipped;
};
void scrape_stats(const struct scrape *s, struct scrape_stats *out);

#endif
