/*
 * sim_pipeline: the real pipeline and store in simulated time.
 *
 * A simulated service answers scrapes once a minute for days, in a second: bodies as Go prints
 * them, fed in pieces, through parser, classes, series, verdicts, findings and alerts into a real
 * SQLite file.  Each scenario says which alerts must come and which must not.
 *
 *   sim_pipeline [--check]   one line a scenario; with --check also "N passed, N failed"
 */
#include "log.h"
#include "watcher.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- scenarios ---- */

struct scenario {
	const char *what;
	const char *job, *yaml; /* keys of the job, and of the file */
	double hours;
	double leak_per_hour; /* connections */
	double users_per_hour; /* each with two goroutines */
	double restarts_every; /* of the service, hours; 0 = never */
	double deploys_every; /* hours: another instance takes its place; 0 = never */
	int overlap; /* minutes that both run; less than 0: that none does */
	bool no_lineage;
	double repaired_at; /* hours, with a restart; 0 = never */
	double watcher_restarts; /* every so many hours; 0 = never */
	bool kill_watcher, no_metrics;
	bool exact; /* the first alert comes as soon as for a watcher that ran through */
	double clock_set_at, clock_by; /* hours; by how much the watcher's clock is set then */
	bool waves; /* it leaks more at one time than at another */
	const char *each; /* holds each, as the alert says; 30,000 bytes and a descriptor a
			   * connection are two goroutines' */
	const char *forecast, *also; /* in these annotations at the end */
	const char *told; /* exactly, in order */
	const char *class; /* of the first */
	double within; /* hours from the first scrape */
};

#define LOAD "    load_metric: app_users\n"
#define SESSIONS                                                                                   \
	"classes:\n"                                                                               \
	"  - name: sessions\n"                                                                     \
	"    match: {mentions: ['main.(*session).']}\n"

