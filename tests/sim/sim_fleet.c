/*
 * sim_fleet: which version brought a leak, in simulated time, with the real pipeline and store.
 *
 * Three replicas of a service are watched for days while versions are deployed, rolled back and
 * tried on one of them.  Each scenario says what the alert that stands at the end tells of the
 * versions, word for word; or that it tells nothing, because not enough was seen.
 *
 *   sim_fleet [--check]   failures; with --check also "N passed, N failed"
 */
#include "log.h"
#include "watcher.h"

#include <fcntl.h>
#include <unistd.h>

#define REPLICAS 3
#define PHASES	 6
#define PER_HOUR 120

struct phase {
	double hours;
	const char *versions; /* of the replicas: one for all, or one each */
};

static const struct scenario {
	const char *what;
	struct phase phases[PHASES];
	const char *leaky; /* versions that leak */
	bool kill; /* the watcher, at each deploy and every 7 hours */
	bool pods; /* a deploy brings new instances */
	const char *fleet; /* begin of the annotation of an alert that stands at the end */
	const char *first_seen; /* the whole annotation; "": there is none */
} scenarios[] = {
	{.what = "all run the new version by now, and the old one is remembered",
		.phases = {{48, "v1.4.0"}, {8, "v1.5.0"}},
		.leaky = "v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen = "first seen in v1.5.0 (v1.4.0 ran 1 d 23 h without it)"},
	{.what = "the same, the watcher killed again and again",
		.phases = {{48, "v1.4.0"}, {8, "v1.5.0"}},
		.leaky = "v1.5.0",
		.kill = true,
		.fleet = "all 3 instances leak, ",
		.first_seen = "first seen in v1.5.0 (v1.4.0 ran 1 d 23 h without it)"},
	{.what = "the same with pods, whose instances are others after each deploy",
		.phases = {{48, "v1.4.0"}, {10, "v1.5.0"}},
		.leaky = "v1.5.0",
		.pods = true,
		.fleet = "all 3 instances leak, ",
		.first_seen = "first seen in v1.5.0 (v1.4.0 ran 1 d 23 h without it)"},
	{.what = "the old version leaked as well: nothing is new",
		.phases = {{16, "v1.4.0"}, {12, "v1.5.0"}},
		.leaky = "v1.4.0 v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen = ""},
	{.what = "the old version ran too short a time to tell",
		.phases = {{0.5, "v1.4.0"}, {12, "v1.5.0"}},
		.leaky = "v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen = ""},
	{.what = "only one version was ever seen",
		.phases = {{24, "v1.5.0"}},
		.leaky = "v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen = ""},
	{.what = "a version between the two ran for an hour only",
		.phases = {{24, "v1.4.0"}, {1, "v1.4.1"}, {8, "v1.5.0"}},
		.leaky = "v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen = "first seen in v1.5.0 (v1.4.0 ran 23 h 59 min without it; v1.4.1 ran "
			      "too short "
			      "a time to tell)"},
	{.what = "a canary, while the others run the old version",
		.phases = {{24, "v1.4.0"}, {8, "v1.5.0 v1.4.0 v1.4.0"}},
		.leaky = "v1.5.0",
		.fleet = "only this one of 3 instances leaks, ",
		.first_seen = "first seen in v1.5.0 (v1.4.0 ran 1 d 7 h without it)"},
	{.what = "rolled back, and deployed again: what came back did not leak",
		.phases = {{24, "v1.4.0"}, {8, "v1.5.0"}, {30, "v1.4.0"}, {26, "v1.5.0"}},
		.leaky = "v1.5.0",
		.fleet = "all 3 instances leak, ",
		.first_seen =
			"first seen in v1.5.0 (v1.4.0 ran 2 d 5 h without it, and again since "
			"2023-11-16 07:59 UTC)"},
	{.what = "hashes have no order, but the deploy was watched",
		.phases = {{24, "9f8e7d6"}, {8, "1a2b3c4"}},
		.leaky = "1a2b3c4",
		.fleet = "all 3 instances leak, ",
		.first_seen = "first seen in 1a2b3c4 (deployed 2023-11-15 23:59 UTC; 9f8e7d6 ran "
			      "23 h 59 min "
			      "without it)"},
};

static struct config *make_config(bool pods)
{
	struct buf yaml = BUF_INIT;
	struct config_errors errors;
	struct config *c;

	buf_addf(&yaml,
		"scrape_configs:\n  - job_name: shop\n    static_configs: [{targets: "
		"['127.0.0.1:6060']}]\n%s",
		pods ? "    lineage: [service]\n" : "");
	config_errors_init(&errors);
	c = config_parse(buf_str(&yaml), "sim.yaml", &errors);
	if (!c) {
		fprintf(stderr, "sim_fleet: the configuration was refused\n");
		exit(1);
	}
	config_errors_release(&errors);
	buf_release(&yaml);
	return c;
}

/* The version of replica i: static, by the text of the phase. */
static const char *version_of(const struct phase *p, unsigned i)
{
	static char words[REPLICAS][32];
	char text[128], *save = NULL, *word;

	snprintf(text, sizeof(text), "%s", p->versions);
	word = strtok_r(text, " ", &save);
	for (unsigned k = 0; k < i && word; k++) {
		char *next = strtok_r(NULL, " ", &save);

		word = next ? next : word;
	}
	snprintf(words[i], sizeof(words[i]), "%s", word ? word : "");
	return words[i];
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

/* Instances of before leave, one after the other, and others have come. */
static void replace_pods(struct watcher *w)
{
	struct scrape_target *heirs[REPLICAS];

	w->instance += REPLICAS;
	for (unsigned i = 0; i < REPLICAS; i++)
		heirs[i] = watch(w, w->instance + i);
	for (unsigned i = 0; i < REPLICAS; i++) {
		leave(w, w->others[i], heirs[i]);
		w->others[i] = heirs[i];
	}
	w->st = w->others[0];
}

static void deploy(const struct scenario *s, const struct phase *p, struct watcher *w,
	struct service *v, bool first)
{
	if (s->pods && !first)
		replace_pods(w);
	for (unsigned i = 0; i < REPLICAS; i++) {
		const char *version = version_of(p, i);

		if (v[i].version && strcmp(v[i].version, version) == 0)
			continue;
		free((char *)v[i].version);
		v[i] = (struct service){.start = w->now - 20, .users = 100, .new = true};
		v[i].version = str_dup(str_of(version));
	}
}

static void scrape_all(const struct scenario *s, struct watcher *w, struct service *v)
{
	for (unsigned i = 0; i < REPLICAS; i++) {
		v[i].sessions = 100 + 5 * sin(w->now / 500 + i);
		if (strstr(s->leaky, v[i].version))
			v[i].conns += PER_HOUR / 60.0;
		scrape_once(w, w->others[i], &v[i]);
	}
}

static bool judge(const struct scenario *s, const struct watcher *w)
{
	const struct alert *a;
	void *at = NULL;
	bool any = false, ok = true;

	while ((a = alert_next(w->alerts, &at))) {
		struct str fleet = alert_labels_get(&a->annotations, "fleet");
		struct str seen = alert_labels_get(&a->annotations, "first_seen");

		if (a->kind != ALERT_GOROUTINE_LEAK || !a->holds)
			continue;
		any = true;
		if (str_starts(fleet, str_of(s->fleet)) && str_is(seen, s->first_seen))
			continue;
		printf("FAIL %s: %.*s\n     fleet: %.*s\n     first_seen: %.*s\n", s->what,
			STR_ARG(alert_labels_get(&a->labels, "instance")), STR_ARG(fleet),
			STR_ARG(seen));
		ok = false;
	}
	if (!any)
		printf("FAIL %s: no alert stands\n", s->what);
	return any && ok;
}

static bool run(const struct scenario *s)
{
	const char *tmp = getenv("TMPDIR");
	struct service v[REPLICAS] = {{0}};
	struct config *config = make_config(s->pods);
	struct watcher w = {.now = T0, .config = config, .replicas = REPLICAS};
	unsigned minute = 0;
	bool ok;

	snprintf(w.path, sizeof(w.path), "%s/sim_fleet.%ld.db", tmp ? tmp : "/tmp", (long)getpid());
	remove_store(w.path);
	start(&w);
	for (unsigned i = 0; i < PHASES && s->phases[i].hours > 0; i++) {
		unsigned end = minute + (unsigned)(s->phases[i].hours * 60);

		w.now = T0 + minute * MINUTE;
		if (s->kill && i) {
			stop(&w, false);
			start(&w);
		}
		deploy(s, &s->phases[i], &w, v, i == 0);
		for (; minute < end; minute++) {
			w.now = T0 + minute * MINUTE;
			if (s->kill && minute % 420 == 419) {
				stop(&w, false);
				start(&w);
			}
			scrape_all(s, &w, v);
		}
	}
	ok = judge(s, &w);
	stop(&w, true);
	remove_store(w.path);
	config_free(config);
	for (unsigned i = 0; i < REPLICAS; i++)
		free((char *)v[i].version);
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
