/*
 * releases: which versions of a job's program were seen, for how long, and what leaked under each.
 * Layer 1.
 *
 * "First seen in v1.5.0 (v1.4.0 ran 6 d without it)" can be said when all instances run v1.5.0 by
 * now, because what v1.4.0 did is remembered: for each of the RELEASES_MAX versions seen last, how
 * long it was watched, the longest that one process of it was watched, and which series were found
 * leaking under it.  One of these for a job: its instances come and go with each deploy, their
 * versions do not.
 *
 * No more is claimed than was seen.  A version of which no process was watched for as long as the
 * leak took to show counts for nothing; nor does one under which the growth began without being
 * proven, one that was found leaking under more names than are kept, or one in which an instance of
 * now is suspected.  Versions are told apart as fleet.h orders them; those
 * without an order (a commit's hash) by the time of their deploy, and only when that was watched.
 *
 * Life cycle: `struct releases r = RELEASES_INIT;` or releases_read, … releases_release.
 */
#ifndef LEAKWATCH_RELEASES_H
#define LEAKWATCH_RELEASES_H

#include "fleet.h"
#include "json.h"

#define RELEASES_MAX	  8
#define RELEASE_LEAKS_MAX 64 /* names under one version */
#define RELEASE_NAME_MAX  256 /* bytes of a version or a name */

struct release_leak {
	char *name; /* class or metric */
	int64_t at_ms;
	bool proven; /* else it may have come from another version, or was suspected only */
};

struct release {
	char *version;
	int64_t first_ms, last_ms; /* deployed; last seen running */
	int64_t again_ms; /* came back after another one had taken its place; 0: did not */
	bool from_start; /* it ran when the job was first watched: deployed at first_ms or before */
	double seen_s; /* that any process of it was watched */
	double longest_s, again_s; /* that one process was; and since it came back */
	int64_t longest_from_ms; /* begin of that */
	struct release_leak *leaks;
	size_t nleaks;
	bool leaks_lost; /* more leaked than is kept */
	bool spoiled, clean; /* marks: an instance of now may leak under it; one is clean */
};

struct releases {
	struct release v[RELEASES_MAX];
	size_t n;
	int64_t begun_ms; /* the job is watched since */
	size_t last; /* found last */
	bool crowded; /* more versions run at one time than are kept: nothing is claimed */
};

#define RELEASES_INIT                                                                              \
	{                                                                                          \
		.n = 0                                                                             \
	}

void releases_release(struct releases *r);

/* A process was watched just now. */
struct release_look {
	struct str version; /* "": nothing is noted */
	int64_t at_ms;
	int64_t run_ms; /* it started, or was first seen */
	double run_seen_s; /* so long it has been watched */
	int64_t gap_ms; /* between two looks it counts as watched when no longer apart than that */
};
/* True when that changed what is known in a way worth storing at once. */
bool releases_see(struct releases *r, const struct release_look *l);
/* A series of that name was found leaking under the version.  True as above. */
bool releases_leak(
	struct releases *r, struct str version, struct str name, int64_t at_ms, bool proven);
/* The one of that version, or NULL. */
struct release *releases_of(struct releases *r, struct str version);

/* It leaked under that version, or may have: nothing is to be claimed of it. */
bool release_is_doubted(const struct release *v, struct str name);

/* How the instances of now do, before it is judged: forget what was marked, mark each; is one clean
 * in a version that is doubted? */
void releases_unmark(struct releases *r);
void releases_mark(struct releases *r, const struct fleet_row *row);
bool releases_doubt(const struct releases *r, struct str name);

struct release_claim {
	const struct release *first; /* that shows the leak; NULL: nothing is claimed */
	const struct release *before; /* ran long enough without it */
	const struct release *between; /* of these two, ran too short a time to tell; or NULL */
	const struct release *also; /* an earlier one that leaked as well, or NULL */
	bool again; /* before came back since, and ran long enough without it */
	bool by_time; /* the versions have no order, but their deploys have */
};

/* What can be said of a leak of that name which runs in version now, and took needs_s to show
 * (not over 0: not known, and nothing is claimed). */
void releases_judge(const struct releases *r, struct str name, struct str version, double needs_s,
	struct release_claim *out);
/* Appends "first seen in v1.5.0 (v1.4.0 ran 6 d without it)", "v1.4.0 leaked as well", or nothing.
 * Versions are made safe. */
void releases_words(const struct release_claim *c, struct buf *out);

/* As one object for the store (leakwatch-sql(7)), and back: what is not understood is left out. */
json_t *releases_json(const struct releases *r);
void releases_read(struct releases *r, const json_t *doc);

#endif
