#include "app.h"
#include "cmd.h"
#include "config.h"
#include "log.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: leakwatch run [-c FILE] [--log-level LEVEL]\n"
	"\n"
	"Watches the targets of the configuration until SIGTERM or SIGINT.  In the foreground;\n"
	"messages go to standard error, alerts also to the receivers.  SIGHUP reads the file\n"
	"again and takes it over whole or not at all.\n"
	"\n"
	"  -c, --config FILE    configuration (default " CONFIG_PATH ")\n"
	"      --log-level L    error, warning, notice, info (default) or debug\n"
	"      --help           this text\n"
	"\n"
	"Exit: 0 stopped by a signal, 2 usage, 65 the store is from a newer version, 74 I/O,\n"
	"75 another daemon holds the store, 78 the configuration is refused.\n";

int cmd_run(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"log-level", required_argument, NULL, 'l'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	const char *path = CONFIG_PATH;
	enum log_level level = LEVEL_INFO;
	struct config_errors errs;
	struct config *config;
	struct buf text = BUF_INIT;
	int c, code = CMD_CONFIG;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		if (c == 'c') {
			path = optarg;
		} else if (c == 'l') {
			if (!log_level_of_name(str_of(optarg), &level))
				return cmd_usage(argv,
					"no log level '%s'; there are error, warning, notice, info "
					"and debug",
					optarg);
		} else if (c == 'h') {
			fputs(usage, stdout);
			return CMD_OK;
		} else {
			return CMD_USAGE;
		}
	}
	if (optind < argc)
		return cmd_usage(argv, "takes no argument, was given '%s'", argv[optind]);
	log_set_level(level);
	config_errors_init(&errs);
	config = config_load(path, &errs);
	config_errors_text(&errs, path, &text);
	fputs(text.p, stderr);
	buf_release(&text);
	config_errors_release(&errs);
	if (config) {
		if (config->njobs == 0)
			fprintf(stderr, "%s: no scrape_configs: nothing to watch\n", path);
		if (config->njobs)
			code = app_run(config, path);
		else
			config_free(config);
	}
	return code;
}
