/* What values mean together: called with the mapping they come from, for line and column. */
#include "alert.h"
#include "config_internal.h"
#include "map.h"
#include "suggest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The node of a key, or the mapping itself when the key is not there. */
static const struct node *at(const struct node *n, const char *key)
{
	const struct node *child = node_get(n, key);

	return child ? child : n;
}

/* A list's items (name fields at offset 0 of each) that have one name. */
static void check_unique(
	struct reader *r, const struct node *list, const void *v, size_t n, size_t size)
{
	const struct node *item = list ? list->first : NULL, *before;
	struct map *seen = map_new();

	for (size_t i = 0; i < n && item; i++, item = item->next) {
		const struct str *name = (const void *)((const char *)v + i * size);
		const struct node *where =
			at(item, node_get(item, "job_name") ? "job_name" : "name");

		if (name->len == 0)
			continue;
		before = map_get(seen, *name);
		if (before)
			NODE_ERROR(r, where, "\"%.*s\" is there already: at line %u",
				STR_ARG(*name), before->line);
		else
			map_put(seen, *name, (void *)(uintptr_t)where);
	}
	map_free(seen, NULL);
}

/* Labels that alerts or targets get from elsewhere; external_labels may not hide a target either.
 */
static void check_reserved(struct reader *r, const struct node *labels, bool external)
{
	static const char *const names[] = {"alertname", "class", "severity", "job", "instance"};
	size_t count = ARRAY_LEN(names) - (external ? 0 : 1);

	for (const struct node *l = labels ? labels->first : NULL; l; l = l->next) {
		bool reserved = str_starts(l->key, STR("__"));

		for (size_t i = 0; i < count; i++)
			reserved = reserved || str_is(l->key, names[i]);
		if (reserved)
			config_error(r->errs, l->key_line, l->key_column,
				"the label \"%.*s\" is set by leakwatch itself", STR_ARG(l->key));
	}
}

void config_check_global(struct reader *r, const struct node *n, void *object)
{
	struct config *c = object;

	if (!node_get(n, "scrape_timeout"))
		c->scrape_timeout_ms = MIN(c->scrape_timeout_ms, c->scrape_interval_ms);
	if (c->scrape_timeout_ms > c->scrape_interval_ms)
		NODE_ERROR(r, at(n, "scrape_timeout"),
			"scrape_timeout: must be at most scrape_interval");
	check_reserved(r, node_get(n, "external_labels"), true);
}

void config_check_static(struct reader *r, const struct node *n, void *object)
{
	(void)object;
	check_reserved(r, node_get(n, "labels"), false);
}

void config_check_tls(struct reader *r, const struct node *n, void *object)
{
	const struct config_tls *tls = object;

	if ((tls->cert_file.len > 0) != (tls->key_file.len > 0))
		NODE_ERROR(r, n, "cert_file and key_file are only useful together");
}

void config_check_relabel(struct reader *r, const struct node *n, void *object)
{
	const struct config_relabel *l = object;

	if ((l->action == CONFIG_RELABEL_REPLACE || l->action == CONFIG_RELABEL_HASHMOD) &&
		l->target_label.len == 0)
		NODE_ERROR(r, n, "target_label is missing: the action sets it");
	if (l->action == CONFIG_RELABEL_HASHMOD && l->modulus == 0)
		NODE_ERROR(r, n, "modulus is missing: hashmod divides by it");
}

static struct str instance_of(const struct config_static *s, struct str target)
{
	for (size_t i = 0; i < s->labels.n; i++) {
		if (str_is(s->labels.v[i].key, "instance") && s->labels.v[i].value.len)
			return s->labels.v[i].value;
	}
	return target;
}

