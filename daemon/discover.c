#include "discover_internal.h"
#include "log.h"
#include "map.h"
#include "xalloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- lists ----------------------------------------------------------------------------------- */

struct list *discover_list(struct source *s, const char *origin)
{
	struct list **at = &s->lists;

	while (*at && strcmp((*at)->origin, origin) != 0)
		at = &(*at)->next;
	if (!*at) {
		*at = xcalloc(1, sizeof(**at));
		(*at)->origin = xstrdup(origin);
		(*at)->arena = (struct arena)ARENA_INIT;
	}
	return *at;
}

void discover_free_list(struct list *l)
{
	arena_release(&l->arena);
	free(l->origin);
	free(l);
}

void discover_failed(struct source *s, const char *origin, const char *why)
{
	s->failing = true;
	s->d->failures++;
	log_limited(LEVEL_WARNING, origin, "job %s: %s: %s; its targets stay as they were", s->job,
		origin, why);
}

bool discover_take(struct source *s, const char *origin, struct str text, bool json)
{
	struct list *l = discover_list(s, origin);
	uint64_t hash = hash64(text.p, text.len, 0);
	struct arena arena = ARENA_INIT;
	struct config_sd sd;
	struct err err;

	l->seen = true;
	if (l->good && l->hash == hash)
		return false;
	if ((json ? config_sd_json : config_sd_yaml)(text, s->local, &arena, &sd, &err)) {
		arena_release(&arena);
		s->failing = true;
		if (l->refused != hash) /* told once for each text */
			discover_failed(s, origin, err.msg);
		l->refused = hash;
		return false;
	}
	arena_release(&l->arena);
	l->arena = arena;
	l->sd = sd;
	l->hash = hash;
	l->good = true;
	l->refused = 0;
	return true;
}

/* ---- telling --------------------------------------------------------------------------------- */

static void tell_cb(evutil_socket_t fd, short what, void *arg)
{
	struct discover *d = arg;

	(void)fd;
	(void)what;
	d->changed(d->arg);
}

void discover_changed(struct discover *d)
{
	static const struct timeval soon = {.tv_usec = DISCOVER_CHANGED_MS * 1000};

	if (!event_pending(d->tell, EV_TIMEOUT, NULL))
		event_add(d->tell, &soon);
}

/* ---- sources --------------------------------------------------------------------------------- */

static void arm(struct source *s)
{
	struct timeval tv = {.tv_sec = (time_t)(s->every_ms / 1000),
		.tv_usec = (suseconds_t)(s->every_ms % 1000 * 1000)};

	event_add(s->timer, &tv);
}

static void refresh(struct source *s)
{
	if (s->url)
		discover_http_ask(s);
	else
		discover_file_read(s);
}

static void refresh_cb(evutil_socket_t fd, short what, void *arg)
{
	struct source *s = arg;

	(void)fd;
	(void)what;
	arm(s);
	refresh(s);
}

static void free_secret(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void free_source(struct source *s)
{
	struct list *l;

	if (s->request)
		fetch_cancel(s->request);
	discover_file_unwatch(s);
	while ((l = s->lists)) {
		s->lists = l->next;
		discover_free_list(l);
	}
	for (size_t i = 0; i < s->npatterns; i++)
		free(s->patterns[i]);
	free(s->patterns);
	free(s->watches);
	event_free(s->timer);
	buf_release(&s->body);
	free_secret(s->password);
	free_secret(s->authorization);
	free_secret(s->key);
	free(s->url);
	free(s->username);
	free(s->ca_file);
	free(s->cert_file);
	free(s->key_file);
	free(s->server_name);
	free(s->job);
	free(s);
}

static struct source *new_source(
	struct discover *d, const struct config_job *job, uint64_t every_ms)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->d = d;
	s->job = str_dup(job->name);
	s->local = job->allow_local;
	s->every_ms = every_ms;
	buf_init(&s->body);
	s->timer = evtimer_new(d->base, refresh_cb, s);
	if (!s->timer)
		abort(); /* only for want of memory */
	return s;
}

static struct source *file_source(
	struct discover *d, const struct config_job *job, const struct config_file_sd *c)
{
	struct source *s = new_source(d, job, c->refresh_interval_ms);

