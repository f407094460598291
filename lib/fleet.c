#include "fleet.h"
#include "safe.h"

#define NAME_COLUMNS 80

void fleet_add(struct fleet *f, struct str instance, struct str version, bool leaks)
{
	struct fleet_side *s = leaks ? &f->leaks : &f->rest;

	if (s->n == 0) {
		s->instance = instance;
		s->version = version;
	}
	s->mixed = s->mixed || !str_eq(s->version, version);
	s->n++;
}

/* All of that side run one version, which is told. */
static bool has_version(const struct fleet_side *s)
{
	return s->n && !s->mixed && s->version.len;
}

static void add_name(struct buf *out, struct str name)
{
	safe_add_cut(out, name, NAME_COLUMNS);
}

static void add_counts(const struct fleet *f, struct buf *out)
{
	size_t n = f->leaks.n + f->rest.n;

	if (f->rest.n == 0)
		buf_addf(out, "all %zu instances leak", n);
	else if (f->leaks.n == 1)
		buf_addf(out, "only this one of %zu instances leaks", n);
	else
		buf_addf(out, "%zu of %zu instances leak", f->leaks.n, n);
}

static void add_others(const struct fleet *f, struct buf *out)
{
	if (f->rest.n == 1)
		add_name(out, f->rest.instance);
	else
		buf_adds(out, "the others");
}

void fleet_words(const struct fleet *f, struct buf *out)
{
	bool known = has_version(&f->leaks);

	if (f->leaks.n == 0 || f->leaks.n + f->rest.n < 2)
		return;
	add_counts(f, out);
	if (known && (f->rest.n == 0 || (has_version(&f->rest) &&
						str_eq(f->leaks.version, f->rest.version)))) {
		buf_adds(out, ", all run ");
		add_name(out, f->leaks.version);
		return;
	}
	if (known) {
		buf_adds(out, f->leaks.n == 1 ? ", it runs " : ", they run ");
		add_name(out, f->leaks.version);
	}
	if (has_version(&f->rest)) {
		buf_adds(out, "; ");
		add_others(f, out);
		buf_adds(out, f->rest.n == 1 ? " runs " : " run ");
		add_name(out, f->rest.version);
	} else if (f->rest.n == 1) {
		buf_adds(out, "; ");
		add_others(f, out);
		buf_adds(out, " does not");
	}
}
