/* Who continues whom when instances of one lineage come and go. */
#include "config.h"
#include "pipeline.h"
#include "store_batch.h"
#include "xalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS 60000
#define NAMES_MAX 8

static struct store_batch *begin_cb(void *arg)
{
	(void)arg;
	return store_batch_new();
}

static bool commit_cb(void *arg, struct store_batch *b)
{
	(void)arg;
	store_batch_free(b);
	return true;
}

static void cleared_cb(void *arg, const struct alert *a)
{
	(void)arg;
	(void)a;
}

static void change_cb(void *arg, const struct alert *a, enum alert_state old, const char *why)
{
	(void)arg;
	(void)a;
	(void)old;
	(void)why;
}

/* Targets by the letter of their instance, and whose history each has. */
struct fleet {
	struct config *config;
	struct alert_table *alerts;
	struct pipeline *p;
	struct store_maxima ids;
	struct target *now['z' + 1];
	struct target *born['z' + 1]; /* the history that began with that instance */
	int64_t now_ms;
};

static void fleet_init(struct fleet *f, const char *lineage)
{
	struct pipeline_events events = {
		.begin = begin_cb, .commit = commit_cb, .cleared = cleared_cb};
	char *text = xasprintf("scrape_configs:\n"
			       "  - job_name: shop\n"
			       "    lineage: %s\n"
			       "    static_configs: [{targets: ['h:1']}]\n",
		lineage);
	struct config_errors errs;
	struct err err;

	memset(f, 0, sizeof(*f));
	config_errors_init(&errs);
	f->config = config_parse(str_of(text), "f", &errs);
	assert_non_null(f->config);
	config_errors_release(&errs);
	free(text);
	f->alerts = alert_table_new(change_cb, NULL);
	f->p = pipeline_new(f->config, f->alerts, &f->ids, &events, &err);
	assert_non_null(f->p);
	f->now_ms = 1700000000000;
}

static void fleet_release(struct fleet *f)
{
	pipeline_free(f->p);
	alert_table_free(f->alerts);
	config_free(f->config);
}

/* Small letters are of service "shop", capitals of service "till", digits of none. */
static void come(struct fleet *f, char c)
{
	struct label label = {STR("service"), c >= 'a' ? STR("shop") : STR("till")};
	struct config_labels labels = {.v = &label, .n = c >= 'A'};
	struct target *t;
	struct err err;

	t = pipeline_add(f->p, &f->config->jobs[0], str_n(&c, 1), &labels, f->now_ms, &err);
	assert_non_null(t);
	f->now[(int)c] = t;
	for (int i = 0; i <= 'z'; i++) {
		if (f->born[i] == t)
			return;
	}
	f->born[(int)c] = t;
}

static void leave(struct fleet *f, char c)
{
	struct target *t = f->now[(int)c], *heir = pipeline_heir(t, f->now_ms);
	char name;

	f->now[(int)c] = NULL;
	if (!heir) {
		pipeline_remove(t, f->now_ms);
		return;
	}
	name = pipeline_target_instance(heir)[0];
	assert_ptr_equal(f->now[(int)name], heir);
	pipeline_continue(t, heir, f->now_ms);
	f->now[(int)name] = t;
	f->born[(int)name] = NULL;
	assert_int_equal(pipeline_target_instance(t)[0], name);
}

static void sweep(struct fleet *f)
{
	size_t n = pipeline_targets(f->p);

	pipeline_sweep(f->p, f->now_ms);
	assert_int_equal(pipeline_targets(f->p), n);
	for (int b = 0; b <= 'z'; b++) { /* what left is freed, and its address free for others */
		int c = 0;

		while (c <= 'z' && f->now[c] != f->born[b])
			c++;
		if (c > 'z')
			f->born[b] = NULL;
	}
}

/*
 * A story: "+a" comes, "-a" leaves, "." a minute passes, "!" sixteen do and what left is forgotten.
 * want: for each that is there at the end, whose history it has.
 */
