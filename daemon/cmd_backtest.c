/* leakwatch backtest: what would the detector have said of this history? */
#include "backtest.h"
#include "buf.h"
#include "cmd.h"
#include "cmd_backtest.h"
#include "cmd_backtest_plot.h"
#include "cmd_db.h"
#include "config.h"
#include "json.h"
#include "safe.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

static const char usage[] =
	"usage: leakwatch backtest [-c FILE] [--load NAME] [--format text|json] [--fail-on-leak] "
	"HISTORY\n"
	"Judges each series of a recorded history as the daemon would have done, and prints\n"
	"every change of its verdict to or from suspect, leaking and held; on a terminal also a\n"
	"plot of each series that leaks.\n\n"
	"HISTORY is what 'promtool tsdb dump DIR' prints, OpenMetrics text with timestamps "
	"(either\n"
	"gzip'd too), a daemon's .db, or - for standard input. Read are\n"
	"leakwatch_goroutines{target=,class=}, process_start_time_seconds, go_goroutines, "
	"go_threads,\n"
	"process_open_fds, process_resident_memory_bytes, go_memstats_heap_inuse_bytes.\n\n"
	"  -c, --config FILE    take detect, load_metric and the classes' expect from this file\n"
	"      --load NAME      family, or name{label=\"v\"}, that is the load of its target\n"
	"      --format FORMAT  text (default) or json: one object a line\n"
	"      --fail-on-leak   exit 1 when anything was found leaking\n"
	"      --help           this text\n\n"
	"Exit: 0 done, 1 --fail-on-leak and a leak, 2 usage, 65 no history in it, 74 cannot read "
	"it.\n";

#define MILLISECONDS 1e11 /* as seconds: the year 5138 */

struct options {
	const char *config, *load, *history;
	bool json, fail_on_leak;
};

struct output {
	struct plots plots;
	bool json;
	uint64_t events, leaking;
};

/* ---- progress -------------------------------------------------------------------------------- */

#define PROGRESS_BYTES	(8u << 20) /* of text, decompressed, between two lines */
#define PROGRESS_SERIES 16
#define PROGRESS_BLANK	60

struct progress {
	struct plots *plots;
	uint64_t series, judged;
};

/* One line on a terminal, written over; nothing where standard error is a file or a pipe. */
static void show_progress(const char *what, uint64_t n, uint64_t of)
{
	if (!isatty(STDERR_FILENO))
		return;
	if (of)
		fprintf(stderr, "\r%s %llu of %llu", what, (unsigned long long)n,
			(unsigned long long)of);
	else
		fprintf(stderr, "\r%s %llu", what, (unsigned long long)n);
}

static void clear_progress(void)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%*s\r", PROGRESS_BLANK, "");
}

static void judged_cb(void *arg, const struct backtest_judged *j)
{
	struct progress *p = arg;

	plots_series(p->plots, j);
	if (p->judged++ % PROGRESS_SERIES == 0)
		show_progress("judging series", p->judged, p->series);
}

/* ---- output ---------------------------------------------------------------------------------- */

static const char *state_word(enum verdict_state s)
{
	return s == VERDICT_OK	      ? "resolved"
	       : s == VERDICT_LEAKING ? "firing"
				      : verdict_state_name(s);
}

static json_t *rounded(double v, int decimals)
{
	double scale = pow(10, decimals);

	return json_num(round(v * scale) / scale);
}

static void print_json(const struct backtest_event *e, struct buf *out)
{
	json_t *j = json_object();

	json_object_set_new(j, "at", rounded(e->at, 3));
	json_object_set_new(j, "target", json_str(str_of(e->target)));
	json_object_set_new(j, "class", json_str(str_of(e->name)));
	json_object_set_new(j, "state", json_str(str_of(state_word(e->state))));
	json_object_set_new(j, "rate_per_hour", rounded(e->rate_per_hour, 4));
	json_object_set_new(j, "low", rounded(e->low, 4));
	json_object_set_new(j, "high", rounded(e->high, 4));
	json_object_set_new(j, "since", rounded(e->since, 3));
	json_object_set_new(j, "reason", json_str(str_of(e->reason)));
	json_write(j, out);
	json_decref(j);
}

