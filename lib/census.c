#include "census.h"
#include "arena.h"
#include "map.h"
#include "safe.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTEN "0A" /* state of a TCP socket */
#define OTHER  "other"

/* A socket of the tables. */
struct socket {
	const char *kind; /* "tcp", "udp", "unix" */
	struct str name; /* unix: its own, or ""; inet: its peer */
	uint64_t peer; /* unix: inode */
	unsigned port; /* inet: local */
	bool listening;
};

struct entry {
	char *name;
	uint64_t count;
};

struct census {
	struct arena arena; /* of the tables; none after census_close */
	struct map *sockets; /* inode -> socket */
	struct map *listening; /* local ports -> anything */
	struct map *by_name; /* name -> entry */
	struct entry *entries;
	size_t n;
	uint64_t total;
};

struct census *census_new(void)
{
	struct census *c = xcalloc(1, sizeof(*c));

	c->arena = (struct arena)ARENA_INIT;
	c->sockets = map_new();
	c->listening = map_new();
	c->by_name = map_new();
	c->entries = xcalloc(CENSUS_KEYS + 1, sizeof(*c->entries));
	return c;
}

void census_close(struct census *c)
{
	map_free(c->sockets, NULL);
	map_free(c->listening, NULL);
	c->sockets = c->listening = NULL;
	arena_release(&c->arena);
	c->arena = (struct arena)ARENA_INIT;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	census_close(c);
	map_free(c->by_name, NULL);
	for (size_t i = 0; i < c->n; i++)
		free(c->entries[i].name);
	free(c->entries);
	free(c);
}

/* ---- the tables ------------------------------------------------------------------------------ */

static struct str key_of(const uint64_t *v)
{
	return str_n((const char *)v, sizeof(*v));
}

static struct socket *put_socket(struct census *c, uint64_t inode, const char *kind)
{
	struct socket *s = map_get(c->sockets, key_of(&inode));

	if (s || inode == 0 || map_count(c->sockets) >= CENSUS_SOCKETS)
		return s;
	s = arena_calloc(&c->arena, 1, sizeof(*s));
	s->kind = kind;
	map_put(c->sockets, key_of(&inode), s);
	return s;
}

/* The next word of a line; false at its end. */
static bool word(struct str *rest, struct str *out)
{
	*rest = str_trim(*rest);
	if (rest->len == 0)
		return false;
	*out = *rest;
	for (size_t i = 0; i < rest->len; i++) {
		if (rest->p[i] == ' ' || rest->p[i] == '\t') {
			*out = str_n(rest->p, i);
			break;
		}
	}
	*rest = str_from(*rest, out->len);
	return true;
}

static bool hex(struct str s, uint32_t *out)
{
	uint32_t v = 0;

	if (s.len == 0 || s.len > 8)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char ch = s.p[i];
		unsigned d = ch >= '0' && ch <= '9'   ? (unsigned)(ch - '0')
			     : ch >= 'A' && ch <= 'F' ? (unsigned)(ch - 'A' + 10)
			     : ch >= 'a' && ch <= 'f' ? (unsigned)(ch - 'a' + 10)
						      : 16;

		if (d == 16)
			return false;
		v = v << 4 | d;
	}
	*out = v;
	return true;
}

/* "0100007F:1F90": words of 32 bits as the machine has them, printed as numbers. */
struct endpoint {
	uint32_t words[4];
	size_t n;
	uint32_t port;
};

static bool endpoint_of(struct str s, struct endpoint *e)
{
	ptrdiff_t colon = str_chr(s, ':');

	if (colon != 8 && colon != 32)
		return false;
	e->n = (size_t)colon / 8;
	for (size_t i = 0; i < e->n; i++) {
		if (!hex(str_sub(s, i * 8, i * 8 + 8), &e->words[i]))
			return false;
	}
	return hex(str_from(s, (size_t)colon + 1), &e->port);
}

/* Bytes of an address as they go over the wire, whatever the machine's order. */
static const unsigned char *bytes_of(const uint32_t *words)
{
	return (const unsigned char *)words;
}

