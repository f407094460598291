#include "notify.h"
#include "notify_internal.h"
#include "safe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_COLUMNS   160 /* of a function, class or file within a sentence */
#define TEXT_COLUMNS   600 /* of a hint or a reason */
#define FACT_COLUMNS   300 /* of what was found out beside the count */
#define HOUR	       3600.0
#define FORECAST_MAX_S (365 * 86400.0)

static void add_name(struct buf *out, struct str name)
{
	safe_add_cut(out, name, NAME_COLUMNS);
}

/* ---- parts of sentences; each is empty when its fact is not known ---------------------------- */

static void add_rate(struct buf *out, const struct notify_facts *f)
{
	double scale = notify_rate_scale(f->rate_per_hour, f->unit);

	if (isnan(f->rate_per_hour) || f->kind > ALERT_GOROUTINE_LIMIT)
		return;
	notify_add_rate_per(out, f->rate_per_hour, f->unit, scale);
	if (isnan(f->low) || isnan(f->high))
		return;
	buf_adds(out, " (95 %: ");
	notify_add_rate_per(out, f->low, f->unit, scale);
	buf_adds(out, " to ");
	notify_add_rate_per(out, f->high, f->unit, scale);
	buf_addc(out, ')');
}

static void add_since(struct buf *out, const struct notify_facts *f)
{
	if (f->since_ms <= 0)
		return;
	buf_adds(out, f->since_at_least ? "before " : "");
	notify_add_minute(out, f->since_ms);
	buf_adds(out, f->since_at_least ? ", at least " : ", ");
	notify_add_duration(out, (double)(f->now_ms - f->since_ms) / 1000);
	buf_adds(out, " ago");
}

/* " (95 %: 10 d to 12 d)"; an end that is not known, or not finite, is open. */
static void add_wait_range(struct buf *out, double low_s, double high_s)
{
	if (!(low_s >= 0))
		return;
	buf_adds(out, " (95 %: ");
	notify_add_duration(out, low_s);
	if (high_s >= low_s && high_s <= FORECAST_MAX_S) {
		buf_adds(out, " to ");
		notify_add_duration(out, high_s);
	} else {
		buf_adds(out, " or later");
	}
	buf_addc(out, ')');
}

/* "the limit of 10,000 is reached in 11 d (95 %: 10 d to 12 d), on …"; nothing when not known. */
static void add_ceiling(
	struct buf *out, const struct notify_ceiling *c, const struct notify_facts *f)
{
	bool over = c->in_s <= 0;

	/* A year ahead no straight line is to be believed. */
	if (isnan(c->limit) || isnan(c->in_s) || c->in_s > FORECAST_MAX_S)
		return;
	if (out->len)
		buf_adds(out, "; ");
	buf_adds(out, over ? "over " : "");
	if (c->what.len)
		add_name(out, c->what);
	else
		buf_adds(out, "the limit");
	buf_adds(out, " of ");
	notify_add_amount(out, c->limit, c->unit);
	if (over)
		return;
	buf_adds(out, " is reached in ");
	notify_add_duration(out, c->in_s);
	add_wait_range(out, c->low_s, c->high_s);
	buf_adds(out, isnan(f->lookback_s) ? " at this rate" : " if it goes on like the last ");
	if (!isnan(f->lookback_s))
		notify_add_duration(out, f->lookback_s);
	buf_adds(out, ", on ");
	notify_add_minute(out, f->now_ms + (int64_t)(c->in_s * 1000));
}

/* Seconds until left is used up: none when it shrinks. */
static double used_up_s(double left, double rate_per_hour)
{
	return left <= 0 ? 0 : rate_per_hour > 0 ? left / rate_per_hour * HOUR : NAN;
}

/* The series' own ceiling, by its rate and interval unless the caller knew better. */
static struct notify_ceiling own_ceiling(const struct notify_facts *f)
{
	double left = f->limit - f->count;

	return (struct notify_ceiling){
		.unit = f->unit,
		.limit = isnan(f->count) ? NAN : f->limit,
		.in_s = used_up_s(left, f->rate_per_hour),
		.low_s = isnan(f->limit_low_s) ? used_up_s(left, f->high) : f->limit_low_s,
		.high_s = isnan(f->limit_high_s) ? used_up_s(left, f->low) : f->limit_high_s,
	};
}

