#include "hostmem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX  (64 * 1024) /* of a kernel file; memory.stat has some 2 KiB */
#define DEPTH_MAX 10 /* of the tree that is searched */
#define DIRS_MAX  20000 /* directories looked at in one search */
#define PIDS_MAX  256 /* processes of a cgroup looked at */
#define START_OFF 2.0 /* seconds between what metrics and kernel say of one start */
#define PATH_SIZE 1024

/* ---- files ----------------------------------------------------------------------------------- */

/* The file's text in buf, cut at its size; -1 with errno. */
static ssize_t read_text(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;
	int saved;

	if (fd < 0)
		return -1;
	while (len < size && (n = read(fd, buf + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			saved = errno;
			close(fd);
			errno = saved;
			return -1;
		}
		len += (size_t)n;
	}
	close(fd);
	return (ssize_t)len;
}

static struct str text_at(const char *path, char *buf)
{
	ssize_t n = read_text(path, buf, TEXT_MAX);

	return n < 0 ? (struct str){0} : str_n(buf, (size_t)n);
}

/* False when it does not fit, which no path of a real host does. */
__attribute__((format(printf, 2, 3))) static bool make_path(char *out, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, PATH_SIZE, fmt, ap);
	va_end(ap);
	return n >= 0 && n < PATH_SIZE;
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/* ---- hierarchies ----------------------------------------------------------------------------- */

/*
 * Where memory is accounted: below /sys/fs/cgroup itself (v2), or in /sys/fs/cgroup/memory (v1;
 * hybrid when v2 is mounted at .../unified beside it).
 */
static enum memstat_version which_version(const char *root, bool *hybrid)
{
	char path[PATH_SIZE];

	*hybrid = make_path(path, "%s/sys/fs/cgroup/unified/cgroup.controllers", root) &&
		  exists(path);
	if (make_path(path, "%s/sys/fs/cgroup/memory/memory.stat", root) && exists(path))
		return MEMSTAT_V1;
	*hybrid = false;
	if (make_path(path, "%s/sys/fs/cgroup/cgroup.controllers", root) && exists(path))
		return MEMSTAT_V2;
	return MEMSTAT_NONE;
}

static const char *mount_of(enum memstat_version v)
{
	return v == MEMSTAT_V1 ? "/sys/fs/cgroup/memory" : "/sys/fs/cgroup";
}

/* ---- searching ------------------------------------------------------------------------------- */

struct search {
	const char *mount; /* with the root */
	struct str wanted;
	unsigned dirs;
	char *found; /* HOSTMEM_PATH bytes; "" while there is none */
};

/* Depth first, names as the kernel lists them; the first that fits is it. */
static void search_below(struct search *s, const char *below, unsigned depth)
{
	char path[PATH_SIZE], child[HOSTMEM_PATH];
	struct dirent *e;
	DIR *d;

	if (!make_path(path, "%s%s", s->mount, below) || !(d = opendir(path)))
		return;
	while (!s->found[0] && (e = readdir(d)) && s->dirs < DIRS_MAX) {
		int n;

		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		s->dirs++;
		n = snprintf(child, sizeof(child), "%s/%s", below, e->d_name);
		if (n < 0 || (size_t)n >= sizeof(child))
			continue;
		if (memstat_names(str_of(e->d_name), s->wanted))
			memcpy(s->found, child, (size_t)n + 1);
		else if (depth < DEPTH_MAX)
			search_below(s, child, depth + 1);
	}
	closedir(d);
}

static bool is_path(const char *s)
{
	return s[0] == '/';
}

/* A path may be one below the mount, or the mount with it; ".." leads out of it. */
static void take_path(const char *wanted, const char *mount, char *out)
{
	size_t n = strlen(mount);

	if (strstr(wanted, ".."))
		return;
	if (strncmp(wanted, mount, n) == 0 && (wanted[n] == '/' || wanted[n] == '\0'))
		wanted += n;
	snprintf(out, HOSTMEM_PATH, "%s", wanted[0] ? wanted : "/");
}

static void find_named(const struct hostmem_place *p, enum memstat_version v, char *out)
{
	char mount[PATH_SIZE], path[PATH_SIZE];
	struct search s = {.mount = mount, .wanted = str_of(p->cgroup), .found = out};

	out[0] = '\0';
	if (is_path(p->cgroup)) {
		take_path(p->cgroup, mount_of(v), out);
		if (!make_path(path, "%s%s%s", p->root, mount_of(v), out) || !exists(path))
			out[0] = '\0';
		return;
	}
	if (make_path(mount, "%s%s", p->root, mount_of(v)))
		search_below(&s, "", 0);
}

/* ---- processes ------------------------------------------------------------------------------- */

/* Unix seconds; NAN when there is no such process. */
static double started_at(const char *root, int pid, char *buf)
{
	long ticks = sysconf(_SC_CLK_TCK);
	char path[PATH_SIZE];
	double since_boot, boot;

	make_path(path, "%s/proc/%d/stat", root, pid);
	since_boot = memstat_started(text_at(path, buf), ticks > 0 ? (double)ticks : 100);
	make_path(path, "%s/proc/stat", root);
	boot = memstat_boot(text_at(path, buf));
	return boot + since_boot;
}

/* Is it there, and the one that is meant? */
static bool is_it(const struct hostmem_place *p, int pid, char *buf)
{
	char path[PATH_SIZE];

	make_path(path, "%s/proc/%d/status", p->root, pid);
	if (!exists(path))
		return false;
	/* NAN where the daemon may not see /proc/stat: then the number is all there is. */
	return !(fabs(started_at(p->root, pid, buf) - p->started) > START_OFF);
}

static bool read_process(const char *root, int pid, char *buf, struct memstat_process *out)
{
	char path[PATH_SIZE];
	struct str text;

	make_path(path, "%s/proc/%d/status", root, pid);
	text = text_at(path, buf);
	memstat_status_read(out, text);
	return text.len > 0 && !isnan(out->rss);
}

/* Of the cgroup's processes the one that started when the target did; when that is not known, the
 * one with the most memory. */
static int find_process(const struct hostmem_place *p, const struct hostmem_found *f, char *buf)
{
	char path[PATH_SIZE], *pids = malloc(TEXT_MAX);
	struct str text, line;
	double most = -1;
	int best = 0;

	if (!pids)
		return 0;
	make_path(path, "%s%s%s/cgroup.procs", p->root, mount_of(f->version), f->cgroup);
	text = text_at(path, pids);
	for (int i = 0; i < PIDS_MAX && str_line(&text, &line); i++) {
		struct memstat_process m;
		uint64_t pid;

		if (!str_u64(str_trim(line), &pid) || pid == 0 || pid > 4194304 ||
			!read_process(p->root, (int)pid, buf, &m) || m.rss <= most ||
			!is_it(p, (int)pid, buf))
			continue;
		most = m.rss;
		best = (int)pid;
	}
	free(pids);
	return best;
}

static void cgroup_of_process(const struct hostmem_place *p, struct hostmem_found *f, char *buf)
{
	enum memstat_version which;
	char path[PATH_SIZE];
	struct str at;

	make_path(path, "%s/proc/%d/cgroup", p->root, f->pid);
	at = memstat_cgroup_path(text_at(path, buf), &which);
	/* The root has no memory of its own, and in a container's view the path may lead out. */
	if (which != f->version || at.len <= 1 || at.len >= HOSTMEM_PATH ||
		str_find(at, STR("..")) >= 0)
		return;
	snprintf(f->cgroup, sizeof(f->cgroup), "%.*s", STR_ARG(at));
}

/* ---- reading --------------------------------------------------------------------------------- */

static bool read_cgroup(
	const char *root, const struct hostmem_found *f, char *buf, struct memstat_cgroup *out)
{
	bool v1 = f->version == MEMSTAT_V1;
	char path[PATH_SIZE];
	struct str text;

	memstat_cgroup_init(out);
	if (!f->cgroup[0])
		return false;
	make_path(path, "%s%s%s/memory.stat", root, mount_of(f->version), f->cgroup);
	text = text_at(path, buf);
	if (!text.len)
		return false;
	memstat_cgroup_read(out, text, f->version);
	make_path(path, "%s%s%s/%s", root, mount_of(f->version), f->cgroup,
		v1 ? "memory.usage_in_bytes" : "memory.current");
	out->current = memstat_number(text_at(path, buf));
	make_path(path, "%s%s%s/%s", root, mount_of(f->version), f->cgroup,
		v1 ? "memory.limit_in_bytes" : "memory.max");
	out->max = memstat_number(text_at(path, buf));
	if (v1) {
		make_path(path, "%s%s%s/memory.kmem.usage_in_bytes", root, mount_of(f->version),
			f->cgroup);
		out->kernel = memstat_number(text_at(path, buf));
	}
	return !isnan(out->anon);
}

static void say_missing(
	const struct hostmem_place *p, const struct hostmem_found *f, struct hostmem *out)
{
	if (f->version == MEMSTAT_NONE && p->cgroup[0])
		snprintf(out->why, sizeof(out->why),
			"no cgroup file system with memory is mounted at /sys/fs/cgroup");
	else if (!out->has_cgroup && p->cgroup[0])
		snprintf(out->why, sizeof(out->why),
			"no cgroup \"%.200s\" below %s: a unit's name, a container's id of at "
			"least 12 "
			"digits, or a path is right",
			p->cgroup, mount_of(f->version));
	else if (!out->has_process && p->pid)
		snprintf(out->why, sizeof(out->why),
			"there is no process %d to be seen, or it is not the one that the target's "
			"metrics are of (under systemd, the drop-in proc.conf lets us see it)",
			p->pid);
}

/* What is known to be there is not looked for: a search goes through the whole tree. */
static bool find(const struct hostmem_place *p, struct hostmem_found *f, const struct hostmem *got,
	char *buf)
{
	f->pid = p->pid && is_it(p, p->pid, buf) ? p->pid : 0;
	if (!got->has_cgroup || !p->cgroup[0])
		f->cgroup[0] = '\0';
	if (p->cgroup[0] && !got->has_cgroup && f->version != MEMSTAT_NONE)
		find_named(p, f->version, f->cgroup);
	else if (!p->cgroup[0] && f->pid && f->version != MEMSTAT_NONE)
		cgroup_of_process(p, f, buf);
	if (!f->pid && f->cgroup[0] && !p->pid)
		f->pid = find_process(p, f, buf);
	return f->pid || f->cgroup[0];
}

static void read_found(const struct hostmem_place *p, const struct hostmem_found *f, char *buf,
	struct hostmem *out)
{
	out->has_cgroup = read_cgroup(p->root, f, buf, &out->cgroup);
	out->has_process = f->pid && is_it(p, f->pid, buf) &&
			   read_process(p->root, f->pid, buf, &out->process);
}

void hostmem_read(
	const struct hostmem_place *place, struct hostmem_found *found, struct hostmem *out)
{
	char *buf = malloc(TEXT_MAX);
	bool again;

	memset(out, 0, sizeof(*out));
	if (!buf) {
		snprintf(out->why, sizeof(out->why), "no memory to read files into");
		return;
	}
	found->version = which_version(place->root, &out->hybrid);
	read_found(place, found, buf, out);
	/* What was there before may have been restarted, and have another id and path. */
	again = (place->cgroup[0] && !out->has_cgroup) || !out->has_process;
	if (again && find(place, found, out, buf))
		read_found(place, found, buf, out);
	say_missing(place, found, out);
	free(buf);
}