static bool is_mapped(const struct endpoint *e)
{
	const unsigned char *b = bytes_of(e->words);
	static const unsigned char prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return e->n == 4 && memcmp(b, prefix, sizeof(prefix)) == 0;
}

static void add_address(struct buf *out, const struct endpoint *e)
{
	const unsigned char *b = bytes_of(e->words) + (is_mapped(e) ? 12 : 0);

	if (e->n == 1 || is_mapped(e)) {
		buf_addf(out, "%u.%u.%u.%u:%" PRIu32, b[0], b[1], b[2], b[3], e->port);
		return;
	}
	buf_addc(out, '[');
	for (int i = 0; i < 8; i++)
		buf_addf(out, "%s%x", i ? ":" : "", b[2 * i] << 8 | b[2 * i + 1]);
	buf_addf(out, "]:%" PRIu32, e->port);
}

/* "sl local rem st tx:rx tr:when retrnsmt uid timeout inode …" */
static void read_inet_line(struct census *c, const char *kind, struct str line)
{
	struct str w[10], rest = line;
	struct endpoint local, remote;
	struct buf name = BUF_INIT;
	struct socket *s;
	uint64_t inode, port;

	for (size_t i = 0; i < ARRAY_LEN(w); i++) {
		if (!word(&rest, &w[i]))
			return;
	}
	if (!endpoint_of(w[1], &local) || !endpoint_of(w[2], &remote) || !str_u64(w[9], &inode))
		return;
	s = put_socket(c, inode, kind);
	if (!s)
		return;
	s->port = local.port;
	s->listening = str_is(w[3], LISTEN) && strcmp(kind, "tcp") == 0;
	port = local.port;
	if (s->listening)
		map_put(c->listening, key_of(&port), s);
	add_address(&name, &remote);
	s->name = arena_str(&c->arena, buf_str(&name));
	buf_release(&name);
}

void census_read_inet(struct census *c, const char *kind, struct str text)
{
	struct str line;

	while (str_line(&text, &line))
		read_inet_line(c, kind, line);
}

/* "Num RefCount Protocol Flags Type St Inode Path"; an abstract name begins with "@". */
void census_read_unix(struct census *c, struct str text)
{
	struct str line, w[7];
	uint64_t inode;

	while (str_line(&text, &line)) {
		size_t i = 0;

		while (i < ARRAY_LEN(w) && word(&line, &w[i]))
			i++;
		if (i == ARRAY_LEN(w) && str_u64(w[6], &inode))
			census_put_unix(c, inode, str_trim(line), 0);
	}
}

void census_put_unix(struct census *c, uint64_t inode, struct str name, uint64_t peer)
{
	struct socket *s = put_socket(c, inode, "unix");

	if (!s)
		return;
	if (name.len)
		s->name = arena_str(&c->arena, str_sub(name, 0, CENSUS_NAME));
	if (peer)
		s->peer = peer;
}

/* ---- descriptors ----------------------------------------------------------------------------- */

static void count(struct census *c, struct str name, uint64_t n)
{
	struct entry *e = map_get(c->by_name, name);

	c->total += n;
	if (!e && c->n >= CENSUS_KEYS && !str_is(name, OTHER)) {
		c->total -= n;
		count(c, STR(OTHER), n);
		return;
	}
	if (!e) {
		e = &c->entries[c->n++];
		e->name = str_dup(name);
		map_put(c->by_name, name, e);
	}
	e->count += n;
}

static void add_unix(struct census *c, struct buf *out, const struct socket *s)
{
	const struct socket *peer = map_get(c->sockets, key_of(&s->peer));

	buf_adds(out, "unix ");
	if (s->name.len)
		buf_addstr(out, s->name);
	else if (peer && peer->name.len)
		buf_addstr(out, peer->name);
	else
		buf_adds(out, "without a name");
}

