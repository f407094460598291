#include "config_internal.h"
#include "safe.h"
#include "xalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 1000 /* bytes of one message before it is made printable */

void config_errors_init(struct config_errors *errs)
{
	*errs = (struct config_errors){.arena = ARENA_INIT};
}

void config_errors_release(struct config_errors *errs)
{
	arena_release(&errs->arena);
	free(errs->v);
	config_errors_init(errs);
}

static void add(struct config_errors *errs, uint32_t line, uint32_t column, bool warning,
	const char *fmt, va_list args)
{
	struct buf safe = BUF_INIT;
	char text[TEXT_MAX];

	*(warning ? &errs->warnings : &errs->errors) += 1;
	if (errs->n == CONFIG_ERRORS_MAX)
		return;
	if (errs->n == errs->cap) {
		errs->cap = errs->cap ? errs->cap * 2 : 8;
		errs->v = xrealloc(errs->v, errs->cap, sizeof(*errs->v));
	}
	vsnprintf(text, sizeof(text), fmt, args);
	safe_add(&safe, str_of(text));
	errs->v[errs->n++] = (struct config_problem){.line = line,
		.column = column,
		.warning = warning,
		.text = arena_str(&errs->arena, buf_str(&safe))};
	buf_release(&safe);
}

void config_error(struct config_errors *errs, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(errs, line, column, false, fmt, args);
	va_end(args);
}

void config_warning(
	struct config_errors *errs, uint32_t line, uint32_t column, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add(errs, line, column, true, fmt, args);
	va_end(args);
}

static int by_place(const void *a, const void *b)
{
	const struct config_problem *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	if (x->column != y->column)
		return x->column < y->column ? -1 : 1;
	return str_cmp(x->text, y->text);
}

void config_errors_sort(struct config_errors *errs)
{
	if (errs->n > 1)
		qsort(errs->v, errs->n, sizeof(*errs->v), by_place);
}

void config_errors_text(const struct config_errors *errs, const char *name, struct buf *out)
{
	size_t more = errs->errors + errs->warnings - errs->n;

	for (size_t i = 0; i < errs->n; i++) {
		const struct config_problem *p = &errs->v[i];

		safe_add(out, str_of(name));
		if (p->line)
			buf_addf(out, ":%u:%u", p->line, p->column);
		buf_addf(out, ": %s%.*s\n", p->warning ? "warning: " : "", STR_ARG(p->text));
	}
	if (more) {
		safe_add(out, str_of(name));
		buf_addf(out, ": and %zu more\n", more);
	}
}
