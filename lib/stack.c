#include "stack.h"

#include "map.h"

#include <string.h>

/* ---- what a goroutine waits for ---------------------------------------------------------------
 */
struct wait_name {
	const char *name;
	enum wait_kind kind;
};

/* The first row whose name is a prefix of s, or WAIT_UNKNOWN. */
static enum wait_kind look_up(const struct wait_name *rows, size_t n, struct str s)
{
	for (size_t i = 0; i < n; i++) {
		if (str_starts(s, str_of(rows[i].name)))
			return rows[i].kind;
	}
	return WAIT_UNKNOWN;
}

/* Go's wait reasons and statuses; a state may have " (nil chan)" and the like behind it. */
enum wait_kind stack_wait_of_state(struct str state)
{
	static const struct wait_name rows[] = {
		{"running", WAIT_NONE},
		{"runnable", WAIT_NONE},
		{"preempted", WAIT_NONE},
		{"copystack", WAIT_NONE},
		{"idle", WAIT_NONE},
		{"dead", WAIT_NONE},
		{"chan receive", WAIT_CHAN_RECEIVE},
		{"chan send", WAIT_CHAN_SEND},
		{"select", WAIT_SELECT},
		{"IO wait", WAIT_IO},
		{"sleep", WAIT_SLEEP},
		{"semacquire", WAIT_SEMACQUIRE},
		{"sync.Mutex.Lock", WAIT_MUTEX},
		{"sync.RWMutex.", WAIT_MUTEX},
		{"sync.WaitGroup.Wait", WAIT_SEMACQUIRE},
		{"sync.Cond.Wait", WAIT_COND},
		{"syscall", WAIT_SYSCALL},
	};
	enum wait_kind k = look_up(rows, ARRAY_LEN(rows), state);

	return k == WAIT_UNKNOWN && state.len > 0 ? WAIT_OTHER : k;
}

enum wait_kind stack_wait_of_symbol(struct str name)
{
	static const struct wait_name rows[] = {
		{"runtime.chanrecv", WAIT_CHAN_RECEIVE},
		{"runtime.chansend", WAIT_CHAN_SEND},
		{"runtime.selectgo", WAIT_SELECT},
		{"runtime.netpollblock", WAIT_IO},
		{"runtime.timeSleep", WAIT_SLEEP},
		{"runtime.semacquire", WAIT_SEMACQUIRE},
		{"runtime.notifyListWait", WAIT_COND},
		{"runtime.cgocall", WAIT_SYSCALL},
		{"runtime.entersyscall", WAIT_SYSCALL},
		{"runtime.notetsleepg", WAIT_SYSCALL},
		{"runtime.coroswitch", WAIT_OTHER},
		{"runtime.ReadTrace", WAIT_OTHER},
		{"runtime.readTrace", WAIT_OTHER},
	};

	if (str_is(name, "runtime.block")) /* select {}; runtime.blockevent and others are not */
		return WAIT_SELECT;
	return look_up(rows, ARRAY_LEN(rows), name);
}

static bool is_park(struct str name)
{
	return str_starts(name, STR("runtime.gopark")) || str_is(name, "runtime.park_m");
}

enum wait_kind stack_wait_of_symbols(const struct str *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		enum wait_kind k = stack_wait_of_symbol(names[i]);

		if (k != WAIT_UNKNOWN)
			return k;
	}
	if (n == 0 || names[0].len == 0)
		return WAIT_UNKNOWN;
	return is_park(names[0]) ? WAIT_OTHER : WAIT_NONE;
}

/* What the first frame outside the runtime tells; go-formats, section 1.7. */
static enum wait_kind wait_of_frame(struct str func)
{
	static const struct wait_name rows[] = {
		{"time.Sleep", WAIT_SLEEP},
		{"internal/poll.runtime_pollWait", WAIT_IO},
		{"internal/poll.runtime_Semacquire", WAIT_SEMACQUIRE},
		{"sync.runtime_SemacquireMutex", WAIT_MUTEX},
		{"sync.runtime_SemacquireRWMutex", WAIT_MUTEX},
		{"sync.runtime_Semacquire", WAIT_SEMACQUIRE},
		{"internal/sync.runtime_SemacquireMutex", WAIT_MUTEX},
		{"sync.runtime_notifyListWait", WAIT_COND},
		{"os/signal.signal_recv", WAIT_SYSCALL},
		{"syscall.Syscall", WAIT_SYSCALL},
		{"syscall.RawSyscall", WAIT_SYSCALL},
		{"syscall.syscall", WAIT_SYSCALL},
		{"syscall.rawSyscall", WAIT_SYSCALL},
		{"golang.org/x/sys/unix.Syscall", WAIT_SYSCALL},
		{"golang.org/x/sys/unix.RawSyscall", WAIT_SYSCALL},
		{"golang.org/x/sys/unix.syscall", WAIT_SYSCALL},
		{"runtime/pprof.runtime_goroutineProfile", WAIT_NONE},
		{"runtime/pprof.writeRuntimeProfile", WAIT_NONE},
		{"runtime/pprof.writeGoroutineStacks", WAIT_NONE},
	};