static void add_socket(struct census *c, struct buf *out, uint64_t inode)
{
	const struct socket *s = map_get(c->sockets, key_of(&inode));
	uint64_t port = s ? s->port : 0;

	if (!s) {
		buf_adds(out, "sockets of another kind");
		return;
	}
	if (strcmp(s->kind, "unix") == 0) {
		add_unix(c, out, s);
		return;
	}
	buf_addf(out, "%s ", s->kind);
	if (s->listening)
		buf_addf(out, "listening on :%u", s->port);
	else if (strcmp(s->kind, "tcp") == 0 && map_get(c->listening, key_of(&port)))
		buf_addf(out, "clients of :%u", s->port);
	else
		buf_addstr(out, s->name);
}

/* "socket:[123]" -> 123 */
static bool number_in(struct str link, const char *before, uint64_t *out)
{
	size_t n = strlen(before);

	return str_starts(link, str_of(before)) && str_ends(link, STR("]")) &&
	       str_u64(str_sub(link, n, link.len - 1), out);
}

static void add_path(struct buf *out, struct str path)
{
	static const struct str deleted = STR_LIT(" (deleted)");
	bool gone = str_ends(path, deleted);
	ptrdiff_t slash;

	if (str_starts(path, STR("/dev/"))) {
		buf_addstr(out, path);
		return;
	}
	if (gone)
		path.len -= deleted.len;
	slash = str_rchr(path, '/');
	buf_adds(out, gone ? "deleted files in " : "files in ");
	buf_addstr(out, slash > 0 ? str_sub(path, 0, (size_t)slash) : STR("/"));
}

void census_add(struct census *c, struct str link)
{
	struct buf name = BUF_INIT;
	uint64_t inode;

	if (number_in(link, "socket:[", &inode))
		add_socket(c, &name, inode);
	else if (str_starts(link, STR("pipe:[")))
		buf_adds(&name, "pipes");
	else if (str_starts(link, STR("anon_inode:"))) {
		buf_addstr(&name, str_from(link, strlen("anon_inode:")));
	} else {
		add_path(&name, link);
	}
	count(c, str_sub(buf_str(&name), 0, CENSUS_NAME), 1);
	buf_release(&name);
}

void census_skip(struct census *c, uint64_t n)
{
	if (n)
		count(c, STR("not looked at"), n);
}

uint64_t census_total(const struct census *c)
{
	return c->total;
}

uint64_t census_count(const struct census *c, struct str name)
{
	const struct entry *e = map_get(c->by_name, name);

	return e ? e->count : 0;
}

/* ---- what grew ------------------------------------------------------------------------------- */

static uint64_t grown(const struct census_growth *g)
{
	return g->is - g->was;
}

size_t census_compare(const struct census *before, const struct census *after,
	struct census_growth *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < after->n; i++) {
		const struct entry *e = &after->entries[i];
		struct census_growth g = {.name = str_of(e->name), .is = e->count};
		size_t at;

		g.was = census_count(before, g.name);
		if (g.is <= g.was)
			continue;
		for (at = n; at > 0 && grown(&out[at - 1]) < grown(&g); at--) {
			if (at < max)
				out[at] = out[at - 1];
		}
		if (at < max)
			out[at] = g;
		n = MIN(n + 1, max);
	}
	return n;
}

void census_words(const struct census *before, const struct census *after, struct buf *out)
{
	struct census_growth g[2];
	size_t n = census_compare(before, after, g, ARRAY_LEN(g));
	uint64_t new;

	if (n == 0 || after->total < before->total + CENSUS_NEW)
		return;
	new = after->total - before->total;
	if (grown(&g[0]) * 3 < new)
		return;
	/* More than all new ones, where others went away meanwhile. */
	buf_addf(out, "%" PRIu64 " of %" PRIu64 " new descriptors: ", MIN(grown(&g[0]), new), new);
	safe_add_cut(out, g[0].name, CENSUS_NAME);
	if (n > 1 && grown(&g[1]) * 5 >= new) {
		buf_addf(out, "; %" PRIu64 ": ", MIN(grown(&g[1]), new));
		safe_add_cut(out, g[1].name, CENSUS_NAME);
	}
}
