/*
 * hostmem: finds a target's process and cgroup on this host and reads what the kernel says of their
 * memory.  Level 3.
 *
 * A place is a process id, the name of a unit, the id of a container, or a path below the cgroup
 * file system.  The kernel's files are read with plain blocking calls: quick as a rule, but a host
 * in trouble may hold them up, so call this from a worker's thread.  Nothing is kept between calls
 * but what the caller hands back in (struct hostmem_found), so that the tree is not searched each
 * time.
 *
 * cgroup v1 and hybrid hosts are recognised: memory is read from wherever the controller is, and
 * what kind it is stands in the answer.
 */
#ifndef LEAKWATCH_HOSTMEM_H
#define LEAKWATCH_HOSTMEM_H

#include "err.h"
#include "memstat.h"

#define HOSTMEM_PATH 512 /* of a cgroup, below the cgroup file system */

struct hostmem_place {
	const char *root; /* before /proc and /sys; "" but in tests */
	char cgroup[HOSTMEM_PATH]; /* unit, container, or path; "" = none named */
	int pid; /* 0 = none named */
	/* When the process started, Unix seconds, as its metrics say: a process that started at
	 * another time is not it.  NAN: not known. */
	double started;
};

/* Where it was found; all zero at first. */
struct hostmem_found {
	enum memstat_version version;
	char cgroup[HOSTMEM_PATH]; /* path below the hierarchy's mount, "" = none */
	int pid;
};

struct hostmem {
	bool has_cgroup, has_process;
	struct memstat_cgroup cgroup;
	struct memstat_process process;
	bool hybrid; /* cgroup v2 is mounted too, but memory is accounted in v1 */
	/* What should be known of the reading, one sentence; "" when all is there. */
	char why[ERR_MAX];
};

/* Both may be missing: then why says so. */
void hostmem_read(
	const struct hostmem_place *place, struct hostmem_found *found, struct hostmem *out);

#endif
