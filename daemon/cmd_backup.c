/* leakwatch backup: a copy of the store, while the daemon runs. */
#include "cmd.h"
#include "cmd_db.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: leakwatch backup [--db FILE] FILE\n"
	"Copies the store to a new FILE, whole and as of one moment, while the daemon runs and "
	"after\n"
	"it stopped.  FILE can be used in place of the store: stop the daemon, remove the store "
	"with\n"
	"its -wal and -shm, and move FILE there.\n\n"
	"      --db FILE        the store (default " CMD_DB_PATH ")\n"
	"      --help           this text\n\n"
	"Exit: 0 done, 2 usage, 65 not a store that this version reads, 74 cannot read or write,\n"
	"also when FILE exists.\n";

int cmd_backup(int argc, char **argv)
{
	static const struct option options[] = {{"db", required_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	const char *path = CMD_DB_PATH;
	struct err err = ERR_INIT;
	enum store_open r;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'd':
			path = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return CMD_USAGE;
		}
	}
	if (optind + 1 != argc)
		return cmd_usage(argv, "takes the name of one new file");
	r = store_backup(path, argv[optind], &err);
	if (r == STORE_OPEN_OK)
		return CMD_OK;
	if (r == STORE_OPEN_FAILED)
		cmd_db_explain(path, &err);
	return cmd_error(r == STORE_OPEN_NEWER ? CMD_DATA : CMD_IO, argv, &err);
}
