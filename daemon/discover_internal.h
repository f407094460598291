/*
 * discover_internal: what the files of discover share.  Level 3; not for others.
 *
 * discover.c has the sources and tells of changes; discover_file.c reads files and watches their
 * directories; discover_http.c asks servers.
 */
#ifndef LEAKWATCH_DISCOVER_INTERNAL_H
#define LEAKWATCH_DISCOVER_INTERNAL_H

#include "arena.h"
#include "discover.h"

#include <event2/event.h>

/* One file's or server's last good list. */
struct list {
	struct list *next;
	char *origin;
	uint64_t hash; /* of the text it was read from */
	uint64_t refused; /* hash of a text that was told to be wrong */
	bool good, seen;
	struct arena arena;
	struct config_sd sd;
};

struct source {
	struct discover *d;
	struct source *next;
	char *key; /* all that the configuration says of it: the same after a reload, the same
		      source */
	char *job;
	bool local, stirred, failing; /* stirred: its directory saw something */
	uint64_t every_ms;
	struct event *timer;
	struct list *lists;
	/* files */
	char **patterns;
	size_t npatterns;
	int *watches; /* inotify's, of each pattern's directory; -1: none */
	/* a server */
	char *url, *username, *password, *authorization; /* the last as a header */
	char *ca_file, *cert_file, *key_file, *server_name;
	bool insecure_skip_verify;
	struct fetch_job *request;
	struct buf body;
};

struct discover {
	struct event_base *base;
	struct fetch *fetch;
	void (*changed)(void *arg);
	void *arg;
	struct source *sources;
	struct event *tell; /* calls changed, some time after the change */
	int inotify; /* -1: files are only read every refresh_interval */
	struct event *events;
	uint64_t failures;
};

void discover_changed(struct discover *d);
struct list *discover_list(struct source *s, const char *origin);
/* Takes a text as the list of origin: true when it is another one than before. */
bool discover_take(struct source *s, const char *origin, struct str text, bool json);
void discover_failed(struct source *s, const char *origin, const char *why);
void discover_free_list(struct list *l);

void discover_file_read(struct source *s);
void discover_file_open(struct discover *d); /* inotify */
void discover_file_unwatch(struct source *s);

int discover_http_make(struct source *s, const struct config_http_sd *config, struct err *err);
void discover_http_ask(struct source *s);

#endif
