/*
 * cmd_ask: what the commands share that ask the running daemon for something.  Level 4.
 */
#ifndef LEAKWATCH_CMD_ASK_H
#define LEAKWATCH_CMD_ASK_H

#include "cmd.h"
#include "json.h"

/*
 * Asks the daemon that has the store at db; takes the request over.  Prints "what ID", or with json
 * {"id": ID}, and returns CMD_OK; CMD_FAILED after telling why it refused, CMD_IO when it cannot be
 * asked.
 */
int cmd_ask(char **argv, const char *db, json_t *request, const char *what, bool json);

#endif
