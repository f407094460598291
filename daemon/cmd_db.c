#include "cmd_db.h"
#include "clock.h"
#include "notify.h"
#include "safe.h"
#include "xalloc.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char common_usage[] =
	"\n"
	"      --db FILE        the store (default " CMD_DB_PATH ")\n"
	"      --format FORMAT  text (default) or json\n"
	"      --help           this text\n"
	"\n"
	"Reading works while the daemon runs and after it stopped, and changes nothing.\n"
	"Exit: 0 done, 1 what was asked for is not there, 2 usage, 65 not a store that this\n"
	"version reads, 74 the store cannot be read.\n";

/* The locale's own variables, without setlocale: nothing else in the program depends on one. */
static bool shows_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *v = getenv(names[i]);

		if (v && v[0])
			return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
	}
	return false;
}

static size_t terminal_columns(void)
{
	struct winsize size = {0};

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 80;
	return size.ws_col;
}

bool cmd_db_options(struct cmd_db *db, int argc, char **argv, const char *usage, int *code)
{
	static const struct option options[] = {
		{"db", required_argument, NULL, 'd'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	static const char *const formats[] = {"text", "json", NULL};
	int c, format = 0;

	*db = (struct cmd_db){.argv = argv, .path = CMD_DB_PATH};
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'd') {
			db->path = optarg;
		} else if (c == 'f') {
			format = cmd_word(argv, "--format", optarg, formats);
			if (format < 0) {
				*code = CMD_USAGE;
				return false;
			}
		} else if (c == 'h') {
			fputs(usage, stdout);
			fputs(common_usage, stdout);
			*code = CMD_OK;
			return false;
		} else {
			*code = CMD_USAGE;
			return false;
		}
	}
	db->json = format == 1;
	db->now_ms = clock_wall_ms();
	db->columns = terminal_columns();
	db->braille = db->columns && shows_utf8();
	return true;
}

size_t cmd_plot_columns(void)
{
	return shows_utf8() ? terminal_columns() : 0;
}

/* FILE's folder may not be written, and what a reader needs beside FILE is not there. */
static bool cannot_be_joined(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? str_dup(str_n(path, (size_t)(slash - path + (slash == path))))
			     : xstrdup("."),
	     *index = xasprintf("%s-shm", path);
	bool cannot =
		access(path, R_OK) == 0 && access(index, F_OK) < 0 && access(folder, W_OK) < 0;

	free(index);
	free(folder);
	return cannot;
}

void cmd_db_explain(const char *path, struct err *err)
{
	struct stat sb;
	struct passwd *owner;

	if (stat(path, &sb) < 0 && errno == ENOENT)
		err_set(err,
			"there is no %s: a daemon makes it when it starts, its storage.path is "
			"to be given with --db",
			path);
	else if (access(path, R_OK) < 0 && errno == EACCES) {
		owner = stat(path, &sb) == 0 ? getpwuid(sb.st_uid) : NULL;
		err_set(err, "%s may not be read by you%s%s", path,
			owner ? ", but by its owner, " : "", owner ? owner->pw_name : "");
	} else if (cannot_be_joined(path))
		err_set(err,
			"%s has no -wal and -shm beside it, and you may not make them there: copy "
			"it to a folder of your own; of a copy that 'leakwatch backup' made "
			"neither is needed",
			path);
}

int cmd_db_open(struct cmd_db *db)
{
	struct err err = ERR_INIT;

	switch (store_open_read(db->path, &db->store, &err)) {
	case STORE_OPEN_OK:
		return CMD_OK;
	case STORE_OPEN_NEWER:
		return cmd_error(CMD_DATA, db->argv, &err);
	default:
		cmd_db_explain(db->path, &err);
		return cmd_error(CMD_IO, db->argv, &err);
	}
}

void cmd_db_close(struct cmd_db *db)
{
	store_close(db->store);
	db->store = NULL;
}

int cmd_db_failed(struct cmd_db *db, const struct err *err)
{
	return cmd_error(CMD_IO, db->argv, err);
}

void cmd_db_print_json(json_t *doc)
{
	struct buf out = BUF_INIT;

	json_write(doc, &out);
	buf_addc(&out, '\n');
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
	json_decref(doc);
}

json_t *cmd_db_object(struct str text)
{
	json_t *j = json_read(text, NULL);

	if (json_is_object(j))
		return j;
	json_decref(j);
	return json_object();
}

json_t *cmd_db_seconds(int64_t at_ms)
{
	return at_ms ? json_num((double)at_ms / 1000) : json_null();
}

void cmd_db_add_ago(const struct cmd_db *db, struct buf *out, int64_t at_ms)
{
	if (!at_ms) {
		buf_adds(out, "-");
		return;
	}
	notify_add_duration(out, (double)(db->now_ms - at_ms) / 1000);
	buf_adds(out, " ago");
}

void cmd_db_add_time(struct buf *out, int64_t at_ms)
{
	char text[NOTIFY_TIME_MAX];

	if (!at_ms) {
		buf_adds(out, "-");
		return;
	}
	notify_time(at_ms, text);
	buf_addf(out, "%.10s %.8s", text, text + 11);
}

static enum notify_unit unit_of(struct str name)
{
	return str_ends(name, STR("_bytes")) ? NOTIFY_BYTES : NOTIFY_GOROUTINES;
}

static void add_bytes(struct buf *out, double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;

	for (; fabs(v) >= 1024 && i + 1 < ARRAY_LEN(units); i++)
		v /= 1024;
	buf_addf(out, i ? "%.1f %s" : "%.0f %s", v, units[i]);
}

static void add_grouped(struct buf *out, double v)
{
	char digits[32];
	int n = snprintf(digits, sizeof(digits), "%.0f", fabs(v));

	if (v < 0)
		buf_addc(out, '-');
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf_addc(out, ',');
		buf_addc(out, digits[i]);
	}
}

void cmd_db_add_value(struct buf *out, double value, struct str name)
{
	if (isnan(value))
		buf_adds(out, "-");
	else if (unit_of(name) == NOTIFY_BYTES)
		add_bytes(out, value);
	else if (value == floor(value) && fabs(value) < 1e15)
		add_grouped(out, value);
	else
		buf_addf(out, "%.6g", value);
}

void cmd_db_add_rate(struct buf *out, double per_hour, struct str name)
{
	if (!isnan(per_hour))
		notify_add_rate(out, per_hour, unit_of(name));
}

void cmd_db_add_each(struct buf *out, const json_t *each)
{
	static const char *const bytes[] = {"go", "memory", "heap", "stack"};
	double fds = cmd_rows_num(json_object_get(each, "fds"), "estimate");

	if (!isnan(fds))
		buf_addf(out, "%.*f fds", fds < 10 ? 2 : 0, fds);
	for (size_t i = 0; i < ARRAY_LEN(bytes); i++) {
		double v = cmd_rows_num(json_object_get(each, bytes[i]), "estimate");

		if (isnan(v))
			continue;
		if (!isnan(fds))
			buf_adds(out, ", ");
		cmd_db_add_value(out, v, STR("_bytes"));
		return;
	}
}

int cmd_db_rank(struct str state)
{
	static const char *const order[] = {"leaking", "suspect", "held", "watching"};

	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		if (str_is(state, order[i]))
			return (int)i;
	}
	return (int)ARRAY_LEN(order);
}

void cmd_db_add_user(struct buf *out, int64_t uid)
{
	const struct passwd *who = uid >= 0 ? getpwuid((uid_t)uid) : NULL;

	if (who)
		safe_add(out, str_of(who->pw_name));
	else
		buf_addf(out, "uid %" PRId64, uid);
}
