/* The report as JSON: the keys are a contract. */
#include "report_internal.h"

#include "stack.h"

#include <math.h>

static void set_count(json_t *o, const char *key, uint64_t n)
{
	json_object_set_new(o, key, json_integer((json_int_t)n));
}

enum row_kind { FUNCTION_ROW, STATE_ROW, STATE_MINUTES_ROW, STUCK_ROW, LOCATION_ROW };

static json_t *row_json(const struct counted *row, enum row_kind kind)
{
	bool state = kind != FUNCTION_ROW && kind != LOCATION_ROW;
	json_t *o = json_object();

	json_object_set_new(o, state ? "state" : "function", json_str(row->name));
	if (kind == LOCATION_ROW) {
		json_object_set_new(o, "file", json_str(row->file));
		set_count(o, "line", row->line);
	}
	if (kind == STATE_MINUTES_ROW)
		set_count(o, "minutes", row->minutes);
	set_count(o, "count", row->count);
	if (kind == STUCK_ROW)
		set_count(o, "oldest_minutes", row->minutes);
	return o;
}

static json_t *table_json(const struct table *t, enum row_kind kind)
{
	json_t *list = json_array();

	for (size_t i = 0; i < t->n; i++)
		json_array_append_new(list, row_json(t->sorted[i], kind));
	return list;
}

static json_t *waiting_json(const uint64_t *waiting)
{
	static const char *const keys[WAITING] = {"over_1m", "over_10m", "over_1h", "over_1d"};
	json_t *o = json_object();

	for (int i = 0; i < WAITING; i++)
		set_count(o, keys[i], waiting[i]);
	return o;
}

static json_t *stack_json(struct str example)
{
	json_t *list = json_array();
	struct str line;

	while (str_line(&example, &line))
		json_array_append_new(list, json_str(line));
	return list;
}

static json_t *rate_json(const struct report *r, const struct report_class *c)
{
	struct buf basis = BUF_INIT;
	json_t *o;

	if (c->rate.from == RATE_UNTOLD)
		return json_null();
	o = json_object();
	report_add_basis(r, c, &basis);
	json_object_set_new(o, "estimate", json_num(c->rate.rate_per_hour));
	json_object_set_new(o, "low", json_num(c->rate.low));
	json_object_set_new(o, "high", json_num(c->rate.high));
	json_object_set_new(o, "basis", json_str(buf_str(&basis)));
	buf_release(&basis);
	return o;
}

/* Null where the format prints no ages, or none has waited for long. */
static json_t *ages_json(const struct report *r, const struct report_class *c)
{
	const struct ages_estimate *e = &c->estimate;
	struct buf words = BUF_INIT;
	json_t *o, *bins;

	if (!report_has_ages(r) || e->old == 0)
		return json_null();
	o = json_object();
	bins = json_array();
	ages_words(e, &words);
	json_object_set_new(o, "verdict", json_string(ages_verdict_name(e->verdict)));
	json_object_set_new(o, "reason", json_str(buf_str(&words)));
	set_count(o, "over_10m", e->old);
	set_count(o, "start_up", e->start_up);
	for (int i = 0; i < AGES_BINS && e->bins_told; i++) {
		json_t *bin = json_object();

		json_object_set_new(bin, "from_minutes", json_num(ages_bin_edge(e, i)));
		json_object_set_new(bin, "to_minutes", json_num(ages_bin_edge(e, i + 1)));
		set_count(bin, "count", e->bins[i]);
		json_array_append_new(bins, bin);
	}
	json_object_set_new(o, "bins", bins);
	buf_release(&words);
	return o;
}

static json_t *expect_json(const struct report_class *c)
{
	struct report_expect x = report_expect(c);
	json_t *o;

	if (x.kind == EXPECT_NOTHING)
		return json_null();
	o = json_object();
	set_count(o, "found", c->count);
	if (x.kind == EXPECT_MAX) {
		json_object_set_new(o, "max", json_num(x.most));
		json_object_set_new(o, "excess", json_num(x.excess));
	} else {
		json_object_set_new(o, "max_metric", json_str(c->rule->expect_metric));
		json_object_set_new(o, "factor", json_num(c->rule->expect_factor));
		json_object_set_new(o, "slack", json_num(c->rule->expect_slack));
	}
	return o;
}

static json_t *change_json(const struct report *r, const struct report_class *c)
{
	const struct compare_change *x = &c->change;
	json_t *o = json_object();

	set_count(o, "old", x->old);
	json_object_set_new(o, "change", json_integer((json_int_t)x->now - (json_int_t)x->old));
	if (x->by_id) {
		set_count(o, "stayed", x->stayed);
		set_count(o, "gone", x->old - x->stayed);
		set_count(o, "new", x->now - x->stayed);
		json_object_set_new(o, "stay",
			x->waited ? json_num((double)x->waited_stayed / (double)x->waited)
				  : json_null());
		json_object_set_new(o, "nobody_leaves", json_boolean(report_nobody_leaves(r, c)));
	}
	return o;
}

