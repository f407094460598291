/*
 * Any bytes as a dump, all the way to the report: names in normal form stay so when they are made
 * again, class names keep their limit, counts add up, the JSON reads back and the text holds no
 * control character.
 */
#include "config.h"
#include "report.h"
#include "stack.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct classifier *classifier;

static void check_names(struct arena *a, struct str func)
{
	struct str once = stack_name(a, func), plain = stack_plain_name(a, func);

	if (once.len > func.len + 8 * 1024 || plain.len > once.len + sizeof("init"))
		abort();
	/* Vendored paths and wrappers may be nested: once is enough for what compilers print. */
	stack_plain_name(a, plain);
	stack_is_std(once);
}

static void group_cb(void *arg, const struct group *g)
{
	struct gdump_sink *report = arg;
	struct arena a = ARENA_INIT;
	struct stack s;

	for (size_t i = 0; i < g->nframes; i++)
		check_names(&a, g->frames[i].func);
	stack_from_group(&a, g, (g->id & 1) != 0, &s);
	if (stack_class_name(&a, &s).len > STACK_CLASS_NAME_MAX || s.nframes > g->nframes)
		abort();
	arena_release(&a);
	report->group(report->arg, g);
}

static void check_json(const struct report *r, const struct gdump_stats *stats)
{
	struct buf out = BUF_INIT;
	json_t *doc = report_json(r), *back, *classes;
	uint64_t sum = 0;

	json_write(doc, &out);
	back = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!back)
		abort();
	classes = json_object_get(back, "classes");
	for (size_t i = 0; i < json_array_size(classes); i++)
		sum += (uint64_t)json_integer_value(
			json_object_get(json_array_get(classes, i), "count"));
	if (sum != stats->parsed)
		abort();
	json_decref(back);
	json_decref(doc);
	buf_release(&out);
}

static void check_text(const struct report *r)
{
	struct report_view view = {.name = STR_LIT("x"), .classes = 5, .columns = 80};
	struct buf out = BUF_INIT;

	report_text(r, &view, &out);
	for (size_t i = 0; i < out.len; i++) {
		if (((unsigned char)out.p[i] < 0x20 && out.p[i] != '\n') || out.p[i] == 0x7f)
			abort();
	}
	buf_reset(&out);
	report_suggest(r, 10, &out);
	buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct arena rules_arena;
	struct report *r;
	struct gdump_sink inner, sink = {.group = group_cb};
	struct gdump *g;

	if (!classifier) {
		struct config_errors errs;
		struct rule *rules;
		size_t n;

		config_errors_init(&errs);
		if (config_parse_rules(
			    str_of(builtin_rules_yaml), true, &rules_arena, &rules, &n, &errs) != 0)
			abort();
		classifier = classifier_new(rules, n, NULL);
		config_errors_release(&errs);
	}
	r = report_new(classifier, true);
	inner = report_sink(r);
	sink.arg = &inner;
	g = gdump_new(&sink);
	gdump_feed(g, (const char *)data, size);
	gdump_finish(g, NULL);
	report_end(r, gdump_stats(g));
	check_json(r, gdump_stats(g));
	check_text(r);
	gdump_free(g);
	report_free(r);
	return 0;
}
