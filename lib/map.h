/*
 * map: bytes to pointer.  Layer 0; the one home of uthash.h.
 *
 * Keys are copied; values belong to the caller.  The hash is seeded once per process, so that names
 * chosen by a scraped process cannot pile up in one bucket.  Iteration is in order of insertion.
 */
#ifndef LEAKWATCH_MAP_H
#define LEAKWATCH_MAP_H

#include "base.h"
#include "str.h"

struct map;

struct map_item {
	struct str key;
	void *value;
};

struct map *map_new(void);
/* Frees keys and entries; values only through free_value, which may be NULL. */
void map_free(struct map *m, void (*free_value)(void *));
size_t map_count(const struct map *m);
/* The value, or NULL. */
void *map_get(const struct map *m, struct str key);
/* Sets it and returns what was there before, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Takes the entry out and returns its value, or NULL. */
void *map_take(struct map *m, struct str key);
/*
 * Iterates: *at starts as NULL; false at the end.  Entries may not be added or taken meanwhile,
 * except that the item just handed out may be taken.
 */
bool map_next(const struct map *m, void **at, struct map_item *item);

/*
 * A fixed 64-bit hash (the same in every run and on every machine): fingerprints and ids that are
 * stored.  Not for tables whose keys an outsider chooses.  wyhash-like multiply and fold.
 */
uint64_t hash64(const void *p, size_t n, uint64_t seed);
/*
 * For long texts that are seen again and again, such as a record of a dump: twice as fast, as it
 * goes through four lanes.  Another value than hash64's, and it may change: never stored.
 */
uint64_t hash64_text(const void *p, size_t n);

#endif