/* Two targets of one job and instance would be one in all that follows. */
static void check_targets(struct reader *r, const struct node *n, const struct config_job *job)
{
	const struct node *list = node_get(n, "static_configs"), *group = list ? list->first : NULL;
	struct map *seen = map_new();

	for (size_t i = 0; i < job->nstatics && group; i++, group = group->next) {
		const struct config_static *s = &job->statics[i];
		const struct node *where = at(group, "targets")->first;

		for (size_t t = 0; t < s->targets.n && where; t++, where = where->next) {
			struct str instance = instance_of(s, s->targets.v[t]);
			const struct node *before =
				map_put(seen, instance, (void *)(uintptr_t)where);

			if (before)
				NODE_ERROR(r, where,
					"the instance \"%.*s\" is in this job already: "
					"at line %u",
					STR_ARG(instance), before->line);
		}
	}
	map_free(seen, NULL);
}

void config_check_job(struct reader *r, const struct node *n, void *object)
{
	struct config_job *job = object;

	if (job->scrape_interval_ms == CONFIG_UNSET)
		job->scrape_interval_ms = r->config->scrape_interval_ms;
	if (job->scrape_timeout_ms == CONFIG_UNSET)
		job->scrape_timeout_ms = MIN(r->config->scrape_timeout_ms, job->scrape_interval_ms);
	if (job->scrape_timeout_ms > job->scrape_interval_ms)
		NODE_ERROR(r, at(n, "scrape_timeout"),
			"scrape_timeout: must be at most scrape_interval");
	while (job->pprof_path.len > 1 && job->pprof_path.p[job->pprof_path.len - 1] == '/')
		job->pprof_path =
			arena_str(r->a, str_sub(job->pprof_path, 0, job->pprof_path.len - 1));
	if (job->load_metric.len && job->metrics_path.len == 0)
		NODE_ERROR(r, at(n, "load_metric"),
			"load_metric: there are no metrics (metrics_path is \"\")");
	if (job->authorization.credentials_file.len && job->basic_auth.username.len)
		NODE_ERROR(r, at(n, "basic_auth"), "authorization or basic_auth, not both");
	if (node_get(n, "tls_config") && job->scheme == CONFIG_HTTP)
		config_warning(r->errs, at(n, "tls_config")->line, at(n, "tls_config")->column,
			"tls_config: has no effect with scheme: http");
	check_targets(r, n, job);
}

void config_check_match(struct reader *r, const struct node *n, void *object)
{
	if (config_match_empty(object))
		NODE_ERROR(
			r, n, "needs at least one of mentions, entry, top, file, wait, label, not");
}

void config_check_expect(struct reader *r, const struct node *n, void *object)
{
	const struct rule *rule = object;

	if (isnan(rule->expect_max) == (rule->expect_metric.len == 0))
		NODE_ERROR(r, n, "expect: needs max or max_metric, and not both");
	if (rule->expect_metric.len == 0 && (rule->expect_factor != 1 || rule->expect_slack != 0))
		NODE_ERROR(r, n, "expect: factor and slack belong to max_metric");
}

/* The message begins with the pattern's "line:column: ". */
static void tell_pattern(struct reader *r, const struct node *n, const char *msg)
{
	char *end;
	unsigned long line = strtoul(msg, &end, 10), column = 0;

	if (end != msg && *end == ':') {
		msg = end + 1;
		column = strtoul(msg, &end, 10);
	}
	if (column && end[0] == ':' && end[1] == ' ')
		config_error(r->errs, (uint32_t)line, (uint32_t)column, "%s", end + 2);
	else
		NODE_ERROR(r, n, "%s", msg);
}

static const struct rule *find_builtin(const struct reader *r, struct str name)
{
	for (size_t i = 0; i < r->nbuiltin_rules; i++) {
		if (str_eq(r->builtin_rules[i].name, name))
			return &r->builtin_rules[i];
	}
	return NULL;
}

