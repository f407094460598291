#include "clock.h"
#include "hostile.h"
#include "scrape.h"
#include "scrape_look.h"

#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define PLAIN	  "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
#define LENGTH(n) PLAIN "Content-Length: " n "\r\n\r\n"

static void nap(struct hostile *h, int fd)
{
	static const char text[] = LENGTH("4") "slow";

	hostile_nap(130);
	hostile_send(h, fd, text, sizeof(text) - 1);
}

static const struct hostile_case cases[] = {
	{"/debug/pprof/goroutine?debug=1", LENGTH("5") "gorou", NULL},
	{"/look/goroutine?debug=2", LENGTH("4") "dump", NULL},
	{"/look/goroutineleak?debug=1", LENGTH("4") "leak", NULL},
	{"/look/ ", LENGTH("5") "index", NULL},
	{"/look/goroutine?debug=1", LENGTH("5") "gorou", NULL},
	{"/debug/pprof/symbol?0x401+0xff00000000000402 ", LENGTH("3") "sym", NULL},
	{"/metrics", LENGTH("7") "metrics", NULL},
	{"/slow/goroutine", NULL, nap},
	{"/slow/ ", LENGTH("58") "<td>4711</td><td><a href='goroutine?debug=1'>goroutine</a>",
		NULL},
	{"/noindex/goroutine", NULL, nap},
	{"/noindex/ ", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/silent/goroutine", NULL, hostile_silence},
	{"/400/", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/401/", "HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/403/", "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/404/", "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", NULL},
	{"/500/", "HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", NULL},
};

/* What the callbacks of one target were told. */
struct seen {
	struct world *world;
	char calls[400]; /* one letter a callback, in order; bodies in brackets */
	struct scrape_cycle cycle; /* the last */
	uint64_t at_mono_ms[40];
	uint64_t skipped;
	int cycles, until; /* the loop ends after that many */
	size_t npcs; /* to ask for */
	int looks; /* looks of it that ended */
	int *looking, most; /* looks under way in the world, and the most there were */
	char remove_at; /* the callback that removes the target */
	char stop_at; /* the callback that stops everything */
	bool refuse; /* bodies are not wanted */
	double budget;
};

struct world {
	struct hostile server;
	struct event_base *base;
	struct event *deadline;
	struct fetch *fetch;
	struct scrape *scrape;
};

static void call(struct scrape_target *t, char letter, const char *p, size_t n)
{
	struct seen *s = scrape_target_user(t);
	size_t len = strlen(s->calls);

	if (p)
		snprintf(s->calls + len, sizeof(s->calls) - len, "%c(%.*s)", letter, (int)n, p);
	else
		snprintf(s->calls + len, sizeof(s->calls) - len, "%c", letter);
	if (s->stop_at == letter)
		scrape_stop(s->world->scrape);
	if (s->remove_at == letter)
		scrape_remove(t);
	if (s->stop_at == letter || s->remove_at == letter)
		event_base_loopbreak(s->world->base);
}

static void begin(void *arg, struct scrape_target *t)
{
	(void)arg;
	call(t, 'b', NULL, 0);
}

static void between(void *arg, struct scrape_target *t)
{
	(void)arg;
	call(t, 'w', NULL, 0);
}

static bool goroutines(void *arg, struct scrape_target *t, const char *p, size_t n)
{
	struct seen *s = scrape_target_user(t);

	(void)arg;
	call(t, 'g', p, n);
	return !s->refuse;
}

static size_t goroutines_end(
	void *arg, struct scrape_target *t, const struct fetch_result *r, uint64_t *pcs, size_t max)
{
	struct seen *s = scrape_target_user(t);

	(void)arg;
	(void)r;
	assert_int_equal(max, SCRAPE_PCS_MAX);
	pcs[0] = 0x401;
	pcs[1] = 0xff00000000000402;
	call(t, 'G', NULL, 0);
	return s->npcs;
}

static void symbols(void *arg, struct scrape_target *t, struct str body)
{
	(void)arg;
	call(t, 's', body.p, body.len);
}

static bool metrics(void *arg, struct scrape_target *t, const char *p, size_t n)
{
	(void)arg;
	call(t, 'm', p, n);
	return true;
}

static void metrics_end(void *arg, struct scrape_target *t, const struct fetch_result *r)
{
	(void)arg;
	(void)r;
	call(t, 'M', NULL, 0);
}

static void cycle(void *arg, struct scrape_target *t, const struct scrape_cycle *c)
{
	struct seen *s = scrape_target_user(t);

	(void)arg;
	s->cycle = *c;
	s->skipped += c->skipped;
	s->at_mono_ms[s->cycles % 40] = c->mono_ms;
	if (++s->cycles == s->until)
		event_base_loopbreak(s->world->base);
	call(t, 'c', NULL, 0);
}

static const struct scrape_events events = {
	.begin = begin,
	.between = between,
	.goroutines = goroutines,
	.goroutines_end = goroutines_end,
	.symbols = symbols,
	.metrics = metrics,
	.metrics_end = metrics_end,
	.cycle = cycle,
};

/* ---- looks: i d l for pieces of the parts, I D L for their ends ---- */

static bool look_body(
	void *arg, struct scrape_target *t, enum look_part part, const char *p, size_t n)
{
	(void)arg;
	call(t, "idl"[part], p, n);
	return true;
}

static enum look_part look_end(void *arg, struct scrape_target *t, enum look_part part,
	const struct scrape_endpoint *e, double first_byte_ms, int64_t at_ms)
{
	struct seen *s = scrape_target_user(t);

	(void)arg;
	assert_true(at_ms > 1600000000000);
	assert_true(!e->up || first_byte_ms > 0);
	if (s->looking && part == LOOK_INDEX) {
		++*s->looking;
		s->most = MAX(s->most, *s->looking);
	}
	if (part != LOOK_LEAKS && e->up) {
		call(t, "IDL"[part], NULL, 0);
		return part + 1;
	}
	if (s->looking)
		--*s->looking;
	if (++s->looks == s->until)
		event_base_loopbreak(s->world->base);
	call(t, "IDL"[part], NULL, 0);
	return LOOK_PARTS;
}

static const struct scrape_look_events look_events = {.body = look_body, .end = look_end};

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	struct err err = ERR_INIT;

	hostile_start(&w->server, cases, ARRAY_LEN(cases));
	w->base = event_base_new();
	w->deadline = evtimer_new(w->base, deadline_cb, w->base);
	w->fetch = fetch_new(w->base, &err);
	w->scrape = scrape_new(w->base, w->fetch, &events, w);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	scrape_free(w->scrape);
	assert_int_equal(fetch_active(w->fetch), 0);
	fetch_free(w->fetch);
	event_free(w->deadline);
	event_base_free(w->base);
	hostile_stop(&w->server);
	free(w);
	return 0;
}

static void run(struct world *w, int ms)
{
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	evtimer_add(w->deadline, &tv);
	event_base_dispatch(w->base);
	evtimer_del(w->deadline);
}

static struct scrape_target *add(struct seen *s, const char *pprof_path, const char *metrics_path)
{
	struct err err = ERR_INIT;
	char address[40];
	struct scrape_target_config c = {.job = "j",
		.instance = address,
		.address = address,
		.pprof_path = pprof_path,
		.metrics_path = metrics_path,
		.interval_ms = s->budget > 0 ? 200 : 50,
		.timeout_ms = 300,
		.body_limit_bytes = 1000,
		.budget = s->budget};

	snprintf(address, sizeof(address), "127.0.0.1:%d", s->world->server.port);
	return scrape_add(s->world->scrape, &c, s, &err);
}

static void test_a_cycle(void **state)
{
	struct seen plain = {.world = *state, .until = 1}, asks = {.world = *state, .until = 1};
	struct seen bare = {.world = *state, .until = 1};
	struct scrape_target *t;

	scrape_start(plain.world->scrape);
	t = add(&plain, "", "/metrics");
	run(plain.world, 2000);
	assert_string_equal(plain.calls, "bg(gorou)Gm(metrics)Mc");
	assert_true(plain.cycle.goroutines.up && plain.cycle.metrics.up);
	assert_false(plain.cycle.symbols.asked);
	assert_int_equal(plain.cycle.goroutines.bytes, 5);
	assert_string_equal(plain.cycle.goroutines.why, "");
	assert_true(plain.cycle.at_ms > 1600000000000);
	scrape_remove(t);

	asks.npcs = 2;
	t = add(&asks, "/debug/pprof/", "/metrics");
	run(asks.world, 2000);
	assert_string_equal(asks.calls, "bg(gorou)Gs(sym)m(metrics)Mc");
	assert_true(asks.cycle.symbols.up);
	scrape_remove(t);

	t = add(&bare, "", "");
	run(bare.world, 2000);
	assert_string_equal(bare.calls, "bg(gorou)Gc");
	assert_false(bare.cycle.metrics.asked);
	scrape_remove(t);
}

static void test_cycles_come_on_the_grid(void **state)
{
	struct seen s = {.world = *state, .until = 10};
	struct scrape_stats stats;

	add(&s, "", "/metrics");
	scrape_start(s.world->scrape);
	run(s.world, 3000);
	assert_int_equal(s.cycles, 10);
	/* One connection for all twenty requests. */
	assert_int_equal(atomic_load(&s.world->server.connections), 1);
	/* None begins early: ten points of the grid are nine intervals apart, less what the first
	 * one was late. */
	for (int i = 1; i < 10; i++)
		assert_true(s.at_mono_ms[i] > s.at_mono_ms[i - 1]);
	assert_true(s.at_mono_ms[9] - s.at_mono_ms[0] >= 9 * 50 - 45);
	scrape_stats(s.world->scrape, &stats);
	assert_int_equal(stats.targets, 1);
	assert_int_equal(stats.active, 0);
	assert_true(stats.cycles == 10);
}

/* A first cycle that does not wait for its place in the minute. */
static void test_at_once(void **state)
{
	struct seen s = {.world = *state, .until = 1};
	struct err err = ERR_INIT;
	char address[40];
	struct scrape_target_config c = {.address = address,
		.interval_ms = 3600 * 1000,
		.timeout_ms = 300,
		.at_once = true,
		.body_limit_bytes = 1000};

	snprintf(address, sizeof(address), "127.0.0.1:%d", s.world->server.port);
	assert_non_null(scrape_add(s.world->scrape, &c, &s, &err));
	scrape_start(s.world->scrape);
	run(s.world, 1000);
	assert_int_equal(s.cycles, 1);
	run(s.world, 100);
	assert_int_equal(s.cycles, 1);
}

static void test_next_due(void **state)
{
	static const struct {
		uint64_t hash, interval, now, due;
		const char *what;
	} rows[] = {
		{0, 1000, 0, 1000, "on the grid: the next one, never now"},
		{0, 1000, 1, 1000, "just after"},
		{0, 1000, 999, 1000, "just before"},
		{300, 1000, 0, 300, "its own phase"},
		{300, 1000, 300, 1300, "on its phase"},
		{1300, 1000, 5299, 5300, "a hash larger than the interval"},
		{UINT64_MAX, 7, 100, 106, "the largest hash: 1 mod 7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (scrape_next_due(rows[i].hash, rows[i].interval, rows[i].now) != rows[i].due)
			fail_msg("%s: %llu", rows[i].what,
				(unsigned long long)scrape_next_due(
					rows[i].hash, rows[i].interval, rows[i].now));
}

/* 1,000 targets of one job do not come all at once: no tenth of the interval gets a fifth of them.
 */
static void test_spread(void **state)
{
	int tenths[10] = {0};

	(void)state;
	for (int i = 0; i < 1000; i++) {
		char name[40];
		uint64_t h;

		snprintf(name, sizeof(name), "10.0.%d.%d:6060", i / 250, i % 250);
		h = scrape_target_hash("shop", name);
		assert_true(h == scrape_target_hash("shop", name));
		tenths[scrape_next_due(h, 60000, 0) % 60000 / 6000]++;
	}
	for (int i = 0; i < 10; i++)
		assert_true(tenths[i] > 50 && tenths[i] < 200);
}

/* A dump takes 130 ms at an interval of 200: with 20 % of a core, every fourth cycle has one. */
static void test_budget(void **state)
{
	struct seen s = {.world = *state, .until = 12, .budget = 0.2};
	struct seen bare = {.world = *state, .until = 5, .budget = 0.2};
	struct scrape_target *t;

	scrape_start(s.world->scrape);
	t = add(&s, "/slow", "/metrics");
	run(s.world, 5000);
	assert_int_equal(s.cycles, 12);
	/* Two to know what it takes, then every second, then every fourth. */
	assert_string_equal(s.calls,
		"bg(slow)Gm(metrics)Mcbg(slow)Gm(metrics)Mcwm(metrics)Mcbg(slow)Gm(metrics)Mc"
		"wm(metrics)Mcwm(metrics)Mcwm(metrics)Mcbg(slow)Gm(metrics)Mc"
		"wm(metrics)Mcwm(metrics)Mcwm(metrics)Mcbg(slow)Gm(metrics)Mc");
	scrape_remove(t);

	/* Without an index there is nothing to ask instead. */
	t = add(&bare, "/noindex", "");
	run(bare.world, 3000);
	assert_string_equal(bare.calls, "bg(slow)Gcbg(slow)Gcwcbg(slow)Gcwc");
	assert_false(bare.cycle.goroutines.asked || bare.cycle.index.asked || bare.cycle.counted);
	scrape_remove(t);
}

/* What a cycle without a dump is told. */
static void test_between(void **state)
{
	struct seen s = {.world = *state, .until = 3, .budget = 0.2};
	struct scrape_target *t;

	scrape_start(s.world->scrape);
	t = add(&s, "/slow", "");
	run(s.world, 3000);
	assert_string_equal(s.calls, "bg(slow)Gcbg(slow)Gcwc");
	assert_false(s.cycle.goroutines.asked);
	assert_true(s.cycle.index.asked && s.cycle.index.up && s.cycle.counted);
	assert_int_equal(s.cycle.count, 4711);
	assert_int_equal(s.cycle.every, 2);
	scrape_remove(t);
}

/* A cycle longer than the interval: the next ones are left out, counted, and never overlap. */
static void test_late_cycles_are_skipped(void **state)
{
	struct seen s = {.world = *state, .until = 4};
	struct scrape_stats stats;

	add(&s, "/slow", "");
	scrape_start(s.world->scrape);
	run(s.world, 3000);
	assert_string_equal(s.calls, "bg(slow)Gcbg(slow)Gcbg(slow)Gcbg(slow)Gc");
	assert_true(s.skipped >= 6);
	scrape_stats(s.world->scrape, &stats);
	assert_true(stats.skipped >= s.skipped);
}

/* One target that never answers does not make another late. */
static void test_a_silent_target_disturbs_nobody(void **state)
{
	struct seen silent = {.world = *state}, good = {.world = *state, .until = 12};

	add(&silent, "/silent", "/metrics");
	add(&good, "", "/metrics");
	scrape_start(good.world->scrape);
	run(good.world, 3000);
	assert_int_equal(good.cycles, 12);
	assert_int_equal(good.skipped, 0);
	assert_true(silent.cycles >= 1);
	assert_false(silent.cycle.goroutines.up);
	assert_int_equal(silent.cycle.goroutines.end, FETCH_TIMEOUT);
	assert_true(silent.cycle.metrics.up); /* each endpoint has its own */
}

static void test_words(void **state)
{
	static const struct {
		const char *pprof_path, *metrics_path, *why_pprof, *why_metrics;
	} rows[] = {
		{"/404", "/404/m",
			"/404/goroutine is not there (404): import net/http/pprof, or set "
			"pprof_path",
			"/404/m is not there (404): set metrics_path, or metrics_path: \"\" where "
			"there are none"},
		{"/401", "/401/m",
			"/401/goroutine wants credentials (401): set authorization or basic_auth",
			"/401/m wants credentials (401): set authorization or basic_auth"},
		{"/403", "/403/m",
			"/403/goroutine is forbidden to us (403): let this host in, or set "
			"authorization or basic_auth",
			"/403/m is forbidden to us (403): let this host in, or set authorization "
			"or basic_auth"},
		{"/400", "/400/m",
			"/400/goroutine answers 400: if the port speaks TLS, set scheme: https",
			"/400/m answers 400: if the port speaks TLS, set scheme: https"},
		{"/500", "/500/m", "/500/goroutine answers 500", "/500/m answers 500"},
		{"/silent", "", "connected, but no answer within 300 ms", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = {.world = *state, .until = 1, .npcs = 2};
		struct scrape_target *t;

		scrape_start(s.world->scrape);
		t = add(&s, rows[i].pprof_path, rows[i].metrics_path);
		run(s.world, 2000);
		assert_string_equal(s.cycle.goroutines.why, rows[i].why_pprof);
		assert_string_equal(s.cycle.metrics.why, rows[i].why_metrics);
		assert_false(s.cycle.goroutines.up || s.cycle.metrics.up);
		assert_false(s.cycle.symbols.asked); /* nothing to ask about */
		scrape_remove(t);
	}
}

/* What cannot even be sent ends a cycle as any failure does, in its turn and not from within add.
 */
static void test_what_cannot_be_sent(void **state)
{
	static const struct {
		struct scrape_target_config c;
		const char *why;
	} rows[] = {
		{{.address = "127.0.0.1:99999", .metrics_path = "/m"}, "is not an address"},
		{{.address = "127.0.0.1:1", .authorization = "Bearer a\nb", .metrics_path = "/m"},
			"has a line break in it"},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct seen s = {.world = *state, .until = 2};
		struct scrape_target_config c = rows[i].c;
		struct scrape_target *t;
		struct err err = ERR_INIT;

		c.interval_ms = 20;
		scrape_start(s.world->scrape);
		t = scrape_add(s.world->scrape, &c, &s, &err);
		assert_string_equal(s.calls, "");
		run(s.world, 1000);
		assert_string_equal(s.calls, "bGMcbGMc");
		assert_non_null(strstr(s.cycle.goroutines.why, rows[i].why));
		assert_non_null(strstr(s.cycle.metrics.why, rows[i].why));
		scrape_remove(t);
	}
}

/* Credentials go with every request; when they are not taken, the advice is another. */
static void test_credentials(void **state)
{
	struct seen s = {.world = *state, .until = 1};
	struct err err = ERR_INIT;
	char address[40];
	struct scrape_target_config c = {.address = address,
		.pprof_path = "/401",
		.interval_ms = 50,
		.timeout_ms = 300,
		.body_limit_bytes = 1000,
		.authorization = "Bearer sesame"};

	snprintf(address, sizeof(address), "127.0.0.1:%d", s.world->server.port);
	assert_non_null(scrape_add(s.world->scrape, &c, &s, &err));
	scrape_start(s.world->scrape);
	run(s.world, 1000);
	assert_string_equal(s.cycle.goroutines.why,
		"/401/goroutine does not take our credentials (401): see authorization or "
		"basic_auth");
	pthread_mutex_lock(&s.world->server.lock);
	assert_non_null(strstr(s.world->server.last, "\r\nAuthorization: Bearer sesame\r\n"));
	pthread_mutex_unlock(&s.world->server.lock);
}

/* From within every callback: a target can be removed, and everything stopped. */
static void test_remove_and_stop_anywhere(void **state)
{
	static const char letters[] = "bgGsmMc";

	for (const char *l = letters; *l; l++) {
		struct seen s = {.world = *state, .npcs = 2, .remove_at = *l};
		size_t n;

		scrape_start(s.world->scrape);
		add(&s, "", "/metrics");
		run(s.world, 2000);
		n = strlen(s.calls);
		assert_true(n > 0 && strchr(s.calls, *l));
		run(s.world, 70);
		assert_int_equal(strlen(s.calls), n);
	}
	for (const char *l = letters; *l; l++) {
		struct seen s = {.world = *state, .npcs = 2, .stop_at = *l};
		struct scrape_target *t;
		struct scrape_stats stats;
		size_t n;

		scrape_start(s.world->scrape);
		t = add(&s, "", "/metrics");
		run(s.world, 2000);
		n = strlen(s.calls);
		assert_true(n > 0 && strchr(s.calls, *l));
		run(s.world, 70);
		assert_int_equal(strlen(s.calls), n);
		scrape_stats(s.world->scrape, &stats);
		assert_int_equal(stats.active, 0);
		scrape_remove(t);
	}
}

static void test_unwanted_body(void **state)
{
	struct seen s = {.world = *state, .until = 1, .npcs = 2, .refuse = true};

	add(&s, "", "");
	scrape_start(s.world->scrape);
	run(s.world, 2000);
	assert_string_equal(s.calls, "bg(gorou)Gc");
	assert_int_equal(s.cycle.goroutines.end, FETCH_STOPPED);
}

static void test_a_look(void **state)
{
	struct seen s = {.world = *state, .until = 1}, absent = {.world = *state, .until = 1};
	struct scrape_target *t;

	scrape_on_look(s.world->scrape, &look_events);
	t = add(&s, "/look", "");
	scrape_look(t, 1); /* before it runs: it waits */
	assert_true(scrape_looking(t));
	run(s.world, 50);
	assert_string_equal(s.calls, "");
	scrape_start(s.world->scrape);
	scrape_remove(t);
	s.until = 2;
	t = add(&s, "/look", "");
	scrape_look(t, 1);
	scrape_look(t, 2); /* the same look */
	s.looks = 1; /* cycles do not count here */
	run(s.world, 2000);
	assert_non_null(strstr(s.calls, "i(index)I"));
	assert_non_null(strstr(s.calls, "d(dump)D"));
	assert_non_null(strstr(s.calls, "l(leak)L"));
	assert_false(scrape_looking(t));
	scrape_remove(t);

	t = add(&absent, "/404", "");
	absent.cycles = -1000;
	scrape_look(t, 1);
	run(absent.world, 2000);
	assert_non_null(strchr(absent.calls, 'I'));
	assert_null(strchr(absent.calls, 'D'));
	scrape_remove(t);
}

/* Three targets of one host, each wanted: one after the other, the most urgent first. */
static void test_one_look_a_host(void **state)
{
	struct world *w = *state;
	struct seen s[3];
	struct scrape_target *t[3];
	int looking = 0;

	scrape_on_look(w->scrape, &look_events);
	scrape_start(w->scrape);
	for (int i = 0; i < 3; i++) {
		s[i] = (struct seen){.world = w, .looking = &looking, .cycles = -1000};
		t[i] = add(&s[i], "/look", "");
	}
	for (int i = 0; i < 3; i++)
		scrape_look(t[i], i);
	s[1].until = 1; /* the first goes first, then the most urgent, this one last */
	run(w, 3000);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(s[i].looks, 1);
		assert_int_equal(s[i].most, 1);
	}
}

static void test_looks_end_anywhere(void **state)
{
	struct world *w = *state;

	scrape_on_look(w->scrape, &look_events);
	for (const char *at = "iIdDlL"; *at; at++) {
		struct seen removed = {.world = w, .remove_at = *at, .cycles = -1000};
		struct seen stopped = {.world = w, .stop_at = *at, .cycles = -1000};
		struct scrape_target *t;

		scrape_start(w->scrape);
		scrape_look(add(&removed, "/look", ""), 1);
		run(w, 2000);
		assert_non_null(strchr(removed.calls, *at));
		t = add(&stopped, "/look", "");
		scrape_look(t, 1);
		run(w, 2000);
		assert_non_null(strchr(stopped.calls, *at));
		assert_false(scrape_looking(t));
		scrape_remove(t);
	}
}

static void test_hosts(void **state)
{
	static const struct {
		const char *url, *socket, *host;
	} rows[] = {
		{"http://127.0.0.1:6060/debug/pprof/", NULL, ""},
		{"http://127.9.9.9/x", NULL, ""},
		{"http://localhost/x", NULL, ""},
		{"https://[::1]:6060/", NULL, ""},
		{"http://localhost/", "/run/a.sock", ""},
		{"http://web-1:6060/debug", NULL, "web-1"},
		{"http://web-1:6061/", NULL, "web-1"},
		{"http://[2001:db8::1]:6060/", NULL, "[2001:db8::1]"},
		{"http://[2001:db8", NULL, ""},
		{"http://a-very-long-name-indeed/", NULL, "a-very-long-nam"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char host[16];

		scrape_look_host(rows[i].url, rows[i].socket, host, sizeof(host));
		assert_string_equal(host, rows[i].host);
	}
}

static void test_urls(void **state)
{
	static const struct {
		struct scrape_target_config c;
		const char *goroutine, *symbol, *metrics, *pprof_socket, *metrics_socket, *what;
	} rows[] = {
		{{.address = "127.0.0.1:6060", .metrics_path = "/metrics"},
			"http://127.0.0.1:6060/debug/pprof/goroutine?debug=1",
			"http://127.0.0.1:6060/debug/pprof/symbol?",
			"http://127.0.0.1:6060/metrics", NULL, NULL, "the usual"},
		{{.scheme = "https",
			 .address = "[::1]:6060",
			 .pprof_path = "/admin/pprof/",
			 .metrics_path = "/m?name[]=go_goroutines"},
			"https://[::1]:6060/admin/pprof/goroutine?debug=1",
			"https://[::1]:6060/admin/pprof/symbol?",
			"https://[::1]:6060/m?name[]=go_goroutines", NULL, NULL, "everything set"},
		{{.address = "unix:/run/shop.sock",
			 .metrics_path = "/metrics",
			 .metrics_address = "h:9090"},
			"http://localhost/debug/pprof/goroutine?debug=1",
			"http://localhost/debug/pprof/symbol?", "http://h:9090/metrics",
			"/run/shop.sock", NULL, "a socket, metrics elsewhere"},
		{{.address = "unix:/run/a.sock", .metrics_path = "/metrics"},
			"http://localhost/debug/pprof/goroutine?debug=1",
			"http://localhost/debug/pprof/symbol?", "http://localhost/metrics",
			"/run/a.sock", "/run/a.sock", "a socket for both"},
		{{.address = "h:1"}, "http://h:1/debug/pprof/goroutine?debug=1",
			"http://h:1/debug/pprof/symbol?", NULL, NULL, NULL, "no metrics"},
		{{.address = "h:1", .pprof_path = "/"}, "http://h:1/goroutine?debug=1",
			"http://h:1/symbol?", NULL, NULL, NULL, "pprof at the root"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct scrape_urls u;
		struct err err = ERR_INIT;

#define SAME(a, b) (((a) && (b)) ? strcmp(a, b) == 0 : !(a) && !(b))
		if (scrape_urls_build(&rows[i].c, &u, &err) < 0)
			fail_msg("%s: %s", rows[i].what, err.msg);
		if (!SAME(u.goroutine, rows[i].goroutine) || !SAME(u.symbol, rows[i].symbol) ||
			!SAME(u.metrics, rows[i].metrics) ||
			!SAME(u.pprof_socket, rows[i].pprof_socket) ||
			!SAME(u.metrics_socket, rows[i].metrics_socket))
			fail_msg("%s: %s %s %s", rows[i].what, u.goroutine, u.symbol, u.metrics);
		scrape_urls_release(&u);
	}
}

static void test_wrong_urls(void **state)
{
	static const struct {
		struct scrape_target_config c;
		const char *why;
	} rows[] = {
		{{.address = ""}, "write host:port or unix:/path"},
		{{.address = "http://h:1"}, "has a scheme in it: write host:port"},
		{{.address = "h:1/debug"}, "paths go into pprof_path"},
		{{.address = "user@h:1"}, "not host:port"},
		{{.address = "h:1\r\nHost: x"}, "not host:port"},
		{{.address = "unix:relative"}, "begins with /"},
		{{.address = "h:1", .scheme = "ftp"}, "neither http nor https"},
		{{.address = "h:1", .pprof_path = "debug"}, "does not begin with /"},
		{{.address = "h:1", .pprof_path = "/debug?x=1"}, "a path cannot have"},
		{{.address = "h:1", .metrics_path = "/a b"}, "a path cannot have"},
		{{.address = "h:1", .metrics_path = "/m", .metrics_address = "http://x"},
			"metrics_address: "},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err err = ERR_INIT;

		if (scrape_add(w->scrape, &rows[i].c, NULL, &err) || !strstr(err.msg, rows[i].why))
			fail_msg("row %zu: \"%s\"", i, err.msg);
	}
}

int main(void)
{
#define WITH_SERVER(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_SERVER(test_a_cycle),
		WITH_SERVER(test_budget),
		WITH_SERVER(test_between),
		WITH_SERVER(test_cycles_come_on_the_grid),
		WITH_SERVER(test_at_once),
		cmocka_unit_test(test_next_due),
		cmocka_unit_test(test_spread),
		WITH_SERVER(test_late_cycles_are_skipped),
		WITH_SERVER(test_a_silent_target_disturbs_nobody),
		WITH_SERVER(test_words),
		WITH_SERVER(test_what_cannot_be_sent),
		WITH_SERVER(test_credentials),
		WITH_SERVER(test_remove_and_stop_anywhere),
		WITH_SERVER(test_unwanted_body),
		WITH_SERVER(test_a_look),
		WITH_SERVER(test_one_look_a_host),
		WITH_SERVER(test_looks_end_anywhere),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_urls),
		WITH_SERVER(test_wrong_urls),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
