/*
 * sim_looks: looks at single goroutines through the real pipeline and store, in simulated time.
 *
 * Two processes of one program have goroutines whose births, deaths and ids are known.  One of them
 * is scraped; a look is answered by it, or, as behind a load balancer, by the other one.  The
 * watcher may be stopped or killed between two looks.  Each scenario says when a leak must be told,
 * and that none may be.
 *
 *   sim_looks [--check]   one line a scenario; with --check also "N passed, N failed"
 */
#include "log.h"
#include "scrape_internal.h"
#include "sim.h"
#include "watcher.h"

#include <fcntl.h>
#include <unistd.h>

/* ---- processes ---- */

#define LIVE_MAX 20000

enum kind { CONN, SESSION };

struct goroutine {
	uint64_t id, parent;
	double death;
	enum kind kind;
};

struct process {
	struct sim random;
	double start, at;
	uint64_t next; /* id */
	struct goroutine v[LIVE_MAX];
	size_t n;
	double leaked; /* connections, not yet a whole one among them */
};

static void start_process(struct process *p, uint64_t seed, double t)
{
	memset(p, 0, sizeof(*p));
	p->random = (struct sim){seed};
	p->start = p->at = t;
	p->next = 40;
}

static void begin(struct process *p, enum kind kind, double life)
{
	if (p->n == LIVE_MAX)
		abort();
	p->next += 1 + (uint64_t)sim_uniform(&p->random, 0, 30); /* of requests that are over */
	p->v[p->n].id = p->next;
	p->v[p->n].parent = p->next - 1 - (uint64_t)sim_uniform(&p->random, 0, 20);
	p->v[p->n].death = p->at + life;
	p->v[p->n++].kind = kind;
}

/* Until t: so many connections an hour are leaked, so many sessions begin and last as long. */
static void advance(struct process *p, double t, double leak, double sessions, double life_h)
{
	size_t kept = 0;

	for (; p->at < t; p->at += 1) {
		p->leaked += leak / HOUR;
		for (; p->leaked >= 1; p->leaked -= 1) {
			begin(p, CONN, INFINITY); /* readLoop, */
			begin(p, CONN, INFINITY); /* and writeLoop */
		}
		if (sim_uniform(&p->random, 0, 1) < sessions / HOUR) {
			double u = sim_uniform(&p->random, 0, 1);

			begin(p, SESSION, -life_h * HOUR * log(1 - u));
		}
	}
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].death > t)
			p->v[kept++] = p->v[i];
	}
	p->n = kept;
}

static struct service as_service(const struct process *p, bool new)
{
	struct service s = {.start = p->start, .new = new};
	size_t conns = 0;

	for (size_t i = 0; i < p->n; i++)
		conns += p->v[i].kind == CONN;
	s.conns = floor((double)conns / 2);
	s.sessions = (double)(p->n - conns);
	return s;
}

static void dump_one(struct buf *b, uint64_t id, const char *state, const char *frames,
	const char *creator, uint64_t parent)
{
	buf_addf(b, "goroutine %llu [%s]:\n%s", (unsigned long long)id, state, frames);
	if (creator)
		buf_addf(b, "created by %s in goroutine %llu\n\t/src/x.go:18 +0x1\n", creator,
			(unsigned long long)parent);
	buf_addc(b, '\n');
}

/* With debug=2, the same goroutines that dump() counts. */
static void dump_each(const struct process *p, struct buf *b)
{
	unsigned conns = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct goroutine *g = &p->v[i];

		if (g->kind == SESSION)
			dump_one(b, g->id, "chan receive",
				"main.(*session).wait(0xc0)\n\t/src/app/session.go:38 +0x1d\n",
				"main.serve", g->parent);
		else if (conns++ % 2)
			dump_one(b, g->id, "select",
				"net/http.(*persistConn).writeLoop(0xc0)\n"
				"\t/go/src/net/http/transport.go:2400 +0xf0\n",
				"net/http.(*Transport).dialConn", g->parent);
		else
			dump_one(b, g->id, "IO wait",
				"internal/poll.runtime_pollWait(0x1)\n"
				"\t/go/src/runtime/netpoll.go:345 +0x85\n"
				"net/http.(*persistConn).readLoop(0xc0)\n"
				"\t/go/src/net/http/transport.go:2200 +0xa5\n",
				"net/http.(*Transport).dialConn", g->parent);
	}
	for (uint64_t id = 20; id < 28; id++)
		dump_one(b, id, "IO wait",
			"internal/poll.runtime_pollWait(0x1)\n"
			"\t/go/src/runtime/netpoll.go:345 +0x85\n"
			"net/http.(*conn).serve(0xc0)\n\t/go/src/net/http/server.go:2092 +0xa5\n",
			"net/http.(*Server).Serve", 1);
	dump_one(b, 1, "running", "main.main()\n\t/src/app/main.go:20 +0x1d\n", NULL, 0);
}