void config_check_rule(struct reader *r, const struct node *n, void *object)
{
	struct rule *rule = object;
	const struct rule *builtin = find_builtin(r, rule->name);
	struct classifier *c;
	struct err err = ERR_INIT;

	rule->builtin = r->builtin;
	if (r->builtin)
		return; /* ours: a test holds them to all this */
	if (config_match_empty(&rule->match) && !builtin)
		NODE_ERROR(r, n,
			"match is missing: only a rule with the name of a built-in one may "
			"leave it out");
	else if (config_match_empty(&rule->match) && !node_get(n, "ignore"))
		rule->ignore = builtin->ignore;
	c = classifier_new(rule, 1, &err);
	if (!c)
		tell_pattern(r, n, err.msg);
	classifier_free(c);
}

void config_check_detect(struct reader *r, const struct node *n, void *object)
{
	const struct config *c = object;
	const struct node *window = node_get(n, "window");

	if (window && c->detect.window_s != 120)
		config_warning(r->errs, window->key_line, window->key_column,
			"window: the detector's clock runs %.0f times as fast: for tests and "
			"demonstrations only",
			120 / c->detect.window_s);
}

void config_check_retention(struct reader *r, const struct node *n, void *object)
{
	const struct config *c = object;

	if (c->retention_raw_ms > c->retention_5m_ms || c->retention_5m_ms > c->retention_1h_ms)
		NODE_ERROR(r, n, "retention: raw may not be longer than 5m, nor 5m than 1h");
}

void config_check_url_or_file(struct reader *r, const struct node *n, void *object)
{
	(void)object;
	if (!node_get(n, "url") == !node_get(n, "url_file"))
		NODE_ERROR(r, n, "needs url or url_file, and not both");
	if (node_get(n, "authorization") && node_get(n, "basic_auth"))
		NODE_ERROR(r, at(n, "basic_auth"), "authorization or basic_auth, not both");
}

void config_check_alert_rule(struct reader *r, const struct node *n, void *object)
{
	const struct config_alert_rule *rule = object;
	const char *names[ALERT_KINDS], *near;

	check_reserved(r, node_get(n, "labels"), true);
	if (alert_kind_of_name(rule->name) != ALERT_KINDS)
		return;
	for (unsigned i = 0; i < ALERT_KINDS; i++)
		names[i] = alert_kind_name((enum alert_kind)i);
	near = suggest(rule->name, names, ALERT_KINDS);
	config_error(r->errs, n->key_line, n->key_column, "there is no alert \"%.*s\"%s%s%s",
		STR_ARG(rule->name), near ? ": did you mean \"" : "", near ? near : "",
		near ? "\"?" : "");
}

void config_check_receiver(struct reader *r, const struct node *n, void *object)
{
	const struct node *match = node_get(n, "match");

	(void)object;
	for (const struct node *l = match ? match->first : NULL; l; l = l->next) {
		if (!config_label_name_ok(l->key))
			config_error(r->errs, l->key_line, l->key_column,
				"match: \"%.*s\" is no label name: letters, digits and _ only",
				STR_ARG(l->key));
	}
}

void config_check_alerting(struct reader *r, const struct node *n, void *object)
{
	const struct config *c = object;

	check_unique(
		r, node_get(n, "receivers"), c->receivers, c->nreceivers, sizeof(*c->receivers));
}

void config_check_root(struct reader *r, const struct node *n, void *object)
{
	const struct config *c = object;
	size_t targets = 0;

	check_unique(r, node_get(n, "scrape_configs"), c->jobs, c->njobs, sizeof(*c->jobs));
	check_unique(r, node_get(n, "classes"), c->own_rules, c->nown_rules, sizeof(*c->own_rules));
	for (size_t i = 0; i < c->njobs; i++) {
		for (size_t s = 0; s < c->jobs[i].nstatics; s++)
			targets += c->jobs[i].statics[s].targets.n;
	}
	if (targets > c->targets_max)
		NODE_ERROR(r, at(n, "scrape_configs"), "%zu targets: limits.targets is %llu",
			targets, (unsigned long long)c->targets_max);
}
