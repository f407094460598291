#include "memstat.h"

#include <math.h>
#include <string.h>

#define NO_LIMIT 9.0e18 /* of v1: 2^63 less a page, whatever the page's size */
#define ID_MIN	 12 /* hexadecimal digits of a container's id that are shown and typed */

/* ---- numbers and lines ----------------------------------------------------------------------- */

static double number_of(struct str s)
{
	uint64_t v;

	return str_u64(s, &v) ? (double)v : NAN;
}

double memstat_number(struct str text)
{
	struct str s = str_trim(text);
	double v;

	if (str_is(s, "max"))
		return INFINITY;
	v = number_of(s);
	return v > NO_LIMIT ? INFINITY : v;
}

/* The part before the first c, and what follows it. */
static bool split(struct str s, char c, struct str *head, struct str *tail)
{
	const char *at = s.len ? memchr(s.p, c, s.len) : NULL;

	if (!at)
		return false;
	*head = str_n(s.p, (size_t)(at - s.p));
	*tail = str_from(s, head->len + 1);
	return true;
}

static double add_told(double a, double b)
{
	return isnan(a) ? b : isnan(b) ? a : a + b;
}

/* ---- memory.stat ----------------------------------------------------------------------------- */

void memstat_cgroup_init(struct memstat_cgroup *m)
{
	*m = (struct memstat_cgroup){NAN, NAN, NAN, NAN, NAN, NAN};
}

struct wanted {
	const char *name;
	double value;
};

static double value_of(const struct wanted *w, const char *name)
{
	for (; w->name; w++) {
		if (strcmp(w->name, name) == 0)
			return w->value;
	}
	return NAN;
}

static void read_wanted(struct wanted *w, struct str text)
{
	struct str line, key, value;

	for (size_t i = 0; w[i].name; i++)
		w[i].value = NAN;
	while (str_line(&text, &line)) {
		if (!split(line, ' ', &key, &value))
			continue;
		for (size_t i = 0; w[i].name; i++) {
			if (str_is(key, w[i].name))
				w[i].value = number_of(str_trim(value));
		}
	}
}

/* What is left of a file's pages when the shared memory among them is taken off. */
static double cache_of(double file, double shmem)
{
	return isnan(shmem) ? file : fmax(0, file - shmem);
}

static void read_v2(struct memstat_cgroup *m, struct str text)
{
	struct wanted w[] = {{"anon", 0}, {"file", 0}, {"shmem", 0}, {"kernel", 0}, {"slab", 0},
		{"kernel_stack", 0}, {"pagetables", 0}, {"sock", 0}, {"percpu", 0}, {NULL, 0}};

	read_wanted(w, text);
	m->anon = value_of(w, "anon");
	m->shmem = value_of(w, "shmem");
	m->cache = cache_of(value_of(w, "file"), m->shmem);
	m->kernel = value_of(w, "kernel");
	if (isnan(m->kernel)) /* before Linux 5.18 only its parts are told */
		m->kernel = add_told(add_told(value_of(w, "slab"), value_of(w, "kernel_stack")),
			add_told(value_of(w, "pagetables"), value_of(w, "percpu")));
	m->kernel = add_told(m->kernel, value_of(w, "sock"));
}

static double total_or(const struct wanted *w, const char *total, const char *own)
{
	double v = value_of(w, total);

	return isnan(v) ? value_of(w, own) : v;
}

static void read_v1(struct memstat_cgroup *m, struct str text)
{
	struct wanted w[] = {{"rss", 0}, {"cache", 0}, {"shmem", 0}, {"total_rss", 0},
		{"total_cache", 0}, {"total_shmem", 0}, {NULL, 0}};

	read_wanted(w, text);
	m->anon = total_or(w, "total_rss", "rss");
	m->shmem = total_or(w, "total_shmem", "shmem");
	m->cache = cache_of(total_or(w, "total_cache", "cache"), m->shmem);
}

