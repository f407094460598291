#include "cmd_ask.h"
#include "control.h"
#include "safe.h"
#include "xalloc.h"

#include <stdio.h>
#include <stdlib.h>

static int tell(char **argv, const json_t *doc, const char *what, bool json)
{
	const char *id = json_string_value(json_object_get(doc, "id"));
	const char *why = json_string_value(json_object_get(doc, "error"));
	struct err err = ERR_INIT;
	struct buf shown = BUF_INIT;

	if (!id) {
		err_set(&err, "%s", why ? why : "the daemon's answer is not understood");
		return cmd_error(CMD_FAILED, argv, &err);
	}
	safe_add(&shown, str_of(id));
	if (json)
		printf("{\"id\":\"%s\"}\n", shown.p);
	else
		printf("%s %s\n", what, shown.p);
	buf_release(&shown);
	return CMD_OK;
}

int cmd_ask(char **argv, const char *db, json_t *request, const char *what, bool json)
{
	char *path = xasprintf("%s" CONTROL_SUFFIX, db);
	struct buf line = BUF_INIT, answer = BUF_INIT;
	struct err err = ERR_INIT;
	json_t *doc = NULL;
	int code;

	json_write(request, &line);
	json_decref(request);
	if (control_ask(path, buf_str(&line), &answer, &err) ||
		!(doc = json_read(buf_str(&answer), &err)))
		code = cmd_error(CMD_IO, argv, &err);
	else
		code = tell(argv, doc, what, json);
	json_decref(doc);
	buf_release(&line);
	buf_release(&answer);
	free(path);
	return code;
}
