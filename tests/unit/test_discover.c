/* Lists of targets that stand in files and on servers: what changes them, and what must not. */
#include "config.h"
#include "discover.h"
#include "hostile.h"
#include "log.h"
#include "xalloc.h"

#include <event2/event.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

#define WAIT_MS 5000 /* at most; it ends as soon as what is waited for is so */

struct world {
	char dir[64];
	struct event_base *base;
	struct event *tick;
	struct fetch *fetch;
	struct discover *discover;
	struct config *config;
	unsigned changes;
	char got[400]; /* "address address@origin's last part; …", as discover_each gives them */
};

static void changed_cb(void *arg)
{
	struct world *w = arg;

	w->changes++;
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(((struct world *)arg)->base);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err;

	log_open(open("/dev/null", O_WRONLY | O_CLOEXEC), LEVEL_ERROR, false);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test_discover.XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->base = event_base_new();
	w->tick = event_new(w->base, -1, EV_PERSIST, tick_cb, w);
	w->fetch = fetch_new(w->base, &err);
	w->discover = discover_new(w->base, w->fetch, changed_cb, w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	char *rm = xasprintf("rm -rf '%s'", w->dir);

	discover_free(w->discover);
	assert_int_equal(fetch_active(w->fetch), 0);
	fetch_free(w->fetch);
	event_free(w->tick);
	event_base_free(w->base);
	config_free(w->config);
	assert_int_equal(system(rm), 0);
	free(rm);
	free(w);
	return 0;
}

/* sources: keys of the one job; DIR in them is the directory. */
static void configure(struct world *w, const char *sources)
{
	struct buf with = BUF_INIT;
	struct config_errors errs;
	struct config *old = w->config;
	struct err err = ERR_INIT;
	const char *at;

	buf_adds(&with, "scrape_configs:\n  - job_name: j\n    ");
	for (; (at = strstr(sources, "DIR")); sources = at + 3) {
		buf_add(&with, sources, (size_t)(at - sources));
		buf_adds(&with, w->dir);
	}
	buf_adds(&with, sources);
	config_errors_init(&errs);
	w->config = config_parse(buf_str(&with), "t", &errs);
	if (!w->config) {
		struct buf out = BUF_INIT;

		config_errors_text(&errs, "t", &out);
		fail_msg("%s", out.p);
	}
	config_errors_release(&errs);
	assert_int_equal(discover_set(w->discover, w->config, &err), 0);
	config_free(old);
	buf_release(&with);
}

static void group_cb(void *arg, const struct config_static *group, const char *origin)
{
	struct world *w = arg;
	const char *last = strrchr(origin, '/');

	for (size_t i = 0; i < group->targets.n; i++) {
		size_t n = strlen(w->got);

		snprintf(w->got + n, sizeof(w->got) - n, "%s%.*s@%s", n ? " " : "",
			STR_ARG(group->targets.v[i]), last ? last + 1 : origin);
	}
}

static const char *now(struct world *w)
{
	w->got[0] = '\0';
	discover_each(w->discover, STR("j"), group_cb, w);
	return w->got;
}

static void turn(struct world *w, int ms)
{
	struct timeval tv = {.tv_usec = ms * 1000};

	evtimer_add(w->tick, &tv);
	event_base_dispatch(w->base);
	evtimer_del(w->tick);
}

/* The loop runs until the lists are these. */
static void become(struct world *w, const char *want)
{
	for (int ms = 0; ms < WAIT_MS && strcmp(now(w), want) != 0; ms += 10)
		turn(w, 10);
	assert_string_equal(now(w), want);
}

/* A while later they are these still. */
static void stay(struct world *w, const char *want)
{
	turn(w, 300);
	assert_string_equal(now(w), want);
}

static void put(struct world *w, const char *name, const char *text)
{
	char *path = xasprintf("%s/%s", w->dir, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	free(path);
}

static void move(struct world *w, const char *from, const char *to)
{
	char *a = xasprintf("%s/%s", w->dir, from), *b = xasprintf("%s/%s", w->dir, to);

	assert_int_equal(rename(a, b), 0);
	free(a);
	free(b);
}

static void point(struct world *w, const char *link, const char *to)
{
	char *path = xasprintf("%s/%s", w->dir, link);

	assert_int_equal(symlink(to, path), 0);
	free(path);
}

static void delete (struct world *w, const char *name)
{
	char *path = xasprintf("%s/%s", w->dir, name);

	assert_int_equal(unlink(path), 0);
	free(path);
}

#define FILES "file_sd_configs: [{files: ['DIR/*.json', 'DIR/*.yaml'], refresh_interval: 1h}]"

static void test_files_come_change_and_go(void **state)
{
	struct world *w = *state;
	char *beside = xasprintf("%s/beside", w->dir);
	unsigned before;

	put(w, "a.json", "[{\"targets\": [\"h:1\", \"h:2\"]}]");
	configure(w, FILES);
	/* What is there is known at once; the callback comes for changes from then on, too. */
	assert_string_equal(now(w), "h:1@a.json h:2@a.json");
	put(w, "b.yaml", "- targets: ['h:3']\n  labels: {a: b}\n");
	become(w, "h:1@a.json h:2@a.json h:3@b.yaml");
	/* In place, and by a rename. */
	put(w, "a.json", "[{\"targets\": [\"h:4\"]}]");
	become(w, "h:4@a.json h:3@b.yaml");
	assert_int_equal(mkdir(beside, 0700), 0);
	stay(w, "h:4@a.json h:3@b.yaml");
	put(w, "beside/new", "[{\"targets\": [\"h:5\"]}]");
	move(w, "beside/new", "a.json");
	become(w, "h:5@a.json h:3@b.yaml");
	/* The same again is no change. */
	turn(w, 300);
	before = w->changes;
	put(w, "a.json", "[{\"targets\": [\"h:5\"]}]");
	stay(w, "h:5@a.json h:3@b.yaml");
	assert_int_equal(w->changes, before);
	/* Gone, and renamed to what is none of ours. */
	delete (w, "b.yaml");
	become(w, "h:5@a.json");
	move(w, "a.json", "a.old");
	become(w, "");
	free(beside);
	turn(w, 300); /* it is told a while later, once for all that happened */
	assert_true(w->changes > before);
}

/* Each of them leaves the list as it was. */
static const struct {
	const char *what, *text;
} bad[] = {
	{"nothing yet", ""},
	{"half a list", "[{\"targets\": [\"h:9\""},
	{"no list", "{\"targets\": [\"h:9\"]}"},
	{"a name for a list", "[{\"targets\": \"h:9\"}]"},
	{"a URL", "[{\"targets\": [\"http://h:9/\"]}]"},
	{"another key", "[{\"targets\": [\"h:9\"], \"password\": \"x\"}]"},
	{"credentials", "[{\"targets\": [\"h:9\"], \"basic_auth\": {\"username\": \"x\"}}]"},
	{"a socket of this host", "[{\"targets\": [\"unix:/run/x\"]}]"},
	{"a number for a label", "[{\"targets\": [\"h:9\"], \"labels\": {\"a\": 1}}]"},
	{"no text at all", "\xff\xfe\x01"},
};

static void test_a_wrong_list_changes_nothing(void **state)
{
	struct world *w = *state;
	struct discover_stats stats;

	put(w, "a.json", "[{\"targets\": [\"h:1\"]}]");
	configure(w, FILES);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		uint64_t failures;

		discover_stats(w->discover, &stats);
		failures = stats.failures;
		put(w, "a.json", bad[i].text);
		for (int ms = 0; ms < WAIT_MS && stats.failures == failures; ms += 10) {
			turn(w, 10);
			discover_stats(w->discover, &stats);
		}
		if (stats.failures == failures || strcmp(now(w), "h:1@a.json") != 0)
			fail_msg("%s: %s, \"%s\"", bad[i].what,
				stats.failures == failures ? "taken" : "refused", now(w));
		assert_int_equal(stats.failing, 1);
	}
	put(w, "a.json", "[{\"targets\": [\"h:2\"]}]");
	become(w, "h:2@a.json");
	discover_stats(w->discover, &stats);
	assert_int_equal(stats.failing, 0);
}

/* A ConfigMap: the files are links through ..data, which alone is replaced. */
static void test_kubernetes_volume(void **state)
{
	struct world *w = *state;
	char *path;

	for (int i = 1; i <= 2; i++) {
		char name[40], text[60];

		path = xasprintf("%s/..v%d", w->dir, i);
		assert_int_equal(mkdir(path, 0700), 0);
		free(path);
		snprintf(name, sizeof(name), "..v%d/t.yaml", i);
		snprintf(text, sizeof(text), "- targets: ['h:%d']\n", i);
		put(w, name, text);
	}
	point(w, "..data", "..v1");
	point(w, "t.yaml", "..data/t.yaml");
	configure(w, FILES);
	assert_string_equal(now(w), "h:1@t.yaml");
	point(w, "..data_tmp", "..v2");
	move(w, "..data_tmp", "..data");
	become(w, "h:2@t.yaml");
}

static void test_the_directory_comes_later(void **state)
{
	struct world *w = *state;
	char *path = xasprintf("%s/sub", w->dir);

	configure(w, "file_sd_configs: [{files: ['DIR/sub/*.json'], refresh_interval: 1s}]");
	assert_string_equal(now(w), "");
	assert_int_equal(mkdir(path, 0700), 0);
	put(w, "sub/a.json", "[{\"targets\": [\"h:1\"]}]");
	become(w, "h:1@a.json"); /* by the refresh, which watches it from then on */
	put(w, "sub/a.json", "[{\"targets\": [\"h:2\"]}]");
	become(w, "h:2@a.json");
	free(path);
}

static void test_set_again(void **state)
{
	struct world *w = *state;

	put(w, "a.json", "[{\"targets\": [\"h:1\"]}]");
	configure(w, FILES);
	put(w, "a.json", "[{\"targ");
	stay(w, "h:1@a.json");
	/* The same source keeps its last good list; one with allow_local is another. */
	configure(w, FILES);
	assert_string_equal(now(w), "h:1@a.json");
	put(w, "a.json", "[{\"targets\": [\"unix:/run/x\"]}]");
	stay(w, "h:1@a.json");
	configure(w, "allow_local: true\n    " FILES);
	become(w, "unix:/run/x@a.json");
	configure(w, "static_configs: [{targets: ['h:7']}]");
	assert_string_equal(now(w), "");
}

/* ---- servers ---- */

#define JSON(n) "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " n "\r\n\r\n"

static void by_turns(struct hostile *h, int fd)
{
	static const char *const answers[] = {
		JSON("21") "[{\"targets\":[\"h:1\"]}]",
		"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
		JSON("12") "<html></html",
		JSON("90") "[{\"targets\":[\"h:9\"]}]", /* cut */
		"HTTP/1.1 302 Go\r\nLocation: http://localhost:1/\r\nContent-Length: 0\r\n\r\n",
		JSON("21") "[{\"targets\":[\"h:2\"]}]",
	};
	int n = MIN(atomic_load(&h->requests), (int)ARRAY_LEN(answers));

	hostile_send(h, fd, answers[n - 1], strlen(answers[n - 1]));
	shutdown(fd, SHUT_RDWR);
}

static const struct hostile_case cases[] = {{"/targets", NULL, by_turns}};

static void test_a_server(void **state)
{
	struct world *w = *state;
	struct hostile server = {0};
	char *keys;

	hostile_start(&server, cases, ARRAY_LEN(cases));
	keys = xasprintf("http_sd_configs: [{url: 'http://127.0.0.1:%d/targets', refresh_interval: "
			 "1s}]",
		server.port);
	configure(w, keys);
	become(w, "h:1@targets");
	/* Nothing that goes wrong takes the targets away, until there is another list. */
	for (int ms = 0; ms < 15000 && strcmp(now(w), "h:2@targets") != 0; ms += 20) {
		if (strcmp(w->got, "h:1@targets") != 0)
			fail_msg("%s", w->got);
		turn(w, 20);
	}
	assert_string_equal(now(w), "h:2@targets");
	assert_true(atomic_load(&server.requests) >= 6);
	discover_free(w->discover);
	w->discover = discover_new(w->base, w->fetch, changed_cb, w);
	hostile_stop(&server);
	free(keys);
}

int main(void)
{
#define IN_WORLD(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		IN_WORLD(test_files_come_change_and_go),
		IN_WORLD(test_a_wrong_list_changes_nothing),
		IN_WORLD(test_kubernetes_volume),
		IN_WORLD(test_the_directory_comes_later),
		IN_WORLD(test_set_again),
		IN_WORLD(test_a_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