static json_t *baseline_json(const struct report *r)
{
	const struct compare *c = r->baseline;
	uint64_t old = compare_total(c, COMPARE_OLD);
	json_t *o = json_object(), *gone = json_array();

	json_object_set_new(o, "source", json_str(r->baseline_name));
	json_object_set_new(
		o, "format", json_string(gdump_format_name(compare_format(c, COMPARE_OLD))));
	set_count(o, "total", old);
	json_object_set_new(
		o, "change", json_integer((json_int_t)report_total(r) - (json_int_t)old));
	json_object_set_new(o, "one_process", json_boolean(compare_one_process(c)));
	json_object_set_new(
		o, "gap_minutes", isnan(r->gap.minutes) ? json_null() : json_num(r->gap.minutes));
	set_count(o, "gap_goroutines", r->gap.agree);
	for (size_t i = 0; i < compare_changes(c); i++) {
		struct compare_change x = compare_change_at(c, i);
		json_t *row;

		if (x.now > 0)
			continue;
		row = json_object();
		json_object_set_new(row, "class", json_str(x.class_name));
		set_count(row, "old", x.old);
		json_array_append_new(gone, row);
	}
	json_object_set_new(o, "gone_classes", gone);
	return o;
}

static json_t *locks_json(const struct report *r)
{
	json_t *list = json_array();

	for (size_t i = 0; i < r->locks.n; i++) {
		const struct counted *row = r->locks.sorted[i];
		json_t *o = json_object();

		json_object_set_new(o, "lock", json_str(row->name));
		set_count(o, "count", row->count);
		set_count(o, "oldest_minutes", row->minutes);
		json_object_set_new(o, "function", json_str(row->place));
		json_object_set_new(o, "file", json_str(row->file));
		set_count(o, "line", row->line);
		json_array_append_new(list, o);
	}
	return list;
}

static json_t *callers_json(const struct report *r)
{
	json_t *list = json_array();

	for (int d = 0; d < CALLER_DOINGS; d++) {
		const struct table *t = &r->callers[d];

		for (size_t i = 0; i < t->n; i++) {
			json_t *o = row_json(t->sorted[i], LOCATION_ROW);

			json_object_set_new(
				o, "doing", json_string(caller_doing_name((enum caller_doing)d)));
			set_count(o, "oldest_minutes", t->sorted[i]->minutes);
			json_array_append_new(list, o);
		}
	}
	return list;
}

static json_t *class_json(const struct report *r, const struct report_class *c)
{
	double share = r->stats.parsed ? (double)c->count / (double)r->stats.parsed : 0;
	json_t *o = json_object();

	json_object_set_new(o, "class", json_str(c->name));
	set_count(o, "count", c->count);
	json_object_set_new(o, "share", json_num(round(share * 10000) / 10000));
	set_count(o, "oldest_minutes", c->oldest_minutes);
	json_object_set_new(o, "states", table_json(&c->states, STATE_ROW));
	json_object_set_new(o, "entries", table_json(&c->entries, FUNCTION_ROW));
	json_object_set_new(o, "created_by", table_json(&c->created_by, FUNCTION_ROW));
	json_object_set_new(o, "locations", table_json(&c->locations, LOCATION_ROW));
	json_object_set_new(o, "stack", stack_json(c->example));
	json_object_set_new(o, "rate_per_hour", rate_json(r, c));
	json_object_set_new(o, "ages", ages_json(r, c));
	json_object_set_new(o, "expect", expect_json(c));
	if (r->baseline)
		json_object_set_new(o, "baseline", change_json(r, c));
	json_object_set_new(o, "hint", c->rule ? json_str(c->rule->hint) : json_string(""));
	return o;
}

static json_t *head_json(const struct report *r)
{
	json_t *o = json_object();

	json_object_set_new(o, "format", json_string(gdump_format_name(r->stats.format)));
	if (r->stats.format == GDUMP_COUNT)
		json_object_set_new(o, "profile", json_string(r->stats.profile));
	set_count(o, "total", report_total(r));
	set_count(o, "parsed", r->stats.parsed);
	set_count(o, "duplicates", r->stats.duplicates);
	set_count(o, "lost", r->stats.lost);
	json_object_set_new(o, "truncated", json_boolean(r->stats.truncated));
	return o;
}

json_t *report_json(const struct report *r)
{
	json_t *o = head_json(r), *classes = json_array();

	json_object_set_new(o, "states", table_json(&r->states, STATE_MINUTES_ROW));
	json_object_set_new(o, "waiting", waiting_json(r->waiting));
	for (size_t i = 0; i < r->nclasses; i++)
		json_array_append_new(classes, class_json(r, r->sorted[i]));
	json_object_set_new(o, "classes", classes);
	json_object_set_new(o, "entries", table_json(&r->entries, FUNCTION_ROW));
	json_object_set_new(o, "created_by", table_json(&r->created_by, FUNCTION_ROW));
	json_object_set_new(o, "stuck", table_json(&r->stuck, STUCK_ROW));
	json_object_set_new(o, "findings", report_findings_json(r));
	json_object_set_new(o, "callers", callers_json(r));
	json_object_set_new(o, "locks", locks_json(r));
	if (r->baseline)
		json_object_set_new(o, "baseline", baseline_json(r));
	return o;
}

json_t *report_classes_json(const struct report *r)
{
	json_t *o = head_json(r), *classes = json_array();

	for (size_t i = 0; i < r->nclasses; i++) {
		json_t *c = class_json(r, r->sorted[i]);

		json_object_set_new(c, "waiting", waiting_json(r->sorted[i]->waiting));
		json_object_set_new(c, "stuck", table_json(&r->sorted[i]->stuck, STUCK_ROW));
		json_array_append_new(classes, c);
	}
	json_object_set_new(o, "classes", classes);
	return o;
}
