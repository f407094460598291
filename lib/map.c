#include "map.h"
#include "xalloc.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t map_seed(void);
#define HASH_FUNCTION(keyptr, keylen, hashv)                                                       \
	((hashv) = (unsigned)hash64(keyptr, keylen, map_seed()))
#define uthash_malloc(sz) xmalloc(sz)
#include <uthash.h>

struct entry {
	UT_hash_handle hh;
	void *value;
	size_t len;
	char key[];
};

struct map {
	struct entry *head;
};

/* Random once per process; the map's order of iteration does not depend on it. */
static uint64_t map_seed(void)
{
	static uint64_t seed;

	if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
		seed = (uint64_t)(uintptr_t)&seed;
	if (seed == 0)
		seed = 1;
	return seed;
}

struct map *map_new(void)
{
	return xcalloc(1, sizeof(struct map));
}

void map_free(struct map *m, void (*free_value)(void *))
{
	struct entry *e, *next;

	if (!m)
		return;
	HASH_ITER(hh, m->head, e, next)
	{
		HASH_DEL(m->head, e);
		if (free_value)
			free_value(e->value);
		free(e);
	}
	free(m);
}

size_t map_count(const struct map *m)
{
	return HASH_COUNT(m->head);
}

static struct entry *look_up(const struct map *m, struct str key)
{
	struct entry *e;

	/* An empty key may have no address; memcmp wants one all the same. */
	HASH_FIND(hh, m->head, key.len ? key.p : "", key.len, e);
	return e;
}

void *map_get(const struct map *m, struct str key)
{
	struct entry *e = look_up(m, key);

	return e ? e->value : NULL;
}

void *map_put(struct map *m, struct str key, void *value)
{
	struct entry *e = look_up(m, key);
	void *old;

	if (e) {
		old = e->value;
		e->value = value;
		return old;
	}
	e = xcalloc(1, sizeof(*e) + key.len + 1);
	if (key.len)
		memcpy(e->key, key.p, key.len);
	e->len = key.len;
	e->value = value;
	HASH_ADD_KEYPTR(hh, m->head, e->key, e->len, e);
	return NULL;
}

void *map_take(struct map *m, struct str key)
{
	struct entry *e = look_up(m, key);
	void *value;

	if (!e)
		return NULL;
	value = e->value;
	HASH_DEL(m->head, e);
	free(e);
	return value;
}

bool map_next(const struct map *m, void **at, struct map_item *item)
{
	/* *at is the entry to hand out next, prefetched so that the current one may be taken;
	 * the map itself marks the end. */
	struct entry *e = *at ? *at : m->head;

	if (!e || *at == (void *)m)
		return false;
	*at = e->hh.next ? e->hh.next : (void *)m;
	item->key = str_n(e->key, e->len);
	item->value = e->value;
	return true;
}

__extension__ typedef unsigned __int128 u128;

static const uint64_t k0 = 0x9e3779b97f4a7c15, k1 = 0xd6e8feb86659fd93, k2 = 0xa0761d6478bd642f;

static uint64_t fold(uint64_t a, uint64_t b)
{
	u128 r = (u128)a * b;

	return (uint64_t)r ^ (uint64_t)(r >> 64);
}

/* Eight bytes, little end first, in one load: a loop over them is ten times as slow. */
static uint64_t read8(const unsigned char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* The last n bytes, at most eight. */
static uint64_t read64(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

uint64_t hash64(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *s = p;
	uint64_t h = seed ^ fold(n ^ k0, k1);

	for (; n >= 16; n -= 16, s += 16)
		h = fold(read8(s) ^ k1, read8(s + 8) ^ h);
	if (n > 8)
		h = fold(read8(s) ^ k1, read64(s + 8, n - 8) ^ h);
	else
		h = fold(read64(s, n) ^ k1, k0 ^ h);
	return fold(h ^ k2, k1);
}

uint64_t hash64_text(const void *p, size_t n)
{
	const unsigned char *s = p;
	uint64_t a = n ^ k0, b = k1, c = k2, d = k0;

	/* Each multiplication waits for the one before it in its lane only. */
	for (; n >= 64; n -= 64, s += 64) {
		a = fold(read8(s) ^ k1, read8(s + 8) ^ a);
		b = fold(read8(s + 16) ^ k2, read8(s + 24) ^ b);
		c = fold(read8(s + 32) ^ k1, read8(s + 40) ^ c);
		d = fold(read8(s + 48) ^ k2, read8(s + 56) ^ d);
	}
	return hash64(s, n, fold(a ^ k0, b) ^ fold(c ^ k2, d));
}
