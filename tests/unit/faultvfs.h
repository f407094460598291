/*
 * faultvfs: a disk that fails on command, for tests of the store and the writer.
 *
 * An SQLite VFS over the default one.  fault_install makes it the default for all connections
 * opened after; the knobs below work at once and from any thread.
 */
#ifndef FAULTVFS_H
#define FAULTVFS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct {
	atomic_int write_error; /* SQLITE_FULL, …: what every write answers; 0 = works */
	atomic_int sync_error;
	atomic_int truncate_error;
	atomic_int fail_after; /* writes that still work before write_error */
	atomic_int stall_ms; /* every sync takes that long */
	atomic_int reads, writes, syncs;
	/* NULL, or one for each of so many pages of the database: or-ed with mark when it is read.
	 */
	atomic_uchar *seen;
	int nseen;
	atomic_uchar mark;
} fault;

struct fault_file {
	sqlite3_file base;
	sqlite3_file *real;
	int is_database;
};

static sqlite3_vfs fault_vfs;
static sqlite3_vfs *fault_real;

static sqlite3_file *real_of(sqlite3_file *f)
{
	return ((struct fault_file *)f)->real;
}

static int fault_close(sqlite3_file *f)
{
	return real_of(f)->pMethods->xClose(real_of(f));
}

static int fault_read(sqlite3_file *f, void *p, int n, sqlite3_int64 at)
{
	atomic_fetch_add(&fault.reads, 1);
	if (fault.seen && ((struct fault_file *)f)->is_database && at / 4096 < fault.nseen)
		atomic_fetch_or(&fault.seen[at / 4096], fault.mark);
	return real_of(f)->pMethods->xRead(real_of(f), p, n, at);
}

static int fault_write(sqlite3_file *f, const void *p, int n, sqlite3_int64 at)
{
	int left;

	atomic_fetch_add(&fault.writes, 1);
	if (fault.write_error) {
		left = fault.fail_after;
		while (left > 0 &&
			!atomic_compare_exchange_weak(&fault.fail_after, &left, left - 1))
			;
		if (left == 0)
			return fault.write_error;
	}
	return real_of(f)->pMethods->xWrite(real_of(f), p, n, at);
}

static int fault_truncate(sqlite3_file *f, sqlite3_int64 n)
{
	if (fault.truncate_error)
		return fault.truncate_error;
	return real_of(f)->pMethods->xTruncate(real_of(f), n);
}

static int fault_sync(sqlite3_file *f, int flags)
{
	struct timespec ts = {.tv_sec = fault.stall_ms / 1000,
		.tv_nsec = (long)(fault.stall_ms % 1000) * 1000000};

	atomic_fetch_add(&fault.syncs, 1);
	if (fault.stall_ms)
		nanosleep(&ts, NULL);
	if (fault.sync_error)
		return fault.sync_error;
	return real_of(f)->pMethods->xSync(real_of(f), flags);
}

static int fault_file_size(sqlite3_file *f, sqlite3_int64 *n)
{
	return real_of(f)->pMethods->xFileSize(real_of(f), n);
}

static int fault_lock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xLock(real_of(f), level);
}

static int fault_unlock(sqlite3_file *f, int level)
{
	return real_of(f)->pMethods->xUnlock(real_of(f), level);
}

static int fault_check_lock(sqlite3_file *f, int *out)
{
	return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
}

static int fault_control(sqlite3_file *f, int op, void *arg)
{
	return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
}

static int fault_sector(sqlite3_file *f)
{
	return real_of(f)->pMethods->xSectorSize(real_of(f));
}

static int fault_device(sqlite3_file *f)
{
	return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
}

static int fault_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **p)
{
	return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, p);
}

static int fault_shm_lock(sqlite3_file *f, int offset, int n, int flags)
{
	return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
}

static void fault_shm_barrier(sqlite3_file *f)
{
	real_of(f)->pMethods->xShmBarrier(real_of(f));
}

static int fault_shm_unmap(sqlite3_file *f, int remove)
{
	return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
}

static const sqlite3_io_methods fault_methods = {
	.iVersion = 2,
	.xClose = fault_close,
	.xRead = fault_read,
	.xWrite = fault_write,
	.xTruncate = fault_truncate,
	.xSync = fault_sync,
	.xFileSize = fault_file_size,
	.xLock = fault_lock,
	.xUnlock = fault_unlock,
	.xCheckReservedLock = fault_check_lock,
	.xFileControl = fault_control,
	.xSectorSize = fault_sector,
	.xDeviceCharacteristics = fault_device,
	.xShmMap = fault_shm_map,
	.xShmLock = fault_shm_lock,
	.xShmBarrier = fault_shm_barrier,
	.xShmUnmap = fault_shm_unmap,
};

static int fault_open(
	sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *f, int flags, int *out_flags)
{
	struct fault_file *file = (struct fault_file *)f;
	int rc;

	(void)vfs;
	file->real = (sqlite3_file *)(file + 1);
	file->real->pMethods = NULL;
	file->is_database = (flags & SQLITE_OPEN_MAIN_DB) != 0;
	rc = fault_real->xOpen(fault_real, name, file->real, flags, out_flags);
	f->pMethods = rc == SQLITE_OK ? &fault_methods : NULL;
	return rc;
}

static void fault_install(void)
{
	if (!fault_real) {
		fault_real = sqlite3_vfs_find(NULL);
		fault_vfs = *fault_real;
		fault_vfs.zName = "fault";
		fault_vfs.pNext = NULL;
		fault_vfs.szOsFile = (int)sizeof(struct fault_file) + fault_real->szOsFile;
		fault_vfs.xOpen = fault_open;
		sqlite3_vfs_register(&fault_vfs, 1);
	}
	fault.write_error = fault.sync_error = fault.stall_ms = 0;
	fault.fail_after = fault.truncate_error = 0;
}

#endif
