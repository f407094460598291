#include "notify.h"
#include "notify_internal.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define HOUR 3600.0
#define DAY  86400.0

void notify_add_integer(struct buf *out, double v)
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
void notify_add_number(struct buf *out, double v)
{
	double tenths = round(v * 10) / 10;

	if (!isfinite(v))
		buf_adds(out, "unknown");
	else if (fabs(tenths) >= 10 || tenths == round(tenths))
		notify_add_integer(out, round(tenths));
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
	notify_add_number(out, v);
	buf_addf(out, " %s", units[i]);
}

void notify_add_amount(struct buf *out, double v, enum notify_unit unit)
{
	if (unit == NOTIFY_BYTES)
		add_bytes(out, v);
	else
		notify_add_integer(out, round(v));
}

/* The time a rate is told for: the one that gives a number neither tiny nor huge. */
double notify_rate_scale(double per_hour, enum notify_unit unit)
{
	double least = unit == NOTIFY_BYTES ? 1048576 : 1;
	double most = unit == NOTIFY_BYTES ? 1e300 : 10 * HOUR;

	return fabs(per_hour) < least ? DAY : fabs(per_hour) < most ? HOUR : 1;
}

void notify_add_rate_per(struct buf *out, double per_hour, enum notify_unit unit, double scale)
{
	double v = per_hour * (scale / HOUR);

	if (!isfinite(v)) {
		buf_adds(out, "unknown");
		return;
	}
	if (unit == NOTIFY_BYTES)
		add_bytes(out, v);
	else
		notify_add_number(out, v);
	buf_adds(out, scale == DAY ? "/d" : scale == HOUR ? "/h" : "/s");
}

void notify_add_rate(struct buf *out, double per_hour, enum notify_unit unit)
{
	notify_add_rate_per(out, per_hour, unit, notify_rate_scale(per_hour, unit));
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
void notify_add_minute(struct buf *out, int64_t at_ms)
{
	char t[NOTIFY_TIME_MAX];

	notify_time(at_ms, t);
	buf_addf(out, "%.10s %.5s UTC", t, t + 11);
}
