#include "releases.h"

#include "notify.h"
#include "safe.h"
#include "xalloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_COLUMNS 80

static void release_drop(struct release *v)
{
	for (size_t i = 0; i < v->nleaks; i++)
		free(v->leaks[i].name);
	free(v->leaks);
	free(v->version);
}

void releases_release(struct releases *r)
{
	for (size_t i = 0; i < r->n; i++)
		release_drop(&r->v[i]);
	*r = (struct releases)RELEASES_INIT;
}

struct release *releases_of(struct releases *r, struct str version)
{
	if (r->last < r->n && str_is(version, r->v[r->last].version))
		return &r->v[r->last]; /* thousands of instances ask for the same */
	for (size_t i = 0; i < r->n; i++) {
		if (str_is(version, r->v[i].version)) {
			r->last = i;
			return &r->v[i];
		}
	}
	return NULL;
}

/* ---- what is seen ----------------------------------------------------------------------------
 */

/* When any other than v was last seen running; 0 when there is none. */
static int64_t others_last_ms(const struct releases *r, const struct release *v)
{
	int64_t last = 0;

	for (size_t i = 0; i < r->n; i++) {
		if (&r->v[i] != v)
			last = MAX(last, r->v[i].last_ms);
	}
	return last;
}

/* The one that was not seen for the longest time goes, unless all of them run. */
static bool make_room(struct releases *r, int64_t at_ms, int64_t gap_ms)
{
	struct release *oldest = &r->v[0];

	if (r->n < RELEASES_MAX)
		return true;
	for (size_t i = 1; i < r->n; i++) {
		if (r->v[i].last_ms < oldest->last_ms)
			oldest = &r->v[i];
	}
	r->crowded = at_ms - oldest->last_ms <= gap_ms;
	if (r->crowded)
		return false;
	release_drop(oldest);
	memmove(oldest, oldest + 1, (size_t)(&r->v[r->n] - (oldest + 1)) * sizeof(*oldest));
	r->n--;
	return true;
}

/* It came some time between the last look at the job and now. */
static int64_t came_ms(const struct release_look *l, int64_t earliest_ms)
{
	return MIN(MAX(l->run_ms, earliest_ms), l->at_ms);
}

static struct release *add_release(struct releases *r, const struct release_look *l)
{
	struct release *v;

	if (!make_room(r, l->at_ms, l->gap_ms))
		return NULL;
	if (!r->begun_ms)
		r->begun_ms = l->at_ms;
	v = &r->v[r->n++];
	*v = (struct release){.version = str_dup(l->version), .last_ms = l->at_ms};
	v->first_ms = came_ms(l, others_last_ms(r, v));
	v->from_start = l->at_ms - r->begun_ms <= l->gap_ms;
	return v;
}

bool releases_see(struct releases *r, const struct release_look *l)
{
	struct release *v = releases_of(r, l->version);
	bool news = !v;

	if (l->version.len == 0 || l->version.len > RELEASE_NAME_MAX)
		return false;
	if (!v && !(v = add_release(r, l)))
		return false;
	if (l->at_ms - v->last_ms > l->gap_ms && others_last_ms(r, v) > v->last_ms) {
		v->again_ms = came_ms(l, v->last_ms);
		v->again_s = 0;
		news = true;
	} else if (l->at_ms > v->last_ms && l->at_ms - v->last_ms <= l->gap_ms) {
		v->seen_s += (double)(l->at_ms - v->last_ms) / 1000;
	}
	v->last_ms = l->at_ms;
	if (l->run_seen_s > v->longest_s) {
		v->longest_s = l->run_seen_s;
		v->longest_from_ms = l->at_ms - (int64_t)(l->run_seen_s * 1000);
	}
	if (v->again_ms && l->at_ms - (int64_t)(l->run_seen_s * 1000) >= v->again_ms - l->gap_ms)
		v->again_s = fmax(v->again_s, l->run_seen_s);
	return news;
}

static struct release_leak *leak_of(const struct release *v, struct str name)
{
	for (size_t i = 0; i < v->nleaks; i++) {
		if (str_is(name, v->leaks[i].name))
			return &v->leaks[i];
	}
	return NULL;
}

bool releases_leak(
	struct releases *r, struct str version, struct str name, int64_t at_ms, bool proven)
{
	struct release *v = releases_of(r, version);
	struct release_leak *leak = v ? leak_of(v, name) : NULL;
	bool lost;

