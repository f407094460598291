#include "fleet.h"

#include "notify.h"
#include "safe.h"

#include <math.h>
#include <string.h>

#define NAME_COLUMNS 80
#define ROW_COLUMNS  60 /* of a name in a list */

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

static void add_to_side(struct fleet_side *s, const struct fleet_row *row)
{
	bool low_known, high_known;

	if (s->n == 0) {
		first_of(s, row->instance, row->version, row->rate_per_hour);
		return;
	}
	s->n++;
	s->slowest = fmin(s->slowest, row->rate_per_hour); /* fmin and fmax pass NAN over */
	s->fastest = fmax(s->fastest, row->rate_per_hour);
	s->all_told = s->all_told && row->version.len > 0;
	if (str_eq(row->version, s->version))
		return;
	s->one_version = false;
	if (fleet_compare_versions(row->version, s->lowest, &low_known) < 0)
		s->lowest = row->version;
	if (fleet_compare_versions(row->version, s->highest, &high_known) > 0)
		s->highest = row->version;
	s->ordered = s->ordered && low_known && high_known;
}

/* The faster first; one whose rate is not known is the slowest. */
static bool is_faster(const struct fleet_row *a, const struct fleet_row *b)
{
	if (isnan(a->rate_per_hour) || isnan(b->rate_per_hour))
		return !isnan(a->rate_per_hour) && isnan(b->rate_per_hour);
	return a->rate_per_hour > b->rate_per_hour;
}

/* What is clean tells most. */
static bool tells_more(const struct fleet_row *a, const struct fleet_row *b)
{
	if (a->state != b->state)
		return a->state == FLEET_CLEAN;
	return a->why < b->why;
}

/* Puts row in its place among n of max; *left is the one for which there is no place.  True when
 * there is one. */
static bool insert(struct fleet_row *v, size_t *n, size_t max, const struct fleet_row *row,
	bool (*before)(const struct fleet_row *, const struct fleet_row *), struct fleet_row *left)
{
	bool full = *n == max;
	size_t at = *n;

	while (at > 0 && before(row, &v[at - 1]))
		at--;
	if (full)
		*left = at < max ? v[max - 1] : *row;
	if (at == max)
		return true;
	memmove(&v[at + 1], &v[at], ((full ? max - 1 : *n) - at) * sizeof(*v));
	v[at] = *row;
	*n += !full;
	return full;
}

void fleet_add(struct fleet *f, const struct fleet_row *row)
{
	struct fleet_row left;

	if (row->state == FLEET_LEAKS) {
		add_to_side(&f->leaks, row);
		if (insert(f->fastest, &f->nfastest, FLEET_FASTEST, row, is_faster, &left))
			f->left_out = fmax(f->left_out, left.rate_per_hour);
		return;
	}
	if (row->state == FLEET_CLEAN)
		add_to_side(&f->rest, row);
	else
		f->unknown++;
	insert(f->others, &f->nothers, FLEET_OTHERS, row, tells_more, &left);
}

size_t fleet_more_leak(const struct fleet *f)
{
	return f->leaks.n - f->nfastest;
}

size_t fleet_more_others(const struct fleet *f)
{
	return f->rest.n + f->unknown - f->nothers;
}

/* ---- words ------------------------------------------------------------------------------------
 */
static void add_name(struct buf *out, struct str name)
{
	safe_add_cut(out, name, NAME_COLUMNS);
}

static void add_number(struct buf *out, double x, enum notify_unit unit)
{
	if (unit != NOTIFY_BYTES && fabs(x) < 100)
		buf_addf(out, "%.3g", x);
	else
		notify_add_amount(out, x, unit);
}

