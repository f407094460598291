/*
 * pipeline_internal: what the files of the pipeline share.  Level 4; not for others.
 *
 * pipeline.c tells the story of a cycle; what each of the others does is in README's tour.
 */
#ifndef LEAKWATCH_PIPELINE_INTERNAL_H
#define LEAKWATCH_PIPELINE_INTERNAL_H

#include "arena.h"
#include "finding.h"
#include "gdump.h"
#include "map.h"
#include "pipeline.h"
#include "pipeline_host.h"
#include "pipeline_origin.h"
#include "pipeline_slot.h"
#include "prom.h"
#include "store_batch.h"
#include "tally.h"
#include "versions.h"
#include "vitals.h"

struct ruleset;
struct stuck_set;

/* A load or expectation metric: stored, so that a replay has it, and never judged. */
struct metric {
	int64_t series_id;
	double saved;
};

#define CLOCK_SET_MS	 60000 /* back by more than that: the clock was set */
#define PIPELINE_WHY_MAX ERR_MAX
/* Begins the info of a run whose start the process did not tell. */
#define PIPELINE_INFERRED "start inferred"

struct target {
	struct pipeline *p;
	struct ruleset *rules; /* as of its last scrape; the pipeline's may be newer */
	int64_t added_ms, parked_ms; /* when it came, and when it left */
	char *line; /* what its lineage is known by (pipeline_lineage.h), or NULL */
	size_t line_len;
	uint64_t line_hash;
	bool fresh; /* it began without a history */
	bool leaves; /* about to be removed: nobody's heir */
	bool successor; /* its next answer is that of another process than the last one */
	const char *continues; /* while it is added: the instance whose history it took */
	struct arena labels_arena;
	struct scrape_target *scrape;
	const struct config_job *job;
	char *job_name, *instance, *labels_json;
	struct config_labels labels;
	int64_t id, first_seen_ms;
	bool known; /* the store has it */

	struct tally *tally;
	struct stuck_set *stuck;
	struct gdump *gdump;
	struct vitals *vitals;
	struct versions versions; /* that ran, as the metrics said */
	struct prom *prom;
	struct finding_set *findings;
	struct inquiry *inquiry; /* pipeline_inquiry.h; NULL while nothing was suspected */
	struct slot *slots;
	size_t nslots, suspects; /* of them, those that are suspect or held */
	struct series **view; /* the series of slots, as finding_update takes them */
	struct metric *metrics; /* by number of the vitals selector */
	size_t nmetrics;
	int load; /* the job's load_metric, or -1 */
	struct host *host; /* where it runs on this host, or NULL */
	struct cost *cost; /* NULL while its metrics were never read */
	uint32_t cost_ids; /* given to slots so far */
	uint64_t cost_version; /* of the answers in the slots */
	/* history */
	double first_at; /* Unix time of the first whole body; NAN before */
	double last_at; /* of the last whole body */
	double run_start; /* of the process, as it says; NAN when it does not */
	double run_watched_s; /* so long it has been watched, without gaps; its last whole dump */
	int64_t watched_ms;
	int64_t run_id, run_start_ms, run_first_ms;
	int64_t run_stored, target_at_ms; /* run and time of the rows last stored */
	bool run_told; /* that row has the version */
	struct replicas replicas;
	uint64_t *before; /* counts by class before this body: a restart without a start time */
	uint64_t *earlier; /* and before that one */
	size_t nbefore, nearlier;
	uint64_t total_before, total_earlier;
	bool keeps; /* the last dump came over a connection that the one before had left open */
	bool broke; /* since the last whole dump, such a connection was gone, or nobody listened */

	/* the body being read */
	bool dump_ok, metrics_ok, asked_symbols;
	bool answered; /* the goroutine endpoint gave a whole answer, readable or not */
	/* why one of them is not ok; what should be known of reading a dump that is */
	char dump_why[PIPELINE_WHY_MAX], metrics_why[PIPELINE_WHY_MAX];

	/* what commands and alerts say of it */
	bool up, metrics_up, seen;
	bool told_up, told_readable, told_dump; /* as the alerts have it */
	int64_t down_since_ms;
	unsigned since_full; /* scrapes stored since the last full one */
	bool need_full;
	bool between; /* this cycle is one without a dump */
	unsigned every; /* every so many cycles has one */
	bool resorted; /* by new rules, and no body since */
	double duration_ms;

	/* what our own metrics say of it */
	struct pipeline_endpoint endpoints[2]; /* goroutines, metrics: the last scrape */
	uint64_t lost; /* goroutines of the last dump that could not be read */
	uint64_t unreadable, restarts, skipped;
};

struct pipeline {
	const struct config *config; /* the newest; rules and parameters are the ruleset's */
	struct ruleset *rules;
	struct alert_table *alerts;
	struct store_maxima *ids;
	struct pipeline_events events;
	struct target **targets, **parked; /* parked: left, and may come back */
	size_t ntargets, nparked;
	struct map *known; /* "job\0instance" of all targets of the store, with a value */
	struct map *releases; /* of each job (pipeline_releases.c), or NULL */
	struct map *fleets; /* what alerts were told (pipeline_fleet.c), or NULL */
	struct map *lines; /* line -> how many targets of the store could be continued */
	bool lines_stale; /* another configuration may have other lines */
	struct str host;
	char *host_owned;
	struct store_batch *batch; /* of the cycle under way, */
	int64_t now_ms; /* and its time */
	uint64_t cycles, bodies_lost;
	uint64_t host_serial;
	struct pipeline_looks looks;
	struct loaded *loaded; /* what the store had, until pipeline_added_all */
};

void pipeline_free_releases(struct pipeline *p); /* pipeline_releases.c */

/* pipeline_alert.c */
extern const struct finding_events target_finding_events; /* arg is set per target */
void pipeline_clear(
	struct pipeline *p, const char *id, enum alert_end end, const char *why, int64_t now_ms);
void target_tell_state(struct target *t, int64_t now_ms);
/* By its labels; one that stood when its instance was continued by another is about that one. */
bool pipeline_is_about(const struct alert *a, struct str job, struct str instance);
bool pipeline_target_is(const struct target *t, const struct alert *a);
size_t target_labels(const struct target *t, const char *class, struct label *out, size_t max);

#endif
