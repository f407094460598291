/*
 * finding: verdicts of one target with one cause.  Layer 1.
 *
 * One target, one cause, one alert.  Classes whose growth began within one lookback of each other,
 * or that rise in one ratio, are members of one finding.  The total, descriptors and memory speak
 * for themselves only when no goroutine finding of the target explains 70 % of their rate; else
 * they are members too.  What is over a limit is a finding of its own, whatever else is said of its
 * class.
 *
 * Of one class that grows one name is told: where its goroutines wait for what can never happen
 * BlockedForever, where more and more of them wait for one lock LockConvoy, else GoroutineLeak;
 * whichever was first stands, and the others stay in its evidence.  Neither is said to be stuck,
 * too; and where most of a class are told to be stuck, no leak of it is told.  But when those who
 * are stuck turn out to be a convoy, that opens and StuckGoroutines closes (replaced).
 *
 * A finding's name (kind and class) is fixed when it opens and never changes.
 *
 * Pure: finding_update looks at the series of one target and tells what opened and what closed.
 */
#ifndef LEAKWATCH_FINDING_H
#define LEAKWATCH_FINDING_H

#include "series.h"

enum finding_kind {
	FINDING_GOROUTINES, /* alert GoroutineLeak */
	FINDING_FDS, /* FileDescriptorLeak */
	FINDING_MEMORY, /* MemoryLeak */
	FINDING_FOREVER, /* BlockedForever: they wait for what can never happen, and become more */
	FINDING_CONVOY, /* LockConvoy: more and more of one class wait for one lock */
	FINDING_LIMIT, /* GoroutineLimit: over expect, or 10,000 blocked in one class */
	FINDING_STUCK, /* StuckGoroutines: some of one class wait for a mutex and never get it */
	FINDING_KINDS
};

const char *finding_alert_name(enum finding_kind k);
/* The kind of an alert's name, or FINDING_KINDS. */
enum finding_kind finding_kind_of(struct str alert_name);
/* Goroutines that become more, by whichever of the three names. */
bool finding_is_growth(enum finding_kind k);

#define FINDING_MEMBERS_MAX 64 /* named in an alert; more are only counted */
/* A leak explains memory up to that much for each goroutine. */
#define FINDING_BYTES_EACH (1024.0 * 1024)
/* Share of a rate that must be explained for a series to be a member instead of a finding. */
#define FINDING_EXPLAINS 0.7
/* The total, descriptors and memory wait that long for a class to speak; scaled with detect.window.
 */
#define FINDING_GRACE_S 3600.0

struct finding {
	enum finding_kind kind;
	char *class; /* its label: the class that grew fastest when it opened, or the metric */
	struct series *primary; /* NULL: restored, and its series has not been seen yet */
	struct series *members[FINDING_MEMBERS_MAX]; /* the primary first */
	size_t nmembers;
	double opened_at;
	double since; /* the earliest of its members */
	bool told; /* opened was called for it */
	bool replaced; /* closes because another finding says more of the same goroutines */
	void *user; /* the caller's */
};

struct finding_set;

struct finding_events {
	/* In the update that found it, when all of its members are known. */
	void (*opened)(void *arg, struct finding *f);
	/* Members, rates or reasons may be others than before; comes with every update. */
	void (*current)(void *arg, struct finding *f);
	/* why is one sentence; f is freed after the call. */
	void (*closed)(void *arg, struct finding *f, const char *why);
	void *arg;
};

struct finding_set *finding_set_new(
	const struct detect_params *params, const struct finding_events *events);
void finding_set_free(struct finding_set *set); /* closes nothing */
/* Other parameters from now on. */
void finding_set_retune(struct finding_set *set, const struct detect_params *params);
/* One that was open when the daemon stopped; it closes if its series does not come back. */
struct finding *finding_restore(
	struct finding_set *set, enum finding_kind kind, struct str class, double opened_at);
/*
 * How much a member grew for each unit that another grew: 1.00 writeLoop for each readLoop, 0.97
 * descriptors for each goroutine.  NAN where no ratio can be told: of bytes, of growths under 10,
 * or when the rates do not stand in that ratio (within a tenth).
 */
double finding_ratio(const struct series *member, const struct series *primary);
/* Looks at all series of the target.  complete: the classes are those of a whole body. */
void finding_update(
	struct finding_set *set, struct series *const *series, size_t n, double now, bool complete);
/* A series goes away (its class is forgotten). */
void finding_drop(struct finding_set *set, const struct series *s);
size_t finding_count(const struct finding_set *set);
const struct finding *finding_at(const struct finding_set *set, size_t i);

#endif