static void add_forecast(struct buf *out, const struct notify_facts *f)
{
	struct notify_ceiling own = own_ceiling(f);

	if (f->kind > ALERT_LOCK_CONVOY)
		return;
	add_ceiling(out, &own, f);
	for (size_t i = 0; i < f->nceilings; i++)
		add_ceiling(out, &f->ceilings[i], f);
}

static void add_oldest(struct buf *out, const struct notify_facts *f)
{
	if (!(f->oldest_s >= 1))
		return;
	buf_adds(out, "at least ");
	notify_add_duration(out, f->oldest_s);
}

static void add_cost(struct buf *out, double v, enum notify_unit unit)
{
	if (unit == NOTIFY_BYTES)
		notify_add_amount(out, v, unit);
	else
		buf_addf(out, "%.*f", fabs(v) < 10 ? 2 : 0, v); /* "0.97 descriptors" */
}

/* "12 KiB of memory (95 %: 10 KiB to 14 KiB)" */
static void add_cost_of(struct buf *out, const struct notify_range *r, enum notify_unit unit,
	const char *one, const char *many)
{
	if (isnan(r->value))
		return;
	if (out->len)
		buf_adds(out, " and ");
	add_cost(out, r->value, unit);
	buf_addf(out, " %s", round(r->value * 100) == 100 ? one : many);
	if (isnan(r->low) || isnan(r->high))
		return;
	buf_adds(out, " (95 %: ");
	add_cost(out, r->low, unit);
	buf_adds(out, " to ");
	add_cost(out, r->high, unit);
	buf_addc(out, ')');
}

static void add_each(struct buf *out, const struct notify_facts *f)
{
	add_cost_of(out, &f->each_bytes, NOTIFY_BYTES, "of memory", "of memory");
	add_cost_of(out, &f->each_fds, NOTIFY_DESCRIPTORS, "descriptor", "descriptors");
}

static void add_culprit(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->culprit, FACT_COLUMNS);
}

static void add_evidence(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->evidence, FACT_COLUMNS);
}

static void add_fleet(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->fleet, TEXT_COLUMNS);
}

static void add_first_seen(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->first_seen, TEXT_COLUMNS);
}

/* Where there are several instances, their sentence has it. */
static void add_first_seen_alone(struct buf *out, const struct notify_facts *f)
{
	if (f->fleet.len == 0)
		add_first_seen(out, f);
}

static void add_also(struct buf *out, const struct notify_facts *f)
{
	for (size_t i = 0; i < f->nmembers; i++) {
		const struct notify_member *m = &f->members[i];

		if (i)
			buf_adds(out, "; ");
		add_name(out, m->name);
		if (!isnan(m->rate_per_hour)) {
			buf_addc(out, ' ');
			buf_adds(out, m->rate_per_hour < 0 ? "" : "+");
			notify_add_rate(out, m->rate_per_hour, m->unit);
		}
		if (!isnan(m->count)) {
			buf_adds(out, ", ");
			notify_add_amount(out, m->count, m->unit);
			buf_adds(out, " now");
		}
		if (!isnan(m->ratio))
			buf_addf(out, ", %.2f for each", m->ratio);
	}
}

static void add_user_line(struct buf *out, const struct notify_facts *f)
{
	if (f->user.func.len == 0)
		return;
	add_name(out, f->user.func);
	if (f->user.file.len == 0)
		return;
	buf_addc(out, ' ');
	add_name(out, f->user.file);
	if (f->user.line)
		buf_addf(out, ":%" PRIu32, f->user.line);
}

/* "shop at 127.0.0.1:6060", or what is known of it */
static void add_where(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->job);
	if (f->job.len && f->instance.len)
		buf_adds(out, " at ");
	add_name(out, f->instance);
}

/* "141 goroutines" */
static void add_count(struct buf *out, const struct notify_facts *f)
{
	if (isnan(f->count))
		return;
	notify_add_amount(out, f->count, f->unit);
	if (f->unit != NOTIFY_BYTES)
		buf_adds(out, f->unit == NOTIFY_GOROUTINES ? " goroutine" : " descriptor");
	if (f->unit != NOTIFY_BYTES && round(f->count) != 1)
		buf_addc(out, 's');
}

