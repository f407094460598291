/* Which targets a configuration and its discovery ask for, after relabelling. */
#include "app_targets.h"
#include "discover.h"
#include "log.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum relabel_action action_of(int action)
{
	static const enum relabel_action actions[] = {
		[CONFIG_RELABEL_REPLACE] = RELABEL_REPLACE,
		[CONFIG_RELABEL_KEEP] = RELABEL_KEEP,
		[CONFIG_RELABEL_DROP] = RELABEL_DROP,
		[CONFIG_RELABEL_LABELMAP] = RELABEL_LABELMAP,
		[CONFIG_RELABEL_HASHMOD] = RELABEL_HASHMOD,
	};

	return actions[action];
}

static struct relabel *make_relabel(const struct config_job *job, struct err *err)
{
	struct relabel_step *v = xcalloc(job->nrelabels + 1, sizeof(*v));
	struct relabel *r;

	for (size_t i = 0; i < job->nrelabels; i++) {
		const struct config_relabel *c = &job->relabels[i];

		v[i] = (struct relabel_step){
			.source = c->source_labels.v,
			.nsource = c->source_labels.n,
			.separator = c->separator,
			.regex = c->regex,
			.target = c->target_label,
			.replacement = c->replacement,
			.modulus = c->modulus,
			.action = action_of(c->action),
		};
	}
	r = relabel_new(v, job->nrelabels, err);
	free(v);
	return r;
}

/* One job's targets on their way into the list of wishes. */
struct resolving {
	struct wishes *wishes;
	const struct config *config;
	const struct config_job *job;
	const struct credentials *secret;
	struct relabel *relabel;
	bool discovered;
};

/* What a target begins with; its own labels win, as in Prometheus. */
static void first_labels(const struct resolving *r, const struct config_static *group,
	struct str address, const char *origin, struct relabel_set *set)
{
	const struct config_job *job = r->job;
	char pid[24];

	set->n = 0;
	relabel_put(set, STR("job"), job->name);
	relabel_put(
		set, STR("__scheme__"), job->scheme == CONFIG_HTTPS ? STR("https") : STR("http"));
	relabel_put(set, STR("__metrics_path__"), job->metrics_path);
	relabel_put(set, STR("__metrics_address__"), job->metrics_address);
	relabel_put(set, STR("__pprof_path__"), job->pprof_path);
	relabel_put(set, STR("__cgroup__"), job->cgroup);
	snprintf(pid, sizeof(pid), "%llu", (unsigned long long)job->pid);
	relabel_put(set, STR("__pid__"),
		job->pid ? arena_str(&r->wishes->arena, str_of(pid)) : STR(""));
	if (origin)
		relabel_put(set,
			strncmp(origin, "http", 4) == 0 ? STR("__meta_url")
							: STR("__meta_filepath"),
			str_of(origin));
	for (size_t i = 0; i < group->labels.n; i++) {
		/* A label "job" of a list is for relabelling; the job is the configuration's. */
		relabel_put(set, group->labels.v[i].key, group->labels.v[i].value);
	}
	relabel_put(set, STR("__address__"), address);
}

static int by_name(const void *a, const void *b)
{
	return str_cmp(((const struct label *)a)->key, ((const struct label *)b)->key);
}

/* The labels that stay: those of alerts. */
static struct config_labels last_labels(struct arena *a, const struct relabel_set *set)
{
	struct config_labels out = {.v = arena_calloc(a, set->n + 1, sizeof(*out.v))};

	for (size_t i = 0; i < set->n; i++) {
		struct str key = set->v[i].key;

		if (!str_starts(key, STR("__")) && !str_is(key, "job") && !str_is(key, "instance"))
			out.v[out.n++] = set->v[i];
	}
	if (out.n)
		qsort(out.v, out.n, sizeof(*out.v), by_name);
	return out;
}

static struct str copied(struct arena *a, const struct relabel_set *set, const char *key)
{
	return arena_str(a, relabel_get(set, key));
}

/*
 * Where a target runs on this host.  A list may say so only with allow_local: else it could make us
 * show whichever process's files and sockets it likes.
 */
static int check_place(const struct resolving *r, const struct wish *w, struct err *err)
{
	bool own = str_eq(w->cgroup, r->job->cgroup), local = !r->discovered || r->job->allow_local;
	uint64_t pid = 0;

	if (w->pid.len && (!str_u64(w->pid, &pid) || pid == 0 || pid > 4194304))
		return err_set(err, "__pid__ is \"%.*s\", no process id", STR_ARG(w->pid));
	if (!local && (!own || pid != r->job->pid))
		return err_set(err,
			"a process or cgroup of this host (__pid__, __cgroup__) may only "
			"be named with allow_local: true");
	if (w->cgroup.len > CONFIG_CGROUP_MAX)
		return err_set(err, "__cgroup__ is longer than %d bytes", CONFIG_CGROUP_MAX);
	return 0;
}

