#include "versions.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

void versions_release(struct versions *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->v[i].text);
	v->n = 0;
}

static void drop_oldest(struct versions *v)
{
	free(v->v[0].text);
	memmove(&v->v[0], &v->v[1], (v->n - 1) * sizeof(v->v[0]));
	v->n--;
}

void versions_note(struct versions *v, int64_t from_ms, struct str version)
{
	size_t last = v->n - 1;

	if (v->n && from_ms <= v->v[last].from_ms) {
		if (version.len == 0 || v->v[last].text[0])
			return;
		free(v->v[last].text);
		v->v[last].text = str_dup(version);
		return;
	}
	if (v->n && str_is(version, v->v[last].text))
		return;
	if (v->n == VERSIONS_MAX)
		drop_oldest(v);
	v->v[v->n].from_ms = from_ms;
	v->v[v->n++].text = str_dup(version);
}

struct str versions_at(const struct versions *v, int64_t at_ms)
{
	for (size_t i = v->n; i-- > 0;) {
		if (v->v[i].from_ms <= at_ms)
			return str_of(v->v[i].text);
	}
	return STR("");
}

struct str versions_of_run(struct str info)
{
	ptrdiff_t at = str_find(info, STR(VERSIONS_MARK)), end;
	struct str version;

	if (at < 0)
		return STR("");
	version = str_from(info, (size_t)at + strlen(VERSIONS_MARK));
	end = str_find(version, STR(", "));
	return end < 0 ? version : str_sub(version, 0, (size_t)end);
}
