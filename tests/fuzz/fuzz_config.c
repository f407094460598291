/*
 * Any bytes as a configuration: no crash, either a config or errors with their reasons, and what
 * --print makes of an accepted one is accepted and prints the same, in printable bytes.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_errors(const struct config_errors *errs)
{
	struct buf out = BUF_INIT;

	config_errors_text(errs, "f", &out);
	if (errs->errors == 0 || out.len == 0 || errs->n > CONFIG_ERRORS_MAX)
		abort();
	for (size_t i = 0; i < out.len; i++) {
		if ((unsigned char)out.p[i] < 0x20 && out.p[i] != '\n')
			abort();
	}
	buf_release(&out);
}

static void check_print(const struct config *c)
{
	struct buf first = BUF_INIT, second = BUF_INIT;
	struct config_errors errs;
	struct config *again;

	config_errors_init(&errs);
	config_print(c, &first);
	/* Longer than it was: a file near the limit may pass it. */
	if (first.len <= CONFIG_BYTES_MAX) {
		again = config_parse(buf_str(&first), "f", &errs);
		if (!again)
			abort();
		config_print(again, &second);
		if (!str_eq(buf_str(&first), buf_str(&second)))
			abort();
		if (again->nrules != c->nrules || again->njobs != c->njobs)
			abort();
		config_free(again);
	}
	config_errors_release(&errs);
	buf_release(&first);
	buf_release(&second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config_errors errs;
	struct config *c;

	config_errors_init(&errs);
	c = config_parse(str_n((const char *)data, size), "f", &errs);
	if (c)
		check_print(c);
	else
		check_errors(&errs);
	config_free(c);
	config_errors_release(&errs);
	return 0;
}
