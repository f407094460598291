/* The built-in rules behind the file's. */
#include "config_internal.h"

#include <math.h>

bool config_match_empty(const struct match *m)
{
	return m->mentions.n + m->entry.n + m->top.n + m->file.n + m->nlabels == 0 &&
	       m->waits == 0 && !m->not_match;
}

static const struct rule *find(const struct rule *rules, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (str_eq(rules[i].name, name))
			return &rules[i];
	}
	return NULL;
}

/* The built-in rule with what the file's rule of that name says. */
static struct rule adjusted(const struct rule *builtin, const struct rule *own)
{
	struct rule out = *own;

	out.match = builtin->match;
	if (own->hint.len == 0)
		out.hint = builtin->hint;
	if (isnan(own->expect_max) && own->expect_metric.len == 0) {
		out.expect_max = builtin->expect_max;
		out.expect_metric = builtin->expect_metric;
		out.expect_factor = builtin->expect_factor;
		out.expect_slack = builtin->expect_slack;
	}
	if (isnan(own->limit))
		out.limit = builtin->limit;
	if (own->load_metric.len == 0)
		out.load_metric = builtin->load_metric;
	if (own->split_by.len == 0)
		out.split_by = builtin->split_by;
	return out;
}

void config_rules_merge(struct reader *r)
{
	struct config *c = r->config;
	size_t n = 0;

	c->rules = arena_calloc(r->a, c->nown_rules + r->nbuiltin_rules, sizeof(*c->rules));
	for (size_t i = 0; i < c->nown_rules; i++) {
		if (!config_match_empty(&c->own_rules[i].match))
			c->rules[n++] = c->own_rules[i];
	}
	for (size_t i = 0; i < r->nbuiltin_rules; i++) {
		const struct rule *builtin = &r->builtin_rules[i];
		const struct rule *own = find(c->own_rules, c->nown_rules, builtin->name);

		if (!own)
			c->rules[n++] = *builtin;
		else if (config_match_empty(&own->match))
			c->rules[n++] = adjusted(builtin, own);
	}
	c->nrules = n;
}
