#include "fleet.h"

#include "notify.h"
#include "safe.h"

#include <math.h>

#define NAME_COLUMNS 80

/* ---- versions ---------------------------------------------------------------------------------
 */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Without "v" in front and build metadata behind. */
static struct str core_of(struct str v)
{
	ptrdiff_t plus = str_chr(v, '+');

	if (plus >= 0)
		v = str_sub(v, 0, (size_t)plus);
	return v.len > 1 && v.p[0] == 'v' && is_digit(v.p[1]) ? str_from(v, 1) : v;
}

/* Takes a number off the front; longer ones than 18 digits compare by their first ones. */
static uint64_t take_number(struct str *s)
{
	uint64_t n = 0;
	size_t i = 0;

	for (; i < s->len && is_digit(s->p[i]); i++)
		n = i < 18 ? n * 10 + (uint64_t)(s->p[i] - '0') : n;
	*s = str_from(*s, i);
	return n;
}

/* What ends here against what goes on: "1.5" < "1.5.1", but "1.5-rc1" < "1.5". */
static int compare_rest(struct str a, struct str b)
{
	if (a.len == 0 && b.len == 0)
		return 0;
	if (a.len == 0)
		return b.p[0] == '-' ? 1 : -1;
	return a.p[0] == '-' ? -1 : 1;
}

/* A dotted number against a number: its git hash could be one too, so it must hold a dot. */
static bool is_version(struct str v)
{
	return v.len > 0 && is_digit(v.p[0]) && str_chr(v, '.') > 0;
}

int fleet_compare_versions(struct str a, struct str b, bool *known)
{
	a = core_of(a);
	b = core_of(b);
	*known = is_version(a) && is_version(b);
	while (*known && a.len > 0 && b.len > 0) {
		if (is_digit(a.p[0]) && is_digit(b.p[0])) {
			uint64_t x = take_number(&a), y = take_number(&b);

			if (x != y)
				return x < y ? -1 : 1;
			continue;
		}
		if (a.p[0] != b.p[0]) {
			if (a.p[0] == '-' || b.p[0] == '-')
				return a.p[0] == '-' ? -1 : 1;
			return (unsigned char)a.p[0] < (unsigned char)b.p[0] ? -1 : 1;
		}
		a = str_from(a, 1);
		b = str_from(b, 1);
	}
	return *known ? compare_rest(a, b) : 0;
}

/* ---- counting ---------------------------------------------------------------------------------
 */
static void first_of(struct fleet_side *s, struct str instance, struct str version, double rate)
{
	bool told = version.len > 0;

	*s = (struct fleet_side){.n = 1,
		.instance = instance,
		.version = version,
		.one_version = told,
		.all_told = told,
		.ordered = told,
		.lowest = version,
		.highest = version,
		.slowest = rate,
		.fastest = rate};
}

void fleet_add(struct fleet *f, struct str instance, struct str version, enum fleet_state state,
	double rate_per_hour)
{
	struct fleet_side *s = state == FLEET_LEAKS ? &f->leaks : &f->rest;
	bool low_known, high_known;

	if (state == FLEET_UNKNOWN) {
		f->unknown++;
		return;
	}
	if (s->n == 0) {
		first_of(s, instance, version, rate_per_hour);
		return;
	}
	s->n++;
	s->slowest = fmin(s->slowest, rate_per_hour); /* fmin and fmax pass NAN over */
	s->fastest = fmax(s->fastest, rate_per_hour);
	s->all_told = s->all_told && version.len > 0;
	if (str_eq(version, s->version))
		return;
	s->one_version = false;
	if (fleet_compare_versions(version, s->lowest, &low_known) < 0)
		s->lowest = version;
	if (fleet_compare_versions(version, s->highest, &high_known) > 0)
		s->highest = version;
	s->ordered = s->ordered && low_known && high_known;
}

/* ---- words ------------------------------------------------------------------------------------
 */
static void add_name(struct buf *out, struct str name)
{
	safe_add_cut(out, name, NAME_COLUMNS);
}

static void add_number(struct buf *out, double x)
{
	if (fabs(x) < 100)
		buf_addf(out, "%.3g", x);
	else
		notify_add_amount(out, x, NOTIFY_GOROUTINES);
}

static void add_rates(struct buf *out, const struct fleet_side *leaks)
{
	if (isnan(leaks->slowest))
		return;
	buf_adds(out, ", ");
	add_number(out, leaks->slowest);
	if (leaks->fastest > leaks->slowest * 1.005) {
		buf_adds(out, " to ");
		add_number(out, leaks->fastest);
	}
	buf_addf(out, " an hour%s", leaks->n > 1 ? " each" : "");
}

/* Every clean version lies below every leaking one. */
static bool came_with_a_version(const struct fleet_side *leaks, const struct fleet_side *clean)
{
	bool known;

	return leaks->ordered && clean->ordered &&
	       fleet_compare_versions(clean->highest, leaks->lowest, &known) < 0 && known;
}

static void add_clean(
	struct buf *out, const struct fleet_side *leaks, const struct fleet_side *clean)
{
	const char *verb = clean->n > 1 ? "run" : "runs";
	bool known;

	if (clean->n == 1) {
		buf_adds(out, "; ");
		add_name(out, clean->instance);
		buf_addc(out, ' ');
	} else {
		buf_addf(out, "; the other %zu ", clean->n);
	}
	if (!clean->all_told || !leaks->all_told) {
		buf_adds(out, clean->n > 1 ? "do not" : "does not");
		return;
	}
	if (clean->one_version && leaks->one_version && str_eq(clean->version, leaks->version)) {
		buf_addf(out, "%s the same version (", verb);
		add_name(out, clean->version);
		buf_adds(out, "): it is not the version alone");
		return;
	}
	if (came_with_a_version(leaks, clean)) {
		buf_addf(out, "%s %solder version%s (", verb, clean->one_version ? "an " : "",
			clean->one_version ? "" : "s");
		add_name(out, clean->highest);
		buf_adds(out, clean->one_version ? "" : " and before");
		buf_adds(out, "): first seen in ");
		add_name(out, leaks->lowest);
		return;
	}
	if (!clean->one_version) {
		buf_addf(out, "%s several versions", verb);
		return;
	}
	buf_addf(out, "%s ", verb);
	if (clean->ordered && leaks->ordered &&
		fleet_compare_versions(clean->lowest, leaks->highest, &known) > 0 && known)
		buf_adds(out, "a newer version, ");
	add_name(out, clean->version);
}

void fleet_words(const struct fleet *f, struct buf *out)
{
	const struct fleet_side *leaks = &f->leaks, *clean = &f->rest;
	size_t known = leaks->n + clean->n;

	if (leaks->n == 0 || known < 2)
		return;
	if (clean->n == 0)
		buf_addf(out, "all %zu instances leak", leaks->n);
	else if (leaks->n == 1)
		buf_addf(out, "only this one of %zu instances leaks", known);
	else
		buf_addf(out, "%zu of %zu instances leak", leaks->n, known);
	add_rates(out, leaks);
	if (clean->n > 0) {
		add_clean(out, leaks, clean);
	} else if (leaks->one_version) {
		buf_adds(out, "; all run ");
		add_name(out, leaks->version);
	}
	if (f->unknown > 0)
		buf_addf(out, "; of %zu more it is not known yet", f->unknown);
}