/* ---- a look ---- */

#define LOOK_AFTER_S 40 /* the scrape that wanted it */

static const struct scrape_look_events nobody; /* the simulation answers itself */

static enum look_part answer(struct watcher *w, enum look_part part, const struct buf *body)
{
	struct scrape_endpoint e = {.asked = true, .up = true, .status = 200};

	pipeline_look_events.body(NULL, w->st, part, body->p, body->len);
	return pipeline_look_events.end(
		NULL, w->st, part, &e, part == LOOK_INDEX ? 1 : 9, (int64_t)(w->now * 1000));
}

static void look(struct watcher *w, const struct process *p)
{
	struct buf b = BUF_INIT;

	buf_addf(&b, "<td>%zu</td><td><a href='goroutine?debug=1'>goroutine</a></td>", p->n + 9);
	if (answer(w, LOOK_INDEX, &b) == LOOK_DUMP) {
		buf_reset(&b);
		dump_each(p, &b);
		answer(w, LOOK_DUMP, &b);
	}
	scrape_drop_look(w->st);
	buf_release(&b);
}

/* ---- scenarios ---- */

struct scenario {
	const char *what;
	double hours;
	double leak, sessions, life_h; /* an hour; of a session */
	double other; /* the other process's leak and sessions, as a multiple; 0: there is none */
	unsigned every; /* every so many looks is answered by the other one; 0: none */
	unsigned first; /* so many at the beginning are */
	bool fresh; /* both began just now, not two hours ago */
	double stop_at, killed_at; /* hours: the watcher is stopped, or killed, and begun again */
	double gap; /* minutes until then */
	double restart_at; /* hours, within the gap: so is the service */
	double told_after, told_within; /* hours; 0: never */
	double others_least; /* looks that were found to be another process's */
};

static const struct scenario scenarios[] = {
	{.what = "a leak is told two hours after it was suspected",
		.hours = 5,
		.leak = 20,
		.told_after = 2.8,
		.told_within = 2.9},
	{.what = "the watcher stopped between two looks: as soon",
		.hours = 5,
		.leak = 20,
		.stop_at = 1.6,
		.gap = 3,
		.told_after = 2.8,
		.told_within = 2.9},
	{.what = "the watcher killed between two looks: as soon",
		.hours = 5,
		.leak = 20,
		.killed_at = 1.6,
		.gap = 3,
		.told_after = 2.8,
		.told_within = 2.9},
	{.what = "the service restarted meanwhile: its goroutines are others",
		.hours = 12,
		.leak = 20,
		.killed_at = 1.6,
		.gap = 10,
		.restart_at = 1.7,
		.told_after = 5,
		.told_within = 12},
	{.what = "every third look ends at another process, of another size: nearly as soon",
		.hours = 5,
		.leak = 20,
		.other = 6,
		.every = 3,
		.told_after = 2.8,
		.told_within = 3.4,
		.others_least = 1},
	{.what = "every third look ends at another process, of the same size",
		.hours = 5,
		.leak = 20,
		.other = 1,
		.every = 3,
		.told_after = 2.8,
		.told_within = 3.4,
		.others_least = 1},
	{.what = "the first look ends at another process, of the same size",
		.hours = 5,
		.leak = 20,
		.other = 1,
		.first = 1,
		.told_after = 2.8,
		.told_within = 4.5,
		.others_least = 4},
	{.what = "a hundred more a minute are no other process, and told quickly",
		.hours = 1.5,
		.leak = 3000,
		.fresh = true,
		.told_after = .3,
		.told_within = .8},
	{.what = "sessions that fill a fresh process are not told",
		.hours = 24,
		.sessions = 60,
		.life_h = 3,
		.fresh = true},
	{.what = "nor where every other look ends at another process",
		.hours = 24,
		.sessions = 60,
		.life_h = 3,
		.fresh = true,
		.other = 1,
		.every = 2,
		.others_least = 1},
};

