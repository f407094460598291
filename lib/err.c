#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void mark_cut(char *msg, size_t size, int wanted)
{
	if (wanted >= (int)size)
		memcpy(msg + size - 4, "...", 4);
}

int err_set(struct err *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!err)
		return -1;
	va_start(ap, fmt);
	n = vsnprintf(err->msg, sizeof(err->msg), fmt, ap);
	va_end(ap);
	mark_cut(err->msg, sizeof(err->msg), n);
	return -1;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	char head[ERR_MAX], whole[2 * ERR_MAX];
	va_list ap;
	int n;

	if (!err)
		return -1;
	va_start(ap, fmt);
	vsnprintf(head, sizeof(head), fmt, ap);
	va_end(ap);
	n = snprintf(whole, sizeof(whole), "%s: %s", head, err->msg);
	memcpy(err->msg, whole, MIN((size_t)n, sizeof(err->msg) - 1));
	err->msg[MIN((size_t)n, sizeof(err->msg) - 1)] = '\0';
	mark_cut(err->msg, sizeof(err->msg), n);
	return -1;
}
