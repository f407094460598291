#include "config.h"
#include "alert.h"
#include "config_internal.h"
#include "xalloc.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Problems of our own text would be a bug: told, so that a test sees them. */
static void read_builtin(struct reader *r)
{
	struct config_errors errs;
	struct rule *rules = NULL;

	config_errors_init(&errs);
	if (config_parse_rules(
		    str_of(builtin_rules_yaml), true, r->a, &rules, &r->nbuiltin_rules, &errs) != 0)
		config_error(r->errs, 0, 0, "built-in rules:%u: %.*s", errs.v[0].line,
			STR_ARG(errs.v[0].text));
	r->builtin_rules = rules;
	config_errors_release(&errs);
}

/* Absolute, so that what --print writes means the same in another file. */
static struct str directory_of(struct arena *a, const char *name)
{
	const char *slash = strrchr(name, '/');
	int len = slash ? (int)(slash - name) + 1 : 0;
	char cwd[PATH_MAX];

	if (name[0] == '/')
		return arena_str(a, str_n(name, (size_t)len));
	if (name[0] == 0 || !getcwd(cwd, sizeof(cwd)))
		return STR("");
	return str_of(arena_printf(a, "%s/%.*s", cwd, len, name));
}

/* A whole text into c, whose arena is ready. */
static void read_text(struct config *c, struct str text, const char *name, bool builtin,
	struct config_errors *errs)
{
	struct reader r = {.config = c, .a = &c->arena, .errs = errs, .builtin = builtin};
	struct arena scratch = ARENA_INIT;
	struct node *root;

	c->path = arena_str(&c->arena, str_of(name));
	r.dir = directory_of(&c->arena, name);
	if (!builtin)
		read_builtin(&r);
	root = config_yaml_read(text, &scratch, errs);
	if (root)
		config_decode(&r, &config_root, root, c);
	if (root && errs->errors == 0)
		config_rules_merge(&r);
	arena_release(&scratch);
	config_errors_sort(errs);
}

static struct config *config_new(void)
{
	struct config *c = xcalloc(1, sizeof(*c));

	c->arena = (struct arena)ARENA_INIT;
	return c;
}

struct config *config_parse(struct str text, const char *name, struct config_errors *errs)
{
	struct config *c = config_new();
	size_t before = errs->errors;

	read_text(c, text, name, false, errs);
	if (errs->errors > before) {
		config_free(c);
		return NULL;
	}
	return c;
}

static int read_file(const char *path, struct buf *out, struct err *err)
{
	FILE *f = fopen(path, "re");
	char piece[16384];
	size_t n;
	int rc = 0;

	if (!f)
		return err_set(err, "cannot open: %s", strerror(errno));
	while (out->len <= CONFIG_BYTES_MAX && (n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, piece, n);
	if (ferror(f))
		rc = err_set(err, "cannot read: %s", strerror(errno));
	fclose(f);
	return rc;
}

struct config *config_load(const char *path, struct config_errors *errs)
{
	struct config *c = NULL;
	struct buf text = BUF_INIT;
	struct err err = ERR_INIT;

	if (read_file(path, &text, &err) != 0) {
		config_error(errs, 0, 0, "%s", err.msg);
		errs->unreadable = true;
	} else {
		c = config_parse(buf_str(&text), path, errs);
	}
	buf_release(&text);
	return c;
}

struct config *config_default(void)
{
	struct config_errors errs;
	struct config *c;

	config_errors_init(&errs);
	c = config_parse(STR(""), "", &errs);
	config_errors_release(&errs);
	return c;
}

void config_free(struct config *c)
{
	struct arena arena;

	if (!c)
		return;
	arena = c->arena;
	arena_release(&arena);
	free(c);
}

/* The copy's strings stay in the arena the config had, which now is a's to keep. */
int config_parse_rules(struct str text, bool builtin, struct arena *a, struct rule **rules,
	size_t *n, struct config_errors *errs)
{
	struct config c = {.arena = *a};
	size_t before = errs->errors;

	read_text(&c, text, "", builtin, errs);
	*a = c.arena;
	*rules = c.own_rules;
	*n = c.nown_rules;
	return errs->errors > before ? -1 : 0;
}

static bool fits(const struct label_match *m, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(labels[i].key, m->key))
			continue;
		for (size_t v = 0; v < m->values.n; v++) {
			if (str_eq(labels[i].value, m->values.v[v].text))
				return true;
		}
	}
	return false;
}

const struct config_receiver *config_receiver_of(
	const struct config *c, const struct label *labels, size_t n)
{
	for (size_t i = 0; i < c->nreceivers; i++) {
		const struct config_receiver *r = &c->receivers[i];
		/* Heartbeats are no place for an alert; a receiver of nothing at all swallows it.
		 */
		bool all = !r->nheartbeats || r->nwebhooks || r->nsyslogs || r->nalertmanagers ||
			   r->nslacks || r->npagerduties;

		for (size_t m = 0; all && m < r->nmatch; m++)
			all = fits(&r->match[m], labels, n);
		if (all)
			return r;
	}
	return NULL;
}

void config_alert_rule(const struct config *c, enum alert_kind kind, struct alert_rule *out,
	struct str *runbook_url)
{
	*out = alert_rule_defaults[kind];
	*runbook_url = STR("");
	for (size_t i = 0; i < c->nalert_rules; i++) {
		const struct config_alert_rule *own = &c->alert_rules[i];

		if (alert_kind_of_name(own->name) != kind)
			continue;
		if (own->for_ms != CONFIG_UNSET)
			out->for_ms = own->for_ms;
		if (own->keep_firing_for_ms != CONFIG_UNSET)
			out->keep_firing_ms = own->keep_firing_for_ms;
		if (own->severity.len)
			out->severity = own->severity.p;
		out->labels = own->labels.v;
		out->nlabels = own->labels.n;
		out->annotations = own->annotations.v;
		out->nannotations = own->annotations.n;
		*runbook_url = own->runbook_url;
	}
}