static void add_class(struct buf *out, const struct notify_facts *f)
{
	if (f->class.len == 0)
		buf_adds(out, "goroutines");
	else
		add_name(out, f->class);
}

/* ---- summary and description ----------------------------------------------------------------- */

/* "NAME grows by 30/h, 141 goroutines now" */
static void add_growth(struct buf *out, const struct notify_facts *f, const char *verb)
{
	buf_addf(out, " %s", verb);
	if (!isnan(f->rate_per_hour)) {
		buf_adds(out, " by ");
		notify_add_rate(out, f->rate_per_hour, f->unit);
	}
	if (!isnan(f->count)) {
		buf_adds(out, ", ");
		add_count(out, f);
		buf_adds(out, " now");
	}
}

static void add_why(struct buf *out, const struct notify_facts *f)
{
	if (f->reason.len == 0)
		return;
	buf_adds(out, ": ");
	safe_add_cut(out, f->reason, TEXT_COLUMNS);
}

/* "75 goroutines of NAME wait for one lock, and become more by 30/min" */
static void add_convoy(struct buf *out, const struct notify_facts *f)
{
	if (isnan(f->count))
		buf_adds(out, "many goroutines");
	else
		add_count(out, f);
	buf_adds(out, " of ");
	add_class(out, f);
	buf_adds(out, " wait for one lock, and become more");
	if (isnan(f->rate_per_hour))
		return;
	buf_adds(out, " by ");
	notify_add_rate(out, f->rate_per_hour, f->unit);
}

static void add_over_limit(struct buf *out, const struct notify_facts *f)
{
	add_class(out, f);
	buf_adds(out, " has ");
	add_count(out, f);
	if (!isnan(f->limit)) {
		buf_adds(out, ", over its ceiling of ");
		notify_add_integer(out, f->limit);
	}
}

static void add_summary(struct buf *out, const struct notify_facts *f)
{
	add_where(out, f);
	if (out->len)
		buf_adds(out, ": ");
	switch (f->kind) {
	case ALERT_GOROUTINE_LEAK:
		add_class(out, f);
		add_growth(out, f, f->class.len ? "leaks: grows" : "leak: they grow");
		break;
	case ALERT_MEMORY_LEAK:
		buf_adds(out, "memory");
		add_growth(out, f, "leaks: grows");
		break;
	case ALERT_FD_LEAK:
		buf_adds(out, "open file descriptors");
		add_growth(out, f, "leak: they grow");
		break;
	case ALERT_BLOCKED_FOREVER:
		add_class(out, f);
		add_growth(out, f,
			f->class.len ? "blocks for ever: grows" : "block for ever: they grow");
		break;
	case ALERT_LOCK_CONVOY:
		add_convoy(out, f);
		break;
	case ALERT_GOROUTINE_LIMIT:
		add_over_limit(out, f);
		break;
	case ALERT_STUCK_GOROUTINES:
		add_count(out, f);
		buf_adds(out, " of ");
		add_class(out, f);
		buf_adds(out, round(f->count) == 1 ? " is" : " are");
		buf_adds(out, " stuck: waiting for a mutex at one place");
		break;
	case ALERT_TARGET_DOWN:
		buf_adds(out, "cannot be scraped");
		add_why(out, f);
		break;
	case ALERT_DUMP_UNREADABLE:
		buf_adds(out, "its goroutine profile cannot be read");
		add_why(out, f);
		break;
	case ALERT_STORAGE_DAMAGED:
		buf_adds(out, "leakwatch's history is damaged");
		add_why(out, f);
		break;
	default:
		buf_adds(out, "leakwatch cannot write its database");
		add_why(out, f);
		break;
	}
}

/* Adds a line: `before`, the part that add writes, and a full stop; nothing when the part is empty.
 */
static void add_sentence(struct buf *out, const char *before, const struct notify_facts *f,
	void (*add)(struct buf *, const struct notify_facts *))
{
	struct buf part = BUF_INIT;
	struct str text;

	add(&part, f);
	text = str_trim(buf_str(&part));
	if (text.len) {
		buf_addf(out, "%s%s", out->len ? "\n" : "", before);
		buf_addstr(out, text);
		if (text.p[text.len - 1] != '.')
			buf_addc(out, '.');
	}
	buf_release(&part);
}

