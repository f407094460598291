#include "symbols.h"

#include "arena.h"
#include "gdump.h"
#include "map.h"
#include "stack.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DEPTH_MAX 16 /* hidden frames of a record that are looked at */

struct symbols {
	struct map *names; /* address -> struct str in the arena, empty until it is answered */
	struct arena arena;
};

struct symbols *symbols_new(void)
{
	struct symbols *s = xcalloc(1, sizeof(*s));

	s->names = map_new();
	return s;
}

void symbols_free(struct symbols *s)
{
	if (!s)
		return;
	map_free(s->names, NULL);
	arena_release(&s->arena);
	free(s);
}

static struct str key_of(const uint64_t *pc)
{
	return str_n((const char *)pc, sizeof(*pc));
}

static void group_cb(void *arg, const struct group *g)
{
	struct symbols *s = arg;

	for (size_t i = 0; i < MIN(g->nhidden, (size_t)DEPTH_MAX); i++) {
		if (map_count(s->names) >= SYMBOLS_MAX || map_get(s->names, key_of(&g->hidden[i])))
			continue;
		map_put(s->names, key_of(&g->hidden[i]),
			arena_calloc(&s->arena, 1, sizeof(struct str)));
	}
}

void symbols_collect(struct symbols *s, struct str body)
{
	const struct gdump_sink sink = {.group = group_cb, .arg = s};
	struct gdump *g = gdump_new(&sink);

	gdump_feed(g, body.p, body.len);
	gdump_finish(g, NULL);
	gdump_free(g);
}

bool symbols_query(const struct symbols *s, struct buf *out)
{
	struct map_item item;
	void *at = NULL;
	size_t n = 0;

	while (map_next(s->names, &at, &item)) {
		uint64_t pc;

		memcpy(&pc, item.key.p, sizeof(pc));
		buf_addf(out, "%s0x%" PRIx64, n++ ? "+" : "", pc);
	}
	return n > 0;
}

/* "0x43be36 runtime.gopark": the address, and *name. */
static bool parse_line(struct str line, uint64_t *pc, struct str *name)
{
	ptrdiff_t space = str_chr(line, ' ');
	char digits[17];

	if (space < 3 || space > 18 || !str_starts(line, STR("0x")))
		return false;
	memcpy(digits, line.p + 2, (size_t)space - 2);
	digits[space - 2] = '\0';
	if (strspn(digits, "0123456789abcdefABCDEF") != strlen(digits))
		return false;
	*pc = strtoull(digits, NULL, 16);
	*name = str_trim(str_from(line, (size_t)space));
	return true;
}

void symbols_answer(struct symbols *s, struct str body)
{
	struct str line, name, *known;
	uint64_t pc;

	while (str_line(&body, &line)) {
		if (!parse_line(line, &pc, &name))
			continue;
		known = map_get(s->names, key_of(&pc));
		if (known && known->len == 0)
			*known = arena_str(&s->arena, name);
	}
}

enum wait_kind symbols_wait(const struct symbols *s, const uint64_t *pcs, size_t n)
{
	struct str names[DEPTH_MAX];
	size_t count = 0;

	for (; count < MIN(n, (size_t)DEPTH_MAX); count++) {
		const struct str *name = map_get(s->names, key_of(&pcs[count]));

		names[count] = name ? *name : STR("");
	}
	return stack_wait_of_symbols(names, count);
}
