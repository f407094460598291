/*
 * pipeline_load: what the store knew, until the configuration's targets have taken what is theirs.
 * Level 4; for pipeline_load.c, which reads it, and pipeline_restore.c, which takes it over.
 *
 * Rows refer to one another by id; the maps go from id to row, targets from "job\0instance".
 */
#ifndef LEAKWATCH_PIPELINE_LOAD_H
#define LEAKWATCH_PIPELINE_LOAD_H

#include "pipeline_lineage.h"
#include "pipeline_reload.h"

struct row_class {
	int64_t id, definition, first_seen_ms, last_seen_ms;
	char *name, *rule;
	struct row_class *next; /* of the same target */
};

struct row_series {
	int64_t id, class_id;
	enum store_series_kind kind;
	char *name;
	char *record;
	size_t record_len;
	int64_t record_ms;
	struct row_series *next; /* of the same target */
};

struct row_target {
	int64_t id, first_seen_ms, last_seen_ms;
	bool gone, taken;
	const char *instance;
	struct str line; /* "": it has no lineage */
	struct row_target *next; /* of the same line */
	struct store_run run;
	bool inferred;
	struct row_class *classes;
	struct row_series *series;
};

struct loaded {
	struct store *store;
	struct arena arena;
	struct map *by_name; /* "job\0instance" -> row_target */
	struct map *by_line; /* line -> list of row_target */
	struct map *targets, *series;
	struct pipeline *p;
};

/* The bytes of an id, as a map's key. */
struct str loaded_key(const int64_t *id);
/* "job\0instance", in b. */
struct str loaded_name(struct buf *b, struct str job, struct str instance);
/*
 * The row that is t's by its name, else that of its line which was seen last and that nobody has;
 * NULL when there is none.  It is taken: nobody else gets it.  t->continues says of whom it was.
 */
struct row_target *loaded_take(struct target *t, int64_t now_ms);

#endif
