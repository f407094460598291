/*
 * memstat: what the kernel says of a process's and a cgroup's memory, as text.  Layer 1, pure.
 *
 * Formats: cgroup v2 memory.stat, memory.current, memory.max (Documentation/admin-guide/
 * cgroup-v2.rst); cgroup v1 memory.stat, memory.usage_in_bytes, memory.limit_in_bytes (cgroup-v1/
 * memory.rst); /proc/PID/status, /proc/PID/stat, /proc/PID/cgroup, /proc/stat (proc(5)).  Lines
 * that are not known are skipped; a number that is none, or does not fit, counts as not told.
 */
#ifndef LEAKWATCH_MEMSTAT_H
#define LEAKWATCH_MEMSTAT_H

#include "base.h"
#include "str.h"

enum memstat_version { MEMSTAT_NONE, MEMSTAT_V1, MEMSTAT_V2 };

/* Bytes; NAN where not told. */
struct memstat_cgroup {
	double anon; /* anonymous: heaps, stacks, what programs write */
	double cache; /* page cache of files, without shared memory: the kernel can drop it */
	double shmem; /* tmpfs, /dev/shm, shared anonymous maps: only swap takes it */
	double kernel; /* slab, kernel stacks, page tables, sockets */
	double current, max; /* of all; max INFINITY when there is no limit */
};

/* Bytes, but threads and fd_size; NAN where not told. */
struct memstat_process {
	double rss, anon, file, shmem;
	double threads, fd_size; /* FDSize: room in the table of descriptors */
	int uid; /* real; -1 when not told */
};

/* Nothing is known. */
void memstat_cgroup_init(struct memstat_cgroup *m);
/* The text of memory.stat.  Of v1 the hierarchical lines (total_…) count where they are. */
void memstat_cgroup_read(struct memstat_cgroup *m, struct str text, enum memstat_version version);
/* A file of one number or "max" (INFINITY); v1 has 2^63 less a page where there is no limit. */
double memstat_number(struct str text);
void memstat_status_read(struct memstat_process *p, struct str text);

/*
 * The path of /proc/PID/cgroup's text that memory is accounted to ("/system.slice/x.service"), in a
 * slice of text; which is V2 for the line "0::", V1 for the one with the controller memory.  A
 * hybrid host has both lines, and its memory is in v1: V1 wins where both are there.  Empty and
 * MEMSTAT_NONE when there is none.
 */
struct str memstat_cgroup_path(struct str text, enum memstat_version *which);
/* Start of a process in seconds since boot (field 22 of /proc/PID/stat over ticks a second), and
 * the boot in Unix seconds (btime of /proc/stat); NAN when not told. */
double memstat_started(struct str stat, double ticks);
double memstat_boot(struct str proc_stat);

/*
 * Is the directory `name` of a cgroup tree what somebody means by `wanted`?  A unit's name, with
 * or without ".service"; a container's id, at least 12 hexadecimal digits of it: the directory is
 * then that id, or ends in -ID.scope (docker-, cri-containerd-, crio-, libpod-).
 */
bool memstat_names(struct str name, struct str wanted);

#endif