	if (!v)
		return false;
	if (leak) {
		if (leak->proven || (!proven && leak->at_ms == at_ms))
			return false;
		leak->at_ms = at_ms;
		leak->proven = proven;
		return true;
	}
	if (v->nleaks == RELEASE_LEAKS_MAX || name.len > RELEASE_NAME_MAX) {
		lost = v->leaks_lost;
		v->leaks_lost = true;
		return !lost;
	}
	v->leaks = xrealloc(v->leaks, v->nleaks + 1, sizeof(*v->leaks));
	v->leaks[v->nleaks++] =
		(struct release_leak){.name = str_dup(name), .at_ms = at_ms, .proven = proven};
	return true;
}

/* ---- the instances of now --------------------------------------------------------------------
 */

void releases_unmark(struct releases *r)
{
	for (size_t i = 0; i < r->n; i++)
		r->v[i].spoiled = r->v[i].clean = false;
}

void releases_mark(struct releases *r, const struct fleet_row *row)
{
	struct release *v = releases_of(r, row->version);

	if (!v)
		return;
	v->clean = v->clean || row->state == FLEET_CLEAN;
	v->spoiled = v->spoiled || row->state == FLEET_LEAKS || row->why == FLEET_SUSPECTED;
}

bool releases_doubt(const struct releases *r, struct str name)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->v[i].clean && release_is_doubted(&r->v[i], name))
			return true;
	}
	return false;
}

/* ---- what can be said ------------------------------------------------------------------------
 */

static bool is_proven(const struct release *v, struct str name)
{
	const struct release_leak *leak = leak_of(v, name);

	return leak && leak->proven;
}

/* One that was not proven is forgotten when a longer run came after it. */
bool release_is_doubted(const struct release *v, struct str name)
{
	const struct release_leak *leak = leak_of(v, name);

	return v->spoiled || v->leaks_lost ||
	       (leak && (leak->proven || v->longest_from_ms < leak->at_ms));
}

static bool is_clean(const struct release *v, struct str name, double needs_s)
{
	return v->longest_s >= needs_s && !release_is_doubted(v, name);
}

static bool is_earlier(const struct release *a, const struct release *b, bool *by_time)
{
	bool known;
	int d = fleet_compare_versions(str_of(a->version), str_of(b->version), &known);

	*by_time = !known;
	return known ? d < 0 : a->first_ms < b->first_ms && !b->from_start;
}

static bool earlier(const struct release *a, const struct release *b)
{
	bool by_time;

	return is_earlier(a, b, &by_time);
}

/* The latest of those before `than` that are clean, or that leaked. */
static const struct release *latest_before(const struct releases *r, const struct release *than,
	struct str name, bool clean, double needs_s)
{
	const struct release *found = NULL;

	for (size_t i = 0; i < r->n; i++) {
		const struct release *v = &r->v[i];

		if (v == than || !earlier(v, than) ||
			!(clean ? is_clean(v, name, needs_s) : is_proven(v, name)))
			continue;
		if (!found || earlier(found, v))
			found = v;
	}
	return found;
}

/* From the clean one on: the first that leaks, and what of those before that is not known. */
static void find_first(const struct releases *r, struct str name, struct release_claim *c)
{
	for (size_t i = 0; i < r->n; i++) {
		const struct release *v = &r->v[i];

		if (is_proven(v, name) && earlier(c->before, v) && earlier(v, c->first))
			c->first = v;
	}
	for (size_t i = 0; i < r->n; i++) {
		const struct release *v = &r->v[i];

		if (v != c->before && v != c->first && earlier(c->before, v) &&
			earlier(v, c->first))
			c->between = v;
	}
}

void releases_judge(const struct releases *r, struct str name, struct str version, double needs_s,
	struct release_claim *out)
{
	const struct release *leaking = releases_of((struct releases *)r, version);

	*out = (struct release_claim){0};
	if (!leaking || r->crowded || !(needs_s > 0))
		return;
	out->before = latest_before(r, leaking, name, true, needs_s);
	out->also = latest_before(r, out->before ? out->before : leaking, name, false, 0);
	if (!out->before)
		return;
	out->first = leaking;
	find_first(r, name, out);
	is_earlier(out->before, out->first, &out->by_time);
	out->again =
		out->before->again_ms > out->first->first_ms && out->before->again_s >= needs_s;
}

static void add_version(struct buf *out, const struct release *v)
{
	safe_add_cut(out, str_of(v->version), VERSION_COLUMNS);
}

static void add_minute(struct buf *out, int64_t at_ms)
{
	char text[NOTIFY_TIME_MAX];

	notify_time(at_ms, text);
	buf_addf(out, "%.10s %.5s UTC", text, text + 11);
}

