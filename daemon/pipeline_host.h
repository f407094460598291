/*
 * pipeline_host: what this host's kernel says of a target that runs on it.  Level 4; part of the
 * pipeline.
 *
 * A look reads the kernel's files, which may stall, so it is made on a thread: each cycle the
 * pipeline gives one away (pipeline_events.look); look_run is called there, and pipeline_looked
 * brings it back on the loop.  A look shares nothing with its target, which may be gone by then.
 */
#ifndef LEAKWATCH_PIPELINE_HOST_H
#define LEAKWATCH_PIPELINE_HOST_H

#include "hostfds.h"
#include "hostmem.h"
#include "memory.h"
#include "notify.h"
#include "store_batch.h"

struct pipeline;
struct slot;
struct target;
struct finding;

struct look {
	uint64_t serial; /* of the target */
	struct hostmem_place place;
	struct hostmem_found found;
	struct hostmem memory;
	bool wants_census;
	struct census *census; /* NULL: not taken */
	char census_why[ERR_MAX]; /* why not */
};

/* On any thread; touches nothing but the look. */
void look_run(struct look *l);
/* On the loop, once; ran: look_run was called.  Frees it. */
void pipeline_looked(struct pipeline *p, struct look *l, bool ran);

/* Two censuses of a target's descriptors: as they were when nothing was suspected, and now. */
struct host_census {
	struct census *before, *after; /* NULL: not taken yet */
	double at; /* of the newest; NAN: never */
	struct buf words; /* what grew */
	char told[ERR_MAX]; /* census_why as it was logged */
	bool written; /* words are stored */
};

/* What is kept of the host beside a target; NULL where its configuration names neither process nor
 * cgroup. */
struct host {
	uint64_t serial;
	struct hostmem_place place;
	struct hostmem_found found;
	struct hostmem memory; /* of the newest look */
	bool looking; /* one is away */
	double not_before; /* of the next look, where the last one found nothing */
	bool fresh; /* memory came since the last cycle */
	struct memory *history;
	struct buf words; /* what memory does, by the rules; empty when nothing */
	char told[ERR_MAX]; /* memory.why as it was logged */
	double written_at; /* words were stored; NAN: never */
	uint64_t written; /* their hash */
	struct host_census census;
};

/* Where it runs, as the configuration has it now: the name of a unit, the id of a container or a
 * path; a process id as text; both "": not on this host, or not known. */
void pipeline_set_place(struct target *t, struct str cgroup, struct str pid);
void target_host_free(struct target *t);
void target_host_look(struct target *t); /* at the beginning of a cycle */
bool target_host_known(const struct target *t); /* the newest look found it */
double target_host_anon(const struct target *t); /* NAN: not told in this cycle */
double target_host_limit(const struct target *t); /* of the cgroup; NAN: none */
void target_host_sample(struct target *t, double now);
void target_host_reset(struct target *t); /* another process */
void target_host_facts(struct target *t, const struct finding *f, struct notify_facts *facts);
void target_host_write(struct target *t, struct store_batch *b, double now);

/* pipeline_census.c: is one wanted now, and what became of it. */
bool target_census_wanted(struct target *t, double now);
void target_census_take(struct target *t, struct look *l);
void target_census_reset(struct host *h);
/* Valid until the next one. */
struct str target_census_words(struct target *t, const struct finding *f);
void target_census_write(struct target *t, struct store_batch *b, double now);

#endif