/* "Growth: 30/h, since …" or "Since …" */
static void add_growth_since(struct buf *out, const struct notify_facts *f)
{
	struct buf rate = BUF_INIT;

	add_rate(&rate, f);
	if (rate.len)
		buf_addf(out, "Growth: %s", rate.p);
	if (f->since_ms > 0) {
		buf_adds(out, rate.len ? ", since " : "Since ");
		add_since(out, f);
	}
	buf_release(&rate);
}

/* "at least 3 h old" */
static void add_age(struct buf *out, const struct notify_facts *f)
{
	size_t start = out->len;

	add_oldest(out, f);
	buf_adds(out, out->len > start ? " old" : "");
}

static void add_wait(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->wait);
}

static void add_version(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->version);
}

/* "v1.2.3; v1.3.0 runs now" */
static void add_versions(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->version);
	if (!f->version.len || !f->version_now.len || str_eq(f->version, f->version_now))
		return;
	buf_adds(out, "; ");
	add_name(out, f->version_now);
	buf_adds(out, " runs now");
}

static void add_creator(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->created_by);
}

static void add_hint(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->hint, TEXT_COLUMNS);
}

/* The verdict's reason, where it is not the evidence; alerts that are not of growth have it in the
 * summary. */
static void add_reason(struct buf *out, const struct notify_facts *f)
{
	if (f->kind <= ALERT_STUCK_GOROUTINES && !str_eq(f->reason, f->evidence))
		safe_add_cut(out, f->reason, TEXT_COLUMNS);
}

static void add_description(struct buf *out, const struct notify_facts *f)
{
	add_sentence(out, "", f, add_summary);
	add_sentence(out, "", f, add_growth_since);
	add_sentence(out, "It began in version ", f, add_versions);
	add_sentence(out, "Fleet: ", f, add_fleet);
	add_sentence(out, "Versions: ", f, add_first_seen_alone);
	add_sentence(out, "Evidence: ", f, add_evidence);
	add_sentence(out, "The oldest is ", f, add_age);
	add_sentence(out, "They wait on: ", f, add_wait);
	add_sentence(out, "Created by ", f, add_creator);
	add_sentence(out, "First line outside the standard library: ", f, add_user_line);
	add_sentence(out, "Each holds ", f, add_each);
	add_sentence(out, "What grows: ", f, add_culprit);
	add_sentence(out, "Forecast: ", f, add_forecast);
	add_sentence(out, "With it: ", f, add_also);
	add_sentence(out, "Likely cause: ", f, add_hint);
	add_sentence(out, "Judged so because: ", f, add_reason);
}

/* Sets an annotation from what add writes, when it writes anything. */
static void annotate(struct alert_labels *l, const char *key, const struct notify_facts *f,
	void (*add)(struct buf *, const struct notify_facts *))
{
	struct buf b = BUF_INIT;

	add(&b, f);
	if (b.len)
		alert_labels_put_text(l, str_of(key), buf_str(&b));
	buf_release(&b);
}

void notify_text(const struct notify_facts *f, struct alert_labels *annotations)
{
	alert_labels_release(annotations);
	annotate(annotations, "summary", f, add_summary);
	annotate(annotations, "description", f, add_description);
	annotate(annotations, "rate", f, add_rate);
	annotate(annotations, "since", f, add_since);
	annotate(annotations, "version", f, add_version);
	annotate(annotations, "also", f, add_also);
	annotate(annotations, "waits_on", f, add_wait);
	annotate(annotations, "created_by", f, add_creator);
	annotate(annotations, "first_user_line", f, add_user_line);
	annotate(annotations, "hint", f, add_hint);
	annotate(annotations, "forecast", f, add_forecast);
	annotate(annotations, "oldest", f, add_oldest);
	annotate(annotations, "each_holds", f, add_each);
	annotate(annotations, "what_grows", f, add_culprit);
	annotate(annotations, "evidence", f, add_evidence);
	annotate(annotations, "fleet", f, add_fleet);
	annotate(annotations, "first_seen", f, add_first_seen);
	if (f->instances.len)
		alert_labels_put_text(annotations, STR("instances"), f->instances);
	if (f->example_stack.len)
		alert_labels_put_text(annotations, STR("example_stack"), f->example_stack);
	if (f->runbook_url.len)
		alert_labels_put_text(annotations, STR("runbook_url"), f->runbook_url);
}