void releases_words(const struct release_claim *c, struct buf *out)
{
	if (c->first) {
		buf_adds(out, c->also ? "back in " : "first seen in ");
		add_version(out, c->first);
		buf_adds(out, " (");
		if (c->by_time) {
			buf_adds(out, "deployed ");
			add_minute(out, c->first->first_ms);
			buf_adds(out, "; ");
		}
		add_version(out, c->before);
		if (c->before->first_ms > c->first->first_ms && !c->before->from_start)
			buf_adds(out, ", deployed after it,");
		buf_adds(out, " ran ");
		notify_add_duration(out, fmax(c->before->seen_s, c->before->longest_s));
		buf_adds(out, " without it");
		if (c->again) {
			buf_adds(out, ", and again since ");
			add_minute(out, c->before->again_ms);
		}
		if (c->between) {
			buf_adds(out, "; ");
			add_version(out, c->between);
			buf_adds(out, " ran too short a time to tell");
		}
		buf_adds(out, c->also ? "; " : ")");
	}
	if (c->also) {
		add_version(out, c->also);
		buf_adds(out, c->first ? " leaked as well)" : " leaked as well");
	}
}

/* ---- as JSON ---------------------------------------------------------------------------------
 */

static void set_time(json_t *row, const char *key, int64_t at_ms)
{
	json_object_set_new(row, key, at_ms ? json_num((double)at_ms / 1000) : json_null());
}

static json_t *leaks_json(const struct release *v)
{
	json_t *list = json_array();

	for (size_t i = 0; i < v->nleaks; i++) {
		json_t *row = json_object();

		json_object_set_new(row, "name", json_str(str_of(v->leaks[i].name)));
		set_time(row, "at", v->leaks[i].at_ms);
		json_object_set_new(row, "proven", json_boolean(v->leaks[i].proven));
		json_array_append_new(list, row);
	}
	return list;
}

json_t *releases_json(const struct releases *r)
{
	json_t *doc = json_object(), *list = json_array();

	set_time(doc, "begun", r->begun_ms);
	json_object_set_new(doc, "crowded", json_boolean(r->crowded));
	json_object_set_new(doc, "versions", list);
	for (size_t i = 0; i < r->n; i++) {
		const struct release *v = &r->v[i];
		json_t *row = json_object();

		json_object_set_new(row, "version", json_str(str_of(v->version)));
		set_time(row, "first", v->first_ms);
		set_time(row, "last", v->last_ms);
		set_time(row, "again", v->again_ms);
		json_object_set_new(row, "from_start", json_boolean(v->from_start));
		json_object_set_new(row, "seen_s", json_num(v->seen_s));
		json_object_set_new(row, "longest_s", json_num(v->longest_s));
		set_time(row, "longest_from", v->longest_from_ms);
		json_object_set_new(row, "again_s", json_num(v->again_s));
		json_object_set_new(row, "leaks", leaks_json(v));
		json_object_set_new(row, "leaks_lost", json_boolean(v->leaks_lost));
		json_array_append_new(list, row);
	}
	return doc;
}

static double number_of(const json_t *row, const char *key)
{
	double v = json_get_num(row, key);

	return v >= 0 && v <= 1e12 ? v : 0;
}

static int64_t time_of(const json_t *row, const char *key)
{
	return (int64_t)llround(number_of(row, key) * 1000);
}

static void read_release(struct releases *r, const json_t *row)
{
	struct str version = json_get_str(row, "version");
	struct release *v;
	json_t *leak;
	size_t i;

	if (!version.len || version.len > RELEASE_NAME_MAX || r->n == RELEASES_MAX ||
		releases_of(r, version))
		return;
	v = &r->v[r->n++];
	*v = (struct release){.version = str_dup(version),
		.first_ms = time_of(row, "first"),
		.last_ms = time_of(row, "last"),
		.again_ms = time_of(row, "again"),
		.from_start = json_get_true(row, "from_start"),
		.seen_s = number_of(row, "seen_s"),
		.longest_s = number_of(row, "longest_s"),
		.longest_from_ms = time_of(row, "longest_from"),
		.again_s = number_of(row, "again_s")};
	json_array_foreach(json_object_get(row, "leaks"), i, leak) releases_leak(r, version,
		json_get_str(leak, "name"), time_of(leak, "at"), json_get_true(leak, "proven"));
	v->leaks_lost = v->leaks_lost || json_get_true(row, "leaks_lost");
}

void releases_read(struct releases *r, const json_t *doc)
{
	json_t *row;
	size_t i;

	*r = (struct releases)RELEASES_INIT;
	r->begun_ms = time_of(doc, "begun");
	r->crowded = json_get_true(doc, "crowded");
	json_array_foreach(json_object_get(doc, "versions"), i, row) read_release(r, row);
}