	if (str_find(func, STR("._Cfunc_")) >= 0)
		return WAIT_SYSCALL;
	return look_up(rows, ARRAY_LEN(rows), func);
}

/*
 * debug=0 shows the runtime's frames too: a semaphore there is what the frame below it makes of it,
 * a mutex or a wait group.
 */
static enum wait_kind wait_of_frames(const struct group *g)
{
	bool semaphore = false;

	for (size_t i = 0; i < g->nframes; i++) {
		struct str func = g->frames[i].func;
		enum wait_kind k;

		if (func.len == 0)
			return WAIT_UNKNOWN; /* a PC without a symbol */
		/* System calls below the syscall package have their runtime frames shown before
		 * Go 1.24. */
		if (str_starts(func, STR("runtime/internal/syscall.")) ||
			str_starts(func, STR("internal/runtime/syscall.")))
			return WAIT_SYSCALL;
		k = stack_is_runtime(func) ? stack_wait_of_symbol(func) : wait_of_frame(func);
		if (stack_is_runtime(func) && k == WAIT_SEMACQUIRE) {
			semaphore = true;
			continue;
		}
		if (k != WAIT_UNKNOWN || !stack_is_runtime(func))
			return k == WAIT_UNKNOWN && semaphore ? WAIT_SEMACQUIRE : k;
	}
	return semaphore ? WAIT_SEMACQUIRE : WAIT_UNKNOWN;
}

static enum wait_kind wait_of(const struct group *g)
{
	enum wait_kind told = stack_wait_of_state(g->state), seen;

	/* Before Go 1.20 a mutex, before 1.11 a condition too, is "semacquire": frames know. */
	if (told != WAIT_UNKNOWN && told != WAIT_SEMACQUIRE)
		return told;
	seen = wait_of_frames(g);
	if (told == WAIT_SEMACQUIRE)
		return seen == WAIT_MUTEX || seen == WAIT_COND ? seen : told;
	if (seen != WAIT_UNKNOWN || g->state.len > 0)
		return seen;
	if (g->nframes == 0)
		return WAIT_NONE; /* it has not run yet */
	if (is_park(g->frames[0].func))
		return WAIT_OTHER;
	/* Nothing hidden before the first visible frame: the goroutine is in its own code. */
	return g->nhidden == 0 && g->frames[0].func.len > 0 ? WAIT_NONE : WAIT_UNKNOWN;
}

/* ---- frames -----------------------------------------------------------------------------------
 */
static struct str keep(struct arena *a, struct str s, bool copy)
{
	return copy && s.len > 0 ? arena_str(a, s) : s;
}

static bool is_goexit(struct str func)
{
	return str_is(func, "runtime.goexit");
}

enum which { OWN, WRAPPERS, RUNTIME, ALL }; /* each takes more than the one before */

static bool stays(const struct frame *f, enum which which, bool leading)
{
	bool runtime = stack_is_runtime(f->func), wrapper = stack_is_wrapper(f->func, f->file);

	if (is_goexit(f->func))
		return false;
	switch (which) {
	case OWN:
		return !wrapper && !(runtime && leading);
	case WRAPPERS: /* a goroutine that has just started */
		return !runtime;
	case RUNTIME:
		return !wrapper;
	default:
		return true;
	}
}

/*
 * Which frames stay: as in debug=1, the runtime's before the first other one and goexit are left
 * out, and so are the compiler's wrappers, unless nothing would remain.
 */
static size_t select_frames(const struct group *g, const struct frame **kept, enum which *last)
{
	size_t n = 0;

	for (int which = OWN; n == 0 && which <= ALL; which++) {
		*last = (enum which)which;
		for (size_t i = 0; i < g->nframes; i++) {
			if (stays(&g->frames[i], (enum which)which, n == 0))
				kept[n++] = &g->frames[i];
		}
	}
	return n;
}

/* Over plain names, runs of one function as one: recursion to any depth is one stack, and so is a
 * mutex that locks through internal/sync (Go 1.24) or not. */