static void add_time(struct buf *out, double t)
{
	time_t s = (time_t)floor(t);
	struct tm tm;
	char text[40];

	if (fabs(t) > 1e11 || !gmtime_r(&s, &tm)) {
		buf_addf(out, "%.0f", t);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_adds(out, text);
}

static void add_rate(struct buf *out, const struct backtest_event *e)
{
	bool bytes = strstr(e->name, "_bytes") != NULL;
	double unit = bytes ? 1048576 : 1;

	if (isnan(e->rate_per_hour))
		return;
	buf_addf(out, " %.3g%s/h (%.3g to %.3g) since ", e->rate_per_hour / unit,
		bytes ? " MiB" : "", e->low / unit, e->high / unit);
	add_time(out, e->since);
}

static void print_text(const struct backtest_event *e, struct buf *out)
{
	add_time(out, e->at);
	buf_addf(out, " %-8s ", state_word(e->state));
	safe_add(out, str_of(e->target));
	buf_addc(out, ' ');
	safe_add(out, str_of(e->name));
	add_rate(out, e);
	buf_adds(out, ": ");
	safe_add(out, str_of(e->reason));
}

static void print_cb(void *arg, const struct backtest_event *e)
{
	struct output *o = arg;
	struct buf line = BUF_INIT;

	if (o->events++ == 0)
		clear_progress();
	o->leaking += e->state == VERDICT_LEAKING;
	plots_event(&o->plots, e);
	if (o->json)
		print_json(e, &line);
	else
		print_text(e, &line);
	buf_addc(&line, '\n');
	fwrite(line.p, 1, line.len, stdout);
	buf_release(&line);
}

static void draw(const struct output *o)
{
	size_t columns = o->json ? 0 : cmd_plot_columns();
	struct buf b = BUF_INIT;

	if (columns)
		plots_write(&o->plots, columns, &b);
	if (b.len)
		fwrite(b.p, 1, b.len, stdout);
	buf_release(&b);
}

/* What was read, and what of it was not: on standard error, so that the lines stay lines. */
static void print_summary(const struct backtest_stats *s, const struct output *o)
{
	struct buf b = BUF_INIT;

	clear_progress();
	buf_addf(&b, "%llu series of %llu targets, %llu samples", (unsigned long long)s->series,
		(unsigned long long)s->targets, (unsigned long long)s->samples);
	if (!isnan(s->from)) {
		buf_adds(&b, " from ");
		add_time(&b, s->from);
		buf_adds(&b, " to ");
		add_time(&b, s->to);
	}
	buf_addf(&b, ", %llu restarts; found leaking %llu times\n", (unsigned long long)s->restarts,
		(unsigned long long)o->leaking);
	if (s->untimed)
		buf_addf(&b, "%llu samples have no timestamp: left out\n",
			(unsigned long long)s->untimed);
	if (s->disordered)
		buf_addf(&b, "%llu samples are older than the one before: left out\n",
			(unsigned long long)s->disordered);
	if (s->over_limit)
		buf_addf(&b, "%llu samples over the limit of %d: left out\n",
			(unsigned long long)s->over_limit, BACKTEST_SAMPLES_MAX);
	fwrite(b.p, 1, b.len, stderr);
	buf_release(&b);
}

/* ---- input ----------------------------------------------------------------------------------- */

/* The whole of f through the parser.  0, or an exit code with err. */
static int feed(gzFile f, struct prom *p, struct err *err)
{
	char piece[65536];
	uint64_t bytes = 0, told = 0;
	int n, gz;

	while ((n = gzread(f, piece, sizeof(piece))) > 0) {
		prom_feed(p, piece, (size_t)n);
		bytes += (uint64_t)n;
		if (bytes - told >= PROGRESS_BYTES) {
			told = bytes;
			show_progress("reading, MiB:", bytes >> 20, 0);
		}
	}
	clear_progress();
	if (n < 0) {
		const char *why = gzerror(f, &gz);

		err_set(err, "%s", gz == Z_ERRNO ? strerror(errno) : why);
		return gz == Z_ERRNO ? CMD_IO : CMD_DATA;
	}
	return prom_finish(p, err) ? CMD_DATA : CMD_OK;
}

static int read_text(const char *path, int fd, struct backtest *b, struct err *err)
{
	struct prom_sink sink = backtest_sink(b);
	struct prom *p = prom_new(&sink, PROM_TIME_S);
	gzFile f = gzdopen(fd, "rb"); /* plain text passes through it unchanged */
	const struct prom_stats *s = prom_stats(p);
	struct err why = ERR_INIT;
	int code;

	if (!f) {
		close(fd);
		prom_free(p);
		err_set(err, "cannot read %s: out of memory", path);
		return CMD_IO;
	}
	code = feed(f, p, &why);
	if (code)
		err_set(err, "cannot read %s: %s", path, why.msg);
	else if (s->bad_lines)
		fprintf(stderr, "%llu lines not understood; the first, line %u: %s\n",
			(unsigned long long)s->bad_lines, s->first_bad_line, s->first_bad);
	if (gzclose_r(f) == Z_BUF_ERROR && !code)
		fprintf(stderr, "the gzip'd text ends too early: judged is what is there\n");
	prom_free(p);
	return code;
}

static int read_history(const char *path, struct backtest *b, struct err *err)
{
	char mark[16] = "";
	ssize_t n;
	int fd;

	if (strcmp(path, "-") == 0)
		return read_text("standard input", dup(STDIN_FILENO), b, err);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		err_set(err, "cannot open %s: %s", path, strerror(errno));
		return CMD_IO;
	}
	n = pread(fd, mark, sizeof(mark), 0); /* fails on a pipe, which is no store */
	if (n == (ssize_t)sizeof(mark) && memcmp(mark, "SQLite format 3", 16) == 0) {
		close(fd);
		return backtest_read_store(path, b, err);
	}
	return read_text(path, fd, b, err);
}