/* What relabelling made of an address must still be one. */
static int check_wish(const struct resolving *r, const struct wish *w, struct err *err)
{
	bool local = !r->discovered || r->job->allow_local;

	if (!str_is(w->scheme, "http") && !str_is(w->scheme, "https"))
		return err_set(
			err, "__scheme__ is \"%.*s\", not http or https", STR_ARG(w->scheme));
	if (!local && (str_starts(w->address, STR("unix:")) ||
			      str_starts(w->metrics_address, STR("unix:"))))
		return err_set(err, "a socket of this host may only be named with allow_local: "
				    "true");
	if (check_place(r, w, err))
		return -1;
	if (w->metrics_address.len && config_check_target(w->metrics_address, err))
		return -1;
	if ((w->metrics_path.len && w->metrics_path.p[0] != '/') || w->pprof_path.p[0] != '/')
		return err_set(err, "a path does not begin with \"/\"");
	return config_check_target(w->address, err);
}

/* A demonstration's clock runs faster than a budget can be thought of. */
static double budget_of(const struct config *c, const struct config_job *job)
{
	static const struct detect_params real = DETECT_PARAMS_DEFAULT;

	return fabs(c->detect.window_s - real.window_s) < 1e-9 ? job->scrape_budget : 0;
}

static void resolve(struct resolving *r, const struct config_static *group, struct str address,
	const char *origin)
{
	struct arena *a = &r->wishes->arena;
	struct relabel_set set;
	struct wish w = {.job = r->job, .secret = r->secret, .discovered = r->discovered};
	struct err err;

	w.budget = budget_of(r->config, r->job);
	first_labels(r, group, address, origin, &set);
	if (!relabel_apply(r->relabel, a, &set))
		return;
	w.address = copied(a, &set, "__address__");
	if (!w.address.len)
		return; /* as Prometheus: without an address there is no target */
	w.instance = copied(a, &set, "instance");
	if (!w.instance.len)
		w.instance = w.address;
	w.scheme = copied(a, &set, "__scheme__");
	w.metrics_path = copied(a, &set, "__metrics_path__");
	w.metrics_address = copied(a, &set, "__metrics_address__");
	w.pprof_path = copied(a, &set, "__pprof_path__");
	w.cgroup = copied(a, &set, "__cgroup__");
	w.pid = copied(a, &set, "__pid__");
	w.labels = last_labels(a, &set);
	if (check_wish(r, &w, &err)) {
		log_limited(LEVEL_ERROR, r->job->name.p, "job %.*s: target left out: %s",
			STR_ARG(r->job->name), err.msg);
		return;
	}
	if (r->wishes->n == r->config->targets_max) {
		r->wishes->left_out++;
		return;
	}
	if (r->wishes->n == r->wishes->cap) {
		r->wishes->cap = MAX((size_t)64, r->wishes->cap * 2);
		r->wishes->v = xrealloc(r->wishes->v, r->wishes->cap, sizeof(w));
	}
	r->wishes->v[r->wishes->n++] = w;
}

static void group_cb(void *arg, const struct config_static *group, const char *origin)
{
	struct resolving *r = arg;

	for (size_t i = 0; i < group->targets.n; i++)
		resolve(r, group, group->targets.v[i], origin);
}

int wishes_make(struct wishes *w, const struct config *config, const struct discover *d,
	const struct credentials *secrets, struct err *err)
{
	*w = (struct wishes){.arena = ARENA_INIT};
	for (size_t i = 0; i < config->njobs; i++) {
		struct resolving r = {.wishes = w,
			.config = config,
			.job = &config->jobs[i],
			.secret = &secrets[i]};

		r.relabel = make_relabel(r.job, err);
		if (!r.relabel)
			return err_wrap(err, "job %.*s: relabel_configs", STR_ARG(r.job->name));
		for (size_t k = 0; k < r.job->nstatics; k++)
			group_cb(&r, &r.job->statics[k], NULL);
		r.discovered = true;
		discover_each(d, r.job->name, group_cb, &r);
		relabel_free(r.relabel);
	}
	if (w->left_out)
		log_limited(LEVEL_ERROR, "limits.targets",
			"%zu targets are not watched: limits.targets is %llu", w->left_out,
			(unsigned long long)config->targets_max);
	return 0;
}

void wishes_release(struct wishes *w)
{
	free(w->v);
	arena_release(&w->arena);
}
