/*
 * sim_waits: waits that can never end, and convoys, in simulated time.
 *
 * A simulated service answers scrapes, and looks at its goroutines one by one where the pipeline
 * wants them: who waits for its one lock, who of them is new, who polls a nil channel.  Each
 * scenario says what is told and how soon, and how often it may be looked at.
 *
 *   sim_waits [--check | WORDS]   one line a scenario (those with the words in their names); with
 *                                 --check also "N passed, N failed"
 */
#include "log.h"
#include "pipeline_looks.h"
#include "scrape_internal.h"
#include "watcher.h"

#include <fcntl.h>
#include <unistd.h>

enum lock {
	NO_LOCK,
	HELD, /* nobody who comes gets it */
	TURNS, /* as many wait as at first; each gets it in turn, and another comes */
	SLOW, /* one in twenty gets it */
	WORKERS /* the same goroutines, by turns */
};

struct scenario {
	const char *what;
	double every_s; /* between scrapes */
	double hours;
	enum lock lock;
	double at_first; /* that wait */
	double per_hour; /* that come */
	double from_h; /* not before */
	double freed_h; /* the process is restarted without all that; 0 = never */
	double polls_per_hour; /* on a nil channel */
	double parked; /* goroutines in select {} since the start */
	double sessions_per_hour; /* that come and stay, as users do: their class is suspected */
	bool refused; /* looks are */
	double killed_h; /* the watcher is, and started again; 0 = never */
	const char *told; /* exactly, in order */
	const char *class; /* of the first */
	double within_h; /* of from_h */
	unsigned looks; /* at most */
	const char *says; /* in the evidence of the alert that stands at the end */
};

#define JOURNAL "main.(*journal).add"
#define POLL	"main.(*source).poll"

static const struct scenario scenarios[] = {
	{"a convoy of 30 a minute from a fresh start, a scrape every 15 s", 15, 1, HELD,
		.per_hour = 1800, .told = "+LockConvoy", .class = JOURNAL, .within_h = .12,
		.looks = 4, .says = "may have returned without unlocking it"},
	{"the same, a scrape a minute", 60, 1, HELD, .per_hour = 1800, .told = "+LockConvoy",
		.class = JOURNAL, .within_h = .15, .looks = 4},
	{"3 a minute", 15, 2, HELD, .per_hour = 180, .told = "+LockConvoy", .class = JOURNAL,
		.within_h = .12, .looks = 6},
	{"3 a minute, a scrape a minute", 60, 2, HELD, .per_hour = 180, .told = "+LockConvoy",
		.class = JOURNAL, .within_h = .17, .looks = 6},
	{"it begins after six quiet hours", 60, 8, HELD, .per_hour = 180, .from_h = 6,
		.told = "+LockConvoy", .class = JOURNAL, .within_h = .17, .looks = 6},
	{"seven are stuck, and do not become more", 15, 12, HELD, .at_first = 7,
		.told = "+StuckGoroutines", .class = JOURNAL, .within_h = .11, .looks = 3,
		.says = "7 wait for one lock in " JOURNAL},
	{"ten an hour: stuck at first, a convoy when they are many", 60, 6, HELD, .per_hour = 10,
		.at_first = 2, .told = "+StuckGoroutines +LockConvoy -StuckGoroutines",
		.class = JOURNAL, .within_h = .2, .looks = 12},
	{"a lock that is only busy: twelve always wait, each gets it", 15, 24, TURNS,
		.at_first = 12, .told = "", .looks = 250},
	{"the same, a scrape a minute", 60, 24, TURNS, .at_first = 12, .told = "", .looks = 70},
	{"twelve workers take it by turns", 15, 24, WORKERS, .at_first = 12, .told = "",
		.looks = 250},
	{"one in twenty gets it, and more come", 15, 1, SLOW, .per_hour = 1800,
		.told = "+LockConvoy", .class = JOURNAL, .within_h = .12, .looks = 6},
	{"looks are refused: stuck is what counts tell", 15, .5, HELD, .per_hour = 1800,
		.refused = true, .told = "+StuckGoroutines", .class = JOURNAL, .within_h = .12,
		.looks = 6, .says = "cannot be looked at one by one: it is not there"},
	{"the watcher is killed meanwhile: nothing is told twice", 15, 3, HELD, .per_hour = 180,
		.killed_h = 1, .told = "+LockConvoy", .class = JOURNAL, .within_h = .12,
		.looks = 12},
	{"the process is restarted without it", 15, 3, HELD, .per_hour = 180, .freed_h = 1,
		.told = "+LockConvoy -LockConvoy", .class = JOURNAL, .within_h = .12, .looks = 6},
	{"a nil channel once a minute from a fresh start", 60, 12, .polls_per_hour = 60,
		.told = "+BlockedForever", .class = POLL, .within_h = 3, .looks = 30,
		.says = "wait for what can never happen"},
	{"three an hour, in a process that runs for days", 60, 60, .polls_per_hour = 3,
		.from_h = 24, .told = "+BlockedForever", .class = POLL, .within_h = 12,
		.looks = 100},
	{"the watcher is killed meanwhile", 60, 12, .polls_per_hour = 60, .killed_h = 5,
		.told = "+BlockedForever", .class = POLL, .within_h = 3, .looks = 40},
	{"the watcher is killed while the class is only watched", 60, 12, .polls_per_hour = 60,
		.killed_h = 2, .told = "+BlockedForever", .class = POLL, .within_h = 3,
		.looks = 40},
	{"the process is restarted without it", 60, 12, .polls_per_hour = 60, .freed_h = 2,
		.told = "+BlockedForever -BlockedForever", .class = POLL, .within_h = 3,
		.looks = 30},
	{"three were parked at the start, and something else is looked at", 60, 6, .parked = 3,
		.sessions_per_hour = 60, .told = "+GoroutineLeak", .class = "main.(*session).wait",
		.within_h = 4, .looks = 30},
};