static void add_rates(struct buf *out, const struct fleet_side *leaks, enum notify_unit unit)
{
	if (isnan(leaks->slowest))
		return;
	buf_adds(out, ", ");
	add_number(out, leaks->slowest, unit);
	if (leaks->fastest > leaks->slowest * 1.005) {
		buf_adds(out, " to ");
		add_number(out, leaks->fastest, unit);
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

/* "an older version (v1.4.0)": all of them run older ones. */
static void add_older(struct buf *out, const struct fleet_side *clean, const char *verb)
{
	buf_addf(out, "%s %solder version%s (", verb, clean->one_version ? "an " : "",
		clean->one_version ? "" : "s");
	add_name(out, clean->highest);
	buf_adds(out, clean->one_version ? ")" : " and before)");
}

static void add_clean(struct buf *out, const struct fleet_side *leaks,
	const struct fleet_side *clean, struct str history, bool doubted)
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
		add_older(out, clean, verb);
		if (history.len || doubted)
			return;
		buf_adds(out, ": first seen in ");
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

void fleet_words(const struct fleet *f, enum notify_unit unit, struct str history, struct buf *out)
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
	add_rates(out, leaks, unit);
	if (clean->n > 0) {
		add_clean(out, leaks, clean, history, f->doubted);
	} else if (leaks->one_version) {
		buf_adds(out, "; all run ");
		add_name(out, leaks->version);
	}
	if (history.len) {
		buf_adds(out, ": ");
		buf_addstr(out, history);
	}
	if (f->unknown > 0)
		buf_addf(out, "; of %zu more it is not known yet", f->unknown);
}

/* ---- a line each ------------------------------------------------------------------------------
 */
static const char *const state_names[FLEET_STATES] = {
	[FLEET_UNKNOWN] = "unknown",
	[FLEET_CLEAN] = "clean",
	[FLEET_LEAKS] = "leaks",
};

const char *fleet_state_name(enum fleet_state s)
{
	return s < FLEET_STATES ? state_names[s] : "?";
}

void fleet_add_state(const struct fleet_row *row, struct buf *out)
{
	buf_adds(out, fleet_state_name(row->state));
	if (row->state != FLEET_UNKNOWN)
		return;
	switch (row->why) {
	case FLEET_SUSPECTED:
		buf_adds(out, ": suspected");
		return;
	case FLEET_CHANGED:
		buf_adds(out, ": leaked before its deploy");
		return;
	case FLEET_DOWN:
		buf_adds(out, ": not scraped now");
		return;
	case FLEET_YOUNG:
		buf_adds(out, ": seen for ");
		notify_add_duration(out, row->seen_s);
		buf_adds(out, " only");
		return;
	default:
		return;
	}
}

static void add_row(struct buf *out, const struct fleet_row *row, enum notify_unit unit)
{
	char since[NOTIFY_TIME_MAX];

	safe_add_cut(out, row->instance, ROW_COLUMNS);
	if (row->version.len) {
		buf_addc(out, ' ');
		safe_add_cut(out, row->version, ROW_COLUMNS);
	}
	buf_addc(out, ' ');
	fleet_add_state(row, out);
	if (row->state == FLEET_LEAKS && !isnan(row->rate_per_hour)) {
		buf_addc(out, ' ');
		notify_add_rate(out, row->rate_per_hour, unit);
	}
	if (row->state == FLEET_LEAKS && row->since_ms > 0) {
		notify_time(row->since_ms, since);
		buf_addf(out, " since %.10s %.5s UTC", since, since + 11);
	}
	buf_addc(out, '\n');
}

void fleet_list(const struct fleet *f, enum notify_unit unit, struct buf *out)
{
	size_t more = fleet_more_leak(f), others = fleet_more_others(f);

	if (f->leaks.n + f->rest.n + f->unknown < 2)
		return;
	for (size_t i = 0; i < f->nfastest; i++)
		add_row(out, &f->fastest[i], unit);
	if (more) {
		buf_addf(out, "%zu more leak", more);
		if (!isnan(f->left_out)) {
			buf_adds(out, ", ");
			notify_add_rate(out, f->leaks.slowest, unit);
			buf_adds(out, " to ");
			notify_add_rate(out, f->left_out, unit);
		}
		buf_addc(out, '\n');
	}
	for (size_t i = 0; i < f->nothers; i++)
		add_row(out, &f->others[i], unit);
	if (others)
		buf_addf(out, "%zu more do not leak, or it is not known of them\n", others);
	if (out->len && out->p[out->len - 1] == '\n')
		out->p[--out->len] = '\0';
}
