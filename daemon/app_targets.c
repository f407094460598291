/* The targets that are watched follow those that are wished for. */
#include "app_targets.h"
#include "clock.h"
#include "discover.h"
#include "log.h"
#include "pipeline_host.h"
#include "store_read.h"
#include "xalloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- secrets of the jobs ---- */

static void release_credentials(struct credentials *c)
{
	if (c->authorization)
		explicit_bzero(c->authorization, strlen(c->authorization));
	if (c->password)
		explicit_bzero(c->password, strlen(c->password));
	free(c->authorization);
	free(c->password);
}

static int read_credentials(const struct config_job *job, struct credentials *out, struct err *err)
{
	struct buf secret = BUF_INIT;
	int rc = 0;

	if (job->authorization.credentials_file.len) {
		rc = config_secret(job->authorization.credentials_file, &secret, err);
		if (rc == 0)
			out->authorization =
				xasprintf("%.*s %s", STR_ARG(job->authorization.type), secret.p);
	}
	buf_reset(&secret);
	if (rc == 0 && job->basic_auth.password_file.len) {
		rc = config_secret(job->basic_auth.password_file, &secret, err);
		if (rc == 0)
			out->password = str_dup(buf_str(&secret));
	}
	if (secret.cap)
		explicit_bzero(secret.p, secret.cap);
	buf_release(&secret);
	return rc;
}

void app_free_credentials(struct credentials *v, size_t n)
{
	for (size_t i = 0; v && i < n; i++)
		release_credentials(&v[i]);
	free(v);
}

struct credentials *app_read_credentials(const struct config *config, struct err *err)
{
	struct credentials *v = xcalloc(config->njobs + 1, sizeof(*v));

	for (size_t i = 0; i < config->njobs; i++) {
		if (read_credentials(&config->jobs[i], &v[i], err)) {
			err_wrap(err, "job %.*s", STR_ARG(config->jobs[i].name));
			app_free_credentials(v, config->njobs);
			return NULL;
		}
	}
	return v;
}

/* ---- one target ---- */

/* A target that is watched. */
struct watched {
	char *key; /* "job\0instance" */
	size_t key_len;
	uint64_t signature; /* of how it is asked */
	struct target *target;
	struct scrape_target *scrape;
	bool wished;
};

static const char *text(struct str s)
{
	return s.len ? s.p : NULL;
}

static struct scrape_target_config scrape_config(const struct wish *w)
{
	const struct config_job *job = w->job;

	return (struct scrape_target_config){
		.job = job->name.p,
		.instance = w->instance.p,
		.scheme = w->scheme.p,
		.address = w->address.p,
		.pprof_path = text(w->pprof_path),
		.metrics_path = text(w->metrics_path),
		.metrics_address = text(w->metrics_address),
		.interval_ms = job->scrape_interval_ms,
		.timeout_ms = job->scrape_timeout_ms,
		.body_limit_bytes = job->body_size_limit_bytes,
		.budget = w->budget,
		.username = text(job->basic_auth.username),
		.password = w->secret->password,
		.authorization = w->secret->authorization,
		.ca_file = text(job->tls.ca_file),
		.cert_file = text(job->tls.cert_file),
		.key_file = text(job->tls.key_file),
		.server_name = text(job->tls.server_name),
		.insecure_skip_verify = job->tls.insecure_skip_verify,
	};
}

static uint64_t add_text(uint64_t hash, const char *s)
{
	return hash64(s ? s : "", s ? strlen(s) : 0, hash * 31 + (s != NULL));
}

/* Whatever is in a scrape_target_config, and load_metric, which its metrics are read for. */
static uint64_t signature_of(const struct wish *w)
{
	struct scrape_target_config c = scrape_config(w);
	const char *const texts[] = {c.scheme, c.address, c.pprof_path, c.metrics_path,
		c.metrics_address, c.username, c.password, c.authorization, c.ca_file, c.cert_file,
		c.key_file, c.server_name};
	const uint64_t numbers[] = {
		c.interval_ms, c.timeout_ms, c.body_limit_bytes, c.insecure_skip_verify};
	uint64_t hash = hash64(&c.budget, sizeof(c.budget), hash64(numbers, sizeof(numbers), 0));

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		hash = add_text(hash, texts[i]);
	return hash;
}