static const struct scenario scenarios[] = {
	{.what = "nothing happens for two days", .hours = 48, .told = ""},
	{.what = "health checks without a timeout: one connection a minute",
		.hours = 26,
		.leak_per_hour = 60,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "connections that leak in waves: what each goroutine holds is told",
		.hours = 20,
		.leak_per_hour = 240,
		.waves = true,
		.each = "15 KiB of memory (95 %: 13 KiB to 16 KiB) and 0.50 descriptors (",
		.forecast =
			"the descriptor limit of 1,048,576 is reached in 181 d 15 h (95 %: 162 d",
		.also = ", 1.00 for each",
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 12},
	{.what = "the same, the watcher killed a moment ago: told from the store",
		.hours = 18.1,
		.leak_per_hour = 240,
		.waves = true,
		.watcher_restarts = 18,
		.kill_watcher = true,
		.each = "15 KiB of memory (95 %: 13 KiB to 16 KiB) and 0.50 descriptors (",
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 12},
	{.what = "the same, its service restarted every 20 h: one alert",
		.hours = 60,
		.leak_per_hour = 60,
		.restarts_every = 20,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the same, repaired by a deploy: resolved",
		.hours = 60,
		.leak_per_hour = 60,
		.repaired_at = 20,
		.told = "+GoroutineLeak -GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "without metrics, restarted every 20 h: seen by the fall and the connection; one "
		 "alert",
		.hours = 60,
		.leak_per_hour = 60,
		.restarts_every = 20,
		.no_metrics = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "without metrics, repaired by a deploy: resolved",
		.hours = 60,
		.leak_per_hour = 60,
		.repaired_at = 20,
		.no_metrics = true,
		.told = "+GoroutineLeak -GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher restarted every three hours",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 3,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher killed every 100 minutes",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 5 / 3.0,
		.kill_watcher = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher restarted every quarter of an hour, ten times before it tells",
		.hours = 10,
		.leak_per_hour = 60,
		.watcher_restarts = 0.25,
		.exact = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the watcher killed every 13 minutes",
		.hours = 10,
		.leak_per_hour = 60,
		.watcher_restarts = 13 / 60.0,
		.kill_watcher = true,
		.exact = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	/* The detector goes on as if nothing had happened: what it knows moves with the clock. */
	{.what = "the clock set back an hour",
		.hours = 26,
		.leak_per_hour = 60,
		.clock_set_at = 1.5,
		.clock_by = -1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 4},
	{.what = "the clock set back an hour, and the watcher restarted every hour",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 1,
		.exact = true,
		.clock_set_at = 1.5,
		.clock_by = -1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 4},
	{.what = "the clock set back an hour, and the watcher killed every 13 minutes",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 13 / 60.0,
		.kill_watcher = true,
		.exact = true,
		.clock_set_at = 1.5,
		.clock_by = -1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 4},
	/* Nobody sees it happen: what is stored is of times that are still to come. */
	{.what = "the clock set back an hour while a killed watcher is away, killed every 13 "
		 "minutes",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 13 / 60.0,
		.kill_watcher = true,
		.exact = true,
		.clock_set_at = 78 / 60.0,
		.clock_by = -1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 4},
	{.what = "the clock set forward an hour, and the watcher restarted every hour",
		.hours = 26,
		.leak_per_hour = 60,
		.watcher_restarts = 1,
		.exact = true,
		.clock_set_at = 1.5,
		.clock_by = 1,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 9},
	{.what = "the clock set back an hour where nothing leaks",
		.hours = 24,
		.clock_set_at = 12,
		.clock_by = -1,
		.told = ""},
	{.what = "a deploy every 20 h, the new instance first: one alert, of one line",
		.hours = 60,
		.leak_per_hour = 60,
		.deploys_every = 20,
		.overlap = 4,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "a deploy every 20 h, five minutes without any: one alert",
		.hours = 60,
		.leak_per_hour = 60,
		.deploys_every = 20,
		.overlap = -5,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "the same, an hour without any: resolved, and told again of the new instance",
		.hours = 40,
		.leak_per_hour = 60,
		.deploys_every = 20,
		.overlap = -60,
		.told = "+GoroutineLeak -GoroutineLeak +GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "a leak too slow for one instance's life, a deploy every 9 h: seen over five",
		.hours = 60,
		.leak_per_hour = 5,
		.deploys_every = 9,
		.overlap = 3,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 50},
	{.what = "the same without lineage: every instance begins anew",
		.hours = 60,
		.leak_per_hour = 5,
		.deploys_every = 9,
		.overlap = 3,
		.no_lineage = true,
		.told = ""},
	{.what = "the same, the watcher killed at each deploy: through the store",
		.hours = 60,
		.leak_per_hour = 5,
		.deploys_every = 9,
		.watcher_restarts = 9,
		.kill_watcher = true,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 50},
	{.what = "deploys of a service that does not leak",
		.hours = 60,
		.deploys_every = 9,
		.overlap = 3,
		.told = ""},
	{.what = "repaired by a deploy of another instance: resolved",
		.hours = 60,
		.leak_per_hour = 60,
		.deploys_every = 20,
		.overlap = 4,
		.repaired_at = 20,
		.told = "+GoroutineLeak -GoroutineLeak",
		.class = "http-client-conn",
		.within = 8},
	{.what = "goroutines that follow users, not told of them: it grows",
		.hours = 30,
		.users_per_hour = 40,
		.told = "+GoroutineLeak",
		.class = "main.(*session).wait",
		.within = 26},
	{.what = "goroutines that follow users, load_metric given",
		.job = LOAD,
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "goroutines that follow users, expect.max_metric given",
		.yaml = SESSIONS "    expect: {max_metric: app_users, factor: 2, slack: 50}\n",
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "expect.max above all that comes: quiet",
		.yaml = SESSIONS "    expect: {max: 9000}\n",
		.hours = 30,
		.users_per_hour = 40,
		.told = ""},
	{.what = "a leak beside growth that the load explains",
		.job = LOAD,
		.hours = 40,
		.users_per_hour = 40,
		.leak_per_hour = 60,
		.told = "+GoroutineLeak",
		.class = "http-client-conn",
		.within = 26},
};

static struct config *make_config(const struct scenario *s)
{
	char *text = xasprintf("scrape_configs:\n"
			       "  - job_name: shop\n"
			       "    static_configs: [{targets: ['127.0.0.1:6060']}]\n%s%s%s",
		s->deploys_every && !s->no_lineage ? "    lineage: [service]\n" : "",
		s->job ? s->job : "", s->yaml ? s->yaml : "");
	struct config_errors errs;
	struct config *c;
	struct buf out = BUF_INIT;

	config_errors_init(&errs);
	c = config_parse(str_of(text), "sim.yaml", &errs);
	if (!c) {
		config_errors_text(&errs, "sim.yaml", &out);
		fputs(out.p, stderr);
		exit(1);
	}
	config_errors_release(&errs);
	buf_release(&out);
	free(text);
	return c;
}

/* One minute of the service's life. */
static void live(const struct scenario *s, struct service *v, unsigned minute)
{
	unsigned every = (unsigned)(s->restarts_every * 60),
		 repair = (unsigned)(s->repaired_at * 60);
	bool repaired = repair && minute >= repair;

	if (s->deploys_every)
		every = (unsigned)(s->deploys_every * 60);
	if (minute && ((every && minute % every == 0) || (repair && minute == repair))) {
		v->conns = 0;
		v->users = 100;
		v->start = T0 + minute * MINUTE - 5;
		v->new = true;
	}
	if (!repaired)
		v->conns += s->leak_per_hour / 60 * (s->waves ? 1 + .9 * sin(minute / 50.0) : 1);
	/* Not a ruler: load that never varies cannot be told from anything else that rises. */
	v->users += s->users_per_hour / 60 * (1 + 3 * sin(minute / 37.0));
	v->sessions = 2 * floor(v->users) + 20;
}

static bool judge(const struct scenario *s, const struct watcher *w)
{
	double delay = (w->first_at - T0) / HOUR;
	bool ok = strcmp(w->told, s->told) == 0 && (!s->each || strstr(w->each, s->each)) &&
		  (!s->forecast || strstr(w->forecast, s->forecast)) &&
		  (!s->also || strstr(w->also, s->also)) &&
		  (!s->class || strcmp(w->class, s->class) == 0) &&
		  (!s->told[0] || delay <= s->within);

	printf("%s %s: told \"%s\"", ok ? "ok  " : "FAIL", s->what, w->told);
	if (w->raised)
		printf(", %s after %.1f h", w->class, delay);
	if (w->each[0])
		printf(", each holds %s; %s; with it: %s", w->each, w->forecast, w->also);
	if (!ok)
		printf("; right: \"%s\" %s within %.0f h", s->told, s->class ? s->class : "",
			s->within);
	printf("\n");
	return ok;
}

static void remove_store(const char *path)
{
	static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
	char name[300];

	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

/* Watches the new instance, and the old one, as long as they are there. */
static void deploy(const struct scenario *s, struct watcher *w, struct service *old,
	struct service *new, unsigned since)
{
	static struct scrape_target *leaving;
	unsigned overlap = (unsigned)MAX(s->overlap, 0), gap = (unsigned)MAX(-s->overlap, 0);

	if (since == 0) {
		leaving = w->st;
		w->st = NULL;
		w->instance++;
	}
	if (since == gap)
		w->st = watch(w, w->instance);
	if (since == overlap) {
		leave(w, leaving, w->st);
		leaving = NULL;
	}
	if (leaving) {
		old->conns += s->leak_per_hour / 60;
		scrape_once(w, leaving, old);
	}
	if (w->st)
		scrape_once(w, w->st, new);
	pipeline_sweep(w->pipeline, (int64_t)(w->now * 1000));
}

static void note_each(struct watcher *w)
{
	void *at = NULL;
	const struct alert *a;

	while ((a = alert_next(w->alerts, &at))) {
		snprintf(w->each, sizeof(w->each), "%.*s",
			STR_ARG(alert_labels_get(&a->annotations, "each_holds")));
		snprintf(w->forecast, sizeof(w->forecast), "%.*s",
			STR_ARG(alert_labels_get(&a->annotations, "forecast")));
		snprintf(w->also, sizeof(w->also), "%.*s",
			STR_ARG(alert_labels_get(&a->annotations, "also")));
	}
}

/* The watcher's life in the scenario; restarts_every in hours, 0: it runs through. */
static void simulate(const struct scenario *s, double restarts_every, struct watcher *w)
{
	const char *tmp = getenv("TMPDIR");
	struct service v = {.start = T0 - 600, .users = 100, .no_metrics = s->no_metrics}, old = v;
	unsigned deploys = (unsigned)(s->deploys_every * 60 + 0.5);
	unsigned restarts = (unsigned)(restarts_every * 60 + 0.5);
	struct config *config = make_config(s);

	*w = (struct watcher){.now = T0, .config = config};
	snprintf(w->path, sizeof(w->path), "%s/sim_pipeline.%ld.db", tmp ? tmp : "/tmp",
		(long)getpid());
	remove_store(w->path);
	start(w);
	for (unsigned minute = 0; minute < s->hours * 60; minute++) {
		w->now = T0 + minute * MINUTE;
		if (s->clock_by && minute >= s->clock_set_at * 60)
			w->now += s->clock_by * HOUR;
		if (deploys && minute % deploys == 0)
			old = v;
		live(s, &v, minute);
		if (restarts && minute && minute % restarts == 0) {
			stop(w, !s->kill_watcher);
			w->instance += deploys != 0; /* deployed while it was down */
			start(w);
		}
		if (deploys && !restarts && minute >= deploys)
			deploy(s, w, &old, &v, minute % deploys);
		else
			scrape_once(w, w->st, &v);
	}
	note_each(w);
	stop(w, true);
	remove_store(w->path);
	config_free(config);
	w->config = NULL;
}

static bool run(const struct scenario *s)
{
	struct watcher w, through;
	bool ok;

	simulate(s, s->watcher_restarts, &w);
	ok = judge(s, &w);
	if (s->exact) {
		simulate(s, 0, &through);
		if (fabs(through.first_at - w.first_at) > MINUTE) {
			printf("FAIL %s: after %.0f min, not %.0f as without\n", s->what,
				(w.first_at - T0) / MINUTE, (through.first_at - T0) / MINUTE);
			ok = false;
		}
	}
	return ok;
}

int main(int argc, char **argv)
{
	bool check = argc > 1 && strcmp(argv[1], "--check") == 0;
	const char *only = argc > 1 && !check ? argv[1] : "";
	size_t passed = 0, n = 0;

	if (!getenv("VERBOSE"))
		log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LEVEL_ERROR, false);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		if (!strstr(scenarios[i].what, only))
			continue;
		n++;
		passed += run(&scenarios[i]);
	}
	if (check)
		printf("%zu passed, %zu failed\n", passed, n - passed);
	return passed == n ? 0 : 1;
}
