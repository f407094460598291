#include "config_sd.h"

#include "config_internal.h"
#include "json.h"

#include <string.h>

/* ---- single values, from either format ---- */

static int check_address(struct str s, bool local, struct err *err)
{
	if (s.len > 512 || memchr(s.p, '\0', s.len))
		return err_set(err, "a target's address is too long, or has a NUL in it");
	if (str_starts(s, STR("unix:")) && !local)
		return err_set(err,
			"\"%.*s\": a socket of this host may only be named with allow_local: true",
			STR_ARG(s));
	return config_check_target(s, err);
}

/* "__meta_…" and the like are for relabelling; the others become labels of alerts. */
static int check_label(struct str key, struct str value, struct err *err)
{
	static const char *const reserved[] = {"alertname", "class", "severity"};

	if (config_check_label_name(key, err))
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (str_is(key, reserved[i]))
			return err_set(
				err, "the label \"%.*s\" is set by leakwatch itself", STR_ARG(key));
	}
	if (memchr(value.p, '\0', value.len))
		return err_set(err, "the label \"%.*s\" has a NUL in it", STR_ARG(key));
	return 0;
}

static void make_group(struct arena *a, struct config_static *g, size_t ntargets, size_t nlabels)
{
	g->targets.v = arena_calloc(a, ntargets + 1, sizeof(*g->targets.v));
	g->labels.v = arena_calloc(a, nlabels + 1, sizeof(*g->labels.v));
}

static int add_target(
	struct arena *a, struct config_static *g, struct str s, bool local, struct err *err)
{
	if (check_address(s, local, err))
		return -1;
	g->targets.v[g->targets.n++] = arena_str(a, s);
	return 0;
}

static int add_label(
	struct arena *a, struct config_static *g, struct str key, struct str value, struct err *err)
{
	if (check_label(key, value, err))
		return -1;
	g->labels.v[g->labels.n++] =
		(struct label){.key = arena_str(a, key), .value = arena_str(a, value)};
	return 0;
}

/* ---- JSON ---- */

static struct str text_of(const json_t *v)
{
	return str_n(json_string_value(v), json_string_length(v));
}

static int json_group(
	json_t *group, bool local, struct arena *a, struct config_static *out, struct err *err)
{
	json_t *targets = json_object_get(group, "targets");
	json_t *labels = json_object_get(group, "labels"), *v;
	const char *key;
	size_t i;

	if (!json_is_array(targets) || (labels && !json_is_object(labels)) ||
		json_object_size(group) != (labels ? 2 : 1))
		return err_set(err, "is not {\"targets\": [\"host:port\"], \"labels\": {}}");
	make_group(a, out, json_array_size(targets), json_object_size(labels));
	json_array_foreach(targets, i, v)
	{
		if (!json_is_string(v))
			return err_set(err, "target %zu is no string", i + 1);
		if (add_target(a, out, text_of(v), local, err))
			return -1;
	}
	json_object_foreach(labels, key, v)
	{
		if (!json_is_string(v))
			return err_set(err, "the label \"%.100s\" is no string", key);
		if (add_label(a, out, str_of(key), text_of(v), err))
			return -1;
	}
	return 0;
}

static int too_many(const struct config_sd *sd, struct err *err)
{
	size_t targets = 0;

	for (size_t i = 0; i < sd->n; i++)
		targets += sd->v[i].targets.n;
	if (targets > CONFIG_SD_TARGETS_MAX)
		return err_set(
			err, "%zu targets; at most %d are read", targets, CONFIG_SD_TARGETS_MAX);
	return 0;
}

int config_sd_json(
	struct str text, bool local, struct arena *a, struct config_sd *out, struct err *err)
{
	json_t *doc = json_read(text, err), *group;
	int rc = doc ? 0 : -1;
	size_t i;

	*out = (struct config_sd){0};
	if (doc && !json_is_array(doc))
		rc = err_set(err, "is no list of groups of targets");
	if (rc == 0)
		out->v = arena_calloc(a, json_array_size(doc) + 1, sizeof(*out->v));
	json_array_foreach(doc, i, group)
	{
		if (rc == 0 && json_group(group, local, a, &out->v[out->n++], err))
			rc = err_wrap(err, "group %zu", i + 1);
	}
	json_decref(doc);
	return rc ? rc : too_many(out, err);
}

/* ---- YAML ---- */

static int wrong_at(const struct node *n, struct err *err)
{
	return err_wrap(err, "%u:%u", n->line, n->column);
}

static int yaml_group(const struct node *group, bool local, struct arena *a,
	struct config_static *out, struct err *err)
{
	const struct node *targets = group->kind == NODE_MAP ? node_get(group, "targets") : NULL;
	const struct node *labels = group->kind == NODE_MAP ? node_get(group, "labels") : NULL;

	if (!targets || targets->kind != NODE_LIST || (labels && labels->kind != NODE_MAP) ||
		group->n != (labels ? 2u : 1u)) {
		err_set(err, "is not a mapping of targets, a list, and labels, a mapping");
		return wrong_at(group, err);
	}
	make_group(a, out, targets->n, labels ? labels->n : 0);
	for (const struct node *v = targets->first; v; v = v->next) {
		if (v->kind != NODE_SCALAR)
			err_set(err, "is no address");
		else if (add_target(a, out, v->text, local, err) == 0)
			continue;
		return wrong_at(v, err);
	}
	for (const struct node *v = labels ? labels->first : NULL; v; v = v->next) {
		if (v->kind != NODE_SCALAR)
			err_set(err, "is no text");
		else if (add_label(a, out, v->key, v->text, err) == 0)
			continue;
		return wrong_at(v, err);
	}
	return 0;
}

static int yaml_groups(const struct node *root, bool local, struct arena *a, struct config_sd *out,
	struct err *err)
{
	if (root->kind != NODE_LIST)
		return err_set(err, "is no list of groups of targets");
	out->v = arena_calloc(a, root->n + 1, sizeof(*out->v));
	for (const struct node *g = root->first; g; g = g->next) {
		if (yaml_group(g, local, a, &out->v[out->n++], err))
			return -1;
	}
	return too_many(out, err);
}

int config_sd_yaml(
	struct str text, bool local, struct arena *a, struct config_sd *out, struct err *err)
{
	struct arena scratch = ARENA_INIT;
	struct config_errors errs;
	const struct node *root;
	int rc = -1;

	*out = (struct config_sd){0};
	config_errors_init(&errs);
	root = config_yaml_read(text, &scratch, &errs);
	if (root && errs.errors == 0)
		rc = yaml_groups(root, local, a, out, err);
	else if (errs.n)
		err_set(err, "%u:%u: %.*s", errs.v[0].line, errs.v[0].column,
			STR_ARG(errs.v[0].text));
	config_errors_release(&errs);
	arena_release(&scratch);
	return rc;
}
