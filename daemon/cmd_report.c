/* leakwatch report: what is in a goroutine dump. */
#include "cmd.h"
#include "cmd_source.h"
#include "json.h"
#include "report.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLASSES_SHOWN 40 /* in text; JSON has all */

static const char usage[] =
	"usage: leakwatch report [-c FILE] [--format text|json] SOURCE...\n"
	"Sums up goroutine dumps: classes, states, how long they wait, where, and who made them.\n"
	"\n"
	"SOURCE is a file (debug=1, debug=2, or what SIGQUIT and panics print), - for standard\n"
	"input, or a URL; of http://HOST:PORT it asks for /debug/pprof/goroutine?debug=1.\n"
	"\n"
	"  -c, --config FILE    configuration whose classes come before the built-in ones\n"
	"      --format FORMAT  text for people (default), or one JSON object for each source\n"
	"      --help           this text\n"
	"\n"
	"Exit status: 0 done (also when a dump is cut: told on standard error), 65 a source is no\n"
	"goroutine dump, 74 it can't be read.\n";

static const char *const formats[] = {"text", "json", NULL};
enum { TEXT, JSON };

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
		return size.ws_col;
	return 100;
}

static void print(const struct report *r, const char *source, int format, bool several)
{
	struct buf out = BUF_INIT;

	if (format == JSON) {
		json_t *doc = report_json(r);

		if (several)
			json_object_set_new(doc, "source", json_str(str_of(source)));
		json_write(doc, &out);
		buf_addc(&out, '\n');
		json_decref(doc);
	} else {
		struct report_view view = {.name = str_of(strcmp(source, "-") ? source : "input"),
			.classes = CLASSES_SHOWN,
			.columns = terminal_columns()};

		report_text(r, &view, &out);
	}
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
}

static int report_source(char **argv, const struct classifier *classifier, const char *source,
	int format, bool several)
{
	struct report *r = report_new(classifier, false);
	const struct gdump_sink sink = report_sink(r);
	struct gdump *g = gdump_new(&sink);
	struct err err = ERR_INIT;
	struct symbols *symbols = symbols_new();
	int code;

	report_symbols(r, symbols);
	code = cmd_source_read(source, g, symbols, &err);
	if (code != CMD_OK) {
		cmd_error(code, argv, &err);
	} else {
		report_end(r, gdump_stats(g));
		print(r, source, format, several);
		fflush(stdout); /* before what is told of it */
		cmd_source_warn(argv, source, gdump_stats(g));
	}
	gdump_free(g);
	report_free(r);
	symbols_free(symbols);
	return code;
}

int cmd_report(int argc, char **argv)
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
	if (optind == argc)
		return cmd_usage(argv, "SOURCE is missing: a file, - or a URL");
	code = cmd_source_rules(argv, config_file, &config, &classifier);
	if (code != CMD_OK)
		return code;
	for (int i = optind; i < argc; i++) {
		int one = report_source(argv, classifier, argv[i], format, argc - optind > 1);

		code = code == CMD_OK ? one : code;
	}
	classifier_free(classifier);
	config_free(config);
	return code;
}