static const struct {
	const char *what, *lineage, *story, *want;
} rows[] = {
	{"the new one first, as a rolling update does", "[service]", "+a.+b.-a", "b:a"},
	{"the old one first", "[service]", "+a.-a.+b", "b:a"},
	{"both in one list", "[service]", "+a.+b-a", "b:a"},
	{"replicas, one after the other", "[service]", "+a+b.+c.-a.+d.-b", "c:a d:b"},
	{"all at once", "[service]", "+a+b.+c+d-a-b", "c:a d:b"},
	{"the one that left last is taken first", "[service]", "+a+b.-a.-b.+c+d", "c:b d:a"},
	{"one heir each: the third begins anew", "[service]", "+a+b.-a-b.+c+d+e", "c:a d:b e:e"},
	{"one to continue each: the second's history ends", "[service]", "+a+b.+c.-a.-b", "c:a"},
	{"a deploy after the other", "[service]", "+a.+b.-a.+c.-b.+d.-c", "d:a"},
	{"one that is there for long is nobody's heir", "[service]", "+a.+b!-a", "b:b"},
	{"one that left long ago is forgotten without a store", "[service]", "+a.-a!+b", "b:b"},
	{"another service", "[service]", "+a.+B.-a", "B:B"},
	{"another service, after", "[service]", "+a.-a.+B", "B:B"},
	{"without the label there is no line", "[service]", "+1.+2.-1", "2:2"},
	{"without lineage", "[]", "+a.+b.-a", "b:b"},
	{"the same name comes back to its own", "[service]", "+a+b.-a-b.+a", "a:a"},
	{"the job alone would be a line of all: it has no value", "[instance]", "+a.+b.-a", "b:b"},
	{"one of two that began together leaves", "[service]", "+a+b.-a", "b:b"},
	{"an older one is no heir of a younger", "[service]", "+a.+b.-b", "a:a"},
};

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fleet f;
		char got[200] = "";

		fleet_init(&f, rows[i].lineage);
		for (const char *s = rows[i].story; *s; s++) {
			if (*s == '+')
				come(&f, *++s);
			else if (*s == '-')
				leave(&f, *++s);
			else
				f.now_ms += *s == '.' ? MINUTE_MS : 17 * MINUTE_MS;
			if (*s == '!')
				sweep(&f);
		}
		for (int c = 0; c <= 'z'; c++) {
			for (int b = 0; f.now[c] && b <= 'z'; b++) {
				if (f.born[b] == f.now[c])
					snprintf(got + strlen(got), sizeof(got) - strlen(got),
						"%s%c:%c", got[0] ? " " : "", c, b);
			}
		}
		if (strcmp(got, rows[i].want) != 0)
			fail_msg("%s: %s gives \"%s\", not \"%s\"", rows[i].what, rows[i].story,
				got, rows[i].want);
		fleet_release(&f);
	}
}

/* An alert that stands goes along, under the labels it has. */
static void test_alerts_go_along(void **state)
{
	const struct label labels[] = {{STR("job"), STR("shop")}, {STR("instance"), STR("a")},
		{STR("class"), STR("c")}, {STR("service"), STR("shop")}};
	struct alert_labels none = ALERT_LABELS_INIT;
	const struct alert *leak, *down;
	struct fleet f;
	struct err err;

	(void)state;
	fleet_init(&f, "[service]");
	come(&f, 'a');
	leak = alert_raise(f.alerts, ALERT_GOROUTINE_LEAK, labels, 4, &none, "", f.now_ms, &err);
	assert_non_null(
		alert_raise(f.alerts, ALERT_TARGET_DOWN, labels, 2, &none, "", f.now_ms, &err));
	f.now_ms += 2 * 3600000;
	come(&f, 'b');
	leave(&f, 'a');
	assert_string_equal(alert_labels_get(&leak->labels, "instance").p, "a");
	assert_string_equal(alert_labels_get(&leak->annotations, "continued_in").p, "b");
	assert_true(leak->holds);
	/* What was said of the process itself ended with it. */
	down = alert_find(f.alerts, ALERT_TARGET_DOWN, labels, 2);
	assert_null(down);
	/* It is b's now: without an heir it ends as b's alerts do. */
	leave(&f, 'b');
	assert_false(leak->holds);
	assert_int_equal(leak->end, ALERT_END_REMOVED);
	fleet_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_alerts_go_along),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
