/* Copies, and the way from an older version of the file to this one. */
#include "store_internal.h"
#include "store_read.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* SQLite does not sync what VACUUM INTO wrote; the copy gets the mode of the original. */
static int seal(const struct store *s, const char *path, struct err *err)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), rc = 0;
	struct stat sb;

	if (fd < 0 || (stat(s->path, &sb) == 0 && fchmod(fd, sb.st_mode & 0777) < 0) ||
		fsync(fd) < 0)
		rc = err_set(err, "cannot finish %s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/* An empty file is what VACUUM INTO takes, and the system says better than SQLite why there is
 * none.
 */
static int make_empty(const char *path, struct err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(err, "cannot make %s: %s", path, strerror(errno));
	close(fd);
	return 0;
}

int store_copy_to(struct store *s, const char *path, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = make_empty(path, err);

	if (rc == 0)
		rc = store_prepare(s, "VACUUM INTO ?1", &st, err);
	if (rc == 0) {
		store_bind_str(st, 1, str_of(path));
		rc = store_step(s, st, err);
		if (rc < 0 && (sqlite3_errcode(s->db) & 0xff) == SQLITE_FULL)
			err_set(err, "no room for %s: the disk it is on is full", path);
		else if (rc < 0)
			err_wrap(err, "cannot copy to %s", path);
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : seal(s, path, err);
}

/* The copy is made under another name first: what has the name FILE.version-N is whole. */
static int keep_copy(struct store *s, char *copy, size_t size, struct err *err)
{
	char *tmp = xasprintf("%s.version-%d.part", s->path, s->version);
	int rc;

	snprintf(copy, size, "%s.version-%d", s->path, s->version);
	unlink(tmp); /* begun before and not finished */
	rc = store_copy_to(s, tmp, err);
	if (rc == 0 && rename(tmp, copy) < 0)
		rc = err_set(err, "cannot rename %s: %s", tmp, strerror(errno));
	if (rc < 0) {
		unlink(tmp);
		copy[0] = '\0';
	}
	free(tmp);
	return rc;
}

int store_migrate(struct store *s, char *copy, size_t size, struct err *err)
{
	if (s->version > 0 && keep_copy(s, copy, size, err) < 0)
		return -1;
	while (s->version < STORE_VERSION) {
		if (store_schema_step(s, s->version, err) < 0)
			return -1;
		s->version++;
	}
	return 0;
}

/* link, unlike rename, replaces nothing. */
static int copy_to_new(struct store *s, const char *file, struct err *err)
{
	char *part = xasprintf("%s.part", file);
	int rc;

	unlink(part); /* begun before and not finished */
	rc = store_copy_to(s, part, err);
	if (rc == 0 && link(part, file) < 0)
		rc = err_set(err, "cannot make %s: %s", file, strerror(errno));
	unlink(part);
	free(part);
	return rc;
}

enum store_open store_backup(const char *path, const char *file, struct err *err)
{
	enum store_open result;
	struct store *s;

	if (access(file, F_OK) == 0) {
		err_set(err, "%s exists; a backup replaces nothing", file);
		return STORE_OPEN_FAILED;
	}
	result = store_open_read(path, &s, err);
	if (result != STORE_OPEN_OK)
		return result;
	/* The copy is a statement of its own, with the snapshot of its moment. */
	if (store_exec(s, "COMMIT", err) < 0 || copy_to_new(s, file, err) < 0)
		result = STORE_OPEN_FAILED;
	store_close(s);
	return result;
}