/* ---- the service ---- */

struct state {
	struct service s;
	double lo, hi; /* numbers of those that wait */
	double polls;
	double parked;
	double at_s; /* since T0 */
	unsigned looks;
};

static void live(const struct scenario *c, struct state *v, double h)
{
	double hours = c->every_s / 3600;
	bool free = c->freed_h > 0 && h >= c->freed_h;

	if (free) {
		if (v->hi + v->polls > 0)
			v->s.start = T0 + h * HOUR;
		v->lo = v->hi = v->polls = 0;
	} else if (h >= c->from_h) {
		if (v->hi <= 0)
			v->hi = c->at_first;
		v->hi += c->per_hour * hours;
		if (c->lock == TURNS) {
			v->lo += c->at_first;
			v->hi += c->at_first;
		} else if (c->lock == SLOW) {
			v->lo += c->per_hour * hours / 20;
		}
		v->polls += c->polls_per_hour * hours;
	}
	v->s.sessions += c->sessions_per_hour * hours;
	v->s.waiting = floor(v->hi) - floor(v->lo);
	v->s.polling = floor(v->polls);
}

static void goroutine(struct buf *b, double id, const char *state, const char *frames)
{
	buf_addf(b, "goroutine %.0f [%s]:\n%s\n\n", id, state, frames);
}

/* A collection each minute: a wait is counted from the first one on. */
static const char *lock_state(const struct scenario *c, const struct state *v, double i, char *text)
{
	double came = c->from_h * HOUR + fmax(0, i - c->at_first) / fmax(c->per_hour, 1) * HOUR;
	double minutes = floor((v->at_s - ceil(came / 60) * 60) / 60);

	if ((c->lock == HELD || c->lock == SLOW) && minutes >= 1)
		sprintf(text, "sync.Mutex.Lock, %.0f minutes", minutes);
	else
		strcpy(text, "sync.Mutex.Lock");
	return text;
}

static void print_all(const struct scenario *c, const struct state *v, struct buf *b)
{
	char text[60];

	goroutine(b, 1, "sleep", "main.main()\n\t/src/app/main.go:20 +0x1d");
	goroutine(b, 2, "select, 1 minutes", "main.tick()\n\t/src/app/main.go:60 +0x1d");
	for (double i = 0; i < v->parked; i++)
		goroutine(
			b, 10 + i, "select (no cases)", "main.park()\n\t/src/app/main.go:44 +0x1d");
	for (double i = floor(v->lo); i < floor(v->hi); i++)
		goroutine(b, 1000 + i, lock_state(c, v, i, text),
			"sync.runtime_SemacquireMutex(0x0?)\n\t/go/src/runtime/sema.go:95 +0x24\n"
			"sync.(*Mutex).lockSlow(0xc000016018)\n\t/go/src/sync/mutex.go:149 +0x15c\n"
			"sync.(*Mutex).Lock(...)\n\t/go/src/sync/mutex.go:70\n" JOURNAL
			"(0xc000016000)\n\t/src/app/journal.go:31 +0x3d");
	for (double i = 0; i < floor(v->polls); i++)
		goroutine(b, 1e6 + i, "chan receive (nil chan)",
			POLL "(0xc000020000)\n\t/src/app/poll.go:12 +0x1d");
	for (double i = 0; i < floor(v->s.sessions); i++)
		goroutine(b, 2e6 + i, "chan receive",
			"main.(*session).wait(0xc000030000)\n\t/src/app/session.go:38 +0x1d");
}

