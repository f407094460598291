#include "hostfds.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#define DIAG_WAIT_S 2 /* for an answer of the kernel */
#define DIAG_BYTES  32768 /* of one datagram of the kernel */

/* ---- files of /proc -------------------------------------------------------------------------- */

static void read_table(const char *root, int pid, const char *name, struct buf *out)
{
	char path[512];
	ssize_t n = 1;
	int fd;

	buf_reset(out);
	snprintf(path, sizeof(path), "%s/proc/%d/net/%s", root, pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* without IPv6, for one */
	while (n > 0 && out->len < HOSTFDS_TABLE) {
		buf_reserve(out, 65536);
		n = read(fd, out->p + out->len, 65536);
		if (n > 0)
			out->len += (size_t)n;
	}
	close(fd);
}

static void read_tables(struct census *c, const char *root, int pid)
{
	static const struct {
		const char *file, *kind;
	} inet[] = {{"tcp", "tcp"}, {"tcp6", "tcp"}, {"udp", "udp"}, {"udp6", "udp"}};
	struct buf text = BUF_INIT;

	for (size_t i = 0; i < ARRAY_LEN(inet); i++) {
		read_table(root, pid, inet[i].file, &text);
		census_read_inet(c, inet[i].kind, buf_str(&text));
	}
	read_table(root, pid, "unix", &text);
	census_read_unix(c, buf_str(&text));
	buf_release(&text);
}

/* ---- peers of unix sockets ------------------------------------------------------------------- */

static bool same_network(const char *root, int pid)
{
	struct stat own, its;
	char path[512];

	snprintf(path, sizeof(path), "%s/proc/%d/ns/net", root, pid);
	return root[0] == '\0' && stat(path, &its) == 0 && stat("/proc/self/ns/net", &own) == 0 &&
	       own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}

static bool ask_diag(int fd)
{
	struct {
		struct nlmsghdr head;
		struct unix_diag_req ask;
	} m = {
		.head = {.nlmsg_len = sizeof(m),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.ask = {.sdiag_family = AF_UNIX,
			.udiag_states = ~0u,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER},
	};

	return send(fd, &m, sizeof(m), 0) == (ssize_t)sizeof(m);
}

/* A name of the kernel's has a NUL at its end, or one at its beginning: abstract, shown as "@". */
static struct str name_of(const struct rtattr *a, char *buf, size_t size)
{
	size_t n = MIN((size_t)RTA_PAYLOAD(a), size - 1);

	memcpy(buf, RTA_DATA(a), n);
	while (n > 0 && buf[n - 1] == '\0')
		n--;
	for (size_t i = 0; i < n; i++) {
		if (buf[i] == '\0')
			buf[i] = '@';
	}
	return str_n(buf, n);
}

static void take_socket(struct census *c, struct nlmsghdr *h)
{
	const struct unix_diag_msg *m = NLMSG_DATA(h);
	int left = (int)h->nlmsg_len - (int)NLMSG_LENGTH(sizeof(*m));
	struct rtattr *a =
		(struct rtattr *)(void *)((char *)NLMSG_DATA(h) + NLMSG_ALIGN(sizeof(*m)));
	struct str name = {0};
	char text[256];
	uint32_t peer = 0;

	for (; RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		if (a->rta_type == UNIX_DIAG_NAME)
			name = name_of(a, text, sizeof(text));
		else if (a->rta_type == UNIX_DIAG_PEER && RTA_PAYLOAD(a) >= sizeof(peer))
			memcpy(&peer, RTA_DATA(a), sizeof(peer));
	}
	census_put_unix(c, m->udiag_ino, name, peer);
}

/* False at the end, or when it is an error. */
static bool take_answer(struct census *c, void *buf, ssize_t n)
{
	int left = (int)n;

	for (struct nlmsghdr *h = buf; NLMSG_OK(h, (unsigned)left); h = NLMSG_NEXT(h, left)) {
		if (h->nlmsg_type != SOCK_DIAG_BY_FAMILY)
			return false; /* NLMSG_DONE, NLMSG_ERROR */
		if (h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
			take_socket(c, h);
	}
	return true;
}

/* Without sock_diag (an old kernel, a filter) names of /proc/PID/net/unix are all there is. */
static void read_peers(struct census *c)
{
	struct timeval wait = {.tv_sec = DIAG_WAIT_S};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	void *buf = malloc(DIAG_BYTES);
	ssize_t n;

	if (fd >= 0 && buf && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
		ask_diag(fd)) {
		while ((n = recv(fd, buf, DIAG_BYTES, 0)) > 0 && take_answer(c, buf, n))
			;
	}
	free(buf);
	if (fd >= 0)
		close(fd);
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static int refuse(int pid, struct err *err)
{
	if (errno == EACCES || errno == EPERM)
		return err_set(err,
			"/proc/%d/fd may not be read: CAP_SYS_PTRACE is needed for another user's "
			"process (under systemd, the drop-in census.conf gives it)",
			pid);
	return err_set(err, "/proc/%d/fd: %s", pid, strerror(errno));
}

static int add_all(struct census *c, const char *root, int pid, struct err *err)
{
	char path[512], link[1024];
	uint64_t seen = 0;
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "%s/proc/%d/fd", root, pid);
	d = opendir(path);
	if (!d)
		return refuse(pid, err);
	while ((e = readdir(d))) {
		ssize_t n;

		if (e->d_name[0] == '.')
			continue;
		if (++seen > HOSTFDS_MAX)
			continue;
		n = readlinkat(dirfd(d), e->d_name, link, sizeof(link));
		if (n > 0)
			census_add(c, str_n(link, (size_t)n));
	}
	closedir(d);
	if (seen > HOSTFDS_MAX)
		census_skip(c, seen - HOSTFDS_MAX);
	if (seen && census_total(c) == 0) {
		errno = EACCES; /* names may be listed where links may not be read */
		return refuse(pid, err);
	}
	return 0;
}

struct census *hostfds_census(const char *root, int pid, struct err *err)
{
	struct census *c = census_new();

	/* The tables first: a descriptor opened in between has no socket there, and is rare. */
	read_tables(c, root, pid);
	if (same_network(root, pid))
		read_peers(c);
	if (add_all(c, root, pid, err)) {
		census_free(c);
		return NULL;
	}
	census_close(c);
	return c;
}
