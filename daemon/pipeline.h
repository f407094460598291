/*
 * pipeline: the whole story of a scrape, from body to alert.  Level 4.
 *
 *   body ─▶ parse ─▶ classify, count ─▶ series ─▶ verdict ─▶ finding ─▶ alert, rows to store
 *
 * A struct target is one scraped process endpoint with everything that is known of it.  The scrape
 * module's callbacks feed it (pipeline_scrape_events); each cycle ends in one batch of rows,
 * handed to the caller with the alert changes that belong to it (struct pipeline_events).
 *
 * It reads no clock and waits for nothing: the time is the cycle's.  State in memory decides; what
 * the store had is taken in with the pipeline_load functions before the first cycle.
 *
 * Life cycle: pipeline_new, pipeline_load_*, pipeline_add for each target, cycles;
 * pipeline_save_all at the end, pipeline_free.
 */
#ifndef LEAKWATCH_PIPELINE_H
#define LEAKWATCH_PIPELINE_H

#include "alert.h"
#include "config.h"
#include "pipeline_looks.h"
#include "scrape.h"
#include "store_load.h"

struct look;
struct pipeline;
struct target;

struct pipeline_events {
	/* Rows of one cycle begin; what alerts change until commit belongs to the same batch. */
	struct store_batch *(*begin)(void *arg);
	/* They are complete: the callee takes the batch.  False: samples were dropped, the next
	 * scrape must be stored in full. */
	bool (*commit)(void *arg, struct store_batch *b);
	/* A standing alert's condition ended: its row is another one, though its state is not. */
	void (*cleared)(void *arg, const struct alert *a);
	/* A look at the host to make on a thread (pipeline_host.h), given back with
	 * pipeline_looked; false, and not taken, when there are too many.  May be NULL. */
	bool (*look)(void *arg, struct look *l);
	/* Nothing is sorted by that configuration's rules any more: it may be freed.  May be NULL.
	 */
	void (*unused)(void *arg, const struct config *c);
	void *arg;
};

/* alerts and the ids are the caller's and outlive it; config until it is told unused.  NULL with
 * err when a rule's regular expression is not accepted. */
struct pipeline *pipeline_new(const struct config *config, struct alert_table *alerts,
	struct store_maxima *ids, const struct pipeline_events *events, struct err *err);
void pipeline_free(struct pipeline *p);

/* Takes in what a store knows, before pipeline_add; also later, from a connection that only reads,
 * for targets that come back.  Ended by pipeline_added_all or pipeline_loaded.  0, or -1 with err.
 */
int pipeline_load(struct pipeline *p, struct store *store, struct err *err);

/*
 * A target; one that the store knew, or that left a short while ago, goes on with its history, and
 * so does one of the same lineage as another that left (pipeline_lineage.h).  Add those first that
 * pipeline_knows, so that no other takes their history.  job is the configuration's and is set anew
 * (pipeline_update) after pipeline_reconfigure; labels are copied.
 */
struct target *pipeline_add(struct pipeline *p, const struct config_job *job, struct str instance,
	const struct config_labels *labels, int64_t now_ms, struct err *err);
/* There is a target of that name, or the store has a history of it. */
bool pipeline_knows(const struct pipeline *p, struct str job, struct str instance);
/* The store has a history for that target, which is not watched, and that is not taken in:
 * pipeline_load it before adding. */
bool pipeline_needs_store(const struct pipeline *p, const struct config_job *job,
	struct str instance, const struct config_labels *labels);
/* Its job in a new configuration, and its labels; where those changed, its alerts are raised anew
 * under the new ones. */
void pipeline_update(struct target *t, const struct config_job *job,
	const struct config_labels *labels, int64_t now_ms);
/*
 * It is no longer watched: what is known of it is saved, and its alerts end (ALERT_END_REMOVED).  A
 * while later pipeline_sweep forgets it.  Not from within its own callbacks.
 */
void pipeline_remove(struct target *t, int64_t now_ms);
/*
 * A target that leaves may have been replaced already: the one of its lineage that came a short
 * while ago without a history, or NULL.  pipeline_continue gives t that one's place, and frees the
 * heir: whatever scrapes the heir must scrape t from then on.
 */
void pipeline_leaves(struct target *t); /* it will be removed with the others: nobody's heir */
struct target *pipeline_heir(const struct target *t, int64_t now_ms);
void pipeline_continue(struct target *t, struct target *heir, int64_t now_ms);
const char *pipeline_target_instance(const struct target *t);
void pipeline_sweep(struct pipeline *p, int64_t now_ms); /* each second or so */
/*
 * Another configuration takes the place of the one before: at once for alerts, for each target's
 * rules with its next scrape.  Classes whose rule is the same, or that have none, go on; those of
 * changed rules end, and begin anew.  -1 with err, and all as before, when a rule is not accepted.
 * detect.window must be as it was.
 */
int pipeline_reconfigure(
	struct pipeline *p, const struct config *config, int64_t now_ms, struct err *err);
void pipeline_loaded(struct pipeline *p);
/* Findings of stored alerts whose target is no longer configured end; call after the last add. */
void pipeline_added_all(struct pipeline *p, int64_t now_ms);

/* The callbacks for scrape_new; a scrape target's user is its struct target. */
extern const struct scrape_events pipeline_scrape_events;

/* Detector records of all series, for a clean stop; each target in a batch of its own. */
void pipeline_save_all(struct pipeline *p, int64_t now_ms);

/* Forms the label set of an alert that is about no target. */
size_t pipeline_own_labels(const struct pipeline *p, struct label *out, size_t max);
/* The store's id of the target that an alert is about, 0 when none is. */
int64_t pipeline_target_of(const struct pipeline *p, const struct alert *a);

struct pipeline_stats {
	size_t over_budget; /* targets that are not asked for goroutines in every cycle */
	struct pipeline_looks looks;
	size_t targets, up, series, classes, findings;
	uint64_t cycles, bodies_lost;
};
void pipeline_stats(const struct pipeline *p, struct pipeline_stats *out);

/* One target as our own metrics show it; slices hold until the next cycle. */
#define PIPELINE_TOP 4 /* classes shown of a target */
struct pipeline_endpoint {
	bool asked, up;
	double took_ms;
	uint64_t bytes;
};
struct pipeline_class {
	struct str name;
	double count;
	enum verdict_state verdict;
	double rate_per_hour; /* NAN: it does not grow */
};
struct pipeline_view {
	const char *job, *instance;
	bool seen; /* scraped at least once: else the rest says nothing */
	struct pipeline_endpoint goroutines_endpoint, metrics_endpoint;
	uint64_t goroutines, classes; /* of the last whole body */
	uint64_t lost; /* goroutines of the last dump that could not be read */
	uint64_t unreadable, restarts, skipped; /* bodies, processes, cycles since our start */
	enum verdict_state verdict; /* the worst of its series */
	/* The most to worry about first: by verdict, then rate, then count. */
	struct pipeline_class top[PIPELINE_TOP];
	size_t ntop;
};
size_t pipeline_targets(const struct pipeline *p);
void pipeline_view(const struct pipeline *p, size_t i, struct pipeline_view *out);

#endif
