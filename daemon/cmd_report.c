/* leakwatch report: what is in a goroutine dump. */
#include "clock.h"
#include "cmd.h"
#include "cmd_dumps.h"
#include "cmd_side.h"
#include "cmd_source.h"
#include "config_internal.h"
#include "json.h"
#include "overtime.h"

#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define CLASSES_SHOWN 40 /* in text; JSON has all */

static const char usage[] =
	"usage: leakwatch report [-c FILE] [--format text|markdown|json|html] [--all]\n"
	"                        [--baseline FILE [--gap D]] SOURCE...\n"
	"Sums up goroutine dumps: classes, states, how long they wait, where, and who made them.\n"
	"\n"
	"SOURCE is a file (debug=0, 1 or 2, or what SIGQUIT and panics print; also from a log, a "
	"mail\n"
	"or a wiki), - for standard input, or a URL; of http://HOST:PORT it asks for\n"
	"/debug/pprof/goroutine?debug=1.  Several sources are a table over time, a row each.\n"
	"\n"
	"  -c, --config FILE    configuration whose classes come before the built-in ones\n"
	"      --format FORMAT  text for people (default), Markdown, one JSON object each, or a "
	"page\n"
	"      --all            of a file with several dumps all of them, not the last one; of\n"
	"                       several sources a report each\n"
	"      --baseline FILE  an older dump of the same service: what changed, by class and, of\n"
	"                       one process in debug=2, by goroutine; takes one SOURCE\n"
	"      --gap D          the time between the two (30m, 2h), where waits do not tell it\n"
	"      --help           this text\n"
	"\n"
	"Exit status: 0 done (also when a dump is cut: told on standard error), 65 a source is no\n"
	"goroutine dump, 74 it can't be read.\n";

static const char *const formats[] = {"text", "markdown", "json", "html", NULL};
enum { TEXT, MARKDOWN, JSON, HTML };

static size_t terminal_columns(void)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
		return size.ws_col;
	return 100;
}

struct options {
	int format;
	bool several; /* sources, or dumps of one */
	bool table; /* a row each instead of a report each */
	struct overtime *rows;
	const char *baseline; /* or NULL */
	double gap_minutes; /* NAN when not given */
	struct compare *compare;
	struct gdump_stats baseline_stats;
};

static void print_table(const struct options *o)
{
	struct buf out = BUF_INIT;

	overtime_write(o->rows, o->format == MARKDOWN, terminal_columns(), &out);
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
}

static void take_cb(void *arg, struct report *r, const struct cmd_dump *d)
{
	const struct options *o = arg;
	struct buf out = BUF_INIT, note = BUF_INIT;
	struct report_view view = {.name = str_of(cmd_dumps_name(d->source)),
		.classes = CLASSES_SHOWN,
		.columns = terminal_columns()};

	if (o->table) {
		overtime_add(o->rows, d->source, r);
		return;
	}
	if (o->compare)
		report_baseline(r, o->compare, str_of(cmd_dumps_name(o->baseline)), o->gap_minutes);
	cmd_dumps_note(d, &note);
	view.note = buf_str(&note);
	if (o->format == JSON) {
		json_t *doc = report_json(r);

		if (o->several || !d->last || d->number > 1)
			json_object_set_new(doc, "source", json_str(str_of(d->source)));
		if (!d->last || d->number > 1)
			json_object_set_new(doc, "dump", json_integer(d->number));
		json_write(doc, &out);
		buf_addc(&out, '\n');
		json_decref(doc);
	} else if (o->format == MARKDOWN) {
		report_markdown(r, &view, &out);
	} else if (o->format == HTML) {
		report_html(r, &view, &out);
	} else {
		report_text(r, &view, &out);
	}
	fwrite(out.p, 1, out.len, stdout);
	buf_release(&out);
	buf_release(&note);
}

static int read_gap(char **argv, const char *text, double *minutes)
{
	struct err err = ERR_INIT;
	uint64_t ms = 0;

	if (config_duration(str_of(text), &ms, &err) != 0)
		return cmd_usage(argv, "--gap: %s", err.msg);
	if (ms < 1000)
		return cmd_usage(argv, "--gap: %s is too short, at least 1s", text);
	*minutes = (double)ms / 60000;
	return CMD_OK;
}

/* What can't be had together is told before anything is read. */
static int check_options(char **argv, const struct options *o, bool all)
{
	if (o->format == HTML && (o->several || all))
		return cmd_usage(argv, "--format html takes one SOURCE, and no --all");
	if (o->baseline && (o->several || all))
		return cmd_usage(argv, "--baseline takes one SOURCE, and no --all");
	if (!o->baseline && !isnan(o->gap_minutes))
		return cmd_usage(argv, "--gap is the time since --baseline, which is missing");
	return CMD_OK;
}

static int read_baseline(char **argv, struct options *o, struct cmd_dumps *how)
{
	if (!o->baseline)
		return CMD_OK;
	o->compare = how->compare = compare_new(how->classifier);
	how->baseline_stats = &o->baseline_stats;
	return cmd_side_read(argv, o->compare, COMPARE_OLD, o->baseline, &o->baseline_stats);
}

int cmd_report(int argc, char **argv)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},
		{"baseline", required_argument, NULL, 'b'},
		{"config", required_argument, NULL, 'c'},
		{"format", required_argument, NULL, 'f'},
		{"gap", required_argument, NULL, 'g'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	const char *config_file = NULL;
	struct options o = {.format = TEXT, .gap_minutes = NAN};
	struct classifier *classifier;
	struct cmd_dumps how = {
		.argv = argv, .began_ms = clock_mono_ms(), .take = take_cb, .arg = &o};
	struct config *config;
	int c, code;

	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
		switch (c) {
		case 'a':
			how.all = true;
			break;
		case 'b':
			o.baseline = optarg;
			break;
		case 'c':
			config_file = optarg;
			break;
		case 'g':
			if (read_gap(argv, optarg, &o.gap_minutes) != CMD_OK)
				return CMD_USAGE;
			break;
		case 'f':
			o.format = cmd_word(argv, "--format", optarg, formats);
			if (o.format < 0)
				return CMD_USAGE;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv,
				"options are -c, --format, --all, --baseline, --gap and --help");
		}
	}
	if (optind == argc)
		return cmd_usage(argv, "SOURCE is missing: a file, - or a URL");
	o.several = argc - optind > 1;
	if (check_options(argv, &o, how.all) != CMD_OK)
		return CMD_USAGE;
	code = cmd_source_rules(argv, config_file, &config, &classifier);
	if (code != CMD_OK)
		return code;
	how.classifier = classifier;
	o.table = o.several && o.format != JSON && !how.all;
	o.rows = overtime_new();
	code = read_baseline(argv, &o, &how);
	for (int i = optind; i < argc && (code == CMD_OK || !o.baseline); i++) {
		int one = cmd_dumps_read(&how, argv[i]);

		code = code == CMD_OK ? one : code;
	}
	if (o.table)
		print_table(&o);
	overtime_free(o.rows);
	compare_free(o.compare);
	classifier_free(classifier);
	config_free(config);
	return code;
}
