/* leakwatch ack: somebody takes an alert on. */
#include "cmd_ask.h"
#include "cmd_db.h"

#include <getopt.h>
#include <stdio.h>

static const char usage[] =
	"usage: leakwatch ack [--db FILE] [--format text|json] ALERT [COMMENT...]\n"
	"Takes an alert on: it is not repeated any more, and 'leakwatch alerts' shows who has it.\n"
	"That it ended is told as ever.  ALERT is its id or the beginning of it.  Asks the "
	"running\n"
	"daemon, through the socket FILE.sock, which its user and group may use.\n";

int cmd_ack(int argc, char **argv)
{
	struct buf comment = BUF_INIT;
	json_t *request;
	struct cmd_db db;
	int code;

	if (!cmd_db_options(&db, argc, argv, usage, &code))
		return code;
	if (optind == argc)
		return cmd_usage(argv, "which alert?  'leakwatch alerts' lists their ids");
	for (int i = optind + 1; i < argc; i++)
		buf_addf(&comment, "%s%s", comment.len ? " " : "", argv[i]);
	request = json_pack("{s:s}", "do", "ack");
	json_object_set_new(request, "id", json_str(str_of(argv[optind])));
	json_object_set_new(request, "comment", json_str(buf_str(&comment)));
	buf_release(&comment);
	return cmd_ask(argv, db.path, request, "acknowledged", db.json);
}
