#include "notify.h"
#include "safe.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NAME_COLUMNS 160 /* of a function, class or file within a sentence */
#define TEXT_COLUMNS 600 /* of a hint or a reason */
#define HOUR	     3600.0
#define DAY	     86400.0

/* ---- numbers as people read them ------------------------------------------------------------- */

static void add_integer(struct buf *out, double v)
{
	char digits[400];
	int n = snprintf(digits, sizeof(digits), "%.0f", fabs(v));

	if (v < 0 && strcmp(digits, "0") != 0)
		buf_addc(out, '-');
	for (int i = 0; i < n; i++) {
		if (i && (n - i) % 3 == 0)
			buf_addc(out, ',');
		buf_addc(out, digits[i]);
	}
}

/* Two digits below ten ("1.2", "8"), whole above, thousands parted. */
static void add_number(struct buf *out, double v)
{
	double tenths = round(v * 10) / 10;

	if (!isfinite(v))
		buf_adds(out, "unknown");
	else if (fabs(tenths) >= 10 || tenths == round(tenths))
		add_integer(out, round(tenths));
	else
		buf_addf(out, "%.1f", tenths);
}

static void add_bytes(struct buf *out, double v)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t i = 0;

	while (i + 1 < ARRAY_LEN(units) && fabs(v) >= 1024) {
		v /= 1024;
		i++;
	}
	add_number(out, v);
	buf_addf(out, " %s", units[i]);
}

static void add_amount(struct buf *out, double v, enum notify_unit unit)
{
	if (unit == NOTIFY_BYTES)
		add_bytes(out, v);
	else
		add_integer(out, round(v));
}

/* The time a rate is told for: the one that gives a number neither tiny nor huge. */
static double scale_of(double per_hour, enum notify_unit unit)
{
	double least = unit == NOTIFY_BYTES ? 1048576 : 1;
	double most = unit == NOTIFY_BYTES ? 1e300 : 10 * HOUR;

	return fabs(per_hour) < least ? DAY : fabs(per_hour) < most ? HOUR : 1;
}

static void add_rate_per(struct buf *out, double per_hour, enum notify_unit unit, double scale)
{
	double v = per_hour * (scale / HOUR);

	if (!isfinite(v)) {
		buf_adds(out, "unknown");
		return;
	}
	if (unit == NOTIFY_BYTES)
		add_bytes(out, v);
	else
		add_number(out, v);
	buf_adds(out, scale == DAY ? "/d" : scale == HOUR ? "/h" : "/s");
}

void notify_add_rate(struct buf *out, double per_hour, enum notify_unit unit)
{
	add_rate_per(out, per_hour, unit, scale_of(per_hour, unit));
}

