/* The sample configuration with every key uncommented: what tests of it share. */
#ifndef LEAKWATCH_CONFIG_SAMPLE_H
#define LEAKWATCH_CONFIG_SAMPLE_H

#include "config.h"

#include <string.h>

/* Its own words: after the introduction, "#key" is a key and "# text" is a sentence. */
static inline void config_sample(struct buf *out)
{
	struct str rest = str_of(strstr(sample_config_yaml, "\n\n")), line;

	while (str_line(&rest, &line)) {
		bool key =
			line.len > 1 && line.p[0] == '#' && !(line.p[1] == ' ' && line.p[2] != ' ');

		/* The number of lines stays, for messages. */
		buf_addstr(out, key ? str_from(line, 1) : line);
		buf_addc(out, '\n');
	}
}

#endif