int backtest_read_history(const char *path, struct backtest *b, struct err *err)
{
	const struct backtest_stats *s = backtest_stats(b);
	int code = read_history(path, b, err);

	if (code != CMD_OK)
		return code;
	if (s->series == 0 && s->untimed)
		err_set(err,
			"%s holds no series that can be judged: its samples have no timestamps, as "
			"/metrics serves them; what is read is " PROM_HISTORY_WORDS,
			path);
	else if (s->series == 0)
		err_set(err,
			"%s holds no series that can be judged: none of go_goroutines, "
			"leakwatch_goroutines or the metrics of processes is in it",
			path);
	else if (s->from > MILLISECONDS)
		err_set(err,
			"%s: its timestamps begin with %.0f, which is the year %.0f; OpenMetrics "
			"has seconds, these look like milliseconds, as /federate has them, which "
			"tells of one moment only; what is read is " PROM_HISTORY_WORDS,
			path, s->from, 1970 + s->from / (365.2425 * 86400));
	else
		return CMD_OK;
	return CMD_DATA;
}

/* ---- the command ----------------------------------------------------------------------------- */

struct config *backtest_load_config(const char *path, int *code)
{
	struct config_errors errs;
	struct buf text = BUF_INIT;
	struct config *c;

	if (!path)
		return config_default();
	config_errors_init(&errs);
	c = config_load(path, &errs);
	config_errors_text(&errs, path, &text);
	fputs(text.p, stderr);
	if (!c)
		*code = errs.unreadable ? CMD_IO : CMD_FAILED;
	buf_release(&text);
	config_errors_release(&errs);
	return c;
}

static int want_loads(
	struct backtest *b, const struct config *c, const struct options *o, struct err *err)
{
	if (o->load)
		return backtest_want_load(b, STR(""), str_of(o->load), err);
	for (size_t i = 0; i < c->njobs; i++)
		if (c->jobs[i].load_metric.len &&
			backtest_want_load(b, c->njobs > 1 ? c->jobs[i].name : STR(""),
				c->jobs[i].load_metric, err))
			return -1;
	return 0;
}

static int run(char **argv, const struct options *o)
{
	struct output out = {.json = o->json};
	struct progress progress = {.plots = &out.plots};
	struct err err = ERR_INIT;
	int code = CMD_OK;
	struct config *c = backtest_load_config(o->config, &code);
	struct backtest *b;

	if (!c)
		return code;
	b = backtest_new(&c->detect);
	backtest_rules(b, c->rules, c->nrules);
	if (want_loads(b, c, o, &err))
		code = cmd_usage(argv, "--load: %s", err.msg);
	else if ((code = backtest_read_history(o->history, b, &err)))
		cmd_error(code, argv, &err);
	else {
		progress.series = backtest_stats(b)->series;
		backtest_on_judged(b, judged_cb, &progress);
		backtest_judge(b, print_cb, &out);
		draw(&out);
		print_summary(backtest_stats(b), &out);
		if (o->load && !backtest_stats(b)->loads)
			fprintf(stderr, "no series of the load was found\n");
		code = o->fail_on_leak && out.leaking ? CMD_FAILED : CMD_OK;
	}
	plots_release(&out.plots);
	backtest_free(b);
	config_free(c);
	return code;
}

int cmd_backtest(int argc, char **argv)
{
	enum { OPT_LOAD = 256, OPT_FORMAT, OPT_FAIL };
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
		{"load", required_argument, NULL, OPT_LOAD},
		{"format", required_argument, NULL, OPT_FORMAT},
		{"fail-on-leak", no_argument, NULL, OPT_FAIL}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	static const char *const formats[] = {"text", "json", NULL};
	struct options o = {0};
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			o.config = optarg;
			break;
		case OPT_LOAD:
			o.load = optarg;
			break;
		case OPT_FORMAT:
			c = cmd_word(argv, "--format", optarg, formats);
			if (c < 0)
				return CMD_USAGE;
			o.json = c == 1;
			break;
		case OPT_FAIL:
			o.fail_on_leak = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return CMD_OK;
		default:
			return cmd_usage(argv, "there is an option it does not have");
		}
	}
	if (argc - optind != 1)
		return cmd_usage(argv, "takes one HISTORY, not %d", argc - optind);
	o.history = argv[optind];
	return run(argv, &o);
}