void memstat_cgroup_read(struct memstat_cgroup *m, struct str text, enum memstat_version version)
{
	if (version == MEMSTAT_V2)
		read_v2(m, text);
	else
		read_v1(m, text);
}

/* ---- /proc ----------------------------------------------------------------------------------- */

/* "  1234 kB" */
static double kilobytes(struct str s)
{
	struct str head, tail;

	s = str_trim(s);
	if (!split(s, ' ', &head, &tail) || !str_is(str_trim(tail), "kB"))
		return NAN;
	return number_of(head) * 1024;
}

void memstat_status_read(struct memstat_process *p, struct str text)
{
	struct str line, key, value, first, rest;

	*p = (struct memstat_process){NAN, NAN, NAN, NAN, NAN, NAN, -1};
	while (str_line(&text, &line)) {
		if (!split(line, ':', &key, &value))
			continue;
		if (str_is(key, "VmRSS"))
			p->rss = kilobytes(value);
		else if (str_is(key, "RssAnon"))
			p->anon = kilobytes(value);
		else if (str_is(key, "RssFile"))
			p->file = kilobytes(value);
		else if (str_is(key, "RssShmem"))
			p->shmem = kilobytes(value);
		else if (str_is(key, "Threads"))
			p->threads = number_of(str_trim(value));
		else if (str_is(key, "FDSize"))
			p->fd_size = number_of(str_trim(value));
		else if (str_is(key, "Uid") && split(str_trim(value), '\t', &first, &rest) &&
			 number_of(first) <= 2147483647)
			p->uid = (int)number_of(first);
	}
}

/* "4:memory:/path", "3:cpu,memory:/path", "0::/path" */
struct str memstat_cgroup_path(struct str text, enum memstat_version *which)
{
	struct str line, number, rest, controllers, path, found = {0}, one;

	*which = MEMSTAT_NONE;
	while (str_line(&text, &line)) {
		bool memory = false;

		if (!split(line, ':', &number, &rest) || !split(rest, ':', &controllers, &path) ||
			path.len == 0 || path.p[0] != '/')
			continue;
		if (controllers.len == 0 && str_is(number, "0") && *which == MEMSTAT_NONE) {
			found = path;
			*which = MEMSTAT_V2;
		}
		while (split(controllers, ',', &one, &controllers))
			memory |= str_is(one, "memory");
		if (memory || str_is(controllers, "memory")) {
			found = path;
			*which = MEMSTAT_V1;
		}
	}
	return found;
}

/* Field 22; the name in field 2 may hold anything, so count from the last ")". */
double memstat_started(struct str stat, double ticks)
{
	size_t end = stat.len;
	struct str rest, field;

	while (end > 0 && stat.p[end - 1] != ')')
		end--;
	if (end == 0)
		return NAN;
	rest = str_trim(str_from(stat, end));
	for (int i = 3; i < 22; i++) {
		if (!split(rest, ' ', &field, &rest))
			return NAN;
	}
	if (!split(rest, ' ', &field, &rest))
		field = rest;
	return number_of(field) / ticks;
}

double memstat_boot(struct str proc_stat)
{
	struct str line, key, value;

	while (str_line(&proc_stat, &line)) {
		if (split(line, ' ', &key, &value) && str_is(key, "btime"))
			return number_of(str_trim(value));
	}
	return NAN;
}

/* ---- names ----------------------------------------------------------------------------------- */

static bool is_id(struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	}
	return s.len >= ID_MIN && s.len <= 64;
}

bool memstat_names(struct str name, struct str wanted)
{
	if (wanted.len == 0)
		return false;
	if (str_eq(name, wanted))
		return true;
	if (name.len == wanted.len + 8 && str_starts(name, wanted) &&
		str_ends(name, STR(".service")))
		return true;
	if (!is_id(wanted))
		return false;
	if (str_ends(name, STR(".scope")))
		name.len -= 6;
	for (size_t i = name.len; i > 0; i--) {
		if (name.p[i - 1] == '-') {
			name = str_from(name, i);
			break;
		}
	}
	return is_id(name) && str_starts(name, wanted);
}