static struct str key_of(struct buf *b, const struct wish *w)
{
	buf_reset(b);
	buf_addstr(b, w->job->name);
	buf_addc(b, '\0');
	buf_addstr(b, w->instance);
	return buf_str(b);
}

static struct watched *watch(struct app *a, const struct wish *w, struct str key, struct err *err)
{
	struct scrape_target_config c = scrape_config(w);
	struct watched *x = xcalloc(1, sizeof(*x));

	x->target =
		pipeline_add(a->pipeline, w->job, w->instance, &w->labels, clock_wall_ms(), err);
	if (x->target) {
		pipeline_set_place(x->target, w->cgroup, w->pid);
		x->scrape = scrape_add(a->scrape, &c, x->target, err);
	}
	if (!x->scrape) {
		if (x->target)
			pipeline_remove(x->target, clock_wall_ms());
		free(x);
		err_wrap(err, "target %s/%s", c.job, c.instance);
		return NULL;
	}
	x->signature = signature_of(w);
	x->key = xmemdup0(key.p, key.len);
	x->key_len = key.len;
	map_put(a->watched, key, x);
	return x;
}

/* It is asked in another way: its history goes on. */
static void ask_anew(struct app *a, struct watched *x, const struct wish *w, uint64_t signature)
{
	struct scrape_target_config c = scrape_config(w);
	struct scrape_target *made;
	struct err err;

	made = scrape_add(a->scrape, &c, x->target, &err);
	if (!made) {
		log_msg(LEVEL_ERROR, "target %s/%s: %s; it is asked as before", c.job, c.instance,
			err.msg);
		return;
	}
	scrape_remove(x->scrape);
	x->scrape = made;
	x->signature = signature;
}

static void unwatch(struct watched *x)
{
	log_msg(LEVEL_INFO, "target %s/%s: no longer configured", scrape_target_job(x->scrape),
		scrape_target_instance(x->scrape));
	scrape_remove(x->scrape);
	pipeline_remove(x->target, clock_wall_ms());
	free(x->key);
	free(x);
}

/* ---- all of them ---- */

/* Targets that the store knows and we do not: read from it beside the writer. */
static void load_known(struct app *a, const struct wishes *wishes)
{
	struct store *store = NULL;
	struct buf key = BUF_INIT;
	struct err err;
	bool needed = false;

	for (size_t i = 0; a->writer && i < wishes->n && !needed; i++) {
		const struct wish *w = &wishes->v[i];

		needed = !map_get(a->watched, key_of(&key, w)) &&
			 pipeline_needs_store(a->pipeline, w->job, w->instance, &w->labels);
	}
	buf_release(&key);
	if (!needed)
		return;
	if (store_open_read(a->config->storage_path.p, &store, &err) != STORE_OPEN_OK ||
		pipeline_load(a->pipeline, store, &err))
		log_msg(LEVEL_ERROR,
			"store: the history of targets that came back is not taken over: %s",
			err.msg);
	a->reading = store;
}

static void end_load(struct app *a)
{
	if (!a->writer)
		return; /* at the start everything is still being added */
	pipeline_loaded(a->pipeline);
	store_close(a->reading);
	a->reading = NULL;
}

/* False with err when a target of the configuration itself cannot be watched. */
static bool take_wish(struct app *a, const struct wish *w, int64_t now_ms, struct err *err)
{
	struct buf b = BUF_INIT;
	struct str key = key_of(&b, w);
	struct watched *x = map_get(a->watched, key);
	uint64_t signature = signature_of(w);

	if (!x) {
		x = watch(a, w, key, err);
		if (!x && w->discovered)
			log_limited(LEVEL_ERROR, w->job->name.p, "%s", err->msg);
	} else if (x->wished) {
		log_limited(LEVEL_WARNING, w->job->name.p,
			"job %.*s: the instance %.*s is there twice; the first one is watched",
			STR_ARG(w->job->name), STR_ARG(w->instance));
	} else {
		pipeline_update(x->target, w->job, &w->labels, now_ms);
		pipeline_set_place(x->target, w->cgroup, w->pid);
		if (x->signature != signature)
			ask_anew(a, x, w, signature);
	}
	if (x)
		x->wished = true;
	buf_release(&b);
	return x || w->discovered;
}