void notify_add_duration(struct buf *out, double seconds)
{
	uint64_t s = seconds > 0 ? (uint64_t)MIN(seconds, 1e15) : 0;

	if (s < 60)
		buf_addf(out, "%" PRIu64 " s", s);
	else if (s < 3600)
		buf_addf(out, "%" PRIu64 " min", s / 60);
	else if (s < 86400 && s / 60 % 60 == 0)
		buf_addf(out, "%" PRIu64 " h", s / 3600);
	else if (s < 86400)
		buf_addf(out, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else if (s / 3600 % 24 == 0)
		buf_addf(out, "%" PRIu64 " d", s / 86400);
	else
		buf_addf(out, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
}

/* "2026-11-21 04:05 UTC" */
static void add_minute(struct buf *out, int64_t at_ms)
{
	char t[NOTIFY_TIME_MAX];

	notify_time(at_ms, t);
	buf_addf(out, "%.10s %.5s UTC", t, t + 11);
}

static void add_name(struct buf *out, struct str name)
{
	safe_add_cut(out, name, NAME_COLUMNS);
}

/* ---- parts of sentences; each is empty when its fact is not known ---------------------------- */

static void add_rate(struct buf *out, const struct notify_facts *f)
{
	double scale = scale_of(f->rate_per_hour, f->unit);

	if (isnan(f->rate_per_hour) || f->kind > ALERT_GOROUTINE_LIMIT)
		return;
	add_rate_per(out, f->rate_per_hour, f->unit, scale);
	if (isnan(f->low) || isnan(f->high))
		return;
	buf_adds(out, " (95 %: ");
	add_rate_per(out, f->low, f->unit, scale);
	buf_adds(out, " to ");
	add_rate_per(out, f->high, f->unit, scale);
	buf_addc(out, ')');
}

static void add_since(struct buf *out, const struct notify_facts *f)
{
	if (f->since_ms <= 0)
		return;
	buf_adds(out, f->since_at_least ? "before " : "");
	add_minute(out, f->since_ms);
	buf_adds(out, f->since_at_least ? ", at least " : ", ");
	notify_add_duration(out, (double)(f->now_ms - f->since_ms) / 1000);
	buf_adds(out, " ago");
}

static void add_forecast(struct buf *out, const struct notify_facts *f)
{
	double left = f->limit - f->count, seconds = left / f->rate_per_hour * HOUR;

	if (isnan(f->limit) || isnan(f->count) || f->kind > ALERT_FD_LEAK)
		return;
	if (left <= 0) {
		buf_adds(out, "over the limit of ");
		add_amount(out, f->limit, f->unit);
		return;
	}
	/* A year ahead no straight line is to be believed. */
	if (isnan(seconds) || seconds < 0 || seconds > 365 * DAY)
		return;
	buf_adds(out, "the limit of ");
	add_amount(out, f->limit, f->unit);
	buf_adds(out, " is reached in ");
	notify_add_duration(out, seconds);
	buf_adds(out, " at this rate, on ");
	add_minute(out, f->now_ms + (int64_t)(seconds * 1000));
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
			add_amount(out, m->count, m->unit);
			buf_adds(out, " now");
		}
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
	add_amount(out, f->count, f->unit);
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

static void add_over_limit(struct buf *out, const struct notify_facts *f)
{
	add_class(out, f);
	buf_adds(out, " has ");
	add_count(out, f);
	if (!isnan(f->limit)) {
		buf_adds(out, ", over its ceiling of ");
		add_integer(out, f->limit);
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
	case ALERT_GOROUTINE_LIMIT:
		add_over_limit(out, f);
		break;
	case ALERT_STUCK_GOROUTINES:
		add_count(out, f);
		buf_adds(out, " stuck on one mutex in ");
		add_class(out, f);
		break;
	case ALERT_TARGET_DOWN:
		buf_adds(out, "cannot be scraped");
		add_why(out, f);
		break;
	case ALERT_DUMP_UNREADABLE:
		buf_adds(out, "its goroutine profile cannot be read");
		add_why(out, f);
		break;
	default:
		buf_adds(out, "leakwatch cannot write its database");
		add_why(out, f);
		break;
	}
}

/* Adds `before`, the part that add writes, and a full stop; nothing when the part is empty. */
static void add_sentence(struct buf *out, const char *before, const struct notify_facts *f,
	void (*add)(struct buf *, const struct notify_facts *))
{
	struct buf part = BUF_INIT;
	struct str text;

	add(&part, f);
	text = str_trim(buf_str(&part));
	if (text.len) {
		buf_addf(out, "%s%s", out->len ? " " : "", before);
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

static void add_wait(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->wait);
}

static void add_version(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->version);
}

static void add_creator(struct buf *out, const struct notify_facts *f)
{
	add_name(out, f->created_by);
}

static void add_hint(struct buf *out, const struct notify_facts *f)
{
	safe_add_cut(out, f->hint, TEXT_COLUMNS);
}

/* The verdict's reason; alerts that are not of growth have it in the summary. */
static void add_reason(struct buf *out, const struct notify_facts *f)
{
	if (f->kind <= ALERT_STUCK_GOROUTINES)
		safe_add_cut(out, f->reason, TEXT_COLUMNS);
}

static void add_description(struct buf *out, const struct notify_facts *f)
{
	add_sentence(out, "", f, add_summary);
	add_sentence(out, "", f, add_growth_since);
	add_sentence(out, "It began in version ", f, add_version);
	add_sentence(out, "They wait on: ", f, add_wait);
	add_sentence(out, "Created by ", f, add_creator);
	add_sentence(out, "First line outside the standard library: ", f, add_user_line);
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
	if (f->example_stack.len)
		alert_labels_put_text(annotations, STR("example_stack"), f->example_stack);
	if (f->runbook_url.len)
		alert_labels_put_text(annotations, STR("runbook_url"), f->runbook_url);
}
