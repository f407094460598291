/* leakwatch record: saves what a target answers, for bug reports and fixtures. */
#include "cmd.h"
#include "cmd_record.h"
#include "config_internal.h"
#include "xalloc.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
	"usage: leakwatch record [--interval D] [--for D] --out DIR TARGET\n"
	"Saves what TARGET (HOST:PORT, unix:/PATH or http[s]://HOST:PORT[/PPROF/PATH]) answers: "
	"the\n"
	"goroutine profile, symbols, metrics and the index page, every interval, with their "
	"times;\n"
	"and at the beginning and the end, when it has at most 2,000 goroutines, a debug=2 dump.\n"
	"'leakwatch replay' serves it again.\n\n"
	"  --interval D          between scrapes (default 10s)\n"
	"  --for D               how long; without it until it is interrupted\n"
	"  --out DIR             a directory without a recording; it is made when it is not there\n"
	"  --raw                 keep the argument words of debug=2, which are values and "
	"addresses\n"
	"                        of the process\n"
	"  --pprof-path PATH     default /debug/pprof\n"
	"  --metrics-path PATH   default /metrics; \"\" records none\n"
	"  --metrics-address A   HOST:PORT or unix:/PATH, where metrics are elsewhere\n"
	"  --help                this text\n\n"
	"The files are readable by their owner only.  Goroutine labels, function names, file paths "
	"and\n"
	"metrics are kept as they are: look before you send them.\n"
	"Exit: 0 recorded, 2 usage, 74 the target does not answer or DIR cannot be written.\n";

/* "https://host:port/path" into its three parts; anything else is an address. */
static void split_target(struct record_options *o)
{
	const char *sep = strstr(o->target, "://"), *host = sep ? sep + 3 : o->target, *slash;

	if (!sep) {
		o->address = xstrdup(o->target);
		return;
	}
	slash = strchr(host, '/');
	o->scheme = xmemdup0(o->target, (size_t)(sep - o->target));
	o->address = xmemdup0(host, slash ? (size_t)(slash - host) : strlen(host));
	o->path = xstrdup(slash && slash[1] ? slash : "");
}

/* A duration above zero, or -1 after telling. */
static int duration(char **argv, const char *option, const char *text, uint64_t *ms)
{
	struct err err = ERR_INIT;

	if (config_duration(str_of(text), ms, &err) == 0 && *ms > 0)
		return 0;
	cmd_usage(argv, "%s: %s", option, err.msg[0] ? err.msg : "must be above zero");
	return -1;
}

int cmd_record(int argc, char **argv)
{
	static const struct option options[] = {{"interval", required_argument, NULL, 'i'},
		{"for", required_argument, NULL, 'f'}, {"out", required_argument, NULL, 'o'},
		{"raw", no_argument, NULL, 'r'}, {"pprof-path", required_argument, NULL, 'p'},
		{"metrics-path", required_argument, NULL, 'm'},
		{"metrics-address", required_argument, NULL, 'a'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	struct record_options o = {.interval_ms = 10000, .metrics_path = "/metrics"};
	int c, code;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			if (duration(argv, "--interval", optarg, &o.interval_ms) < 0)
				return CMD_USAGE;
			break;
		case 'f':
			if (duration(argv, "--for", optarg, &o.for_ms) < 0)
				return CMD_USAGE;
			break;
		case 'o':
			o.out = optarg;
			break;
		case 'r':
			o.raw = true;
			break;
		case 'p':
			o.pprof_path = optarg;
			break;
		case 'm':
			o.metrics_path = optarg;
			break;
		case 'a':
			o.metrics_address = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv, "there is an option it does not have");
		}
	}
	if (!o.out)
		return cmd_usage(argv, "--out DIR is missing");
	if (optind + 1 != argc)
		return cmd_usage(argv, "takes one target");
	o.target = argv[optind];
	split_target(&o);
	code = cmd_record_run(argv, &o);
	free(o.scheme);
	free(o.address);
	free(o.path);
	return code;
}