/* What scrape_look does, without a network: two seconds after the scrape. */
static void look(const struct scenario *c, struct watcher *w, struct state *v)
{
	const struct scrape_look_events *e = &pipeline_look_events;
	struct scrape_endpoint up = {.asked = true, .up = true, .status = 200};
	struct scrape_endpoint no = {.asked = true, .status = 404, .why = "it is not there"};
	int64_t at_ms = (int64_t)(w->now * 1000) + 2000;
	struct buf b = BUF_INIT;

	if (!scrape_looking(w->st))
		return;
	if (e->end(NULL, w->st, LOOK_INDEX, &up, 1, at_ms) == LOOK_DUMP) {
		v->looks++;
		print_all(c, v, &b);
		for (size_t at = 0, n; !c->refused && at < b.len; at += n) {
			n = MIN(b.len - at, (size_t)1000);
			e->body(NULL, w->st, LOOK_DUMP, b.p + at, n);
		}
		e->end(NULL, w->st, LOOK_DUMP, c->refused ? &no : &up, 2, at_ms);
	}
	scrape_drop_look(w->st);
	buf_release(&b);
}

/* ---- the watcher ---- */

static struct config *make_config(void)
{
	const char *text = "scrape_configs:\n  - job_name: shop\n    static_configs: [{targets: "
			   "['h:1']}]\n";
	struct config_errors errs;
	struct config *c;

	config_errors_init(&errs);
	c = config_parse(str_of(text), "sim", &errs);
	config_errors_release(&errs);
	if (!c)
		exit(1);
	return c;
}

static void remove_store(const char *path)
{
	char name[300];

	for (size_t i = 0; i < 3; i++) {
		static const char *const ends[] = {"", "-wal", "-shm"};

		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static bool says(const struct watcher *w, const char *what)
{
	const struct alert *a;
	void *at = NULL;

	while ((a = alert_next(w->alerts, &at))) {
		if (str_find(alert_labels_get(&a->annotations, "evidence"), str_of(what)) >= 0)
			return true;
	}
	return false;
}

static void start_watcher(struct watcher *w)
{
	start(w);
	scrape_on_look(w->scrape, &pipeline_look_events);
}

static bool run(const struct scenario *c)
{
	const char *tmp = getenv("TMPDIR");
	struct state v = {.s = {.start = T0 - 600, .users = 100}, .parked = c->parked};
	struct config *config = make_config();
	struct watcher w = {.now = T0, .config = config};
	double from = T0 + c->from_h * HOUR, late = 0;
	bool killed = false, ok;

	snprintf(w.path, sizeof(w.path), "%s/sim_waits.%ld.db", tmp ? tmp : "/tmp", (long)getpid());
	remove_store(w.path);
	start_watcher(&w);
	for (double t = 0; t < c->hours * HOUR; t += c->every_s) {
		w.now = T0 + t;
		v.at_s = t;
		live(c, &v, t / HOUR);
		if (c->killed_h > 0 && !killed && t >= c->killed_h * HOUR) {
			stop(&w, false);
			start_watcher(&w);
			killed = true;
		}
		scrape_once(&w, w.st, &v.s);
		look(c, &w, &v);
	}
	if (w.raised)
		late = (w.first_at - from) / HOUR;
	ok = strcmp(w.told, c->told) == 0 && v.looks <= c->looks &&
	     (!w.raised || (strcmp(w.class, c->class) == 0 && late <= c->within_h)) &&
	     (!c->says || says(&w, c->says));
	printf("%-4s  %s: told \"%s\" %s, after %.0f min, %u looks\n", ok ? "ok" : "BAD", c->what,
		w.told, w.class, late * 60, v.looks);
	stop(&w, true);
	remove_store(w.path);
	config_free(config);
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