	s->npatterns = c->files.n;
	s->patterns = xcalloc(c->files.n + 1, sizeof(*s->patterns));
	s->watches = xcalloc(c->files.n + 1, sizeof(*s->watches));
	for (size_t i = 0; i < c->files.n; i++) {
		s->patterns[i] = str_dup(c->files.v[i]);
		s->watches[i] = -1;
	}
	return s;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void set_key(struct source *s)
{
	struct buf key = BUF_INIT;

	buf_addf(&key, "%s\n%d\n%llu\n", s->job, s->local, (unsigned long long)s->every_ms);
	for (size_t i = 0; i < s->npatterns; i++)
		buf_addf(&key, "file %s\n", s->patterns[i]);
	if (s->url)
		buf_addf(&key, "http %s\n%s\n%s\n%s\n%s\n%s\n%s\n%s\n%d\n", s->url,
			or_empty(s->username), or_empty(s->password), or_empty(s->authorization),
			or_empty(s->ca_file), or_empty(s->cert_file), or_empty(s->key_file),
			or_empty(s->server_name), s->insecure_skip_verify);
	s->key = buf_take(&key);
}

/* Adds to *list what a job has; in no particular order. */
static int make_sources(
	struct discover *d, const struct config_job *job, struct source **list, struct err *err)
{
	for (size_t i = 0; i < job->nfile_sds; i++) {
		struct source *s = file_source(d, job, &job->file_sds[i]);

		s->next = *list;
		*list = s;
	}
	for (size_t i = 0; i < job->nhttp_sds; i++) {
		struct source *s = new_source(d, job, job->http_sds[i].refresh_interval_ms);

		s->next = *list;
		*list = s;
		if (discover_http_make(s, &job->http_sds[i], err))
			return err_wrap(err, "job %s", s->job);
	}
	return 0;
}

static void free_sources(struct source *list)
{
	struct source *s;

	while ((s = list)) {
		list = s->next;
		free_source(s);
	}
}

/* An old source that says the same as s, which then goes on in its place. */
static struct source *take_same(struct source **list, const struct source *s)
{
	struct source *found;

	while (*list && strcmp((*list)->key, s->key) != 0)
		list = &(*list)->next;
	found = *list;
	if (found)
		*list = found->next;
	return found;
}

int discover_set(struct discover *d, const struct config *config, struct err *err)
{
	struct source *made = NULL, *old = d->sources, *s;

	for (size_t i = 0; i < config->njobs; i++) {
		if (make_sources(d, &config->jobs[i], &made, err)) {
			free_sources(made);
			return -1;
		}
	}
	d->sources = NULL;
	while ((s = made)) {
		struct source *same;

		made = s->next;
		set_key(s);
		same = take_same(&old, s);
		if (same) {
			free_source(s);
			s = same;
		}
		s->next = d->sources;
		d->sources = s;
		if (!same) {
			arm(s);
			refresh(s);
		}
	}
	free_sources(old);
	return 0;
}

/* ---- the whole ------------------------------------------------------------------------------- */

struct discover *discover_new(
	struct event_base *base, struct fetch *fetch, void (*changed)(void *arg), void *arg)
{
	struct discover *d = xcalloc(1, sizeof(*d));

	d->base = base;
	d->fetch = fetch;
	d->changed = changed;
	d->arg = arg;
	d->tell = evtimer_new(base, tell_cb, d);
	if (!d->tell)
		abort(); /* only for want of memory */
	discover_file_open(d);
	return d;
}

void discover_free(struct discover *d)
{
	if (!d)
		return;
	free_sources(d->sources);
	if (d->events) {
		evutil_closesocket(event_get_fd(d->events));
		event_free(d->events);
	}
	event_free(d->tell);
	free(d);
}

void discover_each(const struct discover *d, struct str job, discover_group_cb *cb, void *arg)
{
	for (const struct source *s = d->sources; s; s = s->next) {
		if (!str_is(job, s->job))
			continue;
		for (const struct list *l = s->lists; l; l = l->next) {
			for (size_t i = 0; l->good && i < l->sd.n; i++)
				cb(arg, &l->sd.v[i], l->origin);
		}
	}
}

void discover_stats(const struct discover *d, struct discover_stats *out)
{
	*out = (struct discover_stats){.failures = d->failures};
	for (const struct source *s = d->sources; s; s = s->next) {
		out->sources++;
		out->failing += s->failing;
		for (const struct list *l = s->lists; l; l = l->next)
			out->lists += l->good;
	}
}
