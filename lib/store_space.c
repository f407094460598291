#include "store_space.h"
#include "store_internal.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int store_space(struct store *s, struct store_space *out, struct err *err)
{
	int64_t pages, empty, size;
	struct statvfs vfs;
	char *dir, *slash;
	int rc;

	s->retry = false;
	if (store_query_int(s, "PRAGMA page_count", 0, &pages, err) < 0 ||
		store_query_int(s, "PRAGMA freelist_count", 0, &empty, err) < 0 ||
		store_query_int(s, "PRAGMA page_size", 0, &size, err) < 0)
		return -1;
	out->file_bytes = pages * size;
	out->used_bytes = (pages - empty) * size;
	dir = xstrdup(s->path);
	slash = strrchr(dir, '/');
	if (slash)
		slash[slash == dir] = '\0';
	rc = statvfs(slash ? dir : ".", &vfs);
	if (rc < 0)
		err_set(err, "%s: cannot ask for free space: %s", s->path, strerror(errno));
	else
		out->free_bytes = (int64_t)vfs.f_bavail * (int64_t)vfs.f_frsize;
	free(dir);
	return rc;
}

int store_shrink(struct store *s, int pages, struct err *err)
{
	char sql[64];

	snprintf(sql, sizeof(sql), "PRAGMA incremental_vacuum(%d)", pages);
	s->retry = false;
	return store_exec(s, sql, err);
}

/* ---- ballast ------------------------------------------------------------------- */

bool store_ballast_make(struct store *s)
{
	char *path = xasprintf("%s.ballast", s->path);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	bool made = fd >= 0 && posix_fallocate(fd, 0, STORE_BALLAST_BYTES) == 0;

	if (fd >= 0)
		close(fd);
	if (!made)
		unlink(path);
	free(path);
	return made;
}

bool store_ballast_drop(struct store *s)
{
	char *path = xasprintf("%s.ballast", s->path);
	bool dropped = unlink(path) == 0;

	free(path);
	return dropped;
}

bool store_was_full(const struct store *s)
{
	return s->full;
}

bool store_was_damaged(const struct store *s)
{
	return s->damaged;
}

/* ---- place --------------------------------------------------------------------- */

enum store_place store_place(struct store *s)
{
	struct stat sb;

	if (stat(s->path, &sb) < 0)
		return errno == ENOENT || errno == ENOTDIR ? STORE_REMOVED : STORE_IN_PLACE;
	return sb.st_dev == s->dev && sb.st_ino == s->ino ? STORE_IN_PLACE : STORE_REPLACED;
}

/* A log that stayed behind belongs to the file that is gone, and would be read into the new one. */
static void remove_log(const struct store *s)
{
	static const char *const suffixes[] = {"-wal", "-shm"};

	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char *path = xasprintf("%s%s", s->path, suffixes[i]);

		unlink(path);
		free(path);
	}
}

int store_put_back(struct store *s, struct err *err)
{
	char *part = xasprintf("%s.part", s->path);
	int rc;

	s->retry = false;
	unlink(part);
	rc = store_copy_to(s, part, err);
	if (rc == 0) {
		remove_log(s);
		rc = link(part, s->path); /* unlike rename, replaces nothing */
		if (rc < 0)
			err_set(err, "cannot put %s back: %s", s->path, strerror(errno));
	}
	unlink(part);
	free(part);
	return rc == 0 ? store_reopen(s, err) : -1;
}
