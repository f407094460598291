#include "cmd.h"

#include "buf.h"
#include "safe.h"
#include "suggest.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Messages hold words of the command line and of files: control characters are shown, not sent. */
static void tell(char **argv, const char *text)
{
	struct buf b = BUF_INIT;

	safe_add(&b, str_of(argv[0]));
	buf_adds(&b, ": ");
	safe_add(&b, str_of(text));
	fprintf(stderr, "%s\n", b.p);
	buf_release(&b);
}

int cmd_usage(char **argv, const char *fmt, ...)
{
	char text[ERR_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	tell(argv, text);
	fprintf(stderr, "Try '%s --help'.\n", argv[0]);
	return CMD_USAGE;
}

int cmd_error(int code, char **argv, const struct err *err)
{
	tell(argv, err->msg);
	return code;
}

int cmd_word(char **argv, const char *option, const char *given, const char *const *words)
{
	struct buf list = BUF_INIT;
	const char *near;
	size_t n = 0;

	for (; words[n]; n++) {
		if (strcmp(given, words[n]) == 0)
			return (int)n;
	}
	for (size_t i = 0; i < n; i++)
		buf_addf(&list, "%s%s", i == 0 ? "" : i + 1 == n ? " or " : ", ", words[i]);
	near = suggest(str_of(given), words, n);
	if (near)
		cmd_usage(argv, "%s takes %s, not '%s': did you mean %s?", option, list.p, given,
			near);
	else
		cmd_usage(argv, "%s takes %s, not '%s'", option, list.p, given);
	buf_release(&list);
	return -1;
}