static struct config *make_config(void)
{
	struct config_errors errs;
	struct config *c;

	config_errors_init(&errs);
	c = config_parse(STR("scrape_configs:\n"
			     "  - job_name: shop\n"
			     "    static_configs: [{targets: ['127.0.0.1:6060']}]\n"
			     "evidence: {max_pause: 1s}\n"),
		"sim.yaml", &errs);
	if (!c)
		abort();
	config_errors_release(&errs);
	return c;
}

struct outcome {
	double told_h; /* NAN: never */
	uint64_t dumps, others;
};

static void count_looks(struct watcher *w, struct outcome *out)
{
	struct pipeline_stats stats;

	pipeline_stats(w->pipeline, &stats);
	out->dumps += stats.looks.ended[PIPELINE_LOOK_DUMP];
	out->others += stats.looks.ended[PIPELINE_LOOK_OTHER];
}

static void simulate(const struct scenario *s, struct outcome *out)
{
	static struct process own, other;
	struct watcher w = {.now = T0, .instance = 1};
	unsigned looks = 0;
	bool new = true, odd;

	*out = (struct outcome){.told_h = NAN};
	w.config = make_config();
	snprintf(w.path, sizeof(w.path), "/tmp/sim_looks.%d.db", (int)getpid());
	unlink(w.path);
	start_process(&own, 11, s->fresh ? T0 - 20 : T0 - 2 * HOUR);
	start_process(&other, 12, s->fresh ? T0 - 30 : T0 - 2.2 * HOUR);
	start(&w);
	scrape_on_look(w.scrape, &nobody);
	for (; w.now < T0 + s->hours * HOUR; w.now += MINUTE) {
		double h = (w.now - T0) / HOUR;
		bool stops = s->stop_at > 0 && fabs(h - s->stop_at) < .5 / 60;
		bool killed = s->killed_at > 0 && fabs(h - s->killed_at) < .5 / 60;
		struct service service;

		advance(&own, w.now, s->leak, s->sessions, s->life_h);
		advance(&other, w.now, s->leak * s->other, s->sessions * s->other, s->life_h);
		if (stops || killed) {
			count_looks(&w, out);
			stop(&w, stops);
			w.now += s->gap * MINUTE;
			if (s->restart_at > h && s->restart_at < h + s->gap / 60) {
				start_process(&own, 13, T0 + s->restart_at * HOUR);
				new = true;
			}
			start(&w);
			scrape_on_look(w.scrape, &nobody);
			advance(&own, w.now, s->leak, s->sessions, s->life_h);
		}
		service = as_service(&own, new);
		new = false;
		scrape_once(&w, w.st, &service);
		if (!scrape_looking(w.st))
			continue;
		looks++;
		odd = looks <= s->first || (s->every && looks % s->every == 0);
		/* Not before others of its host were looked at. */
		w.now += LOOK_AFTER_S;
		advance(&own, w.now, s->leak, s->sessions, s->life_h);
		advance(&other, w.now, s->leak * s->other, s->sessions * s->other, s->life_h);
		look(&w, odd ? &other : &own);
		w.now -= LOOK_AFTER_S;
	}
	if (w.raised)
		out->told_h = (w.first_at - T0) / HOUR;
	count_looks(&w, out);
	stop(&w, true);
	config_free((struct config *)(uintptr_t)w.config);
	unlink(w.path);
}

static bool run(const struct scenario *s)
{
	struct outcome o;
	bool ok;

	simulate(s, &o);
	ok = s->told_within > 0 ? o.told_h >= s->told_after && o.told_h <= s->told_within
				: isnan(o.told_h);
	ok &= (double)o.others >= s->others_least && (o.others == 0 || s->other > 0);
	printf("%-4s %s: told after %.2f h, %llu dumps, %llu of others\n", ok ? "ok" : "FAIL",
		s->what, o.told_h, (unsigned long long)o.dumps, (unsigned long long)o.others);
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
