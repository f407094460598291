/* leakwatch check-config: is the file right, and what does it amount to? */
#include "cmd.h"
#include "config.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: leakwatch check-config [-c FILE] [--print]\n"
	"       leakwatch check-config --keys\n"
	"Checks the configuration and tells every error as FILE:LINE:COLUMN: TEXT.\n\n"
	"  -c, --config FILE   the file (default " CONFIG_PATH ")\n"
	"      --print         print the effective configuration, with all defaults, as YAML\n"
	"      --keys          print every key with its type, default and meaning\n"
	"      --help          this text\n\n"
	"Exit: 0 the configuration can be used (there may be warnings), 1 it has errors,\n"
	"74 the file cannot be read.\n";

static int print_keys(void)
{
	struct buf out = BUF_INIT;

	config_print_keys(&out);
	fputs(out.p, stdout);
	buf_release(&out);
	return CMD_OK;
}

static int check(const char *path, bool print)
{
	struct config_errors errs;
	struct buf problems = BUF_INIT, text = BUF_INIT;
	struct config *c;
	int code = CMD_OK;

	config_errors_init(&errs);
	c = config_load(path, &errs);
	if (c)
		config_check_files(c, &errs);
	config_errors_text(&errs, path, &problems);
	if (c && c->njobs == 0)
		buf_addf(&problems,
			"%s: warning: no scrape_configs: run would have nothing to do\n", path);
	fputs(problems.p, stderr);
	if (!c)
		code = errs.unreadable ? CMD_IO : CMD_FAILED;
	else if (print)
		config_print(c, &text);
	else
		buf_adds(&text, "configuration OK\n");
	fputs(text.p, stdout);
	buf_release(&problems);
	buf_release(&text);
	config_errors_release(&errs);
	config_free(c);
	return code;
}

int cmd_check_config(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"print", no_argument, NULL, 'p'}, {"keys", no_argument, NULL, 'k'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *path = CONFIG_PATH;
	bool print = false;
	int o;

	while ((o = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			path = optarg;
			break;
		case 'p':
			print = true;
			break;
		case 'k':
			return print_keys();
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv, "options are -c, --print, --keys and --help");
		}
	}
	if (optind < argc)
		return cmd_usage(argv, "takes no file without -c: '%s'", argv[optind]);
	return check(path, print);
}
