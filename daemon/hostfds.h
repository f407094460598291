/*
 * hostfds: takes the census of a process's descriptors on this host (census.h).  Level 3.
 *
 * Reads /proc/PID/fd and the kernel's tables of sockets with blocking calls: for a worker's thread.
 * At most HOSTFDS_MAX descriptors are looked at, HOSTFDS_TABLE bytes of each table read; what is
 * left out is counted as "not looked at".
 *
 * Whose the other end of a unix socket is stands in no file of /proc: sock_diag(7) tells it
 * (UDIAG_SHOW_PEER), for sockets of our own network namespace.  Of a process in another one (a
 * container), only sockets that have a name themselves are named.
 *
 * /proc/PID/fd of another user's process needs CAP_SYS_PTRACE.
 */
#ifndef LEAKWATCH_HOSTFDS_H
#define LEAKWATCH_HOSTFDS_H

#include "census.h"
#include "err.h"

#define HOSTFDS_MAX   65536
#define HOSTFDS_TABLE ((size_t)16 * 1024 * 1024)

/* root is before /proc, "" but in tests.  NULL with err: what is missing, and which right gives it.
 */
struct census *hostfds_census(const char *root, int pid, struct err *err);

#endif
