/* leakwatch diff: what changed between two dumps. */
#include "cmd.h"
#include "cmd_dumps.h"
#include "cmd_side.h"
#include "cmd_source.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define ROWS_SHOWN 25 /* classes, and stacks, in text; JSON has all */

static const char usage[] =
	"usage: leakwatch diff [-c FILE] [--format text|json] OLD NEW\n"
	"Compares two goroutine dumps by class and by stack: gone, new, more, fewer.\n"
	"\n"
	"OLD and NEW are files, - for standard input, or URLs, as for 'leakwatch report'; of a "
	"file\n"
	"with several dumps the last one counts.  Where both are debug=2 (or SIGQUIT) of one\n"
	"process, goroutines are also compared one by one: STAYED are in both.\n"
	"\n"
	"  -c, --config FILE    configuration whose classes come before the built-in ones\n"
	"      --format FORMAT  text for people (default), or one JSON object\n"
	"      --help           this text\n"
	"\n"
	"Exit status: 0 done (also when nothing changed), 65 one is no goroutine dump, 74 one "
	"can't\n"
	"be read.\n";

static const char *const formats[] = {"text", "json", NULL};
enum { TEXT, JSON };

static void print(const struct compare *c, char **sources, int format)
{
	struct str old = str_of(cmd_dumps_name(sources[0]));
	struct str new_name = str_of(cmd_dumps_name(sources[1]));
	struct buf out = BUF_INIT;

	if (format == JSON) {
		json_t *doc = compare_json(c, old, new_name);

		json_write(doc, &out);
		buf_addc(&out, '\n');
		json_decref(doc);
	} else {
		compare_text(c, old, new_name, ROWS_SHOWN, &out);
	}
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
}

static int compare_sources(
	char **argv, const struct classifier *classifier, char **sources, int format)
{
	struct compare *c = compare_new(classifier);
	struct gdump_stats stats[COMPARE_SIDES];
	int code = cmd_side_read(argv, c, COMPARE_OLD, sources[0], &stats[COMPARE_OLD]);

	if (code == CMD_OK)
		code = cmd_side_read(argv, c, COMPARE_NEW, sources[1], &stats[COMPARE_NEW]);
	if (code == CMD_OK) {
		compare_end(c, &stats[COMPARE_OLD], &stats[COMPARE_NEW]);
		print(c, sources, format);
	}
	compare_free(c);
	return code;
}

int cmd_diff(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config_file = NULL;
	struct classifier *classifier;
	struct config *config;
	int c, code, format = TEXT;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			config_file = optarg;
			break;
		case 'f':
			format = cmd_word(argv, "--format", optarg, formats);
			if (format < 0)
				return CMD_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv, "options are -c, --format and --help");
		}
	}
	if (argc - optind != 2)
		return cmd_usage(argv, "OLD and NEW are wanted, not %d", argc - optind);
	code = cmd_source_rules(argv, config_file, &config, &classifier);
	if (code != CMD_OK)
		return code;
	code = compare_sources(argv, classifier, argv + optind, format);
	classifier_free(classifier);
	config_free(config);
	return code;
}
