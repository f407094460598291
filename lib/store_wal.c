#include "store_wal.h"
#include "store_internal.h"
#include "store_space.h"
#include "xalloc.h"

#include <stdlib.h>
#include <sys/stat.h>

int64_t store_wal_bytes(const struct store *s)
{
	char *path = xasprintf("%s-wal", s->path);
	struct stat sb;
	int64_t n = stat(path, &sb) == 0 ? (int64_t)sb.st_size : 0;

	free(path);
	return n;
}

void store_cut_wal(struct store *s)
{
	int pages = -1, moved = -1;

	sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, &pages, &moved);
	if (pages < 0 || moved < 0)
		return; /* it did not get as far as looking */
	s->wal_frames = pages;
	s->wal_moved = moved;
	s->wal_moved_log = s->wal_log;
}

/* ---- apart --------------------------------------------------------------------- */

/* After each commit that wrote something.  That there is a hook turns off SQLite's own. */
static int committed_cb(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct store *s = arg;

	(void)db, (void)name;
	if (pages <= s->wal_frames)
		s->wal_log++;
	s->wal_frames = pages;
	return SQLITE_OK;
}

int store_wal_apart(struct store *s, int pages, struct err *err)
{
	int on = 1;

	if (!sqlite3_threadsafe())
		return err_set(err, "this SQLite was built for one thread");
	if (store_connect(s->path, SQLITE_OPEN_READWRITE, 0, &s->side, err) < 0)
		goto failed;
	/* A connection knows of the log once it has read; the last one to close it moves it. */
	if (sqlite3_exec(s->side, "SELECT count(*) FROM sqlite_schema", NULL, NULL, NULL) !=
		SQLITE_OK) {
		err_set(err, "%s: cannot read it: %s", s->path, sqlite3_errmsg(s->side));
		goto failed;
	}
	sqlite3_file_control(s->side, "main", SQLITE_FCNTL_PERSIST_WAL, &on);
	sqlite3_db_config(s->side, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	if (store_place(s) != STORE_IN_PLACE) {
		err_set(err, "%s: it is not the file that was opened", s->path);
		goto failed;
	}
	s->wal_pages = pages ? pages : STORE_WAL_PAGES;
	s->wal_frames = s->wal_moved = s->wal_log = s->wal_moved_log =
		0; /* nothing is known before the first commit */
	sqlite3_wal_hook(s->db, committed_cb, s);
	return 0;
failed:
	store_wal_close(s);
	return -1;
}

void store_wal_close(struct store *s)
{
	sqlite3_close(s->side);
	s->side = NULL;
}

bool store_wal_due(struct store *s)
{
	int left = s->wal_frames - (s->wal_moved_log == s->wal_log ? s->wal_moved : 0);

	s->wal_due_log = s->wal_log;
	return s->side && left > 0 && (left >= s->wal_pages || s->wal_frames >= 2 * s->wal_pages);
}

int store_wal_move(struct store *s, struct err *err)
{
	int pages = -1, moved = -1;
	int rc =
		sqlite3_wal_checkpoint_v2(s->side, NULL, SQLITE_CHECKPOINT_PASSIVE, &pages, &moved);

	if (rc == SQLITE_OK && moved >= 0) {
		s->wal_moved = moved;
		s->wal_moved_log = s->wal_due_log;
	}
	/* Busy: a shell that may write is at it too. */
	if (rc == SQLITE_OK || rc == SQLITE_INTERRUPT || (rc & 0xff) == SQLITE_BUSY)
		return 0;
	return err_set(err, "%s: cannot move the write-ahead log into the file: %s", s->path,
		sqlite3_errmsg(s->side));
}

int store_wal_logs(const struct store *s)
{
	return s->wal_log;
}

void store_wal_interrupt(struct store *s)
{
	sqlite3_interrupt(s->side);
}