static uint64_t fingerprint(struct arena *a, const struct stack *s, bool all)
{
	struct str last = {NULL, 0};
	uint64_t h = 0;

	for (size_t i = 0; i < s->nframes; i++) {
		struct str name;

		if (s->frames[i].runtime && !all)
			continue;
		name = stack_plain_name(a, s->frames[i].func);
		if (str_starts(name, STR("sync.runtime_Semacquire")))
			name = STR("sync.runtime_Semacquire");
		if (last.p && str_eq(name, last))
			continue;
		h = hash64(name.p, name.len, h + 1);
		last = name;
	}
	return h;
}

static void copy_labels(struct arena *a, const struct group *g, bool copy, struct stack *out)
{
	if (g->nlabels == 0)
		return;
	out->labels = arena_calloc(a, g->nlabels, sizeof(*out->labels));
	out->nlabels = g->nlabels;
	for (size_t i = 0; i < g->nlabels; i++) {
		out->labels[i].key = keep(a, g->labels[i].key, copy);
		out->labels[i].value = keep(a, g->labels[i].value, copy);
	}
}

/*
 * A new goroutine's stack is the wrapper of `go f(x)` alone, which debug=0 and 1 hide.  Without a
 * wrapper (`go f()`) all formats show f, as if it ran.
 */
static bool is_unstarted(const struct group *g, size_t nframes, enum which which)
{
	if (g->flags & GROUP_UNSTARTED)
		return true;
	return nframes > 0 && which == WRAPPERS && str_is(g->state, "runnable");
}

void stack_from_group(struct arena *a, const struct group *g, bool copy, struct stack *out)
{
	const struct frame **kept = arena_calloc(a, g->nframes + 1, sizeof(*kept));
	enum which which = OWN;
	size_t outside = 0;

	memset(out, 0, sizeof(*out));
	out->nframes = select_frames(g, kept, &which);
	out->unstarted = is_unstarted(g, out->nframes, which);
	out->frames = arena_calloc(a, out->nframes + 1, sizeof(*out->frames));
	for (size_t i = 0; i < out->nframes; i++) {
		struct frame *f = &out->frames[i];

		f->func = stack_name(a, keep(a, kept[i]->func, copy));
		f->file = keep(a, kept[i]->file, copy);
		f->line = kept[i]->line;
		f->runtime = stack_is_runtime(kept[i]->func);
		if (f->runtime)
			continue;
		if (outside++ == 0)
			out->top = f->func;
		out->entry = f->func;
		if (out->user.func.len == 0 && !stack_is_std(f->func))
			out->user = *f;
	}
	if (outside == 0 && out->nframes > 0)
		out->entry = out->frames[out->nframes - 1].func;
	out->fingerprint = fingerprint(a, out, outside == 0);
	out->wait = wait_of(g);
	out->created_by = stack_name(a, keep(a, g->created_by, copy));
	copy_labels(a, g, copy, out);
}

/* ---- automatic class names --------------------------------------------------------------------
 */
/* Cut to the limit between two characters, with a hash of the whole: still one name a class. */
static struct str cut_name(struct arena *a, struct str name)
{
	size_t n = STACK_CLASS_NAME_MAX - 9;

	if (name.len <= STACK_CLASS_NAME_MAX)
		return name;
	while (n > 0 && ((unsigned char)name.p[n] & 0xc0) == 0x80)
		n--;
	return str_of(arena_printf(
		a, "%.*s~%08x", (int)n, name.p, (unsigned)hash64(name.p, name.len, 0)));
}

struct str stack_class_name(struct arena *a, const struct stack *s)
{
	struct str entry, user;

	if (s->unstarted)
		return STR("(not started)");
	if (s->nframes == 0)
		return STR("(no stack)");
	entry = stack_plain_name(a, s->entry);
	if (entry.len == 0)
		return STR("(no name)"); /* frames without symbols */
	if (s->user.func.len == 0 || s->wait == WAIT_NONE)
		return cut_name(a, entry);
	user = stack_plain_name(a, s->user.func);
	if (str_eq(user, entry))
		return cut_name(a, entry);
	return cut_name(a, str_of(arena_printf(a, "%.*s < %.*s", STR_ARG(user), STR_ARG(entry))));
}

void stack_print(const struct stack *s, size_t max, struct buf *out)
{
	size_t start = out->len;

	for (size_t i = 0; i < s->nframes; i++) {
		const struct frame *f = &s->frames[i];
		size_t before = out->len;

		buf_addstr(out, f->func);
		buf_addf(out, " %.*s:%u\n", STR_ARG(f->file), f->line);
		if (out->len - start > max) {
			out->len = before;
			out->p[before] = '\0';
			return;
		}
	}
}
