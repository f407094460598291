#include "discover_internal.h"
#include "log.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- reading --------------------------------------------------------------------------------- */

static int read_whole(int fd, struct buf *out, struct err *err)
{
	char piece[16384];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(err, "cannot be read: %s", strerror(errno));
		if (out->len + (size_t)n > CONFIG_BYTES_MAX)
			return err_set(err, "is larger than %d bytes", CONFIG_BYTES_MAX);
		buf_add(out, piece, (size_t)n);
	}
	return 0;
}

/* *gone: it is not there any more. */
static int read_file(const char *path, struct buf *out, bool *gone, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc;
	struct stat st;

	*gone = fd < 0 && errno == ENOENT;
	if (fd < 0)
		return err_set(err, "cannot be opened: %s", strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		rc = err_set(err, "is no file");
	else
		rc = read_whole(fd, out, err);
	close(fd);
	return rc;
}

static bool read_list(struct source *s, const char *path)
{
	struct buf text = BUF_INIT;
	bool changed = false, gone;
	struct err err;

	if (read_file(path, &text, &gone, &err) == 0)
		changed = discover_take(
			s, path, buf_str(&text), str_ends(str_of(path), STR(".json")));
	else if (!gone)
		discover_failed(s, path, err.msg);
	/* One that was there and cannot be read keeps its targets. */
	if (!gone)
		discover_list(s, path)->seen = true;
	buf_release(&text);
	return changed;
}

static bool forget_gone(struct source *s)
{
	struct list **at = &s->lists, *l;
	bool changed = false;

	while ((l = *at)) {
		if (l->seen) {
			at = &l->next;
			continue;
		}
		*at = l->next;
		changed = changed || l->good;
		if (l->good)
			log_msg(LEVEL_INFO, "job %s: %s is gone, and its targets with it", s->job,
				l->origin);
		discover_free_list(l);
	}
	return changed;
}

static void watch_directory(struct source *s, size_t i)
{
	const char *slash = strrchr(s->patterns[i], '/');
	char *dir = slash && slash != s->patterns[i]
			    ? xmemdup0(s->patterns[i], (size_t)(slash - s->patterns[i]))
			    : xstrdup(slash ? "/" : ".");

	/* The same number when it is watched already; another one when it is another directory. */
	if (s->d->inotify >= 0)
		s->watches[i] = inotify_add_watch(s->d->inotify, dir,
			IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_CREATE |
				IN_MOVE_SELF | IN_ONLYDIR);
	free(dir);
}

void discover_file_read(struct source *s)
{
	bool changed = false;

	s->failing = false;
	for (struct list *l = s->lists; l; l = l->next)
		l->seen = false;
	for (size_t i = 0; i < s->npatterns; i++) {
		glob_t found = {0};

		/* First the watch, so that no change falls between. */
		watch_directory(s, i);
		if (glob(s->patterns[i], 0, NULL, &found) == 0) {
			for (size_t k = 0; k < MIN(found.gl_pathc, (size_t)DISCOVER_FILES_MAX); k++)
				changed = read_list(s, found.gl_pathv[k]) || changed;
			if (found.gl_pathc > DISCOVER_FILES_MAX)
				discover_failed(s, s->patterns[i], "matches too many files");
		}
		globfree(&found);
	}
	changed = forget_gone(s) || changed;
	if (changed)
		discover_changed(s->d);
}

/* ---- watching -------------------------------------------------------------------------------- */

static bool watches(const struct source *s, int watch)
{
	for (size_t i = 0; i < s->npatterns; i++) {
		if (s->watches[i] == watch)
			return true;
	}
	return false;
}

/* Something happened in a directory: its sources are read again, once for all that happened. */
static void inotify_cb(evutil_socket_t fd, short what, void *arg)
{
	/* Whole events; long ones are four-byte aligned, as the kernel pads their names. */
	uint32_t buffer[1024];
	struct discover *d = arg;
	ssize_t n;

	(void)what;
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		const char *at = (const char *)buffer, *end = at + n;

		while (at < end) {
			const struct inotify_event *e = (const void *)at;

			for (struct source *s = d->sources; s; s = s->next)
				s->stirred = s->stirred || watches(s, e->wd) ||
					     (s->npatterns && e->mask & IN_Q_OVERFLOW);
			at += sizeof(*e) + e->len;
		}
	}
	for (struct source *s = d->sources; s; s = s->next) {
		if (s->stirred)
			discover_file_read(s);
		s->stirred = false;
	}
}

void discover_file_open(struct discover *d)
{
	d->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (d->inotify < 0) {
		log_msg(LEVEL_WARNING,
			"no inotify (%s): files of targets are only read every refresh_interval",
			strerror(errno));
		return;
	}
	d->events = event_new(d->base, d->inotify, EV_READ | EV_PERSIST, inotify_cb, d);
	if (!d->events)
		abort(); /* only for want of memory */
	event_add(d->events, NULL);
}

/* A directory may be another source's too: then its watch stays. */
void discover_file_unwatch(struct source *s)
{
	for (size_t i = 0; i < s->npatterns; i++) {
		bool shared = s->watches[i] < 0;

		for (const struct source *o = s->d->sources; o && !shared; o = o->next)
			shared = o != s && watches(o, s->watches[i]);
		if (!shared && s->d->inotify >= 0)
			inotify_rm_watch(s->d->inotify, s->watches[i]);
	}
}
