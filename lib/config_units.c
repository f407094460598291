#include "config_internal.h"

static const struct unit {
	const char *name;
	uint64_t ms;
} duration_units[] = {/* largest first, as a duration has them */
	{"y", 365 * 86400000ULL}, {"w", 7 * 86400000ULL}, {"d", 86400000}, {"h", 3600000},
	{"m", 60000}, {"s", 1000}, {"ms", 1}};

static size_t digits(struct str s)
{
	size_t n = 0;

	while (n < s.len && s.p[n] >= '0' && s.p[n] <= '9')
		n++;
	return n;
}

static size_t letters(struct str s)
{
	size_t n = 0;

	while (n < s.len && ((s.p[n] | 32) >= 'a' && (s.p[n] | 32) <= 'z'))
		n++;
	return n;
}

/* A count and its unit, which must be smaller than the one before (*next). */
static bool take_part(struct str *rest, size_t *next, uint64_t *total)
{
	size_t n = digits(*rest), len = letters(str_from(*rest, n));
	struct str unit = str_sub(*rest, n, n + len);
	uint64_t count;

	if (!str_u64(str_sub(*rest, 0, n), &count) || count > UINT32_MAX)
		return false;
	for (size_t u = *next; u < ARRAY_LEN(duration_units); u++) {
		if (!str_is(unit, duration_units[u].name))
			continue;
		*total += count * duration_units[u].ms;
		*rest = str_from(*rest, n + len);
		*next = u + 1;
		return true;
	}
	return false;
}

/* Prometheus's grammar (model.ParseDuration): whole numbers, each unit once, largest first. */
int config_duration(struct str s, uint64_t *ms, struct err *err)
{
	struct str rest = str_is(s, "0") ? STR("0s") : s;
	uint64_t total = 0;
	size_t next = 0;

	do {
		if (!take_part(&rest, &next, &total))
			return err_set(err,
				"\"%.*s\" is no duration: write it as 500ms, 30s or "
				"1h30m",
				STR_ARG(s));
	} while (rest.len > 0);
	*ms = total;
	return 0;
}

/* Shortest text that reads back as the same. */
void config_duration_text(uint64_t ms, struct buf *out)
{
	if (ms == 0)
		buf_adds(out, "0s");
	for (size_t u = 2; u < ARRAY_LEN(duration_units); u++) {
		if (ms / duration_units[u].ms)
			buf_addf(out, "%llu%s", (unsigned long long)(ms / duration_units[u].ms),
				duration_units[u].name);
		ms %= duration_units[u].ms;
	}
}

/* As Prometheus has them: powers of two, whether the i is there or not. */
int config_size(struct str s, uint64_t *bytes, struct err *err)
{
	static const char *const names[] = {
		"", "B", "KB", "KiB", "MB", "MiB", "GB", "GiB", "TB", "TiB", NULL};
	static const unsigned char shift[] = {0, 0, 10, 10, 20, 20, 30, 30, 40, 40};
	size_t n = digits(s);
	uint64_t count;

	if (!str_u64(str_sub(s, 0, n), &count))
		return err_set(
			err, "\"%.*s\" is no size: write it as 64KiB, 32MB or 2GB", STR_ARG(s));
	for (size_t u = 0; names[u]; u++) {
		if (!str_is(str_from(s, n), names[u]))
			continue;
		if (count > (UINT64_MAX >> 1) >> shift[u])
			return err_set(err, "\"%.*s\" is too large", STR_ARG(s));
		*bytes = count << shift[u];
		return 0;
	}
	return err_set(err, "\"%.*s\" is no size: the units are B, KB, MB, GB and TB", STR_ARG(s));
}

void config_size_text(uint64_t bytes, struct buf *out)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	size_t u = 0;

	while (bytes && bytes % 1024 == 0 && u + 1 < ARRAY_LEN(names)) {
		bytes /= 1024;
		u++;
	}
	buf_addf(out, "%llu%s", (unsigned long long)bytes, names[u]);
}
