/* leakwatch classify: a dump by class; stacks of each; rules for what has no name yet. */
#include "clock.h"
#include "cmd.h"
#include "cmd_dumps.h"
#include "cmd_source.h"
#include "json.h"
#include "report.h"
#include "safe.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUGGESTED_RULES 30
#define FILE_NAME_MAX	100 /* bytes of a class name that a file's name keeps */

static const char usage[] =
	"usage: leakwatch classify [-c FILE] [--format text|json] [--out DIR] [--suggest] "
	"SOURCE...\n"
	"Sorts the goroutines of dumps into classes, a line each.\n"
	"\n"
	"SOURCE is a file, - for standard input, or a URL, as for 'leakwatch report'.\n"
	"\n"
	"  -c, --config FILE    configuration whose classes come before the built-in ones\n"
	"      --format FORMAT  text for people (default), or one JSON object for each source\n"
	"      --out DIR        write the stacks of each class to a file in DIR (made if it is "
	"not\n"
	"                       there); takes one SOURCE\n"
	"      --suggest        print rules, as YAML, for the classes that no rule names\n"
	"      --help           this text\n"
	"\n"
	"Exit status: 0 done (also when a dump is cut: told on standard error), 65 a source is no\n"
	"goroutine dump, 74 a source can't be read or DIR can't be written.\n";

static const char *const formats[] = {"text", "json", NULL};
enum { TEXT, JSON };

struct options {
	const char *config_file, *out_dir;
	int format;
	bool suggest, several;
	char **argv;
	int code; /* CMD_OK, or that of what failed besides reading */
};

/* ---- --out ------------------------------------------------------------------------------------
 */
struct writer {
	const char *dir;
	size_t files;
	bool failed;
	struct err *err;
};

/* "003-main.worker_net_http.serve.txt": the rank makes it unique, and no name comes out of DIR. */
static char *file_name(const char *dir, size_t index, struct str class_name)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "%s/%03zu-", dir, index + 1);
	for (size_t i = 0; i < MIN(class_name.len, (size_t)FILE_NAME_MAX); i++) {
		char c = class_name.p[i];
		bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
			     (c >= 'A' && c <= 'Z') || c == '.' || c == '-';

		if (plain || b.p[b.len - 1] != '_')
			buf_addc(&b, plain ? c : '_');
	}
	buf_adds(&b, ".txt");
	return buf_take(&b);
}

static void write_class_cb(void *arg, size_t index, struct str class_name, struct str text)
{
	struct writer *w = arg;
	char *path = file_name(w->dir, index, class_name);
	/* Stacks may hold what others should not read. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	struct buf b = BUF_INIT;
	struct str line;
	bool ok = f != NULL;

	safe_add(&b, class_name);
	buf_adds(&b, "\n\n");
	while (str_line(&text, &line)) {
		safe_add(&b, line);
		buf_addc(&b, '\n');
	}
	ok = ok && fwrite(b.p, 1, b.len, f) == b.len;
	if (f)
		ok = fclose(f) == 0 && ok;
	else if (fd >= 0)
		close(fd);
	if (!ok && !w->failed) {
		w->failed = true;
		err_set(w->err, "cannot write %s: %s", path, strerror(errno));
	}
	w->files += ok;
	buf_release(&b);
	free(path);
}

static int write_classes(const struct report *r, const char *dir, struct err *err)
{
	struct writer w = {.dir = dir, .err = err};

	if (mkdir(dir, 0700) != 0 && errno != EEXIST)
		return err_set(err, "cannot make %s: %s", dir, strerror(errno));
	report_stacks(r, write_class_cb, &w);
	if (w.failed)
		return -1;
	fprintf(stderr, "%zu files in %s\n", w.files, dir);
	return 0;
}

/* ---- printing ---------------------------------------------------------------------------------
 */
static void print(const struct report *r, const struct cmd_dump *d, const struct options *o)
{
	struct buf out = BUF_INIT, note = BUF_INIT;

	if (o->suggest) {
		if (report_suggest(r, SUGGESTED_RULES, &out) == 0)
			buf_adds(&out, "classes: []   # every class has a rule\n");
	} else if (o->format == JSON) {
		json_t *doc = report_classes_json(r);

		if (o->several)
			json_object_set_new(doc, "source", json_str(str_of(d->source)));
		json_write(doc, &out);
		buf_addc(&out, '\n');
		json_decref(doc);
	} else {
		struct report_view view = {.name = str_of(cmd_dumps_name(d->source)),
			.classes = SIZE_MAX,
			.brief = true};

		if (d->number > 1)
			buf_addf(&note, "the last of %u dumps in it\n", d->number);
		if (*d->mended)
			buf_addf(&note, "mended: %s\n", d->mended);
		view.note = buf_str(&note);
		report_text(r, &view, &out);
	}
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
	buf_release(&note);
}

static void take_cb(void *arg, struct report *r, const struct cmd_dump *d)
{
	struct options *o = arg;
	struct err err = ERR_INIT;

	print(r, d, o);
	if (o->out_dir && write_classes(r, o->out_dir, &err) != 0)
		o->code = cmd_error(CMD_IO, o->argv, &err);
}

/* CMD_OK, or -1 when there is nothing more to do than return *code. */
static int read_options(int argc, char **argv, struct options *o, int *code)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"format", required_argument, NULL, 'f'},
		{"help", no_argument, NULL, 'h'},
		{"out", required_argument, NULL, 'o'},
		{"suggest", no_argument, NULL, 's'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*code = CMD_USAGE;
	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o->config_file = optarg;
			break;
		case 'f':
			o->format = cmd_word(argv, "--format", optarg, formats);
			if (o->format < 0)
				return -1;
			break;
		case 'o':
			o->out_dir = optarg;
			break;
		case 's':
			o->suggest = true;
			break;
		case 'h':
			fputs(usage, stdout);
			*code = CMD_OK;
			return -1;
		default:
			cmd_usage(argv, "options are -c, --format, --out, --suggest and --help");
			return -1;
		}
	}
	o->several = argc - optind > 1;
	if (optind == argc)
		cmd_usage(argv, "SOURCE is missing: a file, - or a URL");
	else if (o->out_dir && o->several)
		cmd_usage(argv, "--out takes one SOURCE, not %d", argc - optind);
	else
		return 0;
	return -1;
}

int cmd_classify(int argc, char **argv)
{
	struct options o = {.format = TEXT, .argv = argv};
	struct cmd_dumps how = {
		.argv = argv, .began_ms = clock_mono_ms(), .take = take_cb, .arg = &o};
	struct classifier *classifier;
	struct config *config;
	int code;

	if (read_options(argc, argv, &o, &code) != 0)
		return code;
	code = cmd_source_rules(argv, o.config_file, &config, &classifier);
	if (code != CMD_OK)
		return code;
	how.classifier = classifier;
	how.stacks = o.out_dir != NULL;
	for (int i = optind; i < argc; i++) {
		int one = cmd_dumps_read(&how, argv[i]);

		code = code == CMD_OK ? one : code;
	}
	code = code == CMD_OK ? o.code : code;
	classifier_free(classifier);
	config_free(config);
	return code;
}
