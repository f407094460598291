/* leakwatch: finds the command and runs it. */
#include "base.h"
#include "cmd.h"
#include "suggest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

/* One row a line, sorted: this is also what --help shows. */
/* clang-format off */
static const struct command commands[] = {
	{"ack", cmd_ack, "take an alert on: it is not repeated any more"},
	{"alerts", cmd_alerts, "what was alerted; 'alerts show ID' tells everything about one"},
	{"backtest", cmd_backtest, "what would have been found in a recorded history"},
	{"backup", cmd_backup, "a copy of the store, while the daemon runs"},
	{"check-config", cmd_check_config, "is the configuration right? --print shows all of it"},
	{"classes", cmd_classes, "every class of goroutines with its count and verdict"},
	{"classify", cmd_classify, "a dump by class; --suggest writes rules for what has no name"},
	{"diff", cmd_diff, "what changed between two dumps"},
	{"history", cmd_history, "the numbers of one class over time"},
	{"import", cmd_import, "a recorded history into the store, before the daemon starts"},
	{"record", cmd_record, "save what a service answers, for a bug report or a test"},
	{"replay", cmd_replay, "serve a recording as if it were the service"},
	{"report", cmd_report, "what is in a goroutine dump"},
	{"run", cmd_run, "the daemon, in the foreground"},
	{"silence", cmd_silence, "keep alerts quiet for a while; 'silence list' shows what is"},
	{"status", cmd_status, "is the daemon running, and what is the worst of each target?"},
	{"targets", cmd_targets, "every target with its last scrape"},
	{NULL, NULL, NULL}
};
/* clang-format on */

static void print_help(FILE *out)
{
	fputs("usage: leakwatch COMMAND [OPTION...]\n"
	      "Watches Go services for goroutine, memory and descriptor leaks.\n\n"
	      "Commands ('leakwatch COMMAND --help' tells more, leakwatch(1) everything):\n",
		out);
	for (const struct command *c = commands; c->name; c++)
		fprintf(out, "  %-13s %s\n", c->name, c->summary);
	fputs("\nOptions:\n"
	      "  --help        this text\n"
	      "  --version     version of the program\n",
		out);
}

static int unknown(char *word)
{
	const char *names[ARRAY_LEN(commands) + 2], *near;
	char *argv[] = {(char[]){"leakwatch"}, NULL};
	size_t n = 0;

	for (const struct command *c = commands; c->name; c++)
		names[n++] = c->name;
	names[n++] = "--help";
	names[n++] = "--version";
	near = suggest(str_of(word), names, n);
	return cmd_usage(argv, "there is no %s '%s'%s%s%s", word[0] == '-' ? "option" : "command",
		word, near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

/* A result that could not be written is no result: a full disk must not look like success. */
static int flush_output(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	fprintf(stderr, "leakwatch: cannot write to standard output: %s\n", strerror(errno));
	return code == CMD_OK ? CMD_IO : code;
}

int main(int argc, char **argv)
{
	char name[64];

	if (argc < 2) {
		print_help(stderr);
		return CMD_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return flush_output(CMD_OK);
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("leakwatch %s\n", LEAKWATCH_VERSION);
		return flush_output(CMD_OK);
	}
	for (const struct command *c = commands; c->name; c++) {
		if (strcmp(argv[1], c->name) != 0)
			continue;
		snprintf(name, sizeof(name), "leakwatch %s", c->name);
		argv[1] = name;
		return flush_output(c->run(argc - 1, argv + 1));
	}
	return unknown(argv[1]);
}