/* Its place may have been taken already by one of its lineage, which then goes on with it. */
static bool hand_on(struct app *a, struct watched *x, int64_t now_ms)
{
	struct target *heir = pipeline_heir(x->target, now_ms);
	struct buf b = BUF_INIT;
	struct watched *y = NULL;

	if (heir) {
		buf_addf(&b, "%s%c%s", scrape_target_job(x->scrape), 0,
			pipeline_target_instance(heir));
		y = map_get(a->watched, buf_str(&b));
	}
	buf_release(&b);
	if (!y)
		return false;
	scrape_remove(x->scrape);
	scrape_hand_over(y->scrape, x->target);
	pipeline_continue(x->target, heir, now_ms);
	y->target = x->target;
	free(x->key);
	free(x);
	return true;
}

static void drop_unwished(struct app *a, int64_t now_ms)
{
	struct map_item item;
	void *at = NULL;

	while (map_next(a->watched, &at, &item)) {
		struct watched *x = item.value;

		if (!x->wished)
			pipeline_leaves(x->target);
	}
	at = NULL;
	while (map_next(a->watched, &at, &item)) {
		struct watched *x = item.value;

		if (x->wished) {
			x->wished = false;
			continue;
		}
		map_take(a->watched, item.key);
		if (!hand_on(a, x, now_ms))
			unwatch(x);
	}
}

int app_follow(struct app *a, const struct wishes *wishes, struct err *err)
{
	int64_t now_ms = clock_wall_ms();
	bool *known = xcalloc(wishes->n + 1, sizeof(*known));
	int rc = 0;

	load_known(a, wishes);
	for (size_t i = 0; i < wishes->n; i++)
		known[i] =
			pipeline_knows(a->pipeline, wishes->v[i].job->name, wishes->v[i].instance);
	/* Those with a history of their own first, so that no other of their lineage takes it. */
	for (size_t i = 0; i < 2 * wishes->n && rc == 0; i++) {
		if (known[i % wishes->n] == (i < wishes->n) &&
			!take_wish(a, &wishes->v[i % wishes->n], now_ms, err))
			rc = -1;
	}
	free(known);
	if (rc == 0)
		drop_unwished(a, now_ms);
	end_load(a);
	a->ntargets = map_count(a->watched);
	a->left_out = wishes->left_out;
	return rc;
}

int app_add_targets(struct app *a, struct err *err)
{
	struct wishes wishes = {.arena = ARENA_INIT};
	int rc;

	a->watched = map_new();
	a->discover = discover_new(a->base, a->fetch, app_discovered, a);
	a->secrets = app_read_credentials(a->config, err);
	if (!a->secrets || discover_set(a->discover, a->config, err))
		return -1;
	rc = wishes_make(&wishes, a->config, a->discover, a->secrets, err);
	if (rc == 0)
		rc = app_follow(a, &wishes, err);
	wishes_release(&wishes);
	return rc;
}

void app_discovered(void *arg)
{
	struct app *a = arg;
	struct wishes wishes;
	struct err err;
	size_t before = a->ntargets;

	if (a->stopping)
		return;
	if (wishes_make(&wishes, a->config, a->discover, a->secrets, &err) ||
		app_follow(a, &wishes, &err))
		log_msg(LEVEL_ERROR, "discovery: %s", err.msg);
	else
		log_msg(LEVEL_INFO, "discovery: %zu targets, before %zu", a->ntargets, before);
	wishes_release(&wishes);
}

static void free_watched(void *value)
{
	struct watched *x = value;

	free(x->key);
	free(x);
}

void app_free_targets(struct app *a)
{
	discover_free(a->discover);
	map_free(a->watched, free_watched);
	if (a->secrets)
		app_free_credentials(a->secrets, a->config->njobs);
}
