#include "pprof_index.h"

#include <string.h>

static void skip_blanks(struct str *s)
{
	size_t i = 0;

	while (i < s->len && strchr(" \t\r\n", s->p[i]))
		i++;
	*s = str_from(*s, i);
}

static bool skip(struct str *s, const char *word)
{
	if (!str_starts(*s, str_of(word)))
		return false;
	*s = str_from(*s, strlen(word));
	return true;
}

/* The number of a cell; *s goes on behind it. */
static bool take_number(struct str *s, uint64_t *out)
{
	size_t n = 0;

	skip_blanks(s);
	while (n < s->len && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!str_u64(str_sub(*s, 0, n), out))
		return false;
	*s = str_from(*s, n);
	skip_blanks(s);
	if (skip(s, "</td>"))
		skip_blanks(s);
	return true;
}

/* The profile's name in <a href='NAME?debug=1'>, "" when it is none. */
static struct str take_link(struct str *s)
{
	struct str name;
	size_t n = 0;

	if (!skip(s, "<td>"))
		return (struct str){0};
	skip_blanks(s);
	if (!skip(s, "<a href="))
		return (struct str){0};
	if (!skip(s, "'"))
		skip(s, "\"");
	while (n < s->len && s->p[n] != '?' && s->p[n] != '<' && s->p[n] != '>')
		n++;
	name = str_sub(*s, 0, n);
	*s = str_from(*s, n);
	if (!skip(s, "?debug"))
		return (struct str){0};
	return skip(s, "=1") || skip(s, "&#61;1") ? name : (struct str){0};
}

bool pprof_index_parse(struct str page, struct pprof_index *out)
{
	ptrdiff_t at;

	*out = (struct pprof_index){0};
	page = str_sub(page, 0, PPROF_INDEX_MAX);
	while ((at = str_find(page, STR("<td"))) >= 0) {
		struct str row, name;
		uint64_t n;

		page = str_from(page, (size_t)at + 3);
		row = page;
		at = str_chr(row, '>');
		if (at < 0)
			break;
		row = str_from(row, (size_t)at + 1);
		if (!take_number(&row, &n))
			continue;
		name = take_link(&row);
		if (str_is(name, "goroutine")) {
			out->goroutine = true;
			out->goroutines = n;
		} else if (str_is(name, "goroutineleak")) {
			out->goroutineleak = true;
		}
	}
	return out->goroutine;
}
