/* Opening, locking and closing; the words over SQLite that the other files use. */
#include "store_internal.h"
#include "store_read.h"
#include "store_wal.h"
#include "xalloc.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHECK_WHOLE_BYTES (256 * 1024 * 1024) /* files up to this size are checked whole */
#define WRITER_BUSY_MS	  1000 /* somebody's sqlite3 shell holds the write lock */
#define READER_BUSY_MS	  5000

/* ---- words over SQLite ----------------------------------------------------- */

/* Failures of the disk or of others who hold the file: the same again may succeed later. */
static bool is_transient(int rc)
{
	switch (rc & 0xff) {
	case SQLITE_FULL:
	case SQLITE_IOERR:
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
	case SQLITE_PROTOCOL:
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
	case SQLITE_NOMEM:
		return true;
	default:
		return false;
	}
}

int store_fail(struct store *s, struct err *err, const char *text)
{
	int rc = sqlite3_errcode(s->db);

	s->retry = is_transient(rc);
	s->full = (rc & 0xff) == SQLITE_FULL;
	s->damaged = (rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB;
	return err_set(err, "%s: %s: %s", s->path, text, sqlite3_errmsg(s->db));
}

int store_exec(struct store *s, const char *sql, struct err *err)
{
	if (sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	return store_fail(s, err, sql);
}

int store_prepare(struct store *s, const char *sql, sqlite3_stmt **out, struct err *err)
{
	if (sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, out, NULL) == SQLITE_OK)
		return 0;
	return store_fail(s, err, "cannot prepare a statement");
}

int store_step(struct store *s, sqlite3_stmt *st, struct err *err)
{
	int rc = sqlite3_step(st);

	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	return store_fail(s, err, "cannot read or write");
}

int store_query_int(
	struct store *s, const char *sql, int64_t fallback, int64_t *out, struct err *err)
{
	sqlite3_stmt *st = NULL;
	int rc = store_prepare(s, sql, &st, err);

	if (rc == 0)
		rc = store_step(s, st, err);
	if (rc >= 0)
		*out = rc == 1 && sqlite3_column_type(st, 0) != SQLITE_NULL
			       ? sqlite3_column_int64(st, 0)
			       : fallback;
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

void store_bind_str(sqlite3_stmt *st, int i, struct str v)
{
	sqlite3_bind_text64(st, i, v.len ? v.p : "", v.len, SQLITE_STATIC, SQLITE_UTF8);
}

void store_bind_time(sqlite3_stmt *st, int i, int64_t ms)
{
	if (ms)
		sqlite3_bind_int64(st, i, ms);
	else
		sqlite3_bind_null(st, i);
}

void store_bind_double(sqlite3_stmt *st, int i, double v)
{
	if (isfinite(v))
		sqlite3_bind_double(st, i, v);
	else
		sqlite3_bind_null(st, i);
}

struct str store_column_str(sqlite3_stmt *st, int i)
{
	const void *p = sqlite3_column_blob(st, i);

	return str_n(p ? p : "", p ? (size_t)sqlite3_column_bytes(st, i) : 0);
}

double store_column_double(sqlite3_stmt *st, int i)
{
	return sqlite3_column_type(st, i) == SQLITE_NULL ? NAN : sqlite3_column_double(st, i);
}

/* ---- one daemon a file ----------------------------------------------------- */

static bool read_pid(int fd, char *out, size_t size)
{
	ssize_t n = pread(fd, out, size - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	out[strspn(out, "0123456789")] = '\0';
	return out[0] != '\0';
}

/*
 * Takes FILE.lock.  An open-file-description lock on a file of its own: closing another descriptor
 * of the same file does not drop it, as it would with the locks that SQLite keeps in the database.
 */
static enum store_open take_lock(struct store *s, struct err *err)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *path = xasprintf("%s.lock", s->path), pid[24];
	enum store_open result = STORE_OPEN_FAILED;
	int n;

	s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (s->lock_fd < 0) {
		err_set(err, "cannot open %s: %s", path, strerror(errno));
		goto out;
	}
	if (fcntl(s->lock_fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES) {
			err_set(err, "cannot lock %s: %s", path, strerror(errno));
			goto out;
		}
		result = STORE_OPEN_HELD;
		if (read_pid(s->lock_fd, pid, sizeof(pid)))
			err_set(err, "%s is held by another daemon (pid %s)", s->path, pid);
		else
			err_set(err, "%s is held by another daemon", s->path);
		goto out;
	}
	n = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
	if (ftruncate(s->lock_fd, 0) < 0 || pwrite(s->lock_fd, pid, (size_t)n, 0) != n) {
		/* A full disk: the lock holds without the number in it. */
	}
	result = STORE_OPEN_OK;
out:
	free(path);
	return result;
}

bool store_is_held(const char *path, int64_t *pid)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	char *lock_path = xasprintf("%s.lock", path), text[24];
	int fd = open(lock_path, O_RDONLY | O_CLOEXEC);
	uint64_t n = 0;
	bool held;

	free(lock_path);
	*pid = 0;
	if (fd < 0)
		return false;
	held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	if (held && read_pid(fd, text, sizeof(text)) && str_u64(str_of(text), &n))
		*pid = (int64_t)n;
	close(fd);
	return held;
}

/* ---- opening --------------------------------------------------------------- */

static struct store *new_store(const char *path)
{
	struct store *s = xcalloc(1, sizeof(*s));

	for (int i = 0; i < STORE_SWEEPS; i++)
		s->sweep_key[i] = STORE_KEY_MIN;
	s->path = xstrdup(path);
	s->lock_fd = -1;
	return s;
}

static void close_db(struct store *s)
{
	store_wal_close(s);
	for (int i = 0; i < OP_KINDS; i++) {
		sqlite3_finalize(s->ops[i]);
		s->ops[i] = NULL;
	}
	sqlite3_finalize(s->delivery_state);
	s->delivery_state = NULL;
	sqlite3_finalize(s->exhibit_limit);
	s->exhibit_limit = NULL;
	sqlite3_close(s->db);
	s->db = NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	close_db(s);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	free(s->path);
	free(s);
}

int store_connect(const char *path, int flags, int busy_ms, sqlite3 **db, struct err *err)
{
	int rc = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (!*db)
		return err_set(err, "cannot open %s: %s", path, sqlite3_errstr(rc));
	sqlite3_extended_result_codes(*db, 1);
	if (rc != SQLITE_OK)
		return err_set(err, "cannot open %s: %s%s%s", path, sqlite3_errmsg(*db),
			sqlite3_system_errno(*db) ? ": " : "",
			sqlite3_system_errno(*db) ? strerror(sqlite3_system_errno(*db)) : "");
	sqlite3_busy_timeout(*db, busy_ms);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	return 0;
}

static int open_db(struct store *s, int flags, int busy_ms, struct err *err)
{
	return store_connect(s->path, flags, busy_ms, &s->db, err);
}

/* What is in the file: 0 a store of this version or nothing at all (*empty), else the reason. */
static enum store_open check_identity(struct store *s, bool *empty, struct err *err)
{
	int64_t id, version, tables;

	if (store_query_int(s, "PRAGMA application_id", 0, &id, err) < 0 ||
		store_query_int(s, "PRAGMA user_version", 0, &version, err) < 0 ||
		store_query_int(s, "SELECT count(*) FROM sqlite_schema", 0, &tables, err) < 0)
		return STORE_OPEN_FAILED;
	*empty = tables == 0 && id == 0 && version == 0;
	s->version = *empty ? 0 : (int)version;
	if (*empty)
		return STORE_OPEN_OK;
	if (id != STORE_APPLICATION_ID) {
		err_set(err, "%s is the database of another program", s->path);
		return STORE_OPEN_NEWER;
	}
	if (version > STORE_VERSION) {
		err_set(err,
			"%s was written by a newer leakwatch (store version %" PRId64
			", this one knows %d)",
			s->path, version, STORE_VERSION);
		return STORE_OPEN_NEWER;
	}
	return STORE_OPEN_OK;
}

static bool is_corrupt(const struct store *s)
{
	int rc = s->db ? sqlite3_errcode(s->db) & 0xff : SQLITE_OK;

	return rc == SQLITE_CORRUPT || rc == SQLITE_NOTADB;
}

static int check_whole(struct store *s, bool *corrupt, struct err *err)
{
	sqlite3_stmt *st = NULL;
	struct stat sb;
	int rc;

	if (stat(s->path, &sb) < 0 || sb.st_size > CHECK_WHOLE_BYTES)
		return 0;
	rc = store_prepare(s, "PRAGMA quick_check(1)", &st, err);
	if (rc == 0)
		rc = store_step(s, st, err);
	if (rc == 1 && !str_is(store_column_str(st, 0), "ok")) {
		*corrupt = true;
		err_set(err, "%.*s", STR_ARG(store_column_str(st, 0)));
		rc = -1;
	}
	sqlite3_finalize(st);
	return rc < 0 ? -1 : 0;
}

static int set_pragmas(struct store *s, struct err *err)
{
	int on = 1;

	/* auto_vacuum counts only before the first table is made. */
	if (store_exec(s, "PRAGMA auto_vacuum = INCREMENTAL", err) < 0 ||
		store_exec(s, "PRAGMA journal_mode = WAL", err) < 0 ||
		store_exec(s, "PRAGMA synchronous = FULL", err) < 0 ||
		store_exec(s, "PRAGMA foreign_keys = ON", err) < 0 ||
		store_exec(s, "PRAGMA temp_store = MEMORY", err) < 0 ||
		store_exec(s, "PRAGMA wal_autocheckpoint = 1024", err) < 0 ||
		store_exec(s, "PRAGMA journal_size_limit = 16777216", err) < 0)
		return -1;
	s->full_sync = true;
	sqlite3_file_control(s->db, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	return 0;
}

/* Opens the file as it is.  *corrupt: it is damaged, err says how. */
static enum store_open try_open(
	struct store *s, struct store_opened *opened, bool *corrupt, struct err *err)
{
	bool *created = &opened->created;
	enum store_open result;

	*corrupt = *created = false;
	if (open_db(s, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, WRITER_BUSY_MS, err) < 0)
		return STORE_OPEN_FAILED;
	result = check_identity(s, created, err);
	if (result == STORE_OPEN_OK && set_pragmas(s, err) < 0)
		result = STORE_OPEN_FAILED;
	if (result == STORE_OPEN_OK && !*created && check_whole(s, corrupt, err) < 0)
		result = STORE_OPEN_FAILED;
	if (result == STORE_OPEN_OK && s->version < STORE_VERSION &&
		store_migrate(s, opened->copied, sizeof(opened->copied), err) < 0)
		result = STORE_OPEN_FAILED;
	if (result == STORE_OPEN_OK && *created) /* so that the file itself says whose it is */
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	if (result == STORE_OPEN_FAILED && is_corrupt(s))
		*corrupt = true;
	return result;
}

/*
 * What stands at the path before anything is touched.  Neither a lock file nor a new name may
 * happen to somebody else's file because a path was mistyped: ours has SQLite's first bytes, and
 * our application id (at byte 68) or, as long as that is only in the WAL, none; or a lock file
 * beside it, which only a store gets.
 */
static bool may_be_ours(const char *path)
{
	char *lock_path = xasprintf("%s.lock", path);
	bool had_lock = access(lock_path, F_OK) == 0;
	unsigned char head[72] = {0};
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, head, sizeof(head));
	uint32_t id = (uint32_t)head[68] << 24 | (uint32_t)head[69] << 16 |
		      (uint32_t)head[70] << 8 | head[71];

	if (fd >= 0)
		close(fd);
	free(lock_path);
	if (had_lock || n <= 0)
		return true;
	return memcmp(head, "SQLite format 3", 16) == 0 && (id == 0 || id == STORE_APPLICATION_ID);
}

static int set_aside(struct store *s, int64_t now_ms, struct store_opened *opened, struct err *err)
{
	static const char *const suffixes[] = {"-wal", "-shm", ""}; /* the file itself last */
	time_t now = (time_t)(now_ms / 1000);
	char stamp[32], *from, *to;
	struct tm tm;
	int rc = 0;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	snprintf(opened->set_aside, sizeof(opened->set_aside), "%s.corrupt-%s", s->path, stamp);
	for (int i = 1; access(opened->set_aside, F_OK) == 0 && i < 1000; i++)
		snprintf(opened->set_aside, sizeof(opened->set_aside), "%s.corrupt-%s.%d", s->path,
			stamp, i);
	for (size_t i = 0; rc == 0 && i < ARRAY_LEN(suffixes); i++) {
		from = xasprintf("%s%s", s->path, suffixes[i]);
		to = xasprintf("%s%s", opened->set_aside, suffixes[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			rc = err_set(err, "cannot set %s aside: %s", from, strerror(errno));
		free(from);
		free(to);
	}
	return rc;
}

static enum store_open open_or_set_aside(
	struct store *s, int64_t now_ms, struct store_opened *opened, struct err *err)
{
	enum store_open result;
	bool corrupt;

	result = try_open(s, opened, &corrupt, err);
	if (!corrupt)
		return result;
	/* The last connection to close would checkpoint: who looks into the damage wants it as it
	 * was. */
	if (s->db)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_db(s);
	snprintf(opened->corrupt_why, sizeof(opened->corrupt_why), "%s", err ? err->msg : "");
	if (set_aside(s, now_ms, opened, err) < 0)
		return STORE_OPEN_FAILED;
	return try_open(s, opened, &corrupt, err);
}

static void remember_place(struct store *s)
{
	struct stat sb;

	if (stat(s->path, &sb) < 0)
		return; /* it is gone already: store_place says so */
	s->dev = sb.st_dev;
	s->ino = sb.st_ino;
}

int store_reopen(struct store *s, struct err *err)
{
	char *lock_path = xasprintf("%s.lock", s->path);
	bool apart = s->side != NULL;
	struct err ignored;
	int old = s->lock_fd;

	/* What is in the old log is in the new file. */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	close_db(s);
	if (access(lock_path, F_OK) < 0) {
		if (take_lock(s, &ignored) == STORE_OPEN_OK) {
			close(old);
		} else {
			if (s->lock_fd >= 0)
				close(s->lock_fd);
			s->lock_fd = old;
		}
	}
	free(lock_path);
	if (open_db(s, SQLITE_OPEN_READWRITE, WRITER_BUSY_MS, err) < 0 || set_pragmas(s, err) < 0)
		return -1;
	remember_place(s);
	if (apart)
		store_wal_apart(s, s->wal_pages, &ignored); /* else it is moved within commits */
	return 0;
}

enum store_open store_open(const char *path, int64_t now_ms, struct store **out,
	struct store_opened *opened, struct err *err)
{
	struct store *s = new_store(path);
	struct err own = ERR_INIT;
	enum store_open result;

	memset(opened, 0, sizeof(*opened));
	*out = NULL;
	if (may_be_ours(path)) {
		result = take_lock(s, &own);
		if (result == STORE_OPEN_OK)
			result = open_or_set_aside(s, now_ms, opened, &own);
	} else {
		err_set(&own, "%s is not a leakwatch store", path);
		result = STORE_OPEN_NEWER;
	}
	if (result != STORE_OPEN_OK) {
		if (err)
			*err = own;
		store_close(s);
		return result;
	}
	remember_place(s);
	*out = s;
	return STORE_OPEN_OK;
}

enum store_open store_open_read(const char *path, struct store **out, struct err *err)
{
	struct store *s = new_store(path);
	enum store_open result = STORE_OPEN_FAILED;
	bool empty = false;

	*out = NULL;
	if (open_db(s, SQLITE_OPEN_READONLY, READER_BUSY_MS, err) == 0 &&
		store_exec(s, "BEGIN", err) == 0)
		result = check_identity(s, &empty, err);
	if (result == STORE_OPEN_OK && empty) {
		err_set(err, "%s is empty: no daemon has written to it yet", path);
		result = STORE_OPEN_FAILED;
	}
	if (result == STORE_OPEN_FAILED && is_corrupt(s)) {
		err_set(err, "%s is not a leakwatch store, or it is damaged", path);
		result = STORE_OPEN_NEWER;
	}
	if (result != STORE_OPEN_OK) {
		store_close(s);
		return result;
	}
	*out = s;
	return STORE_OPEN_OK;
}

void store_set_enough(struct store *s, bool (*enough)(void *arg), void *arg)
{
	s->enough = enough;
	s->enough_arg = arg;
}

bool store_should_retry(const struct store *s)
{
	return s->retry;
}
