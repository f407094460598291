/*
 * census: what a process's descriptors are, counted by kind and peer.  Layer 1, pure.
 *
 * Of an HTTP leak every creator is the transport's dialConn, and what the goroutines wait on is a
 * socket: whose, only the descriptors tell.  Two censuses of one process give what grows:
 * "69 of 71 new descriptors: unix /run/docker.sock".
 *
 * census_add takes a descriptor as /proc/PID/fd shows it; sockets are looked up in what was read
 * before from the kernel's tables (census_read_tcp, census_read_unix, census_put_unix).  Sockets of
 * clients are named by the local port they came to, sockets to servers by the server's address;
 * files by their directory, so that a thousand names are one line.
 *
 * Bounded: CENSUS_SOCKETS sockets of the tables, CENSUS_KEYS different names, the rest is "other".
 * Formats: proc(5), proc_pid_net(5), sock_diag(7).
 */
#ifndef LEAKWATCH_CENSUS_H
#define LEAKWATCH_CENSUS_H

#include "base.h"
#include "buf.h"

#define CENSUS_KEYS    512
#define CENSUS_SOCKETS 131072
#define CENSUS_NAME    200 /* bytes of a name */

struct census;

struct census *census_new(void);
void census_free(struct census *c);

/* /proc/PID/net/tcp, tcp6, udp, udp6; kind is "tcp" or "udp".  Lines that are none are skipped. */
void census_read_inet(struct census *c, const char *kind, struct str text);
/* /proc/PID/net/unix: names of sockets that have one. */
void census_read_unix(struct census *c, struct str text);
/* One socket as sock_diag tells it: its own name, or "", and its peer's inode, or 0. */
void census_put_unix(struct census *c, uint64_t inode, struct str name, uint64_t peer);
/* Where a descriptor's link leads: "socket:[123]", "pipe:[1]", "anon_inode:[eventpoll]", a path. */
void census_add(struct census *c, struct str link);
/* Descriptors that could not be looked at, because there are too many. */
void census_skip(struct census *c, uint64_t n);
/* Everything is added: the tables of sockets are let go, counts stay. */
void census_close(struct census *c);

uint64_t census_total(const struct census *c);
/* How many are called that. */
uint64_t census_count(const struct census *c, struct str name);

struct census_growth {
	struct str name; /* valid as long as the newer census */
	uint64_t was, is;
};
/* What grew the most, the most first; at most max.  Returns how many. */
size_t census_compare(const struct census *before, const struct census *after,
	struct census_growth *out, size_t max);
/*
 * Appends "69 of 71 new descriptors: unix /run/docker.sock", and the second where it has a fifth of
 * them; nothing when there are fewer than CENSUS_NEW new ones, or no name has a third of them.
 */
#define CENSUS_NEW 5
void census_words(const struct census *before, const struct census *after, struct buf *out);

#endif
